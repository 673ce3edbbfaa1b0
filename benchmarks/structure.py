"""Size and shape of packages: functions, complexity, imports, helpers, names, docstrings, startup.

- *lines*: physical lines of all `.py` files.
- *functions*: each `def`, methods and nested ones too. Their *length* is from `def` to the last
  line, without decorators.
- *complexity*: cyclomatic, as radon counts it, without nested functions; the share *over 10*.
- *depth*: modules on the longest chain of imports inside the package, where a cycle counts as one
  module. *Depth* follows what runs when a module is imported; *depth, all* also follows imports
  inside functions and under `TYPE_CHECKING`.
- *once*: functions whose name begins with one underscore and to which one place refers by name,
  outside their own body: in their own module or in one that imports the name. Share of functions.
- *filler*: names of `FILLERS` as a share of all bindings of variables (assignments, loops, `with`,
  comprehensions; not parameters). *Filler, long*, and the list, are without comprehensions of one
  line.
- *docstrings*: those that open with a word of `QUESTION`.
- *classes*: names that several public classes of the package share.

`--startup` adds the median ratio of `python -m PACKAGE --help` to `python -I -c pass`, over 11
pairs of runs that alternate, and the modules that it imports outside the standard library.
"""

import argparse
import ast
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from importlib.util import resolve_name
from pathlib import Path
from typing import NamedTuple

FILLERS = {"one", "each", "found", "said", "told", "made", "held", "wanted", "kept", "given"}
FILLERS |= {"asked", "known", "named", "listed", "shown", "taken", "brought", "done", "gone", "got"}
FILLERS |= {"meant", "others", "whole", "rest", "what", "here"}
QUESTION = re.compile(r"(What|Which|Whether|How|Where)\b")
Function = ast.FunctionDef | ast.AsyncFunctionDef
Loop = ast.For | ast.AsyncFor | ast.While


class Module(NamedTuple):
    """A source file of a package and all nodes of its syntax tree."""

    name: str
    path: Path
    lines: int
    nodes: list[ast.AST]


class Place(NamedTuple):
    """A line of a file and what is there: a name, or the first line of a docstring."""

    path: Path
    line: int
    text: str


def read(folder: Path) -> list[Module]:
    """Return the modules of a package."""
    modules = []
    for path in sorted(folder.rglob("*.py")):
        source = path.read_bytes()
        parts = (folder.name, *path.relative_to(folder).with_suffix("").parts)
        name = ".".join(part for part in parts if part != "__init__")
        modules.append(Module(name, path, source.count(b"\n"), list(ast.walk(ast.parse(source)))))
    return modules


def places(modules: list[Module], text_of: Callable[[ast.AST], str | None]) -> list[Place]:
    """Return the nodes for which `text_of` returns a text."""
    return [
        Place(module.path, getattr(node, "lineno", 1), text)
        for module in modules
        for node in module.nodes
        if (text := text_of(node))
    ]


def complexity(function: Function) -> int:
    """Return the cyclomatic complexity of a function."""
    return 1 + sum(map(paths, function.body))


def paths(node: ast.AST) -> int:
    """Return the number of paths that a node and all in it add; none for a nested function."""
    if isinstance(node, Function | ast.ClassDef):
        return 0
    added = int(isinstance(node, ast.If | ast.IfExp | ast.Assert | ast.comprehension | Loop))
    if isinstance(node, Loop | ast.Try | ast.TryStar):
        added += bool(node.orelse)
    if isinstance(node, ast.Match):
        added += sum(ast.unparse(case.pattern) != "_" for case in node.cases)
    if isinstance(node, ast.BoolOp):
        added += len(node.values) - 1
    added += len(getattr(node, "handlers", ())) + len(getattr(node, "ifs", ()))
    return added + sum(map(paths, ast.iter_child_nodes(node)))


def imports(modules: list[Module], *, runtime: bool) -> dict[str, set[str]]:
    """Return the modules of the package that each module imports: at run time, or anywhere."""
    names = {module.name for module in modules}
    graph = {}
    for module in modules:
        nodes = runtime_nodes(module.nodes[:1]) if runtime else module.nodes
        targets = {name for node in nodes for name in imported(node, module)}
        targets |= {name.rpartition(".")[0] for name in targets - names}
        graph[module.name] = targets & names - {module.name}
    return graph


def runtime_nodes(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes that run on import: no function bodies, nothing under `if TYPE_CHECKING`."""
    for node in nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from runtime_nodes(node.orelse)
        elif not isinstance(node, Function):
            yield node
            yield from runtime_nodes(ast.iter_child_nodes(node))


def imported(node: ast.AST, module: Module) -> list[str]:
    """Return the full names that an import brings into the module; none for other nodes."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    package = module.name if module.path.stem == "__init__" else module.name.rpartition(".")[0]
    base = resolve_name("." * node.level + (node.module or ""), package)
    return [f"{base}.{alias.name}" for alias in node.names]


def depth(graph: Mapping[str, set[str]]) -> int:
    """Return the number of modules on the longest chain, where a cycle counts as one module."""
    reached = {name: {name, *targets} for name, targets in graph.items()}
    for middle in graph:
        for name in graph:
            if middle in reached[name]:
                reached[name] |= reached[middle]
    depths: dict[str, int] = {}
    # Whatever a module imports from outside its cycle reaches fewer modules than the module does.
    for name in sorted(graph, key=lambda name: len(reached[name])):
        cycle = {other for other in reached[name] if name in reached[other]}
        below = {target for member in cycle for target in graph[member]} - cycle
        depths[name] = 1 + max((depths[target] for target in below), default=0)
    return max(depths.values(), default=0)


def used_once(modules: list[Module]) -> list[Place]:
    """Return the private helpers to which one place refers."""
    uses: Counter[tuple[str, str | None]] = Counter()
    for module in modules:
        names = [name for node in module.nodes for name in imported(node, module)]
        homes = {name.rpartition(".")[2]: name.rpartition(".")[0] for name in names}
        for name in map(name_of, module.nodes):
            uses.update({(module.name, name), (homes.get(name or "", module.name), name)})
    return [
        Place(module.path, node.lineno, node.name)
        for module in modules
        for node in module.nodes
        if isinstance(node, Function) and re.match("_[^_]", node.name)
        if uses[module.name, node.name] - [*map(name_of, ast.walk(node))].count(node.name) == 1
    ]


def name_of(node: ast.AST) -> str | None:
    """Return the name or attribute that a node refers to."""
    return getattr(node, "id", None) or getattr(node, "attr", None)


def binding(node: ast.AST) -> str | None:
    """Return the variable that a node binds."""
    return node.id if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else None


def fillers(modules: list[Module]) -> list[Place]:
    """Return the bindings of filler names outside of comprehensions of one line."""
    short = {
        id(name)
        for module in modules
        for node in module.nodes
        for generator in getattr(node, "generators", ())
        if node.lineno == node.end_lineno
        for name in ast.walk(generator.target)
    }
    bound = places(modules, lambda node: "" if id(node) in short else binding(node))
    return [place for place in bound if place.text in FILLERS]


def question(node: ast.AST) -> str | None:
    """Return the first line of a docstring that opens with a question word."""
    documented = isinstance(node, Function | ast.ClassDef | ast.Module)
    text = documented and ast.get_docstring(node)
    return text.partition("\n")[0] if text and QUESTION.match(text) else None


def duplicates(modules: list[Module]) -> list[Place]:
    """Return the public classes that share their name with another one."""
    classes = places(modules, lambda node: node.name if isinstance(node, ast.ClassDef) else None)
    count = Counter(place.text for place in classes)
    return [place for place in classes if count[place.text] > 1 and place.text[0] != "_"]


LISTS: dict[str, Callable[[list[Module]], list[Place]]] = {
    "once": used_once,
    "filler": fillers,
    "docstrings": lambda modules: places(modules, question),
    "classes": duplicates,
}


def measure(folder: Path) -> dict[str, float | str]:
    """Return the figures of a package; shares are in percent."""
    modules = read(folder)
    nodes = [node for module in modules for node in module.nodes]
    functions = [node for node in nodes if isinstance(node, Function)]
    lengths = sorted((node.end_lineno or 0) - node.lineno + 1 for node in functions) or [0]
    complexities = [complexity(function) for function in functions] or [0]
    bound = places(modules, binding)
    return {
        "package": folder.name,
        "lines": sum(module.lines for module in modules),
        "files": len(modules),
        "functions": len(functions),
        "length, median": round(statistics.median(lengths)),
        "p95": lengths[int(len(lengths) * 0.95)],
        "max": lengths[-1],
        "complexity": round(statistics.mean(complexities), 2),
        "over 10 %": share([number for number in complexities if number > 10], functions),
        "depth": depth(imports(modules, runtime=True)),
        "depth, all": depth(imports(modules, runtime=False)),
        "once %": share(used_once(modules), functions),
        "filler %": share([place for place in bound if place.text in FILLERS], bound),
        "filler, long %": share(fillers(modules), bound),
        "docstrings": len(places(modules, question)),
        "classes": len({place.text for place in duplicates(modules)}),
    }


def share(part: Sized, total: Sized) -> float:
    """Return the size of the part in percent of the total's."""
    return round(100 * len(part) / max(len(total), 1), 1)


LIST_MODULES = (
    "import atexit, runpy, sys; before = {*sys.modules}; del sys.argv[0];"
    "atexit.register(lambda: print(*{*sys.modules} - before, file=sys.stderr));"
    "runpy.run_module(sys.argv[0], run_name='__main__')"
)


def startup(package: Path) -> dict[str, float | str]:
    """Return the time a package takes to print its help, and the number of modules it imports."""
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": ""}

    def run(*argv: str) -> tuple[float, str]:
        argv, start = (sys.executable, *argv), time.perf_counter()
        process = subprocess.run(argv, cwd=package.parent, env=env, check=True, capture_output=True)
        return time.perf_counter() - start, process.stderr.decode()

    modules = run("-c", LIST_MODULES, package.name, "--help")[1]  # this also compiles the modules
    tops = [name.partition(".")[0] for name in modules.split()]
    help_argv = ["-m", package.name, "--help"]
    pairs = [(run(*help_argv)[0], run("-I", "-c", "pass")[0]) for _ in range(11)]
    foreign = [top for top in tops if top not in {*sys.stdlib_module_names, package.name}]
    return {
        "help, seconds": round(statistics.median(seconds for seconds, _ in pairs), 3),
        "ratio": round(statistics.median(seconds / bare for seconds, bare in pairs), 1),
        "imports, own": tops.count(package.name),
        "others": len(foreign),
    }


def main() -> None:
    """Print the figures, or the places that count toward one of them."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    own = Path(__file__).parent.parent / "scanagg"
    parser.add_argument("folders", nargs="*", type=Path, default=[own], metavar="FOLDER")
    parser.add_argument("--list", choices=LISTS, help="print the places behind a figure instead")
    parser.add_argument("--startup", action="store_true", help="also measure `--help`")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    args = parser.parse_args()
    folders = [folder.resolve() for folder in args.folders]
    if args.list:
        for place in [place for folder in folders for place in LISTS[args.list](read(folder))]:
            print(f"{place.path}:{place.line}: {place.text}")
        return
    rows = [measure(folder) | (startup(folder) if args.startup else {}) for folder in folders]
    if args.json:
        print(json.dumps(rows, indent=2))
        return
    for cells in (rows[0], ["---"] * len(rows[0]), *(row.values() for row in rows)):
        print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
