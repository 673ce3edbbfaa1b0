"""The documents say what is there: names, keys, links and examples, compared with the code."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML
from support import tools
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
    later = {"docs/report.png"}  # made from a run, so not there in every clone
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("https://") or target in later:
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


def test_locks_have_hashes_and_name_no_host() -> None:
    for name in ("requirements/dev.txt", "requirements/action.txt", "tests/node/package-lock.json"):
        lock = text(name)
        assert "://" not in lock
        assert lock.count("sha256:") + lock.count('"integrity"') >= lock.count("==")


def test_the_action_installs_what_was_tested() -> None:
    pattern = re.compile(r"^([\w.-]+==[\w.]+)", re.M)
    tested = set(pattern.findall(text("requirements/dev.txt")))
    assert set(pattern.findall(text("requirements/action.txt"))) <= tested
