"""What types cannot say of a policy: ids that repeat, patterns, names, licence lists."""

from collections.abc import Collection, Iterator, Sequence

from scanagg.policy import licenses
from scanagg.policy.rules import glob_problem
from scanagg.policy.schema import Match, PolicyFile
from scanagg.policy.typed import label, quoted, suggestion
from scanagg.policy.yaml import Document, KeyPath, Problem

_RESERVED = "default"


def check(file: PolicyFile, document: Document, scanners: Collection[str]) -> list[Problem]:
    """Every mistake in a policy whose keys and types are right. `scanners` are all that exist."""
    found = (
        *_scanner_entries(file, scanners),
        *_rule_ids(file),
        *_matches(file, scanners),
        *_lists(file),
    )
    return sorted(
        Problem(document.at_key(path) if is_key else document.at(path), message, hint)
        for path, is_key, message, hint in found
    )


_Found = tuple[KeyPath, bool, str, str]


def _scanner_entries(file: PolicyFile, scanners: Collection[str]) -> Iterator[_Found]:
    hint = f"scanners are {', '.join(scanners)}"
    for name, entry in file.scanners.items():
        path = ("scanners", name)
        if name not in scanners:
            near = suggestion(name, scanners)
            yield path, True, f"scanners: no scanner is called {quoted(name)}{near}", hint
        if entry.when:
            yield from _globs(entry.when.exists, (*path, "when", "exists"))


def _rule_ids(file: PolicyFile) -> Iterator[_Found]:
    seen: set[str] = set()
    for index, rule in enumerate(file.rules):
        path = ("rules", index, "id")
        if rule.id == _RESERVED:
            yield path, False, f"{label(path)}: {_RESERVED!r} is the rule for all others", ""
        elif rule.id in seen:
            yield path, False, f"{label(path)}: two rules are called {rule.id!r}", ""
        seen.add(rule.id)


def _matches(file: PolicyFile, scanners: Collection[str]) -> Iterator[_Found]:
    for index, rule in enumerate(file.rules):
        yield from _match(rule.match, ("rules", index, "match"), scanners)
    for index, override in enumerate(file.severity.override):
        yield from _match(override.match, ("severity", "override", index, "match"), scanners)


def _match(match: Match, path: KeyPath, scanners: Collection[str]) -> Iterator[_Found]:
    for where, name in _values(match.scanner, (*path, "scanner")):
        if name not in scanners:
            near = suggestion(name, scanners)
            hint = f"scanners are {', '.join(scanners)}"
            yield where, False, f"{label(where)}: no scanner is called {quoted(name)}{near}", hint
    for where, pattern in _values(match.path, (*path, "path")):
        yield from _glob(pattern, where)


def _values(wanted: str | tuple[str, ...] | None, path: KeyPath) -> list[tuple[KeyPath, str]]:
    """Each word of a condition with its place; a single word stands at the condition's own."""
    if isinstance(wanted, tuple):
        return [((*path, index), word) for index, word in enumerate(wanted)]
    return [] if wanted is None else [(path, wanted)]


def _globs(patterns: Sequence[str], path: KeyPath) -> Iterator[_Found]:
    if not patterns:
        yield path, False, f"{label(path)}: an empty list matches nothing", ""
    for where, pattern in _values(tuple(patterns), path):
        yield from _glob(pattern, where)


def _glob(pattern: str, path: KeyPath) -> Iterator[_Found]:
    wrong = glob_problem(pattern)
    if wrong:
        hint = "path patterns are as in .gitignore: docs/**, *.tf, Dockerfile"
        yield path, False, f"{label(path)}: {quoted(pattern)} {wrong}", hint


def _lists(file: PolicyFile) -> Iterator[_Found]:
    said = file.licenses
    if not (said.allow or said.review or said.deny):
        return
    for problem in licenses.check_lists(said.allow, said.review, said.deny):
        path = ("licenses", problem.list, problem.index)
        hint = "licences are SPDX ids: https://spdx.org/licenses/"
        yield path, False, f"{label(path)}: {problem.message}", hint
