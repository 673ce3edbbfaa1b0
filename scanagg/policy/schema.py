"""The types of a policy file, and the loaded policy.

Each key is a field. The JSON Schema for editors is generated from these types: a docstring is the
description of its section.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from scanagg.model import PolicyInfo, Reason, Waiver
from scanagg.policy.aspects import ASPECTS, Aspect, CategoryWord, Level, Text
from scanagg.policy.typed import Section

Count = Annotated[int, Meta(ge=0, description="a whole number, 0 or more")]
RuleId = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
        description="an id of lowercase letters, digits, - and _",
    ),
]
Duration = Annotated[
    str, Meta(pattern=r"^[1-9][0-9]{0,4}[hdw]$", description="a duration such as 12h, 7d or 2w")
]
Date = Annotated[
    str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="a date such as 2027-02-01")
]
Sha256 = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{64}$", description="a SHA-256 of 64 lowercase hexadecimal digits")
]
ActionWord = Literal["block", "warn", "info"]
Enforcement = Literal["block", "warn"]
SourceWord = Literal["ghsa", "osv-cvss", "tool", "nvd"]
StateWord = Literal["not_affected", "false_positive", "risk_accepted", "fix_planned"]
LockedWord = Literal[
    "enforcement", "default", "enrichment", "licenses", "new_code", "severity", "waivers"
]


_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}


def span(duration: str) -> timedelta:
    """Return the time that a duration stands for: 12h, 7d, 2w."""
    return timedelta(**{_UNITS[duration[-1]]: int(duration[:-1])})


class Parent(Section, frozen=True, kw_only=True):
    """A parent policy: a file, by its path and the SHA-256 of its bytes, or a ready-made policy.

    `file` is a path relative to this file. `name` is the name of a ready-made policy.
    """

    file: Text | None = None
    sha256: Sha256 | None = None
    name: Text | None = None


class When(Section, frozen=True, kw_only=True):
    """Require the scanner only if a file of the project matches one of the patterns."""

    exists: tuple[Text, ...]


class ScannerEntry(Section, frozen=True, kw_only=True):
    """The requirements on one scanner.

    If a `required` scanner does not do its work, the check is incomplete. `min_audited` is the
    minimum number of inputs that it must examine, if there are any. `max_skipped` and `max_errors`
    are how many inputs may be left unexamined. `max_unread` is how many manifests or files of code
    there may be that no scanner reads; for the scanner that is usual for them. `max_unlocked` is
    how many requirements may have no lock, although what an install today would take was examined;
    for the scanner that is usual for packages, by default as `max_skipped`. `db_max_age` is how old
    its data may be. `when` limits the requirement to projects with certain files. `on_failure`
    is `block` by default for a required scanner, `warn` for an optional one. A policy that extends
    this one can only make a `locked` entry stricter, and may leave out `required`.
    """

    inherited = frozenset(("required",))

    required: bool = True
    min_audited: Count = 1
    max_skipped: Count | Literal["any"] = 0
    max_errors: Count | Literal["any"] = 0
    max_unread: Count | Literal["any"] = 0
    max_unlocked: Count | Literal["any"] | None = None
    on_failure: Literal["warn", "block"] | None = None
    db_max_age: Duration | None = None
    when: When | None = None
    locked: bool = False

    @property
    def most_unlocked(self) -> int | str:
        """The number of requirements that may have no lock, or "any"."""
        return self.max_skipped if self.max_unlocked is None else self.max_unlocked


if TYPE_CHECKING:

    class Match(Section, frozen=True, kw_only=True):
        """Conditions on a finding: one key per aspect."""

        category: CategoryWord | tuple[CategoryWord, ...] | None = None

else:
    Match = msgspec.defstruct(
        "Match",
        [(aspect.key, aspect.type | None, None) for aspect in ASPECTS],
        bases=(Section,),
        namespace={
            "__doc__": "Conditions on a finding. All must hold; of a list, one entry is enough."
        },
        module=__name__,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def words_of(match: Match, aspect: Aspect) -> tuple[Any, ...]:
    """Return the words of one condition, () if the rule has no condition on the aspect."""
    words = getattr(match, aspect.key)
    if words is None:
        return ()
    return words if isinstance(words, tuple) else (words,)


def conditions_of(match: Match) -> list[tuple[Aspect, tuple[Any, ...]]]:
    """Return the aspects that a rule has conditions on, with the words of each."""
    conditions = ((aspect, words_of(match, aspect)) for aspect in ASPECTS)
    return [(aspect, words) for aspect, words in conditions if words]


def condition_words(aspect: Aspect, words: tuple[Any, ...]) -> str:
    """Return one condition in words: `category vuln or secret`, `kev true`."""
    texts = (str(word).lower() if isinstance(word, bool) else str(word) for word in words)
    return f"{aspect.key} {' or '.join(texts)}"


def match_reason(match: Match) -> Reason:
    """Return the reason of a verdict by a rule: its conditions."""
    texts = tuple(condition_words(aspect, words) for aspect, words in conditions_of(match))
    return Reason("matches", {"conditions": texts}) if texts else Reason("matches-everything")


def match_words(match: Match) -> str:
    """Return the conditions of a rule in words: `category secret, severity >=high`."""
    texts = [condition_words(aspect, words) for aspect, words in conditions_of(match)]
    return ", ".join(texts) or "every finding"


class GraceByLevel(Section, frozen=True, kw_only=True):
    """The grace time of each severity. A severity that is left out has none."""

    critical: Duration | None = None
    high: Duration | None = None
    medium: Duration | None = None
    low: Duration | None = None
    info: Duration | None = None


class RuleEntry(Section, frozen=True, kw_only=True):
    """An action for the findings that match.

    The first rule that matches decides. With `grace`, a finding that would block only warns until
    that time has passed since it became known. A policy that extends this one cannot loosen a
    `locked` rule.
    """

    id: RuleId
    match: Match
    action: ActionWord
    grace: Duration | GraceByLevel | None = None
    locked: bool = False


class Override(Section, frozen=True, kw_only=True):
    """Set another severity for the findings that match, for a reason."""

    match: Match
    to: Level = msgspec.field(name="set")
    reason: Text


class BanditSeverity(Section, frozen=True, kw_only=True):
    """A finding of bandit drops in severity if its confidence is lower than `min_confidence`.

    It drops one level, or to low if there is a reason for its confidence. It does not drop if the
    confidence is the natural one of its rule.
    """

    min_confidence: Literal["low", "medium", "high"] = "low"


class SeveritySection(Section, frozen=True, kw_only=True):
    """The rules for severities.

    The first of the `sources` with a severity decides. `unknown` is the severity that rules compare
    if the real one is unknown: by default high, because a vulnerability without a score can be
    serious. `override` sets other severities. The first override that matches applies.
    """

    sources: tuple[SourceWord, ...] = ("ghsa", "osv-cvss", "tool", "nvd")
    unknown: Level = "high"
    bandit: BanditSeverity = BanditSeverity()
    override: tuple[Override, ...] = ()


class Evidence(Section, frozen=True, kw_only=True):
    """A licence file: its path in the package, and the SHA-256 of its bytes."""

    path: Text
    sha256: Sha256


class Clarification(Section, frozen=True, kw_only=True):
    """The licence of a package whose metadata is wrong or missing.

    `expression` is its SPDX expression. `versions` (optional) is a PEP 440 range. With `evidence`
    (optional), the entry has no effect if that licence file is different or unknown.
    """

    purl: Text
    versions: Text | None = None
    expression: Text
    evidence: Evidence | None = None


class LicenseException(Section, frozen=True, kw_only=True):
    """Licences that are allowed for one package only, until the last day in `expires`."""

    purl: Text
    allow: tuple[Text, ...]
    owner: Text
    reason: Text
    expires: Date


class LicenseSection(Section, frozen=True, kw_only=True):
    """The SPDX ids of licences that are allowed, need a review, or are denied.

    If there is an `allow` list, ids on no list are denied. If a package has several classifiers,
    `classifiers` says whether all must be allowed or any. `clarify` corrects the licences of
    packages. `exceptions` allows licences for one package.
    """

    allow: tuple[Text, ...] = ()
    review: tuple[Text, ...] = ()
    deny: tuple[Text, ...] = ()
    classifiers: Literal["all", "any"] = "all"
    clarify: tuple[Clarification, ...] = ()
    exceptions: tuple[LicenseException, ...] = ()


class EnrichmentSection(Section, frozen=True, kw_only=True):
    """Data about vulnerabilities: whether it is required, and how old it may be.

    `kev` says which vulnerabilities are known to be exploited, `epss` how likely each one is to be
    exploited.
    """

    kev: Literal["required", "optional"] = "optional"
    epss: Literal["required", "optional"] = "optional"
    max_age: Duration | None = None


class NewCodeSection(Section, frozen=True, kw_only=True):
    """The definition of new findings.

    Findings are compared `against` the commit that the change started from and the baseline file
    (`merge-base`), the baseline file only (`baseline`), or nothing (`none`). `edited` says whether
    a finding in edited code is new.
    """

    against: Literal["merge-base", "baseline", "none"] = "merge-base"
    edited: Literal["new", "existing"] = "new"


class WaiverEntry(Section, frozen=True, kw_only=True):
    """Findings that are accepted until the last day in `expires`.

    At least one of `purl`, `path` and `fingerprint` is needed. All conditions must hold. `ids` are
    ids of advisories or rules, `versions` is a PEP 440 range. With `until_fixed`, which needs a
    `purl`, the waiver ends as soon as a fixed version exists.
    """

    ids: tuple[Text, ...] = ()
    purl: Text | None = None
    versions: Text | None = None
    path: Text | None = None
    fingerprint: Text | None = None
    state: StateWord = "risk_accepted"
    reason: Text
    owner: Text
    expires: Date
    until_fixed: bool = False


class WaiverSection(Section, frozen=True, kw_only=True):
    """Waivers, and limits for them.

    A waiver that ends more than `max_days` from now has no effect yet. `warn_before` is how long
    before its end the report warns. `unused` says what a waiver does that matches nothing.
    `in_source` says whether comments in the source may hide findings, `max_in_source` how many.
    """

    max_days: Count = 180
    warn_before: Duration = "14d"
    unused: Literal["warn", "block", "ignore"] = "warn"
    in_source: Literal["allow", "report", "forbid"] = "report"
    max_in_source: Count | None = None
    items: tuple[WaiverEntry, ...] = ()


class WaiverFile(Section, frozen=True, kw_only=True):
    """The file policies/waivers.yml. Its limits are in the policy."""

    version: Literal[1]
    items: tuple[WaiverEntry, ...] = ()


class PolicyFile(Section, frozen=True, kw_only=True):
    """A policy of scanagg: what blocks, what warns, and what a check needs.

    `default` is the action for a finding that no rule matches. With `enforcement: warn`, findings
    do not fail the check. `extends` lists parent policies, which also give what this one leaves
    out. `locked` lists sections that a policy extending this one can only tighten. `approvers` are
    the owners whose waivers apply to what is locked here.
    """

    inherited = frozenset(("default",))

    version: Literal[1]
    default: ActionWord = "block"
    enforcement: Enforcement = "block"
    scanners: dict[str, ScannerEntry] = msgspec.field(default_factory=dict)
    severity: SeveritySection = SeveritySection()
    rules: tuple[RuleEntry, ...] = ()
    licenses: LicenseSection = LicenseSection()
    extends: tuple[Parent, ...] = ()
    locked: tuple[LockedWord, ...] = ()
    approvers: tuple[Text, ...] = ()
    enrichment: EnrichmentSection = EnrichmentSection()
    new_code: NewCodeSection = NewCodeSection()
    waivers: WaiverSection = WaiverSection()


class Locked(msgspec.Struct, frozen=True):
    """The locks of a parent policy: its locked rules, judged by its own sections.

    `file` is the parent combined with its own parents, with the locked rules only. The stricter of
    its action and the child's applies. Only `approvers` can waive its findings.
    """

    source: str
    file: PolicyFile
    approvers: frozenset[str]


class Policy(msgspec.Struct, frozen=True):
    """A valid policy, and where it came from.

    `source` is `built-in`, a path relative to the project, or a file name; never an absolute path.
    `digest` is the SHA-256 of the file, `files` those of its parents and the waiver file, by name.
    `enforcement` is block or warn, from the command line or else the file. `file` is the
    policy combined with its parents. `waivers` are those of the policy and the waiver file. `ref`
    is the commit that it was read from.
    """

    name: str
    source: str
    digest: str
    enforcement: str
    file: PolicyFile
    waivers: tuple[Waiver, ...] = ()
    locked: tuple[Locked, ...] = ()
    files: Mapping[str, str] = msgspec.field(default_factory=dict)
    ref: str | None = None

    @property
    def rules(self) -> tuple[RuleEntry, ...]:
        """The rules, in the order in which they are tried."""
        return self.file.rules

    @property
    def info(self) -> PolicyInfo:
        """The policy as reports show it."""
        files = tuple(sorted(self.files.items()))
        return PolicyInfo(self.name, self.source, self.digest, self.enforcement, files, self.ref)
