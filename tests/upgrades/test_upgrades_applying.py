"""Upgrades are applied, also by real lockers; a failure leaves all files unchanged."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import tools
from support.lockers import fake, index, on_path, use_only_index
from upgrade_samples import package, upgrade

from scanagg.core.errors import OutputError
from scanagg.core.process import Stop
from scanagg.model import Package, Scope
from scanagg.upgrades import applying
from scanagg.upgrades.applying import StepState, UpgradeStep, apply
from scanagg.upgrades.proof import Bench
from scanagg.upgrades.ways import goals_of, ways

Make = Callable[..., Path]

PACKAGES = {
    "libalpha": {"1.0": ["libdeep>=1"], "1.1": ["libdeep>=1"], "2.0": ["libdeep>=2"]},
    "libdeep": {"1.0": [], "1.1": [], "2.0": []},
    "libstuck": {"1.0": ["libdeep<2"], "1.1": ["libdeep<2"]},
    "libdev": {"1.0": [], "1.1": []},
}


@pytest.fixture(scope="module")
def packages() -> Iterator[str]:
    """An index on this machine with a few tiny packages."""
    with index(PACKAGES) as url:
        yield url


@pytest.fixture
def offline_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packages: str) -> str:
    """An empty home folder, and lockers that use only the local index."""
    home = tmp_path / "home"
    use_only_index(
        *(monkeypatch, home, packages),
        UV_NO_CONFIG="1",
        UV_PYTHON_DOWNLOADS="never",
        PDM_PYPI_URL=packages,
        PIPENV_PYPI_MIRROR=packages,
        WORKON_HOME=str(home / "envs"),
    )
    return packages


def bench(root: Path, **more: object) -> Bench:
    return Bench(root, Stop(), os.environ, **more)  # type: ignore[arg-type]


PROOFS = (StepState.PROVEN, StepState.UNPROVEN)


def steps(
    root: Path, *wanted: tuple[Package, str], proof: StepState | None = None, **more: object
) -> list[UpgradeStep]:
    """Make upgrades, and return the steps without the proofs, which are all as expected."""
    goals = goals_of([upgrade(one, to) for one, to in wanted])
    found = list(apply(ways(root, goals), bench(root, **more)))
    proofs = {one.state for one in found if one.state in PROOFS}
    assert proof is None or proofs == {proof}
    return [one for one in found if one.state not in PROOFS]


def told(found: list[UpgradeStep]) -> list[tuple[StepState, str]]:
    return [(one.state, one.text) for one in found]


def content(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def version(root: Path, lock: str, name: str) -> str:
    """Return the version in a lock, found in its text without code of scanagg."""
    text = (root / lock).read_text("utf-8")
    found = re.search(rf'(?m)^name = "{name}"\nversion = "([^"]+)"', text)
    assert found
    return found[1]


# Files that people write.


def test_all_pins_of_a_file_in_one_go(make_project: Make) -> None:
    text = "# keep\r\nAlpha[x] == 1.0 ; python_version > '3'  # why\r\nbeta==1.0\r\n"
    root = make_project({"requirements.txt": text, "c.txt": "alpha===1.0\n"}, git_=False)
    alpha = package("alpha", "1.0", "requirements.txt:2", "c.txt:1")
    beta = package("beta", "1.0", "requirements.txt:3")
    found = steps(root, (alpha, "2.0"), (beta, "1.1"))
    assert {one.state for one in found} == {StepState.DONE}
    assert content(root) == {
        "c.txt": b"alpha===2.0\n",
        "requirements.txt": text.replace("== 1.0", "== 2.0").replace("==1.0", "==1.1").encode(),
    }


def test_one_version_in_two_spellings(make_project: Make) -> None:
    root = make_project({"requirements.txt": "lib==1.0\nlib[x]==1.0.0\n"}, git_=False)
    lines = ("1.0", "requirements.txt:1"), ("1.0.0", "requirements.txt:2")
    found = steps(root, *((package("lib", *one), "2.0") for one in lines))
    assert {one.state for one in found} == {StepState.DONE}
    assert (root / "requirements.txt").read_text() == "lib==2.0\nlib[x]==2.0\n"


def test_two_versions_in_one_file(make_project: Make) -> None:
    text = "lib==1.0; python_version < '3'\nlib==2.0; python_version >= '3'\n"
    root = make_project({"requirements.txt": text}, git_=False)
    old = package("lib", "1.0", "requirements.txt:1")
    new = package("lib", "2.0", "requirements.txt:2")
    steps(root, (old, "1.5"), (new, "2.5"))
    assert content(root)["requirements.txt"].decode() == text.replace(".0;", ".5;")


def test_a_file_that_changed_meanwhile_is_not_touched(make_project: Make) -> None:
    root = make_project({"requirements.txt": "lib==1.0\n", "more.txt": "lib==1.0\n"}, git_=False)
    lib = package("lib", "1.0", "requirements.txt:1", "more.txt:1")
    found = ways(root, goals_of([upgrade(lib, "2.0")]))
    (root / "requirements.txt").write_text("lib==1.5\n")
    done = [one for one in apply(found, bench(root)) if one.state not in PROOFS]
    assert [one.state for one in done] == [StepState.DONE, StepState.FAILED]
    assert "no longer pins lib 1.0" in done[1].reason
    assert content(root) == {"more.txt": b"lib==2.0\n", "requirements.txt": b"lib==1.5\n"}


def test_one_file_that_cannot_be_written_does_not_cost_the_others(make_project: Make) -> None:
    root = make_project({"a.txt": "lib==1.0\n", "b.txt": "lib==1.0\n"}, git_=False)
    (root / "a.txt").chmod(0o444)
    found = steps(root, (package("lib", "1.0", "a.txt:1", "b.txt:1"), "2.0"))
    assert [one.state for one in found] == [StepState.FAILED, StepState.DONE]
    assert "a.txt is read-only" in found[0].reason
    assert content(root) == {"a.txt": b"lib==1.0\n", "b.txt": b"lib==2.0\n"}


# Real lockers.

UV_PROJECT = """\
[project]
name = "demo"
version = "0.1"
requires-python = ">=3.11"
dependencies = [
  {}
]
"""


def locked(root: Path, *argv: object) -> None:
    """Run a real locker to make the first lock."""
    from subprocess import run  # noqa: PLC0415

    done = run([str(word) for word in argv], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_uv_locks_and_the_pins_it_goes_by(
    make_project: Make, monkeypatch: pytest.MonkeyPatch, offline_home: str
) -> None:
    uv = tools.locker("uv")
    on_path(monkeypatch, uv)
    first = UV_PROJECT.format('"libalpha==1.0", # why\n  "libdeep==1.0"')
    root = make_project({"pyproject.toml": first}, git_=False)
    locked(root, uv, "lock")
    then = first.replace('"libdeep==1.0"', '"libdev>=1"')
    (root / "pyproject.toml").write_text(then)
    locked(root, uv, "lock")
    assert version(root, "uv.lock", "libdeep") == "1.0"
    asked = package("", "", "pyproject.toml:6").places
    alpha = package("libalpha", "1.0", "uv.lock:1", asked=asked, chain=("libalpha",))
    deep = package("libdeep", "1.0", "uv.lock:2", asked=asked, chain=("libalpha", "libdeep"))
    found = steps(root, (alpha, "1.1"), (deep, "1.1"), proof=StepState.PROVEN)
    assert told(found) == [
        (StepState.DONE, "pyproject.toml:6: libalpha==1.0 -> libalpha==1.1"),
        (StepState.DONE, "uv.lock: libalpha 1.0 -> 1.1"),
        (StepState.DONE, "uv.lock: libdeep 1.0 -> 1.1"),
    ]
    assert version(root, "uv.lock", "libdeep") == "1.1"
    assert (root / "pyproject.toml").read_text() == then.replace("==1.0", "==1.1")


def test_uv_workspace_pins_of_a_member(
    make_project: Make, monkeypatch: pytest.MonkeyPatch, offline_home: str
) -> None:
    """The lock is at the top and the pin in a member: both change, or neither."""
    uv = tools.locker("uv")
    on_path(monkeypatch, uv)
    top = UV_PROJECT.format('"libdev>=1"') + '[tool.uv.workspace]\nmembers = ["parts/*"]\n'
    part = UV_PROJECT.format('"libstuck==1.0"').replace("demo", "part")
    files = {"pyproject.toml": top, "parts/one/pyproject.toml": part}
    root = make_project(files, git_=False)
    locked(root, uv, "lock")
    before = content(root)
    stuck = package("libstuck", "1.0", "uv.lock:1", "parts/one/pyproject.toml:6")
    (failed,) = steps(root, (stuck, "9.9"))
    assert failed.state is StepState.FAILED
    assert content(root) == before
    done = steps(root, (stuck, "1.1"))
    assert [one.state for one in done] == [StepState.DONE, StepState.DONE]
    assert version(root, "uv.lock", "libstuck") == "1.1"
    assert b'"libstuck==1.1"' in content(root)["parts/one/pyproject.toml"]


def test_an_input_that_includes_another(
    make_project: Make, monkeypatch: pytest.MonkeyPatch, offline_home: str
) -> None:
    uv = tools.locker("uv")
    on_path(monkeypatch, uv)
    files = {"requirements.in": "-r base.in\nlibdev\n", "base.in": "libalpha==1.0\n"}
    root = make_project(files, git_=False)
    locked(root, uv, "pip", "compile", "--generate-hashes", "requirements.in", "-o", "r.txt")
    alpha = package("libalpha", "1.0", "base.in:1", "r.txt:3")
    assert [one.state for one in steps(root, (alpha, "1.1"))] == [StepState.DONE, StepState.DONE]
    assert content(root)["base.in"] == b"libalpha==1.1\n"
    assert "libalpha==1.1 " in (root / "r.txt").read_text()


def test_uv_that_finds_no_way_leaves_all_and_the_rest_is_done(
    make_project: Make, monkeypatch: pytest.MonkeyPatch, offline_home: str
) -> None:
    uv = tools.locker("uv")
    on_path(monkeypatch, uv)
    text = UV_PROJECT.format('"libstuck==1.0",\n  "libdev==1.0"')
    root = make_project({"pyproject.toml": text}, git_=False)
    locked(root, uv, "lock", "--upgrade-package", "libdeep==1.0")
    deep = package("libdeep", "1.0", "uv.lock:2", chain=("libstuck", "libdeep"))
    stuck = package("libstuck", "1.0", "uv.lock:2", "pyproject.toml:6")
    dev = package("libdev", "1.0", "uv.lock:3", "pyproject.toml:7")
    before = content(root)
    alone = steps(root, (deep, "2.0"))
    assert [one.state for one in alone] == [StepState.FAILED]
    assert "uv failed (exit code 1)" in alone[0].reason
    assert "uv.lock is unchanged" in alone[0].reason
    assert content(root) == before
    found = steps(root, (deep, "2.0"), (dev, "1.1"), (stuck, "9.9"))
    assert [one.state for one in found] == [
        StepState.FAILED,
        StepState.DONE,
        StepState.DONE,
        StepState.FAILED,
    ]
    assert version(root, "uv.lock", "libdev") == "1.1"
    assert (root / "pyproject.toml").read_text() == text.replace("libdev==1.0", "libdev==1.1")


@pytest.mark.parametrize("tool", ["uv", "pip-compile"])
def test_compiled_requirements(
    tool: str, make_project: Make, monkeypatch: pytest.MonkeyPatch, offline_home: str
) -> None:
    program = tools.locker(tool)
    on_path(monkeypatch, program)
    root = make_project({"requirements.in": "libalpha==1.0\nlibdev\n"}, git_=False)
    (root / "requirements.txt").write_text("libdev==1.0\nlibdeep==1.0\n")
    words = ("pip", "compile") if tool == "uv" else ()
    output = ("requirements.in", "--generate-hashes", "-o", "requirements.txt")
    locked(root, program, *words, *output)
    alpha = package("libalpha", "1.0", "requirements.in:1", "requirements.txt:1")
    deep = package("libdeep", "1.0", "requirements.txt:1")
    found = steps(root, (alpha, "1.1"), (deep, "1.1"), proof=StepState.PROVEN)
    assert told(found) == [
        (StepState.DONE, "requirements.in:1: libalpha==1.0 -> libalpha==1.1"),
        (StepState.DONE, "requirements.txt: libalpha 1.0 -> 1.1"),
        (StepState.DONE, "requirements.txt: libdeep 1.0 -> 1.1"),
    ]
    text = (root / "requirements.txt").read_text()
    assert re.findall(r"(?m)^lib\S+==\S+", text) == ["libalpha==1.1", "libdeep==1.1", "libdev==1.0"]
    assert "--hash=sha256:" in text


def test_poetry(make_project: Make, monkeypatch: pytest.MonkeyPatch, offline_home: str) -> None:
    poetry = tools.locker("poetry")
    on_path(monkeypatch, poetry)
    text = (
        "[tool.poetry]\npackage-mode = false\n[tool.poetry.dependencies]\n"
        'python = "^3.11"\nlibalpha = "1.0" # why\nlibdeep = "1.0"\n'
        f'[[tool.poetry.source]]\nname = "local"\nurl = "{offline_home}"\npriority = "primary"\n'
    )
    root = make_project({"pyproject.toml": text}, git_=False)
    locked(root, poetry, "lock", "-n")
    (root / "pyproject.toml").write_text(text.replace('libdeep = "1.0"\n', ""))
    locked(root, poetry, "lock", "-n")
    alpha = package("libalpha", "1.0", "poetry.lock:1", "pyproject.toml:5")
    deep = package("libdeep", "1.0", "poetry.lock:1")
    found = steps(root, (alpha, "1.1"), (deep, "1.1"))
    # Poetry cannot be given a version: it picks the newest that is allowed.
    assert told(found) == [
        (StepState.DONE, "pyproject.toml:5: libalpha=1.0 -> libalpha=1.1"),
        (StepState.DONE, "poetry.lock: libalpha 1.0 -> 1.1"),
        (StepState.DONE, "poetry.lock: libdeep 1.0 -> 2.0"),
    ]


def test_pdm(make_project: Make, monkeypatch: pytest.MonkeyPatch, offline_home: str) -> None:
    pdm = tools.locker("pdm")
    on_path(monkeypatch, pdm)
    first = UV_PROJECT.format('"libalpha==1.0", "libdeep==1.0"')
    first += '[dependency-groups]\ntest = [\n  "libdev==1.0",\n]\n'
    root = make_project({"pyproject.toml": first}, git_=False)
    monkeypatch.setenv("PDM_USE_VENV", "0")
    monkeypatch.setenv("PDM_CHECK_UPDATE", "0")
    locked(root, pdm, "lock")
    (root / "pyproject.toml").write_text(first.replace(', "libdeep==1.0"', ""))
    locked(root, pdm, "lock", "--update-reuse")
    alpha = package("libalpha", "1.0", "pdm.lock:1", "pyproject.toml:6")
    deep = package("libdeep", "1.0", "pdm.lock:1")
    dev = package("libdev", "1.0", "pdm.lock:1", "pyproject.toml:10")
    found = steps(root, (alpha, "1.1"), (deep, "1.1"), (dev, "1.1"), proof=StepState.PROVEN)
    assert told(found) == [
        (StepState.DONE, "pyproject.toml:6: libalpha==1.0 -> libalpha==1.1"),
        (StepState.DONE, "pyproject.toml:10: libdev==1.0 -> libdev==1.1"),
        (StepState.DONE, "pdm.lock: libalpha 1.0 -> 1.1"),
        (StepState.DONE, "pdm.lock: libdeep 1.0 -> 2.0"),
        (StepState.DONE, "pdm.lock: libdev 1.0 -> 1.1"),
    ]


def test_pipenv(make_project: Make, monkeypatch: pytest.MonkeyPatch, offline_home: str) -> None:
    pipenv = tools.locker("pipenv")
    on_path(monkeypatch, pipenv)
    text = (
        f'[[source]]\nname = "local"\nurl = "{offline_home}"\nverify_ssl = false\n'
        '[packages]\nlibalpha = "==1.0" # why\n[dev-packages]\nlibdev = {version = "==1.0"}\n'
    )
    root = make_project({"Pipfile": text}, git_=False)
    locked(root, pipenv, "lock")
    alpha = package("libalpha", "1.0", "Pipfile.lock:1", "Pipfile:6")
    dev = package("libdev", "1.0", "Pipfile.lock:1", "Pipfile:8", scope=Scope.DEV)
    found = steps(root, (alpha, "1.1"), (dev, "1.1"), proof=StepState.PROVEN)
    assert told(found) == [
        (StepState.DONE, "Pipfile:6: libalpha==1.0 -> libalpha==1.1"),
        (StepState.DONE, "Pipfile:8: libdev==1.0 -> libdev==1.1"),
        (StepState.DONE, "Pipfile.lock: libalpha 1.0 -> 1.1"),
        (StepState.DONE, "Pipfile.lock: libdev 1.0 -> 1.1"),
    ]
    assert (root / "Pipfile").read_text() == text.replace("==1.0", "==1.1")


# Stand-ins for lockers that fail, because real ones do not fail on demand.

LOCK = '[[package]]\nname = "lib"\nversion = "1.0"\n'
NEW = LOCK.replace("1.0", "2.0")


@pytest.fixture
def failing(make_project: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """A project with a uv.lock, and a uv that runs the given script."""

    def make(script: str) -> Path:
        text = '[project]\ndependencies = [\n  "lib==1.0",\n]\n'
        root = make_project({"uv.lock": LOCK, "pyproject.toml": text}, git_=False)
        on_path(monkeypatch, fake(tmp_path / "bin", "uv", script))
        return root

    return make


LIB = package("lib", "1.0", "uv.lock:1", "pyproject.toml:3")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo half > uv.lock; echo oops https://me:hunter2@x >&2; exit 2", "oops https://x"),
        ("echo why >&2; echo See the docs >&2; exit 2", "failed (exit code 2): why"),
        ("rm uv.lock pyproject.toml", "uv.lock does not exist"),
        ("echo '[' > uv.lock", "cannot be parsed"),
        ("rm uv.lock; mkfifo uv.lock", "is not a file"),
        ("echo half > uv.lock; kill -9 $$", "exit code -9"),
        ("echo half > uv.lock; sleep 60", "took more than 1 s"),
        ("true", "keeps lib at 1.0"),
        ('sed -i \'s/"1.0"/"0.9"/\' uv.lock', "downgrades it to 0.9"),
    ],
)
def test_a_locker_that_fails_leaves_all_as_it_was(failing: Make, script: str, reason: str) -> None:
    root = failing(script)
    before = content(root)
    (found,) = steps(root, (LIB, "2.0"), seconds=1.0)
    assert found.state is StepState.FAILED
    assert reason in found.reason
    assert "secret" not in found.reason
    assert content(root) == before


def test_a_locker_that_works_and_needs_the_pin(failing: Make) -> None:
    root = failing(
        f"grep -q 'lib==2.0' pyproject.toml && printf '%s' '{NEW}' > uv.lock; env > seen"
    )
    assert [one.state for one in steps(root, (LIB, "2.0"))] == [StepState.DONE, StepState.DONE]
    assert "lib==2.0" in (root / "pyproject.toml").read_text()
    assert (root / "uv.lock").read_text() == NEW


def test_a_locker_sees_how_to_reach_its_index_and_nothing_else(
    failing: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_INDEX_LOCAL_PASSWORD", "x")
    monkeypatch.setenv("GITHUB_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", "/evil")
    root = failing(f"printf '%s' '{NEW}' > uv.lock; env > seen; pwd >> seen")
    steps(root, (LIB, "2.0"))
    seen = (root / "seen").read_text()
    assert "UV_INDEX_LOCAL_PASSWORD" in seen
    assert "GITHUB_TOKEN" not in seen
    assert "PYTHONPATH" not in seen
    assert seen.endswith(f"{root.resolve()}\n")


def test_a_package_that_is_not_needed_any_more(failing: Make) -> None:
    root = failing("printf '' > uv.lock")
    assert steps(root, (LIB, "2.0"))[-1].text == "uv.lock: lib 1.0 -> no longer needed"


def test_several_where_one_is_refused(failing: Make) -> None:
    """The locker refuses all upgrades together; one by one, the others succeed."""
    root = failing(
        'case "$*" in *bad*) exit 1;; esac\n'
        f"printf '%s' '{NEW}' > uv.lock; cat bad.part >> uv.lock"
    )
    (root / "bad.part").write_text(LOCK.replace("lib", "bad"))
    bad = package("bad", "1.0", "uv.lock:1")
    found = steps(root, (bad, "2.0"), (LIB, "2.0"))
    assert [one.state for one in found] == [StepState.FAILED, StepState.DONE, StepState.DONE]


def test_a_locker_that_is_not_there(make_project: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    text = '[project]\ndependencies = [\n  "lib==1.0",\n]\n'
    root = make_project({"uv.lock": LOCK, "pyproject.toml": text}, git_=False)
    inside = fake(root / "bin", "uv", "touch ran")
    monkeypatch.setenv("PATH", f"{inside.parent}{os.pathsep}bin{os.pathsep}")
    monkeypatch.chdir(root)
    before = content(root)
    (found,) = steps(root, (LIB, "2.0"))
    assert found == UpgradeStep(
        StepState.LEFT,
        "pyproject.toml:3: lib==1.0 -> lib==2.0; uv lock --upgrade-package lib==2.0",
        "uv is not installed outside the project",
    )
    assert content(root) == before


def test_a_header_that_is_not_run_unseen(make_project: Make) -> None:
    header = "# autogenerated by uv\n#    uv pip compile -i http://x.invalid a.in -o r.txt\n"
    files = {"r.txt": f"{header}lib==1.0 --hash=sha256:0\n", "a.in": "lib\n"}
    root = make_project(files, git_=False)
    (found,) = steps(root, (package("lib", "1.0", "r.txt:3"), "2.0"))
    assert found.state is StepState.LEFT
    assert found.text.endswith("--upgrade-package lib==2.0")
    assert "does not run" in found.reason


def test_a_lock_that_is_a_link_out_of_the_project(failing: Make, tmp_path: Path) -> None:
    root = failing(f"printf '%s' '{NEW}' > uv.lock")
    outside = tmp_path / "outside.lock"
    (root / "uv.lock").replace(outside)
    goals = goals_of([upgrade(LIB, "2.0")])
    found = ways(root, goals)
    assert not found.jobs
    (root / "uv.lock").write_text(LOCK)
    late = ways(root, goals)
    (root / "uv.lock").unlink()
    (root / "uv.lock").symlink_to(outside)
    (step,) = apply(late, bench(root))
    assert "outside the project" in step.reason
    assert outside.read_text() == LOCK


def test_a_pin_that_cannot_be_edited_stops_the_locker(failing: Make) -> None:
    root = failing(f"printf '%s' '{NEW}' > uv.lock; touch ran")
    (root / "pyproject.toml").chmod(0o444)
    (found,) = steps(root, (LIB, "2.0"))
    assert "pyproject.toml is read-only; uv.lock is unchanged" in found.reason
    assert not (root / "ran").exists()


def test_a_pin_of_a_source_that_is_in_no_lock_is_edited_by_itself(failing: Make) -> None:
    root = failing(f"printf '%s' '{NEW}' > uv.lock")
    (root / "pyproject.toml").write_text('[project]\ndependencies = [\n  "lib==1.0", "x==1",\n]\n')
    found = steps(root, (LIB, "2.0"), (package("x", "1", "pyproject.toml:3"), "2"))
    assert [one.state for one in found] == [StepState.DONE] * 3
    assert '"lib==2.0", "x==2"' in (root / "pyproject.toml").read_text()


def test_after_an_interruption_nothing_more_is_run(failing: Make) -> None:
    root = failing("touch ran")
    stop = Stop()
    stop.interrupt()
    goals = goals_of([upgrade(LIB, "2.0")])
    (found,) = apply(ways(root, goals), Bench(root, stop, os.environ))
    assert (found.state, found.reason) == (StepState.FAILED, "stopped before it started")
    assert not (root / "ran").exists()


def test_an_interruption_between_two(failing: Make) -> None:
    root = failing("exit 1")
    stop = Stop()
    both = goals_of([upgrade(LIB, "2.0"), upgrade(package("b", "1", "uv.lock:1"), "2")])
    found = apply(ways(root, both), Bench(root, stop, os.environ))
    assert next(found).state is StepState.FAILED
    stop.interrupt()
    assert next(found).reason == "stopped before it started"


def test_what_cannot_be_made_what_it_was_is_said(failing: Make) -> None:
    root = failing("rm uv.lock; mkdir uv.lock; exit 1")
    with pytest.raises(OutputError, match=r"cannot restore uv\.lock"):
        steps(root, (LIB, "2.0"))
    assert "lib==1.0" in (root / "pyproject.toml").read_text()
    shutil.rmtree(root / "uv.lock")


def test_a_program_that_cannot_be_started(failing: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    root = failing("true")
    monkeypatch.setattr(applying, "find_program", lambda *_: "/nowhere/uv")
    (found,) = steps(root, (LIB, "2.0"))
    assert "could not be started" in found.reason
