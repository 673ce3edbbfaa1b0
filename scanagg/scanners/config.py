"""The configuration of scanagg: `[tool.scanagg]` of pyproject.toml, or scanagg.toml."""

import difflib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from scanagg.core import toml
from scanagg.core.errors import ConfigError
from scanagg.core.patterns import globs
from scanagg.core.programs import is_outside
from scanagg.core.text import one_line
from scanagg.model import ScannerInfo
from scanagg.project.trusted import Files, WorkTree
from scanagg.scanners.base import ScannerSettings, path_variable

CONFIG = "config"
"""The option that names a scanner's own configuration file."""

_OWN_FILE = "scanagg.toml"
_SHARED_FILE = "pyproject.toml"
_T = TypeVar("_T", bound=msgspec.Struct)
_NO_SCANNERS: Mapping[str, ScannerSettings] = MappingProxyType({})


class Settings(msgspec.Struct, frozen=True):
    """The settings of a project; None or empty if they are not set. Times are in seconds."""

    source: str = ""
    policy: str | None = None
    exclude: tuple[str, ...] = ()
    python: Path | None = None
    output_dir: str | None = None
    formats: tuple[str, ...] = ()
    jobs: int | None = None
    timeout: float | None = None
    deadline: float | None = None
    scanners: Mapping[str, ScannerSettings] = msgspec.field(default_factory=lambda: _NO_SCANNERS)


class _Keys(msgspec.Struct, rename="kebab", frozen=True):
    """The keys of the file."""

    policy: str | None = None
    exclude: tuple[str, ...] = ()
    python: str | None = None
    output_dir: str | None = None
    formats: tuple[str, ...] = ()
    jobs: int | None = None
    timeout: float | None = None
    deadline: float | None = None
    scanners: dict[str, dict[str, object]] = {}


class _ScannerKeys(msgspec.Struct, frozen=True):
    """The keys that every scanner has."""

    path: object = None
    args: tuple[str, ...] = ()
    timeout: float | None = None


def load_settings(
    root: Path,
    infos: Mapping[str, ScannerInfo],
    *,
    files: Files | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Load the settings of the project at `root`; all empty without a configuration.

    `files` is the work tree by default. Only `environ` names programs. ConfigError with file and
    line for an unreadable file, an unknown key or a wrong value.
    """
    settings = _configured(root, infos, files or WorkTree(root))
    scanners = dict(settings.scanners)
    for name in infos:
        if path := environ.get(path_variable(name)):
            of_scanner = scanners.get(name, ScannerSettings())
            scanners[name] = replace(of_scanner, path=_program(root, path_variable(name), path))
    return replace(settings, scanners=scanners) if scanners else settings


def _program(root: Path, variable: str, text: str) -> Path:
    """Return the program that a variable names. It must not be inside the checked project."""
    if "\0" in text or not Path(text).is_absolute():
        raise ConfigError(f"{variable}: {text!r} is not absolute", "Use an absolute path.")
    if not is_outside(text, root):
        message = f"{variable}: {text!r} is inside the checked project"
        raise ConfigError(message, "Use another program: scanagg runs nothing of the project.")
    return Path(text)


def _configured(root: Path, infos: Mapping[str, ScannerInfo], place: Files) -> Settings:
    """Return the settings in the configuration of the project."""
    own, shared = _text(place, _OWN_FILE), _text(place, _SHARED_FILE) or ""
    tool = _toml(shared, _SHARED_FILE).get("tool")
    table = tool.get("scanagg") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ConfigError(
            f"{_SHARED_FILE}: tool.scanagg is not a table", "Start it with [tool.scanagg]."
        )
    if own is not None and table is not None:
        raise ConfigError(
            f"both {_OWN_FILE} and [tool.scanagg] in {_SHARED_FILE} configure scanagg",
            "Delete one of them.",
        )
    if own is not None:
        settings = _Reader(root, _OWN_FILE, own, infos).settings(_toml(own, _OWN_FILE))
    elif table is None:
        return Settings()
    else:
        settings = _Reader(root, _SHARED_FILE, shared, infos).settings(table)
    return _with_configs(settings, place)


def _with_configs(settings: Settings, files: Files) -> Settings:
    """Return the settings with the content of the scanners' own configuration files."""
    scanners = dict(settings.scanners)
    for name, scanner in scanners.items():
        path = scanner.options.get(CONFIG)
        if path is None:
            continue
        text = _text(files, path)
        if text is None:
            where = f"commit {files.ref[:12]}" if files.ref else "the project"
            place = f"{settings.source}: scanners.{name}.{CONFIG}"
            message = f"{place}: {where} has no file {one_line(path)}"
            raise ConfigError(message, f"Use a file of {where}.")
        scanners[name] = replace(scanner, config=text)
    return replace(settings, scanners=scanners)


def _text(files: Files, name: str) -> str | None:
    """Read a file; None if there is none."""
    try:
        content = files.read(name)
        return None if content is None else content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"{name} is not UTF-8: {error.reason}"
        raise ConfigError(message, "Save the file as UTF-8.") from error
    except OSError as error:
        message = f"cannot read {name}: {error.strerror}"
        raise ConfigError(message, "Make it a regular file that you can read.") from error


def _toml(text: str, name: str) -> Mapping[str, object]:
    try:
        return toml.load(text)
    except toml.TomlError as error:
        line = f":{error.line}" if error.line else ""
        message = f"{name}{line}: not valid TOML: {error.reason}"
        raise ConfigError(message, "Fix the syntax.") from error


class _Reader(msgspec.Struct, frozen=True):
    """Turns a table of one file into settings. Errors have the file and the line."""

    root: Path
    name: str
    text: str
    infos: Mapping[str, ScannerInfo]

    def settings(self, table: Mapping[str, object]) -> Settings:
        keys = self._convert(table, _Keys, "")
        self._check_known(keys.scanners, self.infos, "scanners.")
        for pattern in keys.exclude:
            try:
                globs([pattern])
            except (ValueError, re.error) as error:
                hint = "Use the syntax of .gitignore."
                raise self._error("exclude", f"invalid pattern {pattern!r}", hint) from error
        folder = Path(keys.output_dir or "reports")
        if "\0" in str(folder) or folder.is_absolute() or ".." in folder.parts:
            hint = "Use a folder inside the project. Only --output-dir can name another one."
            raise self._error("output-dir", f"{keys.output_dir!r} is outside the project", hint)
        for key in ("policy", "python"):
            if "\0" in (getattr(keys, key) or ""):
                raise self._error(key, "a path cannot contain NUL", "Remove it.")
        self._check_positive("", jobs=keys.jobs, timeout=keys.timeout, deadline=keys.deadline)
        return Settings(
            source=self.name,
            policy=keys.policy,
            exclude=keys.exclude,
            python=self.root / keys.python if keys.python else None,
            output_dir=keys.output_dir,
            formats=keys.formats,
            jobs=keys.jobs,
            timeout=keys.timeout,
            deadline=keys.deadline,
            scanners={name: self._scanner(name, table) for name, table in keys.scanners.items()},
        )

    def _scanner(self, name: str, table: Mapping[str, object]) -> ScannerSettings:
        info, where = self.infos[name], f"scanners.{name}."
        keys = self._convert(table, _ScannerKeys, where, info.options)
        if keys.path is not None:
            message = "a project cannot name a program to run"
            hint = f"Name it in the environment: export {path_variable(name)}=/path/to/program"
            raise self._error(f"{where}path", message, hint)
        self._check_positive(where, timeout=keys.timeout)
        self._check_args(keys.args, sorted(info.args), where)
        options = {}
        for key in filter(table.__contains__, info.options):
            value = table[key]
            if not isinstance(value, bool | str | int | float):
                hint = "Use a string, a number, true or false."
                raise self._error(where + key, "not a single value", hint)
            options[key] = str(value).lower() if isinstance(value, bool) else str(value)
        return ScannerSettings(
            args=keys.args,
            timeout=keys.timeout,
            options=options,
        )

    def _check_args(self, args: Sequence[str], allowed: Sequence[str], where: str) -> None:
        """Refuse options that could run or write something: the project controls this file."""
        value_may_follow = False
        for arg in args:
            option, equals, _ = arg.partition("=")
            if arg.startswith("-") and option in allowed:
                value_may_follow = not equals
            elif value_may_follow and not arg.startswith("-"):
                value_may_follow = False
            else:
                hint = f"Use only these options, with their values: {', '.join(allowed)}."
                raise self._error(f"{where}args", f"{arg!r} is not allowed", hint)

    def _check_positive(self, where: str, **values: float | None) -> None:
        for key, value in values.items():
            if value is not None and not 0 < value < float("inf"):
                raise self._error(where + key, f"{value} is not above 0", "Use a number above 0.")

    def _check_known(self, table: Iterable[str], allowed: Iterable[str], where: str) -> None:
        names = sorted(allowed)
        for key in table:
            if key not in names:
                near = difflib.get_close_matches(key, names, n=1, cutoff=0.7)
                guess = f"Did you mean {near[0]}? " if near else ""
                hint = f"{guess}Valid keys: {', '.join(names)}."
                raise self._error(where + key, "unknown key", hint)

    def _convert(
        self, table: Mapping[str, object], kind: type[_T], where: str, more: Iterable[str] = ()
    ) -> _T:
        """Convert the table to this type. ConfigError for keys that are not its or in `more`."""
        names = [field.encode_name for field in msgspec.structs.fields(kind)]
        self._check_known(table, (*names, *more), where)
        known = {key: value for key, value in table.items() if key in names}
        try:
            return msgspec.convert(known, kind)
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `$")
            key = path.rstrip("`").lstrip(".").partition("[")[0] or next(iter(table), "")
            raise self._error(where + key, reason, "Change the value.") from error

    def _error(self, key: str, reason: str, hint: str) -> ConfigError:
        """Return the error with the line of the key. The parser has no lines, so search for it."""
        last = re.escape(key.rpartition(".")[2])
        pattern = re.compile(
            rf"^\s*(\[.*\b{last}\"?\]|\"?{last}\"?\s*=|.*[{{,]\s*\"?{last}\"?\s*=)"
        )
        lines = enumerate(self.text.splitlines(), 1)
        line = next((f":{number}" for number, line in lines if pattern.match(line)), "")
        return ConfigError(f"{self.name}{line}: {key}: {reason}", hint)
