"""The types that load a policy file, and the loaded policy.

Each key is a field. The JSON Schema that editors read is made from the same types.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

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
        description="an id of small letters, digits, - and _",
    ),
]
Duration = Annotated[
    str, Meta(pattern=r"^[1-9][0-9]{0,4}[hdw]$", description="a duration such as 12h, 7d or 2w")
]
Date = Annotated[
    str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", description="a date such as 2027-02-01")
]
Sha256 = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{64}$", description="a sha256 of 64 small hexadecimal digits")
]
ActionWord = Literal["block", "warn", "info"]
Enforcement = Literal["block", "warn"]
SourceWord = Literal["ghsa", "osv-cvss", "tool", "nvd"]
StateWord = Literal["not_affected", "false_positive", "risk_accepted", "fix_planned"]
LockedWord = Literal[
    "enforcement", "default", "enrichment", "licenses", "new_code", "severity", "waivers"
]


class Parent(Section, frozen=True, kw_only=True):
    """A policy that this one builds on: a file with the hash of its bytes, or a ready-made one."""

    file: Text | None = None
    sha256: Sha256 | None = None
    name: Text | None = None


class When(Section, frozen=True, kw_only=True):
    """The requirement holds only where a file of the target matches one of the globs."""

    exists: tuple[Text, ...]


class ScannerEntry(Section, frozen=True, kw_only=True):
    """The requirements on one scanner.

    `min_audited` is the least number of inputs to be examined where there are any; `max_skipped`
    and `max_errors` how many may stay unexamined, `db_max_age` how old its data may be.
    `on_failure` absent means block for a required scanner, warn for another. A `locked` entry can
    only be made stricter by a policy that extends this one.
    """

    required: bool
    min_audited: Count = 1
    max_skipped: Count | Literal["any"] = 0
    max_errors: Count | Literal["any"] = 0
    on_failure: Literal["warn", "block"] | None = None
    db_max_age: Duration | None = None
    when: When | None = None
    locked: bool = False


if TYPE_CHECKING:

    class Match(Section, frozen=True, kw_only=True):
        """Conditions on a finding: a key for each aspect."""

        category: CategoryWord | tuple[CategoryWord, ...] | None = None

else:
    Match = msgspec.defstruct(
        "Match",
        [(aspect.key, aspect.type | None, None) for aspect in ASPECTS],
        bases=(Section,),
        namespace={
            "__doc__": "Conditions on a finding; all that are given must hold, of a list any one."
        },
        module=__name__,
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )


def words_of(match: Match, aspect: Aspect) -> tuple[Any, ...]:
    """Return the words of one condition, () where the rule does not ask about the aspect."""
    words = getattr(match, aspect.key)
    if words is None:
        return ()
    return words if isinstance(words, tuple) else (words,)


def conditions_of(match: Match) -> list[tuple[Aspect, tuple[Any, ...]]]:
    """Return the aspects that a rule asks about, each with the words it accepts."""
    conditions = ((aspect, words_of(match, aspect)) for aspect in ASPECTS)
    return [(aspect, words) for aspect, words in conditions if words]


def condition_words(aspect: Aspect, words: tuple[Any, ...]) -> str:
    """Return one condition for people: `category vuln or secret`, `kev true`."""
    texts = (str(word).lower() if isinstance(word, bool) else str(word) for word in words)
    return f"{aspect.key} {' or '.join(texts)}"


def match_reason(match: Match) -> Reason:
    """Return the reason of a verdict by a rule: its conditions."""
    texts = tuple(condition_words(aspect, words) for aspect, words in conditions_of(match))
    return Reason("matches", {"conditions": texts}) if texts else Reason("matches-everything")


def match_words(match: Match) -> str:
    """Return the conditions of a rule for people: `category secret, severity >=high`."""
    texts = [condition_words(aspect, words) for aspect, words in conditions_of(match)]
    return ", ".join(texts) or "every finding"


class GraceByLevel(Section, frozen=True, kw_only=True):
    """The time that a finding of each severity may wait; a level that is left out may not."""

    critical: Duration | None = None
    high: Duration | None = None
    medium: Duration | None = None
    low: Duration | None = None
    info: Duration | None = None


class RuleEntry(Section, frozen=True, kw_only=True):
    """An action for the findings that match.

    `grace` turns block into warn for that long from when the finding could be known. A `locked`
    rule holds for policies that extend this one too, whatever these say.
    """

    id: RuleId
    match: Match
    action: ActionWord
    grace: Duration | GraceByLevel | None = None
    locked: bool = False


class Override(Section, frozen=True, kw_only=True):
    """Another severity for the findings that match, and why."""

    match: Match
    to: Level = msgspec.field(name="set")
    reason: Text


class BanditSeverity(Section, frozen=True, kw_only=True):
    """Below this confidence the severity of a finding of bandit drops one level."""

    min_confidence: Literal["low", "medium", "high"] = "low"


class SeveritySection(Section, frozen=True, kw_only=True):
    """The sources of severities, and changes to them.

    Of `sources` the first that answers wins. `unknown` stands for an unknown severity where one is
    compared. Absent it is high: what nobody has scored yet is not harmless.
    """

    sources: tuple[SourceWord, ...] = ("ghsa", "osv-cvss", "tool", "nvd")
    unknown: Level = "high"
    bandit: BanditSeverity = BanditSeverity()
    override: tuple[Override, ...] = ()


class Evidence(Section, frozen=True, kw_only=True):
    """A licence file of a package, by its path in it and the sha256 of its bytes."""

    path: Text
    sha256: Sha256


class Clarification(Section, frozen=True, kw_only=True):
    """The licence of a package whose metadata is wrong or missing.

    `versions` is a PEP 440 specifier. It is void for a package whose `evidence` differs.
    """

    purl: Text
    versions: Text | None = None
    expression: Text
    evidence: Evidence | None = None


class LicenseException(Section, frozen=True, kw_only=True):
    """Licences that are allowed for one package only, by an owner, for a reason, until a day."""

    purl: Text
    allow: tuple[Text, ...]
    owner: Text
    reason: Text
    expires: Date


class LicenseSection(Section, frozen=True, kw_only=True):
    """The licences that are allowed; of several `classifiers`, all must be, or any."""

    allow: tuple[Text, ...] = ()
    review: tuple[Text, ...] = ()
    deny: tuple[Text, ...] = ()
    classifiers: Literal["all", "any"] = "all"
    clarify: tuple[Clarification, ...] = ()
    exceptions: tuple[LicenseException, ...] = ()


class EnrichmentSection(Section, frozen=True, kw_only=True):
    """Further data about vulnerabilities: if it is required, and how old it may be."""

    kev: Literal["required", "optional"] = "optional"
    epss: Literal["required", "optional"] = "optional"
    max_age: Duration | None = None


class NewCodeSection(Section, frozen=True, kw_only=True):
    """The base that findings are compared with, and if an edited finding counts as new.

    `merge-base` compares with the commit that the change started from, `baseline` with the baseline
    file alone, `none` with nothing.
    """

    against: Literal["merge-base", "baseline", "none"] = "merge-base"
    edited: Literal["new", "existing"] = "new"


class WaiverEntry(Section, frozen=True, kw_only=True):
    """Findings that are accepted for a time. At least one of purl, path, fingerprint is given."""

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
    """Waivers and their limits. `max_in_source` bounds what comments in the code may hide."""

    max_days: Count = 180
    warn_before: Duration = "14d"
    unused: Literal["warn", "block", "ignore"] = "warn"
    in_source: Literal["allow", "report", "forbid"] = "report"
    max_in_source: Count | None = None
    items: tuple[WaiverEntry, ...] = ()


class WaiverFile(Section, frozen=True, kw_only=True):
    """The file policies/waivers.yml: entries alone, since the limits are in the policy."""

    version: Literal[1]
    items: tuple[WaiverEntry, ...] = ()


class PolicyFile(Section, frozen=True, kw_only=True):
    """The whole file."""

    version: Literal[1]
    default: ActionWord
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

    `file` is the parent with its own parents taken in, its `rules` the locked ones alone. The
    stricter of its action and the child's applies; it can be waived by `approvers` only.
    """

    source: str
    file: PolicyFile
    approvers: frozenset[str]


class Policy(msgspec.Struct, frozen=True):
    """A valid policy and where it came from.

    `source` is `built-in`, a path relative to the target, or a bare file name; never a path of
    this machine. `digest` is the sha256 of the file's bytes, `files` the same of parents and of the
    waiver file, by name. `enforcement` is block or warn: what the file says, unless the command
    line says otherwise. `file` is the policy with its parents taken in; `waivers` are those of the
    policy and of the waiver file. `ref` is the commit that it was read from.
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
        """The rules in the order in which they are tried."""
        return self.file.rules

    @property
    def info(self) -> PolicyInfo:
        """The policy as reports show it."""
        files = tuple(sorted(self.files.items()))
        return PolicyInfo(self.name, self.source, self.digest, self.enforcement, files, self.ref)
