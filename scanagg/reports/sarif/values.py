"""sarif_om's objects as SARIF 2.1.0 says them: its names, without what is absent or the default."""

from functools import cache
from typing import Final

import attr
import sarif_om

# sarif_om follows a draft: the standard calls a suppression's state its status, and GitHub refuses
# a file with "state" in it.
_RENAMED: Final = {(sarif_om.Suppression, "state"): "status"}
# "warning" is the default of a level, but only where nothing else says otherwise: left out under a
# rule whose own level is "error", it would become an error.
_ALWAYS: Final = frozenset(
    {
        (sarif_om.Result, "level"),
        (sarif_om.ReportingConfiguration, "level"),
        (sarif_om.Notification, "level"),
    }
)
_NO_DEFAULT: Final = object()
_SCALARS: Final = frozenset({str, int, float, bool})
# These hold no objects of sarif_om. To look through them for each of 100,000 results takes seconds.
_READY: Final = frozenset({"arguments", "partialFingerprints", "properties"})


def plain(value: object) -> object:
    """`value` as dicts, lists and scalars, ready for JSON; a part that is None is left out.

    `value` is an object of sarif_om, or a list, a dict or a scalar in one.
    """
    kind = type(value)
    if kind is list:
        return [plain(item) for item in value]  # type: ignore[attr-defined]
    if kind is dict:
        return {key: plain(item) for key, item in value.items()}  # type: ignore[attr-defined]
    return value if kind in _SCALARS else _object(value, _names(kind))  # type: ignore[arg-type]


def _object(value: object, names: dict[str, tuple[str, object]]) -> dict[str, object]:
    made: dict[str, object] = {}
    for attribute, item in vars(value).items():
        if item is None:
            continue
        key, default = names[attribute]
        if type(item) in _SCALARS:
            if item != default:
                made[key] = item
        elif key in _READY:
            made[key] = item
        elif default is None or item != default:
            made[key] = plain(item)
    return made


@cache
def _names(kind: type[attr.AttrsInstance]) -> dict[str, tuple[str, object]]:
    """The key of each attribute, and the value that needs no saying."""
    return {
        field.name: (
            _RENAMED.get((kind, field.name), field.metadata["schema_property_name"]),
            _NO_DEFAULT if (kind, field.name) in _ALWAYS else _default(field.default),
        )
        for field in attr.fields(kind)
    }


def _default(default: object) -> object:
    return getattr(default, "factory", lambda: default)()
