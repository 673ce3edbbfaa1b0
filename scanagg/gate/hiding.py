"""Detect changes that hide files or findings without an edit of scanagg's rules."""

import configparser
import fnmatch
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence
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
    if posixpath.basename(path) == _PYPROJECT:
        sections = [OWN_SECTION, *(name for _, name in _scanner_sections(_PYPROJECT))]
        return any(_sections_differ(before, root, path, name) for name in sections)
    return _content(before, path) != _content(WorkTree(root), path)


def hiding(before: Committed, target: Target) -> Iterator[Reason]:
    """Yield a reason for each edit, outside of scanagg's rules, that hides files or findings."""
    owners = {name: info.name for info in scanner_infos().values() for name in info.native_files}
    ignoring = []
    for file in target.files:
        name = posixpath.basename(file.path)
        sections = [*_scanner_sections(name)]
        is_relevant = name in owners or name in _GIT_FILES or sections
        if not is_relevant or not _is_edited(before, target.root, file.path):
            continue
        if name in owners:
            yield Reason("configuration-edited", {"path": file.path, "scanner": owners[name]})
        for scanner, section in sections:
            if _sections_differ(before, target.root, file.path, section):
                place = f"{file.path} [{section}]"
                yield Reason("configuration-edited", {"path": place, "scanner": scanner})
        if name == _ATTRIBUTES:
            yield from _attributes(before, target.root, file.path)
        elif name == _IGNORE:
            ignoring.append(file.path)
    if ignoring:
        yield from _ignored(before, target, ignoring)


def _is_edited(before: Committed, root: Path, path: str) -> bool:
    """Return True if a file is new or differs. The commit has only the id of a submodule."""
    if _content(before, path) == _content(WorkTree(root), path):
        return False
    submodule = before.submodule_of(path)
    return not submodule or submodule != replace(before, commit="HEAD").submodule_of(path)


def _scanner_sections(name: str) -> Iterator[tuple[str, str]]:
    """Yield the scanners that have a section in a file of this name, with the section."""
    for info in scanner_infos().values():
        if name in info.native_sections:
            yield info.name, info.native_sections[name]


def _content(files: Files, path: str) -> bytes | str | None:
    try:
        return files.read(path)
    except OSError as error:
        return error.strerror


def _sections_differ(before: Files, root: Path, path: str, name: str) -> bool:
    old, new = (_content(files, path) for files in (before, WorkTree(root)))
    return old != new and _section(path, old, name) != _section(path, new, name)


def _section(path: str, content: bytes | str | None, name: str) -> object:
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


def _added_lines(before: Files, root: Path, path: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file that it did not have before, with their numbers from 1."""
    old, new = (_content(files, path) for files in (before, WorkTree(root)))
    known = set(old.splitlines()) if isinstance(old, bytes) else set()
    for number, line in enumerate(new.splitlines() if isinstance(new, bytes) else (), start=1):
        if line not in known:
            yield number, line.decode("utf-8", "replace").strip()


def _attributes(before: Files, root: Path, path: str) -> Iterator[Reason]:
    """Yield the lines added to a .gitattributes that hide files."""
    lines = []
    for _, line in _added_lines(before, root, path):
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


def _ignored(before: Committed, target: Target, sources: Sequence[str]) -> Iterator[Reason]:
    """Yield the files that lines added to these .gitignore files would hide if they were untracked.

    Such lines hide tracked files as soon as these are removed from the index, and similar new ones.
    """
    added = {
        target.prefix + path: {number for number, _ in _added_lines(before, target.root, path)}
        for path in sources
    }
    folders = {posixpath.dirname(path) for path in sources}
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
