"""Configuration is loaded strictly: every mistake has a file, a line and a remedy."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from support.repository import git

from scanagg.core.errors import ConfigError
from scanagg.core.git import Git
from scanagg.project.trusted import Committed, WorkTree
from scanagg.scanners.base import scanner_infos
from scanagg.scanners.config import Settings, load_settings


@pytest.fixture(autouse=True)
def no_program_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the variable by which other tests hide an optional scanner."""
    monkeypatch.delenv("SCANAGG_BETTERLEAKS_PATH", raising=False)


def load(folder: Path, text: str, name: str = "scanagg.toml") -> Settings:
    (folder / name).write_text(text, encoding="utf-8")
    return load_settings(folder, scanner_infos())


def test_without_a_file_everything_is_left_to_defaults(tmp_path: Path) -> None:
    assert load_settings(tmp_path, scanner_infos()) == Settings()


def test_a_pyproject_without_our_table_is_none_of_ours(tmp_path: Path) -> None:
    assert load(tmp_path, "[project]\nname = 'x'\n", "pyproject.toml") == Settings()


def test_both_places_mean_the_same(tmp_path: Path) -> None:
    keys = 'policy = "strict"\nexclude = ["docs/"]\njobs = 2\ntimeout = 9.5\npython = ".venv"\n'
    own = load(tmp_path, keys)
    (tmp_path / "scanagg.toml").unlink()
    shared = load(tmp_path, f"[tool.scanagg]\n{keys}", "pyproject.toml")
    assert (own.policy, own.exclude, own.jobs, own.timeout) == ("strict", ("docs/",), 2, 9.5)
    assert own.python == tmp_path / ".venv"
    assert shared.exclude == own.exclude
    assert (own.source, shared.source) == ("scanagg.toml", "pyproject.toml")


def test_a_scanners_keys_reach_it(tmp_path: Path) -> None:
    text = (
        '[scanners.pip-audit]\nosv-url = "http://127.0.0.1:1/v1/query"\nservice = "osv"\n'
        'timeout = 5\nargs = ["--verbose"]\n'
    )
    found = load(tmp_path, text).scanners["pip-audit"]
    assert found.options == {"osv-url": "http://127.0.0.1:1/v1/query", "service": "osv"}
    assert (found.timeout, found.args) == (5, ("--verbose",))


def test_options_may_be_written_as_numbers_and_truth_values(tmp_path: Path) -> None:
    text = "[scanners.detect-secrets]\nmax-file-bytes = 10\nfile-timeout = 1.5\n"
    options = load(tmp_path, text).scanners["detect-secrets"].options
    assert options == {"max-file-bytes": "10", "file-timeout": "1.5"}
    text = "[scanners.trivy]\nskip-db-update = true\n"
    assert load(tmp_path, text).scanners["trivy"].options == {"skip-db-update": "true"}


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("polcy = 'x'\n", "scanagg.toml:1: polcy: unknown key", "Did you mean policy?"),
        ("\n\njobs = 'two'\n", "scanagg.toml:3: jobs: Expected `int", "Change"),
        ("jobs = 0\n", "scanagg.toml:1: jobs: 0 is not above 0", "above 0"),
        ("timeout = inf\n", "timeout: inf is not above 0", "above 0"),
        ("exclude = 'docs'\n", "scanagg.toml:1: exclude: Expected `array`", "Change"),
        (
            "[scanners.bandid]\n",
            "scanagg.toml:1: scanners.bandid: unknown key",
            "Did you mean bandit?",
        ),
        (
            "[scanners.trivy]\ncache = 'x'\n",
            "scanagg.toml:2: scanners.trivy.cache",
            "cache-dir",
        ),
        (
            "[scanners.trivy]\npath = '/usr/bin/env'\n",
            "scanagg.toml:2: scanners.trivy.path",
            "export SCANAGG_TRIVY_PATH=",
        ),
        ("[scanners.trivy]\nargs = 'x'\n", "scanagg.toml:2: scanners.trivy.args", "Change"),
        ("[scanners.trivy]\ntimeout = -1\n", "scanners.trivy.timeout: -1", "above 0"),
        ("[scanners.trivy]\ncache-dir = []\n", "not a single value", "a string"),
        ("[scanners]\ntrivy = 1\n", "scanagg.toml:1: scanners", "Change"),
        ("output-dir = '/etc'\n", "scanagg.toml:1: output-dir", "--output-dir"),
        ("output-dir = '../x'\n", "outside the project", "inside the project"),
        ('output-dir = "a\\u0000b"\n', "outside the project", "inside the project"),
        ('policy = "a\\u0000b"\n', "scanagg.toml:1: policy: a path", "NUL"),
        ("exclude = ['!']\n", "scanagg.toml:1: exclude: invalid pattern '!'", ".gitignore"),
        ("jobs = = 2\n", "scanagg.toml:1: not valid TOML", "syntax"),
        (
            "a." * 200 + "b = 1\n",
            "scanagg.toml:1: not valid TOML: a key has 100 parts",
            "syntax",
        ),
        ("jobs = " + "[" * 5000, "scanagg.toml: not valid TOML: nested too deeply", "syntax"),
    ],
)
def test_a_mistake_is_an_error_with_its_place(
    tmp_path: Path, text: str, message: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        load(tmp_path, text)
    assert message in raised.value.message
    assert hint in f"{raised.value.message} {raised.value.hint}"


@pytest.mark.parametrize(
    ("scanner", "args"),
    [
        ("detect-secrets", ["-p", "plug.py"]),
        ("detect-secrets", ["--plugin=plug.py"]),
        ("detect-secrets", ["--plug", "plug.py"]),
        ("detect-secrets", ["--exclude-lines", "x", "-p", "plug.py"]),
        ("bandit", ["-o", "/tmp/x"]),
        ("bandit", ["evil.py"]),
        ("bandit", ["-lll", "evil.py", "evil.py"]),
        ("trivy", ["--output", "/tmp/x"]),
        ("trivy", ["--module-dir=."]),
        ("licenses", ["--python=evil"]),
        ("pip-audit", ["--fix"]),
    ],
)
def test_arguments_that_could_run_or_write_something_are_refused(
    tmp_path: Path, scanner: str, args: list[str]
) -> None:
    with pytest.raises(ConfigError, match="is not allowed"):
        load(tmp_path, f"[scanners.{scanner}]\nargs = {args!r}\n")


def test_arguments_that_only_choose_are_taken_with_their_values(tmp_path: Path) -> None:
    text = "[scanners.bandit]\nargs = ['-lll', '--skip', 'B101,B105', '--severity-level=high']\n"
    assert len(load(tmp_path, text).scanners["bandit"].args) == 4


def test_only_the_environment_names_a_program(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    program = tmp_path / "pip-audit"
    found = load_settings(
        tmp_path / "project",
        scanner_infos(),
        environ={"SCANAGG_PIP_AUDIT_PATH": str(program), "SCANAGG_TRIVY_PATH": ""},
    )
    assert {name: settings.path for name, settings in found.scanners.items()} == {
        "pip-audit": program
    }


@pytest.mark.parametrize("path", ["bin/trivy", "trivy", "{root}/evil", "{link}", "/a\0b"])
def test_a_program_of_the_project_is_refused(tmp_path: Path, path: str) -> None:
    root, link = tmp_path / "project", tmp_path / "trivy"
    root.mkdir()
    link.symlink_to(root / "evil")
    named = path.format(root=root, link=link)
    with pytest.raises(ConfigError, match=r"^SCANAGG_TRIVY_PATH: "):
        load_settings(root, scanner_infos(), environ={"SCANAGG_TRIVY_PATH": named})


def test_a_scanner_s_own_configuration_is_a_file_of_the_project(tmp_path: Path) -> None:
    text = "[scanners.bandit]\nconfig = '{}'\n"
    (tmp_path / "bandit.yml").write_text("skips: [B101]\n")
    assert load(tmp_path, text.format("bandit.yml")).scanners["bandit"].config == (
        "skips: [B101]\n"
    )
    os.mkfifo(tmp_path / "pipe.yml")
    (tmp_path / "link.yml").symlink_to("/dev/zero")
    for name, reason in {
        "none.yml": "the project has no file none.yml",
        "pipe.yml": "is not a regular file",
        "link.yml": "leads out of the project",
        "/etc/hostname": "leads out of the project",
    }.items():
        with pytest.raises(ConfigError, match=reason):
            load(tmp_path, text.format(name))


def test_two_configurations_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.scanagg]\n")
    with pytest.raises(ConfigError, match="configure scanagg"):
        load(tmp_path, "jobs = 1\n")


def test_a_table_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a table"):
        load(tmp_path, "[tool]\nscanagg = 1\n", "pyproject.toml")


def test_a_file_that_is_no_utf8_or_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "scanagg.toml").write_bytes(b"policy = '\xff'")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_settings(tmp_path, scanner_infos())


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux's /proc")
def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    # A regular file that not even root can read from its start.
    (tmp_path / "scanagg.toml").symlink_to("/proc/self/mem")
    with pytest.raises(ConfigError, match="leads out of the project"):
        load_settings(tmp_path, scanner_infos())


def test_what_is_no_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "scanagg.toml").mkdir()
    with pytest.raises(ConfigError, match=r"cannot read scanagg\.toml: is not a regular file"):
        load_settings(tmp_path, scanner_infos())


def test_the_configuration_of_a_commit_is_read_whatever_the_work_tree_says(
    make_project: Callable[..., Path],
) -> None:
    root = make_project({"scanagg.toml": "jobs = 2\nexclude = ['docs/']\n"})
    files = Committed(Git(root), git(root, "rev-parse", "HEAD").strip())
    (root / "scanagg.toml").write_text("jobs = 9\nexclude = ['**']\n")
    (root / "pyproject.toml").write_text("[tool.scanagg]\njobs = 9\n")
    settings = load_settings(root, scanner_infos(), files=files)
    assert (settings.jobs, settings.exclude) == (2, ("docs/",))
    assert load_settings(root / "x", scanner_infos(), files=WorkTree(root / "x")) == Settings()


def test_a_mistake_in_a_committed_configuration_has_its_line(
    make_project: Callable[..., Path],
) -> None:
    root = make_project({"pyproject.toml": "[project]\n[tool.scanagg]\nplicy = 'x'\n"})
    files = Committed(Git(root), git(root, "rev-parse", "HEAD").strip())
    (root / "pyproject.toml").unlink()
    with pytest.raises(ConfigError, match=r"^pyproject\.toml:3: plicy: unknown key"):
        load_settings(root, scanner_infos(), files=files)
