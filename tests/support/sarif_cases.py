"""Reports for the tests of SARIF: variations of the sample, with files that exist."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from scanagg.core.text import valid
from scanagg.model import (
    Action,
    Advisory,
    Category,
    Confidence,
    Coverage,
    Finding,
    Judged,
    Location,
    Package,
    Report,
    Revision,
    Rule,
    Run,
    Severity,
    SeverityClaim,
    SourceFile,
    Status,
    Target,
    Witness,
    plain,
)
from scanagg.project.sources import line_hashes
from scanagg.reports.base import reporter
from support.sample import (
    EVAL,
    finding,
    judged,
    large_report,
    sample_findings,
    sample_report,
)
from support.sample_history import lived_report
from support.sample_known import ASKED_FILES, known_report

# Names as bytes, since not all of them are text.
HOSTILE_NAMES = [
    b"a b#c?d%20.py",
    b"new\nline.py",
    b"<script>alert(1)<script>.py",
    b"c:drive.py",
    b"{0}.py",
    b"back\\slash.py",
    b"quo'te\".py",
    b"`tick`.py",
    b"[a](b).py",
    b"...py",
    b"-rf",
    b"trailing. ",
    "ünï/cödé.py".encode(),
    "\U0001f600/日本.py".encode(),
    b"not-\xff-utf8.py",
    b"esc\x1b[31m.py",
]
LINE = "x = eval('\U0001f600')  # ünï"


def write(report: Report, name: str, folder: Path) -> Path:
    """Write the report in the format `name` to a file."""
    made = reporter(name)
    path = folder / made.FILENAME
    path.write_bytes("".join(made.render(report)).encode())
    return path


def log_of(report: Report, name: str = "sarif") -> dict[str, Any]:
    """Write the report in the format `name` and read it back."""
    log: dict[str, Any] = json.loads("".join(reporter(name).render(report)))
    return log


def runs_of(log: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the runs of a log by their scanner."""
    return {run["tool"]["driver"]["name"]: run for run in log["runs"]}


def results_of(log: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all results of a log."""
    return [result for run in log["runs"] for result in run["results"]]


def only(found: Finding, severity: Severity = Severity.HIGH) -> Report:
    """A report with one finding."""
    return sample_report([judged(found, severity, Action.WARN)])


def the_result(found: Finding, name: str = "sarif", root: Path = Path("/nowhere")) -> Any:
    """The one result of a report with one finding."""
    report = sample_report([judged(found, Severity.HIGH, Action.WARN)], root)
    (result,) = results_of(log_of(report, name))
    return result


def hashed(report: Report) -> Report:
    """The report with the true hash of each line that has one."""
    files = {file.path: file.real for file in report.target.files}

    def with_hash(one: Judged) -> Judged:
        place = one.finding.location
        if one.finding.line_hash is None or place is None or place.path not in files:
            return one
        hashes = line_hashes(files[place.path].read_bytes().decode("utf-8", "replace"))
        value = hashes[(place.start_line or 1) - 1]
        return replace(one, finding=replace(one.finding, line_hash=value))

    return replace(report, findings=tuple(map(with_hash, report.findings)))


def sample(root: Path) -> Report:
    """The sample, its files written."""
    return hashed(sample_report(root=root))


def clean(root: Path) -> Report:
    """No scanner found anything."""
    return replace(sample_report([], root), runs=with_status(Status.OK))


def broken(root: Path) -> Report:
    """No scanner has a usable result."""
    runs = with_status(Status.FAILED, Status.TIMEOUT, Status.MISSING, Status.EMPTY)
    return replace(sample_report([], root), runs=runs)


def crowded(root: Path) -> Report:
    """6,000 findings of one scanner, each on an existing line."""
    report = large_report(6_000)
    names = sorted({one.finding.location.path for one in report.findings if one.finding.location})
    text = "    subprocess.run(name, shell=True)\n" * 4
    target = _target(root, {name.encode(): text.encode() for name in names})
    return hashed(replace(report, target=replace(target, revision=report.target.revision)))


def hostile(root: Path) -> Report:
    """A finding in each file with a hostile or broken name."""
    target = _target(root, {name: f"# one\n{LINE}".encode() for name in HOSTILE_NAMES})
    findings = [
        judged(
            finding(
                number,
                rule=EVAL,
                location=Location(file.path, 2),
                places=(Location(file.path, 2), Location(file.path, 1)),
                snippet=LINE,
            ),
            Severity.MEDIUM,
            Action.INFO,
        )
        for number, file in enumerate(target.files)
    ]
    return hashed(replace(sample_report(findings), target=target))


def below(root: Path) -> Report:
    """The sample as a folder of a larger repository, whose root is `root`."""
    report = sample_report(root=_made(root / "services" / "shöp 1"))
    assert report.target.revision is not None
    revision = replace(report.target.revision, prefix="services/shöp 1/")
    return hashed(replace(report, target=replace(report.target, revision=revision)))


def image(root: Path) -> Report:
    """Packages of a container image, which no file of the project declares."""
    found = [one for one in sample_findings() if one.finding.location is None]
    more = [
        replace(one, finding=replace(one.finding, package=package, fingerprint=f"{number:064x}"))
        for one in found
        for number, package in enumerate(
            Package(name, "1.2", f"pkg:deb/debian/{name}@1.2?distro=bookworm")
            for name in ("libc6", "libssl3", "openssl")
        )
    ]
    return hashed(sample_report([*found, *more], root))


def no_repository(root: Path) -> Report:
    """The sample as a plain folder."""
    report = sample_report(root=root)
    return hashed(replace(report, target=replace(report.target, revision=None)))


def waived(root: Path) -> Report:
    """The sample with two waived findings."""
    report = sample(root)
    first, second, *rest = report.findings
    verdicts = [replace(one.verdict, action=Action.WAIVED) for one in (first, second)]
    changed = [replace(first, verdict=verdicts[0]), replace(second, verdict=verdicts[1])]
    return replace(report, findings=(*changed, *rest))


def lived(root: Path) -> Report:
    """A change compared with its base: new, updated, unchanged, waived, waived in the source."""
    return hashed(lived_report(root))


def known(root: Path) -> Report:
    """Packages that were looked up in a store, with upgrades; the lines that declare them exist."""
    report = known_report(root)
    for name, text in ASKED_FILES.items():
        (root / name).write_text(text, encoding="utf-8")
    files = tuple(SourceFile(name, root / name, len(text)) for name, text in ASKED_FILES.items())
    target = replace(report.target, files=(*report.target.files, *files))
    return hashed(replace(report, target=target))


CASES: dict[str, Callable[[Path], Report]] = {
    made.__name__: made
    for made in (sample, clean, broken, hostile, below, image, no_repository, waived, lived, known)
}


def with_status(*statuses: Status) -> tuple[Run, ...]:
    """The sample's runs, with these statuses in turn."""
    return tuple(
        replace(
            run,
            status=statuses[number % len(statuses)],
            detail=plain("this is why"),
            coverage=Coverage("files", 3, 0),
        )
        for number, run in enumerate(sample_report([]).runs)
    )


def bandit_corpus(path: Path) -> list[Judged]:
    """The findings of a real report of bandit."""
    records = json.loads(path.read_bytes())["results"]
    return [_of_bandit(number, record) for number, record in enumerate(records)]


def trivy_corpus(path: Path) -> list[Judged]:
    """The vulnerabilities of a real report of trivy, as findings."""
    report = json.loads(path.read_bytes())
    records = [record for each in report["Results"] for record in each.get("Vulnerabilities") or ()]
    return [_of_trivy(number, record) for number, record in enumerate(records)]


def _of_bandit(number: int, record: dict[str, Any]) -> Judged:
    severity = Severity(record["issue_severity"].lower())
    place = Location("app/db.py", 5)
    cwe = (f"CWE-{record['issue_cwe']['id']}",) if record.get("issue_cwe") else ()
    rule = Rule(
        record["test_id"], record["test_name"], record["test_name"], record.get("more_info"), cwe
    )
    found = finding(
        number,
        rule=rule,
        title=record["test_name"],
        message=record["issue_text"],
        location=place,
        places=(place,),
        confidence=Confidence(record["issue_confidence"].lower()),
        witnesses=(Witness("bandit", rule.id, severity),),
    )
    return judged(found, severity, Action.WARN)


def _of_trivy(number: int, record: dict[str, Any]) -> Judged:
    identifier, name = record["VulnerabilityID"], record["PkgName"]
    version = record["InstalledVersion"]
    severity = Severity(record["Severity"].lower())
    fixed = tuple(filter(None, record.get("FixedVersion", "").split(", ")))
    rule = Rule(
        identifier,
        identifier,
        record.get("Title", ""),
        record.get("PrimaryURL"),
        tuple(record.get("CweIDs", ())),
        record.get("Description", ""),
    )
    found = finding(
        number,
        category=Category.VULNERABILITY,
        rule=rule,
        message=record.get("Description", ""),
        location=None,
        places=(),
        snippet=None,
        line_hash=None,
        package=Package(name, version, f"pkg:deb/debian/{name}@{version}"),
        advisory=Advisory(identifier, fixed_versions=fixed),
        claims=(SeverityClaim("tool", severity, "trivy"),),
        witnesses=(Witness("trivy", identifier, severity),),
    )
    return judged(found, severity, Action.WARN)


def _target(root: Path, files: dict[bytes, bytes]) -> Target:
    made: list[SourceFile] = []
    for name, content in sorted(files.items()):
        real = root / os.fsdecode(name)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(content)
        made.append(SourceFile(valid(os.fsdecode(name)), real, len(content)))
    revision = Revision("01" * 20, "main", "https://git.invalid/a/shop", "", False)
    return Target(root=root, name=root.name, files=tuple(made), revision=revision)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
