"""Policy files: found, read, checked, and put together with their parents and waivers."""

import hashlib
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Final, TypeVar, cast

import msgspec

from scanagg.core.errors import PolicyError
from scanagg.core.text import one_line
from scanagg.core.yaml import Document, KeyPath, Mark, Problem, YamlError, parse
from scanagg.model import Waiver, WaiverState
from scanagg.policy import licenses
from scanagg.policy.aspects import split_purl
from scanagg.policy.checks import check, check_waivers
from scanagg.policy.locks import locked_rule, locked_scanner, locked_section
from scanagg.policy.schema import Locked, Policy, PolicyFile, WaiverEntry, WaiverFile
from scanagg.policy.typed import Section, build, label, quoted, suggestion
from scanagg.project.trusted import Files, WorkTree, locate

BUILTIN: Final = ("default", "pull-request", "strict", "weekly")
BUILT_IN: Final = "built-in"
PLACES: Final = ("policies/scanagg.yml", "scanagg.yml")
"""The places where a project keeps its policy; the first one that exists wins."""
WAIVERS: Final = "policies/waivers.yml"
"""The file where a project keeps its waivers, besides those in the policy."""

_MOST_BYTES: Final = 1 << 20
_MOST_DEPTH: Final = 8
# A few files that name each other many times would otherwise be read millions of times.
_MOST_PARENTS: Final = 64
_T = TypeVar("_T", bound=Section)
_Raw = Mapping[str, object]
# Keys that say something of one file alone, and are not handed down.
_OWN: Final = frozenset(("extends", "locked"))
# Lists that the child adds to, in front; so are rules. Any other list of the child stands alone.
_ADDED: Final = frozenset(
    (
        ("severity", "override"),
        ("licenses", "clarify"),
        ("licenses", "exceptions"),
        ("waivers", "items"),
    )
)


class PolicySource(msgspec.Struct, frozen=True):
    """The bytes of a file, and what it is called in messages.

    `files` and `path` are where it lies, and where its parents are looked for; None and empty for
    a ready-made policy.
    """

    shown: str
    raw: bytes
    files: Files | None = None
    path: str = ""

    @property
    def sha256(self) -> str:
        """The hash of the bytes."""
        return hashlib.sha256(self.raw).hexdigest()


class PolicyText(msgspec.Struct, frozen=True):
    """A valid policy file, as it is written: without its parents."""

    source: PolicySource
    document: Document
    file: PolicyFile


class Whole(msgspec.Struct, frozen=True):
    """A policy with all its parents in it.

    `raw` are the keys that it or a parent writes; `locked` is what its parents hold fast, `files`
    their sha256 by name.
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

    It is the one that is given, else the first of `PLACES` under `root`, else `configured` (from
    the configuration, relative to `root`), else the built-in default. Everything of the project is
    read through `files`, the work tree unless given: the policy, its parents, the waivers. A path
    that is given and lies outside is the caller's own, and read from the disk.
    """
    place = files or WorkTree(root)
    policy: PolicySource | None
    if name_or_path is not None:
        policy = _named(name_or_path, root, place)
    else:
        candidates = (source(place, path) for path in PLACES)
        policy = next((found for found in candidates if found), None)
    if policy is None:
        name = configured or BUILTIN[0]
        policy = builtin(name) if name in BUILTIN else source(place, name)
        policy = policy or _missing(name, place.ref)
    whole = _Reader().whole(read_policy(policy), ())
    digests = dict(whole.files)
    own = source(place, WAIVERS)
    if own is not None:
        digests[own.shown] = own.sha256
    is_built_in = policy.files is None
    stem = one_line(Path(policy.path).stem)
    return Policy(
        name=policy.shown.removeprefix(f"{BUILT_IN} ") if is_built_in else stem,
        source=BUILT_IN if is_built_in else policy.shown,
        digest=policy.sha256,
        enforcement=whole.file.enforcement,
        file=whole.file,
        waivers=(*whole.waivers, *(read_waivers(own) if own else ())),
        locked=whole.locked,
        files=digests,
        ref=place.ref,
    )


def check_file(path: Path, root: Path | None = None) -> list[str]:
    """Return everything that is wrong with a policy file, one line each; none where it is valid.

    Its parents are looked for inside `root`, and beside the file where that is not given.
    """
    shown = one_line(str(path))
    tree = WorkTree(root or path.parent)
    place = locate(tree, tree.root, path) or (WorkTree(path.parent), path.name)
    try:
        policy = source(*place, shown)
        if policy is None:
            raise PolicyError(f"{shown}: does not exist")
        _Reader().whole(read_policy(policy), ())
    except PolicyError as error:
        return error.message.splitlines()
    return []


def looser_enforcement(policy: Policy, wanted: str) -> str | None:
    """Return why `wanted` may not stand in place of the policy's enforcement; None if it may."""
    for lock in policy.locked:
        if "enforcement" in lock.file.locked and wanted != "block" == lock.file.enforcement:
            return f"enforcement is locked by {lock.source} to block"
    return None


# Reading one file.


def builtin_folder() -> Path:
    """Return the folder of ready-made policies: in an installed package, or beside its source."""
    package = Path(__file__).parent.parent
    shipped = package / "policies"
    return shipped if shipped.is_dir() else package.parent / "policies"


def builtin(name: str) -> PolicySource:
    """Return a ready-made policy."""
    raw = (builtin_folder() / f"{name}.yml").read_bytes()
    return PolicySource(f"{BUILT_IN} {name}", raw)


def source(files: Files, path: str, shown: str | None = None) -> PolicySource | None:
    """Return a file of the project, None if it doesn't exist. PolicyError if it is unusable."""
    where = one_line(shown or path)
    try:
        raw = files.read(path)
    except OSError as error:
        hint = "it must be a readable file of the project"
        raise PolicyError(f"{where}: {error.strerror}", hint) from None
    if raw is None:
        return None
    if len(raw) > _MOST_BYTES:
        hint = "such a file has a few kilobytes: is this the right one?"
        raise PolicyError(f"{where}:1:1: larger than {_MOST_BYTES >> 20} MiB", hint)
    return PolicySource(where, raw, files, path)


def read_policy(of: PolicySource) -> PolicyText:
    """Read the policy in a file. PolicyError with all problems of the first kind that there are."""
    file, document = read_document(of.raw, of.shown, PolicyFile)
    # Ready-made ones the tests have checked: to load the list of licences takes longer than
    # everything else here.
    problems = check(file, document) if of.files else []
    if problems:
        raise policy_error(problems, of.shown)
    return PolicyText(of, document, file)


def read_waivers(of: PolicySource) -> tuple[Waiver, ...]:
    """Read the waivers in a file that holds nothing else. PolicyError as for a policy."""
    file, document = read_document(of.raw, of.shown, WaiverFile)
    problems = check_waivers(file, document)
    if problems:
        raise policy_error(problems, of.shown)
    return _waivers(of, document, file.items, ("items",))


def read_document(raw: bytes, shown: str, kind: type[_T]) -> tuple[_T, Document]:
    """Return the bytes of a file as a `kind`. PolicyError with every mistake and its place."""
    try:
        document = parse(raw)
    except YamlError as error:
        raise policy_error(error.problems, shown) from None
    file, problems = build(document, kind)
    if file is None:
        raise policy_error(problems, shown)
    return file, document


def policy_error(problems: Sequence[Problem], shown: str) -> PolicyError:
    """Return all problems of one file as one error: a line each with its place, every hint once."""
    lines = [f"{shown}:{each.mark.line}:{each.mark.column}: {each.message}" for each in problems]
    hints = dict.fromkeys(each.hint for each in problems if each.hint)
    return PolicyError("\n".join(lines), "\n".join(hints))


def _named(name: str, root: Path, files: Files) -> PolicySource:
    if name in BUILTIN:
        return builtin(name)
    place = None if "\0" in name else locate(files, root, Path(name))
    if place is None:
        path = Path(name.replace("\0", "?"))
        place = (WorkTree(path.parent), path.name or ".")
    return source(*place) or _missing(name, place[0].ref)


def _missing(name: str, ref: str | None) -> PolicySource:
    where = f" in commit {ref[:12]}" if ref else ""
    hint = f"give a file, or one of {', '.join(BUILTIN)}"
    raise PolicyError(f"no policy {one_line(name)!r}{where}{suggestion(name, BUILTIN)}", hint)


def _waivers(
    of: PolicySource, document: Document, entries: Sequence[WaiverEntry], above: KeyPath
) -> tuple[Waiver, ...]:
    return tuple(
        Waiver(
            state=WaiverState(entry.state),
            reason=entry.reason,
            owner=entry.owner,
            expires=date.fromisoformat(entry.expires),
            place=f"{of.shown}:{document.at((*above, index)).line}",
            ids=entry.ids,
            purl=split_purl(entry.purl)[0] if entry.purl else None,
            versions=entry.versions,
            path=entry.path,
            fingerprint=entry.fingerprint.removeprefix("v1:") if entry.fingerprint else None,
            until_fixed=entry.until_fixed,
        )
        for index, entry in enumerate(entries)
    )


# Parents: what the child writes wins, what a parent locks holds.


class _Reader:
    """Reads parents, and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def whole(self, written: PolicyText, chain: tuple[str, ...]) -> Whole:
        """Return the policy with its parents; `chain` names the files that extend it.

        PolicyError for a parent that cannot be used, and for what is looser than a parent's lock.
        """
        of, document, file = written.source, written.document, written.file
        own = cast("_Raw", document.value)
        waivers = _waivers(of, document, file.waivers.items, ("waivers", "items"))
        if not file.extends:
            return Whole(written, own, file, waivers)
        parents = [
            self._parent(written, index, (*chain, of.shown)) for index in range(len(file.extends))
        ]
        raw: _Raw = {}
        locked: list[Locked] = []
        files: dict[str, str] = {}
        # Of several parents the later wins, and the child over all of them.
        for parent in parents:
            raw = _over(parent.raw, raw)
            locks = (*parent.locked, *_locks_of(parent))
            locked += [lock for lock in locks if lock not in locked]
            files.update(parent.files)
            files[parent.written.source.shown] = parent.written.source.sha256
            waivers += parent.waivers
        raw = _over(own, raw)
        merged, problems = build(Document(raw, {(): Mark(1, 1)}, {}), PolicyFile)
        if merged is None:
            raise policy_error(problems, f"{of.shown} with its parents")
        waivers = tuple(dict.fromkeys(waivers))
        whole = Whole(written, raw, merged, waivers, tuple(locked), files)
        problems = sorted((*_loosened(whole), *_in_two_lists(whole)))
        if problems:
            raise policy_error(problems, of.shown)
        return whole

    def _parent(self, child: PolicyText, index: int, chain: tuple[str, ...]) -> Whole:
        path: KeyPath = ("extends", index)
        parent = _source_of_parent(child, index)
        if parent.shown in chain:
            loop = " extends ".join((*chain[chain.index(parent.shown) :], parent.shown))
            raise _error(child, path, f"a loop: {loop}", "remove one of them")
        self.count += 1
        if len(chain) > _MOST_DEPTH or self.count > _MOST_PARENTS:
            most = f"more than {_MOST_DEPTH} parents deep"
            if len(chain) <= _MOST_DEPTH:
                most = f"more than {_MOST_PARENTS} parents in all"
            raise _error(child, path, most, "write what they say into fewer files")
        expected = child.file.extends[index].sha256
        if expected not in (None, parent.sha256):
            message = f"{parent.shown} has sha256 {parent.sha256}, not {expected}"
            what = f"look at what changed in {parent.shown}"
            hint = f"{what}; if that is right, write its sha256 here"
            raise _error(child, (*path, "sha256"), message, hint)
        return self.whole(read_policy(parent), chain)


def _source_of_parent(child: PolicyText, index: int) -> PolicySource:
    """Return the parent's bytes, from where the child was read."""
    entry = child.file.extends[index]
    path = ("extends", index, "file" if entry.name is None else "name")
    if entry.name is not None:
        if entry.name in BUILTIN:
            return builtin(entry.name)
        near = suggestion(entry.name, BUILTIN)
        message = f"no ready-made policy is called {quoted(entry.name)}{near}"
        raise _error(child, path, message, f"there are {', '.join(BUILTIN)}")
    name, files = entry.file or "", child.source.files
    if "://" in name:
        hint = "copy the file into the project, and pin that"
        raise _error(child, path, f"{quoted(name)} is an address: none is fetched", hint)
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(child.source.path), name))
    if files is None or name.startswith("/") or inside.split("/")[0] == "..":
        hint = "a parent lies in the project, or beside a policy that does not"
        raise _error(child, path, f"{quoted(name)} leads out of where policies are read", hint)
    try:
        parent = source(files, inside)
    except PolicyError as error:
        raise _error(child, path, error.message, error.hint) from None
    if parent is None:
        commit = f" in commit {files.ref[:12]}" if files.ref else ""
        hint = "the path is relative to the file that names it"
        raise _error(child, path, f"{one_line(inside)} does not exist{commit}", hint)
    return parent


def _error(child: PolicyText, path: KeyPath, message: str, hint: str) -> PolicyError:
    problem = Problem(child.document.at(path), f"{label(path)}: {message}", hint)
    return policy_error([problem], child.source.shown)


def _over(child: _Raw, parent: _Raw, path: tuple[str, ...] = ()) -> dict[str, object]:
    """Return the keys of both; where both have one, the child's."""
    merged = {key: value for key, value in parent.items() if path or key not in _OWN}
    for key, value in child.items():
        here, below = (*path, key), merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _over(value, below, here)
        elif isinstance(value, list) and isinstance(below, list) and here == ("rules",):
            ids = {rule["id"] for rule in value}
            merged[key] = [*value, *(rule for rule in below if rule["id"] not in ids)]
        elif isinstance(value, list) and isinstance(below, list) and here in _ADDED:
            merged[key] = [*value, *(entry for entry in below if entry not in value)]
        else:
            merged[key] = value
    return merged


def _locks_of(parent: Whole) -> Iterator[Locked]:
    """Yield what a parent itself locks, if anything; its own parents' locks are known already."""
    own = parent.written.file
    rules = tuple(rule for rule in own.rules if rule.locked)
    scanners = {
        name: parent.file.scanners[name] for name in own.scanners if own.scanners[name].locked
    }
    if rules or scanners or own.locked:
        file = msgspec.structs.replace(
            parent.file, rules=rules, scanners=scanners, locked=own.locked
        )
        yield Locked(parent.written.source.shown, file, frozenset(file.approvers))


def _loosened(whole: Whole) -> Iterator[Problem]:
    """Yield what the child makes looser than a lock allows."""
    for lock in whole.locked:
        for section in lock.file.locked:
            for path, allowed in locked_section(section, whole.file, lock.file, lock.approvers):
                yield _locked_problem(whole, lock, path, allowed)
        for name, entry in lock.file.scanners.items():
            for key, allowed in locked_scanner(whole.file.scanners[name], entry):
                yield _locked_problem(whole, lock, ("scanners", name, key), allowed)
        theirs = {rule.id: rule for rule in lock.file.rules}
        for index, rule in enumerate(whole.written.file.rules):
            if rule.id in theirs:
                for key, allowed in locked_rule(rule, theirs[rule.id]):
                    yield _locked_problem(whole, lock, ("rules", index, key), allowed)


def _locked_problem(whole: Whole, lock: Locked, path: KeyPath, allowed: str) -> Problem:
    document = whole.written.document
    # What the child does not write itself comes from another of its parents.
    written = path if (path[0],) in document.values else ("extends",)
    message = f"{label(path)} is locked by {lock.source} to {allowed}"
    hint = f"make it as strict or stricter; only {lock.source} can loosen it"
    return Problem(document.at(written), message, hint)


def _in_two_lists(whole: Whole) -> Iterator[Problem]:
    """Yield licences that a parent lists otherwise, in a list that the child does not write."""
    own = whole.written.document
    if not any(("licenses", name) in own.values for name in ("allow", "review", "deny")):
        return
    section = whole.file.licenses
    for problem in licenses.check_lists(section.allow, section.review, section.deny):
        message = f"licenses.{problem.list}: {problem.message}"
        hint = "a list that is not written here is the parent's: write it here as well"
        yield Problem(own.at(("licenses", problem.list, problem.index)), message, hint)
