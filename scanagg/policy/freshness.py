"""Freshness: data that is missing, or too old to judge by.

Data of unknown age counts as too old where the policy bounds its age.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from scanagg.core.text import counted
from scanagg.model import CLOCK_DRIFT, DataSource, Judged, Run, Status
from scanagg.policy.grace import span
from scanagg.policy.schema import EnrichmentSection, ScannerEntry

_GET: Final = "`scanagg db update` or `scanagg db import` gets it"


class Lack(msgspec.Struct, frozen=True):
    """Data that is absent or too old, and whether the policy requires it."""

    text: str
    required: bool


def stale(run: Run, entry: ScannerEntry, now: datetime) -> str | None:
    """Return what is wrong with the age of a run's data, to follow the scanner's name."""
    if entry.db_max_age is None or run.status not in (Status.OK, Status.DEGRADED):
        return None
    problem = _age_problem(run.data, entry.db_max_age, now)
    return f"has data {problem}" if problem else None


def ahead(runs: Iterable[Run], data: Iterable[DataSource], now: datetime) -> Iterator[str]:
    """Yield what was judged by a clock that is behind the data."""
    known = [(run.scanner, run.data) for run in runs if run.data]
    of_runs = {source for _, source in known}
    known += [("the advisory store", source) for source in data if source not in of_runs]
    for holder, source in known:
        if source.updated and source.updated > now + CLOCK_DRIFT:
            yield (
                f"{holder} has data of {source.updated:%Y-%m-%d}, later than the clock, "
                f"which says {now:%Y-%m-%d}: ages and deadlines may be wrong"
            )


def lacks(
    section: EnrichmentSection, judged: Sequence[Judged], data: Sequence[DataSource], now: datetime
) -> Iterator[Lack]:
    """Yield what is missing of the data about vulnerabilities that the policy speaks of.

    `data` is what the advisory store held. What is required is missing where nobody has found a
    vulnerability too: with it, one might count for more. The advisories themselves have no key of
    their own in a policy, their age alone is told.
    """
    advisories = [each.finding.advisory for each in judged if each.finding.advisory]
    for kind, need in (("osv", ""), ("kev", section.kev), ("epss", section.epss)):
        source = _source(kind, data)
        required = need == "required"
        if source is None:
            if required:
                yield Lack(f"{kind} data is required but not there: {_GET}", True)
            continue
        problem = section.max_age and _age_problem(source, section.max_age, now)
        if problem:
            yield Lack(f"{kind} data is {problem}", required)
        # Of a CVE that nobody has scored yet there is no EPSS; the catalogue knows of each.
        unknown = sum(each.kev is None for each in advisories) if kind == "kev" else 0
        if required and unknown:
            total = counted(len(advisories), "vulnerability", "vulnerabilities")
            yield Lack(f"{kind} data is required but absent for {unknown} of {total}", True)


def unchecked(kind: str, count: int, data: Sequence[DataSource]) -> str:
    """Return how many findings a rule could not be asked about, and why."""
    findings = counted(count, "finding")
    them = "it" if count == 1 else "them"
    silent = f"the data that is here says nothing of {them}"
    reason = silent if _source(kind, data) else f"there is no such data: {_GET}"
    return f"{findings} could not be checked by the rules that ask for {kind}: {reason}"


def _source(kind: str, data: Iterable[DataSource]) -> DataSource | None:
    """Return the data of a kind, by the word for it in a name such as `CISA KEV`."""
    return next((source for source in data if kind in source.name.lower().split()), None)


def _age_problem(data: DataSource | None, limit: str, now: datetime) -> str | None:
    if data is None or data.updated is None:
        return f"of unknown age, where the policy allows {limit}"
    day = f"{data.updated:%Y-%m-%d}"
    if data.updated > now + CLOCK_DRIFT:
        return f"of {day}, later than the clock ({now:%Y-%m-%d}): its age cannot be judged"
    return f"of {day}, older than {limit}" if now - data.updated > span(limit) else None
