"""Values as JSON text that is safe to print, and safe inside a script element of HTML."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from scanagg.core.text import printable

_ENCODER: Final = msgspec.json.Encoder()

# The short forms by which JSON hides a control character. A backslash that is itself escaped
# matches too; that costs time and changes nothing.
_HIDDEN_CONTROL: Final = re.compile(r"\\[ubfr]")

_DELETE: Final = "\x7f"

_CHUNK: Final = 500


def encode(value: object) -> str:
    r"""`value` as JSON on one line, every control or direction character as a visible \xNN.

    `value` is whatever msgspec can encode. Same value, same text.
    """
    try:
        text = _ENCODER.encode(value).decode()
    except UnicodeEncodeError:  # a surrogate: a byte that was not UTF-8
        return _ENCODER.encode(_cleaned(msgspec.to_builtins(value))).decode()
    if _is_printable(text) and not _HIDDEN_CONTROL.search(text):
        return text
    return _ENCODER.encode(_cleaned(msgspec.to_builtins(value))).decode()


def _is_printable(text: str) -> bool:
    """`str.isprintable` of JSON; for ASCII in no time: one control character is not escaped."""
    return _DELETE not in text if text.isascii() else text.isprintable()


def for_script(text: str) -> str:
    r"""JSON text that cannot end the script element around it: <, >, & as \u003c and so on."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def array(values: Iterable[object]) -> Iterator[str]:
    """A JSON array of `values` for a script element, one value a line, in pieces of many lines."""
    lines = (encode(value) for value in values)
    yield "["
    before = "\n"
    while chunk := list(islice(lines, _CHUNK)):
        yield for_script(before + ",\n".join(chunk))
        before = ",\n"
    yield "\n]"


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value
