"""Mask credentials and known tokens in whole values."""

from collections.abc import Callable, Mapping
from functools import partial
from operator import is_not
from typing import TypeVar, cast

import msgspec
from msgspec.structs import replace

from scanagg.core.redact import mask_known

_T = TypeVar("_T")


def mask_all(value: _T, mask: Callable[[str], str] = mask_known) -> _T:
    """Return a value with all text in it masked, also in tuples and structs."""
    masked: object = value
    inner = partial(mask_all, mask=mask)
    if isinstance(value, str):
        # An enum's member is a str, too, and its value is ours.
        masked = mask(value) if type(value) is str else value
    elif isinstance(value, tuple):
        items = tuple(map(inner, value))
        masked = items if any(map(is_not, items, value)) else value
    elif isinstance(value, Mapping):
        masked = {inner(key): inner(item) for key, item in value.items()}
    elif isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        changed = {name: inner(part) for name, part in fields.items()}
        changed = {name: part for name, part in changed.items() if part is not fields[name]}
        masked = replace(value, **changed) if changed else value
    return cast("_T", masked)
