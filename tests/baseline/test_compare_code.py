"""Comparison of code and secrets with a base commit: unreadable bases, caches, both at once."""

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support import tools
from support.history import NEW, UNCHANGED, UPDATED, Checked, changes, commit, write
from support.repository import git

from scanagg.baseline.base import Base
from scanagg.baseline.compare import Traced
from scanagg.baseline.compare_code import BaseFiles, ConfigurationGroups
from scanagg.baseline.file import PLACES
from scanagg.baseline.snapshot import FileChanges, compare_files, read_snapshot
from scanagg.core.git import Git
from scanagg.core.process import Stop
from scanagg.model import NO_BASE, Category, Reason
from scanagg.scanners.base import ScannerSettings
from scanagg.scanners.runner import Event

Make = Callable[..., Path]
ONE = "def run(a):\n    return eval(a)\n"
OTHER = "def other(a):\n    return exec(a)\n"
SECRET = "AKIA" + "QWERTYUIOP123456"
SECOND = "AKIA" + "ZXCVBNMLKJ654321"
FOURTH = "AKIA" + "MNBVCXZASD112233"
THIRD = "AKIA" + "POIUYTREWQ987654"


def reasons(checked: Checked, base: Base) -> dict[str, Reason]:
    return {
        one.location.path: one.history.reason
        for one in checked.traced(base).findings
        if one.location
    }


def cause(traced: Traced) -> Reason:
    """The reason that the only notice gives for findings that count as new."""
    (notice,) = traced.notices
    why = notice.values["why"]
    assert notice.kind == "findings-count-as-new"
    assert isinstance(why, Reason)
    return why


def cached(folder: str | None = None) -> list[Path]:
    place = Path(folder or os.environ["SCANAGG_CACHE_DIR"]) / "records" / "base"
    return sorted(path for path in place.rglob("*") if path.is_file())


def test_without_a_base_nothing_is_traced(make_project: Make) -> None:
    checked = Checked(make_project({"app.py": ONE}))
    traced = checked.traced(Base())
    assert [one.history for one in traced.findings] == [NO_BASE]


def test_without_findings_there_is_nothing_to_scan(make_project: Make) -> None:
    root = make_project({"app.py": ""})
    checked = Checked(root)
    assert checked.traced(checked.base("HEAD")).findings == ()
    assert checked.events == []


# what is compared


def test_files_that_did_not_change_are_not_scanned(make_project: Make) -> None:
    root = make_project({"app.py": ONE, "b.py": ""})
    checked = Checked(root)
    write(root, {"b.py": "x = 1\n"})
    base = checked.base("HEAD")
    assert reasons(checked, base) == {"app.py": Reason("unchanged-file", {"path": "app.py"})}
    assert checked.events == []
    assert cached() == []


def test_code_behind_a_link_is_unchanged_if_the_link_and_its_file_are(make_project: Make) -> None:
    root = make_project({"data.txt": ONE, "other.txt": ONE, "c.py": ""})
    (root / "old.py").symlink_to("data.txt")
    (root / "moved.py").symlink_to("data.txt")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "links")
    (root / "new.py").symlink_to("data.txt")
    (root / "moved.py").unlink()
    (root / "moved.py").symlink_to("other.txt")
    checked = Checked(root)
    assert changes(checked.traced(checked.base("HEAD"))) == {
        ("old.py", 2): UNCHANGED,
        ("new.py", 2): NEW,
        ("moved.py", 2): NEW,
    }


def test_the_work_tree_is_compared_not_head(make_project: Make) -> None:
    root = make_project({"app.py": ONE, "gone.py": OTHER, ".gitignore": "ignored.py\n"})
    write(
        root,
        {
            "app.py": "import os\n" + ONE + "# end\n" + ONE.replace("run", "go"),
            "gone.py": None,
            "moved.py": OTHER,
        },
    )
    write(root, {"ignored.py": ONE})
    checked = Checked(root)
    assert changes(checked.traced(checked.base("HEAD"))) == {
        ("app.py", 3): UNCHANGED,
        ("app.py", 6): NEW,
        ("moved.py", 2): UNCHANGED,
    }


def test_a_folder_of_a_repository_is_compared_by_itself(make_project: Make) -> None:
    root = make_project({"app.py": OTHER, "sub/app.py": ONE, "sub/x/b.py": OTHER})
    write(root, {"sub/app.py": "\n" + ONE, "sub/c.py": OTHER, "sub/x/b.py": "\n" + OTHER})
    write(root, {"app.py": None})
    checked = Checked(root / "sub")
    assert changes(checked.traced(checked.base("HEAD"))) == {
        ("app.py", 3): UNCHANGED,
        ("x/b.py", 3): UNCHANGED,
        ("c.py", 2): NEW,
    }


def test_submodules_are_part_of_the_base_and_links_are_not(make_project: Make) -> None:
    inner = make_project({"in.py": ONE}, name="inner")
    root = make_project({"app.py": ONE})
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "lib")
    (root / "link.py").symlink_to("app.py")
    commit(root)
    write(root, {"app.py": "\n" + ONE})
    for place, count in ((root, 2), (root / "lib", 1)):
        checked = Checked(place)
        traced = checked.traced(checked.base("HEAD"))
        assert set(changes(traced).values()) == {UNCHANGED}
        assert len(traced.findings) == count


def test_a_submodule_is_compared_with_its_commit_in_the_base(make_project: Make) -> None:
    deep = make_project({"deep.py": ONE}, name="deep")
    inner = make_project({"in.py": ONE}, name="inner")
    add = ("-c", "protocol.file.allow=always", "submodule", "add", "-q")
    git(inner, *add, str(deep), "deep")
    commit(inner)
    root = make_project({"app.py": "", "sub/app.py": ONE})
    git(root, *add, str(inner), "sub/lib")
    update = ("-c", "protocol.file.allow=always", "submodule", "update", "-q", "--init")
    git(root, *update, "--recursive")
    base = commit(root)
    commit(root / "sub" / "lib", {"in.py": OTHER + ONE, "new.py": OTHER})
    git(root, *add, str(deep), "added")
    commit(root)
    places = {
        "sub/lib/in.py": {NEW, UNCHANGED},
        "sub/lib/new.py": {NEW},
        "sub/lib/deep/deep.py": {UNCHANGED},
        "sub/app.py": {UNCHANGED},
        "added/deep.py": {NEW},
    }
    for folder in ("", "sub/"):
        checked = Checked(root / folder)
        traced = checked.traced(checked.base(base))
        found: dict[str, set[object]] = {}
        for (path, _line), change in changes(traced).items():
            found.setdefault(folder + path, set()).add(change)
        assert found == {path: kinds for path, kinds in places.items() if path.startswith(folder)}


@pytest.mark.parametrize("way", ["shallow", "no repository", "broken repository"])
def test_a_submodule_without_its_commit_in_the_base_is_new(make_project: Make, way: str) -> None:
    inner = make_project({"in.py": ONE}, name="inner")
    root = make_project({"app.py": ""})
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "lib")
    base = commit(root)
    commit(root, {"app.py": ONE})
    pointer = root / "lib" / ".git"
    if way == "shallow":
        commit(inner, {"other.py": ""})
        pointer.unlink()
        git(root, "clone", "-q", "--depth=1", f"file://{inner}", "new")
        (root / "new" / ".git").rename(pointer)
        git(root, "clean", "-q", "-ffd", "new")
    elif way == "no repository":
        pointer.unlink()
    else:
        pointer.write_text("gitdir: ../nowhere\n")
    checked = Checked(root)
    traced = checked.traced(checked.base(base))
    assert changes(traced) == {("app.py", 2): NEW, ("lib/in.py", 2): NEW}
    assert "base-file-unreadable" in str(traced)


def test_what_the_target_leaves_out_does_not_come_back_as_base(make_project: Make) -> None:
    root = make_project({"app.py": "", "link.py": ONE})
    (root / "link.py").unlink()
    (root / "link.py").symlink_to("nowhere")
    write(root, {"app.py": ONE})
    checked = Checked(root)
    assert changes(checked.traced(checked.base("HEAD"))) == {("app.py", 2): NEW}


def test_paths_that_would_leave_the_folder_are_not_laid_out(make_project: Make) -> None:
    root = make_project({"app.py": "", "deep/er/x.py": ""})
    blob = git(root, "hash-object", "-w", "-t", "blob", str(write_outside(root))).strip()
    inner = mktree(root, f"100644 blob {blob}\tevil.py\n")
    up = mktree(root, f"040000 tree {inner}\t..\n")
    tree = mktree(root, f"040000 tree {up}\tdeep\n100644 blob {blob}\tgone.py\n")
    base = git(root, "commit-tree", "-m", "evil", tree).strip()
    git(root, "update-ref", "refs/heads/evil", base)
    git(root, "reset", "-q", "--soft", base)
    write(root, {"app.py": ONE})
    checked = Checked(root)
    assert changes(checked.traced(checked.base("evil"))) == {("app.py", 2): UNCHANGED}
    assert not list(Path(os.environ["SCANAGG_CACHE_DIR"]).rglob("evil.py"))


def write_outside(root: Path) -> Path:
    place = root.parent / "evil.py"
    place.write_text(ONE)
    return place


def mktree(root: Path, text: str) -> str:
    listing = root.parent / "listing"
    listing.write_text(text)
    script = 'git mktree < "$1"'
    return git(root, "-c", f"alias.made=!sh -c '{script}' -", "made", str(listing)).strip()


# bases that cannot be read


def test_a_base_with_a_syntax_error_leaves_its_file_new_and_says_so(make_project: Make) -> None:
    root = make_project({"app.py": ONE + "def (\n", "b.py": OTHER})
    write(root, {"app.py": ONE, "b.py": "\n" + OTHER})
    checked = Checked(root)
    traced = checked.traced(checked.base("HEAD"))
    assert changes(traced) == {("app.py", 2): NEW, ("b.py", 3): UNCHANGED}
    why = cause(traced)
    assert (why.kind, why.values["scanner"], why.values["path"]) == (
        "base-file-not-examined",
        "bandit",
        "app.py",
    )


def test_a_renamed_file_is_looked_for_under_its_old_name(make_project: Make) -> None:
    text = "".join(f"NAME_{number} = {number}\n" for number in range(30))
    root = make_project({"app.py": ONE + text + "def (\n", "b.py": ""})
    write(root, {"app.py": None, "core.py": ONE + text, "b.py": "x = 1\n"})
    checked = Checked(root)
    reason = reasons(checked, checked.base("HEAD"))["core.py"]
    assert (reason.kind, reason.values["path"]) == ("base-file-not-examined", "app.py")


def test_many_files_that_cannot_be_seen_are_counted(make_project: Make) -> None:
    names = [f"m{number}.py" for number in range(6)]
    root = make_project({**dict.fromkeys(names, ONE + "def (\n"), "ok.py": OTHER})
    write(root, dict.fromkeys(names, ONE))
    write(root, {"ok.py": "\n" + OTHER})
    checked = Checked(root)
    notices = checked.traced(checked.base("HEAD")).notices
    assert len(notices) == 4
    assert notices[-1] == Reason("more-base-files-unread", {"number": 3})


def test_a_scanner_that_fails_on_the_base_leaves_everything_new(
    make_project: Make, tmp_path: Path
) -> None:
    root = make_project({"app.py": ONE, "b.py": OTHER})
    write(root, {"app.py": "\n" + ONE})
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\ncase $* in *version*) echo 'bandit 1.9.0';; *) exit 9;; esac\n")
    broken.chmod(0o755)
    checked = Checked(root)
    examined = checked.examined()
    checked.settings = {"bandit": ScannerSettings(path=broken)}
    traced = checked.traced(checked.base("HEAD"), examined)
    assert changes(traced) == {("app.py", 3): NEW, ("b.py", 2): UNCHANGED}
    assert cause(traced).kind == "base-scan-failed"
    assert cached() == []


def test_a_finding_of_no_scanner_of_ours_cannot_be_looked_for(make_project: Make) -> None:
    root = make_project({"app.py": ONE})
    write(root, {"app.py": "\n" + ONE})
    checked = Checked(root)
    examined = checked.examined()
    witness = replace(examined.findings[0].witnesses[0], scanner="imported")
    foreign = replace(examined.findings[0], witnesses=(witness,))
    traced = checked.traced(checked.base("HEAD"), findings=[foreign])
    assert changes(traced) == {("app.py", 3): NEW}
    assert cause(traced).values == {
        "scanner": "imported",
        "why": Reason("scanner-not-run-here"),
    }


def test_an_interrupted_check_makes_what_changed_new(make_project: Make) -> None:
    root = make_project({"app.py": ONE, "b.py": OTHER})
    write(root, {"app.py": "\n" + ONE})
    checked = Checked(root)
    base, examined = checked.base("HEAD"), checked.examined()
    checked.stop.interrupt()
    traced = checked.traced(base, examined)
    assert set(changes(traced).values()) == {NEW}
    assert cause(traced) == Reason("stopped-before-base")


def test_a_check_that_is_stopped_while_the_base_is_scanned_makes_what_changed_new(
    make_project: Make,
) -> None:
    root = make_project({"app.py": ONE, "b.py": OTHER})
    write(root, {"app.py": "\n" + ONE})
    checked = Checked(root)
    checked.events = Interrupting(checked.stop)
    traced = checked.traced(checked.base("HEAD"))
    assert changes(traced) == {("app.py", 3): NEW, ("b.py", 2): UNCHANGED}
    assert cause(traced).kind == "base-scan-failed"
    assert cached() == []


class Interrupting(list[Event]):
    """A user who presses Ctrl-C as soon as a scan starts."""

    def __init__(self, stop: Stop) -> None:
        super().__init__()
        self.stop = stop

    def append(self, event: Event) -> None:
        super().append(event)
        self.stop.interrupt()


def test_a_check_that_is_stopped_before_the_base_is_scanned_says_so(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"app.py": ONE, "b.py": OTHER})
    write(root, {"app.py": "\n" + ONE})
    checked = Checked(root)

    def interrupted(*given: Any) -> FileChanges:
        standing = compare_files(*given)
        checked.stop.interrupt()
        return standing

    monkeypatch.setattr("scanagg.baseline.compare.compare_files", interrupted)
    traced = checked.traced(checked.base("HEAD"))
    assert changes(traced) == {("app.py", 3): NEW, ("b.py", 2): UNCHANGED}
    assert cause(traced) == Reason("stopped-before-base")
    assert checked.events == []


def test_a_commit_that_git_cannot_read_makes_everything_new(make_project: Make) -> None:
    root = make_project({"app.py": ONE})
    checked = Checked(root)
    base = replace(checked.base("HEAD"), commit="0" * 40)
    traced = checked.traced(base)
    assert changes(traced) == {("app.py", 2): NEW}
    assert cause(traced) == Reason("base-unreadable")


def test_contents_that_were_not_fetched_make_their_files_new(make_project: Make) -> None:
    origin = make_project({"app.py": ONE, "b.py": OTHER}, name="origin")
    first = commit(origin)
    commit(origin, {"app.py": "\n" + ONE})
    git(origin, "config", "uploadpack.allowFilter", "true")
    root = origin.parent / "partial"
    git(origin, "clone", "-q", "--filter=blob:none", f"file://{origin}", str(root))
    checked = Checked(root)
    traced = checked.traced(checked.base(first))
    assert changes(traced) == {("app.py", 3): NEW, ("b.py", 2): UNCHANGED}
    assert cause(traced) == Reason("base-file-unreadable", {"path": "app.py"})


def test_what_is_in_no_file_has_no_base(make_project: Make) -> None:
    root = make_project({"app.py": ONE})
    checked = Checked(root)
    (finding,) = checked.examined().findings
    traced = checked.traced(checked.base("HEAD"), findings=[replace(finding, location=None)])
    (history,) = [one.history for one in traced.findings]
    assert (history.change, history.reason) == (NEW, Reason("in-no-file"))


# the base's own configuration


def test_a_configuration_that_the_base_has_not_got_is_the_heads(make_project: Make) -> None:
    root = make_project({"app.py": ONE})
    write(root, {"app.py": "\n" + ONE, "conf/bandit.yaml": "skips: [B102]\n"})
    checked = Checked(root)
    settings = ScannerSettings(
        path=tools.fast_bandit(), options={"config": "conf/bandit.yaml"}, config="skips: [B102]\n"
    )
    checked.settings = {"bandit": settings}
    traced = checked.traced(checked.base("HEAD"))
    assert (changes(traced), traced.notices) == ({("app.py", 3): UNCHANGED}, ())


def test_a_configuration_of_the_base_is_used_there(make_project: Make) -> None:
    root = make_project({"app.py": ONE + OTHER, "conf.yaml": "skips: [B307]\n"})
    write(root, {"app.py": "\n" + ONE + OTHER, "conf.yaml": "skips: []\n"})
    checked = Checked(root)
    checked.settings = {
        "bandit": ScannerSettings(
            path=tools.fast_bandit(), options={"config": "conf.yaml"}, config="skips: []\n"
        )
    }
    assert changes(checked.traced(checked.base("HEAD"))) == {
        ("app.py", 3): NEW,
        ("app.py", 5): UNCHANGED,
    }


# the cache


def test_the_answer_about_a_base_is_kept(make_project: Make) -> None:
    root = make_project({"app.py": ONE})
    write(root, {"app.py": "\n" + ONE})
    checked = Checked(root)
    base = checked.base("HEAD")
    first = checked.traced(base)
    assert [event.note for event in checked.events if "the base: ok" in event.note]
    assert all(event.run is None for event in checked.events)
    checked.events.clear()
    again = checked.traced(base)
    assert checked.events == []
    assert changes(again) == changes(first) == {("app.py", 3): UNCHANGED}
    (record,) = cached()
    record.write_text("broken")
    assert changes(checked.traced(base)) == changes(first)
    assert checked.events


@pytest.mark.parametrize("change", ["key", "settings", "files", "cache key"])
def test_another_question_is_not_answered_from_the_cache(make_project: Make, change: str) -> None:
    root = make_project({"app.py": ONE, "b.py": OTHER})
    write(root, {"app.py": "\n" + ONE})
    checked = Checked(root)
    base = checked.base("HEAD")
    checked.traced(base)
    checked.events.clear()
    if change == "key":
        checked.key = "another"
    elif change == "settings":
        checked.settings = {"bandit": ScannerSettings(path=tools.fast_bandit(), args=("-ll",))}
    elif change == "files":
        write(root, {"b.py": "\n" + OTHER})
    else:
        key = Path(os.environ["SCANAGG_CACHE_DIR"]) / "base.key"
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        key.chmod(0o644)
    assert set(changes(checked.traced(base)).values()) == {UNCHANGED}
    assert checked.events


# secrets


def test_a_secret_that_stays_is_known_and_a_changed_value_is_not(make_project: Make) -> None:
    before = f'name = "x"\nkey = "{SECRET}"\n'
    other = before.replace("key", "id").replace(SECRET, FOURTH)
    root = make_project({"a.cfg": before, "b.cfg": other, "c.cfg": before.replace(SECRET, THIRD)})
    write(root, {"a.cfg": "\n" + before})
    write(root, {"b.cfg": "\n" + other.replace(FOURTH, SECOND)})
    checked = Checked(root, scanners=("detect-secrets",))
    traced = checked.traced(checked.base("HEAD"))
    found = changes(traced)
    assert found["a.cfg", 3] is UNCHANGED
    assert found["c.cfg", 2] is UNCHANGED
    assert found["b.cfg", 3] in (NEW, UPDATED)
    (again,) = [checked.traced(checked.base("HEAD"))]
    assert changes(again) == found


@pytest.mark.parametrize("key", [None, "made-up project key"])
def test_no_baseline_vouches_for_a_changed_value(make_project: Make, key: str | None) -> None:
    root = make_project({"a.cfg": f'key = "{SECRET}"\n'})
    checked = Checked(root, scanners=("detect-secrets",), key=key)
    held = checked.baseline()
    write(root, {"a.cfg": f'key = "{SECOND}"\n'})
    traced = checked.traced(checked.base("HEAD", baseline=held))
    assert UNCHANGED not in changes(traced).values()


def test_a_baseline_whose_key_is_missing_is_said_to_know_no_values(make_project: Make) -> None:
    root = make_project({"a.cfg": f'key = "{SECRET}"\n'})
    checked = Checked(root, scanners=("detect-secrets",))
    held = checked.baseline()
    assert checked.traced(checked.base(baseline=held)).notices == ()
    checked.key = None
    (notice,) = checked.traced(checked.base(baseline=held)).notices
    assert notice.kind == "project-key-missing"
    assert checked.traced(checked.base("HEAD", baseline=held)).notices == ()
    unkeyed = checked.baseline()
    assert checked.traced(checked.base(baseline=unkeyed)).notices == ()


@pytest.mark.parametrize("key", [None, "made-up project key"])
def test_a_known_secret_that_comes_back_is_known_where_its_value_is(
    make_project: Make, key: str | None
) -> None:
    root = make_project({"a.cfg": f'key = "{SECRET}"\n'})
    checked = Checked(root, scanners=("detect-secrets",), key=key)
    held = checked.baseline()
    commit(root, {"a.cfg": "\n"})
    write(root, {"a.cfg": f'key = "{SECRET}"\n'})
    traced = checked.traced(checked.base("HEAD", baseline=held))
    assert changes(traced) == {("a.cfg", 1): UNCHANGED if key else NEW}


@pytest.mark.parametrize("way", ["commit", "baseline", "both"])
def test_a_known_secret_in_another_file_is_new(make_project: Make, way: str) -> None:
    """Only a file that is renamed takes its secrets along, and not out of the tests."""
    # Only of values that look real, the other place is named.
    ends = ("Q3EGRIPJ5ZL2AKXB", "W8ZKDUQ4HTN6XMRC", "E5PBVY2JLM7QSDKA", "R9TXNGU3CZH4WEYB")
    texts = [f'id = "x"\nkey = "AKIA{end}"\n' for end in ends]
    copied, moved, tested, renamed = texts
    root = make_project(
        {"a.py": copied, "b.py": moved, "tests/c.py": tested, "d.py": renamed, "e.py": ""}
    )
    checked = Checked(root, scanners=("detect-secrets",))
    held = None if way == "commit" else checked.baseline()
    before = commit(root)
    write(root, {"deploy/prod.py": copied, "deploy/dev.py": f"\n{copied}"})
    write(root, {"b.py": "", "e.py": moved})
    write(root, {"tests/c.py": None, "app/c.py": tested, "d.py": None, "app/f.py": renamed})
    traced = checked.traced(checked.base(None if way == "baseline" else before, baseline=held))
    found = {one.path: one.history for one in traced.findings if one.category is Category.SECRET}
    assert {path: history.change for path, history in found.items()} == {
        **dict.fromkeys(("a.py", "app/f.py"), UNCHANGED),
        **dict.fromkeys(("deploy/prod.py", "deploy/dev.py", "e.py", "app/c.py"), NEW),
    }
    old = {"deploy/prod.py": "a.py", "deploy/dev.py": "a.py", "e.py": "b.py"}
    for path, place in {**old, "app/c.py": "tests/c.py"}.items():
        assert found[path].reason == Reason("known-elsewhere", {"path": place})


@pytest.mark.parametrize("key", [None, "made-up project key"])
def test_a_token_or_key_beside_a_known_one_is_new(make_project: Make, key: str | None) -> None:
    """Their hash is that of a prefix or a header, which all of them share."""
    tokens = ["ghp_" + letter * 12 + "Q7" * 12 for letter in "aBc"]
    begin, end = (f"-----{word} RSA " + "PRIVATE KEY-----\n" for word in ("BEGIN", "END"))
    keys = [f"{begin}{word * 8}\n{end}" for word in ("MIIEow", "MIIEpA")]
    jwts = [f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{sign * 9}\n" for sign in ("aB3", "cD4")]
    root = make_project({"a.py": f'a = "{tokens[0]}"\n', "k.pem": keys[0], "l.pem": keys[0]})
    write(root, {"c.py": keys[0], "cut.pem": keys[0].removesuffix(end), "jwt.txt": jwts[0]})
    write(root, {"b.py": f'a = ["{tokens[0]}"]\n'})
    checked = Checked(root, scanners=("detect-secrets",), key=key)
    before = commit(root)
    write(root, {"a.py": f'a = "{tokens[0]}"\nb = "{tokens[1]}"\n'})
    write(root, {"b.py": f'a = ["{tokens[0]}", "{tokens[2]}"]\n'})
    write(root, {"k.pem": keys[0] + keys[1], "l.pem": keys[1] + keys[0]})
    write(root, {"c.py": f"{keys[0]}{tokens[1]}\n", "jwt.txt": f"{jwts[0]}{jwts[1]}"})
    write(root, {"cut.pem": keys[1].removesuffix(end)})
    assert changes(checked.traced(checked.base(before))) == {
        ("a.py", 1): UNCHANGED,
        ("a.py", 2): NEW,
        ("b.py", 1): NEW,
        ("c.py", 1): UNCHANGED,
        ("c.py", 4): NEW,
        ("cut.pem", 1): UPDATED,
        ("jwt.txt", 1): UNCHANGED,
        ("jwt.txt", 2): NEW,
        ("k.pem", 1): UNCHANGED,
        ("k.pem", 4): NEW,
        ("l.pem", 1): NEW,
        ("l.pem", 4): UNCHANGED,
    }


def test_nothing_that_is_kept_tells_of_a_secret(make_project: Make) -> None:
    text = f'password = "hunter2hunter2"\nkey = "{SECRET}"\n'
    root = make_project({"a.py": text})
    write(root, {"a.py": "\n" + text})
    checked = Checked(root, scanners=("detect-secrets", "bandit"))
    examined = checked.examined()
    checked.traced(checked.base("HEAD"), examined)
    kept = b"".join(path.read_bytes() for path in cached())
    evidence = [
        anchor.evidence for one in examined.findings for anchor in one.anchors if anchor.evidence
    ]
    assert kept
    assert evidence
    for word in (SECRET, "hunter2", *evidence):
        assert word.encode() not in kept


# a baseline beside the base


def test_a_copy_of_what_both_know_is_new(make_project: Make) -> None:
    root = make_project({"app.py": ONE})
    checked = Checked(root)
    held = checked.baseline()
    write(root, {"app.py": "def run(a):\n    eval(a)\n    eval(a)\n    return eval(a)\n"})
    write(root, {"app.py": ONE.replace("    return eval(a)\n", "    return eval(a)\n" * 2)})
    traced = checked.traced(checked.base("HEAD", baseline=held))
    assert sorted(changes(traced).values(), key=str) == sorted([NEW, UNCHANGED], key=str)


def test_what_either_knows_is_known_since_its_line_was_committed(make_project: Make) -> None:
    root = make_project({"app.py": ONE, "b.py": OTHER})
    checked = Checked(root)
    held = checked.baseline()
    git(
        root,
        "commit",
        "-q",
        "--amend",
        "--no-edit",
        env=dict.fromkeys(("GIT_COMMITTER_DATE", "GIT_AUTHOR_DATE"), "2026-01-02T00:00:00+00:00"),
    )
    commit(root, {"b.py": ""}, when="2026-02-02T00:00:00+00:00")
    write(root, {"b.py": OTHER, "app.py": "\n" + ONE, "c.py": ONE.replace("run", "third")})
    traced = checked.traced(checked.base("HEAD", baseline=held))
    then = datetime(2026, 1, 2, tzinfo=UTC)
    told = {one.location.path: one.history for one in traced.findings if one.location}
    assert (told["app.py"].change, told["app.py"].first_seen) == (UNCHANGED, then)
    assert (told["b.py"].change, told["b.py"].first_seen) == (UNCHANGED, then)
    assert told["b.py"].reason.kind == "in-baseline"
    assert (told["c.py"].change, told["c.py"].first_seen) == (NEW, None)


def test_a_line_that_is_not_committed_has_no_time(make_project: Make) -> None:
    root = make_project({"app.py": ONE})
    checked = Checked(root)
    held = checked.baseline()
    git(root, "rm", "-q", "--cached", PLACES[0])
    git(root, "commit", "-q", "-m", "without")
    traced = checked.traced(checked.base(baseline=held, against="baseline"))
    assert [one.history.first_seen for one in traced.findings] == [None]


def test_an_edit_is_an_edit_by_either(make_project: Make) -> None:
    root = make_project({"app.py": ONE, "b.py": OTHER})
    checked = Checked(root)
    held = checked.baseline()
    commit(root, {"b.py": ""})
    write(root, {"app.py": ONE.replace("eval(a)", "eval(a + 1)")})
    write(root, {"b.py": OTHER.replace("exec(a)", "exec(a + 1)")})
    traced = checked.traced(checked.base("HEAD", baseline=held))
    assert changes(traced) == {("app.py", 2): UPDATED, ("b.py", 2): UPDATED}
    told = {one.location.path: one.history.reason for one in traced.findings if one.location}
    assert (told["app.py"].kind, told["b.py"].kind) == (
        "edited-since-base",
        "edited-since-baseline",
    )


def test_without_git_a_baseline_knows_what_it_knows(make_project: Make) -> None:
    source = make_project({"app.py": ONE}, name="source")
    held = Checked(source).baseline()
    root = make_project({"app.py": "\n" + ONE + OTHER}, git_=False)
    checked = Checked(root)
    traced = checked.traced(checked.base(baseline=held))
    assert changes(traced) == {("app.py", 3): UNCHANGED, ("app.py", 5): NEW}


# misconfigurations


OPEN = 'resource "aws_s3_bucket" "logs" {\n  bucket = "logs"\n}\n'


def test_a_configuration_that_others_complete_is_compared_with_them(make_project: Make) -> None:
    """Nothing changes in `a`. In `b`, the edited file makes the other one a problem."""
    variable = 'variable "key" {\n  default = "yes"\n}\n'
    key = 'kms_master_key_id = var.key == "" ? "" : "alias/key"'
    topic = f'resource "aws_sns_topic" "news" {{\n  {key}\n}}\n'
    terraform = {"a/main.tf": OPEN, "a/vars.tf": "", "b/main.tf": topic, "b/vars.tf": variable}
    root = make_project({**terraform, "Dockerfile": "FROM a:1\nRUN b\n"})
    checked = Checked(root, scanners=("trivy",))
    checked.settings = {"trivy": ScannerSettings(path=tools.trivy())}
    write(root, {"a/vars.tf": variable, "b/vars.tf": variable.replace("yes", "")})
    traced = checked.traced(checked.base("HEAD"))
    assert {one.category for one in traced.findings} == {Category.MISCONFIGURATION}
    assert {
        (one.location.path, one.history.change, one.history.reason.kind)
        for one in traced.findings
        if one.location
    } == {
        ("Dockerfile", UNCHANGED, "unchanged-file"),
        ("a/main.tf", UNCHANGED, "in-base"),
        ("b/main.tf", NEW, "not-in-base"),
    }
    assert traced.notices == ()


def test_a_file_that_is_only_added_makes_no_old_configuration_new(make_project: Make) -> None:
    """No file of the base differs, but the base must be scanned anyway."""
    program = tools.trivy()
    root = make_project({"main.tf": OPEN})
    checked = Checked(root, scanners=("trivy",))
    checked.settings = {"trivy": ScannerSettings(path=program)}
    write(root, {"vars.tf": 'variable "x" {}\n'})
    traced = checked.traced(checked.base("HEAD"))
    assert {one.history.change for one in traced.findings} == {UNCHANGED}
    assert traced.notices == ()


def test_files_of_a_chart_belong_together(make_project: Make) -> None:
    chart = {"c/Chart.yaml": "name: c\n", "c/values.yaml": "a: 1\n", "c/templates/p.yaml": ""}
    root = make_project({**chart, "other.yaml": ""})
    write(root, {"c/values.yaml": "a: 2\n"})
    checked = Checked(root)
    base = checked.base("HEAD")
    snapshot = read_snapshot(Git(root), str(base.commit), checked.target)
    assert snapshot is not None
    folder = root.parent / "before"
    folder.mkdir()
    groups = ConfigurationGroups(BaseFiles(snapshot, compare_files(snapshot, folder), folder))
    assert groups.changed == {"chart c/"}
    assert groups.of("c/templates/p.yaml") == "chart c/"
    assert groups.of("other.yaml") == ""


def test_without_a_place_for_the_key_nothing_is_kept(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"app.py": ONE})
    write(root, {"app.py": "\n" + ONE})
    checked = Checked(root)
    monkeypatch.setattr("scanagg.baseline.compare_code.machine_key", lambda _folder: None)
    assert changes(checked.traced(checked.base("HEAD"))) == {("app.py", 3): UNCHANGED}
    assert cached() == []


def test_an_edit_that_both_see_is_told_with_its_time(make_project: Make) -> None:
    root = make_project({"app.py": ONE})
    checked = Checked(root)
    held = checked.baseline()
    write(root, {"app.py": ONE.replace("eval(a)", "eval(a + 1)")})
    (one,) = checked.traced(checked.base("HEAD", baseline=held)).findings
    assert one.history.change is UPDATED
    assert one.history.reason.kind == "edited-since-base"
    assert one.history.first_seen is not None
