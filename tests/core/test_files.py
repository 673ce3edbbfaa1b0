"""core.files: nothing but regular files, and nothing through a link."""

import contextlib
import errno
import os
import shutil
import socket
import threading
from pathlib import Path

import pytest

from scanagg.core.files import MAX_BYTES, inside, open_file, read_file, write_file

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links and pipes of Unix")


@pytest.fixture
def root(tmp_path):
    """Return a resolved folder with a file, beside a folder with another."""
    root = tmp_path.resolve() / "project"
    (root / "package").mkdir(parents=True)
    (root / "package" / "code.py").write_bytes(b"x = 1\n")
    outside = root.parent / "outside"
    outside.mkdir()
    (outside / "code.py").write_bytes(b"secret\n")
    return root


def write(path, chunks, mode, root):
    write_file(path, chunks, mode, temporary="temporary", root=root)


def strerror(path, **limit):
    try:
        read_file(path, **limit)
    except OSError as error:
        return error.strerror
    raise AssertionError(path)


def test_a_regular_file_is_read(root):
    for _ in range(2):
        assert read_file(root / "package" / "code.py") == b"x = 1\n"
    with open_file(root / "package" / "code.py") as file:
        assert file.readline() == b"x = 1\n"
    (root / "large").write_bytes(b"0123456789" * 50_000)
    assert read_file(root / "large") == b"0123456789" * 50_000


def test_what_is_no_regular_file_is_refused_without_waiting(root):
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    (root / "dangling").symlink_to("nowhere")
    (root / "endless").symlink_to("/dev/zero")
    (root / "stdin").symlink_to("/proc/self/fd/0")
    (root / "code.py").symlink_to("package/code.py")
    (root / "folder").symlink_to("package")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
    assert {
        name: strerror(root / name)
        for name in (
            *("pipe", "socket", "package", "loop", "dangling", "endless", "stdin", "code.py"),
            *("folder/code.py", "none", "package/code.py/none"),
        )
    } == {
        "pipe": "is not a regular file",
        "socket": "is not a regular file",
        "package": "is not a regular file",
        "loop": "is a symbolic link",
        "dangling": "is a symbolic link",
        "endless": "is a symbolic link",
        "stdin": "is a symbolic link",
        "code.py": "is a symbolic link",
        "folder/code.py": "is below a symbolic link",
        "none": os.strerror(errno.ENOENT),
        "package/code.py/none": os.strerror(errno.ENOTDIR),
    }
    assert strerror(Path("/dev/zero")) == "is not a regular file"


def test_a_file_has_a_limit_of_size(root):
    path = root / "sparse"
    with path.open("wb") as file:
        file.truncate(100 << 30)
    assert strerror(path) == f"is larger than {MAX_BYTES >> 20} MiB"
    assert strerror(root / "package" / "code.py", limit=5) == "is larger than 5 bytes"
    assert read_file(root / "package" / "code.py", limit=6) == b"x = 1\n"


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="no /proc")
def test_a_file_of_unknown_size_is_read_to_its_end_or_limit():
    process = Path(f"/proc/{os.getpid()}/status")
    assert process.stat().st_size == 0
    assert b"VmPeak" in read_file(process)
    assert strerror(process, limit=10) == "is larger than 10 bytes"


def test_a_folder_that_is_replaced_is_opened_again(root):
    folder = root / "package"
    assert read_file(folder / "code.py") == b"x = 1\n"
    folder.rename(root / "moved")
    assert strerror(folder / "code.py") == os.strerror(errno.ENOENT)
    folder.symlink_to("../outside")
    assert strerror(folder / "code.py") == "is below a symbolic link"
    folder.unlink()
    folder.mkdir()
    (folder / "code.py").write_bytes(b"new\n")
    assert read_file(folder / "code.py") == b"new\n"


def test_a_folder_swapped_for_a_link_at_any_time_is_not_followed(root):
    folder, link, aside = root / "package", root / "link", root / "aside"
    link.symlink_to("../outside")
    done = threading.Event()

    def swap():
        while not done.is_set():
            folder.rename(aside)
            link.rename(folder)
            folder.rename(link)
            aside.rename(folder)

    thread = threading.Thread(target=swap)
    thread.start()
    contents, refused = set(), 0
    try:
        for _ in range(2000):
            try:
                contents.add(read_file(folder / "code.py"))
            except OSError:
                refused += 1
    finally:
        done.set()
        thread.join()
    assert contents == {b"x = 1\n"}
    assert refused


def test_descriptors_are_closed(root):
    def read():
        for folder in (root / "package", root.parent / "outside"):
            read_file(folder / "code.py")
            strerror(folder / "none")
            strerror(folder / "none" / "none")

    read()
    before = len(list(Path("/dev/fd").iterdir()))
    for _ in range(20):
        read()
    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    del threads, thread
    assert len(list(Path("/dev/fd").iterdir())) == before


def test_a_link_may_lead_to_another_place_in_the_tree_only(root):
    (root / "code.py").symlink_to("package/code.py")
    (root / "out").symlink_to("../outside/code.py")
    (root / "loop").symlink_to("loop")
    assert read_file(inside(root, root / "code.py")) == b"x = 1\n"
    for name, reason in (("out", "leads out of the project"), ("none", "No such file")):
        with pytest.raises(OSError, match=reason):
            inside(root, root / name)
    with pytest.raises(OSError, match=r"loop|levels"):
        inside(root, root / "loop")


def test_a_file_is_written_whole_with_its_folders_and_mode(root):
    write(root / "new" / "folder" / "a.txt", [b"one ", b"two"], 0o640, root=root)
    assert (root / "new" / "folder" / "a.txt").read_bytes() == b"one two"
    assert (root / "new" / "folder" / "a.txt").stat().st_mode & 0o777 == 0o640

    def broken():
        yield b"half"
        raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write(root / "package" / "code.py", broken(), 0o644, root=root)
    assert [path.name for path in (root / "package").iterdir()] == ["code.py"]
    assert (root / "package" / "code.py").read_bytes() == b"x = 1\n"


def test_what_has_the_name_of_a_written_file_is_replaced_and_not_followed(root):
    outside = root.parent / "outside" / "code.py"
    (root / "link").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    (root / "hard").hardlink_to(outside)
    os.mkfifo(root / "pipe")
    for name in ("link", "loop", "hard", "pipe"):
        write(root / name, [b"new"], 0o644, root=root)
        assert (root / name).read_bytes() == b"new"
        assert not (root / name).is_symlink()
    assert outside.read_bytes() == b"secret\n"
    with pytest.raises(IsADirectoryError):
        write(root / "package", [b"new"], 0o644, root=root)


def test_nothing_is_written_through_a_link_out_of_the_project(root):
    outside = root.parent / "outside"
    (root / "in").symlink_to("package")
    (root / "out").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    write(root / "in" / "a.txt", [b"a"], 0o644, root=root)
    assert (root / "package" / "a.txt").read_bytes() == b"a"
    for folder in ("out", "out/more", "package/../out"):
        with pytest.raises(OSError, match="leads out of the project"):
            write(root / folder / "a.txt", [b"a"], 0o644, root=root)
    with pytest.raises(OSError, match=r"loop|levels|Not a directory"):
        write(root / "loop" / "a.txt", [b"a"], 0o644, root=root)
    assert [path.name for path in outside.iterdir()] == ["code.py"]
    # The user named this folder.
    write(outside / "new" / "a.txt", [b"a"], 0o644, root=root)
    assert (outside / "new" / "a.txt").read_bytes() == b"a"


def test_a_folder_swapped_for_a_link_at_any_time_is_not_written_through(root):
    folder, aside, outside = root / "package", root / "aside", root.parent / "outside"
    done = threading.Event()
    # `write_file` may create the folder again at any step.
    steps = (
        lambda: folder.rename(aside),
        lambda: folder.symlink_to(outside),
        folder.unlink,
        lambda: aside.rename(folder),
        lambda: shutil.rmtree(aside),
    )

    def swap():
        while not done.is_set():
            for step in steps:
                with contextlib.suppress(OSError):
                    step()

    thread = threading.Thread(target=swap)
    thread.start()
    written = 0
    try:
        for _ in range(1000):
            with contextlib.suppress(OSError):
                write(folder / "new.py", [b"new"], 0o644, root=root)
                written += 1
    finally:
        done.set()
        thread.join()
    assert written
    assert [path.name for path in outside.iterdir()] == ["code.py"]
