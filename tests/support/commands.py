"""What CI systems take for commands in their logs, and reports full of them."""

import enum
from typing import Any

import msgspec

ANYWHERE = (
    *("##[add-mask]x", "##[error]x", "##vso[task.setvariable variable=x]y"),
    *("##teamcity[buildStatus text='x']", "section_start:1:x[collapsed=true]", "section_end:1:x"),
    *("travis_fold:start:x", "#\u200b#[group]x", "##\u00ad[group]x", "a##[group]"),
)
AT_START = ("::error::x", "::add-mask::x", "::stop-commands::x", "\u200b::error::x", ":\ufeff:x::")


def is_command(line: str) -> bool:
    """Return True if a CI system would read a command, as GitHub's runner and others do."""
    seen = "".join(character for character in line if character.isprintable()).strip()
    marks = ("##[", "##vso[", "##teamcity[", "section_start:", "section_end:", "travis_fold:")
    starts = seen.startswith("::") and "::" in seen[2:]
    return starts or any(mark in seen for mark in marks)


# Fields with text of a project or a scanner.
_UNTRUSTED = frozenset(
    (
        *("title", "message", "path", "name", "snippet", "reason", "owner", "place", "text"),
        *("expression", "in_source", "input", "resource", "repository", "branch", "about"),
    )
)


def hostile(value: Any, command: str, field: str = "") -> Any:
    """Return the value with a command before and after every text of a project."""
    if isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        return type(value)(**{name: hostile(part, command, name) for name, part in fields.items()})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(hostile(part, command, field) for part in value))
    if isinstance(value, tuple):
        return tuple(hostile(part, command, field) for part in value)
    if isinstance(value, str) and not isinstance(value, enum.Enum) and field in _UNTRUSTED:
        return f"{command} {value}\n{command}"
    return value
