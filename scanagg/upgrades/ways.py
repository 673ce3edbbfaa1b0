"""Find out how to make upgrades: pins to edit, tools to run, and the rest to do by hand."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

import msgspec
from packaging.utils import is_normalized_name
from packaging.version import Version

from scanagg.model import Constraint, Package, Scope, Upgrade
from scanagg.upgrades.lockers import Recipe, Unknown, is_lock, recipe_of
from scanagg.upgrades.pins import Generated, Pin, PinChange, Refused, edited, names_archive, read
from scanagg.upgrades.plan import hindering


class Goal(msgspec.Struct, frozen=True):
    """A package to upgrade, the lines that name it (by path), and the constraints in the way.

    The line 0 stands for a whole file.

    `barred` are constraints of the project itself, `held` those of packages that stay, `moving`
    those of packages that are upgraded too and may then allow it.
    """

    package: Package
    to: str
    places: Mapping[str, Sequence[int]]
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
        return self.pin.requirement


class PinEdit(msgspec.Struct, frozen=True):
    """The pins of one goal to edit in one file."""

    path: str
    goal: Goal
    changes: tuple[PinChange, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """The changes as text: "requirements.txt:3: jinja2==2.4.1 -> jinja2==2.11.3"."""
        return tuple(
            f"{self.path}:{change.line}: {change.before} -> {change.after}"
            for change in self.changes
        )


class LockJob(msgspec.Struct, frozen=True):
    """A file that a tool has to write again for these goals."""

    recipe: Recipe
    goals: tuple[Goal, ...]

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """The commands to run, in order."""
        return self.recipe.commands([goal.pin for goal in self.goals])

    @property
    def shown(self) -> tuple[str, ...]:
        """The commands to type in the project's folder."""
        return tuple(map(self.recipe.typed, self.commands))

    def needs(self, edit: PinEdit) -> bool:
        """Return True if the tool reads the edited file for one of its goals."""
        return edit.goal in self.goals and self.recipe.reads(edit.path)


class ByHand(msgspec.Struct, frozen=True):
    """A part of a goal that you have to do yourself, and why."""

    goal: Goal
    text: str


class Ways(msgspec.Struct, frozen=True):
    """Everything there is to do, by kind. A job may need some of the edits."""

    edits: tuple[PinEdit, ...] = ()
    jobs: tuple[LockJob, ...] = ()
    by_hand: tuple[ByHand, ...] = ()


def goals_of(upgrades: Iterable[Upgrade], *, blocking: bool = False) -> tuple[Goal, ...]:
    """Return the goals of a plan; with `blocking`, only those that clear blocking findings.

    An upgrade that clears nothing is none.

    ValueError for an invalid name (PEP 503) or version (PEP 440), or one that is not higher than
    the current one: anybody can write a report, and its texts get into files and commands.
    """
    chosen: list[tuple[Upgrade, str]] = []
    for upgrade in upgrades:
        to = upgrade.to if upgrade.clears else None
        if blocking:
            to = upgrade.to_unblock or (to if upgrade.unblocks else None)
        if to is not None:
            chosen.append((upgrade, to))
    raised = {upgrade.package.name for upgrade, _ in chosen}
    goals = []
    for upgrade, to in chosen:
        package = upgrade.package
        if not is_normalized_name(package.name):
            raise ValueError(f"not a package name: {package.name!r}")
        if Version(to) <= Version(package.version):
            raise ValueError(f"{to} is not an upgrade of {package.name} {package.version}")
        barred: list[Constraint] = []
        held: list[Constraint] = []
        moving: list[Constraint] = []
        for constraint in hindering(upgrade.hindered_by, to):
            by_package = moving if constraint.by in raised else held
            (by_package if constraint.by else barred).append(constraint)
        is_direct = not package.chain or package.chain[0] == package.name
        places: dict[str, list[int]] = {}
        for place in package.places + (package.asked if is_direct else ()):
            places.setdefault(place.path, []).append(place.lines[0])
        goals.append(Goal(package, to, places, tuple(barred), tuple(held), tuple(moving)))
    return tuple(goals)


def ways(root: Path, goals: Sequence[Goal]) -> Ways:
    """Return how to reach the goals. This only reads files: it changes and runs nothing."""
    edits: dict[str, list[PinEdit]] = {}
    jobs: dict[str, LockJob] = {}
    by_hand: dict[tuple[str, str], ByHand] = {}
    recipes: dict[str, Recipe | Unknown] = {}
    for goal in goals:
        found = list(_ways_of(root, goal, recipes))
        if goal.barred:
            found = [_barred(goal, [way for way in found if isinstance(way, LockJob)])]
        elif not found:
            # Only installed, or only in an image.
            parents = goal.package.chain[:-1]
            by = f" ({parents[0]} requires it)" if parents else ""
            found = [
                ByHand(goal, f"no file of the project pins it{by}: install {goal.requirement}")
            ]
        for way in found:
            if isinstance(way, PinEdit):
                edits.setdefault(way.path, []).append(way)
            elif isinstance(way, LockJob):
                job = jobs.get(way.recipe.made, LockJob(way.recipe, ()))
                jobs[way.recipe.made] = LockJob(way.recipe, (*job.goals, goal))
            else:
                by_hand[goal.text, way.text] = way
    all_edits = chain.from_iterable(edits.values())
    return Ways(tuple(all_edits), tuple(jobs.values()), tuple(by_hand.values()))


def _ways_of(
    root: Path, goal: Goal, recipes: dict[str, Recipe | Unknown]
) -> Iterator[PinEdit | LockJob | ByHand]:
    """Yield what to do in each file. Skip files that name the package without its version."""
    for path, lines in sorted(goal.places.items()):
        try:
            raw = read(root, path).raw or b""
            if is_lock(path):
                raise Generated(f"{path} is written by a tool")
            changes = edited(path, raw, goal.pin, lines).changes
            if not changes:
                if names_archive(raw, goal.pin, lines):
                    text = f"{path} names an archive: change it to {goal.requirement}"
                    yield ByHand(goal, text)
                continue
            if goal.held:
                asks = " and ".join(f"{one.by} requires {_asked(one)}" for one in goal.held)
                text = f"{path}: {asks}, which excludes {goal.to}: upgrade that first"
                yield ByHand(goal, text)
            else:
                yield PinEdit(path, goal, changes)
        except Generated as error:
            if path not in recipes:
                recipes[path] = recipe_of(path, raw.decode("utf-8", "replace"))
            recipe = recipes[path]
            if isinstance(recipe, Recipe):
                yield LockJob(recipe, (goal,))
            else:
                reason = f" ({recipe.reason})" if recipe.reason else ""
                yield ByHand(goal, f"{error}{reason}: write it with {goal.requirement}")
        except Refused as error:
            yield ByHand(goal, f"{error}: change it to {goal.requirement}")


def _barred(goal: Goal, jobs: Iterable[LockJob]) -> ByHand:
    """Return the text for a goal that constraints of the project exclude."""
    asks = []
    for constraint in goal.barred:
        place = constraint.place
        line = f":{place.start_line}" if place and place.start_line else ""
        asks.append(_asked(constraint) + (f" in {place.path}{line}" if place else ""))
    verb = "excludes" if len(asks) == 1 else "exclude"
    commands = "; ".join(command for job in jobs for command in job.shown)
    then = f"run: {commands}" if commands else f"require {goal.requirement}"
    return ByHand(goal, f"{' and '.join(asks)} {verb} {goal.to}: change that, then {then}")


def _asked(constraint: Constraint) -> str:
    return constraint.text or constraint.specifier
