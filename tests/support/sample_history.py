"""The sample for a project that already uses scanagg: compared with a base, with waivers."""

from datetime import UTC, date, datetime
from pathlib import Path

from msgspec.structs import replace

from scanagg.model import (
    Action,
    Anchor,
    BaseInfo,
    Category,
    Change,
    Finding,
    Gate,
    History,
    Judged,
    Licensed,
    LicenseFacts,
    LicenseFile,
    LicenseVerdict,
    Location,
    Origin,
    Outcome,
    Package,
    Parts,
    Report,
    Severity,
    Verdict,
    VoidWaiver,
    Waiver,
    WaiverState,
    WaiverStatus,
    WaiverUse,
    plain,
)
from support.sample import finding, judged, sample_findings, sample_report

SEEN = datetime(2025, 12, 1, 8, 0, tzinfo=UTC)
DEADLINE = datetime(2026, 3, 13, 8, 0, tzinfo=UTC)

ACTIVE = Waiver(
    state=WaiverState.RISK_ACCEPTED,
    reason="only our own names reach it, see SEC-212",
    owner="@team-web",
    expires=date(2026, 3, 10),
    place="policies/waivers.yml:4",
    ids=("B602",),
    path="app/**",
)
EXPIRED = Waiver(
    state=WaiverState.NOT_AFFECTED,
    reason="the sandbox is not used",
    owner="@team",
    expires=date(2026, 2, 20),
    place="policies/waivers.yml:12",
    ids=("GHSA-hj2j-77xm-mc5v",),
    purl="pkg:pypi/jinja2",
    versions="<2.8.1",
    until_fixed=True,
)
UNUSED = Waiver(
    state=WaiverState.FIX_PLANNED,
    reason="goes with the next release",
    owner="@team-ops",
    expires=date(2026, 6, 1),
    place="policies/waivers.yml:20",
    fingerprint="ab" * 32,
)
BASE = BaseInfo(
    commit="89abcdef0123456789abcdef0123456789abcdef",
    ref="origin/main",
    time=SEEN,
    baseline="policies/baseline.json",
    entries=212,
)
ATTEMPTS = (
    plain("policies/waivers.yml: one more waiver, of B602 in app/**"),
    plain("a new .bandit hides findings from bandit"),
)

NEW = History(Change.NEW, plain("it is not in the base"))
KNOWN = History(Change.UNCHANGED, plain("the same line stands in the base"), first_seen=SEEN)
EDITED = History(Change.UPDATED, plain("its statement was edited"))
TOLD = History(
    Change.UNCHANGED,
    plain("odd 1.0 is in the base; the advisory was published after it"),
    disclosed=True,
    first_seen=SEEN,
)


def lived_findings() -> tuple[Judged, ...]:
    """New, edited, disclosed with a deadline, existing, waived by a list, waived in the source."""
    vulnerability, secret, code, image, hostile, licence, misconfiguration = sample_findings()
    disclosed = _with(image, TOLD, Origin.DISCLOSED)
    parts = Parts("code", "B602", "app/db.py", "go", "0123456789abcdef")
    in_source = finding(
        7, id="00000000000b", in_source="nosec", anchors=(Anchor(parts),), history=KNOWN
    )
    return (
        replace(
            _with(vulnerability, NEW, Origin.INTRODUCED),
            void_waivers=(VoidWaiver(EXPIRED, plain("it expired 12 days ago")),),
        ),
        _with(secret, EDITED, Origin.INTRODUCED),
        replace(disclosed, deadline=DEADLINE),
        _with(hostile, EDITED, Origin.INTRODUCED),
        replace(
            _with(licence, KNOWN, Origin.EXISTING),
            license_term="LicenseRef-see",
            void_waivers=(VoidWaiver(UNUSED, plain("its owner may not approve this")),),
        ),
        _with(misconfiguration, KNOWN, Origin.EXISTING),
        replace(
            _with(code, KNOWN, Origin.EXISTING),
            waiver=ACTIVE,
            verdict=Verdict(Action.WAIVED, "warn-rule", (plain("risk accepted by @team-web"),)),
        ),
        judged(in_source, Severity.HIGH, Action.WAIVED, origin=Origin.EXISTING),
    )


def licensed() -> tuple[Licensed, ...]:
    """A package with an allowed licence, and one with an unusual licence."""
    file = LicenseFile("flask-3.0.dist-info/LICENSE.txt", "ef" * 32)
    facts = LicenseFacts("BSD-3-Clause", None, (), "pip", (file,))
    flask = Package("flask", "3.0", "pkg:pypi/flask@3.0", places=(Location("requirements.txt", 3),))
    odd = Package("odd", "1.0", "pkg:pypi/odd@1.0", requires=("flask",))
    strange = LicenseFacts(text="see LICENSE", source="pip")
    return (
        Licensed(flask, facts, LicenseVerdict.ALLOW, "BSD-3-Clause", "BSD-3-Clause", "expression"),
        Licensed(odd, strange, LicenseVerdict.UNKNOWN, "see LICENSE", "see LICENSE", ""),
    )


def lived_report(root: Path = Path("/nowhere")) -> Report:
    """The report of a change, compared with its base and judged by that base's policy."""
    report = sample_report(lived_findings(), root)
    policy = replace(
        report.policy,
        files=(("policies/waivers.yml", "cd" * 32),),
        ref="89abcdef0123456789abcdef0123456789abcdef",
    )
    gate = Gate(
        Outcome.BLOCKED,
        1,
        (plain("2 findings block: 1 critical, 1 high"),),
        (plain("1 waiver matches nothing: policies/waivers.yml:20"),),
        ATTEMPTS,
    )
    return replace(
        report,
        policy=policy,
        gate=gate,
        base=BASE,
        waivers=(
            WaiverUse(ACTIVE, WaiverStatus.ACTIVE, 1, 6),
            WaiverUse(EXPIRED, WaiverStatus.EXPIRED, 0, -12),
            WaiverUse(UNUSED, WaiverStatus.UNUSED, 0, 89),
        ),
        licenses=licensed(),
    )


def many_existing(count: int) -> Report:
    """`count` existing findings that block anyway, and a new one among them."""
    old = [
        _with(judged(finding(number), Severity.CRITICAL, Action.BLOCK), KNOWN, Origin.EXISTING)
        for number in range(count)
    ]
    new = judged(
        finding(count, title="the one new thing", category=Category.CODE, history=NEW),
        Severity.LOW,
        Action.BLOCK,
    )
    return replace(sample_report([*old, new]), base=BASE)


def _with(one: Judged, history: History, origin: Origin) -> Judged:
    found: Finding = replace(one.finding, history=history)
    return replace(one, finding=found, origin=origin)
