"""The parsers of foreign text, each with good inputs and the errors that it may raise."""

import contextlib
import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import msgspec
from support.drive import context, inventory
from support.records import affected, below, epss, kev, osv
from support.sample import sample_report
from support.sample_history import lived_report

from scanagg.advisories.importing import exploits, files
from scanagg.advisories.importing import osv as exports
from scanagg.advisories.records import UnusableError, decoded
from scanagg.advisories.versions import affected_versions, doubts, fixed_versions, trimmed
from scanagg.baseline.file import BaselineEntry, load, new_text
from scanagg.core.errors import ScanaggError
from scanagg.findings.correlate import correlate
from scanagg.findings.fingerprint import Identity
from scanagg.findings.normalise import normalise, redactor
from scanagg.inventory import environment, read_inventory
from scanagg.model import Environment, Parts, SourceFile, Target
from scanagg.policy.load import PolicySource, builtin_folder, read_policy, read_waivers
from scanagg.policy.test import read_cases
from scanagg.project import secret_key
from scanagg.project.installed import packages_of
from scanagg.project.kinds import kinds_of
from scanagg.project.sources import Sources
from scanagg.project.target import read_target
from scanagg.project.trusted import WorkTree
from scanagg.reports import wire
from scanagg.reports.json import render
from scanagg.scanners.base import (
    Output,
    Parsed,
    ScanError,
    Scanner,
    Tool,
    all_scanners,
    scanner_infos,
)
from scanagg.scanners.config import load_settings
from scanagg.scanners.licenses import site_packages
from scanagg.scanners.runner import UNREADABLE

NOW = datetime(2026, 11, 20, tzinfo=UTC)
DATA = Path(os.environ.get("SCANAGG_TEST_DATA", "../shared/data"))
# Larger reports are cut: a mutation of a part is more likely to matter in a small input.
MOST_ITEMS = 3
MOST_BYTES = 10_000
TOOL = Tool(("x",), "x")


@dataclass(frozen=True)
class FuzzTarget:
    """A parser: good inputs, and a call that returns for every input, in a folder of its own."""

    seeds: Sequence[bytes]
    call: Callable[[bytes, Path], object]


def _json(*values: object) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


def _short(value: object) -> object:
    """Return JSON with only the first items of its lists."""
    if isinstance(value, dict):
        return {key: _short(part) for key, part in value.items()}
    return [_short(part) for part in value[:MOST_ITEMS]] if isinstance(value, list) else value


def _corpus(name: str) -> list[bytes]:
    """Return the reports that a real scanner wrote, from the test data if it is there."""
    paths = sorted((DATA / "corpus" / name).glob("*.json"))
    reports = _json(*(_short(json.loads(path.read_bytes())) for path in paths))
    return [report for report in reports if len(report) < MOST_BYTES]


# -- scanners --------------------------------------------------------------------------------------

PINS = ("django==3.2.0", "jinja2==2.4.1", "a==1")
SOURCE = {"a.py": "password = 'correct-horse-9'\neval(x)\n", "requirements.txt": "\n".join(PINS)}


def _scanner(name: str, inputs: tuple[str, ...], raw: bytes, folder: Path) -> None:
    """Read an answer, and make findings of it."""
    scanner: Scanner = all_scanners()[name]
    for path, text in SOURCE.items():
        if not (folder / path).exists():
            (folder / path).write_text(text)
    sources = tuple(SourceFile(path, folder / path, len(text)) for path, text in SOURCE.items())
    target = Target(folder, "x", sources)
    packages = inventory(*PINS)
    # The mutated bytes are the output, and also what the program writes to stderr.
    code = raw[-1] % 2 if raw[:1] == b"!" else 0
    output = Output(code, raw.removeprefix(b"!"), raw[-200:].decode("utf-8", "replace"), inputs)
    ctx = context(target, packages)
    with contextlib.suppress(ScanError):
        scanner.identify(TOOL, output)
    parsed = Parsed()
    with contextlib.suppress(ScanError, *UNREADABLE):
        parsed = scanner.parse(ctx, output)
    texts = Sources(target)
    observations = normalise(parsed.observations, packages, texts)
    mask = redactor(observations, parsed.secrets)
    findings = correlate(observations, Identity(texts, mask, "", None))
    msgspec.json.encode((findings, parsed.hidden))
    scanner.again(ctx, output)


BANDIT = {
    "errors": [{"filename": "./b.py", "reason": "syntax error while parsing AST from file"}],
    "generated_at": "2024-10-10T10:10:10Z",
    "metrics": {"_totals": {"loc": 2}, "./a.py": {"loc": 2, "nosec": 0, "skipped_tests": 0}},
    "results": [
        {
            "code": "2 eval(x)\n",
            "col_offset": 0,
            "end_col_offset": 7,
            "filename": "./a.py",
            "issue_confidence": "HIGH",
            "issue_cwe": {"id": 78, "link": "https://cwe.mitre.org/data/definitions/78.html"},
            "issue_severity": "MEDIUM",
            "issue_text": "Use of possibly insecure function.",
            "line_number": 2,
            "line_range": [2],
            "more_info": "https://bandit.readthedocs.io/",
            "test_id": "B307",
            "test_name": "blacklist",
        }
    ],
}
PIP_AUDIT = {
    "dependencies": [
        {
            "name": "django",
            "version": "3.2.0",
            "vulns": [
                {
                    "id": "PYSEC-2021-98",
                    "fix_versions": ["3.2.4"],
                    "aliases": ["CVE-2021-33203", "GHSA-68w8-qjq3-2gfm"],
                    "description": "Django before 2.2.24",
                }
            ],
        },
        {"name": "a", "skip_reason": "not on PyPI"},
    ],
    "fixes": [],
}
SAFETY = (
    {
        "report_meta": {"timestamp": "2024-10-10 10:10:10", "safety_version": "3.2.0"},
        "scanned_packages": {"django": {"name": "django", "version": "3.2.0"}},
        "vulnerabilities": [
            {
                "vulnerability_id": "44742",
                "package_name": "django",
                "analyzed_version": "3.2.0",
                "vulnerable_spec": ["<3.2.4"],
                "all_vulnerable_specs": ["<3.2.4"],
                "fixed_versions": ["3.2.4"],
                "advisory": "Django before 3.2.4",
                "CVE": "CVE-2021-33203",
                "severity": None,
                "published_date": "2021-06-08",
                "more_info_url": "https://data.safetycli.com/v/44742",
                "ignored": False,
            }
        ],
        "ignored_vulnerabilities": [],
    },
    {
        "scan_results": {
            "projects": [
                {
                    "files": [
                        {
                            "results": {
                                "dependencies": [
                                    {
                                        "name": "django",
                                        "specifications": [
                                            {
                                                "raw": "django==3.2.0",
                                                "vulnerabilities": {
                                                    "known_vulnerabilities": [
                                                        {"id": "44742", "vulnerable_spec": "<3"}
                                                    ]
                                                },
                                            }
                                        ],
                                    }
                                ]
                            }
                        }
                    ]
                }
            ]
        }
    },
)
_HIT = {
    "type": "Secret Keyword",
    "hash": "0" * 40,
    "whole": "correct-horse-9",
    "value": "correct-horse-9",
    "lines": [1],
    "texts": ["correct-horse-9"],
}
SECRETS = (
    {"file": 0, "hits": [_HIT], "values": ["correct-horse-9"], "allowed": [_HIT]},
    {"file": 1, "reason": {"kind": "too-long-line", "values": {}}, "on_purpose": True},
)
SECRETS_BASELINE = {
    "version": "1.5.0",
    "results": {
        "a.py": [
            {"type": "Secret Keyword", "hashed_secret": "0" * 40, "line_number": 1},
            {"type": "Base64", "hashed_secret": "1" * 40, "is_secret": False},
        ]
    },
}
LICENSES = (
    [
        {
            "Name": "django",
            "Version": "3.2.0",
            "License-Classifier": "BSD License",
            "License-Metadata": "BSD-3-Clause",
            "License-Expression": "UNKNOWN",
        }
    ],
    {
        "version": "1",
        "pip_version": "25.1",
        "install": [
            {
                "metadata": {
                    "metadata_version": "2.4",
                    "name": "django",
                    "version": "3.2.0",
                    "license": "BSD",
                    "license_expression": "BSD-3-Clause",
                    "classifier": ["License :: OSI Approved :: BSD License"],
                }
            }
        ],
    },
)
TRIVY = {
    "SchemaVersion": 2,
    "ArtifactType": "filesystem",
    "Metadata": {"OS": {"Family": "debian", "Name": "12", "EOSL": True}},
    "Results": [
        {
            "Target": "requirements.txt",
            "Class": "lang-pkgs",
            "Type": "pip",
            "Packages": [{"Name": "django", "Version": "3.2.0", "Locations": [{"StartLine": 1}]}],
            "Vulnerabilities": [
                {
                    "VulnerabilityID": "CVE-2021-33203",
                    "PkgName": "django",
                    "InstalledVersion": "3.2.0",
                    "FixedVersion": "2.2.24, 3.2.4",
                    "Severity": "MEDIUM",
                    "SeveritySource": "ghsa",
                    "PrimaryURL": "https://avd.aquasec.com/nvd/cve-2021-33203",
                    "CVSS": {"nvd": {"V3Vector": "CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:N/A:N"}},
                    "PublishedDate": "2021-06-08T18:15:00Z",
                    "CweIDs": ["CWE-22"],
                    "References": ["https://docs.djangoproject.com/"],
                }
            ],
        },
        {
            "Target": "a.py",
            "Class": "secret",
            "Secrets": [
                {
                    "RuleID": "generic",
                    "Category": "x",
                    "Severity": "HIGH",
                    "Title": "Key",
                    "StartLine": 1,
                    "EndLine": 1,
                    "Match": "password = '***'",
                }
            ],
        },
        {
            "Target": "Dockerfile",
            "Class": "config",
            "Type": "dockerfile",
            "MisconfSummary": {"Successes": 1, "Failures": 1},
            "Misconfigurations": [
                {
                    "Type": "Dockerfile Security Check",
                    "ID": "DS002",
                    "Title": "root",
                    "Severity": "HIGH",
                    "Status": "FAIL",
                    "CauseMetadata": {"StartLine": 1, "EndLine": 1, "Code": {"Lines": []}},
                }
            ],
        },
    ],
}

_PART = {
    "rule_id": "aws-secret-access-key",
    "match": {"value": "correct-horse-9"},
    "location": {"path": "files/0.py", "start_line": 1, "end_line": 2},
}
BETTERLEAKS = {
    "findings": [
        {
            **_PART,
            "rule_id": "aws-access-token",
            "description": "Identified an AWS access key ID, which gives access.",
            "confidence": "high",
            "encodings": ["base64"],
            "component_sets": [{"components": [_PART]}],
        },
        {**_PART, "rule_id": "scanagg-end-of-file"},
    ],
    "scan": {"state": "complete"},
}

SCANNERS = {
    "bandit": (_json(BANDIT), "bandit", ("a.py",)),
    "betterleaks": (_json(BETTERLEAKS), "betterleaks", ("a.py", "requirements.txt")),
    "pip-audit": (_json(PIP_AUDIT), "pip_audit", PINS),
    "safety": (_json(*SAFETY), "safety", PINS),
    "detect-secrets": (
        [b"\n".join(_json(*SECRETS))],
        "detect_secrets",
        ("a.py", "requirements.txt"),
    ),
    "licenses": (_json(*LICENSES), "licenses", PINS),
    "trivy": (_json(TRIVY), "trivy", ("requirements.txt", "a.py")),
}


# -- the project -----------------------------------------------------------------------------------


def _manifest(name: str, raw: bytes, folder: Path) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    file = SourceFile(name, path, len(raw))
    read_inventory(Target(folder, "x", (file,)))
    kinds_of(file)


LOCK = b"""[[package]]
name = "django"
version = "3.2.0"
source = { registry = "https://index.invalid/simple" }
dependencies = [{ name = "a", marker = "python_version < '3.9'" }]
groups = ["default"]

[[package]]
name = "a"
version = "1"
optional = true
"""
MANIFESTS = {
    "requirements.txt": b"django==3.2.0 ; python_version < '3.9'  # via a\n-r other.txt\n-c c.txt\n"
    b"a[x]==1 \\\n    --hash=sha256:00\n-e git+https://h.invalid/a#egg=a\n# via b\nb>=1,<2\n"
    b"c @ https://h.invalid/c.zip\n--index-url https://u:p@h.invalid/simple\n",
    "uv.lock": b"version = 1\n" + LOCK,
    "poetry.lock": LOCK.replace(b"dependencies = [{ name", b"extras = {}\nx = [{ name")
    + b'[package.dependencies]\nb = { version = "^1", optional = true }\n\n[metadata]\n'
    + b'lock-version = "2.0"\n',
    "pdm.lock": LOCK.replace(b"[{ name", b'["b>=1", { name'),
    "pylock.toml": b'lock-version = "1.0"\npackages = []\n'
    + LOCK.replace(b"package]]", b"packages]]"),
    "Pipfile.lock": b'{"_meta": {"sources": []}, "default": {"django": {"version": "==3.2.0", '
    b'"markers": "python_version < \'3\'"}}, "develop": {"a": {"git": "https://h.invalid/a"}}}',
    "Pipfile": b"""[packages]
django = "==3.2.0"
a = {version = "*", extras = ["x"]}
[dev-packages]
""",
    "pyproject.toml": b"""[project]
name = "p"
dependencies = ["django==3.2.0", "a[x]>=1"]
[project.optional-dependencies]
y = ["b~=1.2"]
[dependency-groups]
dev = ["c==1", {include-group = "t"}]
t = []
[tool.poetry.dependencies]
python = "^3"
d = {version = "^1", markers = "x"}
[tool.uv.sources]
a = {git = "https://h.invalid"}
""",
    "setup.cfg": b"""[metadata]
name = p
[options]
install_requires =
    django==3.2.0
    a>=1; python_version < '3'
[options.extras_require]
x = b
""",
    "setup.py": b"""from setuptools import setup
setup(name='p', install_requires=['django==3.2.0'], extras_require={'x': ['a>=1']})
""",
    "environment.yml": b"""name: x
dependencies:
  - python=3.11
  - pip:
      - django==3.2.0
""",
    "tox.ini": b"""[tox]
envlist = a
[testenv]
deps =
    django==3.2.0
    -r requirements.txt
""",
    ".pre-commit-config.yaml": b"""repos:
  - repo: https://h.invalid/x
    rev: v1
    hooks:
      - id: mypy
        additional_dependencies: [django==3.2.0, "a>=1"]
""",
    "script.py": b"""# /// script
# requires-python = ">=3.11"
# dependencies = ["django==3.2.0", "a>=1"]
# ///
import django
""",
    "notebook.ipynb": b"""{
"cells": [{"cell_type": "code", "source": ["%pip install a==1\\n", "x = 1"], "outputs": []}],
"metadata": {"kernelspec": {"name": "python3"}},
"nbformat": 4
}
""",
    "Dockerfile": b"""FROM python:3.12
RUN pip install django==3.2.0 \\
    a==1
USER app
""",
}
METADATA = (
    """Metadata-Version: 2.1
Name: django
Version: 3.2.0
License: BSD
Author: J\u00fcrgen
License-File: LICENSE
Requires-Dist: a>=1; extra == 'x'
Classifier: License :: OSI Approved :: BSD License

Text
""".encode(),
    b'{"url": "file:///p", "dir_info": {"editable": true}}',
    b"django/__init__.py,sha256=x,10\n\n../../LICENSE,,\n",
)


def _metadata(raw: bytes, folder: Path) -> None:
    """Put the same bytes in every file of an installed package."""
    for number, name in enumerate(("METADATA", "direct_url.json", "RECORD", "LICENSE")):
        package = folder / f"p{number}-1.dist-info"
        package.mkdir(exist_ok=True)
        (package / "METADATA").write_bytes(METADATA[0])
        (package / name).write_bytes(raw)
    root = folder.resolve()
    installed = Environment(Path("python"), "env", (root,), root)
    environment.read(installed, ())
    found = [key for key, _ in site_packages.keyed(packages_of(installed))]
    site_packages.license_files(packages_of(installed), found)


def _gitignore(raw: bytes, folder: Path) -> None:
    (folder / "src").mkdir(exist_ok=True)
    (folder / "src" / "a.py").touch()
    (folder / ".gitignore").write_bytes(raw)
    read_target(folder)


# -- rules and reports -----------------------------------------------------------------------------

POLICY = b"""version: 1
default: warn
enforcement: block
locked: [default]
rules:
  - id: worst
    match: {category: [vulnerability, secret], severity: [critical], path: "src/**", epss: ">0.5"}
    action: block
    grace: {critical: 7d}
severity: {overrides: [{rule: B602, severity: high, reason: "It is known."}]}
licenses: {allow: [MIT, "Apache-2.0 OR BSD-3-Clause"], unknown: warn}
scanners: {bandit: {required: true}, pip-audit: {db_max_age: 7d}}
new_code: {against: merge-base}
waivers: {max_days: 90, items: []}
"""
WAIVERS = (
    b"version: 1\nitems:\n  - id: CVE-2021-33203\n    purl: pkg:pypi/django@3.2.0\n"
    b"    state: accepted\n    owner: a@x.invalid\n    reason: It is not used.\n"
    b"    expires: 2026-12-31\n"
)
CASES = (
    b"version: 1\ncases:\n  - name: critical\n    finding: {category: vulnerability, "
    b"severity: critical, package: django}\n    expect: {action: block}\n"
)
CONFIG = (
    b'policy = "policies/x.yml"\nexclude = ["docs/*"]\ntimeout = 30\njobs = 2\n'
    b'output-dir = "out"\npython = ".venv"\n[scanners.bandit]\nargs = ["-x"]\nconfig = "b.yml"\n'
)


def _policy(read: Callable[[PolicySource], object], raw: bytes, folder: Path) -> None:
    with contextlib.suppress(ScanaggError):
        read(PolicySource("policy.yml", raw, WorkTree(folder), "policy.yml"))


def _baseline(raw: bytes, _folder: Path) -> None:
    with contextlib.suppress(ScanaggError):
        load(raw, "baseline.json")


def _config(raw: bytes, folder: Path) -> None:
    (folder / "scanagg.toml").write_bytes(raw)
    with contextlib.suppress(ScanaggError):
        load_settings(folder, scanner_infos())
    (folder / "scanagg.toml").unlink()
    (folder / "pyproject.toml").write_bytes(raw)
    with contextlib.suppress(ScanaggError):
        load_settings(folder, scanner_infos())


def _report(raw: bytes, folder: Path) -> None:
    path = folder / "scanagg.json"
    path.write_bytes(raw)
    with contextlib.suppress(ScanaggError):
        "".join(render(wire.read(path)))


def _secrets_baseline(raw: bytes, folder: Path) -> None:
    (folder / ".secrets.baseline").write_bytes(raw)
    names = (".secrets.baseline", "a.py", "b.py")
    for name in names[1:]:
        (folder / name).write_text(SOURCE["a.py"])
    files = tuple(SourceFile(name, folder / name, 0) for name in names)
    output = Output(0, b"\n".join(_json(*SECRETS)), "", names[1:])
    all_scanners()["detect-secrets"].parse(context(Target(folder, "x", files)), output)


def _key(raw: bytes, _folder: Path) -> None:
    with contextlib.suppress(ScanaggError):
        secret_key.read(raw)


# -- advisory data ---------------------------------------------------------------------------------


def _record(raw: bytes, _folder: Path) -> None:
    with contextlib.suppress(UnusableError):
        record, _ = decoded(raw, NOW)
        list(doubts(record))
        trimmed(record)
        for entry in record.affected[:3]:
            affected_versions(record, entry.package.name).contains("1.0")
            list(fixed_versions(record, entry.package.name))


def _export(raw: bytes, folder: Path) -> None:
    path = folder / "export"
    path.write_bytes(raw)
    with contextlib.suppress(ScanaggError), exports.exported(path) as export:
        list(export.records)


def _exploits(raw: bytes, folder: Path) -> None:
    path = folder / "data"
    path.write_bytes(raw)
    with contextlib.suppress(ScanaggError):
        exploits.catalogue(path, files.Problems())
    with contextlib.suppress(ScanaggError), exploits.scores(path, files.Problems()) as (rows, _):
        list(rows)


def _zip(members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


RECORDS = _json(
    below("PYSEC-2024-1", "django", "3.2", aliases=["CVE-2024-1000"], summary="a", details="b"),
    osv(
        "GHSA-aaaa-bbbb-cccc",
        affected("a", {"introduced": "1"}, {"last_affected": "2"}, versions=["1", "1.5", "x"]),
        severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:N/A:N"}],
        database_specific={"severity": "HIGH", "cwe_ids": ["CWE-79"]},
        references=[{"type": "FIX", "url": "https://h.invalid/a"}],
        withdrawn="2024-06-01T00:00:00Z",
    ),
)
SCORES = epss({"CVE-2024-1000": (0.5, 0.9), "CVE-2024-1001": (0.1, 0.2)}).encode()
NAMED = dict(zip(("PYSEC-2024-1.json", "a/b.json"), RECORDS, strict=True))


def _reports() -> list[bytes]:
    return ["".join(render(make())).encode() for make in (sample_report, lived_report)]


ENTRIES = (
    BaselineEntry(Parts("code", "B602", "app.py", "run", "a" * 16), 7, by=("bandit",)),
    BaselineEntry(
        Parts("secret", "", "\u00fc.py", "", "c" * 28), 3, owner="a", reason="It is old."
    ),
    BaselineEntry(
        Parts("vulnerability", "CVE-2016-10745", "pkg:pypi/jinja2", "", ""),
        ids=("CVE-2016-10745", "GHSA-hj2j-77xm-mc5v"),
        by=("pip-audit",),
    ),
)


TARGETS = {
    **{
        name: FuzzTarget([*seeds, *_corpus(corpus)], partial(_scanner, name, inputs))
        for name, (seeds, corpus, inputs) in SCANNERS.items()
    },
    **{name: FuzzTarget([seed], partial(_manifest, name)) for name, seed in MANIFESTS.items()},
    "METADATA": FuzzTarget(METADATA, _metadata),
    ".gitignore": FuzzTarget(
        [b"*.py\n!src/a.py\n/src/**/b\n\\#x\n[a-z]?\n  \n", b"a**b*c*\n" * 4], _gitignore
    ),
    "policy": FuzzTarget(
        [POLICY, (builtin_folder() / "pull-request.yml").read_bytes()],
        partial(_policy, read_policy),
    ),
    "waivers": FuzzTarget([WAIVERS], partial(_policy, read_waivers)),
    "policy-cases": FuzzTarget(
        [CASES], partial(_policy, lambda source: read_cases(source.raw, source.name))
    ),
    "baseline": FuzzTarget(
        [new_text(ENTRIES, slim=slim).encode() for slim in (False, True)], _baseline
    ),
    "configuration": FuzzTarget(
        [CONFIG, CONFIG.replace(b"[scanners", b"[tool.scanagg.scanners")], _config
    ),
    "report": FuzzTarget(_reports(), _report),
    "secrets-baseline": FuzzTarget(_json(SECRETS_BASELINE), _secrets_baseline),
    "key": FuzzTarget([secret_key.new_file_text().encode()], _key),
    "osv-record": FuzzTarget(RECORDS, _record),
    "osv-export": FuzzTarget(
        [_zip(NAMED), _zip(NAMED, zipfile.ZIP_STORED), b"[" + b",".join(RECORDS) + b"]"], _export
    ),
    "kev-epss": FuzzTarget(
        [*_json(kev("CVE-2024-1000", "CVE-2024-1001")), SCORES, gzip.compress(SCORES)], _exploits
    ),
}
