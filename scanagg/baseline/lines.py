"""Where each line of a changed file stood in the base: git's own diff, made by git, read by us."""

import codecs
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from scanagg.core.git import Git
from scanagg.core.process import Stop
from scanagg.model import SourceFile

# A file that no person wrote: its lines are not followed.
_MAX_BYTES: Final = 8 << 20
_HUNK: Final = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_UTF16: Final = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_COMMIT: Final = "commit refs/heads/%s\ncommitter scanagg <none> 0 +0000\ndata 0\n\n"
_HERE: Final = ("--git-dir=.",)  # a bare repository may have to be named, by people's settings
_DIFF: Final = ("diff-tree", "-r", "-M", "-l1000", "--no-commit-id", "--no-ext-diff")
_PATCH: Final = ("-p", "-U0", "--text", "--no-textconv", "--diff-algorithm=histogram")


class Hunk(msgspec.Struct, frozen=True):
    """Lines that became others: `count` of them from `start`, in the base and now.

    A count of 0 means that nothing is there, after line `start`.
    """

    base_start: int
    base_count: int
    start: int
    count: int

    @property
    def last(self) -> int:
        """The last line that the hunk is about now; the one before it where it has none."""
        return self.start + self.count - 1 if self.count else self.start

    @property
    def base_last(self) -> int:
        """The same in the base."""
        return self.base_start + self.base_count - 1 if self.base_count else self.base_start


class Followed(msgspec.Struct, frozen=True):
    """A file with its path in the base, and what changed in it."""

    base: str
    hunks: tuple[Hunk, ...] = ()

    def line(self, number: int) -> int | None:
        """The number in the base of a line that is there now; None where it is new."""
        index = bisect_right(self.hunks, number, key=_first) - 1
        if index < 0:
            return number
        hunk = self.hunks[index]
        if number <= hunk.last and hunk.count:
            return None
        return number - hunk.last + hunk.base_last


def _first(hunk: Hunk) -> int:
    """The first line at or after which the hunk counts."""
    return hunk.start if hunk.count else hunk.start + 1


class Lines(msgspec.Struct, frozen=True):
    """The files that were followed from the base, by their paths now."""

    files: Mapping[str, Followed] = msgspec.field(default_factory=dict)

    def place(self, path: str, line: int) -> tuple[str, int] | None:
        """The path and number in the base of a line; None where the line, or the file, is new."""
        followed = self.files.get(path)
        number = followed.line(line) if followed else None
        return (followed.base, number) if followed and number is not None else None


def follow(
    before: Iterable[SourceFile],
    after: Iterable[SourceFile],
    work: Path,
    stop: Stop,
    named: Callable[[str], str],
) -> Lines:
    """Where the lines of `after` stood in `before`; renamed files are found by git's own rules.

    Both are put into a repository of their own in the empty folder `work`, so that nothing of the
    checked one has a say. Paths are those that `named` gives. Nothing is followed where git fails.
    """
    git = Git(work, stop)
    stream = b"".join((*_commit("before", before, named), *_commit("after", after, named)))
    if git.output(*_HERE, "init", "-q", "--bare", "--template=", ".") is None:
        return Lines()
    if git.output(*_HERE, "fast-import", "--quiet", stdin=stream) is None:
        return Lines()
    trees = ("refs/heads/before", "refs/heads/after")
    raw = git.output(*_HERE, *_DIFF, "--raw", "-z", *trees)
    patch = git.output(*_HERE, *_DIFF, *_PATCH, *trees)
    if raw is None or patch is None:
        return Lines()
    return _followed(list(_pairs(raw)), list(_hunks(patch)))


def plain(raw: bytes) -> bytes:
    """The bytes as UTF-8 without a byte order mark, each line ended as scanners count them."""
    if raw.startswith(_UTF16):
        raw = raw.decode("utf-16", "replace").encode("utf-8", "replace")
    return raw.removeprefix(codecs.BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _commit(
    branch: str, files: Iterable[SourceFile], named: Callable[[str], str]
) -> Iterator[bytes]:
    """A commit of these files, as `git fast-import` reads it."""
    yield (_COMMIT % branch).encode()
    for file in files:
        content = _content(file)
        if content is not None:
            yield b'M 100644 inline "%s"\n' % _quoted(named(file.path))
            yield b"data %d\n%s\n" % (len(content), content)


def _content(file: SourceFile) -> bytes | None:
    if file.size > _MAX_BYTES:
        return None
    try:
        return plain(file.real.read_bytes())
    except OSError:
        return None


def _quoted(path: str) -> bytes:
    """The path as git quotes it: what could end the line or the quotes as an octal number."""
    raw = path.encode("utf-8", "surrogateescape")
    return b"".join(
        b"\\%03o" % byte if byte < 0x20 or byte in b'"\\' else bytes((byte,)) for byte in raw
    )


def _pairs(raw: bytes) -> Iterator[tuple[str, str] | None]:
    """For each file that differs its paths before and now; None where it is on one side only."""
    fields = iter(raw.split(b"\0"))
    for entry in fields:
        if not entry:
            continue
        status = entry.rpartition(b" ")[2][:1]
        one = next(fields, b"").decode("utf-8", "surrogateescape")
        if status == b"R":
            yield one, next(fields, b"").decode("utf-8", "surrogateescape")
        else:
            yield (one, one) if status == b"M" else None


def _hunks(patch: bytes) -> Iterator[tuple[Hunk, ...]]:
    """The hunks of each file, in the order of the files. Lines of content are counted, not read."""
    hunks: list[Hunk] | None = None
    skip = 0
    for line in patch.split(b"\n"):
        if line.startswith(b"\\"):  # about a newline that is missing at the end
            continue
        if skip:
            skip -= 1
            continue
        found = _HUNK.match(line)
        if line.startswith(b"diff --git "):
            if hunks is not None:
                yield tuple(hunks)
            hunks = []
        elif found and hunks is not None:
            hunk = _hunk(found)
            hunks.append(hunk)
            skip = hunk.base_count + hunk.count
    if hunks is not None:
        yield tuple(hunks)


def _hunk(found: re.Match[bytes]) -> Hunk:
    base_start, base_count, start, count = found.groups(b"1")
    return Hunk(int(base_start), int(base_count), int(start), int(count))


def _followed(pairs: Sequence[tuple[str, str] | None], hunks: Sequence[tuple[Hunk, ...]]) -> Lines:
    """Both answers list the same files in the same order; where they do not, neither is used."""
    if len(pairs) != len(hunks):
        return Lines()
    both = zip(pairs, hunks, strict=True)
    return Lines({pair[1]: Followed(pair[0], found) for pair, found in both if pair})
