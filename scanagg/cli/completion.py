"""Values that the shell completes: scanners, policies, formats and findings."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from scanagg.reports.base import REPORTS, names

_REPORT: Final = Path(REPORTS) / "scanagg.json"
_LARGEST_REPORT: Final = 64 * 2**20
# Shells evaluate completions, and the project may have written the report.
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]*")


class _Rule(msgspec.Struct, frozen=True):
    id: str


class _Finding(msgspec.Struct, frozen=True):
    id: str
    rule: _Rule


class _Findings(msgspec.Struct, frozen=True):
    findings: list[_Finding]


def scanners(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the scanners for the last name of a list between commas."""
    # Imported here: the packages of the scanners are slow to import.
    from scanagg.scanners.base import scanner_infos  # noqa: PLC0415

    start, comma, last = incomplete.rpartition(",")
    given = start.split(",")
    for name, info in scanner_infos().items():
        if name.startswith(last) and name not in given:
            yield f"{start}{comma}{name}", info.about


def policies(incomplete: str) -> Iterator[str]:
    """Yield the ready-made policies. The shell itself completes paths."""
    # Imported here, as above.
    from scanagg.policy.load import BUILTIN  # noqa: PLC0415

    yield from (name for name in BUILTIN if name.startswith(incomplete))


def formats(incomplete: str) -> Iterator[str]:
    """Yield the formats of reports."""
    yield from (name for name in names() if name.startswith(incomplete))


def findings(incomplete: str) -> Iterator[str]:
    """Yield the ids of the findings in the last report of this folder, and their rules."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        if _REPORT.is_file() and _REPORT.stat().st_size <= _LARGEST_REPORT:
            report = msgspec.json.decode(_REPORT.read_bytes(), type=_Findings)
            ids = (name for one in report.findings for name in (one.id, one.rule.id))
            yield from dict.fromkeys(
                name for name in ids if name.startswith(incomplete) and _SAFE.fullmatch(name)
            )
