"""What the variables of a CI system tell of the pull request that is being checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

# A payload of GitHub's is at most 25 MB, https://docs.github.com/en/webhooks/webhook-events
_EVENT_BYTES: Final = 25 << 20
_NO_COMMIT: Final = "0" * 40


class PullRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The target branch, and what is known of its commits.

    `tips` are surer than what a branch of that name stands for in the clone, `older` less so.
    `merged` is the commit that the CI system made by merging the change, `source` the change's own
    last one. `remedy` says how to fetch the whole history there.
    """

    branch: str
    remedy: str
    tips: tuple[str, ...] = ()
    older: tuple[str, ...] = ()
    merged: str = ""
    source: str = ""

    def made_merge(self, commit: str, second_parent: str) -> bool:
        """Whether `commit` is the merge that the CI system made for this check, and no other."""
        if self.merged != commit:
            return False
        return not self.source or self.source == second_parent


class _Commit(msgspec.Struct, frozen=True):
    sha: str = ""


class _Request(msgspec.Struct, frozen=True):
    base: _Commit = _Commit()
    head: _Commit = _Commit()


class _Event(msgspec.Struct, frozen=True):
    pull_request: _Request = _Request()


def pull_request(environ: Mapping[str, str]) -> PullRequest | None:
    """The pull or merge request that is checked, as GitHub or GitLab tell it; None without one."""
    if environ.get("GITHUB_BASE_REF"):
        return _on_github(environ)
    if environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME"):
        return _on_gitlab(environ)
    return None


def _on_github(environ: Mapping[str, str]) -> PullRequest:
    """GITHUB_SHA is a merge made for the check only where GITHUB_REF says so.

    On pull_request_target it is the last commit of the target branch, which may be a merge too.
    """
    request = _event(environ.get("GITHUB_EVENT_PATH", "")).pull_request
    ref = environ.get("GITHUB_REF", "")
    merged = ref.startswith("refs/pull/") and ref.endswith("/merge")
    return PullRequest(
        branch=environ["GITHUB_BASE_REF"],
        remedy="fetch-depth: 0 of actions/checkout",
        older=_given(request.base.sha),
        merged=environ.get("GITHUB_SHA", "") if merged else "",
        source=request.head.sha,
    )


def _on_gitlab(environ: Mapping[str, str]) -> PullRequest:
    """The target branch's tip is told where the pipeline runs on a merge with it.

    Else it is told where the change left that branch.
    """
    return PullRequest(
        branch=environ["CI_MERGE_REQUEST_TARGET_BRANCH_NAME"],
        remedy='GIT_DEPTH: "0"',
        tips=_given(
            environ.get("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", ""),
            environ.get("CI_MERGE_REQUEST_DIFF_BASE_SHA", ""),
        ),
    )


def _given(*shas: str) -> tuple[str, ...]:
    return tuple(sha for sha in shas if sha and sha != _NO_COMMIT)


def _event(path: str) -> _Event:
    """What started the workflow; an empty one where that cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return msgspec.json.decode(file.read(_EVENT_BYTES), type=_Event)
    except (OSError, ValueError, msgspec.MsgspecError):
        return _Event()
