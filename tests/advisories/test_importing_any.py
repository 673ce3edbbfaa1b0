"""`db import` recognises files by their content, not by their names."""

import os
from pathlib import Path

import pytest
from support.records import (
    NOW,
    below,
    epss,
    kev,
    silent,
    write_folder,
    write_gzip,
    write_json,
    write_zip,
)

from scanagg.advisories.importing import import_any
from scanagg.advisories.store import open_store
from scanagg.core.errors import StoreError

RECORDS = [below("PYSEC-2024-1", "app", "2"), below("PYSEC-2024-2", "app", "2")]
SCORES = epss({"CVE-2024-0001": (0.5, 0.9)})


def kinds(cache: Path) -> list[str]:
    return [one.name for one in open_store(cache).sources]


def names(path: Path, cache: Path) -> list[tuple[str, str]]:
    return [
        (one.source.name, one.source.origin) for one in import_any(path, cache, silent, now=NOW)
    ]


def test_any_single_file(tmp_path: Path) -> None:
    plain = tmp_path / "scores"
    plain.write_text(SCORES)
    bare = tmp_path / "bare"
    bare.write_text(SCORES.partition("\n")[2])
    files = {
        write_zip(tmp_path / "a", RECORDS): "OSV (PyPI)",
        write_json(tmp_path / "b", RECORDS): "OSV (PyPI)",
        write_json(tmp_path / "c", RECORDS[0]): "OSV (PyPI)",
        write_json(tmp_path / "d", kev("CVE-2024-0001")): "CISA KEV",
        write_gzip(tmp_path / "e", SCORES): "FIRST EPSS",
        plain: "FIRST EPSS",
        bare: "FIRST EPSS",
    }
    for path, kind in files.items():
        cache = tmp_path / f"cache-{path.name}"
        assert names(path, cache) == [(kind, path.name)]
        assert kinds(cache) == [kind]


def test_a_folder_with_all_of_it(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "PyPI").mkdir(parents=True)
    write_zip(folder / "PyPI" / "all.zip", RECORDS)
    write_json(folder / "known_exploited_vulnerabilities.json", kev("CVE-2024-0001"))
    write_gzip(folder / "epss_scores-current.csv.gz", SCORES)
    (folder / "README.txt").write_text("hello")
    assert names(folder, tmp_path) == [
        ("OSV (PyPI)", "all.zip"),
        ("CISA KEV", "known_exploited_vulnerabilities.json"),
        ("FIRST EPSS", "epss_scores-current.csv.gz"),
    ]
    assert kinds(tmp_path) == ["OSV (PyPI)", "CISA KEV", "FIRST EPSS"]


def test_a_folder_of_records_beside_a_catalogue(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder" / "records", RECORDS).parent
    write_json(folder / "kev.json", kev("CVE-2024-0001"))
    records, catalogue = import_any(folder, tmp_path, silent, now=NOW)
    assert (records.source.records, records.problems, records.source.origin) == (2, (), "folder")
    assert catalogue.source.records == 1


def test_the_folder_where_we_are_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write_folder(tmp_path / "folder", RECORDS))
    assert names(Path(), tmp_path) == [("OSV (PyPI)", "folder")]


def test_a_name_that_is_not_unicode(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "all\udcff.zip", RECORDS)
    assert names(path, tmp_path) == [("OSV (PyPI)", "all\\xff.zip")]


def test_several_of_a_kind_are_nobody_s_choice(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    write_zip(folder / "all.zip", RECORDS)
    write_zip(folder / "old.zip", RECORDS)
    with pytest.raises(StoreError, match=r"several files of one kind: all\.zip, old\.zip"):
        import_any(folder, tmp_path, silent, now=NOW)
    assert kinds(tmp_path) == []


def test_loose_files_beside_a_zip_are_left_aside_and_said(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", RECORDS)
    write_zip(folder / "all.zip", RECORDS[:1])
    (made,) = import_any(folder, tmp_path, silent, now=NOW)
    assert made.source.origin == "all.zip"
    assert made.problems == ("skipped 2 JSON files beside the zip",)


def test_links_in_a_folder_are_not_followed(tmp_path: Path) -> None:
    write_zip(tmp_path / "all.zip", RECORDS)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "all.zip").symlink_to(tmp_path / "all.zip")
    with pytest.raises(StoreError, match="is not advisory data"):
        import_any(folder, tmp_path, silent, now=NOW)


def test_pipes_in_a_folder_are_nothing(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", RECORDS)
    os.mkfifo(folder / "pipe.json")
    os.mkfifo(folder / "pipe.zip")
    assert names(folder, tmp_path) == [("OSV (PyPI)", "folder")]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot read"):
        import_any(tmp_path / "nowhere", tmp_path, silent, now=NOW)
