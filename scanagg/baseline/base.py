"""Which commit and which baseline there is to compare with, and why not where there is none."""

import os
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from scanagg.baseline.blame import Grown, grown
from scanagg.baseline.pull_request import PullRequest, pull_request
from scanagg.baseline.values import Asked, Base
from scanagg.core.errors import TargetError
from scanagg.core.git import Git
from scanagg.core.process import Stop
from scanagg.core.text import counted, one_line
from scanagg.model import BaseInfo, Target

_ALL_NEW: Final = "every finding counts as introduced"
_SHORT: Final = 7


class _Found(msgspec.Struct, frozen=True):
    """A base commit and what it is the merge base with; or why there is none."""

    commit: str | None = None
    name: str = ""
    notice: str = ""


def find_base(target: Target, asked: Asked, stop: Stop) -> Base:
    """What there is to compare with. TargetError where --base names what does not exist.

    A base that cannot be found otherwise is said in the notices: everything is introduced then.
    """
    git = Git(target.root, stop)
    found = _commit(git, target, asked)
    baseline = None if asked.against == "none" else asked.baseline
    growth = Grown()
    if baseline and found.commit is None:
        growth = grown(git, target, baseline, asked.ref_of_rules)
    commit = found.commit or growth.commit
    texts = [_described(git, found)] if found.commit else []
    if baseline:
        texts.append(
            f"baseline {baseline.path}, {counted(len(baseline.entries), 'entry', 'entries')}"
        )
    info = BaseInfo(
        text=" and ".join(texts),
        commit=found.commit,
        baseline=baseline.path if baseline else None,
        entries=len(baseline.entries) if baseline else 0,
    )
    return Base(
        commit=found.commit,
        package_commit=growth.commit,
        time=git.committed_at(commit) if commit else None,
        baseline=baseline,
        ref_of_rules=asked.ref_of_rules,
        notices=tuple(notice for notice in (_told(found, asked), growth.notice) if notice),
        info=info if texts else None,
    )


def _told(found: _Found, asked: Asked) -> str:
    """The notice, with what follows from it."""
    if not found.notice or found.commit:
        return found.notice
    known = asked.against != "none" and asked.baseline
    rest = f"only what {known.path} lists is known" if known else _ALL_NEW
    return f"{found.notice}; {rest}"


def _described(git: Git, found: _Found) -> str:
    commit = found.commit or ""
    time = git.committed_at(commit)
    when = f" ({time:%Y-%m-%d})" if time else ""
    return f"merge base {commit[:_SHORT]} with {one_line(found.name)}{when}"


def _commit(git: Git, target: Target, asked: Asked) -> _Found:
    if asked.ref is not None:
        base, head = _named(git, target, asked.ref), git.commit("HEAD")
        return _Found(base, asked.ref, _unchanged(git, base, head, target, asked.ref))
    request = pull_request(asked.environ) if asked.against == "merge-base" else None
    if request is None:
        return _Found()
    return _of_pull_request(git, target, request)


def _named(git: Git, target: Target, ref: str) -> str:
    """The merge base of what --base names and HEAD. TargetError where there is none."""
    shown = one_line(ref)
    if target.revision is None:
        raise TargetError(
            f"cannot compare with {shown}: {one_line(str(target.root))} is in no git repository",
            "Leave --base out, or check a folder of a repository.",
        )
    if git.commit("HEAD") is None:
        raise TargetError(
            f"cannot compare with {shown}: the repository has no commit yet",
            "Commit something first, or leave --base out.",
        )
    commit = git.commit(ref)
    if commit is None:
        raise TargetError(
            f"cannot compare with {shown}: no such commit in this repository", _remedy(git, ref)
        )
    if git.is_ambiguous(ref):
        hint = f"Name it whole, such as refs/heads/{shown} or refs/remotes/{shown}."
        raise TargetError(f"cannot compare with {shown}: a tag and a branch are called so", hint)
    base = _where_it_left(git, "HEAD", commit)
    if base is None:
        raise TargetError(
            f"cannot compare with {shown}: HEAD and it have no commit in common here",
            _remedy(git, ref),
        )
    return base


def _where_it_left(git: Git, head: str, commit: str) -> str | None:
    """The merge base of two commits, also where a shallow clone hides that one made the other."""
    return git.merge_base(head, commit) or (commit if commit in git.parents(head) else None)


def _remedy(git: Git, ref: str) -> str:
    if git.is_shallow():
        return "This clone is shallow: fetch the rest with git fetch --unshallow (fetch-depth: 0)."
    name = ref.removeprefix("origin/") if ref.isprintable() and " " not in ref else "BRANCH"
    return f"Fetch it with git fetch origin {name}, or name a commit that git log --all lists."


def _of_pull_request(git: Git, target: Target, request: PullRequest) -> _Found:
    lost = f"no base to compare with: the change goes to {one_line(request.branch)}, but"
    if target.revision is None:
        return _Found(notice=f"{lost} this is no git repository")
    head = git.commit("HEAD")
    if head is None:
        return _Found(notice=f"{lost} there is no commit yet")
    known = list(_commits(git, request, head))
    for name, commit in known:
        base = _where_it_left(git, head, commit)
        if base:
            return _Found(base, name, _unchanged(git, base, head, target, name))
    missing = "this clone does not reach back to where the change left it"
    reason = missing if known else "this clone has no commit of that branch"
    return _Found(notice=f"{lost} {reason}; {_how_to_fetch(git, request)}")


def _unchanged(git: Git, base: str, head: str | None, target: Target, name: str) -> str:
    """What to say where nothing changed, which is not what anybody compares for."""
    if base != head or (target.revision and target.revision.dirty) or _has_new_files(git, target):
        return ""
    return f"what is checked out is part of {one_line(name)} already: no change is looked at"


def _has_new_files(git: Git, target: Target) -> bool:
    """Whether some file of the target is none that git knows."""
    listed = git.output("ls-files", "-z", "--others", "--exclude-standard", "--", ".") or b""
    others = frozenset(listed.split(b"\0"))
    names = (os.path.relpath(one.real, target.root) for one in target.files)
    return bool(others - {b""}) and not others.isdisjoint(map(os.fsencode, names))


def _commits(git: Git, request: PullRequest, head: str) -> Iterator[tuple[str, str]]:
    """The commits that may be the tip of the target branch, the surest first, with their names.

    A commit that the CI system merged for the check has that tip as its first parent: then it is
    what the change is to be compared with, also where a clone holds no more than these two.
    """
    parents = git.parents(head)
    if len(parents) == 2 and request.made_merge(head, parents[1]):
        refs: Mapping[str, str] = {parents[0]: request.branch}
    else:
        refs = {}
    remote = f"origin/{request.branch}"
    named = {
        **refs,
        **dict.fromkeys(request.tips, request.branch),
        f"refs/remotes/{remote}": remote,
        f"refs/heads/{request.branch}": request.branch,
        **dict.fromkeys(request.older, request.branch),
    }
    for ref, name in named.items():
        commit = git.commit(ref)
        if commit:
            yield name, commit


def _how_to_fetch(git: Git, request: PullRequest) -> str:
    if git.is_shallow():
        return f"the clone is shallow: fetch all of it ({request.remedy})"
    return f"fetch it (git fetch origin {one_line(request.branch)})"
