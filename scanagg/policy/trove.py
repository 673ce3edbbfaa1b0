"""The meaning of licence words in package metadata: trove classifiers, common names, texts.

If words can mean several licences, only the publisher knows which one, so callers use the worst of
them. The classifiers are those of PyPI's list under "License ::".
"""

import re
from typing import Final

import msgspec

from scanagg.policy.spdx import listed_id


class Reading(msgspec.Struct, frozen=True):
    """The licences that some words can mean; none if that is unknown.

    `doubtful` are licences that the words hardly ever mean: a reason to review, not to deny.
    """

    candidates: tuple[str, ...] = ()
    doubtful: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All candidates, the doubtful ones last."""
        return (*self.candidates, *self.doubtful)

    @property
    def only(self) -> str | None:
        """The licence, if the words can mean no other one."""
        return self.candidates[0] if self.candidates and len(self.names) == 1 else None


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
    return Reading((spdx_id,) if spdx_id else ())


def common_name(text: str) -> Reading:
    """Return the meaning of a free-text `License` field if it is a common name."""
    if len(text) > _LONGEST_NAME:
        return Reading()
    words = _SEPARATORS.sub(" ", text.casefold()).split()
    return _NAMES.get(
        " ".join(word.removeprefix("v") for word in words if word not in _FILL), Reading()
    )


def text(name: str) -> Reading:
    """Return the meaning of a licence text; for GNU licences, this version or any later."""
    if not name.endswith("-only"):
        return Reading((name,))
    return Reading((name, f"{name.removesuffix('-only')}-or-later"))


_LONGEST_NAME: Final = 80
_SEPARATORS: Final = re.compile(r"[\s,_()]+")
_FILL: Final = frozenset(("the", "license", "licence", "licensed", "version", "software", "v"))

_BSD: Final = Reading(("BSD-2-Clause", "BSD-3-Clause"))
_APACHE: Final = Reading(("Apache-2.0",), ("Apache-1.1",))
_GPL: Final = Reading(("GPL-1.0-only", "GPL-2.0-only", "GPL-3.0-only"))
_LGPL: Final = Reading(("LGPL-2.0-only", "LGPL-2.1-only", "LGPL-3.0-only"))
_AGPL: Final = Reading(("AGPL-1.0-only", "AGPL-3.0-only"))
_GPL2: Final = Reading(("GPL-2.0-only", "GPL-2.0-or-later"))
_GPL3: Final = Reading(("GPL-3.0-only", "GPL-3.0-or-later"))
_LGPL2: Final = Reading(("LGPL-2.0-only", "LGPL-2.0-or-later"))
_LGPL3: Final = Reading(("LGPL-3.0-only", "LGPL-3.0-or-later"))
_AGPL3: Final = Reading(("AGPL-3.0-only", "AGPL-3.0-or-later"))
_ARTISTIC: Final = Reading(("Artistic-1.0", "Artistic-1.0-Perl", "Artistic-2.0"))
_AFL: Final = Reading(("AFL-1.1", "AFL-1.2", "AFL-2.0", "AFL-2.1", "AFL-3.0"))
_ZOPE: Final = Reading(("ZPL-1.1", "ZPL-2.0", "ZPL-2.1"))
# Not a licence, and not on the SPDX list: unknown, unless a policy lists the reference.
_PUBLIC_DOMAIN: Final = Reading(("LicenseRef-Public-Domain",))

# These only say that someone approved the licence.
_SILENT: Final = frozenset(("osi approved", "dfsg approved"))

# Without those that have an SPDX id in brackets.
_CLASSIFIERS: Final = {
    "academic free license (afl)": _AFL,
    "apache software license": _APACHE,
    "apple public source license": Reading(("APSL-1.0", "APSL-1.1", "APSL-1.2", "APSL-2.0")),
    "artistic license": _ARTISTIC,
    "attribution assurance license": Reading(("AAL",)),
    "bsd license": _BSD,
    "cc0 1.0 universal (cc0 1.0) public domain dedication": Reading(("CC0-1.0",)),
    "common public license": Reading(("CPL-1.0",)),
    "eiffel forum license": Reading(("EFL-1.0", "EFL-2.0")),
    "european union public licence 1.0 (eupl 1.0)": Reading(("EUPL-1.0",)),
    "european union public licence 1.1 (eupl 1.1)": Reading(("EUPL-1.1",)),
    "european union public licence 1.2 (eupl 1.2)": Reading(("EUPL-1.2",)),
    "gnu affero general public license v3": _AGPL3,
    "gnu affero general public license v3 or later (agplv3+)": Reading(("AGPL-3.0-or-later",)),
    "gnu free documentation license (fdl)": Reading(
        ("GFDL-1.1-only", "GFDL-1.2-only", "GFDL-1.3-only")
    ),
    "gnu general public license (gpl)": _GPL,
    "gnu general public license v2 (gplv2)": _GPL2,
    "gnu general public license v2 or later (gplv2+)": Reading(("GPL-2.0-or-later",)),
    "gnu general public license v3 (gplv3)": _GPL3,
    "gnu general public license v3 or later (gplv3+)": Reading(("GPL-3.0-or-later",)),
    "gnu lesser general public license v2 (lgplv2)": _LGPL2,
    "gnu lesser general public license v2 or later (lgplv2+)": Reading(
        ("LGPL-2.0-or-later", "LGPL-2.1-or-later")
    ),
    "gnu lesser general public license v3 (lgplv3)": _LGPL3,
    "gnu lesser general public license v3 or later (lgplv3+)": Reading(("LGPL-3.0-or-later",)),
    "gnu library or lesser general public license (lgpl)": _LGPL,
    "ibm public license": Reading(("IPL-1.0",)),
    "intel open source license": Reading(("Intel",)),
    "isc license (iscl)": Reading(("ISC",)),
    "mit license": Reading(("MIT",)),
    "motosoto license": Reading(("Motosoto",)),
    "mozilla public license 1.0 (mpl)": Reading(("MPL-1.0",)),
    "mozilla public license 1.1 (mpl 1.1)": Reading(("MPL-1.1",)),
    "mozilla public license 2.0 (mpl 2.0)": Reading(("MPL-2.0",)),
    "nethack general public license": Reading(("NGPL",)),
    "nokia open source license": Reading(("Nokia",)),
    "open group test suite license": Reading(("OGTSL",)),
    "postgresql license": Reading(("PostgreSQL",)),
    "public domain": _PUBLIC_DOMAIN,
    "python license (cnri python license)": Reading(("CNRI-Python",)),
    "python software foundation license": Reading(("PSF-2.0",)),
    "qt public license (qpl)": Reading(("QPL-1.0",)),
    "ricoh source code public license": Reading(("RSCPL",)),
    "sleepycat license": Reading(("Sleepycat",)),
    "sun public license": Reading(("SPL-1.0",)),
    "universal permissive license (upl)": Reading(("UPL-1.0",)),
    "university of illinois/ncsa open source license": Reading(("NCSA",)),
    "vovida software license 1.0": Reading(("VSL-1.0",)),
    "w3c license": Reading(("W3C",)),
    "x.net license": Reading(("Xnet",)),
    "zlib/libpng license": Reading(("Zlib",)),
    "zope public license": _ZOPE,
}

# Keys are lowercase, with single spaces, and without the words of _FILL.
_NAMES: Final = {
    "mit": Reading(("MIT",)),
    "expat": Reading(("MIT",)),
    "mit expat": Reading(("MIT",)),
    "apache": _APACHE,
    **dict.fromkeys(
        ("apache 2.0", "apache 2", "apache2", "apache2.0", "apache-2", "asl 2.0"),
        Reading(("Apache-2.0",)),
    ),
    "bsd": _BSD,
    **dict.fromkeys(
        ("bsd 3-clause", "3-clause bsd", "bsd 3 clause", "bsd-3", "new bsd", "modified bsd"),
        Reading(("BSD-3-Clause",)),
    ),
    **dict.fromkeys(
        ("bsd 2-clause", "2-clause bsd", "bsd 2 clause", "bsd-2", "simplified bsd", "freebsd"),
        Reading(("BSD-2-Clause",)),
    ),
    **dict.fromkeys(("isc", "iscl"), Reading(("ISC",))),
    **dict.fromkeys(("mpl 2.0", "mpl2", "mpl 2", "mozilla public 2.0"), Reading(("MPL-2.0",))),
    **dict.fromkeys(("psf", "python foundation"), Reading(("PSF-2.0",))),
    **dict.fromkeys(("zpl 2.1", "zope public 2.1"), Reading(("ZPL-2.1",))),
    "gpl": _GPL,
    "lgpl": _LGPL,
    "agpl": _AGPL,
    **dict.fromkeys(("gplv2", "gpl 2", "gpl-2"), _GPL2),
    **dict.fromkeys(("gplv3", "gpl 3", "gpl-3"), _GPL3),
    **dict.fromkeys(("lgplv3", "lgpl 3", "lgpl-3"), _LGPL3),
    **dict.fromkeys(("agplv3", "agpl 3", "agpl-3"), _AGPL3),
    **dict.fromkeys(("gplv2+", "gpl 2+"), Reading(("GPL-2.0-or-later",))),
    **dict.fromkeys(("gplv3+", "gpl 3+"), Reading(("GPL-3.0-or-later",))),
    **dict.fromkeys(("lgplv3+", "lgpl 3+"), Reading(("LGPL-3.0-or-later",))),
    **dict.fromkeys(("agplv3+", "agpl 3+"), Reading(("AGPL-3.0-or-later",))),
    "public domain": _PUBLIC_DOMAIN,
}
