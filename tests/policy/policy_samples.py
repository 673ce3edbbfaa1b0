"""Findings, runs and policies for the tests of this folder, with only what a test is about."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent

from msgspec.structs import replace

from scanagg.core.errors import PolicyError
from scanagg.model import (
    NO_BASE,
    Advisory,
    Category,
    Change,
    Confidence,
    Coverage,
    DataSource,
    Finding,
    History,
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
    Waiver,
    WaiverState,
    Witness,
    plain,
    pypi_purl,
)
from scanagg.policy.load import load_policy
from scanagg.policy.schema import Policy

NOW = datetime(2026, 3, 1, tzinfo=UTC)

EXISTING = History(Change.UNCHANGED, plain("the same line"))
EDITED = History(Change.UPDATED, plain("the same function, another statement"))


def policy_of(folder: Path, text: str, *, head: str = "version: 1\ndefault: warn\n") -> Policy:
    """Load a policy from this text."""
    file = folder / "policy.yml"
    file.write_text(head + dedent(text), encoding="utf-8")
    return load_policy(str(file), folder)


def mistakes_in(file: Path) -> list[str]:
    """Return every mistake in a policy file, one line each, without the file's name."""
    try:
        load_policy(str(file), file.parent)
    except PolicyError as error:
        return [line.removeprefix(f"{file.name}:") for line in error.message.splitlines()]
    return []


def mistakes(folder: Path, text: str) -> list[str]:
    """Return every mistake in a policy with this text."""
    file = folder / "policy.yml"
    file.write_text(text, encoding="utf-8")
    return mistakes_in(file)


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
    history: History = NO_BASE,
    in_source: str = "",
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
        history=history,
        in_source=in_source,
    )


def disclosed(first_seen: datetime | None = None) -> History:
    """A new vulnerability of a package that is not new."""
    return History(Change.UNCHANGED, plain("the package is in the base"), True, first_seen)


def known(ago: int) -> History:
    """An existing finding, recorded so many days ago."""
    return replace(EXISTING, first_seen=NOW - timedelta(days=ago))


def waiver(
    *,
    ids: tuple[str, ...] = (),
    purl: str | None = None,
    versions: str | None = None,
    path: str | None = None,
    fingerprint: str | None = None,
    days: int = 30,
    owner: str = "@team",
    until_fixed: bool = False,
    place: str = "policies/waivers.yml:3",
) -> Waiver:
    """A waiver that ends so many days after NOW."""
    return Waiver(
        state=WaiverState.RISK_ACCEPTED,
        reason="see SEC-1",
        owner=owner,
        expires=NOW.date() + timedelta(days=days),
        place=place,
        ids=ids,
        purl=purl,
        versions=versions,
        path=path,
        fingerprint=fingerprint,
        until_fixed=until_fixed,
    )


def vulnerability(
    *claims: SeverityClaim,
    fixed: tuple[str, ...] = (),
    aliases: tuple[str, ...] = (),
    withdrawn: bool = False,
    of: Package | None = None,
    path: str | None = "requirements.txt",
    published: str | None = None,
    kev: bool | None = None,
    epss: float | None = None,
    history: History = NO_BASE,
) -> Finding:
    return finding(
        Category.VULNERABILITY,
        "CVE-2026-1",
        claims=claims,
        witnesses=(("pip-audit", "PYSEC-2026-1"),),
        package=of or package(),
        advisory=Advisory(
            "CVE-2026-1", aliases, fixed, published, withdrawn=withdrawn, kev=kev, epss=epss
        ),
        path=path,
        history=history,
    )


def secret(
    *claims: SeverityClaim,
    confidence: Confidence = Confidence.LIKELY,
    path: str = "src/app.py",
    places: tuple[str, ...] = (),
    history: History = NO_BASE,
) -> Finding:
    witnesses = (("detect-secrets", "AWS Access Key"),)
    return finding(
        Category.SECRET,
        "AWS Access Key",
        claims=claims,
        confidence=confidence,
        path=path,
        places=places,
        witnesses=witnesses,
        history=history,
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
    skipped: tuple[tuple[str, str] | tuple[str, str, bool], ...] = (),
    detail: str = "",
    data: DataSource | None = None,
) -> Run:
    """A run that by default examined everything that is not in `skipped`."""
    gaps = tuple(NotExamined(name, plain(why), *rest) for name, why, *rest in skipped)
    looked_at = found - len(skipped) if examined is None else examined
    return Run(
        scanner=scanner,
        version="1",
        status=status,
        detail=plain(detail) if detail else None,
        coverage=Coverage("files", found, looked_at, gaps),
        started=NOW,
        data=data,
    )
