"""The meaning of licence words in package metadata: trove classifiers, names, addresses, texts.

If words can mean several licences, only the publisher knows which one, so callers use the worst of
them. The classifiers are those of PyPI's list under "License ::". Names are brought into the form
of an SPDX id and looked up in the list of license-expression; only the words that ids abbreviate or
leave open are in tables here.
"""

import re
from typing import Final

import msgspec

from scanagg.policy.spdx import Term, listed_id


class Reading(msgspec.Struct, frozen=True):
    """The licences that some words can mean; none if that is unknown.

    `family` are prefixes of further ids that agree with the words: "BSD" beside BSD-4-Clause is no
    contradiction. So are references, if nothing is known.
    """

    candidates: tuple[str, ...] = ()
    family: tuple[str, ...] = ()

    @property
    def only(self) -> str | None:
        """The licence, if the words can mean no other one."""
        return self.candidates[0] if len(self.candidates) == 1 else None

    @property
    def versions(self) -> frozenset[str]:
        """The candidates, with each version that an `-or-later` or `+` includes."""
        return frozenset(
            choice.license for name in self.candidates for choice in _term(name).choices()
        )

    def agrees(self, other: "Reading") -> bool:
        """Return True if the words of both can mean the same licence."""
        return (
            not self.versions.isdisjoint(other.versions)
            or any(name.startswith(self.family) for name in other.versions)
            or any(name.startswith(other.family) for name in self.versions)
            or not (self.candidates or other.candidates)
        )


def classifier(text: str) -> Reading | None:
    """Return the meaning of a classifier, or of its last part; None if it names no licence.

    Many classifiers have an SPDX id in brackets: "Boost Software License 1.0 (BSL-1.0)".
    """
    name = text.rpartition("::")[2].strip().casefold()
    if not name or name in _SILENT:
        return None
    if name in _CLASSIFIERS:
        return _CLASSIFIERS[name]
    spdx_id = listed_id(name[name.rfind("(") + 1 : -1]) if name.endswith(")") else None
    if spdx_id:
        return Reading((spdx_id,))
    reading = common_name(name)
    return reading if reading.candidates else _UNLISTED


def common_name(text: str) -> Reading:
    """Return the meaning of a name or an address of a licence; nothing for other texts.

    "The MIT License (MIT)", "GPLv3+" and "https://opensource.org/licenses/BSD-3-Clause" are names.
    """
    text = text.strip().casefold()
    if len(text) > _LONGEST_NAME:
        return Reading()
    if "::" in text:
        return classifier(text) or Reading()
    address = _ADDRESS.fullmatch(text)
    if address:
        text = f"{_HOSTS.get(address['host'], '')}{address['name']}"
    before, _, inner = text.partition("(")
    name, repeated = _of_words(before), _of_words(inner.removesuffix(")"))
    # "(MIT)" repeats the name, "(with exceptions)" changes it.
    if name.candidates and repeated.candidates and name.agrees(repeated):
        return min(repeated, name, key=lambda reading: len(reading.candidates))
    return _of_words(text)


def of_text(name: str) -> Reading:
    """Return the meaning of a licence text; for GNU licences, this version or any later."""
    if not name.endswith("-only"):
        return Reading((name,))
    # The text of LGPL-3.0 refers to that of GPL-3.0, which is in a file beside it.
    family = ("LGPL-3.0-",) if name == "GPL-3.0-only" else ()
    return Reading((name, f"{name.removesuffix('-only')}-or-later"), family)


def of_term(term: Term) -> Reading:
    """Return the meaning of a term of an expression, without its exception."""
    return Reading((f"{term.license}+" if term.plus else term.license,))


def is_closed(text: str) -> bool:
    """Return True for words that no open-source licence has, such as "Proprietary"."""
    return bool(_CLOSED.search(text.casefold()))


def _term(name: str) -> Term:
    return Term(name.removesuffix("+"), plus=name.endswith("+"))


def _of_words(text: str) -> Reading:
    """Look a name up by its words, written as an id: "3-Clause BSD" is bsd-3-clause."""
    text = _LATER.sub("+", text)
    if not _NAME.fullmatch(text):
        return Reading()
    words = [word for word in _WORD.findall(text) if word not in _FILL]
    name = " ".join(words).replace(" +", "+")
    for pattern, short in _ABBREVIATIONS:
        name = pattern.sub(short, name)
    name = "-".join(name.split())
    if name in _NAMES:
        return _NAMES[name]
    # "2" is short for "2.0", and "BSD-3" for "BSD-3-Clause". Some ids are words with digits: X11.
    whole = "-".join(word for word in text.split() if word not in _FILL)
    ids = (name, _MAJOR.sub(r"\1.0", name), f"{name}-clause", whole)
    spdx_id = next(filter(None, map(listed_id, ids)), None)
    if spdx_id is None:
        return Reading()
    if "only" in words or not spdx_id.endswith("-only"):
        return Reading((spdx_id,))
    return Reading((spdx_id, f"{spdx_id.removesuffix('-only')}-or-later"))


_LONGEST_NAME: Final = 120
_ADDRESS: Final = re.compile(
    r"(?:https?://)?(?:www\.|directory\.)?"
    r"(?P<host>apache|choosealicense|fsf|gnu|mozilla|opensource|spdx)\.(?:com|org)/"
    r"(?:[\w-]+/)*?(?:mpl/)?(?P<name>[\w.+-]+?)(?:\.(?:en|html?|php|txt))*/?(?:#.*)?"
)
# Some hosts name their pages by version only: apache.org/licenses/LICENSE-2.0.
_HOSTS: Final = {"apache": "apache ", "mozilla": "mpl "}
_LATER: Final = re.compile(
    r"[ ,-]*\bor[ -](?:\(at your option\) )?(?:any[ -])?(?:greater|higher|later|newer)"
    r"(?:[ -]versions?)?\b"
)
_NAME: Final = re.compile(r"[a-z0-9.,+_/\"() -]+")
_WORD: Final = re.compile(r"[a-z]+?(?=v?\.?\d)|[a-z]+|\d+(?:\.\d+)*|\+")
_FILL: Final = frozenset(
    (
        *("2004", "agreement", "gnu", "january", "licence", "licenced", "licences", "licensed"),
        *("license", "licenses", "software", "the", "under", "v", "version"),
    )
)
# In this order: "lesser general public" is first "lesser gpl".
_ABBREVIATIONS: Final = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), short)
    for pattern, short in (
        ("general public", "gpl"),
        ("affero gpl", "agpl"),
        ("(?:library or )?(?:lesser|library) gpl", "lgpl"),
        ("academic free", "afl"),
        ("asl", "apache"),
        ("boost", "bsl"),
        ("eclipse public", "epl"),
        ("european union public", "eupl"),
        ("mozilla public", "mpl"),
        ("python foundation", "psf"),
        ("zope public", "zpl"),
        ("two", "2"),
        ("three", "3"),
        ("(?<=clause) (?:new or revised|simplified)", ""),
        ("(?:modified|new|revised) bsd", "bsd 3 clause"),
        ("(?:free|simplified )bsd", "bsd 2 clause"),
        ("([234]) clause bsd", r"bsd \1 clause"),
    )
)
_MAJOR: Final = re.compile(r"(-\d+)(?=\+?$)")
_CLOSED: Final = re.compile(r"\b(?:commercial|confidential|non-?commercial|proprietary)\b")

_APACHE: Final = Reading(("Apache-2.0",), ("Apache-",))
_BSD: Final = Reading(("BSD-2-Clause", "BSD-3-Clause"), ("0BSD", "BSD-"))
_GPL: Final = Reading(("GPL-1.0-only", "GPL-2.0-only", "GPL-3.0-only"))
_LGPL: Final = Reading(("LGPL-2.0-only", "LGPL-2.1-only", "LGPL-3.0-only"))
_AGPL: Final = Reading(("AGPL-1.0-only", "AGPL-3.0-only"))
_AFL: Final = Reading(("AFL-1.1", "AFL-1.2", "AFL-2.0", "AFL-2.1", "AFL-3.0"))
_ARTISTIC: Final = Reading(("Artistic-1.0", "Artistic-1.0-Perl", "Artistic-2.0"))
_MIT: Final = Reading(("MIT",), ("MIT-",))
_PSF: Final = Reading(("PSF-2.0",), ("CNRI-Python", "Python-"))
_ZOPE: Final = Reading(("ZPL-1.1", "ZPL-2.0", "ZPL-2.1"))
# Not a licence, and not on the SPDX list: unknown, unless a policy lists the reference.
_PUBLIC_DOMAIN: Final = Reading(
    ("LicenseRef-Public-Domain",), ("CC0-", "SAX-PD", "Unlicense", "blessing")
)
_UNLISTED: Final = Reading((), ("DocumentRef-", "LicenseRef-"))
# These words go with every licence.
_FREE: Final = Reading((), ("",))

# These only say that someone approved the licence.
_SILENT: Final = frozenset(("osi approved", "dfsg approved"))

# Without those that are a common name, or have an SPDX id in brackets.
_CLASSIFIERS: Final = {
    "apple public source license": Reading(("APSL-1.0", "APSL-1.1", "APSL-1.2", "APSL-2.0")),
    "attribution assurance license": Reading(("AAL",)),
    "cc0 1.0 universal (cc0 1.0) public domain dedication": Reading(("CC0-1.0",)),
    "common public license": Reading(("CPL-1.0",)),
    "eiffel forum license": Reading(("EFL-1.0", "EFL-2.0")),
    "freely distributable": _FREE,
    "freeware": _FREE,
    "gnu free documentation license (fdl)": Reading(
        ("GFDL-1.1-only", "GFDL-1.2-only", "GFDL-1.3-only")
    ),
    "gnu lesser general public license v2 or later (lgplv2+)": Reading(
        ("LGPL-2.0-or-later", "LGPL-2.1-or-later")
    ),
    "ibm public license": Reading(("IPL-1.0",)),
    "intel open source license": Reading(("Intel",)),
    "nethack general public license": Reading(("NGPL",)),
    "nokia open source license": Reading(("Nokia",)),
    "open group test suite license": Reading(("OGTSL",)),
    "python license (cnri python license)": Reading(("CNRI-Python",)),
    "qt public license (qpl)": Reading(("QPL-1.0",)),
    "ricoh source code public license": Reading(("RSCPL",)),
    "sun public license": Reading(("SPL-1.0",)),
    "universal permissive license (upl)": Reading(("UPL-1.0",)),
    "university of illinois/ncsa open source license": Reading(("NCSA",)),
    "vovida software license 1.0": Reading(("VSL-1.0",)),
    "x.net license": Reading(("Xnet",)),
}

# Names that are not an id: they leave the version open, or are other words for it.
_NAMES: Final = {
    "afl": _AFL,
    "agpl": _AGPL,
    "apache": _APACHE,
    "artistic": _ARTISTIC,
    "bsd": _BSD,
    "expat": _MIT,
    "gpl": _GPL,
    "iscl": Reading(("ISC",)),
    "lgpl": _LGPL,
    "mit": _MIT,
    "mit-expat": _MIT,
    "mit-no-attribution": Reading(("MIT-0",)),
    "mit-x-11": _MIT,
    "mpl": Reading(("MPL-1.0", "MPL-1.1", "MPL-2.0")),
    "psf": _PSF,
    "psfl": _PSF,
    "public-domain": _PUBLIC_DOMAIN,
    "zlib-libpng": Reading(("Zlib",)),
    "zpl": _ZOPE,
}
