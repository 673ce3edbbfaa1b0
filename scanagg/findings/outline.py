"""The syntax around the places of findings in Python: statements, expressions, what they use."""

import ast
import re
import warnings
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain, islice
from sys import maxsize
from typing import Final, NamedTuple

_BLOCKS: Final = frozenset(("decorator_list", "body", "handlers", "orelse", "finalbody", "cases"))
# Fields that say how code is written, not what it does.
_LAYOUT: Final = frozenset(("ctx", "kind", "type_comment"))
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES: Final = (*_FUNCTIONS, ast.ClassDef)
_OPERATIONS: Final = (
    *(ast.BinOp, ast.BoolOp, ast.IfExp, ast.Attribute, ast.JoinedStr, ast.FormattedValue),
)
# Expressions that make another value of their parts: the whole matters.
_BUILDING: Final = (*_OPERATIONS, ast.Compare, ast.UnaryOp)
# Expressions whose parts have the role of the whole.
_TRANSPARENT: Final = (*_OPERATIONS, ast.List, ast.Tuple, ast.Set, ast.Starred)
# The number of nodes and fields that tell a role. Roles are many, and code around them is long.
_LONGEST_LABEL: Final = 64
_DOTTED: Final = re.compile(r"[\w.]+")

Words = Callable[[str], str]
"""Returns a string constant as it may be hashed."""


class _Role(NamedTuple):
    """The place of a node in its parent: an argument's name or number, the key of a value."""

    parent: ast.AST
    name: str | ast.AST = ""


class _Child(NamedTuple):
    start: tuple[int, int]
    end: tuple[int, int]
    node: ast.AST
    is_decorator: bool


class Statement:
    """A statement, or the header of a compound one, with the functions and classes around it."""

    def __init__(
        self,
        node: ast.AST,
        scopes: tuple[ast.AST, ...],
        text: str,
        lines: range,
        decorated: ast.AST | None = None,
    ) -> None:
        """Take the `scopes` from the module inwards: it, classes and functions.

        Expressions are indexed when needed.
        """
        self.node = node
        self.text = text
        self.lines = lines
        self.scopes = scopes
        self._decorated = decorated

    @property
    def qualname(self) -> str:
        """The names of the classes and functions around the statement, with dots."""
        return ".".join(node.name for node in self.scopes if isinstance(node, _SCOPES))

    @property
    def function(self) -> str:
        """The qualified name; for the header or a decorator of a function that of the function."""
        own = self._decorated or self.node
        names = (self.qualname, own.name if isinstance(own, _SCOPES) else "")
        return ".".join(filter(None, names))

    def expression(self, start: tuple[int, int], end: tuple[int, int]) -> ast.AST:
        """Return the expression between two places, else the one at `start`, else the statement.

        A place is a line from 1, and a column in bytes of UTF-8 from 0.
        """
        here = self._by_start.get(start, ())
        exact = (node for node in here if _end(node) == end)
        return next(exact, next((node for node in here if _end(node)[0] <= end[0]), self.node))

    def call(self, line: int) -> ast.AST:
        """Return the call that has a keyword argument on a line, else what the statement is.

        Scanners may name the line of the argument, and no columns.
        """
        calls = self._calls.get(line, ())
        if len(calls) == 1:
            return calls[0]
        return self.node.value if isinstance(self.node, ast.Expr) else self.node

    def whole(self, node: ast.AST) -> ast.AST:
        """Return the expression that a constant is built into, such as a sum, else the constant."""
        parent = self._parents.get(node)
        while isinstance(node, ast.expr) and parent and _is_part(node, parent, _BUILDING):
            node, parent = parent, self._parents.get(parent)
        return node

    def string(self, line: int, column: int) -> ast.AST | None:
        """Return the string at a place. It is an f-string as a whole."""
        index = bisect_right(self._strings, (line, column), key=_position) - 1
        if index < 0 or _end(self._strings[index]) <= (line, column):
            return None
        return self._strings[index]

    def imported(self, message: str) -> str:
        """Return the module or name that an import brings in, if `message` names just one."""
        if not isinstance(self.node, ast.Import | ast.ImportFrom):
            return ""
        module = getattr(self.node, "module", None) or ""
        names = {f"{module}.{alias.name}".lstrip(".") for alias in self.node.names}
        words = {word.strip(".") for word in _DOTTED.findall(message)}
        named = names & words or {module} & words
        return min(named) if len(named) == 1 else ""

    def role(self, node: ast.AST, words: Words) -> Iterator[str]:
        """Yield what a constant is used for: the name of its variable, argument or key.

        It says nothing of the constant itself, nor of others in the same list.
        """
        role = self._roles.get(node)
        if role is None:
            return
        parent, name = role
        yield type(parent).__name__
        if isinstance(name, ast.AST):
            yield from _label(name, words)
        else:
            yield name
        if isinstance(parent, ast.Call):
            yield from _label(parent.func, words)
        elif isinstance(parent, ast.Subscript):
            yield from _label(parent.value, words)
        else:
            for target in _targets(parent):
                yield from _label(target, words)

    def names(self, node: ast.AST) -> frozenset[str]:
        """Return the names that an expression reads, without those that it only calls."""
        nodes = [*_walk(node)]
        called = {one.func for one in nodes if isinstance(one, ast.Call)}
        return frozenset(
            one.id
            for one in nodes
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load) and one not in called
        )

    @cached_property
    def _calls(self) -> Mapping[int, Sequence[ast.AST]]:
        calls: dict[int, list[ast.AST]] = defaultdict(list)
        for node in self._roles:
            if isinstance(node, ast.Call):
                for line in {keyword.lineno for keyword in node.keywords}:
                    calls[line].append(node)
        return calls

    @cached_property
    def _parents(self) -> Mapping[ast.AST, ast.AST]:
        nodes = _walk(self.node)
        return {child: node for node in nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def _roles(self) -> Mapping[ast.AST, _Role]:
        """The role of each expression, in the order of the source."""
        roles: dict[ast.AST, _Role] = {}
        for node in _walk(self.node):
            own = roles.get(node)
            for child, role in _child_roles(node):
                roles.setdefault(
                    child, own if own and _is_part(child, node, _TRANSPARENT) else role
                )
        return roles

    @cached_property
    def _by_start(self) -> Mapping[tuple[int, int], Sequence[ast.AST]]:
        nodes: dict[tuple[int, int], list[ast.AST]] = defaultdict(list)
        for node in self._roles:
            if isinstance(node, ast.expr):
                nodes[_position(node)].append(node)
        return nodes

    @cached_property
    def _strings(self) -> Sequence[ast.AST]:
        """The strings by place, without those inside of f-strings."""
        strings: list[ast.AST] = []
        for node in sorted(self._roles, key=_position):
            is_text = isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
            is_inside = strings and _position(node) < _end(strings[-1])
            if (is_text or isinstance(node, ast.JoinedStr)) and not is_inside:
                strings.append(node)
        return strings


class Outline:
    """The statements of one Python file, by line.

    A search visits only the branches around a line, because a file can have thousands of statements
    and one finding.
    """

    def __init__(self, lines: Sequence[bytes], tree: ast.Module) -> None:
        """Take `lines` as UTF-8, because the parser counts columns in bytes."""
        self._lines = lines
        self._tree = tree
        self._children: dict[ast.AST, list[_Child]] = {}
        self._statements: dict[ast.AST, Statement] = {}
        self._bindings: dict[ast.AST, Mapping[str, Sequence[ast.AST | str]]] = {}

    def at(self, line: int, column: int | None = None) -> Statement | None:
        """Return the smallest statement that covers a place; None without one.

        Without a column, it is the last one on the line. A column is in bytes of UTF-8 from 0.
        Handlers, cases and decorators count as statements, and so do headers of compound ones.
        """
        place = (line, maxsize if column is None else column)
        node: ast.AST = self._tree
        scopes = [node]
        decorated: ast.AST | None = None
        while _body(node):
            if node not in self._children:
                self._children[node] = _children(node)
            children = self._children[node]
            index = bisect_right(children, place, key=lambda child: child.start) - 1
            if index < 0 or children[index].end[0] < line:
                break
            if column is not None and children[index].end <= place:
                break
            child = children[index]
            decorated = node if child.is_decorator else None
            if not child.is_decorator and isinstance(node, _SCOPES):
                scopes.append(node)
            node = child.node
        if node is self._tree:
            return None
        if node not in self._statements:
            self._statements[node] = self._statement(node, tuple(scopes), decorated)
        return self._statements[node]

    def inputs(self, statement: Statement, node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
        """Yield each name that an expression reads, sorted, with the scope that binds it.

        That is the innermost function that binds the name, else the module.
        """
        for name in sorted(statement.names(node)):
            for scope in reversed(statement.scopes):
                if not isinstance(scope, ast.ClassDef) and name in self._bound(scope):
                    yield name, scope
                    break

    def bindings(self, scope: ast.AST, name: str) -> Sequence[ast.AST | str]:
        """Return the statements that bind a name; for an import or a parameter a text."""
        return self._bound(scope)[name]

    def sets(self, scope: ast.AST, name: str) -> bool:
        """Return True if a statement sets the variable, and no import brings it in."""
        return not any(isinstance(binding, str) for binding in self._bound(scope)[name])

    def _bound(self, scope: ast.AST) -> Mapping[str, Sequence[ast.AST | str]]:
        if scope not in self._bindings:
            self._bindings[scope] = _bindings(scope)
        return self._bindings[scope]

    def _statement(
        self, node: ast.AST, scopes: tuple[ast.AST, ...], decorated: ast.AST | None
    ) -> Statement:
        first, start = _position(node)
        last, end = _end(node)
        body = _body(node)
        if body:  # the header ends where the body starts
            last, end = _start(body[0])
            end = end if last == first else 0
        chosen = list(self._lines[first - 1 : last])
        if chosen:
            chosen[-1] = chosen[-1][:end]
            chosen[0] = chosen[0][start:]
        text = b"\n".join(chosen).decode("utf-8", "replace")
        return Statement(node, scopes, text, range(first, last + 1), decorated)


def outline(text: str) -> Outline | None:
    """Return the outline of Python source; None if this interpreter cannot parse it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # such as those about invalid escapes in the source
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    physical = text.replace("\r\n", "\n").replace("\r", "\n")
    return Outline(physical.encode("utf-8", "replace").split(b"\n"), tree)


def shape(node: ast.AST, words: Words) -> Iterator[str]:
    """Yield what code means, without its layout and the blocks of statements.

    It is the same in every version of Python, and for all code that is parsed to the same tree.
    """
    todo: list[object] = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, ast.Constant):
            yield _constant(one.value, words)
        elif isinstance(one, ast.AST):
            yield type(one).__name__
            todo.append(")")
            for name, value in reversed(_fields(one)):
                todo += (value, name)
        elif isinstance(one, list):
            todo += ("]", *reversed(one))
            yield "["
        else:
            yield "" if one is None else str(one)


def _fields(node: ast.AST) -> list[tuple[str, object]]:
    """Return the fields that decide what a node means, without blocks and what is not set."""
    fields = []
    for name in node._fields:
        value = getattr(node, name, None)
        is_block = name in _BLOCKS and isinstance(value, list)
        if name not in _LAYOUT and not is_block and value is not None and value != []:
            fields.append((name, value))
    return fields


def _constant(value: object, words: Words) -> str:
    if isinstance(value, bytes):
        return f"b{words(value.decode('latin-1'))!a}"
    if isinstance(value, str):
        return ascii(words(value))
    if type(value) in (int, float, complex):
        # A long number cannot be written in decimal digits.
        return words(hex(value) if isinstance(value, int) else repr(value))
    return repr(value)


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Yield a node and all in it, in the order of the source, without the blocks of statements."""
    todo = [node]
    while todo:
        one = todo.pop()
        yield one
        values = [value for _, value in _fields(one)]
        parts = chain.from_iterable(one if isinstance(one, list) else [one] for one in values)
        todo += reversed([part for part in parts if isinstance(part, ast.AST)])


def _child_roles(node: ast.AST) -> Iterator[tuple[ast.AST, _Role]]:
    """Yield the parts of a node, each with its role."""
    if isinstance(node, ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            yield from [(key, _Role(node))] if key else ()
            yield value, _Role(node, key or "")
    elif isinstance(node, ast.Call):
        yield node.func, _Role(node)
        yield from ((one, _Role(node, str(index))) for index, one in enumerate(node.args))
        yield from ((one.value, _Role(node, one.arg or "")) for one in node.keywords)
    elif isinstance(node, ast.arguments):
        yield from ((value, _Role(node, name)) for name, value in _defaults(node))
        yield from ((argument, _Role(node)) for argument in ast.iter_child_nodes(node))
    elif isinstance(node, ast.Compare):
        yield node.left, _Role(node, node.comparators[0])
        yield from ((one, _Role(node, node.left)) for one in node.comparators)
    else:
        for _, field in _fields(node):
            for part in field if isinstance(field, list) else [field]:
                if isinstance(part, ast.AST):
                    yield part, _Role(node)


def _is_part(node: ast.AST, parent: ast.AST, kinds: tuple[type[ast.AST], ...]) -> bool:
    """Return True for a part of an expression of these kinds, or for what a call calls."""
    if isinstance(parent, ast.Call):
        return node is parent.func
    return isinstance(parent, kinds)


def _label(node: ast.AST, words: Words) -> Iterator[str]:
    """Yield what names a node: attributes, keys, and the code up to a limit, without its strings.

    Other strings near a secret may be secrets, too.
    """
    key = getattr(node, "slice", node)
    yield getattr(node, "attr", "")
    yield _constant(key.value, words) if isinstance(key, ast.Constant) else ""
    yield from islice(shape(node, lambda _text: ""), _LONGEST_LABEL)


def _defaults(node: ast.arguments) -> Iterator[tuple[str, ast.AST]]:
    """Yield the name of each parameter that has a default, with that."""
    positional = [*node.posonlyargs, *node.args]
    pairs = zip(reversed(positional), reversed(node.defaults), strict=False)
    named = zip(node.kwonlyargs, node.kw_defaults, strict=True)
    yield from ((argument.arg, value) for argument, value in pairs)
    yield from ((argument.arg, value) for argument, value in named if value)


def _bindings(scope: ast.AST) -> Mapping[str, Sequence[ast.AST | str]]:
    """Return what binds each name of a function or module, without those of inner functions."""
    bindings: dict[str, list[ast.AST | str]] = defaultdict(list)
    if isinstance(scope, _FUNCTIONS):
        for argument in ast.walk(scope.args):
            if isinstance(argument, ast.arg):
                bindings[argument.arg].append("parameter")
    todo = [*reversed(_body(scope))]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = (getattr(node, "module", None) or "").rpartition(".")[2]
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                bindings[name].append(f"{module}.{alias.name}")
        elif isinstance(node, _SCOPES):
            bindings[node.name].append("definition")
        else:
            targets = chain.from_iterable(map(_walk, _targets(node)))
            for name in {one.id for one in targets if isinstance(one, ast.Name)}:
                bindings[name].append(node)
            todo += (one.node for one in reversed(_children(node)) if not one.is_decorator)
    return bindings


def _targets(node: ast.AST) -> Sequence[ast.AST]:
    """Return what a statement sets."""
    if isinstance(node, ast.Assign):
        return node.targets
    if isinstance(node, ast.AnnAssign | ast.AugAssign | ast.For | ast.AsyncFor):
        return [node.target]
    if isinstance(node, ast.With | ast.AsyncWith):
        return [item.optional_vars for item in node.items if item.optional_vars]
    return []


def _children(node: ast.AST) -> list[_Child]:
    """Return the statements directly in `node`, with decorators and handlers, by line."""
    children = [
        _Child(_start(child), _end(child), child, name == "decorator_list")
        for name in node._fields
        if name in _BLOCKS and isinstance(getattr(node, name), list)
        for child in getattr(node, name)
    ]
    return sorted(children, key=lambda child: child.start)


def _body(node: ast.AST) -> list[ast.AST]:
    """Return the first block of a compound statement; empty for any other."""
    body = getattr(node, "body", None) or getattr(node, "cases", None)
    return body if isinstance(body, list) else []


def _position(node: ast.AST) -> tuple[int, int]:
    """Return line and column of a node. A case has none, so return those of its pattern."""
    if isinstance(node, ast.match_case):
        node = node.pattern
    return int(getattr(node, "lineno", 1)), int(getattr(node, "col_offset", 0))


def _start(node: ast.AST) -> tuple[int, int]:
    """Return line and column of a node with its decorators."""
    decorators = getattr(node, "decorator_list", None)
    return _position(decorators[0] if decorators else node)


def lines_of(node: ast.AST) -> range:
    """Return the numbers of the lines of a node, of a compound statement those of its header."""
    body = _body(node)
    return range(_position(node)[0], (_start(body[0])[0] if body else _end(node)[0]) + 1)


def _end(node: ast.AST) -> tuple[int, int]:
    if isinstance(node, ast.match_case):
        return _end(node.body[-1])
    return int(getattr(node, "end_lineno", 1)), int(getattr(node, "end_col_offset", 0))
