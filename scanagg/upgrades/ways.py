"""Find out how to carry out upgrades: pins to edit, tools to run, and the rest to do by hand."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from packaging.utils import is_normalized_name
from packaging.version import Version

from scanagg.model import Constraint, Location, Package, Scope, Upgrade
from scanagg.upgrades.lockers import Recipe, Unknown, is_lock, recipe_of
from scanagg.upgrades.pins import HASHED, Pin, PinChange, Refused, edited, read
from scanagg.upgrades.plan import hindering


class Goal(msgspec.Struct, frozen=True):
    """A package to upgrade, the lines that name it (by path), and the constraints in the way.

    `barred` are constraints of the project itself, `held` those of packages that stay, `moving`
    those of packages that are upgraded too and may then allow it.
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
        package = self.package
        return Pin(package.name, package.version, self.to, dev=package.scope is Scope.DEV)

    @property
    def text(self) -> str:
        """The goal in short: "jinja2 2.4.1 -> 2.11.3"."""
        return f"{self.package.name} {self.package.version} -> {self.to}"

    @property
    def requirement(self) -> str:
        """The new version as a requirement: "jinja2==2.11.3"."""
        return f"{self.package.name}=={self.to}"


class PinEdit(msgspec.Struct, frozen=True):
    """The pins of one goal to edit in one file."""

    path: str
    goal: Goal
    changes: tuple[PinChange, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The changes as text: "requirements.txt:3: jinja2==2.4.1 -> jinja2==2.11.3"."""
        return tuple(f"{self.path}:{one.line}: {one.before} -> {one.after}" for one in self.changes)


class LockJob(msgspec.Struct, frozen=True):
    """A file that a tool has to make again for these goals."""

    recipe: Recipe
    goals: tuple[Goal, ...]

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """The commands to run, in order."""
        return self.recipe.commands([goal.pin for goal in self.goals])

    @property
    def shown(self) -> tuple[str, ...]:
        """The commands as people type them in the project's folder."""
        return tuple(map(self.recipe.typed, self.commands))

    def needs(self, edit: PinEdit) -> bool:
        """Return True if the tool reads the edited file for one of its goals."""
        return edit.goal in self.goals and self.recipe.reads(edit.path)


class ByHand(msgspec.Struct, frozen=True):
    """The part of a goal that is left to people, and why."""

    goal: Goal
    text: str


class Ways(msgspec.Struct, frozen=True):
    """Everything there is to do, by kind; a job may need some of the edits."""

    edits: tuple[PinEdit, ...] = ()
    jobs: tuple[LockJob, ...] = ()
    by_hand: tuple[ByHand, ...] = ()


_Recipes = dict[str, Recipe | Unknown | None]
_Way = Recipe | tuple[PinChange, ...] | str


def goals_of(upgrades: Iterable[Upgrade], *, blocking: bool = False) -> tuple[Goal, ...]:
    """Return the goals of a plan; with `blocking`, only those that clear blocking findings.

    ValueError for an invalid name (PEP 503) or version (PEP 440), or one that is not higher than
    the current one: a stored report may come from anybody, and its texts get into files and
    commands.
    """
    chosen: list[tuple[Upgrade, str]] = []
    for upgrade in upgrades:
        to = upgrade.to
        if blocking:
            to = upgrade.to_unblock or (to if upgrade.unblocks else None)
        if to is not None:
            chosen.append((upgrade, to))
    raised = {upgrade.package.name for upgrade, _ in chosen}
    return tuple(_goal(upgrade, to, raised) for upgrade, to in chosen)


def _goal(upgrade: Upgrade, to: str, raised: set[str]) -> Goal:
    package = upgrade.package
    if not is_normalized_name(package.name):
        raise ValueError(f"not a package name: {package.name!r}")
    if Version(to) <= Version(package.version):
        raise ValueError(f"{to} is no upgrade of {package.name} {package.version}")
    hindered = hindering(upgrade.hindered_by, to)
    is_direct = not package.chain or package.chain[0] == package.name
    places: dict[str, tuple[int, ...]] = {}
    for place in (*package.places, *(package.asked if is_direct else ())):
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
    """Return how to reach the goals. This only reads files; it changes and runs nothing."""
    edits: list[PinEdit] = []
    jobs: dict[str, LockJob] = {}
    by_hand: list[ByHand] = []
    recipes: _Recipes = {}
    for goal in goals:
        ways_by_path = list(_ways_of(root, goal, recipes))
        if goal.barred:
            by_hand.append(ByHand(goal, _barred(goal, [way for _, way in ways_by_path])))
            continue
        for path, way in ways_by_path:
            if isinstance(way, Recipe):
                job = jobs.get(path, LockJob(way, ()))
                jobs[path] = LockJob(job.recipe, (*job.goals, goal))
            elif isinstance(way, str):
                by_hand.append(ByHand(goal, way))
            elif goal.held:
                asks = " and ".join(f"{one.by} asks for {_asked(one)}" for one in goal.held)
                text = f"{path}: {asks}, which does not let {goal.to} in: upgrade that first"
                by_hand.append(ByHand(goal, text))
            else:
                edits.append(PinEdit(path, goal, way))
        if not ways_by_path:
            # Only installed, or only in an image.
            chain = goal.package.chain
            by = f"it comes in by {chain[0]}; " if len(chain) > 1 else ""
            text = f"no file of the project names its version: {by}install {goal.requirement}"
            by_hand.append(ByHand(goal, text))
    paths = list(dict.fromkeys(edit.path for edit in edits))
    return Ways(
        tuple(sorted(edits, key=lambda edit: paths.index(edit.path))),
        tuple(jobs.values()),
        tuple({(one.goal.text, one.text): one for one in by_hand}.values()),
    )


def _ways_of(root: Path, goal: Goal, recipes: _Recipes) -> Iterator[tuple[str, _Way]]:
    """Yield what to do in each file; skip files that name the package without its version."""
    for path, lines in sorted(goal.places.items()):
        try:
            raw = read(root, path).raw or b""
            if is_lock(path):
                yield path, _recipe(path, raw, goal, recipes, "is written by a tool")
                continue
            changes = edited(path, raw, goal.pin, lines).changes
            if changes:
                yield path, changes
        except Refused as error:
            if str(error) == HASHED:
                yield path, _recipe(path, raw, goal, recipes, HASHED)
            else:
                yield path, f"{path} {error}: {goal.requirement}"


def _recipe(path: str, raw: bytes, goal: Goal, recipes: _Recipes, why: str) -> Recipe | str:
    """Return how the file is made again, or what to tell people."""
    if path not in recipes:
        recipes[path] = recipe_of(path, raw.decode("utf-8", "replace"))
    recipe = recipes[path]
    if isinstance(recipe, Recipe):
        return recipe
    reason = f" ({recipe.reason})" if recipe else ""
    return f"{path} {why}{reason}: make it again with {goal.requirement}"


def _barred(goal: Goal, found: Iterable[_Way]) -> str:
    asks = " and ".join(f"{_asked(one)}{_at(one.place)}" for one in goal.barred)
    jobs = [LockJob(way, (goal,)) for way in found if isinstance(way, Recipe)]
    commands = "; ".join(command for job in jobs for command in job.shown)
    then = commands or f"ask for {goal.requirement}"
    separator = ": " if commands else " "
    verb = "does" if len(goal.barred) == 1 else "do"
    return f"{asks} {verb} not let {goal.to} in: change that, then{separator}{then}"


def _asked(constraint: Constraint) -> str:
    return constraint.text or constraint.specifier


def _at(place: Location | None) -> str:
    if place is None:
        return ""
    return f" in {place.path}:{place.start_line}" if place.start_line else f" in {place.path}"
