"""What a run examined of what there was: only what an output shows as examined is."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from scanagg.core.text import shorten
from scanagg.model import Coverage, NotExamined
from scanagg.scanners.base import Inputs, Parsed

_UNMENTIONED: Final = "the scanner does not mention it"
_WIDTH: Final = 400


def covered(
    inputs: Inputs, parsed: Sequence[Parsed], failed: Iterable[tuple[tuple[str, ...], str]]
) -> Coverage:
    """The coverage that the outputs prove. Every input they do not show is not examined.

    `failed` are the inputs of jobs whose output could not be used, with the reason. An input that
    is both examined and not, is not.
    """
    reasons = {gap.input: gap.reason for gap in inputs.not_examined}
    for each in parsed:
        reasons.update({gap.input: gap.reason for gap in each.not_examined})
    for names, reason in failed:
        reasons.update(dict.fromkeys(names, reason))
    seen = {name for each in parsed for name in each.examined}
    known = dict.fromkeys((*inputs.found, *reasons))
    left = sorted(name for name in known if name not in seen or name in reasons)
    gaps = tuple(NotExamined(name, reasons.get(name, _UNMENTIONED)) for name in left)
    return Coverage(inputs.unit, len(known), len(known) - len(left), gaps)


def unexamined(inputs: Inputs, reason: str) -> Coverage:
    """The coverage of a run that never came to look: everything found, nothing examined."""
    return covered(inputs, (), [(tuple(set(inputs.found) - _named(inputs)), reason)])


def gaps_of(coverage: Coverage) -> Sequence[NotExamined]:
    """What was not examined though it should have been."""
    return [gap for gap in coverage.not_examined if not gap.on_purpose]


def nothing_examined(coverage: Coverage) -> str:
    """One line on a coverage of nothing, with the first of its reasons."""
    reasons = sorted({gap.reason for gap in coverage.not_examined})
    more = f" (and {len(reasons) - 1} more reasons)" if len(reasons) > 1 else ""
    first = reasons[0] if reasons else "no reason given"
    return shorten(f"none of {coverage.found} {coverage.unit} examined: {first}{more}", _WIDTH)


def partly_examined(coverage: Coverage, gaps: Sequence[NotExamined]) -> str:
    """One line on a coverage with gaps, with the first of them."""
    first = f": {gaps[0].input}: {gaps[0].reason}" if gaps else ""
    count = len(gaps) or len(coverage.not_examined)
    return shorten(f"{count} of {coverage.found} {coverage.unit} not examined{first}", _WIDTH)


def summed(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts by kind, added up."""
    total: dict[str, int] = {}
    for each in counts:
        for kind, number in each.items():
            total[kind] = total.get(kind, 0) + number
    return dict(sorted(total.items()))


def _named(inputs: Inputs) -> set[str]:
    return {gap.input for gap in inputs.not_examined}
