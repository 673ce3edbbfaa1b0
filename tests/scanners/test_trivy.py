"""Trivy: the real program on real trees and images, with a database beside the tests."""

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from support import tools
from support.drive import Driven, context, drive, inventory, package, perform

from scanagg.inventory.environment import find
from scanagg.model import (
    Category,
    Inventory,
    Location,
    NotExamined,
    Reason,
    Requirement,
    Scope,
    Severity,
    SeverityClaim,
    SourceFile,
    Target,
    plain,
)
from scanagg.model.advisories import UNTITLED
from scanagg.model.network import NO_NETWORK
from scanagg.project.sources import Sources
from scanagg.reports.reasons import sentence
from scanagg.scanners import trivy
from scanagg.scanners.base import Output, Tool
from scanagg.scanners.trivy.results import decode, read, unmasked
from scanagg.scanners.trivy.tree import SEEN, Kind, Tree

# Assembled here, so that no scanner reports secrets in this file.
KEY_ID = "AKIA" + "QZX7TG5PLMNB2RST"
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
JINJA = "jinja2==2.4.1\n"
OPEN_BUCKET = 'resource "aws_s3_bucket" "b" {\n  bucket = "x"\n}\n'
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  containers: [{name: c, image: nginx}]
"""
CLEAN_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m, namespace: n}\n"
POETRY = """\
[[package]]
name = "jinja2"
version = "2.4.1"
{}
[metadata]
lock-version = "2.1"
"""
CLEAN_DOCKER = "FROM python:3.11\nUSER app\nHEALTHCHECK CMD true\n"

Files = Mapping[str, str | bytes]


@pytest.fixture(scope="session")
def trivy_path() -> Path:
    """The real program."""
    return tools.trivy()


@pytest.fixture(scope="session")
def database(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the database: Trivy may write beside it."""
    copy = tmp_path_factory.mktemp("trivy") / "cache"
    shutil.copytree(data_dir / "trivy-cache", copy)
    for path in copy.rglob("*"):
        path.chmod(0o700)
    return copy


@pytest.fixture
def scan(trivy_path: Path, make_project, read_target, tmp_path: Path) -> Callable[..., Driven]:
    """Scan a tree of files with the real program, without network; return the result."""

    def run(files: Files, cache: Path | None = None, **changes: object) -> Driven:
        name = str(changes.pop("name", "project"))
        root = make_project(files, git_=bool(changes.pop("git_", True)), name=name)
        found = changes.pop("inventory", Inventory())
        given = {
            "path": trivy_path,
            "offline": True,
            "options": {"cache-dir": str(cache or tmp_path / "no-database")},
            **changes,
        }
        target = read_target(root, exclude=changes.pop("exclude", ()))
        given.pop("exclude", None)
        return drive(trivy, context(target, found, **given), tmp_path)

    return run


def ids(done: Driven, category: Category) -> Counter[str]:
    return Counter(one.rule.id for one in done.observations if one.category is category)


def places(done: Driven, category: Category) -> set[str]:
    return {one.location.path for one in done.observations if one.category is category}


# -- vulnerabilities -------------------------------------------------------------------------------


def test_real_vulnerabilities_in_every_python_manifest_it_reads(scan, database: Path) -> None:
    pylock = (
        'lock-version = "1.0"\ncreated-by = "x"\n[[packages]]\nname = "jinja2"\nversion = "2.4.1"\n'
    )
    files = {
        "requirements.txt": JINJA,
        "api/requirements.txt": "# tools\n" + JINJA,
        "pylock.toml": pylock,
        "pylock.dev.toml": pylock,
        "Pipfile.lock": '{"_meta":{},"default":{"jinja2":{"version":"==2.4.1"}},"develop":{}}',
        "poetry.lock": POETRY.format(""),
        "uv.lock": (
            'version = 1\n[[package]]\nname = "p"\nversion = "1"\nsource = { virtual = "." }\n'
            'dependencies = [{ name = "jinja2" }]\n'
            '[[package]]\nname = "jinja2"\nversion = "2.4.1"\n'
            'source = { registry = "https://index.invalid/simple" }\n'
        ),
    }
    done = scan(files, database)

    assert done.examined == sorted(files)
    assert not done.reasons and not done.failures
    assert places(done, Category.VULNERABILITY) == set(files)
    assert ids(done, Category.VULNERABILITY)["CVE-2016-10745"] == len(files)
    assert done.tool.version == "0.76.0"
    assert done.tool.data.updated.isoformat() == "2026-11-20T00:00:00+00:00"


def test_a_vulnerability_says_what_where_how_bad_and_the_way_out(scan, database: Path) -> None:
    done = scan({"requirements.txt": "# pins\n" + JINJA}, database)
    one = next(one for one in done.observations if one.rule.id == "CVE-2016-10745")

    assert one.category is Category.VULNERABILITY
    assert one.rule.cwe == ("CWE-134",)
    assert one.rule.url.startswith("https://")
    assert one.message == "jinja2 2.4.1 is affected by CVE-2016-10745. Fixed in 2.8.1."
    assert one.package.purl == "pkg:pypi/jinja2@2.4.1"
    assert one.location == Location("requirements.txt", 2, 2)
    assert one.advisory.fixed_versions == ("2.8.1",)
    assert one.advisory.published == "2019-04-08T13:29:00Z"
    vector = "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:N"
    assert one.claims == (
        SeverityClaim("ghsa", Severity.HIGH, "trivy"),
        SeverityClaim("cvss3.0", Severity.HIGH, "trivy", vector),
    )


def test_a_package_of_the_inventory_is_that_package(scan, database: Path) -> None:
    pinned = package("jinja2==2.4.1", "requirements.txt:1", "uv.lock:40", scope=Scope.DEV)
    found = Inventory(packages=(pinned,), manifests=("requirements.txt", "uv.lock"))
    done = scan({"requirements.txt": "Jinja2 == 2.4.1\n"}, database, inventory=found)

    assert done.observations
    for one in done.observations:
        assert one.package is pinned
        assert one.location == Location("requirements.txt", 1)
        assert one.places == (Location("requirements.txt", 1), Location("uv.lock", 40))


def test_development_dependencies_are_examined_too(scan, database: Path) -> None:
    done = scan({"poetry.lock": POETRY.format('groups = ["dev"]')}, database)

    assert {one.package.scope for one in done.observations} == {Scope.DEV}


def test_requirements_of_any_name_are_read_where_the_inventory_knows_them(
    scan, database: Path
) -> None:
    files = {"requirements/prod.txt": JINJA, "dev-requirements.txt": JINJA, "notes.txt": JINJA}
    alone = scan(files, database)
    assert not ids(alone, Category.VULNERABILITY)

    pinned = package("jinja2==2.4.1", "requirements/prod.txt:1", "dev-requirements.txt:1")
    found = Inventory((pinned,), manifests=("requirements/prod.txt", "dev-requirements.txt"))
    done = scan(files, database, inventory=found)
    assert places(done, Category.VULNERABILITY) == {"requirements/prod.txt", "dev-requirements.txt"}
    assert done.examined == ["dev-requirements.txt", "notes.txt", "requirements/prod.txt"]


def test_manifests_that_it_does_not_read_are_named_where_nothing_else_covers_them(
    scan, database: Path
) -> None:
    covered = package("jinja2==2.4.1", "requirements.txt:1", "pdm.lock:3")
    alone = [package(f"{name}==1.0", "pdm.lock:9") for name in ("one", "two")]
    why = Reason("no-exact-version")
    loose = Requirement("click", "click", Location("pyproject.toml", 4), why)
    locked = Requirement("one", "one", Location("tool/pyproject.toml", 4), why)
    found = Inventory(
        (covered, *alone), (loose, locked), manifests=("requirements.txt", "pdm.lock")
    )
    files = {"requirements.txt": JINJA, "pdm.lock": "[metadata]\n", "pyproject.toml": "[project]\n"}
    done = scan({**files, "tool/pyproject.toml": "[project]\n"}, database, inventory=found)

    assert done.reasons == {
        "pdm.lock": Reason("manifest-not-read", {"number": 2}),
        "pyproject.toml": Reason("manifest-not-read", {"number": 1}),
    }
    assert done.examined == ["requirements.txt", "tool/pyproject.toml"]


def test_a_pin_is_covered_by_the_same_version_only() -> None:
    old, new = package("a==1", "pdm.lock:3"), package("a==2", "requirements.txt:1")
    files = tuple(SourceFile(name, Path(name), 0) for name in ("pdm.lock", "requirements.txt"))
    for inventory_, unread in (
        (Inventory((old, new)), ["pdm.lock"]),
        (Inventory((package("a==2", "pdm.lock:3", "requirements.txt:1"),)), []),
    ):
        target = Target(Path(), "t", files)
        tree = Tree(target, inventory_, Sources(target))
        assert [one.input for one in tree.unread_manifests()] == unread


def test_what_it_did_not_list_of_a_manifest_is_told(scan, database: Path) -> None:
    found = inventory("jinja2==2.4.1", *(f"p{number}==1" for number in range(6)))
    done = scan({"requirements.txt": JINJA}, database, inventory=found)

    names = ("p0", "p1", "p2", "p3", "p4", "…")
    assert done.notices == [
        Reason("partly-read", {"path": "requirements.txt", "read": 1, "total": 7, "names": names})
    ]


def test_other_ecosystems_are_read_as_well(scan, database: Path) -> None:
    lock = {"lockfileVersion": 3, "packages": {"node_modules/lodash": {"version": "4.17.0"}}}
    done = scan({"web/package-lock.json": json.dumps(lock)}, database)

    (one,) = done.observations
    assert one.package.purl == "pkg:npm/lodash@4.17.0"
    assert one.location.path == "web/package-lock.json"


# -- secrets ---------------------------------------------------------------------------------------


def test_secrets_are_found_and_never_told(scan) -> None:
    body = "\n".join("MIIEpAIBAAKCAQEA" + f"{number:048d}" for number in range(20))
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n"
    files = {
        "app.py": f'x = "{KEY_ID}"\ny = "{TOKEN}"\n',
        "first.txt": f"{KEY_ID}\n",
        "key.pem": key,
        "clean.py": "print('hello')\n",
    }
    done = scan(files)

    assert ids(done, Category.SECRET) == {"aws-access-key-id": 2, "github-pat": 1, "private-key": 1}
    assert done.examined == sorted(files)
    told = repr(done.observations)
    assert KEY_ID not in told and TOKEN not in told and "MIIEp" not in told
    found = {one.rule.id: one for one in done.observations}
    assert found["github-pat"].location == Location("app.py", 2, 2)
    assert found["github-pat"].claims == (SeverityClaim("tool", Severity.CRITICAL, "trivy"),)
    # Its block starts one line after the marker, one later than detect-secrets reports.
    assert found["private-key"].location == Location("key.pem", 2, 21)


def test_our_own_rule_costs_no_secret(scan, trivy_path: Path, tmp_path: Path) -> None:
    """Our own rule matches the first character of each file; a secret there is still found."""
    files = {f"f{number}.txt": text for number, text in enumerate((KEY_ID, TOKEN, f"\n{KEY_ID}"))}
    done = scan(files)
    argv = (
        "fs",
        "-q",
        "--scanners",
        "secret",
        "--format",
        "json",
        "--cache-dir",
        str(tmp_path / "c"),
    )
    alone = subprocess.run(
        [trivy_path, *argv, tmp_path / "project"], check=True, capture_output=True, cwd=tmp_path
    )

    results = json.loads(alone.stdout)["Results"]
    said = {(one["Target"], secret["RuleID"]) for one in results for secret in one["Secrets"]}
    assert {(one.location.path, one.rule.id) for one in done.observations} == said
    assert len(said) == 3


def test_a_tree_with_only_clean_text_is_examined_not_empty(scan) -> None:
    done = scan({"a.py": "print('hello')\n", "long.json": '"' + "a" * 300_000 + '"'})

    assert done.examined == ["a.py", "long.json"]
    assert not done.observations and not done.reasons


def test_binary_skipped_and_system_files_are_not_searched_and_reports_say_so(scan) -> None:
    secret = f'x = "{KEY_ID}"\n'
    binary = {"a.bin": "text in it\n", "b.dat": b"\x7fELF binary content", "tiny": "x"}
    skipped = {"tests/test_app.py": secret, "README.md": secret}
    done = scan({**binary, **skipped, "c.py": "x = 1 + 2\n", "dev/tool.py": secret})

    assert done.inputs.found == ("c.py", "dev/tool.py")
    assert done.examined == ["c.py"]
    assert done.reasons == {
        "dev/tool.py": Reason("system-folder", {"folders": ("dev", "proc", "sys")})
    }
    assert not done.observations
    assert done.notices == [Reason("text-files-skipped", {"number": 3})]


def test_text_that_is_binary_for_it_is_searched_as_a_decoded_copy(scan) -> None:
    secret = f"x = 1\ntoken = {TOKEN}\n"
    files = {
        "run.sh": b"#!/bin/sh\n: \0\n" + secret.encode(),
        ".env": b"NAME=caf\xe9 \x01\n" + secret.encode(),
        "wide.txt": secret.encode("utf-16-le"),
        "marked.ini": secret.encode("utf-16"),
        "wider.ini": secret.encode("utf-32"),
        "split.sh": b"#!/bin/sh\n\ntoken = " + TOKEN[:9].encode() + b"\0" + TOKEN[9:].encode(),
        "clean.sh": b"#!/bin/sh\necho \0\n",
        "short.sh": b"#!sh\n" + bytes(9),
        "plain.txt": secret,
        "README.md": secret.encode("utf-16"),
    }
    done = scan(files)
    searched = sorted(files.keys() - {"short.sh", "README.md"})
    assert done.examined == searched
    assert not done.reasons
    assert done.notices == [Reason("text-files-skipped", {"number": 1})]
    found = {one.location.path: one.location.start_line for one in done.observations}
    assert found == {
        **dict.fromkeys(("run.sh", ".env", "split.sh"), 3),
        **dict.fromkeys(("wide.txt", "marked.ini", "wider.ini", "plain.txt"), 2),
        "run.sh": 4,
    }


# -- misconfigurations -----------------------------------------------------------------------------


def test_the_content_of_a_pointer_is_elsewhere(make_project, read_target) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'7' * 64}\nsize 12\n"
    root = make_project({"prod.env": pointer, "uv.lock": pointer, "app.py": "import os\n" * 9})
    inputs = trivy.inputs(context(read_target(root)))
    assert inputs.found == ("app.py",)
    assert inputs.not_examined == (
        NotExamined("prod.env", Reason("in-git-lfs")),
        NotExamined("uv.lock", Reason("in-git-lfs")),
    )


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.yaml", "Resources:\n"),
        ("b.yaml", "apiVersion:\nkind:\n"),
        ("c.json", '{"Resources": {\n'),
        ("d.json", '{"apiVersion" : "kind" :\n'),
    ],
)
def test_a_file_that_repeats_a_part_of_a_kind_is_none_of_it_and_takes_no_time(
    make_project, read_target, name: str, line: str
) -> None:
    root = make_project({name: line * (1_000_000 // len(line))})
    target = read_target(root)
    assert Tree(target, Inventory(), Sources(target)).kind(name) is Kind.TEXT


def test_misconfigurations_and_clean_configuration_are_examined_alike(scan) -> None:
    formation = 'AWSTemplateFormatVersion: "2010-09-09"\nResources:\n  B:\n    Type: AWS::{}\n'
    files = {
        "Dockerfile": "FROM python:3.11\nADD . /x\n",
        "clean/Dockerfile": CLEAN_DOCKER,
        "app.dockerfile": CLEAN_DOCKER,
        "tf/main.tf": OPEN_BUCKET,
        "tf-clean/main.tf": 'variable "a" {\n}\n',
        "module/main.tf": 'module "m" {\n  source = "./inner"\n}\n',
        "module/inner/clean.tf": 'variable "b" {}\n',
        "k8s/pod.yaml": POD,
        "k8s/map.yml": CLEAN_MAP,
        "k8s/map.json": json.dumps(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "namespace": "n"}}
        ),
        "k8s/other.yaml": "kind: of thing\n",
        "formation.yaml": formation.format("S3::Bucket"),
        "formation-clean.yaml": formation.format("CloudFormation::WaitConditionHandle"),
        "chart/Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n",
        "chart/values.yaml": "enabled: true\n",
        "chart/templates/pod.yaml": "{{- if .Values.enabled }}\n" + POD + "{{- end }}\n",
        "chart/templates/off.yaml": "{{- if .Values.disabled }}\n" + POD + "{{- end }}\n",
    }
    done = scan(files)

    assert done.examined == sorted(files)
    assert not done.reasons
    wrong = {"Dockerfile", "tf/main.tf", "k8s/pod.yaml", "formation.yaml"}
    assert places(done, Category.MISCONFIGURATION) == {*wrong, "chart/templates/pod.yaml"}
    assert not ids(done, Category.SECRET)


def test_a_misconfiguration_says_what_where_and_the_way_out(scan) -> None:
    done = scan({"main.tf": "\n" + OPEN_BUCKET, "Dockerfile": "FROM python:3.11\n"})
    found = {one.rule.id: one for one in done.observations}

    bucket = found["AWS-0086"]
    assert bucket.location == Location("main.tf", 2, 4)
    assert bucket.resource == "aws_s3_bucket.b"
    assert bucket.claims == (SeverityClaim("tool", Severity.HIGH, "trivy"),)
    assert bucket.message == "No public access block so not blocking public acls."
    assert "block_public_acls" in bucket.rule.help
    assert (bucket.rule.bad, bucket.rule.good) == tuple(
        f"block_public_acls = {value}" for value in ("false", "true")
    )
    assert "access list" in bucket.rule.why
    assert bucket.rule.url == "https://avd.aquasec.com/misconfig/aws-0086"
    # Something missing in a file has no line.
    assert found["DS-0002"].location == Location("Dockerfile")


def test_what_cannot_be_parsed_is_not_examined(scan, database: Path) -> None:
    broken = {
        "a/main.tf": "locals { a = \n",
        "b/Dockerfile": "FRM python:3.11\n",
        "c/uv.lock": "{{{{{{{{{{{\n",
        "d/poetry.lock": "[[package]\nname =\n",
        "e/requirements.txt": "jinja2\nclick>=8\n",
        "f/pod.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p\n",
    }
    done = scan({**broken, "fine.py": "x = 1 + 2\n"}, database)

    assert done.examined == ["fine.py"]
    assert done.reasons.keys() == broken.keys()
    assert "a/main.tf:1,14-2,1: Invalid" in sentence(done.reasons["a/main.tf"])
    assert "unknown instruction: frm" in sentence(done.reasons["b/Dockerfile"])
    assert "failed to parse c/uv.lock" in sentence(done.reasons["c/uv.lock"])
    assert done.reasons["e/requirements.txt"] == Reason("no-package-listed")
    assert done.reasons["f/pod.yaml"] == Reason("nothing-to-check")


def test_terraform_modules_are_not_loaded_from_the_network(scan) -> None:
    module = 'module "m" {\n  source = "http://modules.invalid/m.zip"\n}\n'
    done = scan({"main.tf": module + OPEN_BUCKET}, offline=False)

    (output,) = done.outputs
    assert "127.0.0.1:9: connect: connection refused" in output.stderr
    assert done.examined == ["main.tf"]


# -- licences --------------------------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """A virtual environment with metadata of three packages; its interpreter."""
    root = tmp_path / "env with space"
    for name, lines in {
        "one": "License-Expression: MIT OR GPL-3.0-only\n",
        "two": (
            "Classifier: License :: OSI Approved :: MIT License\n"
            "Classifier: License :: OSI Approved :: BSD License\n"
        ),
        "three": "Summary: says nothing\n",
    }.items():
        folder = root / "lib" / "python3.11" / "site-packages" / f"{name}-1.0.dist-info"
        folder.mkdir(parents=True)
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{lines}"
        )
    (root / "pyvenv.cfg").write_text("home = /nowhere\n")
    python = root / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    return python


PINS = {"requirements.txt": "one==1.0\ntwo==1.0\nthree==1.0\nfour==1.0\n"}


def test_licences_come_from_the_projects_environment(
    scan, database: Path, environment: Path
) -> None:
    place, _ = find(environment.parent, environment)
    found = inventory("one==1.0", "two==1.0", "three==1.0", "four==1.0", environment=place)
    done = scan(PINS, database, inventory=found)

    facts = {one.package.name: one.license for one in done.observations}
    assert {name: (one.text, one.source) for name, one in facts.items()} == {
        "one": ("MIT OR GPL-3.0-only", "trivy"),
        # Two classifiers: unclear if they mean "and" or "or", so both must be allowed.
        "two": ("MIT AND BSD-3-Clause", "trivy"),
    }
    one = done.observations[0]
    assert one.category is Category.LICENSE
    assert one.package.purl == "pkg:pypi/one@1.0"
    assert one.location == Location("requirements.txt", 1)
    assert one.claims == ()


def test_licences_never_come_from_an_environment_that_is_active(
    scan, database: Path, environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUAL_ENV", str(environment.parent.parent))
    monkeypatch.setenv("PATH", f"{environment.parent}:/usr/bin:/bin")
    done = scan(PINS, database)

    assert not ids(done, Category.LICENSE)
    assert done.examined == ["requirements.txt"]


# -- no false green --------------------------------------------------------------------------------


def test_without_a_database_manifests_are_not_examined_and_the_rest_is(scan) -> None:
    done = scan(
        {"requirements.txt": JINJA, "app.py": f'x = "{KEY_ID}"\n', "Dockerfile": "FROM a\n"}
    )

    ((batch, reason),) = done.failures
    assert (batch, reason.kind) == (("requirements.txt",), "no-database")
    assert done.examined == ["Dockerfile", "app.py"]
    assert ids(done, Category.SECRET) and ids(done, Category.MISCONFIGURATION)
    assert done.tool.version and done.tool.data is None


def test_a_database_that_cannot_be_loaded_is_a_failure(
    scan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVY_DB_REPOSITORY", "127.0.0.1:9/none/trivy-db:2")
    done = scan({"requirements.txt": JINJA}, offline=False)

    ((batch, reason),) = done.failures
    assert batch == ("requirements.txt",)
    assert reason.kind == NO_NETWORK
    assert reason.values["why"] == Reason("connection-refused")
    assert not done.examined


def test_an_old_database_can_be_kept_as_it_is(
    scan, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIVY_DB_REPOSITORY", "127.0.0.1:9/none/trivy-db:2")
    shutil.copytree(database, tmp_path / "old")
    metadata = tmp_path / "old" / "db" / "metadata.json"
    past = dict.fromkeys(("NextUpdate", "UpdatedAt", "DownloadedAt"), "2020-01-01T00:00:00Z")
    metadata.write_text(json.dumps({"Version": 2, **past}))
    files, where = {"requirements.txt": JINJA}, {"cache-dir": str(tmp_path / "old")}

    assert scan(files, offline=False, options=where).failures
    kept = scan(files, offline=False, options={**where, "skip-db-update": "true"})
    assert kept.examined == ["requirements.txt"]
    assert kept.tool.data.updated.year == 2020


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/St_Johns"])
def test_a_time_of_the_database_without_a_zone_is_utc(
    zone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"Version": "0.76.0", "VulnerabilityDB": {"UpdatedAt": "2024-10-10T00:30:00"}}
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        tool = trivy.identify(Tool(("trivy",), "trivy"), Output(0, json.dumps(answer).encode(), ""))
    time.tzset()
    assert tool.data is not None
    assert tool.data.updated == datetime(2024, 10, 10, 0, 30, tzinfo=UTC)


def test_a_manifest_in_which_there_is_nothing_is_only_text(scan, database: Path) -> None:
    found = Inventory(manifests=("requirements.txt",))
    done = scan({"requirements.txt": "# nothing yet\n"}, database, inventory=found)
    assert done.examined == ["requirements.txt"]

    broken = Inventory(
        manifests=("requirements.txt",),
        problems=(NotExamined("requirements.txt:1", plain("cannot be read")),),
    )
    done = scan({"requirements.txt": "# nothing yet\n"}, database, inventory=broken)
    assert done.reasons.keys() == {"requirements.txt"}


def test_null_lists_and_absent_results_are_nothing_found(make_project, read_target) -> None:
    target = read_target(make_project({"requirements.txt": JINJA, "a.py": "x = 1 + 2\n"}))
    keys = ("Packages", "Vulnerabilities", "Misconfigurations", "Secrets", "Licenses")
    empty = {"Target": "requirements.txt", "Class": "lang-pkgs", **dict.fromkeys(keys)}
    for results in (None, [], [empty]):
        report = {"SchemaVersion": 2, "Results": results}
        output = Output(0, json.dumps(report).encode(), "", ("a.py",))
        done = trivy.parse(context(target), output)
        assert done.observations == () and done.examined == ()
        assert [one.input for one in done.not_examined] == ["a.py"]


def test_it_is_missing_where_neither_path_leads_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trivy.locate(context(tmp_path / "project", path=tmp_path / "trivy")) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert trivy.locate(context(tmp_path / "project")) is None


# -- the file set ----------------------------------------------------------------------------------

ODD_NAMES = (
    "plain",
    "a b",
    "we[i]rd",
    "x,y",
    "st*r",
    "q?",
    "qu'o\"te",
    "ba\\ck",
    "br{a,c}e",
    "ünï",
    "new\nline",
)


def test_only_the_file_set_is_scanned_whatever_the_names(scan, tmp_path: Path) -> None:
    for name in ODD_NAMES:
        for path in ("skip.py", "out/skip.py", "out/requirements.txt"):
            file = tmp_path / "project" / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f'x = "{KEY_ID}"\n')
    root = tmp_path / "project"
    subprocess.run(["git", "init", "-q", root], check=True)
    (root / ".git" / "info" / "exclude").write_text("skip.py\nout/\n")
    done = scan({f"{name}/keep.py": f'x = "{KEY_ID}"\n' for name in ODD_NAMES}, git_=False)

    kept = {f"{name}/keep.py" for name in ODD_NAMES}
    assert set(done.examined) == kept
    assert {one.location.path for one in done.observations} == kept
    # No other file was examined.
    assert not done.notices
    assert b"skip.py" not in done.outputs[0].stdout
    assert b"requirements.txt" not in done.outputs[0].stdout


def test_names_that_are_no_text_are_scanned_and_skipped(
    make_project, read_target, trivy_path: Path, tmp_path: Path
) -> None:
    root = make_project({".gitignore": "*.skip\n"}, git_=False)
    for name in (b"caf\xe9.py", b"caf\xe9.skip"):
        Path(str(root) + "/" + name.decode("utf-8", "surrogateescape")).write_text(f"'{KEY_ID}'\n")
    ctx = context(read_target(root), path=trivy_path, offline=True)
    done = drive(trivy, ctx, tmp_path)

    assert [one.location.path for one in done.observations] == ["caf\\xe9.py"]
    assert done.examined == ["caf\\xe9.py"]


def test_what_vanished_since_it_was_listed_is_not_examined(
    make_project, trivy_path: Path, tmp_path: Path
) -> None:
    root = make_project({"a.py": "x = 1 + 2\n"})
    names = ("a.py", "gone.yaml", "folder/gone.py")
    target = Target(root, "t", tuple(SourceFile(name, root / name, 20) for name in names))
    done = drive(trivy, context(target, path=trivy_path, offline=True), tmp_path)

    assert done.examined == ["a.py"]
    assert done.reasons.keys() == {"gone.yaml", "folder/gone.py"}


def test_findings_elsewhere_are_left_out_and_counted(make_project, read_target) -> None:
    target = read_target(make_project({"a.py": "x = 1 + 2\n"}))
    results = [
        {
            "Target": "other.py",
            "Class": "secret",
            "Secrets": [{"RuleID": "r"}, {"RuleID": SEEN}],
        },
        {
            "Target": "../x.tf",
            "Class": "config",
            "Misconfigurations": [{"ID": "A", "Status": "FAIL"}],
        },
        {
            "Target": "a.py",
            "Class": "license-file",
            "Licenses": [{"Name": "MIT", "FilePath": "a.py"}],
        },
    ]
    report = {"SchemaVersion": 2, "Results": results}
    done = trivy.parse(context(target), Output(0, json.dumps(report).encode(), "", ("a.py",)))

    assert done.observations == ()
    assert done.notices == (
        Reason("findings-elsewhere", {"number": 2}),
        Reason("loose-licences", {"number": 1}),
    )


def test_no_path_of_this_machine_is_told(scan, database: Path, tmp_path: Path) -> None:
    done = scan(
        {"requirements.txt": JINJA, "tf/main.tf": OPEN_BUCKET, "Dockerfile": "FROM a\n"}, database
    )

    assert done.observations
    assert str(tmp_path) not in repr((done.observations, done.notices, done.reasons))


# -- configuration of the project ------------------------------------------------------------------


def test_configuration_in_the_project_has_no_effect_and_is_told(
    scan, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {
        "requirements.txt": JINJA,
        "Dockerfile": "FROM python:3.11\n",
        "app.py": f'x = "{KEY_ID}"\n',
        "trivy.yaml": "severity: [LOW]\nscan:\n  skip-files: ['**/*']\n",
        ".trivyignore": "# why\nCVE-2016-10745\nDS-0002 exp:2030-01-01\n\naws-access-key-id\n",
        ".trivyignore.yaml": "vulnerabilities:\n  - id: CVE-2016-10745\n    statement: no\n",
        "trivy-secret.yaml": "disable-rules: [aws-access-key-id]\n",
    }
    # Not even if scanagg is started inside the project, with Trivy's variables set.
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("TRIVY_SEVERITY", "LOW")
    monkeypatch.setenv("TRIVY_IGNOREFILE", ".trivyignore")
    done = scan(files, database)

    assert ids(done, Category.VULNERABILITY)["CVE-2016-10745"] == 1
    assert ids(done, Category.MISCONFIGURATION)["DS-0002"] == 1
    assert ids(done, Category.SECRET) == {"aws-access-key-id": 1}
    # The runner notes the other files.
    assert done.notices == [Reason("ignore-file", {"path": ".trivyignore"})]
    assert [one.hidden for one in done.parsed] == [
        {},
        {".trivyignore": 3, ".trivyignore.yaml": 1},
    ]


def test_what_the_ignore_file_hides_is_listed_as_hidden(scan, database: Path) -> None:
    files = {
        "requirements.txt": JINJA,
        "Dockerfile": "FROM python:3.11\n",
        "app.py": f'x = "{KEY_ID}"\n',
    }
    ignored = "# why\nCVE-2016-10745\nDS-0002 exp:2999-01-01\nDS-0026 exp:2020-01-01\n"
    open_ = scan(files, database)
    done = scan(
        {**files, ".trivyignore": f"{ignored}aws-access-key-id\nscanagg-read\n"},
        database,
        name="ignoring",
    )

    hidden = {one.rule.id for one in done.observations if one.in_source}
    assert hidden == {"CVE-2016-10745", "DS-0002", "aws-access-key-id"}
    assert {one.in_source for one in done.observations} == {"", ".trivyignore"}
    every = Counter(replace(one, in_source="") for one in done.observations)
    assert every == Counter(open_.observations)
    assert set(done.examined) == {*open_.examined, ".trivyignore"}


def test_a_trivy_that_does_not_tell_what_is_ignored_is_given_no_ignore_file(scan) -> None:
    target = Target(Path("/x"), "x", (SourceFile("Dockerfile", Path("/x/Dockerfile"), 20),))
    old = trivy.call(context(target), Tool(("trivy",), "trivy", "0.50.1"), ("Dockerfile",))
    assert "--show-suppressed" not in old.argv
    assert old.files["ignore"] == ""


def test_comments_that_hide_a_misconfiguration_are_counted(scan) -> None:
    done = scan({"main.tf": "#trivy:ignore:AWS-0086\n" + OPEN_BUCKET, "a.py": "# trivy:ignore:x\n"})

    assert not ids(done, Category.MISCONFIGURATION)["AWS-0086"]
    assert done.parsed[0].hidden == {"trivy:ignore": 1}


def test_the_users_arguments_are_passed_on(scan, database: Path) -> None:
    done = scan({"requirements.txt": JINJA}, database, args=("--severity", "CRITICAL"))

    said = {claim.severity for one in done.observations for claim in one.claims[:1]}
    assert said <= {Severity.CRITICAL}


# -- images ----------------------------------------------------------------------------------------


def layer(files: Mapping[str, bytes]) -> bytes:
    """A tar with these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def image(path: Path, files: Mapping[str, bytes]) -> str:
    """Write an image of one layer in the format of `docker save`; return its path."""
    content = layer(files)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest]},
        "history": [{"created_by": "test"}],
    }
    manifest = [{"Config": "c.json", "RepoTags": ["demo:1"], "Layers": ["layer.tar"]}]
    parts = {
        "c.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
        "layer.tar": content,
    }
    path.write_bytes(layer(parts))
    return str(path)


def test_an_image_is_scanned_beside_the_tree(scan, database: Path, tmp_path: Path) -> None:
    reference = image(
        tmp_path / "demo.tar",
        {
            "etc/alpine-release": b"3.9.4\n",
            "etc/os-release": b"ID=alpine\nVERSION_ID=3.9.4\n",
            "lib/apk/db/installed": b"P:musl\nV:1.1.20-r4\nA:x86_64\no:musl\nL:MIT\n\n",
            "usr/lib/python3/site-packages/jinja2-2.4.1.dist-info/METADATA": (
                b"Metadata-Version: 2.1\nName: jinja2\nVersion: 2.4.1\n"
            ),
            "app/key.py": f'x = "{KEY_ID}"\n'.encode(),
        },
    )
    done = scan({"a.py": "x = 1 + 2\n"}, database, image=reference)

    assert done.examined == ["a.py", f"image:{reference}"]
    assert {one.location for one in done.observations} == {None}
    purls = {one.package.purl for one in done.observations if one.advisory}
    assert purls == {
        "pkg:apk/alpine/musl@1.1.20-r4?arch=x86_64&distro=3.9.4",
        "pkg:pypi/jinja2@2.4.1",
    }
    (secret,) = (one for one in done.observations if one.category is Category.SECRET)
    assert secret.resource == "/app/key.py:1"
    assert secret.package.name == reference
    assert "in the image" in done.observations[0].message
    assert done.notices == [Reason("end-of-life", {"image": reference, "system": "alpine 3.9.4"})]


def test_an_image_without_packages_was_not_examined(scan, database: Path, tmp_path: Path) -> None:
    reference = image(tmp_path / "bare.tar", {"a.txt": b"hello world\n"})
    done = scan({}, database, image=reference)

    assert done.reasons == {f"image:{reference}": Reason("no-packages-found")}
    assert not done.examined


def test_an_image_that_is_not_there_is_a_failure(scan, database: Path) -> None:
    done = scan({}, database, image="127.0.0.1:9/no/such:image")

    ((batch, reason),) = done.failures
    assert batch == ("image:127.0.0.1:9/no/such:image",)
    assert reason
    # A name that looks like an option is still the name of an image.
    done = scan({}, database, image="--version")
    assert done.failures


# -- reports that others wrote ---------------------------------------------------------------------

# By file: the records that it holds, those that make an observation together with another (a
# package with several licences is one), and those that make none (a licence of no package).
CORPUS = {
    "issue_9333.json": (13, 0, 0),
    "kubernetes.json": (20, 0, 0),
    "legacy_many_vulns.json": (93, 0, 0),
    "license_scheme.json": (19, 3, 2),
    "misconfigurations_and_secrets.json": (5, 0, 0),
    "scheme_2_many_vulns.json": (5, 0, 0),
    "scheme_2_no_vuln.json": (0, 0, 0),
}


@pytest.mark.parametrize("name", CORPUS)
def test_every_record_of_reports_of_any_age_is_an_observation(data_dir: Path, name: str) -> None:
    document = decode((data_dir / "corpus" / "trivy" / name).read_bytes())
    reading = read(document)
    listed = json.loads((data_dir / "corpus" / "corpus.json").read_text())
    raw = {one["file"]: one["raw_count"] for one in listed}

    count, joined, loose = CORPUS[name]
    assert count == raw[f"trivy/{name}"]
    assert reading.loose_licenses == loose
    assert len(reading.observations) == count - joined - loose


def test_old_reports_get_package_urls_by_their_ecosystem() -> None:
    def purl(kind: str, name: str) -> str:
        found = {"VulnerabilityID": "CVE-1", "PkgName": name, "InstalledVersion": "1.0"}
        report = [{"Target": "x", "Type": kind, "Vulnerabilities": [found]}]
        document = decode(json.dumps(report).encode())
        (one,) = read(document).observations
        return one.package.purl

    assert purl("debian", "apt") == "pkg:deb/debian/apt@1.0"
    assert purl("pip", "A_b") == "pkg:pypi/a-b@1.0"
    assert purl("jar", "org.x:y") == "pkg:maven/org.x/y@1.0"
    assert purl("nuget", "A") == "pkg:nuget/A@1.0"
    assert purl("what", "a b") == "pkg:generic/a%20b@1.0"


def test_each_word_on_the_severity_is_one_claim() -> None:
    found = {
        "VulnerabilityID": "CVE-1",
        "PkgName": "a",
        "InstalledVersion": "1",
        "Severity": "MEDIUM",
        "SeveritySource": "debian",
        "VendorSeverity": {"ghsa": 4, "nvd": 3, "debian": 2, "redhat": None},
        "CVSS": {
            "ghsa": {"V40Vector": "CVSS:4.0/AV:N", "V40Score": 9.1},
            "nvd": {
                "V2Vector": "AV:N/AC:L",
                "V2Score": 5,
                "V3Vector": "CVSS:3.1/AV:N",
                "V3Score": 7.5,
            },
            "redhat": {"V3Vector": "CVSS:3.1/AV:L", "V3Score": 0.0},
            "none": {"V3Vector": "CVSS:3.1/AV:P"},
        },
    }
    report = {
        "SchemaVersion": 2,
        "Results": [{"Target": "x", "Type": "pip", "Vulnerabilities": [found]}],
    }
    (one,) = read(decode(json.dumps(report).encode())).observations

    assert [(claim.source, claim.severity.value, claim.vector) for claim in one.claims] == [
        ("tool", "medium", None),
        ("ghsa", "critical", None),
        ("nvd", "high", None),
        ("cvss4", "critical", "CVSS:4.0/AV:N"),
        ("nvd", "high", "CVSS:3.1/AV:N"),
        ("cvss2", "medium", "AV:N/AC:L"),
        ("redhat", "info", "CVSS:3.1/AV:L"),
    ]


def claims_of(**found: object) -> list[tuple[str, str, str | None]]:
    """Return Trivy's severities for one vulnerability, as source, severity, vector."""
    whole = {"VulnerabilityID": "CVE-1", "PkgName": "a", "InstalledVersion": "1", **found}
    report = {"SchemaVersion": 2, "Results": [{"Target": "x", "Vulnerabilities": [whole]}]}
    document = decode(json.dumps(report).encode())
    (one,) = read(document).observations
    return [(claim.source, claim.severity.value, claim.vector) for claim in one.claims]


def test_a_vector_is_rated_by_what_it_says_itself() -> None:
    worst = "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
    # The score beside it, and its key, may be wrong.
    said = {"ghsa": {"V40Vector": f"CVSS:3.1/{worst}", "V40Score": 1.0}}
    assert claims_of(CVSS=said) == [("cvss3.1", "critical", f"CVSS:3.1/{worst}")]
    said = {"osv": {"V3Vector": f"CVSS:3.0/{worst}"}, "nvd": {"V3Vector": f"CVSS:3.1/{worst}/"}}
    assert claims_of(CVSS=said) == [
        ("cvss3.0", "critical", f"CVSS:3.0/{worst}"),
        ("nvd", "critical", f"CVSS:3.1/{worst}"),
    ]
    assert claims_of(CVSS={"nvd": {"V3Vector": "?", "V3Score": 98}}) == []
    assert claims_of(CVSS={"nvd": {"V3Vector": "x" * 1000, "V3Score": 9.8}}) == []


def test_other_vendors_are_on_record_under_their_names() -> None:
    assert claims_of(
        Severity="LOW",
        SeveritySource="debian",
        VendorSeverity={"debian": 1, "redhat": 3, "cvss4": 4, "policy": 4, "Odd Name": 4},
        CVSS={"policy": {"V3Vector": "CVSS:3.1/AV:N", "V3Score": 9.8}},
    ) == [("tool", "low", None), ("redhat", "high", None)]


@pytest.mark.parametrize(
    ("record", "title"),
    [
        ({"Title": "Escape from a"}, "Escape from a"),
        ({"Title": "N/A", "Description": "## Impact\nA sandbox escape"}, "A sandbox escape"),
        ({"Title": "CVE-1", "Description": "x" * 200}, "x" * 99 + "…"),
        ({"Title": "-", "Description": " "}, UNTITLED),
        ({}, UNTITLED),
    ],
)
def test_a_vulnerability_is_titled_by_what_describes_it(
    record: Mapping[str, str], title: str
) -> None:
    found = {"VulnerabilityID": "CVE-1", "PkgName": "a", "InstalledVersion": "1", **record}
    report = {"SchemaVersion": 2, "Results": [{"Target": "x", "Vulnerabilities": [found]}]}
    (one,) = read(decode(json.dumps(report).encode())).observations
    assert (one.title, one.rule.title) == (f"a 1: {title}", title)
    assert one.rule.why == record.get("Description", "")


def test_pages_that_it_names_are_on_record() -> None:
    found = {"VulnerabilityID": "CVE-1", "PkgName": "a", "InstalledVersion": "1"}
    found["References"] = ["http://plain.invalid/", "https://a.invalid/", "https://a.invalid/"]
    report = {"SchemaVersion": 2, "Results": [{"Target": "x", "Vulnerabilities": [found]}]}
    document = decode(json.dumps(report).encode())
    (one,) = read(document).observations
    assert one.advisory.references == ("https://a.invalid/",)


def test_passed_checks_are_no_findings_and_odd_lines_no_error() -> None:
    wrong = {"ID": "A-1", "Status": "FAIL", "CauseMetadata": {"StartLine": 7, "EndLine": 3}}
    records = [
        wrong,
        {**wrong, "Status": "PASS"},
        {"ID": "A-2", "CauseMetadata": {"StartLine": -1}},
    ]
    report = {"SchemaVersion": 2, "Results": [{"Target": "x", "Misconfigurations": records}]}
    reading = read(decode(json.dumps(report).encode()))

    assert [(one.rule.id, one.location) for one in reading.observations] == [
        ("A-1", Location("x", 7, 7)),
        ("A-2", Location("x")),
    ]
    assert reading.observations[0].message == "A-1."


def test_a_check_without_words_of_ours_has_those_of_trivy() -> None:
    wrong = {
        "ID": "A-1",
        "Title": "A title.",
        "Description": "Why.\nAnd more.",
        "Message": "This is wrong",
        "Resolution": "Do that",
    }
    known = {**wrong, "ID": "DS002"}
    report = {"SchemaVersion": 2, "Results": [{"Target": "x", "Misconfigurations": [wrong, known]}]}
    one, other = read(decode(json.dumps(report).encode())).observations
    assert (one.title, one.message) == ("A title", "This is wrong.")
    assert (one.rule.help, one.rule.why) == ("Do that.", "Why.\nAnd more.")
    assert (other.rule.id, other.title) == ("DS002", "Container runs as root")
    assert other.message == "This is wrong."
    assert "USER" in other.rule.help


def test_a_finding_of_a_terraform_module_lies_in_its_first_file() -> None:
    wrong = {"ID": "A-1", "Status": "FAIL"}
    results = [
        {"Target": target, "Type": "terraform", "Misconfigurations": [wrong]}
        for target in ("m", ".")
    ]
    report = {"SchemaVersion": 2, "Results": results}
    paths = {name: name for name in ("m/b.tf", "m/a.tf", "m/a.py", "main.tf")}
    reading = read(decode(json.dumps(report).encode()), paths=paths)

    assert [one.location.path for one in reading.observations] == ["m/a.tf", "main.tf"]


def test_the_licence_of_a_package_that_is_nowhere_listed_is_kept() -> None:
    records = [{"PkgName": name, "Name": "MIT"} for name in ("one", "nobody")]
    report = {"SchemaVersion": 2, "Results": [{"Target": "Python", "Licenses": records}]}
    reading = read(decode(json.dumps(report).encode()), inventory("one==1.0"))

    assert [one.package.purl for one in reading.observations] == [
        "pkg:pypi/one@1.0",
        "pkg:generic/nobody",
    ]


def test_the_work_folder_may_lie_inside_the_project(
    make_project, read_target, trivy_path: Path
) -> None:
    """Trivy reads relative patterns by its working directory, if that is in the tree."""
    root = make_project({"a.py": "x = 1 + 2\n", ".gitignore": "out/\n.cache/\n"})
    (root / "out").mkdir()
    (root / "out" / "b.py").write_text(f'x = "{KEY_ID}"\n')
    (root / ".cache").mkdir()
    ctx = context(read_target(root), path=trivy_path, offline=True)
    tool = trivy.locate(ctx)
    output = perform(trivy.call(ctx, tool, ("a.py",)), ctx, root / ".cache")

    assert b"out/b.py" not in output.stdout
    assert trivy.parse(ctx, output).examined == ("a.py",)


@pytest.mark.parametrize(
    ("match", "line", "value"),
    [
        ('a = "*****"; b', 'a = "ghp_0"; b', "ghp_0"),
        ("*******", "ghp_012", "ghp_012"),
        # Trivy cuts long lines, and masks the bytes of every secret of the line.
        ('00"; b = "*****" # 11', '0000"; b = "ghp_0" # 1111', "ghp_0"),
        ("a = ****, b = ******", "a = glpa, b = ghp_01", "ghp_01"),
        ("ä = ****", "ä = éé", "éé"),
        ("a = *****", "another line", ""),
        ("a = *****", "", ""),
        ("", "a = 1", ""),
    ],
)
def test_the_value_behind_a_mask_is_that_of_the_line(match: str, line: str, value: str) -> None:
    assert unmasked(match, line) == value
