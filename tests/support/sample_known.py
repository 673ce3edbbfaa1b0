"""The sample with an advisory store: vulnerabilities with everything, upgrades, dated data."""

from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from scanagg.model import (
    Action,
    Advisory,
    Category,
    Confidence,
    Constraint,
    DataSource,
    Judged,
    Location,
    Package,
    Report,
    Rule,
    Scope,
    Severity,
    SeverityClaim,
    Step,
    Upgrade,
    Witness,
)
from support.sample import NOW, finding, judged, sample_report

OSV = DataSource(
    "OSV (PyPI)",
    NOW - timedelta(days=3),
    "ab12cd34" * 8,
    18_234,
    "https://osv.invalid/PyPI/all.zip",
    "CC BY 4.0 (PyPA Advisory Database, GitHub Advisory Database)",
    NOW - timedelta(hours=5),
)
KEV = DataSource(
    "CISA KEV", NOW, "cd" * 32, 1_400, "known_exploited_vulnerabilities.json", "CC0 1.0", NOW
)
EPSS = DataSource(
    "FIRST EPSS",
    NOW - timedelta(days=1),
    "ef" * 32,
    280_000,
    "",
    "free to use with citation (FIRST.org)",
)

ASKED_FILES = {"requirements.in": "jinja2\nrequests\n", "constraints.txt": "a\nb\nurllib3<2\n"}
ASKED = Location("requirements.in", 2)
LOCKED = Location("requirements.txt", 2)
URLLIB3 = Package(
    "urllib3",
    "1.26.4",
    "pkg:pypi/urllib3@1.26.4",
    direct=False,
    places=(LOCKED,),
    chain=("requests", "urllib3"),
    asked=(ASKED,),
)
JINJA2 = Package(
    "jinja2",
    "2.4.1",
    "pkg:pypi/jinja2@2.4.1",
    direct=True,
    places=(Location("requirements.txt", 1),),
    chain=("jinja2",),
    asked=(Location("requirements.txt", 1),),
)
EVIL = Package(
    "reqeusts",
    "1.0.1",
    "pkg:pypi/reqeusts@1.0.1",
    Scope.DEV,
    direct=False,
    places=(LOCKED,),
    chain=(*(f"step-{number}" for number in range(12)), "reqeusts"),
)
LONELY = Package("oldlib", "0.9", "pkg:pypi/oldlib@0.9")

PAGES = (
    "https://github.com/advisories/GHSA-v845-jxx5-vc9f",
    "https://nvd.nist.gov/vuln/detail/CVE-2023-43804",
    "javascript:alert(1)",
    "http://plain.invalid/post",
)
VECTOR = "CVSS:3.1/AV:N/AC:H/PR:L/UI:N/S:U/C:N/I:L/A:N"

UPGRADES = (
    Upgrade(
        package=URLLIB3,
        to="2.5.0",
        step=Step.MAJOR,
        to_unblock="1.26.17",
        clears=("CVE-2023-43804", "CVE-2021-33503", "CVE-2024-37891", "CVE-2025-50181"),
        unblocks=("CVE-2023-43804",),
        stays=("PYSEC-2099-1",),
        allowed=False,
        hindered_by=(
            Constraint("urllib3", "<1.27,>=1.21.1", "urllib3<1.27,>=1.21.1", "requests"),
            Constraint("urllib3", "<2", "urllib3<2", "", Location("constraints.txt", 3)),
        ),
        change=("requests",),
        checked=True,
    ),
    Upgrade(
        package=JINJA2,
        to="2.8.1",
        step=Step.MINOR,
        clears=("CVE-2016-10745",),
        unblocks=("CVE-2016-10745",),
        allowed=True,
        change=("jinja2",),
    ),
    Upgrade(package=EVIL, to=None, stays=("MAL-2025-1",), change=("step-0",), checked=True),
    Upgrade(package=LONELY, to=None, stays=("CVE-2020-1",), checked=True),
)


def vulnerability(
    number: int, package: Package, advisory: Advisory, *claims: SeverityClaim, **changes: object
) -> Judged:
    """A finding of pip-audit; the first claim decides."""
    rule = Rule(advisory.id, advisory.id, f"A weakness of {package.name}", advisory.url)
    places = (*package.asked, *package.places)
    found = finding(
        number,
        category=Category.VULNERABILITY,
        rule=rule,
        title=rule.title,
        message=f"Package {package.name} {package.version} has a weakness.",
        claims=claims,
        confidence=Confidence.UNKNOWN,
        location=next(iter(places), None),
        places=places,
        witnesses=(Witness("pip-audit", advisory.id, Severity.UNKNOWN),),
        snippet=None,
        line_hash=None,
        package=package,
        advisory=advisory,
    )
    severity = claims[0].severity if claims else Severity.UNKNOWN
    return judged(replace(found, **changes), severity, Action.BLOCK)  # type: ignore[arg-type]


def known_findings() -> tuple[Judged, ...]:
    """Findings: exploited and disputed; malicious; withdrawn; of unknown origin; with a fix."""
    cookie = Advisory(
        "CVE-2023-43804",
        ("GHSA-v845-jxx5-vc9f", "PYSEC-2023-192"),
        ("1.26.17", "2.0.6"),
        "2023-10-02T14:00:00Z",
        "https://osv.dev/vulnerability/CVE-2023-43804",
        kev=True,
        epss=0.9712,
        kev_added="2023-11-03",
        epss_percentile=0.9987,
        references=PAGES,
    )
    malware = Advisory("MAL-2025-1", ("GHSA-aaaa-bbbb-cccc",), published="2025-01-02")
    gone = Advisory("CVE-2021-33503", withdrawn=True, kev=False, epss=0.0004, epss_percentile=0.1)
    old = Advisory("CVE-2020-1", published="2020-01-01")
    disputed = (
        SeverityClaim("ghsa", Severity.HIGH, "osv"),
        SeverityClaim("cvss3.1", Severity.LOW, "osv", VECTOR),
        SeverityClaim("tool", Severity.UNKNOWN, "pip-audit"),
    )
    first = vulnerability(31, URLLIB3, cookie, *disputed)
    weak = replace(first.finding.rule, cwe=("CWE-200",), title="Cookies reach another site")
    return (
        replace(first, finding=replace(first.finding, rule=weak, title=weak.title)),
        vulnerability(32, EVIL, malware, SeverityClaim("table", Severity.CRITICAL, "scanagg")),
        replace(
            vulnerability(33, URLLIB3, gone, SeverityClaim("table", Severity.INFO, "scanagg")),
            verdict=replace(first.verdict, action=Action.INFO),
        ),
        vulnerability(34, LONELY, old, SeverityClaim("cvss3.1", Severity.LOW, "osv", VECTOR)),
        vulnerability(35, JINJA2, Advisory("CVE-2016-10745", (), ("2.8.1",))),
    )


def known_report(root: Path = Path("/nowhere")) -> Report:
    """The report of a project with packages that were looked up in a store."""
    return replace(
        sample_report(known_findings(), root),
        packages=(URLLIB3, JINJA2, EVIL, LONELY),
        data=(OSV, KEV, EPSS),
        upgrades=UPGRADES,
    )


def many_upgrades(count: int, root: Path = Path("/nowhere")) -> Report:
    """`count` packages with one to nine vulnerabilities, each package with an upgrade."""
    made: list[Judged] = []
    upgrades: list[Upgrade] = []
    for number in range(count, 0, -1):
        name = f"package-{number:03}"
        place = Location("requirements.txt", 1)
        chain = (*(f"parent-{step}" for step in range(number % 7)), name)
        package = Package(
            name, "1.0", f"pkg:pypi/{name}@1.0", direct=len(chain) == 1, chain=chain,
            asked=(place,), places=(place,),
        )  # fmt: skip
        ids = tuple(f"CVE-2024-{number:03}{each:02}" for each in range(number % 9 + 1))
        made += [
            vulnerability(
                1_000 + 100 * number + each,
                package,
                Advisory(name, fixed_versions=("2.0",), published="2024-05-06"),
                SeverityClaim("ghsa", Severity.HIGH, "osv"),
            )
            for each, name in enumerate(ids)
        ]
        upgrades.append(
            Upgrade(
                package=package, to="2.0", step=Step.MAJOR, clears=ids, unblocks=ids[:2],
                allowed=True, change=chain[:1], checked=True,
            )
        )  # fmt: skip
    return replace(
        known_report(root), findings=(*known_findings(), *made), upgrades=(*UPGRADES, *upgrades)
    )
