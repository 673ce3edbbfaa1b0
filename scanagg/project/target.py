"""The git-aware file set of a check: tracked files, and untracked ones that are not ignored."""

import os
import re
import stat
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
import pathspec
from msgspec.structs import replace

from scanagg.core.errors import TargetError
from scanagg.core.git import Git
from scanagg.core.process import Completed, Ended, Stop
from scanagg.core.text import one_line, valid
from scanagg.model import Link, NotExamined, Reason, Revision, SourceFile, Target

CONFIGURED: Final = Reason("excluded")
"""The reason for a file that a pattern of the configuration names."""

REPORT: Final = Reason("earlier-report")
"""The reason for a file that an earlier check wrote."""

NESTED: Final = Reason("nested-repository")
"""The reason for a folder that is a repository of its own."""

_CREDENTIALS: Final = re.compile(r"(?<=://)[^/@\s]+@")
# Never part of the source, where no git says so.
_ALWAYS_IGNORED: Final = pathspec.GitIgnoreSpec.from_lines(
    ("/.git", ".git/", ".hg/", ".svn/", "__pycache__/")
)


class _Listing(msgspec.Struct, frozen=True):
    """File names below the root, as the system spells them."""

    names: tuple[str, ...]
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
    """Read the target in the folder `path`; `exclude` and `reports` are patterns as in .gitignore.

    Without git, or outside a repository, `.gitignore` files apply all the same. Files that are
    excluded, unreadable, or out of the tree are in `skipped`, with the reason. `links` has every
    symbolic link and its end; none is followed. TargetError where the folder cannot be used.
    """
    shown = one_line(str(path))
    try:
        root = path.resolve(strict=True)
        mode = root.stat().st_mode
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "a loop of symbolic links"
        hint = "Name a folder that exists."
        raise TargetError(f"cannot check {shown}: {reason}", hint) from error
    if not stat.S_ISDIR(mode):
        raise TargetError(f"cannot check {shown}: not a folder", "Name the project's folder.")
    if not os.access(root, os.R_OK | os.X_OK):
        raise TargetError(f"cannot check {shown}: it may not be read", "Check its permissions.")
    listing = _list_by_git(root, stop or Stop()) or _list_by_walking(root)
    patterns = {
        REPORT: pathspec.GitIgnoreSpec.from_lines(reports),
        CONFIGURED: pathspec.GitIgnoreSpec.from_lines(exclude),
    }
    files, skipped, links = _sort(root, listing.names, patterns)
    return Target(
        root=root,
        name=valid(root.name) or "root",
        files=tuple(files),
        skipped=tuple(sorted((*listing.skipped, *skipped), key=lambda gap: gap.input)),
        revision=listing.revision,
        notices=listing.notices,
        exclude=(*exclude, *reports),
        links=tuple(links),
    )


def _list_by_git(root: Path, stop: Stop) -> _Listing | None:
    """List the files by git; None where there is no repository, or git ignores the folder itself.

    TargetError for a repository that git does not read: a walk would leave out files that are
    tracked although .gitignore names them.
    """
    if not any((folder / ".git").exists() for folder in (root, *root.parents)):
        return None
    git = Git(root, stop)
    top = git.run("rev-parse", "--show-prefix")
    if top.ended is Ended.NOT_STARTED or stop.is_set():
        return None
    _check_git(top)
    prefix = os.fsdecode(top.stdout).strip()
    if prefix and git.text("check-ignore", "-q", ".") is not None:
        return None
    listed = git.run(
        "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"
    )
    if stop.is_set():
        return None
    _check_git(listed)
    branch = git.text("symbolic-ref", "-q", "--short", "HEAD")
    remote = git.text("config", "--get", "remote.origin.url")
    changes = git.text("status", "--porcelain", "-uno", "--ignore-submodules", ".")
    revision = Revision(
        commit=git.text("rev-parse", "--verify", "-q", "HEAD"),
        branch=valid(branch) if branch else None,
        repository=_public_address(remote) if remote else None,
        prefix=valid(prefix),
        dirty=bool(changes),
    )
    names = tuple(os.fsdecode(name) for name in listed.stdout.split(b"\0") if name)
    return _Listing(names, (), revision)


def _check_git(done: Completed) -> None:
    """Raise TargetError where git failed."""
    if done.ended is Ended.EXITED and done.returncode == 0:
        return
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or [done.ended.value]
    reason = next((line for line in lines if line.startswith("fatal:")), lines[-1])
    hint = "Mend the repository, or let git trust it: git config --global safe.directory"
    raise TargetError(f"git cannot read the repository: {one_line(reason)}", hint)


def _public_address(remote: str) -> str | None:
    """Return the remote as an https address without credentials; None for a local path."""
    bare = _CREDENTIALS.sub("", valid(remote))
    scp = re.fullmatch(r"(?:[\w.-]+@)?([\w.-]+\.\w+):(?!//)(.+)", bare)
    if scp:
        bare = f"https://{scp[1]}/{scp[2].lstrip('/')}"
    bare = re.sub(r"^(ssh|git|http)://", "https://", bare)
    return bare if bare.startswith("https://") else None


_Rules = tuple[tuple[str, pathspec.GitIgnoreSpec], ...]


def _list_by_walking(root: Path) -> _Listing:
    """List the files that no .gitignore on the way excludes, without following links."""
    names: list[str] = []
    skipped: list[NotExamined] = []
    pending: list[tuple[str, _Rules]] = [("", ())]
    while pending:
        below, rules = pending.pop()
        try:
            entries = sorted(os.scandir(root / below), key=lambda entry: entry.name)
        except OSError as error:
            reason = Reason("unreadable-folder", {"error": error.strerror or str(error)})
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
                names.append(name)
    return _Listing(tuple(names), tuple(skipped), None, (Reason("listed-without-git"),))


def _ignore_file(path: Path) -> pathspec.GitIgnoreSpec:
    """Return the patterns of a .gitignore, without the invalid ones, which git ignores too."""
    try:
        lines = path.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        lines = []
    patterns = []
    for line in lines:
        try:
            pathspec.GitIgnoreSpec.from_lines([line])
        except ValueError:
            continue
        patterns.append(line)
    return pathspec.GitIgnoreSpec.from_lines(patterns)


def _is_ignored(name: str, rules: _Rules) -> bool:
    """Return True where the innermost .gitignore that matches `name` excludes it."""
    name = name.replace("\n", "?")  # no pattern can hold a newline, and the matcher stops at one
    if _ALWAYS_IGNORED.match_file(name):
        return True
    for folder, spec in reversed(rules):
        include = spec.check_file(name[len(folder) :]).include
        if include is not None:
            return include
    return False


def _sort(
    root: Path, names: Iterable[str], patterns: Mapping[Reason, pathspec.GitIgnoreSpec]
) -> tuple[list[SourceFile], list[NotExamined], list[Link]]:
    """Sort names into files, skipped inputs and links; `patterns` exclude, by their reason."""
    found: list[SourceFile] = []
    skipped: list[NotExamined] = []
    link_names: list[str] = []
    for name in names:
        path = root / name
        try:
            status = path.lstat()
        except OSError:
            continue  # tracked by git, deleted in the work tree
        reasons = [reason for reason, spec in patterns.items() if spec.match_file(name)]
        if stat.S_ISDIR(status.st_mode):
            skipped.append(NotExamined(valid(name.rstrip("/")), NESTED, on_purpose=True))
        elif reasons:
            skipped.append(NotExamined(valid(name), reasons[0], on_purpose=True))
        elif stat.S_ISLNK(status.st_mode):
            link_names.append(name)
        elif not stat.S_ISREG(status.st_mode):
            reason = Reason("irregular-file")
            skipped.append(NotExamined(valid(name), reason, on_purpose=True))
        elif not os.access(path, os.R_OK):
            skipped.append(NotExamined(valid(name), Reason("no-read-permission")))
        else:
            found.append(SourceFile(valid(name), path, status.st_size))
    found.sort(key=lambda file: (file.path, os.fsencode(file.real)))
    files = _with_unique_paths(found)
    by_place = {file.real: file.path for file in files}
    links = []
    for name in link_names:
        end, problem = _link_end(root, root / name, by_place)
        links.append(Link(valid(name), end, problem))
        if problem:
            skipped.append(NotExamined(valid(name), problem, on_purpose=True))
    links.sort(key=lambda link: link.path)
    return files, skipped, links


def _with_unique_paths(files: Iterable[SourceFile]) -> list[SourceFile]:
    """Number files with the same shown path: a byte that is no UTF-8 looks like its escape."""
    seen: Counter[str] = Counter()
    unique = []
    for file in files:
        seen[file.path] += 1
        count = seen[file.path]
        unique.append(file if count == 1 else replace(file, path=f"{file.path} ({count})"))
    return unique


def _link_end(
    root: Path, link: Path, files: Mapping[Path, str]
) -> tuple[str | None, Reason | None]:
    """Return the shown path of a link's end among files and folders, or the reason why not."""
    try:
        end = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return None, Reason("dangling-link")
    if end in files:
        return files[end], None
    if not end.is_relative_to(root):
        return None, Reason("link-outside-the-tree")
    if end.is_dir():
        return valid(end.relative_to(root).as_posix()), None
    return None, Reason("link-to-no-file-of-the-project")
