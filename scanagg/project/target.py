"""The files of a check: tracked files, and untracked ones that are not ignored."""

import contextlib
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pathspec
from msgspec.structs import replace

from scanagg.core.errors import TargetError
from scanagg.core.files import open_file, read_file
from scanagg.core.git import SUBMODULE, Git, find_submodule, is_own_folder
from scanagg.core.patterns import globs
from scanagg.core.process import Ended, Stop
from scanagg.core.redact import shown_path, unlike
from scanagg.core.text import one_line
from scanagg.model import Link, NotExamined, Reason, Revision, SourceFile, Target
from scanagg.project.kinds import named

CONFIGURED: Final = Reason("excluded")
"""The reason for a file that a pattern of the configuration excludes."""

REPORT: Final = Reason("earlier-report")
"""The reason for a file that an earlier check wrote."""

NESTED: Final = Reason("nested-repository")
"""The reason for a folder that is another repository."""

NOT_CHECKED_OUT: Final = Reason("not-checked-out")
"""The reason for a file of the commit that a sparse checkout leaves out."""

# The tag of such a file in `git ls-files -t`.
_SPARSE: Final = "S"

# Every report names scanagg within its first or its last bytes.
_SIGNED_BYTES: Final = 8192

# Never part of the source, unless git tracks them.
_ALWAYS_IGNORED: Final = globs(("/.git", ".git/", ".hg/", ".svn/", "__pycache__/"))
_SHOWN_NAMES: Final = 20


class _Listing(msgspec.Struct, frozen=True):
    """File names below the root, as in the file system; git does not track the `untracked` ones."""

    names: tuple[str, ...]
    untracked: frozenset[str]
    skipped: tuple[NotExamined, ...]
    revision: Revision | None
    notices: tuple[Reason, ...] = ()


def read_target(
    path: Path,
    *,
    exclude: Sequence[str] = (),
    reports: Sequence[str] = (),
    stop: Stop | None = None,
) -> Target:
    """Read the target in the folder `path`; `exclude` are patterns as in .gitignore.

    `reports` are the names of report files. Such a file is left out if git does not track it and
    scanagg wrote it: what a change commits under that name is examined.

    `.gitignore` files also apply without git and outside of a repository. Excluded and unreadable
    files are in `skipped`, with the reason. A link to no file of the target, or a pipe, is a gap if
    it has the name of a manifest or of code. `links` has every symbolic link and its end; none is
    followed. TargetError if the folder cannot be used.
    """
    failure = f"cannot check {one_line(str(path))}"
    try:
        root = path.resolve(strict=True)
        mode = root.stat().st_mode
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "a loop of symbolic links"
        hint = "Give the path of an existing folder: scanagg check PATH"
        raise TargetError(f"{failure}: {reason}", hint) from error
    if not stat.S_ISDIR(mode):
        raise TargetError(f"{failure}: not a folder", "Give the folder of the project.")
    if not os.access(root, os.R_OK | os.X_OK):
        raise TargetError(f"{failure}: no permission to read it", "Change its permissions.")
    listing = _list_by_git(root, stop or Stop()) or _list_by_walking(root)
    earlier = frozenset(
        name
        for name in listing.untracked
        if name.rpartition("/")[2] in reports and _is_report(root / name)
    )
    excluded: dict[Reason, Callable[[str], bool]] = {
        REPORT: earlier.__contains__,
        CONFIGURED: globs(exclude).match_file,
    }
    files, skipped, links = _sort(root, listing.names, excluded)
    return Target(
        root=root,
        name=shown_path(root.name) or "root",
        files=tuple(files),
        skipped=tuple(sorted((*listing.skipped, *skipped), key=lambda gap: gap.input)),
        revision=listing.revision,
        notices=(*listing.notices, *_secret_names(files)),
        exclude=tuple(exclude),
        links=tuple(links),
    )


def _list_by_git(root: Path, stop: Stop) -> _Listing | None:
    """List the files by git; None without a repository, or if git ignores the folder itself.

    TargetError if git cannot read the repository: walking would leave out files that are tracked
    although .gitignore names them.
    """
    git = Git(root, stop)
    prefix = git.prefix()
    if prefix is None:
        return None
    settings = git.user_settings()
    if prefix and git.output(*settings, "check-ignore", "-q", ".") is not None:
        return None
    listing = _list_tracked_and_new(git, settings)
    if listing is None:
        return None
    state = git.state(settings)
    revision = Revision(
        commit=state.commit,
        branch=shown_path(state.branch) if state.branch else None,
        repository=git.web_address(),
        prefix=shown_path(os.fsdecode(prefix)),
        dirty=state.dirty,
    )
    return replace(listing, revision=revision)


def _list_tracked_and_new(git: Git, settings: Sequence[str]) -> _Listing | None:
    """List the files of a repository and of its submodules; None without git."""
    command = ("ls-files", "-z", "-t", "--stage", "--others", "--exclude-standard")
    done = git.run(*settings, *command)
    if done.ended is Ended.NOT_STARTED or git.stop.is_set():
        return None
    if done.ended is not Ended.EXITED or done.returncode != 0:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [done.ended.value]
        reason = next((line for line in lines if line.startswith("fatal:")), lines[-1])
        message = f"git cannot read the repository: {one_line(reason)}"
        raise TargetError(message, "Find out why: git status")
    names: dict[str, None] = {}
    untracked: set[str] = set()
    skipped: list[NotExamined] = []
    for entry in os.fsdecode(done.stdout).split("\0"):
        tag, _, rest = entry.partition(" ")
        described, _, name = ("", "", rest) if tag == "?" else rest.partition("\t")
        folder = git.root / name
        if described.startswith(SUBMODULE) and _is_checked_out(folder):
            inner = None
            if find_submodule(folder):
                with contextlib.suppress(TargetError):
                    inner = _list_tracked_and_new(replace(git, root=folder), settings)
            inner = inner or _list_by_walking(folder)
            shown = shown_path(name)
            names |= dict.fromkeys(f"{name}/{below}" for below in inner.names)
            untracked |= {f"{name}/{below}" for below in inner.untracked}
            skipped += [
                replace(gap, input=f"{shown}/{gap.input}".rstrip("/")) for gap in inner.skipped
            ]
        elif tag == _SPARSE and not os.path.lexists(folder):
            skipped.append(NotExamined(shown_path(name), NOT_CHECKED_OUT, on_purpose=True))
        elif name and (tag != "?" or not _ALWAYS_IGNORED.match_file(name)):
            names[name] = None
            if tag == "?":
                untracked.add(name)
    return _Listing(tuple(names), frozenset(untracked), tuple(skipped), None)


def _is_checked_out(folder: Path) -> bool:
    """Return True for the folder of a submodule unless it is empty."""
    try:
        return is_own_folder(folder) and any(folder.iterdir())
    except OSError:
        return True


def _is_report(path: Path) -> bool:
    """Return True if scanagg wrote the file: it names itself at the beginning or at the end."""
    try:
        with open_file(path) as stream:
            head = stream.read(_SIGNED_BYTES)
            stream.seek(max(0, os.fstat(stream.fileno()).st_size - _SIGNED_BYTES))
            return b"scanagg" in head or b"scanagg" in stream.read(_SIGNED_BYTES)
    except OSError:
        return False


class _IgnoreRules(msgspec.Struct, frozen=True):
    """The patterns of the .gitignore files above an entry, by their folders, outermost first."""

    specs: tuple[tuple[str, pathspec.GitIgnoreSpec], ...] = ()

    def with_file(self, folder: str, path: Path) -> "_IgnoreRules":
        """Return the rules with those of one more .gitignore, without its invalid patterns."""
        try:
            lines = read_file(path).decode("utf-8", "surrogateescape").splitlines()
        except OSError:
            lines = []
        patterns = []
        for line in lines:
            with contextlib.suppress(ValueError, re.error):
                globs([line])
                patterns.append(line)
        return _IgnoreRules((*self.specs, (folder, globs(patterns))))

    def exclude(self, name: str) -> bool:
        """Return True if the innermost .gitignore that matches `name` excludes it."""
        name = name.replace("\n", "?")  # no pattern has a newline, and the matcher stops at one
        for folder, spec in (("", _ALWAYS_IGNORED), *reversed(self.specs)):
            include = spec.check_file(name[len(folder) :]).include
            if include is not None:
                return include
        return False


def _list_by_walking(root: Path) -> _Listing:
    """List the files that no .gitignore above them excludes, without following links."""
    names: list[str] = []
    skipped: list[NotExamined] = []
    pending = [("", _IgnoreRules())]
    while pending:
        below, rules = pending.pop()
        try:
            entries = sorted(os.scandir(root / below), key=lambda entry: entry.name)
        except OSError as error:
            reason = Reason("unreadable-folder", {"error": error.strerror or str(error)})
            skipped.append(NotExamined(shown_path(below.rstrip("/")), reason))
            continue
        if any(entry.name == ".gitignore" for entry in entries):
            rules = rules.with_file(below, root / below / ".gitignore")
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            name = below + entry.name + ("/" if is_folder else "")
            if rules.exclude(name):
                continue
            if is_folder:
                pending.append((name, rules))
            else:
                names.append(name)
    notices = (Reason("listed-without-git"),)
    return _Listing(tuple(names), frozenset(names), tuple(skipped), None, notices)


def _sort(
    root: Path, names: Iterable[str], excluded: Mapping[Reason, Callable[[str], bool]]
) -> tuple[list[SourceFile], list[NotExamined], list[Link]]:
    """Sort names into files, skipped inputs and links. `excluded` has a test for each reason."""
    files: list[SourceFile] = []
    skipped: list[NotExamined] = []
    link_names: list[str] = []
    for name in names:
        path = root / name
        try:
            status = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            continue  # tracked by git, deleted in the work tree
        except OSError as error:
            unreadable = Reason("unreadable-file", {"error": error.strerror or str(error)})
            skipped.append(NotExamined(shown_path(name), unreadable))
            continue
        reason = _exclusion(name, status.st_mode, excluded)
        if reason:
            skipped.append(NotExamined(shown_path(name.rstrip("/")), reason, on_purpose=True))
        elif not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
            skipped.append(_no_file(shown_path(name), Reason("irregular-file")))
        elif stat.S_ISLNK(status.st_mode):
            link_names.append(name)
        elif not os.access(path, os.R_OK):
            skipped.append(NotExamined(shown_path(name), Reason("no-read-permission")))
        else:
            files.append(SourceFile(shown_path(name), path, status.st_size))
    files.sort(key=lambda file: (file.path, os.fsencode(file.real)))
    # Two paths can look alike: bytes that are not UTF-8 are escaped, and secrets masked.
    taken: set[str] = set()
    for index, file in enumerate(files):
        shown = unlike(file.path, taken)
        if shown != file.path:
            files[index] = replace(file, path=shown)
        taken.add(shown)
    paths = {file.real: file.path for file in files}
    links = [
        Link(shown_path(name), *_link_end(root, root / name, paths)) for name in sorted(link_names)
    ]
    skipped += [_no_file(link.path, link.reason) for link in links if link.reason]
    return files, skipped, links


def _secret_names(files: Iterable[SourceFile]) -> Iterator[Reason]:
    """Yield a notice about files whose paths have secrets."""
    if paths := tuple(file.path for file in files if file.has_secret_name):
        more = ("…",) if len(paths) > _SHOWN_NAMES else ()
        yield Reason("secret-names", {"paths": (*paths[:_SHOWN_NAMES], *more)})


def _exclusion(
    name: str, mode: int, excluded: Mapping[Reason, Callable[[str], bool]]
) -> Reason | None:
    """Return the reason why an entry of the folder is left out on purpose."""
    if stat.S_ISDIR(mode):
        return NESTED
    return next((reason for reason, excludes in excluded.items() if excludes(name)), None)


def _no_file(path: str, reason: Reason) -> NotExamined:
    """Return a skipped entry that is no file. It is a gap if something would read its name."""
    return NotExamined(path, reason, on_purpose=not any(kind.category for kind in named(path)))


def _link_end(
    root: Path, link: Path, files: Mapping[Path, str]
) -> tuple[str | None, Reason | None]:
    """Return the shown path of the file or folder at a link's end, or the reason for none."""
    try:
        end = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return None, Reason("dangling-link")
    if end in files:
        return files[end], None
    if not end.is_relative_to(root):
        return None, Reason("link-outside-the-tree")
    if end.is_dir():
        return shown_path(end.relative_to(root).as_posix()), None
    return None, Reason("link-to-no-file-of-the-project")
