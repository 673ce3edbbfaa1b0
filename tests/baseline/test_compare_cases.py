"""The failure cases of matching, each on a real repository with real scanners, both ways."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from support.history import (
    NEW,
    UNCHANGED,
    UPDATED,
    Checked,
    Files,
    changes,
    commit,
    write,
)
from support.repository import git

from scanagg.baseline.compare import Traced
from scanagg.model import Change

Places = dict[tuple[str, int], Change]


@dataclass(frozen=True)
class Scenario:
    """A change of a project, and the expected change of each finding, by path and line."""

    before: Files
    after: Files
    expected: Places


def function(name: str, *lines: str) -> str:
    return "".join((f"def {name}(a, b):\n", *(f"    {line}\n" for line in lines)))


ONE = function("run", "return eval(a)")
TWO = function("run", "eval(a)", "eval(a)")
LONG = "".join(f"VALUE_{number} = {number}\n" for number in range(20))

CASES = {
    "a line added above": Scenario(
        {"app.py": ONE}, {"app.py": "import os\n\n" + ONE}, {("app.py", 4): UNCHANGED}
    ),
    "two identical lines, the first deleted": Scenario(
        {"app.py": TWO}, {"app.py": function("run", "eval(a)")}, {("app.py", 2): UNCHANGED}
    ),
    "a second identical line": Scenario(
        {"app.py": TWO},
        {"app.py": function("run", "eval(a)", "eval(a)", "eval(a)")},
        {("app.py", 2): UNCHANGED, ("app.py", 3): UNCHANGED, ("app.py", 4): NEW},
    ),
    "a line copied to a second function": Scenario(
        {"app.py": ONE},
        {"app.py": ONE + function("other", "return eval(a)")},
        {("app.py", 2): UNCHANGED, ("app.py", 4): NEW},
    ),
    "a line copied above": Scenario(
        {"app.py": ONE},
        {"app.py": function("other", "return eval(a)") + ONE},
        {("app.py", 2): NEW, ("app.py", 4): UNCHANGED},
    ),
    "a function renamed": Scenario(
        {"app.py": ONE}, {"app.py": function("start", "return eval(a)")}, {("app.py", 2): UNCHANGED}
    ),
    "a function renamed and moved down": Scenario(
        {"app.py": ONE},
        {"app.py": function("b", "pass") + "\n\n" + function("start", "return eval( a )")},
        {("app.py", 6): UNCHANGED},
    ),
    "a file split in two": Scenario(
        {"app.py": ONE + LONG + function("other", "exec(a)")},
        {"app.py": ONE + LONG, "more.py": function("other", "exec(a)")},
        {("app.py", 2): UNCHANGED, ("more.py", 2): UNCHANGED},
    ),
    "a file renamed": Scenario(
        {"app.py": ONE + LONG},
        {"app.py": None, "lib/core.py": ONE + LONG},
        {("lib/core.py", 2): UNCHANGED},
    ),
    "a file renamed and reformatted in one commit": Scenario(
        {"app.py": function("run", "return eval(a + b)")},
        {
            "app.py": None,
            "core.py": "def run(\n    a,\n    b,\n):\n    return eval(\n        a + b\n    )\n",
        },
        {("core.py", 5): UNCHANGED},
    ),
    "a statement edited": Scenario(
        {"app.py": ONE}, {"app.py": function("run", "return eval(a + b)")}, {("app.py", 2): UPDATED}
    ),
    "a decorator added": Scenario(
        {"app.py": ONE}, {"app.py": "@cached\n" + ONE}, {("app.py", 3): UNCHANGED}
    ),
    "re-indented": Scenario(
        {"app.py": ONE},
        {"app.py": "if True:\n    def run(a, b):\n        return eval(a)\n"},
        {("app.py", 3): UNCHANGED},
    ),
    "line ends switched to CRLF": Scenario(
        {"app.py": ONE}, {"app.py": ONE.replace("\n", "\r\n")}, {("app.py", 2): UNCHANGED}
    ),
    "line ends switched to CRLF, and an edit": Scenario(
        {"app.py": ONE},
        {"app.py": ("import os\n" + ONE).replace("\n", "\r\n")},
        {("app.py", 3): UNCHANGED},
    ),
    "line ends of old": Scenario(
        {"app.py": ONE + LONG},
        {"app.py": ("import os\n" + ONE + LONG).replace("\n", "\r")},
        {("app.py", 3): UNCHANGED},
    ),
    "a byte order mark": Scenario(
        {"app.py": ONE}, {"app.py": b"\xef\xbb\xbf" + ONE.encode()}, {("app.py", 2): UNCHANGED}
    ),
    "not UTF-8": Scenario(
        {"app.py": b"# coding: latin-1\nNAME = 'caf\xe9'\n" + ONE.encode()},
        {"app.py": b"# coding: latin-1\nNAME = 'caf\xe9'\nX = '\xfc'\n" + ONE.encode()},
        {("app.py", 5): UNCHANGED},
    ),
    "a name that is not ASCII": Scenario(
        {'ünï "quoted".py': ONE},
        {'ünï "quoted".py': "import os\n" + ONE},
        {('ünï "quoted".py', 3): UNCHANGED},
    ),
    "a generated file": Scenario(
        {"gen.py": "".join(f"eval('{n}')\n" for n in range(30))},
        {"gen.py": "".join(f"eval('{n}')\n" for n in range(1, 31))},
        {**{("gen.py", n): UNCHANGED for n in range(1, 30)}, ("gen.py", 30): UPDATED},
    ),
    "a test moved into what runs": Scenario(
        {"tests/tool.py": ONE + LONG},
        {"tests/tool.py": None, "app/tool.py": ONE + LONG},
        {("app/tool.py", 2): NEW},
    ),
    "a test moved into what runs, renamed and edited": Scenario(
        {"app/test_run.py": ONE + function("more", "exec(a)")},
        {"app/test_run.py": None, "app/start.py": LONG + function("start", "return eval(a)")},
        {("app/start.py", 22): NEW},
    ),
    "an example moved into a file that runs": Scenario(
        {"docs/examples/run.py": ONE + LONG, "app.py": LONG},
        {"docs/examples/run.py": LONG, "app.py": LONG + ONE},
        {("app.py", 22): NEW},
    ),
    "a test moved among tests, and what runs into tests": Scenario(
        {"tests/run.py": ONE + LONG, "app.py": LONG + function("other", "exec(a)")},
        {
            "tests/run.py": LONG,
            "app.py": LONG,
            "tests/unit/test_run.py": ONE + function("other", "exec(a)"),
        },
        {("tests/unit/test_run.py", 2): UNCHANGED, ("tests/unit/test_run.py", 4): UNCHANGED},
    ),
    "a folder renamed": Scenario(
        {"app/a/one.py": ONE, "app/a/two.py": LONG + function("other", "exec(a)")},
        {
            "app/a/one.py": None,
            "app/a/two.py": None,
            "src/b/one.py": ONE,
            "src/b/two.py": LONG + function("other", "exec(a)"),
        },
        {("src/b/one.py", 2): UNCHANGED, ("src/b/two.py", 22): UNCHANGED},
    ),
    "the same code copied twice": Scenario(
        {"app.py": ONE + LONG},
        {"one.py": ONE + LONG, "two.py": ONE + LONG},
        {("app.py", 2): UNCHANGED, ("one.py", 2): NEW, ("two.py", 2): NEW},
    ),
    "a new file": Scenario(
        {"app.py": ONE},
        {"new.py": function("new", "exec(a)")},
        {("app.py", 2): UNCHANGED, ("new.py", 2): NEW},
    ),
}


# All cases are folders of one project, so each scanner starts only once. Names that the cases
# share are made different in each, so that no finding is matched in the wrong folder.


def files_of(number: int, files: Files) -> Files:
    return {f"case{number}/{path}": told_apart(number, text) for path, text in files.items()}


def told_apart(number: int, text: str | bytes | None) -> bytes | None:
    if text is None:
        return None
    raw = text.encode() if isinstance(text, str) else text
    return re.sub(rb"\ba\b", b"a%d" % number, raw)


@pytest.fixture(scope="module", params=["commit", "baseline"])
def answer(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Traced]]:
    """The comparison of all cases with a base commit, or with a baseline alone."""
    root = tmp_path_factory.mktemp("cases")
    git(root, "init", "-q", "-b", "main")
    checked = Checked(root, settings={})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCANAGG_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        for number, case in enumerate(CASES.values()):
            write(root, files_of(number, case.before))
        before = commit(root)
        baseline = checked.baseline() if request.param == "baseline" else None
        for number, case in enumerate(CASES.values()):
            write(root, files_of(number, case.after))
        commit(root)
        base = (
            checked.base(baseline=baseline, against="baseline")
            if baseline
            else checked.base(before)
        )
        yield request.param, checked.traced(base)


@pytest.mark.parametrize("name", CASES)
def test_failure_case(name: str, answer: tuple[str, Traced]) -> None:
    _way, traced = answer
    folder = f"case{list(CASES).index(name)}/"
    found = {
        (path.removeprefix(folder), line): change
        for (path, line), change in changes(traced).items()
        if path.startswith(folder)
    }
    assert found == CASES[name].expected


def test_nothing_is_left_to_say_of_a_base_that_was_seen_whole(answer: tuple[str, Traced]) -> None:
    assert answer[1].notices == ()


def test_each_finding_has_a_reason_that_goes_with_its_change(answer: tuple[str, Traced]) -> None:
    way, traced = answer
    kinds = {(one.history.change, one.history.reason.kind) for one in traced.findings}
    place = "base" if way == "commit" else "baseline"
    assert kinds - {(UNCHANGED, "unchanged-file")} == {
        (NEW, f"not-in-{place}"),
        (NEW, "known-elsewhere"),
        (UPDATED, f"edited-since-{place}"),
        (UNCHANGED, f"in-{place}"),
    }


def test_what_was_moved_or_copied_names_the_old_place(answer: tuple[str, Traced]) -> None:
    places = {
        one.path.partition("/")[2]: str(one.history.reason.values["path"]).partition("/")[2]
        for one in answer[1].findings
        if one.history.reason.kind == "known-elsewhere"
    }
    assert places == {
        "app/tool.py": "tests/tool.py",
        "app.py": "docs/examples/run.py",
        "one.py": "app.py",
        "two.py": "app.py",
    }
