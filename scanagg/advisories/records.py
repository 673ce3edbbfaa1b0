"""A published vulnerability as OSV writes it, as far as we use it (OSV schema 1.x)."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from scanagg.advisories._salvage import salvaged

ECOSYSTEM: Final = "PyPI"
"""How OSV names the packages that we know; a suffix after a colon names an index."""

# A record with more names than this would glue strangers into one. The most in the PyPA database
# is 4; a CVE with its GHSA, PYSEC, MAL, and the names that distributions give it, is some twenty.
ALIASES: Final = 64
"""How many aliases of one record are believed."""

# Bounds for hostile text: far more than any real record has.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/-]{0,127}")
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,212}[A-Za-z0-9])?")
_URL: Final = re.compile(r"(?i:https?|ftp)://[!-~]{1,2000}")
# PYSEC-2022-184 has an alias with a comma behind it.
_AROUND: Final = " \t\r\n,;"
_TEXT: Final = 32_768
_SCORES: Final = 16
_SCORE: Final = 400
_WEAKNESSES: Final = 64
_REFERENCES: Final = 200
_UNCONTROLLED: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")


class Event(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A change of state at a version; one of these is set."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None


class Range(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Versions by events, which come in any order. GIT (commits) is not compared."""

    type: str = ""
    events: tuple[Event, ...] = ()


class AffectedPackage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What is affected."""

    ecosystem: str = ""
    name: str = ""


class Score(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A severity: `type` may be wrong, the vector's own prefix tells what it is."""

    type: str = ""
    score: str = ""


class Affected(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A package with the ranges and versions of it that are affected: any one is enough.

    In the store `versions` lacks those that a range covers anyway. `severity` is there in foreign
    records only: `usable` moves it to the record.
    """

    package: AffectedPackage = AffectedPackage()
    ranges: tuple[Range, ...] = ()
    versions: tuple[str, ...] = ()
    severity: tuple[Score, ...] = ()


class Reference(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Where more can be read."""

    type: str = ""
    url: str = ""


class Extra(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What GitHub adds: its label (CRITICAL, HIGH, MODERATE, LOW) and the weaknesses (CWE)."""

    severity: str = ""
    cwe_ids: tuple[str, ...] = ()


class Record(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One advisory of one publisher. Dates are RFC 3339, in UTC; empty where there is none."""

    id: str
    modified: str = ""
    published: str = ""
    withdrawn: str = ""
    aliases: tuple[str, ...] = ()
    summary: str = ""
    details: str = ""
    severity: tuple[Score, ...] = ()
    affected: tuple[Affected, ...] = ()
    references: tuple[Reference, ...] = ()
    database_specific: Extra = Extra()


class UnusableError(ValueError):
    """A record that nothing can be done with; its text says why."""


_DECODER: Final = msgspec.json.Decoder(Record)


def decoded(data: bytes) -> tuple[Record, tuple[str, ...]]:
    """A foreign record made `usable`, and what of it had to be left out. UnusableError.

    Parts of a wrong type are left out where we can do without them.
    """
    try:
        return usable(_DECODER.decode(data))
    except msgspec.ValidationError:
        return _with_doubts(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnusableError(f"it is not JSON: {error}") from error


def _with_doubts(data: bytes) -> tuple[Record, tuple[str, ...]]:
    """A record some part of which is not as it should be."""
    try:
        whole = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UnusableError(f"it is not JSON: {error}") from error
    parts, doubts = salvaged(whole)
    if parts is None:
        raise UnusableError("it is not an OSV record: it has no id")
    record, more = usable(msgspec.convert(parts, Record))
    return record, (*doubts, *more)


def usable(record: Record) -> tuple[Record, tuple[str, ...]]:
    """A record in one form: names as in PEP 503, times in UTC, text within bounds, only PyPI.

    Also what was left out of it that might have mattered. UnusableError where its id is none, or
    where it is about packages none of which is on PyPI.
    """
    if not _ID.fullmatch(record.id):
        raise UnusableError(f"its id is none: {record.id[:80]!r}" if record.id else "it has no id")
    affected, doubts = _affected(record)
    aliases, strange = _aliases(record)
    extra = record.database_specific
    return Record(
        id=canonical_id(record.id),
        modified=utc(record.modified),
        published=utc(record.published),
        withdrawn="" if _is_ahead(record.withdrawn) else utc(record.withdrawn),
        aliases=aliases,
        summary=record.summary[:_TEXT],
        details=record.details[:_TEXT],
        severity=_scores(record),
        affected=affected,
        references=tuple(one for one in record.references if _URL.fullmatch(one.url))[:_REFERENCES],
        database_specific=Extra(
            extra.severity if _short(extra.severity) else "",
            tuple(filter(_short, extra.cwe_ids))[:_WEAKNESSES],
        ),
    ), (*doubts, *strange, *_times(record))


def canonical_id(text: str) -> str:
    """An id as its own database writes it: CVE, MAL in capitals, GHSA in small letters."""
    if text[:4].upper() in ("CVE-", "MAL-"):
        return text.upper()
    if text[:5].upper() == "GHSA-":
        return f"GHSA-{text[5:].lower()}"
    return text


def utc(text: str) -> str:
    """A time of RFC 3339 in UTC with `Z` and at most microseconds; empty where it is none."""
    when = moment(text)
    return "" if when is None else when.isoformat().replace("+00:00", "Z")


def moment(text: str) -> datetime | None:
    """A time of RFC 3339 (without a zone: UTC) as a value in UTC; None where it is none."""
    if not text or len(text) > 64:
        return None
    try:
        when = datetime.fromisoformat(text)
        return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _affected(record: Record) -> tuple[tuple[Affected, ...], list[str]]:
    """What is affected on PyPI, and the entries that cannot be read."""
    kept, doubts, strangers = [], [], set()
    for one in record.affected:
        ecosystem = one.package.ecosystem.partition(":")[0]
        if ecosystem != ECOSYSTEM:
            strangers.add(ecosystem or "no ecosystem")
        elif not _NAME.fullmatch(one.package.name):
            doubts.append(f"{one.package.name[:80]!r} is no name of a package")
        else:
            package = AffectedPackage(ECOSYSTEM, canonicalize_name(one.package.name))
            kept.append(Affected(package, one.ranges, one.versions))
    if record.affected and not kept:
        listed = ", ".join(sorted(strangers)[:3])
        raise UnusableError(doubts[0] if doubts else f"it is about {listed[:80]}, not {ECOSYSTEM}")
    return tuple(kept), doubts


def _aliases(record: Record) -> tuple[tuple[str, ...], list[str]]:
    """The other names, each once, in their order, and what is said of those that are left out."""
    given = [name.strip(_AROUND) for name in record.aliases]
    doubts = [f"the alias {name[:80]!r} is no id" for name in given if not _ID.fullmatch(name)]
    names = dict.fromkeys(canonical_id(name) for name in given if _ID.fullmatch(name))
    names.pop(canonical_id(record.id), None)
    if len(names) > ALIASES:
        doubts.append(f"it has {len(names)} aliases, which are not believed: {ALIASES} at most")
        names.clear()
    return tuple(names), doubts


def _scores(record: Record) -> tuple[Score, ...]:
    """The severities, those of the affected packages where the record itself has none."""
    found: Iterable[Score] = record.severity or (
        score for one in record.affected for score in one.severity
    )
    short = (one for one in found if len(one.score) <= _SCORE and len(one.type) <= _SCORE)
    return tuple(dict.fromkeys(short))[:_SCORES]


def _times(record: Record) -> list[str]:
    """The times that are none."""
    given = {
        "modified": record.modified,
        "published": record.published,
        "withdrawn": record.withdrawn,
    }
    wrong = [(key, text) for key, text in given.items() if text and moment(text) is None]
    doubts = [f"{key} is no time: {text[:40]!r}" for key, text in wrong]
    if _is_ahead(record.withdrawn):
        doubts.append(f"it is to be withdrawn on {record.withdrawn[:10]}: it is not yet")
    return doubts


def _is_ahead(text: str) -> bool:
    """Whether a time is one that has not come: until then a withdrawn record holds."""
    when = moment(text)
    return when is not None and when > datetime.now(UTC)


def _short(text: str) -> bool:
    """Whether a word is one that could be shown."""
    return len(text) <= 64 and _UNCONTROLLED.fullmatch(text) is not None
