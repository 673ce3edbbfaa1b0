"""Files that a hostile process swaps between the listing and the scan: none is followed."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.drive import context, drive

from scanagg.model import Target
from scanagg.reports.reasons import sentence
from scanagg.scanners import bandit, detect_secrets

KEY = "AKIA" + "QX7BZP2M4T9WJ6LC"
CODE = f'aws = "{KEY}"\neval(aws)\n'


@pytest.mark.parametrize("scanner", [bandit, detect_secrets])
def test_a_file_that_was_swapped_is_a_gap_and_the_others_are_searched(
    scanner: Any,
    make_project: Callable[..., Path],
    read_target: Callable[[Path], Target],
    tmp_path: Path,
) -> None:
    names = ("good.py", "link.py", "zero.py", "pipe.py", "large.py", "folder/below.py")
    root = make_project(dict.fromkeys(names, "x = 1\n"))
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "below.py").write_text(CODE)
    target = read_target(root)
    for name in names[:4]:
        (root / name).unlink()
    (root / "good.py").write_text(CODE)
    (root / "link.py").symlink_to(outside / "below.py")
    (root / "zero.py").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe.py")
    (root / "large.py").write_bytes(b"x = 1\n" * 3_000_000)
    (root / "folder").rename(root / "aside")
    (root / "folder").symlink_to(outside)
    driven = drive(scanner, context(target), tmp_path)
    assert {one.location.path for one in driven.observations if one.location} == {"good.py"}
    assert driven.examined == ["good.py"]
    reasons = {name: sentence(reason) for name, reason in driven.reasons.items()}
    assert "is a symbolic link" in reasons["link.py"]
    assert "is below a symbolic link" in reasons["folder/below.py"]
    assert "larger than" in reasons["large.py"]
    # detect-secrets has a filter for what is no file any more.
    assert {"zero.py", "pipe.py"} <= reasons.keys()
