"""Manifests that nothing reads: `default` names them, and `strict` does not pass."""

import os
import shutil
import zipapp
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from support.command import check
from support.kept import keep
from support.osv import record

Make = Callable[..., Path]

GO = "module example.com/x\n\ngo 1.22\n\nrequire github.com/pkg/errors v0.9.1\n"
# One file of each kind that nothing here reads, by the title of the kind.
UNREAD = {
    "conda locks": "env/conda-lock.yml",
    "anaconda-project.yml": "anaconda-project.yml",
    "conda recipes": "recipe/meta.yaml",
    "pixi.lock": "px/pixi.lock",
    "noxfile.py": "noxfile.py",
    "buildout configurations": "buildout.cfg",
    "locks of Pex and Pants": "3rdparty/python.lock",
    "package.json": "web/package.json",
    "bun.lock": "other/bun.lock",
    "Cargo.toml": "rust/Cargo.toml",
}
CONTENT = {
    "recipe/meta.yaml": "requirements:\n  run: [numpy]\n",
    "noxfile.py": "def tests(session):\n    session.install('pytest')\n",
    "buildout.cfg": "[versions]\nzope = 1.0\n",
    "3rdparty/python.lock": '{"locked_resolves": []}\n',
    "web/package.json": '{"dependencies": {"left-pad": "1.0.0"}}\n',
    "rust/Cargo.toml": '[dependencies]\nserde = "1"\n',
}
# Read by trivy, or covered by a lock beside them.
READ = {
    "go/go.mod": GO,
    "go/go.sum": "",
    "px/pixi.toml": "",
    "other/package.json": '{"dependencies": {"left-pad": "1.0.0"}}\n',
    "requirements.txt": "widget==1.0\n",
}


@pytest.fixture(scope="module")
def settings(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The configuration of trivy with a database."""
    folder = tmp_path_factory.mktemp("trivy") / "cache"
    shutil.copytree(data_dir / "trivy-cache", folder)
    return f'[scanners.trivy]\ncache-dir = "{folder}"\nskip-db-update = true\n'


def unread_by_title(reasons: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Return the inputs by the title of their kind; without one, by the name of the file."""
    named = [one["values"] for one in reasons if one["kind"] in ("unread", "unread-files")]
    return {
        one.get("title") or PurePosixPath(one["inputs"][0]).name: one["inputs"] for one in named
    }


@pytest.mark.parametrize(
    ("policy", "code", "place"), [("default", 0, "notices"), ("strict", 3, "reasons")]
)
def test_manifests_that_nothing_reads_are_named_once_for_each_kind(
    make_project: Make, settings: str, policy: str, code: int, place: str
) -> None:
    keep(Path(os.environ["SCANAGG_CACHE_DIR"]), [])
    files = {path: CONTENT.get(path, "") for path in UNREAD.values()}
    project = make_project({**files, **READ, "scanagg.toml": settings})
    said = check(project, "--offline", "--only", "pip-audit,trivy", "--policy", policy)
    assert unread_by_title(said.report["gate"][place]) == {
        title: [path] for title, path in UNREAD.items()
    }
    assert said.code == code
    assert said.run("trivy")["status"] == "ok"
    assert "conda locks" in said.out


# One file of each kind that the inventory reads, with the packages that it pins.
PINNED = {
    "requirements.lock": ("a==1\n", ["a"]),
    "dev-reqs.txt": ("b==1\n", ["b"]),
    "deps.list": ("c==1\n", ["c"]),
    "requirements.prod": ("d==1\n", ["d"]),
    "tox.ini": ("[testenv]\ndeps = e==1\n", ["e"]),
    "hatch.toml": ('[envs.x]\ndependencies = ["f==1"]\n', ["f"]),
    ".pre-commit-config.yaml": (
        "repos:\n- repo: x\n  hooks:\n  - {id: x, additional_dependencies: [g==1]}\n",
        ["g"],
    ),
    "pyproject.toml": (
        """\
[build-system]
requires = ["h==1"]
[project]
name = "x"
dynamic = ["dependencies"]
[tool.setuptools.dynamic]
dependencies = {file = "more.list"}
[tool.hatch.envs.x]
dependencies = ["i==1"]
""",
        ["h", "i"],
    ),
    "more.list": ("j==1\n", ["j"]),
    "Dockerfile": ("FROM x:1\nRUN pip install k==1\n", ["k"]),
    "a.ipynb": ('{"cells": [{"cell_type": "code", "source": ["%pip install l==1"]}]}', ["l"]),
}


def test_what_the_inventory_reads_is_audited(make_project: Make, settings: str) -> None:
    names = [name for _, packages in PINNED.values() for name in packages]
    start = {"introduced": "0"}
    bad = [record(f"CVE-2024-1{number:03}", name, start) for number, name in enumerate(names)]
    files = {path: text for path, (text, _) in PINNED.items()}
    keep(Path(os.environ["SCANAGG_CACHE_DIR"]), bad)
    project = make_project({**files, "scanagg.toml": settings})
    said = check(project, "--offline", "--only", "pip-audit,trivy", "--policy", "strict")
    report = said.report
    assert {one["package"]["name"] for one in report["findings"] if one["advisory"]} == set(names)
    assert said.code == 1
    assert {run["scanner"]: run["status"] for run in report["runs"]} == {
        "pip-audit": "ok",
        "trivy": "ok",
    }


def test_without_trivy_nothing_reads_another_language(make_project: Make) -> None:
    keep(Path(os.environ["SCANAGG_CACHE_DIR"]), [])
    project = make_project({"requirements.txt": "widget==1.0\n", "go.mod": GO})
    argv = ("--offline", "--only", "pip-audit")
    assert check(project, *argv).notices["unread-files"]["inputs"] == ["go.mod"]
    assert check(project, *argv, "--policy", "strict").code == 3


@pytest.mark.parametrize(
    ("policy", "code", "place"),
    [
        ("default", 0, "notices"),
        ("pull-request", 0, "notices"),
        ("weekly", 0, "notices"),
        ("strict", 3, "reasons"),
    ],
)
def test_code_that_no_scanner_reads_is_named_once_for_each_kind(
    make_project: Make, policy: str, code: int, place: str
) -> None:
    files = {"a.py": "x = 1\n", "bin/run": "#!/usr/bin/python3\nx = 1\n", "old.pyc": ""}
    project = make_project({**files, "fast.pyx": "cdef int x\n", "_fast.abi3.so": ""})
    (project / "app").mkdir()
    (project / "app" / "__main__.py").write_text("x = 1\n")
    zipapp.create_archive(project / "app", project / "bin" / "tool")
    zipapp.create_archive(project / "app", project / "tool.pyz")
    said = check(project, "--offline", "--only", "bandit", "--policy", policy)
    assert unread_by_title(said.report["gate"][place]) == {
        "Cython code": ["fast.pyx"],
        "compiled Python code": ["_fast.abi3.so", "old.pyc"],
        "zipped Python code": ["bin/tool", "tool.pyz"],
    }
    assert said.code == code
    assert said.run("bandit")["status"] == "ok"


@pytest.mark.parametrize(("policy", "unread"), [("default", "notices"), ("strict", "reasons")])
def test_what_is_no_file_is_a_gap_of_what_reads_its_name(
    make_project: Make, tmp_path: Path, policy: str, unread: str
) -> None:
    keep(Path(os.environ["SCANAGG_CACHE_DIR"]), [])
    files = {"a.py": "x = 1\n", "b/requirements.txt": "widget==1.0\n"}
    project = make_project({**files, "uv.lock": "", "run.pyw": ""})
    outside = tmp_path / "outside"
    outside.write_text("eval(input())\n")
    links = ("app.py", "nb.ipynb", "SConstruct", "go.mod", "fast.pyx", "notes.txt", "c/setup.cfg")
    (project / "c").mkdir()
    for name in links:
        (project / name).symlink_to(outside)
    (project / "requirements.txt").symlink_to("/dev/zero")
    (project / "lost.py").symlink_to("nowhere.py")
    for name in ("uv.lock", "run.pyw"):  # git lists no new pipes
        (project / name).unlink()
        os.mkfifo(project / name)
    said = check(project, "--offline", "--only", "bandit,pip-audit", "--policy", policy)
    gaps = {
        run["scanner"]: {
            gap["input"] for gap in run["coverage"]["not_examined"] if not gap["on_purpose"]
        }
        for run in said.report["runs"]
    }
    assert gaps["bandit"] == {"SConstruct", "app.py", "lost.py", "nb.ipynb", "run.pyw"}
    assert gaps["pip-audit"] == {"c/setup.cfg", "requirements.txt", "uv.lock"}
    assert unread_by_title(said.report["gate"][unread]) == {
        "Cython code": ["fast.pyx"],
        "go.mod": ["go.mod"],
    }
    assert said.code == 3
