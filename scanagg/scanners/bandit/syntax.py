"""The syntax around an issue: its expression, statement and function, and the names there."""

import ast
import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Final

_COMPOUND: Final = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.For, ast.AsyncFor),
    *(ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match),
)
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class Syntax:
    """The syntax of Python code. It has no nodes if this interpreter cannot parse the code."""

    def __init__(self, lines: Sequence[str]) -> None:
        """Keep the lines, which are parsed when they are needed."""
        self._lines = lines

    @cached_property
    def text(self) -> str:
        """The whole code."""
        return "\n".join(self._lines)

    @cached_property
    def _nodes(self) -> Sequence[ast.AST]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such as those about invalid escapes
                return tuple(ast.walk(ast.parse(self.text)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ()

    @cached_property
    def _parents(self) -> Mapping[ast.AST, ast.AST]:
        return {child: node for node in self._nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def _by_column(self) -> Mapping[int, Sequence[ast.expr]]:
        nodes: dict[int, list[ast.expr]] = defaultdict(list)
        for node in self._nodes:
            if isinstance(node, ast.expr):
                nodes[node.col_offset].append(node)
        return nodes

    @cached_property
    def last_lines(self) -> Mapping[int, int]:
        """The last line of the simple statement on each line; not of a block such as `def`."""
        last: dict[int, int] = {}
        for node in self._nodes:
            if isinstance(node, ast.stmt) and not isinstance(node, _COMPOUND):
                end = node.end_lineno or node.lineno
                last |= {line: max(end, last.get(line, 0)) for line in range(node.lineno, end + 1)}
        return last

    @cached_property
    def imports(self) -> frozenset[str]:
        """The first parts of the names of all imported modules."""
        names = [
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            for node in self._nodes
            if isinstance(node, ast.Import | ast.ImportFrom)
        ]
        return frozenset(name.partition(".")[0] for name in chain.from_iterable(names))

    def expression(
        self, kind: type[ast.expr], line: int, columns: tuple[int, int]
    ) -> ast.expr | None:
        """Return the innermost expression of a kind that has this line and the first column.

        Columns count the bytes of UTF-8 from 0. One that stops at the second column goes first.
        """
        column, end = columns
        having = (
            node
            for node in self._by_column.get(column, ())
            if isinstance(node, kind) and node.lineno <= line <= (node.end_lineno or node.lineno)
        )

        def nearness(node: ast.expr) -> tuple[int, ...]:
            last, stop = node.end_lineno or node.lineno, node.end_col_offset or 0
            return node.end_col_offset == end, node.lineno, -last, -stop

        return max(having, key=nearness, default=None)

    def around(self, node: ast.AST) -> Iterator[ast.AST]:
        """Yield the parent of a node, its parent, and so on up to the module."""
        while parent := self._parents.get(node):
            yield parent
            node = parent

    def statement(self, node: ast.AST) -> ast.AST:
        """Return the simple statement of a node; of a block the expression in its header."""
        for parent in self.around(node):
            if isinstance(parent, (*_COMPOUND, ast.Module, ast.ExceptHandler, ast.match_case)):
                break
            node = parent
        return node

    def scope(self, node: ast.AST) -> ast.AST:
        """Return the innermost function of a node, else the module."""
        outer = [*self.around(node)]
        return next((one for one in outer if isinstance(one, _FUNCTIONS)), outer[-1])

    def value(self, name: ast.expr) -> ast.expr | None:
        """Return the value of a variable that its function, or else the module, sets once."""
        if not isinstance(name, ast.Name):
            return None
        for scope in dict.fromkeys((self.scope(name), self._nodes[0])):
            values = [*_values(scope, name.id)]
            if values:
                return values[0] if len(values) == 1 else None
        return None


def _values(scope: ast.AST, name: str) -> Iterator[ast.expr | None]:
    """Yield each value of a variable in a function or module; None for one that is not known."""
    known = set[ast.AST]()
    for node in ast.walk(scope):  # a statement comes before its parts
        targets: Sequence[ast.expr] = ()
        value: ast.expr | None = None
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign):
            targets, value = [node.target], node.value
        elif isinstance(node, ast.withitem) and node.optional_vars:
            targets, value = [node.optional_vars], node.context_expr
        elif isinstance(node, ast.arg) and node.arg == name:
            yield None
        elif isinstance(node, ast.Name) and node.id == name and node not in known:
            yield from () if isinstance(node.ctx, ast.Load) else (None,)
        known.update(targets)
        yield from (value for one in targets if isinstance(one, ast.Name) and one.id == name)


def names(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """Yield all names in these nodes, and the strings that could be names, such as keys."""
    for node in chain.from_iterable(map(ast.walk, nodes)):
        for field in ("id", "attr", "arg", "name"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                yield name
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            name = node.value.lstrip("-").replace("-", "_")
            if name.isidentifier():
                yield name


def words(identifiers: Iterable[str]) -> frozenset[str]:
    """Return the words of names in lower case: `user_name` and `userName` have two."""
    return frozenset(word.lower() for name in identifiers for word in _WORD.findall(name))


def called(call: ast.Call) -> str:
    """Return the name of the function that is called, without its module or object."""
    return str(getattr(call.func, "attr", "") or getattr(call.func, "id", ""))
