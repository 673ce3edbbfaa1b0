"""How to carry out upgrades: which lines to edit, which tool to run, what is left to people."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from packaging.utils import is_normalized_name
from packaging.version import Version

from scanagg.model import Constraint, Location, Package, Scope, Upgrade
from scanagg.upgrades.files import Refused, read
from scanagg.upgrades.lockers import Recipe, Unknown, Wish, calls, is_lock, recipe_of, shown
from scanagg.upgrades.pins import HASHED, Change, Pin, edited
from scanagg.upgrades.plan import hindering

_NOT_IN_FILES: Final = "no file of the project names its version"


class Goal(msgspec.Struct, frozen=True):
    """A package that is to be another version: where it stands (path to lines), what hinders it.

    `barred` are constraints of the project itself, `held` those of packages that stay, `moving`
    those of packages that are to be upgraded too: they may let it in then.
    """

    package: Package
    to: str
    places: Mapping[str, tuple[int, ...]]
    barred: tuple[Constraint, ...] = ()
    held: tuple[Constraint, ...] = ()
    moving: tuple[Constraint, ...] = ()

    @property
    def pin(self) -> Pin:
        """The change of an exact version."""
        return Pin(self.package.name, self.package.version, self.to)

    @property
    def wish(self) -> Wish:
        """The version to lock."""
        return Wish(self.package.name, self.to, dev=self.package.scope is Scope.DEV)

    @property
    def text(self) -> str:
        """The goal in short: "jinja2 2.4.1 -> 2.11.3"."""
        return f"{self.package.name} {self.package.version} -> {self.to}"


class FileEdit(msgspec.Struct, frozen=True):
    """Pins in one file that can be edited, by goal, with the lines as they will be."""

    path: str
    changes: tuple[tuple[Goal, tuple[Change, ...]], ...]


class Job(msgspec.Struct, frozen=True):
    """A file that a tool is to make again for these goals."""

    recipe: Recipe
    goals: tuple[Goal, ...]

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """What to run, in order."""
        return calls(self.recipe, [goal.wish for goal in self.goals])

    @property
    def shown(self) -> tuple[str, ...]:
        """The commands as people type them in the project's folder."""
        return tuple(shown(self.recipe, argv) for argv in self.commands)


class ByHand(msgspec.Struct, frozen=True):
    """What only people can do about a goal, and why."""

    goal: Goal
    text: str


class Ways(msgspec.Struct, frozen=True):
    """All there is to do, by kind. An edit may be of a file that a job's file is made from."""

    edits: tuple[FileEdit, ...] = ()
    jobs: tuple[Job, ...] = ()
    by_hand: tuple[ByHand, ...] = ()


_Recipes = dict[str, Recipe | Unknown | None]
_Way = Recipe | tuple[Change, ...] | str


def goals_of(upgrades: Iterable[Upgrade], *, blocking: bool = False) -> tuple[Goal, ...]:
    """What is to be reached; with `blocking` only what it takes to clear what blocks.

    ValueError where a name is no package's (PEP 503), a version is none (PEP 440), or is not above
    that of now: none may reach a file or a command. A plan has no such, a stored report that
    somebody wrote may.
    """
    chosen = [(one, _version_for(one, blocking=blocking)) for one in upgrades]
    wanted = [(one, to) for one, to in chosen if to is not None]
    raised = {one.package.name for one, _ in wanted}
    return tuple(_goal(one, to, raised) for one, to in wanted)


def _version_for(upgrade: Upgrade, *, blocking: bool) -> str | None:
    """The version to go to. What unblocks is enough where only that is asked for."""
    if not blocking:
        return upgrade.to
    if upgrade.to_unblock:
        return upgrade.to_unblock
    return upgrade.to if upgrade.unblocks else None


def _goal(upgrade: Upgrade, to: str, raised: set[str]) -> Goal:
    package = upgrade.package
    if not is_normalized_name(package.name):
        raise ValueError(f"not a package name: {package.name!r}")
    if Version(to) <= Version(package.version):
        raise ValueError(f"{to} is no upgrade of {package.name} {package.version}")
    hindered = hindering(upgrade.hindered_by, to)
    itself = package.chain[:1] == (package.name,) or not package.chain
    asked: Sequence[Location] = package.asked if itself else ()
    places: dict[str, tuple[int, ...]] = {}
    for place in (*package.places, *asked):
        line = (place.start_line,) if place.start_line else ()
        places[place.path] = (*places.get(place.path, ()), *line)
    return Goal(
        package,
        to,
        places,
        barred=tuple(one for one in hindered if not one.by),
        held=tuple(one for one in hindered if one.by and one.by not in raised),
        moving=tuple(one for one in hindered if one.by in raised),
    )


def ways(root: Path, goals: Sequence[Goal]) -> Ways:
    """How to reach the goals. Files are read; nothing is changed or run."""
    edits: dict[str, list[tuple[Goal, tuple[Change, ...]]]] = {}
    jobs: dict[str, tuple[Recipe, list[Goal]]] = {}
    by_hand: list[ByHand] = []
    recipes: _Recipes = {}
    for goal in goals:
        found = list(_ways_of(root, goal, recipes))
        if goal.barred:
            by_hand.append(ByHand(goal, _barred(goal, found)))
            continue
        for path, way in found:
            if isinstance(way, Recipe):
                jobs.setdefault(path, (way, []))[1].append(goal)
            elif isinstance(way, str):
                by_hand.append(ByHand(goal, way))
            elif goal.held:
                by_hand.append(ByHand(goal, _held(goal, path)))
            else:
                edits.setdefault(path, []).append((goal, way))
        if not found:
            by_hand.append(ByHand(goal, _nowhere(goal)))
    return Ways(
        tuple(FileEdit(path, tuple(found)) for path, found in edits.items()),
        tuple(Job(recipe, tuple(found)) for recipe, found in jobs.values()),
        tuple({(one.goal.text, one.text): one for one in by_hand}.values()),
    )


def _ways_of(root: Path, goal: Goal, recipes: _Recipes) -> Iterator[tuple[str, _Way]]:
    """What to do in each file; nothing in one that only asks for the package."""
    for path, lines in sorted(goal.places.items()):
        try:
            raw = read(root, path).raw or b""
            if is_lock(path):
                yield path, _made(path, raw, goal, recipes, "is written by a tool")
                continue
            changes = edited(path, raw, goal.pin, lines).changes
            if changes:
                yield path, changes
        except Refused as error:
            if str(error) == HASHED:
                yield path, _made(path, raw, goal, recipes, HASHED)
            else:
                yield path, f"{path} {error}: {_wanted(goal)}"


def _made(path: str, raw: bytes, goal: Goal, recipes: _Recipes, why: str) -> Recipe | str:
    """How the file is made again, or what to tell people."""
    if path not in recipes:
        recipes[path] = recipe_of(path, raw.decode("utf-8", "replace"))
    recipe = recipes[path]
    if isinstance(recipe, Recipe):
        return recipe
    reason = f" ({recipe.reason})" if recipe else ""
    return f"{path} {why}{reason}: make it again with {_wanted(goal)}"


def _wanted(goal: Goal) -> str:
    return f"{goal.package.name}=={goal.to}"


def _barred(goal: Goal, found: Iterable[tuple[str, _Way]]) -> str:
    asks = " and ".join(f"{one.text or one.specifier}{_at(one.place)}" for one in goal.barred)
    commands = [
        command
        for _, way in found
        if isinstance(way, Recipe)
        for command in Job(way, (goal,)).shown
    ]
    then = f", then: {'; '.join(commands)}" if commands else f", then ask for {_wanted(goal)}"
    verb = "does" if len(goal.barred) == 1 else "do"
    return f"{asks} {verb} not let {goal.to} in: change that{then}"


def _held(goal: Goal, path: str) -> str:
    asks = " and ".join(f"{one.by} asks for {one.text or one.specifier}" for one in goal.held)
    return f"{path}: {asks}, which does not let {goal.to} in: upgrade that first"


def _at(place: Location | None) -> str:
    if place is None:
        return ""
    return f" in {place.path}:{place.start_line}" if place.start_line else f" in {place.path}"


def _nowhere(goal: Goal) -> str:
    """What to do about a package that is only installed, or only in an image."""
    chain = goal.package.chain
    if len(chain) > 1:
        return f"{_NOT_IN_FILES}: it comes in by {chain[0]}; install {_wanted(goal)}"
    return f"{_NOT_IN_FILES}: install {_wanted(goal)}"
