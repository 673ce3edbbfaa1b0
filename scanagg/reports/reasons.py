"""The sentences of reasons, by kind.

A sentence has its values in braces: `{path}`. A number with a noun, `{number:file}`, becomes
"1 file" or "2,000 files"; with both forms, `{number:finding blocks|findings block}`, one of them.
Several texts are separated by commas, or by what follows the colon: `{names: or }`. A value that
is a reason is shown as its sentence. Texts are shown on one line.
"""

import string
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from scanagg.core.text import one_line
from scanagg.model import Reason, ReasonValue

SENTENCES: Final[Mapping[str, str]] = {
    "text": "{text}",
}


def sentence(reason: Reason) -> str:
    """Return a reason in words, on one line, without a full stop."""
    values = reason.values
    return "".join(
        literal if name is None else literal + _shown(values[name], form)
        for literal, name, form in _parts(reason.kind)
    )


def sentences(reasons: Iterable[Reason]) -> str:
    """Return reasons in words, separated by semicolons."""
    return "; ".join(map(sentence, reasons))


@cache
def _parts(kind: str) -> list[tuple[str, str | None, str]]:
    """Return each literal of a sentence with the name and the format of the value behind it."""
    parsed = string.Formatter().parse(SENTENCES[kind])
    return [(literal, name, form or "") for literal, name, form, _ in parsed]


def _shown(value: ReasonValue, form: str) -> str:
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, tuple):
        return (form or ", ").join(_shown(part, "") for part in value)
    if isinstance(value, int):
        one, _, several = form.partition("|")
        return f"{value:,} {one if value == 1 or not one else several or one + 's'}".rstrip()
    return sentence(value)
