"""Patterns match what those of pathspec match, and none takes long."""

import contextlib
import re

import pathspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanagg.core.patterns import globs

PIECES = ("a", "b", "*", "**", "/", "?", "[ab]", "[!a]", "\\*", "!", ".")
PATTERNS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join)
PATHS = st.lists(st.sampled_from(("a", "b", ".", "/", "*")), min_size=1, max_size=14).map("".join)


@settings(max_examples=200, deadline=None)
@given(st.lists(PATTERNS, min_size=1, max_size=3), st.lists(PATHS, min_size=1, max_size=8))
def test_patterns_match_what_those_of_pathspec_match(patterns: list[str], paths: list[str]) -> None:
    valid = []
    for pattern in patterns:
        with contextlib.suppress(ValueError, re.error):
            pathspec.GitIgnoreSpec.from_lines([pattern])
            valid.append(pattern)
    expected, found = pathspec.GitIgnoreSpec.from_lines(valid), globs(valid)
    for path in paths:
        assert found.check_file(path).include == expected.check_file(path).include, (valid, path)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("*a" * 30 + "b", "a" * 250),
        ("/x/" + "*a" * 30 + "*b", "x/" + "a" * 250),
        ("*[ab]?" * 30 + "c", "ab" * 120),
        ("**/a/" * 30 + "b", "a/" * 2000 + "c"),
        ("**/*a*a*a/" * 20 + "b", "aaaaaaaa/" * 400 + "c"),
        ("a/**/" * 30, "a/" * 2000 + "c"),
        ("*" * 200 + "b", "a" * 250),
    ],
)
def test_no_pattern_takes_long(pattern: str, path: str) -> None:
    """The old expressions take years, so a test that ends is a test that passes."""
    globs([pattern]).check_file(path)
