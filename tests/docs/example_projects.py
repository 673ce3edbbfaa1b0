"""The projects in which the documents' examples run."""

import subprocess
import sysconfig
import venv
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from doc_examples import COMMITTED
from support import records
from support.command import scanagg
from support.repository import git

# In two parts, or a secret scanner would report them here.
_PASSWORD = "correct" + "-horse-battery"
_TOKEN = "c29tZXRoaW5nIHRo" + "YXQgbG9va3MgbGlrZSBhIGtleQ=="

_JOB = '''"""Job number {number}."""

import pickle
import subprocess


def run(command):
    return subprocess.call(command, shell=True)


def load(path):
    with open(path, "rb") as file:
        return pickle.load(file)


def show(expression):
    return eval(expression)
'''

_TRUSTED = """\
import subprocess


def tags(folder):
    return subprocess.run("git tag | sort", shell=True, cwd=folder)
"""


def _write(root: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _commit(root: Path) -> None:
    dates = {f"GIT_{who}_DATE": COMMITTED for who in ("AUTHOR", "COMMITTER")}
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "Start", env=dates)


def old(root: Path) -> None:
    """Years of code, and 200 findings: five in each of 39 jobs, and the rest in the settings."""
    jobs = {f"shop/job_{number:02}.py": _JOB.format(number=number) for number in range(39)}
    settings = f'PASSWORD = "{_PASSWORD}"\nSESSION_KEY = "{_TOKEN}"\n'
    more = (
        "import hashlib\nimport yaml\n\n\n"
        "def digest(text):\n    return hashlib.md5(text).hexdigest()\n\n\n"
        "def read(text):\n    return yaml.load(text)\n\n\n"
        "def check(user):\n    assert user\n"
    )
    _write(
        root,
        {
            **jobs,
            "shop/settings.py": settings,
            "shop/tools.py": more,
            ".gitignore": "reports/\n",
        },
    )
    _commit(root)


def small(root: Path) -> None:
    """Two weak spots in one file."""
    _write(root, {"tools/release.py": _TRUSTED, ".gitignore": "reports/\n"})
    _commit(root)


def licensed(root: Path) -> None:
    """Three packages in an environment, with the licences of their metadata."""
    said = {
        "left-pad": "License-Expression: MIT OR GPL-3.0-only",
        "old-pad": "Classifier: License :: OSI Approved :: BSD License",
        "own-pad": "License: see the contract",
    }
    venv.create(root / ".venv", symlinks=True)
    place = sysconfig.get_path(
        "purelib", "venv", vars={"base": ".venv", "platbase": ".venv", "installed_base": ".venv"}
    )
    metadata = {
        f"{place}/{name.replace('-', '_')}-1.0.dist-info/METADATA": (
            f"Metadata-Version: 2.4\nName: {name}\nVersion: 1.0\n{line}\n"
        )
        for name, line in said.items()
    }
    pins = "".join(f"{name}==1.0\n" for name in said)
    _write(root, {**metadata, "requirements.txt": pins, ".gitignore": ".venv/\n"})
    _commit(root)


def merge(root: Path) -> None:
    """Two branches that both add to the baseline, in the middle of their merge."""
    small(root)
    _on_record(root, "Baseline")
    for branch, name, text in (("left", "a", "import pickle\n"), ("right", "b", "import dill\n")):
        git(root, "switch", "-q", "-c", branch, "main")
        _write(root, {f"tools/{name}.py": text})
        _on_record(root, branch, "--accept", "--owner", "@ops", "--reason", "see later")
    with pytest.raises(subprocess.CalledProcessError):
        git(root, "merge", "-q", "left")


def _on_record(root: Path, message: str, *more: str) -> None:
    done = scanagg("baseline", "write", "--only", "bandit", *more, cwd=root)
    assert done.returncode == 0, done.stderr
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", message)


_API = """\
[project]
name = "api"
version = "1.0"
dependencies = [
  "requests>=2.28",
]
"""
_LOCK = """\
version = 1

[[package]]
name = "api"
version = "1.0"
source = { virtual = "." }
dependencies = [{ name = "requests" }]

[[package]]
name = "requests"
version = "2.31.0"
source = { registry = "https://index.invalid/simple" }
dependencies = [{ name = "urllib3" }]

[[package]]
name = "urllib3"
version = "1.26.4"
source = { registry = "https://index.invalid/simple" }
"""


def api(root: Path) -> None:
    """A package required by another one, two pins of tools, and files of advisories."""
    pins = "jinja2==2.10\nsalt==3000.1\n"
    _write(
        root,
        {
            "pyproject.toml": _API,
            "uv.lock": _LOCK,
            "deploy/requirements.txt": pins,
            ".gitignore": "reports/\n",
        },
    )
    _commit(root)
    _download(root.parent / "download")


def _download(folder: Path) -> None:
    """Facts of real advisories; the scores are made up."""
    records.write_folder(folder / "advisories", _advisories())
    records.write_json(folder / "kev.json", records.kev("CVE-2020-11651", added="2021-11-03"))
    scores = {
        "CVE-2020-11651": (0.94, 0.999),
        "CVE-2019-10906": (0.012, 0.78),
        "CVE-2021-33503": (0.004, 0.6),
        "CVE-2023-43804": (0.003, 0.55),
        "CVE-2023-45803": (0.0005, 0.15),
    }
    records.write_gzip(folder / "epss.csv.gz", records.epss(scores))


def _advisories() -> list[records.Json]:
    return [
        records.osv(
            "PYSEC-2020-102",
            records.affected(
                "salt",
                *({"introduced": "0"}, {"fixed": "2019.2.4"}),
                *({"introduced": "3000"}, {"fixed": "3000.2"}),
            ),
            aliases=["CVE-2020-11651"],
            published="2020-04-30T17:15:00Z",
            summary="Methods of the master's ClearFuncs can be called without a login",
        ),
        *_both(
            ("CVE-2019-10906", "PYSEC-2019-217", "GHSA-462w-v97r-4m45", "2019-04-07T00:29:00Z"),
            "jinja2",
            ("2.10.1",),
            "HIGH",
            "CVSS:3.0/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:N/A:N",
            "The sandbox can be left by str.format_map",
        ),
        *_both(
            ("CVE-2021-33503", "PYSEC-2021-108", "GHSA-q2q7-5pp4-w6pg", "2021-06-01T21:19:32Z"),
            "urllib3",
            ("1.26.5",),
            "HIGH",
            "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H",
            "A long URL authority keeps a regular expression busy",
        ),
        *_both(
            ("CVE-2023-43804", "PYSEC-2023-192", "GHSA-v845-jxx5-vc9f", "2023-10-02T23:27:05Z"),
            "urllib3",
            ("1.26.17", "2.0.6"),
            "MODERATE",
            "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:N",
            "The Cookie header is sent on when a redirect leads to another host",
        ),
        *_both(
            ("CVE-2023-45803", "PYSEC-2023-212", "GHSA-g4mx-q9vg-27p4", "2023-10-17T20:15:00Z"),
            "urllib3",
            ("1.26.18", "2.0.7"),
            "MODERATE",
            "CVSS:3.1/AV:A/AC:H/PR:H/UI:N/S:U/C:H/I:N/A:N",
            "The body of a request is sent on after a redirect with status 303",
        ),
    ]


def _both(
    names: tuple[str, str, str, str],
    package: str,
    fixed: tuple[str, ...],
    label: str,
    vector: str,
    summary: str,
) -> list[records.Json]:
    """Records of PyPA, without a severity, and of GitHub for the same vulnerability."""
    cve, pysec, ghsa, published = names
    starts = ("0", "2.0.0")
    entries = [
        records.affected(package, {"introduced": start}, {"fixed": end})
        for start, end in zip(starts, fixed, strict=False)
    ]
    return [
        records.osv(pysec, *entries, aliases=[cve, ghsa], published=published, summary=summary),
        records.osv(
            ghsa,
            *entries,
            aliases=[cve],
            published=published,
            summary=summary,
            severity=[{"type": "CVSS_V3", "score": vector}],
            database_specific={"severity": label},
        ),
    ]


def nothing(root: Path) -> None:
    """A folder that examples fill themselves."""
    _write(root, {".gitignore": "reports/\n"})
    _commit(root)


PROJECTS: Mapping[str, Callable[[Path], None]] = {
    "shop": old,
    "release": small,
    "licensed": licensed,
    "merge": merge,
    "api": api,
}
"""By the names of sessions; any other one begins with nothing."""


def make(name: str, folder: Path) -> Path:
    """The project of a session, in a new folder of its name."""
    root = folder / name
    root.mkdir(parents=True)
    PROJECTS.get(name, nothing)(root)
    return root
