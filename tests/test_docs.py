"""The documents say what is there: names, keys, links and examples, compared with the code."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML
from support import tools
from support.command import scanagg
from typer.main import get_command

from scanagg import config, errors
from scanagg.adapters import Adapter, adapters
from scanagg.cli.app import app
from scanagg.model import Action, Category, Outcome, Severity, Status
from scanagg.policy import schema
from scanagg.policy.load import BUILTIN, check_file
from scanagg.reporters import reporters

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("reports/*.md")])
SCANNERS = list(adapters().values())


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    """What stands between a heading and the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}$", page, re.M)
    assert found, f"no heading {title!r}"
    rest = page[found.end() :]
    return re.split(rf"^#{{1,{len(found[1])}}} ", rest, maxsplit=1, flags=re.M)[0]


def rows(part: str) -> set[str]:
    """Every word in backquotes in the first columns of a part's tables."""
    return {
        word
        for line in part.splitlines()
        if line.startswith("|")
        for word in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


def blocks(page: str, language: str) -> Iterator[str]:
    yield from re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S)


@pytest.mark.parametrize("adapter", SCANNERS, ids=lambda adapter: adapter.NAME)
def test_every_scanner_has_a_section_with_its_settings(adapter: Adapter) -> None:
    part = section(text("docs/scanners.md"), adapter.NAME)
    assert rows(part) == set(adapter.OPTIONS)
    assert f"](#{adapter.NAME})" in text("docs/scanners.md")


@pytest.mark.parametrize("adapter", SCANNERS, ids=lambda adapter: adapter.NAME)
def test_files_a_project_may_bring_for_a_scanner_are_named(adapter: Adapter) -> None:
    part = section(text("docs/scanners.md"), adapter.NAME)
    assert not adapter.NATIVE or any(name in part for name in adapter.NATIVE)


def test_no_scanner_is_described_that_is_not_there() -> None:
    linked = re.findall(r"^\| \[([a-z-]+)\]", text("docs/scanners.md"), re.M)
    assert sorted(linked) == sorted(adapters())


def test_every_format_has_a_row() -> None:
    part = section(text("docs/concepts.md"), "Formats")
    shown = dict(re.findall(r"^\| `([\w-]+)` \| `([\w.-]+)`", part, re.M))
    assert shown == {name: reporter.FILENAME for name, reporter in reporters().items()}


def test_the_words_of_the_model_are_explained() -> None:
    page = text("docs/concepts.md")
    assert rows(section(page, "The status of a run")) == {status.value for status in Status}
    for enum in (Severity, Category, Action, Outcome):
        words = {word.value for word in enum} - {"waived"}
        assert not [word for word in words if f"`{word}`" not in page]


def test_exit_codes_are_those_of_the_program() -> None:
    shown = {int(code) for code in re.findall(r"^\| (\d+) \|", text("README.md"), re.M)}
    assert shown == {code.value for code in errors.ExitCode}


@pytest.mark.parametrize(
    ("title", "section_type"),
    [
        ("Keys", schema.PolicyFile),
        ("`scanners`", schema.ScannerEntry),
        ("`severity`", schema.SeveritySection),
        ("`rules`", schema.Match),
        ("`licenses`", schema.LicenseSection),
    ],
)
def test_every_policy_key_has_a_row(title: str, section_type: type[msgspec.Struct]) -> None:
    part = section(text("docs/policy.md"), title).partition("\n### ")[0]
    fields = section_type.__struct_encode_fields__
    assert rows(part) >= set(fields)


def test_every_ready_made_policy_has_a_row() -> None:
    head = text("docs/policy.md").partition("## Example")[0]
    assert rows(head) == set(BUILTIN)


@pytest.mark.parametrize("page", ["docs/policy.md", "docs/recipes.md"])
def test_examples_of_policies_are_valid(page: str, tmp_path: Path) -> None:
    examples = list(blocks(text(page), "yaml"))
    assert examples
    for example in examples:
        file = tmp_path / "policy.yml"
        head = "" if example.startswith("version:") else "version: 1\ndefault: warn\n"
        file.write_text(head + example)
        assert check_file(file) == []


@pytest.mark.parametrize("page", ["docs/concepts.md", "docs/recipes.md"])
def test_examples_of_configuration_are_valid(page: str, tmp_path: Path) -> None:
    for example in blocks(text(page), "toml"):
        (tmp_path / "pyproject.toml").write_text(example)
        assert config.load_settings(tmp_path, adapters()).source == "pyproject.toml"


def test_every_key_of_the_configuration_is_shown() -> None:
    part = section(text("docs/concepts.md"), "Configuration")
    shown = tomllib.loads(next(blocks(part, "toml")))["tool"]["scanagg"]
    fields = {name.replace("_", "-") for name in config.Settings.__dataclass_fields__}
    assert set(shown) == fields - {"source"}


def test_keys_of_every_scanner_are_shown() -> None:
    head = text("docs/scanners.md").partition("\n## ")[0]
    fields = set(config.ScannerSettings.__dataclass_fields__)
    assert rows(head) - {"safety"} == fields - {"options"}


def test_inputs_and_outputs_of_the_action_have_a_row() -> None:
    action = YAML(typ="safe").load(ROOT / "action.yml")
    page = text("docs/ci.md")
    assert rows(section(page, "Inputs")) == set(action["inputs"])
    assert rows(section(page, "Outputs")) == set(action["outputs"])


def test_examples_of_workflows_are_valid(tmp_path: Path) -> None:
    examples = [one for one in blocks(text("docs/ci.md"), "yaml") if "jobs:" in one]
    assert examples
    for number, example in enumerate(examples):
        file = tmp_path / f"{number}.yml"
        file.write_text(example)
        assert tools.actionlint(file) == []


def test_pins_in_the_documents_are_those_of_our_own_workflows() -> None:
    pinned = re.findall(r"uses: (\w+/\S+@[0-9a-f]{40} # \S+)", text("docs/ci.md"))
    own = "".join(file.read_text() for file in (ROOT / ".github" / "workflows").glob("*.yml"))
    assert pinned
    assert all(pin in own for pin in pinned)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_in_the_documents_exist(page: Path) -> None:
    # Typed loosely: newer versions of typer bring a click of their own.
    command: Any = get_command(app)
    content = page.read_text()
    code = [*re.findall(r"`([^`\n]+)`", content), *"".join(blocks(content, "")).splitlines()]
    for line in re.findall(r"^scanagg ([^#\n]+)", "\n".join(code), re.M):
        words = line.split()
        current = command
        while words and words[0] in getattr(current, "commands", {}):
            current = current.commands[words.pop(0)]
        assert current is not command or words[0] == "--version", line
        known = {option for param in current.params for option in param.opts} | {"--help"}
        assert {word for word in words if word.startswith("-")} <= known, line


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def anchors(file: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


def test_readme_promises_what_dev_py_has() -> None:
    program = text("dev.py")
    for name in re.findall(r"python3 dev\.py (\w+)", text("README.md") + text("CONTRIBUTING.md")):
        assert f'"{name}": {name}' in program


def test_readme_lists_every_option_of_check_and_no_other() -> None:
    lines = [line for line in text("README.md").splitlines() if line.startswith("| `-")]
    shown = {option for line in lines for option in re.findall(r"`(-[\w-]+)", line.split(" | ")[0])}
    command: Any = get_command(app)
    params = command.commands["check"].params
    known = {option for param in params for option in param.opts if option.startswith("-")}
    assert shown == known | {"-h", "--help"}


def commands(page: str) -> Iterator[list[str]]:
    """Every line of the page's shell examples as words, without the comment."""
    for line in "".join(blocks(page, "")).splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def test_commands_in_the_readme_that_need_no_network_work(make_project: Any) -> None:
    project = make_project({"app.py": "x = 1\n"})
    ran = set()
    for words in commands(text("README.md")):
        if words[0] == "scanagg" and words[1] != "check":
            argv = [str(project) if word == "path/to/project" else word for word in words[1:]]
            done = scanagg(*argv, cwd=ROOT)
            assert done.returncode == 0, done
            ran.add(words[1])
        elif words[:2] == ["pip", "install"]:
            extra = words[2].partition("[")[2].rstrip("]")
            assert (
                not extra
                or extra
                in tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"]
            )
        elif words[0] == "python3":
            usage = subprocess.run(
                [sys.executable, ROOT / "dev.py", "--help"], capture_output=True, check=True
            ).stdout.decode()
            assert " ".join(words[:3]) in usage
        else:
            assert words[:2] == ["scanagg", "check"], words
    assert ran == {"scanners", "policy", "license"}


def test_verdicts_beside_examples_of_licences_are_those_of_the_command() -> None:
    lines = re.findall(r"^scanagg (license eval .+?)\s+# (\w+)$", text("docs/policy.md"), re.M)
    assert lines
    for line, verdict in lines:
        assert scanagg(*shlex.split(line)).stdout.strip() == verdict


def test_every_reason_to_leave_something_out_on_purpose_has_a_row() -> None:
    part = section(text("docs/concepts.md"), "Left out on purpose")
    shown = re.findall(r"^\| ([a-z][^|]+) \|", part, re.M)[1:]
    code = "".join(file.read_text() for file in (ROOT / "scanagg").rglob("*.py"))
    used = set(re.findall(r'"excluded: ([^"{]+)', code))
    assert used
    for reason in used:
        # One row speaks for all links.
        start = reason.strip().removesuffix("that leads nowhere").strip()
        assert any(row.startswith(start) or start.startswith(row) for row in shown), reason
    assert not [row for row in shown if not any(row.startswith(reason[:20]) for reason in used)]


def test_every_variable_of_the_environment_is_explained() -> None:
    code = "".join(file.read_text() for file in (ROOT / "scanagg").rglob("*.py"))
    assert set(re.findall(r'environ\.get\("(SCANAGG_\w+)"', code)) == set(
        re.findall(r"`(SCANAGG_\w+)`", text("docs/concepts.md"))
    )


def test_the_schema_is_where_the_documents_say() -> None:
    named = re.search(r"`(scanagg/schemas/[\w.-]+)`", text("docs/concepts.md"))
    assert named
    assert (ROOT / named[1]).is_file()


def test_the_sample_names_no_place_of_a_machine() -> None:
    page = text("reports/sample.html")
    assert not re.findall(r"(?<![\w/.])/(?:home|root|tmp|usr|work|Users)/[\w./-]*", page)
    hosts = set(re.findall(r"https?://([\w.-]+)", page))
    assert hosts <= {
        *("avd.aquasec.com", "bandit.readthedocs.io", "cwe.mitre.org", "github.com", "osv.dev"),
        *("www.cve.org", "www.w3.org", "127.0.0.1"),
    }
    assert (ROOT / "docs" / "report.png").stat().st_size < 200_000


def test_the_page_in_the_readme_is_that_of_the_sample() -> None:
    (page,) = blocks(text("README.md"), "text")
    assert max(map(len, page.splitlines())) <= 80
    sample = text("reports/sample.html")
    ids = re.findall(r"; id (\w{12})$", page, re.M)
    assert ids
    assert all(finding in sample for finding in ids)


def test_locks_have_hashes_and_name_no_host() -> None:
    for name in ("requirements/dev.txt", "requirements/action.txt", "tests/node/package-lock.json"):
        lock = text(name)
        assert "://" not in lock
        assert lock.count("sha256:") + lock.count('"integrity"') >= lock.count("==")


def test_the_action_installs_what_was_tested() -> None:
    pattern = re.compile(r"^([\w.-]+==[\w.]+)", re.M)
    tested = set(pattern.findall(text("requirements/dev.txt")))
    assert set(pattern.findall(text("requirements/action.txt"))) <= tested


def test_the_arguments_that_a_configuration_may_give_are_those_of_the_adapters() -> None:
    text = (ROOT / "docs" / "scanners.md").read_text(encoding="utf-8")
    for name, adapter in adapters().items():
        allowed = " ".join(f"`{option}`" for option in sorted(adapter.ARGS))
        assert f"| {name} | {allowed} |" in text
