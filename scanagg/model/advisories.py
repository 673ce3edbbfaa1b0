"""Advisories, licences and rules: data that does not belong to a single finding."""

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from scanagg.core.text import one_line, refuse_surrogates
from scanagg.core.times import read_time
from scanagg.model.enums import LEVELS, Severity
from scanagg.model.reasons import Reason

# The ids of OSV's records about malicious packages.
_MALWARE: Final = "MAL-"
_ID_ORDER: Final = ("CVE-", "GHSA-", "PYSEC-")
_CVSS: Final = ("cvss4", "cvss3.1", "cvss3.0")
_MAX_PAGES: Final = 10
_PAGE: Final = re.compile(r"https://[!-~]{1,2000}")

UNTITLED: Final = "known vulnerability"
"""The title of a vulnerability without a description."""

# Not a part of a version such as 2.0.post1.
_WORD: Final = re.compile(r"(?<![\w.])[^\W\d_](?:[\w.-]*\w)?")
# Headings and placeholders in the texts of advisories. Some records have only "N/A".
_EMPTY_WORDS: Final = frozenset(
    (
        *("a", "affected", "affects", "by", "has", "in", "is", "no", "not", "of", "the"),
        *("available", "description", "details", "impact", "overview", "provided", "summary"),
        *("issue", "known", "n", "na", "nil", "none", "null", "undefined", "unknown"),
        "vulnerability",
    )
)
# "In Django 3.2 before 3.2.20, 4 before 4.1.10," and "A flaw was found in Pillow before 9.0."
_LEAD: Final = re.compile(
    r"(?:In|An? (?:security )?(?:issue|vulnerability|flaw|problem) (?:was|has been)"
    r" (?:discovered|found|identified) in) [\w./ -]{0,100}?\d[\w.]*(?:,|\.) "
)
_MORE_VERSIONS: Final = re.compile(
    r"(?:and |or )?(?:versions? )?\d(?:[\w. -]{0,60}?\d)?[\w.]*(?:,|\.) "
)
_LEAST_HEADLINE: Final = 14
# The first CVE is from 1999. Much older dates are defaults, such as year 1 in Go.
_FIRST_YEAR: Final = 1990


def is_malware(name: str) -> bool:
    """Return True for the id of an advisory about a malicious package."""
    return name.startswith(_MALWARE)


def id_order(name: str) -> tuple[int, str]:
    """Return a sort key for ids: CVE first, then GHSA, PYSEC, and others."""
    kinds = (number for number, kind in enumerate(_ID_ORDER) if name.startswith(kind))
    return next(kinds, len(_ID_ORDER)), name


class DataSource(msgspec.Struct, frozen=True):
    """The data behind findings: a scanner's own data, or that of the advisory store.

    `updated` is the time of its newest record (UTC), `digest` the sha256 of its content, `origin`
    an address or the name of a file (no path of this machine), `fetched` the time of the download.
    None or empty if unknown.
    """

    name: str
    updated: datetime | None = None
    digest: str = ""
    records: int | None = None
    origin: str = ""
    license: str = ""
    fetched: datetime | None = None


class Rule(msgspec.Struct, frozen=True):
    """A rule of a scanner, without data of a finding.

    `why` is a sentence on why it matters, `help` one on what to do. `bad` and `good` are lines of
    code that the rule finds and does not find.
    """

    id: str
    name: str
    title: str
    url: str | None = None
    cwe: tuple[str, ...] = ()
    help: str = ""
    why: str = ""
    bad: str = ""
    good: str = ""

    def __post_init__(self) -> None:
        """Refuse text that no report can show. ValueError."""
        texts = (self.id, self.name, self.title, self.url or "", self.help)
        refuse_surrogates(*texts, self.why, self.bad, self.good)


class SeverityClaim(msgspec.Struct, frozen=True):
    """A severity from one source. `vector` is its CVSS vector, if any.

    `source` is one of policy, ghsa, cvss4, cvss3.1, cvss3.0, tool, nvd, cvss2, table; or the name
    of a vendor that a scanner quotes (redhat), whose claim never decides.
    """

    source: str
    severity: Severity
    scanner: str
    vector: str | None = None


def disagreement(claims: Iterable[SeverityClaim]) -> tuple[Reason, ...]:
    """Return the reason to look twice: GitHub's label and CVSS are two levels or more apart."""
    label = score = None
    for claim in claims:
        if claim.severity is not Severity.UNKNOWN:
            if claim.source == "ghsa":
                label = label or claim.severity
            elif claim.source in _CVSS:
                score = score or claim.severity
    if label is None or score is None or abs(LEVELS.index(label) - LEVELS.index(score)) < 2:
        return ()
    return (Reason("severities-differ", {"github": label.value, "cvss": score.value}),)


class Advisory(msgspec.Struct, frozen=True):
    """A published vulnerability, with all its ids.

    `kev` is True if it is known to be exploited (CISA's catalogue), since `kev_added` (ISO date).
    `epss` is the probability of exploitation within 30 days (FIRST, 0 to 1), `epss_percentile` the
    share of CVEs with a lower one (0 to 1). None if unknown.
    """

    id: str
    aliases: tuple[str, ...] = ()
    fixed_versions: tuple[str, ...] = ()
    published: str | None = None
    url: str | None = None
    withdrawn: bool = False
    kev: bool | None = None
    epss: float | None = None
    kev_added: str | None = None
    epss_percentile: float | None = None
    references: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse text that no report can show. ValueError."""
        refuse_surrogates(self.id, *self.aliases, *self.fixed_versions, self.url or "")

    @property
    def ids(self) -> frozenset[str]:
        """The id and all aliases."""
        return frozenset((self.id, *self.aliases))

    @property
    def malicious(self) -> bool:
        """True if an id says that the package itself is an attack (`MAL-…`)."""
        return any(map(is_malware, (self.id, *self.aliases)))


class LicenseFile(msgspec.Struct, frozen=True):
    """A licence file of a package, with the sha256 of its bytes in hex.

    `path` is as in the metadata, `license` the SPDX id of exactly this text, or empty if unknown.
    The text of a GNU licence does not tell if later versions are allowed, so its id ends in
    `-only`.
    """

    path: str
    sha256: str
    license: str = ""


class LicenseFacts(msgspec.Struct, frozen=True):
    """The licence metadata of a package: License-Expression (PEP 639), License field, classifiers.

    `text` is the License field, cut after its first line. If the field is the whole text of a
    licence, `whole_text` is its SPDX id, as in `LicenseFile`. `files` are the licence files of the
    package that could be read.
    """

    expression: str | None = None
    text: str | None = None
    classifiers: tuple[str, ...] = ()
    source: str = ""
    files: tuple[LicenseFile, ...] = ()
    whole_text: str = ""

    @property
    def stated(self) -> str:
        """The most specific of the metadata's fields; empty without any."""
        return self.expression or self.text or "; ".join(self.classifiers)


class Secret(msgspec.Struct, frozen=True):
    """A secret, with the scanner's digest of the whole value, if any.

    `texts` are digests (sha1) of the texts that have the value: the value, the token that it is a
    part of, and the string around it. `value` is the secret in clear text, "" if the scanner does
    not name it. All of it stays in memory, to recognise and judge secrets, and is never written.
    """

    digest: str | None = None
    texts: frozenset[str] = frozenset()
    value: str = ""

    def __repr__(self) -> str:
        """Return a text without the secret, for tracebacks."""
        return f"{type(self).__name__}(...)"


def secret_texts(texts: Iterable[str]) -> frozenset[str]:
    """Return the digests of texts, for `Secret.texts`."""
    return frozenset(
        hashlib.sha1(text.encode("utf-8", "replace"), usedforsecurity=False).hexdigest()
        for text in texts
    )


# Values of an advisory from several sources.


def remedy(fixed: Iterable[str]) -> str:
    """Return the sentence of a message about the fixed versions."""
    named = ", ".join(map(one_line, fixed))
    return f"Fixed in {named}." if named else "No fixed version is known."


def retold(message: str, before: Iterable[str], after: Iterable[str]) -> str:
    """Return a message in which the sentence about fixed versions names other versions."""
    return message.replace(remedy(before), remedy(after), 1)


def headline(text: str, names: Iterable[str] = ()) -> str:
    """Return the first line of a description with more than headings, placeholders and names.

    `names` are those of the package and of the advisory. "" if no line has more. Affected versions
    at the start are left out.
    """
    empty = _EMPTY_WORDS.union(map(str.casefold, names))
    for line in text.splitlines():
        if not empty.issuperset(map(str.casefold, _WORD.findall(line))):
            return _without_versions(line.strip().lstrip("#").lstrip())
    return ""


def _without_versions(line: str) -> str:
    """Return a line without the affected versions at its start, which hide what it is about."""
    match = _LEAD.match(line)
    end = 0
    while match:
        end = match.end()
        match = _MORE_VERSIONS.match(line, end)
    rest = line[end:].removeprefix("where ")
    return rest[:1].upper() + rest[1:] if end and len(rest) >= _LEAST_HEADLINE else line


def pages(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the first ten https addresses, each once."""
    return tuple(filter(_PAGE.fullmatch, dict.fromkeys(addresses)))[:_MAX_PAGES]


def earliest(dates: Iterable[str | None]) -> str | None:
    """Return the first of some dates (ISO 8601), as written; None if none is valid."""
    known = []
    for text in dates:
        time = read_time(text)
        if time and time.year >= _FIRST_YEAR:
            known.append((time, text))
    return min(known)[1] if known else None
