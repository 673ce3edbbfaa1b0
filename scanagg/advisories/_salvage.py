"""What can be used of a record whose parts are not all of the type that OSV says."""

from collections.abc import Callable, Mapping
from typing import Final

Json = object
Doubts = list[str]

_TEXTS: Final = ("modified", "published", "withdrawn", "summary", "details")
_UNREADABLE: Final[dict[str, Json]] = {"introduced": ""}
_EVENTS: Final = ("introduced", "fixed", "last_affected", "limit")


def salvaged(whole: Json) -> tuple[dict[str, Json] | None, tuple[str, ...]]:
    """The parts of a decoded record that are of the right type, and what is said of the others.

    None where there is no id. What is null or missing is nothing to speak of. What should tell
    versions and cannot be read becomes a beginning that cannot be read: the rules of `versions`
    take it for the first version.
    """
    if not isinstance(whole, Mapping) or not isinstance(whole.get("id"), str):
        return None, ()
    doubts: Doubts = []
    parts: dict[str, Json] = {"id": whole["id"]}
    parts |= {key: _text(whole, key, doubts) for key in _TEXTS}
    parts["aliases"] = _texts(whole, "aliases", doubts)
    parts["severity"] = _each(whole, "severity", _score, doubts)
    parts["references"] = _each(whole, "references", _reference, doubts)
    parts["affected"] = _each(whole, "affected", _affected, doubts)
    parts["database_specific"] = _extra(whole.get("database_specific"))
    return parts, tuple(doubts)


def _text(holder: Mapping[str, Json], key: str, doubts: Doubts) -> str:
    value = holder.get(key)
    if isinstance(value, str):
        return value
    if value is not None:
        doubts.append(f"{key} is no text")
    return ""


def _texts(holder: Mapping[str, Json], key: str, doubts: Doubts) -> list[str]:
    """The texts of a list; one text alone is taken for a list of it."""
    value = holder.get(key)
    listed = [value] if isinstance(value, str) else _list(value, key, doubts)
    if any(not isinstance(one, str) for one in listed):
        doubts.append(f"not all of {key} are texts")
    return [one for one in listed if isinstance(one, str)]


def _each(
    holder: Mapping[str, Json],
    key: str,
    read: Callable[[Mapping[str, Json], Doubts], dict[str, Json]],
    doubts: Doubts,
) -> list[dict[str, Json]]:
    """Every object of a list, read; what is no object is left out."""
    listed = _list(holder.get(key), key, doubts)
    if any(not isinstance(one, Mapping) for one in listed):
        doubts.append(f"not all of {key} are objects")
    return [read(one, doubts) for one in listed if isinstance(one, Mapping)]


def _list(value: Json, key: str, doubts: Doubts) -> list[Json]:
    if isinstance(value, list):
        return value
    if value is not None:
        doubts.append(f"{key} is no list")
    return []


def _score(one: Mapping[str, Json], doubts: Doubts) -> dict[str, Json]:
    return {"type": _text(one, "type", doubts), "score": _text(one, "score", doubts)}


def _reference(one: Mapping[str, Json], doubts: Doubts) -> dict[str, Json]:
    return {"type": _text(one, "type", doubts), "url": _text(one, "url", doubts)}


def _affected(one: Mapping[str, Json], doubts: Doubts) -> dict[str, Json]:
    package = one.get("package")
    if not isinstance(package, Mapping):
        doubts.append("package is no object")
        package = {}
    return {
        "package": {
            "ecosystem": _text(package, "ecosystem", doubts),
            "name": _text(package, "name", doubts),
        },
        "ranges": [*_ranges(one, doubts), *_unlisted(one)],
        "versions": _texts(one, "versions", doubts),
        "severity": _each(one, "severity", _score, doubts),
    }


def _unlisted(one: Mapping[str, Json]) -> list[Json]:
    """A range of all versions where nothing but a list tells them, and it cannot be read."""
    if one.get("ranges"):
        return []
    value = one.get("versions")
    listed = value if isinstance(value, list) else [value]
    known = all(text is None or isinstance(text, str) for text in listed)
    return [] if known else [{"events": [_UNREADABLE]}]


def _ranges(one: Mapping[str, Json], doubts: Doubts) -> list[dict[str, Json]]:
    listed = _list(one.get("ranges"), "ranges", doubts)
    if not listed and one.get("ranges") is not None:
        return [{"events": [_UNREADABLE]}] if one["ranges"] != [] else []
    return [_range(each, doubts) for each in listed]


def _range(one: Json, doubts: Doubts) -> dict[str, Json]:
    if not isinstance(one, Mapping):
        doubts.append("not all of ranges are objects")
        return {"events": [_UNREADABLE]}
    listed = _list(one.get("events"), "events", doubts)
    events = [_event(each, doubts) for each in listed]
    if not listed and one.get("events") not in (None, []):
        events = [_UNREADABLE]
    return {"type": _text(one, "type", doubts), "events": events}


def _event(one: Json, doubts: Doubts) -> dict[str, Json]:
    if not isinstance(one, Mapping):
        doubts.append("not all of events are objects")
        return _UNREADABLE
    return {key: _text(one, key, doubts) for key in _EVENTS if one.get(key) is not None}


def _extra(value: Json) -> dict[str, Json]:
    """GitHub's additions; others put whatever they like here, which is no doubt."""
    if not isinstance(value, Mapping):
        return {}
    ignored: Doubts = []
    return {
        "severity": _text(value, "severity", ignored),
        "cwe_ids": _texts(value, "cwe_ids", ignored),
    }
