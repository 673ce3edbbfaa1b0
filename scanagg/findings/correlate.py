"""Merge the observations of one weakness into a finding, and keep every witness."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from scanagg.core.text import printable
from scanagg.findings.fingerprint import Identity, fingerprint
from scanagg.findings.normalise import is_secret
from scanagg.model import (
    Advisory,
    Category,
    Finding,
    Location,
    Observation,
    Package,
    Parts,
    Rule,
    Severity,
    Witness,
    location_key,
    sorted_locations,
)
from scanagg.model.advisories import earliest, id_order, is_malware, pages, retold
from scanagg.model.project import fixes
from scanagg.scanners.base import scanner_info

_SHORT_ID: Final = 12


def correlate(observations: Iterable[Observation], identity: Identity) -> tuple[Finding, ...]:
    """Return one finding per weakness. The order of the observations does not matter.

    Merged are: vulnerabilities of one package version with a common id; licences of one package;
    secrets on overlapping lines or with one digest; code findings of different scanners on
    overlapping lines with a common CWE; and equal observations.
    """
    by_category: dict[Category, list[Observation]] = defaultdict(list)
    for observation in observations:
        by_category[observation.category].append(observation)
    secrets, code = _passwords(by_category[Category.SECRET], by_category[Category.CODE])
    groups = [
        *_grouped(by_category[Category.VULNERABILITY], _package_key, _same_advisory),
        *_grouped(by_category[Category.LICENSE], _package_key, lambda _one, _other: True),
        *_grouped(secrets, lambda _one: "", _same_secret, _secret_links),
        *_grouped(code, _path_key, _same_code, _overlaps),
        *_grouped(by_category[Category.MISCONFIGURATION], _path_key, _equal, _overlaps),
    ]
    # Titles and messages repeat a lot: benchmarks/reports.py shows the difference.
    shown = lru_cache(maxsize=4096)(lambda text: identity.redactor.text(printable(text)))
    # The first observation of a group leads, by scanner, rule and place.
    ordered = [sorted(group, key=_observation_key) if group[1:] else group for group in groups]
    ordinals: dict[Parts, int] = defaultdict(int)
    findings = []
    for group in sorted(ordered, key=_group_key):
        lead = _lead(group)
        parts = identity.parts(lead)
        digest = fingerprint(parts, ordinals[parts])
        ordinals[parts] += 1
        findings.append(_finding(group, lead, parts, digest, identity, shown))
    return tuple(findings)


def _passwords(
    secrets: list[Observation], code: list[Observation]
) -> tuple[list[Observation], list[Observation]]:
    """Move guessed passwords from code to secrets if there is a secret on the same lines."""
    lines: dict[str, set[int]] = defaultdict(set)
    for secret in secrets:
        if secret.location:
            lines[secret.location.path].update(_span(secret.location))
    all_secrets, other_code = [*secrets], []
    for observation in code:
        place = observation.location
        is_guess = observation.rule.id in scanner_info(observation.scanner).guessing_rules
        if is_guess and place and not lines[place.path].isdisjoint(_span(place)):
            all_secrets.append(observation)
        else:
            other_code.append(observation)
    return all_secrets, other_code


def _span(location: Location) -> range:
    first = location.start_line or 0
    return range(first, (location.last_line or first) + 1)


# Grouping: within one key, the pairs of `links` are compared, and those that are the `same` are
# merged, transitively.

_Pairs = Iterator[tuple[int, int]]


def _all_pairs(bucket: Sequence[Observation]) -> _Pairs:
    for other in range(len(bucket)):
        for one in range(other):
            yield one, other


def _grouped(
    observations: Sequence[Observation],
    key: Callable[[Observation], Hashable],
    same: Callable[[Observation, Observation], bool],
    links: Callable[[Sequence[Observation]], _Pairs] = _all_pairs,
) -> Iterator[list[Observation]]:
    """Yield the groups, by union-find over the pairs that are the same."""
    buckets: dict[Hashable, list[Observation]] = defaultdict(list)
    for observation in observations:
        buckets[key(observation)].append(observation)
    for bucket in buckets.values():
        if len(bucket) == 1:
            yield bucket
            continue
        parents = list(range(len(bucket)))
        for one, other in links(bucket):
            if same(bucket[one], bucket[other]):
                parents[_root(parents, other)] = _root(parents, one)
        groups: dict[int, list[Observation]] = defaultdict(list)
        for index, observation in enumerate(bucket):
            groups[_root(parents, index)].append(observation)
        yield from groups.values()


def _root(parents: list[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


def _overlaps(bucket: Sequence[Observation]) -> _Pairs:
    """Yield pairs whose lines overlap, by a sweep over the lines of one file."""
    spans = [_span(one.location) if one.location else range(0) for one in bucket]
    order = sorted(range(len(bucket)), key=lambda index: (spans[index].start, spans[index].stop))
    current: list[int] = []
    for index in order:
        current = [other for other in current if spans[other].stop > spans[index].start]
        for other in current:
            yield other, index
        current.append(index)


def _secret_links(bucket: Sequence[Observation]) -> _Pairs:
    """Yield pairs of secrets that overlap in one file, and those with one digest in any file."""
    by_path: dict[str, list[int]] = defaultdict(list)
    by_digest: dict[str, list[int]] = defaultdict(list)
    for index, observation in enumerate(bucket):
        by_path[_path_key(observation)].append(index)
        if observation.secret and observation.secret.digest:
            by_digest[observation.secret.digest].append(index)
    for indexes in by_path.values():
        for one, other in _overlaps([bucket[index] for index in indexes]):
            yield indexes[one], indexes[other]
    for indexes in by_digest.values():
        for index in indexes[1:]:
            yield indexes[0], index


def _package_key(observation: Observation) -> Hashable:
    return observation.package.purl.partition("?")[0] if observation.package else ""


def _path_key(observation: Observation) -> str:
    return observation.location.path if observation.location else ""


def _same_advisory(one: Observation, other: Observation) -> bool:
    if one.advisory is None or other.advisory is None:
        return False
    return not one.advisory.ids.isdisjoint(other.advisory.ids)


def _same_secret(one: Observation, other: Observation) -> bool:
    """Return True for a pair of `_secret_links`, unless one scanner reports two values."""
    if one.scanner != other.scanner or one.secret is None or other.secret is None:
        return True
    digests = {one.secret.digest, other.secret.digest}
    return len(digests) == 1 or None in digests


def _same_code(one: Observation, other: Observation) -> bool:
    if one.scanner == other.scanner:
        return _equal(one, other)
    same_weakness = not set(one.rule.cwe).isdisjoint(other.rule.cwe)
    return same_weakness or _unaliased(one) == _unaliased(other)


def _equal(one: Observation, other: Observation) -> bool:
    """Return True for the same rule at the same place, by one scanner or two."""
    same_text = one.rule.id != other.rule.id or one.message == other.message
    same_rule = _unaliased(one) == _unaliased(other)
    return same_rule and one.location == other.location and same_text


def _unaliased(observation: Observation) -> str:
    aliases = scanner_info(observation.scanner).rule_aliases
    return aliases.get(observation.rule.id, observation.rule.id)


# From groups to findings.


def _observation_key(observation: Observation) -> tuple[object, ...]:
    scanner, rule, place = observation.scanner, observation.rule.id, observation.location
    # A guess never leads: the scanner that looks for secrets describes them better.
    is_guess = rule in scanner_info(scanner).guessing_rules
    where = location_key(place) if place else ("", 0, 0, 0, 0)
    version = observation.package.purl if observation.package else ""
    return is_guess, scanner, rule, where, version, observation.message


def _group_key(group: Sequence[Observation]) -> tuple[object, ...]:
    _, _, rule, where, version, message = _observation_key(group[0])
    return group[0].category.value, where, version, rule, message


def _lead(group: Sequence[Observation]) -> Observation:
    """Return the first observation, with the advisory of the whole group."""
    first = group[0]
    if first.category is not Category.VULNERABILITY or first.advisory is None:
        return first
    advisory = merged_advisory([one.advisory for one in group if one.advisory], first.package)
    message = retold(first.message, first.advisory.fixed_versions, advisory.fixed_versions)
    # The shortest title with more than an id. Longer ones are sentences that were cut.
    titles = [one for one in group if one.title and one.rule.id not in one.title]
    titled = min(titles or [first], key=lambda one: len(one.title))
    title, rule_title = titled.title, titled.rule.title
    if advisory.malicious:
        package = first.package
        shown = f"{package.name} {package.version}" if package else title
        names = ", ".join(sorted(filter(is_malware, advisory.ids)))
        title = f"{shown} is a malicious package ({names}): remove it"
        rule_title = "Malicious package"
        message = f"{title}. {message}"
    rule = Rule(
        id=advisory.id,
        name=advisory.id,
        title=rule_title,
        url=advisory.url,
        cwe=tuple(sorted({cwe for one in group for cwe in one.rule.cwe})),
        help=titled.rule.help,
    )
    return replace(first, advisory=advisory, rule=rule, title=title, message=message)


def merged_advisory(advisories: Sequence[Advisory], package: Package | None = None) -> Advisory:
    """Merge advisories with common ids into one, shown by CVE, else GHSA, else PYSEC.

    It has the data of all of them, and where they differ the worst: the earliest day of
    exploitation, the highest score. It is withdrawn only if all are. With a `package`, it has only
    the versions that fix this install of it.
    """
    ids = sorted({name for advisory in advisories for name in advisory.ids}, key=id_order)
    named = [advisory for advisory in advisories if advisory.id == ids[0]]
    urls = [advisory.url for advisory in (*named, *advisories) if advisory.url]
    exploited = [advisory.kev for advisory in advisories if advisory.kev is not None]
    scores = [(one.epss, one.epss_percentile) for one in advisories if one.epss is not None]
    epss, percentile = max(scores, key=lambda pair: (pair[0], pair[1] or 0.0), default=(None, None))
    return Advisory(
        id=ids[0],
        aliases=tuple(ids[1:]),
        fixed_versions=fixes((text for one in advisories for text in one.fixed_versions), package),
        published=earliest(advisory.published for advisory in advisories),
        url=urls[0] if urls else None,
        withdrawn=all(advisory.withdrawn for advisory in advisories),
        kev=any(exploited) if exploited else None,
        epss=epss,
        kev_added=earliest(advisory.kev_added for advisory in advisories),
        epss_percentile=percentile,
        references=pages(address for one in advisories for address in one.references),
    )


def _finding(
    group: Sequence[Observation],
    lead: Observation,
    parts: Parts,
    digest: str,
    identity: Identity,
    shown: Callable[[str], str],
) -> Finding:
    sources, place = identity.sources, lead.location
    snippet = line_hash = None
    if place and place.start_line:
        line = sources.line(place.path, place.start_line)
        if line is not None:
            snippet = printable(identity.redactor.line(place.path, place.start_line, line))
            # Code scanning recognises alerts by the hash of the line, which a secret must not have.
            has_hash = lead.category in (Category.CODE, Category.MISCONFIGURATION)
            if has_hash and not is_secret(lead):
                line_hash = sources.file(place.path).line_hashes[place.start_line - 1]
    # A finding is hidden only if every observation is.
    hidden_by = dict.fromkeys(one.in_source for one in group)
    return Finding(
        id=digest[:_SHORT_ID],
        fingerprint=digest,
        category=lead.category,
        rule=lead.rule,
        title=shown(lead.title),
        message=shown(lead.message),
        claims=tuple(dict.fromkeys(claim for one in group for claim in one.claims)),
        confidence=min((one.confidence for one in group), key=lambda value: value.order),
        location=place,
        places=sorted_locations(
            place for one in group for place in (*one.places, one.location) if place
        ),
        witnesses=tuple(map(_witness, group)),
        snippet=snippet,
        line_hash=line_hash,
        package=lead.package,
        advisory=lead.advisory,
        license=lead.license,
        resource=lead.resource,
        parts=parts,
        evidence=identity.evidence(lead),
        in_source="" if "" in hidden_by else ", ".join(hidden_by),
    )


def _witness(observation: Observation) -> Witness:
    scanner = observation.scanner
    claims = [claim for claim in observation.claims if claim.scanner == scanner]
    own = [claim for claim in claims if claim.source == "tool"] or claims
    return Witness(scanner, observation.rule.id, own[0].severity if own else Severity.UNKNOWN)
