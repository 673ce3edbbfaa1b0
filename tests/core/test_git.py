"""Reading a repository runs nothing and fetches nothing."""

import hashlib
import os
import subprocess
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.git_server import TOKEN, git_server
from support.history import commit, write
from support.repository import commit as make
from support.repository import git

from scanagg.core.errors import TargetError
from scanagg.core.git import Blamed, Git, State
from scanagg.core.process import Stop

Make = Callable[..., Path]


def oids(repository: Git, ref: str = "HEAD") -> dict[bytes, str]:
    tree = repository.tree(ref)
    assert tree is not None
    return {path: blob.oid for path, blob in tree.items()}


def test_contents_come_in_order_with_gaps_for_missing_objects(make_project: Make) -> None:
    root = make_project({"a": "one\n", "b": b"\0two\n\n", "empty": ""})
    repository = Git(root)
    held = oids(repository)
    wanted = [held[b"b"], "0" * 40, held[b"a"], held[b"empty"], held[b"b"]]
    assert list(repository.contents(wanted)) == [b"\0two\n\n", None, b"one\n", b"", b"\0two\n\n"]
    assert list(repository.contents([])) == []


def test_contents_are_read_in_batches_without_large_objects(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({name: name * 4 for name in "abcd"} | {"large": "x" * 11})
    repository = Git(root)
    held = oids(repository)
    monkeypatch.setattr("scanagg.core.git._BATCH_BYTES", 10)
    wanted = [held[name.encode()] for name in ("a", "b", "c", "large", "d")]
    assert list(repository.contents(wanted)) == [b"aaaa", b"bbbb", b"cccc", None, b"dddd"]


def test_a_stopped_check_reads_nothing(make_project: Make) -> None:
    root = make_project({"a": "one\n"})
    held = oids(Git(root))
    stop = Stop()
    stop.interrupt()
    repository = Git(root, stop)
    assert list(repository.contents(held.values())) == [None]
    assert repository.tree("HEAD") is None
    assert (repository.parents("HEAD"), repository.blame("HEAD", "a")) == ((), ())


def test_objects_that_vanish_are_gaps(make_project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = make_project({"a": "one\n"})
    repository = Git(root)
    held = list(oids(repository).values())
    cat_file = Git._cat_file
    monkeypatch.setattr(
        Git,
        "_cat_file",
        lambda self, option, wanted: b"" if option == "--batch" else cat_file(self, option, wanted),
    )
    assert list(repository.contents(held)) == [None]


def test_a_partial_clone_is_read_as_far_as_it_goes(make_project: Make) -> None:
    origin = make_project({"a": "old\n"}, name="origin")
    first = commit(origin)
    commit(origin, {"a": "new\n"})
    git(origin, "config", "uploadpack.allowFilter", "true")
    root = origin.parent / "partial"
    git(origin, "clone", "-q", "--filter=blob:none", f"file://{origin}", str(root))
    repository = Git(root)
    held = oids(repository, first)
    assert list(repository.contents(held.values())) == [None]
    assert list(repository.contents(oids(repository).values())) == [b"new\n"]


def test_a_missing_commit_has_no_files(make_project: Make) -> None:
    root = make_project({})
    repository = Git(root)
    assert repository.tree("HEAD") == {}
    assert repository.tree("nowhere") is None


def test_links_and_submodules_are_no_files(make_project: Make) -> None:
    inner = make_project({"x": ""}, name="inner")
    root = make_project({"a": ""})
    (root / "link").symlink_to("a")
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(inner), "lib")
    commit(root)
    tree = Git(root).tree("HEAD") or {}
    files = {path for path, blob in tree.items() if blob.is_file}
    assert files == {b"a", b".gitmodules"}


def test_parents_are_those_that_the_commit_names(make_project: Make) -> None:
    root = make_project({"a": ""})
    first = Git(root).commit("HEAD")
    second = commit(root, {"b": ""})
    shallow = root.parent / "shallow"
    git(root, "clone", "-q", "--depth=1", f"file://{root}", str(shallow))
    assert Git(root).parents(second) == (first,)
    assert Git(shallow).parents(second) == (first,)
    assert Git(root).parents(str(first)) == ()


def test_the_prefix_leads_from_the_top_to_the_folder(make_project: Make) -> None:
    root = make_project({"a": "", "sub/ünï/b": ""})
    assert Git(root).prefix() == b""
    assert Git(root / "sub" / "ünï").prefix() == "sub/ünï/".encode()
    assert Git(root.parent).prefix() is None


def test_a_shallow_clone_knows_where_it_ends(make_project: Make) -> None:
    root = make_project({"a": ""})
    second = commit(root, {"b": ""})
    shallow = root.parent / "shallow"
    git(root, "clone", "-q", "--depth=1", f"file://{root}", str(shallow))
    assert Git(root).shallow_ends() == frozenset()
    assert Git(shallow).shallow_ends() == {second}
    assert (Git(root).is_shallow(), Git(shallow).is_shallow()) == (False, True)


def test_each_line_has_its_commit_and_time(make_project: Make) -> None:
    root = make_project({})
    first = commit(root, {"a": "one\n\tcommitter-time 9\n"}, when="2026-01-02T00:00:00+00:00")
    second = commit(root, {"a": "one\n\tcommitter-time 9\ntwo\n"}, when="2026-02-03T00:00:00Z")
    write(root, {"a": "changed\n"})
    then, later = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC)
    assert Git(root).blame("HEAD", "a") == (
        Blamed(b"one", first, then),
        Blamed(b"\tcommitter-time 9", first, then),
        Blamed(b"two", second, later),
    )
    assert Git(root).blame("HEAD", "missing") == ()


def test_names_that_look_like_options_are_no_commits(make_project: Make) -> None:
    root = make_project({"a": ""})
    assert Git(root).commit("--all") is None
    assert Git(root).commit("") is None
    assert Git(root).commit("HEAD:a") is None


def test_signatures_are_not_checked_by_a_program_of_the_repository(make_project: Make) -> None:
    root = make_project({"a": ""})
    witness = root.parent / "was-run"
    program = root.parent / "gpg"
    program.write_text(f"#!/bin/sh\ntouch {witness}\n")
    program.chmod(0o755)
    git(root, "config", "log.showSignature", "true")
    git(root, "config", "gpg.program", str(program))
    raw = git(root, "cat-file", "commit", "HEAD")
    head, _, rest = raw.partition("\n\n")
    signature = " -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    place = root.parent / "signed"
    place.write_text(f"{head}\ngpgsig{signature}\n\n{rest}")
    signed = git(root, "hash-object", "-t", "commit", "-w", str(place)).strip()
    assert Git(root).committed_at(signed)
    assert not witness.exists()


def test_a_file_is_read_from_the_top_or_from_here(make_project: Make) -> None:
    root = make_project({"a": "top\n", "sub/a": "here\n"})
    repository = Git(root / "sub")
    assert repository.read("HEAD", "a") == b"top\n"
    assert repository.read("HEAD", "./a") == b"here\n"
    assert repository.read("HEAD", "b") is None


def worktree(root: Path, place: Path) -> None:
    git(root, "worktree", "add", "-q", "-b", "side", str(place))


def inner_worktree(root: Path, _place: Path) -> Path:
    worktree(root, root / "inner")
    return root / "inner"


def submodule(root: Path, place: Path) -> Path:
    outer = make(place, {"b": ""})
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(root), "lib")
    return outer / "lib"


def separate(root: Path, place: Path) -> None:
    git(root.parent, "clone", "-q", f"--separate-git-dir={place}.git", str(root), str(place))


def linked(root: Path, place: Path) -> None:
    separate(root, place)
    (place / ".git").unlink()
    (place / ".git").symlink_to(f"{place}.git")


def bare_with_worktree(root: Path, place: Path) -> Path:
    git(root.parent, "clone", "-q", "--bare", str(root), str(place / ".bare"))
    git(place / ".bare", "worktree", "add", "-q", str(place / "main"), "main")
    return place / "main"


def borrowing(root: Path, place: Path) -> None:
    git(root.parent, "clone", "-q", "--shared", str(root), str(place))


def packed(root: Path, _place: Path) -> Path:
    git(root, "pack-refs", "--all")
    git(root, "gc", "-q")
    return root


def split_index(root: Path, _place: Path) -> Path:
    git(root, "update-index", "--split-index")
    return root


def sha256(root: Path, place: Path) -> None:
    git(root.parent, "init", "-q", "-b", "main", "--object-format=sha256", str(place))
    commit(place, {"a": "one\n", "sub/b": "two\n"})


def reftable(root: Path, place: Path) -> None:
    try:
        git(root.parent, "init", "-q", "-b", "main", "--ref-format=reftable", str(place))
    except subprocess.CalledProcessError:
        pytest.skip("git before 2.45")
    commit(place, {"a": "one\n", "sub/b": "two\n"})


def sparse(root: Path, place: Path) -> None:
    git(root.parent, "clone", "-q", "--sparse", str(root), str(place))
    git(place, "sparse-checkout", "init", "--cone", "--sparse-index")


def detached(root: Path, _place: Path) -> Path:
    git(root, "checkout", "-q", "--detach")
    return root


FORMS: Sequence[Callable[[Path, Path], Path | None]] = (
    *(worktree, inner_worktree, submodule, separate, linked, bare_with_worktree, borrowing),
    *(packed, split_index, sha256, reftable, sparse, detached),
)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_every_form_of_a_repository_is_read_as_git_reads_it(
    make_project: Make, form: Callable[[Path, Path], Path | None]
) -> None:
    root = make_project({"a": "one\n", "sub/b": "two\n"})
    git(root, "tag", "v1")
    place = form(root, root.parent / "place") or root.parent / "place"
    repository = Git(place)
    head = git(place, "rev-parse", "HEAD").strip()
    branch = git(place, "branch", "--show-current").strip() or None
    settings = repository.user_settings()
    assert repository.state(settings) == State(head, branch, dirty=False)
    assert repository.commit("HEAD") == head
    listed = repository.output(*settings, "ls-files", "-z") or b""
    assert listed.decode() == git(place, "ls-files", "-z")
    assert repository.read("HEAD", "sub/b") == b"two\n"
    assert len(repository.blame("HEAD", "a")) == 1
    write(place, {"a": "changed\n"})
    assert repository.state(settings).dirty


def gitfile_into_the_project(root: Path) -> None:
    (root / ".git").rename(root / "evil")
    (root / ".git").write_text("gitdir: evil\n")


def link_into_the_project(root: Path) -> None:
    (root / ".git").rename(root / "evil")
    (root / ".git").symlink_to("evil")


def common_directory_in_the_project(root: Path) -> None:
    git(root.parent, "clone", "-q", "--bare", str(root), str(root / "evil"))
    (root / ".git" / "commondir").write_text("../evil\n")


def common_directory_elsewhere(root: Path) -> None:
    git(root.parent, "clone", "-q", "--bare", str(root), str(root.parent / "evil"))
    (root / ".git" / "commondir").write_text("../../evil\n")


def no_repository(root: Path) -> None:
    (root / ".git" / "HEAD").unlink()


def dangling_gitfile(root: Path) -> None:
    (root / ".git").rename(root.parent / "gone")
    (root / ".git").write_text("gitdir: ../nowhere\n")


def pipe(root: Path) -> None:
    (root / ".git").rename(root.parent / "gone")
    os.mkfifo(root / ".git")


def pipe_for_common_directory(root: Path) -> None:
    (root / ".git" / "refs").rename(root / ".git" / "gone")
    os.mkfifo(root / ".git" / "refs")


UNUSABLE: Sequence[Callable[[Path], None]] = (
    *(gitfile_into_the_project, link_into_the_project, common_directory_in_the_project),
    *(common_directory_elsewhere, no_repository, dangling_gitfile, pipe),
    pipe_for_common_directory,
)


@pytest.mark.parametrize("spoil", UNUSABLE, ids=lambda spoil: spoil.__name__)
def test_a_git_directory_from_elsewhere_is_an_error(
    make_project: Make, spoil: Callable[[Path], None]
) -> None:
    root = make_project({"a": "one\n", "sub/b": ""})
    spoil(root)
    for folder in (root, root / "sub"):
        with pytest.raises(TargetError):
            Git(folder).commit("HEAD")


def test_variables_do_not_lead_git_elsewhere(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_project({"other": ""}, name="other")
    root = make_project({"a": ""})
    for name, value in {
        "GIT_DIR": other / ".git",
        "GIT_WORK_TREE": other,
        "GIT_INDEX_FILE": other / ".git" / "index",
        "GIT_OBJECT_DIRECTORY": other / ".git" / "objects",
        "GIT_COMMON_DIR": other / ".git",
        "GIT_NAMESPACE": "x",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.worktree",
        "GIT_CONFIG_VALUE_0": other,
    }.items():
        monkeypatch.setenv(name, str(value))
    assert Git(root).output("ls-files") == b"a\n"
    assert set(oids(Git(root))) == {b"a"}


def test_a_repository_of_another_user_needs_trust(
    make_project: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"a": "", "sub/b": ""})
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(TargetError) as raised:
        Git(root / "sub").commit("HEAD")
    assert str(root) in raised.value.hint
    trusting = (str(root), "*", f"{root.parent}/*", "~/../project", "/elsewhere\n directory = *")
    for value in trusting:
        (home / ".gitconfig").write_text(f"[safe]\n directory = {value}\n")
        assert Git(root / "sub").commit("HEAD"), value
    for value in ("/elsewhere", str(root.parent), "*\n directory =", f"{root}/sub"):
        (home / ".gitconfig").write_text(f"[safe]\n directory = {value}\n")
        git(root, "config", "safe.directory", "*")
        with pytest.raises(TargetError):
            Git(root / "sub").commit("HEAD")


def test_a_repository_of_another_user_is_no_error_without_git(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"a": ""})
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert Git(root).commit("HEAD") is None


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize {}\n"


@pytest.mark.parametrize(("content", "dirty"), [(b"one\n", False), (b"two\n", True), (None, True)])
def test_a_work_tree_is_dirty_if_git_would_commit_something(
    make_project: Make, content: bytes | None, dirty: bool
) -> None:
    root = make_project({"a": "one\n", "sub/b": ""})
    write(root, {"a": content, "new": ""})
    assert Git(root).state(()).dirty == dirty
    assert not Git(root / "sub").state(()).dirty
    git(root, "add", "-u")
    assert Git(root).state(()).dirty == dirty


@pytest.mark.parametrize("place", ["home/.gitconfig", "project/.git/config"])
def test_converted_line_ends_are_no_change(
    make_project: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    root = make_project({"a": "one\n"})
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    with (tmp_path / place).open("a") as stream:
        stream.write("[core]\n\tautocrlf = true ; as on Windows\n")
    (root / "a").unlink()
    git(root, "checkout", "a", env={"GIT_CONFIG_GLOBAL": str(tmp_path / "home" / ".gitconfig")})
    os.utime(root / "a", (1, 1))
    assert (root / "a").read_bytes() == b"one\r\n"
    assert not Git(root).state(Git(root).user_settings()).dirty
    assert Git(root).state(()).dirty == ("home" in place)


def test_a_large_file_is_compared_by_its_pointer(make_project: Make) -> None:
    content = b"large\n"
    pointer = POINTER.format(hashlib.sha256(content).hexdigest(), len(content))
    root = make_project({"a": pointer, "b": "", "sub/c": pointer, ".gitattributes": "a filter=lfs"})
    write(root, {"a": content, "sub/c": content})
    assert not Git(root).state(()).dirty
    assert not Git(root / "sub").state(()).dirty
    write(root, {"a": b"Large\n"})
    assert Git(root).state(()).dirty
    assert not Git(root / "sub").state(()).dirty


def test_the_ignored_files_of_the_user_are_ignored(
    make_project: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"a": ""})
    write(root, {"b": "", "c": ""})
    home = tmp_path / "home"
    write(home, {".config/git/ignore": "b\n", "ignore": "c\n"})
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    command = ("ls-files", "--others", "--exclude-standard")
    assert Git(root).output(*Git(root).user_settings(), *command) == b"c\n"
    write(home, {".gitconfig": "[core]\n excludesFile = ~/ignore\n"})
    git(root, "config", "core.excludesFile", str(home / "no-such-file"))
    assert Git(root).output(*Git(root).user_settings(), *command) == b"b\n"


@pytest.mark.parametrize("included", [False, True], ids=["header", "included header"])
def test_a_fetch_takes_the_address_and_the_token_and_nothing_else(
    make_project: Make, tmp_path: Path, included: bool
) -> None:
    origin = make_project({"a": "old\n"}, name="origin")
    base = git(origin, "rev-parse", "HEAD").strip()
    commit(origin, {"a": "new\n"})
    root = tmp_path / "clone"
    git(origin, "clone", "-q", "--depth=1", f"file://{origin}", str(root))
    program, marker = tmp_path / "program", tmp_path / "marker"
    for place in (program, root / ".git" / "hooks" / "reference-transaction"):
        place.write_text(f"#!/bin/sh\ntouch {marker}\n")
        place.chmod(0o755)
    (tmp_path / "helper").write_text(f"[credential]\n helper = {program}\n")
    with git_server(origin) as address:
        token = f'[http "{address}"]\n extraHeader = {TOKEN}\n'
        (tmp_path / "token").write_text(token)
        token = f'[includeIf "gitdir:{root}/.git"]\n path = {tmp_path}/token\n'
        git(root, "remote", "set-url", "origin", address)
        configuration = root / ".git" / "config"
        without = configuration.read_text() + (
            f'[remote "origin"]\n uploadpack = {program}\n vcs = x\n'
            f" proxy = http://127.0.0.1:1\n"
            f"[core]\n sshCommand = {program}\n gitProxy = {program}\n askPass = {program}\n"
            f" fsmonitor = {program}\n hooksPath = {tmp_path}\n alternateRefsCommand = {program}\n"
            f"[protocol] allow = always\n[include] path = {tmp_path}/helper\n"
            f'[url "ext::{program} "] insteadOf = http:\n'
            f"[fetch] recurseSubmodules = true\n[gc] auto = 1\n"
        )
        configuration.write_text(without)
        assert "could not read Username" in (Git(root).fetch(base) or "")
        configuration.write_text(
            without + (token if included else (tmp_path / "token").read_text())
        )
        assert Git(root).fetch("0" * 40)
        assert Git(root).fetch(base) is None
    assert Git(root).read(base, "a") == b"old\n"
    assert Git(root).is_shallow()
    assert git(root, "--git-dir", str(root / ".git"), "cat-file", "blob", f"{base}:a") == "old\n"
    assert not marker.exists()


@pytest.mark.parametrize(
    "address",
    ["ext::touch marker", "file://{origin}", "{origin}", "--upload-pack=touch marker", ""],
)
def test_a_fetch_goes_to_another_machine_only(make_project: Make, address: str) -> None:
    origin = make_project({"a": "old\n"}, name="origin")
    root = make_project({"b": ""})
    git(root, "config", "remote.origin.url", address.format(origin=origin))
    git(root, "config", "protocol.allow", "always")
    base = git(origin, "rev-parse", "HEAD").strip()
    assert Git(root).fetch(base)
    assert Git(root).commit(base) is None
    assert not (root / "marker").exists()


def test_a_fetch_needs_a_repository(tmp_path: Path) -> None:
    assert Git(tmp_path).fetch("0" * 40) == "not a git repository"
