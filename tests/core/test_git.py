"""Reading a repository runs nothing and fetches nothing."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.history import commit, write
from support.repository import git

from scanagg.core.git import Blamed, Git
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
    assert (repository.prefix(), repository.blame("HEAD", "a")) == (None, ())
    assert (repository.parents("HEAD"), repository.shallow_ends()) == ((), frozenset())


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
