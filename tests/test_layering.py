"""The structure of the package, read from its imports, and rules that no module may break."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
HOUSE = ROOT / "scanagg"

# The packages that each package may import. Only `cli` may import all of them.
STAGES = {"project", "inventory", "scanners", "findings", "advisories", "policy", "upgrades"}
ALLOWED: Mapping[str, set[str]] = {
    "core": set(),
    "model": {"core"},
    "project": {"core", "model"},
    "inventory": {"core", "model", "project"},
    "advisories": {"core", "model"},
    "scanners": {"core", "model", "project"},
    "findings": {"core", "model", "project", "scanners", "advisories"},
    "policy": {"core", "model", "project", "scanners", "findings"},
    "upgrades": {"core", "model", "advisories"},
    "reports": {"core", "model", "project"},
    "baseline": {"core", "model", "project", "inventory", "scanners", "findings"},
    "gate": {"core", "model", "project", "scanners", "findings", "policy", "baseline", "upgrades"},
    "demo": {"core", "advisories"},
    "pipeline": {"core", "model", "baseline", "gate", "reports", *STAGES},
    "cli": {"core", "model", "baseline", "gate", "reports", "pipeline", "demo", *STAGES},
    "__main__": {"cli"},
}

# Folders of plug-in packages that are discovered one by one and never import each other.
KINDS = {"scanners", "reports"}
# The exception: one format in two flavours.
EXTENDS = {"sarif_full": "sarif"}

MODULES = sorted(path.relative_to(HOUSE).as_posix() for path in HOUSE.rglob("*.py"))


@cache
def tree(module: str) -> ast.Module:
    return ast.parse((HOUSE / module).read_text(encoding="utf-8"))


def dotted(module: str) -> str:
    """`scanners/base.py` is scanagg.scanners.base, `cli/__init__.py` is scanagg.cli."""
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
    """The modules of the package that a module imports, with the line.

    `from scanagg.core import text` imports `core/text.py`; any import of a module also runs the
    `__init__.py` of each package above it, which counts where that is another package.
    """
    for name, line in imported(module):
        known = name if name in NAMES else name.rpartition(".")[0]
        if known in NAMES:
            yield NAMES[known], line
            package = known.rpartition(".")[0]
            while package not in {"", "scanagg"} and not dotted(module).startswith(package):
                yield NAMES[package], line
                package = package.rpartition(".")[0]


def part(module: str) -> str:
    """The top package of a module, or the module itself."""
    return module.partition("/")[0].removesuffix(".py")


def kind(module: str) -> str | None:
    """The package of `scanners` or `reports` that a module is in: "bandit"; None outside."""
    parts = Path(module).parts
    return parts[1] if len(parts) > 2 and parts[0] in KINDS else None


def is_worker(module: str) -> bool:
    """Return whether it is a program of its own, started as a scanner, that answers on stdout."""
    return module.endswith("/worker.py")


def test_every_package_has_a_place() -> None:
    assert {part(module) for module in MODULES} - {"__init__"} == set(ALLOWED)


def test_packages_import_what_they_may() -> None:
    breaches = [
        f"{module}:{line} imports {other}"
        for module in MODULES
        for other, line in ours(module)
        if part(other) not in {part(module), "__init__", *ALLOWED.get(part(module), ())}
    ]
    assert not breaches


def test_packages_form_no_cycle() -> None:
    graph = {name: needs & set(ALLOWED) for name, needs in ALLOWED.items()}
    assert cycles(graph) == []


def test_modules_form_no_cycle() -> None:
    graph = {
        module: {other for other, _ in ours(module) if Path(other).name != "__init__.py"} - {module}
        for module in MODULES
    }
    assert cycles(graph) == []


def test_scanners_and_formats_do_not_know_each_other() -> None:
    breaches = [
        f"{module}:{line} imports {other}"
        for module in MODULES
        if part(module) in KINDS
        for other, line in ours(module)
        if part(other) == part(module)
        and kind(other) not in {None, kind(module), EXTENDS.get(kind(module) or "")}
    ]
    assert not breaches


def cycles(graph: Mapping[str, set[str]]) -> list[str]:
    """Return the modules that remain after repeatedly removing those without dependencies."""
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
    # The entry point may start itself again.
    assert starters == {"__main__.py", "core/process.py"}


def test_only_the_cli_prints_and_exits() -> None:
    breaches = [
        f"{module}:{node.lineno} {ast.unparse(node)}"
        for module in MODULES
        if part(module) != "cli" and not is_worker(module)
        for node in ast.walk(tree(module))
        if (isinstance(node, ast.Call) and ast.unparse(node.func) in {"print", "exit", "quit"})
        or (
            isinstance(node, ast.Attribute)
            and ast.unparse(node) in {"sys.exit", "sys.stdout", "sys.stderr", "os._exit"}
        )
    ]
    assert not breaches


def test_one_broad_except() -> None:
    broad = [
        f"{module}:{node.lineno}"
        for module in MODULES
        for node in ast.walk(tree(module))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or {"Exception", "BaseException"} & named(node.type))
        and ast.unparse(node.body[-1]) != "raise"  # that one only cleans up
    ]
    assert len(broad) <= 1
    assert all(place.startswith("cli/") for place in broad)


def named(expression: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}


def test_public_class_names_are_unique() -> None:
    places: dict[str, set[str]] = {}
    for module in MODULES:
        for node in tree(module).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, set()).add(module)
    assert not {name: modules for name, modules in places.items() if len(modules) > 1}


def test_the_package_declares_what_it_imports() -> None:
    """What only another package needs is gone with a release of that package."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {canonicalize_name(Requirement(one).name) for one in project["dependencies"]}
    names = {name.partition(".")[0] for module in MODULES for name, _ in imported(module)}
    packages = packages_distributions()
    imports = {name: packages.get(name, []) for name in names - sys.stdlib_module_names}
    imports = {name: owners for name, owners in imports.items() if owners and name != "scanagg"}
    assert {"click", "msgspec", "packaging"} <= set(imports)
    assert not {
        name: owners
        for name, owners in imports.items()
        if not declared & set(map(canonicalize_name, owners))
    }


def test_every_module_has_a_docstring() -> None:
    assert not [module for module in MODULES if not ast.get_docstring(tree(module))]


SCANNER_LIBRARIES = {"bandit", "detect_secrets", "pip_audit", "piplicenses", "safety"}
REPORT_LIBRARIES = {"jinja2", "sarif_om", "cyclonedx"}
OTHER_LIBRARIES = {"license_expression", "msgspec", "requests", "rich", "ruamel"}


@pytest.mark.parametrize(
    ("arguments", "unneeded"),
    [
        (("--help",), SCANNER_LIBRARIES | REPORT_LIBRARIES | OTHER_LIBRARIES),
        (("--version",), SCANNER_LIBRARIES | REPORT_LIBRARIES | OTHER_LIBRARIES),
        (("check", "--help"), SCANNER_LIBRARIES | REPORT_LIBRARIES),
    ],
)
def test_help_imports_no_scanner_and_no_format(
    arguments: tuple[str, ...], unneeded: set[str]
) -> None:
    loaded = modules_loaded_by(*arguments)
    assert not unneeded & {name.partition(".")[0] for name in loaded}
    kinds = tuple(
        dotted(module)
        for module in MODULES
        if kind(module) is not None and module.endswith("__init__.py")
    )
    assert not {name for name in loaded if name.startswith(kinds)}


def test_no_pattern_has_a_possessive_group() -> None:
    """Python before 3.11.5 matches some of them wrongly (python/cpython#106052)."""
    possessive, of_characters = re.compile(r"\)[*+?}]\+|\(\?>"), r"\[(?:\\.|[^\]\\])*\]"
    texts = [
        (module, node.value)
        for module in MODULES
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    assert not [
        (module, text)
        for module, text in texts
        if possessive.search(re.sub(of_characters, "[]", text))
    ]


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
