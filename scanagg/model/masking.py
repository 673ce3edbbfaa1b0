"""Mask credentials and known tokens in whole values."""

from collections.abc import Callable, Mapping
from operator import is_not
from typing import TypeVar, cast

import msgspec
from msgspec.structs import replace

from scanagg.core.redact import mask_known

_T = TypeVar("_T")


def mask_all(value: _T, mask: Callable[[str], str] = mask_known) -> _T:
    """Return a value with all text in it masked, also in tuples and structs."""

    def masked(value: object) -> object:
        if isinstance(value, str):
            # An enum's member is a str, too, and its value is ours.
            return mask(value) if type(value) is str else value
        if isinstance(value, tuple):
            items = tuple(map(masked, value))
            return items if any(map(is_not, items, value)) else value
        if isinstance(value, Mapping):
            return {masked(key): masked(item) for key, item in value.items()}
        if isinstance(value, msgspec.Struct):
            fields = {name: getattr(value, name) for name in value.__struct_fields__}
            changed = {name: masked(part) for name, part in fields.items()}
            changed = {name: part for name, part in changed.items() if part is not fields[name]}
            return replace(value, **changed) if changed else value
        return value

    return cast("_T", masked(value))
