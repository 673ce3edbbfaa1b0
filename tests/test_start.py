"""scanagg starts isolated: neither the current folder nor a variable adds code or its end."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.command import plain_environment

import scanagg

# As pip before 24 writes it; newer ones import only sys.
SCRIPT = f"""#!{sys.executable}
import re
import sys
from scanagg.__main__ import main
if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw|\\.exe)?$', '', sys.argv[0])
    sys.exit(main())
"""
SHADOWED = (
    *("json", "secrets", "typing", "pathlib", "subprocess", "click", "typer", "msgspec", "rich"),
    *("bandit", "importlib_metadata", "traceback", "signal", "enum", "shutil", "platformdirs"),
)
VARIABLES = {
    "PYTHONPATH": ".",
    "PYTHONINSPECT": "1",
    "PYTHONWARNINGS": "error",
    "PYTHONUSERBASE": ".",
    "PYTHONPYCACHEPREFIX": ".",
}
ENVIRONMENTS = {
    "nothing": {},
    "absolute": {"PYTHONPATH": "{here}"},
    "among others": {"PYTHONPATH": f"/nowhere{os.pathsep}{os.pathsep}/usr/lib"},
    **{name: {name: value} for name, value in VARIABLES.items()},
    "all": {**VARIABLES, "PYTHONDEVMODE": "1", "PYTHONOPTIMIZE": "2", "PYTHONSTARTUP": "json.py"},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of modules that end Python with success when they are imported; `re` is empty."""
    folder = tmp_path_factory.mktemp("hostile")
    for name in SHADOWED:
        (folder / f"{name}.py").write_text("import os; os._exit(0)\n")
    (folder / "re.py").write_text("")
    script = folder.parent / "scanagg"
    script.write_text(SCRIPT)
    script.chmod(0o755)
    return folder


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_neither_the_folder_nor_a_variable_changes_what_runs(name: str, folder: Path) -> None:
    added = {key: value.format(here=folder) for key, value in ENVIRONMENTS[name].items()}
    start: list[str] = [str(folder.parent / "scanagg")]
    # Without a variable, only `python -m` has the current folder on the import path.
    if name in ("nothing", "PYTHONPATH"):
        start = [sys.executable, "-m", "scanagg"]
    done = subprocess.run(
        [*start, "license", "eval", "MIT"],
        cwd=folder,
        env={**plain_environment(), **added},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[0], done.stderr) == (0, "allow", "")


@pytest.mark.parametrize("variable", ["PYTHONPATH", "PYTHONUSERBASE"])
def test_a_scanagg_that_only_a_variable_names_still_starts(variable: str, tmp_path: Path) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    site = tmp_path / "lib" / f"python{version}" / "site-packages"
    shutil.copytree(Path(scanagg.__file__).parent, site / "scanagg")
    (site / "scanagg" / "__init__.py").write_text('__version__ = "0.0.42"\n')
    (site / "others.pth").write_text("\n".join(filter(os.path.isdir, sys.path)))
    value = f"{site}:{tmp_path}" if variable == "PYTHONPATH" else str(tmp_path)
    python = sys.executable if variable == "PYTHONPATH" else os.path.realpath(sys.executable)
    done = subprocess.run(
        [python, "-m", "scanagg", "--version"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONWARNINGS": "error", variable: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("scanagg 0.0.42\n", "")
