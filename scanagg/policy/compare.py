"""Compare two judgements of the same findings."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from scanagg.model import Action, Finding, Judged

_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class VerdictChange(msgspec.Struct, frozen=True):
    """A finding that two judgements treat differently.

    One of them is None if it does not have the finding: a package whose licence it allows.
    """

    finding: Finding
    old: Judged | None
    new: Judged | None

    @property
    def weaker(self) -> bool:
        """True if the new judgement is milder: a milder action, or a later deadline."""
        return _mildness(self.new) > _mildness(self.old)


def changes(old: Sequence[Judged], new: Sequence[Judged]) -> tuple[VerdictChange, ...]:
    """Return the findings whose action or deadline differs, weakened ones first, else as in `new`.

    Findings are matched by fingerprint. Another severity, rule or reason is not a change.
    """
    before, after = _numbered(old), _numbered(new)
    either = after | before | after  # those of `new` first
    pairs = [
        VerdictChange(judged.finding, before.get(key), after.get(key))
        for key, judged in either.items()
    ]
    changed = [pair for pair in pairs if _mildness(pair.old) != _mildness(pair.new)]
    return tuple(sorted(changed, key=lambda change: not change.weaker))


def _numbered(findings: Sequence[Judged]) -> dict[tuple[str, int], Judged]:
    """Return findings by fingerprint; equal fingerprints are numbered in order."""
    count: Counter[str] = Counter()
    numbered = {}
    for judged in findings:
        fingerprint = judged.finding.fingerprint
        numbered[fingerprint, count[fingerprint]] = judged
        count[fingerprint] += 1
    return numbered


def _mildness(judged: Judged | None) -> tuple[int, datetime]:
    """Return a value to compare by, greater if milder; a warning without deadline never blocks."""
    if judged is None:
        return len(Action), _NEVER
    action = judged.verdict.action
    begins = judged.deadline if action is Action.WARN else None
    return action.order, begins or _NEVER
