"""Every example of the documents is run, and its output compared with the page."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from doc_examples import LEFT_OUT, Block, blocks, differences, run_session, sessions
from example_projects import make
from support import tools

from scanagg.policy.load import PolicySource, load_policy, read_waivers
from scanagg.policy.test import read_cases, try_cases

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])
# Measuring again needs clones of other projects.
RUN = [page for page in PAGES if page.name != "identity.md"]

SESSIONS = [(page, name) for page in PAGES for name in sessions(page)]
HEAD = "version: 1\ndefault: warn\n"
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("page", "name"), SESSIONS, ids=[f"{page.stem}-{name}" for page, name in SESSIONS]
)
def test_commands_print_what_the_page_shows(page: Path, name: str, tmp_path: Path) -> None:
    project = make(name, tmp_path / "projects")
    steps = sessions(page)[name]
    for command, printed in run_session(steps, project, tmp_path / "bin"):
        wrong = differences(command.shown, printed)
        assert not wrong, f"{page.name}:{command.line}: $ {command.typed}\n{wrong}"


@pytest.mark.parametrize(
    ("shown", "same"),
    [
        (("PASS", "bandit  ok  0.3", "id 6c90c2eeec19", "report"), True),
        (("PASS", LEFT_OUT), True),
        ((LEFT_OUT, "bandit  ok  1.5", LEFT_OUT, "report"), True),
        ((LEFT_OUT, "id 0123456789ab", LEFT_OUT), True),
        (("PASS",), False),
        (("PASS", "bandit  ok  0.3"), False),
        ((LEFT_OUT, "1 existing", LEFT_OUT), False),
        (("PASS", LEFT_OUT, "PASS", LEFT_OUT), False),
        ((LEFT_OUT, "report", LEFT_OUT, "bandit  ok  0.3", LEFT_OUT), False),
    ],
)
def test_what_is_shown_is_held_against_what_is_printed(shown: tuple[str, ...], same: bool) -> None:
    printed = "PASS\nbandit  ok  0.3\nid 6c90c2eeec19\nreport\n"
    assert (not differences(shown, printed)) is same


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_every_console_block_is_part_of_a_session(page: Path) -> None:
    loose = [one.line for one in blocks(page) if one.language == "console" and not one.name]
    assert loose == []


def kind(block: Block) -> str:
    """Return the kind of a YAML block by its keys. Only policies may omit the version."""
    for word, found in (("cases:", "cases"), ("jobs:", "workflow"), ("items:", "waivers")):
        if any(line.startswith(word) for line in block.text.splitlines()):
            return found
    if block.text.lstrip(" ").startswith("- "):
        return "steps"
    return "gitlab" if "script:" in block.text else "policy"


def of_kind(*wanted: str) -> Iterator[tuple[Path, Block]]:
    for page in PAGES:
        for block in blocks(page):
            if block.language == "yaml" and kind(block) in wanted:
                yield page, block


def named(pair: tuple[Path, Block]) -> str:
    return f"{pair[0].stem}-{pair[1].line}"


def whole(text: str) -> str:
    """Return a fragment with the keys that every policy needs."""
    has_version = any(line.startswith("version:") for line in text.splitlines())
    return text if has_version else HEAD + text


# Without those that show a mistake, or have a parent beside them: sessions load these.
POLICIES = [
    (page, block)
    for page, block in of_kind("policy")
    if block.name != "strict-loading" and "{file:" not in block.text
]


@pytest.mark.parametrize("pair", POLICIES, ids=named)
def test_every_policy_that_is_shown_is_valid(pair: tuple[Path, Block], tmp_path: Path) -> None:
    file = tmp_path / "policy.yml"
    file.write_text(whole(pair[1].text), encoding="utf-8")
    assert load_policy(str(file), tmp_path)


@pytest.mark.parametrize("pair", list(of_kind("waivers")), ids=named)
def test_every_file_of_waivers_that_is_shown_is_valid(pair: tuple[Path, Block]) -> None:
    text = pair[1].text if pair[1].text.startswith("version:") else f"version: 1\n{pair[1].text}"
    assert read_waivers(PolicySource("waivers.yml", text.encode()))


@pytest.mark.parametrize("pair", list(of_kind("workflow")), ids=named)
def test_every_workflow_that_is_shown_is_valid(pair: tuple[Path, Block], tmp_path: Path) -> None:
    file = tmp_path / "workflow.yml"
    file.write_text(pair[1].text, encoding="utf-8")
    assert tools.actionlint(file) == []


def test_pins_of_workflows_are_those_of_our_own() -> None:
    places = [ROOT / "action.yml", *(ROOT / ".github" / "workflows").glob("*.yml")]
    own = "".join(place.read_text(encoding="utf-8") for place in places)
    shown = "".join(block.text for _, block in of_kind("workflow"))
    pinned = re.findall(r"uses: (\w+/\S+@[0-9a-f]{40} # \S+)", shown)
    assert pinned
    assert [pin for pin in pinned if pin not in own] == []


def judged_fragments() -> Iterator[tuple[Path, Block, Block]]:
    """Yield each block of cases with the policy before it on the page."""
    for page in PAGES:
        policy: Block | None = None
        for block in blocks(page):
            if block.language != "yaml":
                continue
            if kind(block) == "cases" and policy is not None and not block.name:
                yield page, policy, block
            elif kind(block) == "policy":
                policy = block


JUDGED = list(judged_fragments())


@pytest.mark.parametrize(
    ("page", "policy", "cases"),
    JUDGED,
    ids=[f"{one.stem}-{block.line}" for one, _, block in JUDGED],
)
def test_policies_judge_as_the_cases_below_them_say(
    page: Path, policy: Block, cases: Block, tmp_path: Path
) -> None:
    (tmp_path / "policy.yml").write_text(whole(policy.text), encoding="utf-8")
    loaded = load_policy(str(tmp_path / "policy.yml"), tmp_path, None)
    text = cases.text if cases.text.startswith("version:") else f"version: 1\n{cases.text}"
    read = read_cases(text.encode(), page.name)
    tried = try_cases(read, loaded, read.now or NOW)
    assert [(one.name, one.wrong, one.judged) for one in tried if one.wrong] == []
