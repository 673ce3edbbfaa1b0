"""Every scanner keeps the same promises; what differs between them is data.

A new scanner needs a `Case` here: `test_every_scanner_has_a_case` fails without one.
"""

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.drive import context, drive, inventory

from scanagg.core.errors import ConfigError
from scanagg.model import Reason, Target, plain
from scanagg.scanners.base import (
    Context,
    Inputs,
    Output,
    Parsed,
    ScanError,
    Scanner,
    Tool,
    all_scanners,
)
from scanagg.scanners.runner import UNREADABLE

NO_LINE = '{"file": 0, "hits": [{"type": "a", "hash": "b", "value": "c", "lines": []}]}'
ELSEWHERE = """{"findings": [{"rule_id": "a", "match": {"value": "b"}, "location":
{"path": "c", "start_line": 1, "end_line": 1}}], "scan": {"state": "complete"}}"""
HIDDEN = "correct-horse" + "-battery"
Unusable = tuple[str, int, str, Reason | str]
"""stdout (latin-1), exit code, stderr, and the reason: its kind, or all of it."""


@dataclass(frozen=True)
class Case:
    """One scanner. `input` is in `files`, or a pin of the inventory: what outputs are about.

    `unusable` are outputs that prove nothing. `code` is what the checked project holds to be run
    by mistake: names of modules that the scanner imports. `is_module`: it is one of our own
    environment. `is_library`: no program can be named.
    """

    input: str
    unusable: tuple[Unusable, ...]
    files: dict[str, str] = field(default_factory=dict)
    code: tuple[str, ...] = ()
    is_module: bool = True
    is_library: bool = False
    tells_version: str = "1.2.3"


CASES = {
    "bandit": Case(
        input="a.py",
        files={"a.py": "eval(x)\n"},
        unusable=(
            *(
                (text, 0, "", "unreadable-answer")
                for text in (
                    *("", "null", "[]", "{}", '{"results": [', "\xff\xfe", "[" * 200_000),
                    '{"results": ["\xff"]}',
                    '{"results": [], "errors": [], "metrics": 1}',
                    '{"results": [{}], "errors": [], "metrics": {}}',
                )
            ),
            ('{"results": [], "errors": [], "metrics": {}}', 1, "", "exit-code"),
        ),
        code=("bandit.py", "json.py", "sitecustomize.py", "usercustomize.py", "yaml.py"),
    ),
    "betterleaks": Case(
        input="a.py",
        files={"a.py": f"password = '{HIDDEN}'\n"},
        unusable=(
            *(
                (text, 0, "", "unreadable-answer")
                for text in (
                    *("", "null", "[]", "{}", "\xff", "[" * 200_000),
                    '{"findings": [], "scan": {"state": "complete"}',
                    '{"findings": 3, "scan": {"state": "complete"}}',
                    '{"findings": [{}], "scan": {"state": "complete"}}',
                    '{"findings": [], "scan": {}}',
                )
            ),
            ('{"findings": [], "scan": {"state": "incomplete"}}', 0, "", "scan-incomplete"),
            ('{"findings": [], "scan": {"state": "complete"}}', 1, "", "exit-code"),
            ("", 1, "FTL unable to load config error=x\n", "exit-code"),
            ("", 126, "\nbetterleaks: error: unknown flag --x\n", plain("unknown flag --x")),
            (ELSEWHERE, 0, "", "unasked-answer"),
        ),
        is_module=False,
    ),
    "detect-secrets": Case(
        input="a.py",
        files={"a.py": f"password = '{HIDDEN}'\n"},
        unusable=(
            *(
                (text, 0, "", "unreadable-answer")
                for text in (
                    "{",
                    "1\n",
                    "\xff\n",
                    '{"file": 0, "values": ["\xff"]}',
                    NO_LINE,
                    "[" * 200_000,
                )
            ),
            *((f'{{"file": {index}}}\n', 0, "", "unasked-answer") for index in (7, -1)),
            (
                "",
                1,
                "detect-secrets crashed: KeyError\n",
                plain("detect-secrets crashed: KeyError"),
            ),
        ),
        code=("detect_secrets.py", "json.py", "sitecustomize.py", "yaml.py", "scanagg/__init__.py"),
        is_library=True,
    ),
    "licenses": Case(
        input="a==1",
        unusable=(
            ("", 0, "", "no-answer"),
            ("", 1, "ERROR: no idea\n", plain("no idea")),
            ('[{"Name": "one"', 0, "", "unreadable-answer"),
            ('[{"Name": "one", "Version": "1.0"}]', 0, "", "unreadable-answer"),
            ("[" * 200_000, 0, "", "unreadable-answer"),
            ("[]", 0, "", "empty-environment"),
            ("[]", 3, "", "exit-code"),
            ('{"version": "2", "pip_version": "99", "install": []}', 0, "", "report-version"),
        ),
        is_library=True,
    ),
    "pip-audit": Case(
        input="a==1",
        unusable=(
            ("", 0, "", "no-answer"),
            ("", 1, "Traceback (most recent call last):\n  File\nx.y.Error\n", plain("x.y.Error")),
            (
                "",
                1,
                "ERROR:pip_audit._cli:no way\nERROR:pip_audit:Tip: try\n",
                plain("no way"),
            ),
            ('{"dependencies": [{"name": "a", "ver', 1, "", "unreadable-answer"),
            ("\xff\xfe garbage", 0, "", "unreadable-answer"),
            ("[" * 200_000, 0, "", "unreadable-answer"),
            ('{"dependencies": null}', 0, "", "unreadable-answer"),
            ('{"dependencies": []}', 1, "", "wrong-exit-code"),
            (
                '[{"name": "a", "version": "1", "vulns": [{"id": "A-1"}]}]',
                0,
                "",
                "wrong-exit-code",
            ),
        ),
    ),
    "safety": Case(
        input="a==1",
        unusable=(
            ("", 0, "", "no-answer"),
            (
                "",
                68,
                "Unable to load vulnerability database\n",
                plain("Unable to load vulnerability database"),
            ),
            ("+====+\nDEPRECATED\n", 0, "", "no-answer"),
            ("{\n not json", 0, "", "no-answer"),
            ("{}", 0, "", "no-answer"),
            ('{"scanned_packages": []}', 0, "", "unreadable-answer"),
            ('{"scan_results": 3}', 0, "", "unreadable-answer"),
            ('{"scanned_packages": {}, "vulnerabilities": []}', 1, "", "wrong-exit-code"),
            ('{"scanned_packages": {}, "vulnerabilities": []}', 64, "", "wrong-exit-code"),
            ('{"scan_results": {"projects": []}}', 64, "", "wrong-exit-code"),
        ),
    ),
    "trivy": Case(
        input="a.py",
        files={"a.py": "x = 'some text of more than ten bytes'\n"},
        unusable=(
            *(
                (text, 0, "", "unreadable-answer")
                for text in (
                    "",
                    "{",
                    '{"SchemaVersion": 2',
                    '{"Results": 3}',
                    "\xff",
                    "[" * 200_000,
                )
            ),
            ("{}", 0, "", "unreadable-answer"),
            ("", 1, "2026\tFATAL\tFatal error\trun error: a\n\t* b: c\n\n", plain("a * b: c")),
            ('{"SchemaVersion": 2}', 1, "", "exit-code"),
        ),
        is_module=False,
        tells_version='{"Version": "1.2.3"}',
    ),
}
UNUSABLE = [(name, *one) for name, case in CASES.items() for one in case.unusable]
every_scanner = pytest.mark.parametrize("name", CASES)
Place = Callable[[str], Context]


@pytest.fixture
def place(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target]
) -> Iterator[Place]:
    """The context of a project in which the scanner of that name applies."""

    def make(name: str) -> Context:
        case = CASES[name]
        packages = inventory(*(() if case.files else (case.input,)))
        return context(read_target(make_project(case.files)), packages)

    return make


def scanner(name: str) -> Scanner:
    return all_scanners()[name]


def test_every_scanner_has_a_case() -> None:
    assert CASES.keys() == all_scanners().keys()


@every_scanner
def test_it_describes_itself(name: str) -> None:
    info = scanner(name).INFO
    assert info.name == name
    assert 1 <= len(info.title.split()) <= 3
    assert info.about.endswith(".")
    assert info.url.startswith("https://")
    assert bool(info.package) is not bool(info.install)
    assert info.categories >= info.usual_for
    assert all(option.startswith("-") for option in info.args)
    assert all(text.endswith((".", ")")) for text in info.options.values())


@every_scanner
def test_it_has_inputs_where_it_applies_and_none_where_not(
    name: str, place: Place, tmp_path: Path
) -> None:
    found = scanner(name).inputs(place(name))
    assert found.found == (CASES[name].input,)
    assert list(scanner(name).batches(place(name), found)) == [(CASES[name].input,)]
    empty = scanner(name).inputs(context(tmp_path / "project"))
    assert empty == Inputs(found.unit)
    assert list(scanner(name).batches(context(tmp_path / "project"), empty)) == []


@every_scanner
def test_a_program_that_is_not_there_is_missing(name: str, tmp_path: Path) -> None:
    ctx = context(tmp_path / "project", path=tmp_path / "none")
    if CASES[name].is_library:
        with pytest.raises(ConfigError, match="library"):
            scanner(name).locate(ctx)
    else:
        assert scanner(name).locate(ctx) is None


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if not case.is_library])
def test_a_program_of_the_users_is_asked_for_its_version(
    name: str, place: Place, tmp_path: Path
) -> None:
    program = tmp_path / "own"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    ctx = context(place(name).target, path=program)
    tool = scanner(name).locate(ctx)
    assert tool is not None
    assert (tool.argv, tool.version) == ((str(program),), None)
    probe = scanner(name).probe(ctx, tool)
    assert probe is not None
    answer = CASES[name].tells_version.encode()
    assert scanner(name).identify(tool, Output(0, answer, "")).version == "1.2.3"
    for nonsense in (b"hello", b"[" * 200_000, b"9" * 200_000, b"\xff"):
        with pytest.raises(ScanError) as caught:
            scanner(name).identify(tool, Output(0, nonsense, ""))
        assert caught.value.reason.kind in {"unknown-version", "unreadable-answer"}


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.is_module])
def test_a_module_of_our_own_environment_needs_no_probe(name: str, tmp_path: Path) -> None:
    ctx = context(tmp_path)
    tool = scanner(name).locate(ctx)
    assert tool is not None
    assert tool.argv[:2] == (sys.executable, "-P")
    assert tool.version
    python, *options, module = tool.shown.split()
    assert (python, *options) == ("python", "-P", "-m")
    spec = find_spec(module)
    assert spec
    assert spec.origin
    if tool.argv[2:] != ("-m", module):  # a script beside the module runs it
        (script,) = map(Path, tool.argv[2:])
        assert script.is_file()
        assert script.parent == Path(spec.origin).parent
    assert scanner(name).probe(ctx, tool) is None


@pytest.mark.parametrize(("name", "stdout", "code", "stderr", "reason"), UNUSABLE)
def test_an_output_that_proves_nothing_is_an_error(
    name: str, stdout: str, code: int, stderr: str, reason: Reason | str, place: Place
) -> None:
    output = Output(code, stdout.encode("latin-1"), stderr, (CASES[name].input,))
    with pytest.raises(ScanError) as caught:
        scanner(name).parse(place(name), output)
    assert reason in (caught.value.reason, caught.value.reason.kind)
    # There is nothing smaller than one input to try.
    assert scanner(name).again(place(name), output) == ()


DEEP = "[" * 9_000 + "]" * 9_000
VALUES = (
    *(DEEP, '{"a":' * 9_000 + "1" + "}" * 9_000, "9" * 50_000, "NaN", "-Infinity", "1e400"),
    *('"\\ud800"', '"\\ud800\\ud800"', '"\xff"', '"\\u0000"', f'[{{"a": {DEEP}}}]', "9" * 400),
)
KEYS = ("X", "SchemaVersion", "Results", "dependencies", "results", "metrics", "errors")
TOOL = Tool(("x",), "x")
MORE_KEYS = ("install", "scan_results", "scanned_packages", "file", "secrets", "CreatedAt")


@every_scanner
def test_an_answer_of_any_content_proves_nothing_and_raises_nothing_else(
    name: str, place: Place
) -> None:
    ctx = place(name)
    answers = [*VALUES, *(f'{{"{key}": {value}}}' for key in KEYS + MORE_KEYS for value in VALUES)]
    for answer in answers:
        output = Output(0, answer.encode("latin-1"), "", (CASES[name].input,))
        for read in (scanner(name).parse, lambda _, output: scanner(name).identify(TOOL, output)):
            try:
                result = read(ctx, output)
            except (ScanError, *UNREADABLE):
                continue
            if isinstance(result, Parsed):
                assert (result.examined, result.observations) == ((), ()), answer[:80]


@every_scanner
def test_without_stored_results_nothing_is_recalled(name: str, place: Place) -> None:
    assert scanner(name).recall(place(name)) == Parsed()


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.code])
def test_nothing_of_the_project_runs_and_names_of_all_kinds_are_read(
    name: str,
    make_project: Callable[..., Path],
    read_target: Callable[[Path], Target],
    tmp_path: Path,
) -> None:
    mark = tmp_path / "ran"
    names = ["a b.py", "-r.py", "new\nline.py", "<script>.py", "ümlaut.py", "c,d.pyw", ".py"]
    modules = CASES[name].code
    (text,) = CASES[name].files.values()
    root = make_project(
        {**dict.fromkeys(names, text), **dict.fromkeys(modules, f"open({str(mark)!r}, 'w')\n")}
    )
    (root / os.fsdecode(b"raw\xff.py")).write_text(text)
    driven = drive(scanner(name), context(read_target(root)), tmp_path)
    assert driven.examined == sorted([*names, *modules, "raw\\xff.py"])
    found = {one.location.path for one in driven.observations if one.location}
    assert found - set(modules) == {*names, "raw\\xff.py"}
    assert not mark.exists()


def test_packages_are_found_by_themselves() -> None:
    for name, module in all_scanners().items():
        assert module is importlib.import_module(f"scanagg.scanners.{name.replace('-', '_')}")
