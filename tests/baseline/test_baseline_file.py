"""The baseline file: strict loading, stable lines, and no growth without a request."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from support.repository import git

from scanagg.baseline.file import (
    PLACES,
    Baseline,
    BaselineEntry,
    entries_for,
    foreign,
    has_former,
    is_slim,
    load,
    new_text,
    updated_text,
)
from scanagg.baseline.lookup import compare
from scanagg.core.errors import BaselineError
from scanagg.model import (
    Advisory,
    Anchor,
    Category,
    Change,
    Confidence,
    Coverage,
    Finding,
    Location,
    NotExamined,
    Package,
    Parts,
    Rule,
    Run,
    Severity,
    Status,
    Witness,
    plain,
)

PLACE = PLACES[0]
CODE = BaselineEntry(
    Parts("code", "B602", "app.py", "run", "a" * 16),
    7,
    *("5" * 16, "6" * 16, "7" * 16),
    by=("bandit",),
)
OTHER = BaselineEntry(Parts("code", "B307", "lib/ünï.py", "", "b" * 16), 3, by=("bandit",))
SECRET = BaselineEntry(
    Parts("secret", "", "app.py", "", "c" * 28), 3, by=("bandit", "detect-secrets")
)
VULNERABILITY = BaselineEntry(
    Parts("vulnerability", "CVE-2016-10745", "pkg:pypi/jinja2", "", ""),
    ids=("CVE-2016-10745", "GHSA-hj2j-77xm-mc5v"),
    by=("pip-audit",),
)
LICENSE = BaselineEntry(Parts("license", "", "pkg:pypi/odd", "", "d" * 16), by=("licenses",))
ALL = (CODE, OTHER, SECRET, VULNERABILITY, LICENSE)
HEAD = '[{"baseline":"scanagg","version":2,"growth":1}\n'
FORMER_HEAD = HEAD.replace('"version":2', '"version":1')
FORMER = BaselineEntry(
    Parts("code", "B602", "app.py", "run", "f" * 16), 7, former=True, by=("bandit",)
)
FORMER_LINE = (
    ',{"category":"code","rule":"B602","path":"app.py","qualname":"run",'
    f'"statement":"#{"f" * 16}","line":7,"by":["bandit"]}}\n'
)
ENTRY = ',{"category":"code","rule":"B602","path":"app.py","line":7}\n'


def loaded(text: str) -> Baseline:
    return load(text.encode(), PLACE)


def test_what_is_written_is_read_back() -> None:
    baseline = loaded(new_text(ALL))
    assert set(baseline.entries) == set(ALL)
    assert (baseline.head, baseline.growth) == (1, 1)
    assert baseline.lines == (2, 3, 4, 5, 6)


def test_it_is_json_with_one_entry_a_line_sorted_whatever_the_order() -> None:
    text = new_text(ALL)
    assert text == new_text(reversed(ALL))
    assert len(json.loads(text)) == 1 + len(ALL)
    assert [line[:2] for line in text.splitlines()] == ["[{", *[",{"] * len(ALL), "]"]
    entries = json.loads(text)[1:]
    assert entries == sorted(entries, key=lambda one: (one["category"], one.get("path", "")))


def test_an_empty_one_is_a_baseline_too() -> None:
    assert loaded(new_text(())).entries == ()


def test_a_hash_does_not_look_like_a_secret() -> None:
    text = new_text([CODE])
    for name, digit in (("code", "a"), ("statement", "5"), ("inputs", "6"), ("origins", "7")):
        assert f'"{name}":"#{digit * 16}"' in text


def test_origins_are_only_written_where_they_differ_from_inputs() -> None:
    entry = replace(CODE, origins=CODE.inputs)
    text = new_text([entry])
    assert '"origins"' not in text
    assert loaded(text).entries == (entry,)


def test_a_file_of_version_1_is_read() -> None:
    baseline = loaded(f"{FORMER_HEAD}{FORMER_LINE}]")
    assert baseline.entries == (FORMER,)
    assert has_former(baseline)
    assert not has_former(loaded(new_text(ALL)))
    assert not has_former(None)


def test_entries_of_version_1_stay_byte_for_byte_in_a_file_of_version_2() -> None:
    licence = ',{"category":"license","purl":"pkg:pypi/a"}\n'
    secret = f',{{"category":"secret","path":"a.py","statement":"#{"c" * 28}"}}\n'
    bare = ',{"category":"misconfiguration","rule":"DS-0002","path":"Dockerfile"}\n'
    baseline = loaded(f"{FORMER_HEAD}{FORMER_LINE}{licence}{secret}{bare}]")
    mixed = updated_text(baseline, range(4), [CODE])
    assert '"version":2' in mixed.splitlines()[0]
    assert {FORMER_LINE, licence, secret, bare} < {*mixed.splitlines(keepends=True)}
    again = loaded(mixed)
    assert {*again.entries} == {*baseline.entries, CODE}
    assert [entry.former for entry in again.entries].count(True) == 2
    assert updated_text(again, range(5)) == mixed
    slim = loaded(updated_text(again, range(5), slim=True))
    assert {
        entry.former: entry.parts.code for entry in slim.entries if entry.parts.path == "app.py"
    } == {
        False: "a" * 16,
        True: "f" * 16,
    }
    pretty = json.dumps(json.loads(mixed), indent=1)
    assert {*loaded(pretty).entries} == {*again.entries}


def test_lines_that_stay_are_byte_for_byte_the_same() -> None:
    text = new_text(ALL)
    baseline = loaded(text)
    more = updated_text(
        baseline, range(5), [BaselineEntry(Parts("code", "B101", "z.py", "", "e" * 16), 1)]
    )
    assert set(text.splitlines()[1:]) < set(more.splitlines())
    less = updated_text(baseline, [0, 3])
    assert set(less.splitlines()) < set(text.splitlines())


def test_scanners_that_did_not_run_have_lines_of_their_own() -> None:
    text = new_text(ALL, without=["trivy", "safety"])
    assert text.splitlines()[1:3] == [',{"without":"safety"}', ',{"without":"trivy"}']
    baseline = loaded(text)
    assert baseline.without == {"safety", "trivy"}
    assert baseline.entries == loaded(new_text(ALL)).entries
    assert [text.splitlines()[line - 1].strip(",") for line in baseline.lines] == [*baseline.texts]
    keep = range(len(ALL))
    assert updated_text(baseline, keep, without=baseline.without) == text
    assert updated_text(baseline, keep) == new_text(ALL), "the head stays"


def test_the_head_changes_with_accepted_packages_and_never_with_shrinking() -> None:
    """The head names the commit that packages are compared with; accepting code keeps it."""
    baseline = loaded(new_text(ALL))
    smaller = loaded(updated_text(baseline, [0]))
    assert smaller.growth == 1
    by_code = loaded(updated_text(smaller, [0], [OTHER]))
    assert (by_code.growth, len(by_code.entries)) == (1, 2)
    assert loaded(updated_text(smaller, [0], [VULNERABILITY], left_out=True)).growth == 1
    grown = loaded(updated_text(smaller, [0], [OTHER, VULNERABILITY]))
    assert (grown.growth, len(grown.entries)) == (2, 3)
    assert loaded(updated_text(grown, [])).growth == 2


def test_only_the_lines_of_new_entries_are_new_to_git_blame(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    file = tmp_path / "baseline.json"

    def commit(text: str) -> str:
        file.write_text(text, encoding="utf-8")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-q", "-m", "baseline")
        return git(tmp_path, "rev-parse", "HEAD").strip()

    def blamed() -> list[str]:
        return [
            line.split()[0] for line in git(tmp_path, "blame", "-s", "-l", file.name).splitlines()
        ]

    text = new_text([CODE, SECRET])
    first = commit(text)
    more = [OTHER, BaselineEntry(Parts("secret", "", "z.py", "", "f" * 28), 9), VULNERABILITY]
    text = updated_text(loaded(text), [0, 1], more)
    second = commit(text)
    assert [commit_.lstrip("^")[:30] for commit_ in blamed()] == [
        commit_[:30] for commit_ in (second, first, second, first, second, second, first)
    ]
    commit(updated_text(loaded(text), [0, 2]))
    assert blamed()[0] == second, "a baseline that shrinks did not grow"
    assert [commit_.lstrip("^")[:30] for commit_ in blamed()[1:3]] == [first[:30], first[:30]]


def test_equal_findings_are_as_many_lines() -> None:
    twice = [CODE, BaselineEntry(CODE.parts, 9, by=CODE.by)]
    assert [one.line for one in loaded(new_text(twice)).entries] == [7, 9]
    assert len(loaded(new_text(twice, slim=True)).entries) == 2


def test_a_package_is_one_line_in_however_many_versions() -> None:
    assert len(loaded(new_text([VULNERABILITY, VULNERABILITY, LICENSE])).entries) == 2


def test_slim_has_no_line_hints_and_stays_slim() -> None:
    full = loaded(new_text([CODE, LICENSE]))
    assert not is_slim(full)
    slim = loaded(updated_text(full, [0, 1], slim=True))
    assert [one.line for one in slim.entries] == [None, None]
    assert is_slim(slim)
    assert slim.growth == full.growth
    assert '"line"' not in updated_text(slim, [0, 1], [OTHER])


def test_owner_and_reason_of_what_was_accepted_stay() -> None:
    accepted = BaselineEntry(CODE.parts, 7, owner="@team", reason='old "code"\n— see #1')
    entry = loaded(new_text([accepted])).entries[0]
    assert (entry.owner, entry.reason) == ("@team", 'old "code"\n— see #1')


def test_hand_edited_and_valid_is_fine() -> None:
    pretty = json.dumps(json.loads(new_text(ALL)), indent=2)
    shuffled = json.loads(pretty)
    shuffled[1:] = reversed(shuffled[1:])
    edited = json.dumps(shuffled, indent=2) + "\r\n"
    baseline = loaded(edited)
    assert set(baseline.entries) == set(ALL)
    lines = edited.split("\n")
    assert all(lines[number - 1].strip() == "{" for number in baseline.lines)
    assert sorted(updated_text(baseline, range(5)).splitlines()) == sorted(
        new_text(ALL).splitlines()
    )


def test_a_vulnerability_edited_by_hand_needs_no_rule() -> None:
    entry = ',{"category":"vulnerability","purl":"pkg:pypi/a","ids":["CVE-1"]}'
    assert loaded(f"{HEAD}{entry}]").entries[0].parts.path == "pkg:pypi/a"


BROKEN = {
    "nothing at all": (b"", "1:1: not JSON: "),
    "words": (b"hello", "1:1: not JSON: "),
    "half of it": ((HEAD + ENTRY)[:-5].encode(), "2:56: not JSON: "),
    "a comma too many": (f"{HEAD}{ENTRY},]".encode(), "3:2: not JSON: "),
    "another kind": (b'{"version": 1}', "1:1: not a baseline: "),
    "no head": (b"[]", "1:1: not a baseline: "),
    "no head, but entries": (f"[{ENTRY[1:]}]".encode(), "1:2: "),
    "another head": (b'[{"baseline":"x","version":1,"growth":1}]', "1:3: baseline: "),
    "a newer version": (
        b'[{"baseline":"scanagg","version":3,"shrunk":[]}]',
        "1:2: format version 3",
    ),
    "a version of words": (b'[{"baseline":"scanagg","version":"1","growth":1}]', "1:24: version: "),
    "no growth": (b'[{"baseline":"scanagg","version":1}]', "1:2: "),
    "growth of zero": (b'[{"baseline":"scanagg","version":1,"growth":0}]', "1:36: growth: "),
    "a word too many in the head": (
        b'[{"baseline":"scanagg","version":1,"growth":1,"x":1}]',
        "1:47: ",
    ),
    "a scanner with more": (
        f'{HEAD},{{"without":"trivy","category":"code"}}]'.encode(),
        "2:21: Object contains unknown field 'category'",
    ),
    "a second head": (f"{HEAD},{HEAD[1:]}]".encode(), "2:2: a second head"),
    "an unknown key": (f'{HEAD},{{"category":"code","path":"a","color":1}}]'.encode(), "2:32: "),
    "an unknown category": (f'{HEAD},{{"category":"x","path":"a"}}]'.encode(), "2:3: category: "),
    "a line of text": (f"{HEAD}{ENTRY.replace(':7', ':true')}]".encode(), "2:51: line: "),
    "a line of zero": (f"{HEAD}{ENTRY.replace(':7', ':0')}]".encode(), "2:51: line: "),
    "an entry of text": (f'{HEAD},"code"]'.encode(), "2:2: "),
    "no path": (
        f'{HEAD},{{"category":"code"}}]'.encode(),
        "2:2: a finding of category code",
    ),
    "a path for a package": (
        f'{HEAD},{{"category":"license","path":"a"}}]'.encode(),
        "2:2: a license ",
    ),
    "no purl in a purl": (f'{HEAD},{{"category":"license","purl":"a"}}]'.encode(), "2:2: "),
    "a purl for a file": (
        f'{HEAD},{{"category":"code","path":"a","purl":"pkg:pypi/a"}}]'.encode(),
        "2:2: a finding of category code",
    ),
    "no ids": (
        f'{HEAD},{{"category":"vulnerability","purl":"pkg:pypi/a"}}]'.encode(),
        "2:2: a vulnerability ",
    ),
    "an empty id": (
        f'{HEAD},{{"category":"vulnerability","purl":"pkg:pypi/a","ids":[""]}}]'.encode(),
        "2:50: ids: ",
    ),
    "a key twice": (
        f'{HEAD},{{"category":"code","path":"a","path":"b"}}]'.encode(),
        "2:2: duplicate key path",
    ),
    "our side of a conflict": (
        f"{HEAD}<<<<<<< HEAD\n{ENTRY}=======\n>>>>>>> x\n]".encode(),
        "2:1: unresolved merge conflict: <<<<<<<",
    ),
    "the end of a conflict": (
        f"{HEAD}{ENTRY}>>>>>>> topic\n]".encode(),
        "3:1: unresolved merge conflict: >>>>>>>",
    ),
    "a byte order mark": (b"\xef\xbb\xbf" + HEAD.encode() + b"]", "1:1: the file begins with"),
    "UTF-16": ((HEAD + "]").encode("utf-16"), "1:1: the file begins with"),
    "Latin-1": (f'{HEAD},{{"category":"code","path":"é"}}]'.encode("latin-1"), "2:29: byte 0xe9"),
    "a bomb of brackets": (b"[" * 100_000, "1:"),
    "an entry of brackets": (f"{HEAD},{'[' * 5000}{']' * 5000}]".encode(), ""),
}


@pytest.mark.parametrize("name", BROKEN)
def test_bad_input_is_refused_with_its_place(name: str) -> None:
    raw, message = BROKEN[name]
    with pytest.raises(BaselineError) as caught:
        load(raw, PLACE)
    assert caught.value.message.startswith(f"{PLACE}:{message}")
    assert caught.value.hint
    assert "\n" not in caught.value.message


def test_a_merge_conflict_comes_with_the_way_out() -> None:
    with pytest.raises(BaselineError) as caught:
        load(f"{HEAD}<<<<<<< HEAD\n]".encode(), PLACE)
    assert "scanagg baseline prune" in caught.value.hint


def test_a_marker_inside_of_a_line_is_no_conflict() -> None:
    entry = BaselineEntry(
        Parts("code", "B1", "a.py", "", ""), reason="======= <<<<<<< HEAD", owner="me"
    )
    assert loaded(new_text([entry])).entries[0].reason == entry.reason


def test_a_huge_file_is_not_even_read() -> None:
    with pytest.raises(BaselineError, match="larger than 64 MiB"):
        load(b" " * ((64 << 20) + 1), PLACE)


def test_a_hundred_thousand_entries_fit() -> None:
    entries = [
        BaselineEntry(
            Parts("code", f"B{n % 700}", f"src/{n % 997}.py", f"f{n % 77}", f"{n:016x}"), n + 1
        )
        for n in range(100_000)
    ]
    baseline = loaded(new_text(entries))
    assert len(baseline.entries) == 100_000
    assert baseline.lines[-1] == 100_001


def test_control_characters_of_a_file_do_not_reach_the_terminal() -> None:
    with pytest.raises(BaselineError) as caught:
        loaded(f'{HEAD},{{"category":"code","path":"a","\\u001b[2J":1}}]')
    assert "\x1b" not in caught.value.message


def test_a_baseline_without_any_known_file_is_foreign() -> None:
    baseline = Baseline(PLACE, (CODE, OTHER, VULNERABILITY), (2, 3, 4))
    assert foreign(baseline, {"src/main.py"})
    assert not foreign(baseline, {"src/main.py", "app.py"})
    assert not foreign(Baseline(PLACE, (VULNERABILITY, LICENSE), (2, 3)), {"src/main.py"})
    assert not foreign(Baseline(PLACE, (), ()), {"src/main.py"})


# Comparison of findings with the baseline.


def code(rule: str, line: int, statement: str, path: str = "app.py", qualname: str = "") -> Finding:
    parts = Parts("code", rule, path, qualname, statement)
    return finding(Category.CODE, parts, location=Location(path, line))


def finding(
    category: Category,
    parts: Parts | None,
    *,
    location: Location | None = None,
    advisory: Advisory | None = None,
    scanner: str = "bandit",
    former: tuple[Parts, ...] = (),
) -> Finding:
    line = (location.start_line or 0) if location and not advisory else 0
    package = Package("a", "1.0", "pkg:pypi/a@1.0") if advisory or not location else None
    return Finding(
        id="0" * 12,
        fingerprint="0" * 64,
        category=category,
        rule=Rule("r", "r", "r"),
        title="t",
        message="m",
        claims=(),
        confidence=Confidence.HIGH,
        location=location,
        places=(),
        witnesses=(Witness(scanner, "r", Severity.LOW),),
        package=package,
        advisory=advisory,
        anchors=(Anchor(parts, line, former=former),) if parts else (),
    )


def vulnerability(*ids: str, purl: str = "pkg:pypi/a") -> Finding:
    parts = Parts("vulnerability", ids[0], purl, "", "")
    advisory = Advisory(ids[0], ids[1:])
    place = Location("requirements.txt", 4)
    return finding(
        Category.VULNERABILITY, parts, location=place, advisory=advisory, scanner="pip-audit"
    )


def run(scanner: str, status: Status = Status.OK, *gaps: str, unnamed: int = 0) -> Run:
    missed = len(gaps) + unnamed
    coverage = Coverage(
        "files", 5 + missed, 5, tuple(NotExamined(gap, plain("syntax error")) for gap in gaps)
    )
    return Run(
        scanner=scanner,
        version="1",
        status=status,
        coverage=coverage,
        started=datetime(2026, 1, 1, tzinfo=UTC),
    )


def baseline_of(*findings: Finding) -> Baseline:
    return loaded(new_text([entry for one in findings for entry in entries_for(one)]))


def test_a_finding_becomes_an_entry_for_each_place() -> None:
    (one,) = entries_for(code("B602", 7, "a" * 16), "@team", "old")
    assert (one.line, one.by, one.owner, one.reason) == (7, ("bandit",), "@team", "old")
    (other,) = entries_for(vulnerability("CVE-1", "GHSA-1"))
    assert (other.line, other.ids, other.by) == (None, ("CVE-1", "GHSA-1"), ("pip-audit",))
    two = places("a" * 28, "b" * 28)
    assert [(one.parts.code, one.line) for one in entries_for(two)] == [
        ("a" * 28, 1),
        ("b" * 28, 2),
    ]
    anchor = Anchor(
        CODE.parts,
        CODE.line or 0,
        statement=CODE.statement,
        inputs=CODE.inputs,
        origins=CODE.origins,
        evidence="e" * 16,
        unmasked="0" * 16,
    )
    assert entries_for(replace(code("B602", 7, ""), anchors=(anchor,))) == (CODE,)
    assert anchor.evidence not in (text := new_text([CODE]))
    assert anchor.unmasked not in text
    with pytest.raises(ValueError, match="no anchors"):
        entries_for(finding(Category.CODE, None, location=Location("a.py")))


def places(*codes: str, former: tuple[Parts, ...] = ()) -> Finding:
    """Return a secret with an anchor on each line."""
    anchors = tuple(
        Anchor(Parts("secret", "", "app.py", "", code_), line, former=former)
        for line, code_ in enumerate(codes, start=1)
    )
    one = finding(Category.SECRET, None, location=Location("app.py", 1), scanner="detect-secrets")
    return replace(one, anchors=anchors)


def test_places_are_compared_one_by_one() -> None:
    first, second, third = (name * 16 + digit * 12 for name, digit in ("a1", "b1", "c1"))
    baseline = baseline_of(places(first, second))
    standing = compare(baseline, [places(third, second)], [run("detect-secrets")], {"app.py"})
    assert [one.change for one in standing.matches[0]] == [Change.UNCHANGED, Change.UNCHANGED]
    standing = compare(
        baseline, [places(third, second, first)], [run("detect-secrets")], {"app.py"}
    )
    assert [one.change for one in standing.matches[0]] == [
        Change.NEW,
        Change.UNCHANGED,
        Change.UNCHANGED,
    ]
    assert standing.matched == {0, 1}


OLD = Parts("code", "B602", "app.py", "run", "f" * 16)


def test_an_entry_of_version_1_knows_what_it_knew() -> None:
    baseline = loaded(f"{FORMER_HEAD}{FORMER_LINE}]")
    known = replace(
        code("B602", 9, "a" * 16, qualname="run"),
        anchors=(Anchor(Parts("code", "B602", "app.py", "run", "a" * 16), 9, former=(OLD,)),),
    )
    standing = compare(baseline, [known], [run("bandit")], {"app.py"})
    assert [(one.base, one.change) for one in standing.matches[0]] == [(0, Change.UNCHANGED)]
    assert standing.matched == {0}
    # The parts of a later version are no parts of version 1, even if they are equal.
    for former, change in (((), Change.NEW), ((OLD._replace(code="e" * 16),), Change.UPDATED)):
        other = replace(known, anchors=(Anchor(OLD, 9, former=former),))
        standing = compare(baseline, [other], [run("bandit")], {"app.py"})
        assert standing.matches[0][0].change is change


def test_an_entry_of_before_a_secret_was_known_is_found_by_the_unmasked_parts() -> None:
    baseline = loaded(f"{FORMER_HEAD}{FORMER_LINE}]")
    masked = OLD._replace(code="e" * 16)
    one = replace(code("B602", 9, ""), anchors=(Anchor(masked, 9, former=(masked, OLD)),))
    standing = compare(baseline, [one], [run("bandit")], {"app.py"})
    assert standing.matches[0][0].change is Change.UNCHANGED


def test_an_entry_of_version_1_knows_all_places_of_a_secret() -> None:
    line = f',{{"category":"secret","path":"app.py","statement":"#{"c" * 28}","line":1}}\n'
    baseline = loaded(f"{FORMER_HEAD}{line}]")
    former = (Parts("secret", "", "app.py", "", "c" * 28),)
    one, other = places("a" * 28, "b" * 28, former=former), places("d" * 28)
    standing = compare(baseline, [one, other], [run("detect-secrets")], {"app.py"})
    assert [[match.base for match in matches] for matches in standing.matches] == [[0, 0], [None]]
    assert standing.matched == {0}


def test_entries_of_version_2_are_matched_first() -> None:
    text = updated_text(loaded(f"{FORMER_HEAD}{FORMER_LINE}]"), [0], [CODE])
    baseline = loaded(text)
    new, old = (
        next(index for index, entry in enumerate(baseline.entries) if entry.former is former)
        for former in (False, True)
    )
    one = replace(code("B602", 9, ""), anchors=(Anchor(CODE.parts, 9, former=(OLD,)),))
    standing = compare(baseline, [one], [run("bandit")], {"app.py"})
    assert [match.base for match in standing.matches[0]] == [new]
    standing = compare(baseline, [one, one], [run("bandit")], {"app.py"})
    assert [match.base for matches in standing.matches for match in matches] == [new, old]


def test_each_finding_has_its_entry_and_the_rest_is_gone() -> None:
    stays, goes = code("B602", 7, "a" * 16, qualname="f"), code("B101", 9, "b" * 16)
    baseline = baseline_of(stays, goes)
    standing = compare(baseline, [stays], [run("bandit")], {"app.py"})
    index = next(n for n, one in enumerate(baseline.entries) if one.parts == stays.parts)
    assert [(one.base, one.change) for one in standing.matches[0]] == [(index, Change.UNCHANGED)]
    assert standing.matched == {index}
    assert not standing.unsure


def test_an_edited_finding_keeps_its_entry_and_is_told_apart() -> None:
    old, new = code("B602", 7, "a" * 16, qualname="f"), code("B602", 7, "b" * 16, qualname="f")
    standing = compare(baseline_of(old), [new], [run("bandit")], {"app.py"})
    assert standing.matches[0][0].change is Change.UPDATED
    assert standing.matched == {0}


def test_a_vulnerability_is_known_by_any_of_its_ids_in_any_version() -> None:
    baseline = baseline_of(vulnerability("PYSEC-1", "GHSA-1"))
    again = [vulnerability("CVE-1", "GHSA-1"), vulnerability("CVE-1", "GHSA-1")]
    other = [vulnerability("CVE-2"), vulnerability("GHSA-1", purl="pkg:pypi/b")]
    standing = compare(baseline, [*again, *other], [run("pip-audit")], ())
    assert [one.base for (one,) in standing.matches] == [0, 0, None, None]


def test_a_licence_is_known_by_package_and_expression_alone() -> None:
    def licence(purl: str, statement: str) -> Finding:
        return finding(
            Category.LICENSE, Parts("license", "", purl, "", statement), scanner="licenses"
        )

    baseline = baseline_of(licence("pkg:pypi/a", "a" * 16))
    found = [licence("pkg:pypi/a", "a" * 16), licence("pkg:pypi/a", "b" * 16)]
    found.append(licence("pkg:pypi/b", "a" * 16))
    standing = compare(baseline, found, [run("licenses")], ())
    assert [one.base for (one,) in standing.matches] == [0, None, None]


def left(baseline: Baseline, *runs: Run, prefix: str = "") -> tuple[int, int]:
    """Return the number of entries that are gone, and of unsure ones, with no findings."""
    standing = compare(baseline, [], runs, {"app.py"}, prefix)
    assert not standing.matched
    return len(baseline.entries) - len(standing.unsure), len(standing.unsure)


def test_an_entry_goes_only_if_whoever_saw_it_looked() -> None:
    baseline = baseline_of(code("B602", 7, "a" * 16))
    assert left(baseline, run("bandit")) == (1, 0)
    assert left(baseline, run("bandit", Status.NOT_APPLICABLE)) == (1, 0)
    assert left(baseline, run("detect-secrets")) == (0, 1)
    assert left(baseline) == (0, 1)
    for status in (Status.MISSING, Status.FAILED, Status.TIMEOUT, Status.EMPTY):
        assert left(baseline, run("bandit", status)) == (0, 1)


def test_a_path_is_the_same_in_either_spelling() -> None:
    composed, decomposed = "\u00fc/a.py", "u\u0308/a.py"
    baseline = baseline_of(code("B602", 7, "a" * 16, path=composed))
    gap = run("bandit", Status.DEGRADED, "a.py")
    assert left(baseline, gap, prefix="u\u0308/") == (0, 1)
    assert not foreign(baseline, {decomposed})


def test_an_entry_in_a_file_that_could_not_be_read_stays() -> None:
    def degraded(*gaps: str, unnamed: int = 0) -> Run:
        return run("bandit", Status.DEGRADED, *gaps, unnamed=unnamed)

    baseline = baseline_of(code("B602", 7, "a" * 16, path="sub/app.py"))
    assert left(baseline, degraded("app.py"), prefix="sub/") == (0, 1)
    assert left(baseline, degraded("other.py"), prefix="sub/") == (1, 0)
    assert left(baseline, degraded("other.py", unnamed=1), prefix="sub/") == (0, 1)
    package = baseline_of(vulnerability("CVE-1"))
    assert left(package, run("pip-audit", Status.DEGRADED, "b 1.0")) == (0, 1)


@pytest.mark.parametrize(
    ("category", "where", "scanner"),
    [
        ("code", '"path":"a"', "bandit"),
        ("secret", '"path":"a"', "detect-secrets"),
        ("misconfiguration", '"path":"a"', "trivy"),
        ("license", '"purl":"pkg:pypi/a"', "licenses"),
        ("vulnerability", '"purl":"pkg:pypi/a","ids":["CVE-1"]', "pip-audit"),
    ],
)
def test_who_saw_an_entry_that_does_not_say_is_whoever_usually_does(
    category: str, where: str, scanner: str
) -> None:
    baseline = loaded(f'{HEAD},{{"category":"{category}",{where}}}]')
    assert left(baseline, run(scanner)) == (1, 0)
    assert left(baseline, run("safety")) == (0, 1)


def test_order_of_findings_does_not_matter() -> None:
    ones: Sequence[Finding] = [code("B602", n, "a" * 16) for n in (3, 9, 7)]
    baseline = baseline_of(*ones)
    standing = compare(baseline, ones, [run("bandit")], {"app.py"})
    lines = [baseline.entries[one.base or 0].line for (one,) in standing.matches]
    assert lines == [3, 9, 7]
