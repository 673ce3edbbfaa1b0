"""The packages of an environment, by its folders. Nothing of the environment is run.

As a program (`python -P -m scanagg.scanners.licenses.site_packages FOLDERS [ARGUMENT...]`), it
runs pip-licenses on these folders. pip-licenses itself runs the environment's interpreter, splits
its search path at spaces, and lists nothing if the interpreter does not start.
"""

import hashlib
import os
import re
import runpy
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Final

from scanagg.model import LicenseFile
from scanagg.scanners import pinned
from scanagg.scanners.licenses import texts

# Folders for the files that `License-File` names (PEP 639); older tools use the metadata folder.
_LICENSE_FOLDERS: Final = ("licenses", "license_files", "")
_LICENSE_WORDS: Final = ("licen", "copying", "notice", "authors")
# Longer files are not read.
_LONGEST: Final = 1 << 20
_MOST: Final = 200


def folders(python: Path) -> tuple[Path, ...]:
    """Return the package folders of an interpreter's environment; empty if they are unknown.

    A virtual environment has a pyvenv.cfg (PEP 405). Others have the version in the interpreter's
    real name. System folders that a virtual environment may include are left out.
    """
    prefix = python.absolute().parent.parent
    names: tuple[str, ...] = ()
    if (prefix / "pyvenv.cfg").is_file():
        names = ("lib/python3*/site-packages", "lib64/python3*/site-packages", "Lib/site-packages")
    elif match := re.fullmatch(r"python3\.\d+", python.resolve().name):
        # Debian uses dist-packages.
        lib = f"lib/{match[0]}"
        names = (f"{lib}/site-packages", f"local/{lib}/dist-packages", "lib/python3/dist-packages")
    paths = [folder for name in names for folder in sorted(prefix.glob(name)) if folder.is_dir()]
    # lib64 may be a link to lib: keep the first name of each folder.
    return tuple({folder.resolve(): folder for folder in reversed(paths)}.values())[::-1]


def metadata_folders(places: Iterable[Path]) -> Iterator[tuple[Path, pinned.Key]]:
    """Return the folder of each package's metadata, with the package in its name."""
    for place in places:
        for entry in _entries(place):
            stem, _, kind = entry.rpartition(".")
            if kind in ("dist-info", "egg-info"):
                name, _, rest = stem.partition("-")
                package = pinned.key(name, rest.partition("-")[0])
                if package:
                    yield place / entry, package


def license_files(
    places: Iterable[Path], packages: Iterable[pinned.Key]
) -> dict[pinned.Key, tuple[LicenseFile, ...]]:
    """Return the licence files of these packages, each once, in the order of the metadata."""
    left = set(packages)
    files: dict[pinned.Key, tuple[LicenseFile, ...]] = {}
    for folder, package in metadata_folders(places):
        if package not in left:  # the interpreter uses the first of two
            continue
        left.discard(package)
        names = dict.fromkeys(_file_names(folder))
        files[package] = tuple(
            LicenseFile(name, hashlib.sha256(raw).hexdigest(), texts.identify(raw))
            for name in names
            if (raw := _read(folder, name)) is not None
        )
    return files


def _entries(folder: Path) -> Sequence[str]:
    """Return the names in a folder; none if it cannot be read."""
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are all that is needed
    except OSError:
        return ()


def _file_names(folder: Path) -> Iterator[str]:
    """Yield relative paths of licence files: those that the metadata names, then usual names."""
    try:
        names = metadata.Distribution.at(folder).metadata.get_all("License-File") or []
    except (OSError, UnicodeDecodeError):
        names = []
    yield from (str(PurePosixPath(name.strip().replace("\\", "/"))) for name in names[:_MOST])
    inside = folder / "licenses"
    usual = [
        (Path(root).relative_to(inside) / name).as_posix()
        for root, _, files in os.walk(inside)
        for name in files
    ]
    usual += [
        name for name in _entries(folder) if any(word in name.casefold() for word in _LICENSE_WORDS)
    ]
    yield from sorted(usual)[:_MOST]


def _read(folder: Path, name: str) -> bytes | None:
    """Read a licence file from any of its usual folders; None if there is none.

    The package's author chose the name, so a name that leads out of the folder is refused.
    """
    home = os.path.realpath(folder)
    for below in _LICENSE_FOLDERS:
        try:
            place = Path(os.path.realpath(folder / below / name))
            inside = place.is_relative_to(home) and place.is_file()
            if inside and place.stat().st_size <= _LONGEST:
                return place.read_bytes()
        except (OSError, ValueError):  # not a valid name
            continue
    return None


def main() -> None:
    """Run pip-licenses over the folders of the first argument, split like PATH."""
    # The path of a virtual environment cannot contain the separator.
    places = sys.argv.pop(1).split(os.pathsep)
    everything = metadata.distributions

    def named(**_: object) -> Iterator[metadata.Distribution]:
        # pip-licenses crashes at metadata without a name, which a broken removal may leave behind.
        return (each for each in everything(path=places) if each.metadata["Name"])

    metadata.distributions = named
    runpy.run_module("piplicenses", run_name="__main__")


if __name__ == "__main__":
    main()
