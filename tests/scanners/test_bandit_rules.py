"""The texts about bandit's rules, and their examples as bandit sees them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from bandit.core import extension_loader
from support.drive import context, drive

from scanagg.model import Target
from scanagg.scanners import bandit
from scanagg.scanners.bandit.rules import RULES


def test_every_rule_of_bandit_has_texts() -> None:
    plugins = {plugin.plugin._test_id for plugin in extension_loader.MANAGER.plugins}
    assert plugins | extension_loader.MANAGER.blacklist_by_id.keys() == RULES.keys()


@pytest.mark.parametrize("rule", RULES)
def test_texts_are_sentences_and_examples_are_short(rule: str) -> None:
    title, why, advice, bad, good = RULES[rule]
    assert 5 < len(title) <= 60
    assert not title.endswith(".")
    for text in (why, advice):
        assert len(text) <= 160  # the width of the Markdown summary
        assert text.endswith(".")
        assert text.isascii()
        assert not {"`", "\n"} & {*text}
    for code in (bad, good):
        assert 0 < len(code.splitlines()) <= 5
        assert max(map(len, code.splitlines())) <= 100
        compile(code, rule, "exec")
    assert bad != good


def test_bandit_finds_the_bad_examples_and_not_the_good_ones(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    files = {
        f"{rule}/{kind}.py": f"{code}\n"
        for rule, (_, _, _, *examples) in RULES.items()
        for kind, code in zip(("bad", "good"), examples, strict=True)
    }
    driven = drive(bandit, context(read_target(make_project(files))), tmp_path)
    found = {(one.rule.id, one.location.path) for one in driven.observations if one.location}
    rules = {one.rule.id: one.rule for one in driven.observations}
    assert {
        name: (one.title, one.why, one.help, one.bad, one.good) for name, one in rules.items()
    } == RULES
    assert {rule for rule in RULES if (rule, f"{rule}/bad.py") not in found} == set()
    assert {rule for rule in RULES if (rule, f"{rule}/good.py") in found} == set()
