"""Freshness: whether data is there and young enough to judge by.

Data that a policy bounds by age and that does not tell its age is taken for too old.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from scanagg.model import Advisory, DataSource, Judged, Run, Status
from scanagg.policy.judging.grace import span
from scanagg.policy.language.schema import EnrichmentSection, ScannerEntry
from scanagg.text import counted

# Clocks drift, and a day of data has no hour.
_DRIFT: Final = timedelta(days=1)
_LOOKED: Final = (Status.OK, Status.DEGRADED)


class Lack(NamedTuple):
    """Data that is absent or too old, and whether the policy requires it."""

    text: str
    required: bool


def stale(run: Run, entry: ScannerEntry, now: datetime) -> str | None:
    """What is wrong with the age of a run's data, in words that follow the scanner's name."""
    if entry.db_max_age is None or run.status not in _LOOKED:
        return None
    problem = _age_problem(run.data, entry.db_max_age, now)
    return f"has data {problem}" if problem else None


def ahead(runs: Iterable[Run], now: datetime) -> Iterator[str]:
    """What was judged by a clock that is behind the data."""
    for run in runs:
        if run.data and run.data.updated and run.data.updated > now + _DRIFT:
            yield (
                f"{run.scanner} has data of {run.data.updated:%Y-%m-%d}, later than the clock, "
                f"which says {now:%Y-%m-%d}: ages and deadlines may be wrong"
            )


def lacks(
    section: EnrichmentSection, judged: Sequence[Judged], runs: Iterable[Run], now: datetime
) -> Iterator[Lack]:
    """What is missing of the data about vulnerabilities that the policy speaks of."""
    advisories = [one.finding.advisory for one in judged if one.finding.advisory]
    if not advisories:
        return
    sources = {run.data.name.lower(): run.data for run in runs if run.data}
    for kind, wanted in (("kev", section.kev), ("epss", section.epss)):
        required = wanted == "required"
        known = sum(_known(each, kind) for each in advisories)
        if required and known < len(advisories):
            missing = f"{len(advisories) - known} of {len(advisories)} vulnerabilities"
            yield Lack(f"{kind} data is required but absent for {missing}", True)
        if known and section.max_age is not None:
            problem = _age_problem(sources.get(kind), section.max_age, now)
            if problem:
                yield Lack(f"{kind} data is {problem}", required)


def unchecked(kind: str, count: int) -> str:
    """How many findings a rule could not be asked about."""
    findings = counted(count, "finding")
    return f"{findings} could not be checked by the rules that ask for {kind}: nobody has that data"


def _known(advisory: Advisory, kind: str) -> bool:
    return (advisory.kev if kind == "kev" else advisory.epss) is not None


def _age_problem(data: DataSource | None, limit: str, now: datetime) -> str | None:
    if data is None or data.updated is None:
        return f"of unknown age, where the policy allows {limit}"
    day = f"{data.updated:%Y-%m-%d}"
    if data.updated > now + _DRIFT:
        return f"of {day}, later than the clock ({now:%Y-%m-%d}): its age cannot be judged"
    return f"of {day}, older than {limit}" if now - data.updated > span(limit) else None
