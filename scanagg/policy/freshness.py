"""The data that is missing or too old. Data without a date is too old if its age is limited."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import msgspec

from scanagg.model import CLOCK_DRIFT, DataSource, Judged, Reason, Run, Status
from scanagg.policy.schema import EnrichmentSection, ScannerEntry, span


class Lack(msgspec.Struct, frozen=True):
    """Data that is missing or too old, and whether the policy requires it."""

    reason: Reason
    required: bool


def stale(run: Run, entry: ScannerEntry, now: datetime) -> Reason | None:
    """Return what is wrong with the age of a run's data, None where nothing is."""
    if entry.db_max_age is None or run.status not in (Status.OK, Status.DEGRADED):
        return None
    return _age_problem("data", run.data, entry.db_max_age, now)


def ahead(runs: Iterable[Run], data: Iterable[DataSource], now: datetime) -> Iterator[Reason]:
    """Yield the data that is newer than the clock, so that the clock must be wrong."""
    sources = dict.fromkeys(data, "the advisory store")
    sources |= {run.data: run.scanner for run in runs if run.data}
    for source, holder in sources.items():
        if source.updated and source.updated > now + CLOCK_DRIFT:
            yield Reason(
                "clock-behind",
                {
                    "holder": holder,
                    "day": f"{source.updated:%Y-%m-%d}",
                    "today": f"{now:%Y-%m-%d}",
                },
            )


def lacks(
    section: EnrichmentSection, judged: Sequence[Judged], data: Sequence[DataSource], now: datetime
) -> Iterator[Lack]:
    """Yield what is missing of the data about vulnerabilities that the policy names.

    `data` is the content of the advisory store. Required data is missing also where no
    vulnerability was found: with it, one might count for more. A policy has no key for the
    advisories themselves, so their age only makes a notice.
    """
    advisories = [one.finding.advisory for one in judged if one.finding.advisory]
    for kind, need in (("osv", ""), ("kev", section.kev), ("epss", section.epss)):
        source = _source(kind, data)
        required = need == "required"
        name = kind.upper()
        if source is None:
            if required:
                yield Lack(Reason("required-data-missing", {"data": name}), True)
            continue
        if section.max_age:
            problem = _age_problem(f"{name} data", source, section.max_age, now)
            if problem:
                yield Lack(Reason("advisory-store", {"problem": problem}), required)
        # EPSS has no score for a new CVE. KEV answers for each: it is in the catalogue or not.
        unknown = sum(advisory.kev is None for advisory in advisories) if kind == "kev" else 0
        if required and unknown:
            reason = Reason(
                "required-data-incomplete",
                {"data": name, "unknown": unknown, "total": len(advisories)},
            )
            yield Lack(reason, True)


def unchecked(kind: str, count: int, data: Sequence[DataSource]) -> Reason:
    """Return how many findings a rule on this kind of data could not be asked about, and why."""
    if _source(kind, data):
        return Reason("unchecked-no-record", {"count": count, "data": kind.upper()})
    return Reason("unchecked-no-data", {"count": count, "data": kind.upper()})


def _source(kind: str, data: Iterable[DataSource]) -> DataSource | None:
    """Return the data of a kind, by a word of its name, such as `CISA KEV`."""
    return next((source for source in data if kind in source.name.lower().split()), None)


def _age_problem(name: str, data: DataSource | None, limit: str, now: datetime) -> Reason | None:
    if data is None or data.updated is None:
        return Reason("undated-data", {"data": name, "limit": limit})
    day = f"{data.updated:%Y-%m-%d}"
    if data.updated > now + CLOCK_DRIFT:
        return Reason("data-in-future", {"data": name, "day": day, "today": f"{now:%Y-%m-%d}"})
    if now - data.updated > span(limit):
        return Reason("outdated-data", {"data": name, "day": day, "limit": limit})
    return None
