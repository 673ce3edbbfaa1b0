"""A report full of packages, licences, advice and waivers for the bill of materials."""

from datetime import date
from pathlib import Path

from msgspec.structs import replace

from scanagg.model import (
    Action,
    Advisory,
    Category,
    Constraint,
    Coverage,
    DataSource,
    Judged,
    Licensed,
    LicenseFacts,
    LicenseFile,
    LicenseVerdict,
    Location,
    Package,
    Report,
    Revision,
    Rule,
    Run,
    Scope,
    Severity,
    SeverityClaim,
    SourceFile,
    Status,
    Step,
    Upgrade,
    VoidWaiver,
    Waiver,
    WaiverState,
    Witness,
    plain,
)
from support.sample import NOW, finding, judged, sample_report

COMMIT = "c0" * 20
V31 = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
V4 = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
V2 = "AV:N/AC:L/Au:N/C:P/I:P/A:P"


def package(name: str, version: str = "1.0", **more: object) -> Package:
    """A package of PyPI from a lock, by default a direct dependency."""
    lock = (Location("uv.lock", 1),)
    base = Package(name, version, f"pkg:pypi/{name}@{version}", direct=True, places=lock)
    return replace(base, **more)  # type: ignore[arg-type]


def vulnerable(number: int, of: Package, **more: object) -> Judged:
    """A blocking vulnerability of `of`; `more` has fields of Finding or of Judged."""
    mine = {key: value for key, value in more.items() if key in Judged.__slots__}
    theirs = {key: value for key, value in more.items() if key not in mine}
    name = f"CVE-2024-{1000 + number}"
    found = finding(
        number,
        **{
            "category": Category.VULNERABILITY,
            "rule": Rule(name, name, "A hole", None, ("CWE-79",)),
            "title": f"A hole in {of.name}",
            "message": f"Package {of.name} {of.version} has the known vulnerability {name}.",
            "claims": (SeverityClaim("ghsa", Severity.HIGH, "trivy"),),
            "location": None,
            "places": of.places,
            "witnesses": (Witness("trivy", name, Severity.HIGH),),
            "package": of,
            "advisory": Advisory(name, fixed_versions=("2.0",), published="2024-05-06T07:08:09Z"),
            **theirs,
        },
    )
    return replace(judged(found, Severity.HIGH, Action.BLOCK), **mine)  # type: ignore[arg-type]


def waiver(state: WaiverState, **more: object) -> Waiver:
    """A waiver by a team, with a reason of one line."""
    base = Waiver(
        state=state,
        reason="see SEC-1",
        owner="@team",
        expires=date(2026, 6, 1),
        place="policies/waivers.yml:3",
        ids=("CVE-2024-1001",),
        purl="pkg:pypi/a",
    )
    return replace(base, **more)  # type: ignore[arg-type]


def licensed(of: Package, judged_as: str, source: str, **facts: object) -> Licensed:
    """A package with its licence, allowed."""
    given = LicenseFacts(**facts)  # type: ignore[arg-type]
    return Licensed(of, given, LicenseVerdict.ALLOW, judged_as, judged_as, source)


def packages_run(examined: int = 3, **more: object) -> Run:
    """A run of pip-audit that examined all of its packages."""
    base = Run(
        scanner="pip-audit",
        version="2.10.1",
        status=Status.OK,
        coverage=Coverage("packages", examined, examined),
        started=NOW,
    )
    return replace(base, **more)  # type: ignore[arg-type]


def bom_report(*packages: Package, **more: object) -> Report:
    """A report about a locked project with these packages, by default without findings."""
    base = sample_report([])
    lock = SourceFile("uv.lock", Path("/nowhere/uv.lock"), 1)
    revision = Revision(COMMIT, "main", "https://git.invalid/a/shop", "", dirty=False)
    report = replace(
        base,
        target=replace(base.target, files=(lock,), revision=revision),
        runs=(packages_run(),),
        packages=tuple(packages),
    )
    return replace(report, **more)  # type: ignore[arg-type]


def shop() -> Report:
    """A small shop project with one of everything that a bill of materials can contain."""
    lock = Location("uv.lock", 10)
    asked = (Location("pyproject.toml", 7),)
    requests = package(
        "requests", "2.19.0", places=(Location("uv.lock", 3),), requires=("idna", "urllib3"),
        chain=("requests",), asked=asked,
    )  # fmt: skip
    urllib3 = package(
        "urllib3", "1.23", direct=False, places=(lock,), chain=("requests", "urllib3"), asked=asked
    )
    idna = package("idna", "2.7", direct=False, chain=("requests", "idna"))
    idna_too = package("idna", "3.0", direct=False)
    local = package("torch", "2.0+cpu", scope=Scope.DEV)
    zlib = Package("zlib1g", "1:1.2", "pkg:deb/debian/zlib1g@1.2?arch=amd64&epoch=1")
    return bom_report(
        *(requests, urllib3, idna, idna_too, local),
        findings=_findings(requests, urllib3, zlib),
        licenses=(
            licensed(requests, "Apache-2.0", "classifiers", classifiers=("Apache Software",)),
            licensed(urllib3, "MIT", "License", text="MIT", files=(LicenseFile("L", "ab", "MIT"),)),
            licensed(idna, "MIT OR Apache-2.0", "License-Expression", expression="MIT OR Apache"),
            licensed(idna_too, "see LICENSE", "License", text="see LICENSE"),
            Licensed(local, LicenseFacts(), LicenseVerdict.UNKNOWN, "UNKNOWN", "", ""),
        ),
        upgrades=(
            Upgrade(
                package=urllib3,
                to="1.24.2",
                step=Step.MINOR,
                clears=("CVE-2024-1001", "CVE-2024-1002"),
                stays=("CVE-2024-1003",),
                allowed=False,
                hindered_by=(Constraint("urllib3", "<1.24", "urllib3<1.24", by="requests"),),
                change=("requests",),
            ),
        ),
        data=(DataSource("osv", NOW, "cd" * 32, 9000, "https://osv.invalid/all.zip", "CC-BY-4.0"),),
    )


def _findings(requests: Package, urllib3: Package, zlib: Package) -> tuple[Judged, ...]:
    advisory = Advisory(
        "CVE-2024-1001",
        aliases=("GHSA-aaaa-bbbb-cccc", "PYSEC-2024-1", "DLA-1-1"),
        fixed_versions=("1.24.2",),
        published="2024-05-06T07:08:09Z",
        url="https://osv.dev/vulnerability/PYSEC-2024-1",
        kev=True,
        epss=0.9734,
        kev_added="2024-05-07",
        epss_percentile=0.999,
        references=("https://example.invalid/a?b=c#d", "not a link"),
    )
    claims = (
        SeverityClaim("ghsa", Severity.HIGH, "trivy"),
        SeverityClaim("cvss4", Severity.CRITICAL, "osv", V4),
        SeverityClaim("nvd", Severity.CRITICAL, "trivy", V31),
        SeverityClaim("cvss2", Severity.MEDIUM, "safety", V2),
    )
    late = VoidWaiver(waiver(WaiverState.NOT_AFFECTED), plain("it has expired"))
    rule = Rule("GHSA-xxxx-yyyy-zzzz", "x", "y")
    return (
        vulnerable(1, urllib3, advisory=advisory, severity_sources=claims, void_waivers=(late,)),
        vulnerable(2, urllib3),
        vulnerable(3, urllib3, advisory=Advisory("CVE-2024-1003", withdrawn=True)),
        vulnerable(4, zlib, severity=Severity.UNKNOWN, severity_sources=()),
        vulnerable(5, requests, rule=rule, advisory=Advisory("MAL-2024-1", kev=False)),
        *sample_report().findings[1:3],
    )
