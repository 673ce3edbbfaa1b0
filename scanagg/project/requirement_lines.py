"""Lists of requirements by the lines that pip reads."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from scanagg.project.text import CONFLICT, decode_as_pip

_LINE_END: Final = re.compile(r"\r\n|\r|\n")
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#.*$")

_VERSION: Final = r"(?:===\s*+[^\s;),]*|(?:==|[<>~!]=|[<>])\s*+[\w.*!+-]+)"
_NAME: Final = r"[A-Za-z0-9][\w.-]*+\s*+(?:\[[\w.,\s-]*+\]\s*+)?"
_VERSIONS: Final = rf"{_VERSION}\s*+(?:,\s*+{_VERSION}\s*+)*(?:,\s*+)?"
_REQUIREMENT: Final = re.compile(
    rf"{_NAME}(?P<versions>(?:\(\s*+)?(?:{_VERSIONS})?\)?)\s*+(?:[;-].*)?", re.DOTALL
)
_WITH_ADDRESS: Final = re.compile(rf"{_NAME}@\s*+[A-Za-z0-9+.-]+:.*", re.DOTALL)
_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:\S.*", re.DOTALL)
_VARIABLE: Final = re.compile(r"\$\{[A-Z0-9_]+\}")
_ARCHIVE: Final = re.compile(r"\.(?:whl|zip|tar|t[gblx]z|gz|bz2|xz|lzma)(?![\w.])", re.IGNORECASE)


def joined_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield lines with their continuations, from their first number; a comment ends a line."""
    parts: list[str] = []
    start = 0
    for number, physical in enumerate(_LINE_END.split(text), start=1):
        # pip also breaks lines at separators that editors do not count as line ends (U+2028).
        for line in physical.splitlines() or [""]:
            start = start if parts else number
            comment = line.lstrip().startswith("#")
            continued = line.endswith("\\") and not comment
            parts.append(line.strip("\\") if continued else f" {line}" if comment else line)
            if not continued:
                yield start, "".join(parts)
                parts = []
    yield start, "".join(parts)


def without_comment(line: str) -> str:
    """Return a joined line without its comment and the blanks around it."""
    return _COMMENT.sub("", line).strip()


class _Lines(msgspec.Struct, frozen=True):
    """The lines of a text; `readable` if pip could read all of them.

    `exact` are the requirements with an exact version or an address.
    """

    readable: bool
    requirements: int
    exact: int


def _lines(lines: Iterable[str], *, to_the_end: bool = True) -> _Lines:
    """Count requirements. Without `to_the_end`, stop at the first line that pip could not read."""
    readable, requirements, exact = True, 0, 0
    for line in filter(None, map(without_comment, lines)):
        match = _REQUIREMENT.fullmatch(line)
        if match:
            requirements += 1
            exact += "==" in match["versions"]
        elif _WITH_ADDRESS.fullmatch(line):
            requirements += 1
            exact += 1
        elif _VARIABLE.search(line):
            forms = (_VARIABLE.sub(value, line).strip() for value in ("x", ""))
            matches = filter(None, map(_REQUIREMENT.fullmatch, forms))
            exact += any("==" in match["versions"] for match in matches)
        elif not _is_other(line):
            readable = False
            if not to_the_end:
                break
    return _Lines(readable, requirements, exact)


def _is_other(line: str) -> bool:
    """Return True for what pip may take for an option, an address or a path, and for conflicts."""
    is_path = line[0] in "-.~" or "/" in line or "\\" in line
    return is_path or bool(
        _ADDRESS.match(line) or _ARCHIVE.search(line) or CONFLICT.fullmatch(line)
    )


def _text(content: bytes) -> str:
    """Return the text of a file; of one with an unknown coding, what is readable of it."""
    try:
        return decode_as_pip(content)
    except (LookupError, ValueError):
        return content.decode("utf-8", "replace")


def is_list(content: bytes) -> bool:
    """Return True if pip could read the file, and it has an exact version or an address."""
    text = _text(content)
    if "=" not in text and "@" not in text:
        return False
    lines = _lines((line for _, line in joined_lines(text)), to_the_end=False)
    return lines.readable and lines.exact > 0


def is_named_list(content: bytes) -> bool:
    """Return True if pip could read the file, or it has an exact version among other lines."""
    lines = _lines(line for _, line in joined_lines(_text(content)))
    return lines.exact > 0 or (lines.readable and lines.requirements > 0)


def may_be_list(head: bytes) -> bool:
    """Return True if pip could read the beginning of a file. The last line may be cut off."""
    *lines, _ = (line for _, line in joined_lines(_text(head)))
    return _lines(lines, to_the_end=False).readable
