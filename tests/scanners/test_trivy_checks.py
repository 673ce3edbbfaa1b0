"""The words for Trivy's checks are whole, and hold for every form of an id."""

import re

import pytest

from scanagg.scanners.trivy.checks import _WORDS, words_of


@pytest.mark.parametrize("check", _WORDS)
def test_the_words_of_a_check_are_whole(check: str) -> None:
    title, why, help_, bad, good = _WORDS[check]
    assert title.strip(".") == title
    for text in (why, help_):
        assert re.fullmatch(r"[A-Z].+[^.]\.", text)
        assert "  " not in text
    assert bool(bad) == bool(good)
    assert bad != good or not bad
    assert re.fullmatch(r"[A-Z]{2,4}-\d{4}", check)


@pytest.mark.parametrize("check", ["DS-0002", "DS002", "AVD-DS-0002"])
def test_an_old_id_has_the_words_of_the_new_one(check: str) -> None:
    assert words_of(check) == _WORDS["DS-0002"]


@pytest.mark.parametrize("check", ["", "DS", "KSV-9999", "XX-DS-0002", "DS-0002x"])
def test_a_check_that_is_not_known_has_none(check: str) -> None:
    assert words_of(check) is None
