"""One-to-one matching of findings: unchanged, moved, edited and new ones."""

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanagg.baseline.matching import (
    BaselineMatch,
    LineMap,
    MatchEntry,
    find_elsewhere,
    match,
)
from scanagg.model import Change, Parts

A, B, C = "a" * 16, "b" * 16, "c" * 16
NEW, UPDATED, UNCHANGED = Change.NEW, Change.UPDATED, Change.UNCHANGED


def code(
    expression: str = A,
    line: int = 0,
    *,
    path: str = "a.py",
    function: str = "f",
    rule: str = "B602",
    check: str = "",
    statement: str = "",
    inputs: str = "",
    origins: str | None = None,
) -> MatchEntry:
    return MatchEntry(
        *(Parts("code", rule, path, function, expression), line, check, statement),
        *(inputs, inputs if origins is None else origins),
    )


def secret(
    name: str = A, line: int = 0, *, path: str = "a.ini", function: str = "", check: str = ""
) -> MatchEntry:
    return MatchEntry(Parts("secret", "", path, function, name), line, check)


def misconfigured(path: str, resource: str = "") -> MatchEntry:
    return MatchEntry(Parts("misconfiguration", "DS-0002", path, "", resource), inputs=resource)


def told(made: list[BaselineMatch]) -> list[tuple[int | None, Change]]:
    return [(one.base, one.change) for one in made]


def one_to_one(current: MatchEntry, base: MatchEntry, **more: object) -> BaselineMatch:
    return match([current], [base], **more)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "was", "tier"),
    [
        (
            code(line=9, statement=B),
            code(line=3, statement=B),
            "rule, file, function and statement",
        ),
        (code(statement=B), code(statement=C), "rule, file, function and expression"),
        (code(function="g", statement=B), code(statement=B), "rule, file and statement"),
        (
            code(path="b.py", inputs=B),
            code(inputs=B),
            "rule, function, expression and what it uses in another file",
        ),
        (
            code(path="b.py", inputs=C, origins=B),
            code(inputs=B),
            "rule, function, expression and origin of what it uses in another file",
        ),
        (
            code(B, statement=C),
            code(statement=C),
            "rule, file, function and whole statement",
        ),
        (code(check="same", expression=B), code(check="same"), "rule, file and value"),
        (secret(B, check="same"), secret(check="same"), "rule, file and value"),
        (
            secret(function="f", check="same"),
            secret(function="g", check="same"),
            "rule, file and statement",
        ),
    ],
    ids=[
        *("lines", "list", "function renamed", "moved", "moved with a constant"),
        *("whole statement", "layout", "name", "secret moved"),
    ],
)
def test_what_is_the_same_is_unchanged_wherever_it_stands(
    now: MatchEntry, was: MatchEntry, tier: str
) -> None:
    assert one_to_one(now, was) == BaselineMatch(0, UNCHANGED, tier)


@pytest.mark.parametrize(
    ("now", "was"),
    [
        (code(path="b.py"), code()),
        (code(path="b.py", inputs=B), code(inputs=C)),
        (code(path="b.py", inputs=B, function="g"), code(inputs=B)),
        (code(path="b.py", inputs=B, rule="B603"), code(inputs=B)),
        (code(B, path="b.py", inputs=B), code(inputs=B)),
        (code(function="g", statement=B), code(statement=C)),
        (secret(path="b.ini", check="same"), secret(check="same")),
        (secret(path="x/b.py", function="f", check="same"), secret(function="f", check="same")),
        (misconfigured("b/Dockerfile"), misconfigured("a/Dockerfile")),
    ],
    ids=[
        *("no inputs", "other inputs", "other function", "other rule", "other expression"),
        *("other function and statement", "secret", "secret in another folder", "no resource"),
    ],
)
def test_what_may_mean_something_else_in_another_file_is_new(
    now: MatchEntry, was: MatchEntry
) -> None:
    files = {"a.py", "b.py", "a.ini", "b.ini"}
    for more in ({}, {"paths": files, "base_paths": files, "renames": {}}):
        assert one_to_one(now, was, **more).base is None


@pytest.mark.parametrize(
    ("path", "unchanged"),
    [("sub/b.py", True), ("other/b.py", False), ("sub/old.py", True)],
)
def test_a_secret_of_a_function_moves_to_another_file_of_its_folder(
    path: str, unchanged: bool
) -> None:
    now = secret(path=path, function="f", check="same")
    was = secret(path="sub/a.py", function="f", check="same")
    files = {"paths": {path, "sub/old.py", "sub/a.py"}, "base_paths": {"sub/a.py", "sub/old.py"}}
    assert (one_to_one(now, was, renames={}, **files).change is UNCHANGED) == unchanged


@pytest.mark.parametrize(
    "make",
    [
        lambda path: code(path=path),
        lambda path: code(path=path, function=""),
        lambda path: secret(path=path, check="same"),
        misconfigured,
        lambda path: misconfigured(path, A),
    ],
    ids=["code", "of the module", "secret", "misconfiguration", "resource"],
)
def test_a_renamed_file_is_the_same_file_in_all_categories(
    make: Callable[[str], MatchEntry],
) -> None:
    renames = {"lab2/x": "lab/x"}
    made = one_to_one(make("lab2/x"), make("lab/x"), renames=renames)
    assert made.change is UNCHANGED
    assert one_to_one(make("lab2/x"), make("lab/y"), renames=renames).base is None or make(
        "lab2/x"
    ) == misconfigured("lab2/x", A)
    # Without git, the folders tell, if nothing is left of the old one.
    files = {"paths": {"lab2/x", "z"}, "base_paths": {"lab/x", "z"}}
    assert one_to_one(make("lab2/x"), make("lab/x"), **files).change is UNCHANGED


@pytest.mark.parametrize(
    ("new", "old", "stays", "base"),
    [
        ("lab2/x.py", "lab/x.py", "y.py", 0),
        ("lab2/x.py", "lab/x.py", "lab/y.py", None),
        ("prod/x.py", "lab/x.py", "y.py", None),
        ("src/lab/x.py", "lab/x.py", "y.py", 0),
        ("lab/x.py", "src/lab/x.py", "y.py", 0),
        ("a/lab2/b/x.py", "a/lab/b/x.py", "y.py", 0),
        ("c/lab2/b/x.py", "a/lab/b/x.py", "y.py", None),
        ("x.py", "lab/x.py", "y.py", 0),
        ("java/20/Dockerfile", "java/19/Dockerfile", "y.py", None),
        ("app/Dockerfile.ol8", "app/Dockerfile.8", "app/y.py", 0),
        ("app/Dockerfile", "app/Dockerfile.slim", "app/y.py", 0),
        ("app/test_b.py", "app/test_a.py", "app/y.py", None),
        ("app/settings/__init__.py", "app/settings.py", "app/y.py", 0),
        ("settings.py", "settings/__init__.py", "y.py", 0),
        ("app/other/__init__.py", "app/settings.py", "app/y.py", None),
        ("b/Dockerfile.ol8", "app/Dockerfile.8", "app/y.py", None),
    ],
    ids=lambda value: str(value).replace("/", "_"),
)
def test_without_git_a_file_or_folder_that_is_gone_may_be_renamed(
    new: str, old: str, stays: str, base: int | None
) -> None:
    files = {"paths": {new, stays}, "base_paths": {old, stays}}
    assert one_to_one(code(path=new), code(path=old), **files).base == base


def test_several_files_of_a_folder_show_its_new_name() -> None:
    now = [code(path=f"shop/{name}.py", function="") for name in ("a", "b")]
    was = [code(path=f"lab/{name}.py", function="") for name in ("a", "b")]
    files = {
        "paths": {one.parts.path for one in now},
        "base_paths": {one.parts.path for one in was},
    }
    assert told(match(now, was, **files)) == [(0, UNCHANGED), (1, UNCHANGED)]


@pytest.mark.parametrize(
    ("new", "old"), [("new/{}/x.py", "old/{}/x.py"), ("{}_moved/x.py", "{}/x.py")]
)
def test_of_two_renamed_folders_the_files_keep_theirs(new: str, old: str) -> None:
    now = [code(path=new.format(name), function="") for name in ("lab", "lab-two")]
    was = [code(path=old.format(name), function="") for name in ("lab-two", "lab")]
    files = {
        "paths": {one.parts.path for one in now},
        "base_paths": {one.parts.path for one in was},
    }
    assert told(match(now, was, **files)) == [(1, UNCHANGED), (0, UNCHANGED)]


@pytest.mark.parametrize(
    ("now", "tier"),
    [
        (code(path="new.py", inputs=B), "rule, file, function and statement"),
        (code(path="new.py", function="g", inputs=B), "rule, file and statement"),
    ],
)
def test_a_renamed_file_is_seen_without_git(now: MatchEntry, tier: str) -> None:
    others = [code(C, path="{}", function="h", inputs=C), code(B, path="{}", inputs=A)]

    def with_others(entry: MatchEntry) -> list[MatchEntry]:
        path = entry.parts.path
        return [entry, *(one._replace(parts=one.parts._replace(path=path)) for one in others)]

    files = {"paths": {"new.py", "x.py"}, "base_paths": {"a.py", "x.py"}}
    made = match(with_others(now), with_others(code(inputs=B)), **files)
    assert made[0] == BaselineMatch(0, UNCHANGED, tier)


@pytest.mark.parametrize(
    "path",
    [
        *("tests/a.py", "app/Tests/x/a.py", "docs/a.py", "app/examples/a.py", "a/test_x.py"),
        *("a_test.py", "ui/x.spec.ts", "conftest.py", ".env.example", "app/settings-sample.py"),
    ],
)
def test_what_no_program_runs_moves_only_to_its_like(path: str) -> None:
    files = {"paths": {"b.py"}, "base_paths": {path}}
    renamed = {"renames": {"b.py": path}}
    moved = lambda line: (path, line)  # noqa: E731
    now, was = code(path="b.py", line=1, inputs=B), code(path=path, line=1, inputs=B)
    for more in ({}, files, renamed, {"lines": lambda _path, line: moved(line)}):
        assert one_to_one(now, was, **more).base is None
    for new in ("tests/b.py", "sub/tests/b.py"):
        assert one_to_one(code(path=new, inputs=B), was).change is UNCHANGED
    assert one_to_one(was, now).change is UNCHANGED


@pytest.mark.parametrize("path", ["latest/a.py", "contest.py", "app/sample.py", "attest_x.py"])
def test_a_name_that_only_looks_like_that_of_a_test_is_code(path: str) -> None:
    now, was = code(path="b.py", inputs=B), code(path=path, inputs=B)
    assert one_to_one(now, was).change is UNCHANGED


def test_only_folders_below_the_target_tell_what_runs() -> None:
    inside = [code(path=f"examples/app/{name}.py", inputs=B) for name in ("b", "a")]
    assert one_to_one(*inside, prefix="examples/app/").change is UNCHANGED
    test = code(path="examples/app/tests/a.py", inputs=B)
    assert one_to_one(inside[0], test, prefix="examples/app/").base is None


def test_another_function_of_a_file_that_was_there_all_along_is_another_finding() -> None:
    now = code(path="b.py", function="g")
    assert one_to_one(now, code(), paths={"a.py", "b.py"}, base_paths={"a.py", "b.py"}).base is None


def test_an_edited_statement_is_updated() -> None:
    assert one_to_one(code(B), code()) == BaselineMatch(0, UPDATED, "rule, file and function")


@pytest.mark.parametrize(
    "was",
    [code(rule="B603"), code(B, function="g"), code(B, path="b.py")],
    ids=["rule", "function", "file"],
)
def test_what_has_less_in_common_is_new(was: MatchEntry) -> None:
    assert one_to_one(code(), was) == BaselineMatch(None, NEW, "")


def test_nothing_is_known_without_a_base() -> None:
    assert told(match([code(), code()], [])) == [(None, NEW)] * 2
    assert match([], [code()]) == []


# Git's line map.


def shifted(path: str, line: int) -> tuple[str, int] | None:
    """Map lines after an edit that added three lines at the top and changed the fifth."""
    return None if line in (1, 2, 3, 8) else (path, line - 3)


def test_the_same_line_is_the_same_finding_while_its_statement_is() -> None:
    assert one_to_one(code(line=9), code(line=6), lines=shifted) == BaselineMatch(
        0, UNCHANGED, "line"
    )


def test_a_statement_that_was_edited_on_another_of_its_lines_is_edited() -> None:
    """The command of a call may be on another line than the argument that is flagged."""
    assert one_to_one(code(B, 9), code(A, 6), lines=shifted).change is UPDATED


def test_a_secret_on_the_same_line_is_known_by_its_value_alone() -> None:
    now, was = secret(B, 9, check="1"), secret(A, 6, check="1")
    assert one_to_one(now, was, lines=shifted) == BaselineMatch(0, UNCHANGED, "line")


def test_a_line_that_git_calls_new_may_hold_what_was_moved() -> None:
    assert one_to_one(code(A, 8), code(A, 5), lines=shifted).change is UNCHANGED
    assert one_to_one(code(B, 8), code(A, 5), lines=shifted).change is UPDATED


def test_another_rule_on_the_same_line_is_another_finding() -> None:
    assert one_to_one(code(rule="B1", line=9), code(line=6), lines=shifted).change is NEW


def test_what_has_no_line_is_known_by_its_parts() -> None:
    assert one_to_one(code(), code(), lines=shifted).change is UNCHANGED


def test_git_tells_which_of_two_equal_ones_is_new() -> None:
    """A copy was added above. Matching by order would take it for the old one."""
    lines: LineMap = lambda path, line: (path, line - 1) if line > 1 else None  # noqa: E731
    assert told(match([code(line=1), code(line=2)], [code(line=1)], lines=lines)) == [
        (None, NEW),
        (0, UNCHANGED),
    ]


# Equal findings.


def test_a_second_identical_finding_is_exactly_one_new() -> None:
    made = match([code(line=9), code(line=5)], [code(line=5)])
    assert told(made) == [(None, NEW), (0, UNCHANGED)]


def test_of_two_identical_findings_one_may_go() -> None:
    assert told(match([code(line=5)], [code(line=3), code(line=7)])) == [(0, UNCHANGED)]


def test_without_lines_equal_ones_go_in_the_given_order() -> None:
    assert told(match([code(), code()], [code(), code()])) == [(0, UNCHANGED), (1, UNCHANGED)]


def test_a_copy_in_a_second_function_is_new() -> None:
    made = match([code(), code(function="g")], [code()])
    assert told(made) == [(0, UNCHANGED), (None, NEW)]


def test_a_file_split_in_two_keeps_both_halves() -> None:
    half = code(B, function="g", inputs=C)
    now = [code(A), half._replace(parts=half.parts._replace(path="b.py"))]
    made = match(now, [code(A), half], paths={"a.py", "b.py"}, base_paths={"a.py"})
    assert told(made) == [(0, UNCHANGED), (1, UNCHANGED)]


def test_an_edited_finding_is_not_taken_for_one_that_went_elsewhere() -> None:
    """Another function now has the text that this one had before it was edited."""
    made = match([code(B), code(A, function="g")], [code(A)])
    assert told(made) == [(0, UPDATED), (None, NEW)]


def test_what_is_more_than_its_function_needs_may_go_elsewhere() -> None:
    made = match([code(C), code(B, function="g")], [code(A), code(B)])
    assert told(made) == [(0, UPDATED), (1, UNCHANGED)]


def test_what_was_not_edited_keeps_its_place() -> None:
    made = match([code(B, 1), code(A, 2)], [code(A, 1)])
    assert told(made) == [(None, NEW), (0, UNCHANGED)]


# Secrets.


@pytest.mark.parametrize("lines", [None, shifted], ids=["file", "commit"])
def test_a_secret_with_another_value_is_updated_at_best(lines: LineMap | None) -> None:
    made = one_to_one(secret(line=9, check="new"), secret(line=6, check="old"), lines=lines)
    assert made == BaselineMatch(0, UPDATED, "rule, file and function")
    moved = secret(line=9, check="new", path="b.ini")
    assert one_to_one(moved, secret(line=6, check="old"), lines=lines).change is NEW


@pytest.mark.parametrize("checks", [("", ""), ("x", ""), ("", "x")])
def test_a_value_that_nobody_can_compare_does_not_make_a_secret_new(
    checks: tuple[str, str],
) -> None:
    now, was = (secret(check=check) for check in checks)
    assert one_to_one(now, was).change is UNCHANGED


def test_the_keyed_digest_tells_values_apart_where_both_have_one() -> None:
    one, other = secret(A + "1" * 12, check="x"), secret(A + "2" * 12)
    assert one_to_one(one, one).change is UNCHANGED
    assert one_to_one(one, other).change is UPDATED


def test_a_project_that_got_its_key_later_still_knows_its_secrets() -> None:
    assert one_to_one(secret(A + "1" * 12, check="x"), secret(A)).change is UNCHANGED
    assert one_to_one(secret(A), secret(A + "1" * 12)).change is UNCHANGED


def test_secrets_on_lines_that_look_alike_go_by_their_values() -> None:
    base = [secret(line=1, check="x"), secret(line=2, check="y"), secret(line=3, check="z")]
    now = [secret(line=1, check="y"), secret(line=2, check="new"), secret(line=3, check="x")]
    assert told(match(now, base)) == [(1, UNCHANGED), (2, UPDATED), (0, UNCHANGED)]


def test_values_that_are_known_go_first_to_their_equals() -> None:
    base = [secret(line=1), secret(line=2, check="x")]
    now = [secret(line=1, check="x"), secret(line=2, check="y")]
    assert told(match(now, base)) == [(1, UNCHANGED), (0, UNCHANGED)]


# Findings without a location of their own.


def test_packages_are_known_by_all_they_are() -> None:
    def vulnerable(purl: str, rule: str = "CVE-1") -> MatchEntry:
        return MatchEntry(Parts("vulnerability", rule, purl, "", ""))

    assert one_to_one(vulnerable("pkg:pypi/a"), vulnerable("pkg:pypi/a")).change is UNCHANGED
    assert one_to_one(vulnerable("pkg:pypi/a"), vulnerable("pkg:pypi/b")).change is NEW
    assert one_to_one(vulnerable("pkg:pypi/a"), vulnerable("pkg:pypi/a", "CVE-2")).change is NEW


def test_a_resource_is_known_in_another_file() -> None:
    both = {"a/x", "c/main.tf"}
    files = {"paths": {"b/main.tf", *both}, "base_paths": {"a/main.tf", *both}}
    for resource, change in ((A, UNCHANGED), ("", NEW)):
        made = one_to_one(
            misconfigured("b/main.tf", resource), misconfigured("a/main.tf", resource), **files
        )
        assert made.change is change


# A new finding that is known elsewhere.


@pytest.mark.parametrize(
    ("now", "other", "path"),
    [
        (secret(path="b.ini", check="x"), secret(check="x"), "a.ini"),
        (secret(B, path="b.ini", check="x"), secret(check="x"), "a.ini"),
        (secret(path="b.ini", check="y"), secret(check="x"), None),
        (secret(A + "1" * 12, path="b.ini"), secret(B + "1" * 12), "a.ini"),
        (code(path="b.py"), code(), "a.py"),
        (code(path="b.py"), code(function="g"), None),
        (code(path="b.py", rule="B603"), code(), None),
        (code("", path="b.py"), code(""), None),
        (code(), code(), None),
    ],
)
def test_another_file_with_the_same_value_or_code(
    now: MatchEntry, other: MatchEntry, path: str | None
) -> None:
    assert find_elsewhere([now], [other]) == [path]


# Properties of all findings.

# The result must not depend on the speed of the machine.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

ENTRIES = st.lists(
    st.builds(
        code,
        st.sampled_from([A, B, "", A + "1" * 12, A + "2" * 12]),
        st.integers(0, 9),
        path=st.sampled_from(["a.py", "b.py", "c.py"]),
        function=st.sampled_from(["", "f", "g"]),
        rule=st.sampled_from(["B1", "B2"]),
        check=st.sampled_from(["", "x", "y"]),
        statement=st.sampled_from(["", A, B]),
        inputs=st.sampled_from(["", A, B]),
    ),
    max_size=12,
)
PATHS = st.sets(st.sampled_from(["a.py", "b.py", "c.py"]))


@CALM
@given(ENTRIES, ENTRIES, PATHS, PATHS, st.sampled_from([None, shifted]))
def test_every_finding_has_one_answer_and_no_old_one_two(
    now: list[MatchEntry],
    was: list[MatchEntry],
    came: set[str],
    went: set[str],
    lines: LineMap | None,
) -> None:
    made = match(now, was, lines=lines, paths=came, base_paths=went)
    assert len(made) == len(now)
    taken = [one.base for one in made if one.base is not None]
    assert len(set(taken)) == len(taken)
    assert all((one.base is None) == (one.change is NEW) for one in made)
    assert all((one.tier == "") == (one.change is NEW) for one in made)
    for entry, one in zip(now, made, strict=True):
        if one.base is not None:
            assert was[one.base].parts[:2] == entry.parts[:2]


@CALM
@given(ENTRIES, ENTRIES)
def test_a_project_that_did_not_change_has_nothing_new(
    now: list[MatchEntry], more: list[MatchEntry]
) -> None:
    assert all(one.change is UNCHANGED for one in match(now, now))
    assert sum(one.change is NEW for one in match([*now, *more], now)) <= len(more)


@CALM
@given(st.lists(st.sampled_from([code(A), code(B), code(A, function="g")]), max_size=12), st.data())
def test_so_many_more_copies_give_so_many_new_ones(
    was: list[MatchEntry], data: st.DataObject
) -> None:
    copied = data.draw(st.sampled_from([code(A), code(B), code(A, function="g")]))
    more = data.draw(st.integers(1, 4))
    made = match([*was, *[copied] * more], was)
    assert Counter(one.change for one in made)[UNCHANGED] == len(was)
    assert Counter(one.change for one in made)[NEW] == more


@CALM
@given(ENTRIES, ENTRIES, st.integers(0, 99))
def test_the_order_in_which_findings_are_given_does_not_matter(
    now: list[MatchEntry], was: list[MatchEntry], seed: int
) -> None:
    """Except for findings that share a file and a line: these keep the given order."""
    now, was = (
        list({(one.parts.path, one.line): one for one in side}.values()) for side in (now, was)
    )
    shuffled_now, shuffled_was = now[:], was[:]
    random.Random(seed).shuffle(shuffled_now)
    random.Random(seed + 1).shuffle(shuffled_was)

    def answers(
        one: list[MatchEntry], other: list[MatchEntry]
    ) -> dict[MatchEntry, tuple[Change, MatchEntry | None]]:
        return {
            entry: (each.change, None if each.base is None else other[each.base])
            for entry, each in zip(one, match(one, other), strict=True)
        }

    assert answers(now, was) == answers(shuffled_now, shuffled_was)
