"""setup.cfg, and setup.py, which is code: it is never run, and what it lists is a problem."""

import configparser
import re
from collections.abc import Mapping
from typing import Final

from scanagg.inventory.declarations import Site, declare
from scanagg.inventory.manifest import (
    BrokenFile,
    Declaration,
    Manifest,
    ProjectFiles,
    in_folder_of,
    read_bytes,
    read_utf8,
)
from scanagg.inventory.scopes import either, folder_scope, named_scope
from scanagg.model import NotExamined, Scope, SourceFile

_IN_CODE: Final = (
    "not read, because it is code; declare its dependencies in pyproject.toml and lock them"
)
_EXTRAS: Final = "options.extras_require"
_KEYWORD: Final = re.compile(rb"\b(?:install_requires|extras_require|tests_require)\b")
_SETUP_CALL: Final = re.compile(rb"\bsetup\s*\(")


def read_setup_cfg(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Read the declared requirements of a setup.cfg with their lines; None if there are none."""
    text = read_utf8(file)
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None)
        for number, _ in getattr(error, "errors", ()):
            line = line or number
        raise BrokenFile(line, "not a valid setup.cfg") from error
    lines = _first_lines(text)
    declared: list[Declaration] = []
    problems: list[NotExamined] = []
    files: list[str] = []
    lists = [
        ("default", Scope.RUNTIME, parser.get("options", "install_requires", fallback="")),
        ("tests", Scope.DEV, parser.get("options", "tests_require", fallback="")),
    ]
    if parser.has_section(_EXTRAS):
        extras = parser.options(_EXTRAS)
        lists += [(extra, named_scope(extra), parser.get(_EXTRAS, extra)) for extra in extras]
    for group, scope, value in lists:
        for item in value.splitlines() if "\n" in value else value.split(";"):
            requirement = item.partition(" #")[0].strip()
            if requirement.startswith("file:"):
                names = requirement.removeprefix("file:").split(",")
                files += [in_folder_of(file.path, name.strip()) for name in names if name.strip()]
            elif requirement and not requirement.startswith("#"):
                line = lines.get(requirement)
                site = Site(
                    place=project.place(file.path, line),
                    source=file.path,
                    scope=either(scope, folder_scope(file.path)),
                    group=group,
                )
                try:
                    declared.append(declare(requirement, site, project))
                except ValueError as error:
                    problems.append(project.problem(file.path, line, str(error)))
    if not declared and not problems and not files:
        return None
    return Manifest(
        path=file.path,
        declared=tuple(declared),
        problems=tuple(problems),
        includes=tuple(files),
    )


def _first_lines(text: str) -> Mapping[str, int]:
    """Return the first line on which each requirement stands, alone or after its key."""
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        bare = line.partition(" #")[0].strip()
        for part in (bare, bare.partition("=")[2].strip()):
            lines.setdefault(part, number)
    return lines


def read_setup_py(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Report a setup.py that passes requirements, since code is never run; None if it does not."""
    raw = read_bytes(file)
    call, keyword = _SETUP_CALL.search(raw), _KEYWORD.search(raw)
    first = keyword or (call if call and b"**" in raw[call.end() :] else None)
    if first is None:
        return None
    line = raw.count(b"\n", 0, first.start()) + 1
    return Manifest(path=file.path, problems=(project.problem(file.path, line, _IN_CODE),))
