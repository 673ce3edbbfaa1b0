"""Manifests that are symbolic links, at the base: as the commit has them, not as they are now."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.history import NEW, UNCHANGED, Checked, commit, write

from scanagg.baseline.snapshot import read_links, read_snapshot
from scanagg.core.git import Git
from scanagg.inventory import read_inventory
from scanagg.model import (
    Advisory,
    Anchor,
    Category,
    Change,
    Confidence,
    Finding,
    Package,
    Parts,
    Rule,
    Severity,
    Witness,
)

Make = Callable[..., Path]


def link(root: Path, links: Mapping[str, str]) -> None:
    for path, end in links.items():
        (root / path).unlink(missing_ok=True)
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(end)


def vulnerable(package: Package) -> Finding:
    return Finding(
        id="1",
        fingerprint="1",
        category=Category.VULNERABILITY,
        rule=Rule("CVE-1", "CVE-1", ""),
        title="CVE-1",
        message="CVE-1",
        claims=(),
        confidence=Confidence.UNKNOWN,
        location=package.places[0],
        places=package.places,
        anchors=(Anchor(Parts("vulnerability", "CVE-1", package.purl.partition("@")[0], "", "")),),
        witnesses=(Witness("pip-audit", "CVE-1", Severity.HIGH),),
        package=package,
        advisory=Advisory("CVE-1"),
    )


def change(root: Path) -> dict[str, Change]:
    """Return the change of each package since the last commit."""
    checked = Checked(root)
    packages = read_inventory(checked.target).packages
    found = checked.traced(checked.base("HEAD"), findings=[vulnerable(one) for one in packages])
    return {one.package.name: one.history.change for one in found.findings if one.package}


@pytest.fixture
def root(make_project: Make) -> Path:
    """A repository with a link `requirements.txt` to `real/base.txt`, which holds `a==1`.

    Only the link shows that the file is a manifest, because pip could not read its first line.
    """
    files = {"real/base.txt": "My list:\na==1\n", "real/other.txt": "My list:\nb==1\n"}
    made = make_project({**files, "app.py": ""})
    link(made, {"requirements.txt": "real/base.txt"})
    commit(made)
    return made


def test_without_changes_nothing_is_new(root: Path) -> None:
    assert change(root) == {"a": UNCHANGED}


def test_a_changed_file_behind_a_link_is_compared_with_itself(root: Path) -> None:
    write(root, {"real/base.txt": "My list:\na==1\nc==1\n"})
    assert change(root) == {"a": UNCHANGED, "c": NEW}


def test_another_changed_manifest_does_not_make_the_link_new(root: Path) -> None:
    write(root, {"dev-requirements.txt": "c==1\n"})
    assert change(root) == {"a": UNCHANGED, "c": NEW}


def test_a_link_that_leads_elsewhere_now_brings_what_it_leads_to(root: Path) -> None:
    link(root, {"requirements.txt": "real/other.txt"})
    assert change(root) == {"b": NEW}


def test_a_new_link_to_an_old_file_brings_its_packages(root: Path) -> None:
    link(root, {"dev-requirements.txt": "real/other.txt"})
    assert change(root) == {"a": UNCHANGED, "b": NEW}


def test_a_file_that_has_become_a_link_has_what_it_had(root: Path) -> None:
    write(root, {"lib/requirements.txt": "b==1\n"})
    commit(root)
    link(root, {"lib/requirements.txt": "../real/other.txt"})
    assert change(root) == {"a": UNCHANGED, "b": UNCHANGED}


def test_a_folder_behind_a_link_is_known_at_the_base_too(root: Path) -> None:
    link(root, {"lib/requirements": "../real"})
    commit(root)
    write(root, {"dev-requirements.txt": "c==1\n"})
    assert change(root) == {"a": UNCHANGED, "b": UNCHANGED, "c": NEW}


def test_a_version_that_is_only_spelled_otherwise_is_no_news(root: Path) -> None:
    write(root, {"real/base.txt": "My list:\na==1.0.0\n"})
    assert change(root) == {"a": UNCHANGED}


def test_ends_are_told_by_names_alone(root: Path) -> None:
    chain = {f"chain{number}": f"chain{number + 1}" for number in range(50)}
    links = {
        "sub/up": "../real/base.txt",
        "sub/twice": "up",
        "sub/folder": ".././real/",
        "absolute": str(root / "app.py"),
        "around": "sub/../app.py",
        "through": "sub/folder/base.txt",
        "out": "../project/app.py",
        "loop": "loop",
        "left-out": "app.py",
        **chain,
    }
    link(root, links)
    commit(root)
    checked = Checked(root, exclude=("left-out",))
    snapshot = read_snapshot(Git(root, checked.stop), "HEAD", checked.target)
    assert snapshot is not None
    ends = {one.path: one.end for one in read_links(snapshot)}
    assert {path: end for path, end in ends.items() if end} == {
        "requirements.txt": "real/base.txt",
        "sub/folder": "real",
        "sub/twice": "real/base.txt",
        "sub/up": "real/base.txt",
    }
    assert ends.keys() == {"requirements.txt", *links} - {"left-out"}
