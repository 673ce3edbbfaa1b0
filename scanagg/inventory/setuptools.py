"""setup.cfg, and the plain lists in setup.py, which is code and never run."""

import ast
import configparser
import posixpath
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, TypeGuard

import msgspec
from packaging.utils import canonicalize_name

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
_KEYWORDS: Final = ("install_requires", "extras_require", "tests_require")
_TESTS: Final = "tests"
_KEYWORD: Final = re.compile(rf"\b(?:{'|'.join(_KEYWORDS)})\b".encode())
# Parsing takes a few hundred times as much memory.
_LARGEST_CODE: Final = 1 << 20
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
    python = as_pep_440(ini.parser.get("options", "python_requires", fallback="")) or ""
    if not any((declared, problems.entries, files, python)):
        return None
    return Manifest(
        path=file.path,
        declared=tuple(declared),
        problems=tuple(problems.entries),
        includes=tuple(files),
        python=python,
    )


def _requirements(parser: configparser.RawConfigParser) -> Iterator[tuple[str, Scope, str]]:
    """Yield each requirement, or the name of a file with some, with its extra and its scope."""
    lists = [
        ("default", Scope.RUNTIME, parser.get("options", "install_requires", fallback="")),
        (_TESTS, Scope.DEV, parser.get("options", "tests_require", fallback="")),
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


# setup.py is code. It is parsed and never run.

_Text = tuple[str, int]
"""A string in code, with its line."""


def read_setup_py(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Read the requirements that a setup.py passes as plain lists; None if it passes none.

    Lists that are made in another way are problems.
    """
    raw = read_bytes(file)
    call, keyword = _SETUP_CALL.search(raw), _KEYWORD.search(raw)
    first = keyword or (call if call and b"**" in raw[call.end() :] else None)
    if first is None:
        return None
    problems = project.problems(file.path)
    try:
        if len(raw) > _LARGEST_CODE:
            raise ValueError("larger than any real setup.py")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as those about invalid escapes
            code = _SetupCode(ast.parse(raw))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        problems.add(raw.count(b"\n", 0, first.start()) + 1, Reason("setup-py"))
        return Manifest(path=file.path, problems=tuple(problems.entries))
    declared: list[Declaration] = []
    for group, (text, line) in code.requirements():
        name, _, marker = group.partition(":")
        place = Location(problems.path, line)
        scope = Scope.DEV if name == _TESTS else named_scope(name) if name else Scope.RUNTIME
        site = Site(place=place, source=file.path, scope=scope, group=name, optional=bool(name))
        with problems.caught(line):
            declared.append(declare(f"{text} ; {marker}" if marker else text, site, project))
    for line in sorted(code.unread()):
        problems.add(line, Reason("setup-py"))
    own = frozenset(canonicalize_name(text) for text, _ in code.texts("name"))
    python = "".join(text for text, _ in code.texts("python_requires"))
    return Manifest(
        path=file.path,
        declared=tuple(declared),
        problems=tuple(problems.entries),
        own=own,
        python=as_pep_440(python) or "",
    )


class _SetupCode:
    """The calls of `setup` in a parsed setup.py, and the values that names stand for."""

    def __init__(self, tree: ast.Module) -> None:
        """Collect the calls, and the names that are assigned once and used in these calls only."""
        self._nodes = [*ast.walk(tree)]
        self._calls = [node for node in self._nodes if _is_setup(node)]
        uses = Counter(node.id for node in self._nodes if isinstance(node, ast.Name))
        self._values = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and len(node.targets) == 1
            if isinstance(node.targets[0], ast.Name) and uses[node.targets[0].id] == 2
        }

    def _passed(self, name: str) -> Iterator[ast.expr]:
        for call in self._calls:
            for keyword in call.keywords:
                if keyword.arg == name:
                    yield self._value(keyword.value)

    def _value(self, node: ast.expr) -> ast.expr:
        return self._values.get(node.id, node) if isinstance(node, ast.Name) else node

    def _list(self, node: ast.expr) -> list[_Text] | None:
        """Return the strings in a plain list, or a plain string's lines; None for other code."""
        node = self._value(node)
        items = node.elts if isinstance(node, ast.List | ast.Tuple) else [node]
        texts: list[_Text] = []
        for item in items:
            if not (isinstance(item, ast.Constant) and isinstance(item.value, str)):
                return None
            texts += [(line.strip(), item.lineno) for line in item.value.split("\n")]
        return [text for text in texts if text[0][:1] not in ("", "#")]

    def texts(self, name: str) -> list[_Text]:
        """Return the plain strings that are passed under a name."""
        return [text for node in self._passed(name) for text in self._list(node) or ()]

    def requirements(self) -> Iterator[tuple[str, _Text]]:
        """Yield each requirement of a plain list, with its extra: "" without one."""
        for name, group in (("install_requires", ""), ("tests_require", _TESTS)):
            yield from ((group, text) for text in self.texts(name))
        for node in self._passed("extras_require"):
            for key, value in _items(node):
                for text in self._list(value) or ():
                    yield key, text

    def unread(self) -> set[int]:
        """Return the lines that have, or may have, requirements which are not in plain lists."""
        lines = {
            node.lineno
            for name in ("install_requires", "tests_require")
            for node in self._passed(name)
            if self._list(node) is None
        }
        for node in self._passed("extras_require"):
            values = [value for _, value in _items(node)]
            is_plain = isinstance(node, ast.Dict) and len(values) == len(node.keys)
            if not is_plain or any(self._list(value) is None for value in values):
                lines.add(node.lineno)
        own = {id(keyword) for call in self._calls for keyword in call.keywords}
        for call in self._calls:
            if any(keyword.arg is None for keyword in call.keywords):
                lines.add(call.lineno)
        for part in self._nodes:
            if isinstance(part, ast.keyword) and part.arg in _KEYWORDS and id(part) not in own:
                lines.add(part.value.lineno)
            elif isinstance(part, ast.Constant) and part.value in _KEYWORDS:
                lines.add(part.lineno)
        return lines


def _is_setup(node: ast.AST) -> TypeGuard[ast.Call]:
    if not isinstance(node, ast.Call):
        return False
    return "setup" in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))


def _items(node: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Yield the values in a dictionary whose keys are plain strings."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, value
