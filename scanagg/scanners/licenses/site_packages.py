"""The packages of an environment, by its folders. Nothing of the environment is run.

As a program (`python -P -m scanagg.scanners.licenses.site_packages FOLDERS [ARGUMENT...]`), it
runs pip-licenses on these folders, of which the first is the checked one. pip-licenses itself runs
the environment's interpreter, splits its search path at spaces, and lists nothing if the
interpreter does not start.
"""

import contextlib
import hashlib
import os
import runpy
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Final

from scanagg.core.files import inside, read_file
from scanagg.model import LicenseFile
from scanagg.project.installed import InstalledPackage, packages
from scanagg.scanners import pinned
from scanagg.scanners.licenses import texts

# Folders for the files that `License-File` names (PEP 639); older tools use the metadata folder.
_LICENSE_FOLDERS: Final = ("licenses", "license_files", "")
_LICENSE_WORDS: Final = ("licen", "copying", "notice", "authors")
# Longer files are not read.
_LONGEST: Final = 1 << 20
_MOST: Final = 200


def keyed(installed: Iterable[InstalledPackage]) -> Iterator[tuple[pinned.Key, InstalledPackage]]:
    """Yield each package with the name and the version in the name of its folder."""
    for package in installed:
        name, _, rest = package.path.stem.partition("-")
        key = pinned.key(name, rest.partition("-")[0])
        if key:
            yield key, package


def license_files(
    installed: Iterable[InstalledPackage], keys: Iterable[pinned.Key]
) -> dict[pinned.Key, tuple[LicenseFile, ...]]:
    """Return the licence files of these packages, each once, in the order of the metadata."""
    left = set(keys)
    files: dict[pinned.Key, tuple[LicenseFile, ...]] = {}
    for key, package in keyed(installed):
        if key not in left:  # the interpreter uses the first of two
            continue
        left.discard(key)
        names = dict.fromkeys(_file_names(package))
        files[key] = tuple(
            LicenseFile(name, hashlib.sha256(raw).hexdigest(), texts.identify(raw))
            for name in names
            if (raw := _read(package, name)) is not None
        )
    return files


def _file_names(package: InstalledPackage) -> Iterator[str]:
    """Yield relative paths of licence files: those that the metadata names, then usual names."""
    names = [] if package.problem else package.metadata.get_all("License-File") or []
    yield from (str(PurePosixPath(name.strip().replace("\\", "/"))) for name in names[:_MOST])
    folder = package.path / "licenses"
    usual = [
        (Path(root).relative_to(folder) / name).as_posix()
        for root, _, files in (() if folder.is_symlink() else os.walk(folder))
        for name in files
    ]
    with contextlib.suppress(OSError):
        usual += [
            path.name
            for path in package.path.iterdir()
            if any(word in path.name.casefold() for word in _LICENSE_WORDS)
        ]
    yield from sorted(usual)[:_MOST]


def _read(package: InstalledPackage, name: str) -> bytes | None:
    """Read a licence file from any of its usual folders; None if there is none.

    The package's author chose the name, so a name that leads out of the folder is refused.
    """
    home = package.path.resolve()
    for below in _LICENSE_FOLDERS:
        try:
            return read_file(inside(home, home / below / name), _LONGEST)
        except (OSError, ValueError):  # not a valid name
            continue
    return None


def main() -> None:
    """Run pip-licenses over the folders of the first argument, split like PATH.

    The first of them is the checked folder.
    """
    # The path of a virtual environment cannot contain the separator.
    root, *folders = map(Path, sys.argv.pop(1).split(os.pathsep))

    def readable(**_: object) -> Iterator[metadata.Distribution]:
        # pip-licenses crashes at metadata that it cannot read.
        return (package for package in packages(folders, root) if not package.problem)

    metadata.distributions = readable
    runpy.run_module("piplicenses", run_name="__main__")


if __name__ == "__main__":
    main()
