"""Observations become findings: what is the same weakness is merged, and every witness kept."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from msgspec.structs import replace

from scanagg.core.redact import Redactor
from scanagg.core.text import printable
from scanagg.findings.fingerprint import Identity, fingerprint
from scanagg.findings.normalise import PASSWORD_RULES, is_secret
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
    SeverityClaim,
    Witness,
    location_key,
    sorted_locations,
)
from scanagg.model.advisories import id_order, is_malware
from scanagg.model.published import earliest, fixes, pages, retold
from scanagg.project.sources import Sources

# Rules of one scanner that say the same of the same line: in one real report 47 lines carried both.
_SAME_RULE: Final = {"B703": "B308"}
# A secret is told by the scanner that looks for secrets; the others are its further witnesses.
_SECRET_LAST: Final = "bandit"
_SHORT_ID: Final = 12
_MALICIOUS: Final = "Malicious package"


class Eyes:
    """What a finding's texts are made with: the sources, the masks, the identities."""

    def __init__(self, sources: Sources, mask: Redactor, identity: Identity) -> None:
        """Titles and messages repeat a lot: each is made safe to show once."""
        self.sources = sources
        self.mask = mask
        self.identity = identity
        self.shown = lru_cache(maxsize=4096)(lambda text: mask.text(printable(text)))


def correlate(observations: Iterable[Observation], eyes: Eyes) -> tuple[Finding, ...]:
    """One finding for each weakness, in an order that does not depend on the observations' order.

    Merged are: vulnerabilities of one package version that share an id; licences of one package;
    secrets on overlapping lines or with one digest; code of different scanners on overlapping
    lines with a common CWE; and what is the same in every part.
    """
    by_category: dict[Category, list[Observation]] = defaultdict(list)
    for observation in observations:
        by_category[_category(observation)].append(observation)
    secrets, code = _passwords(by_category[Category.SECRET], by_category[Category.CODE])
    groups = [
        *_grouped(by_category[Category.VULNERABILITY], _package_key, _same_advisory),
        *_grouped(by_category[Category.LICENSE], _package_key, lambda _one, _other: True),
        *_grouped(secrets, lambda _one: "", _same_secret, _secret_links),
        *_grouped(code, _path_key, _same_code, _overlaps),
        *_grouped(by_category[Category.MISCONFIGURATION], _path_key, _equal, _overlaps),
    ]
    return tuple(_findings(sorted((_ordered(group) for group in groups), key=_group_key), eyes))


def _category(observation: Observation) -> Category:
    return observation.category


def _passwords(
    secrets: list[Observation], code: list[Observation]
) -> tuple[list[Observation], list[Observation]]:
    """Bandit's password findings go to the secrets where one stands on the same lines."""
    lines: dict[str, set[int]] = defaultdict(set)
    for secret in secrets:
        if secret.location:
            lines[secret.location.path].update(_span(secret.location))
    joined = [one for one in code if _is_joined(one, lines)]
    if not joined:
        return secrets, code
    return [*secrets, *joined], [one for one in code if not _is_joined(one, lines)]


def _is_joined(observation: Observation, lines: dict[str, set[int]]) -> bool:
    place = observation.location
    return (
        observation.rule.id in PASSWORD_RULES
        and place is not None
        and not lines.get(place.path, set()).isdisjoint(_span(place))
    )


def _span(location: Location) -> range:
    first = location.start_line or 0
    return range(first, (location.last_line or first) + 1)


# Grouping: inside one key, whatever `same` says of two that `links` brings together is merged,
# transitively.

_Pairs = Iterator[tuple[int, int]]


def _grouped(
    observations: Sequence[Observation],
    key: Callable[[Observation], Hashable],
    same: Callable[[Observation, Observation], bool],
    links: Callable[[Sequence[Observation]], _Pairs] | None = None,
) -> Iterator[list[Observation]]:
    buckets: dict[Hashable, list[Observation]] = defaultdict(list)
    for observation in observations:
        buckets[key(observation)].append(observation)
    for bucket in buckets.values():
        yield from _merged(bucket, same, links or _all_pairs)


def _merged(
    bucket: Sequence[Observation],
    same: Callable[[Observation, Observation], bool],
    links: Callable[[Sequence[Observation]], _Pairs],
) -> Iterable[list[Observation]]:
    """The bucket's groups by union-find over the pairs that are the same."""
    if len(bucket) == 1:
        return [list(bucket)]
    parents = list(range(len(bucket)))

    def root(index: int) -> int:
        while parents[index] != index:
            parents[index] = parents[parents[index]]
            index = parents[index]
        return index

    for one, other in links(bucket):
        if same(bucket[one], bucket[other]):
            parents[root(other)] = root(one)
    groups: dict[int, list[Observation]] = defaultdict(list)
    for index, observation in enumerate(bucket):
        groups[root(index)].append(observation)
    return groups.values()


def _all_pairs(bucket: Sequence[Observation]) -> _Pairs:
    for other in range(len(bucket)):
        for one in range(other):
            yield one, other


def _overlaps(bucket: Sequence[Observation]) -> _Pairs:
    """Pairs whose lines overlap, by a sweep over the lines of one file."""
    spans = [_span(one.location) if one.location else range(0) for one in bucket]
    order = sorted(range(len(bucket)), key=lambda index: (spans[index].start, spans[index].stop))
    open_ones: list[int] = []
    for index in order:
        open_ones = [one for one in open_ones if spans[one].stop > spans[index].start]
        for one in open_ones:
            yield one, index
        open_ones.append(index)


def _secret_links(bucket: Sequence[Observation]) -> _Pairs:
    """Secrets that overlap in one file, and those with one digest wherever they are."""
    by_path: dict[str, list[int]] = defaultdict(list)
    by_digest: dict[str, list[int]] = defaultdict(list)
    for index, one in enumerate(bucket):
        by_path[one.location.path if one.location else ""].append(index)
        if one.secret and one.secret.digest:
            by_digest[one.secret.digest].append(index)
    for indexes in by_path.values():
        for one_of, other_of in _overlaps([bucket[index] for index in indexes]):
            yield indexes[one_of], indexes[other_of]
    for indexes in by_digest.values():
        for index in indexes[1:]:
            yield indexes[0], index


def _package_key(observation: Observation) -> Hashable:
    return observation.package.purl.partition("?")[0] if observation.package else ""


def _path_key(observation: Observation) -> Hashable:
    return observation.location.path if observation.location else ""


def _same_advisory(one: Observation, other: Observation) -> bool:
    if one.advisory is None or other.advisory is None:
        return False
    return not one.advisory.ids.isdisjoint(other.advisory.ids)


def _same_secret(one: Observation, other: Observation) -> bool:
    """On the same lines or of one digest, but not where one scanner tells two values apart."""
    if one.scanner != other.scanner or one.secret is None or other.secret is None:
        return True
    digests = {one.secret.digest, other.secret.digest}
    return len(digests) == 1 or None in digests


def _same_code(one: Observation, other: Observation) -> bool:
    if one.scanner == other.scanner:
        return _equal(one, other)
    return not set(one.rule.cwe).isdisjoint(other.rule.cwe)


def _equal(one: Observation, other: Observation) -> bool:
    """The same rule at the same place, by one scanner or two."""
    rules = (_SAME_RULE.get(one.rule.id, one.rule.id), _SAME_RULE.get(other.rule.id, other.rule.id))
    same_words = one.rule.id != other.rule.id or one.message == other.message
    return rules[0] == rules[1] and one.location == other.location and same_words


# From groups to findings.


def _ordered(group: Sequence[Observation]) -> list[Observation]:
    """The group with its first witness in front: by scanner's name, then rule, then place."""
    return sorted(group, key=_observation_key) if len(group) > 1 else list(group)


def _observation_key(one: Observation) -> tuple[object, ...]:
    late = is_secret(one) and one.scanner == _SECRET_LAST
    where = location_key(one.location) if one.location else ("", 0, 0, 0, 0)
    version = one.package.purl if one.package else ""
    return late, one.scanner, one.rule.id, where, version, one.message


def _group_key(group: Sequence[Observation]) -> tuple[object, ...]:
    lead = group[0]
    key = _observation_key(lead)
    return lead.category.value, key[3], key[4], key[2], key[5]


def _findings(groups: Iterable[Sequence[Observation]], eyes: Eyes) -> Iterator[Finding]:
    ordinals: dict[Parts, int] = defaultdict(int)
    for group in groups:
        lead = _lead(group)
        parts = eyes.identity.parts(lead)
        ordinal = ordinals[parts]
        ordinals[parts] = ordinal + 1
        yield _finding(group, lead, parts, fingerprint(parts, ordinal), eyes)


def _lead(group: Sequence[Observation]) -> Observation:
    """The observation that speaks for the group; for a vulnerability with the common advisory."""
    first = group[0]
    if first.category is not Category.VULNERABILITY or first.advisory is None:
        return first
    advisory = merged_advisory([one.advisory for one in group if one.advisory], first.package)
    message = retold(first.message, first.advisory.fixed_versions, advisory.fixed_versions)
    # A title that tells more than the id; the shortest, for the others are prose cut off.
    telling = [one for one in group if one.title and one.rule.id not in one.title]
    told = min(telling or [first], key=lambda one: len(one.title))
    rule = Rule(
        id=advisory.id,
        name=advisory.id,
        title=told.rule.title,
        url=advisory.url,
        cwe=tuple(sorted({cwe for one in group for cwe in one.rule.cwe})),
        help=told.rule.help,
    )
    lead = replace(first, advisory=advisory, rule=rule, title=told.title, message=message)
    return _warned(lead, advisory) if advisory.malicious else lead


def _warned(lead: Observation, advisory: Advisory) -> Observation:
    """The finding of a malicious package, which says so before all else."""
    package = lead.package
    what = f"{package.name} {package.version}" if package else lead.title
    names = ", ".join(sorted(filter(is_malware, advisory.ids)))
    title = f"{what} is a malicious package ({names}): remove it"
    rule = replace(lead.rule, title=_MALICIOUS)
    return replace(lead, rule=rule, title=title, message=f"{title}. {lead.message}")


def merged_advisory(advisories: Sequence[Advisory], package: Package | None = None) -> Advisory:
    """One advisory out of several that name each other; shown by CVE, else GHSA, else PYSEC.

    What anybody knows of it holds, with the worst news first: exploited since the earliest day, as
    likely as the highest score says. It is withdrawn only where all say so. Of the versions that
    are named, those are left that fix this install of the package, where one is given.
    """
    ids = sorted({each for advisory in advisories for each in advisory.ids}, key=id_order)
    named = [advisory for advisory in advisories if advisory.id == ids[0]]
    urls = [advisory.url for advisory in (*named, *advisories) if advisory.url]
    said = [advisory.kev for advisory in advisories if advisory.kev is not None]
    epss, percentile = _likeliest(advisories)
    return Advisory(
        id=ids[0],
        aliases=tuple(ids[1:]),
        fixed_versions=fixes(_each(one.fixed_versions for one in advisories), package),
        published=earliest(advisory.published for advisory in advisories),
        url=urls[0] if urls else None,
        withdrawn=all(advisory.withdrawn for advisory in advisories),
        kev=any(said) if said else None,
        epss=epss,
        kev_added=earliest(advisory.kev_added for advisory in advisories),
        epss_percentile=percentile,
        references=pages(_each(one.references for one in advisories)),
    )


def _each(lists: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each for one in lists for each in one))


def _likeliest(advisories: Iterable[Advisory]) -> tuple[float | None, float | None]:
    """The highest EPSS with its own percentile."""
    scores = ((one.epss, one.epss_percentile) for one in advisories if one.epss is not None)
    return max(scores, key=lambda each: (each[0], each[1] or 0.0), default=(None, None))


def _finding(
    group: Sequence[Observation], lead: Observation, parts: Parts, whole_id: str, eyes: Eyes
) -> Finding:
    return Finding(
        id=whole_id[:_SHORT_ID],
        fingerprint=whole_id,
        category=lead.category,
        rule=lead.rule,
        title=eyes.shown(lead.title),
        message=eyes.shown(lead.message),
        claims=_claims(group),
        confidence=min((one.confidence for one in group), key=lambda each: each.order),
        location=lead.location,
        places=_places(group),
        witnesses=tuple(_witness(one) for one in group),
        snippet=_snippet(lead.location, eyes),
        line_hash=_line_hash(lead, eyes.sources),
        package=lead.package,
        advisory=lead.advisory,
        license=lead.license,
        resource=lead.resource,
        parts=parts,
        evidence=eyes.identity.evidence(lead),
        in_source=_in_source(group),
    )


def _in_source(group: Sequence[Observation]) -> str:
    """What hides all of the group from its scanners; one open eye is enough to see it."""
    kinds = dict.fromkeys(one.in_source for one in group)
    return "" if "" in kinds else ", ".join(kinds)


def _claims(group: Sequence[Observation]) -> tuple[SeverityClaim, ...]:
    if len(group) == 1:
        return group[0].claims
    return tuple(dict.fromkeys(claim for one in group for claim in one.claims))


def _places(group: Sequence[Observation]) -> tuple[Location, ...]:
    first = group[0]
    if len(group) == 1 and first.location and not first.places:
        return (first.location,)
    return sorted_locations(
        place
        for one in group
        for place in (*one.places, *((one.location,) if one.location else ()))
    )


def _witness(one: Observation) -> Witness:
    said = [claim for claim in one.claims if claim.scanner == one.scanner]
    own = [claim for claim in said if claim.source == "tool"] or said
    return Witness(one.scanner, one.rule.id, own[0].severity if own else Severity.UNKNOWN)


def _snippet(place: Location | None, eyes: Eyes) -> str | None:
    if place is None or place.start_line is None:
        return None
    line = eyes.sources.line(place.path, place.start_line)
    if line is None:
        return None
    return printable(eyes.mask.line(place.path, place.start_line, line))


def _line_hash(lead: Observation, sources: Sources) -> str | None:
    """GitHub's hash of the line: for code and misconfigurations only, never for a secret's line."""
    place = lead.location
    if lead.category not in (Category.CODE, Category.MISCONFIGURATION) or is_secret(lead):
        return None
    if place is None or place.start_line is None:
        return None
    hashes = sources.line_hashes(place.path)
    return hashes[place.start_line - 1] if place.start_line <= len(hashes) else None
