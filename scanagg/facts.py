"""What is known apart from any one finding: rules, advisories, licences, words on severity."""

from dataclasses import dataclass

from scanagg.levels import Severity


@dataclass(frozen=True, slots=True)
class Rule:
    """What a scanner looks for, free of anything that belongs to one finding."""

    id: str
    name: str
    title: str
    url: str | None = None
    cwe: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True, slots=True)
class SeverityClaim:
    """One source's word on the severity. `vector` is the CVSS vector it comes from, if it does.

    `source` is one of policy, ghsa, cvss4, cvss3.1, cvss3.0, tool, nvd, cvss2, table.
    """

    source: str
    severity: Severity
    scanner: str
    vector: str | None = None


@dataclass(frozen=True, slots=True)
class Advisory:
    """A published vulnerability: its id, every other name of it, and what is known of it.

    `kev` says whether it is known to be exploited (CISA's catalogue), `epss` how likely it is to be
    within 30 days (FIRST, 0 to 1); None where nobody was asked.
    """

    id: str
    aliases: tuple[str, ...] = ()
    fixed_versions: tuple[str, ...] = ()
    published: str | None = None
    url: str | None = None
    withdrawn: bool = False
    kev: bool | None = None
    epss: float | None = None

    @property
    def ids(self) -> frozenset[str]:
        """The id and all aliases."""
        return frozenset((self.id, *self.aliases))


@dataclass(frozen=True, slots=True)
class LicenseFile:
    """A file of a package, with the sha256 of its bytes in hex: the evidence for a licence.

    `path` is as the metadata names it, `license` the SPDX id whose text the file holds word for
    word; empty where none is known. A text of the GNU licences does not tell if later ones are
    meant: it has the id that ends in `-only`.
    """

    path: str
    sha256: str
    license: str = ""


@dataclass(frozen=True, slots=True)
class LicenseFacts:
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


@dataclass(frozen=True, slots=True)
class Secret:
    """What is known of a secret: the scanner's digest of the whole value, if it makes one.

    It is held in memory to see that two secrets are the same, and never written.
    """

    digest: str | None = None
