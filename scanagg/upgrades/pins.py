"""Edit exact pins in files that people write. Everything else stays byte by byte."""

import codecs
import os
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote

import msgspec
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from scanagg.core import toml
from scanagg.core.cache import replace_atomically
from scanagg.core.files import read_file
from scanagg.model.project import version_of

# As for manifests that are read.
_MOST_BYTES: Final = 16 << 20

# White space, and line breaks behind a backslash. Possessive, so that no file takes forever. It is
# one class of characters, because Python before 3.11.5 matches possessive alternatives wrongly.
_GAP: Final = r"[ \t\f\\\r\n]*+"
_CLAUSE: Final = rf"(?:===|==|~=|!=|<=|>=|<|>){_GAP}[A-Za-z0-9.!+*_-]++"
_ENTRY: Final = re.compile(
    rf"{_GAP}(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*+){_GAP}(?:\[[^\[\]]*+\]{_GAP})?\(?{_GAP}"
    rf"(?P<clauses>{_CLAUSE}(?:{_GAP},{_GAP}{_CLAUSE})*){_GAP}(?=$|[;)]|(?<=\s)(?:#|-))"
)
_EXACT: Final = re.compile(rf"(?P<op>===?){_GAP}(?P<version>[A-Za-z0-9.!+*_-]++)")
_LINE: Final = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n|$)")
_BREAK: Final = re.compile(r"\r\n|\r|\n")
_QUOTED: Final = re.compile(r"""(["'])(?P<text>(?:(?!\1)[^\\\r\n])*)\1""")
# A bare version is exact in Poetry's tables; in Pipenv's it has its two signs.
_TABLE: Final = re.compile(
    r"""[ \t]*(?P<key>["']?)(?P<name>[A-Za-z0-9._-]++)(?P=key)[ \t]*=[ \t]*"""
    r"""(?:\{.*?(?<![A-Za-z0-9_-])version[ \t]*=[ \t]*)?"""
    r"""(?P<quote>["'])[ \t]*(?P<op>={0,3})[ \t]*(?P<version>[A-Za-z0-9.!+_-]++)[ \t]*(?P=quote)"""
)
# Where pip breaks a line and editors do not.
_ODD_BREAKS: Final = re.compile(rb"[\x0b\x0c\x1c-\x1e]|\xc2\x85|\xe2\x80[\xa8\xa9]")


class Refused(Exception):  # noqa: N818 - it never leaves this package
    """A file is not changed, with its path and the reason: "a.txt is read-only"."""


class Generated(Refused):
    """Only the tool that wrote the file can change it."""


class Original(msgspec.Struct, frozen=True):
    """A file before the change. `real` is the end of its links; `raw` is None if there is none.

    `root` is the resolved folder of the project. `link` is the target of a file that is a link.
    """

    path: str
    real: Path
    raw: bytes | None
    mode: int = 0o644
    root: Path | None = None
    link: str | None = None


def read(root: Path, path: str, *, missing_ok: bool = False) -> Original:
    """Read a file of the project by its relative path. Refused if it may not be changed.

    Links are followed, as long as they lead to a file inside the project.
    """
    inside = Path(os.path.realpath(root))
    if missing_ok and not os.path.lexists(inside / path):
        return Original(path, inside / path, None, root=inside)
    real = Path(os.path.realpath(inside / path))
    if not real.is_relative_to(inside):
        raise Refused(f"{path} is a link to a file outside the project")
    try:
        status = real.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise Refused(f"{path} is not a file")
        if status.st_size > _MOST_BYTES:
            raise Refused(f"{path} is larger than {_MOST_BYTES >> 20} MiB")
        place = inside / path
        link = str(place.readlink()) if place.is_symlink() else None
        return Original(path, real, read_file(real), stat.S_IMODE(status.st_mode), inside, link)
    except FileNotFoundError as error:
        raise Refused(f"{path} does not exist") from error
    except OSError as error:
        raise Refused(f"{path} cannot be read: {error.strerror or error}") from error


def write(original: Original, raw: bytes) -> None:
    """Replace a file atomically. Refused if it has changed, is read-only, or cannot be written."""
    try:
        if read_file(original.real) != original.raw:
            raise Refused(f"{original.path} has changed in the meantime")
        # Replacing a file needs only the permission to write to its folder.
        if not os.access(original.real, os.W_OK) or not original.mode & 0o222:
            raise Refused(f"{original.path} is read-only")
        replace_atomically(original.real, [raw], original.mode, original.root)
    except OSError as error:
        message = f"{original.path} cannot be written: {error.strerror or error}"
        raise Refused(message) from error


def restore(original: Original) -> str:
    """Restore a file; return an error message if that is impossible, else an empty string.

    Its bytes, its mode, and the link that leads to it are as before.
    """
    path = original.real
    try:
        if original.raw is None:
            path.unlink(missing_ok=True)
            return ""
        status = path.lstat() if os.path.lexists(path) else None
        is_file = status and stat.S_ISREG(status.st_mode)
        is_same = is_file and read_file(path) == original.raw
        if not status or not is_same or stat.S_IMODE(status.st_mode) != original.mode:
            replace_atomically(path, [original.raw], original.mode, original.root)
        place = (original.root or Path()) / original.path
        if original.link and not (place.is_symlink() and str(place.readlink()) == original.link):
            place.unlink(missing_ok=True)
            place.symlink_to(original.link)
    except OSError as error:
        return f"cannot restore {original.path}: {error.strerror or error}"
    return ""


class Pin(msgspec.Struct, frozen=True):
    """A package to move from one exact version to another.

    `name` is normalized (PEP 503). `dev` if only developers need the package.
    """

    name: str
    old: str
    new: str
    dev: bool = False

    @property
    def requirement(self) -> str:
        """The new version as a requirement: "jinja2==2.11.3"."""
        return f"{self.name}=={self.new}"


class PinChange(msgspec.Struct, frozen=True):
    """A changed pin: its line (from 1), as it was and as it is."""

    line: int
    before: str
    after: str


class Edited(msgspec.Struct, frozen=True):
    """The bytes of a file with other pins; without `changes`, its own bytes."""

    raw: bytes
    changes: tuple[PinChange, ...] = ()


class _Version(msgspec.Struct, frozen=True):
    """The position of a pin's version in a text."""

    start: int
    end: int
    operator: str

    def shifted(self, offset: int) -> "_Version":
        """Return the position in a text in which the present one begins at an offset."""
        return _Version(self.start + offset, self.end + offset, self.operator)


def edited(path: str, raw: bytes, pin: Pin, lines: Collection[int]) -> Edited:
    """Return the file with every exact pin of the package moved from the old to the new version.

    A requirements file is edited wherever it pins the package; pyproject.toml, setup.cfg and a
    Pipfile only on the `lines` that are known to ask for it. Refused with the reason if a pin must
    not be edited by hand, or the file is of no kind that can be edited.
    """
    name = PurePosixPath(path).name
    if name == "setup.py":
        raise Refused(f"{path} is a program, which scanagg does not edit")
    text = _decoded(path, raw)
    if name in ("pyproject.toml", "Pipfile"):
        versions = list(_in_toml(path, text, pin, lines))
        result = _replaced(text, raw, pin, versions)
        if versions and not _only_strings_differ(raw, result.raw, len(versions)):
            raise Refused(f"{path} pins it in a form that scanagg does not edit")
        return result
    if name != "setup.cfg" and _ODD_BREAKS.search(raw):
        raise Refused(f"{path} has line breaks that editors do not show")
    versions = []
    for number, start, end in logical_lines(text):
        if name == "setup.cfg" and number not in lines:
            continue
        version = _pinned(path, text[start:end], pin)
        if version:
            if re.search(r"\s--hash\b", text[start:end]):
                raise Generated(f"{path} has hashes, which only the tool that wrote it can renew")
            versions.append(version.shifted(start))
    return _replaced(text, raw, pin, versions)


def _replaced(text: str, raw: bytes, pin: Pin, versions: Collection[_Version]) -> Edited:
    """Return a file with the new version at these positions of its text."""
    parts, last, changes = [], 0, []
    for version in versions:
        line = len(_BREAK.findall(text, 0, version.start)) + 1
        before = f"{pin.name}{version.operator}{text[version.start : version.end]}"
        changes.append(PinChange(line, before, f"{pin.name}{version.operator}{pin.new}"))
        parts += [text[last : version.start], pin.new]
        last = version.end
    mark = raw[: len(raw) - len(text)]
    return Edited(mark + "".join((*parts, text[last:])).encode("latin-1"), tuple(changes))


def names_archive(raw: bytes, pin: Pin, lines: Collection[int]) -> bool:
    """Return True if one of these lines has the file name of an archive of the old version."""
    named = re.compile(rf"-{re.escape(pin.old)}(?:-|\.(?:zip|tar|tgz))")
    texts = enumerate(raw.decode("utf-8", "replace").splitlines(), start=1)
    return any(number in lines and named.search(unquote(text)) for number, text in texts)


def pinned_versions(raw: bytes) -> Iterator[tuple[str, str]]:
    """Yield name and version of each exact pin of a requirements file. ValueError if it is none."""
    try:
        text = _decoded("it", raw)
    except Refused as error:
        raise ValueError(str(error)) from error
    for _, start, end in logical_lines(text):
        entry = _ENTRY.match(text[start:end])
        if entry:
            yield from (
                (entry["name"], one["version"]) for one in _EXACT.finditer(entry["clauses"])
            )


def _decoded(path: str, raw: bytes) -> str:
    """Return the text behind the byte order mark, a character for each byte.

    Latin-1 keeps the bytes of UTF-8 and of every other encoding that contains ASCII.
    """
    if b"\0" in raw:
        raise Refused(f"{path} is not a text file in UTF-8")
    return raw.removeprefix(codecs.BOM_UTF8).decode("latin-1")


def logical_lines(text: str) -> Iterator[tuple[int, int, int]]:
    """Yield number (from 1), start and end of each line with those that continue it."""
    begin: tuple[int, int] | None = None
    last = 0
    for number, match in enumerate(_LINE.finditer(text), start=1):
        line = match[0].rstrip("\r\n")
        last = match.start() + len(line)
        begin = begin or (number, match.start())
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            continue
        yield *begin, last
        begin = None
    if begin:
        yield *begin, last


def _pinned(path: str, entry: str, pin: Pin) -> _Version | None:
    """Find the pin of the package in a requirement. Refused if the rest excludes `pin.new`."""
    match = _ENTRY.match(entry)
    if match is None or canonicalize_name(match["name"]) != pin.name:
        return None
    clauses = match["clauses"]
    exact = next((one for one in _EXACT.finditer(clauses) if _is_old(one["version"], pin)), None)
    if exact is None:
        return None
    others = re.sub(r"[\\\s]", "", clauses[: exact.start()] + clauses[exact.end() :]).strip(",")
    try:
        lets_in = SpecifierSet(others).contains(pin.new, prereleases=True)
    except InvalidSpecifier:
        lets_in = False
    if not lets_in:
        raise Refused(f"{path} also limits the version: {clauses.strip()}")
    return _Version(*exact.span("version"), exact["op"]).shifted(match.start("clauses"))


def _in_toml(path: str, text: str, pin: Pin, lines: Collection[int]) -> Iterator[_Version]:
    """Yield the pins in the strings of these lines, and in `name = "version"`."""
    for number, line in enumerate(_LINE.finditer(text), start=1):
        if number not in lines:
            continue
        table = _TABLE.match(line[0])
        if table and canonicalize_name(table["name"]) == pin.name:
            if _is_old(table["version"], pin):
                yield _Version(*table.span("version"), table["op"] or "=").shifted(line.start())
            continue
        for quoted in _QUOTED.finditer(line[0]):
            version = _pinned(path, quoted["text"], pin)
            if version:
                yield version.shifted(line.start() + quoted.start("text"))


def _only_strings_differ(before: bytes, after: bytes, count: int) -> bool:
    """Return True if two TOML documents differ only in the values of `count` strings."""
    try:
        old, new = (list(_leaves(toml.load(raw.decode("utf-8-sig")))) for raw in (before, after))
    except (toml.TomlError, UnicodeDecodeError):
        return False
    changed = [one for one, other in zip(old, new, strict=False) if one != other]
    same_keys = [keys for keys, _ in old] == [keys for keys, _ in new]
    return same_keys and len(changed) == count and all(isinstance(leaf, str) for _, leaf in changed)


def _leaves(value: object, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield every value that is no container, with the keys that lead to it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(inner, (*keys, str(key)))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from _leaves(inner, (*keys, str(position)))
    else:
        yield keys, value


def _is_old(version: str, pin: Pin) -> bool:
    """Return True for the old version in any spelling: 1.0 is 1.0.0; a wildcard is none."""
    written, old = version_of(version), version_of(pin.old)
    return version == pin.old if written is None or old is None else written == old
