"""Reasons as data. The sentences that people read are made in `reports/reasons.py`."""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

TEXT: Final = "text"
"""The kind of a reason that is words already, such as an error message of another program."""


class Reason(msgspec.Struct, frozen=True):
    """Why something is as it is: a kind, such as "renamed", with the values of its sentence.

    A value can be a reason itself. The kinds and their sentences are in `reports/reasons.py`.
    """

    kind: str
    values: Mapping[str, "ReasonValue"] = {}

    def __hash__(self) -> int:
        """Hash the kind and the values, in any order."""
        return hash((self.kind, frozenset(self.values.items())))

    def map(self, change: Callable[[str], str]) -> "Reason":
        """Return the same reason with `change` applied to each text in its values."""
        return Reason(self.kind, {key: _map(value, change) for key, value in self.values.items()})


ReasonValue = str | int | Reason | tuple[str | Reason, ...]


def _map(value: ReasonValue, change: Callable[[str], str]) -> ReasonValue:
    if isinstance(value, tuple):
        return tuple(_map(part, change) for part in value)  # type: ignore[misc]
    if isinstance(value, Reason):
        return value.map(change)
    return change(value) if isinstance(value, str) else value


def plain(text: str) -> Reason:
    """Return the reason for text that is no sentence of ours."""
    return Reason(TEXT, {"text": text})
