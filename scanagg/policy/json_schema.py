"""The JSON Schema of policy files, made from the types that load them, for editors to complete by.

It says of types what the loader says. What only the loader knows (a day of the calendar, an SPDX
id, a hash that differs) it leaves to `scanagg policy check`.
"""

import inspect
import json
from typing import Final, TypeAlias

import msgspec

from scanagg.policy.schema import PolicyFile

SCHEMA_FILE: Final = "scanagg-policy-1.schema.json"

_Json: TypeAlias = "dict[str, _Json] | list[_Json] | str | int | float | bool | None"
_BY_NAME: Final = ("properties", "$defs")
_NOTHING: Final = {"type": "null"}


def schema_text() -> str:
    """The schema as text: what the file SCHEMA_FILE in scanagg/schemas holds."""
    generated = msgspec.json.schema(PolicyFile)
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A policy of scanagg, version 1",
        **_as_written(generated),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _as_written(schema: dict[str, _Json]) -> dict[str, _Json]:
    """As people write a file: a key has a value or is left out, so nothing is null.

    Defaults of whole sections go too: those of their keys are said there. Docstrings lose their
    indentation, which Python 3.13 takes out by itself.
    """
    kept = {key: value for key, value in schema.items() if not _is_no_default(key, value)}
    about = kept.get("description")
    if isinstance(about, str):
        kept["description"] = " ".join(inspect.cleandoc(about).split())
    choices = kept.pop("anyOf", None)
    if isinstance(choices, list):
        left = [_each(one) for one in choices if one != _NOTHING]
        alone = left[0] if len(left) == 1 else None
        kept.update(alone if isinstance(alone, dict) else {"anyOf": left})
    return {key: _below(key, value) for key, value in kept.items()}


def _is_no_default(key: str, value: _Json) -> bool:
    return key == "default" and (value is None or isinstance(value, dict))


def _below(key: str, value: _Json) -> _Json:
    """What stands under a key; under some stand schemas by names, which may be any."""
    if key in _BY_NAME and isinstance(value, dict):
        return {name: _each(one) for name, one in value.items()}
    return _each(value)


def _each(value: _Json) -> _Json:
    if isinstance(value, dict):
        return _as_written(value)
    return [_each(one) for one in value] if isinstance(value, list) else value
