"""Differences of two recordings, by kind.

A kind is a file and a JSON path in it, with `[]` for any place in a list: `scanagg.json:
findings[].severity`. Items of lists are matched by fingerprint, id or another name, so a missing
finding is one difference. Sentences, printed pages and Markdown are "wording", everything else is
"data".
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

# The first of these keys that an item of a list has identifies it.
NAMES = (
    *("partialFingerprints|scanaggFindingId/v1", "fingerprint", "bom-ref", "id", "purl", "ref"),
    *("package|purl", "waiver|place", "tool|driver|name", "scanner", "input", "name"),
)
# Values of these keys are written for people, unless they quote the project.
WORDING = re.compile(
    r"\b(attempts|credits|description|detail|fullDescription|help|justification|markdown|message"
    r"|messageStrings|note|notices|originReason|origin_reason|problems|reasons?|recommendation"
    r"|shortDescription|text|title)\b"
)
QUOTED = re.compile(r"\b(snippet|contextRegion)\b")
MISSING = ("missing",)  # a value that one side lacks; no JSON value is a tuple
Difference = tuple[str, Any, Any]


@dataclass
class Kind:
    """All differences of one kind. An example has the step and both values."""

    wording: bool
    count: int = 0
    examples: list[Difference] = field(default_factory=list)


def differences(before: Path, after: Path) -> dict[str, Kind]:
    """Return the differences of two recordings by kind."""
    kinds: dict[str, Kind] = {}
    paths = {
        path.relative_to(side)
        for side in (before, after)
        for path in side.rglob("*")
        if path.is_file()
    }
    for path in sorted(paths):
        # In kinds, a report has the same name in every step; other files include their step.
        is_report = path.parts[-3:-2] == ("checks",) and path.name != "result.json"
        label = path.name if is_report else f"{path.parent.name}/{path.name}"
        for place, *pair in file_differences(before / path, after / path):
            name = f"{label}: {place}" if place else label
            kind = kinds.setdefault(name, Kind(is_wording(path, place, *pair)))
            kind.count += 1
            if len(kind.examples) < (3 if kind.wording else 1):
                kind.examples.append((str(path.parent), *pair))
    return kinds


def is_wording(path: Path, place: str, before: Any, after: Any) -> bool:
    """Return whether a difference is in text that people read."""
    if not place:
        return path.suffix in (".txt", ".md")
    if MISSING in (before, after):
        return False
    if path.name == "scanagg.html.json":  # its rows have no keys
        return all(isinstance(value, str) and value.count(" ") > 2 for value in (before, after))
    return bool(WORDING.search(place)) and not QUOTED.search(place)


def file_differences(before: Path, after: Path) -> Iterator[Difference]:
    """Return the differences of one file; in files that are not JSON their place is empty."""
    if not (before.is_file() and after.is_file()):
        old, new = (side.name if side.is_file() else MISSING for side in (before, after))
        yield "(file)", old, new
        return
    text, other = before.read_text("utf-8"), after.read_text("utf-8")
    if text == other:
        return
    if before.suffix in (".json", ".sarif"):
        yield from value_differences("", json.loads(text), json.loads(other))
        return
    lines, others = Counter(text.splitlines()), Counter(other.splitlines())
    if lines == others:
        yield "", "lines", "the same lines in another order"
    removed, added = (lines - others).elements(), (others - lines).elements()
    for pair in zip_longest(removed, added, fillvalue=MISSING):
        yield "", *pair


def value_differences(place: str, before: Any, after: Any) -> Iterator[Difference]:
    """Return the differences of two JSON values."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before | after:
            pair = before.get(key, MISSING), after.get(key, MISSING)
            yield from value_differences(f"{place}.{key}".lstrip("."), *pair)
    elif isinstance(before, list) and isinstance(after, list):
        yield from item_differences(f"{place}[]", dict(named(before)), dict(named(after)))
    elif before is MISSING or after is MISSING:
        yield f"{place} ({'added' if before is MISSING else 'removed'})", before, after
    elif type(before) is not type(after) or before != after:
        yield place, before, after


def item_differences(
    place: str, before: Mapping[Any, Any], after: Mapping[Any, Any]
) -> Iterator[Difference]:
    """Return the differences of two lists: match items by key, and the others in order."""
    both = [key for key in before if key in after]
    if both != [key for key in after if key in before]:
        yield f"{place} (order)", "items", "the same items in another order"
    for key in both:
        yield from value_differences(place, before[key], after[key])
    removed = {key: item for key, item in before.items() if key not in after}
    added = {key: item for key, item in after.items() if key not in before}
    for key in removed | added:
        if key[0] == "name":
            pair = removed.get(key, MISSING), added.get(key, MISSING)
            yield from value_differences(place, *pair)
    unnamed = (
        [item for key, item in side.items() if key[0] == "value"] for side in (removed, added)
    )
    for pair in zip_longest(*unnamed, fillvalue=MISSING):
        yield from value_differences(place, *pair)


def named(items: Iterable[Any]) -> Iterator[tuple[tuple[str, str, int], Any]]:
    """Give each item a unique key: its name or value, and a number among equal ones."""
    counts: Counter[tuple[str, str]] = Counter()
    for item in items:
        key = name_of(item)
        counts[key] += 1
        yield (*key, counts[key]), item


def name_of(item: Any) -> tuple[str, str]:
    """Return ("name", …) of an item that has a name, else ("value", …)."""
    for name in NAMES:
        value = item
        for key in name.split("|"):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, str):
            return "name", value
    return "value", json.dumps(item, sort_keys=True)


def report(before: Path, after: Path, ignore: Iterable[str] = ()) -> int:
    """Print the differences; return 1 if data differs in a kind that no pattern accepts."""
    kinds = differences(before, after)
    patterns = [".*".join(map(re.escape, pattern.split("*"))) for pattern in ignore]
    totals = Counter[str]()
    for name, kind in sorted(kinds.items(), key=lambda item: (not item[1].wording, -item[1].count)):
        ignored = any(re.fullmatch(pattern, name) for pattern in patterns)
        group = "ignored" if ignored else "wording" if kind.wording else "data"
        totals[group] += 1
        print(f"{group:8} {name}  ({kind.count})")
        for step, *pair in () if ignored else kind.examples:
            print(f"    in {step}", *(f"      {shown(value)}" for value in pair), sep="\n")
    counts = ", ".join(f"{totals[group]} {group}" for group in ("data", "wording", "ignored"))
    print(f"kinds of differences: {counts}")
    return 1 if totals["data"] else 0


def shown(value: Any) -> str:
    """Return a value in the form that examples show."""
    text = "(missing)" if value is MISSING else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 160 else f"{text[:160]}…"
