"""The project that `scanagg demo` checks: a small shop with deliberate mistakes.

`shop.txt` has its commits, in the format of `git fast-import`. The branch `vouchers` is under
check, and `main` is its base. `advisories.json` has the vulnerabilities of its packages, in our own
words.
"""

import os
import shutil
import sysconfig
import venv
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

from scanagg.advisories.importing import import_any
from scanagg.core.errors import OutputError, UsageError
from scanagg.core.process import Stop, clean_environment, run
from scanagg.core.text import one_line

BASE: Final = "main"

_BRANCH: Final = "vouchers"
_DATA: Final = Path(__file__).parent
# The file in the git directory that marks a folder as a demonstration.
_MARK: Final = "scanagg-demo"
# Joined when the project is made: no file of scanagg has the whole key.
_KEY: Final = ("sk", "live", "51Nq8wVJk3", "TzYh7Rb0Xc", "M2LpQd9s")
_LICENSES: Final[Mapping[str, str]] = {
    "bottle": "MIT",
    "certifi": "MPL-2.0",
    "pymupdf": "AGPL-3.0-only",
    "pyyaml": "MIT",
}
_GIT_SECONDS: Final = 60.0


def make_project(folder: Path) -> None:
    """Make the project in a folder that is new or empty, or make it again.

    Its files and commits are the same on every machine. Other files in the folder stay. UsageError
    for a folder with anything else, OutputError if git fails.
    """
    try:
        _make(folder)
    except (OSError, ValueError) as error:  # ValueError: a name that no environment can have
        message = f"cannot make the demonstration in {one_line(str(folder))}: {error}"
        raise UsageError(message, "Choose another folder: scanagg demo FOLDER") from error


def _make(folder: Path) -> None:
    git_dir = folder / ".git"
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "Choose another name: scanagg demo FOLDER")
    if git_dir.is_dir() and not git_dir.is_symlink() and (git_dir / _MARK).is_file():
        shutil.rmtree(git_dir)
    elif folder.is_dir() and any(folder.iterdir()):
        message = f"{folder} is not empty, and not a demonstration of scanagg"
        raise UsageError(message, "Choose a new folder: scanagg demo FOLDER")
    # First the mark, so that a run that was killed can be repeated.
    git_dir.mkdir(parents=True)
    (git_dir / _MARK).touch()
    # Without a template, which could add hooks.
    _git(folder, "init", "--quiet", "--template=")
    commits = (_DATA / "shop.txt").read_text("utf-8")
    commits = commits.replace("{stripe key}", f"{_KEY[0]}_{_KEY[1]}_{''.join(_KEY[2:])}")
    _git(folder, "fast-import", "--quiet", "--date-format=rfc2822", stdin=commits.encode())
    _git(folder, "symbolic-ref", "HEAD", f"refs/heads/{_BRANCH}")
    _git(folder, "reset", "--quiet", "--hard")
    _make_environment(folder)


def fill_store(cache: Path, now: datetime) -> None:
    """Store the advisories about the project's packages in a cache folder."""
    import_any(_DATA / "advisories.json", cache, lambda _done, _total: None, now=now)


def _git(folder: Path, *argv: str, stdin: bytes = b"") -> None:
    """Run git in the project, without the configuration of the user and the system."""
    home = str(folder / ".git")
    alone = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = run(
        ("git", *argv),
        cwd=folder,
        env=clean_environment(extra={**alone, "HOME": home, "XDG_CONFIG_HOME": home}),
        tree=folder,
        timeout=_GIT_SECONDS,
        stop=Stop(),
        stdin=stdin,
    )
    if done.returncode != 0:
        error = done.detail or done.stderr.decode(errors="replace") or done.ended.value
        message = f"cannot make the demonstration in {folder}: git {argv[0]}: {one_line(error)}"
        raise OutputError(message, "Check that git is installed, and that the folder is writable.")


def _make_environment(folder: Path) -> None:
    """Make the project's environment, with the metadata of its packages and without their code."""
    environment = folder / ".venv"
    if environment.is_symlink():
        environment.unlink()
    venv.create(environment, clear=True, symlinks=True)
    variables = dict.fromkeys(("base", "platbase", "installed_base"), str(environment))
    packages = Path(sysconfig.get_path("purelib", "venv", vars=variables))
    for line in (folder / "requirements.txt").read_text("utf-8").splitlines():
        requirement = Requirement(line)
        name, version = requirement.name, str(requirement.specifier).removeprefix("==")
        metadata = packages / f"{name}-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(
            f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
            f"License-Expression: {_LICENSES[name]}\n",
            "utf-8",
        )
