"""Values as JSON text that is safe to print, and safe inside a script element of HTML."""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec

from scanagg.core.text import JSON_ESCAPE, inert_in, printable

_ENCODER: Final = msgspec.json.Encoder()
# JSON escapes that hide a control character. An escaped backslash matches too, which costs time but
# is harmless.
_HIDDEN_CONTROL: Final = re.compile(r"\\[ubfr]")
_DELETE: Final = "\x7f"
_CHUNK: Final = 500


def encode(value: object) -> str:
    r"""Return `value` as JSON on one line, with every control character as a visible \xNN.

    `value` is anything that msgspec can encode. Characters that change the direction of text are
    control characters too. No CI system takes a part of the text for a command.
    """
    return inert_in(_encoded(value), JSON_ESCAPE)


def _encoded(value: object) -> str:
    try:
        text = _ENCODER.encode(value).decode()
    except UnicodeEncodeError:  # a surrogate: a byte that was not UTF-8
        return _ENCODER.encode(_cleaned(msgspec.to_builtins(value))).decode()
    # `isprintable` is slow, and JSON escapes all control characters of ASCII but one.
    plain = _DELETE not in text if text.isascii() else text.isprintable()
    if plain and not _HIDDEN_CONTROL.search(text):
        return text
    return _ENCODER.encode(_cleaned(msgspec.to_builtins(value))).decode()


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(item) for item in value]
    return value


def lines(values: Iterable[object]) -> Iterator[str]:
    """Yield a JSON array as the value of a key at the top level, one item a line."""
    before = "[\n    "
    for value in values:
        yield before + encode(value)
        before = ",\n    "
    yield "[]" if before[0] == "[" else "\n  ]"


def for_script(text: str) -> str:
    r"""Return JSON text that cannot end the script element around it: < as \u003c and so on."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def script_lines(values: Iterable[object]) -> Iterator[str]:
    """Yield a JSON array for a script element, one item a line, many lines in a piece."""
    items = map(encode, values)
    yield "["
    before = "\n"
    while chunk := list(islice(items, _CHUNK)):
        yield for_script(before + ",\n".join(chunk))
        before = ",\n"
    yield "\n]"
