"""One policy file: read from where it lies, parsed, typed, checked; mistakes have their place."""

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from scanagg.core.errors import PolicyError
from scanagg.core.text import one_line
from scanagg.core.yaml import Document, KeyPath, Problem, YamlError, parse
from scanagg.model import Waiver, WaiverState
from scanagg.policy.checks import check, check_waivers
from scanagg.policy.schema import PolicyFile, Section, WaiverEntry, WaiverFile
from scanagg.policy.typed import build
from scanagg.policy.values import bare_fingerprint, canonical_purl
from scanagg.project.trusted import Files
from scanagg.scanners.base import adapters

BUILTIN: Final = ("default", "pull-request", "strict", "weekly")
BUILT_IN: Final = "built-in"

_MOST_BYTES: Final = 1 << 20
_T = TypeVar("_T", bound=Section)


class Source(msgspec.Struct, frozen=True):
    """The bytes of a file, and what it is called in messages.

    `files` and `path` are where it lies, and where its parents are looked for; None and empty for
    a ready-made policy.
    """

    shown: str
    raw: bytes
    files: Files | None = None
    path: str = ""


class Written(msgspec.Struct, frozen=True):
    """A valid policy file, as it is written: without its parents."""

    source: Source
    document: Document
    file: PolicyFile


def builtin_folder() -> Path:
    """Where the ready-made policies are: inside an installed package, or beside its source."""
    package = Path(__file__).parent.parent
    shipped = package / "policies"
    return shipped if shipped.is_dir() else package.parent / "policies"


def builtin(name: str) -> Source:
    """A ready-made policy."""
    raw = (builtin_folder() / f"{name}.yml").read_bytes()
    return Source(f"{BUILT_IN} {name}", raw)


def source(files: Files, path: str, shown: str | None = None) -> Source | None:
    """A file of the project, None where there is none. PolicyError where it cannot be used."""
    where = one_line(shown or path)
    try:
        raw = files.read(path)
    except OSError as error:
        hint = "it must be a readable file of the project"
        raise PolicyError(f"{where}: {error.strerror}", hint) from None
    if raw is None:
        return None
    if len(raw) > _MOST_BYTES:
        hint = "such a file has a few kilobytes: is this the right one?"
        raise PolicyError(f"{where}:1:1: larger than {_MOST_BYTES >> 20} MiB", hint)
    return Source(where, raw, files, path)


def read_policy(of: Source) -> Written:
    """The policy in a file. PolicyError with all problems of the first kind that there are."""
    file, document = _typed(of, PolicyFile)
    # Ready-made ones the tests have checked: to load the list of licences takes longer than
    # everything else here.
    problems = check(file, document, _scanners()) if of.files else []
    if problems:
        raise policy_error(problems, of.shown)
    return Written(of, document, file)


def read_waivers(of: Source) -> tuple[Waiver, ...]:
    """The waivers in a file that holds nothing else. PolicyError as for a policy."""
    file, document = _typed(of, WaiverFile)
    problems = check_waivers(file, document)
    if problems:
        raise policy_error(problems, of.shown)
    return _waivers(of, document, file.items, ("items",))


def own_waivers(of: Written) -> tuple[Waiver, ...]:
    """The waivers that stand in the policy file itself."""
    return _waivers(of.source, of.document, of.file.waivers.items, ("waivers", "items"))


def policy_error(problems: Sequence[Problem], shown: str) -> PolicyError:
    """All problems of one file as one error: a line each with its place, and every hint once."""
    lines = [f"{shown}:{each.mark.line}:{each.mark.column}: {each.message}" for each in problems]
    hints = dict.fromkeys(each.hint for each in problems if each.hint)
    return PolicyError("\n".join(lines), "\n".join(hints))


def _typed(of: Source, kind: type[_T]) -> tuple[_T, Document]:
    try:
        document = parse(of.raw)
    except YamlError as error:
        raise policy_error(error.problems, of.shown) from None
    file, problems = build(document, kind)
    if file is None:
        raise policy_error(problems, of.shown)
    return file, document


def _waivers(
    of: Source, document: Document, entries: Sequence[WaiverEntry], above: KeyPath
) -> tuple[Waiver, ...]:
    return tuple(
        _waiver(entry, f"{of.shown}:{document.at((*above, index)).line}")
        for index, entry in enumerate(entries)
    )


def _waiver(entry: WaiverEntry, place: str) -> Waiver:
    return Waiver(
        state=WaiverState(entry.state),
        reason=entry.reason,
        owner=entry.owner,
        expires=date.fromisoformat(entry.expires),
        place=place,
        ids=entry.ids,
        purl=canonical_purl(entry.purl) if entry.purl else None,
        versions=entry.versions,
        path=entry.path,
        fingerprint=bare_fingerprint(entry.fingerprint) if entry.fingerprint else None,
        until_fixed=entry.until_fixed,
    )


def _scanners() -> Collection[str]:
    return tuple(adapters())
