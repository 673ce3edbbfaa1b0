"""Normalise observations: the inventory's packages, whole private keys, masked text."""

import re
from collections.abc import Iterable
from itertools import takewhile
from typing import Final

from msgspec.structs import replace
from packaging.utils import canonicalize_version

from scanagg.core.redact import Redactor
from scanagg.core.text import printable
from scanagg.model import (
    Category,
    Inventory,
    Location,
    NotExamined,
    Observation,
    Package,
    Run,
    is_pypi,
    sorted_locations,
)
from scanagg.model.advisories import retold
from scanagg.model.project import fixes
from scanagg.project.sources import Sources
from scanagg.scanners.base import scanner_info

_KEY_BEGIN: Final = re.compile(r"---- ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|PuTTY-User-Key-File")
_KEY_END: Final = re.compile(r"---- ?END [A-Z0-9 ]{0,40}PRIVATE KEY")
# A line in a key: Base64, perhaps as a string of code, or a field such as `Proc-Type: 4,ENCRYPTED`.
_KEY_LINE: Final = re.compile(
    r"\W*|(?:\W*[^\w+/])?(?:"
    r"[A-Za-z0-9+/]{16,}={0,2}(?:\\n)?(?:[^\w+/]\W*)?|[A-Z][A-Za-z0-9-]+: .*)"
)
# A PEM block of a 16,384-bit RSA key has about 200 lines of 64 characters.
_KEY_LINES: Final = 256


def normalise(
    observations: Iterable[Observation], inventory: Inventory, sources: Sources
) -> tuple[Observation, ...]:
    """Return the observations with the packages of the inventory, in the same order.

    Those of packages that no supported Python installs are left out, if they are of a manifest.
    A private key covers its whole block, because scanners disagree about its first line. Only fixed
    versions that fix this install stay.
    """
    known = {_pin(package): package for package in inventory.packages}
    impossible = {
        (*_pin(package), place.path) for package in inventory.impossible for place in package.places
    }
    normal = []
    for observation in observations:
        block = None
        if observation.category is Category.SECRET and observation.location:
            block = _key_block(observation.location, sources)
        if observation.package is not None:
            pin = _pin(observation.package)
            paths = {place.path for place in observation.all_places}
            if pin not in known and paths and impossible.issuperset((*pin, one) for one in paths):
                continue
            normal.append(_with_package(observation, observation.package, known))
        elif block:
            normal.append(replace(observation, location=block, places=(block,)))
        else:
            normal.append(observation)
    return tuple(normal)


def redactor(observations: Iterable[Observation], values: Iterable[str]) -> Redactor:
    """Return a redactor for the secrets of this run: `values`, and every line with a secret."""
    lines: dict[str, set[int]] = {}
    for observation in observations:
        if not is_secret(observation):
            continue
        for place in observation.all_places:
            lines.setdefault(place.path, set()).update(place.lines)
    return Redactor(values, lines)


def is_secret(observation: Observation) -> bool:
    """Return True if the line of the observation has a secret, in any category."""
    if observation.category is Category.SECRET:
        return True
    return observation.rule.id in scanner_info(observation.scanner).secret_rules


def is_guess(observation: Observation) -> bool:
    """Return True for code that a scanner takes for a password, without knowing."""
    return observation.rule.id in scanner_info(observation.scanner).guessing_rules


def share_text(one: Observation, other: Observation) -> bool:
    """Return True if both scanners name a text with the same secret."""
    if one.secret is None or other.secret is None:
        return False
    return not one.secret.texts.isdisjoint(other.secret.texts)


def mask_run(run: Run, mask: Redactor) -> Run:
    """Return the run with all texts of its scanner safe to show."""

    def clean(text: str) -> str:
        return mask.text(printable(text))

    coverage = run.coverage
    gaps = tuple(
        NotExamined(clean(gap.input), gap.reason.map(clean), gap.on_purpose)
        for gap in coverage.not_examined
    )
    return replace(
        run,
        detail=run.detail and run.detail.map(clean),
        notices=tuple(notice.map(clean) for notice in run.notices),
        coverage=replace(coverage, not_examined=gaps),
    )


def _with_package(
    observation: Observation, package: Package, known: dict[tuple[str, str], Package]
) -> Observation:
    """Return the observation with the package of the inventory, at the line that requires it."""
    advisory = observation.advisory
    if advisory is not None:
        fixed = fixes(advisory.fixed_versions, package)
        if fixed != advisory.fixed_versions:
            observation = replace(
                observation,
                advisory=replace(advisory, fixed_versions=fixed),
                message=retold(observation.message, advisory.fixed_versions, fixed),
            )
    ours = known.get(_pin(package)) if is_pypi(package.purl) else None
    if ours is None:
        return observation
    return replace(
        observation,
        package=ours,
        places=sorted_locations((*ours.asked, *ours.places, *observation.all_places)),
        location=next(iter((*ours.asked, *ours.places)), observation.location),
    )


def _pin(package: Package) -> tuple[str, str]:
    """Return name and version, the same for all spellings by PEP 440 (1.0, 1.0.0)."""
    return package.name, canonicalize_version(package.version)


def _key_block(place: Location, sources: Sources) -> Location | None:
    """Return the block of the private key that the place is in; None without one.

    A key without an end reaches as far as lines look like it. A line beside the block may have
    another secret.
    """
    if place.start_line is None:
        return None
    lines = sources.file(place.path).lines
    # Search backwards as far as a key is long.
    last = min(place.start_line, len(lines))
    numbers = range(last, max(place.start_line - _KEY_LINES, 0), -1)
    begin = next((number for number in numbers if _KEY_BEGIN.search(lines[number - 1])), None)
    if begin is None:
        return None
    numbers = range(begin, min(begin + _KEY_LINES, len(lines)) + 1)
    end = next((number for number in numbers if _KEY_END.search(lines[number - 1])), None)
    if end is None:
        body = takewhile(lambda number: _KEY_LINE.fullmatch(lines[number - 1]), numbers[1:])
        end = max(body, default=begin)
    return Location(place.path, begin, end) if place.start_line <= end else None
