"""Manifests that nothing reads: `default` names them, and `strict` does not pass."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support import tools
from support.command import check
from support.kept import keep

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
    return (
        f'[scanners.trivy]\npath = "{tools.trivy()}"\ncache-dir = "{folder}"\n'
        "skip-db-update = true\n"
    )


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
    reasons = [one["values"] for one in said.report["gate"][place] if one["kind"] == "unread"]
    assert {one["title"]: one["inputs"] for one in reasons} == {
        title: [path] for title, path in UNREAD.items()
    }
    assert said.code == code
    assert said.run("trivy")["status"] == "ok"
    assert "conda locks" in said.out


def test_without_trivy_nothing_reads_another_language(make_project: Make) -> None:
    keep(Path(os.environ["SCANAGG_CACHE_DIR"]), [])
    project = make_project({"requirements.txt": "widget==1.0\n", "go.mod": GO})
    argv = ("--offline", "--only", "pip-audit")
    assert check(project, *argv).notices["unread"]["inputs"] == ["go.mod"]
    assert check(project, *argv, "--policy", "strict").code == 3
