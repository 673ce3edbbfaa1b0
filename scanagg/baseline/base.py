"""Find the base: the commit and the baseline file that a check compares its findings with."""

import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.baseline.file import Baseline
from scanagg.baseline.lookup import Growth, last_growth
from scanagg.core.errors import TargetError
from scanagg.core.git import Git
from scanagg.core.process import Stop
from scanagg.core.text import one_line
from scanagg.model import BaseInfo, Reason, Target

# A payload of GitHub's is at most 25 MB, https://docs.github.com/en/webhooks/webhook-events
_EVENT_BYTES: Final = 25 << 20
_NO_COMMIT: Final = "0" * 40


class BaseOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options that decide what to compare with.

    `ref` is the argument of --base. `against` is the policy's choice (merge-base, baseline, none).
    `environ` has the variables in which a CI system names the target branch of a pull request.
    `ref_of_rules` is the commit that the baseline was read from, None for the work tree.
    """

    ref: str | None = None
    against: str = "merge-base"
    baseline: Baseline | None = None
    ref_of_rules: str | None = None
    environ: Mapping[str, str] = msgspec.field(default_factory=dict)


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """The base of a check; everything is None where there is none.

    `commit` is compared with the work tree: packages by manifests, the rest by scanning the files
    that changed. Where a baseline file is the only base, `package_commit` is the commit in which it
    last grew: only packages are compared with that. `time` is the time of the commit (UTC).
    `ref_of_rules` is as in `BaseOptions`.
    """

    commit: str | None = None
    package_commit: str | None = None
    time: datetime | None = None
    baseline: Baseline | None = None
    ref_of_rules: str | None = None
    notices: tuple[Reason, ...] = ()
    info: BaseInfo | None = None


class _BaseCommit(msgspec.Struct, frozen=True):
    """The base commit and the name of the branch it was found by; or a notice why there is none."""

    commit: str | None = None
    name: str = ""
    notice: Reason | None = None


def find_base(target: Target, options: BaseOptions, stop: Stop) -> Base:
    """Find the commit and the baseline to compare with.

    TargetError where --base names a commit that does not exist. Any other base that cannot be found
    is reported in the notices, and every finding counts as introduced.
    """
    git = Git(target.root, stop)
    found = _base_commit(git, target, options)
    baseline = None if options.against == "none" else options.baseline
    growth, notice = Growth(), found.notice
    info = BaseInfo(found.commit, found.name)
    if found.commit:
        info = replace(info, time=git.committed_at(found.commit))
    elif baseline:
        growth = last_growth(git, target, baseline, options.ref_of_rules)
        notice = notice and Reason("only-baseline", {"path": baseline.path, "why": notice})
    else:
        notice = notice and Reason("no-base-commit", {"why": notice})
    if baseline:
        info = replace(info, baseline=baseline.path, entries=len(baseline.entries))
    return Base(
        commit=found.commit,
        package_commit=growth.commit,
        time=git.committed_at(growth.commit) if growth.commit else info.time,
        baseline=baseline,
        ref_of_rules=options.ref_of_rules,
        notices=tuple(filter(None, (notice, growth.notice))),
        info=info if found.commit or baseline else None,
    )


def _base_commit(git: Git, target: Target, options: BaseOptions) -> _BaseCommit:
    if options.ref is not None:
        base = _merge_base_with(git, target, options.ref)
        return _with_notice(git, target, base, options.ref)
    request = _pull_request(options.environ) if options.against == "merge-base" else None
    if request is None:
        return _BaseCommit()
    head = git.commit("HEAD") if target.revision else None
    if head is None:
        return _BaseCommit(notice=Reason("nothing-committed"))
    for name, commit in _tips(git, request, head):
        fork = _fork_point(git, head, commit)
        if fork:
            return _with_notice(git, target, fork, name)
    if git.is_shallow():
        why = Reason("shallow-clone", {"branch": request.branch, "setting": request.remedy})
        return _BaseCommit(notice=why)
    return _BaseCommit(notice=Reason("branch-not-fetched", {"branch": request.branch}))


def _merge_base_with(git: Git, target: Target, ref: str) -> str:
    """Return the merge base of HEAD and the commit that --base names. TargetError without one."""
    failed = f"cannot compare with {one_line(ref)}"
    if target.revision is None:
        raise TargetError(
            f"{failed}: {one_line(str(target.root))} is not in a git repository",
            "Leave --base out.",
        )
    if git.commit("HEAD") is None:
        raise TargetError(
            f"{failed}: the repository has no commit yet",
            "Leave --base out, or commit something first.",
        )
    commit = git.commit(ref)
    if commit is None:
        raise TargetError(f"{failed}: no such commit in this repository", _remedy(git, ref))
    if git.is_ambiguous(ref):
        shown = one_line(ref)
        hint = f"Use its full name, such as refs/heads/{shown} or refs/remotes/{shown}."
        raise TargetError(f"{failed}: a tag and a branch have this name", hint)
    base = _fork_point(git, "HEAD", commit)
    if base is None:
        message = f"{failed}: HEAD has no commit in common with it"
        raise TargetError(message, _remedy(git, ref))
    return base


def _remedy(git: Git, ref: str) -> str:
    if git.is_shallow():
        return "This clone is shallow. Fetch the rest: git fetch --unshallow (fetch-depth: 0)"
    name = ref.removeprefix("origin/") if ref.isprintable() and " " not in ref else "BRANCH"
    return f"Fetch it: git fetch origin {name}. Or use a commit that git log --all lists."


def _fork_point(git: Git, head: str, commit: str) -> str | None:
    """Return the merge base of two commits, also where a shallow clone ends between them."""
    return git.merge_base(head, commit) or (commit if commit in git.parents(head) else None)


def _with_notice(git: Git, target: Target, base: str, name: str) -> _BaseCommit:
    """Return the base, with a notice where the target is the base itself, so nothing is new."""
    changed = base != git.commit("HEAD") or (target.revision and target.revision.dirty)
    if not changed:
        command = ("ls-files", "-z", "--others", "--exclude-standard", "--", ".")
        listed = git.output(*git.user_settings(), *command) or b""
        untracked = frozenset(listed.split(b"\0")) - {b""}
        names = (os.path.relpath(file.real, target.root) for file in target.files)
        changed = not untracked.isdisjoint(map(os.fsencode, names))
    if changed:
        return _BaseCommit(base, name)
    return _BaseCommit(base, name, Reason("no-change", {"ref": name}))


# Pull requests.


class _PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The target branch of a pull request, and the commits known of it.

    `tips` are more certain than the branch of that name in the clone, `older` less. `merged` is the
    commit that the CI system made to merge the change, `source` the last commit of the change.
    `remedy` is the setting that fetches the whole history.
    """

    branch: str
    remedy: str
    tips: tuple[str, ...] = ()
    older: tuple[str, ...] = ()
    merged: str = ""
    source: str = ""


class _EventCommit(msgspec.Struct, frozen=True):
    sha: str = ""


class _EventRequest(msgspec.Struct, frozen=True):
    base: _EventCommit = _EventCommit()
    head: _EventCommit = _EventCommit()


class _GitHubEvent(msgspec.Struct, frozen=True):
    pull_request: _EventRequest = _EventRequest()


def _pull_request(environ: Mapping[str, str]) -> _PullRequest | None:
    """Return the pull or merge request that GitHub or GitLab runs the check for, if any."""
    if environ.get("GITHUB_BASE_REF"):
        try:
            with Path(environ.get("GITHUB_EVENT_PATH", "")).open("rb") as file:
                event = msgspec.json.decode(file.read(_EVENT_BYTES), type=_GitHubEvent)
        except (OSError, ValueError, msgspec.MsgspecError):
            event = _GitHubEvent()
        # On pull_request_target GITHUB_SHA is the last commit of the target branch instead, which
        # may be a merge too.
        ref = environ.get("GITHUB_REF", "")
        is_merge = ref.startswith("refs/pull/") and ref.endswith("/merge")
        return _PullRequest(
            branch=environ["GITHUB_BASE_REF"],
            remedy="fetch-depth: 0 of actions/checkout",
            older=(event.pull_request.base.sha,),
            merged=environ.get("GITHUB_SHA", "") if is_merge else "",
            source=event.pull_request.head.sha,
        )
    if environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"):
        # The first is set where the pipeline runs on a merge with the target branch. The second is
        # the commit where the change left that branch.
        return _PullRequest(
            branch=environ["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"],
            remedy='GIT_DEPTH: "0"',
            tips=(
                environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", ""),
                environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA", ""),
            ),
        )
    return None


def _tips(git: Git, request: _PullRequest, head: str) -> Iterator[tuple[str, str]]:
    """Yield name and commit of what may be the tip of the target branch, the most certain first.

    A merge commit that the CI system made for the check has that tip as its first parent. A clone
    may have no more than these two.
    """
    branch, remote = request.branch, f"origin/{request.branch}"
    parents = git.parents(head)
    refs: dict[str, str] = {}
    if len(parents) == 2 and request.merged == head and request.source in ("", parents[1]):
        refs[parents[0]] = branch
    refs |= dict.fromkeys(request.tips, branch)
    refs |= {f"refs/remotes/{remote}": remote, f"refs/heads/{branch}": branch}
    refs |= dict.fromkeys(request.older, branch)
    for ref, name in refs.items():
        commit = git.commit(ref) if ref != _NO_COMMIT else None
        if commit:
            yield name, commit
