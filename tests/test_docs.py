"""Names, keys, links and examples in the documents are those of the code."""

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

from scanagg.cli.app import app
from scanagg.core import errors
from scanagg.findings.secrets import RULES
from scanagg.model import (
    Action,
    Category,
    Origin,
    Outcome,
    PathKind,
    ScannerInfo,
    Severity,
    Status,
    WaiverState,
)
from scanagg.policy import schema
from scanagg.policy.load import BUILTIN
from scanagg.reports.base import reporters
from scanagg.reports.reasons import SENTENCES
from scanagg.scanners import config
from scanagg.scanners.base import scanner_infos

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("reports/*.md")])
SCANNERS = list(scanner_infos().values())


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(page: str, title: str) -> str:
    """Return the text between a heading and the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}$", page, re.M)
    assert found, f"no heading {title!r}"
    rest = page[found.end() :]
    return re.split(rf"^#{{1,{len(found[1])}}} ", rest, maxsplit=1, flags=re.M)[0]


def rows(part: str) -> set[str]:
    """Return the words in backquotes in the first columns of tables."""
    return {
        word
        for line in part.splitlines()
        if line.startswith("|")
        for word in re.findall(r"`([^`]+)`", line.split("|")[1])
    }


def blocks(page: str, language: str) -> Iterator[str]:
    for found in re.finditer(r"^```([\w-]*)\n(.*?)^```$", page, re.M | re.S):
        if found[1] == language:
            yield found[2]


@pytest.mark.parametrize("info", SCANNERS, ids=lambda info: info.name)
def test_every_scanner_has_a_section_with_its_settings(info: ScannerInfo) -> None:
    part = section(text("docs/scanners.md"), info.name)
    assert rows(part) == set(info.options)
    assert f"](#{info.name})" in text("docs/scanners.md")


@pytest.mark.parametrize("info", SCANNERS, ids=lambda info: info.name)
def test_a_scanners_configuration_files_are_named(info: ScannerInfo) -> None:
    part = section(text("docs/scanners.md"), info.name)
    assert not info.native_files or any(name in part for name in info.native_files)


def test_only_existing_scanners_are_described() -> None:
    linked = re.findall(r"^\| \[([a-z-]+)\]", text("docs/scanners.md"), re.M)
    assert sorted(linked) == sorted(scanner_infos())


def test_every_format_has_a_row() -> None:
    part = section(text("docs/concepts.md"), "Formats")
    shown = dict(re.findall(r"^\| `([\w-]+)` \| `([\w.-]+)`", part, re.M))
    assert shown == {name: reporter.FILENAME for name, reporter in reporters().items()}


def test_the_terms_of_the_model_are_explained() -> None:
    page = text("docs/concepts.md")
    assert rows(section(page, "The status of a run")) == {status.value for status in Status}
    for enum in (Severity, Category, Action, Outcome, Origin):
        assert not [word.value for word in enum if f"`{word.value}`" not in page]
    assert not [
        word.value for word in WaiverState if f"`{word.value}`" not in text("docs/policy.md")
    ]


def test_exit_codes_are_those_of_the_program() -> None:
    shown = {int(code) for code in re.findall(r"^\| (\d+) \|", text("README.md"), re.M)}
    assert shown == {code.value for code in errors.ExitCode}


@pytest.mark.parametrize(
    ("title", "section_type"),
    [
        ("Keys", schema.PolicyFile),
        ("`extends`", schema.Parent),
        ("`scanners`", schema.ScannerEntry),
        ("`severity`", schema.SeveritySection),
        ("`rules`", schema.Match),
        ("`licenses`", schema.LicenseSection),
        ("`enrichment`", schema.EnrichmentSection),
        ("`new_code`", schema.NewCodeSection),
        ("`waivers`", schema.WaiverSection),
        ("`waivers`", schema.WaiverEntry),
    ],
)
def test_every_policy_key_has_a_row(title: str, section_type: type[msgspec.Struct]) -> None:
    part = section(text("docs/policy.md"), title).partition("\n### ")[0]
    fields = section_type.__struct_encode_fields__
    assert rows(part) >= set(fields)


@pytest.mark.parametrize(
    ("title", "section_type"),
    [
        ("`rules`", schema.RuleEntry),
        ("`scanners`", schema.When),
        ("`severity`", schema.Override),
        ("`severity`", schema.BanditSeverity),
        ("`licenses`", schema.Clarification),
        ("`licenses`", schema.Evidence),
        ("`licenses`", schema.LicenseException),
    ],
)
def test_keys_of_a_nested_section_are_named(title: str, section_type: type[msgspec.Struct]) -> None:
    part = section(text("docs/policy.md"), title)
    missing = [name for name in section_type.__struct_encode_fields__ if f"`{name}" not in part]
    assert missing == []


def test_the_complete_example_has_every_key() -> None:
    part = section(text("docs/policy.md"), "Example")
    said = YAML(typ="safe").load(next(blocks(part, "yaml")))
    for where, section_type in (
        (said, schema.PolicyFile),
        (said["severity"], schema.SeveritySection),
        (said["licenses"], schema.LicenseSection),
        (said["licenses"]["clarify"][0], schema.Clarification),
        (said["licenses"]["exceptions"][0], schema.LicenseException),
        (said["enrichment"], schema.EnrichmentSection),
        (said["new_code"], schema.NewCodeSection),
        (said["waivers"], schema.WaiverSection),
    ):
        assert set(where) == set(section_type.__struct_encode_fields__)
    used = {name for rule in said["rules"] for name in rule["match"]}
    used |= {name for one in said["severity"]["override"] for name in one["match"]}
    assert used >= set(schema.Match.__struct_encode_fields__) - {"package", "scanner"}


def test_every_rule_of_evaluation_has_an_example() -> None:
    part = section(text("docs/policy.md"), "The fifteen rules")
    titles = re.findall(r"^### (\d+)\. ", part, re.M)
    assert titles == [str(number) for number in range(1, 16)]
    for rule in re.split(r"^### ", part, flags=re.M)[1:]:
        assert "```" in rule, rule.splitlines()[0]


def test_every_rule_for_secrets_has_a_row_in_order() -> None:
    part = section(text("docs/secrets.md"), "Rules")
    shown = re.findall(r"^\| `([\w-]+)` \| .+ \| (\w+) \| (\w+) \|(?: [\d,]+ \|){3}$", part, re.M)
    rules = [(rule.reason.kind, rule.production, rule.elsewhere) for rule in RULES]
    assert shown == [(kind, one.value, other.value) for kind, one, other in rules]


def test_every_kind_of_file_has_a_row() -> None:
    part = section(text("docs/secrets.md"), "What a rule sees")
    kinds = {kind.value for kind in PathKind}
    assert rows(part) == kinds - {PathKind.PRODUCTION.value}


def test_every_ready_made_policy_has_a_row() -> None:
    head = text("docs/policy.md").partition("## Example")[0]
    assert rows(head) == set(BUILTIN)


@pytest.mark.parametrize("page", ["docs/concepts.md", "docs/recipes.md"])
def test_examples_of_configuration_are_valid(page: str, tmp_path: Path) -> None:
    for example in blocks(text(page), "toml"):
        (tmp_path / "pyproject.toml").write_text(example)
        assert config.load_settings(tmp_path, scanner_infos()).source == "pyproject.toml"


def test_every_key_of_the_configuration_is_shown() -> None:
    part = section(text("docs/concepts.md"), "Configuration")
    shown = tomllib.loads(next(blocks(part, "toml")))["tool"]["scanagg"]
    fields = {name.replace("_", "-") for name in config.Settings.__struct_fields__}
    assert set(shown) == fields - {"source"}


def test_keys_of_every_scanner_are_shown() -> None:
    head = text("docs/scanners.md").partition("\n## ")[0]
    fields = set(config.ScannerSettings.__struct_fields__)
    assert rows(head) - {"safety"} == fields - {"options", "config", "path"}


def test_inputs_and_outputs_of_the_action_have_a_row() -> None:
    action = YAML(typ="safe").load(ROOT / "action.yml")
    page = text("docs/ci.md")
    assert rows(section(page, "Inputs")) == set(action["inputs"])
    assert rows(section(page, "Outputs")) == set(action["outputs"])


def test_examples_of_workflows_are_valid(tmp_path: Path) -> None:
    pages = text("README.md") + text("docs/ci.md")
    examples = [one for one in blocks(pages, "yaml") if "jobs:" in one]
    assert len(examples) == 3
    for number, example in enumerate(examples):
        file = tmp_path / f"{number}.yml"
        file.write_text(example)
        assert tools.actionlint(file) == []


def test_pins_in_the_documents_are_those_of_our_own_workflows() -> None:
    pages = text("README.md") + text("docs/ci.md")
    pinned = re.findall(r"uses: (\w+/\S+@[0-9a-f]{40} # \S+)", pages)
    own = "".join(file.read_text() for file in (ROOT / ".github" / "workflows").glob("*.yml"))
    assert pinned
    assert all(pin in own for pin in pinned)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_in_the_documents_exist(page: Path) -> None:
    content = page.read_text()
    shell = "".join((*blocks(content, ""), *blocks(content, "console"))).replace("\\\n>", "")
    code = [*re.findall(r"`([^`\n]+)`", content), *shell.splitlines()]
    code = [line.removeprefix("$ ").partition(";")[0] for line in code]
    for line in re.findall(r"^scanagg ([^#\n]+)", "\n".join(code), re.M):
        words = line.split()
        current: Any = get_command(app)
        if not words[0].startswith("-"):
            current = subcommand(words.pop(0))
        while words and words[0] in getattr(current, "commands", {}):
            current = current.commands[words.pop(0)]
        known = {option for param in current.params for option in param.opts} | {"--help"}
        assert {word for word in words if word.startswith("-")} <= known, line


def subcommand(name: str) -> Any:
    """Return a command of scanagg; typed loosely, since typer may bring a click of its own."""
    command: Any = get_command(app)
    found = command.get_command(None, name)
    assert found is not None, name
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_have_a_target(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_every_promise_names_tests_that_exist() -> None:
    part = section(text("SECURITY.md"), "Promises")
    promises = [line for line in part.splitlines() if line.startswith("- ")]
    assert len(promises) > 20
    for promise in promises:
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", promise)
        assert named, promise
        for file, test in named:
            assert re.search(rf"^def {test or 'test_'}", text(file), re.M), (file, test)


def anchors(file: Path) -> set[str]:
    """Return the anchors that GitHub makes from the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", file.read_text(), re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in headings}


def test_commands_of_dev_py_exist() -> None:
    program = text("dev.py")
    for name in re.findall(r"python3 dev\.py (\w+)", text("README.md") + text("CONTRIBUTING.md")):
        assert f'"{name}": {name}' in program


def test_readme_lists_every_option_of_check_and_no_other() -> None:
    lines = [line for line in text("README.md").splitlines() if line.startswith("| `-")]
    shown = {option for line in lines for option in re.findall(r"`(-[\w-]+)", line.split(" | ")[0])}
    params = subcommand("check").params
    known = {option for param in params for option in param.opts if option.startswith("-")}
    assert shown == known | {"-h", "--help"}


def commands(page: str) -> Iterator[list[str]]:
    """Yield the words of every line of the shell examples, without comments."""
    for line in "".join(blocks(page, "")).splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def runs_by_itself(words: list[str]) -> bool:
    """Return True if a line runs as it is, without a network."""
    placeholders = any(word.isupper() for word in words)
    apart = words[1] in ("check", "fix", "baseline") or words[1:3] == ["db", "update"]
    return words[0] == "scanagg" and not apart and not placeholders


def test_commands_in_the_readme_work(make_project: Any) -> None:
    policy = "version: 1\ndefault: info\n"
    cases = "version: 1\ncases: [{finding: {category: code, path: a.py}, expect: info}]\n"
    files = dict.fromkeys(("scanagg.yml", "old.yml", "new.yml"), policy)
    project = make_project({"app.py": "x = 1\n", **files, "cases.yml": cases})
    assert scanagg("check", "--only", "bandit", cwd=project).returncode == 0
    ran = set()
    for words in filter(runs_by_itself, commands(text("README.md"))):
        argv = ["." if word == "path/to/project" else word for word in words[1:]]
        done = scanagg(*argv, cwd=project)
        assert done.returncode == 0, done
        ran.add(words[1])
    assert ran == {"scanners", "explain", "waivers", "gate", "policy", "license"}


def test_other_commands_in_the_readme_exist() -> None:
    for words in commands(text("README.md")):
        if words[:2] == ["pip", "install"]:
            extra = words[2].partition("[")[2].rstrip("]")
            extras = tomllib.loads(text("pyproject.toml"))["project"]["optional-dependencies"]
            assert not extra or extra in extras
        elif words[0] == "python3":
            usage = subprocess.run(
                [sys.executable, ROOT / "dev.py", "--help"], capture_output=True, check=True
            ).stdout.decode()
            assert " ".join(words[:3]) in usage
        else:
            assert words[0] == "scanagg", words


def test_verdicts_beside_examples_of_licences_are_those_of_the_command() -> None:
    lines = re.findall(r"^scanagg (license eval .+?)\s+# (\w+)$", text("docs/policy.md"), re.M)
    assert lines
    for line, verdict in lines:
        assert scanagg(*shlex.split(line)).stdout.splitlines()[0] == verdict


def test_every_reason_to_leave_something_out_on_purpose_has_a_row() -> None:
    part = section(text("docs/concepts.md"), "Left out on purpose")
    shown = re.findall(r"^\| ([a-z][^|]+) \|", part, re.M)[1:]
    target = (ROOT / "scanagg/project/target.py").read_text()
    kinds = {*re.findall(r'Reason\("([\w-]+)"\)', target)}
    kinds -= {"no-read-permission", "listed-without-git"}
    kinds |= {"left-out-by-settings", "lock-file", "own-baseline", "filtered"}
    kinds |= {"files-not-text", "in-git-lfs", "notebook-language", "notebook-magic"}
    assert {SENTENCES[kind].partition(" {")[0].rstrip(":") for kind in kinds} == set(shown)


def test_every_variable_of_the_environment_is_explained() -> None:
    code = "".join(file.read_text() for file in (ROOT / "scanagg").rglob("*.py"))
    explained = set(re.findall(r"`(SCANAGG_\w+)`", text("docs/concepts.md")))
    assert set(re.findall(r'"(SCANAGG_\w+)"', code)) == explained


def test_the_schema_file_in_the_documents_exists() -> None:
    named = re.search(r"`(scanagg/schemas/[\w.-]+)`", text("docs/concepts.md"))
    assert named
    assert (ROOT / named[1]).is_file()


def test_the_sample_has_no_path_of_a_machine() -> None:
    page = text("reports/sample.html")
    assert not re.findall(r"(?<![\w/.])/(?:home|root|tmp|usr|work|Users)/[\w./-]*", page)
    # Without the references of advisories.
    rest = re.sub(r'\["https://[^"]*","https://[^"]*"\]', "", page)
    hosts = set(re.findall(r"https?://([\w.-]+)", rest))
    assert hosts <= {
        *("bandit.readthedocs.io", "cwe.mitre.org", "docs.stripe.com", "github.com", "osv.dev"),
        *("www.cve.org", "www.w3.org"),
    }
    assert (ROOT / "docs" / "report.png").stat().st_size < 200_000


def test_the_page_in_the_readme_is_that_of_the_sample() -> None:
    (page,) = blocks(text("README.md"), "text")
    assert max(map(len, page.splitlines())) <= 80
    sample = text("reports/sample.html")
    ids = re.findall(r"; id (\w{12})$", page, re.M)
    assert ids
    assert all(finding in sample for finding in ids)


def test_the_arguments_that_a_configuration_may_give_are_those_of_the_scanners() -> None:
    text = (ROOT / "docs" / "scanners.md").read_text(encoding="utf-8")
    for name, info in scanner_infos().items():
        allowed = " ".join(f"`{option}`" for option in sorted(info.args))
        assert f"| {name} | {allowed} |" in text
