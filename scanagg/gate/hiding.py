"""Detect changes that hide files or findings without an edit of scanagg's rules."""

import configparser
import fnmatch
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.core import toml
from scanagg.core.process import Ended
from scanagg.core.text import first_names, one_line, shorten
from scanagg.model import Category, Reason, Target
from scanagg.project.kinds import KINDS
from scanagg.project.trusted import Committed, Files, WorkTree
from scanagg.scanners.base import scanner_infos

OWN_SECTION: Final = "tool.scanagg"
"""The section of a shared configuration file that is scanagg's."""

_PYPROJECT: Final = "pyproject.toml"
_ATTRIBUTES, _IGNORE = _GIT_FILES = (".gitattributes", ".gitignore")
_SHOWN: Final = 3
_WIDTH: Final = 100
# Attributes that leave a file out of reviews, statistics or archives, or run a program on it.
_HIDING: Final = re.compile(
    r"linguist-(?:generated|vendored|documentation)\b.*|-linguist-detectable|linguist-detectable=f.*"
    r"|export-ignore|filter=.*"
)
# These are usual for images, but hide the changes of code.
_NO_DIFF: Final = frozenset(("-diff", "-text", "binary"))
# Usual names of code and manifests: a line that matches one of them also hides future files.
_NAMES: Final = (
    *("module.py", "notebook.ipynb", "requirements.txt"),
    *(
        name
        for kind in KINDS
        if kind.ecosystem == "PyPI" and kind.category is Category.VULNERABILITY
        for name in kind.names
    ),
)


def differs(before: Files, root: Path, path: str) -> bool:
    """Return True if a file of rules differs from before. Two equal errors are no difference.

    Of a `pyproject.toml`, only the sections of scanagg and of scanners count.
    """
    old, new = _contents(before, root, path)
    if old == new or posixpath.basename(path) != _PYPROJECT:
        return old != new
    sections = [OWN_SECTION, *(name for _, name in _scanner_sections(_PYPROJECT))]
    return any(_section(path, old, name) != _section(path, new, name) for name in sections)


def hiding(before: Committed, target: Target) -> Iterator[Reason]:
    """Yield a reason for each edit, outside of scanagg's rules, that hides files or findings."""
    owners = {name: info.name for info in scanner_infos().values() for name in info.native_files}
    ignoring: dict[str, set[int]] = {}
    for file in target.files:
        path, name = file.path, posixpath.basename(file.path)
        sections = [*_scanner_sections(name)]
        if name not in owners and name not in _GIT_FILES and not sections:
            continue
        old, new = _contents(before, target.root, path)
        if old == new or _is_in_same_submodule(before, path):
            continue
        if name in owners:
            yield Reason("configuration-edited", {"path": path, "scanner": owners[name]})
        for scanner, section in sections:
            if _section(path, old, section) != _section(path, new, section):
                place = f"{path} [{section}]"
                yield Reason("configuration-edited", {"path": place, "scanner": scanner})
        if name == _ATTRIBUTES:
            yield from _attributes(path, [line for _, line in _added_lines(old, new)])
        elif name == _IGNORE:
            ignoring[path] = {number for number, _ in _added_lines(old, new)}
    if ignoring:
        yield from _ignored(before, target, ignoring)


def _is_in_same_submodule(before: Committed, path: str) -> bool:
    """Return True for a file of an unchanged submodule: the commit has only the submodule's id."""
    submodule = before.submodule_of(path)
    return bool(submodule) and submodule == replace(before, commit="HEAD").submodule_of(path)


def _scanner_sections(name: str) -> Iterator[tuple[str, str]]:
    """Yield the scanners that have a section in a file of this name, with the section."""
    for info in scanner_infos().values():
        if name in info.native_sections:
            yield info.name, info.native_sections[name]


_Content = bytes | str | None
"""The bytes of a file; a text if it cannot be read, None if there is no such file."""


def _contents(before: Files, root: Path, path: str) -> tuple[_Content, _Content]:
    """Return the contents of a file before and in the work tree."""
    contents: list[_Content] = []
    for files in (before, WorkTree(root)):
        try:
            contents.append(files.read(path))
        except OSError as error:
            contents.append(error.strerror)
    return contents[0], contents[1]


def _section(path: str, content: _Content, name: str) -> object:
    """Return a section of a configuration file; the whole content if it cannot be parsed."""
    if not isinstance(content, bytes):
        return None
    text = content.decode("utf-8-sig", "replace")
    if not path.endswith(".toml"):
        parser = configparser.RawConfigParser(strict=False)
        try:
            parser.read_string(text)
        except configparser.Error:
            return content
        return sorted(parser.items(name)) if parser.has_section(name) else None
    try:
        section: object = toml.load(text)
    except toml.TomlError:
        return content
    for key in name.split("."):
        section = section.get(key) if isinstance(section, dict) else None
    return section


def _added_lines(old: _Content, new: _Content) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that it did not have before, with their numbers from 1."""
    known = set(old.splitlines()) if isinstance(old, bytes) else set()
    for number, line in enumerate(new.splitlines() if isinstance(new, bytes) else (), start=1):
        if line not in known:
            yield number, line.decode("utf-8", "replace").strip()


def _attributes(path: str, added: Iterable[str]) -> Iterator[Reason]:
    """Yield the lines added to a .gitattributes that hide files."""
    lines = []
    for line in added:
        pattern, *attributes = line.split() or [""]
        name = posixpath.basename(pattern)
        names_code = any(fnmatch.fnmatchcase(code, name) for code in _NAMES)
        hides = any(map(_HIDING.fullmatch, attributes))
        if not pattern.startswith("#") and (
            hides or (names_code and not _NO_DIFF.isdisjoint(attributes))
        ):
            lines.append(shorten(one_line(line), _WIDTH))
    if lines:
        yield Reason("attributes-hide", {"path": path, "lines": first_names(lines, _SHOWN)})


class _Match(msgspec.Struct, frozen=True):
    """A path that git ignores: the file and the line that have the pattern."""

    source: str
    line: int
    path: str


def _ignored(before: Committed, target: Target, lines: Mapping[str, set[int]]) -> Iterator[Reason]:
    """Yield the files that these lines of .gitignore files would hide if they were untracked.

    Such lines hide tracked files as soon as these are removed from the index, and similar new ones.
    """
    added = {target.prefix + path: numbers for path, numbers in lines.items()}
    folders = set(map(posixpath.dirname, lines))
    usual = [posixpath.join(folder, name) for folder in sorted(folders) for name in _NAMES]
    matches = _matches(before, dict.fromkeys((*(file.path for file in target.files), *usual)))
    hidden: dict[str, list[str]] = {}
    if matches is None:
        hidden = {source: [] for source in added}
    for match in matches or ():
        if match.line in added.get(match.source, ()):
            hidden.setdefault(match.source, []).append(match.path)
    for source, names in sorted(hidden.items()):
        path = source.removeprefix(target.prefix)
        if names:
            yield Reason("ignore-hides", {"path": path, "files": first_names(names, _SHOWN)})
        else:
            yield Reason("ignore-edited", {"path": path})


def _matches(files: Committed, paths: Iterable[str]) -> Sequence[_Match] | None:
    """Return which paths the .gitignore files of the work tree exclude; None if git cannot tell."""
    stdin = "".join(f"{path}\0" for path in paths).encode("utf-8", "surrogateescape")
    command = ("check-ignore", "--no-index", "--stdin", "-z", "--verbose")
    done = files.git.run(*command, stdin=stdin)
    fields = done.stdout.decode("utf-8", "replace").split("\0")
    if done.ended is not Ended.EXITED or done.returncode not in (0, 1):
        return None
    return [
        _Match(source, int(line), path)
        for source, line, pattern, path in zip(*(fields[n::4] for n in range(4)), strict=False)
        if line.isdigit() and not pattern.startswith("!")
    ]
