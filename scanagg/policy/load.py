"""Find, read and check policy files, and combine them with their parents and waivers."""

import hashlib
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import msgspec

from scanagg.core.errors import PolicyError
from scanagg.core.text import one_line, quoted, suggestion
from scanagg.core.yaml import Document, KeyPath, Mark, Problem, YamlError, parse
from scanagg.model import Waiver, WaiverState
from scanagg.policy.aspects import split_purl
from scanagg.policy.checks import check, check_waivers
from scanagg.policy.license_lists import check_lists
from scanagg.policy.locks import locked_rule, locked_scanner, locked_section
from scanagg.policy.schema import Locked, Policy, PolicyFile, WaiverEntry, WaiverFile
from scanagg.policy.typed import Section, build, label
from scanagg.project.trusted import Files, WorkTree, locate

BUILTIN: Final = ("default", "pull-request", "strict", "weekly")
BUILT_IN: Final = "built-in"
PLACES: Final = ("policies/scanagg.yml", "scanagg.yml")
"""The paths of a project's policy; the first one that exists is used."""
WAIVERS: Final = "policies/waivers.yml"
"""The file with a project's waivers. The policy can have waivers too."""

_MOST_BYTES: Final = 1 << 20
_MOST_DEPTH: Final = 8
# Without a limit, a few files that name each other many times are read millions of times.
_MOST_PARENTS: Final = 64
_T = TypeVar("_T", bound=Section)
_Raw = Mapping[str, Any]
# Keys that are not inherited.
_OWN: Final = frozenset(("extends", "locked"))
# Lists to which a child adds its entries, in front. It replaces any other list.
_ADDED: Final = frozenset(
    (
        ("rules",),
        ("severity", "override"),
        ("licenses", "clarify"),
        ("licenses", "exceptions"),
        ("waivers", "items"),
    )
)


class PolicySource(msgspec.Struct, frozen=True):
    """The bytes of a file, and its name in messages.

    `files` and `path` say where the file is, and where to look for its parents; None and empty for
    a ready-made policy.
    """

    name: str
    raw: bytes
    files: Files | None = None
    path: str = ""

    @property
    def sha256(self) -> str:
        """The hash of the bytes."""
        return hashlib.sha256(self.raw).hexdigest()


class PolicyText(msgspec.Struct, frozen=True):
    """A valid policy file as written, without its parents."""

    source: PolicySource
    document: Document
    file: PolicyFile


class Combined(msgspec.Struct, frozen=True):
    """A policy combined with its parents.

    `raw` has the keys that it or a parent sets; `locked` the locks of its parents, `files` the
    parents' hashes by name.
    """

    written: PolicyText
    raw: _Raw
    file: PolicyFile
    waivers: tuple[Waiver, ...]
    locked: tuple[Locked, ...] = ()
    files: Mapping[str, str] = msgspec.field(default_factory=dict)


def load_policy(
    name_or_path: str | None,
    root: Path,
    configured: str | None = None,
    *,
    files: Files | None = None,
) -> Policy:
    """Load the policy to judge by. PolicyError with every mistake in it.

    The policy is `name_or_path`, else the first of `PLACES` under `root`, else `configured` (from
    the configuration, relative to `root`), else the ready-made `default`. The policy, its parents
    and the waivers are read through `files`, by default the work tree. A `name_or_path` outside
    the project is read from the disk.
    """
    place = files or WorkTree(root)
    policy: PolicySource | None
    if name_or_path is not None:
        policy = _named(name_or_path, root, place)
    else:
        candidates = (find(place, path) for path in PLACES)
        policy = next(filter(None, candidates), None)
    if policy is None:
        name = configured or BUILTIN[0]
        policy = builtin(name) if name in BUILTIN else find(place, name)
        policy = policy or _missing(name, place.ref)
    combined = _Reader().combine(read_policy(policy), ())
    digests = dict(combined.files)
    own = find(place, WAIVERS)
    if own is not None:
        digests[own.name] = own.sha256
    is_built_in = policy.files is None
    stem = one_line(Path(policy.path).stem)
    return Policy(
        name=policy.name.removeprefix(f"{BUILT_IN} ") if is_built_in else stem,
        source=BUILT_IN if is_built_in else policy.name,
        digest=policy.sha256,
        enforcement=combined.file.enforcement,
        file=combined.file,
        waivers=(*combined.waivers, *(read_waivers(own) if own else ())),
        locked=combined.locked,
        files=digests,
        ref=place.ref,
    )


def looser_enforcement(policy: Policy, wanted: str) -> str | None:
    """Return why `wanted` cannot replace the policy's enforcement; None if it can."""
    for lock in policy.locked:
        if "enforcement" in lock.file.locked and wanted != "block" == lock.file.enforcement:
            return f"enforcement is locked by {lock.source} to block"
    return None


# Reading one file.


def builtin_folder() -> Path:
    """Return the folder of ready-made policies: in an installed package, or next to its source."""
    package = Path(__file__).parent.parent
    shipped = package / "policies"
    return shipped if shipped.is_dir() else package.parent / "policies"


def builtin(name: str) -> PolicySource:
    """Return a ready-made policy."""
    raw = (builtin_folder() / f"{name}.yml").read_bytes()
    return PolicySource(f"{BUILT_IN} {name}", raw)


def find(files: Files, path: str, name: str | None = None) -> PolicySource | None:
    """Return a file of the project, None if it does not exist. PolicyError if it is unusable."""
    where = one_line(name or path)
    try:
        raw = files.read(path)
    except OSError as error:
        hint = "Give another file, or make this one readable."
        raise PolicyError(f"{where}: {error.strerror}", hint) from None
    if raw is None:
        return None
    if len(raw) > _MOST_BYTES:
        hint = "Policy files have a few kilobytes. Check the path."
        raise PolicyError(f"{where}:1:1: larger than {_MOST_BYTES >> 20} MiB", hint)
    return PolicySource(where, raw, files, path)


def read_policy(source: PolicySource) -> PolicyText:
    """Read the policy in a file. PolicyError with every mistake of the first step that fails."""
    file, document = read_document(source.raw, source.name, PolicyFile)
    # The tests check the ready-made policies. Here it would take longest to load the licence list.
    problems = check(file, document) if source.files else []
    if problems:
        raise policy_error(problems, source.name)
    return PolicyText(source, document, file)


def read_waivers(source: PolicySource) -> tuple[Waiver, ...]:
    """Read a waiver file. PolicyError as for a policy."""
    file, document = read_document(source.raw, source.name, WaiverFile)
    problems = check_waivers(file, document)
    if problems:
        raise policy_error(problems, source.name)
    return _waivers(source, document, file.items, ("items",))


def read_document(raw: bytes, name: str, kind: type[_T]) -> tuple[_T, Document]:
    """Return the bytes of a file as a `kind`. PolicyError with every mistake and its position."""
    try:
        document = parse(raw)
    except YamlError as error:
        raise policy_error(error.problems, name) from None
    extends = isinstance(document.value, dict) and bool(document.value.get("extends"))
    file, problems = build(document, kind, extends=extends)
    if file is None:
        raise policy_error(problems, name)
    return file, document


def policy_error(problems: Sequence[Problem], name: str) -> PolicyError:
    """Return the problems of one file as one error.

    If there are several, each line with a problem is followed by its hint, unless an earlier
    problem has the same one.
    """
    lines: dict[str, str] = {}
    for problem in problems:
        mark = problem.mark
        line = f"{name}:{mark.line}:{mark.column}: {problem.message}"
        lines.setdefault(line, "" if problem.hint in lines.values() else problem.hint)
    if len(lines) == 1:
        return PolicyError(*lines.popitem())
    texts = (f"{line}\n  {hint}" if hint else line for line, hint in lines.items())
    return PolicyError("\n".join(texts))


def _named(name: str, root: Path, files: Files) -> PolicySource:
    if name in BUILTIN:
        return builtin(name)
    place = None if "\0" in name else locate(files, root, Path(name))
    if place is None:
        path = Path(name.replace("\0", "?"))
        place = (WorkTree(path.parent, named=True), path.name or ".")
    return find(*place) or _missing(name, place[0].ref)


def _missing(name: str, ref: str | None) -> PolicySource:
    where = f" in commit {ref[:12]}" if ref else ""
    hint = f"Give a file, or a ready-made policy: {', '.join(BUILTIN)}."
    message = f"policy {one_line(name)!r} not found{where}{suggestion(name, BUILTIN)}"
    raise PolicyError(message, hint)


def _waivers(
    source: PolicySource, document: Document, entries: Sequence[WaiverEntry], above: KeyPath
) -> tuple[Waiver, ...]:
    return tuple(
        Waiver(
            state=WaiverState(entry.state),
            reason=entry.reason,
            owner=entry.owner,
            expires=date.fromisoformat(entry.expires),
            place=f"{source.name}:{document.at((*above, index)).line}",
            ids=entry.ids,
            purl=split_purl(entry.purl)[0] if entry.purl else None,
            versions=entry.versions,
            path=entry.path,
            fingerprint=entry.fingerprint.rpartition(":")[2] if entry.fingerprint else None,
            until_fixed=entry.until_fixed,
        )
        for index, entry in enumerate(entries)
    )


# Parents: the child overrides them, except for what they lock.


class _Reader:
    """Reads a policy with its parents, and counts these."""

    def __init__(self) -> None:
        self.count = 0

    def combine(self, written: PolicyText, chain: tuple[str, ...]) -> Combined:
        """Return the policy with its parents; `chain` names the files that extend it.

        PolicyError if a parent cannot be used, or if a child loosens what a parent locks.
        """
        source, document, file = written.source, written.document, written.file
        own = cast("_Raw", document.value)
        waivers = _waivers(source, document, file.waivers.items, ("waivers", "items"))
        if not file.extends:
            return Combined(written, own, file, waivers)
        parents = [
            self._parent(written, index, (*chain, source.name))
            for index in range(len(file.extends))
        ]
        raw: _Raw = {}
        locked: list[Locked] = []
        files: dict[str, str] = {}
        # Later parents override earlier ones, and the child overrides all of them.
        for parent in parents:
            raw = _over(parent.raw, raw)
            locks = (*parent.locked, *_locks_of(parent))
            locked += [lock for lock in locks if lock not in locked]
            files.update(parent.files)
            files[parent.written.source.name] = parent.written.source.sha256
            waivers += parent.waivers
        raw = _over(own, raw)
        merged, problems = build(Document(raw, {(): Mark(1, 1)}, {}), PolicyFile)
        if merged is None:
            raise policy_error(problems, f"{source.name} with its parents")
        waivers = tuple(dict.fromkeys(waivers))
        combined = Combined(written, raw, merged, waivers, tuple(locked), files)
        problems = sorted((*_loosened(combined), *_in_two_lists(combined)))
        if problems:
            raise policy_error(problems, source.name)
        return combined

    def _parent(self, child: PolicyText, index: int, chain: tuple[str, ...]) -> Combined:
        path: KeyPath = ("extends", index)
        parent = _source_of_parent(child, index)
        if parent.name in chain:
            loop = " extends ".join((*chain[chain.index(parent.name) :], parent.name))
            raise _error(child, path, f"a loop: {loop}", "Remove one of these `extends` entries.")
        if len(chain) > _MOST_DEPTH:
            message = f"more than {_MOST_DEPTH} levels of parents"
            raise _error(child, path, message, "Combine some of the files.")
        self.count += 1
        if self.count > _MOST_PARENTS:
            message = f"more than {_MOST_PARENTS} parents in total"
            raise _error(child, path, message, "Combine some of the files.")
        expected = child.file.extends[index].sha256
        if expected not in (None, parent.sha256):
            message = f"{parent.name} has sha256 {parent.sha256}, not {expected}"
            hint = f"Review what changed in {parent.name}, then write its new sha256 here."
            raise _error(child, (*path, "sha256"), message, hint)
        return self.combine(read_policy(parent), chain)


def _source_of_parent(child: PolicyText, index: int) -> PolicySource:
    """Return the bytes of a parent, read through the child's `files`."""
    entry = child.file.extends[index]
    if entry.name in BUILTIN:
        return builtin(entry.name)
    if entry.name is not None:
        near = suggestion(entry.name, BUILTIN)
        message = f"unknown ready-made policy {quoted(entry.name)}{near}"
        hint = f"Ready-made policies: {', '.join(BUILTIN)}."
        raise _error(child, ("extends", index, "name"), message, hint)
    path = ("extends", index, "file")
    name, files = entry.file or "", child.source.files
    if "://" in name:
        hint = "Copy the file into the project, and give its path."
        raise _error(child, path, f"{quoted(name)} is a URL, and scanagg fetches none", hint)
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(child.source.path), name))
    if files is None or name.startswith("/") or inside.split("/")[0] == "..":
        hint = "Move the parent into the project, or next to a policy outside the project."
        raise _error(
            child, path, f"{quoted(name)} is outside the folder that parents are read from", hint
        )
    try:
        parent = find(files, inside)
    except PolicyError as error:
        raise _error(child, path, error.message, error.hint) from None
    if parent is None:
        commit = f" in commit {files.ref[:12]}" if files.ref else ""
        hint = "Write the path relative to the file that names it."
        raise _error(child, path, f"{one_line(inside)} does not exist{commit}", hint)
    return parent


def _error(child: PolicyText, path: KeyPath, message: str, hint: str) -> PolicyError:
    problem = Problem(child.document.at(path), f"{label(path)}: {message}", hint)
    return policy_error([problem], child.source.name)


def _over(child: _Raw, parent: _Raw, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the keys of both; the child's value wins."""
    merged = {key: value for key, value in parent.items() if path or key not in _OWN}
    for key, value in child.items():
        here, below = (*path, key), merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _over(value, below, here)
        elif here in _ADDED:
            # Rules are the same if their ids are, other entries if they are equal.
            own = [entry.get("id", entry) for entry in value]
            inherited = [entry for entry in below or () if entry.get("id", entry) not in own]
            merged[key] = [*value, *inherited]
        else:
            merged[key] = value
    return merged


def _locks_of(parent: Combined) -> Iterator[Locked]:
    """Yield the locks of a parent itself, without those of its own parents."""
    own = parent.written.file
    rules = tuple(rule for rule in own.rules if rule.locked)
    scanners = {
        name: parent.file.scanners[name] for name in own.scanners if own.scanners[name].locked
    }
    if rules or scanners or own.locked:
        file = msgspec.structs.replace(
            parent.file, rules=rules, scanners=scanners, locked=own.locked
        )
        yield Locked(parent.written.source.name, file, frozenset(file.approvers))


def _loosened(combined: Combined) -> Iterator[Problem]:
    """Yield every value of the child that is looser than a lock allows."""
    for lock in combined.locked:
        for section in lock.file.locked:
            for path, allowed in locked_section(section, combined.file, lock.file, lock.approvers):
                yield _locked_problem(combined, lock, path, allowed)
        for name, entry in lock.file.scanners.items():
            for key, allowed in locked_scanner(combined.file.scanners[name], entry):
                yield _locked_problem(combined, lock, ("scanners", name, key), allowed)
        theirs = {rule.id: rule for rule in lock.file.rules}
        for index, rule in enumerate(combined.written.file.rules):
            if rule.id in theirs:
                for key, allowed in locked_rule(rule, theirs[rule.id]):
                    yield _locked_problem(combined, lock, ("rules", index, key), allowed)


def _locked_problem(combined: Combined, lock: Locked, path: KeyPath, allowed: str) -> Problem:
    document = combined.written.document
    # A key that the child does not set comes from another parent.
    written = path if (path[0],) in document.values else ("extends",)
    message = f"{label(path)} is locked by {lock.source} to {allowed}"
    hint = f"Make it stricter, or remove it. Only {lock.source} can loosen it."
    return Problem(document.at(written), message, hint)


def _in_two_lists(combined: Combined) -> Iterator[Problem]:
    """Yield licences of the child that are also in another list, inherited from a parent."""
    own = combined.written.document
    if not any(("licenses", name) in own.values for name in ("allow", "review", "deny")):
        return
    section = combined.file.licenses
    for problem in check_lists(section.allow, section.review, section.deny):
        message = f"licenses.{problem.list}: {problem.message}"
        hint = "Lists that you leave out are inherited. Write the other list here too."
        yield Problem(own.at(("licenses", problem.list, problem.index)), message, hint)
