"""Mask secrets in text: known values, and on the lines of secrets everything that may be one.

A masked line has two forms. `Redactor.line` makes the one that fingerprints are computed from, so
it never changes. `Redactor.shown_line` makes the one to show: `core/masks.py`.
"""

import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from posixpath import commonprefix
from typing import Final

from scanagg.core.masks import ASSIGNED, MASK, QUOTED, TOKEN, WORDS, MaskedLine, is_word
from scanagg.core.text import valid
from scanagg.core.tokens import FORMATS, OTHER_FORMATS

# Shorter values, and plain words ("password", "Secret"), are part of every text. They are masked as
# whole words on the lines of secrets; elsewhere only as a value, in quotes or in an address.
_SHORT: Final = 6
_WORD: Final = r"(?<!\w)(?:{})(?!\w)"
_VALUE: Final = r"(?<=[\"'`:@=])(?:{})(?=[\"'`@])"
_IN_OPTION: Final = r"(?<=\s-[A-Za-z])(?:{})(?!\w)"  # as in `mysql -ppassword`
# A name before its own value: `password: password`. Only the value is masked, if the line is shown.
_REPEATED: Final = (
    r"(?<![\w-])(?P<name>{})(?=[\"'\])]{{0,3}}\s{{0,4}}(?:=|:|!=).{{0,99}}"
    r"(?<![\w-])(?P=name)(?![\w-]))"
)
# A name that says nothing but "secret", such as `access_token`, shows no value where it is a name,
# although code may have it as a value elsewhere: `{"secret": "SECRET_KEY"}`.
_GENERIC_NAME: Final = re.compile(
    r"(?:(?:access|account|admin|api|app|auth|aws|azure|bot|client|consumer|csrf|db|github|id|jwt|"
    r"oauth|private|public|refresh|service|session|signing|user|webhook|x)[_-]?){0,3}"
    r"(?:secret[_-]?)?(?:access[_-]?)?"
    r"(?:authorization|credentials?|key|passphrase|passwd|password|pwd|secret|token)"
    r"(?:[_-]?(?:id|key|secret|[12]))?",
    re.IGNORECASE,
)
_AS_NAME: Final = r"(?<![\w:=-])(?:{})(?=[\"'\])]{{0,3}}\s{{0,8}}(?:=>|:=|[=:])\s{{0,8}}[^\s=])"
_NOTHING: Final = r"(?!)"
# Deeper branches could exceed the limit of recursion.
_DEEPEST: Final = 50
_NAME_IN_LETTERS: Final = re.compile(r"[a-z]+(?:[_-][a-z]+)*|[A-Z]+(?:[_-][A-Z]+)*|[A-Z][a-z]+")
_PLAIN_WORD: Final = re.compile(r"[A-Za-z]?[a-z]{0,14}|[A-Z]{0,14}")
# An address in the message of a program, which may be one that it could not parse.
_ADDRESS: Final = re.compile(
    r"(?<![\w+.-])((?!file:)[a-z][a-z0-9+.-]{0,20}://)(?:[^\s'\"`]{1,2000}@)?([\w.-]*(?::\d{1,5}\b)?)"
    r"[^\s'\"`)]*?(?=[:.,;]?(?:[\s'\"`)]|$))",
    re.IGNORECASE,
)
_BEFORE_HOST: Final = re.compile(r"(?<![^\s'\"`])[^\s'\"`]{1,2000}@(?=\w)")
# The number of characters of a line that are shown, and masked: minified data has long lines.
_SHOWN: Final = 2000
_MASKED: Final = 8000

# Masked everywhere: credentials and keys in an address, passwords of a command.
_GIVEN_AWAY: Final = re.compile(
    r"(?P<name>://(?=[^/\s\"']+@)|[?&#;]\w{0,40}(?:token|key|secret|pass|sig)\w{0,40}=|"
    r"--?password[= ]|\s-u [\w.-]+:)(?!\*\*\*)(?:(?<=://)[^/\s\"']+(?=@)|(?<!://)[^/\s\"'@&]+)",
    re.IGNORECASE,
)
# Masked everywhere: tokens with a form of their own.
_CREDENTIALS: Final = re.compile(r"(?<=://)[^/\s]*@")
_LEAST_TOKEN: Final = 16
# Longer words are searched in parts, because some forms need quadratic time.
_LONG_WORD: Final = re.compile(rf"[\w.:+=-]{{{_LEAST_TOKEN},2000}}")
_CAPITAL_OR_DIGIT: Final = re.compile("[A-Z0-9]")
_KNOWN_TOKEN: Final = re.compile(
    rf"(?<![A-Za-z0-9])(?:{'|'.join((*(form.pattern for form in FORMATS), *OTHER_FORMATS))})"
)
# In a path: the value of a name such as `token=x`.
_NAMED_IN_PATH: Final = re.compile(
    r"(?P<name>(?:^|(?<=/))[^/=]*(?:token|secret|passw|apikey|api[-_]key|credential)[^/=]*=)"
    r"(?!\*\*\*)[^/]+",
    re.IGNORECASE,
)
_SUFFIX: Final = re.compile(r"(?<=[^/])\.[A-Za-z0-9]{1,10}\Z")
_REPLACED: Final = re.compile(rf"{re.escape(MASK)}|\\x[0-9a-f]{{2}}")
# In a line that cannot be read, each word that may be a value is masked, but not a version.
_MAY_BE_VALUE: Final = re.compile(r"[^\s\"'`{}()\[\],:;=<>~!|&@]{6,}")
_NO_VALUE: Final = re.compile(
    r"-{0,2}[a-z]{1,15}(?:-[a-z]{1,15})*|\d{1,4}(?:\.\d{1,4})+(?:[a-z]+\d{1,3})?"
)


class Redactor:
    """Masks the secret values and lines of one run.

    `values` are secrets in clear text, held in memory only; `lines` the numbers of the lines with
    secrets, by path.
    """

    def __init__(self, values: Iterable[str], lines: Mapping[str, Iterable[int]]) -> None:
        """Take all values and lines. None can be added later: text may be shown already."""
        # Each line of a value counts as one: text shows a key line by line.
        lines_of_values = [line.strip() for value in values for line in value.splitlines()]
        parts = list(filter(None, lines_of_values))
        self._anywhere = _any_of(part for part in parts if not _is_common(part))
        self._on_the_line = _any_of(parts)
        self._in_option = _any_of(filter(_is_common, parts), _IN_OPTION)
        self._as_value = _any_of((part for part in parts if _is_common(part)), _VALUE)
        names = _longest_of(filter(_NAME_IN_LETTERS.fullmatch, parts))
        self._repeated = re.compile(_REPEATED.format(names))
        generic = _longest_of(filter(_GENERIC_NAME.fullmatch, parts))
        self._as_name = re.compile(_AS_NAME.format(generic))
        self._lines = {path: frozenset(numbers) for path, numbers in lines.items()}
        # Findings of one line come together.
        self._masked = lru_cache(maxsize=256)(self._mask)
        self._shown = lru_cache(maxsize=256)(self._show)

    def covers(self, path: str, line: int) -> bool:
        """Return True if a secret is on the line."""
        return line in self._lines.get(path, ())

    def has_value(self, text: str) -> bool:
        """Return True if the text has a value that is masked everywhere."""
        return self._anywhere.search(text) is not None

    def text(self, text: str) -> str:
        """Return `text` without known values, and masked as by `mask_known`."""
        return mask_known(self._anywhere.sub(MASK, text))

    def line(self, path: str, number: int, text: str) -> str:
        """Return a line of a file, safe to show: on a line of a secret, any value may be secret.

        A very long line is cut. More of it is masked than shown, so that no half of a value is
        shown.
        """
        return self._masked(text[:_MASKED], self.covers(path, number))[:_SHOWN]

    def shown_line(self, path: str, number: int, text: str) -> str:
        """Return a line of a file with its names and structure, and a description of each value."""
        return self._shown(text[:_MASKED], self.covers(path, number))

    def _mask(self, text: str, covered: bool) -> str:
        if not covered:
            return self._as_value.sub(MASK, self.text(text))
        masked, known = self._on_the_line.subn(MASK, text)
        masked = mask_known(masked)
        if known:
            masked = QUOTED.sub(_mask_unless_words, masked)
        else:
            # Without a known value, mask all quoted text, or else the assigned value.
            quoted = QUOTED.sub(lambda match: match["quote"] + MASK + match["quote"], masked)
            if quoted == masked:
                quoted = ASSIGNED.sub(lambda match: match["left"] + MASK, masked)
            masked = quoted
        return TOKEN.sub(_mask_token, masked)

    def _show(self, text: str, covered: bool) -> str:
        if not MaskedLine.can_show(text):
            return self._mask(text, covered)[:_SHOWN]
        line = MaskedLine()
        if covered:
            text = self._repeated.sub(lambda match: line.keep(match.group()), text)
            text = self._as_name.sub(lambda match: line.keep(match.group()), text)
            text = self._in_option.sub(lambda match: line.hide(match.group()), text)
        values = self._on_the_line if covered else self._anywhere
        text, known = values.subn(lambda match: line.hide_secret(match.group()), text)
        text = mask_known(text, line.hide, line.hide_credentials)
        if covered:
            text = line.hide_values(text, known=known > 0)
        else:
            text = self._as_value.sub(lambda match: line.hide(match.group()), text)
        return line.shown(text, _SHOWN)


def mask_known(
    text: str,
    hide: Callable[[str], str] = lambda _value: MASK,
    hide_credentials: Callable[[str], str] = lambda _value: MASK,
) -> str:
    """Return `text` without credentials in addresses and options, and without known tokens.

    A token is known by its form alone, such as that of a key for AWS or GitHub. No scanner needs to
    have run. `hide` returns what to show for a value, `hide_credentials` for those in an address.
    """

    def given_away(match: re.Match[str]) -> str:
        name = match["name"]
        value = match.group()[len(name) :]
        return name + (hide_credentials(value) if name == "://" else hide(value))

    def known_tokens(match: re.Match[str]) -> str:
        word = match.group()
        # The full search is slow, and every known token has a digit or a capital letter.
        if not _CAPITAL_OR_DIGIT.search(word):
            return word
        return _KNOWN_TOKEN.sub(lambda token: hide(token.group()), word)

    return _LONG_WORD.sub(known_tokens, _GIVEN_AWAY.sub(given_away, text))


def with_hosts_only(text: str) -> str:
    """Return a message of a program with only the scheme and the host of each address.

    Credentials can be anywhere in the address of an index: before the host, in the path, or in the
    part after a character that the user forgot to encode.
    """
    return mask_known(_BEFORE_HOST.sub("", _ADDRESS.sub(r"\1\2", text)))


def without_credentials(text: str) -> str:
    """Return `text` without the user and the password in each of its addresses."""
    return _CREDENTIALS.sub("", text)


def shown_path(name: str) -> str:
    """Return the path to show for a name of the system, which may have secrets or broken Unicode.

    Known tokens and the values of names such as `token=x` are masked. The suffix of the file stays,
    because it says how to read the file.
    """
    path = valid(name)
    suffix = _SUFFIX.search(path)
    stem, end = (path[: suffix.start()], suffix[0]) if suffix else (path, "")
    return _NAMED_IN_PATH.sub(lambda match: match["name"] + MASK, mask_known(stem)) + end


def unlike(path: str, taken: Container[str]) -> str:
    """Return the path, or if it is taken a numbered one: `*** (2).txt`.

    The number follows the last mask or escape, where the real paths differ, so that the other names
    of folders and files stay.
    """
    *_, end = (0, *(match.end() for match in _REPLACED.finditer(path)))
    number, other = 1, path
    while other in taken:
        number += 1
        other = f"{path[:end]} ({number}){path[end:]}" if end else f"{path} ({number})"
    return other


def mask_line(text: str) -> str:
    """Return a line that cannot be read, with each word masked that may be a value."""
    return _MAY_BE_VALUE.sub(
        lambda word: word.group() if _NO_VALUE.fullmatch(word.group()) else MASK,
        mask_known(text[:_MASKED]),
    )


def _is_common(value: str) -> bool:
    return len(value) < _SHORT or _PLAIN_WORD.fullmatch(value) is not None


def _any_of(values: Iterable[str], common: str = _WORD) -> re.Pattern[str]:
    """Return a pattern for the values, the longest first; common values only as in `common`.

    No common value begins with another one. So where both match, the other one is longer.
    """
    chosen = frozenset(values)
    alike = frozenset(filter(_is_common, chosen))
    patterns = [_longest_of(chosen - alike)] if chosen - alike else []
    patterns += [common.format(_longest_of(alike))] if alike else []
    return re.compile("|".join(patterns) if patterns else _NOTHING)


def _longest_of(values: Iterable[str]) -> str:
    """Return a pattern for the longest of some texts; for none, one that matches nothing.

    It branches where the texts differ, as a prefix tree does: the time of a search does not depend
    on their number.
    """
    return _branches(sorted({*values}), 0) or _NOTHING


def _branches(texts: Sequence[str], depth: int) -> str:
    if depth > _DEEPEST:
        return "|".join(map(re.escape, sorted(texts, key=len, reverse=True)))
    branches = []
    for _, group in groupby(filter(None, texts), itemgetter(0)):
        alike = [*group]
        start = commonprefix([alike[0], alike[-1]])
        rest = [text[len(start) :] for text in alike]
        end = _branches(rest, depth + 1) if len(rest) > 1 else ""
        optional = "?" if not rest[0] else ""
        branches.append(re.escape(start) + (f"(?:{end}){optional}" if end else ""))
    return "|".join(branches)


def _mask_unless_words(match: re.Match[str]) -> str:
    """Mask other quoted text beside a known secret, unless it is words such as a name or a key."""
    quote = match["quote"]
    body = match.group().removeprefix(quote).removesuffix(quote)
    return match.group() if WORDS.fullmatch(body) else quote + MASK + quote


def _mask_token(match: re.Match[str]) -> str:
    """Mask a token with digits or mixed case, but not the name of a function or setting."""
    return match.group() if is_word(match.group()) else MASK
