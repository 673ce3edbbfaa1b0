"""Checks of CycloneDX documents by the 1.6 schema and by cyclonedx-python-lib."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import cyclonedx.schema
import jsonschema_rs
from cyclonedx.model.bom import Bom
from cyclonedx.schema.schema import SchemaVersion1Dot6

from scanagg.model import Report
from scanagg.reports.base import reporter

_SCHEMAS = Path(cyclonedx.schema.__file__).parent / "_res"
Plain = dict[str, Any]


def text_of(report: Report) -> str:
    """The document."""
    return "".join(reporter("cyclonedx").render(report))


def written(report: Report) -> Plain:
    """The document as plain values, after the schema and the library have read it."""
    document: Plain = json.loads(text_of(report))
    assert schema_errors(document) == []
    assert_reads_back_equal(document)
    return document


def schema_errors(document: Plain) -> list[str]:
    """Return the errors of a document by the standard's own schema, with formats checked."""
    return [
        f"{'/'.join(map(str, error.instance_path))}: {error.message[:300]}"
        for error in _validator().iter_errors(document)
    ]


def assert_reads_back_equal(document: Plain) -> None:
    """Assert that the library reads and writes a document without loss of what it supports.

    It does not support compositions, and it sorts lists that have no order in the standard.
    """
    read = Bom.from_json(document)
    again = json.loads(_as_json(read))
    assert Bom.from_json(again) == read
    lacks = {"$schema", "bomFormat", "specVersion", "compositions"}
    empty = {key for key, value in document.items() if value == []}
    assert document.keys() - lacks - empty == again.keys()
    for key in again.keys() - {"definitions"}:
        assert _sorted(again[key]) == _sorted(document[key]), key


def properties(of: Plain) -> dict[str, list[str]]:
    """Return the values of our properties by name, without our prefix."""
    found: dict[str, list[str]] = {}
    for each in of.get("properties", []):
        found.setdefault(each["name"].removeprefix("scanagg:"), []).append(each["value"])
    return found


def _as_json(bom: Bom) -> str:
    text: str = bom.as_json(SchemaVersion1Dot6)  # type: ignore[attr-defined]
    return text


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted(map(_sorted, value), key=lambda one: json.dumps(one, sort_keys=True))
    return value


def _retrieve(uri: str) -> Any:
    name = uri.rpartition("/")[2]
    return json.loads((_SCHEMAS / name).read_text(encoding="utf-8"))


@cache
def _validator() -> Any:
    schema = _retrieve("bom-1.6.SNAPSHOT.schema.json")
    return jsonschema_rs.validator_for(schema, validate_formats=True, retriever=_retrieve)
