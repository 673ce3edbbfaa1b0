"""The JSON Schema of policies is shipped as generated, and agrees with the loader on types."""

import json
import re
from importlib.resources import files
from pathlib import Path

import jsonschema_rs
import pytest
from policy_samples import mistakes

from scanagg.core.yaml import parse
from scanagg.policy.json_schema import SCHEMA_FILE, schema_text
from scanagg.policy.load import BUILTIN, builtin_folder

ROOT = Path(__file__).parent.parent.parent
READY_MADE = [builtin_folder() / f"{name}.yml" for name in BUILTIN]


def validator() -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(json.loads(schema_text()))


def test_the_shipped_schema_is_what_the_types_say() -> None:
    shipped = files("scanagg").joinpath("schemas", SCHEMA_FILE).read_text("utf-8")
    assert shipped == schema_text(), (
        "write scanagg.policy.json_schema.schema_text() to the file; "
        "where a key or a word went away, that is a new version of the language"
    )


def test_it_is_a_schema_of_its_draft() -> None:
    assert jsonschema_rs.meta.is_valid(json.loads(schema_text()))


@pytest.mark.parametrize("file", [*READY_MADE, ROOT / "scanagg.yml"], ids=lambda file: file.name)
def test_every_policy_here_is_valid_by_the_schema_that_its_first_line_names(file: Path) -> None:
    text = file.read_text("utf-8")
    named = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", text.splitlines()[0])
    assert named
    schema = json.loads((file.parent / named[1]).read_text("utf-8"))
    jsonschema_rs.validate(schema, parse(text.encode()).value)


@pytest.mark.parametrize(
    "text",
    [
        "version: 1",
        "version: 1\nextends: []",
        "version: 1\ndefault: waived",
        "version: 1\ndefault: warn\nenforcment: warn",
        "version: 1\ndefault: warn\nenforcement:",
        "version: 1\ndefault: warn\nscanners: {bandit: {}}",
        "version: 1\ndefault: warn\nscanners: {bandit: {required: true, max_errors: some}}",
        "version: 1\ndefault: warn\nrules: [{id: A, match: {}, action: block}]",
        "version: 1\ndefault: warn\nrules: [{id: a, match: {epss: '>=2'}, action: block}]",
        "version: 1\ndefault: warn\nrules: [{id: a, match: {}, action: block, grace: 1y}]",
        "version: 1\ndefault: warn\nseverity: {override: [{match: {}, to: info, reason: x}]}",
        "version: 1\ndefault: warn\nwaivers: {items: [{path: a, reason: x, owner: y}]}",
        "version: 1\ndefault: warn\nextends: [{file: a, sha256: abc}]",
    ],
)
def test_what_the_loader_refuses_by_type_the_schema_refuses(tmp_path: Path, text: str) -> None:
    assert not validator().is_valid(parse(text.encode()).value)
    assert mistakes(tmp_path, text)


def test_keys_of_the_parents_may_be_missing(tmp_path: Path) -> None:
    text = "version: 1\nextends: [{name: strict}]\nscanners: {bandit: {max_errors: 1}}\n"
    assert validator().is_valid(parse(text.encode()).value)
    assert not mistakes(tmp_path, text)


def test_every_section_is_described_for_people() -> None:
    sections = json.loads(schema_text())["$defs"]
    assert all(section["description"] for section in sections.values())
    assert not any("  " in section["description"] for section in sections.values())
    assert "set" in sections["Override"]["properties"]
    assert "default" in sections["PolicyFile"]["properties"]
