"""A report in which every value that can be there is there."""

from datetime import UTC, date, datetime

from msgspec.structs import replace

from scanagg.model import (
    Action,
    Advisory,
    Anchor,
    BaseInfo,
    Category,
    Change,
    Gate,
    History,
    Licensed,
    LicenseFacts,
    LicenseFile,
    LicenseVerdict,
    Location,
    Origin,
    Outcome,
    Package,
    Parts,
    PolicyInfo,
    Reason,
    Report,
    Severity,
    SeverityClaim,
    VoidWaiver,
    Waiver,
    WaiverState,
    WaiverStatus,
    WaiverUse,
    plain,
)
from support.sample import NOW, finding, judged, sample_findings, sample_report

WAIVER = Waiver(
    state=WaiverState.RISK_ACCEPTED,
    reason="it is not reached",
    owner="@web",
    expires=date(2026, 9, 1),
    place="policies/waivers.yml:4",
    ids=("CVE-2016-10745",),
    purl="pkg:pypi/jinja2",
    versions="<3",
    path="requirements.txt",
    fingerprint="0123456789ab",
    until_fixed=True,
)
FACTS = LicenseFacts("MIT", "MIT", ("MIT License",), "pip metadata")
PACKAGE = Package(
    "colour",
    "1.0",
    "pkg:pypi/colour@1.0",
    places=(Location("requirements.txt", 3),),
    requires=("odd",),
)


def full_report() -> Report:
    """A report in which every value that can be there is there."""
    vulnerability, *others = sample_findings()
    found = replace(
        vulnerability.finding,
        advisory=Advisory(
            "CVE-2016-10745",
            ("GHSA-hj2j-77xm-mc5v",),
            ("2.8.1",),
            "2019-04-08T13:29:00Z",
            "https://osv.dev/vulnerability/CVE-2016-10745",
            withdrawn=True,
            kev=False,
            epss=0.25,
        ),
        history=History(Change.UNCHANGED, plain("the package is in the base"), True, NOW),
        anchors=(Anchor(Parts("vulnerability", "CVE-2016-10745", "pkg:pypi/jinja2", "", "")),),
    )
    waived = replace(
        vulnerability,
        finding=found,
        origin=Origin.DISCLOSED,
        waiver=WAIVER,
        void_waivers=(VoidWaiver(WAIVER, Reason("fix-exists", {"versions": ("2.8.1",)})),),
        deadline=datetime(2026, 5, 1, tzinfo=UTC),
    )
    denied = judged(
        finding(
            20,
            category=Category.LICENSE,
            package=PACKAGE,
            license=replace(FACTS, files=(LicenseFile("LICENSE", "ab" * 32, "MIT"),)),
            in_source="nosec",
            resource="a resource",
        ),
        Severity.HIGH,
        Action.BLOCK,
        license_expression="MIT",
        license_verdict=LicenseVerdict.DENY,
        license_term="MIT",
        severity_sources=(SeverityClaim("table", Severity.HIGH, "scanagg"),),
    )
    report = sample_report((waived, denied, *others))
    return replace(
        report,
        policy=PolicyInfo("p", "p.yml", "ab" * 32, "warn", (("q.yml", "cd" * 32),), "0" * 40),
        gate=Gate(
            Outcome.INCOMPLETE,
            3,
            (Reason("required-scanner", {"scanner": "bandit", "problem": plain("r")}),),
            (Reason("waivers-unused", {"waivers": (plain("n"),)}),),
            (plain("it adds a waiver"),),
        ),
        base=BaseInfo("1" * 40, "main", NOW, "policies/baseline.json", 7),
        waivers=(WaiverUse(WAIVER, WaiverStatus.ACTIVE, 1, 12),),
        licenses=(Licensed(PACKAGE, FACTS, LicenseVerdict.ALLOW, "MIT", "MIT", "License"),),
    )
