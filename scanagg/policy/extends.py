"""A policy with its parents taken in: what the child writes wins, what a parent locks holds."""

import hashlib
import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, cast

import msgspec

from scanagg.core.errors import PolicyError
from scanagg.core.text import one_line
from scanagg.core.yaml import Document, KeyPath, Mark, Problem
from scanagg.model import Waiver
from scanagg.policy import licenses
from scanagg.policy.reading import (
    BUILTIN,
    Source,
    Written,
    builtin,
    own_waivers,
    policy_error,
    read_policy,
    source,
)
from scanagg.policy.schema import Locked, Parent, Policy, PolicyFile
from scanagg.policy.strictness import locked_rule, locked_scanner, locked_section
from scanagg.policy.typed import build, label, quoted, suggestion

_DEEPEST: Final = 8
# A few files that name each other many times would otherwise be read millions of times.
_MOST_PARENTS: Final = 64

_Raw = Mapping[str, object]
# What says something of one file alone, and is not handed down.
_OWN: Final = frozenset(("extends", "locked"))
# Lists that the child adds to, in front; any other list of the child stands instead.
_ADDED: Final = frozenset(
    (
        ("rules",),
        ("severity", "override"),
        ("licenses", "clarify"),
        ("licenses", "exceptions"),
        ("waivers", "items"),
    )
)


class Whole(msgspec.Struct, frozen=True):
    """A policy with all its parents in it.

    `raw` are the keys that it or a parent writes; `locked` is what its parents hold fast, `files`
    their sha256 by name.
    """

    written: Written
    raw: _Raw
    file: PolicyFile
    waivers: tuple[Waiver, ...]
    locked: tuple[Locked, ...] = ()
    files: Mapping[str, str] = msgspec.field(default_factory=dict)


def take_in(written: Written) -> Whole:
    """The policy with its parents.

    PolicyError for a parent that cannot be used, and for what is looser than a parent's lock.
    """
    return _Reader().whole(written, ())


def looser_enforcement(policy: Policy, wanted: str) -> str | None:
    """Why `wanted` may not stand in place of the policy's enforcement; None where it may."""
    for lock in policy.locked:
        if "enforcement" in lock.file.locked and wanted != "block" == lock.file.enforcement:
            return f"enforcement is locked by {lock.source} to block"
    return None


@dataclass(slots=True)
class _Reader:
    """Reads parents, and counts them."""

    count: int = 0

    def whole(self, written: Written, chain: tuple[str, ...]) -> Whole:
        entries = written.file.extends
        own = cast("_Raw", written.document.value)
        if not entries:
            return Whole(written, own, written.file, own_waivers(written))
        here = (*chain, written.source.shown)
        parents = [self._parent(written, index, here) for index in range(len(entries))]
        raw: _Raw = {}
        # Of several parents the later wins, and the child over all of them.
        for parent in parents:
            raw = _over(parent.raw, raw)
        raw = _over(own, raw)
        waivers = (*own_waivers(written), *(one for each in parents for one in each.waivers))
        whole = Whole(
            written,
            raw,
            _built(raw, written),
            tuple(dict.fromkeys(waivers)),
            _locks(parents),
            _digests(parents),
        )
        problems = sorted((*_loosened(whole), *_in_two_lists(whole)))
        if problems:
            raise policy_error(problems, written.source.shown)
        return whole

    def _parent(self, child: Written, index: int, chain: tuple[str, ...]) -> Whole:
        path: KeyPath = ("extends", index)
        found = _source(child, child.file.extends[index], path)
        if found.shown in chain:
            loop = " extends ".join((*chain[chain.index(found.shown) :], found.shown))
            raise _error(child, path, f"a loop: {loop}", "remove one of them")
        self.count += 1
        if len(chain) > _DEEPEST or self.count > _MOST_PARENTS:
            most = f"more than {_DEEPEST} parents deep"
            if len(chain) <= _DEEPEST:
                most = f"more than {_MOST_PARENTS} parents in all"
            raise _error(child, path, most, "write what they say into fewer files")
        _pinned(child, index, found)
        return self.whole(read_policy(found), chain)


def _source(child: Written, entry: Parent, path: KeyPath) -> Source:
    """The parent's bytes, from where the child was read."""
    if entry.name is not None:
        if entry.name in BUILTIN:
            return builtin(entry.name)
        near = suggestion(entry.name, BUILTIN)
        message = f"no ready-made policy is called {quoted(entry.name)}{near}"
        raise _error(child, (*path, "name"), message, f"there are {', '.join(BUILTIN)}")
    name, files = entry.file or "", child.source.files
    where = (*path, "file")
    if "://" in name:
        hint = "copy the file into the project, and pin that"
        raise _error(child, where, f"{quoted(name)} is an address: none is fetched", hint)
    inside = posixpath.normpath(posixpath.join(posixpath.dirname(child.source.path), name))
    if files is None or name.startswith("/") or inside.split("/")[0] == "..":
        hint = "a parent lies in the project, or beside a policy that does not"
        raise _error(child, where, f"{quoted(name)} leads out of where policies are read", hint)
    try:
        found = source(files, inside)
    except PolicyError as error:
        raise _error(child, where, error.message, error.hint) from None
    if found is None:
        commit = f" in commit {files.ref[:12]}" if files.ref else ""
        hint = "the path is relative to the file that names it"
        raise _error(child, where, f"{one_line(inside)} does not exist{commit}", hint)
    return found


def _pinned(child: Written, index: int, parent: Source) -> None:
    """PolicyError where the parent is not the file that the child was written for."""
    wanted = child.file.extends[index].sha256
    found = _sha256(parent)
    if wanted is None or wanted == found:
        return
    message = f"{parent.shown} has sha256 {found}, not {wanted}"
    hint = f"look at what changed in {parent.shown}; if that is right, write its sha256 here"
    raise _error(child, ("extends", index, "sha256"), message, hint)


def _error(child: Written, path: KeyPath, message: str, hint: str) -> PolicyError:
    problem = Problem(child.document.at(path), f"{label(path)}: {message}", hint)
    return policy_error([problem], child.source.shown)


def _sha256(of: Source) -> str:
    return hashlib.sha256(of.raw).hexdigest()


def _over(child: _Raw, parent: _Raw, path: tuple[str, ...] = ()) -> dict[str, object]:
    """The keys of both; where both have one, the child's."""
    merged = {key: value for key, value in parent.items() if path or key not in _OWN}
    for key, value in child.items():
        here, below = (*path, key), merged.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            merged[key] = _over(value, below, here)
        elif isinstance(value, list) and isinstance(below, list) and here in _ADDED:
            merged[key] = _added(value, below, by_id=here == ("rules",))
        else:
            merged[key] = value
    return merged


def _added(child: list[object], parent: list[object], *, by_id: bool) -> list[object]:
    """The child's entries, then those of the parent that it does not have itself."""
    if by_id:
        known = {cast("_Raw", each)["id"] for each in child}
        return [*child, *(each for each in parent if cast("_Raw", each)["id"] not in known)]
    return [*child, *(each for each in parent if each not in child)]


def _built(raw: _Raw, written: Written) -> PolicyFile:
    file, problems = build(Document(raw, {(): Mark(1, 1)}, {}), PolicyFile)
    if file is None:
        raise policy_error(problems, f"{written.source.shown} with its parents")
    return file


def _locks(parents: list[Whole]) -> tuple[Locked, ...]:
    """What the parents and theirs hold fast, each once."""
    found: list[Locked] = []
    for parent in parents:
        found += [lock for lock in (*parent.locked, *_held(parent)) if lock not in found]
    return tuple(found)


def _held(parent: Whole) -> Iterator[Locked]:
    """What a parent itself locks, if anything; what its own parents do is known by itself."""
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


def _digests(parents: list[Whole]) -> dict[str, str]:
    found: dict[str, str] = {}
    for parent in parents:
        found.update(parent.files)
        found[parent.written.source.shown] = _sha256(parent.written.source)
    return found


def _loosened(whole: Whole) -> Iterator[Problem]:
    """What the child makes looser than a lock allows."""
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
    """Licences that the child lists otherwise than a parent, in a list that it does not write."""
    own = whole.written.document
    lists = ("allow", "review", "deny")
    if not any(("licenses", name) in own.values for name in lists):
        return
    said = whole.file.licenses
    for problem in licenses.check_lists(said.allow, said.review, said.deny):
        message = f"licenses.{problem.list}: {problem.message}"
        hint = "a list that is not written here is the parent's: write it here as well"
        yield Problem(own.at(("licenses", problem.list, problem.index)), message, hint)
