"""The syntax around an issue: its expression and its statement."""

import ast
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final

_COMPOUND: Final = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.If, ast.For, ast.AsyncFor),
    *(ast.While, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match),
)


class Syntax:
    """The syntax of Python code. It has no nodes if this interpreter cannot parse the code."""

    def __init__(self, lines: Sequence[str]) -> None:
        """Parse nothing yet."""
        self._lines = lines

    @cached_property
    def _nodes(self) -> Sequence[ast.AST]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such as those about invalid escapes
                return tuple(ast.walk(ast.parse("\n".join(self._lines))))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ()

    @cached_property
    def last_lines(self) -> Mapping[int, int]:
        """The last line of the simple statement on each line; not of a block such as `def`."""
        last: dict[int, int] = {}
        for node in self._nodes:
            if isinstance(node, ast.stmt) and not isinstance(node, _COMPOUND):
                end = node.end_lineno or node.lineno
                last |= {line: max(end, last.get(line, 0)) for line in range(node.lineno, end + 1)}
        return last
