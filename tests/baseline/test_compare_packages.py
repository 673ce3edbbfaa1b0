"""Comparison of packages with a base: its manifests, read from git, and newer advisories."""

import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.history import NEW, UNCHANGED, Checked, Files, commit, write
from support.records import affected, below, osv, put_osv
from support.repository import git

from scanagg.advisories.store import open_store
from scanagg.baseline.base import Base
from scanagg.baseline.compare import Traced
from scanagg.baseline.file import PLACES, Baseline, entries_for, load, new_text
from scanagg.core.cache import cache_folder
from scanagg.inventory import read_inventory
from scanagg.model import (
    Advisory,
    Anchor,
    Category,
    Change,
    Confidence,
    Finding,
    History,
    LicenseFacts,
    Location,
    Package,
    Parts,
    Reason,
    Rule,
    Scope,
    Witness,
    pypi_purl,
    sorted_locations,
)
from scanagg.model.enums import Severity

Make = Callable[..., Path]
DEV, RUNTIME = Scope.DEV, Scope.RUNTIME
THEN = "2026-01-01T00:00:00+00:00"


def vulnerable(
    package: Package, *ids: str, published: str | None = None, scanner: str = "pip-audit"
) -> Finding:
    advisory = Advisory(ids[0], tuple(ids[1:]), published=published)
    name = package.purl.partition("@")[0]
    parts = Parts("vulnerability", advisory.id, name, "", "")
    return finding(package, Category.VULNERABILITY, parts, scanner, advisory=advisory)


def licensed(package: Package) -> Finding:
    parts = Parts("license", "MIT", package.purl.partition("@")[0], "", "")
    facts = LicenseFacts(expression="MIT")
    return replace(
        finding(package, Category.LICENSE, parts, "licenses", advisory=None), license=facts
    )


def finding(
    package: Package, category: Category, parts: Parts, scanner: str, advisory: Advisory | None
) -> Finding:
    return Finding(
        id=parts.rule,
        fingerprint=parts.rule,
        category=category,
        rule=Rule(parts.rule, parts.rule, ""),
        title="",
        message="",
        claims=(),
        confidence=Confidence.UNKNOWN,
        location=package.places[0] if package.places else None,
        places=package.places,
        witnesses=(Witness(scanner, parts.rule, Severity.HIGH),),
        package=package,
        advisory=advisory,
        anchors=(Anchor(parts),) if parts else (),
    )


def packages(checked: Checked) -> dict[str, Package]:
    return {one.name: one for one in read_inventory(checked.target).packages}


def histories(
    checked: Checked, base: Base, *findings: Finding
) -> tuple[list[History], tuple[Reason, ...]]:
    traced = checked.traced(base, findings=findings)
    return [one.history for one in traced.findings], traced.notices


def history(checked: Checked, base: Base, one: Finding) -> History:
    return histories(checked, base, one)[0][0]


def test_a_package_of_the_base_is_no_news_and_a_new_version_is(make_project: Make) -> None:
    root = make_project({"requirements.txt": "jinja2==2.4.1\nflask==1.0\n"})
    write(root, {"requirements.txt": "jinja2==2.4.1\nflask==1.1\nyaml==1.0\n"})
    checked = Checked(root)
    held = packages(checked)
    found, notices = histories(
        checked,
        checked.base("HEAD"),
        vulnerable(held["jinja2"], "CVE-1"),
        licensed(held["flask"]),
        vulnerable(held["yaml"], "CVE-1"),
        licensed(held["jinja2"]),
        licensed(held["yaml"]),
    )
    assert [one.change for one in found] == [UNCHANGED, NEW, NEW, UNCHANGED, NEW]
    assert found[0].reason == Reason("package-in-base", {"package": "jinja2 2.4.1"})
    assert found[1].reason == Reason("package-not-in-base", {"package": "flask 1.1"})
    assert (notices, checked.events) == ((), [])


def test_a_package_that_moves_between_manifests_or_is_spelled_otherwise_is_the_same(
    make_project: Make,
) -> None:
    root = make_project({"requirements.txt": "Foo_Bar==1.0\nother==2.0 ; python_version<'4'\n"})
    write(root, {"requirements.txt": None, "deps/requirements-dev.txt": "foo-bar==1.0\nother==2.0"})
    checked = Checked(root)
    held = packages(checked)
    base = checked.base("HEAD")
    assert history(checked, base, vulnerable(held["foo-bar"], "CVE-1")).change is UNCHANGED
    assert history(checked, base, vulnerable(held["other"], "CVE-1")).change is UNCHANGED


PROJECT = '[project]\nname = "p"\n'
UV = 'version = 1\n[[package]]\nname = "a"\nversion = "1"\nsource = {registry = "r"}\n'
EXTRA = "[project.optional-dependencies]\nx = {}\n"
UV_PROJECT = '[[package]]\nname = "p"\nversion = "0"\nsource = {virtual = "."}\n'
UV_RUNTIME = {
    "pyproject.toml": PROJECT + 'dependencies = ["a"]\n',
    "uv.lock": UV + UV_PROJECT + 'dependencies = [{name = "a"}]\n',
}
POETRY = '[[package]]\nname = "b"\nversion = "1"\n[package.dependencies]\na = "*"\n'
POETRY_A = '[[package]]\nname = "a"\nversion = "1"\n'


def poetry(table: str) -> dict[str, str | bytes | None]:
    toml = f'[tool.poetry.{table}]\nb = "*"\n'
    return {"pyproject.toml": toml, "poetry.lock": POETRY + POETRY_A}


def uv(lists: str, table: str) -> dict[str, str | bytes | None]:
    return {
        "pyproject.toml": PROJECT + lists.format('["a"]'),
        "uv.lock": UV + UV_PROJECT + table.format('[{name = "a"}]'),
    }


@pytest.mark.parametrize("way", ["commit", "baseline"])
@pytest.mark.parametrize(
    ("before", "after", "change", "place"),
    [
        (
            {"requirements-dev.txt": "a==1\n", "requirements.txt": "b==1\n"},
            {"requirements-dev.txt": "b==1\n", "requirements.txt": "b==1\na==1\n"},
            NEW,
            "requirements-dev.txt",
        ),
        (
            {"requirements-dev.txt": "a==1\n", "requirements.txt": "b==1\n"},
            {"requirements.txt": "-r requirements-dev.txt\n"},
            NEW,
            "requirements-dev.txt",
        ),
        (
            {"a/requirements.txt": "a==1\nb==1\n", "b/requirements.txt": "b==1\n"},
            {"a/requirements.txt": "b==1\n", "b/requirements.txt": "b==1\na==1\n"},
            NEW,
            "a/requirements.txt",
        ),
        (
            {"a/requirements.txt": "a==1\n", "b/requirements.txt": "b==1\n"},
            {"b/requirements.txt": "-r ../a/requirements.txt\n"},
            NEW,
            "a/requirements.txt",
        ),
        (
            {"pyproject.toml": PROJECT + '[dependency-groups]\ndev = ["a==1"]\n'},
            {"pyproject.toml": PROJECT + 'dependencies = ["a==1"]\n'},
            NEW,
            "pyproject.toml",
        ),
        (
            {"pyproject.toml": PROJECT + '[project.optional-dependencies]\nx = ["a==1"]\n'},
            {"pyproject.toml": PROJECT + 'dependencies = ["a==1"]\n'},
            NEW,
            "pyproject.toml",
        ),
        (
            uv(
                "[project.optional-dependencies]\nx = {}\n", "[package.optional-dependencies]\nx={}"
            ),
            uv("dependencies = {}\n", "dependencies = {}"),
            NEW,
            "pyproject.toml",
        ),
        (
            uv("[dependency-groups]\ndev = {}\n", "[package.dev-dependencies]\ndev = {}"),
            uv("dependencies = {}\n", "dependencies = {}"),
            NEW,
            "pyproject.toml",
        ),
        (poetry("group.dev.dependencies"), poetry("dependencies"), NEW, "poetry.lock"),
        (poetry("group.pdf.dependencies"), poetry("group.main.dependencies"), NEW, "poetry.lock"),
        (
            {"setup.cfg": "[options.extras_require]\nx = a==1\n"},
            {"setup.cfg": "[options]\ninstall_requires = a==1\n"},
            NEW,
            "setup.cfg",
        ),
        (
            {"a/requirements.txt": "a==1\n", "a/pyproject.toml": PROJECT},
            {
                "a/requirements.txt": None,
                "a/pyproject.toml": None,
                "c/requirements.txt": "a==1\n",
                "c/pyproject.toml": PROJECT,
            },
            UNCHANGED,
            "",
        ),
        (
            {"requirements.txt": "a==1\n"},
            {"requirements.txt": None, "requirements/base.txt": "a==1\n"},
            UNCHANGED,
            "",
        ),
        (
            {"requirements.txt": "a==1\n"},
            {"requirements.txt": "-r requirements/base.in\n", "requirements/base.in": "a==1\n"},
            UNCHANGED,
            "",
        ),
        (
            {"requirements.txt": "a==1\n"},
            {"docs/requirements.txt": "a==1\n", "requirements-dev.txt": "a==1\n"},
            UNCHANGED,
            "",
        ),
        (
            uv("dependencies = {}\n", "dependencies = {}"),
            uv(
                "[project.optional-dependencies]\nx = {}\n", "[package.optional-dependencies]\nx={}"
            ),
            UNCHANGED,
            "",
        ),
    ],
)
def test_a_package_that_reaches_others_than_before_is_new(
    make_project: Make, before: Files, after: Files, change: Change, place: str, way: str
) -> None:
    root = make_project({path: text for path, text in before.items() if text is not None})
    checked = Checked(root)
    base = checked.base("HEAD")
    if way == "baseline":
        base = checked.base(baseline=listed(root, vulnerable(packages(checked)["a"], "CVE-1")))
    write(root, after)
    found = history(checked, base, vulnerable(packages(checked)["a"], "CVE-1"))
    assert found.change is change
    if place:
        assert found.reason.kind == "package-elsewhere"
        assert place in found.reason.values["paths"]  # type: ignore[operator]


Shown = dict[tuple[str, ...], tuple[Change, Scope]]
"""The paths of each part of a finding, with its change and the scope of its package."""

PLACE_CASES: dict[str, tuple[Files, Files, Shown]] = {
    "another project": (
        {"a/requirements.txt": "a==1\n", "b/requirements.txt": "b==1\n"},
        {"b/requirements.txt": "b==1\na==1\n"},
        {("a/requirements.txt",): (UNCHANGED, RUNTIME), ("b/requirements.txt",): (NEW, RUNTIME)},
    ),
    "a project before the first": (
        {"b/requirements.txt": "a==1\n"},
        {"a/requirements.txt": "a==1\n", "c/requirements.txt": "a==1\n"},
        {
            ("b/requirements.txt",): (UNCHANGED, RUNTIME),
            ("a/requirements.txt", "c/requirements.txt"): (NEW, RUNTIME),
        },
    ),
    "for everyone too": (
        {"requirements-dev.txt": "a==1\n", "requirements.txt": "b==1\n"},
        {"requirements.txt": "b==1\na==1\n"},
        {("requirements-dev.txt",): (UNCHANGED, DEV), ("requirements.txt",): (NEW, RUNTIME)},
    ),
    "for developers too": (
        {"requirements.txt": "a==1\n"},
        {"requirements-dev.txt": "a==1\n"},
        {("requirements-dev.txt", "requirements.txt"): (UNCHANGED, RUNTIME)},
    ),
    "a lock of another project": (
        {**{f"a/{path}": text for path, text in UV_RUNTIME.items()}},
        {**{f"b/{path}": text for path, text in UV_RUNTIME.items()}},
        {
            ("a/pyproject.toml", "a/uv.lock"): (UNCHANGED, RUNTIME),
            ("b/pyproject.toml", "b/uv.lock"): (NEW, RUNTIME),
        },
    ),
    "one copy less": (
        {"a/requirements.txt": "a==1\n", "b/requirements.txt": "a==1\n"},
        {"a/requirements.txt": "b==1\n"},
        {("b/requirements.txt",): (UNCHANGED, RUNTIME)},
    ),
}


@pytest.mark.parametrize("way", ["commit", "baseline"])
@pytest.mark.parametrize("name", PLACE_CASES)
def test_places_of_a_package_are_compared_one_by_one(
    make_project: Make, name: str, way: str
) -> None:
    before, after, expected = PLACE_CASES[name]
    root = make_project({path: text for path, text in before.items() if text is not None})
    checked = Checked(root)
    old = packages(checked)["a"]
    of_old = (vulnerable(old, "CVE-1"), licensed(old))
    base = None
    if way == "baseline":
        base = checked.base(baseline=listed(root, *of_old))
    commit(root, after)
    base = base or checked.base("HEAD~1")
    package = packages(checked)["a"]
    places = sorted_locations((*package.asked, *package.places))
    of_now = (vulnerable(package, "CVE-1"), licensed(package))
    found = checked.traced(base, findings=[replace(one, places=places) for one in of_now])
    for category in (Category.VULNERABILITY, Category.LICENSE):
        parts = [one for one in found.findings if one.category is category]
        shown = {
            tuple(dict.fromkeys(place.path for place in one.places)): (
                one.history.change,
                one.package.scope if one.package else None,
            )
            for one in parts
        }
        assert shown == expected
        assert len({one.fingerprint for one in parts}) == len(parts)


def own_files(number: int, case: Files) -> Files:
    """Return the files of a case in a folder of its own, with a package of its own for `a`."""
    own = {path: re.sub(r"\ba\b", f"a{number}", str(text)) for path, text in case.items()}
    return {f"{number}/{path}": own[path] if case[path] else None for path in case}


# Other versions of a package. CVE-1 is fixed in 3, CVE-2 is new in 2 and fixed in 3, and CVE-3 is
# fixed in 2.


def flaws(name: str, number: int) -> list[dict[str, Any]]:
    """The advisories of a package in a case, with ids of its own."""
    return [
        below(f"CVE-2020-1{number:03}", name, "3"),
        osv(f"CVE-2020-2{number:03}", affected(name, {"introduced": "2"}, {"fixed": "3"})),
        below(f"CVE-2020-3{number:03}", name, "2"),
    ]


def uv_lock(version: str) -> Files:
    return {path: text.replace('"1"', f'"{version}"') for path, text in UV_RUNTIME.items()}


STAYS, ONLY_NOW, ELSEWHERE = "still-there", "not-in-other-version", "package-not-in-base"
Results = dict[tuple[int, str], str]
"""The kind of the reason for each vulnerability of a package in each file."""

VERSION_CASES: dict[str, tuple[Files, Files, Results]] = {
    "an upgrade": (
        {"requirements.txt": "a==1\n"},
        {"requirements.txt": "a==2\n"},
        {(1, "requirements.txt"): STAYS, (2, "requirements.txt"): ONLY_NOW},
    ),
    "a downgrade": (
        {"requirements.txt": "a==2\n"},
        {"requirements.txt": "a==1\n"},
        {(1, "requirements.txt"): STAYS, (3, "requirements.txt"): ONLY_NOW},
    ),
    "an upgrade from a version without any": (
        {"requirements.txt": "a==3\n"},
        {"requirements.txt": "a==2\n"},
        {(1, "requirements.txt"): ONLY_NOW, (2, "requirements.txt"): ONLY_NOW},
    ),
    "another version in another project": (
        {"x/requirements.txt": "a==1\n", "y/requirements.txt": "b==1\n"},
        {"y/requirements.txt": "a==2\n"},
        {
            (1, "x/requirements.txt"): "package-in-base",
            (3, "x/requirements.txt"): "package-in-base",
            (1, "y/requirements.txt"): ELSEWHERE,
            (2, "y/requirements.txt"): ELSEWHERE,
        },
    ),
    "another version for more people": (
        {"requirements-dev.txt": "a==1\n", "requirements.txt": "b==1\n"},
        {"requirements-dev.txt": "b==1\n", "requirements.txt": "a==2\n"},
        {(1, "requirements.txt"): ELSEWHERE, (2, "requirements.txt"): ELSEWHERE},
    ),
    "another version for fewer people": (
        {"requirements-dev.txt": "b==1\n", "requirements.txt": "a==1\n"},
        {"requirements-dev.txt": "a==2\n", "requirements.txt": "b==1\n"},
        {(1, "requirements-dev.txt"): STAYS, (2, "requirements-dev.txt"): ONLY_NOW},
    ),
    "the version of another project": (
        {"x/requirements.txt": "a==1\n", "y/requirements.txt": "a==2\n"},
        {"x/requirements.txt": "a==2\n"},
        {
            (1, "x/requirements.txt"): STAYS,
            (2, "x/requirements.txt"): ONLY_NOW,
            (1, "y/requirements.txt"): STAYS,
            (2, "y/requirements.txt"): "package-in-base",
        },
    ),
    "one of several versions": (
        {"requirements.txt": "a==1 ; python_version<'3.9'\na==2.5 ; python_version>='3.9'\n"},
        {"requirements.txt": "a==2\n"},
        {(1, "requirements.txt"): STAYS, (2, "requirements.txt"): STAYS},
    ),
    "a lock": (
        uv_lock("1"),
        uv_lock("2"),
        {
            (1, "pyproject.toml"): STAYS,
            (1, "uv.lock"): STAYS,
            (2, "pyproject.toml"): ONLY_NOW,
            (2, "uv.lock"): ONLY_NOW,
        },
    ),
    "an upgrade in a renamed folder": (
        {"x/requirements.txt": "a==1\n"},
        {"x/requirements.txt": None, "z/requirements.txt": "a==2\n"},
        {(1, "z/requirements.txt"): STAYS, (2, "z/requirements.txt"): ONLY_NOW},
    ),
    "an upgrade in a renamed file": (
        {"requirements.txt": "a==1\n"},
        {"requirements.txt": None, "requirements/base.txt": "a==2\n"},
        {(1, "requirements/base.txt"): STAYS, (2, "requirements/base.txt"): ONLY_NOW},
    ),
    "a range that became a version": (
        {"requirements.txt": "a>=1\n"},
        {"requirements.txt": "a==1\n"},
        {(1, "requirements.txt"): ELSEWHERE, (3, "requirements.txt"): ELSEWHERE},
    ),
}


@pytest.fixture(scope="module", params=["commit", "baseline"])
def upgraded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Traced]:
    """The comparison of all cases with a base commit, or with a baseline alone."""
    root = tmp_path_factory.mktemp("versions")
    git(root, "init", "-q", "-b", "main")
    cache = tmp_path_factory.mktemp("cache")
    put_osv(cache, *(flaw for n in range(len(VERSION_CASES)) for flaw in flaws(f"a{n}", n)))
    with pytest.MonkeyPatch.context() as patch, closing(open_store(cache)) as store:
        patch.setenv("SCANAGG_CACHE_DIR", str(cache))
        checked = Checked(root, scanners=("pip-audit",), store=store)
        for number, (before, _, _) in enumerate(VERSION_CASES.values()):
            write(root, own_files(number, before))
        first = commit(root)
        baseline = checked.baseline() if request.param == "baseline" else None
        for number, (_, after, _) in enumerate(VERSION_CASES.values()):
            write(root, own_files(number, after))
        commit(root)
        base = checked.base(baseline=baseline) if baseline else checked.base(first)
        yield checked.traced(base)


@pytest.mark.parametrize("name", VERSION_CASES)
def test_a_vulnerability_is_known_from_another_version(name: str, upgraded: Traced) -> None:
    number = list(VERSION_CASES).index(name)
    found: Results = {}
    parts = [one for one in upgraded.findings if one.package and one.package.name == f"a{number}"]
    for part in parts:
        kind = part.history.reason.kind
        kind = "package-in-base" if kind == "advisory-in-baseline" else kind
        digit = int(part.rule.id.removeprefix("CVE-2020-")[0])
        found |= {(digit, place.path.partition("/")[2]): kind for place in part.places}
        is_known = kind in ("package-in-base", STAYS)
        assert part.history.change is (UNCHANGED if is_known else NEW)
        assert not part.history.disclosed
    assert found == VERSION_CASES[name][2]
    assert upgraded.notices == ()
    assert len({part.fingerprint for part in parts}) == len(parts)


def test_what_stays_after_an_upgrade_names_both_versions(upgraded: Traced) -> None:
    reasons = {
        str(reason.values["package"]): (reason.values["step"], reason.values["old"])
        for one in upgraded.findings
        if (reason := one.history.reason).kind == STAYS and "CVE-2020-1" in one.rule.id
    }
    assert reasons["a0"] == ("upgrade", ("1",))
    assert reasons["a1"] == ("downgrade", ("2",))
    assert reasons["a7"] == ("change", ("1", "2.5"))


@pytest.mark.parametrize("way", ["commit", "baseline"])
def test_upgrades_that_fix_some_of_the_vulnerabilities(
    make_project: Make, data_dir: Path, way: str
) -> None:
    """Real advisories. The numbers are those that stay, and those that the new version has only."""
    steps = {"3.2.18": "3.2.19", "3.2.10": "3.2.11", "3.2.19": "3.2.18"}
    files = {f"{old}/requirements.txt": f"django=={old}\n" for old in steps}
    root = make_project(files)
    with zipfile.ZipFile(data_dir / "pypi-osv.zip") as archive:
        texts = map(archive.read, archive.namelist())
        put_osv(cache_folder(), *(json.loads(raw) for raw in texts if b'"django"' in raw.lower()))
    with closing(open_store(cache_folder())) as store:
        checked = Checked(root, scanners=("pip-audit",), store=store)
        baseline = checked.baseline() if way == "baseline" else None
        new = (f"django=={version}\n" for version in steps.values())
        commit(root, dict(zip(files, new, strict=True)))
        base = checked.base(baseline=baseline) if baseline else checked.base("HEAD~1")
        found = checked.traced(base).findings
    changes = {
        old: Counter(one.history.change for one in found if one.path.startswith(f"{old}/"))
        for old in steps
    }
    assert changes == {
        "3.2.18": {UNCHANGED: 6},
        "3.2.10": {UNCHANGED: 16},
        "3.2.19": {UNCHANGED: 6, NEW: 1},
    }


@pytest.mark.parametrize(
    ("scanner", "why"),
    [
        ("safety", "skipped-offline"),
        ("of-a-report", "scanner-not-run-here"),
    ],
)
def test_a_version_of_the_base_that_cannot_be_examined_is_told(
    make_project: Make, scanner: str, why: str
) -> None:
    root = make_project({"requirements.txt": "a==1\n"})
    write(root, {"requirements.txt": "a==2\n"})
    checked = Checked(root)
    one = vulnerable(packages(checked)["a"], "CVE-1", scanner=scanner)
    (found,), (notice,) = histories(checked, checked.base("HEAD"), one)
    assert (found.change, found.reason.kind) == (NEW, "other-version-not-examined")
    assert found.reason.values["package"] == "a 1"
    reason = found.reason.values["why"]
    assert isinstance(reason, Reason)
    assert reason.kind == why
    failed = Reason("base-scan-failed", {"scanner": scanner, "why": reason})
    assert notice == Reason("findings-count-as-new", {"why": failed})


def test_manifests_that_did_not_change_are_not_read_again(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"requirements.txt": "a==1\n", "app.py": ""})
    write(root, {"app.py": "x = 1\n"})
    checked = Checked(root)
    one = vulnerable(packages(checked)["a"], "CVE-1")
    base = checked.base("HEAD")
    monkeypatch.setattr("scanagg.baseline.compare_packages.read_inventory", None)
    assert history(checked, base, one).change is UNCHANGED


def test_a_file_that_a_manifest_includes_counts_whatever_its_name(make_project: Make) -> None:
    root = make_project({"requirements.txt": "-r more.deps\n", "more.deps": "a==1\n"})
    write(root, {"more.deps": "a==2\n"})
    checked = Checked(root)
    base = checked.base("HEAD")
    assert history(checked, base, vulnerable(packages(checked)["a"], "CVE-1")).change is NEW
    write(root, {"more.deps": "a==1\nb==1\n"})
    assert history(checked, base, vulnerable(packages(checked)["a"], "CVE-1")).change is UNCHANGED


def test_a_folder_of_a_repository_has_manifests_of_its_own(make_project: Make) -> None:
    root = make_project({"requirements.txt": "a==1\n", "sub/requirements.txt": "b==1\n"})
    write(root, {"sub/requirements.txt": "a==1\nb==1\n"})
    checked = Checked(root / "sub")
    held = packages(checked)
    base = checked.base("HEAD")
    assert history(checked, base, vulnerable(held["a"], "CVE-1")).change is NEW
    assert history(checked, base, vulnerable(held["b"], "CVE-1")).change is UNCHANGED


def test_what_the_target_leaves_out_is_no_manifest_of_the_base(make_project: Make) -> None:
    root = make_project({"requirements.txt": "b==1\n", "old/requirements.txt": "a==1\n"})
    write(root, {"requirements.txt": "a==1\n"})
    checked = Checked(root, exclude=("old/",))
    one = vulnerable(packages(checked)["a"], "CVE-1")
    assert history(checked, checked.base("HEAD"), one).change is NEW


@pytest.mark.parametrize(
    ("published", "disclosed"),
    [
        ("2026-01-02T00:00:00Z", True),
        ("2026-01-02", True),
        ("2025-12-31T00:00:00+00:00", False),
        ("soon", False),
        (None, False),
    ],
)
def test_an_advisory_newer_than_the_base_is_disclosed(
    make_project: Make, published: str | None, *, disclosed: bool
) -> None:
    root = make_project({"requirements.txt": "a==1\n"})
    commit(root, when=THEN)
    checked = Checked(root)
    one = vulnerable(packages(checked)["a"], "CVE-1", published=published)
    found = history(checked, checked.base("HEAD"), one)
    assert (found.change, found.disclosed) == (UNCHANGED, disclosed)
    days = {"published": "2026-01-02", "base": "2026-01-01"}
    newer = Reason("advisory-after-base", {"package": "a 1", **days})
    assert found.reason == (newer if disclosed else Reason("package-in-base", {"package": "a 1"}))


def listed(root: Path, *findings: Finding, when: str = "") -> Baseline:
    text = new_text([entry for one in findings for entry in entries_for(one)])
    commit(root, {PLACES[0]: text}, when=when)
    return load(text.encode(), PLACES[0])


@pytest.mark.parametrize("way", ["baseline", "both"])
def test_an_advisory_that_the_baseline_does_not_list_is_disclosed(
    make_project: Make, way: str
) -> None:
    root = make_project({"requirements.txt": "a==1\nb==1\n"})
    checked = Checked(root)
    held = packages(checked)
    old = vulnerable(held["a"], "PYSEC-1", "CVE-1", published="2020-01-01")
    baseline = listed(root, old, when=THEN)
    base = checked.base("HEAD" if way == "both" else None, baseline=baseline)
    # Its name has changed since then, but one common id is enough to match it.
    renamed = vulnerable(held["a"], "GHSA-1", "CVE-1", published="2030-01-01")
    other = vulnerable(held["b"], "CVE-1", published="2020-01-01")
    again, news = histories(checked, base, renamed, other)[0]
    assert (again.change, again.disclosed) == (UNCHANGED, False)
    assert again.first_seen == datetime(2026, 1, 1, tzinfo=UTC)
    assert again.reason == Reason("advisory-in-baseline", {"package": "a 1", "path": PLACES[0]})
    assert (news.change, news.disclosed, news.first_seen) == (UNCHANGED, True, None)
    assert news.reason == Reason("advisory-not-in-baseline", {"package": "b 1", "path": PLACES[0]})


def test_a_baseline_alone_compares_packages_with_the_commit_it_grew_in(make_project: Make) -> None:
    root = make_project({"requirements.txt": "a==1\n"})
    checked = Checked(root)
    baseline = listed(root, vulnerable(packages(checked)["a"], "CVE-1"))
    commit(root, {"requirements.txt": "a==1\nb==1\n"})
    held = packages(checked)
    base = checked.base(baseline=baseline)
    assert history(checked, base, vulnerable(held["a"], "CVE-1")).change is UNCHANGED
    # An entry does not record where a package comes from.
    assert history(checked, base, vulnerable(held["b"], "CVE-1")).change is NEW
    assert history(checked, base, licensed(held["a"])) == History(
        UNCHANGED, Reason("package-in-base", {"package": "a 1"})
    )


def test_a_known_vulnerability_of_a_new_version_is_introduced(make_project: Make) -> None:
    root = make_project({"requirements.txt": "a==1\n"})
    checked = Checked(root)
    baseline = listed(root, vulnerable(packages(checked)["a"], "CVE-1"), when=THEN)
    write(root, {"requirements.txt": "a==2\n"})
    found = history(
        checked, checked.base(baseline=baseline), vulnerable(packages(checked)["a"], "CVE-1")
    )
    assert (found.change, found.first_seen) == (NEW, datetime(2026, 1, 1, tzinfo=UTC))


def test_without_a_commit_packages_are_new(make_project: Make) -> None:
    root = make_project({"requirements.txt": "a==1\n", PLACES[0]: ""}, git_=False)
    checked = Checked(root)
    one = vulnerable(packages(checked)["a"], "CVE-1")
    text = new_text(entries_for(one))
    write(root, {PLACES[0]: text})
    base = checked.base(baseline=load(text.encode(), PLACES[0]))
    found = history(checked, base, one)
    assert found.change is NEW
    assert found.reason == Reason("no-package-base")
    assert base.notices == (Reason("packages-count-as-new", {"why": Reason("nothing-committed")}),)


def test_what_is_only_installed_has_no_base(make_project: Make) -> None:
    root = make_project({"requirements.txt": "a==1\n"})
    checked = Checked(root)
    loose = [
        vulnerable(Package(f"p{number}", "1", pypi_purl(f"p{number}", "1")), "CVE-1")
        for number in range(5)
    ]
    found, notices = histories(checked, checked.base("HEAD"), *loose)
    assert {one.change for one in found} == {NEW}
    assert found[0].reason == Reason("package-only-installed", {"package": "p0 1"})
    names = ("p0 1", "p1 1", "p2 1", "2 more")
    assert notices == (Reason("installed-packages-count-as-new", {"packages": names}),)


def test_a_manifest_of_the_base_that_cannot_be_read_is_told(make_project: Make) -> None:
    root = make_project({"requirements.txt": "a==1\n", "uv.lock": "<<<<<<< broken", "Pipfile": "["})
    write(root, {"requirements.txt": "a==1\nb==1\n", "uv.lock": None, "Pipfile": None})
    checked = Checked(root)
    held = packages(checked)
    base = checked.base("HEAD")
    found, notices = histories(checked, base, vulnerable(held["a"], "CVE-1"))
    assert (found[0].change, notices) == (UNCHANGED, ())
    found, (notice, more) = histories(checked, base, vulnerable(held["b"], "CVE-1"))
    assert found[0].change is NEW
    assert notice.kind == "packages-count-as-new"
    assert more == Reason("more-base-files-unread", {"number": 1})


def test_a_base_whose_manifests_were_not_fetched_is_told(make_project: Make) -> None:
    origin = make_project({"requirements.txt": "a==1\n"}, name="origin")
    first = commit(origin)
    commit(origin, {"requirements.txt": "a==1\nb==1\n"})
    git(origin, "config", "uploadpack.allowFilter", "true")
    root = origin.parent / "partial"
    git(origin, "clone", "-q", "--filter=blob:none", f"file://{origin}", str(root))
    checked = Checked(root)
    one = vulnerable(packages(checked)["a"], "CVE-1")
    found, (notice,) = histories(checked, checked.base(first), one)
    assert found[0].change is NEW
    why = Reason("base-file-unreadable", {"path": "requirements.txt"})
    assert notice == Reason("packages-count-as-new", {"why": why})


def of_npm(
    name: str, version: str, place: Location | None, scope: Scope = Scope.RUNTIME
) -> Finding:
    places = (place,) if place else ()
    package = Package(name, version, f"pkg:npm/{name}@{version}", scope=scope, places=places)
    return vulnerable(package, "CVE-1", scanner="trivy")


def test_packages_of_other_manifests_are_known_by_the_file(make_project: Make) -> None:
    root = make_project({"package-lock.json": "{}", "web/package-lock.json": "{}"})
    write(root, {"web/package-lock.json": "{ }"})
    checked = Checked(root)
    found, _ = histories(
        checked,
        checked.base("HEAD"),
        of_npm("left-pad", "1.0", Location("package-lock.json")),
        of_npm("left-pad", "1.0", Location("web/package-lock.json")),
        of_npm("libc", "1.0", None),
    )
    assert [one.change for one in found] == [UNCHANGED, NEW, NEW]
    assert found[0].reason == Reason("package-in-base", {"package": "left-pad 1.0"})


def test_packages_of_a_changed_manifest_are_looked_for_by_their_scanner(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"package-lock.json": "{}"})
    write(root, {"package-lock.json": "{ }"})
    checked = Checked(root)
    old = of_npm("left-pad", "1.0", Location("package-lock.json"))
    new = of_npm("right-pad", "1.0", Location("package-lock.json"))
    # The real scanner needs a database of vulnerabilities.
    examined = replace(Checked(root).examined(), findings=(old,))
    monkeypatch.setattr("scanagg.baseline.compare_code.collect_findings", lambda *_: examined)
    found, _ = histories(checked, checked.base("HEAD"), old, new)
    assert [one.change for one in found] == [UNCHANGED, NEW]
    assert found[0].reason == Reason("package-in-base", {"package": "left-pad 1.0"})


def test_a_version_of_another_ecosystem_is_known_by_its_vulnerabilities(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"a/package-lock.json": "{}", "b/package-lock.json": "{}"})
    write(root, {"a/package-lock.json": "{ }", "b/package-lock.json": "{ }"})
    checked = Checked(root)
    place = Location("a/package-lock.json")
    examined = replace(Checked(root).examined(), findings=(of_npm("left-pad", "1.0", place),))
    monkeypatch.setattr("scanagg.baseline.compare_code.collect_findings", lambda *_: examined)
    newer = of_npm("left-pad", "1.1", place)
    other = replace(newer, advisory=Advisory("CVE-2"))
    elsewhere = of_npm("left-pad", "1.1", Location("b/package-lock.json"))
    found, _ = histories(checked, checked.base("HEAD"), newer, other, elsewhere)
    assert [(one.change, one.reason.kind) for one in found] == [
        (UNCHANGED, STAYS),
        (NEW, ONLY_NOW),
        (NEW, ELSEWHERE),
    ]
    assert found[0].reason.values["old"] == ("1.0",)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize(
    ("before", "after", "change"),
    [
        (DEV, RUNTIME, NEW),
        (RUNTIME, DEV, UNCHANGED),
        (DEV, DEV, UNCHANGED),
        (RUNTIME, RUNTIME, UNCHANGED),
    ],
)
def test_a_package_of_another_ecosystem_is_known_in_its_scope(
    make_project: Make,
    monkeypatch: pytest.MonkeyPatch,
    before: Scope,
    after: Scope,
    change: Change,
    version: str,
) -> None:
    root = make_project({"package-lock.json": "{}"})
    write(root, {"package-lock.json": "{ }"})
    checked = Checked(root)
    place = Location("package-lock.json")
    examined = replace(
        Checked(root).examined(), findings=(of_npm("left-pad", "1.0", place, before),)
    )
    monkeypatch.setattr("scanagg.baseline.compare_code.collect_findings", lambda *_: examined)
    one = of_npm("left-pad", version, place, after)
    assert history(checked, checked.base("HEAD"), one).change is change


def test_a_package_of_another_ecosystem_that_gets_to_another_file_is_new(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"a/package-lock.json": "{}", "b/package-lock.json": "{}"})
    write(root, {"a/package-lock.json": "{ }", "b/package-lock.json": "{ }"})
    checked = Checked(root)
    old = of_npm("left-pad", "1.0", Location("a/package-lock.json"))
    examined = replace(Checked(root).examined(), findings=(old,))
    monkeypatch.setattr("scanagg.baseline.compare_code.collect_findings", lambda *_: examined)
    moved = of_npm("left-pad", "1.0", Location("b/package-lock.json"))
    both = replace(old, places=(*old.places, *moved.places))
    found, _ = histories(checked, checked.base("HEAD"), old, moved, both)
    assert [one.change for one in found] == [UNCHANGED, NEW, UNCHANGED, NEW]
    paths = ("a/package-lock.json",)
    elsewhere = Reason("package-elsewhere", {"package": "left-pad 1.0", "paths": paths})
    assert found[1].reason == elsewhere
    write(root, {"b/package-lock.json": "{}"})
    in_both = replace(old, location=moved.location, places=both.places)
    assert [one.change for one in histories(checked, checked.base("HEAD"), in_both)[0]] == [
        UNCHANGED
    ]
    write(root, {"a/package-lock.json": None})
    write(root, {"c/package-lock.json": "{}"})
    renamed = of_npm("left-pad", "1.0", Location("c/package-lock.json"))
    assert history(checked, checked.base("HEAD"), renamed).change is UNCHANGED


# Manifests that go away.

LOCK = '{"lockfileVersion": 3, "packages": {}}'
LOST_CASES: dict[str, tuple[Files, Files, list[tuple[str, str]]]] = {
    "renamed to a name that is no list": (
        {"requirements.txt": "a==1\n"},
        {"requirements.txt": None, "constraints.txt": "a==1\n"},
        [("manifest-gone", "requirements.txt")],
    ),
    "deleted": (
        {"uv.lock": UV, "pyproject.toml": PROJECT},
        {"uv.lock": None},
        [("manifest-gone", "uv.lock")],
    ),
    "deleted, and the ranges stay": (
        {"uv.lock": UV, "pyproject.toml": PROJECT + 'dependencies = ["a"]\n'},
        {"uv.lock": None},
        [("pins-loosened", "pyproject.toml"), ("pins-loosened", "uv.lock")],
    ),
    "emptied": (
        {"requirements.txt": "a==1\n"},
        {"requirements.txt": "# a==1\n"},
        [("manifest-emptied", "requirements.txt")],
    ),
    "a pin that became a range": (
        {"requirements.txt": "a==1\nother==1\n"},
        {"requirements.txt": "a>=1\nother==1\n"},
        [("pins-loosened", "requirements.txt")],
    ),
    "below an ignored folder": (
        {"requirements.txt": "a==1\n", ".gitignore": "build/\n"},
        {"requirements.txt": None, "build/requirements.txt": "a==1\n"},
        [("manifest-gone", "requirements.txt")],
    ),
    "turned into a folder": (
        {"requirements.txt": "a==1\n"},
        {"requirements.txt": None, "requirements.txt/a": "==1\n"},
        [("manifest-gone", "requirements.txt")],
    ),
    "a list with a name of its own": (
        {"deploy.deps": "a==1\n"},
        {"deploy.deps": None},
        [("manifest-gone", "deploy.deps")],
    ),
    "a lock of another ecosystem": (
        {"package-lock.json": LOCK},
        {"package-lock.json": None},
        [("manifest-unread", "package-lock.json")],
    ),
    "some packages dropped": (
        {"requirements.txt": "a==1\nother==1\n"},
        {"requirements.txt": "other==2\n"},
        [],
    ),
    "moved": (
        {"requirements.txt": "a==1\n", "web/package-lock.json": LOCK},
        {
            "requirements.txt": None,
            "requirements/base.txt": "a==2\n",
            "web/package-lock.json": None,
            "ui/package-lock.json": LOCK + "\n",
        },
        [],
    ),
    "replaced by another kind": (
        {"requirements.txt": "a==1\n"},
        {"requirements.txt": None, "uv.lock": UV, "pyproject.toml": PROJECT},
        [],
    ),
    "a range that a lock pins": (
        {"requirements.txt": "a==1\n"},
        {
            "requirements.txt": None,
            "uv.lock": UV,
            "pyproject.toml": PROJECT + 'dependencies = ["a>=1"]\n',
        },
        [],
    ),
}


def test_a_manifest_that_nothing_replaces_is_lost(make_project: Make) -> None:
    """All cases are folders of one project, with packages and ecosystems of their own."""

    root = make_project({})
    for number, (before, _, _) in enumerate(LOST_CASES.values()):
        write(root, own_files(number, before))
    checked = Checked(root)
    base = commit(root)
    for number, (_, after, _) in enumerate(LOST_CASES.values()):
        write(root, own_files(number, after))
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "change")
    lost: dict[str, list[tuple[str, str]]] = {name: [] for name in LOST_CASES}
    for reason in checked.traced(checked.base(base), findings=()).lost:
        number, _, path = str(reason.values["path"]).partition("/")
        lost[list(LOST_CASES)[int(number)]].append((reason.kind, path))
        if reason.kind != "manifest-unread":
            assert reason.values["packages"] == (f"a{number}",)
    assert lost == {name: expected for name, (_, _, expected) in LOST_CASES.items()}
