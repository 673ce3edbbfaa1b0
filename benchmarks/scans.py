"""Scans of snapshots for `identity.py`, kept between runs.

A scan is what the scanners reported, before anything is merged or identified. So it stays valid if
the identity of findings changes. A file with the same path and content in two snapshots is scanned
once, unless it is one of a group of files that are read together.
"""

import ast
import hashlib
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from scanagg.core.process import Stop
from scanagg.findings.collect import ScanSetup
from scanagg.findings.correlate import correlate
from scanagg.findings.fingerprint import Identity
from scanagg.findings.normalise import is_secret, normalise, redactor
from scanagg.model import Category, Finding, Inventory, Location, Observation
from scanagg.project.sources import Sources
from scanagg.project.target import read_target
from scanagg.scanners.base import all_scanners, scanner_info
from scanagg.scanners.runner import Limits, scan

# Snapshots have most files in common, and their syntax trees are never changed.
ast.parse = lru_cache(maxsize=1000)(ast.parse)

T = TypeVar("T")

OF_ALL_FILES = ("bandit", "detect-secrets")
# Trivy needs seconds to start. It gets what it can find misconfigurations in, and nothing else.
OF_CONFIGURATION = ("trivy",)
CONFIGURATION = re.compile(
    r"(?:.*/)?(?:[^/]*(?:docker|container)file[^/]*|[^/]*\.tpl)", re.IGNORECASE
)
RESOURCES = re.compile(rb"apiVersion|AWSTemplateFormatVersion|schema\.management\.azure")
# Trivy reads Terraform files together, and those of a chart. The results of any other are its own.
GROUPED = re.compile(
    r".*\.(?:tf|tofu|tfvars)(?:\.json)?|"
    r"(?:.*/)?(?:(?:Chart|values[^/]*)\.ya?ml|templates/.*\.(?:ya?ml|tpl))"
)
ASSERTS = "B101"
IN_FILES = (Category.CODE, Category.SECRET, Category.MISCONFIGURATION)
SECRET = "secret"
KEY_BYTES = 32


class Flag(NamedTuple):
    """A place that a scanner flags. The line is 0 for a whole file.

    The kind is the rule, or `SECRET` for all rules about secrets: scanners disagree about those.
    """

    kind: str
    path: str
    line: int


@dataclass(slots=True)
class Flagged:
    """What is flagged at a place: its last line, the scanners, and what each says the secret is.

    `columns` are those of the expression, if known.
    """

    category: Category
    last: int
    values: set[tuple[str, str]]
    columns: tuple[int, int] | None = None


class Scan(msgspec.Struct, frozen=True):
    """The files of a snapshot with digests of their content, and what was reported in each.

    `values` are the secrets in clear.
    """

    files: Mapping[str, str] = {}
    observations: Mapping[str, tuple[Observation, ...]] = {}
    values: Mapping[str, frozenset[str]] = {}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of a project. Its files with findings are in `root`."""

    name: str
    root: Path
    scan: Scan
    flagged: Mapping[Flag, Flagged]
    findings: tuple[Finding, ...]
    identity: Identity

    def shown(self, path: str, line: int) -> str:
        """Return a line without its secrets."""
        text = self.identity.sources.line(path, line) or ""
        return self.identity.redactor.shown_line(path, line, text).strip()


class Cache:
    """Results by name, in a folder, encrypted because scans contain secrets in clear."""

    def __init__(self, folder: Path) -> None:
        """Make the folder and its key, if needed."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        key = folder / "key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_bytes(secrets.token_bytes(KEY_BYTES))
        self._key = key.read_bytes()

    def recall(self, name: str, form: type[T], make: Callable[[], T]) -> T:
        """Return the result of this name, made if it is not there."""
        file = self.folder / name
        if file.exists():
            raw = file.read_bytes()
            return msgspec.msgpack.decode(
                self._crypted(raw[:KEY_BYTES], raw[KEY_BYTES:]), type=form
            )
        result = make()
        salt = secrets.token_bytes(KEY_BYTES)
        partial = file.with_name(file.name + ".partial")
        partial.write_bytes(salt + self._crypted(salt, msgspec.msgpack.encode(result)))
        partial.rename(file)
        return result

    def _crypted(self, salt: bytes, text: bytes) -> bytes:
        """Encrypt or decrypt a text with a stream of random bits."""
        stream = hashlib.shake_256(self._key + salt).digest(len(text))
        both = int.from_bytes(text, "big") ^ int.from_bytes(stream, "big")
        return both.to_bytes(len(text), "big")


def scan_folder(root: Path, known: Scan) -> Scan:
    """Scan the files in `root`, but those of `known` with the same content only if in a group."""
    files = {
        file.path: hashlib.sha256(file.real.read_bytes()).hexdigest()
        for file in read_target(root).files
    }
    differing = {path for path, _ in files.items() ^ known.files.items()}
    if any(map(GROUPED.fullmatch, differing)):
        differing.update(filter(GROUPED.fullmatch, files))
    changed = files.keys() & differing
    observations = {
        path: some for path, some in known.observations.items() if path in files.keys() - differing
    }
    values = {path: some for path, some in known.values.items() if path in observations}
    new, new_values = observe(root, changed, OF_ALL_FILES)
    configurations = {path for path in changed if is_configuration(root / path, path)}
    found, _ = observe(root, configurations, OF_CONFIGURATION)
    new += (one for one in found if one.category is Category.MISCONFIGURATION)
    for one in new:
        path = one.location.path if one.location else ""
        observations[path] = (*observations.get(path, ()), one)
        if is_secret(one) and path not in values:
            text = (root / path).read_bytes().decode("utf-8", "replace")
            values[path] = frozenset(value for value in new_values if value in text)
    return Scan(files, dict(sorted(observations.items())), values)


def is_configuration(file: Path, path: str) -> bool:
    """Return True for a file that Trivy may find misconfigurations in."""
    if path.endswith((".json", ".yaml", ".yml")):
        return (
            GROUPED.fullmatch(path) is not None or RESOURCES.search(file.read_bytes()) is not None
        )
    return CONFIGURATION.fullmatch(path) is not None


def observe(
    root: Path, paths: Collection[str], scanners: Collection[str]
) -> tuple[list[Observation], frozenset[str]]:
    """Return what these scanners report in some files of `root`, and the secrets to mask."""
    if not paths:
        return [], frozenset()
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory() as folder:
        for path in paths:
            Path(folder, path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / path, Path(folder, path))
        target = read_target(Path(folder))
        setup = ScanSetup(
            limits=Limits(1, 3600.0, Stop()),
            cache=Path(work),
            now=datetime.now(UTC),
            offline=True,
            workers=1,
        )
        tasks = setup.tasks([all_scanners()[name] for name in scanners], target, Inventory())
        scans = scan(tasks, setup.limits, lambda _event: None)
    for done in scans:
        if gaps := done.run.coverage.gaps:
            print(f"{done.run.scanner} did not examine {len(gaps)} files", file=sys.stderr)
    observations = [
        one
        for done in scans
        for one in done.observations
        if one.category in IN_FILES and one.rule.id != ASSERTS and not one.in_source
    ]
    return observations, frozenset(chain.from_iterable(done.secrets for done in scans))


def snapshot(name: str, root: Path, scanned: Scan, only: Collection[str] | None = None) -> Snapshot:
    """Identify findings as a check does; with `only`, those in these files as if alone."""
    sources = Sources(read_target(root))
    paths = [path for path in scanned.observations if only is None or path in only]
    observations = normalise(
        (one for path in paths for one in scanned.observations[path]), Inventory(), sources
    )
    values = chain.from_iterable(scanned.values.get(path, ()) for path in paths)
    identity = Identity(sources, redactor(observations, values), key="measured")
    flagged: dict[Flag, Flagged] = {}
    for one in observations:
        for place in places(one.location, one.places):
            flag = Flag(kind(one.category, one.scanner, one.rule.id), *where(place))
            known = flagged.setdefault(flag, Flagged(one.category, flag.line, set()))
            known.last = max(known.last, place.last_line or 0)
            if place.start_column and place.end_column:
                known.columns = place.start_column, place.end_column
            known.values.add((one.scanner, one.secret.value if one.secret else ""))
    findings = correlate(observations, identity)
    return Snapshot(name, root, scanned, flagged, findings, identity)


def places(location: Location | None, others: Collection[Location]) -> list[Location]:
    """Return every place of a secret or of code, the first first, each line once."""
    found = {where(place): place for place in (*others, *filter(None, (location,)))}
    return [found[key] for key in sorted(found)]


def where(place: Location) -> tuple[str, int]:
    return place.path, place.start_line or 0


def kind(category: Category, scanner: str, rule: str) -> str:
    is_about_secret = category is Category.SECRET or rule in scanner_info(scanner).secret_rules
    return SECRET if is_about_secret else rule


def flags(finding: Finding) -> list[Flag]:
    """Return the flags of a finding: each of its places counts by itself."""
    scanner = finding.witnesses[0].scanner
    name = kind(finding.category, scanner, finding.rule.id)
    return [Flag(name, *where(place)) for place in places(finding.location, finding.places)]
