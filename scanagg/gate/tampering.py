"""What the change under check does to its own gate, where the rules come from a trusted commit."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from scanagg.baseline.file import Baseline
from scanagg.core.errors import ScanaggError
from scanagg.core.text import counted, one_line, shorten
from scanagg.gate.rules import Rules
from scanagg.model import Change, Finding, Judged, Target, Waiver
from scanagg.policy import decide
from scanagg.policy.compare import changes
from scanagg.project.trusted import Committed, Files, WorkTree
from scanagg.scanners.base import adapters
from scanagg.scanners.config import CONFIG

_SHOWN = 3


def attempts(
    trusted: Rules,
    own_rules: Callable[[], Rules],
    target: Target,
    findings: Sequence[Finding],
    judged: Sequence[Judged],
    now: datetime,
) -> tuple[str, ...]:
    """One sentence for each thing that would have loosened the gate; none for own rules.

    `own_rules` loads what the change under check brings itself, and may raise what loading raises.
    `judged` are the verdicts of the trusted rules on `findings`.
    """
    if not isinstance(trusted.files, Committed):
        return ()
    before = _before(trusted.files)
    return (
        *_rules(trusted, own_rules, before, target.root, findings, judged, now),
        *_native(target, before),
        *_comments(findings),
    )


def _before(files: Committed) -> Files:
    """The project as the change found it: what differs from that is the change's own doing."""
    start = files.git.merge_base(files.commit, "HEAD")
    return Committed(files.git, start, files.prefix) if start else files


def _rules(
    trusted: Rules,
    own_rules: Callable[[], Rules],
    before: Files,
    root: Path,
    findings: Sequence[Finding],
    judged: Sequence[Judged],
    now: datetime,
) -> Iterator[str]:
    try:
        own = own_rules()
    except ScanaggError as error:
        yield f"it brings rules that do not load: {shorten(one_line(error.message), 160)}"
        return
    named = sorted({*_rule_paths(trusted), *_rule_paths(own)})
    edited = [path for path in named if _differs(before, WorkTree(root), path)]
    if not edited:
        return  # what differs then was changed on the trusted side
    yield f"it edits {', '.join(map(one_line, edited))}: not in effect"
    yield from _loosened(own, findings, judged, now)
    yield from _waivers(trusted.policy.waivers, own.policy.waivers)
    yield from _growth(trusted.baseline, own.baseline)


def _rule_paths(rules: Rules) -> Iterator[str]:
    """The files of the project that rules are in, or would be."""
    for path in (rules.policy.source, *rules.policy.files, rules.settings.source):
        if path and path != "built-in" and not path.startswith("built-in "):
            yield path
    for scanner in rules.settings.scanners.values():
        if CONFIG in scanner.options:
            yield scanner.options[CONFIG]
    if rules.baseline:
        yield rules.baseline.path
    yield from ("policies/scanagg.key", "policies/waivers.yml")


def _differs(before: Files, after: Files, path: str) -> bool:
    """Whether a file is another one; what can be read in neither place is the same."""
    return _content(before, path) != _content(after, path)


def _content(files: Files, path: str) -> bytes | str | None:
    try:
        return files.read(path)
    except OSError as error:
        return error.strerror


def _loosened(
    own: Rules, findings: Sequence[Finding], judged: Sequence[Judged], now: datetime
) -> Iterator[str]:
    """What the change's own policy would make of the same findings."""
    mine = decide(findings, own.policy, now).judged
    weaker = [one for one in changes(judged, mine) if one.weaker]
    if weaker:
        steps = Counter(f"{_action(one.old)} to {_action(one.new)}" for one in weaker)
        said = ", ".join(f"{count} from {step}" for step, count in sorted(steps.items()))
        yield f"by its own rules {len(weaker)} of the findings would get a weaker action: {said}"
    if own.policy.enforcement == "warn" and judged:
        yield "by its own rules nothing would block: enforcement warn"


def _action(judged: Judged | None) -> str:
    """Without a judgement it is a package whose licence is allowed."""
    return judged.verdict.action.value if judged else "allowed"


def _waivers(trusted: Sequence[Waiver], own: Sequence[Waiver]) -> Iterator[str]:
    """The waivers that only the change has; those that differ by their place alone are no news."""
    known = Counter(map(_what, trusted))
    added = [one for one in own if known[_what(one)] == 0]
    for one in added[:_SHOWN]:
        about = ", ".join((*one.ids, *filter(None, (one.purl, one.path, one.fingerprint))))
        yield f"it adds a waiver at {one.place} ({one_line(about)}), owner {one_line(one.owner)}"
    if len(added) > _SHOWN:
        yield f"it adds {len(added) - _SHOWN} more waivers"


def _what(waiver: Waiver) -> tuple[object, ...]:
    return (
        waiver.ids,
        waiver.purl,
        waiver.versions,
        waiver.path,
        waiver.fingerprint,
        waiver.expires,
        waiver.until_fixed,
    )


def _growth(trusted: Baseline | None, own: Baseline | None) -> Iterator[str]:
    if own is None:
        return
    known = Counter(one.parts for one in trusted.entries) if trusted else Counter()
    added = sum((Counter(one.parts for one in own.entries) - known).values())
    if added:
        yield f"it lets the baseline grow by {counted(added, 'finding')}"


def _native(target: Target, before: Files) -> Iterator[str]:
    """Configuration of the scanners' own that the change adds or edits."""
    owners: Mapping[str, str] = {
        name: adapter.NAME for adapter in adapters().values() for name in adapter.NATIVE
    }
    for file in target.files:
        owner = owners.get(file.path.rpartition("/")[2])
        if owner and _differs(before, WorkTree(target.root), file.path):
            yield f"it adds or edits {one_line(file.path)}, a configuration of {owner}"


def _comments(findings: Sequence[Finding]) -> Iterator[str]:
    """Comments that hide what the change itself brings."""
    hidden = Counter(
        one.in_source
        for one in findings
        if one.in_source and one.history.change is not Change.UNCHANGED
    )
    for kind, count in sorted(hidden.items()):
        yield f"it hides {count} of its new findings by {one_line(kind)}"
