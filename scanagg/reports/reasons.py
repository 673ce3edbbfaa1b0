"""The sentences of reasons, by kind.

A sentence has its values in braces, as for `str.format`: `{path}`. A number with a noun,
`{number:file}`, becomes "1 file" or "2,000 files"; several texts are separated by commas. Values
are shown on one line.
"""

import string
from collections.abc import Iterable, Mapping
from typing import Any, Final

from scanagg.core.text import one_line
from scanagg.model import Reason

SENTENCES: Final[Mapping[str, str]] = {
    "text": "{text}",
}


class _Formatter(string.Formatter):
    """Formats numbers with their nouns, and texts on one line."""

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, int):
            plural = "" if value == 1 or not format_spec else "s"
            return f"{value:,} {format_spec}{plural}".rstrip()
        return one_line(value) if isinstance(value, str) else ", ".join(map(one_line, value))


_FORMATTER: Final = _Formatter()


def sentence(reason: Reason) -> str:
    """Return a reason in words, on one line, without a full stop."""
    return _FORMATTER.vformat(SENTENCES[reason.kind], (), reason.values)


def sentences(reasons: Iterable[Reason]) -> str:
    """Return reasons in words, separated by semicolons."""
    return "; ".join(map(sentence, reasons))
