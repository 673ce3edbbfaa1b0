"""Prove that requirements can be installed: a dry resolution, which installs and builds nothing."""

import enum
import posixpath
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scanagg.core import toml
from scanagg.core.process import Completed, Ended, Stop, run
from scanagg.core.redact import with_hosts_only
from scanagg.core.text import one_line, shorten
from scanagg.core.uv import SAFE_LINE, configuration_option, user_configuration, user_environment
from scanagg.upgrades.pins import Refused, logical_lines, read

# Resolving a large project anew from a slow index takes minutes.
RESOLVE_SECONDS: Final = 900.0
"""The time limit for one command."""

_SHOWN_LINES: Final = 4
_SHOWN_WIDTH: Final = 400
_MOST_FILES: Final = 100

_CONTINUED: Final = re.compile(r"\\(?:\r\n|\r|\n)")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*$", re.DOTALL)
_LINE_OPTION: Final = re.compile(r"\s-.*$", re.DOTALL)
_INCLUDE: Final = re.compile(r"(-r|--requirement|-c|--constraint)(?:\s+|\s*=\s*|(?<=-[rc]))(\S+)$")
_INDEX: Final = re.compile(r"-[if]|--(?:index-url|extra-index-url|pypi-url|find-links|no-index)\b")
_SOURCES: Final = frozenset(
    ("index", "index-url", "extra-index-url", "find-links", "no-index", "sources")
)
_EDITABLE: Final = re.compile(r"-e|--editable")
# pip also accepts the beginning of an option, such as --extra-index.
_HARMLESS: Final = re.compile(
    r"--(?:pre|require-hashes|prefer-binary|only-binary|no-binary|trusted-host|use-feature)(?![\w-])"
)

# The first sentence of uv's explanation, in a frame of lines.
_UV_REASON: Final = re.compile(r"Because .+?\.(?= |$)")
_UV_FRAME: Final = re.compile(r"[\s\u2500-\u257f\u25b6\u00d7]+")
# Causes that say nothing about the versions: another Python, no wheel for this system, no network.
_ELSEWHERE: Final = re.compile(
    r"current Python version|usable wheels|building from source|"
    r"no wheels with a matching|network was disabled"
)


class ProofState(enum.Enum):
    """The result of a dry resolution."""

    PROVEN = "proven"
    REFUTED = "refuted"
    OPEN = "open"


class Proof(msgspec.Struct, frozen=True):
    """The result of a proof, and the tool that tried.

    `reason` says why the versions conflict, or why that is not known. If they fit together, it
    lists what was left out.
    """

    state: ProofState
    by: str = ""
    reason: str = ""


class Bench(msgspec.Struct, frozen=True):
    """The project, and the terms for the commands; `seconds` is the time limit of each.

    `uv` is the path of uv; None if requirements cannot be resolved, and `without` says why.
    """

    root: Path
    stop: Stop
    environ: Mapping[str, str]
    seconds: float = RESOLVE_SECONDS
    uv: str | None = None
    without: str = "uv is not installed with scanagg: run `pip install uv` in its environment"


class Asked(msgspec.Struct):
    """The requirements that a file asks for, the constraints on them, and lines left out.

    Left out are addresses, paths and editable installs: they would have to be built.
    """

    requirements: list[str] = []
    constraints: list[str] = []
    left_out: list[str] = []
    pre: bool = False


class _Unresolvable(Exception):  # noqa: N818 - it never leaves this module
    """A file cannot be resolved, with the reason."""


def prove(bench: Bench, path: str) -> Proof:
    """Resolve what a file of the project asks for. Refused if the file is gone, or on a stop.

    The index is that of the user's configuration. A file that names another one is not resolved,
    since its packages are not for the user's index.
    """
    if bench.uv is None:
        return Proof(ProofState.OPEN, reason=bench.without)
    try:
        asked = _asked(bench.root, path)
    except _Unresolvable as error:
        return Proof(ProofState.OPEN, reason=str(error))
    if not asked.requirements:
        return Proof(ProofState.OPEN, reason="it names no package of an index")
    with tempfile.TemporaryDirectory(prefix="scanagg-") as temporary:
        folder = Path(temporary)
        (folder / "requirements.txt").write_text(
            "\n".join((*asked.requirements, "")), encoding="utf-8"
        )
        (folder / "constraints.txt").write_text(
            "\n".join((*asked.constraints, "")), encoding="utf-8"
        )
        done = run(
            (
                *(bench.uv, "pip", "compile", "requirements.txt"),
                *configuration_option(user_configuration(bench.root)),
                *("--constraint", "constraints.txt", "--only-binary", ":all:"),
                *("--python", sys.executable, "--no-python-downloads"),
                *("--no-header", "--no-annotate"),
                *(("--prerelease=allow",) if asked.pre else ()),
            ),
            cwd=folder,
            env=user_environment(bench.root),
            tree=bench.root,
            timeout=bench.seconds,
            stop=bench.stop,
        )
    return _proof(bench, done, asked.left_out)


def _proof(bench: Bench, done: Completed, left_out: list[str]) -> Proof:
    if done.ended is Ended.STOPPED:
        raise Refused("uv was stopped")
    if done.ended is Ended.EXITED and not done.returncode:
        return Proof(ProofState.PROVEN, "uv", ", ".join(left_out))
    text = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace")
    refutes = "No solution found" in text and not _ELSEWHERE.search(text)
    if done.ended is Ended.EXITED and refutes:
        sentence = _UV_REASON.search(_UV_FRAME.sub(" ", text))
        why = sentence[0] if sentence else "the versions do not fit together"
        reason = f"uv finds no solution: {shorten(one_line(with_hosts_only(why)), _SHOWN_WIDTH)}"
        return Proof(ProofState.REFUTED, "uv", reason)
    return Proof(ProofState.OPEN, "uv", f"uv {failure(done, bench.seconds)}")


def failure(done: Completed, seconds: float) -> str:
    """Return how a program failed, with the last lines that it printed: "failed (exit code 2)"."""
    ending = {
        Ended.EXITED: f"failed (exit code {done.returncode})",
        Ended.TIMEOUT: f"took more than {seconds:.0f} s",
        Ended.STOPPED: "was stopped",
        Ended.OVERFLOW: "printed too much",
        Ended.NOT_STARTED: f"could not be started: {done.detail}",
    }[done.ended]
    text = (done.stderr.strip() or done.stdout.strip()).decode("utf-8", "replace")
    lines = [*filter(None, map(str.strip, text.splitlines()))]
    # Links to more information do not say what went wrong: pdm ends with two such lines.
    relevant = [line for line in lines if not line.startswith("See ")] or lines
    words = with_hosts_only(" ".join(relevant[-_SHOWN_LINES:]))
    return ending + (f": {shorten(one_line(words), _SHOWN_WIDTH)}" if words else "")


def _asked(root: Path, path: str) -> Asked:
    name = posixpath.basename(path)
    asked = Asked()
    if name == "pyproject.toml":
        for text in _of_pyproject(path, read(root, path).raw or b""):
            _add(asked.requirements, asked, text, path)
    elif name in ("setup.cfg", "Pipfile"):
        raise _Unresolvable("only the tool that installs it can resolve it")
    else:
        _of_requirements(root, path, asked)
    return asked


def _of_pyproject(path: str, raw: bytes) -> Iterator[str]:
    """Yield the requirements of a project, its extras and its groups, without its own name."""
    try:
        document = toml.load(raw.decode("utf-8-sig"))
    except ValueError as error:
        raise _Unresolvable(f"{path} cannot be parsed") from error
    match document:
        case {"tool": {"uv": dict() as settings}} if not _SOURCES.isdisjoint(settings):
            raise _Unresolvable(f"{path} names an index or a source of its own")
        case {"tool": {"poetry": {"dependencies": _}}} | {"tool": {"pdm": {"source": _}}}:
            raise _Unresolvable("only the tool that installs it can resolve it")
    project = document.get("project")
    project = project if isinstance(project, dict) else {}
    own = canonicalize_name(str(project.get("name")))
    groups = [document.get("dependency-groups"), project.get("optional-dependencies")]
    lists = [project.get("dependencies")]
    for group in groups:
        lists += group.values() if isinstance(group, dict) else ()
    for texts in lists:
        for text in texts if isinstance(texts, list) else ():
            # A group is included by a table. An extra of the project has its own list.
            if isinstance(text, str) and canonicalize_name(text.partition("[")[0].strip()) != own:
                yield text


def _of_requirements(root: Path, path: str, asked: Asked) -> None:
    """Read a file of requirements with the files that it includes."""
    waiting = [(path, False)]
    for place, constrains in waiting:
        into = asked.constraints if constrains else asked.requirements
        for number, text in _lines(read(root, place).raw or b""):
            include = _INCLUDE.match(text)
            if include:
                inside = posixpath.normpath(posixpath.join(posixpath.dirname(place), include[2]))
                entry = (inside, constrains or include[1] in ("-c", "--constraint"))
                if "://" in include[2] or len(waiting) >= _MOST_FILES:
                    raise _Unresolvable(f"{place}:{number} includes what scanagg does not read")
                waiting += [entry] if entry not in waiting else []
            elif _INDEX.match(text):
                raise _Unresolvable(f"{place}:{number} names an index of its own")
            elif not text.startswith("-"):
                _add(into, asked, text, f"{place}:{number}")
            elif _EDITABLE.match(text):
                asked.left_out.append(f"{place}:{number}")
            elif not _HARMLESS.match(text):
                raise _Unresolvable(f"{place}:{number} has an option that scanagg does not read")
            asked.pre = asked.pre or text == "--pre"


def _lines(raw: bytes) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line that is not empty, without comments."""
    text = raw.decode("utf-8-sig", "replace")
    for number, start, end in logical_lines(text):
        line = _COMMENT.sub("", _CONTINUED.sub("", text[start:end])).strip()
        if line:
            yield number, line


def _add(into: list[str], asked: Asked, text: str, where: str) -> None:
    """Add a requirement, in the words of packaging, which no tool takes for an option."""
    try:
        requirement = Requirement(_LINE_OPTION.sub("", text))
    except (ValueError, RecursionError):
        asked.left_out.append(where)
        return
    words = str(requirement)
    if requirement.url or not SAFE_LINE.fullmatch(words):
        asked.left_out.append(requirement.name)
    else:
        into.append(words)
