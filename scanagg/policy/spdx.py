"""Parse SPDX licence expressions into trees of canonical terms.

Grammar and precedence (`+`, then WITH, then AND, then OR) follow SPDX 2.3, annex D; ids and
operators can have any case, as in SPDX 3. The ids come from license-expression. Its parser (30.4)
is not used: it crashes on `()` and `( OR MIT`, and accepts `MIT OR ISC OR`. `packaging.licenses`
rejects ids that are not on the list, which here stay in the tree.
"""

import difflib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Final

import msgspec
from msgspec.structs import replace

# An expression is one line of metadata. Some packages put a whole licence text into the field.
_LONGEST: Final = 2000
_DEEPEST: Final = 40

_TOKEN: Final = re.compile(r"\s*([()]|[A-Za-z0-9][A-Za-z0-9.:-]*\+?)")
_OPERATORS: Final = frozenset(("AND", "OR", "WITH"))
_REF: Final = re.compile(r"(documentref-[a-z0-9.-]+:)?(licenseref|additionref)-[a-z0-9.-]+")

# The index has these as other names of an id, but they were never on the SPDX list.
_NO_IDS: Final = frozenset(("gpl", "bsd-2", "verbatim-man-pages"))
# Licences that the index marks as exceptions, because their names end in "exception".
_NO_EXCEPTIONS: Final = frozenset(("MPL-2.0-no-copyleft-exception", "eCos-2.0"))
# Deprecated ids that mean a licence with an exception, from the notes of the SPDX list.
_COMPOSED: Final = {
    "gpl-2.0-with-autoconf-exception": ("GPL-2.0-only", "Autoconf-exception-2.0"),
    "gpl-2.0-with-bison-exception": ("GPL-2.0-only", "Bison-exception-2.2"),
    "gpl-2.0-with-classpath-exception": ("GPL-2.0-only", "Classpath-exception-2.0"),
    "gpl-2.0-with-font-exception": ("GPL-2.0-only", "Font-exception-2.0"),
    "gpl-2.0-with-gcc-exception": ("GPL-2.0-only", "GCC-exception-2.0"),
    "gpl-3.0-with-autoconf-exception": ("GPL-3.0-only", "Autoconf-exception-3.0"),
    "gpl-3.0-with-gcc-exception": ("GPL-3.0-only", "GCC-exception-3.1"),
}
# A name, a version, and what follows: `GPL-2.0-only`, `GFDL-1.1-invariants-only`, `MPL-2.0`.
_VERSIONED: Final = re.compile(r"(.+?)-(\d+(?:\.\d+)*)((?:-no)?-invariants)?(-only)?")


class SpdxError(ValueError):
    """The text is not an SPDX expression. The message says why."""


class Term(msgspec.Struct, frozen=True):
    """One licence, optionally with `+` (this version or any later) and an exception."""

    license: str
    plus: bool = False
    exception: str | None = None

    def __str__(self) -> str:
        """The canonical text."""
        text = f"{self.license}+" if self.plus else self.license
        return f"{text} WITH {self.exception}" if self.exception else text

    @property
    def is_listed(self) -> bool:
        """True if the licence is on the SPDX list."""
        return self.license.lower() in _index().licenses

    @property
    def is_reference(self) -> bool:
        """True if the licence is a LicenseRef, which a document defines for itself."""
        return bool(_REF.fullmatch(self.license.lower()))

    @property
    def has_listed_exception(self) -> bool:
        """True if there is no exception, or it is on the SPDX list."""
        return self.exception is None or self.exception.lower() in _index().exceptions

    def choices(self) -> tuple["Term", ...]:
        """Return what the licensee can pick: each version of `-or-later` and `+`, else this one."""
        name = self.license
        if name.endswith("-or-later"):
            name = name.removesuffix("-or-later") + "-only"
        elif not self.plus:
            return (self,)
        later = _index().later.get(name, (name,))
        return tuple(Term(each, exception=self.exception) for each in later)


class Group(msgspec.Struct, frozen=True):
    """Parts that all apply (AND), or of which the licensee chooses one (OR)."""

    parts: tuple["Expression", ...]
    is_and: bool

    def __str__(self) -> str:
        """The canonical text, with as few brackets as possible."""
        texts = [
            f"({part})"
            if self.is_and and isinstance(part, Group) and not part.is_and
            else str(part)
            for part in self.parts
        ]
        return (" AND " if self.is_and else " OR ").join(texts)


Expression = Term | Group


def parse(text: str) -> Expression:
    """Parse an expression. Ids that are not on the list stay unchanged. SpdxError if invalid."""
    if len(text) > _LONGEST:
        raise SpdxError(f"longer than {_LONGEST} characters")
    parser = _Parser(text)
    if not parser.tokens:
        raise SpdxError("empty")
    expression = parser.group(0, is_and=False)
    if parser.tokens:
        raise SpdxError(f"unexpected {parser.tokens[0]!r}")
    return expression


class _Parser:
    """A recursive-descent parser; `tokens` are those that are left."""

    def __init__(self, text: str) -> None:
        self.tokens: list[str] = []
        position, end = 0, len(text.rstrip())
        while position < end:
            match = _TOKEN.match(text, position)
            if match is None:
                raise SpdxError(f"unexpected {text[position:].strip()[:20]!r}")
            self.tokens.append(match[1])
            position = match.end()

    def takes(self, operator: str) -> bool:
        """Take the next token if it is this one. Return True if it was."""
        if not self.tokens or self.tokens[0].upper() != operator:
            return False
        del self.tokens[0]
        return True

    def group(self, depth: int, *, is_and: bool) -> Expression:
        parts: list[Expression] = []
        while not parts or self.takes("AND" if is_and else "OR"):
            parts.append(self.term(depth) if is_and else self.group(depth, is_and=True))
        return parts[0] if len(parts) == 1 else Group(tuple(parts), is_and)

    def term(self, depth: int) -> Expression:
        if self.takes("("):
            if depth >= _DEEPEST:
                raise SpdxError("nested too deeply")
            inner = self.group(depth + 1, is_and=False)
            if not self.takes(")"):
                raise SpdxError("missing closing bracket")
            return inner
        term = _term(self.name("licence"))
        if not self.takes("WITH"):
            return term
        if term.exception:
            raise SpdxError(f"{term.license} already has an exception")
        name = self.name("exception")
        return replace(term, exception=_index().exceptions.get(name.lower(), name))

    def name(self, what: str) -> str:
        token = self.tokens[0] if self.tokens else ""
        if not token or token in "()" or token.upper() in _OPERATORS:
            where = f" before {token!r}" if token else " at the end"
            raise SpdxError(f"missing {what}{where}")
        return self.tokens.pop(0)


def terms(expression: Expression) -> Iterator[Term]:
    """Yield every term, in order."""
    if isinstance(expression, Term):
        yield expression
        return
    for part in expression.parts:
        yield from terms(part)


def is_valid(expression: Expression) -> bool:
    """Return True if each term and each exception is on the SPDX list or a LicenseRef."""
    return all(
        (term.is_listed or term.is_reference)
        and (term.has_listed_exception or bool(_REF.fullmatch((term.exception or "").lower())))
        for term in terms(expression)
    )


def listed_id(name: str) -> str | None:
    """Return an id of the SPDX list in the right case; None if it is not on the list."""
    return _index().licenses.get(name.lower())


def similar(name: str) -> str:
    """Return `: did you mean 'MIT'?` with the most similar id of the SPDX list, if any."""
    ids = {**_index().exceptions, **_index().licenses}
    near = difflib.get_close_matches(name.lower(), ids, n=1, cutoff=0.6)
    return f": did you mean {ids[near[0]]!r}?" if near else ""


def _term(token: str) -> Term:
    """Return the canonical term for an id: in the right case, and not deprecated."""
    low = token.lower()
    index = _index()
    if low in _COMPOSED:
        name, exception = _COMPOSED[low]
        return Term(name, exception=exception)
    if low in index.licenses:
        return Term(index.licenses[low])
    if not low.endswith("+"):
        return Term(token)
    name = index.licenses.get(low[:-1], token[:-1])
    if name.endswith("-or-later"):
        return Term(name)
    if name.endswith("-only"):
        raise SpdxError(f"{token}: '-only' and '+' contradict each other")
    return Term(name, plus=True)


class _Index(msgspec.Struct, frozen=True):
    """The SPDX list: ids by their lowercase form, and each id with its later versions."""

    licenses: Mapping[str, str]
    exceptions: Mapping[str, str]
    later: Mapping[str, tuple[str, ...]]


@cache
def _index() -> _Index:
    # Imported here, because most runs judge no licence.
    from license_expression import get_license_index  # noqa: PLC0415

    licenses: dict[str, str] = {}
    exceptions: dict[str, str] = {}
    for entry in get_license_index():
        name = entry.get("spdx_license_key") or "LicenseRef"
        if name.startswith("LicenseRef"):
            continue
        names = exceptions if entry["is_exception"] and name not in _NO_EXCEPTIONS else licenses
        names[name.lower()] = name
        for other in entry["other_spdx_license_keys"]:
            if not (other.startswith("LicenseRef") or " " in other or other.lower() in _NO_IDS):
                names.setdefault(other.lower(), name)
    return _Index(licenses, exceptions, _later(licenses.values()))


def _later(names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return for each versioned id the id itself and its later versions, oldest first."""
    families: dict[tuple[str, ...], dict[tuple[int, ...], str]] = defaultdict(dict)
    for name in names:
        match = _VERSIONED.fullmatch(name)
        if match:
            version = tuple(int(part) for part in match[2].split("."))
            families[match[1], match[3] or "", match[4] or ""][version] = name
    later: dict[str, tuple[str, ...]] = {}
    for family in families.values():
        ordered = [family[version] for version in sorted(family)]
        later.update((name, tuple(ordered[index:])) for index, name in enumerate(ordered))
    return later
