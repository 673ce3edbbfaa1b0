"""Findings, runs and policies for the tests of this folder, with only what a test is about."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent

from scanagg.model import (
    Advisory,
    Category,
    Confidence,
    Coverage,
    Finding,
    LicenseFacts,
    Location,
    NotExamined,
    Package,
    Rule,
    Run,
    Scope,
    Severity,
    SeverityClaim,
    Status,
    Witness,
    pypi_purl,
)
from scanagg.policy import Policy, load_policy

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def policy_of(folder: Path, text: str, *, head: str = "version: 1\ndefault: warn\n") -> Policy:
    """The policy that a file with this text is."""
    file = folder / "policy.yml"
    file.write_text(head + dedent(text), encoding="utf-8")
    return load_policy(str(file), folder)


def package(name: str = "jinja2", version: str = "2.4.1", scope: Scope = Scope.RUNTIME) -> Package:
    return Package(name=name, version=version, purl=pypi_purl(name, version), scope=scope)


def claim(severity: str, source: str = "tool", scanner: str = "bandit") -> SeverityClaim:
    return SeverityClaim(source, Severity(severity), scanner)


def finding(
    category: Category = Category.CODE,
    rule: str = "B602",
    *,
    claims: tuple[SeverityClaim, ...] = (),
    confidence: Confidence = Confidence.HIGH,
    path: str | None = "src/app.py",
    line: int | None = 1,
    places: tuple[str, ...] = (),
    witnesses: tuple[tuple[str, str], ...] | None = None,
    package: Package | None = None,
    advisory: Advisory | None = None,
    facts: LicenseFacts | None = None,
) -> Finding:
    parts = (category, rule, path, line, package, advisory, facts, claims, places)
    fingerprint = hashlib.sha256(repr(parts).encode()).hexdigest()
    seen = witnesses if witnesses is not None else (("bandit", rule),)
    return Finding(
        id=fingerprint[:12],
        fingerprint=fingerprint,
        category=category,
        rule=Rule(rule, rule, rule),
        title=f"{rule} title",
        message="",
        claims=claims,
        confidence=confidence,
        location=Location(path, line) if path else None,
        places=tuple(Location(each, 1) for each in places),
        witnesses=tuple(Witness(*each, Severity.UNKNOWN) for each in seen),
        package=package,
        advisory=advisory,
        license=facts,
    )


def vulnerability(
    *claims: SeverityClaim,
    fixed: tuple[str, ...] = (),
    aliases: tuple[str, ...] = (),
    withdrawn: bool = False,
    of: Package | None = None,
    path: str | None = "requirements.txt",
) -> Finding:
    return finding(
        Category.VULNERABILITY,
        "CVE-2026-1",
        claims=claims,
        witnesses=(("pip-audit", "PYSEC-2026-1"),),
        package=of or package(),
        advisory=Advisory("CVE-2026-1", aliases, fixed_versions=fixed, withdrawn=withdrawn),
        path=path,
    )


def secret(
    *claims: SeverityClaim, path: str = "src/app.py", places: tuple[str, ...] = ()
) -> Finding:
    witnesses = (("detect-secrets", "AWS Access Key"),)
    return finding(
        Category.SECRET,
        "AWS Access Key",
        claims=claims,
        path=path,
        places=places,
        witnesses=witnesses,
    )


def licensed(text: str, scope: Scope = Scope.RUNTIME) -> Finding:
    return finding(
        Category.LICENSE,
        "license",
        witnesses=(("licenses", "license"),),
        package=package(scope=scope),
        facts=LicenseFacts(expression=text),
        path=None,
    )


def run_of(
    scanner: str,
    status: Status = Status.OK,
    *,
    found: int = 2,
    examined: int | None = None,
    skipped: tuple[tuple[str, str], ...] = (),
    detail: str = "",
) -> Run:
    """A run that examined all that is not in `skipped`, unless told otherwise."""
    looked_at = found - len(skipped) if examined is None else examined
    return Run(
        scanner=scanner,
        version="1",
        status=status,
        detail=detail,
        coverage=Coverage("files", found, looked_at, tuple(NotExamined(*each) for each in skipped)),
        started=NOW,
    )
