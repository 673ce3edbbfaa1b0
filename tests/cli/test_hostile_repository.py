"""No command runs a program that a repository names, or believes a repository among its files.

Each way by which git's configuration names a program is tried with plain git first, so that the
test knows that it works.
"""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.command import check, scanagg
from support.history import commit, write
from support.repository import git

Make = Callable[..., Path]

CODE = "import pickle\n\n\ndef load(raw):\n    return pickle.loads(raw)\n"
POLICY = (
    "version: 1\ndefault: info\nrules:\n"
    "  - {id: new, match: {category: code, origin: introduced}, action: block}\n"
)
ATTRIBUTES = """\
*.py filter=plain
*.txt filter=process
*.md diff=shown merge=merged
*.log filter=user
"""


@dataclass(frozen=True)
class Way:
    """A way to name a program: configuration with PROGRAM, and a command of git that runs it."""

    configuration: str
    bait: str
    stdin: str = ""


# FOLDER is the one with the programs, MISSING a blob that a partial clone would fetch.
WAYS: Mapping[str, Way] = {
    "clean": Way('[filter "plain"] clean = PROGRAM', "status"),
    "smudge": Way('[filter "plain"] smudge = PROGRAM', "checkout -f other -- app.py"),
    "process": Way('[filter "process"] process = PROGRAM', "status"),
    "fsmonitor": Way("[core] fsmonitor = PROGRAM", "status"),
    "hooks-path": Way("[core] hooksPath = FOLDER/hooks", "update-index --force-write-index"),
    "git-hooks": Way("", "update-index --force-write-index"),
    "editor": Way("[core] editor = PROGRAM", "commit --amend --allow-empty"),
    "sequence-editor": Way("[sequence] editor = PROGRAM", "rebase -f -i HEAD~1"),
    "external-diff": Way("[diff] external = PROGRAM", "diff other"),
    "diff-command": Way('[diff "shown"] command = PROGRAM', "diff other"),
    "textconv": Way('[diff "shown"] textconv = PROGRAM', "blame notes.md"),
    "merge-driver": Way('[merge "merged"] driver = PROGRAM', "merge other"),
    "signature": Way("[log] showSignature\n[gpg] program = PROGRAM", "log SIGNED"),
    "credentials": Way("[credential] helper = PROGRAM", "credential fill", "url=https://h.invalid"),
    "ask-pass": Way("[core] askPass = PROGRAM", "credential fill", "url=https://h.invalid"),
    "ssh": Way("[core] sshCommand = PROGRAM", "fetch ssh://h.invalid/r"),
    "proxy": Way("[core] gitProxy = PROGRAM", "fetch git://h.invalid/r"),
    "upload-pack": Way('[remote "origin"] url = .\n uploadpack = PROGRAM', "fetch origin"),
    "receive-pack": Way('[remote "origin"] url = .\n receivepack = PROGRAM', "push origin main"),
    "remote-helper": Way(
        '[protocol] allow = always\n[remote "origin"] url = ext::PROGRAM', "fetch origin"
    ),
    "instead-of": Way(
        '[protocol] allow = always\n[url "ext::PROGRAM "] insteadOf = https://', "fetch https://h/r"
    ),
    "lazy-fetch": Way(
        "[core] repositoryFormatVersion = 1\n[extensions] partialClone = far\n"
        '[protocol] allow = always\n[remote "far"] url = ext::PROGRAM\n promisor = true',
        "cat-file blob MISSING",
    ),
    "alternate-refs": Way("[core] alternateRefsCommand = PROGRAM", "fetch ALTERNATE main"),
    "alias": Way("[alias] zz = !PROGRAM", "zz"),
    "include": Way("[include] path = FOLDER/include", "yy"),
    "include-if": Way('[includeIf "gitdir:/"] path = FOLDER/include-if', "xx"),
    "submodule": Way('[submodule "lib"] update = !PROGRAM\n url = .', "submodule update lib"),
    "archive": Way('[tar "zz"] command = PROGRAM', "archive --format=zz HEAD"),
    "trailer": Way('[trailer "t"] cmd = PROGRAM', "interpret-trailers --trailer t=1", "x\n"),
    "difftool": Way('[diff] tool = t\n[difftool "t"] cmd = PROGRAM', "difftool -y other"),
    # What a filter of the user, such as git-lfs, does: it obeys the repository.
    "user-filter": Way("[obeyed] program = PROGRAM", "status"),
}


class Hostile:
    """A repository with all ways at once, and the programs that record that they ran."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.time = 0
        self.folder = root.parent / "programs"
        self.markers = root.parent / "markers"
        (self.folder / "hooks").mkdir(parents=True)
        self.markers.mkdir()
        for name in WAYS:
            self._write(self.folder / name, name)
        for hook in ("post-index-change", "reference-transaction", "pre-auto-gc"):
            self._write(self.folder / "hooks" / hook, "hooks-path")
            self._write(root / ".git" / "hooks" / hook, "git-hooks")
        for name, alias in (("include", "yy"), ("include-if", "xx")):
            (self.folder / f"{name}.sh").write_text((self.folder / name).read_text())
            (self.folder / f"{name}.sh").chmod(0o755)
            (self.folder / name).write_text(f"[alias] {alias} = !{self.folder}/{name}.sh\n")
        home = root.parent / "home"
        home.mkdir()
        obeys = 'sh -c \\"$(git config obeyed.program || echo :); cat\\"'
        (home / ".gitconfig").write_text(f'[filter "user"] clean = "{obeys}"\n')
        self.env = {"HOME": str(home), "XDG_CONFIG_HOME": str(home)}
        tree = git(root, "rev-parse", "HEAD^{tree}").strip()
        signed = root.parent / "signed"
        person = "a <a@h.invalid> 1700000000 +0000"
        signature = " -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
        signed.write_text(
            f"tree {tree}\nauthor {person}\ncommitter {person}\ngpgsig{signature}\n\nx\n"
        )
        self.signed = git(root, "hash-object", "-t", "commit", "-w", str(signed)).strip()

    def _write(self, program: Path, name: str) -> None:
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ntouch {self.markers}/{name}\n")
        program.chmod(0o755)

    def configuration(self, name: str) -> str:
        text = WAYS[name].configuration.replace("PROGRAM", str(self.folder / name))
        return text.replace("FOLDER", str(self.folder)) + "\n"

    def run(self) -> set[str]:
        """Return the programs that ran since the last call."""
        names = {marker.name for marker in self.markers.iterdir()}
        for name in names:
            (self.markers / name).unlink()
        return names

    def lure(self, name: str) -> set[str]:
        """Return the programs that plain git runs with one way alone."""
        config = self.root / ".git" / "config"
        before = config.read_text()
        config.write_text(before + self.configuration(name))
        self.touch()
        words = WAYS[name].bait.replace("SIGNED", self.signed).replace("MISSING", "1" * 40)
        words = words.replace("ALTERNATE", str(self.root.parent / "alternate")).split()
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            **self.env,
            **{f"GIT_{who}_{what}": "a@h.invalid" for who in ("AUTHOR", "COMMITTER")
               for what in ("NAME", "EMAIL")},
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
        }  # fmt: skip
        subprocess.run(
            ["git", *words],
            cwd=self.root,
            env=env,
            input=WAYS[name].stdin.encode(),
            capture_output=True,
            check=False,
            timeout=30,
        )
        config.write_text(before)
        subprocess.run(
            ["git", "rebase", "--abort"], cwd=self.root, capture_output=True, check=False
        )
        git(self.root, "reset", "-q", "--hard", "main")
        return self.run()

    def touch(self) -> None:
        """Make git compare the content of every file."""
        self.time += 1
        for file in (*self.root.glob("*.*"), *self.root.glob("lib/*.*")):
            os.utime(file, (self.time, self.time))


@pytest.fixture
def hostile(make_project: Make) -> Hostile:
    files = {"app.py": "", "notes.md": "a\n", "a.txt": "a\n", "b.log": "a\n"}
    root = make_project(
        {**files, "scanagg.yml": POLICY, "other.py": CODE, "requirements.txt": "a==1\n"}
    )
    git(root, "branch", "other")
    commit(root, {"notes.md": "b\n", ".gitattributes": ATTRIBUTES})
    git(root, "checkout", "-q", "other")
    commit(root, {"notes.md": "c\n", "app.py": "x = 1\n"})
    git(root, "checkout", "-q", "main")
    head = git(root, "rev-parse", "HEAD").strip()
    git(root, "clone", "-q", "-b", "other", str(root), "lib")
    git(root, "update-index", "--add", "--cacheinfo", f"160000,{head},lib")
    (root / ".gitmodules").write_text('[submodule "lib"]\npath = lib\nurl = .\n')
    git(root, "add", ".gitmodules")
    git(root, "commit", "-q", "-m", "lib")
    alternate = root.parent / "alternate"
    git(root, "clone", "-q", "--bare", str(root), str(alternate))
    (root / ".git" / "objects" / "info" / "alternates").write_text(f"{alternate}/objects\n")
    return Hostile(root)


def commands(root: Path, report: Path) -> Iterator[tuple[str, ...]]:
    """Yield every command that reads a project."""
    only, here = ("--only", "bandit", "--offline"), str(root)
    refs = ("--base", "other", "--policy-ref", "other")
    yield ("check", here, "--offline", *refs)
    yield ("check", here, *only)
    yield ("baseline", "write", here, *only)
    yield ("baseline", "show", here)
    yield ("fix", here, "--offline", "--only", "pip-audit")
    yield ("license", "list", here)
    yield ("policy", "check", f"{here}/scanagg.yml")
    yield ("gate", str(report))
    yield ("explain", "B301", here, "--report", str(report))
    yield ("waivers", here)


def test_every_way_works_with_git_alone_and_none_with_any_command(hostile: Hostile) -> None:
    hostile.run()
    works = {name for name in WAYS if name in hostile.lure(name)}
    assert works == set(WAYS)
    for folder in (hostile.root, hostile.root / "lib"):
        with (folder / ".git" / "config").open("a") as config:
            config.write("".join(map(hostile.configuration, WAYS)))
    said = check(hostile.root, "--only", "bandit", formats=("json",), env=hostile.env)
    for argv in commands(hostile.root, said.folder / "scanagg.json"):
        hostile.touch()
        done = scanagg(*argv, cwd=hostile.root, env=hostile.env)
        assert not hostile.run(), argv
        assert done.returncode in (0, 1, 3), done.stderr


@pytest.fixture
def embedded(make_project: Make) -> Path:
    """A folder that is also a bare repository, which excludes a bad file and lends commits."""
    root = make_project({"scanagg.yml": POLICY, "sub/scanagg.yml": POLICY, "sub/app.py": ""})
    sub = root / "sub"
    git(sub, "init", "-q", "--bare", "-b", "main", ".")
    (sub / "config").write_text('[core]\nrepositoryformatversion=0\nbare=false\nworktree="."\n')
    write(root, {"sub/info/exclude": "bad.py\n", "sub/refs/keep": ""})
    write(root, {"sub/objects/info/alternates": f"{root}/.git/objects\n", "sub/bad.py": CODE})
    loose = commit(root, {"sub/scanagg.yml": "version: 1\ndefault: info\n"})
    git(root, "branch", "before", f"{loose}~1")
    write(sub, {"refs/heads/main": f"{loose}\n", "refs/heads/before": f"{loose}\n"})
    return sub


@pytest.mark.parametrize(
    "argv", [(), ("--base", "before"), ("--base", "before", "--policy-ref", "before")], ids=len
)
def test_an_embedded_bare_repository_is_a_folder(embedded: Path, argv: tuple[str, ...]) -> None:
    assert git(embedded, "rev-parse", "--git-dir").strip() in (".", str(embedded))
    said = check(embedded, *argv, "--only", "bandit", formats=("json",), cwd=embedded)
    assert said.code == (1 if "--policy-ref" in argv else 0)
    assert said.report["target"]["revision"]["prefix"] == "sub/"
    assert "bad.py" in {finding["location"]["path"] for finding in said.report["findings"]}
