"""The store's matching compared with another implementation: the real trivy, with the same records.

Both are asked for thousands of pins: versions that records list, versions at which something begins
or ends, and their neighbours. Each difference has a reason, one of `Reason`, and the store finds
everything that trivy finds.
"""

import enum
import json
import shutil
import subprocess
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version
from support.kept import keep_zip
from support.records import affects
from support.tools import trivy

from scanagg.advisories.records import Record
from scanagg.advisories.store import Store, open_store
from scanagg.advisories.versions import parsed

PINS, LISTED, BOUNDS = 10, 4, 4
Pin = tuple[str, str]


class Reason(enum.Enum):
    """The reason that the store, but not trivy, reports a version as affected."""

    BEFORE_ZERO = "OSV's 0 is before every version; trivy reads it as the version 0"
    UNREADABLE = "the fix is no version of PEP 440: the store takes it for none, trivy for clean"
    LISTED = "only the list of versions has it; trivy's database has ranges only"
    OTHER_RECORD = "trivy's database has the ranges of one record for a CVE, the store of all"
    TOUCHING = "fixed there and introduced there again: trivy takes a fixed version for clean"
    UNEXPLAINED = "nobody knows"


@pytest.fixture(scope="module")
def store(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    return open_store(keep_zip(tmp_path_factory.mktemp("store"), data_dir / "pypi-osv.zip"))


@pytest.fixture(scope="module")
def rounds(data_dir: Path) -> list[list[Pin]]:
    """The pins, so that each name is in a round once."""
    listed, bounds = versions_of(data_dir / "pypi-osv.zip")
    made: list[list[Pin]] = [[] for _ in range(PINS)]
    for name in sorted(bounds):
        near = (each for bound in spread(bounds[name], BOUNDS) for each in neighbours(bound))
        versions = dict.fromkeys((*spread(listed[name], LISTED), *near))
        wanted = [version for version in versions if version and " " not in version]
        for pins, version in zip(made, spread(wanted, PINS), strict=False):
            pins.append((name, version))
    return made


@pytest.fixture(scope="module")
def found(
    rounds: list[list[Pin]], data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[Pin, set[str]]:
    """The ids that trivy reports for every pin that it can read."""
    place = tmp_path_factory.mktemp("pins")
    for number, pins in enumerate(rounds):
        folder = place / "project" / f"{number:02}"
        folder.mkdir(parents=True)
        lines = "".join(f"{name}=={version}\n" for name, version in pins)
        (folder / "requirements.txt").write_text(lines, "utf-8")
    shutil.copytree(data_dir / "trivy-cache", place / "cache")
    command: list[object] = [trivy(), "fs", "--cache-dir", place / "cache", "--offline-scan", "-q"]
    command += ["--skip-db-update", "--skip-check-update", "--scanners", "vuln", "-f", "json"]
    command += ["--list-all-pkgs", place / "project"]
    done = subprocess.run(command, capture_output=True, check=True)  # type: ignore[arg-type]
    answer: dict[Pin, set[str]] = {}
    for result in json.loads(done.stdout)["Results"]:
        for package in result["Packages"]:
            answer[canonicalize_name(package["Name"]), package["Version"]] = set()
        for one in result.get("Vulnerabilities", []):
            pin = (canonicalize_name(one["PkgName"]), one["InstalledVersion"])
            answer[pin].add(one["VulnerabilityID"])
    return answer


def versions_of(path: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return by name the versions that records list, and those that begin or end a range."""
    listed, bounds = defaultdict(list), defaultdict(list)
    with zipfile.ZipFile(path) as archive:
        records = [json.loads(archive.read(name)) for name in archive.namelist()]
    for entry in (entry for record in records for entry in record["affected"]):
        name = canonicalize_name(entry["package"]["name"])
        listed[name] += entry.get("versions", [])
        bounds[name] += list(bounds_of(entry))
    return listed, bounds


def bounds_of(entry: dict[str, Any]) -> Iterator[str]:
    for one in entry.get("ranges", []):
        if one["type"] != "GIT":
            yield from (version for event in one["events"] for version in event.values())


def spread(values: Iterable[str], count: int) -> list[str]:
    """Return at most so many of the values, from the first on, at equal distances."""
    given = list(dict.fromkeys(values))
    taken = min(count, len(given))
    return [given[number * len(given) // taken] for number in range(taken)]


def neighbours(text: str) -> Iterator[str]:
    yield text
    try:
        version = Version(text)
    except InvalidVersion:
        return
    numbers = list(version.release)
    base = ".".join(map(str, numbers))
    yield from (f"{base}{end}" for end in (".post1", "rc1", ".dev1", ".0", "+cpu"))
    yield ".".join(map(str, [*numbers[:-1], numbers[-1] + 1]))
    if numbers[-1]:
        yield ".".join(map(str, [*numbers[:-1], numbers[-1] - 1]))


def groups(ids: Iterable[str], store: Store) -> set[str]:
    """One name for each vulnerability."""
    return {min(store.group([one]).ids) for one in ids}


def reason(vulnerability: str, pin: Pin, store: Store) -> Reason:
    name, version = pin
    about = [
        one
        for one in store.group([vulnerability]).records
        if any(entry.package.name == name for entry in one.affected)
    ]
    hits = [one for one in about if affects(one, name, version)]
    if Version(version) < Version("0"):
        return Reason.BEFORE_ZERO
    if not any(affects(without_list(one), name, version) for one in hits):
        return Reason.LISTED
    if any(parsed(text) is None for text in told(hits, "fixed")):
        return Reason.UNREADABLE
    if parsed(version.partition("+")[0]) in map(parsed, told(hits, "fixed")):
        return Reason.TOUCHING
    return Reason.OTHER_RECORD if len(hits) < len(about) else Reason.UNEXPLAINED


def without_list(record: Record) -> Record:
    entries = (msgspec.structs.replace(one, versions=()) for one in record.affected)
    return msgspec.structs.replace(record, affected=tuple(entries))


def told(records: Iterable[Record], key: str) -> list[str]:
    """Return the values of one key in the events of records."""
    ranges = (each for one in records for entry in one.affected for each in entry.ranges)
    events = [event for each in ranges if each.type != "GIT" for event in each.events]
    return [text for event in events if (text := getattr(event, key)) is not None]


@pytest.fixture(scope="module")
def differences(
    found: dict[Pin, set[str]], store: Store
) -> tuple[Sequence[tuple[Pin, str]], Sequence[tuple[Pin, str]]]:
    """The results that only the store finds, and those that only trivy finds."""
    ours, theirs = [], []
    for pin, ids in found.items():
        mine = groups((one.id for one in store.affecting(*pin)), store)
        other = groups(ids, store)
        ours += [(pin, one) for one in mine - other]
        theirs += [(pin, one) for one in other - mine]
    return ours, theirs


def test_the_pins_are_many_and_varied(
    found: dict[Pin, set[str]], rounds: list[list[Pin]], store: Store
) -> None:
    asked = {pin for pins in rounds for pin in pins}
    assert len(found) >= 5000
    assert sum(bool(ids) for ids in found.values()) >= 2500
    assert sum(not ids for ids in found.values()) >= 1000
    assert {parsed(version) for _, version in asked - found.keys()} == {None}
    known = [parsed(version) for _, version in found]
    for kind in ("is_prerelease", "is_postrelease", "is_devrelease", "local"):
        assert sum(bool(getattr(version, kind)) for version in known) >= 200


def test_trivy_finds_nothing_that_the_store_does_not(
    differences: tuple[Sequence[tuple[Pin, str]], Sequence[tuple[Pin, str]]],
) -> None:
    assert differences[1] == []


def test_what_the_store_finds_alone_has_a_reason(
    differences: tuple[Sequence[tuple[Pin, str]], Sequence[tuple[Pin, str]]],
    found: dict[Pin, set[str]],
    store: Store,
) -> None:
    ours = [(reason(one, pin, store), pin, one) for pin, one in differences[0]]
    assert [one for one in ours if one[0] is Reason.UNEXPLAINED] == []
    pins = {pin for _, pin, _ in ours}
    assert len(pins) < len(found) / 20
    real = {pin for why, pin, _ in ours if why is not Reason.BEFORE_ZERO}
    assert len(real) < len(found) / 50
    assert set(Counter(why for why, _, _ in ours)) == set(Reason) - {Reason.UNEXPLAINED}
