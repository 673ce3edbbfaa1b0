"""Detect how a change tries to loosen the gate that judges it, where rules come from a commit."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from scanagg.baseline.file import Baseline
from scanagg.core.errors import ScanaggError
from scanagg.core.text import one_line, shorten
from scanagg.gate.rules import ProjectRules
from scanagg.model import Change, Finding, Judged, Reason, Target, Waiver, WaiverState
from scanagg.policy.compare import changes
from scanagg.policy.rules import decide
from scanagg.project.trusted import Committed, Files, WorkTree
from scanagg.scanners.base import scanner_infos
from scanagg.scanners.config import CONFIG

_SHOWN = 3


def attempts(
    trusted: ProjectRules,
    own_rules: Callable[[], ProjectRules],
    target: Target,
    findings: Sequence[Finding],
    judged: Sequence[Judged],
    now: datetime,
) -> tuple[Reason, ...]:
    """Return each attempt to loosen the gate; none where the change brings the rules.

    `own_rules` loads the rules that the change brings, and may raise what loading raises. `judged`
    are the verdicts of the trusted rules on `findings`.
    """
    files = trusted.files
    if not isinstance(files, Committed):
        return ()
    # Differences from the project as the change found it are the change's own doing.
    start = files.git.merge_base(files.commit, "HEAD")
    before = Committed(files.git, start, files.prefix) if start else files
    found: list[Reason] = []
    try:
        own = own_rules()
    except ScanaggError as error:
        reason = shorten(one_line(error.message), 160)
        found.append(Reason("rules-do-not-load", {"error": reason}))
    else:
        paths = sorted({*_rule_paths(trusted), *_rule_paths(own)})
        edited = [path for path in paths if _differs(before, target.root, path)]
        # Without an edit, a difference comes from the trusted side.
        if edited:
            found.append(Reason("rules-edited", {"paths": tuple(edited)}))
            found += _loosened(own, findings, judged, now)
            found += _waivers(trusted.policy.waivers, own.policy.waivers)
            found += _growth(trusted.baseline, own.baseline)
    owners = {name: info.name for info in scanner_infos().values() for name in info.native_files}
    for file in target.files:
        owner = owners.get(file.path.rpartition("/")[2])
        if owner and _differs(before, target.root, file.path):
            found.append(Reason("configuration-edited", {"path": file.path, "scanner": owner}))
    hidden = Counter(
        finding.in_source
        for finding in findings
        if finding.in_source and finding.history.change is not Change.UNCHANGED
    )
    for kind, count in sorted(hidden.items()):
        found.append(Reason("new-findings-hidden", {"count": count, "kind": kind}))
    return tuple(found)


def _rule_paths(rules: ProjectRules) -> Iterator[str]:
    """Yield the files of the project that have rules, or would have them."""
    for path in (rules.policy.source, *rules.policy.files, rules.settings.source):
        if path and path != "built-in" and not path.startswith("built-in "):
            yield path
    for scanner in rules.settings.scanners.values():
        if CONFIG in scanner.options:
            yield scanner.options[CONFIG]
    if rules.baseline:
        yield rules.baseline.path
    yield from ("policies/scanagg.key", "policies/waivers.yml")


def _differs(before: Files, root: Path, path: str) -> bool:
    """Return True where a file differs from before; unreadable for one reason is no difference."""
    contents: list[bytes | str | None] = []
    for files in (before, WorkTree(root)):
        try:
            contents.append(files.read(path))
        except OSError as error:
            contents.append(error.strerror)
    return contents[0] != contents[1]


def _loosened(
    own: ProjectRules, findings: Sequence[Finding], judged: Sequence[Judged], now: datetime
) -> Iterator[Reason]:
    """Yield how the change's own policy would judge the same findings."""

    def action(one: Judged | None) -> str:
        return one.verdict.action.value if one else "allowed"  # a package with an allowed licence

    by_own_rules = decide(findings, own.policy, now).judged
    weaker = [one for one in changes(judged, by_own_rules) if one.weaker]
    if weaker:
        counts = Counter((action(one.old), action(one.new)) for one in weaker)
        steps = tuple(
            Reason("weaker-action", {"count": count, "old": old, "new": new})
            for (old, new), count in sorted(counts.items())
        )
        yield Reason("weaker-actions", {"count": len(weaker), "steps": steps})
    if own.policy.enforcement == "warn" and judged:
        yield Reason("would-not-block")


def _waivers(trusted: Sequence[Waiver], own: Sequence[Waiver]) -> Iterator[Reason]:
    """Yield the waivers that only the change has, apart from those that only moved."""

    def effect(waiver: Waiver) -> Waiver:
        """Return the waiver without the fields that do not change what it waives."""
        return replace(waiver, state=WaiverState.FALSE_POSITIVE, reason="", owner="", place="")

    known = set(map(effect, trusted))
    added = [waiver for waiver in own if effect(waiver) not in known]
    for one in added[:_SHOWN]:
        selectors = (*one.ids, *filter(None, (one.purl, one.path, one.fingerprint)))
        yield Reason(
            "waiver-added", {"place": one.place, "selectors": selectors, "owner": one.owner}
        )
    if len(added) > _SHOWN:
        yield Reason("waivers-added", {"count": len(added) - _SHOWN})


def _growth(trusted: Baseline | None, own: Baseline | None) -> Iterator[Reason]:
    if own is None:
        return
    known = Counter(entry.parts for entry in trusted.entries) if trusted else Counter()
    added = sum((Counter(entry.parts for entry in own.entries) - known).values())
    if added:
        yield Reason("baseline-grows", {"count": added})
