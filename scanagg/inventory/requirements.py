"""Requirements files as pip reads them, with their includes and constraints."""

import codecs
import posixpath
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from scanagg.inventory.declarations import Site, declare, declared_constraint
from scanagg.inventory.graph import Edge, Node, walk
from scanagg.inventory.manifest import (
    BrokenFile,
    Declaration,
    Manifest,
    ProjectFiles,
    in_folder_of,
    read_bytes,
    shown,
)
from scanagg.inventory.scopes import file_scope
from scanagg.model import NotExamined, Scope, SourceFile

FOLDERS: Final = ("requirements", "reqs")
"""The names of folders in which every text file lists requirements."""
_FILE_NAME: Final = re.compile(r"(?:.*[-_.])?requirements.*\.(?:txt|in)", re.IGNORECASE)
# Prose that lies beside requirements, and constraints, which count only if they are included.
_OTHER_TEXT: Final = re.compile(
    r"(?:readme|licen[cs]e|notice|change|authors|.*constraint).*", re.IGNORECASE
)
# Far beyond what anyone writes; keeps many files that all include each other from taking hours.
_MAX_INCLUDES: Final = 500

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#.*$")
_CODING: Final = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
_PER_LINE_OPTION: Final = re.compile(r"(?<=\s)-.*$")
# The comments of pip-compile and uv about who needs a package: "# via x", or a list below "# via".
_VIA: Final = re.compile(r"^\s*#\s*via\b(.*)$")
_VIA_ITEM: Final = re.compile(r"^\s*#\s{2,}(\S.*)$")
_INLINE_VIA: Final = re.compile(r"\s#\s*via\s+(.+)$")
_VIA_FILE: Final = re.compile(r"-r (\S+)|\S+ \((\S+)\)")
_VIA_PACKAGE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

# https://pip.pypa.io/en/stable/reference/requirements-file-format/#supported-options
_INCLUDE: Final = ("--requirement", "--constraint", "--editable")
_WITH_VALUE: Final = (
    "--index-url",
    "--pypi-url",
    "--extra-index-url",
    "--find-links",
    "--no-binary",
    "--only-binary",
    "--trusted-host",
    "--use-feature",
    "--config-settings",
    "--global-option",
    "--install-option",
    "--hash",
    "--uploaded-prior-to",
)
_FLAGS: Final = (
    "--no-index",
    "--prefer-binary",
    "--require-hashes",
    "--pre",
    "--all-releases",
    "--always-unzip",
    "--process-dependency-links",
)
_SHORT: Final = {
    "-r": "--requirement",
    "-c": "--constraint",
    "-e": "--editable",
    "-i": "--index-url",
    "-f": "--find-links",
    "-Z": "--always-unzip",
}


class _Line(msgspec.Struct, frozen=True):
    """A logical line: the number of its first physical line, its text, and who needs it."""

    number: int
    text: str
    via: tuple[str, ...] = ()

    @property
    def needed_by(self) -> tuple[str, ...]:
        """Return the packages among those who need it, as in PEP 503."""
        return tuple(canonicalize_name(item) for item in self.via if _VIA_PACKAGE.fullmatch(item))


class _Include(msgspec.Struct, frozen=True):
    path: str
    line: int
    constraint: bool


class _Content(msgspec.Struct, frozen=True):
    """One file by itself, without what it includes, and whether it was included as constraints."""

    constraint: bool
    declared: Sequence[Declaration] = ()
    includes: Sequence[_Include] = ()
    problems: Sequence[NotExamined] = ()
    compiled_from: Sequence[str] = ()


def matches(path: str, project: ProjectFiles) -> bool:
    """Return whether it lists requirements by its name, or because a manifest includes it so."""
    folder, name = posixpath.split(path)
    if path in project.included:
        return True
    if _OTHER_TEXT.fullmatch(name):
        return False
    listed = posixpath.basename(folder) in FOLDERS and name.endswith((".txt", ".in"))
    return listed or bool(_FILE_NAME.fullmatch(name))


def read_requirements(file: SourceFile, project: ProjectFiles) -> Manifest:
    """Read all that installing from this file would ask for, with the line of each requirement."""
    scope = file_scope(file.path)
    waiting, seen = [(file.path, False)], {(file.path, False)}
    contents: list[_Content] = []
    problems: list[NotExamined] = []
    while waiting:
        path, constraint = waiting.pop()
        content = _content(path, constraint, file.path, scope, project)
        contents.append(content)
        problems += content.problems
        for include in content.includes:
            try:
                target = _included_path(include.path, path, project)
            except ValueError as error:
                problems.append(project.problem(path, include.line, str(error)))
                continue
            following = (target, constraint or include.constraint)
            if following not in seen:
                seen.add(following)
                waiting.append(following)
        if len(contents) == _MAX_INCLUDES and waiting:
            reason = f"more than {_MAX_INCLUDES} files included"
            problems.append(project.problem(file.path, None, reason))
            break
    declared = tuple(_with_constraints(contents))
    constraints = [one for content in contents if content.constraint for one in content.declared]
    return Manifest(
        path=file.path,
        declared=declared,
        problems=tuple(problems),
        covers=_covers(file.path),
        answers=frozenset(path for content in contents for path in content.compiled_from),
        ways=_ways(declared),
        constraints=tuple(filter(None, map(declared_constraint, constraints))),
    )


def _content(
    path: str, constraint: bool, source: str, scope: Scope, project: ProjectFiles
) -> _Content:
    declared: list[Declaration] = []
    includes: list[_Include] = []
    problems: list[NotExamined] = []
    compiled_from: list[str] = []
    try:
        lines = list(_logical_lines(_decoded(read_bytes(project.files[path]))))
    except BrokenFile as error:
        problems.append(project.problem(path, error.line, error.reason))
        return _Content(constraint, problems=problems)
    for line in lines:
        direct = _is_direct(line, source, project)
        site = Site(project.place(path, line.number), source, scope, direct=direct)
        try:
            if line.text.startswith("-"):
                for option, value in list(_options(line.text)):
                    if option == "--editable":
                        declared.append(declare(value, site, project, editable=True))
                    else:
                        includes.append(_Include(value, line.number, option == "--constraint"))
                continue
            declaration = declare(_PER_LINE_OPTION.sub("", line.text), site, project)
            # A version that is only listed, by a person or a compiler, allows no other.
            listed = line.via or (declaration.pin is not None and not source.endswith(".in"))
            declared.append(
                replace(
                    declaration,
                    needed_by=line.needed_by,
                    asks=not line.via,
                    specifier=None if listed else declaration.specifier,
                )
            )
            compiled_from += _compiled_from(line, path, project)
        except ValueError as error:
            problems.append(project.problem(path, line.number, str(error)))
    return _Content(constraint, declared, includes, problems, compiled_from)


def _is_direct(line: _Line, source: str, project: ProjectFiles) -> bool | None:
    """Return whether people asked for it, by compilers' comments or by the kind of file."""
    if source.endswith(".in"):
        return True
    if not line.via:
        return None
    files = [item for item in line.via if not _VIA_PACKAGE.fullmatch(item) and item[:2] != "-c"]
    return bool(files) or not project.names.keys().isdisjoint(line.needed_by)


def _compiled_from(line: _Line, path: str, project: ProjectFiles) -> Iterator[str]:
    """Yield the manifests that compilers' comments name: by path, or by the package's name."""
    for name in line.needed_by:
        yield from project.names.get(name, ())
    for item in line.via:
        match = _VIA_FILE.fullmatch(item)
        if match:
            name = match[1] or match[2]
            for manifest in (in_folder_of(path, name), posixpath.normpath(name)):
                if manifest in project.files:
                    yield manifest


def _included_path(include: str, path: str, project: ProjectFiles) -> str:
    """Return the path of a file that `path` includes. ValueError if the target does not have it."""
    what = shown(include)
    if re.match(r"[a-z][a-z0-9+.-]+:", include, re.IGNORECASE):
        raise ValueError(f"includes {what}: an address is not followed")
    # pip goes by the folder of a link; people often mean that of the file.
    near = [in_folder_of(start, include) for start in (path, project.link_target(path))]
    for candidate in near:
        if candidate in project.files:
            return candidate
    if posixpath.isabs(near[0]) or near[0].split("/")[0] == "..":
        raise ValueError(f"includes {what}: outside of what is checked, not followed")
    raise ValueError(f"includes {what}: no such file among those that are checked")


def _with_constraints(contents: Sequence[_Content]) -> Iterator[Declaration]:
    """Yield the requirements, pinned by a constraint if they are not by themselves.

    The pins of constraints are listed too: only resolving would tell which of them pip would use
    for the dependencies of others.
    """
    pins: dict[str, set[str]] = {}
    for content in contents:
        for declaration in content.declared:
            if content.constraint and declaration.pin:
                pins.setdefault(declaration.name, set()).add(declaration.pin)
    for content in contents:
        for declaration in content.declared:
            if content.constraint:
                if declaration.pin:
                    yield replace(declaration, direct=None, asks=False)
            elif declaration.pin or declaration.origin or declaration.name not in pins:
                yield declaration
            else:
                for pin in sorted(pins[declaration.name]):
                    yield replace(declaration, pin=pin)


def _ways(declared: Sequence[Declaration]) -> Mapping[str, tuple[str, ...]]:
    """Return the ways from what has been asked for, by the comments of compilers.

    Old compilers do not name the project among those who need a package. So a package that others
    need, and about which no comment says anything, starts a way.
    """
    needs: dict[str, list[Edge]] = {}
    for declaration in declared:
        for parent in declaration.needed_by:
            needs.setdefault(parent, []).append(Edge(declaration.name))
    if not needs:
        return {}
    nodes = {name: [Node(tuple(edges))] for name, edges in needs.items()}
    roots = [one for one in declared if one.direct or (one.direct is None and one.name in needs)]
    return walk(nodes, [(Edge(root.name), root.scope) for root in roots]).ways()


def _covers(path: str) -> dict[str, str]:
    """Return the manifests that this file may have been compiled from, and how to do so again."""
    folder, name = posixpath.split(path)
    stem, suffix = posixpath.splitext(name)
    if suffix == ".in":
        return {}
    covers = {posixpath.join(folder, f"{stem}.in"): "pip-compile"}
    folders = [folder]
    if posixpath.basename(folder) in FOLDERS:
        folders.append(posixpath.dirname(folder))
    for near in folders:
        for manifest in ("pyproject.toml", "setup.cfg"):
            covers[posixpath.join(near, manifest)] = ""
    return covers


def _decoded(raw: bytes) -> str:
    """Decode by the byte-order mark, by the coding line, or as UTF-8; bad bytes stay visible."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if raw.startswith(mark):
            return raw[len(mark) :].decode(encoding, "replace")
    if b"\0" in raw:
        raise BrokenFile(None, "not a text file")
    encoding = "utf-8"
    for line in raw.split(b"\n", 2)[:2]:
        coding = _CODING.match(line)
        if coding:
            encoding = coding[1].decode("ascii", "replace")
            break
    try:
        return raw.decode(encoding, "replace")
    except (LookupError, ValueError) as error:
        raise BrokenFile(1, f"unknown encoding {encoding!r}") from error


def _logical_lines(text: str) -> Iterator[_Line]:
    """Yield lines with continuations joined and without comments; a comment ends a continuation."""
    pending: list[str] = []
    start = 0
    entry: _Line | None = None
    in_via = False
    # pip also breaks lines where no editor does (U+2028).
    physical_lines = (
        (number, part)
        for number, line in enumerate(_LINE_END.split(text), start=1)
        for part in line.splitlines() or [""]
    )
    for number, raw in physical_lines:
        comment = raw.lstrip().startswith("#")
        if not pending and comment and entry:
            entry, in_via = _with_via(entry, raw, in_via)
            continue
        start = start if pending else number
        continued = raw.endswith("\\") and not comment
        pending.append(raw.rstrip("\\") if continued else f" {raw}" if comment else raw)
        if not continued:
            if entry:
                yield entry
            entry, in_via = _joined(start, pending), comment and bool(_VIA.match(raw))
            pending = []
    for last in (entry, _joined(start, pending)):
        if last:
            yield last


def _joined(start: int, parts: Iterable[str]) -> _Line | None:
    """Return one logical line; None if there is nothing but comments on it."""
    whole = "".join(parts)
    text = _COMMENT.sub("", whole).strip()
    inline = _INLINE_VIA.search(whole)
    via = tuple(part.strip() for part in inline[1].split(",")) if inline else ()
    return _Line(start, text, via) if text else None


def _with_via(entry: _Line, comment: str, in_via: bool) -> tuple[_Line, bool]:
    """Return the line with what a comment below it says, and whether its list goes on."""
    opening = _VIA.match(comment)
    match = opening or (_VIA_ITEM.match(comment) if in_via else None)
    if match is None:
        return entry, False
    item = match[1].strip()
    listing = not (opening and item)  # "# via x" is complete, "# via" alone opens a list
    return replace(entry, via=(*entry.via, item) if item else entry.via), listing


def _options(text: str) -> Iterator[tuple[str, str]]:
    """Yield each include or editable of a line of options. ValueError if pip has no such option."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"cannot be split into options: {error}") from error
    known = (*_INCLUDE, *_WITH_VALUE, *_FLAGS)
    while words:
        word = words.pop(0)
        if word.startswith("--"):
            name, attached, value = word.partition("=")
        else:
            name, value = _SHORT.get(word[:2], word), word[2:]
            attached = value
        options = [name] if name in known else [one for one in known if one.startswith(name)]
        if len(options) != 1:
            raise ValueError(f"not an option of requirements files: {shown(word)}")
        option = options[0]
        if option not in _FLAGS:
            if not attached:
                if not words:
                    raise ValueError(f"{option} without its value")
                value = words.pop(0)
            if option in _INCLUDE:
                yield option, value
