"""Generate the JSON Schema of policy files from their types, for completion in editors.

The schema checks types. `scanagg policy check` also checks values: dates, SPDX ids, hashes.
"""

import inspect
import json
from typing import Any, Final

import msgspec

from scanagg.policy.schema import PolicyFile, ScannerEntry

SCHEMA_FILE: Final = "scanagg-policy-1.schema.json"

_NULL: Final = {"type": "null"}
# Keys that a policy has to have unless its parents have them.
_WITHOUT_PARENTS: Final = {
    "if": {"required": ["extends"], "properties": {"extends": {"minItems": 1}}},
    "else": {
        "required": sorted(PolicyFile.inherited),
        "properties": {
            "scanners": {"additionalProperties": {"required": sorted(ScannerEntry.inherited)}}
        },
    },
}


def schema_text() -> str:
    """Return the schema as text, the content of scanagg/schemas/SCHEMA_FILE."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "scanagg policy, version 1",
        **_as_written(msgspec.json.schema(PolicyFile)),
    }
    for kind in (PolicyFile, ScannerEntry):
        for key in kind.inherited:
            del document["$defs"][kind.__name__]["properties"][key]["default"]
    document["$defs"][PolicyFile.__name__] |= _WITHOUT_PARENTS
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _as_written(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without null: in a file, a key has a value or is left out.

    Also leave out the defaults of whole sections, whose keys have their own, and the indentation of
    docstrings, which Python 3.13 removes by itself.
    """
    written: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "description":
            written[key] = " ".join(inspect.cleandoc(value).split())
        elif key in ("properties", "$defs"):
            written[key] = {name: _as_written(part) for name, part in value.items()}
        elif key == "anyOf":
            choices = [_as_written(choice) for choice in value if choice != _NULL]
            written |= choices[0] if len(choices) == 1 else {key: choices}
        elif not isinstance(value, dict):
            written |= {} if value is None else {key: value}
        elif key != "default":
            written[key] = _as_written(value)
    return written
