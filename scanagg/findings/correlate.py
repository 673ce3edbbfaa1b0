"""Merge the observations of one weakness into a finding, and keep every witness."""

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, combinations, product
from typing import Final

from msgspec.structs import replace

from scanagg.core.text import printable
from scanagg.findings.fingerprint import Identity, fingerprint
from scanagg.findings.normalise import is_guess, is_secret, share_text
from scanagg.findings.secrets import assess
from scanagg.model import (
    Advisory,
    Anchor,
    Category,
    Finding,
    Location,
    Observation,
    Package,
    Parts,
    Rule,
    Scope,
    Severity,
    Witness,
    location_key,
    sorted_locations,
)
from scanagg.model.advisories import (
    UNTITLED,
    earliest,
    headline,
    id_order,
    is_malware,
    pages,
    retold,
)
from scanagg.model.project import fixes
from scanagg.scanners.base import scanner_info
from scanagg.scanners.secret_rules import advised

_SHORT_ID: Final = 12


def correlate(observations: Iterable[Observation], identity: Identity) -> tuple[Finding, ...]:
    """Return one finding per weakness. The order of the observations does not matter.

    These are merged: vulnerabilities of one package version with a common id; licences of one
    package; secrets of one file on overlapping lines or with one digest; code findings of different
    scanners on overlapping lines with a common CWE; and equal observations.
    """
    by_category: dict[Category, list[Observation]] = defaultdict(list)
    for observation in observations:
        by_category[observation.category].append(observation)
    secrets, code = _passwords(by_category[Category.SECRET], by_category[Category.CODE])
    groups = [
        *_grouped(by_category[Category.VULNERABILITY], _package_pairs, _same_advisory),
        *_grouped(by_category[Category.LICENSE], _package_pairs, lambda _one, _other: True),
        *_secret_groups(sorted(secrets, key=_witness_order)),
        *_grouped(code, _overlaps, _same_code),
        *_grouped(by_category[Category.MISCONFIGURATION], _overlaps, _equal),
    ]
    # Titles and messages repeat a lot: benchmarks/reports.py shows the difference.
    shown = lru_cache(maxsize=4096)(lambda text: identity.redactor.text(printable(text)))
    # The first observation of a group leads: its place identifies the finding. A guess comes last:
    # the scanners that look for secrets know their places better.
    for group in groups:
        group.sort(key=_witness_order)
    groups.sort(key=lambda group: (group[0].category.value, *_order(group[0])))
    ordinals: dict[Parts, int] = defaultdict(int)
    findings = []
    for group in groups:
        lead = _lead(group)
        anchors = identity.anchors(lead, group)
        parts = anchors[0].parts
        digest = fingerprint(parts, ordinals[parts])
        ordinals[parts] += 1
        findings.append(_finding(group, lead, anchors, digest, identity, shown))
    return tuple(findings)


def _passwords(
    secrets: list[Observation], code: list[Observation]
) -> tuple[list[Observation], list[Observation]]:
    """Move guessed passwords from code to secrets if there may be the same on the same lines."""
    there: dict[tuple[str, int], list[Observation]] = defaultdict(list)
    for secret in secrets:
        for line in secret.all_places:
            for number in line.lines:
                there[line.path, number].append(secret)
    all_secrets, other_code = [*secrets], []
    for observation in code:
        place = observation.location if is_guess(observation) else None
        if place and any(
            _may_be_same(observation, secret)
            for number in place.lines
            for secret in there.get((place.path, number), ())
        ):
            all_secrets.append(observation)
        else:
            other_code.append(observation)
    return all_secrets, other_code


def _may_be_same(one: Observation, other: Observation) -> bool:
    """Return False for two secrets whose values are known, and have nothing in common."""
    if one.secret is None or other.secret is None:
        return True
    values = one.secret.value, other.secret.value
    if not all(values) or share_text(one, other):
        return True
    return values[0] in values[1] or values[1] in values[0]


# Grouping: some pairs are compared, and those that are the `same` are merged, transitively.

_Pairs = Iterator[tuple[int, int]]


def _grouped(
    observations: Sequence[Observation],
    pairs: Callable[[Sequence[Observation]], _Pairs],
    same: Callable[[Observation, Observation], bool],
) -> Iterable[list[Observation]]:
    """Return the groups, by union-find over the pairs that are the same."""
    parents = list(range(len(observations)))
    for one, other in pairs(observations):
        if same(observations[one], observations[other]):
            parents[_root(parents, other)] = _root(parents, one)
    return _by_root(observations, parents)


def _by_root(
    observations: Iterable[Observation], parents: list[int]
) -> Iterable[list[Observation]]:
    groups: dict[int, list[Observation]] = defaultdict(list)
    for index, observation in enumerate(observations):
        groups[_root(parents, index)].append(observation)
    return groups.values()


def _root(parents: list[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


def _package_pairs(observations: Sequence[Observation]) -> _Pairs:
    """Yield all pairs about one package version in one scope."""
    by_package: dict[tuple[str, Scope], list[int]] = defaultdict(list)
    for index, observation in enumerate(observations):
        if package := observation.package:
            by_package[package.purl.partition("?")[0], package.scope].append(index)
    for indexes in by_package.values():
        yield from combinations(indexes, 2)


def _overlaps(observations: Sequence[Observation]) -> _Pairs:
    """Yield pairs whose locations overlap in one file, by a sweep over their lines."""
    spans = sorted(
        (place.path, place.lines.start, place.lines.stop, index)
        for index, observation in enumerate(observations)
        if (place := observation.location)
    )
    # The ends and numbers of earlier places that reach this line of this file.
    path, current = "", list[tuple[int, int]]()
    for next_path, start, stop, number in spans:
        current = [(end, n) for end, n in current if next_path == path and end > start]
        yield from ((other, number) for _, other in current)
        current.append((stop, number))
        path = next_path


class _SecretGroups:
    """Groups of secrets, by their indexes, for union-find. No group has two digests."""

    def __init__(self, observations: Sequence[Observation]) -> None:
        """Make a group of each."""
        self.parents = list(range(len(observations)))
        self._digests = [one.secret.digest if one.secret else None for one in observations]

    def head(self, index: int) -> int:
        """Return the index that stands for the group."""
        return _root(self.parents, index)

    def digest(self, index: int) -> str | None:
        """Return the digest of the group, if it has one."""
        return self._digests[self.head(index)]

    def join(self, one: int, other: int) -> None:
        """Join two groups, unless their digests differ."""
        heads = self.head(one), self.head(other)
        digests = {self._digests[head] for head in heads} - {None}
        if len(digests) < 2:
            self.parents[max(heads)] = min(heads)
            self._digests[min(heads)] = next(iter(digests), None)


def _secret_groups(observations: Sequence[Observation]) -> Iterable[list[Observation]]:
    """Return the groups of secrets in one file that overlap or have one digest.

    No group has two digests: a new secret must not become part of an old one because something
    overlaps both. An observation without a digest joins the group that has its text, else the first
    one on its lines. In another file, the same value is another finding: that file may be new, or
    the only one that runs.
    """
    groups = _SecretGroups(observations)
    lines = [
        [*dict.fromkeys((place.path, number) for place in one.all_places for number in place.lines)]
        for one in observations
    ]
    first: dict[Hashable, int] = {}
    for index, observation in enumerate(observations):
        if digest := groups.digest(index):
            path = observation.location.path if observation.location else ""
            groups.join(first.setdefault((path, digest), index), index)
    for index, observation in enumerate(observations):
        texts = sorted(observation.secret.texts) if observation.secret else ()
        for place in product(lines[index], texts):
            groups.join(first.setdefault(place, index), index)
    _join_neighbours(observations, lines, groups)
    return _by_root(observations, groups.parents)


def _join_neighbours(
    observations: Sequence[Observation],
    lines: Sequence[Sequence[tuple[str, int]]],
    groups: _SecretGroups,
) -> None:
    """Join each group without a digest with the first one on its lines.

    One that begins on the same line comes before the others. `lines` are those of each observation.
    """
    near: list[tuple[Sequence[Hashable], ...]] = []
    heads: dict[Hashable, deque[int]] = defaultdict(deque)
    for index, (one, covered) in enumerate(zip(observations, lines, strict=True)):
        start = one.location and (one.location.path, one.location.start_line)
        near.append(([(line, start) for line in covered], covered))
        for place in chain(*near[-1]):
            heads[place].append(groups.head(index))

    def neighbour(index: int, place: Hashable) -> int:
        """Return the first group there; the own one if there is no other."""
        there, head = heads[place], groups.head(index)
        while there and groups.head(there[0]) == head:
            there.popleft()
        there.appendleft(head)
        return there[1] if len(there) > 1 else head

    for index, tiers in enumerate(near):
        for places in tiers:
            while groups.digest(index) is None:
                head = groups.head(index)
                others = {neighbour(index, place) for place in places} - {head}
                if not others:
                    break
                groups.join(min(others), head)


def _same_advisory(one: Observation, other: Observation) -> bool:
    if one.advisory is None or other.advisory is None:
        return False
    return not one.advisory.ids.isdisjoint(other.advisory.ids)


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


def _witness_order(observation: Observation) -> tuple[object, ...]:
    # A scanner that is installed later must not change the identity of a finding.
    info = scanner_info(observation.scanner)
    is_usual = observation.category in info.usual_for
    return (
        is_guess(observation),
        not is_usual,
        observation.scanner,
        observation.rule.id not in info.lasting_rules,
        observation.rule.id,
        *_order(observation),
    )


def _order(observation: Observation) -> tuple[object, ...]:
    version = observation.package.purl if observation.package else ""
    return location_key(observation.location), version, observation.rule.id, observation.message


def _vagueness(observation: Observation) -> tuple[bool, int]:
    """Return a sort key for rules: those that know the kind of a secret, generic ones, guesses."""
    rule, generic = observation.rule.id, scanner_info(observation.scanner).generic_rules
    return is_guess(observation), generic.index(rule) + 1 if rule in generic else 0


def _lead(group: Sequence[Observation]) -> Observation:
    """Return the first observation, in the words of the whole group.

    The most specific rule names a secret. A vulnerability has the advisory of all witnesses.
    """
    first, package = group[0], group[0].package
    if first.category is Category.SECRET:
        named = min(group, key=_vagueness)
        rule = replace(named.rule, id=_unaliased(named))
        return replace(first, rule=rule, title=named.title, message=named.message)
    if first.category is not Category.VULNERABILITY or not (first.advisory and package):
        return first
    advisory = merged_advisory([one.advisory for one in group if one.advisory], package)
    message = retold(first.message, first.advisory.fixed_versions, advisory.fixed_versions)
    # The shortest title that says something. Longer ones are sentences that were cut.
    names = (package.name, *advisory.ids)
    titled = min(
        (one for one in group if headline(one.title, names)),
        key=lambda one: len(one.title),
        default=replace(first, title=f"{package.name} {package.version}: {UNTITLED}"),
    )
    title = titled.title
    rule_title = titled.rule.title if headline(titled.rule.title, names) else UNTITLED
    if advisory.malicious:
        malware = ", ".join(sorted(filter(is_malware, advisory.ids)))
        title = f"{package.name} {package.version} is a malicious package ({malware}): remove it"
        rule_title = "Malicious package"
        message = f"{title}. {message}"
    rule = Rule(
        id=advisory.id,
        name=advisory.id,
        title=rule_title,
        url=advisory.url,
        cwe=tuple(sorted({*chain.from_iterable(one.rule.cwe for one in group)})),
        help=titled.rule.help,
        why=titled.rule.why or next(filter(None, (one.rule.why for one in group)), ""),
    )
    return replace(first, advisory=advisory, rule=rule, title=title, message=message)


def merged_advisory(advisories: Sequence[Advisory], package: Package | None = None) -> Advisory:
    """Merge advisories with common ids into one, shown by CVE, else GHSA, else PYSEC.

    It has the data of all of them, and where they differ the worst: the earliest day of
    exploitation, the highest score. It is withdrawn only if all are. With a `package`, it has only
    the versions that fix this install of it.
    """
    ids = sorted({*chain.from_iterable(one.ids for one in advisories)}, key=id_order)
    urls = (one.url for one in sorted(advisories, key=lambda one: one.id != ids[0]))
    exploited = (one.kev for one in advisories if one.kev is not None)
    likeliest = max(
        advisories,
        key=lambda one: (one.epss is not None, one.epss or 0.0, one.epss_percentile or 0.0),
    )
    return Advisory(
        id=ids[0],
        aliases=tuple(ids[1:]),
        fixed_versions=fixes(
            chain.from_iterable(one.fixed_versions for one in advisories), package
        ),
        published=earliest(advisory.published for advisory in advisories),
        url=next(filter(None, urls), None),
        withdrawn=all(advisory.withdrawn for advisory in advisories),
        kev=max(exploited, default=None),
        epss=likeliest.epss,
        kev_added=earliest(advisory.kev_added for advisory in advisories),
        epss_percentile=likeliest.epss_percentile,
        references=pages(chain.from_iterable(one.references for one in advisories)),
    )


def _finding(
    group: Sequence[Observation],
    lead: Observation,
    anchors: tuple[Anchor, ...],
    digest: str,
    identity: Identity,
    shown: Callable[[str], str],
) -> Finding:
    sources, place = identity.sources, lead.location
    snippet = _snippet(place, identity)
    line_hash = None
    # Code scanning recognises alerts by the hash of the line, which a secret must not have.
    has_hash = lead.category in (Category.CODE, Category.MISCONFIGURATION)
    if place and place.start_line and snippet is not None and has_hash and not is_secret(lead):
        line_hash = sources.file(place.path).line_hashes[place.start_line - 1]
    rule, title = lead.rule, lead.title
    surest = min(group, key=lambda one: one.confidence.order)
    confidence, reason = surest.confidence, surest.confidence_reason
    if lead.category is Category.SECRET:
        confidence, reason, own_rule = assess(group, sources)
        if own_rule:
            rule, title = own_rule, own_rule.title
        rule = advised(rule, confidence)
    # A finding is hidden only if every observation is.
    hidden_by = dict.fromkeys(_hidden_by(one, group) for one in group)
    return Finding(
        id=digest[:_SHORT_ID],
        fingerprint=digest,
        category=lead.category,
        rule=rule,
        title=shown(title),
        message=shown(lead.message),
        claims=tuple(dict.fromkeys(chain.from_iterable(one.claims for one in group))),
        confidence=confidence,
        confidence_reason=reason,
        location=place,
        places=sorted_locations(chain.from_iterable(one.all_places for one in group)),
        witnesses=tuple(map(_witness, group)),
        snippet=snippet,
        line_hash=line_hash,
        package=lead.package,
        advisory=lead.advisory,
        license=lead.license,
        resource=lead.resource,
        anchors=(
            anchors[0],
            *(replace(one, snippet=_snippet(one.place, identity)) for one in anchors[1:]),
        ),
        in_source="" if "" in hidden_by else ", ".join(hidden_by),
    )


def _snippet(place: Location | None, identity: Identity) -> str | None:
    """Return the first line of a place, safe to show; None where there is none."""
    if place is None or place.start_line is None:
        return None
    line = identity.sources.line(place.path, place.start_line)
    if line is None:
        return None
    return printable(identity.redactor.shown_line(place.path, place.start_line, line))


def _hidden_by(observation: Observation, group: Iterable[Observation]) -> str:
    """Return the comment or file that hides the observation; "" if nothing does.

    A comment that hides a secret from a scanner for secrets also hides guesses about its value.
    """
    if observation.in_source or not (is_guess(observation) and observation.secret):
        return observation.in_source
    for other in group:
        if other.in_source and not is_guess(other) and share_text(observation, other):
            return other.in_source
    return ""


def _witness(observation: Observation) -> Witness:
    claims = sorted(observation.claims, key=lambda claim: claim.source != "tool")
    own = (claim.severity for claim in claims if claim.scanner == observation.scanner)
    return Witness(observation.scanner, observation.rule.id, next(own, Severity.UNKNOWN))
