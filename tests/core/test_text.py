"""Untrusted text is safe to show, and no part of it is lost."""

import json

from hypothesis import given
from hypothesis import strategies as st

from scanagg.core.text import one_line, printable, shorten, valid


def test_terminal_escapes_are_shown_not_obeyed() -> None:
    assert printable("\x1b[31mred\x07") == "\\x1b[31mred\\x07"


def test_direction_overrides_are_shown() -> None:
    assert printable("if \u202eabc") == "if \\u202eabc"


def test_a_newline_in_a_name_stays_on_one_line() -> None:
    assert one_line("a\nb\tc") == "a\\nb c"


def test_bytes_that_are_not_utf8_are_shown_as_such() -> None:
    assert valid("caf\udce9") == "caf\\xe9"


def test_a_lone_surrogate_from_json_is_shown() -> None:
    assert valid(json.loads('"\\ud83d"')) == "\\ud83d"


def test_a_cut_is_marked() -> None:
    assert shorten("abcdef", 4) == "abc…"
    assert shorten("abcd", 4) == "abcd"


@given(st.text(st.characters(exclude_categories=[]), max_size=50))
def test_all_text_can_be_written_as_utf8(text: str) -> None:
    shown = one_line(text)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert not any(char < " " or "\x7f" <= char <= "\x9f" for char in shown)
