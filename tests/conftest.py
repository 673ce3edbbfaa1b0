"""Fixtures that all tests share: the clock, the data folder, projects on disk, their targets."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.locks import environment_with_oldest_pip
from support.repository import commit

from scanagg.core import programs
from scanagg.model import Target
from scanagg.project.target import read_target as read

ROOT = Path(__file__).parent.parent

# A shell ignores Ctrl-C for what it starts in the background, and programs inherit that. Tests
# that interrupt a program need it handled.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Find programs of the environment even if it is not activated when `pytest` starts.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))


@pytest.fixture(scope="session")
def now() -> datetime:
    """Return the time of this run, UTC, in whole seconds. Only this fixture reads the clock.

    Derive dates that the program under test compares with its own clock from this one. Other dates
    are fixed, and go with `--now`.
    """
    return datetime.now(UTC).replace(microsecond=0)  # noqa: TID251


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real advisories and reports, which are not part of the repository."""
    given = os.environ.get("SCANAGG_TEST_DATA")
    folder = Path(given) if given else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no test data: set SCANAGG_TEST_DATA to the folder with pypi-osv.zip")
    return folder


@pytest.fixture(scope="session")
def old_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the oldest pip of a supported Python, to be copied."""
    folder = tmp_path_factory.mktemp("old") / "environment"
    environment_with_oldest_pip(folder)
    return folder


@pytest.fixture(autouse=True)
def private_cache(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep tests away from the user's cache."""
    monkeypatch.setenv("SCANAGG_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True, scope="session")
def no_resolving() -> Iterator[None]:
    """Keep tests away from package indexes. A test that resolves has an index of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCANAGG_NO_RESOLVE", "1")
        for name in list(os.environ):
            if name.startswith(("UV_", "PIP_INDEX", "PIP_EXTRA_INDEX", "PIP_FIND_LINKS")):
                patch.delenv(name)
        yield


@pytest.fixture(autouse=True)
def no_trees_of_other_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what other tests checked: a process runs no programs from a tree that it checks."""
    monkeypatch.setattr(programs, "_TREES", set())


@pytest.fixture(autouse=True, scope="session")
def no_second_engine() -> Iterator[None]:
    """Keep checks in tests from running betterleaks, which is optional, and which takes time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCANAGG_BETTERLEAKS_PATH", "/nonexistent/betterleaks")
        yield


@pytest.fixture(autouse=True, scope="session")
def no_pull_request() -> Iterator[None]:
    """Hide a pull request that CI tests from the projects in tests."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("GITHUB_", "CI_MERGE_REQUEST_", "SCANAGG_PROJECT_KEY")):
                patch.delenv(name)
        yield


@pytest.fixture
def bounded() -> Iterator[None]:
    """Fail a test that needs ten seconds of CPU: its input is for code that is not linear."""

    def fail(*_: object) -> None:
        pytest.fail("hostile input takes more than ten seconds of CPU")

    before = signal.signal(signal.SIGPROF, fail)
    signal.setitimer(signal.ITIMER_PROF, 10)
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[..., Path]:
    """Write files into a new folder and return it; committed to git by default."""

    def make(files: Mapping[str, str | bytes], *, git_: bool = True, name: str = "project") -> Path:
        return commit(tmp_path / name, files, git_=git_)

    return make


@pytest.fixture
def read_target() -> Callable[[Path], Target]:
    """The target of a folder, as the pipeline reads it."""
    return read
