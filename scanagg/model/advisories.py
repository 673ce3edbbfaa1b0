"""What is known apart from any one finding: rules, advisories, licences, words on severity."""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from scanagg.model.enums import Severity

# How OSV names the records of malicious packages.
_MALWARE = "MAL-"
_CVSS = ("cvss4", "cvss3.1", "cvss3.0")
_LADDER = (Severity.CRITICAL, Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO)
_FAR_APART = 2
_ID_ORDER = ("CVE-", "GHSA-", "PYSEC-")


def is_malware(name: str) -> bool:
    """Whether an advisory's id says that the package itself is an attack."""
    return name.startswith(_MALWARE)


def id_order(name: str) -> tuple[int, str]:
    """What to sort ids by: the first of them names a vulnerability. CVE, else GHSA, else PYSEC."""
    kinds = (number for number, kind in enumerate(_ID_ORDER) if name.startswith(kind))
    return next(kinds, len(_ID_ORDER)), name


class DataSource(msgspec.Struct, frozen=True):
    """Data that findings are judged by: a scanner's own, or what the advisory store holds.

    `updated` is the time its newest record was made (UTC), `digest` the sha256 of its content,
    `origin` where it came from (an address, or a file's name; no path of this machine), `fetched`
    when it came here. None and empty where that is not known.
    """

    name: str
    updated: datetime | None = None
    digest: str = ""
    records: int | None = None
    origin: str = ""
    license: str = ""
    fetched: datetime | None = None


class Rule(msgspec.Struct, frozen=True):
    """What a scanner looks for, free of anything that belongs to one finding."""

    id: str
    name: str
    title: str
    url: str | None = None
    cwe: tuple[str, ...] = ()
    help: str = ""


class SeverityClaim(msgspec.Struct, frozen=True):
    """One source's word on the severity. `vector` is the CVSS vector it comes from, if it does.

    `source` is one of policy, ghsa, cvss4, cvss3.1, cvss3.0, tool, nvd, cvss2, table; or the name
    of a vendor whose word a scanner passes on (redhat), which decides nothing.
    """

    source: str
    severity: Severity
    scanner: str
    vector: str | None = None


def label_and_score(claims: Iterable[SeverityClaim]) -> tuple[Severity, Severity] | None:
    """GitHub's label and the CVSS severity, where these are two levels apart or more."""
    label = score = None
    for claim in claims:
        if claim.severity is not Severity.UNKNOWN:
            if claim.source == "ghsa":
                label = label or claim.severity
            elif claim.source in _CVSS:
                score = score or claim.severity
    if label is None or score is None:
        return None
    apart = abs(_LADDER.index(label) - _LADDER.index(score))
    return (label, score) if apart >= _FAR_APART else None


class Advisory(msgspec.Struct, frozen=True):
    """A published vulnerability: its id, every other name of it, and what is known of it.

    `kev` says whether it is known to be exploited (CISA's catalogue), since `kev_added` (ISO date);
    `epss` how likely it is to be within 30 days (FIRST, 0 to 1), more than which share of all
    others is `epss_percentile` (0 to 1). None where nobody was asked, or nobody knows.
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

    @property
    def ids(self) -> frozenset[str]:
        """The id and all aliases."""
        return frozenset((self.id, *self.aliases))

    @property
    def malicious(self) -> bool:
        """Whether any of its names says that the package itself is an attack (`MAL-…`)."""
        return is_malware(self.id) or any(map(is_malware, self.aliases))


class LicenseFile(msgspec.Struct, frozen=True):
    """A file of a package, with the sha256 of its bytes in hex: the evidence for a licence.

    `path` is as the metadata names it, `license` the SPDX id whose text the file holds word for
    word; empty where none is known. A text of the GNU licences does not tell if later ones are
    meant: it has the id that ends in `-only`.
    """

    path: str
    sha256: str
    license: str = ""


class LicenseFacts(msgspec.Struct, frozen=True):
    """What metadata says of a licence: License-Expression (PEP 639), License field, classifiers.

    `files` are the licence files of the package, where its files could be read.
    """

    expression: str | None = None
    text: str | None = None
    classifiers: tuple[str, ...] = ()
    source: str = ""
    files: tuple[LicenseFile, ...] = ()

    @property
    def stated(self) -> str:
        """The metadata's own words, those that say most; empty where it says nothing."""
        return self.expression or self.text or "; ".join(self.classifiers)


class Secret(msgspec.Struct, frozen=True):
    """What is known of a secret: the scanner's digest of the whole value, if it makes one.

    It is held in memory to see that two secrets are the same, and never written.
    """

    digest: str | None = None
