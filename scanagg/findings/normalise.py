"""Observations brought onto common ground: known packages, whole private keys, masked text."""

import re
from collections.abc import Iterable, Sequence
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
from scanagg.model.published import fixes, retold
from scanagg.project.sources import Sources

# Bandit's rules about passwords in code: their lines are masked like those of any secret.
PASSWORD_RULES: Final = frozenset({"B105", "B106", "B107"})

# Trivy's check for secrets in ARG and ENV of a Dockerfile, under its old and new names.
_SECRETS_IN_IMAGES: Final = frozenset({"DS-0031", "DS031", "AVD-DS-0031"})

_KEY_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_KEY_END: Final = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY")
# A PEM block of a 16,384-bit RSA key has about 200 lines of 64 characters.
_KEY_LINES: Final = 256


def normalise(
    observations: Iterable[Observation], inventory: Inventory, sources: Sources
) -> tuple[Observation, ...]:
    """The observations with the inventory's packages in place of scanners' own, in the given order.

    A private key covers its whole block, since scanners disagree about the line it starts on. Of
    the fixed versions that scanners name, only those are left that fix this install.
    """
    known = {_pin(package): package for package in inventory.packages}
    return tuple(_normal(observation, known, sources) for observation in observations)


def redactor(observations: Iterable[Observation], values: Iterable[str]) -> Redactor:
    """What hides the secrets of this run: `values` in clear, and every line a secret covers."""
    lines: dict[str, set[int]] = {}
    for observation in observations:
        if not is_secret(observation):
            continue
        places = (*observation.places, *((observation.location,) if observation.location else ()))
        for place in places:
            first = place.start_line or 0
            lines.setdefault(place.path, set()).update(range(first, (place.last_line or 0) + 1))
    return Redactor(values, lines)


def is_secret(observation: Observation) -> bool:
    """Whether the observation's line holds a secret, whatever the scanner calls it."""
    rules = PASSWORD_RULES | _SECRETS_IN_IMAGES
    return observation.category is Category.SECRET or observation.rule.id in rules


def mask_run(run: Run, mask: Redactor) -> Run:
    """The run with its scanner's words made safe to show."""

    def clean(text: str) -> str:
        return mask.text(printable(text))

    coverage = run.coverage
    gaps = tuple(NotExamined(clean(gap.input), clean(gap.reason)) for gap in coverage.not_examined)
    return replace(
        run,
        detail=clean(run.detail),
        notices=tuple(map(clean, run.notices)),
        coverage=replace(coverage, not_examined=gaps),
    )


def _normal(
    observation: Observation, known: dict[tuple[str, str], Package], sources: Sources
) -> Observation:
    if observation.package is not None:
        return _with_package(
            _with_fixes(observation, observation.package), observation.package, known
        )
    if observation.category is Category.SECRET and observation.location:
        block = _key_block(observation.location, sources)
        if block:
            return replace(observation, location=block, places=(block,))
    return observation


def _with_fixes(observation: Observation, package: Package) -> Observation:
    advisory = observation.advisory
    if advisory is None:
        return observation
    fixed = fixes(advisory.fixed_versions, package)
    if fixed == advisory.fixed_versions:
        return observation
    return replace(
        observation,
        advisory=replace(advisory, fixed_versions=fixed),
        message=retold(observation.message, advisory.fixed_versions, fixed),
    )


def _with_package(
    observation: Observation, package: Package, known: dict[tuple[str, str], Package]
) -> Observation:
    """With the inventory's package, at the line by which people ask for it, or for its user."""
    ours = known.get(_pin(package)) if is_pypi(package.purl) else None
    if ours is None:
        return observation
    scanners = (observation.location,) if observation.location else ()
    return replace(
        observation,
        package=ours,
        places=sorted_locations((*ours.asked, *ours.places, *observation.places, *scanners)),
        location=next(iter((*ours.asked, *ours.places, *scanners)), None),
    )


def _pin(package: Package) -> tuple[str, str]:
    """The same for all spellings of one version by PEP 440 (1.0 and 1.0.0)."""
    return package.name, canonicalize_version(package.version)


def _key_block(place: Location, sources: Sources) -> Location | None:
    """The PEM block that the place is in or next to, or None."""
    if place.start_line is None:
        return None
    lines = sources.lines(place.path)
    begin = _find_back(lines, place.start_line)
    if begin is None:
        return None
    end = next(
        (
            number
            for number in range(begin, min(begin + _KEY_LINES, len(lines)) + 1)
            if _KEY_END.search(lines[number - 1])
        ),
        begin,
    )
    return Location(place.path, begin, end) if place.start_line <= end + 1 else None


def _find_back(lines: Sequence[str], start: int) -> int | None:
    """The last line at or up to a key's length before `start` (or one after) that begins a key."""
    for number in range(min(start + 1, len(lines)), max(start - _KEY_LINES, 0), -1):
        if _KEY_BEGIN.search(lines[number - 1]):
            return number
    return None
