"""The store's matching compared with OSV's own pseudocode, on random events."""

import json
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version
from support.records import NOW, affected, affects, osv

from scanagg.advisories.records import Record, decoded
from scanagg.advisories.versions import trimmed

VERSIONS = ("0", "0.0", "0.9rc1", "1.0.dev1", "1", "1.0.0", "1.0+cpu", "1.1", "2.0", "2.0.post1")
VERSIONS += ("3", "3.0b2", "10", "1!0.5", "2.0.0")
ASKED = (*VERSIONS, "0.dev0", "0.5", "1.0.1", "2.0rc1", "2.5", "99", "1!2")
# At one version: first the ends, then the starts, then the last affected versions.
ORDER = ("fixed", "introduced", "last_affected")

kinds = st.sampled_from((*ORDER, "limit"))
events = st.lists(st.tuples(kinds, st.sampled_from(VERSIONS)), max_size=7)
several = st.lists(events, max_size=3)


def record(ranges: Sequence[Sequence[tuple[str, str]]], versions: Sequence[str] = ()) -> Record:
    entry = affected("app", versions=versions)
    entry["ranges"] = [
        {"type": "ECOSYSTEM", "events": [{kind: version} for kind, version in one]}
        for one in ranges
    ]
    return decoded(json.dumps(osv("A-1", entry)).encode(), NOW)[0]


def by_the_schema(one: Sequence[tuple[str, str]], version: Version) -> bool:
    """`IncludedInRanges` and `BeforeLimits` of the schema, for one range."""
    limits = [Version(text) for kind, text in one if kind == "limit"]
    if limits and not any(version < limit for limit in limits):
        return False
    vulnerable = False
    for at, kind in sorted((place(event) for event in one if event[0] != "limit"), key=by_version):
        if kind == "introduced" and (at is None or version >= at):
            vulnerable = True
        elif at is not None and (
            (kind == "fixed" and version >= at) or (kind == "last_affected" and version > at)
        ):
            vulnerable = False
    return vulnerable


def place(event: tuple[str, str]) -> tuple[Version | None, str]:
    """Return the version of an event, None for the start of all, and its kind."""
    return (None if event == ("introduced", "0") else Version(event[1]), event[0])


def by_version(event: tuple[Version | None, str]) -> tuple[bool, Version, int]:
    return (event[0] is not None, event[0] or Version("0"), ORDER.index(event[1]))


@given(several)
@settings(max_examples=200, deadline=None)
def test_nothing_that_the_schema_calls_affected_is_missed(
    ranges: list[list[tuple[str, str]]],
) -> None:
    one = record(ranges)
    for version in ASKED:
        if any(by_the_schema(each, Version(version)) for each in ranges):
            assert affects(one, "app", version), version


@given(st.lists(st.sampled_from(ASKED), unique_by=Version, max_size=8), st.randoms(), st.booleans())
@settings(max_examples=200, deadline=None)
def test_where_events_make_sense_it_is_what_the_schema_says(
    versions: list[str], chance: object, last: bool
) -> None:
    ends = "last_affected" if last else "fixed"
    ordered = sorted((text for text in versions if "+" not in text), key=Version)
    made = [("introduced" if n % 2 == 0 else ends, text) for n, text in enumerate(ordered)]
    chance.shuffle(made)  # type: ignore[attr-defined]
    one = record([made])
    for version in (text for text in ASKED if "+" not in text):
        said = bool(made) and by_the_schema(made, Version(version))
        assert affects(one, "app", version) == said, version


@given(several, st.lists(st.sampled_from((*ASKED, "odd one")), max_size=5))
@settings(max_examples=200, deadline=None)
def test_a_record_with_shorter_lists_affects_the_same(
    ranges: list[list[tuple[str, str]]], listed: list[str]
) -> None:
    one = record(ranges, listed)
    short = trimmed(one)
    for version in (*ASKED, "odd one"):
        assert affects(one, "app", version) == affects(short, "app", version)
