"""A small report with one of everything, and a large one, for tests and benchmarks of formats."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from scanagg.model import (
    Action,
    Advisory,
    Category,
    Clock,
    Confidence,
    Coverage,
    DataSource,
    Finding,
    Gate,
    Judged,
    LicenseFacts,
    LicenseVerdict,
    Location,
    NotExamined,
    Outcome,
    Package,
    PolicyInfo,
    Reason,
    Report,
    Revision,
    Rule,
    Run,
    Scope,
    Severity,
    SeverityClaim,
    SourceFile,
    Status,
    Target,
    Verdict,
    Witness,
    plain,
)
from scanagg.scanners.base import scanner_infos

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)

FILES = {
    "app/db.py": "import subprocess\n\n\ndef go(name):\n    subprocess.run(name, shell=True)\n",
    "app/ünï cödé#1.py": "x = eval('1')\n",
    "config.ini": "[db]\npassword = hunter2hunter2\n",
    "Dockerfile": "FROM python:3.12\nUSER root\n",
    "requirements.txt": "jinja2==2.4.1\nodd==1.0\n",
}

SHELL = Rule(
    "B602",
    "subprocess_popen_with_shell_equals_true",
    "A subprocess is started through a shell.",
    "https://bandit.readthedocs.io/en/latest/plugins/b602_subprocess_popen_with_shell_equals_true.html",
    ("CWE-78",),
    "Pass a list of arguments and no shell.",
    why="A shell interprets its input.",
    bad='subprocess.run(f"ping {host}", shell=True)',
    good='arguments = ["ping", "--", host]\nsubprocess.run(arguments)',
)
EVAL = Rule("B307", "eval", "A string is run as code.", None, ("CWE-78",))
CVE = Rule(
    "CVE-2016-10745",
    "CVE-2016-10745",
    "Sandbox escape in jinja2",
    "https://osv.dev/vulnerability/CVE-2016-10745",
    ("CWE-134",),
)
KEYWORD = Rule("secret-keyword", "Secret Keyword", "A secret stands in the code.")
ROOT_USER = Rule(
    "DS-0002", "root_user", "The image runs as root.", "https://avd.aquasec.com/misconfig/ds-0002"
)
LICENSE = Rule("license-unknown", "license_unknown", "The licence is not known.")


def finding(number: int, **changes: object) -> Finding:
    """A bandit finding with fingerprint `number`."""
    base = Finding(
        id=f"{number:012x}",
        fingerprint=f"{number:064x}",
        category=Category.CODE,
        rule=SHELL,
        title="subprocess call with shell=True",
        message="A subprocess is started through a shell; its input can be a command.",
        claims=(SeverityClaim("tool", Severity.HIGH, "bandit"),),
        confidence=Confidence.HIGH,
        location=Location("app/db.py", 5, 5, 5, 37),
        places=(Location("app/db.py", 5, 5, 5, 37),),
        witnesses=(Witness("bandit", "B602", Severity.HIGH),),
        snippet="    subprocess.run(name, shell=True)",
        line_hash="3a9c2f7d1e5b8a64:1",
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def judged(found: Finding, severity: Severity, action: Action, **changes: object) -> Judged:
    """A finding with a severity and the action of a rule named after it."""
    base = Judged(
        finding=found,
        severity=severity,
        severity_sources=found.claims,
        verdict=Verdict(action, f"{action.value}-rule", (plain(f"the rule says {action.value}"),)),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def secret(
    number: int,
    confidence: Confidence = Confidence.UNLIKELY,
    kind: str = "digest-name",
    action: Action = Action.INFO,
    path: str = "app/db.py",
) -> Judged:
    """A secret that by default looks like none."""
    found = finding(
        number,
        category=Category.SECRET,
        confidence=confidence,
        confidence_reason=Reason(kind),
        rule=KEYWORD,
        title="Secret Keyword",
        message="",
        witnesses=(Witness("detect-secrets", "Secret Keyword", Severity.UNKNOWN),),
        snippet="password = ***",
        location=Location(path, number),
        places=(Location(path, number),),
    )
    return judged(found, Severity.HIGH, action)


def sample_findings() -> tuple[Judged, ...]:
    """Findings of every category, with merged witnesses, hostile text, and missing parts."""
    package = Package(
        "jinja2",
        "2.4.1",
        "pkg:pypi/jinja2@2.4.1",
        direct=True,
        places=(Location("requirements.txt", 1),),
    )
    odd = Package(
        "odd",
        "1.0",
        "pkg:pypi/odd@1.0",
        Scope.DEV,
        False,
        places=(Location("requirements.txt", 2),),
    )
    deb = Package("zlib1g", "1.2", "pkg:deb/debian/zlib1g@1.2")
    vulnerability = finding(
        1,
        category=Category.VULNERABILITY,
        rule=CVE,
        title="Sandbox escape in jinja2",
        message="Package jinja2 2.4.1 has the known vulnerability CVE-2016-10745; fixed in 2.8.1.",
        claims=(
            SeverityClaim("ghsa", Severity.CRITICAL, "trivy"),
            SeverityClaim(
                "nvd", Severity.HIGH, "trivy", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:N"
            ),
        ),
        confidence=Confidence.UNKNOWN,
        location=Location("requirements.txt", 1),
        places=(Location("requirements.txt", 1),),
        witnesses=(
            Witness("pip-audit", "PYSEC-2019-220", Severity.UNKNOWN),
            Witness("trivy", "CVE-2016-10745", Severity.CRITICAL),
        ),
        snippet="jinja2==2.4.1",
        line_hash=None,
        package=package,
        advisory=Advisory(
            "CVE-2016-10745",
            ("GHSA-hj2j-77xm-mc5v", "PYSEC-2019-220"),
            ("2.8.1",),
            "2019-04-08T13:29:00Z",
            "https://osv.dev/vulnerability/CVE-2016-10745",
        ),
    )
    image = replace(
        vulnerability,
        id="00000000000a",
        fingerprint=f"{10:064x}",
        package=deb,
        location=None,
        places=(),
        snippet=None,
        witnesses=(Witness("trivy", "CVE-2016-10745", Severity.UNKNOWN),),
        claims=(),
    )
    secret = finding(
        3,
        category=Category.SECRET,
        rule=KEYWORD,
        title="Secret Keyword",
        message="A value that looks like a secret stands in the file.",
        claims=(),
        confidence=Confidence.UNKNOWN,
        location=Location("config.ini", 2),
        places=(Location("config.ini", 2),),
        witnesses=(Witness("detect-secrets", "secret-keyword", Severity.UNKNOWN),),
        snippet="password = ***",
        line_hash=None,
    )
    hostile = finding(
        4,
        rule=EVAL,
        title="</script><script>alert(1)</script> `x` | y",
        message="Text with \\x1b[31m, <b>markup</b>, {{ braces }} & a very long word " + "x" * 300,
        claims=(SeverityClaim("tool", Severity.MEDIUM, "bandit"),),
        location=Location("app/ünï cödé#1.py", 1),
        places=(Location("app/ünï cödé#1.py", 1),),
        witnesses=(Witness("bandit", "B307", Severity.MEDIUM),),
        snippet="x = eval('</script><!--')",
    )
    misconfiguration = finding(
        5,
        category=Category.MISCONFIGURATION,
        rule=ROOT_USER,
        title="Image user should not be root",
        message="The last USER of the image is root.",
        claims=(SeverityClaim("tool", Severity.LOW, "trivy"),),
        location=Location("Dockerfile", 2, 2),
        places=(Location("Dockerfile", 2, 2),),
        witnesses=(Witness("trivy", "DS-0002", Severity.LOW),),
        snippet="USER root",
        resource="USER root",
    )
    license_finding = finding(
        6,
        category=Category.LICENSE,
        rule=LICENSE,
        title="Licence of odd is not known",
        message="Package odd 1.0 says of its licence 'see LICENSE', which is no SPDX expression.",
        claims=(),
        location=Location("requirements.txt", 2),
        places=(Location("requirements.txt", 2),),
        witnesses=(Witness("licenses", "license", Severity.UNKNOWN),),
        snippet="odd==1.0",
        line_hash=None,
        package=odd,
        license=LicenseFacts(text="see LICENSE", source="pip"),
    )
    return (
        judged(vulnerability, Severity.CRITICAL, Action.BLOCK),
        judged(secret, Severity.HIGH, Action.BLOCK),
        judged(finding(2), Severity.HIGH, Action.WARN),
        judged(image, Severity.UNKNOWN, Action.WARN),
        judged(hostile, Severity.MEDIUM, Action.INFO),
        judged(
            license_finding,
            Severity.MEDIUM,
            Action.INFO,
            license_expression="see LICENSE",
            license_verdict=LicenseVerdict.UNKNOWN,
        ),
        judged(misconfiguration, Severity.LOW, Action.INFO),
    )


def sample_runs() -> tuple[Run, ...]:
    """A run of every status but one, with what was not examined."""

    def run(scanner: str, status: Status, detail: str, coverage: Coverage, **more: object) -> Run:
        base = Run(
            scanner=scanner,
            version="1.2.3",
            status=status,
            detail=plain(detail) if detail else None,
            coverage=coverage,
            argv=("python", "-P", "-m", scanner),
            started=NOW,
            seconds=1.25,
        )
        return replace(base, **more)  # type: ignore[arg-type]

    broken = NotExamined("app/new.py", plain("syntax error: not parsed by bandit with Python 3.11"))
    return (
        run(
            "bandit",
            Status.DEGRADED,
            "1 of 3 files not examined",
            Coverage("files", 3, 2, (broken,)),
            hidden={"nosec": 2},
        ),
        run("detect-secrets", Status.OK, "", Coverage("files", 5, 5)),
        run("licenses", Status.OK, "", Coverage("packages", 2, 2)),
        run("pip-audit", Status.OK, "", Coverage("packages", 2, 2)),
        run(
            "safety",
            Status.MISSING,
            "not installed",
            Coverage("packages", 2, 0),
            version=None,
            argv=(),
        ),
        run(
            "trivy",
            Status.OK,
            "",
            Coverage("files", 2, 2),
            data=DataSource("vulnerability database", NOW),
        ),
    )


def sample_report(
    findings: Sequence[Judged] | None = None, root: Path = Path("/nowhere")
) -> Report:
    """The whole report: blocked, with a notice. With `root`, write the files of FILES there."""
    if root.is_dir():
        for name, text in FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
    return Report(
        version="0.1.0",
        target=Target(
            root=root,
            name="shop",
            files=tuple(
                SourceFile(name, root / name, len(text)) for name, text in sorted(FILES.items())
            ),
            revision=Revision(
                "0123456789abcdef0123456789abcdef01234567",
                "main",
                "https://git.invalid/a/shop",
                "",
                False,
            ),
        ),
        policy=PolicyInfo("default", "built-in", "ab" * 32, "block"),
        clock=Clock(NOW),
        runs=sample_runs(),
        findings=sample_findings() if findings is None else tuple(findings),
        gate=Gate(
            Outcome.BLOCKED,
            1,
            (plain("2 findings block: 1 critical, 1 high"),),
            (plain("safety did not run; the policy does not require it"),),
        ),
        scanners=scanner_infos(),
    )


def large_report(count: int) -> Report:
    """A report with `count` different code findings over 2,000 files and 50 rules."""
    rules = [replace(SHELL, id=f"B{600 + number}", name=f"rule_{number}") for number in range(50)]
    severities = (Severity.HIGH, Severity.MEDIUM, Severity.LOW)
    actions = (Action.BLOCK, Action.WARN, Action.INFO)
    verdicts = tuple(
        Verdict(action, f"{action.value}-rule", (plain("the rule says so"),)) for action in actions
    )

    def one(number: int) -> Judged:
        place = Location(f"pkg/mod{number % 2000:04}.py", number // 2000 + 1)
        severity = severities[number % 3]
        claims = (SeverityClaim("tool", severity, "bandit"),)
        found = finding(
            number,
            rule=rules[number % 50],
            location=place,
            places=(place,),
            claims=claims,
            witnesses=(Witness("bandit", rules[number % 50].id, severity),),
        )
        return Judged(
            finding=found, severity=severity, severity_sources=claims, verdict=verdicts[number % 3]
        )

    return sample_report([one(number) for number in range(count)])
