"""Secrets in reports: their confidence in words, and the values that look like no secrets.

Pages show those values as one line with the number of each kind. The JSON report has all of them.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.model import Action, Category, Confidence, Finding, Judged, PathKind, Report
from scanagg.reports.phrases import plural
from scanagg.reports.reasons import number_of, sentence

COMMAND: Final = "scanagg explain --secrets"
"""The command that lists the values that look like no secrets."""

_SHOWN_KINDS: Final = 4
_PLACES: Final = {
    PathKind.PRODUCTION: "",
    PathKind.TESTS: " in tests",
    PathKind.DOCS: " in docs",
    PathKind.EXAMPLES: " in examples",
    PathKind.VENDORED: " in vendored code",
    PathKind.GENERATED: " in a generated file",
}


class Lookalikes(msgspec.Struct, frozen=True):
    """Values that look like no secrets for one reason, and their number ("68 digests")."""

    number: str
    reason: str
    findings: Sequence[Judged]


def confidence(finding: Finding) -> str:
    """Return "possible secret in tests: a private key"; empty for findings that are no secrets."""
    reason, kind = finding.confidence_reason, finding.path_kind
    if finding.category is not Category.SECRET or finding.confidence is Confidence.UNKNOWN:
        return ""
    why = f": {sentence(reason)}" if reason else ""
    return f"{finding.confidence.value} secret{_PLACES[kind] if kind else ''}{why}"


def is_unlikely(judged: Judged) -> bool:
    """Return True for a value that looks like no secret, and is for information only."""
    finding = judged.finding
    return (
        finding.confidence is Confidence.UNLIKELY
        and finding.category is Category.SECRET
        and judged.verdict.action is Action.INFO
    )


def set_aside(report: Report) -> tuple[Report, list[Judged]]:
    """Return the report without values that look like no secrets, and those values."""
    unlikely = list(filter(is_unlikely, report.findings))
    if not unlikely:
        return report, unlikely
    others = tuple(judged for judged in report.findings if not is_unlikely(judged))
    return replace(report, findings=others), unlikely


def lookalikes(unlikely: Iterable[Judged]) -> list[Lookalikes]:
    """Group values that look like no secrets by reason, the largest group first."""
    groups: dict[str, list[Judged]] = defaultdict(list)
    for judged in unlikely:
        reason = judged.finding.confidence_reason
        groups[reason.kind if reason else ""].append(judged)
    return [
        Lookalikes(number_of(kind, len(group)), _reason(group[0].finding), group)
        for kind, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    ]


def _reason(finding: Finding) -> str:
    return sentence(finding.confidence_reason) if finding.confidence_reason else ""


def summary(unlikely: Sequence[Judged]) -> str:
    """Return "214 values look like no secrets: 68 digests, 53 dummy passwords, …" as a sentence."""
    if not unlikely:
        return ""
    groups = lookalikes(unlikely)
    shown = groups if len(groups) <= _SHOWN_KINDS + 1 else groups[:_SHOWN_KINDS]
    kinds = [group.number for group in shown]
    others = len(unlikely) - sum(len(group.findings) for group in shown)
    if others:
        kinds.append(f"{others:,} others")
    values = plural(len(unlikely), "value looks like no secret", "values look like no secrets")
    them = "it" if len(unlikely) == 1 else "them"
    return f"{values}: {', '.join(kinds)}. List {them} with `{COMMAND}`."
