"""The real bandit: its findings, its gaps, and its failures."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from support.drive import Driven, context, drive

from scanagg.model import (
    Category,
    Confidence,
    Location,
    Reason,
    Severity,
    SourceFile,
    Target,
    plain,
)
from scanagg.project.sources import PythonCode
from scanagg.reports.reasons import sentence
from scanagg.scanners import bandit, source_files
from scanagg.scanners.base import Inputs, Output, ScanError

Examine = Callable[..., Driven]

PASSWORD = "correct-horse-9"


@pytest.fixture
def examine(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> Examine:
    """Run bandit on these files; keyword arguments are settings."""

    def run(files: Mapping[str, str | bytes], name: str = "project", **changes: Any) -> Driven:
        target = read_target(make_project(files, name=name))
        if config := changes.get("options", {}).get("config"):
            changes["config"] = files[config]
        return drive(bandit, context(target, **changes), tmp_path)

    return run


def lines(driven: Driven) -> list[tuple[str, str, int | None]]:
    """Return rule, file and line of all findings, sorted."""
    places = [(one.rule.id, one.location) for one in driven.observations]
    return sorted((rule, place.path, place.start_line) for rule, place in places if place)


def by_source(driven: Driven) -> dict[str, list[tuple[str, str, int | None]]]:
    """Return the same, grouped by the mechanism that hides it."""
    found: dict[str, list[tuple[str, str, int | None]]] = {}
    for one in driven.observations:
        place = one.location
        assert place
        found.setdefault(one.in_source, []).append((one.rule.id, place.path, place.start_line))
    return {source: sorted(each) for source, each in found.items()}


def bare_report(name: str, **counts: float) -> dict[str, Any]:
    return {"results": [], "errors": [], "metrics": {"_totals": {}, name: counts}}


def parsed(target: Target, report: object, stderr: str = "", rc: int = 0) -> Any:
    names = tuple(file.path for file in target.files)
    raw = report if isinstance(report, bytes) else json.dumps(report).encode()
    return bandit.parse(context(target), Output(rc, raw, stderr, names))


# Findings


def test_an_issue_in_our_words(examine: Examine) -> None:
    found = examine({"src/a.py": "import subprocess\nsubprocess.call(x, shell=True)\n"})
    (issue,) = [one for one in found.observations if one.rule.id == "B602"]
    assert issue.category is Category.CODE
    assert issue.rule.name == "subprocess_popen_with_shell_equals_true"
    assert issue.title == issue.rule.title == "Command run by a shell"
    assert issue.rule.cwe == ("CWE-78",)
    assert issue.rule.url == (
        "https://bandit.readthedocs.io/en/latest/plugins/"
        "b602_subprocess_popen_with_shell_equals_true.html"
    )
    (claim,) = issue.claims
    assert (claim.source, claim.severity, claim.scanner) == ("tool", Severity.HIGH, "bandit")
    assert issue.confidence is Confidence.HIGH
    assert issue.location == Location("src/a.py", 2, 2, 1, 31)
    assert "shell=True" in issue.message


def test_rules_of_one_list_have_names_of_their_own(examine: Examine) -> None:
    found = examine({"a.py": "import pickle\nimport telnetlib\npickle.loads(x)\n"})
    names = {one.rule.id: one.rule.name for one in found.observations}
    assert names == {"B301": "pickle", "B401": "import_telnetlib", "B403": "import_pickle"}


def test_finds_what_bandit_finds_by_itself(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    files = {
        f"pkg{number}/mod.py": f"import os, pickle\nassert os\n# {'x' * 90_000}\n"
        "def f(password='abcdef'):\n    try:\n        eval(password)\n    except Exception:\n"
        f"        pass\nos.system('ls {number}')\n"
        for number in range(6)
    }
    root = make_project(files)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "bandit", "-q", "-f", "json", "-r", "."],
        cwd=root,
        capture_output=True,
        check=False,
    )
    alone = Counter(
        (one["test_id"], one["filename"].removeprefix("./"), one["line_number"])
        for one in json.loads(done.stdout)["results"]
    )
    driven = drive(bandit, context(read_target(root)), tmp_path)
    assert len(driven.outputs) == 2
    assert Counter(lines(driven)) == alone
    assert sum(alone.values()) > 30


def test_the_same_call_under_two_rules_is_two_observations(examine: Examine) -> None:
    code = "from django.utils.safestring import mark_safe\nmark_safe(x)\n"
    assert lines(examine({"a.py": code})) == [("B308", "a.py", 2), ("B703", "a.py", 2)]


# Passwords


def test_no_password_in_words_but_in_secrets(examine: Examine) -> None:
    code = (
        f"password = '{PASSWORD}'\n"
        f"login(user, password='{PASSWORD}2')\n"
        f"def f(user, password='{PASSWORD}3'): pass\n"
        "token = ''\n"
    )
    found = examine({"a.py": code})
    assert sorted({one.rule.id for one in found.observations}) == ["B105", "B106", "B107"]
    assert PASSWORD not in repr(found.observations)
    assert {value for one in found.parsed for value in one.secrets} == {
        PASSWORD,
        f"{PASSWORD}2",
        f"{PASSWORD}3",
    }


def test_the_place_of_a_password_reaches_its_line_and_no_further(examine: Examine) -> None:
    code = f"def f(\n    user,\n    password='{PASSWORD}',\n):\n    return user\n\n\nx = 1\n"
    (found,) = examine({"a.py": code}).observations
    assert found.location == Location("a.py", 1, 3)


def test_a_password_written_with_escapes_is_placed_on_the_line_bandit_names(
    examine: Examine,
) -> None:
    code = "def f(\n    user,\n    password='a\\x62cdefgh',\n):\n    return user\n"
    (found,) = examine({"a.py": code}).observations
    assert found.location == Location("a.py", 1, 1)


# Places


def test_columns_count_utf16_units(examine: Examine) -> None:
    (found,) = examine({"a.py": "x = 'é😀'; eval(x)\n"}).observations
    assert found.location == Location("a.py", 1, 1, 12, 19)


def test_columns_in_a_file_with_a_mark_or_another_encoding(examine: Examine) -> None:
    found = examine(
        {
            "bom.py": b"\xef\xbb\xbfeval(x)\r\n",
            "latin.py": b"# coding: latin-1\ny = '\xe9'; eval(x)\n",
        }
    )
    assert {one.location for one in found.observations} == {
        Location("bom.py", 1, 1, 1, 8),
        Location("latin.py", 2, 2, 10, 17),
    }


def test_a_call_over_lines_ends_where_it_ends(examine: Examine) -> None:
    (found,) = examine({"a.py": "eval(\n    x,\n)\ny = 1\n"}).observations
    assert found.location == Location("a.py", 1, 3, 1, 2)


def test_an_argument_is_placed_on_its_own_line_without_the_columns_of_the_call(
    examine: Examine,
) -> None:
    code = "import subprocess\nsubprocess.call(\n    x,\n    shell=True,\n)\n"
    found = examine({"a.py": code})
    (issue,) = [one for one in found.observations if one.rule.id == "B602"]
    assert issue.location == Location("a.py", 4, 4)


def test_a_string_does_not_cover_the_list_around_it(examine: Examine) -> None:
    code = "x = ['0.0.0.0',\n  1,\n  2,\n]\n"
    (found,) = examine({"a.py": code}).observations
    assert found.location == Location("a.py", 1, 1, 6, 15)


def test_a_string_ends_where_it_ends(examine: Examine) -> None:
    code = 'run.execute(\n    1,\n    "SELECT a "\n    "FROM b WHERE c = %s" % x,\n)\n'
    (found,) = examine({"a.py": code}).observations
    assert found.location == Location("a.py", 3, 4, 5, 26)


def test_bidirectional_characters_have_a_line_and_no_column(examine: Examine) -> None:
    (found,) = examine({"a.py": "x = 1\n# \u202e evil\n"}).observations
    assert (found.rule.id, found.location) == ("B613", Location("a.py", 2, 2))
    assert "\u202e" not in found.message


# Gaps


def test_a_file_that_does_not_parse_is_named_with_the_interpreter(examine: Examine) -> None:
    driven = examine({"a.py": "def f(:\n", "b.py": "x = 1\n", "c.py": b"x = '\xff'\n"})
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    reason = Reason("python-syntax-error", {"python": f"Python {python}"})
    assert driven.reasons == {"a.py": reason, "c.py": reason}
    assert driven.examined == ["b.py"]


def test_a_file_too_deep_for_bandit_is_named(examine: Examine) -> None:
    driven = examine({"a.py": f"x = {'-' * 20_000}1\n", "b.py": "eval(x)\n"})
    assert driven.reasons == {"a.py": plain("exception while scanning file")}
    assert lines(driven) == [("B307", "b.py", 1)]


def test_a_check_that_dies_inside_bandit_leaves_its_file_not_fully_examined(
    examine: Examine,
) -> None:
    driven = examine({"a.py": "x = 1\nf(**'x')\nassert x\n", "b.py": "y = 2\n"})
    assert driven.reasons == {
        "a.py": Reason("check-failed", {"check": "hardcoded_password_funcarg", "line": "2"})
    }
    assert driven.examined == ["b.py"]
    assert lines(driven) == [("B101", "a.py", 3)]


def test_no_path_or_comment_hides_a_check_that_dies(examine: Examine) -> None:
    """The paths have the text of the log, and unused comments could fill it."""
    dies = "f(**'x')\n"
    folders = (
        "Bandit internal error running: x on file y",
        "x at line 7: ",
        "a\n[tester]\tERROR\t",
    )
    comments = "g()  # nosec B602,B603,B604,B605,B606,B607\n" * 1500
    files = {f"{folder}/a.py": dies + comments for folder in folders}
    reason = Reason("check-failed", {"check": "hardcoded_password_funcarg", "line": "1"})
    assert list(examine(files).reasons.values()) == [reason] * 3


def test_no_crash_hides_another(examine: Examine) -> None:
    """The log of the second file is longer than the part that is kept of a log."""
    driven = examine({"a.py": "f(**'x')\n", "b.py": "f(**'x')\n" * 3000, "c.py": "x = 1\n"})
    assert (set(driven.reasons), driven.examined) == ({"a.py", "b.py"}, ["c.py"])


def test_no_path_hides_a_check_that_dies_in_a_program_of_the_user(
    examine: Examine, tmp_path: Path
) -> None:
    log = "[tester]\tERROR\tBandit internal error running: x on file"
    names = (f"{log} y/a.py", f"b\n{log} y at line 1: .py", f"{log} y at line 1: /c.py", "ok.py")
    program = tmp_path / "my-bandit"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m bandit "$@"\n')
    program.chmod(0o755)
    quiet = "x = 1  # nosec B101\n"
    files = {name: quiet + "f(**'x')\n" * (name != "ok.py") for name in names}
    driven = examine(files, path=program)
    assert {reason.values["line"] for reason in driven.reasons.values()} == {"2"}
    assert driven.examined == ["ok.py"]


@pytest.mark.usefixtures("bounded")
def test_names_of_folders_do_not_hold_up_reading_the_answer(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target]
) -> None:
    phrase = "[tester]\tERROR\tBandit internal error running: x on file y"
    target = read_target(make_project({"a.py": "x = 1\n"}))
    report = bare_report(str(target.files[0].real), loc=1, **{"SEVERITY.LOW": 0})
    for log in (f"{phrase} " * 5_000, f"{phrase}\n" * 5_000, "Bandit internal error " * 20_000):
        assert parsed(target, report, log).examined == ("a.py",)


def test_one_file_that_bandit_dies_of_costs_no_other(examine: Examine) -> None:
    files = {f"m{number}.py": "assert x\n" for number in range(5)}
    driven = examine({**files, "evil.py": 'token = "\\ud800"\n'})
    ((batch, reason),) = driven.failures
    assert batch == ("evil.py",)
    assert "surrogates not allowed" in sentence(reason)
    assert driven.examined == sorted(files)
    assert len(lines(driven)) == 5


@pytest.mark.parametrize("field", ["test_id", "test_name"])
def test_an_answer_that_no_report_can_show_is_unusable(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], field: str
) -> None:
    target = read_target(make_project({"a.py": "assert x\n"}))
    texts = ("test_id", "test_name", "issue_text", "issue_severity", "issue_confidence")
    issue = {"filename": "a.py", "line_number": 1, **dict.fromkeys(texts, "x"), field: "\ud800"}
    with pytest.raises(ValueError, match="surrogates"):
        parsed(target, {**bare_report("a.py"), "results": [issue]})


def test_nothing_to_look_at_is_no_input(examine: Examine) -> None:
    driven = examine({"README.md": "# none\n"})
    assert (driven.inputs.found, driven.outputs) == ((), [])


def test_files_without_code_are_examined(examine: Examine) -> None:
    driven = examine({"__init__.py": "", "pkg/__init__.py": "# licence\n\n"})
    assert driven.examined == ["__init__.py", "pkg/__init__.py"]


def test_no_line_counted_in_a_file_that_has_code_is_not_examined(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target]
) -> None:
    target = read_target(make_project({"a.py": "# first\neval(x)\n"}))
    report = bare_report(str(target.files[0].real), loc=0, **{"SEVERITY.LOW": 0})
    assert parsed(target, report).examined == ()


def test_a_file_whose_issues_were_not_counted_is_not_examined(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target]
) -> None:
    target = read_target(make_project({"a.py": "eval(x)\n", "b.py": ""}))
    assert parsed(target, bare_report(str(target.files[0].real), loc=1)).examined == ()


def test_what_comments_hide_is_counted_and_listed(examine: Examine) -> None:
    code = "assert x  # nosec\neval(x)  # nosec B307\neval(x)  # nosec B101\ny = 1  # nosec\n"
    driven = examine({"a.py": code, "b.py": "eval(x)\n"})
    assert by_source(driven) == {
        "": [("B307", "a.py", 3), ("B307", "b.py", 1)],
        "nosec": [("B101", "a.py", 1), ("B307", "a.py", 2)],
    }
    assert [one.hidden for one in driven.parsed] == [{"nosec": 2}]
    assert driven.examined == ["a.py", "b.py"]


NOQA = [
    ("eval(x)  # noqa: S307", True),
    ("eval(x)  # NOQA:E501,S307 - fine", True),
    ("eval(x)  # noqa: E501 S307", True),
    ("eval(x)  # noqa: S3", True),  # flake8 takes the start of a code
    ("f(  # noqa: S307\n    eval(x))", False),  # not on the lines of the issue, as for Ruff
    ("eval(\n    x,\n)  # noqa: S307", True),
    ('q = f"""SELECT a FROM b\nWHERE c = {c}"""  # noqa: S608', True),
    ("def f(token='abc'):\n    return eval(token)  # noqa: S107", False),
    ("def f(\n    x,\n    token='abc',  # noqa: S107\n):\n    pass", True),
    ("eval(x)  # noqa", False),
    ("eval(x)  # noqa: E501", False),
    ("eval(x)  # noqa: S602, S3071", False),
    ("mark_safe(x)  # noqa: S308", True),
]


def test_noqa_with_the_code_of_ruff_hides_and_is_listed(examine: Examine) -> None:
    start = "from django.utils.safestring import mark_safe\n"
    files = {f"{number}.py": f"{start}{code}\n" for number, (code, _) in enumerate(NOQA)}
    driven = examine({**files, "both.py": "eval(x)  # nosec  # noqa: S307\n"})
    found = by_source(driven)
    hidden = {path for _, path, _ in found["noqa"]}
    assert hidden == {f"{number}.py" for number, (_, hides) in enumerate(NOQA) if hides}
    assert {path for rule, path, _ in found[""] if rule != "B107"} == files.keys() - hidden
    assert found["nosec"] == [("B307", "both.py", 1)]
    assert driven.parsed[0].hidden == {"nosec": 1, "noqa": len(found["noqa"])}


def test_of_equal_issues_each_hidden_one_is_listed_once(examine: Examine) -> None:
    code = "x = [eval(a), eval(b)]\ny = [eval(a), eval(b)]  # nosec\n"
    driven = examine({"a.py": code})
    found = by_source(driven)
    assert found[""] == [("B307", "a.py", 1)] * 2
    assert found["nosec"] == [("B307", "a.py", 2)] * 2


def test_what_is_hidden_is_what_bandit_finds_without_comments(examine: Examine) -> None:
    code = (
        "import subprocess  # nosec B404\n"
        "subprocess.call(\n    'ls',\n    shell=True,  # nosec: B602 - fine\n)\n"
        f"password = '{PASSWORD}'  # nosec\n"
        "def f(token='abc'):  # nosec hardcoded_password_default\n    exec(token)\n"
        "try:\n    pass\nexcept Exception:  # NOSEC\n    pass  # nosec\n"
    )
    driven = examine({"a.py": code})
    bare = examine({"a.py": code.replace("nosec", "").replace("NOSEC", "")}, name="bare")
    assert lines(driven) == lines(bare)
    found = by_source(driven)
    assert len(found["nosec"]) == driven.parsed[0].hidden["nosec"] >= 4
    assert found[""]
    assert PASSWORD in driven.parsed[0].secrets


def test_hidden_issues_obey_the_arguments_too(examine: Examine) -> None:
    code = "assert x  # nosec\neval(x)  # nosec\n"
    driven = examine({"a.py": code}, args=("--severity-level", "medium"))
    assert by_source(driven) == {"nosec": [("B307", "a.py", 2)]}


# The checked repository is not trusted


def test_folders_that_bandit_leaves_out_by_itself_are_examined(examine: Examine) -> None:
    names = [".tox/a.py", ".github/b.py", "CVS.py", "x.egg/c.py", "__pycache__/d.py"]
    driven = examine(dict.fromkeys(names, "eval(x)\n"))
    assert driven.examined == sorted(names)
    assert len(driven.observations) == 5


def test_ignored_folders_are_not_walked(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    root = make_project({"a.py": "x = 1\n", ".gitignore": "env/\n"})
    (root / "env").mkdir()
    (root / "env" / "b.py").write_text("eval(x)\n")
    (root / "new.py").write_text("eval(x)\n")
    driven = drive(bandit, context(read_target(root)), tmp_path)
    assert driven.examined == ["a.py", "new.py"]


def test_native_configuration_has_no_effect(examine: Examine) -> None:
    driven = examine(
        {
            ".bandit": "[bandit]\nskips = B307\nexclude = .\n",
            "bandit.yaml": "skips: [B307]\n",
            "pyproject.toml": "[tool.bandit]\nskips = ['B307']\n",
            "a.py": "eval(x)\n",
        }
    )
    assert lines(driven) == [("B307", "a.py", 1)]


def test_a_name_that_is_not_utf8(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    root = make_project({"a.py": "eval(x)\n"})
    (root / os.fsdecode(b"b\xff.py")).write_text("eval(x)\n")
    (root / os.fsdecode(b"c\xff.py")).write_text("f(**'x')\n")
    driven = drive(bandit, context(read_target(root)), tmp_path)
    assert driven.examined == ["a.py", "b\\xff.py"]
    assert lines(driven) == [("B307", "a.py", 1), ("B307", "b\\xff.py", 1)]
    assert list(driven.reasons) == ["c\\xff.py"]


# Command lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("skips: [\n", "config.cfg : Error parsing file."),
        ("tests: [B101]\nskips: [B101]\n", "Non-exclusive include/exclude test sets"),
    ],
)
def test_a_bad_configuration_is_a_failure_with_its_reason(
    examine: Examine, text: str, said: str
) -> None:
    files = {"a.py": "eval(x)\n", "b.py": "eval(x)\n", "bandit.cfg": text}
    driven = examine(files, options={"config": "bandit.cfg"})
    ((batch, reason),) = driven.failures
    assert batch == ("a.py", "b.py")
    assert said in sentence(reason)
    assert not sentence(reason).startswith("/")
    assert driven.parsed == []


def test_a_configuration_of_the_users_choice_decides(examine: Examine) -> None:
    driven = examine(
        {
            "a.py": "eval(x)\nassert x\n",
            "skip/b.py": "eval(x)\n",
            "own.yaml": "skips: [B307]\nexclude_dirs: [/skip/]\n",
        },
        options={"config": "own.yaml"},
    )
    assert lines(driven) == [("B101", "a.py", 2)]
    assert driven.reasons == {"skip/b.py": Reason("left-out-by-settings")}
    assert [gap.on_purpose for one in driven.parsed for gap in one.not_examined] == [True]


def test_arguments_are_passed_on(examine: Examine) -> None:
    driven = examine({"a.py": "eval(x)\nassert x\n"}, args=("--severity-level", "medium"))
    assert lines(driven) == [("B307", "a.py", 1)]


def test_arguments_that_bandit_does_not_take_are_a_failure(examine: Examine) -> None:
    driven = examine({"a.py": "x = 1\n", "b.py": "x = 1\n"}, args=("--bogus",))
    ((batch, reason),) = driven.failures
    assert len(batch) == 2
    assert "--bogus" in sentence(reason)


def test_a_program_that_the_settings_name(examine: Examine, tmp_path: Path) -> None:
    program = tmp_path / "my-bandit"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m bandit "$@"\n')
    program.chmod(0o755)
    driven = examine({"a.py": "eval(x)\n", "b.py": "(\n"}, path=program)
    assert driven.tool.shown == "my-bandit"
    assert driven.tool.version
    assert driven.tool.version.startswith("1.")
    assert driven.reasons == {"b.py": Reason("python-syntax-error", {"python": "its Python"})}
    assert bandit.locate(context(tmp_path / "project", path=tmp_path / "none")) is None


def test_a_program_that_the_settings_name_only_counts_what_is_hidden(
    examine: Examine, tmp_path: Path
) -> None:
    program = tmp_path / "my-bandit"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m bandit "$@"\n')
    program.chmod(0o755)
    driven = examine({"a.py": "eval(x)  # nosec\n"}, path=program)
    assert driven.observations == []
    assert [one.hidden for one in driven.parsed] == [{"nosec": 1}]
    assert [notice.kind for notice in driven.notices] == ["hidden-not-listed"]


def test_a_second_run_that_fails_is_said(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target]
) -> None:
    target = read_target(make_project({"a.py": "x = 1\n"}))
    counts = {"loc": 1, "nosec": 1, "SEVERITY.LOW": 0}
    first = json.dumps(bare_report(str(target.files[0].real), **counts)).encode()
    done = parsed(target, first + b"\x1e[]\x1e")
    assert done.examined == ("a.py",)
    assert [notice.kind for notice in done.notices] == ["hidden-not-listed"]


@pytest.mark.parametrize("end", [b"\x1e", b"\x1e[]", b"\x1e{\x1e", b"\x1e[]\x1e{"])
def test_an_output_that_breaks_off_is_unreadable(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], end: bytes
) -> None:
    target = read_target(make_project({"a.py": "x = 1\n"}))
    first = json.dumps(bare_report(str(target.files[0].real), loc=1)).encode()
    with pytest.raises(ScanError) as caught:
        parsed(target, first + end)
    assert caught.value.reason.kind == "unreadable-answer"


# Unusable output


# Reports of bandit's own


@pytest.mark.parametrize("name", ["dd.json", "many_vulns.json"])
def test_older_reports_are_read_whole(data_dir: Path, tmp_path: Path, name: str) -> None:
    listed = json.loads((data_dir / "corpus" / "corpus.json").read_text())
    (count,) = [one["raw_count"] for one in listed if one["file"] == f"bandit/{name}"]
    raw = (data_dir / "corpus" / "bandit" / name).read_bytes()
    found = bandit.parse(context(tmp_path), Output(0, raw, "")).observations
    assert len(found) == count
    assert not any("\\" in one.location.path for one in found if one.location)
    assert all(one.rule.url and "/latest/" in one.rule.url for one in found)


def test_paths_of_a_foreign_report_stay_inside(tmp_path: Path) -> None:
    result = {
        "test_id": "B1",
        "test_name": "x",
        "issue_text": "An odd one",
        "issue_severity": "UNDEFINED",
        "issue_confidence": "UNDEFINED",
        "line_number": 0,
        "more_info": "javascript:alert(1)",
    }
    names = ("..\\..\\etc/x.py", "/abs.py", "./a.py", "..")
    report = {"results": [{**result, "filename": name} for name in names], "errors": []}
    raw = json.dumps({**report, "metrics": {}}).encode()
    found = bandit.parse(context(tmp_path), Output(0, raw, "")).observations
    places = [one.location.path for one in found if one.location]
    assert places == ["etc/x.py", "abs.py", "a.py", "unknown"]
    assert found[0].claims[0].severity is Severity.UNKNOWN
    assert found[0].confidence is Confidence.UNKNOWN
    assert found[0].rule.url is None


# Batches


def some_files(sizes: list[int]) -> list[SourceFile]:
    return [SourceFile(f"{n}.py", Path(f"/p/{n}.py"), size) for n, size in enumerate(sizes)]


def test_batches_hold_each_file_once_and_take_about_equally_long() -> None:
    sizes = [900_000, 100_000, 500_000, 400_000, 10]
    batches = source_files.spread(some_files(sizes), 2, worth=200_000)
    assert len(batches) == 2
    assert sorted(name for batch in batches for name in batch) == [f"{n}.py" for n in range(5)]
    totals = [sum(sizes[int(name[0])] for name in batch) for batch in batches]
    assert max(totals) - min(totals) <= 100_000


def test_little_work_is_one_batch_and_none_is_none() -> None:
    assert len(source_files.spread(some_files([10] * 20), 8, worth=100_000)) == 1
    assert source_files.spread([], 8, worth=100_000) == []


def test_much_work_is_several_batches_for_each_worker() -> None:
    batches = source_files.spread(some_files([100_000] * 100), 2, worth=100_000)
    assert [len(batch) for batch in batches] == [13] * 4 + [12] * 4


def test_many_names_are_more_batches_than_workers() -> None:
    batches = source_files.spread(some_files([1] * 10), 1, worth=100_000, argv_bytes=25)
    assert [len(batch) for batch in batches] == [3, 3, 3, 1]


def test_a_column_inside_a_character_or_past_the_line_is_none() -> None:
    assert [source_files.utf16_column("é😀x", offset) for offset in (0, 1, 2, 3, 6, 7, 8, -1)] == [
        *(1, None, 2, None, 4, 5),
        *(None, None),
    ]


def test_a_file_that_is_gone_has_no_lines(tmp_path: Path) -> None:
    assert source_files.python_lines(PythonCode("a.py", tmp_path / "a.py", 1)) == ()


# Python by any name


EVAL = "eval(x)\n"
PYTHON = f"Python {sys.version_info.major}.{sys.version_info.minor}"
NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "metadata": {}, "source": ["# A title\n", "eval(x)"]},
        {
            "cell_type": "code",
            "execution_count": 1,
            "id": "0a1b2c3d",
            "metadata": {},
            "outputs": [{"output_type": "stream", "name": "stdout", "text": ["eval(x)\n"]}],
            "source": ["import os\n", "%matplotlib inline\n", "!ls\n", "os.sys", "tem(command)\n"],
        },
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": "%%time\neval(x)"},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": "%%bash\neval x"},
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": "def f(:"},
    ],
    "metadata": {"kernelspec": {"name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


def test_python_is_examined_whatever_the_name_of_its_file(examine: Examine) -> None:
    files: dict[str, str | bytes] = {
        "bin/run": "#!/usr/bin/env python3\n" + EVAL,
        "bin/options": "#!/usr/bin/env -S python3 -u\n" + EVAL,
        "bin/uv": "#!/usr/bin/env -S uv run --script\n" + EVAL,
        "bin/mark": b"\xef\xbb\xbf#!/usr/bin/python3.11\r\n" + EVAL.encode(),
        "bin/versioned": "#!/opt/pypy/bin/pypy3.10\n" + EVAL,
        "bin/long": "#!/bin/sh\n'''exec' /a/long/python \"$0\" \"$@\"\n' '''\n" + EVAL,
        "bin/inline": "# /// script\n# ///\n" + EVAL,
        "stub.pyi": EVAL,
        "gui.pyw": EVAL,
        "app.wsgi": EVAL,
        "SConstruct": EVAL,
        "upper.PY": EVAL,
        "cookie.py": b"# coding: latin-1\nname = '\xe9'\n" + EVAL.encode(),
        "start.pth": "/a/folder\nimport os; eval(os.environ['X'])\n",
        "zero.pth": b"\0\nimport os; eval(x)\n",
        "zip.pth": b"PK\x03\x04\nimport os; eval(x)\n",
    }
    driven = examine(files)
    assert driven.examined == sorted(files)
    assert {path for rule, path, _ in lines(driven) if rule == "B307"} == set(files)


def test_code_that_looks_like_a_comment_is_found_and_the_file_is_a_gap(examine: Examine) -> None:
    # A line break in UTF-7. bandit does not count the line after it.
    driven = examine({"a.py": b"# coding: utf-7\n# +AAo-eval(x)\n"})
    assert [rule for rule, _, _ in lines(driven)] == ["B307"]
    assert driven.examined == []


def test_what_is_no_python_is_no_input(examine: Examine) -> None:
    driven = examine(
        {
            "bin/shell": "#!/bin/sh\nexec python3 -m app\n",
            "run.sh": "#!/bin/bash\npython manage.py runserver\n",
            "bin/bash": "#!/opt/python/bin/bash\neval x\n",
            "notes.txt": "eval(x)\n",
            "folders.pth": "/a/folder\n",
            "weights.pth": b"PK\x03\x04\0import os\n",
            "pickle.pth": b"\x80\x02\0\nimport os\n",
            "a.md": "```\n# /// script\n```\n",
        }
    )
    assert driven.inputs == Inputs("files")


def test_python_that_cannot_be_parsed_is_a_gap_whatever_its_name(examine: Examine) -> None:
    files: dict[str, str | bytes] = {
        "wide.py": EVAL.encode("utf-16"),
        "zero.py": b"x = 1\n\0\n" + EVAL.encode(),
        "bin/zip": b"#!/usr/bin/env python3\nPK\x03\x04\0\0",
        "cookie.py": b"# coding: no-such\n" + EVAL.encode(),
        "a.py": "x = 1\n",
    }
    driven = examine(files)
    assert driven.examined == ["a.py"]
    assert set(driven.reasons) == set(files) - {"a.py"}


def test_a_link_with_a_name_that_python_imports_is_python(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    root = make_project({"LICENSE": EVAL, "data.txt": EVAL, "run": f"#!/usr/bin/python\n{EVAL}"})
    (root / "pkg").mkdir()
    (root / "pkg/__init__.py").symlink_to("../LICENSE")
    (root / "a.py").symlink_to("data.txt")
    (root / "b.py").symlink_to("a.py")
    (root / "run.py").symlink_to("run")
    (root / "plain").symlink_to("data.txt")
    driven = drive(bandit, context(read_target(root)), tmp_path)
    assert driven.examined == ["a.py", "b.py", "pkg/__init__.py", "run"]
    found = {place.location.path: place.location for place in driven.observations if place.location}
    assert set(found) == {"a.py", "b.py", "pkg/__init__.py", "run"}
    assert found["a.py"] == Location("a.py", 1, 1, 1, 8)


@pytest.mark.parametrize("indent", [None, 1])
def test_the_code_of_a_notebook_is_examined_cell_by_cell(
    examine: Examine, indent: int | None
) -> None:
    text = json.dumps(NOTEBOOK, indent=indent)
    driven = examine({"a.ipynb": text})
    assert driven.examined == ["a.ipynb"]
    assert driven.reasons == {
        "a.ipynb, cell 4": Reason("notebook-magic", {"magic": "%%bash"}),
        "a.ipynb, cell 5": Reason("python-syntax-error", {"python": PYTHON}),
    }
    file_lines = text.split("\n")
    shell, evaluated = driven.observations
    for one, cell, cell_line, part in ((shell, 2, 4, "os.sys"), (evaluated, 3, 2, "eval(x)")):
        place = one.location
        assert place
        assert (place.path, place.cell, place.cell_line) == ("a.ipynb", cell, cell_line)
        assert part in file_lines[(place.start_line or 0) - 1]
    assert [one.rule.id for one in driven.observations] == ["B605", "B307"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"cells": 1}, "invalid-notebook"),
        ({"worksheets": []}, "invalid-notebook"),
        ({"metadata": {"kernelspec": {"name": "ir", "language": "R"}}}, "notebook-language"),
    ],
)
def test_a_notebook_that_is_not_examined_is_named(
    examine: Examine, change: dict[str, Any], kind: str
) -> None:
    driven = examine({"a.ipynb": json.dumps({**NOTEBOOK, **change}), "b.ipynb": "{"})
    assert driven.reasons["a.ipynb"].kind == kind
    assert driven.reasons["b.ipynb"].kind == "invalid-notebook"
    assert driven.outputs == []


def test_bandit_examines_many_copies_and_files_together(examine: Examine) -> None:
    """The names of copies are numbers, also where batches are tried again."""
    text = json.dumps(NOTEBOOK)
    files = {f"{name}.ipynb": text for name in "abc"}
    files |= {"nosec.ipynb": text.replace("eval(x)", "eval(x)  # nosec")}
    files |= {"z.py": "x = 1\n", "0.py": EVAL, "n.py": EVAL, "s.pth": "import os; eval(x)\n"}
    driven = examine(files)
    assert driven.examined == sorted(files)
    counts = Counter(path for rule, path, _ in lines(driven) if rule == "B307")
    assert counts == {path: 1 for path in files if path != "z.py"}
    assert [path for _, path, _ in by_source(driven)["nosec"]] == ["nosec.ipynb"]
