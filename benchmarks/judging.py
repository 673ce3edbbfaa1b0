"""Time to judge 100,000 findings against a policy of 50 rules and 500 waivers.

The findings are varied: every category, 10,000 paths, 100 rules, 3,000 packages, 12,000 advisories,
each finding with a fingerprint of its own. The conditions of the rules and the selectors of the
waivers are varied too. The same findings are also judged with fewer rules and waivers, and the
ratios show the cost of these. The figures are CPU time, because judging waits for nothing.
"""

import gc
import hashlib
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from msgspec.structs import replace

from scanagg.model import (
    Action,
    Advisory,
    Category,
    Change,
    Confidence,
    Finding,
    History,
    LicenseFacts,
    Location,
    Package,
    Reason,
    Rule,
    Scope,
    Severity,
    SeverityClaim,
    Waiver,
    WaiverState,
    Witness,
    plain,
    pypi_purl,
)
from scanagg.policy.load import load_policy
from scanagg.policy.rules import decide
from scanagg.policy.schema import Policy

FINDINGS, RULES, WAIVERS, REPEATS = 100_000, 50, 500, 5
NOW = datetime(2026, 6, 1, tzinfo=UTC)
LEVELS = list(Severity)
HISTORIES = (
    History(Change.NEW, Reason("not-in-base")),
    History(Change.UNCHANGED, plain("the same line")),
    History(Change.UNCHANGED, plain("the same package"), True, datetime(2026, 5, 1, tzinfo=UTC)),
    History(Change.UPDATED, plain("an edited statement")),
)


def main() -> None:
    """Print the median of five runs for the whole policy and for smaller ones, with ratios."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else FINDINGS
    findings = [finding(number) for number in range(count)]
    with tempfile.TemporaryDirectory() as folder:
        whole = replace(policy(Path(folder), RULES), waivers=tuple(waivers(findings, WAIVERS)))
        fewer = replace(policy(Path(folder), RULES), waivers=whole.waivers[:50])
        bare = policy(Path(folder), RULES)
        least = policy(Path(folder), 5)
    gc.collect()
    gc.disable()  # as `scanagg check` does
    reference = median(findings, whole)
    told(f"{count:,} findings, {RULES} rules, {WAIVERS} waivers", reference, reference)
    told("with 50 waivers", median(findings, fewer), reference)
    told("without waivers", median(findings, bare), reference)
    told("with 5 rules, without waivers", median(findings, least), reference)
    judged = decide(findings, whole, NOW).judged
    counts = {each.value: sum(one.verdict.action is each for one in judged) for each in Action}
    print(", ".join(f"{number:,} {name}" for name, number in counts.items()))


def median(findings: list[Finding], judge_by: Policy) -> float:
    """Return the median CPU seconds of several runs; each compiles the policy again."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        decide(findings, judge_by, NOW)
        times.append(time.process_time() - start)
        gc.collect()
    return statistics.median(times)


def told(what: str, seconds: float, reference: float) -> None:
    print(f"{what:<45} {seconds:6.3f} s   {seconds / reference:5.2f}")


def finding(number: int) -> Finding:
    """A finding: of ten, five are code, three vulnerabilities, one a secret, one a licence."""
    digest = hashlib.sha256(str(number).encode()).hexdigest()
    kind = number % 10
    package, advisory, facts = None, None, None
    path, rule = f"src/part{number % 40}/mod{number * 7 % 10_000}.py", f"B{number % 100 + 100}"
    claims = (SeverityClaim("tool", LEVELS[number % 5], "bandit"),)
    if kind < 5:
        category, scanner = Category.CODE, "bandit"
    elif kind == 5:
        category, scanner, rule, claims = Category.SECRET, "detect-secrets", "AWS Access Key", ()
    else:
        name = f"package-{number % 3000}"
        scope = Scope.DEV if number % 4 else Scope.RUNTIME
        package = Package(name, "1.2.3", pypi_purl(name, "1.2.3"), scope)
        path = f"services/s{number % 200}/requirements.txt"
        category, scanner, rule = Category.LICENSE, "licenses", "license"
        facts = LicenseFacts(expression=("MIT", "GPL-3.0-only", "Apache-2.0 OR MIT")[number % 3])
    if package and kind < 9:
        category, scanner, facts = Category.VULNERABILITY, "pip-audit", None
        rule = f"CVE-2026-{number % 12_000}"
        aliases = (f"GHSA-aaaa-bbbb-{number % 12_000}", f"PYSEC-2026-{number % 12_000}")
        fixed = ("2.0",) if number % 3 else ()
        advisory = Advisory(rule, aliases, fixed, published=f"2026-05-{number % 28 + 1:02}")
        claims = (
            SeverityClaim("ghsa", LEVELS[number % 6], "pip-audit"),
            SeverityClaim("cvss3.1", LEVELS[number % 4], "trivy"),
        )
    return Finding(
        id=digest[:12],
        fingerprint=digest,
        category=category,
        rule=Rule(rule, rule, rule),
        title="",
        message="",
        claims=claims,
        confidence=Confidence.HIGH,
        location=Location(path, number % 900 + 1),
        places=(),
        witnesses=(Witness(scanner, rule, Severity.HIGH),),
        package=package,
        advisory=advisory,
        license=facts,
        history=HISTORIES[number % 4],
    )


def policy(folder: Path, count: int) -> Policy:
    """A policy with rules that use every kind of condition."""
    matches = (
        "{{category: vuln, kev: true, package: 'package-{n}*'}}",
        "{{category: code, rule: [B{b}, 'B9{n}*'], path: 'src/part{n}/**'}}",
        "{{category: secret, origin: introduced, path: ['src/part{n}/*.py', '**/conf{n}/**']}}",
        "{{category: vuln, origin: [disclosed, existing], scope: runtime, package: 'package-{n}'}}",
        "{{category: [code, iac], severity: '>=medium', scanner: bandit, path: '*_{n}.py'}}",
    )
    graces = ("", "", "", ", grace: {critical: 7d, high: 30d}", "")
    lines = ["version: 1", "default: info", "rules:"]
    for n in range(count):
        match = matches[n % 5].format(n=n, b=100 + n)
        action = "warn" if n % 7 == 0 and not graces[n % 5] else "block"
        lines.append(f"  - {{id: r{n}, match: {match}, action: {action}{graces[n % 5]}}}")
    lines += [
        "severity:",
        "  override:",
        "    - {match: {rule: B101, path: 'src/part1/**'}, set: info, reason: fine}",
        "licenses: {allow: [MIT]}",
    ]
    file = folder / f"policy-{count}.yml"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load_policy(str(file), folder)


def waivers(findings: list[Finding], count: int) -> Iterator[Waiver]:
    """Waivers by fingerprint, ids, package with versions, plain path, and glob, a fifth each."""
    for n in range(count):
        one = findings[n * 199 % len(findings)]
        selectors: dict[str, object] = (
            {"fingerprint": one.fingerprint[:16]},
            {"ids": (f"pysec-2026-{n * 20}",), "purl": f"pkg:pypi/package-{n}"},
            {"purl": f"pkg:pypi/Package_{n}", "versions": "<2", "until_fixed": True},
            {"path": f"src/part{n % 40}/mod{n * 7 % 10_000}.py"},
            {"ids": (f"B{n % 100 + 100}",), "path": f"**/mod{n}*.py"},
        )[n % 5]
        expires = date(2026, 5 + n % 5, 15)
        place = f"policies/waivers.yml:{n}"
        yield Waiver(
            state=WaiverState.RISK_ACCEPTED,
            reason="",
            owner="@team",
            expires=expires,
            place=place,
            **selectors,  # type: ignore[arg-type]
        )


if __name__ == "__main__":
    main()
