"""Records of published vulnerabilities in the OSV schema 1.x, with the parts that are used here."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, get_args, get_origin

import msgspec
from packaging.utils import canonicalize_name

from scanagg.core.times import read_time

ECOSYSTEM: Final = "PyPI"
"""OSV's name for Python packages; a suffix after a colon names an index."""

# A record with more aliases could merge unrelated vulnerabilities into one. The most in the PyPA
# database is 4. A CVE with its GHSA, PYSEC and MAL ids and those of distributions has about twenty.
ALIASES: Final = 64
"""The most aliases that a record may have; with more, all are ignored."""

# Limits for hostile text, far above those of real records.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:+/-]{0,127}")
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,212}[A-Za-z0-9])?")
_URL: Final = re.compile(r"(?i:https?|ftp)://[!-~]{1,2000}")
_LABEL: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{0,64}")
# PYSEC-2022-184 has an alias with a comma behind it.
_AROUND: Final = " \t\r\n,;"
_TEXT: Final = 32_768
_SCORES: Final = 16
_SCORE: Final = 400
_WEAKNESSES: Final = 64
_REFERENCES: Final = 200


class RangeEvent(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A version where the state changes. One of the fields is set."""

    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None


class Range(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A range of versions as events, in any order. Ranges of the type GIT (commits) are ignored."""

    type: str = ""
    events: tuple[RangeEvent, ...] = ()


class AffectedPackage(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The package that is affected."""

    ecosystem: str = ""
    name: str = ""


class SeverityScore(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A severity. The prefix of the vector decides its version, since `type` may be wrong."""

    type: str = ""
    score: str = ""


class Affected(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A package with its affected ranges and versions; any of them is enough.

    In the store, `versions` lacks those that a range covers. Only foreign records have a `severity`
    here: `usable` moves it to the record.
    """

    package: AffectedPackage = AffectedPackage()
    ranges: tuple[Range, ...] = ()
    versions: tuple[str, ...] = ()
    severity: tuple[SeverityScore, ...] = ()


class Reference(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A page with more about a vulnerability."""

    type: str = ""
    url: str = ""


class Extra(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """GitHub's own fields: its label (CRITICAL, HIGH, MODERATE, LOW) and the weaknesses (CWE)."""

    severity: str = ""
    cwe_ids: tuple[str, ...] = ()


class Record(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One advisory of one publisher. Dates are RFC 3339, in UTC; empty if there is none."""

    id: str
    modified: str = ""
    published: str = ""
    withdrawn: str = ""
    aliases: tuple[str, ...] = ()
    summary: str = ""
    details: str = ""
    severity: tuple[SeverityScore, ...] = ()
    affected: tuple[Affected, ...] = ()
    references: tuple[Reference, ...] = ()
    database_specific: Extra = Extra()


class UnusableError(ValueError):
    """An unusable record; the text is the reason."""


_DECODER: Final = msgspec.json.Decoder(Record)
# An unreadable start, which `versions` treats as the first version.
_EVENT: Final = {"introduced": ""}
_RANGE: Final = {"events": [_EVENT]}
# The values in place of unreadable ones, by type; others are left out.
_UNREADABLE: Final[Mapping[object, object]] = {
    str: "",
    str | None: "",
    RangeEvent: _EVENT,
    Range: _RANGE,
    tuple[RangeEvent, ...]: [_EVENT],
    tuple[Range, ...]: [_RANGE],
}


def decoded(data: bytes, now: datetime) -> tuple[Record, tuple[str, ...]]:
    """Decode a foreign record; return it, made `usable`, with the problems of its parts.

    Leave parts of a wrong type out if the record is useful without them. UnusableError.
    """
    doubts: list[str] = []
    try:
        try:
            record = _DECODER.decode(data)
        except msgspec.ValidationError:
            whole = msgspec.json.decode(data)
            if not isinstance(whole, Mapping) or not isinstance(whole.get("id"), str):
                raise UnusableError("not an OSV record: it has no id") from None
            record = msgspec.convert(_salvaged_fields(Record, whole, doubts), Record)
    except (ValueError, RecursionError) as error:
        raise UnusableError(f"not valid JSON: {error}") from error
    record, more = usable(record, now)
    return record, (*doubts, *more)


def _salvaged(kind: Any, value: Any, name: str, doubts: list[str]) -> Any:
    """Return the usable parts of a JSON value for a type; None if there are none.

    Add a line to `doubts` for each part of a wrong type. Unreadable affected versions become an
    unreadable range, so that every version counts as affected.
    """
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason = str(error)
    else:
        return value
    if isinstance(value, list) and get_origin(kind) is tuple:
        parts = (_salvaged(get_args(kind)[0], part, name, doubts) for part in value)
        return [part for part in parts if part not in (None, "")]
    if isinstance(value, dict) and hasattr(kind, "__struct_fields__"):
        return _salvaged_fields(kind, value, doubts)
    doubts.append(f"{name}: {reason}")
    return [value] if isinstance(value, str) and kind == tuple[str, ...] else _UNREADABLE.get(kind)


def _salvaged_fields(kind: Any, value: Mapping[str, Any], doubts: list[str]) -> dict[str, Any]:
    """Return the usable fields for a struct; null is like a missing field."""
    fields = {}
    for field in msgspec.structs.fields(kind):
        part = value.get(field.name)
        if part is not None:
            # Other publishers use the fields of `Extra` for data of their own.
            about = [] if field.type is Extra else doubts
            fields[field.name] = _salvaged(field.type, part, field.name, about)
    versions = value.get("versions")
    if kind is Affected and not value.get("ranges") and fields.get("versions") != versions:
        fields["ranges"] = [_RANGE]
    return {key: part for key, part in fields.items() if part is not None}


def usable(record: Record, now: datetime) -> tuple[Record, tuple[str, ...]]:
    """Return a record in canonical form, and the problems of the parts that were left out.

    Names are as in PEP 503, times in UTC, texts within limits, packages only from PyPI.
    UnusableError for an invalid id, and for a record that is only about other packages.
    """
    if not _ID.fullmatch(record.id):
        raise UnusableError(f"invalid id: {record.id[:80]!r}")
    doubts: list[str] = []
    affected = _affected(record, doubts)
    aliases = _aliases(record, doubts)
    dates = _dates(record, now, doubts)
    # Without severities of its own, the record has those of the affected packages.
    scores = record.severity or [score for part in record.affected for score in part.severity]
    short = [score for score in scores if max(len(score.score), len(score.type)) <= _SCORE]
    extra = record.database_specific
    return Record(
        id=canonical_id(record.id),
        **dates,
        aliases=aliases,
        summary=record.summary[:_TEXT],
        details=record.details[:_TEXT],
        severity=tuple(dict.fromkeys(short))[:_SCORES],
        affected=affected,
        references=tuple(page for page in record.references if _URL.fullmatch(page.url))[
            :_REFERENCES
        ],
        database_specific=Extra(
            extra.severity if _LABEL.fullmatch(extra.severity) else "",
            tuple(filter(_LABEL.fullmatch, extra.cwe_ids))[:_WEAKNESSES],
        ),
    ), tuple(doubts)


def _dates(record: Record, now: datetime, doubts: list[str]) -> dict[str, str]:
    """Return the dates of a record in UTC, by field; empty for invalid ones."""
    dates = {key: getattr(record, key) for key in ("modified", "published", "withdrawn")}
    for key, text in dates.items():
        dates[key] = utc(text)
        if text and not dates[key]:
            doubts.append(f"{key} {text[:40]!r} is not a date")
    withdrawn = moment(record.withdrawn)
    if withdrawn and withdrawn > now:
        dates["withdrawn"] = ""
        doubts.append(f"to be withdrawn on {record.withdrawn[:10]}: it counts until then")
    return dates


def _affected(record: Record, doubts: list[str]) -> tuple[Affected, ...]:
    """Return the entries about PyPI packages with a valid name."""
    entries = []
    ecosystems = set()
    unreadable = []
    for entry in record.affected:
        ecosystem = entry.package.ecosystem.partition(":")[0]
        if ecosystem != ECOSYSTEM:
            ecosystems.add(ecosystem or "no ecosystem")
        elif not _NAME.fullmatch(entry.package.name):
            unreadable.append(f"invalid package name: {entry.package.name[:80]!r}")
        else:
            package = AffectedPackage(ECOSYSTEM, canonicalize_name(entry.package.name))
            entries.append(Affected(package, entry.ranges, entry.versions))
    if record.affected and not entries:
        listed = ", ".join(sorted(ecosystems)[:3])
        raise UnusableError(
            unreadable[0] if unreadable else f"about {listed[:80]}, not {ECOSYSTEM}"
        )
    doubts.extend(unreadable)
    return tuple(entries)


def _aliases(record: Record, doubts: list[str]) -> tuple[str, ...]:
    """Return the aliases, each once, in their order."""
    names: dict[str, None] = {}
    for alias in record.aliases:
        name = alias.strip(_AROUND)
        if _ID.fullmatch(name):
            names[canonical_id(name)] = None
        else:
            doubts.append(f"invalid alias: {name[:80]!r}")
    names.pop(canonical_id(record.id), None)
    if len(names) > ALIASES:
        doubts.append(f"ignored all {len(names):,} aliases: more than {ALIASES}")
        return ()
    return tuple(names)


def canonical_id(text: str) -> str:
    """Return an id as its database writes it: CVE and MAL in upper case, GHSA in lower case."""
    if text[:4].upper() in ("CVE-", "MAL-"):
        return text.upper()
    if text[:5].upper() == "GHSA-":
        return f"GHSA-{text[5:].lower()}"
    return text


def utc(text: str) -> str:
    """Return a time (RFC 3339) in UTC with `Z` and at most microseconds; empty if invalid."""
    when = moment(text)
    return "" if when is None else when.isoformat().replace("+00:00", "Z")


def moment(text: str) -> datetime | None:
    """Return a time (RFC 3339, without a zone UTC) as a value in UTC; None if invalid."""
    return read_time(text) if len(text) <= 64 else None
