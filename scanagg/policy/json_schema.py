"""Generate the JSON Schema of policy files from their types, for completion in editors.

The schema checks types. `scanagg policy check` also checks values: dates, SPDX ids, hashes.
"""

import inspect
import json
from typing import Final, TypeAlias

import msgspec

from scanagg.policy.schema import PolicyFile

SCHEMA_FILE: Final = "scanagg-policy-1.schema.json"

_Json: TypeAlias = "dict[str, _Json] | list[_Json] | str | int | float | bool | None"


def schema_text() -> str:
    """Return the schema as text, the content of scanagg/schemas/SCHEMA_FILE."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "scanagg policy, version 1",
        **_as_written(msgspec.json.schema(PolicyFile)),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _as_written(schema: dict[str, _Json]) -> dict[str, _Json]:
    """Return a schema without null: in a file, a key has a value or is left out.

    Also leave out the defaults of whole sections, whose keys have their own, and the indentation of
    docstrings, which Python 3.13 removes by itself.
    """
    written: dict[str, _Json] = {}
    for key, value in schema.items():
        if key == "default" and (value is None or isinstance(value, dict)):
            continue
        if key == "description" and isinstance(value, str):
            written[key] = " ".join(inspect.cleandoc(value).split())
        elif key in ("properties", "$defs") and isinstance(value, dict):
            # The keys are names, not keywords.
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
