"""What another policy, or another state of one, makes of the same findings."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from scanagg.model import Action, Finding, Judged

_ORDER: Final = {action: action.order for action in Action}
_ABSENT: Final = len(Action)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class Change(msgspec.Struct, frozen=True):
    """A finding that two judgements treat differently; None where one of them has no such finding.

    That is so for a package whose licence one of two policies allows.
    """

    old: Judged | None
    new: Judged | None

    @property
    def finding(self) -> Finding:
        """The finding itself, which both judgements share."""
        judged = self.new or self.old
        assert judged is not None  # noqa: S101 - `changes` makes no change without either
        return judged.finding

    @property
    def weaker(self) -> bool:
        """Whether the new judgement does less: a milder action, or the same one later."""
        return _mildness(self.new) > _mildness(self.old)


def changes(old: Sequence[Judged], new: Sequence[Judged]) -> tuple[Change, ...]:
    """Every finding whose action or deadline differs, the weakened first, else as sorted in `new`.

    Findings are the same where their fingerprints are; the severity, the rule and the reason may
    differ without being a change.
    """
    pairs = [Change(*pair) for pair in _pairs(old, new)]
    changed = [pair for pair in pairs if _mildness(pair.old) != _mildness(pair.new)]
    return tuple(sorted(changed, key=lambda change: not change.weaker))


def _pairs(
    old: Sequence[Judged], new: Sequence[Judged]
) -> Iterator[tuple[Judged | None, Judged | None]]:
    """Each finding of either side once; equal fingerprints are paired in order."""
    waiting: dict[str, list[Judged]] = defaultdict(list)
    for judged in reversed(old):
        waiting[judged.finding.fingerprint].append(judged)
    for judged in new:
        before = waiting[judged.finding.fingerprint]
        yield (before.pop() if before else None), judged
    left = {id(judged) for group in waiting.values() for judged in group}
    for judged in old:
        if id(judged) in left:
            yield judged, None


def _mildness(judged: Judged | None) -> tuple[int, datetime]:
    """The greater, the milder: by action; a warning that never begins to block is the mildest."""
    if judged is None:
        return _ABSENT, _NEVER
    action = judged.verdict.action
    begins = judged.deadline if action is Action.WARN else None
    return _ORDER[action], begins or _NEVER
