"""When each line of the committed baseline was written, and in which commit it last grew."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from scanagg.baseline.file import Baseline
from scanagg.core.git import Blamed, Git
from scanagg.model import Target


class Grown(msgspec.Struct, frozen=True):
    """The commit in which a baseline last grew; or why packages have nothing to compare with."""

    commit: str | None = None
    notice: str = ""


class _History(msgspec.Struct, frozen=True):
    """The baseline's lines as they are used, and who wrote the committed ones, by their text."""

    lines: Sequence[bytes]
    written: Mapping[bytes, Blamed]

    def of(self, number: int) -> Blamed | None:
        """Who wrote a line, from 1; None where it is not committed."""
        inside = 1 <= number <= len(self.lines)
        return self.written.get(_bare(self.lines[number - 1])) if inside else None


def first_seen(
    git: Git, target: Target, baseline: Baseline, ref: str | None
) -> Mapping[int, datetime]:
    """When each line of the baseline was committed (UTC), by its number.

    Lines that are not committed are left out, and those of which a shallow clone does not tell.
    """
    ends = git.shallow_ends()
    history = _history(git, target, baseline, ref)
    blamed = {number: history.of(number) for number in baseline.lines}
    return {number: one.time for number, one in blamed.items() if one and one.commit not in ends}


def grown(git: Git, target: Target, baseline: Baseline, ref: str | None) -> Grown:
    """The commit to compare packages with where a baseline is all there is.

    A baseline that has grown in the work tree was made for the packages that HEAD has.
    """
    unknown = f"packages are compared with nothing, and count as introduced: {baseline.path}"
    if target.revision is None:
        return Grown(notice=f"{unknown} is in no git repository")
    head = git.commit("HEAD")
    if head is None:
        return Grown(notice=f"{unknown} is not committed, nor is anything else")
    one = _history(git, target, baseline, ref).of(baseline.head)
    if one is None:
        return Grown(head)
    if one.commit in git.shallow_ends():
        reason = "was last extended before this shallow clone begins (fetch-depth: 0)"
        return Grown(notice=f"{unknown} {reason}")
    return Grown(one.commit)


def _history(git: Git, target: Target, baseline: Baseline, ref: str | None) -> _History:
    try:
        if ref:
            raw = git.read(ref, f"./{baseline.path}") or b""
        else:
            raw = (target.root / baseline.path).read_bytes()
    except OSError:
        raw = b""
    written: dict[bytes, Blamed] = {}
    for one in git.blame(ref or "HEAD", baseline.path):
        written.setdefault(_bare(one.text), one)
    return _History(raw.split(b"\n"), written)


def _bare(line: bytes) -> bytes:
    """The line without what a neighbour's coming or going, or a checkout, changes."""
    return line.strip().strip(b",")
