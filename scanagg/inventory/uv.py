"""Resolve requirements with uv, which builds, installs and runs nothing of them.

It runs in a private folder with files that scanagg wrote. It reads no configuration of the checked
project. The user's index configuration counts: that of uv, else that of pip.
"""

import enum
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from hashlib import sha256
from importlib import metadata
from itertools import chain, takewhile
from pathlib import Path
from typing import Final

import msgspec
from packaging.requirements import Requirement
from uv import find_uv_bin

from scanagg.core import cache
from scanagg.core.process import Completed, Ended, Stop, clean_environment, run
from scanagg.core.programs import is_outside
from scanagg.core.redact import with_hosts_only
from scanagg.core.text import one_line, shorten
from scanagg.model import Reason, plain

SOURCE: Final = "requirements.in"
"""The name of the file with the requirements, as uv's comments have it."""

_SECONDS: Final = 60.0
_CONSTRAINTS: Final = "constraints.txt"
_ANSWER: Final = "answer.txt"
_OWNER: Final = "resolve"
_ERROR_WIDTH: Final = 300
_UNSATISFIABLE: Final = 1  # uv's exit code; that of any other error is 2
# uv's variables that say where packages come from. None of the others has an effect.
_INDEX_VARIABLES: Final = (
    *("UV_INDEX", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL"),
    *("UV_FIND_LINKS", "UV_NO_INDEX"),
)
_VARIABLES: Final = (
    *_INDEX_VARIABLES,
    *("UV_INDEX_*", "UV_INSECURE_HOST", "UV_NATIVE_TLS", "UV_SYSTEM_CERTS"),
    *("UV_KEYRING_PROVIDER", "UV_EXCLUDE_NEWER", "UV_HTTP_*", "UV_OFFLINE"),
    *("NETRC", "SSL_CLIENT_CERT"),
)
# pip's options in uv's words. pip takes the best version of all its indexes.
_PIP_OPTIONS: Final = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
}
_CONFIGURATION: Final = "uv/uv.toml"
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s]*@")
# How uv marks the lines of an error, and hints about its own options after it.
_MARK: Final = re.compile(r"[^\w<>\[(]*(?:(?:error|cause|warning):)?\s*")
_COMMENT: Final = re.compile(r"^# (.*)", re.MULTILINE)
_HINT: Final = re.compile(r"\s*hint:")


class Resolution(enum.Enum):
    """Which of the allowed versions are taken."""

    HIGHEST = "highest"
    LOWEST_DIRECT = "lowest-direct"


class Question(msgspec.Struct, frozen=True):
    """Requirements and constraints, one by line, for a Python such as `3.11` and all newer ones."""

    requirements: tuple[str, ...]
    constraints: tuple[str, ...]
    python: str
    resolution: Resolution = Resolution.HIGHEST


class Failure(msgspec.Struct, frozen=True):
    """The reason for no answer; `is_final` if the same requirements in parts would fail too."""

    reason: Reason
    is_final: bool = True


class _Answer(msgspec.Struct, frozen=True):
    """An answer of uv as it is stored: the resolved packages, or the error if there is none."""

    text: str = ""
    error: str = ""


class Resolver(msgspec.Struct, frozen=True):
    """The terms of all calls. `day` limits how long an answer is used, `seconds` is for each call.

    `tree` is the checked project, and `cache` a permanent folder outside of it.
    """

    cache: Path
    tree: Path
    day: date
    stop: Stop
    seconds: float

    def compile(self, question: Question) -> str | Failure:
        """Return the resolved packages, as uv's requirements file with comments; or why not.

        An answer is stored for the day, also that there is no solution. The index and all else that
        it depends on is part of its key.
        """
        installed = installed_uv()
        if installed is None:
            return Failure(Reason("not-installed", {"install": "pip install uv"}))
        program, version = installed
        environment = _user_environment(self.tree)
        configuration = _uv_configuration(self.tree)
        key = self._key(version, question, environment, configuration)
        if stored := cache.recall(self.cache, _OWNER, (key,)).get(key):
            answer = msgspec.json.decode(stored, type=_Answer)
            return Failure(plain(answer.error), is_final=False) if answer.error else answer.text
        with cache.work_folder(self.cache) as work:
            files = {
                SOURCE: question.requirements,
                _CONSTRAINTS: question.constraints,
                _ANSWER: (),
            }
            for name, lines in files.items():
                (work / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            done = run(
                (program, *_arguments(question, configuration)),
                cwd=work,
                env={**environment, "UV_CACHE_DIR": str(self.cache / "uv"), "TMPDIR": str(work)},
                tree=self.tree,
                timeout=self.seconds,
                stop=self.stop,
            )
            if done.ended is not Ended.EXITED or done.returncode not in (0, _UNSATISFIABLE):
                return _failure(done, self.seconds, work)
            if done.returncode:
                answer = _Answer(error=_error(done, work))
            else:
                try:
                    answer = _Answer(_pins(work / _ANSWER))
                except (OSError, ValueError) as error:
                    return Failure(Reason("uv-ended", {"detail": one_line(str(error))}))
        # The only comments that are lines of their own name packages that uv left out.
        if left_out := _COMMENT.findall(answer.text):
            return Failure(Reason("uv-left-out", {"packages": tuple(left_out[1:])}))
        cache.store(self.cache, _OWNER, {key: msgspec.json.encode(answer).decode()})
        return Failure(plain(answer.error), is_final=False) if answer.error else answer.text

    def _key(
        self,
        version: str,
        question: Question,
        environment: Mapping[str, str],
        configuration: Path | None,
    ) -> str:
        """Return what an answer depends on, as a digest without passwords."""
        named = {
            name: _CREDENTIALS.sub("", value)
            for name, value in sorted(environment.items())
            if name.startswith("UV_") and not name.endswith(("_PASSWORD", "_USERNAME"))
        }
        try:
            configured = configuration.read_text("utf-8") if configuration else ""
        except (OSError, ValueError):
            configured = ""
        parts = (
            self.day.isoformat(),
            version,
            question,
            _arguments(question, None),
            named,
            _CREDENTIALS.sub("", configured),
        )
        return sha256(msgspec.json.encode(parts)).hexdigest()


@lru_cache
def installed_uv() -> tuple[str, str] | None:
    """Return the program and the version of uv; None without it.

    Call it before threads do: the module `sysconfig`, which it needs, is not ready for several.
    """
    try:
        return find_uv_bin(), metadata.version("uv")
    except (FileNotFoundError, metadata.PackageNotFoundError):
        return None


def resolver_of(tree: Path, folder: Path, stop: Stop) -> Resolver:
    """Return the resolver for the project at `tree`, with the cache in `folder`.

    The index depends on the present, also if a check judges by another time.
    """
    return Resolver(folder, tree, datetime.now(UTC).date(), stop, _SECONDS)


def _arguments(question: Question, configuration: Path | None) -> Sequence[str]:
    return (
        *("pip", "compile", SOURCE),
        *(("--config-file", str(configuration)) if configuration else ("--no-config",)),
        *("--constraint", _CONSTRAINTS, "--only-binary", ":all:", "--no-sources"),
        # An interpreter is only asked for its version: uv would search for one in folders above.
        *("--python", sys.executable, "--no-python-downloads"),
        *("--python-version", question.python, "--universal", "--fork-strategy", "fewest"),
        *("--resolution", question.resolution.value),
        *("--no-header", "--annotate", "--annotation-style", "line"),
        *("--no-emit-index-url", "--no-emit-find-links", "--no-strip-markers", "--no-strip-extras"),
        # The user's configuration can also have other settings for this command.
        *("--deps", "--no-generate-hashes", "--no-emit-index-annotation"),
        *("--no-emit-build-options", "--output-file", _ANSWER),
        *("--color", "never", "--no-progress", "--quiet"),
    )


def _pins(file: Path) -> str:
    """Return the text of a file with only requirements and comments. OSError, ValueError."""
    text = file.read_text("utf-8")
    for line in text.splitlines():
        if pin := line.partition("#")[0].strip():
            Requirement(pin)
    return text


def _failure(done: Completed, seconds: float, work: Path) -> Failure:
    """Return why uv gave no answer at all."""
    if done.ended is Ended.TIMEOUT:
        return Failure(Reason("uv-timeout", {"seconds": round(seconds)}))
    if done.ended is not Ended.EXITED:
        return Failure(Reason("uv-ended", {"detail": done.detail or done.ended.value}))
    return Failure(plain(_error(done, work)))


def _error(done: Completed, work: Path) -> str:
    """Return uv's error as one sentence, without its hints and folders, and with hosts only."""
    lines = takewhile(_not_a_hint, done.stderr.decode("utf-8", "replace").splitlines())
    texts = [*filter(None, (_MARK.sub("", line, count=1).strip() for line in lines))]
    # If there is no solution, the first line says only that.
    is_solved = done.returncode != _UNSATISFIABLE
    text = ": ".join(texts) if is_solved else " ".join(texts[1:] or texts)
    text = with_hosts_only(text.replace(f"{work}/", ""))
    text = shorten(one_line(text), _ERROR_WIDTH).rstrip(".")
    return text or f"exit code {done.returncode}"


def _not_a_hint(line: str) -> bool:
    return not _HINT.match(line)


def _user_environment(tree: Path) -> Mapping[str, str]:
    """Return the environment of uv: the user's index, as configured for uv, else for pip."""
    # Without a network, three attempts take eight seconds.
    environment = {"UV_HTTP_RETRIES": "1", **clean_environment(_VARIABLES)}
    if _uv_configuration(tree) or not environment.keys().isdisjoint(_INDEX_VARIABLES):
        return environment
    return {**environment, **dict(_of_pip(tree))}


def _uv_configuration(tree: Path) -> Path | None:
    """Return the user's configuration file of uv, else the system's; never one of the project."""
    home, folders = Path("~").expanduser(), os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
    named = os.environ.get("UV_CONFIG_FILE")
    candidates: tuple[Path, ...] = (
        *((Path(named),) if named else ()),
        Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", _CONFIGURATION),
        *(Path(folder, _CONFIGURATION) for folder in folders.split(os.pathsep)),
        Path("/etc", _CONFIGURATION),
    )
    for path in candidates:
        if path.is_absolute() and path.is_file() and is_outside(str(path), tree):
            return path
    return None


def _of_pip(tree: Path) -> Iterator[tuple[str, str]]:
    """Yield uv's variables for the indexes in the user's configuration and variables of pip.

    None if a file of the checked project is among pip's files, as with a home in the project.
    """
    # Imported here: it is slow to import, and only unlocked projects need it.
    from pip._internal.configuration import (  # noqa: PLC0415
        Configuration,
        get_configuration_files,
    )
    from pip._internal.exceptions import PipError  # noqa: PLC0415

    files = (*chain(*get_configuration_files().values()), os.environ.get("PIP_CONFIG_FILE", ""))
    if any(Path(file).is_file() and not is_outside(file, tree) for file in files):
        return
    configuration = Configuration(isolated=False)
    try:
        configuration.load()
        settings = dict(_flat(configuration.items()))
    except (PipError, OSError, ValueError):
        return
    for option, variable in _PIP_OPTIONS.items():
        # As in pip: variables count most, then the section of the command.
        sections = (":env:", "install", "global")
        values = (settings.get(f"{section}.{option}") for section in sections)
        if value := next(filter(None, values), None):
            separator = "," if variable == "UV_FIND_LINKS" else " "
            yield variable, separator.join(value.split())
    yield "UV_INDEX_STRATEGY", "unsafe-best-match"


def _flat(items: Iterable[tuple[str, object]]) -> Iterator[tuple[str, str]]:
    """Yield the keys with their values; newer versions of pip group them by file."""
    for key, value in items:
        if isinstance(value, dict):
            yield from _flat(value.items())
        else:
            yield key, str(value)
