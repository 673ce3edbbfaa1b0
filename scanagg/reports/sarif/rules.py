"""The rules of one run of a SARIF log: collected from its findings, described for a reader."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
import sarif_om

from scanagg.model import Advisory, Category, Confidence, Judged, Rule, Severity, disagreement
from scanagg.reports import phrases
from scanagg.reports.links import advisory_url, cwe_url
from scanagg.reports.reasons import sentences
from scanagg.reports.sarif.values import (
    DESCRIPTION_LENGTH,
    fenced,
    https,
    literal,
    markdown,
    pascal,
    phrase,
    rule_id,
    sentence,
)

# GitHub has three levels. An unknown severity may be high, so it is more than a note.
_LEVELS: Final = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.UNKNOWN: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
_BY_URGENCY: Final = ("error", "warning", "note")
# The highest level of a secret that may not be real, whatever its severity.
_DOUBTFUL: Final = {Confidence.POSSIBLE: "warning", Confidence.UNLIKELY: "note"}
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
    Confidence.LIKELY: "high",
    Confidence.POSSIBLE: "medium",
    Confidence.UNLIKELY: "low",
}
_MOST_WEAKNESSES: Final = 6
_MOST_NAMES: Final = 20
_MOST_PAGES: Final = 10


def level_of(judged: Judged) -> str:
    """Return the level of a finding: that of its severity, or a lower one for a doubtful secret.

    "error" is only for secrets that are likely, because GitHub fails a pull request for an error.
    """
    level = _LEVELS[judged.severity]
    lower = _DOUBTFUL.get(judged.finding.confidence, level)
    return max(level, lower, key=_BY_URGENCY.index)


class _RuleFindings(msgspec.Struct):
    """A rule, and what its findings have in common."""

    rule: Rule
    category: Category
    first: Judged | None = None
    levels: set[str] = msgspec.field(default_factory=set)
    severities: set[Severity] = msgspec.field(default_factory=set)
    confidences: set[Confidence] = msgspec.field(default_factory=set)


class SarifRules:
    """The rules of a run's findings, sorted by id.

    A run without findings declares one rule of its own, because viewers treat a run without rules
    as incomplete. `page` is the scanner's home page, for rules without a page.
    """

    def __init__(self, findings: Iterable[Judged], scanner: str, page: str) -> None:
        """Read all findings once."""
        self._page = page
        by_name: dict[str, _RuleFindings] = {}
        # The help of a rule is for its surest finding.
        for judged in sorted(findings, key=lambda judged: judged.finding.confidence.order):
            finding = judged.finding
            entry = by_name.get(finding.rule.id)
            if entry is None:
                entry = by_name[finding.rule.id] = _RuleFindings(
                    finding.rule, finding.category, judged
                )
            entry.levels.add(level_of(judged))
            entry.severities.add(judged.severity)
            entry.confidences.add(finding.confidence)
        if not by_name:
            title = f"Any finding of {scanner}."
            rule = Rule("SCANAGG-1", "any_finding", title)
            by_name[rule.id] = _RuleFindings(rule, Category.CODE, levels={"warning"})
        by_id = {rule_id(name): entry for name, entry in by_name.items()}
        self._entries = dict(sorted(by_id.items()))
        numbers = {identifier: number for number, identifier in enumerate(self._entries)}
        self._ids = {name: (rule_id(name), numbers[rule_id(name)]) for name in by_name}

    def find(self, rule: Rule) -> tuple[str, int]:
        """Return the id and the index of a finding's rule."""
        return self._ids[rule.id]

    def descriptors(self) -> Iterator[sarif_om.ReportingDescriptor]:
        """Yield the rules as SARIF describes them."""
        for identifier, entry in self._entries.items():
            rule = entry.rule
            words = phrase(rule.title or rule.name) or identifier
            if entry.category is Category.VULNERABILITY and rule.id not in words:
                words = f"{phrase(rule.id)}: {words}"  # people search for the id
            short = sentence(words, DESCRIPTION_LENGTH // 2)
            advice = sentence(phrases.rule_help(rule, entry.category), DESCRIPTION_LENGTH)
            why = sentence(rule.why, DESCRIPTION_LENGTH)
            blocks = [f"{words}:\n{literal(code)}" for words, code in phrases.example(rule)]
            about = " ".join(filter(None, (short, why, advice)))
            pages = (rule.url, advisory_url(rule.id), *map(cwe_url, rule.cwe))
            page = next(filter(None, map(https, pages)), self._page)
            doubled = short.replace("{", "{{").replace("}", "}}")
            # Some tools drop the level "warning" from a result. Readers then use the rule's level,
            # so it has to be "warning" if any finding has that level.
            level = min(entry.levels, key=("warning", "error", "note").index)
            yield sarif_om.ReportingDescriptor(
                id=identifier,
                name=pascal(rule.name or rule.id, identifier),
                short_description=_text(short),
                full_description=_text(sentence(about, DESCRIPTION_LENGTH)),
                help_uri=page or None,
                help=sarif_om.MultiformatMessageString(
                    text="\n\n".join(filter(None, (about, *blocks, page))),
                    markdown="\n\n".join(filter(None, _help(entry, short, why, advice, page))),
                ),
                message_strings={MESSAGE: _text(f"{doubled} Affected: '{{0}}'.")},
                default_configuration=sarif_om.ReportingConfiguration(level=level),
                properties=_properties(entry, identifier),
            )


def _text(text: str) -> sarif_om.MultiformatMessageString:
    return sarif_om.MultiformatMessageString(text=text)


def _help(entry: _RuleFindings, short: str, why: str, advice: str, page: str) -> Iterator[str]:
    """Yield blocks of Markdown about the rule, and of an advisory names, severities and pages."""
    yield f"**{markdown(short)}**"
    yield markdown(why)
    yield f"**What to do:** {markdown(advice)}"
    for words, code in phrases.example(entry.rule):
        yield f"{words}:"
        yield fenced(literal(code))
    advisory = entry.first.finding.advisory if entry.first else None
    if entry.first and advisory:
        yield "\n".join(f"- {fact}" for fact in _facts(entry.first, advisory))
    if page:
        yield f"[More information]({page})"
    references = list(filter(None, map(https, advisory.references))) if advisory else []
    if references:
        yield "\n".join(f"- <{url}>" for url in references[:_MOST_PAGES] if url != page)


def _facts(judged: Judged, advisory: Advisory) -> Iterator[str]:
    """Yield the facts of an advisory as Markdown, without those of one package."""
    names = [name for name in advisory.aliases if name != judged.finding.rule.id][:_MOST_NAMES]
    links = []
    for name in names:
        page, shown = https(advisory_url(name)), markdown(phrase(name))
        links.append(f"[{shown}]({page})" if page else shown)
    if links:
        yield f"Also known as {', '.join(links)}."
    # A policy may set a severity for only some findings of the rule.
    claims = [
        claim for claim in judged.severity_sources if claim.source not in phrases.POLICY_SOURCES
    ]
    facts = (
        *map(phrases.severity_claim, claims),
        sentences(disagreement(claims)),
        *phrases.alarms(advisory),
        f"published {advisory.published[:10]}" if advisory.published else "",
        phrases.WITHDRAWN if advisory.withdrawn else "",
        phrases.likelihood(advisory),
    )
    for fact in filter(None, facts):
        yield markdown(sentence(fact[:1].upper() + fact[1:]))


def _properties(entry: _RuleFindings, identifier: str) -> dict[str, object]:
    kind = "compliance" if entry.category is Category.LICENSE else "security"
    numbers = filter(str.isdecimal, (cwe.removeprefix("CWE-") for cwe in entry.rule.cwe))
    weaknesses = [f"external/cwe/cwe-{number:0>3}" for number in numbers]
    own = [] if entry.rule.id == identifier else [phrase(entry.rule.id)]
    tags = [kind, entry.category.value, *weaknesses[:_MOST_WEAKNESSES], *own]
    properties: dict[str, object] = {"tags": list(dict.fromkeys(tags))}
    confidences = entry.confidences & _PRECISIONS.keys()
    if confidences:
        properties["precision"] = _PRECISIONS[min(confidences, key=lambda item: item.order)]
    severities = entry.severities & _SCORES.keys()
    if severities and entry.category is not Category.LICENSE:
        properties["security-severity"] = _SCORES[min(severities, key=lambda item: item.order)]
    return properties
