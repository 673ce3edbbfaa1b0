"""The files below a folder that somebody gave us: regular ones only, links are not followed."""

import os
from collections.abc import Collection
from pathlib import Path

import msgspec

from scanagg.advisories.importing import limits


class Below(msgspec.Struct, frozen=True):
    """The files, sorted, and how many links were there besides."""

    files: tuple[Path, ...]
    links: int


def below(folder: Path, suffixes: Collection[str]) -> Below:
    """Every file below a folder whose name ends so, in any case. StoreError for too many of them.

    Also where a folder cannot be read: what is in it would be lost silently.
    """
    found: list[Path] = []
    links = 0
    for place, folders, names in os.walk(folder, onerror=_refuse):
        links += sum((Path(place) / name).is_symlink() for name in folders)
        wanted = [Path(place) / name for name in names if Path(name).suffix.lower() in suffixes]
        pointing = [path for path in wanted if path.is_symlink()]
        links += len(pointing)
        found += [path for path in wanted if path not in pointing and path.is_file()]
        if len(found) > limits.RECORDS:
            raise limits.too_large(folder, f"more than {limits.RECORDS:,} files")
    return Below(tuple(sorted(found)), links)


def _refuse(error: OSError) -> None:
    raise limits.unreadable(Path(str(error.filename)), error) from error
