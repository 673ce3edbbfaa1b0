"""Words for SARIF: whole sentences of plain text, sizes in UTF-16 units, names and identifiers."""

import hashlib
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from scanagg.core.text import printable

# What the viewers of code scanning show of one text without scrolling for long.
MESSAGE_LENGTH: Final = 2_000
# The standard's and GitHub's limit for a rule's descriptions.
DESCRIPTION_LENGTH: Final = 1_024

# Scanners say the same of every finding of a rule.
_CACHED: Final = 4_096

# "{0}" is a placeholder in a SARIF message, "[a](b)" a link: text of strangers must be neither.
_PLACEHOLDER: Final = re.compile(r"\{(\d+)\}")
_MARKDOWN: Final = re.compile(r"([\\`*_\[\]<>#|])")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")
# The form that the standard's validator asks of an id: letters for the tool, then numbers.
_CONVENTIONAL_ID: Final = re.compile(r"[A-Z]{1,8}(?:-?[0-9]{1,6}){0,3}")
_NAME_LENGTH: Final = 200
_HTTPS: Final = re.compile(
    r"https://(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
    r"(?:#(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?"
)


@lru_cache(_CACHED)
def phrase(text: str) -> str:
    """`text` on one line, with nothing in it that a viewer would take for markup."""
    line = " ".join(printable(text).split()).replace("`", "'")
    if "{" in line:
        line = _PLACEHOLDER.sub(r"(\1)", line)
    return line.replace("](", "] (") if "](" in line else line


@lru_cache(_CACHED)
def sentence(text: str, length: int = MESSAGE_LENGTH) -> str:
    """`text` as one paragraph that ends like a sentence, of at most `length` characters."""
    line = phrase(text)
    if len(line) >= length:
        return line[: length - 2].rstrip() + "…."
    return line if line.endswith((".", "!", "?")) or not line else line.rstrip(",:;") + "."


def markdown(text: str) -> str:
    """`text` so that markdown shows it as it is."""
    return _MARKDOWN.sub(r"\\\1", text)


def width(text: str) -> int:
    """The length in UTF-16 units, in which SARIF counts columns here."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, start: int, end: int) -> str:
    """The part of `text` from column `start` up to before `end`, in UTF-16 units from 1."""
    if text.isascii():
        return text[start - 1 : end - 1]
    units = text.encode("utf-16-le", "surrogatepass")[2 * (start - 1) : 2 * (end - 1)]
    return units.decode("utf-16-le", "ignore")


def rule_id(identifier: str) -> str:
    """`identifier` where it is letters then numbers ("B602", "CVE-2016-10745"), else a stand-in.

    The stand-in is the first word and twelve digits of a hash: the same for ever, and as an
    opaque id should be. The rule's name and tags say what a person would look for.
    """
    if _CONVENTIONAL_ID.fullmatch(identifier):
        return identifier
    word = re.search(r"[A-Za-z]+", identifier)
    digest = hashlib.sha256(identifier.encode("utf-8", "replace")).digest()
    digits = f"{int.from_bytes(digest[:8], 'big') % 10**12:012}"
    return f"{word.group()[:8].upper() if word else 'RULE'}-{digits[:6]}-{digits[6:]}"


def pascal(name: str, identifier: str) -> str:
    """`name` in Pascal case ("SubprocessPopen"), and never equal to the identifier."""
    made = ""
    for word in _WORD.findall(name):
        joins = len(word) == 1 or word[0].isdigit() or len(made) == 1
        made += word.lower() if made and joins else word.capitalize()
    made = made[:_NAME_LENGTH].rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if not made or not made[0].isalpha():
        return f"Rule{made}"
    return f"Rule{made}" if made == identifier else made


def time(moment: datetime) -> str:
    """In UTC, with milliseconds and a Z."""
    utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def https(url: str | None) -> str | None:
    """`url` if it is an absolute https address by RFC 3986."""
    return url if url and _HTTPS.fullmatch(url) else None
