"""What a policy file can say: the types that load it, and the loaded policy.

Each key is a field, so that a JSON Schema can be made from the same types. Keys of the policy
language that this version does not know yet are in `LATER`: they are refused by name.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct, field

from scanagg.model import PolicyInfo

Count = Annotated[int, Meta(ge=0, description="a whole number, 0 or more")]
Text = Annotated[str, Meta(min_length=1, description="text")]
RuleId = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9][a-z0-9_-]*$",
        description="an id of small letters, digits, - and _",
    ),
]
Level = Literal["critical", "high", "medium", "low", "info"]
SeverityTest = Level | Literal["unknown", ">=critical", ">=high", ">=medium", ">=low", ">=info"]
CategoryWord = Literal[
    "vulnerability", "vuln", "code", "secret", "license", "misconfiguration", "iac"
]
ScopeWord = Literal["runtime", "dev"]
VerdictWord = Literal["review", "unknown", "deny"]
ActionWord = Literal["block", "warn", "info"]
Enforcement = Literal["block", "warn"]


class Section(Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping of the policy file. `LATER` names its keys that are not built yet."""

    LATER: ClassVar[frozenset[str]] = frozenset()


class When(Section, frozen=True, kw_only=True):
    """The requirement holds only where a file of the target matches one of the globs."""

    exists: tuple[Text, ...]


class ScannerEntry(Section, frozen=True, kw_only=True):
    """What is asked of one scanner.

    `min_audited` is the least number of inputs to be examined where there are any; `max_skipped`
    and `max_errors` how many may stay unexamined. `on_failure` absent means block for a required
    scanner, warn for another.
    """

    LATER: ClassVar[frozenset[str]] = frozenset(("db_max_age", "locked"))

    required: bool
    min_audited: Count = 1
    max_skipped: Count | Literal["any"] = 0
    max_errors: Count | Literal["any"] = 0
    on_failure: Literal["warn", "block"] | None = None
    when: When | None = None


class Match(Section, frozen=True, kw_only=True):
    """Conditions on a finding; all that are given must hold, of a list any one."""

    LATER: ClassVar[frozenset[str]] = frozenset(("kev", "epss", "origin"))

    category: CategoryWord | tuple[CategoryWord, ...] | None = None
    severity: SeverityTest | tuple[SeverityTest, ...] | None = None
    scanner: Text | tuple[Text, ...] | None = None
    rule: Text | tuple[Text, ...] | None = None
    path: Text | tuple[Text, ...] | None = None
    package: Text | tuple[Text, ...] | None = None
    scope: ScopeWord | tuple[ScopeWord, ...] | None = None
    fixable: bool | None = None
    verdict: VerdictWord | tuple[VerdictWord, ...] | None = None


class RuleEntry(Section, frozen=True, kw_only=True):
    """What is done with the findings that match."""

    LATER: ClassVar[frozenset[str]] = frozenset(("grace", "locked"))

    id: RuleId
    match: Match
    action: ActionWord


class Override(Section, frozen=True, kw_only=True):
    """Another severity for the findings that match, and why."""

    match: Match
    to: Level = field(name="set")
    reason: Text


class BanditSeverity(Section, frozen=True, kw_only=True):
    """Below this confidence the severity of a finding of bandit drops one level."""

    min_confidence: Literal["low", "medium", "high"] = "low"


class SeveritySection(Section, frozen=True, kw_only=True):
    """How severities are decided.

    `unknown` stands for an unknown severity where one is compared. Absent it is high: what nobody
    has scored yet is not harmless.
    """

    LATER: ClassVar[frozenset[str]] = frozenset(("sources",))

    unknown: Level = "high"
    bandit: BanditSeverity = BanditSeverity()
    override: tuple[Override, ...] = ()


class LicenseSection(Section, frozen=True, kw_only=True):
    """Which licences are allowed; `classifiers` says if all of several must be, or any."""

    LATER: ClassVar[frozenset[str]] = frozenset(("clarify", "exceptions"))

    allow: tuple[Text, ...] = ()
    review: tuple[Text, ...] = ()
    deny: tuple[Text, ...] = ()
    classifiers: Literal["all", "any"] = "all"


class PolicyFile(Section, frozen=True, kw_only=True):
    """The whole file."""

    LATER: ClassVar[frozenset[str]] = frozenset(
        ("extends", "enrichment", "new_code", "waivers", "locked", "approvers")
    )

    version: Literal[1]
    default: ActionWord
    enforcement: Enforcement = "block"
    scanners: dict[str, ScannerEntry] = {}
    severity: SeveritySection = SeveritySection()
    rules: tuple[RuleEntry, ...] = ()
    licenses: LicenseSection = LicenseSection()


@dataclass(frozen=True, slots=True)
class Policy:
    """A valid policy and where it came from.

    `source` is `built-in`, a path relative to the target, or a bare file name; never a path of
    this machine. `digest` is the sha256 of the file's bytes. `enforcement` is block or warn: what
    the file says, unless the command line says otherwise.
    """

    name: str
    source: str
    digest: str
    enforcement: str
    file: PolicyFile

    @property
    def rules(self) -> tuple[RuleEntry, ...]:
        """The rules in the order in which they are tried."""
        return self.file.rules

    @property
    def info(self) -> PolicyInfo:
        """What reports say of the policy."""
        return PolicyInfo(self.name, self.source, self.digest, self.enforcement)
