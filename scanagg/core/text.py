"""Text for people: untrusted text made safe to show, always valid Unicode; counted things."""

import re
from typing import Final

# C0, DEL and C1 controls but tab and newline, the bidirectional overrides ("Trojan Source",
# CVE-2021-42574) and the line separators that some viewers break lines at.
_UNSAFE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def printable(text: str) -> str:
    r"""`text` with every control or direction character as a visible \xNN or \uNNNN."""
    return _UNSAFE.sub(_escape, valid(text))


def one_line(text: str) -> str:
    r"""`printable` on one line: newlines become `\n`, tabs a space."""
    return printable(text).replace("\n", "\\n").replace("\t", " ")


def valid(text: str) -> str:
    r"""`text` without surrogates: a byte that is not UTF-8 shows as \xNN."""
    if text.isascii():
        return text
    raw = text.encode("utf-8", "surrogateescape") if _escaped_bytes(text) else None
    if raw is not None:
        return raw.decode("utf-8", "backslashreplace")
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def shorten(text: str, width: int) -> str:
    """At most `width` characters, the cut marked with an ellipsis."""
    return text if len(text) <= width else text[: width - 1] + "…"


def counted(count: int, one: str, several: str = "") -> str:
    """`1 finding`, `2 findings`; `several` where the plural is not made with an s."""
    return f"{count} {one if count == 1 else several or one + 's'}"


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def _escaped_bytes(text: str) -> bool:
    surrogates = [char for char in text if "\ud800" <= char <= "\udfff"]
    return bool(surrogates) and all("\udc80" <= char <= "\udcff" for char in surrogates)
