"""What the formats for people say alike: places, fixes, links, coverage, counts, in words."""

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import quote

import msgspec

from scanagg.core.text import one_line
from scanagg.model import (
    Action,
    Category,
    Judged,
    Location,
    NotExamined,
    Outcome,
    Report,
    Revision,
    Run,
    Severity,
    Status,
    Upgrade,
)
from scanagg.reports import known, remedy

OUTCOMES: Final = {
    Outcome.PASS: "Passed",
    Outcome.BLOCKED: "Blocked",
    Outcome.INCOMPLETE: "Incomplete",
}
OUTCOME_MEANS: Final = {
    Outcome.PASS: "Nothing that was found blocks under this policy.",
    Outcome.BLOCKED: "The policy blocks on what was found.",
    Outcome.INCOMPLETE: (
        "This is not a pass: a required scanner did not do its work, "
        "so there may be problems that nobody has looked for."
    ),
}
STATUSES: Final = {
    Status.OK: "ok",
    Status.DEGRADED: "degraded",
    Status.EMPTY: "examined nothing",
    Status.FAILED: "failed",
    Status.TIMEOUT: "timed out",
    Status.MISSING: "missing",
    Status.NOT_APPLICABLE: "not applicable",
}
CATEGORIES: Final = {
    Category.VULNERABILITY: "Vulnerabilities",
    Category.CODE: "Code",
    Category.SECRET: "Secrets",
    Category.LICENSE: "Licences",
    Category.MISCONFIGURATION: "Misconfigurations",
}
# Worst first, unknown where it belongs in a list sorted by urgency.
SEVERITIES: Final = tuple(sorted(Severity, key=lambda severity: severity.order))

_WEB: Final = re.compile(r"https?://[^\s<>\"'\\^`{|}]+", re.IGNORECASE)
_ADVISORY_PAGES: Final = {
    "CVE": "https://www.cve.org/CVERecord?id=",
    "GHSA": "https://github.com/advisories/",
    "PYSEC": "https://osv.dev/vulnerability/",
    "OSV": "https://osv.dev/vulnerability/",
    "MAL": "https://osv.dev/vulnerability/",
}
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9.-]+")
_CODE_PAGES: Final = {"github.com": "blob", "gitlab.com": "-/blob"}


class Gap(msgspec.Struct, frozen=True):
    """Something that was not examined: by whom, how that came about, and the inputs by name."""

    who: str
    what: str
    inputs: tuple[NotExamined, ...] = ()


class Counts(msgspec.Struct, frozen=True):
    """How many findings there are of each kind. A finding counts once for each of its scanners."""

    total: int
    actions: Counter[Action]
    cells: Counter[tuple[Category, Severity]]
    scanners: Counter[str]

    def categories(self) -> list[Category]:
        """The categories that there are findings of, in the model's order."""
        return [category for category in Category if self.of(category)]

    def of(self, category: Category) -> int:
        """How many findings a category has."""
        return sum(self.cells[category, severity] for severity in Severity)

    def severities(self, category: Category | None = None) -> dict[Severity, int]:
        """How many of each severity, worst first, none left out; of one category or of all."""
        wanted = list(Category) if category is None else [category]
        return {
            severity: sum(self.cells[one, severity] for one in wanted) for severity in SEVERITIES
        }


def count(findings: Sequence[Judged]) -> Counts:
    """Count findings in one pass."""
    return Counts(
        total=len(findings),
        actions=Counter(judged.verdict.action for judged in findings),
        cells=Counter((judged.finding.category, judged.severity) for judged in findings),
        scanners=Counter(name for judged in findings for name in judged.finding.scanners),
    )


def gaps(report: Report) -> list[Gap]:
    """Everything that was not examined, in the runs' order; what no scanner was given stands last.

    A run with nothing of its kind to examine is no gap.
    """
    found = [_gap(run) for run in report.runs if _has_gap(run)]
    skipped = tuple(one for one in report.target.skipped if not one.on_purpose)
    if skipped:
        what = plural(len(skipped), "file") + " given to no scanner"
        found.append(Gap(report.target.name, what, skipped))
    return found


def complete(report: Report) -> bool:
    """Whether something was examined and nothing was left out: the ground for "no findings"."""
    examined = any(run.coverage.examined for run in report.runs)
    return report.gate.outcome is Outcome.PASS and examined and not gaps(report)


def _has_gap(run: Run) -> bool:
    if run.status not in (Status.OK, Status.NOT_APPLICABLE):
        return True
    left = [one for one in run.coverage.not_examined if one.on_purpose]
    return run.coverage.examined + len(left) < run.coverage.found


def _gap(run: Run) -> Gap:
    words = [] if run.status is Status.OK else [STATUSES[run.status]]
    words.append(one_line(run.detail) if run.detail else f"{examined(run)} examined")
    return Gap(run.scanner, ": ".join(words), run.coverage.not_examined)


def examined(run: Run) -> str:
    """ "2 of 3 files", or that there was nothing to examine."""
    coverage = run.coverage
    if not coverage.found:
        return "nothing to examine"
    return f"{coverage.examined:,} of {coverage.found:,} {one_line(coverage.unit)}"


def data_age(run: Run, now: datetime) -> str | None:
    """The scanner's data with its date and age in days; None where it has none on record."""
    if run.data is None:
        return None
    if run.data.updated is None:
        return f"{one_line(run.data.name)}: age not known"
    age = known.age(run.data.updated, now)
    return f"{one_line(run.data.name)}: {run.data.updated:%Y-%m-%d} ({age})"


def plural(number: int, word: str) -> str:
    """ "1 file", "2,000 files"."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"


def place(location: Location | None) -> str:
    """ "app/db.py:5", "app/db.py", or nothing; on one line."""
    return known.at(location) if location else ""


def fix(judged: Judged, upgrade: Upgrade | None = None) -> str:
    """What to do about a finding in one sentence, as far as anyone has said."""
    return remedy.sentence(judged, upgrade) or one_line(judged.finding.rule.help)


def web_url(url: str | None) -> str | None:
    """`url` if a browser may be sent there: http or https, and nothing odd in it."""
    return url if url and url.isprintable() and _WEB.fullmatch(url) else None


def https_url(url: str) -> str | None:
    """As `web_url`, for addresses that anybody may have written: https only."""
    return web_url(url) if url[:8].lower() == "https://" else None


def advisory_url(name: str) -> str | None:
    """The public page of an advisory id; None for an id of an unknown kind."""
    page = _ADVISORY_PAGES.get(name.partition("-")[0])
    return page + name if page and _PLAIN_ID.fullmatch(name) else None


def cwe_url(name: str) -> str | None:
    """The page of a weakness, `CWE-78`."""
    number = name.removeprefix("CWE-")
    if not (number.isascii() and number.isdigit()):
        return None
    return f"https://cwe.mitre.org/data/definitions/{number}.html"


def code_url(revision: Revision | None) -> str | None:
    """The address that a path of the target is appended to, to see it at the commit checked.

    None where the host's addresses are not known, or the files differ from the commit.
    """
    if revision is None or revision.dirty or not revision.commit:
        return None
    url = web_url(revision.repository)
    if url is None:
        return None
    bare = url.rstrip("/").removesuffix(".git")
    kind = _CODE_PAGES.get(bare.split("/")[2].lower())
    if kind is None:
        return None
    prefix = quote(revision.prefix.strip("/"))
    return f"{bare}/{kind}/{quote(revision.commit)}/" + (f"{prefix}/" if prefix else "")
