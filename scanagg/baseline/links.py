"""Where the symbolic links of a base commit lead, told from its tree alone: nothing is followed."""

import os
import posixpath
from collections.abc import Mapping
from typing import Final

from scanagg.baseline.snapshot import Snapshot
from scanagg.core.text import valid
from scanagg.model import Link

# As many links of links as Linux follows.
_MOST_STEPS: Final = 40
_NOWHERE: Final = "to nothing that the commit is known to have"


def read_links(snapshot: Snapshot) -> tuple[Link, ...]:
    """The commit's links below the target's folder with their ends, by path.

    One that leads through a link to a folder, or that is absolute, has no end here.
    """
    names = list(snapshot.links)
    contents = snapshot.git.contents([snapshot.links[name].oid for name in names])
    leads = {name: raw for name, raw in zip(names, contents, strict=True) if raw is not None}
    files = {held.name: path for path, held in snapshot.files.items()}
    folders = {folder for name in files for folder in _above(name)}
    found = []
    for name in names:
        end = _end(name, leads)
        shown = files.get(end) if end is not None else None
        if shown is None and end in folders:
            shown = valid(os.fsdecode(end))
        found.append(Link(valid(os.fsdecode(name)), shown, "" if shown else _NOWHERE))
    return tuple(sorted(found, key=lambda link: link.path))


def _above(name: bytes) -> list[bytes]:
    parts = name.split(b"/")[:-1]
    return [b"/".join(parts[: count + 1]) for count in range(len(parts))]


def _end(name: bytes, leads: Mapping[bytes, bytes]) -> bytes | None:
    """The name that a link leads to, by however many links; None where no name can tell."""
    for _ in range(_MOST_STEPS):
        if name not in leads:
            return name
        parts = leads[name].split(b"/")
        down = next((at for at, part in enumerate(parts) if part not in (b"", b".", b"..")), 0)
        # What stands before a later ".." may itself be a link.
        if leads[name].startswith(b"/") or b".." in parts[down:]:
            return None
        name = posixpath.normpath(posixpath.join(posixpath.dirname(name), leads[name]))
    return None
