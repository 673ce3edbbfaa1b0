"""The rules of one run of a SARIF log: collected from its findings, described for a reader."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

import sarif_om

from scanagg.model import Category, Confidence, Judged, Rule, Severity
from scanagg.reports.links import advisory_url, cwe_url
from scanagg.reports.sarif.known import help_lines, pages
from scanagg.reports.sarif.text import (
    DESCRIPTION_LENGTH,
    https,
    markdown,
    pascal,
    phrase,
    rule_id,
    sentence,
)

# GitHub knows three levels. What nobody has scored may be bad: it is no note.
LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.UNKNOWN: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
MESSAGE: Final = "default"

# The middle of each band of CVSS 3 that GitHub names critical, high, medium and low. Info and
# unknown have no number: the least one would make them "low".
_SCORES: Final = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
}
_PRECISIONS: Final = {
    Confidence.HIGH: "high",
    Confidence.MEDIUM: "medium",
    Confidence.LOW: "low",
}
_HELP: Final = {
    Category.VULNERABILITY: "Update the package to a version with the fix, or stop using it.",
    Category.CODE: "Change the code so that it no longer does this.",
    Category.SECRET: "Revoke the secret, issue a new one, and keep that out of the code.",
    Category.LICENSE: "Find out whether the project may use the package on these terms.",
    Category.MISCONFIGURATION: "Change the configuration as the rule asks.",
}
_MOST_WEAKNESSES: Final = 6


@dataclass(slots=True)
class _Seen:
    """What the findings of one rule have in common."""

    rule: Rule
    category: Category
    first: Judged | None = None
    levels: set[str] = field(default_factory=set)
    severities: set[Severity] = field(default_factory=set)
    confidences: set[Confidence] = field(default_factory=set)


class RuleBook:
    """The rules that a run's findings broke, sorted by id.

    A run without findings declares one rule of its own, since a run without any rule is taken for
    one whose rules were forgotten. `page` is the scanner's own, where a rule has none.
    """

    def __init__(self, findings: Iterable[Judged], scanner: str, page: str) -> None:
        """Read all findings once."""
        self._page = page
        seen: dict[str, _Seen] = {}
        for judged in findings:
            finding = judged.finding
            entry = seen.get(finding.rule.id)
            if entry is None:
                entry = seen[finding.rule.id] = _Seen(finding.rule, finding.category, judged)
            entry.levels.add(LEVELS[judged.severity])
            entry.severities.add(judged.severity)
            entry.confidences.add(finding.confidence)
        by_id = {rule_id(name): entry for name, entry in seen.items()}
        self._entries = dict(sorted(by_id.items())) or _declared(scanner)
        numbers = {identifier: number for number, identifier in enumerate(self._entries)}
        self._known = {name: (rule_id(name), numbers[rule_id(name)]) for name in seen}

    def find(self, rule: Rule) -> tuple[str, int]:
        """The id and the index of a finding's rule."""
        return self._known[rule.id]

    def descriptors(self) -> Sequence[sarif_om.ReportingDescriptor]:
        """The rules as SARIF describes them."""
        return [self._descriptor(name, entry) for name, entry in self._entries.items()]

    def _descriptor(self, identifier: str, seen: _Seen) -> sarif_om.ReportingDescriptor:
        rule = seen.rule
        short = _title(seen, identifier)
        advice = sentence(rule.help, DESCRIPTION_LENGTH) or _HELP[seen.category]
        page = self._help_page(rule)
        return sarif_om.ReportingDescriptor(
            id=identifier,
            name=pascal(rule.name or rule.id, identifier),
            short_description=_text(short),
            full_description=_text(sentence(f"{short} {advice}", DESCRIPTION_LENGTH)),
            help_uri=page,
            help=_help(seen, short, advice, page),
            message_strings={MESSAGE: _text(_pattern(short))},
            default_configuration=sarif_om.ReportingConfiguration(level=_level(seen.levels)),
            properties=_properties(seen, identifier),
        )

    def _help_page(self, rule: Rule) -> str:
        pages = (rule.url, advisory_url(rule.id), *map(cwe_url, rule.cwe))
        return next((page for page in map(https, pages) if page), self._page)


def _help(seen: _Seen, short: str, advice: str, page: str) -> sarif_om.MultiformatMessageString:
    """What a reader can do and know, of an advisory with its names, severities and pages."""
    advisory = seen.first.finding.advisory if seen.first else None
    lines = list(help_lines(seen.first)) if seen.first else []
    others = [one for one in pages(advisory) if one != page] if advisory else []
    known = "".join(f"\n- {marked}" for _, marked in lines)
    more = "".join(f"\n- <{one}>" for one in others)
    blocks = (f"**{markdown(short)}**", markdown(advice), known, f"[More about it]({page})", more)
    return sarif_om.MultiformatMessageString(
        text=" ".join((short, advice, *(line for line, _ in lines), f"More about it: {page}")),
        markdown="\n\n".join(block.strip("\n") for block in blocks if block),
    )


def _declared(scanner: str) -> dict[str, _Seen]:
    rule = Rule("SCANAGG-1", "any_finding", f"Something that {scanner} finds in the project.")
    return {rule.id: _Seen(rule, Category.CODE, levels={"warning"})}


def _title(seen: _Seen, identifier: str) -> str:
    """The rule in one sentence; an advisory's begins with its id, which is what people look for."""
    rule = seen.rule
    words = phrase(rule.title) or phrase(rule.name) or identifier
    if seen.category is Category.VULNERABILITY and rule.id not in words:
        words = f"{phrase(rule.id)}: {words}"
    return sentence(words, DESCRIPTION_LENGTH // 2)


def _pattern(short: str) -> str:
    """The message for one finding; braces stand for themselves when doubled."""
    doubled = short.replace("{", "{{").replace("}", "}}")
    return f"{doubled} It concerns '{{0}}'."


def _text(text: str) -> sarif_om.MultiformatMessageString:
    return sarif_om.MultiformatMessageString(text=text)


def _level(levels: set[str]) -> str:
    """The rule's own level: "warning" if any finding has that, since tools drop that word.

    They write a result without it, and a reader then takes the rule's level for the result's.
    """
    return next(level for level in ("warning", "error", "note") if level in levels)


def _properties(seen: _Seen, identifier: str) -> dict[str, object]:
    made: dict[str, object] = {"tags": _tags(seen, identifier)}
    precision = min(seen.confidences & _PRECISIONS.keys(), key=lambda one: one.order, default=None)
    if precision is not None:
        made["precision"] = _PRECISIONS[precision]
    known = seen.severities & _SCORES.keys()
    if known and seen.category is not Category.LICENSE:
        made["security-severity"] = _SCORES[min(known, key=lambda one: one.order)]
    return made


def _tags(seen: _Seen, identifier: str) -> list[str]:
    kind = "compliance" if seen.category is Category.LICENSE else "security"
    numbers = [cwe.removeprefix("CWE-") for cwe in seen.rule.cwe]
    weaknesses = [f"external/cwe/cwe-{number:0>3}" for number in numbers if number.isdecimal()]
    own = [] if seen.rule.id == identifier else [phrase(seen.rule.id)]
    tags = [kind, seen.category.value, *weaknesses[:_MOST_WEAKNESSES], *own]
    return list(dict.fromkeys(tags))
