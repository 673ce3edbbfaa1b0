"""Text for people: untrusted text that is safe to show, and numbers with their nouns."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

# C0, DEL and C1 controls except tab and newline, the bidirectional overrides ("Trojan Source",
# CVE-2021-42574), and the separators at which some viewers break lines.
_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_QUOTED_WIDTH: Final = 60

JSON_ESCAPE: Final = "\\u{:04x}"
"""A character of a string in JSON, by its number."""

# Invisible characters, which GitHub's runner skips when it compares text.
_UNSEEN: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff"
)
# The start of a command or a section in the log of a CI system, without its last character: `##[`
# (GitHub), `##vso[` (Azure Pipelines), `##teamcity[`, `section_start:` (GitLab), `travis_fold:`.
_MARK: Final = (
    rf"#[{_UNSEEN}]*#[\w{_UNSEEN}]*(?=\[)|section_(?:start|end)(?=:)|travis_(?:fold|time)(?=:)"
)
_MARK_AND_END: Final = re.compile(rf"({_MARK})([\[:])")
# The same, and `::` (GitHub) at the start of a line, after blanks and codes of terminals.
_COMMAND: Final = re.compile(
    rf"(?:^|(?<=[\r\n]))(?:[^\S\r\n]|\x1b\[[\d;?]*[A-Za-z]|[{_UNSEEN}])*:[{_UNSEEN}]*(?=:)|{_MARK}"
)


def printable(text: str) -> str:
    r"""Return `text` with control and direction characters as a visible \xNN or \uNNNN."""
    return _UNSAFE.sub(_escape, valid(text))


def one_line(text: str) -> str:
    r"""Return printable text on one line: newlines become `\n`, tabs a space."""
    return printable(text).replace("\n", "\\n").replace("\t", " ")


def inert(text: str) -> str:
    r"""Return `text` with a backslash in everything that is a command in the log of a CI system.

    `::error::` becomes `:\:error::`, `##[group]` becomes `##\[group]`.
    """
    return _COMMAND.sub(r"\g<0>\\", text)


def inert_in(text: str, escape: str) -> str:
    """Return text of a format like `inert`, with an `escape` such as `&#{};` for a character.

    The values in the text stay the same. Lines of the format must not start with `::`.
    """
    return _MARK_AND_END.sub(lambda match: match[1] + escape.format(ord(match[2])), text)


def first_names(names: Sequence[str], most: int) -> tuple[str, ...]:
    """Return the first names, and "3 more" if there are others."""
    more = [f"{len(names) - most} more"] if len(names) > most else []
    return (*names[:most], *more)


def listed(names: Iterable[str]) -> str:
    """Return "a", "a and b" or "a, b and c"; empty for none."""
    parts = list(names)
    start = ", ".join(parts[:-1])
    return " and ".join(filter(None, (start, *parts[-1:])))


def quoted(value: object) -> str:
    """Return the repr of a value from a file, short and safe to print."""
    return shorten(one_line(repr(value)), _QUOTED_WIDTH)


def suggestion(word: object, words: Iterable[str]) -> str:
    """Return `: did you mean 'x'?` if one of `words` is similar, else an empty text."""
    # Imported here: it is slow to import, and most runs have no mistake.
    import difflib  # noqa: PLC0415

    near = difflib.get_close_matches(word, list(words), n=1) if isinstance(word, str) else []
    return f": did you mean {near[0]!r}?" if near else ""


def valid(text: str) -> str:
    r"""Return `text` without surrogates: a byte that is not UTF-8 is shown as \xNN."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # surrogates that do not represent bytes
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def refuse_surrogates(*texts: str) -> None:
    """Raise ValueError if a text has surrogates, which no report can show."""
    for text in texts:
        if not text.isascii():
            text.encode()


def shorten(text: str, width: int) -> str:
    """Return at most `width` characters, with an ellipsis for the rest."""
    return text if len(text) <= width else text[: width - 1] + "…"


def counted(count: int, one: str, several: str = "") -> str:
    """Return `1 finding` or `2 findings`; `several` is a plural that does not end in s."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
