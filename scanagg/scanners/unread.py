"""Manifests that nothing read: not the inventory, and no scanner."""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from scanagg.model import Category, Reason, Run, Status, Unread, UnreadFiles
from scanagg.project.kinds import BY_ID, NO_READER
from scanagg.scanners.base import scanner_info

_SHOWN: Final = 3


def unread_files(unread: Iterable[Unread], runs: Iterable[Run]) -> tuple[UnreadFiles, ...]:
    """Return what no scanner read of `Inventory.unread`, once for each kind and reason.

    A scanner read a manifest if it says that it reads this kind, and its coverage shows it. It read
    nothing that is no file.
    """
    ended = [run for run in runs if run.status in (Status.OK, Status.DEGRADED)]
    readers = [
        (scanner_info(run.scanner).reads, {gap.input for gap in run.coverage.not_examined})
        for run in ended
    ]
    groups: dict[tuple[str, Reason], list[Unread]] = {}
    for entry in unread:
        is_read = entry.reason == NO_READER and any(
            entry.kind in reads and entry.path not in gaps for reads, gaps in readers
        )
        if not is_read:
            groups.setdefault((BY_ID[entry.kind].title, entry.reason), []).append(entry)
    ordered = sorted(groups.items(), key=lambda group: (group[0][0], group[0][1].kind))
    return tuple(_files(title, reason, entries) for (title, reason), entries in ordered)


def _files(title: str, reason: Reason, entries: list[Unread]) -> UnreadFiles:
    inputs = sorted(entry.input for entry in entries)
    more = len(inputs) - _SHOWN
    shown = (*inputs[:_SHOWN], *([Reason("more", {"count": more})] if more > 0 else ()))
    category = BY_ID[entries[0].kind].category or Category.VULNERABILITY
    address = reason.values.get("address")
    if isinstance(address, str) and all(one.startswith(address) for one in inputs):
        reason = Reason("not-from-index")
    if all(PurePosixPath(name).name == title for name in inputs):
        why = Reason("unread-files", {"inputs": shown, "reason": reason})
    else:
        why = Reason("unread", {"title": title, "reason": reason, "inputs": shown})
    return UnreadFiles(category, len(inputs), why)
