"""How scanners run: `[tool.scanagg]` of pyproject.toml, or scanagg.toml, loaded strictly."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

import msgspec
import pathspec
from msgspec.structs import replace

from scanagg.core import toml
from scanagg.core.errors import ConfigError
from scanagg.core.text import one_line
from scanagg.model import ScannerInfo
from scanagg.project.trusted import Files, WorkTree
from scanagg.scanners.base import ScannerSettings

CONFIG = "config"
"""The option by which a scanner's own configuration is named."""

_OWN_FILE = "scanagg.toml"
_SHARED_FILE = "pyproject.toml"
_SCANNER_KEYS = ("path", "args", "timeout")
_T = TypeVar("_T")
_NO_SCANNERS: Mapping[str, ScannerSettings] = MappingProxyType({})


class Settings(msgspec.Struct, frozen=True):
    """What the configuration says; None or empty where it says nothing. Times are in seconds."""

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


class _File(msgspec.Struct, forbid_unknown_fields=True, rename="kebab", frozen=True):
    """The keys as written."""

    policy: str | None = None
    exclude: tuple[str, ...] = ()
    python: str | None = None
    output_dir: str | None = None
    formats: tuple[str, ...] = ()
    jobs: int | None = None
    timeout: float | None = None
    deadline: float | None = None
    scanners: dict[str, dict[str, object]] = {}


class _Common(msgspec.Struct, frozen=True):
    """The keys that every scanner has."""

    path: str | None = None
    args: tuple[str, ...] = ()
    timeout: float | None = None


def load_settings(
    root: Path, infos: Mapping[str, ScannerInfo], *, files: Files | None = None
) -> Settings:
    """The settings of the project at `root`; all empty where there is no configuration.

    It is read through `files`, the work tree unless given. ConfigError with file and line for what
    cannot be read, is unknown or has the wrong type.
    """
    place = files or WorkTree(root)
    own, shared = _text(place, _OWN_FILE), _text(place, _SHARED_FILE)
    table = None if shared is None else _tool_table(shared)
    if own is not None and table is not None:
        raise ConfigError(
            f"both {_OWN_FILE} and [tool.scanagg] in {_SHARED_FILE} configure scanagg",
            "Keep one of them.",
        )
    if own is not None:
        settings = _Reader(root, _OWN_FILE, own, infos).settings(_toml(own, _OWN_FILE))
    elif shared is None or table is None:
        return Settings()
    else:
        settings = _Reader(root, _SHARED_FILE, shared, infos).settings(table)
    return settings if place.ref is None else _with_configs(settings, place)


def _with_configs(settings: Settings, files: Files) -> Settings:
    """The settings with the scanners' own configuration as it is in the commit, not the target."""
    scanners = dict(settings.scanners)
    for name, one in scanners.items():
        path = one.options.get(CONFIG)
        if path is not None:
            text = _text(files, path)
            if text is None:
                message = f"{settings.source}: scanners.{name}.{CONFIG}: no {one_line(path)} in "
                hint = "Name a file that is committed there."
                raise ConfigError(f"{message}commit {(files.ref or '')[:12]}", hint)
            scanners[name] = replace(one, config=text)
    return replace(settings, scanners=scanners)


def _text(files: Files, name: str) -> str | None:
    """The text of a file; None where there is none."""
    try:
        content = files.read(name)
        return None if content is None else content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name}: not UTF-8: {error.reason}", "Save it as UTF-8.") from error
    except OSError as error:
        raise ConfigError(
            f"{name}: cannot be read: {error.strerror}", "Make it a readable file."
        ) from error


def _toml(text: str, name: str) -> Mapping[str, object]:
    try:
        return toml.load(text)
    except toml.TomlError as error:
        line = f":{error.line}" if error.line else ""
        raise ConfigError(
            f"{name}{line}: not valid TOML: {error.reason}", "Correct the file."
        ) from error


def _tool_table(text: str) -> Mapping[str, object] | None:
    tool = _toml(text, _SHARED_FILE).get("tool")
    table = tool.get("scanagg") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise ConfigError(f"{_SHARED_FILE}: tool.scanagg is not a table", "Write [tool.scanagg].")
    return table


class _Reader(msgspec.Struct, frozen=True):
    """Turns one file's table into settings, with the file's name in every error."""

    root: Path
    name: str
    text: str
    infos: Mapping[str, ScannerInfo]

    def settings(self, table: Mapping[str, object]) -> Settings:
        self._known(table, _File.__struct_encode_fields__, "")
        given = self._converted(table, _File, "")
        for name in given.scanners:
            self._known({name: None}, self.infos, "scanners.")
        self._check_paths(given)
        for key in ("jobs", "timeout", "deadline"):
            self._positive(getattr(given, key), key)
        return Settings(
            source=self.name,
            policy=given.policy,
            exclude=given.exclude,
            python=self.root / given.python if given.python else None,
            output_dir=given.output_dir,
            formats=given.formats,
            jobs=given.jobs,
            timeout=given.timeout,
            deadline=given.deadline,
            scanners={name: self._scanner(name, keys) for name, keys in given.scanners.items()},
        )

    def _check_paths(self, given: _File) -> None:
        for pattern in given.exclude:
            try:
                pathspec.GitIgnoreSpec.from_lines([pattern])
            except ValueError as error:
                hint = "Write it as in .gitignore."
                raise self._error("exclude", f"{pattern!r} is no pattern", hint) from error
        folder = Path(given.output_dir or "reports")
        if "\0" in str(folder) or folder.is_absolute() or ".." in folder.parts:
            hint = "Name a folder inside the project; --output-dir may name any."
            raise self._error("output-dir", f"{given.output_dir!r} leaves the project", hint)
        for key in ("policy", "python"):
            if "\0" in (getattr(given, key) or ""):
                raise self._error(key, "a NUL is part of no path", "Correct the value.")

    def _scanner(self, name: str, keys: Mapping[str, object]) -> ScannerSettings:
        options = self.infos[name].options
        where = f"scanners.{name}."
        self._known(keys, (*_SCANNER_KEYS, *options), where)
        common = self._converted(
            {key: keys[key] for key in _SCANNER_KEYS if key in keys}, _Common, where
        )
        self._positive(common.timeout, where + "timeout")
        self._check_args(common.args, self.infos[name].args, where)
        return ScannerSettings(
            path=self._program(common.path, where) if common.path else None,
            args=common.args,
            timeout=common.timeout,
            options={key: self._option(keys[key], where + key) for key in options if key in keys},
        )

    def _check_args(self, args: Sequence[str], allowed: Iterable[str], where: str) -> None:
        """Refuse what could run or write something: the checked project brings this file along."""
        names = sorted(allowed)
        value_may_follow = False
        for arg in args:
            option, equals, _ = arg.partition("=")
            if arg.startswith("-") and option in names:
                value_may_follow = not equals
            elif value_may_follow and not arg.startswith("-"):
                value_may_follow = False
            else:
                hint = f"Allowed are, with their values: {', '.join(names)}."
                raise self._error(f"{where}args", f"{arg!r} may not be given here", hint)

    def _program(self, text: str, where: str) -> Path:
        """The program to run. One that the project under check brings along would be its code."""
        try:
            path = Path(text).expanduser()
            end = path.resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise self._error(f"{where}path", f"{text!r}: {error}", "Give a path.") from error
        if not path.is_absolute():
            raise self._error(f"{where}path", f"{text!r} is not absolute", "Give the whole path.")
        if end.is_relative_to(self.root):
            raise self._error(
                f"{where}path",
                f"{text!r} lies inside the checked project",
                "A scanner must come from outside: nothing of the checked project is run.",
            )
        return path

    def _option(self, value: object, key: str) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, str | int | float):
            return str(value)
        raise self._error(key, "neither text nor a number", "Give one value.")

    def _positive(self, value: float | None, key: str) -> None:
        if value is not None and not 0 < value < float("inf"):
            raise self._error(key, f"{value} is not above 0", "Give a number above 0.")

    def _known(self, table: Mapping[str, object], allowed: Iterable[str], where: str) -> None:
        names = sorted(allowed)
        for key in table:
            if key not in names:
                near = difflib.get_close_matches(key, names, n=1)
                guess = f"Did you mean {near[0]}? " if near else ""
                raise self._error(
                    where + key, "unknown key", f"{guess}Known here: {', '.join(names)}."
                )

    def _converted(self, table: Mapping[str, object], kind: type[_T], where: str) -> _T:
        try:
            return msgspec.convert(table, kind)
        except msgspec.ValidationError as error:
            reason, _, path = str(error).partition(" - at `$")
            key = path.rstrip("`").lstrip(".").partition("[")[0] or next(iter(table), "")
            raise self._error(where + key, reason, "Correct the value.") from error

    def _error(self, key: str, reason: str, hint: str) -> ConfigError:
        return ConfigError(f"{self.name}{self._line(key)}: {key}: {reason}", hint)

    def _line(self, key: str) -> str:
        """`:LINE` of a key, found in the text, for the parser keeps no positions."""
        last = re.escape(key.rpartition(".")[2])
        pattern = re.compile(
            rf"^\s*(\[.*\b{last}\"?\]|\"?{last}\"?\s*=|.*[{{,]\s*\"?{last}\"?\s*=)"
        )
        lines = enumerate(self.text.splitlines(), 1)
        return next((f":{number}" for number, line in lines if pattern.match(line)), "")
