"""Values for SARIF: sentences, names, identifiers, times, and objects of sarif_om as plain JSON."""

import hashlib
import re
from datetime import datetime
from functools import cache, lru_cache
from typing import Final

import attr
import sarif_om

from scanagg.core.text import printable
from scanagg.core.times import as_utc

# The limit of SARIF and of GitHub for the descriptions of a rule.
DESCRIPTION_LENGTH: Final = 1_024
# Code scanning shows about this much without long scrolling.
_MESSAGE_LENGTH: Final = 2_000
_NAME_LENGTH: Final = 200
# Scanners report the same text for every finding of a rule.
_CACHED: Final = 4_096

# "{0}" is a placeholder in a SARIF message, "[a](b)" a link. Untrusted text must be neither.
_PLACEHOLDER: Final = re.compile(r"\{(\d+)\}")
_MARKDOWN: Final = re.compile(r"([\\`*_\[\]<>#|])")
_TICKS: Final = re.compile("`+")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+|[0-9]+")
# Ids that need no quotes in an address or a search.
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_HTTPS: Final = re.compile(
    r"https://(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+"
    r"(?:#(?:[A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)?"
)

# sarif_om follows a draft: the standard calls a suppression's state its status, and GitHub refuses
# a file with "state" in it.
_RENAMED: Final = {(sarif_om.Suppression, "state"): "status"}
# A result without a level gets the level of its rule. So write "warning", the default, too.
_ALWAYS: Final = frozenset(
    {
        (sarif_om.Result, "level"),
        (sarif_om.ReportingConfiguration, "level"),
        (sarif_om.Notification, "level"),
    }
)
_NO_DEFAULT: Final = object()
_SCALARS: Final = frozenset({str, int, float, bool})
# These contain no objects of sarif_om. Walking through them takes seconds for 100,000 results.
_READY: Final = frozenset({"arguments", "partialFingerprints", "properties"})


@lru_cache(_CACHED)
def phrase(text: str) -> str:
    """Return `text` on one line, without anything that a viewer would render as markup."""
    line = " ".join(printable(text).split()).replace("`", "'")
    if "{" in line:
        line = _PLACEHOLDER.sub(r"(\1)", line)
    return line.replace("](", "] (") if "](" in line else line


@lru_cache(_CACHED)
def sentence(text: str, length: int = _MESSAGE_LENGTH) -> str:
    """Return `text` as one paragraph of at most `length` characters that ends like a sentence."""
    line = phrase(text)
    if len(line) >= length:
        return line[: length - 2].rstrip() + "…."
    return line if line.endswith((".", "!", "?")) or not line else line.rstrip(",:;") + "."


def markdown(text: str) -> str:
    """Escape `text` so that Markdown shows it as it is."""
    return _MARKDOWN.sub(r"\\\1", text)


def fenced(code: str) -> str:
    """Return code as a fenced block of Markdown, which no text in the code can end."""
    fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(code)), default=0))
    return f"{fence}\n{code}\n{fence}"


def literal(code: str) -> str:
    """Return code without placeholders: `{0}` becomes `{ 0 }`."""
    return _PLACEHOLDER.sub(r"{ \1 }", code)


def width(text: str) -> int:
    """Return the length in UTF-16 units, the unit of all columns in the log."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, start: int, end: int) -> str:
    """Return `text` from column `start` up to before `end`, in UTF-16 units from 1."""
    if text.isascii():
        return text[start - 1 : end - 1]
    units = text.encode("utf-16-le", "surrogatepass")[2 * (start - 1) : 2 * (end - 1)]
    return units.decode("utf-16-le", "ignore")


def rule_id(identifier: str) -> str:
    """Return the id as it is if it is plain ("github-token"), else a stable stand-in.

    The stand-in is the first word of the id and twelve digits of a hash.
    """
    if _PLAIN_ID.fullmatch(identifier):
        return identifier
    word = re.search(r"[A-Za-z]+", identifier)
    digest = hashlib.sha256(identifier.encode("utf-8", "replace")).digest()
    digits = f"{int.from_bytes(digest[:8], 'big') % 10**12:012}"
    return f"{word.group()[:8].upper() if word else 'RULE'}-{digits[:6]}-{digits[6:]}"


def pascal(name: str, identifier: str) -> str:
    """Return `name` in Pascal case ("SubprocessPopen"), never equal to the identifier."""
    result = ""
    for word in _WORD.findall(name):
        joins = len(word) == 1 or word[0].isdigit() or len(result) == 1
        result += word.lower() if result and joins else word.capitalize()
    result = result[:_NAME_LENGTH].rstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    return f"Rule{result}" if not result[:1].isalpha() or result == identifier else result


def time(moment: datetime) -> str:
    """Return a time in UTC, with milliseconds and a Z."""
    return as_utc(moment).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def https(url: str | None) -> str | None:
    """Return `url` if it is an absolute https address by RFC 3986."""
    return url if url and _HTTPS.fullmatch(url) else None


def plain(value: object) -> object:
    """Return `value` as dicts, lists and scalars, ready for JSON; parts that are None are left out.

    `value` is an object of sarif_om, or a list, a dict or a scalar in one. sarif_om's own `to_json`
    takes a minute for 100,000 results, and leaves out what `_ALWAYS` names.
    """
    kind = type(value)
    if kind is list:
        return [plain(item) for item in value]  # type: ignore[attr-defined]
    if kind is dict:
        return {key: plain(item) for key, item in value.items()}  # type: ignore[attr-defined]
    if kind in _SCALARS:
        return value
    result: dict[str, object] = {}
    names = _names(kind)  # type: ignore[arg-type]
    for attribute, item in vars(value).items():
        key, default = names[attribute]
        if item is not None and (default is None or item != default):
            is_plain = type(item) in _SCALARS or key in _READY
            result[key] = item if is_plain else plain(item)
    return result


@cache
def _names(kind: type[attr.AttrsInstance]) -> dict[str, tuple[str, object]]:
    """Return the key of each attribute, and the default that is not written."""
    names: dict[str, tuple[str, object]] = {}
    for field in attr.fields(kind):
        key = _RENAMED.get((kind, field.name), field.metadata["schema_property_name"])
        default = getattr(field.default, "factory", lambda field=field: field.default)()
        names[field.name] = key, _NO_DEFAULT if (kind, field.name) in _ALWAYS else default
    return names
