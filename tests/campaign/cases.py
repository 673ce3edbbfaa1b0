"""The hostile and broken projects: each kind with its relatives."""

import json
import os
from collections.abc import Callable
from functools import partial

from campaign.scene import CODE, PIN, SECRET, Case, Scene

CASES: list[Case] = []


def _case(kind: str, name: str, add: Callable[[Scene], object]) -> None:
    CASES.append(Case(kind, name, add))


def _plant(kind: str, name: str, path: str, content: str | bytes, scanner: str) -> None:
    """Add a case of one file with something that blocks."""
    _case(kind, name, lambda scene: scene.plant(path, content, scanner))


# -- git: nothing that the repository configures runs ----------------------------------------------

PROGRAM_KEYS = (
    *("core.fsmonitor", "core.sshCommand", "core.pager", "core.editor", "core.gitProxy"),
    *("core.askPass", "diff.external", "credential.helper", "gpg.program", "sequence.editor"),
    *("filter.x.clean", "filter.x.smudge", "filter.x.process", "diff.x.textconv", "diff.x.command"),
    *("merge.x.driver", "alias.status", "alias.ls-files", "uploadpack.packObjectsHook"),
    *(
        "remote.origin.uploadpack",
        "pager.ls-files",
        "interactive.diffFilter",
        "core.alternateRefsCommand",
    ),
)


def _git_key(key: str, scene: Scene) -> None:
    scene.write("tracked.txt", "x\n")
    scene.write(".gitattributes", "* filter=x diff=x merge=x\n")
    scene.git("add", "tracked.txt", ".gitattributes")
    scene.git("commit", "-qm", "x")
    scene.git("config", key, f"{scene.touch} #")
    if key.endswith("process"):
        scene.git("config", "filter.x.required", "true")
    scene.write("tracked.txt", "y\n")
    os.utime(scene.project / "tracked.txt", (1, 1))


for key in PROGRAM_KEYS:
    _case("git-config", key, partial(_git_key, key))


def _git_include(scene: Scene) -> None:
    scene.write("included", f"[core]\n\tfsmonitor = {scene.touch}\n")
    scene.git("config", "include.path", str(scene.project / "included"))


def _git_hooks(scene: Scene) -> None:
    for name in ("post-index-change", "post-checkout", "pre-commit", "fsmonitor-watchman"):
        scene.program(f"hooks/{name}")
    scene.git("config", "core.hooksPath", "hooks")
    scene.git("config", "core.fsmonitor", "true")


def _bare(work_tree: str, scene: Scene) -> None:
    scene.plant("sub/bad.py", CODE, "bandit")
    scene.write("sub/HEAD", "ref: refs/heads/main\n")
    scene.write("sub/config", f"[core]\n\tbare = false\n\tworktree = {work_tree}\n"
                f"\tfsmonitor = {scene.touch}\n")  # fmt: skip
    scene.write("sub/info/exclude", "bad.py\n")
    scene.write("sub/objects/x")
    scene.write("sub/refs/x")
    scene.below = "sub"
    scene.planted = {"bad.py"}


def _git_file(scene: Scene) -> None:
    scene.codes |= {2}
    scene.plant("bad.py", CODE, "bandit")
    scene.write("evil/HEAD", "ref: refs/heads/main\n")
    scene.write("evil/config", f"[core]\n\tfsmonitor = {scene.touch}\n")
    scene.write("evil/info/exclude", "bad.py\n")
    scene.write("evil/objects/x")
    scene.write("evil/refs/x")
    (scene.project / ".git").rename(scene.project / "old-git")
    scene.write(".git", "gitdir: evil\n")


_case("git", "include.path", _git_include)
_case("git", "hooks", _git_hooks)
_case("git", "bare repository", partial(_bare, "."))
_case("git", "bare repository of the parent", partial(_bare, ".."))
_case("git", "gitdir in the project", _git_file)

# -- the environment: no program of the project runs -----------------------------------------------


def _venv(name: str, config: str, scene: Scene) -> None:
    for python in ("python", "python3", "python3.11"):
        scene.program(f"{name}/bin/{python}")
    scene.write(f"{name}/pyvenv.cfg", config)
    site = (
        f"{name}/lib/python3.11/site-packages" if "version" in config else f"{name}/site-packages"
    )
    scene.write(f"{site}/x-1.dist-info/METADATA", "Name: x\nVersion: 1\n")
    scene.scanners.add("licenses")


for name in (".venv", "venv", "env"):
    _case("venv", f"{name}, empty", partial(_venv, name, ""))
    _case("venv", f"{name}, like a real one", partial(_venv, name, "version = 3.11.7\n"))


def _python_of_config(scene: Scene) -> None:
    _venv("env", "", scene)
    scene.write("pyproject.toml", '[tool.scanagg]\npython = "env/bin/python3.11"\n')
    scene.codes |= {2}


def _path(first: str, scene: Scene) -> None:
    for name in ("git", "trivy", "python", "python3", "pip", "bandit", "pip-audit", "sh", "uv"):
        scene.program(f"{'' if first == '.' else first + '/'}{name}")
    place = first if first == "." else str(scene.project / first)
    scene.env["PATH"] = f"{place}{os.pathsep}{os.environ['PATH']}"
    scene.scanners |= {"trivy", "bandit"}


def _pythonpath(module: str, scene: Scene) -> None:
    scene.write(f"{module}.py", f"import os\nos.system({scene.touch!r})\n")
    scene.env["PYTHONPATH"] = "."


_case("venv", "named by the configuration", _python_of_config)
for first in (".", "bin", ".venv/bin", "node_modules/.bin"):
    _case("PATH", first, partial(_path, first))

for module in ("json", "secrets", "typer", "bandit", "msgspec", "subprocess", "yaml"):
    _case("PYTHONPATH", module, partial(_pythonpath, module))

# -- files that are none ---------------------------------------------------------------------------

READ = (
    *("requirements.txt", "pyproject.toml", ".gitignore", "a.py", ".secrets.baseline", "Pipfile"),
    *("policies/waivers.yml", "policies/baseline.json", "policies/scanagg.key", "setup.cfg"),
    *("scanagg.toml", ".gitattributes", "uv.lock", ".venv/pyvenv.cfg", ".trivyignore", ".bandit"),
)


def _fifo(path: str, scene: Scene) -> None:
    place = scene.write(path)
    place.unlink()
    os.mkfifo(place)
    scene.codes |= {2}


def _folder(path: str, scene: Scene) -> None:
    scene.write(f"{path}/x")
    scene.codes |= {2}


def _link_to(path: str, target: str, scene: Scene) -> None:
    scene.link(path, target.replace("OUTSIDE", str(scene.outside)))
    scene.codes |= {2}


for path in READ:
    _case("fifo", path, partial(_fifo, path))
    _case("folder", path, partial(_folder, path))
    for target in ("/dev/zero", "OUTSIDE/file.txt", "nowhere", path.rpartition("/")[2]):
        _case("link", f"{path} to {target}", partial(_link_to, path, target))
for name in ("METADATA", "direct_url.json", "RECORD", "LICENSE"):
    inside = f".venv/lib/python3.11/site-packages/x-1.dist-info/{name}"

    def _in_venv(add: Callable[[Scene], object], scene: Scene) -> None:
        scene.write(".venv/pyvenv.cfg", "version = 3.11.7\n")
        scene.write(
            ".venv/lib/python3.11/site-packages/y-1.dist-info/METADATA", "Name: y\nVersion: 1"
        )
        add(scene)
        scene.scanners.add("licenses")

    for target in ("/dev/zero", "/proc/self/fd/0", "OUTSIDE/file.txt"):
        _case(
            "venv-link", f"{name} to {target}", partial(_in_venv, partial(_link_to, inside, target))
        )
    _case("venv-fifo", name, partial(_in_venv, partial(_fifo, inside)))
_case("link", "folder out of the project", partial(_link_to, "src", "OUTSIDE"))
_case("link", "folder of itself", partial(_link_to, "src/loop", ".."))


def _sparse(path: str, scene: Scene) -> None:
    with scene.write(path, CODE).open("r+b") as file:
        file.truncate(5 << 30)
    if path == "pyproject.toml":  # the configuration cannot be read
        scene.codes |= {2}


def _deep(scene: Scene) -> None:
    scene.write("/".join(["d"] * 300) + "/a.py", CODE)


def _many(scene: Scene) -> None:
    for number in range(2000):
        scene.write(f"many/{number}.txt", "x\n")


for path in ("a.py", "requirements.txt", "pyproject.toml", "data.bin", "uv.lock", ".gitignore"):
    _case("huge", path, partial(_sparse, path))
_case("huge", "300 folders deep", _deep)
_case("huge", "2,000 files", _many)

# -- names -----------------------------------------------------------------------------------------

NAMES = (
    *("\x1b]0;title\x07.py", "\x1b[2J.py", "::error::x.py", "a\n::error::x.py", "##[add-mask]x.py"),
    *("\u202egnp.py", "$(touch ran).py", "`touch ran`.py", "-rf.py", "--help.py", "a\rb.py"),
    *(
        "\udcff\udcfe.py",
        "a\u2028b.py",
        "<script>alert(1)<\\script>.py",
        "x" * 240 + ".py",
        "\x9b1m.py",
    ),
    *(
        "a\n##[error]b.py",
        " ::warning::c.py",
        "a\x00b.py".replace("\0", "\x01"),
        "|a|b|.py",
        "];a.py",
    ),
)


def _named(name: str, scene: Scene) -> None:
    place = scene.project / name
    place.write_text(CODE)
    scene.scanners.add("bandit")


for name in NAMES:
    _case("name", ascii(name)[:40], partial(_named, name))
_case("name", "a secret", partial(_named, f"{SECRET}.py"))


def _secret_in_folder(scene: Scene) -> None:
    scene.write(f"{SECRET}/a.py", CODE)
    scene.scanners.add("bandit")


def _secret_in_manifest(scene: Scene) -> None:
    address = f"https://u:{SECRET}@h.invalid/x.zip"
    scene.write("requirements.txt", f"{PIN}\nx @ {address}\n???{SECRET}\n--pip={SECRET}\n")
    scene.scanners.add("pip-audit")


_case("name", "a secret in a folder", _secret_in_folder)
_case("name", "a secret in a manifest", _secret_in_manifest)

# -- text that looks like something else -----------------------------------------------------------

LEAK = f"#!/bin/sh\nexport TOKEN={SECRET}\n"
ENCODINGS: dict[str, bytes] = {
    "NUL": LEAK.encode() + b"\0\n",
    "NUL first": b"\0" + LEAK.encode(),
    "Latin-1 and a control byte": b"# caf\xe9 \x01\n" + LEAK.encode(),
    "UTF-16": LEAK.encode("utf-16"),
    "UTF-16 without a mark": LEAK.encode("utf-16-le"),
    "UTF-16, big end, without a mark": LEAK.encode("utf-16-be"),
    "UTF-32": LEAK.encode("utf-32"),
    "UTF-8 with a mark": b"\xef\xbb\xbf" + LEAK.encode(),
    "old line ends": LEAK.replace("\n", "\r").encode(),
    "a long line": LEAK.encode() + b"x" * 3_000_000 + b"\n",
    "invalid UTF-8": b"\xff\xfe\xfd " + LEAK.encode(),
}
for name, raw in ENCODINGS.items():
    for path in ("deploy.sh", ".env", "settings.conf"):
        _plant("text", f"{name} in {path}", path, raw, "detect-secrets")

CELL = {"cell_type": "code", "source": CODE.splitlines(keepends=True), "outputs": []}
NOTEBOOK = json.dumps({"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
PYTHON = {
    "bin/run": f"#!/usr/bin/env python3\n{CODE}",
    "bin/run2": f"#!/usr/bin/python3 -u\n{CODE}",
    "a.pyw": CODE,
    "n.ipynb": NOTEBOOK,
    "wscript": f"#!/usr/bin/env python\n{CODE}",
}
for path, text in PYTHON.items():
    _plant("python", path, path, text, "bandit")


def _linked_code(name: str, scene: Scene) -> None:
    scene.write("data.txt", CODE)
    scene.link(name, "data.txt")
    scene.planted.add(name)
    scene.scanners.add("bandit")


for name in ("n.py", "pkg.py", "n.pyw"):
    _case("python", f"link {name}", partial(_linked_code, name))
for line in (
    "# coding: utf-7",
    "# -*- coding: rot13 -*-",
    "# coding: nonsense",
    "# coding: utf-16",
):
    _plant("python", line, "a.py", f"{line}\n{CODE}", "bandit")

# -- manifests -------------------------------------------------------------------------------------

MANIFESTS = {
    "environment.yml": f"dependencies:\n  - pip:\n    - {PIN}\n",
    "requirements.lock": f"{PIN}\n",
    "reqs.txt": f"{PIN}\n",
    "dev-reqs.txt": f"{PIN}\n",
    "deps.txt": f"{PIN}\n",
    "requirements.pip": f"{PIN}\n",
    "requirements.prod": f"{PIN}\n",
    "requirements/authors.txt": f"{PIN}\n",
    "requirements/base.in": f"{PIN}\n",
    "REQUIREMENTS.TXT": f"{PIN}\n",
    "script.py": f'# /// script\n# dependencies = ["{PIN}"]\n# ///\n',
    "tox.ini": f"[testenv]\ndeps =\n    {PIN}\n",
    ".pre-commit-config.yaml": "repos:\n  - repo: https://h.invalid/x\n    rev: v1\n    hooks:\n"
    f"      - id: a\n        additional_dependencies: [{PIN}]\n",
    "Dockerfile": f"FROM python:3.12\nRUN pip install {PIN}\n",
    "pyproject.toml": f'[project]\nname = "p"\nversion = "1"\ndependencies = ["{PIN}"]\n',
    "setup.py": f"from setuptools import setup\nsetup(name='p', install_requires=['{PIN}'])\n",
    "pixi.toml": '[project]\nname = "p"\n[pypi-dependencies]\nflawed-widget = "==1.0"\n',
    "conda-lock.yml": "version: 1\npackage:\n  - name: flawed-widget\n    version: '1.0'\n"
    "    manager: pip\n",
    "Pipfile": '[packages]\nflawed-widget = "==1.0"\n',
}
for path, text in MANIFESTS.items():
    _plant("manifest", path, path, text, "pip-audit")
for name, text in {
    "requires of the build": f'[build-system]\nrequires = ["{PIN}"]\n',
    "hatch environments": f'[tool.hatch.envs.default]\ndependencies = ["{PIN}"]\n',
    "PEP 735 groups": f'[dependency-groups]\ndev = ["{PIN}"]\n',
    "poetry": '[tool.poetry.dependencies]\nflawed-widget = "1.0"\n',
}.items():
    _plant("manifest", name, "pyproject.toml", text, "pip-audit")


def _dynamic(scene: Scene) -> None:
    scene.plant("list.txt", f"{PIN}\n", "pip-audit")
    scene.write(
        "pyproject.toml",
        """[project]
name = "p"
version = "1"
dynamic = ["dependencies"]
[tool.setuptools.dynamic]
dependencies = {file = ["list.txt"]}
""",
    )


_case("manifest", "dynamic dependencies", _dynamic)

# -- bombs -----------------------------------------------------------------------------------------

DEEP = 100_000
BOMBS: dict[str, tuple[str, str]] = {
    "waivers of brackets": ("policies/waivers.yml", "[" * DEEP),
    "waivers of anchors": ("policies/waivers.yml", "a: &a [x, x]\nb: &b [*a, *a]\n" * 9),
    "baseline of brackets": ("policies/baseline.json", "[" * DEEP),
    "configuration of brackets": ("scanagg.toml", "a = " + "[" * DEEP),
    "dots": ("pyproject.toml", "a." * DEEP + "a = 1\n"),
    "project of brackets": ("pyproject.toml", "a = " + "[" * DEEP),
    "digits": ("pyproject.toml", "a = " + "9" * DEEP),
    "lock of brackets": ("Pipfile.lock", '{"a":' * DEEP),
    "requirement of brackets": ("requirements.txt", "a; " + "(" * DEEP),
    "includes itself": ("requirements.txt", "-r requirements.txt\n" * 900),
    "digits in a version": ("requirements.txt", "a==" + "9" * DEEP + "\n"),
    "python of brackets": ("deep.py", "x = " + "(" * DEEP),
    "python of operators": ("deep.py", "x = " + "-" * DEEP + "1"),
    "secrets of brackets": (".secrets.baseline", '{"results":' * DEEP),
    "stars in .gitignore": (".gitignore", "*a" * 30 + "b\n"),
    "ranges in .gitignore": (".gitignore", "[a-9]\n[[:x:]\n[\n\\\n"),
    "stars in the configuration": ("scanagg.toml", f'exclude = ["{"*a" * 30}b"]\n'),
    "regex": ("requirements.txt", "a[" + "b," * 50_000 + "]==1\n"),
    "notebook of brackets": ("n.ipynb", '{"cells":[' * DEEP),
}


def _bomb(path: str, text: str, scene: Scene) -> None:
    scene.write(path, text)
    scene.write("a" * 100, "x\n")
    scene.codes |= {2}
    if path.endswith((".txt", ".toml", ".lock")):
        scene.scanners |= {"pip-audit", "bandit"}


for name, (path, text) in BOMBS.items():
    _case("bomb", name, partial(_bomb, path, text))

# -- scanners that lie -----------------------------------------------------------------------------

VERSION = 'case "$*" in *--version*) echo \'{"Version": "0.66.0"}\'; exit 0;; esac\n'


def _printing(answer: object) -> str:
    return f"echo '{json.dumps(answer)}'"


ANSWERS = {
    "prints nothing": "exit 0",
    "prints garbage": "head -c 9999 /dev/urandom",
    "prints deep JSON": "printf '{\"SchemaVersion\":2,\"X\":'; yes '[' | head -100000",
    "dies": "kill -9 $$",
    "fails": "echo 'FATAL it failed' >&2; exit 1",
    "hangs": "sleep 1000",
    "hangs in a child": "sleep 1000 & sleep 1000",
    "claims to be clean": _printing({"SchemaVersion": 2, "Results": []}),
    "claims another file": _printing(
        {"SchemaVersion": 2, "Results": [{"Target": "z.py", "Class": "secret"}]}
    ),
    "prints commands": "printf '::error::a\\n##[error]b\\n\\033[2J' >&2; exit 1",
    "prints a secret": f"echo 'FATAL {SECRET}' >&2; exit 1",
    "prints 200 MB": "head -c 200000000 /dev/zero",
    "prints forever": "yes",
    "names paths outside": _printing(
        {"SchemaVersion": 2, "Results": [{"Target": "../../etc/passwd"}]}
    ),
}


def _lying(script: str, scene: Scene) -> None:
    tools = scene.folder / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "trivy").write_text(f"#!/bin/sh\n{VERSION}{script}\n")
    (tools / "trivy").chmod(0o755)
    scene.env["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"
    scene.plant("b.py", f"token = '{SECRET}'\n", "trivy")


for name, script in ANSWERS.items():
    _case("scanner", name, partial(_lying, script))


def _missing(scene: Scene) -> None:
    scene.plant("b.py", f"token = '{SECRET}'\n", "trivy")
    scene.env["PATH"] = "/usr/bin:/bin"


_case("scanner", "missing", _missing)


def _misspelt(scene: Scene) -> None:
    scene.argv += ["--only", "bandti"]
    scene.codes = {2}


_case("scanner", "misspelt", _misspelt)

# -- damaged data ----------------------------------------------------------------------------------


def _replaced(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    return lambda raw: raw.replace(old, new)


STORES: dict[str, Callable[[bytes], bytes]] = {
    "a name": _replaced(b"package flawed-widget", b"package flawed-widgeu"),
    "a version": _replaced(b'"fixed":"2.0"', b'"fixed":"0.0"'),
    "the metadata": _replaced(b'"records"', b'"records"'),
    "the header": lambda raw: raw[:20] + b"\xff" + raw[21:],
    "the schema": _replaced(b"CREATE TABLE bucket", b"CREATE TABLE bocket"),
    "truncated": lambda raw: raw[: len(raw) // 2],
    "emptied": lambda _raw: b"",
    "text": lambda _raw: b"not a database",
}


def _damaged(change: Callable[[bytes], bytes], scene: Scene) -> None:
    path = scene.cache / "advisories" / "osv.sqlite"
    path.write_bytes(change(path.read_bytes()))
    scene.plant("requirements.txt", f"{PIN}\n", "pip-audit")


def _store_is(make: Callable[[str], object], scene: Scene) -> None:
    path = scene.cache / "advisories" / "osv.sqlite"
    path.unlink()
    make(str(path))
    scene.plant("requirements.txt", f"{PIN}\n", "pip-audit")


for name, change in STORES.items():
    _case("store", name, partial(_damaged, change))
_case("store", "a FIFO", partial(_store_is, os.mkfifo))
_case("store", "a folder", partial(_store_is, os.mkdir))
_case("store", "a dangling link", partial(_store_is, partial(os.symlink, "nowhere")))

# -- where it writes -------------------------------------------------------------------------------


def _output_dir(scene: Scene) -> None:
    scene.link("x", scene.outside)
    scene.write("scanagg.toml", 'output-dir = "x/y"\n')
    scene.codes |= {2}


_case("write", "output-dir of the configuration", _output_dir)


def _shell(command: str, scene: Scene) -> None:
    scene.shell = command


OUTPUTS = {
    "stdout closed": '"$@" >&-',
    "stderr closed": '"$@" 2>&-',
    "both closed": '"$@" >&- 2>&-',
    "stdin closed": '"$@" <&-',
    "a full disk": '"$@" >/dev/full',
    # The exit code is that of the check.
    "a reader that ends": 'f=$(mktemp); { "$@"; echo $? >"$f"; } | head -1; exit $(cat "$f")',
}
for name, command in OUTPUTS.items():
    _case("output", name, partial(_shell, command))


def _variable(name: str, value: str, scene: Scene) -> None:
    scene.env[name] = value


for variable, value in {
    "PYTHONWARNINGS": "error",
    "PYTHONOPTIMIZE": "2",
    "PYTHONIOENCODING": "ascii",
    "LC_ALL": "C",
    "PYTHONHASHSEED": "0",
    "TMPDIR": "/nonexistent",
    "COLUMNS": "1",
    "PYTHONUTF8": "0",
    "GITHUB_EVENT_PATH": "/dev/zero",
}.items():
    _case("environment", f"{variable}={value}", partial(_variable, variable, value))
_case("environment", "little memory", partial(_shell, 'ulimit -v 2000000; "$@"'))
_case("environment", "few files", partial(_shell, 'ulimit -n 30; "$@"'))
