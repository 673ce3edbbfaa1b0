"""Vulnerabilities and licences against a base: what counts is whether it has the package."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_version

from scanagg.baseline.known import KnownAdvisories
from scanagg.baseline.links import read_links
from scanagg.baseline.snapshot import Snapshot, Standing
from scanagg.inventory import read_inventory
from scanagg.model import Category, Change, Finding, History, Inventory, Link, Package, is_pypi

# The names that manifests have, and those of files that a manifest may include: a superset of what
# the readers of the inventory match, for which files of the base need to be at hand.
_MANIFEST: Final = re.compile(
    r"(?:.*/)?(?:Pipfile(?:\.lock)?|setup\.(?:py|cfg)|[^/]*\.(?:txt|in|toml|lock|pip|reqs?))"
)
_SHOWN: Final = 3


class BasePackages(msgspec.Struct, frozen=True):
    """The packages that the base's manifests name; `names` with their versions' shortest spelling.

    `same` are files of the target that are as in the base, `purls` packages that a scanner names
    in the base. `problems` are manifests of the base that cannot be read, with the reason.
    """

    names: frozenset[tuple[str, str]]
    same: frozenset[str] = frozenset()
    purls: frozenset[str] = frozenset()
    problems: tuple[str, ...] = ()


def is_manifest(path: str) -> bool:
    """Whether a file may say which packages a project uses, by its name."""
    return bool(_MANIFEST.fullmatch(path))


def read_packages(
    snapshot: Snapshot, standing: Standing, inventory: Inventory, work: Path
) -> BasePackages:
    """The packages at the base; those of the target where none of its manifests differ.

    `inventory` is the target's. Installed environments are no part of any commit.
    """
    links = read_links(snapshot)
    named = {*inventory.manifests, *(link.end for link in links)}
    wanted = [path for path in snapshot.files if is_manifest(path) or path in named]
    differing = {*standing.changed, *standing.before, *standing.unread}
    manifests = {path for path in differing if is_manifest(path)}
    linked = _ends(links) == _ends(snapshot.target.links)
    if linked and not manifests and differing.isdisjoint(inventory.manifests):
        declared = [one for one in inventory.packages if one.places]
        return BasePackages(_names(declared), standing.same)
    found = read_inventory(replace(snapshot.lay_out(wanted, work), links=links))
    unread = [f"{path} could not be read from git" for path in sorted(standing.unread & manifests)]
    problems = [f"{one.input}: {one.reason}" for one in found.problems]
    return BasePackages(
        _names(found.packages), standing.same, problems=tuple(dict.fromkeys((*unread, *problems)))
    )


class PackageJudge:
    """The histories of vulnerabilities and licences; remembers what could not be told.

    `time` is that of the base commit, `known` what a baseline lists, None without one.
    """

    def __init__(
        self, base: BasePackages, time: datetime | None, known: KnownAdvisories | None
    ) -> None:
        """Nothing is judged yet."""
        self._base = base
        self._time = time
        self._known = known
        self._loose: dict[str, None] = {}
        self._new = False

    def history(self, finding: Finding, package: Package) -> History:
        """New where the base has not got the package in this version, however known the rest is."""
        what = " ".join(filter(None, (package.name, package.version)))
        first_seen = self._known.first_seen(finding) if self._known else None
        held = self._held(finding, package)
        if not held:
            return replace(self._new_one(package, what), first_seen=first_seen)
        reason = f"{what} {held}"
        if finding.category is not Category.VULNERABILITY:
            return History(Change.UNCHANGED, reason)
        news = self._news(finding)
        return History(
            Change.UNCHANGED,
            f"{reason}; {news.reason}" if news.reason else reason,
            disclosed=news.disclosed,
            first_seen=first_seen,
        )

    def notices(self) -> tuple[str, ...]:
        """What could not be told, where that made something new."""
        said = []
        if self._loose:
            names = list(self._loose)
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            said.append(
                f"no manifest names {', '.join(names[:_SHOWN])}{more}: there is no base for "
                "what is only installed, so it counts as introduced"
            )
        if self._new and self._base.problems:
            problems = self._base.problems
            more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
            said.append(
                f"of the base's manifests not all could be read ({problems[0]}{more}): "
                "packages that are only there count as introduced"
            )
        return tuple(said)

    def _held(self, finding: Finding, package: Package) -> str:
        """By what the base is known to have the package; "" where it is not."""
        path = finding.location.path if finding.location else ""
        if is_pypi(package.purl):
            named = _pin(package) in self._base.names
            return "is in the base's manifests" if named else ""
        if path in self._base.same:
            return f"is in {path}, which is as in the base"
        return f"is in {path} of the base too" if package.purl in self._base.purls else ""

    def _new_one(self, package: Package, what: str) -> History:
        if not package.places and is_pypi(package.purl):
            self._loose[what] = None
            return History(Change.NEW, f"{what} is installed, but in no manifest, so in no base")
        self._new = True
        return History(Change.NEW, f"{what} is not in the base's manifests")

    def _news(self, finding: Finding) -> "_News":
        """Whether anybody could have known of the vulnerability at the base."""
        if self._known is not None:
            path = self._known.path
            listed = self._known.lists(finding)
            return _News(not listed, f"known to {path}" if listed else f"{path} does not list it")
        published = _time(finding.advisory.published if finding.advisory else None)
        if published is None or self._time is None or published <= self._time:
            return _News(disclosed=False)
        return _News(
            disclosed=True,
            reason=f"published {published:%Y-%m-%d}, after the base of {self._time:%Y-%m-%d}",
        )


class _News(msgspec.Struct, frozen=True):
    disclosed: bool
    reason: str = ""


def _names(packages: Iterable[Package]) -> frozenset[tuple[str, str]]:
    return frozenset(map(_pin, packages))


def _pin(package: Package) -> tuple[str, str]:
    """The same for all spellings of one version by PEP 440."""
    return package.name, canonicalize_version(package.version)


def _ends(links: Iterable[Link]) -> frozenset[tuple[str, str | None]]:
    return frozenset((link.path, link.end) for link in links)


def _time(text: str | None) -> datetime | None:
    """An advisory's date (ISO 8601, UTC where it names no zone); None where it is none."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=found.tzinfo or UTC) if found else None
