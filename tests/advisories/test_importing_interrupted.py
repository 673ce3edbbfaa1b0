"""The store stays complete with full disks, killed processes and parallel imports."""

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.records import NOW, below, put_kev, put_osv, silent, write_json

from scanagg.advisories import storage
from scanagg.advisories.importing import DataOrigin, Import, import_osv
from scanagg.advisories.storage import building
from scanagg.advisories.store import open_store
from scanagg.core.errors import StoreError

COUNT = 1500
# An import in a process of its own: FILE CACHE, and what happens after some records.
PROGRAM = """
import os, resource, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from scanagg.advisories.importing import DataOrigin, Import, import_osv
from scanagg.core.errors import StoreError

file, cache, what = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]

def progress(done, whole):
    if what == "die" and done >= 500:
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "stop" and done >= 500:
        os.kill(os.getpid(), signal.SIGINT)

if what == "small":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    print(import_osv(Import(file, cache, DataOrigin("given"), progress, now)).source.records)
except StoreError as error:
    print(error.message, error.hint)
"""


@pytest.fixture
def export(tmp_path: Path) -> Path:
    details = "x" * 500
    records = [below(f"A-{n}", f"app{n % 9}", "2", details=details) for n in range(COUNT)]
    return write_json(tmp_path / "export.json", records)


def start(export: Path, cache: Path, what: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, export, cache, what]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def left(cache: Path) -> set[str]:
    return {path.name for path in (cache / "advisories").iterdir()} - {".lock"}


def ids(cache: Path) -> list[str]:
    store = open_store(cache)
    assert store.problems == ()
    found = [one.id for one in store.affecting("app", "1")]
    store.close()
    return found


def test_a_disk_that_fills_leaves_the_old_store(tmp_path: Path, export: Path) -> None:
    put_osv(tmp_path, below("OLD-1", "app", "2"))
    message, _ = start(export, tmp_path, "small").communicate()
    assert message.startswith("cannot write the advisory store in ")
    assert "SCANAGG_CACHE_DIR" in message
    assert ids(tmp_path) == ["OLD-1"]
    assert left(tmp_path) == {"osv.sqlite"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of half a mebibyte."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if not mount or not umount:
        pytest.skip("no mount on this machine")
    place = tmp_path / "disk"
    place.mkdir()
    command = [mount, "-t", "tmpfs", "-o", "size=512k", "scanagg-test", place]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("file systems may not be mounted here")
    yield place
    subprocess.run([umount, place], check=True)


def test_a_small_disk_leaves_the_old_store(small_disk: Path, export: Path) -> None:
    put_osv(small_disk, below("OLD-1", "app", "2"))
    with pytest.raises(StoreError, match=r"full|No space") as caught:
        import_osv(Import(export, small_disk, DataOrigin("given"), silent, NOW))
    assert "The old data is unchanged" in caught.value.hint
    assert ids(small_disk) == ["OLD-1"]
    assert left(small_disk) == {"osv.sqlite"}


def test_a_killed_import_leaves_the_old_store_and_the_next_one_tidies_up(
    tmp_path: Path, export: Path
) -> None:
    put_osv(tmp_path, below("OLD-1", "app", "2"))
    process = start(export, tmp_path, "die")
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert ids(tmp_path) == ["OLD-1"]
    assert len(left(tmp_path)) > 1
    assert not any(one.endswith(".sqlite") for one in left(tmp_path) - {"osv.sqlite"})
    put_kev(tmp_path, "CVE-2024-0001")
    assert left(tmp_path) == {"osv.sqlite", "kev.sqlite"}
    import_osv(Import(export, tmp_path, DataOrigin("given"), silent, NOW))
    assert open_store(tmp_path).sources[0].records == COUNT


def test_an_import_that_is_stopped_by_hand_leaves_nothing(tmp_path: Path, export: Path) -> None:
    put_osv(tmp_path, below("OLD-1", "app", "2"))
    process = start(export, tmp_path, "stop")
    process.communicate()
    assert process.returncode != 0
    assert ids(tmp_path) == ["OLD-1"]
    assert left(tmp_path) == {"osv.sqlite"}


def test_two_imports_at_once_both_end_whole(tmp_path: Path, export: Path) -> None:
    processes = [start(export, tmp_path, "") for _ in range(3)]
    assert [process.communicate()[0] for process in processes] == [f"{COUNT}\n"] * 3
    store = open_store(tmp_path)
    assert store.problems == ()
    assert sum(len(store.records(f"app{number}")) for number in range(9)) == COUNT
    assert left(tmp_path) == {"osv.sqlite"}


def test_reading_goes_on_while_stores_are_replaced(tmp_path: Path) -> None:
    put_osv(tmp_path, below("A-0", "app", "2"))
    done = threading.Event()

    def replace() -> None:
        for number in range(25):
            put_osv(tmp_path, below(f"A-{number}", "app", "2"))
        done.set()

    writer = threading.Thread(target=replace)
    writer.start()
    looked = 0
    while not done.is_set() or not looked:
        store = open_store(tmp_path)
        assert store.problems == ()
        assert len(store.affecting("app", "1")) == 1
        store.close()
        looked += 1
    writer.join()


def test_waiting_for_another_import_has_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "WAIT_SECONDS", 0.05)
    put_osv(tmp_path, below("OLD-1", "app", "2"))
    with pytest.raises(KeyboardInterrupt), building("epss", tmp_path):
        with pytest.raises(StoreError, match="another scanagg is writing"):
            put_osv(tmp_path, below("NEW-1", "app", "2"))
        raise KeyboardInterrupt
    assert ids(tmp_path) == ["OLD-1"]
    assert left(tmp_path) == {"osv.sqlite"}


def test_a_place_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "advisories").write_text("in the way")
    with pytest.raises(StoreError, match="cannot write the advisory store"):
        put_osv(tmp_path, below("NEW-1", "app", "2"))


def test_files_of_others_are_not_swept(tmp_path: Path) -> None:
    folder = tmp_path / "advisories"
    folder.mkdir()
    for name in ("notes.txt", ".osv.sqlite", "osv.sqlite.bak", ".epss.sqlite.killed"):
        (folder / name).write_text("x")
    put_osv(tmp_path, below("NEW-1", "app", "2"))
    assert left(tmp_path) == {"notes.txt", ".osv.sqlite", "osv.sqlite.bak", "osv.sqlite"}
