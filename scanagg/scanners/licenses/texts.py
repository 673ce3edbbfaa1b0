"""Licence texts, identified by the hash of their words.

Parts that may differ are removed first, by the matching guidelines of SPDX 2.3, annex B: layout,
case, punctuation, bullets, titles, copyright lines, and the names of holders where a text has a
place for them. A text that then differs in one word is another text.
"""

import hashlib
import re
from typing import Final

# The longest text has some 35,000 bytes. Longer files contain several licences.
_LONGEST: Final = 100_000
_DIGEST_BYTES: Final = 16
_TITLE: Final = re.compile(
    r"(?:the |new |modified |simplified |open source |original )*"
    r"(?:mit|expat|x11|isc|bsd|[023]-clause bsd|bsd [023]-clause)?[ -]*"
    r"(?:\"?[a-z0-9 -]*\"? )?licen[sc]e(?: \(.{1,40}\))?[:.]?"
)
_COPYRIGHT: Final = re.compile(
    r"(?:(?i:[\W_]*(?:portions )?(?:copyright|©|\(c\))[\s:,]*"
    r"(?:\(c\)|©|by\b|[\[<{]?(?:\d{4}|yyyy|year)))"
    r"|[\W_]*Copyright (?:the )?[A-Z(]"
    r"|(?i:[\W_]*all rights reserved\W*$))",
)
# A copyright line with one of these words is part of the text.
_TERMS: Final = re.compile(
    r"\b(?:may|must|shall|not|no|only|unless|except|without|licen[sc]\w*|permi\w+|use[ds]?|notice)\b"
)
_BULLET: Final = re.compile(r"^\W*(?:\(?[0-9a-z]{1,2}[.)])?\s+|^\W+")
_NAMES: Final = (
    (
        re.compile(
            r"neither the names? .{1,200}? nor the names? of (?:its|his|their|the|other)"
            r"(?: \w+)? contributors"
        ),
        "neither",
    ),
    (re.compile(r"is provided by .{1,100}? as is and any"), "is provided by as is and any"),
    (
        re.compile(r"in no event shall .{1,120}? be liable for any direct"),
        "in no event shall be liable for any direct",
    ),
    # The Free Software Foundation has moved twice.
    (re.compile(r"(?:51 franklin|59 temple|675 mass) .{1,70}? usa"), "usa"),
)
_SEPARATORS: Final = re.compile(r"[\W_]+")


def identify(raw: bytes) -> str:
    """Return the SPDX id of a licence text (`-only` for GNU licences); empty if it is unknown."""
    if len(raw) > _LONGEST:
        return ""
    text = words(raw.decode("utf-8", "replace"))
    digest = hashlib.sha256(text.encode()).digest()[:_DIGEST_BYTES]
    return _KNOWN.get(int.from_bytes(digest, "big"), "")


def words(text: str) -> str:
    """Return the words of a text that may not differ, in lower case, separated by spaces."""
    lines = [line.strip() for line in text.lstrip("\ufeff").splitlines()]
    lines = [
        line
        for line in lines
        if line and not (_COPYRIGHT.match(line) and not _TERMS.search(line.lower()))
    ]
    while lines and _TITLE.fullmatch(lines[0].lower().strip("=-#* ")):
        lines.pop(0)
    bare = "\n".join(_BULLET.sub("", f" {line}") for line in lines).lower()
    plain = _SEPARATORS.sub(" ", bare.replace("https:", "http:")).strip()
    for names, rest in _NAMES:
        plain = names.sub(rest, plain)
    return plain


# The first half of the sha256 of the words of each text, from the licences as they are published;
# the Apache and GNU ones also without what follows their terms, those of GNU's second versions
# also in the form of 2026, which names fsf.org instead of a street.
_KNOWN: Final = {
    0x2D3A56EFEEB46168D72ACB8E9C256983: "Apache-2.0",
    0x8E6721298AD09B0643DCF8ADBB95F9D2: "Apache-2.0",
    0xB228B1088B761F923226EC5F7EF06E53: "Apache-2.0",
    0xFD0AD3B700184692CBB784ACCB0A0C07: "BSD-2-Clause",
    0x171C451CF2B31ED0BA1A261FE0CFEAFF: "BSD-3-Clause",
    0x8A20ADFFC7304B14C6ABF18E4F5B5DD1: "CC0-1.0",
    0x29903517447E4FC674781AD1E3FF4589: "GPL-1.0-only",
    0x35601883D0BE98C7701F1E1B22AF5A35: "GPL-2.0-only",
    0x4CD7BED1667E3448F249D8DE388D1865: "GPL-2.0-only",
    0x8FFE03BDB7B69084B9878FD8A1ADAD8B: "GPL-2.0-only",
    0xC05E8BE21BAE88D5AC8CEC18704751CE: "GPL-2.0-only",
    0x271CC8946997A7DC01A7A848CBC40792: "GPL-3.0-only",
    0x487442BA412DA74E4FE7AF5F7B73E0D9: "GPL-3.0-only",
    0xF20E1404FD309CD84949948255F6CDE9: "GPL-3.0-only",
    0x217DA0747CEC63A2E734185DB11CBAA8: "ISC",
    0x280D76B420AEFF51730E96577A246612: "ISC",
    0x45587F6FF75CB026A514D861A4ECA6CF: "LGPL-2.0-only",
    0xDB6C8A9F0149CCA0B8A1FEE69327A11C: "LGPL-2.0-only",
    0xF9A3F59140FBF572E865696A7562F90A: "LGPL-2.0-only",
    0x84F10AE14B5072479C7EE8763957BF1D: "LGPL-2.0-only",
    0x7F7F24D2DC6064190C3856D9230F5E4D: "LGPL-2.1-only",
    0x8DEC228D810BDD8571A4A6AEC57780C4: "LGPL-2.1-only",
    0xFC3E98FF4E979079EC31A64571F82B25: "LGPL-2.1-only",
    0x9A209F986D1799379ACA440770F2A3AA: "LGPL-2.1-only",
    0x26AEB5D3E16E4DEE74ABA841E3BB744F: "LGPL-3.0-only",
    0x0CF21BDFD1964A97A8615E1285348458: "MIT",
    0x2F0702D6D874B0AE9E1266CF00172798: "MPL-1.1",
    0x8DCE888CB942D93CEBEB8E0FEA8AFAC4: "MPL-2.0",
}
