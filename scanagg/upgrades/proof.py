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
from scanagg.core.process import Completed, Ended, Stop, clean_environment, run
from scanagg.core.programs import find_program
from scanagg.core.redact import with_hosts_only
from scanagg.core.text import one_line, shorten
from scanagg.upgrades.pins import Refused, logical_lines, read

# Resolving a large project anew from a slow index takes minutes.
RESOLVE_SECONDS: Final = 900.0
"""The time limit for one command."""

# Lockers and resolvers also need to know the index, and how to log in there.
ALLOWED: Final = (
    *("UV_*", "PIP_*", "POETRY_*", "PDM_*", "PIPENV_*", "WORKON_HOME"),
    *("NETRC", "SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_SSL_CAINFO"),
)
"""The variables for them, besides those that every program gets."""

_SHOWN_LINES: Final = 4
_SHOWN_WIDTH: Final = 400
_MOST_FILES: Final = 100

_CONTINUED: Final = re.compile(r"\\(?:\r\n|\r|\n)")
_COMMENT: Final = re.compile(r"(?:^|\s)#.*$", re.DOTALL)
_LINE_OPTION: Final = re.compile(r"\s-.*$", re.DOTALL)
_INCLUDE: Final = re.compile(r"(-r|--requirement|-c|--constraint)(?:\s+|\s*=\s*|(?<=-[rc]))(\S+)$")
_INDEX: Final = re.compile(r"-[if]|--(?:index-url|extra-index-url|pypi-url|find-links|no-index)\b")
# uv and pip expand variables, join lines, and end them at characters that editors do not show.
_SAFE_LINE: Final = re.compile(r"[A-Za-z0-9][^\\$`#\x00-\x1f\x7f-\x9f\u2028\u2029]*")
_SOURCES: Final = frozenset(
    ("index", "index-url", "extra-index-url", "find-links", "no-index", "sources")
)
_EDITABLE: Final = re.compile(r"-e|--editable")
# pip also accepts the beginning of an option, such as --extra-index.
_HARMLESS: Final = re.compile(
    r"--(?:pre|require-hashes|prefer-binary|only-binary|no-binary|trusted-host|use-feature)(?![\w-])"
)

# The first sentence of uv's explanation, and pip's list of conflicts.
_UV_REASON: Final = re.compile(r"Because .+?\.(?= |$)")
_UV_FRAME: Final = re.compile(r"[\s\u2500-\u257f\u25b6\u00d7]+")
_PIP_REASON: Final = re.compile(r"conflict is caused by:\s*\n((?:[ \t]+\S.*\n?)+)")
# Causes that say nothing about the versions: another Python, no wheel for this system, no network.
_ELSEWHERE: Final = re.compile(
    r"current Python version|Requires-Python|usable wheels|building from source|"
    r"no wheels with a matching|network was disabled"
)


class ProofState(enum.Enum):
    """The result of a dry resolution."""

    PROVEN = "proven"
    REFUTED = "refuted"
    OPEN = "open"


class Proof(msgspec.Struct, frozen=True):
    """Whether versions fit together, by the tool that tried.

    `reason` says why they do not, or why that is not known. If they do, it lists what was left out.
    """

    state: ProofState
    by: str = ""
    reason: str = ""


class DryResolver(msgspec.Struct, frozen=True):
    """A program that resolves requirements: its name, "uv" or "pip", and its path."""

    name: str
    program: str

    def command(self, *, constrained: bool, pre: bool) -> tuple[str, ...]:
        """Return the command that resolves requirements.txt in the current folder."""
        words = ["--only-binary", ":all:"]
        words += ["--constraint", "constraints.txt"] if constrained else []
        if self.name == "uv":
            words += ["--no-header", "--no-annotate", "--no-python-downloads"]
            words += ["--python", sys.executable, *(["--prerelease=allow"] if pre else [])]
            return (self.program, "pip", "compile", *words, "requirements.txt")
        words += ["--ignore-installed", "--no-input", "--disable-pip-version-check"]
        words += ["--pre"] if pre else []
        return (self.program, "install", "--dry-run", *words, "-r", "requirements.txt")

    def refutes(self, text: str) -> bool:
        """Return True if the output says that no versions fit together."""
        if _ELSEWHERE.search(text):
            return False
        if self.name == "uv":
            return "No solution found" in text
        return "ResolutionImpossible" in text

    def reason(self, text: str) -> str:
        """Return the reason in the output, in one sentence; an empty string without one."""
        found = _UV_REASON.search(_UV_FRAME.sub(" ", text))
        if found:
            return found[0]
        conflicts = _PIP_REASON.search(text)
        return " and ".join(map(str.strip, conflicts[1].splitlines())) if conflicts else ""


class Bench(msgspec.Struct, frozen=True):
    """The project, and what to work with; `seconds` is the time limit of each command.

    `resolver` is None if requirements cannot be resolved, and `without` says why.
    """

    root: Path
    stop: Stop
    environ: Mapping[str, str]
    seconds: float = RESOLVE_SECONDS
    resolver: DryResolver | None = None
    without: str = "neither uv nor pip was found"


def find_resolver(root: Path, environ: Mapping[str, str]) -> DryResolver | None:
    """Return uv, from PATH or beside scanagg, else pip, and never one of the project."""
    beside = Path(sys.executable).parent
    for name in ("uv", "pip"):
        for place in (name, str(beside / name)):
            program = find_program(place, root, environ)
            if program:
                return DryResolver(name, program)
    return None


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
    if bench.resolver is None:
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
        # uv looks for its configuration in the folders above, unless there is one here.
        (folder / "uv.toml").touch()
        done = run(
            bench.resolver.command(constrained=bool(asked.constraints), pre=asked.pre),
            cwd=folder,
            env=clean_environment(ALLOWED),
            tree=bench.root,
            timeout=bench.seconds,
            stop=bench.stop,
        )
    return _proof(bench, bench.resolver, done, asked.left_out)


def _proof(bench: Bench, resolver: DryResolver, done: Completed, left_out: list[str]) -> Proof:
    name = resolver.name
    if done.ended is Ended.STOPPED:
        raise Refused(f"{name} was stopped")
    if done.ended is Ended.EXITED and not done.returncode:
        return Proof(ProofState.PROVEN, name, ", ".join(left_out))
    text = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace")
    if done.ended is Ended.EXITED and resolver.refutes(text):
        why = resolver.reason(text) or "the versions do not fit together"
        words = shorten(one_line(with_hosts_only(why)), _SHOWN_WIDTH)
        reason = f"{name} finds no solution: {words}"
        return Proof(ProofState.REFUTED, name, reason)
    return Proof(ProofState.OPEN, name, f"{name} {failure(done, bench.seconds)}")


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
    if requirement.url or not _SAFE_LINE.fullmatch(words):
        asked.left_out.append(requirement.name)
    else:
        into.append(words)
