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


def schema_text() -> str:
    """Return the schema as text: what the file SCHEMA_FILE in scanagg/schemas holds."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A policy of scanagg, version 1",
        **_as_written(msgspec.json.schema(PolicyFile)),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _as_written(schema: dict[str, _Json]) -> dict[str, _Json]:
    """Return a schema of what people write: a key has a value or is left out, so none is null.

    Defaults of whole sections go too: those of their keys are said there. Docstrings lose their
    indentation, which Python 3.13 takes out by itself.
    """
    written: dict[str, _Json] = {}
    for key, value in schema.items():
        if key == "default" and (value is None or isinstance(value, dict)):
            continue
        if key == "description" and isinstance(value, str):
            written[key] = " ".join(inspect.cleandoc(value).split())
        elif key in ("properties", "$defs") and isinstance(value, dict):
            # Schemas by names, which may be any.
            written[key] = {name: _below(each) for name, each in value.items()}
        elif key != "anyOf":
            written[key] = _below(value)
    choices = schema.get("anyOf")
    if isinstance(choices, list):
        left = [_below(choice) for choice in choices if choice != {"type": "null"}]
        alone = left[0] if len(left) == 1 else None
        written.update(alone if isinstance(alone, dict) else {"anyOf": left})
    return written


def _below(value: _Json) -> _Json:
    if isinstance(value, dict):
        return _as_written(value)
    return [_below(each) for each in value] if isinstance(value, list) else value
