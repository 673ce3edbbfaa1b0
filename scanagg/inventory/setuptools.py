"""setup.cfg and setup.py. The latter is code, which is never run, so it is a problem."""

import configparser
import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from scanagg.inventory.declarations import declare
from scanagg.inventory.manifest import (
    Declaration,
    Manifest,
    ManifestError,
    ProjectFiles,
    Site,
    conflict_in,
    in_folder_of,
    read_bytes,
    read_utf8,
)
from scanagg.inventory.scopes import named_scope
from scanagg.inventory.specifiers import as_pep_440
from scanagg.model import Location, Reason, Scope, SourceFile

_EXTRAS: Final = "options.extras_require"
_KEYWORD: Final = re.compile(rb"\b(?:install_requires|extras_require|tests_require)\b")
_SETUP_CALL: Final = re.compile(rb"\bsetup\s*\(")


class IniFile(msgspec.Struct, frozen=True):
    """An INI file as configparser reads it, and the first line of each requirement in it."""

    parser: configparser.RawConfigParser
    lines_of: Mapping[str, int]

    def items(self, value: str) -> Iterator[tuple[int | None, str]]:
        """Yield the entries of a list, each on its own line, without comments."""
        for line in value.split("\n"):
            entry = _uncommented(line)
            if entry[:1] not in ("", "#"):
                yield self.lines_of.get(entry), entry


def load_ini(file: SourceFile) -> IniFile:
    """Parse an INI file. ManifestError, with the line, if it is not valid."""
    return parse_ini(read_utf8(file), file)


def parse_ini(text: str, file: SourceFile) -> IniFile:
    """Parse INI text of a file. ManifestError, with the line, if it is not valid."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        lines = [
            getattr(error, "lineno", None),
            *(line for line, _ in getattr(error, "errors", ())),
        ]
        reason = Reason("bad-ini", {"name": posixpath.basename(file.path)})
        line = next(filter(None, lines), None)
        raise conflict_in(text) or ManifestError(reason, line) from error
    # A requirement is alone on its line or comes after its key.
    lines_of: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        for part in (_uncommented(line), _uncommented(line).partition("=")[2].strip()):
            lines_of.setdefault(part, number)
    return IniFile(parser, lines_of)


def read_setup_cfg(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Read the declared requirements of a setup.cfg with their lines; None if there are none."""
    ini = load_ini(file)
    problems = project.problems(file.path)
    declared: list[Declaration] = []
    files: list[str] = []
    for group, scope, requirement in _requirements(ini.parser):
        if requirement.startswith("file:"):
            names = map(str.strip, requirement.removeprefix("file:").split(","))
            files += [in_folder_of(file.path, name) for name in filter(None, names)]
            continue
        place = Location(problems.path, ini.lines_of.get(requirement))
        is_extra = group != "default"
        site = Site(place=place, source=file.path, scope=scope, group=group, optional=is_extra)
        with problems.caught(place.start_line):
            declared.append(declare(requirement, site, project))
    if not any((declared, problems.entries, files)):
        return None
    return Manifest(
        path=file.path,
        declared=tuple(declared),
        problems=tuple(problems.entries),
        includes=tuple(files),
        python=as_pep_440(ini.parser.get("options", "python_requires", fallback="")) or "",
    )


def _requirements(parser: configparser.RawConfigParser) -> Iterator[tuple[str, Scope, str]]:
    """Yield each requirement, or the name of a file with some, with its extra and its scope."""
    lists = [
        ("default", Scope.RUNTIME, parser.get("options", "install_requires", fallback="")),
        ("tests", Scope.DEV, parser.get("options", "tests_require", fallback="")),
    ]
    if parser.has_section(_EXTRAS):
        lists += [(extra, named_scope(extra), value) for extra, value in parser.items(_EXTRAS)]
    for group, scope, value in lists:
        for line in value.split("\n" if "\n" in value else ";"):
            requirement = _uncommented(line)
            if requirement[:1] not in ("", "#"):
                yield group, scope, requirement


def _uncommented(line: str) -> str:
    return line.partition(" #")[0].strip()


def read_setup_py(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Report a setup.py that passes requirements, since it is not run; None if it does not."""
    raw = read_bytes(file)
    call, keyword = _SETUP_CALL.search(raw), _KEYWORD.search(raw)
    first = keyword or (call if call and b"**" in raw[call.end() :] else None)
    if first is None:
        return None
    problems = project.problems(file.path)
    problems.add(raw.count(b"\n", 0, first.start()) + 1, Reason("setup-py"))
    return Manifest(path=file.path, problems=tuple(problems.entries))
