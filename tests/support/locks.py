"""The locks of this repository, and machines on which they have to install."""

import os
import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import dev
from support.lockers import fake, wheel

DEV, ACTION, LOCKERS = LOCKS = (
    "requirements/dev.txt",
    "requirements/action.txt",
    "requirements/dev-lockers.txt",
)

# The pip that `venv` brings in the first release of each Python that scanagg supports.
OLDEST_PIP = {(3, 11): "22.3", (3, 12): "23.2.1", (3, 13): "24.2", (3, 14): "25.2"}


def pins(lock: str) -> dict[str, str]:
    """Return the name and version of each package that a lock lists for this interpreter."""
    lines = re.findall(r"^([\w.-]+==[^\\]+)", (dev.ROOT / lock).read_text(), re.M)
    listed = [Requirement(line.strip()) for line in lines]
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==")
        for pin in listed
        if pin.marker is None or pin.marker.evaluate()
    }


def environment_with_oldest_pip(folder: Path) -> Path:
    """Make an environment with the oldest pip of a supported Python; return its interpreter."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    if version := OLDEST_PIP.get(sys.version_info[:2]):
        install = ("install", "--quiet", "--disable-pip-version-check", f"pip=={version}")
        subprocess.run([python, "-m", "pip", *install], check=True)
    return python


def python_with_pip_of(environment: Path, folder: Path) -> Path:
    """Write a Python whose `venv` module brings the pip of another environment; return its path."""
    script = f"""
"{sys.executable}" "$@" || exit
for made; do :; done
case "$*" in
  *"-m venv"*)
    rm -r "$made"/lib/python*/site-packages/pip*
    cp -a "{environment}"/lib/python*/site-packages/pip* "$made"/lib/python*/site-packages ;;
esac"""
    return fake(folder, "python", script)


def newer_releases(folder: Path) -> str:
    """Release version 9999 of every locked package; return the PIP_FIND_LINKS that shows them."""
    folder.mkdir()
    for name in {name for lock in LOCKS for name in pins(lock)}:
        distribution = name.replace("-", "_")
        file = folder / f"{distribution}-9999-py3-none-any.whl"
        file.write_bytes(wheel(distribution, "9999", ()))
    return f"{os.environ.get('PIP_FIND_LINKS', '')} {folder}".strip()
