"""The licence of a package as CycloneDX says it: an SPDX id or expression, else a name."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from cyclonedx import spdx
from cyclonedx.model.license import (
    DisjunctiveLicense,
    License,
    LicenseAcknowledgement,
    LicenseExpression,
)

from scanagg.core.text import one_line
from scanagg.model import Licensed, LicenseFile

_OPERATORS: Final = frozenset(("AND", "OR", "WITH"))
_WORD: Final = re.compile(r"[^\s()]+")
# A licence that a document defines for itself: SPDX 2.3, annex D.
_OWN: Final = re.compile(r"(?:DocumentRef-[A-Za-z0-9.-]+:)?LicenseRef-[A-Za-z0-9.-]+")
_ANY_ID: Final = "MIT"
# Longer ones are no expressions but texts, and take the parser long.
_LONGEST: Final = 2000


def licenses(licensed: Licensed) -> list[License]:
    """What is known of the licence: one entry, or none where nobody says anything.

    `declared` are the package's own words, `concluded` what was made of them (a classifier, a file,
    the policy). Nothing is invented: words that are no SPDX expression are a name.
    """
    if not licensed.source and not licensed.facts.stated.strip():
        return []
    text = one_line(licensed.expression).strip()
    if not text:
        return []
    how = LicenseAcknowledgement.CONCLUDED
    if not _is_expression(text):
        return [DisjunctiveLicense(name=text, acknowledgement=LicenseAcknowledgement.DECLARED)]
    if _is_own_word(licensed):
        how = LicenseAcknowledgement.DECLARED
    if spdx.is_supported_id(text):
        return [DisjunctiveLicense(id=text, acknowledgement=how)]
    return [LicenseExpression(text, acknowledgement=how)]


def evidence(files: Iterable[LicenseFile]) -> list[License]:
    """The licences whose texts lie in the package, each once."""
    known = sorted({file.license for file in files if spdx.is_supported_id(file.license)})
    return [DisjunctiveLicense(id=name) for name in known]


def _is_own_word(licensed: Licensed) -> bool:
    """Whether the package's metadata says it as an expression, and nobody had to interpret."""
    if licensed.source == "License-Expression":
        return True
    text = (licensed.facts.text or "").strip()
    return licensed.source == "License" and _is_expression(text)


@lru_cache(maxsize=4096)
def _is_expression(text: str) -> bool:
    """Whether all of it is SPDX: ids of the list or LicenseRefs, and a grammar that holds."""
    if not text or len(text) > _LONGEST or not text.isascii():
        return False
    words = [word for word in _WORD.findall(text) if word.upper() not in _OPERATORS]
    listed = (_OWN.fullmatch(word) or spdx.fixup_id(word.removesuffix("+")) for word in words)
    return all(listed) and spdx.is_expression(_WORD.sub(_plainer, text))


def _plainer(word: re.Match[str]) -> str:
    """The word as the library's parser knows it: without `+`, and no LicenseRef."""
    return _ANY_ID if _OWN.fullmatch(word[0]) else word[0].removesuffix("+")
