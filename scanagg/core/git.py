"""Read a git repository, without running a program that it names. Only a fetch writes to it.

A repository is hostile: its configuration can name dozens of programs that even read-only commands
run (filters, fsmonitor, hooks, drivers, helpers, remotes), and an embedded bare repository can
answer in place of the real one. So git neither finds the repository nor reads its configuration:

- `find_repository` finds the `.git` above the folder, as git does, but never a bare repository or a
  git directory that lies among the checked files. The owner is checked as git does, with the
  `safe.directory` of the user.
- Every command runs with `GIT_DIR` set, and with `GIT_COMMON_DIR` set to a temporary folder. That
  has links to objects, references and the list of excluded files, and a configuration of our own.
  Of the repository's own configuration, it has the format of the repository (hash, storage of
  references) and plain values about the file system and line ends, see `_KEYS`.
- Configuration of the system and of the user is not read either: one of their filters, such as
  Git LFS, takes commands from the repository. Line ends and ignored files are as they have them,
  see `Git.user_settings`.

So no list of forbidden keys has to be complete. The temporary folder is made once, in 1 ms.
"""

import atexit
import contextlib
import hashlib
import os
import re
import shlex
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from scanagg.core.cache import cache_folder, work_folder
from scanagg.core.errors import ConfigError, TargetError
from scanagg.core.files import open_file
from scanagg.core.process import Completed, Ended, Stop, clean_environment, run
from scanagg.core.redact import mask_known, without_credentials
from scanagg.core.text import one_line, valid

_SECONDS: Final = 60.0  # for one command
_PATIENCE_SECONDS: Final = 5.0  # before the search for a pipe that keeps git waiting
_GIT: Final = ("git", "-c", "safe.bareRepository=explicit", "-c", "core.hooksPath=/dev/null")
_LINK: Final = "120000"
SUBMODULE: Final = "160000"
"""The mode of a submodule in a tree and in the index."""

_READ_BY_GIT: Final = frozenset((".gitattributes", ".gitignore"))
# What may follow a name to select another commit, as in main~2.
_SUFFIX: Final = re.compile(r"[~^:]|@\{")
# LC_ALL: messages are parsed. GIT_OPTIONAL_LOCKS: nothing is written to the repository. The others
# stop git from contacting a remote.
_ENVIRONMENT: Final = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
}
# The protocols, variables and configuration of a fetch, which starts no maintenance.
_REMOTE: Final = "https:http:ssh"
_FETCHING: Final = ("GIT_SSL_CAINFO", "SSH_AUTH_SOCK")
_ONLY_FETCH: Final = ("-c", "gc.auto=0", "-c", "maintenance.auto=false")
_ID: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# No configuration of the system and the user. Versions before 2.32 only know HOME.
_ALONE: Final = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
# The parts of a repository that git reads through the temporary folder.
_PARTS: Final = ("objects", "refs", "packed-refs", "logs", "shallow", "info/exclude")
# The keys that are taken over from the configuration of a repository: none can name a program.
_CORE: Final = (
    *("autocrlf", "checkstat", "eol", "filemode", "ignorecase", "longpaths"),
    *("precomposeunicode", "symlinks", "trustctime"),
)
_KEYS: Final = frozenset(
    (
        "core.repositoryformatversion",
        *(f"extensions.{key}" for key in ("objectformat", "refstorage", "compatobjectformat")),
        *(f"core.{key}" for key in _CORE),
    )
)
_WORD: Final = re.compile(r"[\w-]{1,40}")
_SECTION: Final = re.compile(r"\s*\[\s*([\w.-]+)\s*(?:\"([^\"\\]*)\")?\s*\]")
_COMMENT: Final = re.compile(r"(?:^|\s)[#;].*")
_SMALL_BYTES: Final = 1 << 20
_LFS_POINTER: Final = re.compile(
    rb"version https://(?:git-lfs|hawser)\.github\.com/spec/v1\r?\n(?:ext-.*\n)*"
    rb"oid sha256:([0-9a-f]{64})\r?\nsize (\d{1,18})\s*"
)
# The limit of one call, whose output is held in memory. A larger object is not read.
_BATCH_BYTES: Final = 64 << 20


def is_lfs_pointer(content: bytes) -> bool:
    """Return True for a file that only names its content, which Git LFS has."""
    return _LFS_POINTER.fullmatch(content) is not None


class Repository(msgspec.Struct, frozen=True):
    """A repository with a work tree.

    `git_dir` has HEAD and the index, `common_dir` everything that work trees share; `top` is the
    top folder of the work tree.
    """

    git_dir: Path
    common_dir: Path
    top: Path

    def configuration(self) -> Mapping[str, str]:
        """Return the repository's own configuration, without the files that it includes.

        The keys are in lower case: `remote.origin.url`. Nothing of this may reach git unchecked.
        """
        values = {}
        section = ""
        for line in _read_small(self.common_dir / "config").splitlines():
            header = _SECTION.match(line)
            if header:
                section = f"{header[1].lower()}.{header[2]}" if header[2] else header[1].lower()
            setting = line[header.end() :] if header else line
            key, _, value = _COMMENT.sub("", setting).partition("=")
            values[f"{section}.{key.strip().lower()}"] = value.strip().strip('"') or "true"
        return values

    def variables(self) -> dict[str, str]:
        """Return the variables by which git uses the repository, without its configuration."""
        lines = [
            _line(key, value)
            for key, value in self.configuration().items()
            if key in _KEYS and _WORD.fullmatch(value)
        ]
        try:
            folder = _stand_in(self.common_dir, "".join((*lines, _line("core.bare", "false"))))
        except OSError as error:
            message = f"cannot make a temporary folder: {error.strerror}"
            hint = "Use another folder: export SCANAGG_CACHE_DIR=/path/to/a/folder/with/free/space"
            raise TargetError(message, hint) from error
        return {
            "GIT_DIR": str(self.git_dir),
            "GIT_COMMON_DIR": folder,
            "GIT_WORK_TREE": str(self.top),
            "HOME": folder,
            "XDG_CONFIG_HOME": folder,
        }


@lru_cache
def _stand_in(common_dir: Path, configuration: str) -> str:
    """Make a folder that git reads in place of `common_dir`; it is removed when Python exits."""
    kept = ExitStack()
    atexit.register(kept.close)
    try:
        folder = kept.enter_context(work_folder(cache_folder()))
    except ConfigError:
        folder = Path(kept.enter_context(tempfile.TemporaryDirectory(prefix="scanagg-git-")))
    (folder / "info").mkdir()
    for part in _PARTS:
        (folder / part).symlink_to(common_dir / part)
    (folder / "config").write_text(configuration, "utf-8")
    return str(folder)


def find_submodule(folder: Path) -> Repository | None:
    """Return the repository of a submodule that is checked out; None without a usable one."""
    try:
        repository = find_repository(folder) if is_own_folder(folder) else None
    except TargetError:
        return None
    # It may be the repository around the folder.
    return repository if repository and repository.top == folder else None


def is_own_folder(folder: Path) -> bool:
    """Return True for a folder, by its real path without a symbolic link."""
    return folder.is_dir() and folder.resolve() == folder


def is_commit_id(ref: str) -> bool:
    """Return True for a full id: 40 or 64 hexadecimal digits in lower case."""
    return _ID.fullmatch(ref) is not None


def find_repository(folder: Path) -> Repository | None:
    """Return the repository that the folder is in; None without one.

    TargetError if a `.git` is there but not to be used.
    """
    folder = folder.resolve()
    broken: Path | None = None
    for top in (folder, *folder.parents):
        if not _is_on_device_of(top, folder):
            break
        entry = top / ".git"
        repository = None
        if os.path.isfile(entry):  # noqa: PTH113 - Path.is_file can raise
            repository = _repository(top, (top / _pointer(entry, "gitdir: ")).resolve())
        elif os.path.isdir(entry):  # noqa: PTH112
            repository = _repository(top, entry.resolve())
        if repository:
            _check_owner(repository, entry)
            return repository
        if os.path.lexists(entry):
            broken = broken or entry
            # Git itself goes on above a folder without a repository.
            if not os.path.isdir(entry):  # noqa: PTH112
                break
    if broken:
        raise _unusable(broken, "is not a git directory and does not name one")
    return None


def _is_on_device_of(place: Path, other: Path) -> bool:
    try:
        return place.stat().st_dev == other.stat().st_dev
    except OSError:
        return False


def _repository(top: Path, git_dir: Path) -> Repository | None:
    """Return the repository of a git directory; None if it is not one.

    TargetError if it lies among the files of the project, or takes its parts from elsewhere. Only
    the work tree of `.git/worktrees/NAME` shares a repository with others.
    """
    common_dir = git_dir
    if (git_dir / "commondir").is_file():
        common_dir = (git_dir / _pointer(git_dir / "commondir")).resolve()
        if git_dir.parent != common_dir / "worktrees":
            raise _unusable(git_dir / "commondir", "names another repository")
    for place in (git_dir, common_dir):
        if place.is_relative_to(top) and place.relative_to(top).parts[:1] != (".git",):
            raise _unusable(top / ".git", "names a folder of the project")
    has_parts = all((common_dir / name).is_dir() for name in ("objects", "refs"))
    if not has_parts or not os.path.lexists(git_dir / "HEAD"):
        return None
    return Repository(git_dir, common_dir, top)


def _pointer(file: Path, start: str = "") -> str:
    """Return the path in a file of one line, after `start`."""
    text = _read_small(file)
    if not text.startswith(start) or "\0" in text:
        raise _unusable(file, "has no path")
    return text.removeprefix(start).rstrip("\r\n")


def _read_small(file: Path) -> str:
    """Return the text of a small regular file; "" if there is none."""
    try:
        if not os.path.isfile(file):  # noqa: PTH113
            return ""
        with file.open("rb") as stream:
            return os.fsdecode(stream.read(_SMALL_BYTES))
    except OSError:
        return ""


def _check_owner(repository: Repository, entry: Path) -> None:
    """Raise TargetError if another user owns the repository and this user does not trust it."""
    if not hasattr(os, "geteuid"):
        return
    users = {os.geteuid()}
    if os.geteuid() == 0 and os.environ.get("SUDO_UID", "").isdecimal():
        users.add(int(os.environ["SUDO_UID"]))
    if all(place.lstat().st_uid in users for place in (entry, repository.top, repository.git_dir)):
        return
    settings = _ask_user(repository)
    if settings is None:  # nothing reads the repository
        return
    trusted = False
    for key, value in settings:
        if key == "safe.directory":
            # An empty value discards those before it.
            trusted = bool(value) and (trusted or _names(value, repository.top))
    if not trusted:
        trust = ("git", "config", "--global", "--add", "safe.directory", str(repository.top))
        raise TargetError(
            f"git cannot read the repository: another user owns {one_line(str(repository.top))}",
            f"If you trust it, run: {one_line(shlex.join(trust))}",
        )


def _names(value: str, top: Path) -> bool:
    """Return True if a value of `safe.directory` covers the top folder of a work tree."""
    if value == "*":
        return True
    place = Path(os.path.realpath(os.path.expanduser(value.removesuffix("*"))))  # noqa: PTH111
    return top.is_relative_to(place) if value.endswith("/*") else top == place


def _ask_user(repository: Repository) -> Sequence[tuple[str, str]] | None:
    """Return the settings of the system and the user that are taken over, in git's order.

    Those of the repository that `_KEYS` allows come after them. None if git is not installed.
    """
    pattern = rf"^(safe\.directory|core\.({'|'.join(('excludesfile', *_CORE))}))$"
    command = (*_GIT, "config", "-z", "--includes", "--get-regexp", pattern)
    own = {key: value for key, value in repository.variables().items() if key.startswith("GIT_")}
    env = clean_environment(extra={**_ENVIRONMENT, **own})
    top = repository.top
    done = run(command, cwd=top, env=env, tree=top, timeout=_SECONDS, stop=Stop())
    if done.ended is Ended.NOT_STARTED:
        return None
    entries = (entry.partition("\n") for entry in os.fsdecode(done.stdout).split("\0") if entry)
    return [(key, value if newline else "true") for key, newline, value in entries]


def _line(key: str, value: str) -> str:
    """Return one setting as a line of configuration."""
    section, _, name = key.partition(".")
    return f'[{section}] {name} = "{value}"\n'


def _unusable(place: Path, problem: str) -> TargetError:
    hint = "Check the repository: git status"
    return TargetError(f"cannot use the repository: {one_line(str(place))} {problem}", hint)


class Blob(msgspec.Struct, frozen=True):
    """One file of a commit: its object id and its mode in octal, as git prints them."""

    oid: str
    mode: str

    @property
    def is_file(self) -> bool:
        """True for a file with its own content: not a link, not a submodule."""
        return self.mode not in (_LINK, SUBMODULE)

    @property
    def is_link(self) -> bool:
        """True for a symbolic link; its content is the path of its target."""
        return self.mode == _LINK


class Blamed(msgspec.Struct, frozen=True):
    """One line of a committed file: its bytes, and the commit that wrote it with its time."""

    text: bytes
    commit: str
    time: datetime


class State(msgspec.Struct, frozen=True):
    """The commit that is checked out, its branch, and if tracked files of the folder differ."""

    commit: str | None
    branch: str | None
    dirty: bool


class Git(msgspec.Struct, frozen=True):
    """The repository that the folder `root` is in. All paths are as git has them, from its top.

    With `private`, `root` is a bare repository that only we write. `objects` are folders with
    the objects of other repositories.
    """

    root: Path
    stop: Stop = msgspec.field(default_factory=Stop)
    private: bool = False
    objects: tuple[Path, ...] = ()

    def run(self, *argv: str, stdin: bytes = b"") -> Completed:
        """Run a read-only command of git."""
        variables = {name: str(self.root) for name in ("GIT_DIR", "HOME", "XDG_CONFIG_HOME")}
        if not self.private:
            repository = find_repository(self.root)
            if repository is None:
                problem = b"fatal: not a git repository"
                return Completed(argv, Ended.EXITED, 128, b"", problem, 0.0)
            variables = repository.variables()
            objects = os.pathsep.join(map(str, self.objects))
            variables["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = objects
        env = clean_environment(extra={**_ENVIRONMENT, **_ALONE, **variables})
        return self._start(argv, env, stdin)

    def output(self, *argv: str, stdin: bytes = b"") -> bytes | None:
        """Return the output of a command; None if it fails."""
        done = self.run(*argv, stdin=stdin)
        return done.stdout if done.ended is Ended.EXITED and done.returncode == 0 else None

    def text(self, *argv: str) -> str | None:
        """Return the output of a command without surrounding white space; None if it fails."""
        printed = self.output(*argv)
        return None if printed is None else os.fsdecode(printed).strip()

    def commit(self, ref: str) -> str | None:
        """Return the commit that a name stands for; None if this repository does not have it."""
        if not ref or ref.startswith("-"):
            return None
        return self.text("rev-parse", "--verify", "-q", "--end-of-options", f"{ref}^{{commit}}")

    def is_ambiguous(self, ref: str) -> bool:
        """Return True if a tag and a branch have this name and differ: git uses the tag.

        Everyone who can push a tag could name it `origin/main`.
        """
        name = _SUFFIX.split(ref)[0]
        if not name or name == "HEAD" or name.startswith(("-", "refs/")):
            return False
        named = (self.commit(f"refs/{kind}/{name}") for kind in ("tags", "heads", "remotes"))
        return len(frozenset(named) - {None}) > 1

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor of two commits; None if there is none."""
        return self.text("merge-base", one, other) or None

    def is_shallow(self) -> bool:
        """Return True if part of the history was not fetched."""
        return self.text("rev-parse", "--is-shallow-repository") == "true"

    def committed_at(self, commit: str) -> datetime | None:
        """Return the time of a commit in UTC, by its committer's clock."""
        printed = self.text("show", "-s", "--no-show-signature", "--format=%ct", commit)
        return datetime.fromtimestamp(int(printed), UTC) if printed and printed.isdigit() else None

    def web_address(self) -> str | None:
        """Return the remote `origin` as an https address without credentials; None without one."""
        repository = find_repository(self.root)
        configured = repository.configuration() if repository else {}
        remote = valid(configured.get("remote.origin.url", ""))
        bare = without_credentials(remote)
        scp = re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+\.\w+):(?!//)(.+)", bare)
        if scp:
            bare = f"https://{scp[1]}/{scp[2].lstrip('/')}"
        bare = re.sub(r"^(ssh|git|http)://", "https://", bare)
        return mask_known(bare) if bare.startswith("https://") else None

    def fetch(self, commit: str) -> str | None:
        """Fetch a commit, by its full id, from `origin`, without its history; return the problem.

        Of the repository's configuration, also of files that it includes, only the address and the
        headers for it count: actions/checkout puts a token there. The configuration of the system
        and the user counts as a whole.
        """
        repository = find_repository(self.root)
        if repository is None:
            return "not a git repository"
        if self.commit(commit):
            return None
        variables = repository.variables()
        own = {key: value for key, value in variables.items() if key.startswith("GIT_")}
        real = clean_environment(extra={**own, "GIT_COMMON_DIR": str(repository.common_dir)})
        pattern = r"^(remote\.origin\.url|http\..+\.extraheader)$"
        command: tuple[str, ...] = ("config", "-z", "--includes", "--get-regexp", pattern)
        done = self._start(command, real)
        settings = [
            entry.partition("\n")[::2] for entry in os.fsdecode(done.stdout).split("\0") if entry
        ]
        # As variables: other users can read the arguments of a program.
        own["GIT_CONFIG_COUNT"] = str(len(settings))
        for number, (key, value) in enumerate(settings):
            own |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        env = clean_environment(_FETCHING, {**_ENVIRONMENT, **own, "GIT_ALLOW_PROTOCOL": _REMOTE})
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--depth=1")
        done = self._start((*_ONLY_FETCH, "fetch", *options, "origin", commit), env)
        if done.ended is Ended.EXITED and done.returncode == 0:
            return None
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        return without_credentials(one_line(lines[-1] if lines else done.ended.value))

    def _start(self, argv: Sequence[str], env: Mapping[str, str], stdin: bytes = b"") -> Completed:
        """Run a command. If git is slow, find out if it waits for a pipe."""
        for seconds in (_PATIENCE_SECONDS, _SECONDS):
            done = run(
                (*_GIT, *argv),
                cwd=self.root,
                env=env,
                tree=self.root,
                timeout=seconds,
                stop=self.stop,
                stdin=stdin,
            )
            if done.ended is not Ended.TIMEOUT:
                break
            if pipe := _pipe_that_git_reads(self.root):
                problem = f"fatal: {pipe} is a pipe or a device, and git waits for it: delete it"
                return Completed(done.argv, Ended.EXITED, 128, b"", problem.encode(), done.seconds)
        return done

    def user_settings(self) -> Sequence[str]:
        """Return the user's settings of line ends and ignored files, as options of git."""
        repository = find_repository(self.root)
        values = dict(_ask_user(repository) or ()) if repository else {}
        values.pop("safe.directory", None)
        folder = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
        ignored = values.get("core.excludesfile", f"{folder}/git/ignore")
        values["core.excludesfile"] = os.path.expanduser(ignored)  # noqa: PTH111
        return tuple(chain.from_iterable(("-c", f"{key}={values[key]}") for key in values))

    def state(self, settings: Sequence[str]) -> State:
        """Return the state of the work tree below the folder, with the settings of the user.

        No filter runs: a file that one would change counts as changed, except for a file of Git LFS
        with the content that its pointer names.
        """
        options = ("--porcelain=v2", "--branch", "-z", "-uno", "--no-renames")
        printed = self.output(*settings, "status", *options, "--ignore-submodules=all", ".")
        if printed is None:
            return State(self.commit("HEAD"), None, dirty=True)
        headers = {}
        changed: dict[str, str] = {}
        dirty = False
        for entry in os.fsdecode(printed).split("\0"):
            if entry.startswith("# "):
                _, name, value = entry.split(" ", 2)
                headers[name] = value
            elif entry.startswith("1 .M "):
                *_, oid, path = entry.split(" ", 8)
                changed[path] = oid
            elif entry:
                dirty = True
        commit, branch = headers.get("branch.oid"), headers.get("branch.head")
        return State(
            None if commit == "(initial)" else commit,
            None if branch == "(detached)" else branch,
            dirty or self._differ(changed),
        )

    def _differ(self, changed: Mapping[str, str]) -> bool:
        """Return True unless all these files are those that pointers of Git LFS stand for."""
        top = self.root.resolve()
        if prefix := self.prefix():
            top = top.parents[prefix.count(b"/") - 1]
        for path, pointer in zip(changed, self.contents(changed.values()), strict=True):
            match = _LFS_POINTER.fullmatch(pointer or b"")
            if match is None:
                return True
            try:
                with open_file(top / path) as stream:
                    if os.fstat(stream.fileno()).st_size != int(match[2]):
                        return True
                    digest = hashlib.sha256()
                    while chunk := stream.read(_SMALL_BYTES):
                        digest.update(chunk)
            except OSError:
                return True
            if digest.hexdigest().encode("ascii") != match[1]:
                return True
        return False

    def tree(self, commit: str, *options: str) -> Mapping[bytes, Blob] | None:
        """Return every file of a commit below the folder; None if the commit cannot be read."""
        printed = self.output("ls-tree", "-r", "-z", *options, commit)
        if printed is None:
            return None
        blobs = {}
        for entry in printed.split(b"\0"):
            described, tab, path = entry.partition(b"\t")
            if tab:
                mode, _kind, oid = described.decode("ascii").split(" ")
                blobs[path] = Blob(oid, mode)
        return blobs

    def read(self, commit: str, path: str) -> bytes | None:
        """Return one file as it was committed; None if the commit does not have the path."""
        oid = self.text("rev-parse", "--verify", "-q", "--end-of-options", f"{commit}:{path}")
        return self.output("cat-file", "blob", oid) if oid else None

    def contents(self, oids: Iterable[str]) -> Iterator[bytes | None]:
        """Yield the bytes of objects, in order; None for one that is missing or too large."""
        wanted = list(oids)
        sizes = self._cat_file("--batch-check", wanted).split(b"\n")
        batch: list[str] = []
        filled = 0
        for number, oid in enumerate(wanted):
            size = _object_size(sizes[number]) if number < len(sizes) else None
            if batch and (size is None or filled + size > _BATCH_BYTES):
                yield from self._batch(batch)
                batch, filled = [], 0
            if size is None or size > _BATCH_BYTES:
                yield None
            else:
                batch.append(oid)
                filled += size
        yield from self._batch(batch)

    def _batch(self, oids: Sequence[str]) -> Iterator[bytes | None]:
        printed = self._cat_file("--batch", oids)
        start = 0
        for _ in oids:
            end = printed.find(b"\n", start)
            size = _object_size(printed[start:end]) if end >= 0 else None
            start = max(end + 1, start)
            if size is None:
                yield None
            else:
                yield printed[start : start + size]
                start += size + 1

    def _cat_file(self, option: str, oids: Sequence[str]) -> bytes:
        if not oids:
            return b""
        text = "".join(f"{oid}\n" for oid in oids)
        return self.output("cat-file", option, stdin=text.encode("ascii")) or b""

    def parents(self, commit: str) -> tuple[str, ...]:
        """Return the parents of a commit, including those that were not fetched."""
        raw = self.output("cat-file", "commit", commit) or b""
        header = raw.partition(b"\n\n")[0].decode("utf-8", "replace")
        lines = (line.split(" ") for line in header.splitlines())
        return tuple(line[1] for line in lines if line[0] == "parent" and len(line) == 2)

    def prefix(self) -> bytes | None:
        """Return the path from the repository's top to the folder, with "/"; None without one."""
        repository = find_repository(self.root)
        if repository is None:
            return None
        below = self.root.resolve().relative_to(repository.top)
        return b"".join(os.fsencode(part) + b"/" for part in below.parts)

    def shallow_ends(self) -> frozenset[str]:
        """Return the commits of a shallow clone whose parents were not fetched."""
        repository = find_repository(self.root)
        text = _read_small(repository.common_dir / "shallow") if repository else ""
        return frozenset(text.split())

    def blame(self, commit: str, path: str) -> Sequence[Blamed]:
        """Return the commit that wrote each line of a committed file; empty if there is no file.

        `path` is relative to the folder. The work tree is not read: that would run the filters of
        the repository's configuration.
        """
        # A configured but missing list of commits to ignore would be an error.
        options = ("--line-porcelain", "-w", "--no-textconv", "--ignore-revs-file=")
        printed = self.output("blame", *options, commit, "--", path)
        lines = []
        commit, seconds, starts = "", 0, True
        for line in (printed or b"").split(b"\n"):
            if line.startswith(b"\t"):
                lines.append(Blamed(line[1:], commit, datetime.fromtimestamp(seconds, UTC)))
                starts = True
            elif starts:
                commit, starts = line.split(b" ")[0].decode("ascii", "replace"), False
            elif line.startswith(b"committer-time "):
                seconds = int(line.split(b" ")[1])
        return tuple(lines)


def _pipe_that_git_reads(folder: Path) -> str | None:
    """Return a pipe or a device in place of a file that git reads in each folder."""
    for above in folder.parents:
        if pipe := _irregular(above, _READ_BY_GIT):
            return pipe
    for below, folders, names in os.walk(folder):
        if pipe := _irregular(Path(below), _READ_BY_GIT.intersection(names)):
            return pipe
        if ".git" in folders:
            folders.remove(".git")
    return None


def _irregular(folder: Path, names: Iterable[str]) -> str | None:
    for name in names:
        with contextlib.suppress(OSError):
            mode = (folder / name).stat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                return str(folder / name)
    return None


def _object_size(header: bytes) -> int | None:
    """Return the size from a header of `git cat-file`; None for a missing object."""
    fields = header.split(b" ")
    return int(fields[2]) if len(fields) == 3 and fields[2].isdigit() else None
