"""What is known of a vulnerability, in the words of every page: severity, exploits, ways, data."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from scanagg.core.text import counted, one_line, shorten
from scanagg.model import (
    Advisory,
    Category,
    DataSource,
    Judged,
    Location,
    Package,
    Report,
    Severity,
    SeverityClaim,
    label_and_score,
)
from scanagg.model.cvss import scored

UNRATED: Final = "unknown: nobody has rated it, which is not the same as low"
MALICIOUS: Final = "malicious: the package itself is an attack"
WITHDRAWN: Final = "withdrawn: its publisher has taken it back"
STORE: Final = "advisory store"
_SCANNERS_ONLY: Final = "that is known from scanners only. Get it by `scanagg db update`."
NO_STORE: Final = (
    f"There is no {STORE}: severity, KEV and EPSS come from scanners only. "
    "Get one by `scanagg db update`."
)
"""What is said where nobody but the scanners could be asked."""

_KINDS: Final = ("OSV", "KEV", "EPSS")

_SOURCES: Final = {
    "ghsa": "GitHub's label",
    "nvd": "NVD",
    "cvss4": "CVSS 4",
    "cvss3.1": "CVSS 3.1",
    "cvss3.0": "CVSS 3.0",
    "cvss2": "CVSS 2",
    "policy": "the policy",
    "table": "the policy's table",
}
OURS: Final = ("policy", "table")
"""The sources of severities that are the policy's own."""

_FIRST_HAND: Final = (*OURS, "tool")
_SHOWN_STEPS: Final = 7
_SHOWN_PLACES: Final = 3
_DIGEST: Final = 12
_SECONDS_A_DAY: Final = 86_400
_CC_BY: Final = ("cc-by", "cc by")
_OSV: Final = (
    "Advisories are from OSV, with records of the PyPA Advisory Database and the GitHub Advisory "
    "Database, under CC BY 4.0."
)
_EPSS: Final = "EPSS scores are from FIRST, first.org/epss."


class Data(msgspec.Struct, frozen=True):
    """Data that findings rest on, in words; empty where something is not known.

    `user` is who has it: the advisory store, scanners; `records` a number.
    """

    user: str
    name: str
    records: str
    updated: str
    age: str
    license: str
    origin: str
    digest: str

    @property
    def about(self) -> str:
        """In one line: "18,000 records, 2026-03-01 (3 days old), CC BY 4.0"."""
        dated = f"{self.updated} ({self.age})" if self.updated else self.age
        digest = f"sha256 {self.digest}" if self.digest else ""
        origin = f"from {self.origin}" if self.origin else ""
        records = f"{self.records} record{'s' * (self.records != '1')}" if self.records else ""
        said = (records, dated, self.license, origin, digest)
        return ", ".join(part for part in said if part)


def decided(judged: Judged) -> str:
    """The severity and who gave it: "high, by GitHub's label"."""
    severity = judged.severity
    if severity is Severity.UNKNOWN:
        return UNRATED
    sources = judged.severity_sources
    given = f", by {by(sources[0])}" if sources else ""
    return f"{severity.value}{given}"


def rated(judged: Judged) -> list[str]:
    """The severity with the word that decides it, then every other word, then if they disagree."""
    sources = judged.severity_sources
    said = [decided(judged)]
    if judged.severity is Severity.UNKNOWN:
        said += map(source, sources)
    elif sources:
        said[0] += _from(sources[0])
        said += map(source, sources[1:])
    dispute = disagreement(sources)
    return [*said, dispute] if dispute else said


def source(claim: SeverityClaim) -> str:
    """One source's word: "CVSS 3.1: 7.5, high (passed on by trivy); CVSS:3.1/AV:…"."""
    return word(claim) + (f"; {one_line(claim.vector)}" if claim.vector else "")


def word(claim: SeverityClaim) -> str:
    """As `source`, without the vector."""
    said = "gives no severity" if claim.severity is Severity.UNKNOWN else claim.severity.value
    number = score(claim.vector)
    return one_line(f"{_name(claim)}: {f'{number}, ' if number else ''}{said}{_passed(claim)}")


def _from(claim: SeverityClaim) -> str:
    return one_line(_passed(claim) + (f"; {claim.vector}" if claim.vector else ""))


def _passed(claim: SeverityClaim) -> str:
    by_whom = "OSV" if claim.scanner == "osv" else claim.scanner
    return "" if claim.source in _FIRST_HAND else f" (passed on by {by_whom})"


def by(claim: SeverityClaim) -> str:
    """The source that decides, with its number where it is one: "CVSS 3.1: 7.5"."""
    number = score(claim.vector)
    return one_line(f"{_name(claim)}: {number}" if number else _name(claim))


def _name(claim: SeverityClaim) -> str:
    return claim.scanner if claim.source == "tool" else _SOURCES.get(claim.source, claim.source)


def score(vector: str | None) -> str:
    """The base score of a CVSS vector: "7.5"; empty for none, and for what is none."""
    found = scored(vector) if vector else None
    return f"{found.value:.1f}" if found else ""


def disagreement(claims: Iterable[SeverityClaim]) -> str:
    """GitHub's label and the CVSS score where they are two levels apart or more, else empty."""
    levels = label_and_score(claims)
    return f"GitHub says {levels[0].value}, CVSS says {levels[1].value}" if levels else ""


def exploited(advisory: Advisory) -> str:
    """That it is known to be exploited, and since when; empty where it is not, or nobody knows."""
    if not advisory.kev:
        return ""
    since = f" since {one_line(advisory.kev_added[:10])}" if advisory.kev_added else ""
    return f"known to be exploited{since} (CISA)"


def likelihood(advisory: Advisory) -> str:
    """How likely an exploit is: "exploit likelihood 97 %, higher than 99 % of all (EPSS)"."""
    if advisory.epss is None:
        return ""
    rank = advisory.epss_percentile
    # Rounded first: 0.29 times 100 is a little less than 29.
    above = "" if rank is None else f", higher than {int(round(rank * 100, 6))} % of all"
    return f"exploit likelihood {_percent(advisory.epss)}{above} (EPSS)"


def _percent(share: float) -> str:
    if share >= 0.1:
        return f"{share * 100:.0f} %"
    return f"{share * 100:.1f} %" if share >= 0.001 else "under 0.1 %"


def alarms(advisory: Advisory) -> list[str]:
    """What a reader must not miss: that it is malicious, or exploited."""
    said = (MALICIOUS if advisory.malicious else "", exploited(advisory))
    return [each for each in said if each]


def dates(advisory: Advisory) -> str:
    """Where it is fixed and when it was published: "fixed in 2.8.1; published 2019-04-08".

    An advisory that was withdrawn says that first.
    """
    fixed = ", ".join(map(one_line, advisory.fixed_versions))
    said = [WITHDRAWN] if advisory.withdrawn else []
    said.append(f"fixed in {fixed}" if fixed else "no fixed version is known")
    if advisory.published:
        said.append(f"published {one_line(advisory.published[:10])}")
    return "; ".join(said)


def way(package: Package, app: str) -> str:
    """How the package comes in: "direct", "transitive: app → requests → urllib3"; or empty.

    `app` is what the target is called. Of a long way the middle is left out.
    """
    if package.direct or (package.direct is None and package.chain == (package.name,)):
        return "direct"
    if len(package.chain) > 1:
        return f"transitive: {' → '.join(map(one_line, _steps(app, package.chain)))}"
    return "" if package.direct is None else "transitive"


def _steps(app: str, chain: Sequence[str]) -> list[str]:
    steps = [app, *chain]
    left = len(steps) - _SHOWN_STEPS
    if left <= 1:
        return steps
    head = _SHOWN_STEPS // 2
    return [*steps[:head], f"… {left} more …", *steps[head - _SHOWN_STEPS :]]


def reach(package: Package, app: str) -> str:
    """Way, scope, and the lines where people ask for it, as far as anything tells."""
    way_in = way(package, app)
    asked = _places(package.asked)
    said = (way_in, package.scope.value if way_in or asked else "", asked)
    return "; ".join(part for part in said if part)


def _places(places: Sequence[Location]) -> str:
    if not places:
        return ""
    more = len(places) - _SHOWN_PLACES
    shown = ", ".join(map(at, places[:_SHOWN_PLACES]))
    return f"asked for in {shown}" + (f" and {more} more" if more > 0 else "")


def at(place: Location) -> str:
    """ "requirements.txt:3"; on one line."""
    shown = one_line(place.path)
    return f"{shown}:{place.start_line}" if place.start_line else shown


def data(report: Report) -> list[Data]:
    """What the verdict rests on: the advisory store's data, then what scanners say of their own.

    A scanner that was given the store's data has no line of its own, but is named in that.
    """
    users: dict[DataSource, list[str]] = {one: [STORE] for one in report.data}
    for run in report.runs:
        if run.data:
            users.setdefault(run.data, []).append(run.scanner)
    return [_data(", ".join(who), one, report.clock.now) for one, who in users.items()]


def _data(user: str, one: DataSource, now: datetime) -> Data:
    return Data(
        user=one_line(user),
        name=one_line(one.name),
        records="" if one.records is None else f"{one.records:,}",
        updated=f"{one.updated:%Y-%m-%d}" if one.updated else "",
        age=age(one.updated, now),
        license=one_line(one.license),
        origin=one_line(one.origin),
        digest=shorten(one_line(one.digest), _DIGEST),
    )


def age(updated: datetime | None, now: datetime) -> str:
    """ "today", "3 days old", or that nobody knows."""
    if updated is None:
        return "age not known"
    days = int((now - updated).total_seconds() // _SECONDS_A_DAY)
    if days < 0:
        return "of a time to come"
    return "today" if days == 0 else f"{counted(days, 'day')} old"


def lack(report: Report) -> str:
    """What the advisory store does not have, and what follows from it; empty where all is there.

    Empty too where there is no package that it could tell of.
    """
    if not (report.packages or any(_vulnerabilities(report))):
        return ""
    names = " ".join(one.name for one in report.data).casefold()
    missing = [kind for kind in _KINDS if kind.casefold() not in names]
    if not missing:
        return ""
    if len(missing) == len(_KINDS):
        return NO_STORE
    return f"The advisory store has no {' and no '.join(missing)}: {_SCANNERS_ONLY}"


def notices(report: Report) -> list[str]:
    """What the licences of the advisory data that the report shows ask to be said."""
    if not report.data or not any(_vulnerabilities(report)):
        return []
    return [said for said in (_OSV, _EPSS) if any(_asks(said, one) for one in report.data)]


def _asks(said: str, one: DataSource) -> bool:
    name, license_ = one.name.casefold(), one.license.casefold()
    if said is _EPSS:
        return "epss" in name
    return any(word in license_ for word in _CC_BY) and "epss" not in name


def _vulnerabilities(report: Report) -> Iterator[Judged]:
    return (one for one in report.findings if one.finding.category is Category.VULNERABILITY)
