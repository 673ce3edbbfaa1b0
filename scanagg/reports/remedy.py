"""What to upgrade, in the words of every page: the version, what it clears, and what hinders it."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from scanagg.core.text import one_line
from scanagg.model import Constraint, Judged, Report, Upgrade

REMOVE: Final = "remove it"
NOWHERE: Final = "no version without known vulnerabilities"
UNCHECKED: Final = "as scanners say; not looked up in the advisory store"
"""What is said of a version that only scanners have named."""


class Advice(msgspec.Struct, frozen=True):
    """An upgrade in words. `package` is "urllib3 1.26.4", `to` where to go or that it is nowhere.

    `gone` says how much goes with it, empty where nothing does; `remarks` are what else there is
    to know, each a sentence without its full stop.
    """

    upgrade: Upgrade
    package: str
    to: str
    gone: str
    remarks: tuple[str, ...]

    def __str__(self) -> str:
        """In one line: "urllib3 1.26.4 -> 2.0.7 (major): clears 5, of which 2 block"."""
        arrow = ": " if self.upgrade.to is None else " -> "
        clears = f": clears {self.gone}" if self.gone else ""
        return f"{self.package}{arrow}{self.to}{clears}"


def advices(report: Report) -> list[Advice]:
    """The upgrades of a report in words, in their order.

    That nobody has looked them up is not among the remarks where it is so of all of them: then a
    page says it once, by `unchecked`.
    """
    bad = _malicious(report) if report.upgrades else frozenset()
    each = not unchecked(report)
    return [_advice(one, bad=one.package.purl in bad, mixed=each) for one in report.upgrades]


def unchecked(report: Report) -> str:
    """UNCHECKED where no version was looked up in the advisory store; else empty."""
    named = [one for one in report.upgrades if one.to is not None]
    return UNCHECKED if named and not any(one.checked for one in named) else ""


def summed(report: Report) -> str:
    """All of them in one line: "3 upgrades clear 40 vulnerabilities, 9 of which block"."""
    useful = [one for one in report.upgrades if one.clears]
    if not useful:
        return "No upgrade clears anything."
    gone = sum(len(one.clears) for one in useful)
    blocking = sum(len(one.unblocks) for one in useful)
    word = "upgrade clears" if len(useful) == 1 else "upgrades clear"
    things = "vulnerability" if gone == 1 else "vulnerabilities"
    which = f", {blocking:,} of which block{'s' if blocking == 1 else ''}" if blocking else ""
    return f"{len(useful):,} {word} {gone:,} {things}{which}."


def by_purl(report: Report) -> Mapping[str, Upgrade]:
    """The upgrade by the package it is for."""
    return {one.package.purl: one for one in report.upgrades}


def sentence(judged: Judged, upgrade: Upgrade | None) -> str:
    """What to do about one finding in one sentence; empty where it is about no vulnerability."""
    found = judged.finding
    advisory, package = found.advisory, found.package
    if advisory is None or package is None:
        return ""
    name = one_line(package.name)
    if advisory.withdrawn:
        return "Nothing to do: the advisory was withdrawn."
    if upgrade and found.rule.id in (*upgrade.clears, *upgrade.stays):
        return _step(name, found.rule.id, upgrade, bad=advisory.malicious)
    if advisory.malicious:
        return f"Remove {name}: it is malicious."
    if not advisory.fixed_versions:
        return "No fixed version is known."
    return f"Update {name} to {' or '.join(map(one_line, advisory.fixed_versions))}."


def _step(name: str, rule: str, upgrade: Upgrade, *, bad: bool) -> str:
    if upgrade.to is None:
        without = f"No version of {name} without known vulnerabilities is known."
        return f"Remove {name}: it is malicious." if bad else without
    if rule in upgrade.stays:
        return f"It stays in {name} {one_line(upgrade.to)}, the best version that is known."
    return f"Upgrade {name} to {one_line(upgrade.to)}."


def _malicious(report: Report) -> frozenset[str]:
    """The purls of packages that are themselves an attack."""
    return frozenset(
        found.package.purl
        for found in (one.finding for one in report.findings)
        if found.advisory is not None and found.package is not None and found.advisory.malicious
    )


def _advice(one: Upgrade, *, bad: bool, mixed: bool) -> Advice:
    return Advice(
        upgrade=one,
        package=one_line(f"{one.package.name} {one.package.version}"),
        to=_to(one, bad=bad),
        gone=_gone(one),
        remarks=tuple(_remarks(one, bad=bad, mixed=mixed)),
    )


def _to(one: Upgrade, *, bad: bool) -> str:
    if one.to is None:
        return REMOVE if bad else NOWHERE
    return one_line(one.to) + (f" ({one.step.value})" if one.step else "")


def _gone(one: Upgrade) -> str:
    number, blocking = len(one.clears), len(one.unblocks)
    if not number:
        return ""
    if not blocking:
        return f"{number:,}"
    if blocking == number:
        return f"{number:,}, {'which blocks' if number == 1 else 'all of which block'}"
    return f"{number:,}, {blocking:,} of which block{'s' if blocking == 1 else ''}"


def _remarks(one: Upgrade, *, bad: bool, mixed: bool) -> Iterator[str]:
    if bad:
        named = _list(name for name in one.stays if name not in one.clears)
        yield f"it is malicious{f' ({named})' if named else ''}: check where it was installed"
    if one.to_unblock and one.to_unblock != one.to:
        yield f"{one_line(one.to_unblock)} is enough to clear what blocks"
    yield from map(_hinders, one.hindered_by)
    if one.allowed is False and not one.hindered_by:
        yield "the project's constraints do not allow it"
    change = [name for name in one.change if name != one.package.name]
    if change:
        then = "" if one.to is None else ": change or lock that again"
        yield f"it comes in by {_list(change)}{then}"
    if one.stays and one.to is not None:
        yield f"{_list(one.stays)} {'stays' if len(one.stays) == 1 else 'stay'}"
    elif one.stays and not bad:
        yield f"no fix is known for {_list(one.stays)}"
    if mixed and one.to is not None and not one.checked:
        yield UNCHECKED


def _hinders(constraint: Constraint) -> str:
    place = constraint.place
    line = f":{place.start_line}" if place and place.start_line else ""
    where = f"{place.path}{line}" if place else "the project"
    asks = constraint.text or f"{constraint.name}{constraint.specifier}"
    return one_line(f"hindered by {constraint.by or where}, which asks for {asks}")


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(one_line, names))
