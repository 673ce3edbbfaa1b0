"""Imports of OSV exports: a zip, a folder, one file, and the problems in them."""

import json
import os
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.records import (
    NOW,
    affected,
    below,
    osv,
    put_osv,
    silent,
    write_folder,
    write_json,
    write_zip,
)

from scanagg.advisories.importing import (
    DataOrigin,
    Import,
    Imported,
    import_any,
    import_osv,
    origin_of,
)
from scanagg.advisories.storage import touch
from scanagg.advisories.store import open_store
from scanagg.core.errors import StoreError

ORIGIN = DataOrigin("https://index.invalid/all.zip", '"abc"', "Thu, 10 Oct 2024 00:00:00 GMT")
RECORDS = [
    below("PYSEC-2024-1", "app", "2", aliases=["CVE-2024-0001"]),
    below("GHSA-aaaa-bbbb-cccc", "app", "3", modified="2024-06-07T08:09:10.5Z"),
    osv("MAL-2024-1", affected("evil", {"introduced": "0"}, versions=["1.0"])),
]


def put(path: Path, cache: Path) -> Imported:
    return import_osv(Import(path, cache, ORIGIN, silent, NOW))


def ids(cache: Path, name: str, version: str) -> list[str]:
    return [one.id for one in open_store(cache).affecting(name, version)]


def test_a_zip_a_folder_and_a_list_make_the_same_store(tmp_path: Path) -> None:
    paths = [
        write_zip(tmp_path / "all.zip", RECORDS),
        write_zip(tmp_path / "turned.zip", RECORDS[::-1]),
        write_folder(tmp_path / "folder", RECORDS),
        write_json(tmp_path / "list.json", RECORDS),
    ]
    made = [put(path, tmp_path / f"cache-{path.name}") for path in paths]
    assert [(one.source.records, one.problems, one.refused) for one in made] == [(3, (), 0)] * 4
    assert len({one.source.digest for one in made}) == 1
    assert {one.source.updated for one in made} == {datetime(2024, 6, 7, 8, 9, 10, 500000, UTC)}
    for path in paths:
        cache = tmp_path / f"cache-{path.name}"
        assert ids(cache, "app", "1") == ["GHSA-aaaa-bbbb-cccc", "PYSEC-2024-1"]
        assert ids(cache, "evil", "77") == ["MAL-2024-1"]


def test_the_digest_tells_other_records(tmp_path: Path) -> None:
    made = [
        put_osv(tmp_path, below("A-1", "app", "2")),
        put_osv(tmp_path, below("A-1", "app", "2.1")),
        put_osv(tmp_path, below("A-1", "app", "2"), below("A-2", "app", "2")),
    ]
    assert len({one.source.digest for one in made}) == 3


def test_one_record_in_a_file(tmp_path: Path) -> None:
    assert put(write_json(tmp_path / "one.json", RECORDS[0]), tmp_path).source.records == 1
    assert ids(tmp_path, "app", "1") == ["PYSEC-2024-1"]


def test_files_with_a_byte_order_mark(tmp_path: Path) -> None:
    mark = b"\xef\xbb\xbf"
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "A.json").write_bytes(mark + json.dumps(RECORDS[0]).encode())
    assert put(folder, tmp_path).source.records == 1
    (tmp_path / "list.json").write_bytes(mark + json.dumps(RECORDS).encode())
    assert put(tmp_path / "list.json", tmp_path).source.records == 3


def test_where_it_came_from_is_kept(tmp_path: Path) -> None:
    assert origin_of("osv", tmp_path) is None
    source = put(write_json(tmp_path / "list.json", RECORDS), tmp_path).source
    assert source.origin == ORIGIN.text
    assert open_store(tmp_path).osv == source
    assert origin_of("osv", tmp_path) == ORIGIN
    assert origin_of("kev", tmp_path) is None


def test_a_store_that_cannot_be_used_came_from_nowhere(tmp_path: Path) -> None:
    put(write_json(tmp_path / "list.json", RECORDS), tmp_path)
    (tmp_path / "advisories" / "osv.sqlite").write_bytes(b"garbage")
    assert origin_of("osv", tmp_path) is None


def test_not_modified_makes_it_younger_and_changes_nothing_else(tmp_path: Path) -> None:
    before = put(write_json(tmp_path / "list.json", RECORDS), tmp_path).source
    later = datetime(2030, 1, 1, tzinfo=UTC)
    touch("osv", tmp_path, later)
    after = open_store(tmp_path).osv
    assert after is not None
    assert (before.fetched, after.fetched) != (after.fetched, later) or before.fetched == later
    assert after.fetched == later
    assert (after.digest, after.updated, after.origin) == (
        *(before.digest, before.updated, before.origin),
    )
    assert origin_of("osv", tmp_path) == ORIGIN
    assert ids(tmp_path, "app", "1") == ["GHSA-aaaa-bbbb-cccc", "PYSEC-2024-1"]
    assert sorted(path.name for path in (tmp_path / "advisories").iterdir()) == [
        ".lock",
        "osv.sqlite",
    ]


def test_nothing_can_be_made_younger_where_there_is_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write the advisory store"):
        touch("osv", tmp_path, datetime(2030, 1, 1, tzinfo=UTC))
    put(write_json(tmp_path / "list.json", RECORDS), tmp_path)
    (tmp_path / "advisories" / "osv.sqlite").write_bytes(b"garbage")
    with pytest.raises(StoreError):
        touch("osv", tmp_path, datetime(2030, 1, 1, tzinfo=UTC))


def test_the_new_store_replaces_the_whole_old_one(tmp_path: Path) -> None:
    put_osv(tmp_path, *RECORDS)
    put_osv(tmp_path, below("PYSEC-2024-9", "app", "2"))
    assert ids(tmp_path, "app", "1") == ["PYSEC-2024-9"]
    assert ids(tmp_path, "evil", "1.0") == []


def test_a_date_in_the_future_does_not_make_the_data_young(tmp_path: Path) -> None:
    future = below("A-1", "app", "2", modified="2999-01-01T00:00:00Z")
    alone = put_osv(tmp_path, future)
    assert alone.source.updated is None
    assert alone.problems == ("1 date in the future, up to 2999-01-01: check the clock",)
    both = put_osv(tmp_path, future, below("A-2", "app", "2", modified="2020-01-01T00:00:00Z"))
    assert both.source.updated == datetime(2020, 1, 1, tzinfo=UTC)
    several = put_osv(tmp_path, *({"id": f"not an id {n}"} for n in range(100)), future)
    assert several.problems[0] == alone.problems[0]


def test_a_date_that_is_ahead_by_no_more_than_clocks_drift_is_believed(tmp_path: Path) -> None:
    later = NOW + timedelta(hours=20)
    imported = put_osv(tmp_path, below("A-1", "app", "2", modified=later.isoformat()))
    assert (imported.source.updated, imported.problems) == (later, ())


def test_what_cannot_be_used_is_counted_and_told(tmp_path: Path) -> None:
    export = tmp_path / "all.zip"
    npm = affected("left-pad", {"introduced": "0"})
    npm["package"]["ecosystem"] = "npm"
    with zipfile.ZipFile(export, "w") as archive:
        archive.writestr("A.json", json.dumps(RECORDS[0]))
        archive.writestr("B.json", "{")
        archive.writestr("C.json", "<html>")
        archive.writestr("D.json", "{}")
        archive.writestr("E.JSON", json.dumps(osv("GHSA-1", npm)))
        archive.writestr("F\x1b[2J.json", json.dumps({"id": "no id\x1b[2J"}))
        archive.writestr("folder/", "")
        archive.writestr("README.md", "read me")
        archive.writestr("inner.zip", b"PK\x03\x04")
        archive.writestr("../../../escape.json", json.dumps(RECORDS[2]))
    made = put(export, tmp_path)
    assert (made.source.records, made.refused) == (2, 5)
    assert made.problems[0] == "skipped 2 files in the zip: not *.json"
    assert [problem.partition(":")[0] for problem in made.problems[1:]] == [
        *("B.json", "C.json", "D.json", "E.JSON", "F\\x1b[2J.json"),
    ]
    assert made.problems[4] == "E.JSON: about npm, not PyPI"
    assert "\x1b" not in "".join(made.problems)
    assert ids(tmp_path, "evil", "1") == ["MAL-2024-1"]
    assert not list(tmp_path.parent.rglob("escape.json"))


def test_only_the_first_problems_are_told(tmp_path: Path) -> None:
    made = put_osv(tmp_path, RECORDS[0], *({"id": f"not an id {n}"} for n in range(100)))
    assert made.refused == 100
    assert (len(made.problems), made.problem_count) == (20, 100)


def test_a_few_records_do_not_take_the_place_of_many(tmp_path: Path) -> None:
    def export(name: str, count: int) -> Path:
        records = [below(f"PYSEC-{name}-{number}", "app", "2") for number in range(count)]
        return write_json(tmp_path / f"{name}.json", records)

    many, few, half = export("1", 1000), export("2", 499), export("3", 500)
    put(many, tmp_path)
    with pytest.raises(StoreError, match=r"499 records, but 1,000 are stored") as refused:
        put(few, tmp_path)
    assert "--replace" in refused.value.hint
    assert len(ids(tmp_path, "app", "1")) == 1000
    put(half, tmp_path)
    assert import_any(few, tmp_path, silent, now=NOW, replace=True)[0].source.records == 499


def test_an_export_that_is_mostly_unusable_is_refused(tmp_path: Path) -> None:
    put_osv(tmp_path, RECORDS[0])
    npm = affected("left-pad", {"introduced": "0"})
    npm["package"]["ecosystem"] = "pypi"
    strange = [osv(f"GHSA-{n}", npm) for n in range(1001)]
    with pytest.raises(StoreError, match=r"1,001 of 1,002 records are unusable: .*not PyPI"):
        put_osv(tmp_path, RECORDS[1], *strange)
    assert open_store(tmp_path).osv.records == 1


def test_of_two_records_with_one_id_the_newest_is_used(tmp_path: Path) -> None:
    old = below("PYSEC-1", "app", "9", modified="2024-01-01T00:00:00.9Z", aliases=["CVE-1"])
    new = below("PYSEC-1", "app", "2", modified="2024-01-01T00:00:01Z", aliases=["CVE-2"])
    for pair in ([old, new], [new, old]):
        made = put_osv(tmp_path, *pair)
        assert (made.source.records, made.refused) == (1, 1)
        assert "several records PYSEC-1" in made.problems[0]
        assert ids(tmp_path, "app", "1") == ["PYSEC-1"]
        assert ids(tmp_path, "app", "5") == []
        assert open_store(tmp_path).group(["PYSEC-1"]).ids == {"PYSEC-1", "CVE-2"}


def test_of_two_records_of_one_age_the_same_is_used_in_any_order(tmp_path: Path) -> None:
    pair = [below("PYSEC-1", "app", "2"), below("PYSEC-1", "app", "3")]
    digests = {put_osv(tmp_path, *records).source.digest for records in (pair, pair[::-1])}
    assert len(digests) == 1


def test_doubts_about_a_record_cost_nothing_of_it(tmp_path: Path) -> None:
    entry = affected("app", {"introduced": "0"}, {"fixed": "soon"})
    entry["ranges"][0]["type"] = "CALVER"
    made = put_osv(tmp_path, osv("PYSEC-1", entry, aliases=["no id"]))
    assert made.refused == 0
    assert made.problems == (
        "PYSEC-1: invalid alias: 'no id'",
        "PYSEC-1: a range of type 'CALVER': compared by PEP 440",
        "PYSEC-1: fixed 'soon' is not a version",
    )
    assert ids(tmp_path, "app", "99") == ["PYSEC-1"]


def test_a_record_without_affected_is_there_for_its_aliases(tmp_path: Path) -> None:
    bare = osv("GHSA-aaaa-bbbb-cccc", aliases=["CVE-2024-0001"])
    del bare["affected"]
    made = put_osv(tmp_path, bare, RECORDS[0])
    assert (made.source.records, made.refused) == (2, 0)
    group = open_store(tmp_path).group(["PYSEC-2024-1"])
    assert [one.id for one in group.records] == ["GHSA-aaaa-bbbb-cccc", "PYSEC-2024-1"]


def test_links_of_a_folder_are_not_followed(tmp_path: Path) -> None:
    outside = write_folder(tmp_path / "outside", [below("A-9", "app", "9")])
    folder = write_folder(tmp_path / "folder" / "deep", RECORDS).parent
    (folder / "link.json").symlink_to(outside / "A-9.json")
    (folder / "more").symlink_to(outside)
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe.json")
    (folder / "dir.json").mkdir()
    made = put(folder, tmp_path)
    assert made.source.records == 3
    assert made.problems == ("skipped 3 symbolic links",)


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    records = [below(f"A-{number}", "app", "2") for number in range(600)]
    told: list[tuple[int, int]] = []
    path = write_json(tmp_path / "list.json", records)
    import_osv(Import(path, tmp_path, ORIGIN, lambda *done: told.append(done), NOW))
    assert told == [(250, 600), (500, 600), (600, 600)]


def test_the_real_export(data_dir: Path, tmp_path: Path) -> None:
    made = put(data_dir / "pypi-osv.zip", tmp_path)
    assert (made.source.records, made.refused) == (2820, 0)
    assert made.source.updated == datetime(2024, 10, 10, 17, 22, tzinfo=UTC)
    assert [problem.partition(":")[0] for problem in made.problems] == [
        *("GHSA-rwqr-c348-m5wr", "PYSEC-2019-125", "PYSEC-2021-371", "PYSEC-2022-15"),
        "PYSEC-2024-55",
    ]
    store = open_store(tmp_path)
    found = {
        name for one in store.affecting("django", "3.2.0") for name in store.group([one.id]).ids
    }
    assert {"CVE-2022-28346", "CVE-2022-28347"} <= found
