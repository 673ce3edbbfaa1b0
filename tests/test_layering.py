"""The shape of the house, read from its imports: who may know whom, and how big a part may be."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "scanagg"

# Lowest first. A part may import from lower layers and from itself, never sideways or up. A new
# part is put where it belongs here; that is the moment to think about where that is.
LAYERS = (
    {"levels"},
    {"facts", "ground"},
    {"advice", "cvss"},
    {"errors", "linehash", "model", "text", "toml"},
    {"gather", "sources", "wording"},
    {"adapters", "cache", "importers", "inventory", "process", "reporters", "workers"},
    {"coverage", "git", "redact"},
    {"trusted"},
    {"projectkey"},
    {"config", "target"},
    {"advisories", "identity", "normalise", "scan", "severity", "stored"},
    {"correlate", "policy"},
    {"examine", "rejudge", "upgrades"},
    {"licensing", "origin", "survey"},
    {"rulebook"},
    {"guard"},
    {"pipeline"},
    {"cli"},
    {"__main__"},
)
# Folders in which one file is one of a kind, found by itself: they never know each other.
KINDS = {"adapters", "reporters", "importers"}

FILE_LINES = 400
ADAPTER_LINES = 120
FUNCTION_LINES = 60

MODULES = sorted(path.relative_to(HOUSE).as_posix() for path in HOUSE.rglob("*.py"))


@cache
def tree(module: str) -> ast.Module:
    return ast.parse((HOUSE / module).read_text(encoding="utf-8"))


def dotted(module: str) -> str:
    """`adapters/bandit.py` is scanagg.adapters.bandit, `cli/__init__.py` is scanagg.cli."""
    parts = ["scanagg", *module.removesuffix(".py").split("/")]
    return ".".join(part for part in parts if part != "__init__")


NAMES = {dotted(module): module for module in MODULES}


def imported(module: str) -> Iterator[tuple[str, int]]:
    """Every name a module imports, wherever in the file, as full dotted names, with the line."""
    package = (
        dotted(module) if module.endswith("__init__.py") else dotted(module).rpartition(".")[0]
    )
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level]
            base = ".".join([*(above if node.level else ()), *filter(None, [node.module])])
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def ours(module: str) -> Iterator[tuple[str, int]]:
    """The modules of the house that a module imports."""
    for name, line in imported(module):
        known = name if name in NAMES else name.rpartition(".")[0]
        if known in NAMES:
            yield NAMES[known], line


def part(module: str) -> str:
    """What a module belongs to: its top folder, or itself."""
    return module.partition("/")[0].removesuffix(".py")


def layer(module: str) -> int:
    return next(number for number, parts in enumerate(LAYERS) if part(module) in parts)


def is_worker(module: str) -> bool:
    """Whether it is a program of its own, started as a scanner is, that answers on stdout."""
    return part(module) == "workers"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_a_layer(module: str) -> None:
    assert module == "__init__.py" or any(part(module) in parts for parts in LAYERS)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__init__.py"])
def test_imports_only_lower_layers(module: str) -> None:
    breaches = [
        f"{module}:{line} imports {other}"
        for other, line in ours(module)
        if other != "__init__.py" and part(other) != part(module) and layer(other) >= layer(module)
    ]
    assert not breaches


@pytest.mark.parametrize("module", [name for name in MODULES if part(name) in KINDS])
def test_one_of_a_kind_does_not_know_the_others(module: str) -> None:
    breaches = [
        f"{module}:{line} imports {other}"
        for other, line in ours(module)
        if part(other) == part(module)
        and not any(each.startswith("_") for each in Path(other).parts)
        and not module.endswith("__init__.py")
    ]
    assert not breaches


def test_no_cycle() -> None:
    graph = {module: {other for other, _ in ours(module)} - {module} for module in MODULES}
    assert cycles(graph) == []


def cycles(graph: Mapping[str, set[str]]) -> list[str]:
    """What remains when everything that needs nothing is taken away, again and again."""
    left = {module: set(needs) for module, needs in graph.items()}
    while free := [module for module, needs in left.items() if not needs & left.keys()]:
        for module in free:
            del left[module]
    return sorted(left)


def test_a_cycle_would_be_seen() -> None:
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]


def test_one_gateway_to_other_programs() -> None:
    starters = {
        module
        for module in MODULES
        for name, _ in imported(module)
        if name.partition(".")[0] in {"subprocess", "multiprocessing", "pty"}
    } | {
        module
        for module in MODULES
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
        and node.attr.startswith(("system", "popen", "exec", "spawn", "posix_spawn", "fork"))
    }
    assert starters == {"process.py"}


@pytest.mark.parametrize("module", [name for name in MODULES if part(name) != "cli"])
def test_only_the_cli_prints_and_exits(module: str) -> None:
    spoken = [
        f"{module}:{node.lineno} {ast.unparse(node)}"
        for node in ast.walk(tree(module))
        if (isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "exit", "quit"})
        or (
            isinstance(node, ast.Attribute)
            and ast.unparse(node) in {"sys.exit", "sys.stdout", "sys.stderr", "os._exit"}
        )
    ]
    assert is_worker(module) or not spoken


def test_one_broad_except() -> None:
    broad = [
        f"{module}:{node.lineno}"
        for module in MODULES
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or {"Exception", "BaseException"} & named(node.type))
        and ast.unparse(node.body[-1]) != "raise"  # that one only tidies up
    ]
    assert len(broad) <= 1
    assert all(place.startswith("cli/") for place in broad)


def named(expression: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("module", MODULES)
def test_says_what_it_is_for(module: str) -> None:
    docstring = ast.get_docstring(tree(module))
    assert docstring
    assert docstring.partition("\n")[0].endswith((".", ":", ";", ","))


@pytest.mark.parametrize("module", MODULES)
def test_stays_within_its_size(module: str) -> None:
    lines = len((HOUSE / module).read_text(encoding="utf-8").splitlines())
    adapter = part(module) == "adapters" and not Path(module).name.startswith("_")
    assert lines <= (ADAPTER_LINES if adapter else FILE_LINES)


@pytest.mark.parametrize("module", MODULES)
def test_no_function_is_too_long(module: str) -> None:
    long = [
        f"{module}:{node.lineno} {node.name}"
        for node in ast.walk(tree(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES
    ]
    assert not long


@pytest.mark.parametrize("arguments", [("--help",), ("check", "--help"), ("--version",)])
def test_help_waits_for_no_scanner_and_no_template(arguments: tuple[str, ...]) -> None:
    loaded = modules_loaded_by(*arguments)
    heavy = {"bandit", "detect_secrets", "pip_audit", "piplicenses", "safety"}
    heavy |= {"jinja2", "sarif_om", "license_expression", "ruamel", "rich", "requests"}
    assert not heavy & {name.partition(".")[0] for name in loaded}
    adapters = {name for name in loaded if name.startswith("scanagg.adapters.")}
    reporters = {name for name in loaded if name.startswith("scanagg.reporters.")}
    assert not adapters | reporters


def modules_loaded_by(*arguments: str) -> set[str]:
    """The modules that a run of the command line leaves in `sys.modules`."""
    program = (
        "import atexit, json, sys\n"
        "show = lambda: sys.stderr.write('\\n' + json.dumps(sorted(sys.modules)))\n"
        "atexit.register(show)\n"
        f"sys.argv = ['scanagg', *{arguments!r}]\n"
        "from scanagg.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stderr.rpartition("\n")[2]))
