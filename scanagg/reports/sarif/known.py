"""What is known of vulnerabilities, as SARIF holds it: help of a rule, upgrades and data."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from scanagg.model import Advisory, Constraint, DataSource, Judged, Upgrade
from scanagg.reports import phrases
from scanagg.reports.links import advisory_url
from scanagg.reports.sarif.text import https, markdown, phrase, sentence, time

_MOST_NAMES: Final = 20
_MOST_PAGES: Final = 10


def help_lines(judged: Judged) -> Iterator[tuple[str, str]]:
    """What is known of an advisory, each as text and as markdown: nothing of one package's."""
    advisory = judged.finding.advisory
    if advisory is None:
        return
    names = [name for name in advisory.aliases if name != judged.finding.rule.id][:_MOST_NAMES]
    if names:
        linked = ", ".join(map(_named, names))
        yield sentence(f"Also called {', '.join(names)}"), f"Also called {linked}."
    # What the policy sets, it may set for some findings of the rule only.
    sources = [one for one in judged.severity_sources if one.source not in phrases.POLICY_SOURCES]
    words = (*map(phrases.severity_claim, sources), phrases.disagreement(sources))
    for line in filter(None, (*words, *phrases.alarms(advisory), *_dated(advisory))):
        text = sentence(line[:1].upper() + line[1:])
        yield text, markdown(text)


def pages(advisory: Advisory) -> list[str]:
    """Where more can be read: absolute https addresses only."""
    found = (https(page) for page in advisory.references)
    return [page for page in found if page][:_MOST_PAGES]


def _dated(advisory: Advisory) -> Iterator[str]:
    if advisory.published:
        yield f"published {advisory.published[:10]}"
    if advisory.withdrawn:
        yield phrases.WITHDRAWN
    if likely := phrases.likelihood(advisory):
        yield likely


def _named(name: str) -> str:
    page = https(advisory_url(name))
    return f"[{markdown(phrase(name))}]({page})" if page else markdown(phrase(name))


def upgrades_of(
    findings: Iterable[Judged], upgrades: Mapping[str, Upgrade]
) -> list[dict[str, object]]:
    """The upgrades of the packages that findings are about, in the report's order."""
    purls = {
        judged.finding.package.purl
        for judged in findings
        if judged.finding.package and judged.finding.advisory
    }
    return [upgrade(one) for purl, one in upgrades.items() if purl in purls]


def upgrade(one: Upgrade) -> dict[str, object]:
    """What to do about a package."""
    return {
        "package": one.package.purl,
        "to": one.to,
        "step": one.step and one.step.value,
        "toUnblock": one.to_unblock,
        "clears": list(one.clears),
        "unblocks": list(one.unblocks),
        "stays": list(one.stays),
        "allowed": one.allowed,
        "hinderedBy": [_constraint(each) for each in one.hindered_by],
        "change": list(one.change),
        "checked": one.checked,
    }


def _constraint(one: Constraint) -> dict[str, object]:
    place = phrases.place(one.place) if one.place else None
    return {"by": one.by or None, "asks": phrase(one.text or one.specifier), "place": place}


def data(one: DataSource) -> dict[str, object]:
    """Data that findings are judged by; what is not known of it is left out."""
    made: dict[str, object] = {
        "name": phrase(one.name),
        "updated": time(one.updated) if one.updated else None,
    }
    more = {
        "digest": one.digest,
        "records": one.records,
        "origin": phrase(one.origin),
        "license": phrase(one.license),
        "fetched": time(one.fetched) if one.fetched else None,
    }
    return made | {key: value for key, value in more.items() if value not in ("", None)}
