"""Licence files of installed packages: the evidence beside what their metadata states."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Final

from scanagg.model import LicenseFile
from scanagg.scanners import pinned
from scanagg.scanners.licenses import site_packages, texts

# Where PEP 639 puts the files that `License-File` names; older tools put them beside the metadata.
_FOLDERS: Final = ("licenses", "license_files", "")
_NAMES: Final = ("licen", "copying", "notice", "authors")
# No licence is longer: what is, is not read.
_LONGEST: Final = 1 << 20
_MOST: Final = 200


def installed(
    places: Sequence[Path], wanted: Iterable[pinned.Key]
) -> dict[pinned.Key, tuple[LicenseFile, ...]]:
    """The licence files of the wanted packages that lie in these folders of an environment."""
    left = set(wanted)
    found: dict[pinned.Key, tuple[LicenseFile, ...]] = {}
    for folder, same in site_packages.metadata_folders(places):
        if same in left:  # of two, the interpreter sees the first
            left.discard(same)
            found[same] = tuple(_files(folder))
    return found


def _files(folder: Path) -> Iterator[LicenseFile]:
    """Each file once, by the path that the metadata gives it, in its order."""
    for name in dict.fromkeys((*_named(folder), *_lying(folder))):
        raw = _read(folder, name)
        if raw is not None:
            yield LicenseFile(name, hashlib.sha256(raw).hexdigest(), texts.identify(raw))


def _named(folder: Path) -> Sequence[str]:
    """What the metadata names, as relative paths with "/"."""
    try:
        said = metadata.Distribution.at(folder).metadata.get_all("License-File") or []
    except (OSError, UnicodeDecodeError):
        return ()
    return [str(PurePosixPath(name.strip().replace("\\", "/"))) for name in said[:_MOST]]


def _lying(folder: Path) -> Sequence[str]:
    """Files that lie there as licences do, whether named or not."""
    inside = folder / "licenses"
    names = [
        (Path(root).relative_to(inside) / name).as_posix()
        for root, _, files in os.walk(inside)
        for name in files
    ]
    names += [name for name in site_packages.entries(folder) if _is_one(name)]
    return sorted(names)[:_MOST]


def _is_one(name: str) -> bool:
    return any(word in name.casefold() for word in _NAMES)


def _read(folder: Path, name: str) -> bytes | None:
    """The file, wherever the tool that built the package put it; None for what is none.

    A name that leads out of the folder is none: the package's author wrote it.
    """
    home = os.path.realpath(folder)
    for below in _FOLDERS:
        try:
            place = Path(os.path.realpath(folder / below / name))
            inside = place.is_relative_to(home) and place.is_file()
            if inside and place.stat().st_size <= _LONGEST:
                return place.read_bytes()
        except (OSError, ValueError):  # a name that no system takes
            continue
    return None
