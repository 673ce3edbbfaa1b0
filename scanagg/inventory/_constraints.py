"""Which versions manifests and locks allow: by the project's own words, and by its packages'."""

from collections.abc import Iterable, Iterator, Mapping

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scanagg.inventory._common import Declaration, Document, parsed, requirement_name, shown
from scanagg.inventory._specifier import as_pep_440
from scanagg.model import Constraint, Location, location_key


def of_declaration(one: Declaration) -> Constraint | None:
    """What a declaration allows; None where it says nothing of versions, as an address does."""
    if one.specifier is None or one.origin or one.own:
        return None
    return Constraint(one.name, one.specifier, one.text, place=one.place)


def of_requirement(
    needed: Requirement, text: str, by: str = "", place: Location | None = None
) -> Constraint | None:
    """What a requirement by PEP 508, written as `text`, allows; None where it has an address."""
    if needed.url:
        return None
    name = canonicalize_name(needed.name)
    return Constraint(name, str(needed.specifier), shown(text), by, place)


def of_table(
    name: str, value: object, by: str = "", place: Location | None = None
) -> Constraint | None:
    """What an entry of Poetry's or Pipenv's kind allows; None where it gives no version."""
    table = value if isinstance(value, Mapping) else {"version": value}
    version, marker = table.get("version"), table.get("markers")
    if not isinstance(version, str):
        return None
    try:
        said = requirement_name(name), as_pep_440(version)
    except ValueError:
        return None
    words = [name, version, *((";", marker) if isinstance(marker, str) else ())]
    return Constraint(*said, shown(" ".join(words)), by, place)


def resolver_settings(document: Document) -> Iterator[Constraint]:
    """What a pyproject.toml tells uv and pdm to hold to, whoever asks for the package."""
    for key in ("constraint-dependencies", "override-dependencies"):
        listed = document.value("tool", "uv", key)
        for position, text in enumerate(listed if isinstance(listed, list) else ()):
            place = document.place("tool", "uv", key, position)
            needed = parsed(text) if isinstance(text, str) else None
            found = of_requirement(needed, text, place=place) if needed else None
            if found:
                yield found
    overrides = ("tool", "pdm", "resolution", "overrides")
    pinned = document.value(*overrides)
    for name, value in (pinned if isinstance(pinned, dict) else {}).items():
        found = of_table(name, value, place=document.place(*overrides, name))
        if found:
            yield found


def each_once(constraints: Iterable[Constraint]) -> tuple[Constraint, ...]:
    """Each constraint once, sorted; what two locks say of one package is one."""
    found: dict[tuple[object, ...], Constraint] = {}
    for one in constraints:
        said = (one.text, one.place) if one.place else ()
        found.setdefault((one.name, one.by, one.specifier, *said), one)
    return tuple(sorted(found.values(), key=_key))


def _key(one: Constraint) -> tuple[object, ...]:
    place = location_key(one.place) if one.place else ("", 0, 0, 0, 0)
    return one.name, one.by, place, one.specifier, one.text
