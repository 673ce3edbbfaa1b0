"""Imports refuse broken, hostile and other files, and keep the stored data."""

import gzip
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from support.records import (
    NOW,
    below,
    epss,
    kev,
    put_osv,
    silent,
    write_folder,
    write_json,
    write_zip,
)

from scanagg.advisories.importing import (
    DataOrigin,
    Import,
    files,
    import_any,
    import_epss,
    import_kev,
    import_osv,
)
from scanagg.advisories.store import open_store
from scanagg.core.errors import StoreError

RECORDS = [below(f"PYSEC-2024-{number}", "app", "2") for number in range(20)]
Make = Callable[[Path], Path]


def page(path: Path) -> Path:
    path.write_text("\n  <!DOCTYPE html><html><title>404</title></html>")
    return path


def empty(path: Path) -> Path:
    path.write_bytes(b"")
    return path


def blank(path: Path) -> Path:
    path.write_bytes(b"\xef\xbb\xbf \n")
    return path


def text(path: Path) -> Path:
    path.write_text("hello")
    return path


def missing(path: Path) -> Path:
    return path.with_name("missing")


def long_name(path: Path) -> Path:
    return path.with_name("x" * 5000)


def device(_: Path) -> Path:
    return Path("/dev/zero")


def cut_json(path: Path) -> Path:
    path.write_text(json.dumps(RECORDS)[:-20])
    return path


def deep_json(path: Path) -> Path:
    path.write_text("[" * 100_000)
    return path


def empty_list(path: Path) -> Path:
    return write_json(path, [])


def catalogue(path: Path) -> Path:
    return write_json(path, kev("CVE-2024-0001"))


def empty_folder(path: Path) -> Path:
    path.mkdir()
    return path


def useless_folder(path: Path) -> Path:
    path.mkdir()
    (path / "package.json").write_text('{"name": "left-pad"}')
    return path


def cut_zip(path: Path) -> Path:
    whole = write_zip(path, RECORDS).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def cut_behind(path: Path) -> Path:
    whole = write_zip(path, RECORDS).read_bytes()
    path.write_bytes(whole[:-10])
    return path


def cut_in_front(path: Path) -> Path:
    """Keep the directory of a zip, without the records in it."""
    whole = write_zip(path, RECORDS).read_bytes()
    path.write_bytes(b"PK\x03\x04" + whole[len(whole) // 3 :])
    return path


def flipped(path: Path) -> Path:
    whole = bytearray(write_zip(path, RECORDS).read_bytes())
    whole[60:90] = bytes(30)
    path.write_bytes(whole)
    return path


def empty_zip(path: Path) -> Path:
    return write_zip(path, [])


def other_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("code.py", "print()")
        archive.write(write_zip(path.with_name("inner"), RECORDS), "inner.zip")
    return path


def encrypted(path: Path) -> Path:
    whole = bytearray(write_zip(path, RECORDS[:1]).read_bytes())
    whole[6] |= 1
    whole[whole.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(whole)
    return path


def strange_method(path: Path) -> Path:
    whole = bytearray(write_zip(path, RECORDS[:1]).read_bytes())
    whole[8] = 97
    whole[whole.index(b"PK\x01\x02") + 10] = 97
    path.write_bytes(whole)
    return path


def bomb(path: Path) -> Path:
    """Nine files of 8 MiB from about 70 KiB."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(9):
            archive.writestr(f"{number}.json", b" " * files.RECORD_BYTES)
    return path


def lying_bomb(path: Path) -> Path:
    """A file of 64 MiB that announces a hundred bytes."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("A.json", b" " * (64 << 20))
    whole = bytearray(path.read_bytes())
    struct.pack_into("<L", whole, 22, 100)
    struct.pack_into("<L", whole, whole.index(b"PK\x01\x02") + 24, 100)
    path.write_bytes(whole)
    return path


def overlapping(path: Path) -> Path:
    """Many names for the same bytes."""
    huge = below("A-1", "app", "2", details="x" * 100_000)
    whole = write_zip(path, [huge]).read_bytes()
    start = whole.index(b"PK\x01\x02")
    entry, count = whole[start : whole.index(b"PK\x05\x06")], 1000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, count, count, len(entry) * count, start, 0)
    path.write_bytes(whole[:start] + entry * count + end)
    return path


def huge_directory(path: Path) -> Path:
    path.write_bytes(
        b"PK\x03\x04" + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 1 << 30, 0, 0)
    )
    return path


def huge_directory_64(path: Path) -> Path:
    end64 = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 9, 9, 1 << 40, 0)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 4, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(b"PK\x03\x04" + end64 + locator + end)
    return path


def lost_directory_64(path: Path) -> Path:
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 1 << 62, 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(b"PK\x03\x04" + locator + end)
    return path


NOT_OSV: list[tuple[Make, str]] = [
    (page, "is a web page"),
    (empty, "is empty"),
    (blank, "is empty"),
    (text, "is not advisory data"),
    (missing, "cannot read"),
    (long_name, "cannot read"),
    (device, "is not a regular file"),
    (cut_json, "is not valid JSON"),
    (deep_json, "is not valid JSON"),
    (empty_list, "has no usable OSV record: it has no records"),
    (catalogue, "has no usable OSV record"),
    (empty_folder, "has no usable OSV record: it has no records"),
    (useless_folder, "has no usable OSV record: package.json"),
    (cut_zip, "is not a complete zip"),
    (cut_behind, "is not a complete zip"),
    (cut_in_front, "is not a complete zip"),
    (flipped, "is not a complete zip: PYSEC-2024-0.json"),
    (empty_zip, "has no usable OSV record"),
    (other_zip, "has no usable OSV record: skipped 2 files"),
    (encrypted, "is encrypted"),
    (strange_method, "is not a complete zip"),
    (bomb, "zip bomb"),
    (lying_bomb, "is not a complete zip"),
    (overlapping, "zip bomb"),
    (huge_directory, "directory of 1,024 MiB"),
    (huge_directory_64, "directory of 1,048,576 MiB"),
    (lost_directory_64, "is not a complete zip"),
]


@pytest.mark.parametrize(("make", "message"), NOT_OSV, ids=[make.__name__ for make, _ in NOT_OSV])
def test_what_is_no_export_is_refused_and_the_old_store_stays(
    tmp_path: Path, make: Make, message: str
) -> None:
    put_osv(tmp_path, below("OLD-1", "app", "2"))
    with pytest.raises(StoreError, match=message) as caught:
        import_osv(Import(make(tmp_path / "given"), tmp_path, DataOrigin("given"), silent, NOW))
    assert caught.value.hint
    store = open_store(tmp_path)
    assert store.problems == ()
    assert [one.id for one in store.affecting("app", "1")] == ["OLD-1"]
    assert {path.name for path in (tmp_path / "advisories").iterdir()} <= {".lock", "osv.sqlite"}


LIMITED: list[tuple[str, int, Make, str]] = [
    ("RECORDS", 5, lambda path: write_zip(path, RECORDS), "20 files"),
    ("RECORDS", 5, lambda path: write_folder(path, RECORDS), "more than 5 files"),
    ("RECORDS", 5, lambda path: write_json(path, RECORDS), "20 records"),
    ("UNPACKED_BYTES", 999, lambda path: write_zip(path, RECORDS), "0 MiB unpacked"),
    ("ZIP_BYTES", 999, lambda path: write_zip(path, RECORDS), "0 MiB"),
    ("DIRECTORY_BYTES", 99, lambda path: write_zip(path, RECORDS), "a directory of"),
    ("JSON_BYTES", 999, lambda path: write_json(path, RECORDS), "more than 0 MiB"),
]


@pytest.mark.parametrize(
    ("limit", "value", "make", "message"), LIMITED, ids=[str(one[3]) for one in LIMITED]
)
def test_limits(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    value: int,
    make: Make,
    message: str,
) -> None:
    monkeypatch.setattr(files, limit, value)
    with pytest.raises(StoreError, match=f"is too large: {message}"):
        import_osv(Import(make(tmp_path / "given"), tmp_path, DataOrigin("given"), silent, NOW))
    assert open_store(tmp_path).osv is None


@pytest.mark.parametrize("make", [write_zip, write_folder, write_json])
def test_a_record_that_is_too_large_costs_itself_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[..., Path]
) -> None:
    monkeypatch.setattr(files, "RECORD_BYTES", 1 << 20)
    huge = below("BIG-1", "app", "2", details="x" * (2 << 20))
    path = make(tmp_path / "given", [*RECORDS, huge])
    made = import_osv(Import(path, tmp_path, DataOrigin("given"), silent, NOW))
    assert (made.source.records, made.refused) == (20, 1)
    assert made.problems[0].endswith(": larger than 1 MiB")


NOT_KEV: list[tuple[bytes, str]] = [
    (b"", "is empty"),
    (b"<html>", "is a web page"),
    (b"[]", "is not advisory data"),
    (b"{", "is not valid JSON"),
    (b'{"a":' * 50_000, "is not valid JSON"),
    (b"{}", "is not a KEV catalogue"),
    (b'{"vulnerabilities": {}}', "is not a KEV catalogue"),
    (b'{"vulnerabilities": []}', "without entries"),
    (b'{"vulnerabilities": [{"cveID": "nothing"}, 7]}', "without entries"),
    (b'{"vulnerabilities": [{"cveID": "CVE-2024-0001"}]', "is not valid JSON"),
    (json.dumps(RECORDS[0]).encode(), "is not a KEV catalogue"),
]


@pytest.mark.parametrize(("data", "message"), NOT_KEV, ids=range(len(NOT_KEV)))
def test_what_is_no_catalogue_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "kev.json"
    path.write_bytes(data)
    with pytest.raises(StoreError, match=message):
        import_kev(Import(path, tmp_path, DataOrigin("kev"), silent, NOW))
    assert open_store(tmp_path).kev is None


SCORES = epss({f"CVE-2024-{number:04}": (0.5, 0.5) for number in range(5000)}).encode()
HEADER = b"cve,epss,percentile\n"
NOT_EPSS: list[tuple[bytes, str]] = [
    (b"", "is empty"),
    (b"<html>", "is a web page"),
    (b"hello", "has no EPSS scores"),
    (b"#model_version:v1,score_date:2024-10-10T00:00:00+0000\n", "is empty"),
    (b"#model_version:v1\ncve,score\nCVE-2024-0001,0.5\n", "has no EPSS scores"),
    (HEADER, "has no usable EPSS score"),
    (HEADER + b"CVE-2024-0001,2,0.5\nnothing,0.5,0.5\n", "has no usable EPSS score"),
    (gzip.compress(SCORES)[:2000], "is not a complete gzip file"),
    (gzip.compress(SCORES)[:-8] + b"\0" * 8, "is not a complete gzip file"),
    (gzip.compress(SCORES)[:500] + b"\0" * 500, "is not a complete gzip file"),
    (b"\x1f\x8b" + b"\0" * 50, "is not a complete gzip file"),
    (zlib.compress(SCORES), "has no EPSS scores"),
    (gzip.compress(b"<html>"), "is a web page"),
    (gzip.compress(b"\xff\xfe" * 5000), "has no EPSS scores"),
]


@pytest.mark.parametrize(("data", "message"), NOT_EPSS, ids=range(len(NOT_EPSS)))
def test_what_are_no_scores_is_refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "epss.csv"
    path.write_bytes(data)
    with pytest.raises(StoreError, match=message):
        import_epss(Import(path, tmp_path, DataOrigin("epss"), silent, NOW))
    assert open_store(tmp_path).epss is None
    assert {one.name for one in tmp_path.glob("advisories/*")} <= {".lock"}


def test_scores_have_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "epss.csv.gz"
    path.write_bytes(gzip.compress(SCORES))
    monkeypatch.setattr(files, "SCORES", 99)
    with pytest.raises(StoreError, match="more than 99 scores"):
        import_epss(Import(path, tmp_path, DataOrigin("epss"), silent, NOW))
    monkeypatch.setattr(files, "SCORES_BYTES", 9999)
    with pytest.raises(StoreError, match="is too large: more than"):
        import_epss(Import(path, tmp_path, DataOrigin("epss"), silent, NOW))


def test_a_line_without_end_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "epss.csv.gz"
    path.write_bytes(gzip.compress(b"x" * (100 << 20)))
    with pytest.raises(StoreError, match="has no EPSS scores"):
        import_epss(Import(path, tmp_path, DataOrigin("epss"), silent, NOW))


NOTHING: list[tuple[Make, str]] = [
    (page, "is a web page"),
    (empty, "is empty"),
    (text, "is not advisory data"),
    (missing, "cannot read"),
    (long_name, "cannot read"),
    (device, "is not a regular file"),
    (empty_folder, "is not advisory data"),
    (cut_zip, "is not a complete zip"),
]


@pytest.mark.parametrize(("make", "message"), NOTHING, ids=[make.__name__ for make, _ in NOTHING])
def test_what_is_nothing_at_all_is_refused(tmp_path: Path, make: Make, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        import_any(make(tmp_path / "given"), tmp_path, silent, now=NOW)
