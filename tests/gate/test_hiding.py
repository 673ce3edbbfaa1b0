"""What a change edits, outside of scanagg's rules, that hides files or findings."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.history import write
from support.repository import git

from scanagg.core.git import Git
from scanagg.core.process import Stop
from scanagg.gate.hiding import hiding
from scanagg.model import Reason, Target
from scanagg.project.trusted import Committed

Make = Callable[..., Path]
Read = Callable[[Path], Target]

BEFORE = {
    ".gitattributes": "*.png binary\nold.py linguist-generated\n",
    ".gitignore": "build/\n*.log\n",
    "app/main.py": "X = 1\n",
    "docs/index.md": "",
    "pyproject.toml": '[project]\nname = "p"\n[tool.bandit]\nskips = ["B101"]\n',
    "requirements.txt": "six==1.16.0\n",
    "setup.cfg": "[metadata]\nname = p\n",
}


EDITED = "configuration-edited"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        # Scanners' own configuration, in any folder.
        ({"app/.bandit": "[bandit]\nskips: B307\n"}, [(EDITED, "app/.bandit")]),
        ({"lib/bandit.yaml": "skips: [B307]\n"}, [(EDITED, "lib/bandit.yaml")]),
        ({".trivyignore": "CVE-1\n"}, [(EDITED, ".trivyignore")]),
        ({".secrets.baseline": "{}"}, [(EDITED, ".secrets.baseline")]),
        (
            {"setup.cfg": "[metadata]\nname = q\n[bandit]\nskips = B307\n"},
            [(EDITED, "setup.cfg [bandit]")],
        ),
        (
            {"pyproject.toml": '[project]\nname = "p"\n[tool]\nbandit.skips = ["B307"]\n'},
            [(EDITED, "pyproject.toml [tool.bandit]")],
        ),
        ({"app/tox.ini": "[bandit]\nskips = B307\n"}, [(EDITED, "app/tox.ini [bandit]")]),
        # Attributes.
        (
            {"app/.gitattributes": "*.py linguist-generated=true\n"},
            [("attributes-hide", "app/.gitattributes")],
        ),
        (
            {".gitattributes": "* linguist-vendored\n"},
            [("attributes-hide", ".gitattributes")],
        ),
        (
            {".gitattributes": "*.txt filter=evil\napp export-ignore\n*.py -diff\n"},
            [("attributes-hide", ".gitattributes")],
        ),
        # Ignored files.
        ({".gitignore": "build/\napp/\n"}, [("ignore-hides", ".gitignore")]),
        ({"app/.gitignore": "*\n"}, [("ignore-hides", "app/.gitignore")]),
        ({".gitignore": "uv.lock\n"}, [("ignore-hides", ".gitignore")]),
        ({".gitignore": "requirements*\n"}, [("ignore-hides", ".gitignore")]),
        (
            {".gitignore": "new/\n", "new/data.bin": "1"},
            [("ignore-hides", ".gitignore")],
        ),
        # Nothing of all that.
        (
            {
                ".gitattributes": BEFORE[".gitattributes"] + "*.jpg binary\n*.sh text eol=lf\n",
                ".gitignore": "dist/\n*.log\nbuild/\n.env\n*.egg-info/\n!keep.log\n.venv/\n",
                "app/main.py": "X = 2\n",
                "pyproject.toml": BEFORE["pyproject.toml"].replace('"p"', '"q"'),
                "requirements.txt": "six==1.17.0\n",
                "setup.cfg": "[metadata]\nname = q\n",
                "tox.ini": "[tox]\n",
            },
            [],
        ),
    ],
)
def test_a_change_that_hides_something_is_named(
    make_project: Make,
    read_target: Read,
    change: Mapping[str, str],
    expected: list[tuple[str, str]],
) -> None:
    root = make_project({f"sub/{path}": text for path, text in BEFORE.items()})
    write(root / "sub", change)
    git(root, "add", "-A", "-f")
    for folder, prefix in ((root / "sub", ""), (root, "sub/")):
        before = Committed(Git(folder), "HEAD", "" if prefix else "sub/")
        found = [(one.kind, one.values["path"]) for one in hiding(before, read_target(folder))]
        assert found == [(kind, prefix + path) for kind, path in expected]


def test_an_ignore_file_whose_effect_git_cannot_tell_is_named(
    make_project: Make, read_target: Read
) -> None:
    root = make_project({"app.py": "X = 1\n"})
    write(root, {".gitignore": "*.log\n"})
    target, stop = read_target(root), Stop()
    stop.interrupt()
    found = [*hiding(Committed(Git(root, stop), "HEAD"), target)]
    assert found == [Reason("ignore-edited", {"path": ".gitignore"})]
