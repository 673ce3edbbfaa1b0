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
_COMPREHENSIONS: Final = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
# A name in capitals counts as a constant, except for those of Django's requests.
CONSTANT_NAME: Final = re.compile(r"(?!(?:GET|POST|FILES|COOKIES|META)$)_?[A-Z][A-Z0-9_]*")
# The most statements to search for the latest value of a variable.
_STATEMENTS: Final = 300
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


class Syntax:
    """The syntax of Python code. It has no nodes if this interpreter cannot parse the code."""

    def __init__(self, lines: Sequence[str]) -> None:
        """Keep the lines, which are parsed when they are needed."""
        self._lines = lines
        # By node, so that each part of the code is searched once.
        self._values: dict[ast.AST, Mapping[str, Sequence[ast.expr | None]]] = {}
        self._changes: dict[ast.AST, Mapping[str, Sequence[ast.AST]]] = {}
        self._stored: dict[ast.AST, frozenset[str]] = {}

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
        """The last line of the simple statement on each line, or of the header of a function."""
        last: dict[int, int] = {}
        for node in self._nodes:
            if isinstance(node, _FUNCTIONS):
                last[node.lineno] = max(node.lineno, node.body[0].lineno - 1)
            elif isinstance(node, ast.stmt) and not isinstance(node, _COMPOUND):
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

    @cached_property
    def _origins(self) -> Mapping[str, str]:
        """The names that imports set, with the full names of what they import."""
        origins: dict[str, str] = {}
        for node in self._nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    first = alias.name.partition(".")[0]
                    origins[alias.asname or first] = alias.name if alias.asname else first
            elif isinstance(node, ast.ImportFrom) and not node.level:
                origins |= {
                    alias.asname or alias.name: f"{node.module}.{alias.name}"
                    for alias in node.names
                }
        return origins

    def origin(self, call: ast.Call) -> str:
        """Return the full name of a function that is imported, such as `html.escape`, else ""."""
        first, _, rest = ast.unparse(call.func).partition(".")
        origin = self._origins.get(first, "")
        return f"{origin}.{rest}" if origin and rest else origin

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
        """Return the value of a variable, if the code around gives it only one there.

        None for a list that changes later, see `items`.
        """
        if not isinstance(name, ast.Name):
            return None
        value = self._latest(name) or self._only(name)
        is_list = isinstance(value, ast.List | ast.ListComp)
        return None if is_list and self._uses(name) else value

    def values(self, name: ast.Name) -> Sequence[ast.expr | None]:
        """Return all values of a variable in its function, or else in the module.

        `x += y` gives y. None stands for one that is unknown, such as that of a parameter.
        """
        for scope in dict.fromkeys((self.scope(name), self._nodes[0])):
            if scope not in self._values:
                self._values[scope] = _values(scope)
            if name.id in self._values[scope]:
                return self._values[scope][name.id]
        return ()

    def items(self, name: ast.expr) -> Sequence[ast.expr] | None:
        """Return the items of a list, with those that `append` adds; None if others can be in it.

        An item of a comprehension stands for all of its items.
        """
        value, added = name, list[ast.expr]()
        if isinstance(name, ast.Name):
            for use in self._uses(name):
                if not isinstance(use, ast.Call) or called(use) != "append":
                    return None
                added += use.args
            value = self._only(name) or name
        match value:
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [*items, *added]
            case ast.ListComp(elt=item) | ast.GeneratorExp(elt=item):
                return [item, *added]
        return None

    def _uses(self, name: ast.Name) -> Sequence[ast.AST]:
        """Return what may change a list in the function of a name, or else the module.

        These are its method calls, and the statements that set or delete one of its items.
        """
        scope = self.scope(name)
        if scope not in self._changes:
            changes: dict[str, list[ast.AST]] = defaultdict(list)
            for node in ast.walk(scope):
                match node:
                    case ast.Call(func=ast.Attribute(value=ast.Name(id=changed))):
                        changes[changed].append(node)
                    case ast.Subscript(value=ast.Name(id=changed), ctx=ast.Store() | ast.Del()):
                        changes[changed].append(node)
            self._changes[scope] = changes
        return self._changes[scope].get(name.id, ())

    def _sets(self, node: ast.AST, name: str) -> bool:
        """Return True if something in a node sets or deletes a variable."""
        if node not in self._stored:
            self._stored[node] = frozenset(
                inner.id
                for inner in ast.walk(node)
                if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load)
            )
        return name in self._stored[node]

    def _latest(self, name: ast.Name) -> ast.expr | None:
        """Return the value that a statement before sets, if no other one sets the variable."""
        node: ast.AST = name
        for parent in self.around(name):
            before = _before(node, parent)
            if len(before) > _STATEMENTS:
                return None
            for statement in reversed(before):
                if isinstance(statement, ast.Assign) and name.id in _plain(statement.targets):
                    return statement.value
                if self._sets(statement, name.id):
                    return None
            if isinstance(parent, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
                return None
            if isinstance(parent, (*_COMPOUND, *_COMPREHENSIONS)) and self._sets(parent, name.id):
                return None
            node = parent
        return None

    def _only(self, name: ast.Name) -> ast.expr | None:
        """Return the value of a variable that its function, or else the module, sets once."""
        match self.values(name):
            case [ast.expr() as value] if not isinstance(self._parents[value], ast.AugAssign):
                return value
        return None


def _before(node: ast.AST, parent: ast.AST) -> Sequence[ast.stmt]:
    """Return the statements before one in its block; none if the node is no statement."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(parent, field, ())
        if isinstance(block, list) and node in block:
            return block[: block.index(node)]
    return ()


def _plain(targets: Iterable[ast.expr]) -> frozenset[str]:
    return frozenset(target.id for target in targets if isinstance(target, ast.Name))


def _values(scope: ast.AST) -> Mapping[str, Sequence[ast.expr | None]]:
    """Return the values of each variable in a function or module; None for one that is unknown."""
    values: dict[str, list[ast.expr | None]] = defaultdict(list)
    known = set[ast.AST]()
    for node in ast.walk(scope):  # a statement comes before its parts
        targets: Sequence[ast.expr] = ()
        value: ast.expr | None = None
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            targets, value = [node.target], node.value
        elif isinstance(node, ast.withitem) and node.optional_vars:
            targets, value = [node.optional_vars], node.context_expr
        elif isinstance(node, ast.arg):
            values[node.arg].append(None)
        elif isinstance(node, ast.Name) and not (node in known or isinstance(node.ctx, ast.Load)):
            values[node.id].append(None)
        known.update(targets)
        for target in targets:
            if isinstance(target, ast.Name):
                values[target.id].append(value)
    return values


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
