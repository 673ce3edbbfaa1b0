"""The baseline file: strict loading, stable lines, and no growth without a request."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.repository import git

from scanagg.baseline.file import (
    PLACES,
    Baseline,
    BaselineEntry,
    entry_for,
    foreign,
    is_slim,
    load,
    new_text,
    updated_text,
)
from scanagg.baseline.lookup import compare
from scanagg.core.errors import BaselineError
from scanagg.model import (
    Advisory,
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
CODE = BaselineEntry(Parts("code", "B602", "app.py", "run", "a" * 16), 7, by=("bandit",))
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
HEAD = '[{"baseline":"scanagg","version":1,"growth":1}\n'
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
    assert f'"statement":"#{"a" * 16}"' in new_text([CODE])


def test_lines_that_stay_are_byte_for_byte_the_same() -> None:
    text = new_text(ALL)
    baseline = loaded(text)
    more = updated_text(
        baseline, range(5), [BaselineEntry(Parts("code", "B101", "z.py", "", "e" * 16), 1)]
    )
    assert set(text.splitlines()[1:]) < set(more.splitlines())
    less = updated_text(baseline, [0, 3])
    assert set(less.splitlines()) < set(text.splitlines())


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
        b'[{"baseline":"scanagg","version":2,"shrunk":[]}]',
        "1:2: format version 2",
    ),
    "a version of words": (b'[{"baseline":"scanagg","version":"1","growth":1}]', "1:24: version: "),
    "no growth": (b'[{"baseline":"scanagg","version":1}]', "1:2: "),
    "growth of zero": (b'[{"baseline":"scanagg","version":1,"growth":0}]', "1:36: growth: "),
    "a word too many in the head": (
        b'[{"baseline":"scanagg","version":1,"growth":1,"x":1}]',
        "1:47: ",
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
) -> Finding:
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
        parts=parts,
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
    return loaded(new_text([entry_for(one) for one in findings]))


def test_a_finding_becomes_an_entry() -> None:
    one = entry_for(code("B602", 7, "a" * 16), "@team", "old")
    assert (one.line, one.by, one.owner, one.reason) == (7, ("bandit",), "@team", "old")
    other = entry_for(vulnerability("CVE-1", "GHSA-1"))
    assert (other.line, other.ids, other.by) == (None, ("CVE-1", "GHSA-1"), ("pip-audit",))
    with pytest.raises(ValueError, match="no parts"):
        entry_for(finding(Category.CODE, None, location=Location("a.py")))


def test_each_finding_has_its_entry_and_the_rest_is_gone() -> None:
    stays, goes = code("B602", 7, "a" * 16, qualname="f"), code("B101", 9, "b" * 16)
    baseline = baseline_of(stays, goes)
    standing = compare(baseline, [stays], [run("bandit")], {"app.py"})
    index = next(n for n, one in enumerate(baseline.entries) if one.parts == stays.parts)
    assert [(one.base, one.change) for one in standing.matches] == [(index, Change.UNCHANGED)]
    assert standing.matched == {index}
    assert not standing.unsure


def test_an_edited_finding_keeps_its_entry_and_is_told_apart() -> None:
    old, new = code("B602", 7, "a" * 16, qualname="f"), code("B602", 7, "b" * 16, qualname="f")
    standing = compare(baseline_of(old), [new], [run("bandit")], {"app.py"})
    assert standing.matches[0].change is Change.UPDATED
    assert standing.matched == {0}


def test_a_vulnerability_is_known_by_any_of_its_ids_in_any_version() -> None:
    baseline = baseline_of(vulnerability("PYSEC-1", "GHSA-1"))
    again = [vulnerability("CVE-1", "GHSA-1"), vulnerability("CVE-1", "GHSA-1")]
    other = [vulnerability("CVE-2"), vulnerability("GHSA-1", purl="pkg:pypi/b")]
    standing = compare(baseline, [*again, *other], [run("pip-audit")], ())
    assert [one.base for one in standing.matches] == [0, 0, None, None]


def test_a_licence_is_known_by_package_and_expression_alone() -> None:
    def licence(purl: str, statement: str) -> Finding:
        return finding(
            Category.LICENSE, Parts("license", "", purl, "", statement), scanner="licenses"
        )

    baseline = baseline_of(licence("pkg:pypi/a", "a" * 16))
    found = [licence("pkg:pypi/a", "a" * 16), licence("pkg:pypi/a", "b" * 16)]
    found.append(licence("pkg:pypi/b", "a" * 16))
    standing = compare(baseline, found, [run("licenses")], ())
    assert [one.base for one in standing.matches] == [0, None, None]


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
    lines = [baseline.entries[one.base or 0].line for one in standing.matches]
    assert lines == [3, 9, 7]
