"""Find a policy file, load it strictly, and say of every mistake where it is."""

import hashlib
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Final

from scanagg.adapters import adapters
from scanagg.errors import PolicyError
from scanagg.policy.checks import check
from scanagg.policy.schema import Policy, PolicyFile
from scanagg.policy.typed import build, suggestion
from scanagg.policy.yaml import Document, Problem, YamlError, parse
from scanagg.text import one_line

BUILTIN: Final = ("default", "pull-request", "strict", "weekly")
# Where a project keeps its policy, first found wins.
PLACES: Final = ("policies/scanagg.yml", "scanagg.yml")

_MOST_BYTES: Final = 1 << 20
_BUILT_IN: Final = "built-in"


def load_policy(name_or_path: str | None, root: Path, configured: str | None = None) -> Policy:
    """The policy to judge by. PolicyError with every mistake in it.

    It is the one that is given, else the first of `PLACES` under `root`, else `configured` (from
    the configuration, relative to `root`), else the built-in default.
    """
    if name_or_path is not None:
        return _named(name_or_path, Path(), root)
    for place in PLACES:
        if os.path.lexists(root / place):
            return _from_file(root / place, root)
    return _named(configured or BUILTIN[0], root, root)


def check_file(path: Path) -> list[str]:
    """Everything that is wrong with a policy file, one line each; none where it is valid."""
    try:
        _file(_read(path, str(path)), str(path))
    except PolicyError as error:
        return error.message.splitlines()
    return []


def builtin_folder() -> Path:
    """Where the ready-made policies are: inside an installed package, or beside its source."""
    package = Path(__file__).parent.parent
    shipped = package / "policies"
    return shipped if shipped.is_dir() else package.parent / "policies"


def _named(name: str, base: Path, root: Path) -> Policy:
    if name in BUILTIN:
        shown = f"{_BUILT_IN} {name}"
        raw = _read(builtin_folder() / f"{name}.yml", shown)
        # Checked by the tests: to load the list of licences takes longer than everything else here.
        return _policy(name, _BUILT_IN, raw, _typed(raw, shown)[0])
    path = base / name
    if os.path.lexists(path):
        return _from_file(path, root)
    hint = f"give a file, or one of {', '.join(BUILTIN)}"
    raise PolicyError(f"no policy {one_line(name)!r}{suggestion(name, BUILTIN)}", hint)


def _from_file(path: Path, root: Path) -> Policy:
    shown = _shown(path, root)
    raw = _read(path, shown)
    return _policy(one_line(path.stem), shown, raw, _file(raw, shown))


def _policy(name: str, source: str, raw: bytes, file: PolicyFile) -> Policy:
    digest = hashlib.sha256(raw).hexdigest()
    return Policy(name, source, digest, file.enforcement, file)


def _shown(path: Path, root: Path) -> str:
    """The path without this machine's folders: relative to the target, else the name alone."""
    whole, inside = Path(os.path.abspath(path)), Path(os.path.abspath(root))  # noqa: PTH100 - links stay
    return one_line(
        whole.relative_to(inside).as_posix() if whole.is_relative_to(inside) else whole.name
    )


def _read(path: Path, shown: str) -> bytes:
    where = one_line(shown)
    try:
        # Only a regular file: a pipe or a device would keep us waiting for its end.
        if not path.is_file():
            what = "is not a file" if os.path.lexists(path) else "does not exist"
            raise PolicyError(f"{where}: {what}", "give the path of a policy file")
        with path.open("rb") as stream:
            raw = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise PolicyError(f"{where}: {error.strerror}", "make it readable") from None
    if len(raw) > _MOST_BYTES:
        hint = "a policy is a few kilobytes: is this the right file?"
        raise PolicyError(f"{where}:1:1: larger than {_MOST_BYTES >> 20} MiB", hint)
    return raw


def _file(raw: bytes, shown: str) -> PolicyFile:
    """The file's content, typed and checked. PolicyError with all problems of the first kind."""
    file, document = _typed(raw, shown)
    problems = check(file, document, _scanners())
    if problems:
        raise _error(problems, shown)
    return file


def _typed(raw: bytes, shown: str) -> tuple[PolicyFile, Document]:
    try:
        document = parse(raw)
    except YamlError as error:
        raise _error(error.problems, shown) from None
    file, problems = build(document, PolicyFile)
    if file is None:
        raise _error(problems, shown)
    return file, document


def _scanners() -> Collection[str]:
    return tuple(adapters())


def _error(problems: Sequence[Problem], shown: str) -> PolicyError:
    where = one_line(shown)
    lines = [f"{where}:{each.mark.line}:{each.mark.column}: {each.message}" for each in problems]
    hints = dict.fromkeys(each.hint for each in problems if each.hint)
    return PolicyError("\n".join(lines), "\n".join(hints))
