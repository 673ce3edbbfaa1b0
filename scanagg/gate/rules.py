"""Load the rules of a check, and detect how a change loosens the rules that judge it."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.baseline.compare import Traced
from scanagg.baseline.file import PLACES as BASELINES
from scanagg.baseline.file import Baseline, load
from scanagg.core.errors import BaselineError, ScanaggError, TargetError
from scanagg.core.git import Git
from scanagg.core.text import first_names, one_line, shorten
from scanagg.gate.hiding import differs, hiding
from scanagg.model import Change, Finding, Judged, Parts, Reason, Target, Waiver, WaiverState
from scanagg.policy.compare import changes
from scanagg.policy.load import PLACES as POLICIES
from scanagg.policy.load import load_policy
from scanagg.policy.rules import decide
from scanagg.policy.schema import Policy
from scanagg.project import secret_key
from scanagg.project.trusted import Committed, Files, WorkTree
from scanagg.scanners.base import scanner_infos
from scanagg.scanners.config import CONFIG, Settings, load_settings

_SHOWN: Final = 3


class ProjectRules(msgspec.Struct, frozen=True):
    """The rules of a check, and the files that they were read from."""

    files: Files
    settings: Settings
    policy: Policy
    baseline: Baseline | None = None
    key: str | None = None

    @property
    def accepted(self) -> Counter[Parts]:
        """The entries of the baseline, counted by what identifies them."""
        return Counter(entry.parts for entry in (self.baseline.entries if self.baseline else ()))


def load_rules(
    root: Path,
    files: Files,
    policy: str | None,
    environ: Mapping[str, str],
    baseline: str | None = None,
) -> ProjectRules:
    """Load the rules of the project at `root`.

    `policy` and `baseline` are from the command line, None for the project's own. ConfigError,
    PolicyError or BaselineError if a file cannot be used.
    """
    settings = load_settings(root, scanner_infos(), files=files)
    return ProjectRules(
        files=files,
        settings=settings,
        policy=load_policy(policy, root, settings.policy, files=files),
        baseline=find_baseline(files, baseline),
        key=secret_key.find(files, environ),
    )


def rule_files(root: Path, ref: str | None) -> Files:
    """Return the files to read rules from: those of the commit `ref`, or the work tree.

    TargetError if the commit does not exist.
    """
    if ref is None:
        return WorkTree(root)
    git, shown = Git(root), one_line(ref)
    commit = git.commit(ref)
    if commit is None:
        if git.prefix() is None:
            hint = "Remove --policy-ref, or check a git repository."
            raise TargetError(f"--policy-ref {shown}: not a git repository", hint)
        hint = "Fetch the branch: git fetch origin BRANCH. In CI, check out the full history."
        raise TargetError(f"--policy-ref {shown}: this clone has no such commit", hint)
    if git.is_ambiguous(ref):
        hint = f"Use the full name, such as refs/heads/{shown} or refs/remotes/{shown}."
        raise TargetError(f"--policy-ref {shown}: several branches or tags have this name", hint)
    return Committed(git, commit, os.fsdecode(git.prefix() or b""))


def find_baseline(files: Files, given: str | None = None) -> Baseline | None:
    """Return the given baseline, else the project's own; None if there is none.

    BaselineError if it cannot be read, or if the given one does not exist.
    """
    for place in (given,) if given else BASELINES:
        try:
            raw = files.read(os.path.normpath(place))
        except OSError as error:
            hint = "Check the path and the permissions."
            raise BaselineError(f"{one_line(place)}: {error.strerror}", hint) from error
        if raw is not None:
            return load(raw, place)
    if given:
        hint = "Check the path, or create it: scanagg baseline write"
        raise BaselineError(f"{one_line(given)}: no such baseline", hint)
    return None


# A change that judges itself.


def attempts(
    trusted: ProjectRules,
    own_rules: Callable[[], ProjectRules],
    target: Target,
    traced: Traced,
    judged: Sequence[Judged],
    now: datetime,
) -> tuple[Reason, ...]:
    """Return each attempt to loosen the gate; none if the rules are those of the work tree.

    `own_rules` loads the rules of the change, and raises what loading raises. `judged` are the
    verdicts of the trusted rules on the traced findings.
    """
    files, findings = trusted.files, traced.findings
    if not isinstance(files, Committed):
        return ()
    # Whatever differs from the commit where the change started is part of the change.
    start = files.git.merge_base(files.commit, "HEAD")
    before = Committed(files.git, start, files.prefix) if start else files
    reasons: list[Reason] = []
    try:
        own = own_rules()
    except ScanaggError as error:
        message = shorten(one_line(error.message), 160)
        reasons.append(Reason("rules-do-not-load", {"error": message}))
    else:
        paths = sorted({*_rule_paths(trusted), *_rule_paths(own)})
        edited = tuple(path for path in paths if differs(before, target.root, path))
        # Without an edit, the trusted side made the difference.
        if edited:
            reasons.append(Reason("rules-edited", {"paths": edited}))
            reasons += _added_exclusions(trusted.settings, own.settings)
            reasons += _weaker_verdicts(own, findings, judged, now)
            reasons += _added_waivers(trusted.policy.waivers, own.policy.waivers)
            if grown := (own.accepted - trusted.accepted).total():
                reasons.append(Reason("baseline-grows", {"count": grown}))
    reasons += hiding(before, target)
    return (*reasons, *traced.lost, *traced.indexes, *_hidden_findings(findings))


def _rule_paths(rules: ProjectRules) -> Iterator[str]:
    """Yield the files of the project that have rules, or would have them by default."""
    for path in (rules.policy.source, *rules.policy.files, rules.settings.source):
        if path and path != "built-in" and not path.startswith("built-in "):
            yield path
    for scanner in rules.settings.scanners.values():
        if CONFIG in scanner.options:
            yield scanner.options[CONFIG]
    if rules.baseline:
        yield rules.baseline.path
    yield from (*POLICIES, *BASELINES, secret_key.PLACE, "policies/waivers.yml")


def _hidden_findings(findings: Sequence[Finding]) -> Iterator[Reason]:
    """Yield how many findings of the change are hidden in the source."""
    hidden = Counter(
        finding.in_source
        for finding in findings
        if finding.in_source and finding.history.change is not Change.UNCHANGED
    )
    for kind, count in sorted(hidden.items()):
        yield Reason("new-findings-hidden", {"count": count, "kind": kind})


def _weaker_verdicts(
    own: ProjectRules, findings: Sequence[Finding], judged: Sequence[Judged], now: datetime
) -> Iterator[Reason]:
    """Yield how the change's own policy would judge the same findings."""

    def action(judged: Judged | None) -> str:
        # None is a package with an allowed licence.
        return judged.verdict.action.value if judged else "allowed"

    own_judged = decide(findings, own.policy, now).judged
    steps = Counter(
        (action(change.old), action(change.new))
        for change in changes(judged, own_judged)
        if change.weaker
    )
    if steps:
        weaker = tuple(
            Reason("weaker-action", {"count": count, "old": old, "new": new})
            for (old, new), count in sorted(steps.items())
        )
        yield Reason("weaker-actions", {"count": steps.total(), "steps": weaker})
    if own.policy.enforcement == "warn" and judged:
        yield Reason("would-not-block")


def _added_exclusions(trusted: Settings, own: Settings) -> Iterator[Reason]:
    added = tuple(one for one in own.exclude if one not in trusted.exclude)
    if added:
        yield Reason("exclusions-added", {"patterns": first_names(added, _SHOWN)})


def _added_waivers(trusted: Sequence[Waiver], own: Sequence[Waiver]) -> Iterator[Reason]:
    """Yield the waivers that only the change has. One that only moved is not added."""

    def effect(waiver: Waiver) -> Waiver:
        """Return the waiver without the fields that do not change what it waives."""
        return replace(waiver, state=WaiverState.FALSE_POSITIVE, reason="", owner="", place="")

    known = set(map(effect, trusted))
    added = [waiver for waiver in own if effect(waiver) not in known]
    for waiver in added[:_SHOWN]:
        selectors = (*waiver.ids, *filter(None, (waiver.purl, waiver.path, waiver.fingerprint)))
        yield Reason(
            "waiver-added",
            {"place": waiver.place, "selectors": selectors, "owner": waiver.owner},
        )
    if len(added) > _SHOWN:
        yield Reason("waivers-added", {"count": len(added) - _SHOWN})
