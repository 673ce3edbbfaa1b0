"""Splitting of findings by the results for their places."""

from collections import Counter

import pytest
from support.history import NEW, UNCHANGED, UPDATED

from scanagg.baseline.compare import split
from scanagg.findings.fingerprint import fingerprint
from scanagg.model import (
    Anchor,
    Category,
    Change,
    Confidence,
    Finding,
    History,
    Location,
    Parts,
    Reason,
    Rule,
)

PARTS = Parts("secret", "", "a.py", "", "0" * 16)
A, B, C = (Location(f"{name}.py", 1) for name in "abc")


def finding(*places: Location, parts: Parts | None = PARTS) -> Finding:
    digest = fingerprint(PARTS, 0)
    return Finding(
        id=digest[:12],
        fingerprint=digest,
        category=Category.SECRET,
        rule=Rule("R", "R", ""),
        title="",
        message="",
        claims=(),
        confidence=Confidence.UNKNOWN,
        location=places[0],
        places=places,
        witnesses=(),
        snippet="the line",
        line_hash="0:1",
        anchors=(Anchor(parts),) if parts else (),
    )


def history(change: Change, reason: str, *, disclosed: bool = False) -> History:
    return History(change, Reason(reason), disclosed)


OLD, SAME, NEWS = (
    history(UNCHANGED, "in-base"),
    history(UNCHANGED, "unchanged-file"),
    history(NEW, "not-in-base"),
)
DISCLOSED = history(UNCHANGED, "advisory-after-base", disclosed=True)
EDITED = history(UPDATED, "edited-since-base")


@pytest.mark.parametrize(
    ("groups", "parts"),
    [
        ([((A, B), OLD)], [((A, B), OLD)]),
        ([((A,), OLD), ((B,), SAME)], [((A, B), OLD)]),
        ([((A,), OLD), ((B,), NEWS)], [((A,), OLD), ((B,), NEWS)]),
        ([((A,), NEWS), ((B,), OLD)], [((B,), OLD), ((A,), NEWS)]),
        ([((A,), NEWS), ((B,), OLD), ((C,), NEWS)], [((B,), OLD), ((A, C), NEWS)]),
        (
            [((A,), NEWS), ((B,), DISCLOSED), ((C,), OLD)],
            [((C,), OLD), ((B,), DISCLOSED), ((A,), NEWS)],
        ),
        ([((A,), NEWS), ((C,), EDITED)], [((C,), EDITED), ((A,), NEWS)]),
        ([((), NEWS)], [((), NEWS)]),
    ],
)
def test_a_finding_is_split_by_the_results_for_its_places(
    groups: list[tuple[tuple[Location, ...], History]],
    parts: list[tuple[tuple[Location, ...], History]],
) -> None:
    whole = finding(A, B, C)
    ordinals: Counter[Parts | None] = Counter({PARTS: 3})
    first, *others = split(whole, groups, ordinals)
    assert (first.id, first.fingerprint) == (whole.id, whole.fingerprint)
    digests = [fingerprint(PARTS, 3 + number) for number in range(len(others))]
    assert [one.fingerprint for one in others] == digests
    assert [one.id for one in others] == [digest[:12] for digest in digests]
    assert ordinals[PARTS] == 3 + len(others)
    assert [one.history for one in (first, *others)] == [history for _, history in parts]
    if others:
        assert [one.places for one in (first, *others)] == [places for places, _ in parts]
    else:
        assert first.places == whole.places


def test_a_part_is_shown_at_the_place_of_the_finding_else_at_its_first_one() -> None:
    whole = finding(B, A, C)
    parts = split(whole, [((C, A), OLD), ((B,), NEWS)], Counter({PARTS: 1}))
    known, new = parts
    assert (known.location, known.snippet, known.line_hash) == (A, None, None)
    assert (new.location, new.snippet, new.line_hash) == (B, "the line", "0:1")


def test_only_a_finding_with_parts_can_be_split() -> None:
    whole = finding(A, B, parts=None)
    assert len([*split(whole, [((A, B), OLD)], Counter())]) == 1
    with pytest.raises(ValueError, match="no parts"):
        list(split(whole, [((A,), OLD), ((B,), NEWS)], Counter()))
