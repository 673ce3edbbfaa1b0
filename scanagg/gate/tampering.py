"""Detect how a change tries to loosen the gate that judges it, where rules come from a commit."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from msgspec.structs import replace

from scanagg.baseline.file import Baseline
from scanagg.core.errors import ScanaggError
from scanagg.core.text import counted, one_line, shorten
from scanagg.gate.rules import ProjectRules
from scanagg.model import Change, Finding, Judged, Target, Waiver, WaiverState
from scanagg.policy import decide
from scanagg.policy.compare import changes
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
) -> tuple[str, ...]:
    """Return one sentence per attempt to loosen the gate; none where the change brings the rules.

    `own_rules` loads the rules that the change brings, and may raise what loading raises. `judged`
    are the verdicts of the trusted rules on `findings`.
    """
    files = trusted.files
    if not isinstance(files, Committed):
        return ()
    # Differences from the project as the change found it are the change's own doing.
    start = files.git.merge_base(files.commit, "HEAD")
    before = Committed(files.git, start, files.prefix) if start else files
    sentences: list[str] = []
    try:
        own = own_rules()
    except ScanaggError as error:
        reason = shorten(one_line(error.message), 160)
        sentences.append(f"it brings rules that do not load: {reason}")
    else:
        paths = sorted({*_rule_paths(trusted), *_rule_paths(own)})
        edited = [path for path in paths if _differs(before, target.root, path)]
        # Without an edit, a difference comes from the trusted side.
        if edited:
            sentences.append(f"it edits {', '.join(map(one_line, edited))}: not in effect")
            sentences += _loosened(own, findings, judged, now)
            sentences += _waivers(trusted.policy.waivers, own.policy.waivers)
            sentences += _growth(trusted.baseline, own.baseline)
    owners = {name: info.name for info in scanner_infos().values() for name in info.native_files}
    for file in target.files:
        owner = owners.get(file.path.rpartition("/")[2])
        if owner and _differs(before, target.root, file.path):
            shown = one_line(file.path)
            sentences.append(f"it adds or edits {shown}, a configuration of {owner}")
    hidden = Counter(
        finding.in_source
        for finding in findings
        if finding.in_source and finding.history.change is not Change.UNCHANGED
    )
    for kind, count in sorted(hidden.items()):
        sentences.append(f"it hides {count} of its new findings by {one_line(kind)}")
    return tuple(sentences)


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
) -> Iterator[str]:
    """Yield how the change's own policy would judge the same findings."""

    def action(one: Judged | None) -> str:
        return one.verdict.action.value if one else "allowed"  # a package with an allowed licence

    by_own_rules = decide(findings, own.policy, now).judged
    weaker = [one for one in changes(judged, by_own_rules) if one.weaker]
    if weaker:
        steps = Counter(f"{action(one.old)} to {action(one.new)}" for one in weaker)
        shown = ", ".join(f"{count} from {step}" for step, count in sorted(steps.items()))
        yield f"by its own rules {len(weaker)} of the findings would get a weaker action: {shown}"
    if own.policy.enforcement == "warn" and judged:
        yield "by its own rules nothing would block: enforcement warn"


def _waivers(trusted: Sequence[Waiver], own: Sequence[Waiver]) -> Iterator[str]:
    """Yield the waivers that only the change has, apart from those that only moved."""

    def effect(waiver: Waiver) -> Waiver:
        """Return the waiver without the fields that do not change what it waives."""
        return replace(waiver, state=WaiverState.FALSE_POSITIVE, reason="", owner="", place="")

    known = set(map(effect, trusted))
    added = [waiver for waiver in own if effect(waiver) not in known]
    for one in added[:_SHOWN]:
        about = ", ".join((*one.ids, *filter(None, (one.purl, one.path, one.fingerprint))))
        yield f"it adds a waiver at {one.place} ({one_line(about)}), owner {one_line(one.owner)}"
    if len(added) > _SHOWN:
        yield f"it adds {len(added) - _SHOWN} more waivers"


def _growth(trusted: Baseline | None, own: Baseline | None) -> Iterator[str]:
    if own is None:
        return
    known = Counter(entry.parts for entry in trusted.entries) if trusted else Counter()
    added = sum((Counter(entry.parts for entry in own.entries) - known).values())
    if added:
        yield f"it lets the baseline grow by {counted(added, 'finding')}"
