"""`pip install` in Dockerfiles and notebooks."""

import json
import re
import shlex
from collections.abc import Iterator
from typing import Final

from scanagg.core.text import one_line
from scanagg.inventory.manifest import Manifest, ManifestError, ProjectFiles, read_text
from scanagg.inventory.tools import Item, declare_tools
from scanagg.model import Reason, Scope, SourceFile

# pip takes options before the command too. Their numbers are limited, so that the time is linear.
_INSTALL: Final = re.compile(
    r"\b(?:pip[\d.]*(?:\.exe)?|pipx|uv\s+tool)"
    r"(?:\s+-[^\s;&|]{1,100}(?:\s+(?!install\b)[^\s;&|-][^\s;&|]{0,100})?){0,8}\s+install\b"
)
_MAGIC: Final = re.compile(r"\s*[%!]")
_SHELL_CELL: Final = re.compile(r"\s*%%(?:bash|sh|script)\b")
_ARRAY: Final = re.compile(r"\s*RUN\s+(\[.*\])\s*", re.IGNORECASE)
# The options of `pip install` with a value.
_WITH_VALUE: Final = frozenset(
    """
    -r --requirement -c --constraint -e --editable -i --index-url --extra-index-url -f --find-links
    -t --target --prefix --root --src --platform --python-version --implementation --abi --proxy
    --no-binary --only-binary --upgrade-strategy --progress-bar --root-user-action --report --log
    --trusted-host --timeout --retries --cache-dir --cert --client-cert --exists-action --python
    -C --config-settings --global-option --use-feature --use-deprecated --keyring-provider
    """.split()  # noqa: SIM905
)


def read_dockerfile(file: SourceFile, project: ProjectFiles) -> Manifest:
    """Read the packages that a Dockerfile installs with pip."""
    return _manifest("docker-pip", file, project, pip_requirements(read_text(file)))


def read_notebook(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Read the packages that the cells of a notebook install with pip; None if it is not one.

    The line of a requirement is that of its command in the file.
    """
    text = read_text(file)
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = Reason("syntax-error", {"format": "JSON", "error": one_line(str(error))})
        raise ManifestError(reason) from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        return None
    return _manifest("notebook-pip", file, project, _in_cells(cells, text))


def _in_cells(cells: list[object], text: str) -> Iterator[Item]:
    for cell in cells:
        source = cell.get("source") if isinstance(cell, dict) else None
        if isinstance(source, list):
            source = "".join(map(str, source))
        if not isinstance(source, str) or "install" not in source:
            continue
        lines = source.replace("\\\n", " ").splitlines()
        for line in lines:
            if not _MAGIC.match(line) and not _SHELL_CELL.match(source):
                continue
            if requirements := [requirement for _, requirement in pip_requirements(line)]:
                at = text.find(json.dumps(line.split("install")[0])[1:-1])
                number = text.count("\n", 0, at) + 1 if at >= 0 else None
                yield from ((number, requirement) for requirement in requirements)


def _manifest(
    kind: str, file: SourceFile, project: ProjectFiles, items: Iterator[Item]
) -> Manifest:
    tools = declare_tools(kind, file, project, items, Scope.RUNTIME)
    return Manifest(path=file.path, tools={kind: tools.declared}, unread=tools.unread)


def pip_requirements(text: str) -> Iterator[Item]:
    """Yield the requirements in the `pip install` commands of a shell script or a Dockerfile."""
    for number, line in _commands(text):
        array = _ARRAY.fullmatch(line)
        if array:
            try:
                line = shlex.join(json.loads(array[1]))  # noqa: PLW2901
            except (ValueError, TypeError):
                continue
        # Up to the next one, so that a line of many commands takes no longer.
        _, *commands = _INSTALL.split(line)
        for arguments in commands:
            yield from ((number, requirement) for requirement in _requirements(arguments))


def _commands(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their continuations, without comments, each with its first number."""
    parts: list[str] = []
    start = 1
    for number, line in enumerate(text.splitlines(), start=1):
        start = start if parts else number
        if line.lstrip().startswith("#"):
            continue
        parts.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            yield start, " ".join(parts)
            parts = []
    yield start, " ".join(parts)


def _requirements(arguments: str) -> Iterator[str]:
    """Yield the requirements among the arguments of one `pip install`, up to its end."""
    lexer = shlex.shlex(arguments, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:  # the command is itself in quotes
        words = re.sub(r"[\"']", "", re.split(r"[;&|<>()]", arguments)[0]).split()
    is_value = False
    for word in words:
        if set(word) <= set("();<>|&"):
            return
        if is_value:
            is_value = False
        elif word.startswith("-"):
            is_value = word in _WITH_VALUE
        elif word[0] not in "./~$" and not re.match(r"[\w.-]+/", word):
            yield word
