"""Changes that keep every finding, for `identity.py`: formatters, renamed folders, split files."""

import ast
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from scans import Snapshot

from scanagg.model import Category, PathKind
from scanagg.model.paths import path_kind

MOVED = "_moved"
REFLOWING = ("black -l 60", "ruff format")
SPLIT_FILES = 20
BATCH = 500
# Folders whose findings are judged differently, so that a move out of them counts.
DEVELOPMENT = frozenset(
    (
        *("tests", "test", "testing", "e2e", "fixtures", "docs", "doc", "documentation"),
        *("examples", "example", "samples", "sample", "bench", "benchmark", "benchmarks"),
    )
)

Transform = Callable[[Path, Snapshot], None]


def before(path: str) -> str:
    """Return the path that a file had before a transform moved it."""
    return path.replace(MOVED, "")


def transforms(tools: Path) -> Mapping[str, Transform]:
    """Return all transforms by name; `tools` is a folder with the programs of formatters."""
    nothing = tools.parent / "no-settings.toml"  # to ignore the project's own settings
    nothing.touch()
    return {
        "black -l 60": formatter(
            str(tools / "black"), "-q", "--fast", "-l", "60", "--config", str(nothing)
        ),
        "ruff format": formatter(str(tools / "ruff"), "format", "-q", "--isolated"),
        "isort": formatter(str(tools / "isort"), "-q", "--settings-file", str(nothing)),
        "renamed package": rename_package,
        "split modules": split_files,
        "renamed configuration": rename_configuration,
    }


def formatter(*command: str) -> Transform:
    """Return a transform that formats all Python files."""

    def run(root: Path, _snapshot: Snapshot) -> None:
        paths = [str(path) for path in root.rglob("*.py") if path.is_file()]
        for at in range(0, len(paths), BATCH):
            # A formatter fails for a file that it cannot parse, and leaves that file unchanged.
            subprocess.run([*command, *paths[at : at + BATCH]], check=False, capture_output=True)

    return run


def rename_package(root: Path, snapshot: Snapshot) -> None:
    """Rename the folder with most findings in code; no import is changed."""
    folders = Counter(
        folder
        for flag, flagged in snapshot.flagged.items()
        if flagged.category is Category.CODE and path_kind(flag.path) is PathKind.PRODUCTION
        for folder in [package_of(root / flag.path, root)]
        if folder
    )
    for folder, _ in folders.most_common(1):
        folder.rename(folder.with_name(folder.name + MOVED))


def package_of(file: Path, root: Path) -> Path | None:
    """Return the outermost folder of a file, below `src` if it is there."""
    parts = file.relative_to(root).parts[:-1]
    depth = 2 if parts[:1] == ("src",) else 1
    name = parts[depth - 1 : depth]
    return root.joinpath(*parts[:depth]) if name and name[0] not in DEVELOPMENT else None


def rename_configuration(root: Path, snapshot: Snapshot) -> None:
    """Rename every folder with a file that has misconfigurations."""
    folders = {
        (root / flag.path).parent
        for flag, flagged in snapshot.flagged.items()
        if flagged.category is Category.MISCONFIGURATION
    }
    for folder in sorted(folders - {root}, key=lambda folder: -len(folder.parts)):
        if folder.name not in DEVELOPMENT:
            folder.rename(folder.with_name(folder.name + MOVED))


def split_files(root: Path, snapshot: Snapshot) -> None:
    """Move half of the definitions of the files with most findings to a new file each."""
    findings = Counter(
        flag.path
        for flag, flagged in snapshot.flagged.items()
        if flagged.category is Category.CODE and flag.path.endswith(".py")
    )
    for path, _ in findings.most_common(SPLIT_FILES):
        split_file(root / path)


def split_file(file: Path) -> None:
    """Move the second half of the definitions of a file to a new one, which imports the rest."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return
    definitions = [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    source = file.read_bytes().splitlines(keepends=True)
    lines = [*source]
    moved: list[bytes] = []
    for node in reversed(definitions[len(definitions) // 2 :]):
        first = min(one.lineno for one in (*node.decorator_list, node))
        moved = [*lines[first - 1 : node.end_lineno], b"\n\n", *moved]
        del lines[first - 1 : node.end_lineno]
    if moved:
        imports = [
            b"".join([*source[node.lineno - 1 : node.end_lineno], b"\n"])
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            or (isinstance(node, ast.Try) and isinstance(node.body[0], ast.Import | ast.ImportFrom))
        ]
        used = {
            node.id for node in ast.walk(ast.parse(b"".join(moved))) if isinstance(node, ast.Name)
        }
        known = sorted(used & module_names(ast.parse(b"".join(lines))))
        if known:
            imports.append(f"from .{file.stem} import {', '.join(known)}\n".encode())
        moved = [*imports, b"\n", *moved]
        file.write_bytes(b"".join(lines))
        file.with_name(file.stem + MOVED + file.suffix).write_bytes(b"".join(moved))


def module_names(tree: ast.Module) -> set[str]:
    """Return the names of the definitions and variables of a module."""
    names = {getattr(node, "name", "") for node in tree.body} - {""}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def transformed(transform: Transform, snapshot: Snapshot, into: Path) -> Path:
    """Return a copy of the snapshot's files, transformed once and kept."""
    if not into.exists():
        partial = into.with_name(into.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(snapshot.root, partial, symlinks=True)
        transform(partial, snapshot)
        partial.rename(into)
    return into
