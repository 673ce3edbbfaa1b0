"""The choice of a base: by name, in a pull request, by a baseline; the notice without one."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.history import Checked, commit, write
from support.repository import git

from scanagg.baseline.base import Base, BaseOptions, find_base
from scanagg.baseline.file import PLACES, Baseline, load
from scanagg.core.errors import TargetError
from scanagg.core.git import Git
from scanagg.core.process import Stop
from scanagg.model import BaseInfo, Reason
from scanagg.project.target import read_target

Make = Callable[..., Path]
HEAD = '{"baseline":"scanagg","version":1,"growth":%d}'
ENTRY = '{"category":"code","rule":"B307","path":"%s.py","statement":"#0123456789abcdef"}'


def baseline_text(*names: str, growth: int = 1) -> str:
    lines = [HEAD % growth, *(ENTRY % name for name in names)]
    return "[" + "\n,".join(lines) + "\n]\n"


def baseline(root: Path) -> Baseline:
    return load((root / PLACES[0]).read_bytes(), PLACES[0])


def branched(root: Path) -> tuple[str, str, str]:
    """Make a branch `work` that diverged from main; return the fork point and both tips."""
    left = commit(root, {"b.py": ""}, when="2026-02-03T04:05:06+00:00")
    git(root, "checkout", "-q", "-b", "work")
    own = commit(root, {"c.py": ""})
    git(root, "checkout", "-q", "main")
    tip = commit(root, {"d.py": ""})
    git(root, "checkout", "-q", "work")
    return left, tip, own


def clone(root: Path, *options: str, name: str = "clone") -> Path:
    place = root.parent / name
    git(root, "clone", "-q", *options, f"file://{root}", str(place))
    return place


def found(root: Path, ref: str | None = None, **environ: str) -> Base:
    return find_base(read_target(root), BaseOptions(ref=ref, environ=environ), Stop())


# --base


def test_a_branch_stands_for_its_merge_base_with_head(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    left, tip, _ = branched(root)
    base = found(root, "main")
    assert (base.commit, base.time) == (left, datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC))
    assert base.info == BaseInfo(left, "main", base.time)
    assert (base.notices, base.package_commit) == ((), None)
    assert tip != left


def test_a_tag_called_like_a_branch_is_not_taken_for_it(make_project: Make) -> None:
    """Git prefers the tag, so anyone who may push tags could choose the base."""
    root = make_project({"a.py": ""})
    branched(root)
    git(root, "tag", "main", "main")
    assert found(root, "main").commit, "both are one commit"
    git(root, "tag", "-f", "main", "work")
    for ref in ("main", "main~1"):
        with pytest.raises(TargetError, match="a tag and a branch"):
            found(root, ref)
    assert found(root, "refs/heads/main").commit
    assert found(root, "tags/main").commit


@pytest.mark.parametrize("ref", ["HEAD", "main"])
def test_a_base_that_head_is_part_of_is_said_to_show_no_change(
    make_project: Make, ref: str
) -> None:
    root = make_project({"a.py": ""})
    commit(root)
    assert found(root, ref).notices == (Reason("no-change", {"ref": ref}),)
    write(root, {"new.py": ""})
    assert found(root, ref).notices == ()
    commit(root)
    write(root, {"a.py": "X = 1"})
    assert found(root, ref).notices == ()


def test_an_ancestor_stands_for_itself(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    first = commit(root)
    commit(root, {"b.py": ""})
    assert found(root, "HEAD~1").commit == first
    git(root, "checkout", "-q", "--detach")
    assert found(root, first[:10]).commit == first


@pytest.mark.parametrize("ref", ["nowhere", "", "--help", "main:a.py", "a b\n"])
def test_a_name_that_is_no_commit_is_an_error(make_project: Make, ref: str) -> None:
    root = make_project({"a.py": ""})
    with pytest.raises(TargetError, match=r"cannot compare with .*: no such commit") as raised:
        found(root, ref)
    assert "git fetch origin" in raised.value.hint
    assert "\n" not in raised.value.message + raised.value.hint


def test_histories_that_have_nothing_in_common_are_an_error(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    git(root, "checkout", "-q", "--orphan", "other")
    commit(root)
    with pytest.raises(TargetError, match="no commit in common"):
        found(root, "main")


def test_a_shallow_clone_without_the_base_is_an_error_that_says_so(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    branched(root)
    shallow = clone(root, "--depth=1", "--no-single-branch")
    with pytest.raises(TargetError, match="no commit in common") as raised:
        found(shallow, "origin/main")
    assert "git fetch --unshallow" in raised.value.hint


def test_outside_a_repository_there_is_nothing_to_name(make_project: Make) -> None:
    root = make_project({"a.py": ""}, git_=False)
    with pytest.raises(TargetError, match="git repository"):
        found(root, "main")


def test_before_the_first_commit_there_is_nothing_to_name(make_project: Make) -> None:
    root = make_project({"a.py": ""}, git_=False)
    git(root, "init", "-q")
    with pytest.raises(TargetError, match="has no commit yet"):
        found(root, "HEAD")


# pull requests


def test_without_a_pull_request_nothing_is_guessed(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    assert found(root) == Base()


@pytest.mark.parametrize("way", ["github", "gitlab"])
@pytest.mark.parametrize("remote", [True, False])
def test_a_pull_request_is_compared_with_where_it_left_its_target(
    make_project: Make, way: str, *, remote: bool
) -> None:
    root = make_project({"a.py": ""})
    left, _, _ = branched(root)
    place = clone(root) if remote else root
    variable = {"github": "GITHUB_BASE_REF", "gitlab": "CI_MERGE_REQUEST_TARGET_BRANCH_NAME"}[way]
    base = found(place, **{variable: "main"})
    assert base.commit == left
    assert base.info is not None
    name = "origin/main" if remote else "main"
    assert base.info == BaseInfo(left, name, base.time)


def merged(root: Path) -> tuple[str, str, str]:
    """Merge main and work as GitHub does for a pull request; return both tips and the merge."""
    _, tip, own = branched(root)
    git(root, "checkout", "-q", "--detach", "main")
    git(root, "merge", "-q", "--no-ff", "-m", "merge", "work")
    git(root, "update-ref", "refs/pull/1/merge", "HEAD")
    return tip, own, git(root, "rev-parse", "HEAD").strip()


def on_github(root: Path, merge: str, source: str, *, base: str = "") -> Mapping[str, str]:
    event = root.parent / "event.json"
    said = {"number": 1, "pull_request": {"base": {"sha": base}, "head": {"sha": source}}}
    event.write_text(json.dumps(said))
    return {
        "GITHUB_BASE_REF": "main",
        "GITHUB_REF": "refs/pull/1/merge",
        "GITHUB_SHA": merge,
        "GITHUB_EVENT_PATH": str(event),
    }


def fetched(root: Path, depth: int) -> Path:
    """Check out the merge commit as actions/checkout does: detached, with limited history."""
    place = root.parent / "checkout"
    place.mkdir()
    git(place, "init", "-q")
    git(place, "fetch", "-q", f"--depth={depth}", f"file://{root}", "refs/pull/1/merge")
    git(place, "checkout", "-q", "--detach", "FETCH_HEAD")
    return place


def test_the_merge_that_github_makes_is_compared_with_its_first_parent(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    tip, own, merge = merged(root)
    place = fetched(root, 2)
    assert found(place, **on_github(root, merge, own)).commit == tip


def test_a_clone_of_the_merge_alone_has_no_base_and_says_so(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    _, own, merge = merged(root)
    base = found(fetched(root, 1), **on_github(root, merge, own, base="1" * 40))
    assert (base.commit, base.info) == (None, None)
    why = Reason(
        "shallow-clone", {"branch": "main", "setting": "fetch-depth: 0 of actions/checkout"}
    )
    assert base.notices == (Reason("no-base-commit", {"why": why}),)


@pytest.mark.parametrize(
    "wrong",
    [
        {"GITHUB_REF": "refs/heads/main"},
        {"GITHUB_SHA": "0" * 40},
        {"GITHUB_EVENT_PATH": "other"},
    ],
)
def test_a_merge_that_github_did_not_make_is_one_like_any_other(
    make_project: Make, wrong: Mapping[str, str]
) -> None:
    root = make_project({"a.py": ""})
    _, own, merge = merged(root)
    git(root, "branch", "-f", "main", "main~1")
    left = git(root, "rev-parse", "main").strip()
    other = "2" * 40 if wrong.get("GITHUB_EVENT_PATH") == "other" else own
    environ = {**on_github(root, merge, other), **wrong}
    if other != own:
        environ["GITHUB_EVENT_PATH"] = str(root.parent / "event.json")
    assert found(root, **environ).commit == left


def test_without_the_branch_the_event_names_its_commit(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    left, tip, own = branched(root)
    git(root, "branch", "-m", "main", "trunk")
    environ = on_github(root, "", own, base=tip)
    assert found(root, **environ).commit == left


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"pull_request": 1}', None])
def test_an_event_that_cannot_be_read_is_as_good_as_none(
    make_project: Make, text: str | None
) -> None:
    root = make_project({"a.py": ""})
    left, _, _ = branched(root)
    event = root.parent / "event.json"
    if text is not None:
        event.write_text(text)
    assert found(root, GITHUB_BASE_REF="main", GITHUB_EVENT_PATH=str(event)).commit == left


def test_gitlab_names_the_commits_themselves(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    left, tip, _ = branched(root)
    git(root, "branch", "-m", "main", "trunk")
    given = {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
    assert found(root, **given, CI_MERGE_REQUEST_DIFF_BASE_SHA=left).commit == left
    sha = {"CI_MERGE_REQUEST_TARGET_BRANCH_SHA": tip, "CI_MERGE_REQUEST_DIFF_BASE_SHA": "0" * 40}
    assert found(root, **given, **sha).commit == left


def test_a_shallow_clone_that_does_not_reach_the_base_says_so(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    branched(root)
    shallow = clone(root, "--depth=1", "--no-single-branch")
    base = found(shallow, GITHUB_BASE_REF="main")
    assert base.commit is None
    (notice,) = base.notices
    assert isinstance(notice.values["why"], Reason)
    assert (notice.kind, notice.values["why"].kind) == ("no-base-commit", "shallow-clone")


def test_a_target_branch_that_is_nowhere_is_told_with_the_remedy(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    why = Reason("branch-not-fetched", {"branch": "re\nlease"})
    notices = found(root, GITHUB_BASE_REF="re\nlease").notices
    assert notices == (Reason("no-base-commit", {"why": why}),)


@pytest.mark.parametrize("repository", [True, False])
def test_a_pull_request_without_commits_is_told(make_project: Make, *, repository: bool) -> None:
    root = make_project({"a.py": ""}, git_=False)
    if repository:
        git(root, "init", "-q")
    notices = found(root, GITHUB_BASE_REF="main").notices
    assert notices == (Reason("no-base-commit", {"why": Reason("nothing-committed")}),)


def test_a_check_of_the_target_branch_itself_is_told(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    git(root, "branch", "work")
    base = found(root, GITHUB_BASE_REF="main")
    assert base.commit
    assert base.notices == (Reason("no-change", {"ref": "main"}),)
    write(root, {"a.py": "x = 1"})
    assert found(root, GITHUB_BASE_REF="main").notices == ()


# baselines


def asked(root: Path, **words: object) -> Base:
    return Checked(root).base(baseline=baseline(root), **words)


def test_a_baseline_alone_brings_the_commit_it_grew_in(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    grown = commit(root, {PLACES[0]: baseline_text("a", "b")}, when="2026-01-02T00:00:00+00:00")
    commit(root, {PLACES[0]: baseline_text("b")})
    base = asked(root)
    assert (base.commit, base.package_commit) == (None, grown)
    assert base.time == datetime(2026, 1, 2, tzinfo=UTC)
    assert base.info == BaseInfo(baseline=PLACES[0], entries=1)
    assert base.notices == ()


def test_a_baseline_that_grew_in_the_work_tree_goes_with_head(make_project: Make) -> None:
    root = make_project({"a.py": "", PLACES[0]: baseline_text("a")})
    head = commit(root, {"b.py": ""})
    write(root, {PLACES[0]: baseline_text("a", "b", growth=2)})
    assert asked(root).package_commit == head


def test_an_uncommitted_baseline_goes_with_head(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    head = commit(root)
    write(root, {PLACES[0]: baseline_text("a")})
    assert asked(root).package_commit == head


def test_the_baseline_of_another_commit_is_dated_there(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    grown = commit(root, {PLACES[0]: baseline_text("a")})
    text = (root / PLACES[0]).read_bytes()
    commit(root, {PLACES[0]: baseline_text("a", "b", growth=2)})
    base = Checked(root).base(baseline=load(text, PLACES[0]), ref_of_rules=grown)
    assert base.package_commit == grown


def test_a_shallow_clone_does_not_make_every_package_old(make_project: Make) -> None:
    root = make_project({"a.py": "", PLACES[0]: baseline_text("a")})
    commit(root, {"b.py": ""})
    base = asked(clone(root, "--depth=1"))
    assert base.package_commit is None
    why = Reason("baseline-older-than-clone", {"path": PLACES[0]})
    assert base.notices == (Reason("packages-count-as-new", {"why": why}),)


@pytest.mark.parametrize("repository", [True, False])
def test_a_baseline_without_a_commit_leaves_packages_new(
    make_project: Make, *, repository: bool
) -> None:
    root = make_project({PLACES[0]: baseline_text("a")}, git_=False)
    if repository:
        git(root, "init", "-q")
    base = asked(root)
    assert base.package_commit is None
    why = Reason("nothing-committed")
    assert base.notices == (Reason("packages-count-as-new", {"why": why}),)


def test_base_and_baseline_together_are_both_named(make_project: Make) -> None:
    root = make_project({"a.py": "", PLACES[0]: baseline_text("a", "b")})
    left = commit(root, when="2026-01-02T00:00:00+00:00")
    base = Checked(root).base("HEAD", baseline=baseline(root))
    assert base.info == BaseInfo(left, "HEAD", base.time, PLACES[0], 2)
    assert (base.commit, base.package_commit) == (left, None)


def test_against_none_believes_no_baseline_and_no_pull_request(make_project: Make) -> None:
    root = make_project({"a.py": "", PLACES[0]: baseline_text("a")})
    branched(root)
    checked = Checked(root, environ={"GITHUB_BASE_REF": "main"})
    held = baseline(root)
    assert checked.base(baseline=held, against="none") == Base()
    only = checked.base("main", baseline=held, against="none")
    assert (only.commit is not None, only.baseline) == (True, None)


def test_against_baseline_asks_for_no_pull_request(make_project: Make) -> None:
    root = make_project({"a.py": "", PLACES[0]: baseline_text("a")})
    branched(root)
    checked = Checked(root, environ={"GITHUB_BASE_REF": "main"})
    assert checked.base(baseline=baseline(root), against="baseline").commit is None
    assert checked.base("main", baseline=baseline(root), against="baseline").commit


def test_with_a_baseline_a_missing_base_leaves_what_it_lists_known(make_project: Make) -> None:
    root = make_project({"a.py": "", PLACES[0]: baseline_text("a")})
    checked = Checked(root, environ={"GITHUB_BASE_REF": "gone"})
    why = Reason("branch-not-fetched", {"branch": "gone"})
    only = Reason("only-baseline", {"path": PLACES[0], "why": why})
    assert checked.base(baseline=baseline(root)).notices == (only,)


def test_a_folder_of_a_repository_has_its_own_baseline(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    grown = commit(root, {f"sub/{PLACES[0]}": baseline_text("a")})
    commit(root, {"b.py": ""})
    assert asked(root / "sub").package_commit == grown


def test_blaming_runs_nothing_that_the_repository_configures(make_project: Make) -> None:
    root = make_project({"a.py": "", ".gitattributes": "*.json filter=evil diff=evil\n"})
    commit(root, {PLACES[0]: baseline_text("a")})
    target, held = read_target(root), baseline(root)
    witness = root.parent / "was-run"
    for key in ("filter.evil.clean", "filter.evil.smudge", "diff.evil.textconv"):
        git(root, "config", key, f"touch {witness}; cat")
    git(root, "config", "blame.ignoreRevsFile", "missing")
    assert find_base(target, BaseOptions(baseline=held), Stop()).package_commit
    assert not witness.exists()


def test_a_merge_of_one_commit_is_compared_with_its_first_parent(make_project: Make) -> None:
    root = make_project({"a.py": ""})
    git(root, "checkout", "-q", "-b", "feature")
    commit(root, {"b.py": ""})
    git(root, "checkout", "-q", "main")
    tip = commit(root, {"c.py": ""})
    git(root, "merge", "-q", "--no-ff", "-m", "merge", "feature")
    shallow = clone(root, "--depth=1")
    with pytest.raises(TargetError, match="no such commit"):
        found(shallow, tip)
    git(shallow, "fetch", "-q", "--depth=1", "origin", tip)
    assert Git(shallow).merge_base("HEAD", tip) is None, "the clone hides what HEAD was made of"
    assert found(shallow, tip).commit == tip
