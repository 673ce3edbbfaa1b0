"""What there is to see of the store while it is kept up to date: its files, the steps of a change.

Apart from `updating`, since what downloads takes long to load.
"""

import enum
from collections.abc import Callable
from pathlib import Path

from scanagg.advisories import _sqlite


class Phase(enum.Enum):
    """What is being done for one kind of data."""

    WAITING = "waiting for another update"
    DOWNLOADING = "downloading"
    STORING = "storing"


Notify = Callable[[str, Phase, int, int], None]
"""Told the kind, what is done for it, and how much of how much (0 where that is not known)."""


def is_stored(kind: str, cache: Path) -> bool:
    """Whether there is a file of this kind in the store, usable or not."""
    return _sqlite.file_of(kind, cache).exists()
