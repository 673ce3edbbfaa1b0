"""Resolve requirements with uv, which builds, installs and runs nothing of them.

It runs in a private folder with files that scanagg wrote. It reads no configuration of the checked
project. The user's index configuration counts: that of uv, else that of pip.
"""

import enum
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from hashlib import sha256
from itertools import takewhile
from pathlib import Path
from typing import Final

import msgspec
from packaging.requirements import Requirement

from scanagg.core import cache
from scanagg.core.process import Completed, Ended, Stop, run
from scanagg.core.redact import with_hosts_only, without_credentials
from scanagg.core.text import one_line, shorten
from scanagg.core.uv import (
    configuration_option,
    installed_uv,
    user_configuration,
    user_environment,
)
from scanagg.model import Reason, plain

SOURCE: Final = "requirements.in"
"""The name of the file with the requirements, as uv's comments have it."""

_SECONDS: Final = 60.0
_CONSTRAINTS: Final = "constraints.txt"
_ANSWER: Final = "answer.txt"
_OWNER: Final = "resolve"
_ERROR_WIDTH: Final = 300
_UNSATISFIABLE: Final = 1  # uv's exit code; that of any other error is 2
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
    """Asks uv, and keeps its answers for the `day`. `seconds` is the time limit of each call.

    `tree` is the checked project, and `cache` a permanent folder outside of it.
    """

    cache: Path
    tree: Path
    day: date
    stop: Stop
    seconds: float

    def compile(self, question: Question) -> str | Failure:
        """Return the resolved packages, as uv's requirements file with comments; or why not.

        An answer is stored for the day, even if it is that there is no solution. Its key has all
        that it depends on, such as the index.
        """
        installed = installed_uv()
        if installed is None:
            return Failure(Reason("package-not-installed", {"package": "uv"}))
        program, version = installed
        environment = user_environment(self.tree)
        configuration = user_configuration(self.tree)
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
            name: without_credentials(value)
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
            without_credentials(configured),
        )
        return sha256(msgspec.json.encode(parts)).hexdigest()


def resolver_of(tree: Path, folder: Path, stop: Stop) -> Resolver:
    """Return the resolver for the project at `tree`, with the cache in `folder`.

    Its day is today, even if the check judges as of another time: the index knows only the present.
    """
    return Resolver(folder, tree, datetime.now(UTC).date(), stop, _SECONDS)


def _arguments(question: Question, configuration: Path | None) -> Sequence[str]:
    return (
        *("pip", "compile", SOURCE),
        *configuration_option(configuration),
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
