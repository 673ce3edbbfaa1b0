"""Look-ups in the store, and the messages about unusable files."""

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.records import (
    affected,
    below,
    osv,
    put_epss,
    put_kev,
    put_osv,
    store_of,
)

from scanagg.advisories.storage import KINDS, stored_meta
from scanagg.advisories.store import AliasGroup, Store, open_store
from scanagg.core.errors import StoreError


def ids(records: object) -> list[str]:
    return [one.id for one in records]  # type: ignore[attr-defined]


def test_a_store_that_never_was_is_empty(tmp_path: Path) -> None:
    store = open_store(tmp_path / "nowhere")
    assert (store.osv, store.kev, store.epss, store.problems) == (None, None, None, ())
    assert store.sources == ()
    assert store.records("django") == store.affecting("django", "1.0") == ()
    assert store.group(["CVE-2024-1"]) == AliasGroup(frozenset(["CVE-2024-1"]), ())
    assert store.exploited(["CVE-2024-1"]) is None
    assert store.likelihood(["CVE-2024-1"]) is None
    store.close()
    assert not (tmp_path / "nowhere").exists()


def test_records_by_package_and_version(tmp_path: Path) -> None:
    store = store_of(
        tmp_path,
        below("PYSEC-2024-2", "Foo_Bar", "2"),
        below("PYSEC-2024-1", "foo.bar", "1"),
        below("PYSEC-2024-3", "foo-bar", "3", withdrawn="2024-06-01T00:00:00Z"),
        below("PYSEC-2024-4", "other", "9"),
    )
    assert ids(store.records("foo-bar")) == ["PYSEC-2024-1", "PYSEC-2024-2", "PYSEC-2024-3"]
    assert ids(store.affecting("foo-bar", "0.5")) == ["PYSEC-2024-1", "PYSEC-2024-2"]
    assert ids(store.affecting("foo-bar", "1.5")) == ["PYSEC-2024-2"]
    assert ids(store.affecting("Foo_Bar", "1.5")) == ["PYSEC-2024-2"]
    assert store.affecting("foo-bar", "2.5") == ()
    assert store.records("stranger") == ()


def test_one_record_about_several_packages(tmp_path: Path) -> None:
    entries = (affected("a", {"introduced": "0"}), affected("b", {"introduced": "2"}))
    store = store_of(tmp_path, osv("GHSA-1", *entries, affected("a", {"introduced": "0"})))
    assert ids(store.affecting("a", "1")) == ["GHSA-1"]
    assert store.affecting("b", "1") == ()
    assert ids(store.affecting("b", "2")) == ["GHSA-1"]


def test_a_version_list_is_asked_for(tmp_path: Path) -> None:
    store = store_of(tmp_path, osv("MAL-2024-1", affected("evil", versions=["1.0", "odd one"])))
    assert ids(store.affecting("evil", "1")) == ["MAL-2024-1"]
    assert ids(store.affecting("evil", "1.0.0+local")) == ["MAL-2024-1"]
    assert ids(store.affecting("evil", "odd one")) == ["MAL-2024-1"]
    assert store.affecting("evil", "1.1") == ()


def test_the_closure_goes_both_ways_and_over_others(tmp_path: Path) -> None:
    store = store_of(
        tmp_path,
        below("PYSEC-2024-1", "app", "2", aliases=["CVE-2024-0001"]),
        below("GHSA-aaaa-bbbb-cccc", "app", "2", aliases=["CVE-2024-0001", "CVE-2024-0002"]),
        below("PYSEC-2024-2", "app", "2", aliases=["CVE-2024-0009"], related=["CVE-2024-0001"]),
    )
    names = {"PYSEC-2024-1", "CVE-2024-0001", "GHSA-aaaa-bbbb-cccc", "CVE-2024-0002"}
    for name in names:
        group = store.group([name])
        assert group.ids == names
        assert ids(group.records) == ["GHSA-aaaa-bbbb-cccc", "PYSEC-2024-1"]
    assert store.group(["PYSEC-2024-2"]).ids == {"PYSEC-2024-2", "CVE-2024-0009"}


def test_ids_that_bridge_two_groups_make_one(tmp_path: Path) -> None:
    store = store_of(
        tmp_path,
        below("PYSEC-2024-1", "app", "2", aliases=["CVE-2024-0001"]),
        below("PYSEC-2024-2", "app", "2", aliases=["CVE-2024-0002"]),
        below("PYSEC-2024-3", "app", "2"),
    )
    group = store.group(["CVE-2024-0001", "CVE-2024-0002", "SFTY-1", "PYSEC-2024-3"])
    assert group.ids == {
        *("PYSEC-2024-1", "CVE-2024-0001", "PYSEC-2024-2", "CVE-2024-0002", "SFTY-1"),
        "PYSEC-2024-3",
    }
    assert ids(group.records) == ["PYSEC-2024-1", "PYSEC-2024-2", "PYSEC-2024-3"]


def test_ids_are_found_in_any_spelling_and_kept_in_theirs(tmp_path: Path) -> None:
    store = store_of(tmp_path, below("PYSEC-2024-1", "app", "2", aliases=["CVE-2024-0001"]))
    assert store.group(["cve-2024-0001"]).ids == {"cve-2024-0001", "CVE-2024-0001", "PYSEC-2024-1"}


@pytest.mark.parametrize("text", ["", "\udc80", "\ud800", "\x00", "'; DROP", "ä" * 9999, "\n"])
def test_any_text_may_be_asked_for(tmp_path: Path, text: str) -> None:
    put_kev(tmp_path, "CVE-2024-0001")
    put_epss(tmp_path, {"CVE-2024-0001": (0.5, 0.9)})
    store = store_of(tmp_path, below("PYSEC-2024-1", "app", "2", aliases=["CVE-2024-0001"]))
    assert store.group([text, "CVE-2024-0001"]).ids == {text, "CVE-2024-0001", "PYSEC-2024-1"}
    assert store.group([text]).records == ()
    assert store.exploited([text]) is None
    assert store.likelihood([text]) is None
    assert store.records(text) == store.affecting(text, "1") == store.affecting("app", text) == ()


def test_an_alias_cycle_ends(tmp_path: Path) -> None:
    store = store_of(
        tmp_path,
        below("A-1", "app", "2", aliases=["B-1"]),
        below("B-1", "app", "2", aliases=["C-1", "B-1"]),
        below("C-1", "app", "2", aliases=["A-1"]),
    )
    assert store.group(["B-1"]).ids == {"A-1", "B-1", "C-1"}


def test_ten_thousand_aliases_glue_nothing_together(tmp_path: Path) -> None:
    many = [f"CVE-2024-{number:05}" for number in range(10_000)]
    imported = put_osv(
        tmp_path,
        below("A-1", "app", "2", aliases=many),
        below("PYSEC-2024-1", "app", "2", aliases=many[:1]),
    )
    assert imported.problems == ("A-1: ignored all 10,000 aliases: more than 64",)
    store = open_store(tmp_path)
    assert store.group(["A-1"]).ids == {"A-1"}
    assert store.group(["PYSEC-2024-1"]).ids == {"PYSEC-2024-1", many[0]}
    assert ids(store.affecting("app", "1")) == ["A-1", "PYSEC-2024-1"]


def test_exploited_is_the_earliest_and_likelihood_the_highest(tmp_path: Path) -> None:
    put_kev(tmp_path, "CVE-2024-0001", "CVE-2024-0002")
    put_epss(tmp_path, {"CVE-2024-0001": (0.5, 0.9), "CVE-2024-0002": (0.7, 0.95)})
    store = open_store(tmp_path)
    both = ["CVE-2024-0002", "GHSA-1", "cve-2024-0001"]
    found, likely = store.exploited(both), store.likelihood(both)
    assert found is not None
    assert (found.cve, found.added, found.due) == ("CVE-2024-0001", "2024-01-02", "2024-01-23")
    assert likely is not None
    assert (likely.cve, likely.score, likely.percentile) == ("CVE-2024-0002", 0.7, 0.95)
    assert store.exploited(["CVE-2024-0003"]) is None
    assert store.likelihood(["CVE-2024-0003"]) is None
    assert store.osv is None


def test_sources_say_what_is_there(tmp_path: Path) -> None:
    put_epss(tmp_path, {"CVE-2024-0001": (0.5, 0.9)})
    put_kev(tmp_path, "CVE-2024-0001")
    put_osv(tmp_path, below("PYSEC-2024-1", "app", "2"))
    store = open_store(tmp_path)
    assert [one.name for one in store.sources] == ["OSV (PyPI)", "CISA KEV", "FIRST EPSS"]
    assert [one.records for one in store.sources] == [1, 1, 1]
    assert [one.updated for one in store.sources] == [
        datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC),
        datetime(2024, 10, 9, 18, 0, 10, 123400, tzinfo=UTC),
        datetime(2024, 10, 10, tzinfo=UTC),
    ]
    assert [one.origin for one in store.sources] == ["records.json", "kev.json", "epss.csv.gz"]
    assert all(one.fetched and len(one.digest) == 64 for one in store.sources)
    assert [one.license for one in store.sources] == [
        (
            "CC BY 4.0 (PyPA Advisory Database, GitHub Advisory Database); "
            "Apache-2.0 (OpenSSF Malicious Packages)"
        ),
        "CC0 1.0",
        "free to use with citation (FIRST.org)",
    ]


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    count = 60
    store = store_of(
        tmp_path,
        *(below(f"PYSEC-{number}", f"app{number}", "2", aliases=[f"CVE-{number}"])
          for number in range(count)),
    )  # fmt: skip
    failed: list[object] = []

    def look(start: int) -> None:
        for step in range(count):
            number = (start + step) % count
            if ids(store.affecting(f"app{number}", "1")) != [f"PYSEC-{number}"]:
                failed.append(number)
            if len(store.group([f"CVE-{number}"]).records) != 1:
                failed.append(number)

    threads = [threading.Thread(target=look, args=(7 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_an_open_store_stays_as_it_was_while_a_new_one_comes(tmp_path: Path) -> None:
    old = store_of(tmp_path, below("PYSEC-2024-1", "app", "2"))
    put_osv(tmp_path, below("PYSEC-2024-2", "app", "2"))
    assert ids(old.affecting("app", "1")) == ["PYSEC-2024-1"]
    assert ids(open_store(tmp_path).affecting("app", "1")) == ["PYSEC-2024-2"]
    old.close()


def test_a_folder_that_may_only_be_read(tmp_path: Path) -> None:
    put_osv(tmp_path, below("PYSEC-2024-1", "app", "2"))
    folder = tmp_path / "advisories"
    (folder / "osv.sqlite").chmod(0o400)
    folder.chmod(0o500)
    try:
        assert ids(open_store(tmp_path).affecting("app", "1")) == ["PYSEC-2024-1"]
    finally:
        folder.chmod(0o700)


def test_a_cache_under_a_strange_name(tmp_path: Path) -> None:
    cache = tmp_path / "a b?c#d%20ä\udcff"
    store = store_of(cache, below("PYSEC-2024-1", "app", "2"))
    assert ids(store.affecting("app", "1")) == ["PYSEC-2024-1"]


def changed(statement: str) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        with sqlite3.connect(path) as connection:
            connection.execute(statement)
        connection.close()

    return change


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4096])


def grown(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0" * 4096)


def garbage(path: Path) -> None:
    path.write_bytes(b"garbage" * 1000)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def swapped(path: Path) -> None:
    path.write_bytes((path.parent / "kev.sqlite").read_bytes())


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def a_link(path: Path) -> None:
    path.symlink_to(path.rename(path.with_name("elsewhere")))


def a_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


BROKEN = [
    (cut, "is damaged"),
    (grown, "is damaged"),
    (garbage, "file is not a database"),
    (emptied, "not written by scanagg"),
    (swapped, "has the data of kev"),
    (a_folder, "is damaged"),
    (changed("PRAGMA application_id = 7"), "not written by scanagg"),
    (changed("PRAGMA user_version = 99"), "a newer version of scanagg"),
    (changed("PRAGMA user_version = 0"), "an older version of scanagg"),
    (changed("DROP TABLE meta"), "no such table"),
    (changed("DELETE FROM meta"), "it has no metadata"),
    (changed("UPDATE meta SET body = 7"), "it has no metadata"),
    (changed("UPDATE meta SET body = x'7b7d'"), "its metadata has changed"),
    (changed("UPDATE meta SET body = replace(body, '2026-11-20', '2026-11-29')"), "no metadata"),
    (
        changed("UPDATE meta SET body = cast(replace(body, '2026', '2027') AS BLOB)"),
        "its metadata has changed",
    ),
    (changed("UPDATE meta SET digests = substr(digests, 2)"), "its digests have changed"),
    (changed("UPDATE meta SET digest = zeroblob(16)"), "its metadata has changed"),
    (a_fifo, "not a regular file"),
    (a_link, "not a regular file"),
    (a_dangling_link, "not a regular file"),
]


@pytest.mark.parametrize(
    ("breaking", "message"),
    BROKEN,
    ids=[f"{number} {case[1]}" for number, case in enumerate(BROKEN)],
)
def test_a_file_that_cannot_be_used_is_named(
    tmp_path: Path, breaking: Callable[[Path], None], message: str
) -> None:
    put_kev(tmp_path, "CVE-2024-0001")
    put_osv(tmp_path, below("PYSEC-2024-1", "app", "2"))
    breaking(tmp_path / "advisories" / "osv.sqlite")
    store = open_store(tmp_path)
    assert store.osv is None
    assert store.kev is not None
    (problem,) = store.problems
    assert message in problem
    assert "osv.sqlite" in problem
    assert "scanagg db update" in problem
    assert store.affecting("app", "1") == ()


@pytest.mark.parametrize("breaking", [garbage, changed("PRAGMA user_version = 99"), emptied])
def test_an_import_makes_a_broken_file_anew(
    tmp_path: Path, breaking: Callable[[Path], None]
) -> None:
    put_osv(tmp_path, below("PYSEC-2024-1", "app", "2"))
    breaking(tmp_path / "advisories" / "osv.sqlite")
    store = store_of(tmp_path, below("PYSEC-2024-2", "app", "2"))
    assert store.problems == ()
    assert ids(store.affecting("app", "1")) == ["PYSEC-2024-2"]


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    put_osv(tmp_path, below("PYSEC-2024-1", "app", "2"))
    (tmp_path / "advisories" / "osv.sqlite").chmod(0)
    told = "import sys, pathlib; from scanagg.advisories.store import open_store; "
    told += "print(*open_store(pathlib.Path(sys.argv[1])).problems)"
    done = subprocess.run(
        [*_LIKE_ANYBODY, sys.executable, "-c", told, tmp_path],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Permission denied" in done.stdout


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "advisories").write_text("")
    store = open_store(tmp_path)
    assert len(store.problems) == 3
    assert "cannot read the advisory store" in store.problems[0]


# Root may read everything unless that right is dropped.
_LIKE_ANYBODY = (
    ("setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-all")
    if os.geteuid() == 0
    else ()
)

DAMAGES = [
    "UPDATE bucket SET body = x'7b7d'",
    "UPDATE bucket SET body = 'text'",
    "UPDATE bucket SET body = replace(body, 'app', 'apq')",
    "UPDATE bucket SET number = number + 100000",
    "DELETE FROM bucket",
    "DROP TABLE bucket",
]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_that_shows_later_is_never_taken_for_nothing(tmp_path: Path, damage: str) -> None:
    put_kev(tmp_path, "CVE-2024-0001")
    put_epss(tmp_path, {"CVE-2024-0001": (0.5, 0.9)})
    put_osv(tmp_path, below("PYSEC-2024-1", "app", "2", aliases=["CVE-2024-0001"]))
    for kind in KINDS:
        changed(damage)(tmp_path / "advisories" / f"{kind}.sqlite")
    store = open_store(tmp_path)
    assert store.problems == ()
    look_ups = [
        lambda: store.affecting("app", "1"),
        lambda: store.records("not-stored"),
        lambda: store.group(["CVE-2024-0001"]),
        lambda: store.exploited(["CVE-2024-0001"]),
        lambda: store.likelihood(["CVE-2024-0001"]),
    ]
    for look_up in look_ups:
        with pytest.raises(StoreError, match="the advisory store is damaged"):
            look_up()
    assert len(store.problems) == len(KINDS)
    assert all("scanagg db update" in problem for problem in store.problems)
    assert [stored_meta(kind, tmp_path) for kind in KINDS] == [None] * len(KINDS)
    assert len(open_store(tmp_path, verify=True).problems) == len(KINDS)


def test_buckets_cannot_be_exchanged(tmp_path: Path) -> None:
    store = store_of(tmp_path, *many())
    store.close()
    changed(
        "UPDATE bucket SET body = (SELECT body FROM bucket other WHERE other.number != "
        "bucket.number ORDER BY random() LIMIT 1)"
    )(tmp_path / "advisories" / "osv.sqlite")
    store = open_store(tmp_path)
    for number in range(COUNT):
        with pytest.raises(StoreError):
            store.affecting(f"app{number}", "1")


COUNT = 40
CVES = [f"CVE-2024-{1000 + n}" for n in range(9)]


def many() -> list[dict[str, object]]:
    """Return records in several buckets."""
    return [
        below(f"PYSEC-2024-{n}", f"app{n}", "2", aliases=[f"CVE-2024-{1000 + n}"], details="x" * 99)
        for n in range(COUNT)
    ]


def answers(cache: Path) -> object:
    """Return everything that a check can learn from a store."""
    with contextlib.closing(open_store(cache)) as store:
        return (
            store.problems,
            store.sources,
            [store.affecting(f"app{n}", "1") for n in range(COUNT + 1)],
            [store.group([cve]) for cve in CVES],
            [store.exploited([cve]) for cve in CVES],
            [store.likelihood([cve]) for cve in CVES],
        )


def full_store(cache: Path) -> None:
    put_osv(cache, *many())
    put_kev(cache, *CVES[:-1])
    put_epss(cache, dict.fromkeys(CVES[:-1], (0.25, 0.75)))


PLACES = {
    "osv": {
        "a name": b"package app7",
        "a name of a record": b"PYSEC-2024-7",
        "a range": b'"fixed"',
        "a version": b'"2"',
        "an alias": b"alias CVE-2024-1007",
        "a group": b"group CVE-2024-1007",
        "a date": b"2024-05-06",
        "a text": b"xxxx",
        "the syntax": b'":{"',
        "the source": b"OSV (PyPI)",
        "the date of the data": b'"updated"',
        "the number of records": b'"records"',
        "the digest": b'"digest":"',
        "the application": b"scag",
    },
    "kev": {"a CVE": b"CVE-2024-1003", "a date": b"2024-01-02", "the source": b"CISA KEV"},
    "epss": {"a CVE": b"CVE-2024-1003", "a score": b"0.25", "the source": b"FIRST EPSS"},
}
PLACED = [(kind, place) for kind, places in PLACES.items() for place in places]


@pytest.mark.parametrize(("kind", "place"), PLACED)
def test_a_flipped_bit_never_changes_an_answer(tmp_path: Path, kind: str, place: str) -> None:
    full_store(tmp_path)
    path = tmp_path / "advisories" / f"{kind}.sqlite"
    whole, before, text = path.read_bytes(), answers(tmp_path), PLACES[kind][place]
    start = whole.index(text)
    for at in range(start, start + len(text)):
        flip(path, whole, 8 * at + at % 7)
        assert stored_meta(kind, tmp_path) is None, (place, at)
    with contextlib.suppress(StoreError):
        assert has_problem(tmp_path) or answers(tmp_path) == before


def has_problem(cache: Path) -> bool:
    with contextlib.closing(open_store(cache)) as store:
        return bool(store.problems)


def flip(path: Path, whole: bytes, bit: int) -> None:
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bits_anywhere_never_change_an_answer(tmp_path: Path, kind: str) -> None:
    full_store(tmp_path)
    path = tmp_path / "advisories" / f"{kind}.sqlite"
    whole, before = path.read_bytes(), answers(tmp_path)
    chance = random.Random(kind)
    noticed = 0
    for _ in range(80):
        flip(path, whole, chance.randrange(8 * len(whole)))
        try:
            assert has_problem(tmp_path) or answers(tmp_path) == before
        except StoreError:
            noticed += 1
        noticed += has_problem(tmp_path)
    assert noticed


def test_a_closed_store_is_an_error_not_an_answer(tmp_path: Path) -> None:
    store = store_of(tmp_path, below("PYSEC-2024-1", "app", "2"))
    store.close()
    with pytest.raises(StoreError):
        store.affecting("app", "1")


def test_a_store_may_be_made_of_nothing() -> None:
    assert Store().sources == ()
