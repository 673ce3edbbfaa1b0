"""What `fix --apply` writes can be installed, or all files are as before."""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from support import tools
from support.lockers import fake, index, use_only_index
from upgrade_samples import package, upgrade

from scanagg.core.process import Stop
from scanagg.model import Package
from scanagg.upgrades.applying import StepState, UpgradeStep, apply
from scanagg.upgrades.proof import Bench, Proof, ProofState, prove
from scanagg.upgrades.ways import goals_of, ways

Make = Callable[..., Path]

PACKAGES = {
    "libalpha": {"1.0": ["libdeep>=1"], "2.0": ["libdeep>=2"]},
    "libdeep": {"1.0": [], "2.0": []},
    "libstuck": {"1.0": ["libdeep<2"], "1.1": ["libdeep<2"]},
    "libpre": {"1.0rc1": []},
}
ALPHA = package("libalpha", "1.0", "requirements.txt:1")
STUCK = package("libstuck", "1.0", "requirements.txt:2")
FITS = "libalpha==1.0\n"
CONFLICT = "libalpha==1.0\nlibstuck==1.0\n"


@pytest.fixture(scope="module")
def packages() -> Iterator[str]:
    """An index on this machine with a few tiny packages."""
    with index(PACKAGES) as url:
        yield url


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packages: str) -> Path:
    """An empty home folder, and settings of uv and pip with only the local index."""
    home = tmp_path / "home"
    use_only_index(monkeypatch, home, packages, UV_HTTP_RETRIES="0")
    return home


def uv() -> str:
    return str(tools.locker("uv"))


def bench(root: Path, program: str | None, stop: Stop | None = None) -> Bench:
    return Bench(root, stop or Stop(), os.environ, seconds=60.0, uv=program)


def made(on: Bench, *wanted: tuple[Package, str]) -> list[UpgradeStep]:
    return list(apply(ways(on.root, goals_of([upgrade(one, to) for one, to in wanted])), on))


def states(steps: list[UpgradeStep]) -> list[str]:
    return [step.state.value for step in steps]


# Pins that people write.


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("tool", ["uv", "pip"])
def test_pins_that_conflict_are_put_back_with_the_reason(
    make_project: Make, monkeypatch: pytest.MonkeyPatch, tool: str
) -> None:
    if tool == "pip":  # its configuration names the index
        monkeypatch.delenv("UV_DEFAULT_INDEX")
    root = make_project({"requirements.txt": CONFLICT}, git_=False)
    (step,) = made(bench(root, uv()), (ALPHA, "2.0"))
    assert step.state is StepState.FAILED
    assert "depends on libdeep<2" in step.reason
    assert "depends on libdeep>=2" in step.reason
    assert (root / "requirements.txt").read_text() == CONFLICT
    (root / "requirements.txt").write_text(FITS)
    assert states(made(bench(root, uv()), (ALPHA, "2.0"))) == ["done", "proven"]
    assert (root / "requirements.txt").read_text() == "libalpha==2.0\n"


@pytest.mark.usefixtures("home")
def test_a_file_is_put_back_byte_for_byte(make_project: Make) -> None:
    raw = b"\xef\xbb\xbflibalpha==1.0 # \xe9\r\nlibstuck==1.0\r\n"
    root = make_project({"pins/all.txt": raw}, git_=False)
    (root / "pins/all.txt").chmod(0o640)
    (root / "requirements.txt").symlink_to("pins/all.txt")
    (step,) = made(bench(root, uv()), (ALPHA, "2.0"))
    assert step.state is StepState.FAILED
    assert (root / "pins/all.txt").read_bytes() == raw
    assert stat.S_IMODE((root / "pins/all.txt").stat().st_mode) == 0o640
    assert os.readlink(root / "requirements.txt") == "pins/all.txt"  # noqa: PTH115
    assert {path.name for path in root.rglob("*")} == {"pins", "all.txt", "requirements.txt"}


@pytest.mark.usefixtures("home")
def test_the_other_goals_are_made(make_project: Make) -> None:
    root = make_project({"requirements.txt": CONFLICT}, git_=False)
    steps = made(bench(root, uv()), (ALPHA, "2.0"), (STUCK, "1.1"))
    assert states(steps) == ["failed", "done", "proven"]
    assert (root / "requirements.txt").read_text() == "libalpha==1.0\nlibstuck==1.1\n"


@pytest.mark.usefixtures("home")
def test_a_version_that_the_index_does_not_have(make_project: Make) -> None:
    root = make_project({"requirements.txt": FITS}, git_=False)
    (step,) = made(bench(root, uv()), (ALPHA, "9.0"))
    assert "no version of libalpha==9.0" in step.reason
    assert (root / "requirements.txt").read_text() == FITS


@pytest.mark.usefixtures("home")
def test_what_did_not_fit_before_is_not_blamed_on_the_change(make_project: Make) -> None:
    text = "libalpha==1.0\nlibdeep==7\n"
    root = make_project({"requirements.txt": text}, git_=False)
    steps = made(bench(root, uv()), (ALPHA, "2.0"))
    assert states(steps) == ["done", "unproven"]
    assert "before the change" in steps[1].reason
    assert (root / "requirements.txt").read_text() == text.replace("1.0", "2.0")


R = "requirements.txt"
ALL = "-r more.txt\n-c limits.txt\nlibalpha==2.0\n"


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("text", "more", "state", "reason"),
    [
        ("libalpha==2.0 # why\n\n", {}, "proven", ""),
        ("libalpha==2.0 \\\n  --hash=sha256:0 \\\n --hash=md5:1\n", {}, "proven", ""),
        (ALL, {"more.txt": "", "limits.txt": ""}, "proven", ""),
        (ALL, {"more.txt": "", "limits.txt": "libdeep<2"}, "refuted", "libdeep<2"),
        (ALL, {"more.txt": "libstuck", "limits.txt": ""}, "refuted", "libdeep<2"),
        ("-rm.txt\n--requirement=m.txt", {"m.txt": "nolib==1"}, "refuted", "nolib"),
        ("--pre\nlibpre", {}, "proven", ""),
        # What would have to be built, or is elsewhere, is left out. No text of it is an option.
        ("-e .\nlibalpha==2.0", {}, "proven", f"{R}:1"),
        ("./here\nx @ https://x.invalid/x.whl\nlibalpha", {}, "proven", f"{R}:1, x"),
        ("libalpha ; extra == 'a\x0c--index-url=http://127.0.0.1:9/'", {}, "open", ""),
        ("libalpha ; extra == '${HOME}'", {}, "open", ""),
        ("-e .", {}, "open", ""),
        ("-i http://x.invalid\nlibalpha", {}, "open", f"{R}:1"),
        ("\n--extra-index-url http://x.invalid\nlibalpha", {}, "open", f"{R}:2"),
        ("-r http://x.invalid/r.txt\nlibalpha", {}, "open", f"{R}:1"),
        ("-r more.txt", {"more.txt": "-f here\nlibalpha"}, "open", "more.txt:1"),
    ],
)
def test_what_a_file_asks_for(
    make_project: Make, text: str, more: Mapping[str, str], state: str, reason: str
) -> None:
    root = make_project({R: text, **more}, git_=False)
    proof = prove(bench(root, uv()), R)
    assert proof.state is ProofState(state)
    assert reason in proof.reason


NEW = 'dependencies = ["libalpha==2.0"]'


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("text", "state"),
    [
        (NEW, "proven"),
        ('dependencies = ["libalpha==2.0", "libstuck"]', "refuted"),
        (f'{NEW}\n[project.optional-dependencies]\na = ["libstuck", "demo[b]"]', "refuted"),
        (f'{NEW}\n[dependency-groups]\na = ["libstuck", {{include-group = "b"}}]', "refuted"),
        ('dependencies = ["libalpha"]\n[[tool.uv.index]]\nurl = "http://x.invalid"', "open"),
        ('dependencies = ["libalpha"]\n[tool.poetry.dependencies]\nlibalpha = "^1"', "open"),
        ("dependencies = [", "open"),
    ],
)
def test_what_a_project_asks_for(make_project: Make, text: str, state: str) -> None:
    head = '[build-system]\nrequires = []\nbuild-backend = "evil"\nbackend-path = ["."]\n'
    evil = "import pathlib; pathlib.Path(__file__).with_name('ran').touch()"
    files = {"pyproject.toml": f'{head}[project]\nname = "demo"\n{text}\n', "evil.py": evil}
    root = make_project(files, git_=False)
    assert prove(bench(root, uv()), "pyproject.toml").state is ProofState(state)
    assert not (root / "ran").exists()


def test_the_project_cannot_choose_the_index_or_the_interpreter(
    make_project: Make, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = 'index-url = "http://127.0.0.1:9/"\n'
    root = make_project({"requirements.txt": FITS, "uv.toml": settings}, git_=False)
    (root / "pyproject.toml").write_text(f"[tool.uv]\n{settings}")
    (home / "tmp").mkdir()
    (home / "tmp/uv.toml").write_text(settings)  # of a neighbour
    monkeypatch.setattr("tempfile.tempdir", str(home / "tmp"))
    python = fake(root / ".venv/bin", "python", f"touch {root}/ran; exit 1")
    (root / ".venv/pyvenv.cfg").write_text(f"home = {python.parent}\n")
    monkeypatch.chdir(root)
    assert prove(bench(root, uv()), "requirements.txt") == Proof(ProofState.PROVEN, "uv")
    assert not (root / "ran").exists()


@pytest.mark.usefixtures("home")
def test_without_an_index_nothing_is_proven_and_the_change_stays(
    make_project: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://me:hunter2@127.0.0.1:9/")
    for program in (uv(), None):
        root = make_project({"requirements.txt": FITS}, git_=False)
        steps = made(bench(root, program), (ALPHA, "2.0"))
        assert states(steps) == ["done", "unproven"]
        assert "hunter2" not in steps[1].reason
        assert (root / "requirements.txt").read_text() == "libalpha==2.0\n"


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("error: No solution found\n cause: Because a depends on b, no. And more.", "refuted"),
        ("No solution found: Because a==2 has no usable wheels", "open"),
        ("No solution found: Because the current Python version (3.11) does not ...", "open"),
        ("No solution found\nhint: ... because the network was disabled", "open"),
        ("error: Request failed", "open"),
    ],
)
def test_only_versions_that_do_not_fit_refute(
    make_project: Make, tmp_path: Path, text: str, state: str
) -> None:
    root = make_project({"requirements.txt": FITS}, git_=False)
    program = fake(tmp_path / "bin", "uv", f"cat >&2 <<'END'\n{text}\nEND\nexit 1")
    assert prove(bench(root, str(program)), "requirements.txt").state is ProofState(state)


# Interruptions.


def test_ctrl_c_puts_a_file_back(make_project: Make, tmp_path: Path) -> None:
    root = make_project({"requirements.txt": FITS}, git_=False)
    script = f"grep -q 2.0 requirements.txt && touch {tmp_path}/seen; kill -INT $PPID; sleep 20"
    with pytest.raises(KeyboardInterrupt):
        made(
            bench(root, str(fake(tmp_path / "bin", "uv", script))),
            (ALPHA, "2.0"),
        )
    assert (tmp_path / "seen").exists()
    assert (root / "requirements.txt").read_text() == FITS


def test_the_deadline_puts_a_file_back(make_project: Make, tmp_path: Path) -> None:
    root = make_project({"requirements.txt": FITS}, git_=False)
    program = str(fake(tmp_path / "bin", "uv", "sleep 20"))
    steps = made(bench(root, program, Stop(0.5)), (ALPHA, "2.0"))
    assert states(steps) == ["failed"]
    assert (root / "requirements.txt").read_text() == FITS


# Locks.

LOCK = '[[package]]\nname = "lib"\nversion = "1.0"\n'
LIB = package("lib", "1.0", "uv.lock:1", "pyproject.toml:3")
PROJECT = '[project]\ndependencies = [\n  "lib==1.0",\n]\n'


@pytest.mark.parametrize(
    ("check", "expected", "version"),
    [
        ("exit 0", ["done", "done", "proven"], "2.0"),
        ("grep -q 1.0 uv.lock", ["failed"], "1.0"),
        ("exit 2", ["done", "done", "unproven"], "2.0"),
        ("kill -INT $PPID; sleep 20", None, "1.0"),
    ],
)
def test_a_lock_is_checked_by_its_tool(
    make_project: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    check: str,
    expected: list[str] | None,
    version: str,
) -> None:
    root = make_project({"all/uv.lock": LOCK, "pyproject.toml": PROJECT}, git_=False)
    (root / "uv.lock").symlink_to("all/uv.lock")
    write = "sed s/1.0/2.0/ uv.lock > new; chmod 600 new; mv new uv.lock"
    script = f'case "$*" in *--check*) {check};; *) {write};; esac'
    monkeypatch.setenv("PATH", f"{fake(tmp_path / 'bin', 'uv', script).parent}:/usr/bin:/bin")
    if expected is None:
        with pytest.raises(KeyboardInterrupt):
            made(bench(root, None), (LIB, "2.0"))
    else:
        assert states(made(bench(root, None), (LIB, "2.0"))) == expected
    assert (root / "uv.lock").read_text() == LOCK.replace("1.0", version)
    assert (root / "pyproject.toml").read_text() == PROJECT.replace("1.0", version)
    if version == "1.0":
        assert (root / "uv.lock").is_symlink()
        assert (root / "all/uv.lock").read_text() == LOCK


OWN = '[project]\nname = "My.App"\ndependencies = ["libalpha", "my-app[more]"]\n'


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({"pyproject.toml": OWN}, ProofState.PROVEN),
        ({"pyproject.toml": f'{OWN}[tool.uv]\nfind-links = ["wheels"]\n'}, ProofState.OPEN),
        # pip accepts these, and scanagg does not read them.
        ({"requirements.txt": "--extra-index http://127.0.0.1:9\nlibalpha\n"}, ProofState.OPEN),
        ({"requirements.txt": "-r a.txt -r b.txt\nlibalpha\n"}, ProofState.OPEN),
        ({"requirements.txt": "--no-binary libdeep\nlibalpha\n"}, ProofState.PROVEN),
    ],
)
def test_only_a_file_that_is_read_whole_is_proven(
    make_project: Make, files: Mapping[str, str], state: ProofState
) -> None:
    root = make_project(files, git_=False)
    assert prove(bench(root, uv()), *files).state is state
