"""The words for secrets that several modules share have one meaning."""

import pytest

from scanagg.core.masks import is_name
from scanagg.core.names import ABOUT, CODE, DIGESTS, KEYS, SECRETS
from scanagg.findings.secrets import Clue
from scanagg.scanners.detectors import search

VALUE = "Zq7" + "-horse_B4"


def finds(line: str, name: str = "a.yml") -> bool:
    return any(search(f"{line}\n", name, lambda found: found))


@pytest.mark.parametrize("name", [*SECRETS, *(f"{word}_key" for word in KEYS)])
def test_a_name_that_says_secret_does_so_everywhere(name: str) -> None:
    line = f"{name}: {VALUE}"
    assert finds(line)
    assert Clue(VALUE, line, "a.yml").says_secret
    assert is_name(f"{name}_9")


@pytest.mark.parametrize("word", [*sorted(ABOUT | DIGESTS), "md5", "sha256"])
def test_a_name_that_is_about_a_secret_is_so_everywhere(word: str) -> None:
    line = f"secret_{word}: {VALUE}"
    clue = Clue(VALUE, line, "a.yml")
    assert not finds(line)
    assert clue.is_metadata or clue.is_digest


@pytest.mark.parametrize("suffix", sorted(CODE))
def test_a_word_without_quotes_is_no_value_in_code(suffix: str) -> None:
    assert not finds("password = horse7battery", f"a{suffix}")
    assert Clue("horse7battery", "password = horse7battery", f"a{suffix}").is_code
