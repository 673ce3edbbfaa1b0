"""The packages that pip, uv, pipx and easy_install install in Dockerfiles and notebooks."""

import json
import posixpath
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import tee
from typing import Final

from msgspec.structs import replace

from scanagg.core.text import one_line
from scanagg.inventory.manifest import (
    Manifest,
    ProjectFiles,
    in_folder_of,
    read_text,
    syntax_error,
    without_conflicts,
)
from scanagg.inventory.tools import Item, declare_tools
from scanagg.model import Scope, SourceFile

_PROGRAM: Final = re.compile(r"(pip|uv|uvx|pipx|easy_install)[\d.-]*")
_MENTION: Final = re.compile(r"\b(?:pip|uv|easy_install)")
# The commands that install all of their arguments, the first one, what their arguments list, or
# what their options name.
_COMMANDS: Final[Mapping[str, Mapping[str, str]]] = {
    "pip": {**dict.fromkeys(("install", "download", "wheel"), "all"), "sync": "lists"},
    "pipx": {"install": "all", "inject": "all", "run": "first"},
    "uv": {"add": "all", "tool": "first", "run": "none"},
}
_NAMING: Final = ("--with", "--from", "--spec")
_LISTING: Final = ("-r", "--requirement", "--requirements", "--with-requirements")
# Marks a file with requirements among the requirements of a command.
_LIST: Final = "-r "
_COPY: Final = re.compile(r"\s*(?:COPY|ADD)\s+(?:--\S+\s+)*(.+)", re.IGNORECASE)
# Files that are not lists of requirements, although pip or uv can read their dependencies.
_NO_LIST: Final = (".toml", ".cfg", ".py")
_MAGIC: Final = re.compile(r"\s*+(?:[\w.][\w., ]*+=\s*+)?[%!]")
_SHELL_CELL: Final = re.compile(r"\s*%%(?:bash|sh|script)\b")
_ARRAY: Final = re.compile(r"\s*RUN\s+(\[.*\])\s*", re.IGNORECASE)
_ESCAPE: Final = re.compile(r"(?:#.*\n)*?#\s*escape\s*=\s*`", re.IGNORECASE)
# What begins a path, a variable, a comment, or an empty word.
_NO_NAME: Final = ("", ".", "/", "~", "$", "#")
_PATH: Final = re.compile(r"[\w.-]+/")
_DEEPEST: Final = 3
_MOST_PROGRAMS: Final = 4
_MOST_FOLDERS: Final = 20
# The words that may stand between a program and its command.
_MOST_OPTIONS: Final = 50
_SEPARATORS: Final = frozenset("();<>|&")
# `uvx ruff@0.4` is the version, as in `ruff==0.4`.
_AT: Final = re.compile(r"([\w.-]+(?:\[[^\]]*\])?)@(?:(\d[\w.!+-]*)|latest)")
# The options of these programs with a value.
_WITH_VALUE: Final = frozenset(
    """
    -r --requirement -c --constraint -e --editable -i --index-url --extra-index-url -f --find-links
    -t --target --prefix --root --src --platform --python-version --implementation --abi --proxy
    --requirements
    --no-binary --only-binary --upgrade-strategy --progress-bar --root-user-action --report --log
    --trusted-host --timeout --retries --cache-dir --cert --client-cert --exists-action --python
    -C --config-settings --global-option --use-feature --use-deprecated --keyring-provider
    -p --with-requirements --with-editable --env-file --directory --project --index --default-index
    --extra --group --only-group -P --upgrade-package --config-file --pip-args --suffix --app
    --with --from --spec
    """.split()  # noqa: SIM905
)


def read_dockerfile(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Read the packages that a Dockerfile installs; None if there are none."""
    text = read_text(file)
    problems = project.problems(file.path)
    if "\n<<<<<<< " in f"\n{text}":  # the text of a Dockerfile may have a line of "=" itself
        text = without_conflicts(text, problems)
    copied = [word for line in text.split("\n") for word in _copied(line)]
    manifest = _manifest("docker-pip", file, project, _in_dockerfile(text), copied)
    return manifest and replace(manifest, problems=tuple(problems.entries))


def read_notebook(file: SourceFile, project: ProjectFiles) -> Manifest | None:
    """Read the packages that the cells of a notebook install; None if there are none.

    The line of a requirement is that of its command in the file.
    """
    text = read_text(file)
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise syntax_error(text, "JSON", None, one_line(str(error))) from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        return None
    return _manifest("notebook-pip", file, project, _in_cells(cells, text))


def _in_cells(cells: list[object], text: str) -> Iterator[Item]:
    for cell in cells:
        source = cell.get("source") if isinstance(cell, dict) else None
        if isinstance(source, list):
            source = "".join(map(str, source))
        if not isinstance(source, str) or not _MENTION.search(source.replace("\\\n", "")):
            continue
        lines = source.split("\n")
        for start, line in _joined(source):
            if _MAGIC.match(line) or _SHELL_CELL.match(source):
                at = text.find(json.dumps(lines[start - 1])[1:-1])
                number = text.count("\n", 0, at) + 1 if at >= 0 else None
                yield from ((number, requirement) for requirement in _requirements(line))


def _manifest(
    kind: str,
    file: SourceFile,
    project: ProjectFiles,
    items: Iterator[Item],
    copied: Sequence[str] = (),
) -> Manifest | None:
    """Return the manifest with these requirements, which may be lists in files of the project."""
    items, lists = tee(items)
    requirements = (item for item in items if not item[1].startswith(_LIST))
    tools = declare_tools(kind, file, project, requirements, Scope.RUNTIME)
    names = {text.removeprefix(_LIST) for _, text in lists if text.startswith(_LIST)}
    files = {*_list_files(names, file.path, project, copied)}
    includes = sorted(path for path in files if not path.endswith(_NO_LIST))
    if not tools.declared and not tools.unread and not includes:
        return None
    return Manifest(
        path=file.path,
        tools={kind: tools.declared},
        unread=tools.unread,
        includes=tuple(includes),
        needs=frozenset(includes),
    )


def _list_files(
    names: Collection[str], path: str, project: ProjectFiles, copied: Sequence[str]
) -> Iterator[str]:
    """Yield the files of the project that commands in the file `path` may mean by these names.

    A path in an image may begin with other folders: `/app/docs/requirements.txt`. A file may also
    be `copied` to another folder first.
    """

    def places(end: str) -> list[str]:
        both = (in_folder_of(path, end), posixpath.normpath(end))
        return [place for place in both if place in project.files]

    last_parts = set()
    for name in names:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        last_parts.update(parts[-1:])
        ends = ("/".join(parts[start:]) for start in range(min(len(parts), _MOST_FOLDERS)))
        yield from next(filter(None, map(places, ends)), [])[:1]
    for end in copied:
        if posixpath.basename(end) in last_parts:
            yield from places(end)


def _copied(line: str) -> Sequence[str]:
    """Return the files and folders that a line of a Dockerfile copies into the image."""
    match = _COPY.fullmatch(line)
    return re.findall(r"[^\s\"',\[\]]+", match[1])[:-1] if match else ()


def _in_dockerfile(text: str) -> Iterator[Item]:
    for number, line in _joined(text, "`" if _ESCAPE.match(text) else "\\"):
        array = _ARRAY.fullmatch(line)
        if array:
            try:
                line = shlex.join(json.loads(array[1]))  # noqa: PLW2901
            except (ValueError, TypeError):
                continue
        yield from ((number, requirement) for requirement in _requirements(line))


def _joined(text: str, escape: str = "\\") -> Iterator[tuple[int, str]]:
    """Yield lines with their continuations, without comments, each with its first number.

    As in a Dockerfile, blanks may follow the escape, and empty lines do not end a command.
    """
    parts: list[str] = []
    start = 1
    for number, line in enumerate(text.split("\n"), start=1):
        start = start if parts else number
        written = line.rstrip()
        if line.lstrip().startswith("#") or (parts and not written):
            continue
        is_continued = written.endswith(escape)
        parts.append(written[: -len(escape)] if is_continued else line)
        if not is_continued:
            yield start, "".join(parts)
            parts = []
    yield start, "".join(parts)


def _requirements(line: str, depth: int = 0) -> Iterator[str]:
    """Yield the requirements that a line of a shell installs, also in `sh -c "…"`."""
    if not _MENTION.search(line):
        return
    for words in _simple_commands(line):
        left = _MOST_PROGRAMS
        for position, word in enumerate(words):
            program = _PROGRAM.fullmatch(posixpath.basename(word).lstrip("%!").removesuffix(".exe"))
            if program and left:
                # Another program may follow, as in `uv run pip install x`.
                left -= 1
                yield from _requested(program[1], words, position + 1)
            elif " " in word and depth < _DEEPEST:
                yield from _requirements(word, depth + 1)


def _simple_commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each command of a line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:  # a quote without an end
        words = re.sub(r"[\"']", "", re.sub(r"[;&|<>()]", " ; ", line)).split()
    command: list[str] = []
    for word in words:
        if word and _SEPARATORS.issuperset(word):
            yield command
            command = []
        else:
            command.append(word)
    yield command


def _requested(program: str, words: Sequence[str], start: int) -> Iterator[str]:
    """Yield the requirements among the arguments of one program, which start there."""
    takes = "first" if program == "uvx" else "all"
    if program in _COMMANDS:
        commands = _COMMANDS[program]
        near = range(start, min(start + _MOST_OPTIONS, len(words)))
        at = next((at for at in near if words[at] in commands), None)
        if at is None:
            return
        takes = commands[words[at]]
        # What follows these is another command, or the name of an environment.
        start = at + (2 if words[at] in ("tool", "inject") else 1)
    option = ""
    for argument in _split_options(words[start:]):
        if option in _NAMING:
            yield from map(_with_version, re.split(r",(?=\s*[A-Za-z])", argument))
            takes = "none" if takes == "first" and option != "--with" else takes
            option = ""
        elif option:
            if option in _LISTING:
                yield _LIST + argument
            option = ""
        elif argument.startswith("-"):
            option = argument if argument in _WITH_VALUE else ""
        elif takes == "lists":
            yield _LIST + argument
        elif takes != "none" and argument[:1] not in _NO_NAME and not _PATH.match(argument):
            yield _with_version(argument)
            takes = "none" if takes == "first" else takes


def _split_options(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the arguments, `--with=x` and `-rx` as two."""
    for argument in arguments:
        name, _, value = argument.partition("=")
        if argument.startswith("-r"):
            name, value = "-r", argument[2:]
        has_value = value and name in (*_NAMING, *_LISTING)
        yield from (name, value) if has_value else (argument,)


def _with_version(word: str) -> str:
    at = _AT.fullmatch(word)
    return word if not at else f"{at[1]}=={at[2]}" if at[2] else at[1]
