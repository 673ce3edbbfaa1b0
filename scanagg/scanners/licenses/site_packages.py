"""An environment's packages by its folders: nothing of it is run, and its path may hold spaces.

As a program (`python -P -m scanagg.scanners.licenses.site_packages FOLDERS [ARGUMENT...]`) it is
pip-licenses told where to look. By itself that asks the environment's interpreter for its search
path, splits the answer at spaces, and takes an interpreter that does not start for an empty
environment.
"""

import os
import re
import runpy
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from scanagg.scanners import pinned


def folders(python: Path) -> tuple[Path, ...]:
    """Where the environment of an interpreter keeps its packages; empty where that is not known.

    A virtual environment is known by its pyvenv.cfg (PEP 405), another one by the version in the
    interpreter's real name. Folders of the system that it may look into as well are left out.
    """
    prefix = python.absolute().parent.parent
    names: tuple[str, ...] = ()
    if (prefix / "pyvenv.cfg").is_file():
        names = ("lib/python3*/site-packages", "lib64/python3*/site-packages", "Lib/site-packages")
    elif match := re.fullmatch(r"python3\.\d+", python.resolve().name):
        # Debian's packages, and what pip adds to them, lie in dist-packages.
        lib = f"lib/{match[0]}"
        names = (f"{lib}/site-packages", f"local/{lib}/dist-packages", "lib/python3/dist-packages")
    found = [folder for name in names for folder in sorted(prefix.glob(name)) if folder.is_dir()]
    # lib64 is a link to lib: the first name of a folder is the one to show.
    return tuple({folder.resolve(): folder for folder in reversed(found)}.values())[::-1]


def packages(places: Sequence[Path]) -> frozenset[pinned.Key]:
    """Which packages in which versions lie in these folders, by the names of their metadata."""
    return frozenset(key for _, key in metadata_folders(places))


def metadata_folders(places: Sequence[Path]) -> Iterator[tuple[Path, pinned.Key]]:
    """The folder of each package's metadata, with the package and version that it is named for."""
    for place in places:
        for entry in entries(place):
            key = _key(entry)
            if key:
                yield place / entry, key


def entries(folder: Path) -> Sequence[str]:
    """The names in a folder; none where it cannot be read."""
    try:
        return os.listdir(folder)  # noqa: PTH208 - names are all that is needed
    except OSError:
        return ()


def _key(entry: str) -> pinned.Key | None:
    stem, dot, kind = entry.rpartition(".")
    if not dot or kind not in ("dist-info", "egg-info"):
        return None
    name, _, rest = stem.partition("-")
    return pinned.key(name, rest.partition("-")[0])


def main() -> None:
    """Run pip-licenses over the folders of the first argument, split like PATH."""
    # A virtual environment cannot lie in a path that holds the separator.
    places = sys.argv.pop(1).split(os.pathsep)
    everything = metadata.distributions

    def named(**_: object) -> Iterator[metadata.Distribution]:
        # A folder without a name in its metadata, left behind by a broken removal, would end
        # pip-licenses with a traceback.
        return (each for each in everything(path=places) if each.metadata["Name"])

    metadata.distributions = named
    runpy.run_module("piplicenses", run_name="__main__")


if __name__ == "__main__":
    main()
