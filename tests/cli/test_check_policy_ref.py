"""Rules from a trusted commit: a change cannot loosen its own gate, and attempts are reported."""

from collections.abc import Callable
from pathlib import Path

import pytest
from support.command import check
from support.repository import git

Make = Callable[..., Path]

POLICY = """\
version: 1
default: info
scanners:
  bandit: {required: true}
rules:
  - {id: code, match: {category: code, severity: ">=low"}, action: block}
"""
LOOSE = POLICY.replace("action: block", "action: info")
APP = "def run(name):\n    return eval(name)\n"
WAIVERS = """\
version: 1
items:
  - path: app.py
    state: false_positive
    reason: says nothing
    owner: "@me"
    expires: 2027-01-31
"""
NOW = ("--now", "2026-11-21")


@pytest.fixture
def project(make_project: Make) -> Path:
    root = make_project({"scanagg.yml": POLICY, "app.py": "X = 1\n"})
    git(root, "checkout", "-q", "-b", "feature")
    (root / "app.py").write_text(APP, "utf-8")
    return root


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "change")


def test_a_branch_that_loosens_everything_keeps_its_verdict(project: Path) -> None:
    (project / "scanagg.yml").write_text(LOOSE, "utf-8")
    (project / "policies").mkdir()
    (project / "policies" / "waivers.yml").write_text(WAIVERS, "utf-8")
    (project / ".bandit").write_text("[bandit]\nskips: B307\n", "utf-8")
    (project / "scanagg.toml").write_text('exclude = ["app.py"]\n', "utf-8")
    commit(project)
    own = check(project, "--only", "bandit", *NOW)
    assert own.code != 1, "without the option the change judges itself"
    said = check(project, "--only", "bandit", "--policy-ref", "main", *NOW)
    assert said.code == 1
    assert [one["verdict"]["action"] for one in said.report["findings"]] == ["block"]
    attempts = said.report["gate"]["attempts"]
    assert [attempt["kind"] for attempt in attempts] == [
        *("rules-edited", "exclusions-added", "weaker-actions", "waiver-added"),
        "configuration-edited",
    ]
    text = " ".join(attempt["text"] for attempt in attempts)
    for name in ("scanagg.yml", "policies/waivers.yml", ".bandit", "@me"):
        assert name in text, name
    assert "app.py" not in said.report["target"]["skipped"]
    for text in (said.out, (said.folder / "scanagg.html").read_text("utf-8")):
        assert "scanagg.yml" in text
        assert ".bandit" in text


def test_a_change_that_leaves_the_rules_alone_tries_nothing(project: Path) -> None:
    commit(project)
    said = check(project, "--only", "bandit", "--policy-ref", "main", *NOW)
    assert said.code == 1
    assert said.report["gate"]["attempts"] == []
    assert said.report["policy"]["ref"] == git(project, "rev-parse", "main").strip()


def test_a_rule_file_that_changed_on_the_trusted_side_alone_is_no_attempt(project: Path) -> None:
    commit(project)
    git(project, "checkout", "-q", "main")
    (project / "scanagg.yml").write_text(POLICY + "# stricter one day\n", "utf-8")
    commit(project)
    git(project, "checkout", "-q", "feature")
    said = check(project, "--only", "bandit", "--policy-ref", "main", *NOW)
    assert said.report["gate"]["attempts"] == []


def test_a_waiver_that_was_taken_out_on_the_trusted_side_is_no_attempt(make_project: Make) -> None:
    files = {"scanagg.yml": POLICY, "app.py": APP, "policies/waivers.yml": WAIVERS}
    root = make_project(files)
    git(root, "branch", "feature")
    (root / "policies" / "waivers.yml").unlink()
    commit(root)
    git(root, "checkout", "-q", "feature")
    said = check(root, "--only", "bandit", "--policy-ref", "main", *NOW)
    assert said.code == 1
    assert said.report["gate"]["attempts"] == []


def test_rules_that_do_not_load_are_an_attempt_and_no_error(project: Path) -> None:
    (project / "scanagg.yml").write_text("version: [", "utf-8")
    commit(project)
    said = check(project, "--only", "bandit", "--policy-ref", "main", *NOW)
    assert said.code == 1
    (attempt,) = said.report["gate"]["attempts"]
    assert attempt["kind"] == "rules-do-not-load"


def test_hiding_what_the_change_brings_is_named(project: Path) -> None:
    (project / "app.py").write_text(APP.replace("(name)\n", "(name)  # nosec\n"), "utf-8")
    commit(project)
    said = check(project, "--only", "bandit", "--policy-ref", "main", "--base", "main", *NOW)
    (attempt,) = said.report["gate"]["attempts"]
    assert attempt["values"] == {"count": 1, "kind": "nosec"}


@pytest.mark.parametrize("name", ["ci/bandit.conf", "pyproject.toml"])
def test_a_scanners_configuration_is_read_from_there_too(make_project: Make, name: str) -> None:
    """Under any file name, edits of the configuration in the change hide nothing."""
    toml = name.endswith(".toml")
    own = f'[scanners.bandit]\nconfig = "{name}"\n'
    before = '[tool.bandit]\nskips = ["B101"]\n' if toml else "skips: [B101]\n"
    root = make_project({"scanagg.yml": POLICY, "app.py": "X = 1\n", "scanagg.toml": own})
    (root / name).parent.mkdir(exist_ok=True)
    (root / name).write_text(before, "utf-8")
    commit(root)
    git(root, "checkout", "-q", "-b", "feature")
    (root / "app.py").write_text(f"{APP}    assert name\n", "utf-8")
    (root / name).write_text(before.replace("B101", "B307"), "utf-8")
    commit(root)
    said = check(root, "--only", "bandit", "--policy-ref", "main", "--base", "main", *NOW)
    assert said.code == 1
    assert [one["rule"]["id"] for one in said.report["findings"]] == ["B307"]
    edited = [
        path
        for attempt in said.report["gate"]["attempts"]
        if attempt["kind"] == "rules-edited"
        for path in attempt["values"]["paths"]
    ]
    assert name in edited


def test_a_scanners_configuration_that_is_not_in_the_commit(make_project: Make) -> None:
    own = '[scanners.bandit]\nconfig = "ci.yml"\n'
    root = make_project({"scanagg.yml": POLICY, "app.py": APP, "scanagg.toml": own})
    (root / "ci.yml").write_text("skips: [B307]\n", "utf-8")
    said = check(root, "--only", "bandit", "--policy-ref", "main")
    assert said.code == 2
    assert "ci.yml" in said.err


@pytest.mark.parametrize("ref", ["nowhere", "-x", "HEAD:scanagg.yml"])
def test_a_commit_that_is_not_there(project: Path, ref: str) -> None:
    said = check(project, "--only", "bandit", f"--policy-ref={ref}")
    assert said.code == 2
    assert ref in said.err


def test_a_tag_called_like_a_branch_is_not_taken_for_it(project: Path) -> None:
    commit(project)
    git(project, "update-ref", "refs/remotes/origin/main", "main")
    git(project, "tag", "origin/main", "feature")
    said = check(project, "--only", "bandit", "--policy-ref", "origin/main")
    assert said.code == 2
    assert "refs/remotes/origin/main" in said.err
    assert check(project, "--only", "bandit", "--policy-ref", "refs/remotes/origin/main").code == 1


def test_outside_of_a_repository(make_project: Make) -> None:
    root = make_project({"app.py": APP}, git_=False)
    said = check(root, "--only", "bandit", "--policy-ref", "main")
    assert said.code == 2
    assert "--policy-ref" in said.err


def test_a_commit_that_cannot_be_fetched(project: Path) -> None:
    commit_id = "1" * 40
    said = check(project, "--fetch", "--policy-ref", commit_id, "--base", "main")
    assert said.code == 2
    assert f"cannot fetch {commit_id}" in said.err
    assert "cannot fetch main" not in said.err
    offline = check(project, "--fetch", "--offline", "--policy-ref", commit_id)
    assert (offline.code, "cannot fetch" in offline.err) == (2, False)


def test_a_submodule_is_judged_with_the_change(project: Path, make_project: Make) -> None:
    add = ("-c", "protocol.file.allow=always", "submodule", "add", "-q")
    known = make_project({"known.py": APP, ".bandit": "[bandit]\nskips: B307\n"}, name="known")
    git(project, "checkout", "-q", "-f", "main")
    git(project, *add, str(known), "known")
    commit(project)
    git(project, "branch", "-f", "feature")
    git(project, "checkout", "-q", "feature")
    new = make_project({"new.py": APP, ".bandit": "[bandit]\nskips: B307\n"}, name="new")
    git(project, *add, str(new), "new")
    (project / ".gitignore").write_text("*.lock\n", "utf-8")
    commit(project)
    said = check(project, "--only", "bandit", "--base", "main", "--policy-ref", "main", *NOW)
    origins = {one["location"]["path"]: one["origin"] for one in said.report["findings"]}
    assert origins == {"known/known.py": "existing", "new/new.py": "introduced"}
    assert [attempt["values"]["path"] for attempt in said.report["gate"]["attempts"]] == [
        *("new/.bandit", ".gitignore")
    ]


def test_a_manifest_that_goes_away_is_named(make_project: Make) -> None:
    files = {"requirements.txt": "jinja2==2.4.1\nsix==1.16.0\n", "app.py": "X = 1\n"}
    root = make_project({"scanagg.yml": POLICY, **files})
    git(root, "checkout", "-q", "-b", "feature")
    git(root, "mv", "requirements.txt", "README.md")
    (root / "README.md").write_text("Install jinja2==2.4.1 and six==1.16.0.\n", "utf-8")
    commit(root)
    options = ("--only", "bandit", "--base", "main", *NOW)
    judged = check(root, "--policy-ref", "main", *options)
    (attempt,) = judged.report["gate"]["attempts"]
    assert attempt["kind"] == "manifest-gone"
    values = {"path": "requirements.txt", "packages": ["jinja2", "six"]}
    assert attempt["values"] == values
    for text in (judged.out, (judged.folder / "scanagg.md").read_text("utf-8")):
        assert "requirements.txt" in text
    # Without rules from another commit, there is no gate to loosen, but still something to know.
    assert check(root, *options, formats=["json"]).notices["manifest-gone"] == values


def test_a_package_index_that_a_change_adds_is_named(make_project: Make) -> None:
    mirror = "-i https://jane:hunter2secret@mirror.invalid/%s\nsix==1.16.0\n"
    root = make_project({"scanagg.yml": POLICY, "requirements.txt": mirror % "ours"})
    git(root, "checkout", "-q", "-b", "feature")
    (root / "deps.txt").write_text(mirror % "ours", "utf-8")
    uv = '[tool.uv]\nindex-url = "https://other.invalid/"\n'
    (root / "pyproject.toml").write_text(uv, "utf-8")
    (root / "requirements.txt").write_text(mirror % "theirs", "utf-8")
    commit(root)
    judged = check(root, "--policy-ref", "main", "--only", "bandit", "--base", "main", *NOW)
    attempts = judged.report["gate"]["attempts"]
    assert {one["kind"] for one in attempts} == {"index-added"}
    hosts = {(one["values"]["path"], one["values"]["host"]) for one in attempts}
    assert hosts == {("pyproject.toml", "other.invalid"), ("requirements.txt", "mirror.invalid")}
    for name in ("scanagg.json", "scanagg.md", "scanagg.html"):
        assert "other.invalid" in (judged.folder / name).read_text("utf-8")
    assert "other.invalid" in judged.out
    assert "hunter2secret" not in judged.everything
    # A private mirror is usual, so it is no gap, and only named.
    notices = check(root, "--only", "bandit", *NOW, formats=["json"]).report["gate"]["notices"]
    indexes = [one["values"] for one in notices if one["kind"] == "other-index"]
    assert indexes == [
        {"host": "mirror.invalid", "paths": ["deps.txt", "requirements.txt"]},
        {"host": "other.invalid", "paths": ["pyproject.toml"]},
    ]


def test_rules_that_a_change_adds_where_there_were_none_are_named(make_project: Make) -> None:
    root = make_project({"app.py": "X = 1\n"})
    git(root, "checkout", "-q", "-b", "feature")
    (root / "policies").mkdir()
    (root / "policies" / "scanagg.yml").write_text(LOOSE, "utf-8")
    (root / "app.py").write_text(APP, "utf-8")
    (root / ".gitattributes").write_text("*.py linguist-generated\n", "utf-8")
    (root / "pyproject.toml").write_text('[tool.scanagg]\nexclude = ["app.py"]\n', "utf-8")
    commit(root)
    options = ("--only", "bandit", "--base", "main", "--policy-ref", "main", *NOW)
    for policy in ((), ("--policy", "pull-request")):
        judged = check(root, *options, *policy, formats=["json"])
        attempts = {one["kind"]: one["values"] for one in judged.report["gate"]["attempts"]}
        paths = attempts["rules-edited"]["paths"]
        assert {"policies/scanagg.yml", "pyproject.toml"} <= {*paths}
        assert attempts["exclusions-added"] == {"patterns": ["app.py"]}
        assert attempts["attributes-hide"]["path"] == ".gitattributes"
    assert judged.code == 1, "B307 blocks by the policy of the command line"
