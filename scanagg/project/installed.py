"""The metadata of installed packages, read as files: nothing of an environment runs."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.metadata import Distribution, PackageMetadata
from pathlib import Path
from typing import Any, Final

from scanagg.core.files import inside, read_file
from scanagg.core.text import valid
from scanagg.model import Environment, Reason

# The longest METADATA files have a few hundred kilobytes: a readme and a changelog.
_MOST_BYTES: Final = 4 << 20
_KINDS: Final = (".dist-info", ".egg-info")


class InstalledPackage(Distribution):
    """An installed package, by its `.dist-info` or `.egg-info`.

    A link is followed to a place in the checked folder only, unless the environment is elsewhere.
    """

    def __init__(self, path: Path, root: Path) -> None:
        """Read nothing yet. `root` is the checked folder."""
        self.path = path
        self._top = root if path.is_relative_to(root) else Path(path.anchor)

    @property
    def label(self) -> str:
        """The name and the version in the name of the folder, to show."""
        return valid(self.path.stem)

    @property
    def files(self) -> None:
        """Nothing: RECORD could name any file, and readers of licences open what it names."""
        return None

    @cached_property
    def metadata(self) -> PackageMetadata:
        """The core metadata."""
        return super().metadata

    @cached_property
    def problem(self) -> Reason | None:
        """The reason why the metadata cannot be used; None if it can."""
        try:
            if self.metadata["Name"] and self.metadata["Version"]:
                return None
            error = "METADATA has no name or no version"
        except (OSError, ValueError) as problem:
            error = f"METADATA {getattr(problem, 'strerror', None) or 'is not UTF-8'}"
        return Reason("unreadable-metadata", {"package": self.label, "error": error})

    def read_text(self, filename: str) -> str | None:
        """Return the text of a file in the folder; None if there is none.

        OSError for links out of the tree and special files, UnicodeDecodeError if it is not UTF-8.
        """
        if self.path.suffix == ".egg-info" and not self.path.is_dir():  # the metadata itself
            return self._read(self.path) if filename == "PKG-INFO" else None
        return self._read(self.path / filename) if filename else ""

    def locate_file(self, path: Any) -> Any:
        """Return the path of a file of the package."""
        return self.path.parent / path

    def _read(self, path: Path) -> str | None:
        try:
            raw = self.read_bytes(path, _MOST_BYTES)
        except FileNotFoundError:
            if path.is_symlink():
                raise
            return None
        return raw.decode("utf-8-sig").replace("\r\n", "\n")

    def read_bytes(self, path: Path, limit: int) -> bytes:
        """Return the content of a file in the folder. OSError as in `core.files`."""
        return read_file(inside(self._top, path), limit)


def packages(folders: Iterable[Path], root: Path) -> Iterator[InstalledPackage]:
    """Yield the packages in the folders of an environment, in their order."""
    for folder in folders:
        try:
            entries = sorted(folder.iterdir())
        except OSError:
            continue
        yield from (InstalledPackage(path, root) for path in entries if path.suffix in _KINDS)


def packages_of(environment: Environment | None) -> Iterator[InstalledPackage]:
    """Yield the packages of an environment; none without one."""
    if environment:
        yield from packages(environment.folders, environment.root)
