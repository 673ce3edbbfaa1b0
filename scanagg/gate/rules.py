"""Load the rules of a check from one place: policy, configuration, baseline, project key."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from scanagg.baseline.file import PLACES, Baseline, load
from scanagg.core.errors import BaselineError, TargetError
from scanagg.core.git import Git
from scanagg.core.text import one_line
from scanagg.policy.load import load_policy
from scanagg.policy.schema import Policy
from scanagg.project import secret_key
from scanagg.project.trusted import Committed, Files, WorkTree
from scanagg.scanners.base import scanner_infos
from scanagg.scanners.config import Settings, load_settings


class ProjectRules(msgspec.Struct, frozen=True):
    """The rules of a check, and the files that they were read from."""

    files: Files
    settings: Settings
    policy: Policy
    baseline: Baseline | None = None
    key: str | None = None


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
        if git.text("rev-parse", "--git-dir") is None:
            hint = "Remove --policy-ref, or check a git repository."
            raise TargetError(f"--policy-ref {shown}: not a git repository", hint)
        hint = "Fetch it: git fetch origin main. In CI, check out the full history."
        raise TargetError(f"--policy-ref {shown}: this clone has no such commit", hint)
    if git.is_ambiguous(ref):
        hint = f"Use the full name, such as refs/heads/{shown} or refs/remotes/{shown}."
        raise TargetError(f"--policy-ref {shown}: several branches or tags have this name", hint)
    return Committed(git, commit, os.fsdecode(git.prefix() or b""))


def find_baseline(files: Files, given: str | None = None) -> Baseline | None:
    """Return the given baseline, else the project's own; None if there is none.

    BaselineError if it cannot be read, or if the given one does not exist.
    """
    for place in (given,) if given else PLACES:
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
