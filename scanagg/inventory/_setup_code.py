"""What the code of a setup.py tells of its dependencies by itself; it is never run."""

import ast
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from scanagg.inventory._common import parsed
from scanagg.inventory._scope import named_scope
from scanagg.model import Scope

_EXTRAS: Final = "extras_require"
_PASSED: Final = {
    "install_requires": Scope.RUNTIME,
    _EXTRAS: Scope.RUNTIME,
    "tests_require": Scope.DEV,
}
_SUMS: Final = (ast.List, ast.Tuple, ast.Set, ast.BinOp, ast.Starred)


class Told(msgspec.Struct, frozen=True):
    """The dependencies that a call of `setup` passes, as far as its text tells.

    `line` is that of the call, `names` have their scopes, and `untold` are the scopes in which
    there may be more. `own` is the name of the project, "" where that is not told. `reason` says
    why nothing could be read.
    """

    line: int | None
    names: frozenset[tuple[Scope, str]] = frozenset()
    untold: frozenset[Scope] = frozenset()
    own: str = ""
    reason: str = ""


def tell(text: str) -> Told | None:
    """What the calls of `setup` pass; None where none passes dependencies, or anything unnamed.

    Code that is no Python of today is taken at its words.
    """
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        seems = any(name in text for name in _PASSED)
        return Told(1, untold=frozenset((Scope.RUNTIME,))) if seems else None
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _passes(node)]
    if not calls:
        return None
    known = _Names(tree, calls)
    found = [entry for call in calls for entry in _entries(call, known)]
    names = [(scope, _name(text)) for scope, text in found]
    return Told(
        line=min(call.lineno for call in calls),
        names=frozenset((scope, name) for scope, name in names if name),
        untold=frozenset(scope for scope, name in names if name is None),
        own=next(filter(None, map(_own_name, calls)), ""),
    )


def _passes(call: ast.Call) -> bool:
    is_setup = (
        call.func.attr == "setup"
        if isinstance(call.func, ast.Attribute)
        else isinstance(call.func, ast.Name) and call.func.id == "setup"
    )
    return is_setup and any(keyword.arg in (*_PASSED, None) for keyword in call.keywords)


class _Names:
    """The values of variables that are assigned once."""

    def __init__(self, tree: ast.Module, calls: Sequence[ast.Call]) -> None:
        """Looks at all of the code, since any of it may change what it has assigned."""
        self._values: dict[str, ast.expr] = {}
        stored: dict[str, int] = {}
        loaded: dict[str, int] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Name):
                counts = loaded if isinstance(node.ctx, ast.Load) else stored
                counts[node.id] = counts.get(node.id, 0) + 1
            elif isinstance(node, ast.arg):
                stored[node.arg] = stored.get(node.arg, 0) + 1
            elif isinstance(node, ast.Assign) and len(node.targets) == 1:
                target = node.targets[0]
                if isinstance(target, ast.Name):
                    self._values[target.id] = node.value
        for call in calls:
            for node in ast.walk(call):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    loaded[node.id] -= 1
        self._sure = {name for name in self._values if stored[name] == 1 and not loaded.get(name)}

    def value(self, name: str) -> tuple[ast.expr | None, bool]:
        """What a variable was given, and whether it is sure that nothing else changes it."""
        return self._values.get(name), name in self._sure


# A requirement as it is written and its scope; None where code makes it.
_Entry = tuple[Scope, str | None]


def _entries(call: ast.Call, known: _Names) -> Iterator[_Entry]:
    for keyword in call.keywords:
        if keyword.arg is None:
            yield Scope.RUNTIME, None
        elif keyword.arg == _EXTRAS:
            yield from _of_extras(keyword.value, known)
        elif keyword.arg in _PASSED:
            yield from _of_list(keyword.value, _PASSED[keyword.arg], known)


def _of_extras(value: ast.expr, known: _Names) -> Iterator[_Entry]:
    if isinstance(value, ast.Name):
        found, sure = known.value(value.id)
        value = found or value
        if not sure:
            yield Scope.RUNTIME, None
    if not isinstance(value, ast.Dict):
        yield Scope.RUNTIME, None
        return
    for key, listed in zip(value.keys, value.values, strict=True):
        name = key.value if isinstance(key, ast.Constant) else None
        if isinstance(name, str):
            yield from _of_list(listed, named_scope(name.partition(":")[0]), known)
        else:
            yield Scope.RUNTIME, None


def _of_list(value: ast.expr, scope: Scope, known: _Names) -> Iterator[_Entry]:
    """Each string of a list, of a sum of lists, or of a variable that is such."""
    waiting, seen = [value], set[str]()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from ((scope, line) for line in node.value.splitlines())
        elif isinstance(node, ast.Name) and node.id not in seen:
            seen.add(node.id)
            found, sure = known.value(node.id)
            waiting += [found] if found else []
            if not sure:
                yield scope, None
        elif isinstance(node, _SUMS) and isinstance(getattr(node, "op", ast.Add()), ast.Add):
            waiting += [one for one in ast.iter_child_nodes(node) if isinstance(one, ast.expr)]
        elif not (isinstance(node, ast.Constant) and node.value is None):
            yield scope, None


def _name(text: str | None) -> str | None:
    """The name in a requirement, "" where there is nothing in it; None where none can be told."""
    if text is None:
        return None
    bare = text.partition("#")[0].strip()
    if not bare:
        return ""
    wanted = parsed(bare)
    return canonicalize_name(wanted.name) if wanted else None


def _own_name(call: ast.Call) -> str:
    value = next((each.value for each in call.keywords if each.arg == "name"), None)
    name = value.value if isinstance(value, ast.Constant) else None
    return canonicalize_name(name) if isinstance(name, str) else ""
