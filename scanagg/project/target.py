"""The git-aware file set of what is checked: tracked files and untracked ones not ignored."""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pathspec
from msgspec.structs import replace

from scanagg.core.errors import TargetError
from scanagg.core.git import Git
from scanagg.core.process import Completed, Ended, Stop
from scanagg.core.text import one_line, valid
from scanagg.model import Link, NotExamined, Revision, SourceFile, Target

CONFIGURED: Final = "excluded: by the configuration"
"""The reason for a file that a pattern of the configuration names."""

REPORT: Final = "excluded: a report of an earlier check"
"""The reason for a file that an earlier check wrote."""

NESTED: Final = "excluded: a repository of its own inside this one; check it by itself"
"""The reason for a folder that is a repository of its own."""

_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s]+@")
# What no project means by its source, where no git says so.
_NEVER: Final = ("/.git", ".git/", ".hg/", ".svn/", "__pycache__/")


class _Listing(msgspec.Struct, frozen=True):
    """Names below the root as the system spells them, and who listed them."""

    names: tuple[str, ...]
    skipped: tuple[NotExamined, ...]
    revision: Revision | None
    notices: tuple[str, ...] = ()


def read_target(
    path: Path,
    *,
    exclude: Sequence[str] = (),
    reports: Sequence[str] = (),
    stop: Stop | None = None,
) -> Target:
    """The target at the folder `path`; `exclude` and `reports` are patterns as in .gitignore.

    Without git, or outside a repository, `.gitignore` files are honoured all the same. What is
    excluded, unreadable, or leads out of the tree is in `skipped`, with the reason; `links` has
    every symbolic link and its end, none of which is followed. TargetError where the folder cannot
    be used.
    """
    root = _usable_root(path)
    switch = stop or Stop()
    listing = _listed_by_git(root, switch) or _listed_by_walking(root)
    excluded = {
        REPORT: pathspec.GitIgnoreSpec.from_lines(reports),
        CONFIGURED: pathspec.GitIgnoreSpec.from_lines(exclude),
    }
    files, skipped, links = _sorted_out(root, listing.names, excluded)
    return Target(
        root=root,
        name=valid(root.name) or "root",
        files=tuple(files),
        skipped=tuple(sorted((*listing.skipped, *skipped), key=lambda entry: entry.input)),
        revision=listing.revision,
        notices=listing.notices,
        exclude=(*exclude, *reports),
        links=tuple(links),
    )


def _usable_root(path: Path) -> Path:
    shown = one_line(str(path))
    try:
        root = path.resolve(strict=True)
        mode = root.stat().st_mode
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a loop of symbolic links"
        raise TargetError(
            f"cannot check {shown}: {reason}", "Name a folder that exists."
        ) from error
    if not stat.S_ISDIR(mode):
        raise TargetError(f"cannot check {shown}: not a folder", "Name the project's folder.")
    if not os.access(root, os.R_OK | os.X_OK):
        raise TargetError(f"cannot check {shown}: it may not be read", "Check its permissions.")
    return root


def _listed_by_git(root: Path, stop: Stop) -> _Listing | None:
    """What git lists, or None where there is no repository or git ignores the folder itself.

    TargetError for a repository that git does not read: to walk instead would leave out what is
    tracked though .gitignore names it.
    """
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return None
    git = Git(root, stop)
    first = git.run("rev-parse", "--show-prefix")
    if first.ended is Ended.NOT_STARTED or stop.is_set():
        return None
    _check_git(first)
    prefix = os.fsdecode(first.stdout).strip()
    if prefix and git.text("check-ignore", "-q", ".") is not None:
        return None
    listed = git.run(
        "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"
    )
    if stop.is_set():
        return None
    _check_git(listed)
    names = [os.fsdecode(name) for name in listed.stdout.split(b"\0") if name]
    nested = [name for name in names if name.endswith("/") or _is_folder(root / name)]
    skipped = [
        NotExamined(
            valid(name.rstrip("/")),
            NESTED,
        )
        for name in nested
    ]
    inside = set(nested)
    return _Listing(
        tuple(name for name in names if name not in inside),
        tuple(skipped),
        _revision(git, valid(prefix)),
    )


def _check_git(done: Completed) -> None:
    if done.ended is Ended.EXITED and done.returncode == 0:
        return
    said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [done.ended.value]
    reason = next((line for line in said if line.startswith("fatal:")), said[-1])
    hint = "Mend the repository, or let git trust it: git config --global safe.directory"
    raise TargetError(f"git cannot read the repository: {one_line(reason)}", hint)


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.lstat().st_mode)
    except OSError:
        return False


def _revision(git: Git, prefix: str) -> Revision:
    commit = git.text("rev-parse", "--verify", "-q", "HEAD")
    branch = git.text("symbolic-ref", "-q", "--short", "HEAD")
    remote = git.text("config", "--get", "remote.origin.url")
    changes = git.text("status", "--porcelain", "-uno", "--ignore-submodules", ".")
    return Revision(
        commit=commit,
        branch=valid(branch) if branch else None,
        repository=_public_address(remote) if remote else None,
        prefix=prefix,
        dirty=bool(changes),
    )


def _public_address(remote: str) -> str | None:
    """The remote as an https address without credentials; None for a path of this machine."""
    bare = _CREDENTIALS.sub("", valid(remote))
    scp = re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+\.\w+):(?!//)(.+)", bare)
    if scp:
        bare = f"https://{scp[1]}/{scp[2].lstrip('/')}"
    bare = re.sub(r"^(ssh|git|http)://", "https://", bare)
    return bare if bare.startswith("https://") else None


def _listed_by_walking(root: Path) -> _Listing:
    skipped: list[NotExamined] = []
    names = tuple(_walk(root, skipped))
    notice = "listed without git: every file that .gitignore does not name, tracked or not"
    return _Listing(names, tuple(skipped), None, (notice,))


_Rules = tuple[tuple[str, pathspec.GitIgnoreSpec], ...]


def _walk(root: Path, skipped: list[NotExamined]) -> Iterator[str]:
    """Names of files that no .gitignore on the way excludes; links are not followed."""
    pending: list[tuple[str, _Rules]] = [("", ())]
    while pending:
        below, rules = pending.pop()
        try:
            entries = sorted(os.scandir(root / below), key=lambda entry: entry.name)
        except OSError as error:
            reason = f"unreadable folder: {error.strerror}"
            skipped.append(NotExamined(valid(below.rstrip("/")), reason))
            continue
        if any(entry.name == ".gitignore" for entry in entries):
            rules = (*rules, (below, _ignore_file(root / below / ".gitignore")))
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            name = below + entry.name + ("/" if is_folder else "")
            if _is_ignored(name, rules):
                continue
            if is_folder:
                pending.append((name, rules))
            else:
                yield name


def _ignore_file(path: Path) -> pathspec.GitIgnoreSpec:
    try:
        lines = path.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        lines = []
    return pathspec.GitIgnoreSpec.from_lines(_valid_patterns(lines))


def _valid_patterns(lines: Iterable[str]) -> list[str]:
    """Lines that are patterns; git ignores the others too."""
    kept = []
    for line in lines:
        try:
            pathspec.GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue
        kept.append(line)
    return kept


def _is_ignored(name: str, rules: Sequence[tuple[str, pathspec.GitIgnoreSpec]]) -> bool:
    """Whether the innermost .gitignore that says anything of `name` excludes it."""
    name = name.replace("\n", "?")  # no pattern can hold a newline, and the matcher stops at one
    if _ALWAYS.match_file(name):
        return True
    for folder, spec in reversed(rules):
        answer = spec.check_file(name[len(folder) :]).include
        if answer is not None:
            return answer
    return False


_ALWAYS: Final = pathspec.GitIgnoreSpec.from_lines(_NEVER)


def _sorted_out(
    root: Path, names: Iterable[str], excluded: Mapping[str, pathspec.GitIgnoreSpec]
) -> tuple[list[SourceFile], list[NotExamined], list[Link]]:
    files: list[SourceFile] = []
    skipped: list[NotExamined] = []
    links: list[str] = []
    for name in names:
        path = root / name
        try:
            status = path.lstat()
        except OSError:
            continue  # tracked by git, deleted in the work tree: there is nothing to examine
        left_out = [why for why, spec in excluded.items() if spec.match_file(name)]
        if left_out:
            skipped.append(NotExamined(valid(name), left_out[0]))
        elif stat.S_ISLNK(status.st_mode):
            links.append(name)
        elif not stat.S_ISREG(status.st_mode):
            skipped.append(NotExamined(valid(name), "excluded: not a regular file"))
        elif not os.access(path, os.R_OK):
            skipped.append(NotExamined(valid(name), "it may not be read"))
        else:
            files.append(SourceFile(valid(name), path, status.st_size))
    files = _told_apart(sorted(files, key=lambda file: (file.path, os.fsencode(file.real))))
    followed = sorted(_followed(root, links, files), key=lambda link: link.path)
    skipped += [
        NotExamined(one.path, f"excluded: a symbolic link {one.reason}")
        for one in followed
        if one.reason
    ]
    return files, skipped, followed


def _told_apart(files: Sequence[SourceFile]) -> list[SourceFile]:
    """The files, none shown like another: a byte that is no UTF-8 looks like its escape."""
    seen: dict[str, int] = {}
    told = []
    for file in files:
        count = seen[file.path] = seen.get(file.path, 0) + 1
        told.append(file if count == 1 else replace(file, path=f"{file.path} ({count})"))
    return told


def _followed(root: Path, names: Iterable[str], files: Sequence[SourceFile]) -> Iterator[Link]:
    """Each link with its end among the files, or among the folders below the root."""
    examined = {file.real: file.path for file in files}
    for name in names:
        end, reason = _end(root, root / name, examined)
        yield Link(valid(name), end, reason)


def _end(root: Path, link: Path, examined: Mapping[Path, str]) -> tuple[str | None, str]:
    """The path that is shown of where a link ends, or why there is none."""
    try:
        end = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return None, "that leads nowhere"
    if end in examined:
        return examined[end], ""
    if not end.is_relative_to(root):
        return None, "to something outside the tree"
    if end.is_dir():
        return valid(end.relative_to(root).as_posix()), ""
    return None, "to something not part of the project"
