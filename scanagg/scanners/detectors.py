"""Detectors of secrets that scanagg adds to those of scanners.

They search a file as a whole, in linear time: first for literal text such as "secret" or "AIza",
then for a pattern of bounded length at each place.
"""

import base64
import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import PurePath
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple, TypeVar

from scanagg.core import names
from scanagg.core.tokens import FORMATS

# In these, a word without quotes is code and not a value.
_CODE: Final = names.CODE | {".tf"}
# In these, names and values are no assignments of the project.
_OTHER: Final = frozenset((".css", ".map", ".po", ".pot", ".scss", ".less", ".svg", ".tl"))
# A longer line of code is minified.
_MINIFIED: Final = 1000
# More secrets on one line are data, and each takes as long as the line is.
_MOST_ON_A_LINE: Final = 20
_NEWLINE: Final = re.compile("\n")
_STRING: Final = re.compile(r"([\"'])(.+?)\1")

# A name that says secret, in lower case. The literal starts make the search fast.
_KEYWORD: Final = re.compile(
    "|".join(
        (
            *names.SECRETS,
            "pass(?![a-z])",
            "pw(?![a-z])",
            *(f"{word}[_-]?key" for word in names.KEYS),
        )
    )
)
_BEFORE: Final = re.compile(r"[\w.$-]{0,40}\Z")
_WIDEST_NAME: Final = 40
# A value with fewer different characters is a placeholder, such as "xxxx".
_LEAST_VARIETY: Final = 3
# The rest of a name, and what is between it and its value. A type may be declared.
_BETWEEN: Final = re.compile(
    r"(?P<rest>[\w.-]{0,30})(?P<close>\\?[\"'`]?\]?\)?)"
    r"(?:[ \t]{0,20}(?P<sign>=>|:=|={1,3}|!==?|:|,|\()"
    r"(?P<type>(?<=:)[\w.\[\] |]{1,30}=(?=[ \t]{0,4}[bBuUrR]?[\"']))?[ \t]{0,20}|"
    r"(?P<tag>>)|(?P<attribute>[ \t]{1,8}value=)|(?P<blank>[ \t]{1,4}))"
)
_QUOTED: Final = re.compile(
    r"[bBuUrR@]{0,2}\\?(?:\"(?P<double>[^\"\s\\]{4,300})\\?\"|"
    r"'(?P<single>[^'\s\\]{4,300})\\?'|`(?P<back>[^`\s\\]{4,300})`)"
)
_UNQUOTED: Final = re.compile(r"(?![%*?])(?:[^\s\"'`,;&|<>(){}\[\]\\$]|(?<=\w)'(?=\w)){4,300}")
# What ends an unquoted value: on a line of its own, or in an assignment without blanks.
_LINE_END: Final = re.compile(r"[ \t]*(?:$|[\"'`\\]|#|//|;)", re.MULTILINE)
_WORD_END: Final = re.compile(r"$|[\s\"'`,;&|\\)\]}<]", re.MULTILINE)
_CODE_WORD: Final = re.compile(r"[A-Za-z_][\w.]*")
# The ends of names about a secret, such as `token_url`. Their values are something else.
_ABOUT: Final = ("s", "hex", *names.ABOUT, *names.DIGESTS)
_ABOUT_BEFORE: Final = re.compile(
    r"(?:csrf|xsrf|public|publickey|by|com|tres|next|page|continuation|no|bad|sha256|sha1|md5)[_-]?\Z"
)
_NO_VALUE: Final = re.compile(
    r"(?:true|false|none|null|nil|undefined|optional|required|string|str|bool|int|self|this|"
    r"params?|args?|env|process|config|settings|request|options?|default|empty|unset|value)\Z"
    r"|(?:self|this|args|params|process|config|settings|request|os|options|var|local|data|env)\."
    r"|(?:https?:)?//|/\w+/|\.{1,2}/|@|\#|:|=|-|~",
)


Accepted = TypeVar("Accepted")


class Span(NamedTuple):
    """The start and end of a secret in the text."""

    start: int
    end: int


class Detector:
    """A detector that searches the whole text of a file.

    `by_form` is True if the value itself says that it is a secret.
    """

    title: str
    by_form: ClassVar = False

    @property
    def name(self) -> str:
        """The name of the detector on the command line."""
        return type(self).__name__

    def find(self, text: str, name: str) -> Iterator[Span]:
        """Yield the secrets in the text of the file with this name."""
        raise NotImplementedError


class SecretAssignmentDetector(Detector):
    """Values of names that say secret, quoted or not, in any syntax."""

    title = "Secret Assignment"

    def find(self, text: str, name: str) -> Iterator[Span]:
        """Yield the values, such as those of `DB_PASSWORD=x` or `"token": "x"`."""
        yield from _assigned(text, PurePath(name).suffix.lower())[0]


class SecretOptionDetector(Detector):
    """Passwords and tokens as options of a command."""

    title = "Secret in a Command"
    _AFTER: Final = re.compile(
        r"(?:mysql|mysqldump|mysqladmin|mariadb)\b[^\n|;&]{0,200}? -p"
        r"(?P<mysql>[^\s\"'`$<;|&]{4,100})|"
        r"sshpass +-p *[\"']?(?P<sshpass>[^\s\"'`$<]{4,100})|"
        r"curl\b[^\n|;]{0,200}? (?:-u|--user)[ =][\"']?[\w.@+-]{1,60}:"
        r"(?P<curl>[^\s\"'`$<{]{4,100})|"
        r"docker +login\b[^\n|;]{0,200}? -p +(?P<docker>[^\s\"'`$<-][^\s\"'`$<]{3,200})|"
        r"redis-cli\b[^\n|;]{0,200}? -a +(?P<redis>[^\s\"'`$<-][^\s\"'`$<]{3,200})|"
        r"-pass(?:in|out) +pass:(?P<openssl>[^\s\"'`$<]{4,100})|"
        r"ConvertTo-SecureString +(?:-String +)?[\"'](?P<powershell>[^\s\"'$]{4,100})"
    )
    _COMMANDS: Final = (
        *("mysql", "mariadb", "sshpass", "curl", "docker", "redis-cli", "-passin", "-passout"),
        "ConvertTo-SecureString",
    )

    def find(self, text: str, name: str) -> Iterator[Span]:
        """Yield the values of options such as `--password x`, and of known short ones."""
        yield from _assigned(text, PurePath(name).suffix.lower())[1]
        for command in self._COMMANDS:
            for end in _ends(text, command):
                if match := self._AFTER.match(text, end - len(command)):
                    yield Span(*match.span(match.lastgroup or ""))


class AuthorizationHeaderDetector(Detector):
    """Credentials in the values of `Authorization` headers."""

    title = "Authorization Header"
    _SCHEME: Final = re.compile(
        r"(?:[Bb]asic|BASIC) {1,4}(?P<basic>[A-Za-z0-9+/]{8,600}={0,2})(?![\w+/])|"
        r"(?:[Bb]earer|BEARER) {1,4}(?P<bearer>[\w.~+/-]{16,2000}={0,2})"
    )
    _TOKEN: Final = re.compile(
        r"uthorization\\?[\"']?[ \t]{0,4}[:=,][ \t]{0,4}\\?[\"'`]?"
        r"(?:[Tt]oken|[Aa]pi[Kk]ey|SSWS|Key|GenieKey) +(?:token=)?\\?[\"']?"
        r"(?P<token>[\w.~+/=-]{12,500})"
    )

    def find(self, text: str, name: str) -> Iterator[Span]:
        """Yield the credentials of the schemes Basic, Bearer and token."""
        for match in self._SCHEME.finditer(text):
            group = match.lastgroup or ""
            value = match[group]
            is_secret = _is_basic(value) if group == "basic" else bool(re.search("[0-9]", value))
            if is_secret:
                yield Span(*match.span(group))
        if "uthorization" in text:
            for match in self._TOKEN.finditer(text):
                yield Span(*match.span("token"))


class SQLPasswordDetector(Detector):
    """Passwords in SQL statements."""

    title = "Password in SQL"
    _IDENTIFIED: Final = re.compile(
        r"(?: +with +[\w\"'`]{1,60})? +(?:by|as) +(?:password +)?(?:"
        r"\\?[\"'](?P<quoted>[^\s\"\\$<{%][^\s\"\\]{2,100}?)\\?[\"'](?!\w)|"
        r"(?P<bare>(?=[^\s\"'`]{0,99}[0-9])[^\s\"'`\\$;,<{%]{4,100})(?![.(]))",
        re.IGNORECASE,
    )
    _PASSWORD: Final = re.compile(
        r"(?: *= *password)? *[ (=] *'(?P<value>[^\s'\\$<{%]{4,100})'", re.IGNORECASE
    )
    _STATEMENT: Final = re.compile(
        r"\b(?:(?:create|alter) +(?:user|role|login)|set +password|values)\b[^;\n]{0,120}\Z"
    )

    def find(self, text: str, name: str) -> Iterator[Span]:
        """Yield the passwords of `IDENTIFIED BY 'x'` and `PASSWORD 'x'`."""
        lower = _lower(text)
        for end in _ends(lower, "identified"):
            if match := self._IDENTIFIED.match(text, end):
                yield Span(*match.span(match.lastgroup or ""))
        for end in _ends(lower, "password"):
            if (match := self._PASSWORD.match(text, end)) and self._STATEMENT.search(
                lower, max(0, end - 160), end
            ):
                yield Span(*match.span("value"))


class ConnectionStringDetector(Detector):
    """Passwords in the addresses of databases and other services."""

    title = "Password in a Connection String"
    _ADDRESS: Final = re.compile(
        r"[^\s/:@\"'`<>(){}\[\]$%]{0,100}:(?P<value>[^\s/@\"'`<>{}$]{3,200})@(?=[\w\[.{$-])"
    )
    _FIELD: Final = re.compile(
        r" ?(?:password|pwd) {0,2}= {0,2}(?P<value>[^\s;\"'`<>{}$&]{4,100})(?=[;\"'`\\]| *$)",
        re.IGNORECASE | re.MULTILINE,
    )
    _BEFORE_HOST: Final = re.compile(r":(?P<value>[^\s:@/\"'`<>{}$]{3,100})\Z")

    def find(self, text: str, name: str) -> Iterator[Span]:
        """Yield the passwords of `redis://:x@host`, `Server=…;Pwd=x;` and `user:x@tcp(host)`."""
        for end in _ends(text, "://"):
            if match := self._ADDRESS.match(text, end):
                yield Span(*match.span("value"))
        for end in _ends(text, ";"):
            if match := self._FIELD.match(text, end):
                yield Span(*match.span("value"))
        for end in (*_ends(text, "@tcp("), *_ends(text, "@unix(")):
            at = text.rindex("@", 0, end)
            if match := self._BEFORE_HOST.search(text, max(0, at - 120), at):
                yield Span(*match.span("value"))


class TokenDetector(Detector):
    """Tokens of the formats with one title."""

    by_form = True

    def __init__(self, title: str) -> None:
        """Choose the formats."""
        self.title = title
        self._formats = tuple(form for form in FORMATS if form.title == title)

    @property
    def name(self) -> str:
        """The title in one word."""
        return (
            "".join(word[0].upper() + word[1:] for word in re.findall(r"\w+", self.title))
            + "Format"
        )

    def find(self, text: str, name: str) -> Iterator[Span]:
        """Yield the tokens, wherever they are."""
        for form in self._formats:
            for place in form.find(text):
                yield Span(*place)


ALL: Final[tuple[Detector, ...]] = (
    *map(TokenDetector, dict.fromkeys(form.title for form in FORMATS)),
    AuthorizationHeaderDetector(),
    SQLPasswordDetector(),
    ConnectionStringDetector(),
    SecretOptionDetector(),
    SecretAssignmentDetector(),
)
"""The most specific ones first: a value is reported by the first one that finds it."""


class Found(NamedTuple):
    """A secret that a detector found, with its line: the number and the text."""

    detector: Detector
    value: str
    number: int
    line: str

    @property
    def texts(self) -> tuple[str, ...]:
        """The value, and the quoted strings of the line that have it."""
        quoted = (match[2] for match in _STRING.finditer(self.line))
        return (self.value, *(text for text in quoted if self.value in text))


def search(
    text: str,
    name: str,
    accept: Callable[[Found], Accepted | None],
    *,
    detectors: Iterable[Detector] = ALL,
    known: Mapping[int, Iterable[tuple[str, str]]] = MappingProxyType({}),
    is_lock: bool = False,
) -> Iterator[Accepted]:
    """Yield what `accept` makes of each secret in the text of a file, but not None.

    `known` are the secrets that a scanner found, by line, each with its title. They are found again
    only by their form. A lock file, which is full of hashes, is searched only for forms.
    """
    lines = text.split("\n")
    starts = [0, *(match.end() for match in _NEWLINE.finditer(text))]
    counts: Counter[int] = Counter()
    seen = defaultdict(list, {number: [*secrets] for number, secrets in known.items()})
    chosen = [detector for detector in detectors if detector.by_form or not is_lock]
    # The form of a token says more than its name, or that it looks random.
    forms = {detector.title for detector in chosen if detector.by_form}
    for detector in chosen:
        for start, end in detector.find(text, name):
            number, value = bisect_right(starts, start), text[start:end]
            if counts[number] >= _MOST_ON_A_LINE:
                continue
            titles = {title for one, title in seen[number] if one in value or value in one}
            if titles & forms if detector.by_form else titles:
                continue
            accepted = accept(Found(detector, value, number, lines[number - 1]))
            if accepted is not None:
                seen[number].append((value, detector.title))
                counts[number] += 1
                yield accepted


@lru_cache(maxsize=1)
def _assigned(text: str, suffix: str) -> tuple[list[Span], list[Span]]:
    """Return the values of names that say secret, and those of such options of commands."""
    assigned: list[Span] = []
    options: list[Span] = []
    if suffix in _OTHER:
        return assigned, options
    lower = _lower(text)
    done = 0
    for keyword in _KEYWORD.finditer(lower):
        if keyword.start() < done or not (between := _BETWEEN.match(text, keyword.end())):
            continue
        done = between.end("rest")
        before = _BEFORE.search(text, max(0, keyword.start() - _WIDEST_NAME), keyword.start())
        start = before.start() if before else keyword.start()
        name = lower[start:done]
        *_, last = keyword, *_KEYWORD.finditer(lower, keyword.end(), done)
        is_about = lower[last.end() : done].rstrip("0123456789").endswith(_ABOUT)
        if is_about or _ABOUT_BEFORE.search(lower, start, keyword.start()):
            continue
        is_option = name.startswith(("-", "/"))
        if not is_option and not _assigns(text, start, name, between):
            continue
        place = _value(text, between, suffix, is_option=is_option)
        if place and not _is_code(text[place.start : place.end].lower(), name):
            (options if is_option else assigned).append(place)
    return assigned, options


def _assigns(text: str, start: int, name: str, between: re.Match[str]) -> bool:
    """Return True if the text after a name can be its value."""
    sign, close = between["sign"], between["close"]
    if between["blank"]:
        return False
    if sign == ",":  # get("PASSWORD", "x")
        return bool(close) and bool(re.search(r"\w\([\"']\Z", text[max(0, start - 3) : start]))
    if sign == "(":  # setPassword("x")
        return not close and "." not in between["rest"]
    return not name.startswith("$") or (not close and sign in ("=", "=>"))


def _value(text: str, between: re.Match[str], suffix: str, *, is_option: bool) -> Span | None:
    """Return the place of the value after a name; None if it is none."""
    at, sign, is_code = between.end(), between["sign"], suffix in _CODE
    if quoted := _QUOTED.match(text, at):
        place = Span(*quoted.span(quoted.lastgroup or ""))
        needs_both = is_code or sign in (",", "(")
    else:
        unquoted = _UNQUOTED.match(text, at)
        if not unquoted or sign in (",", "(") or between["attribute"] or between["type"]:
            return None
        if between["tag"] and not text.startswith("</", unquoted.end()):
            return None
        is_tight = sign == "=" and at == between.end("close") + 1
        end = _WORD_END if is_tight or is_option or between["tag"] else _LINE_END
        if not end.match(text, unquoted.end()):
            return None
        place = Span(*unquoted.span())
        needs_both = is_code or is_option
        if is_code and (not is_tight or _CODE_WORD.fullmatch(unquoted[0])):
            return None
    value = text[place.start : place.end]
    if needs_both and not (re.search("[0-9]", value) and re.search("[A-Za-z]", value)):
        return None
    is_minified = is_code and "\n" not in text[max(0, at - _MINIFIED) : at + _MINIFIED]
    return None if is_minified and len(text) > _MINIFIED else place


def _is_code(value: str, name: str) -> bool:
    """Return True for a value in lower case that is code, a placeholder or its own name."""
    return bool(
        _NO_VALUE.match(value)
        or "${" in value
        or "{{" in value
        or value in name
        or len(set(value) - set("-_. ")) < _LEAST_VARIETY
    )


def _is_basic(value: str) -> bool:
    """Return True for the Base64 of a name, a colon and a password."""
    try:
        name, colon, password = base64.b64decode(value, validate=True).partition(b":")
        return bool(colon and password) and name.decode().isprintable()
    except ValueError:  # no Base64, or no text
        return False


def _ends(text: str, literal: str) -> Iterator[int]:
    """Yield the ends of all places of the literal text."""
    at = text.find(literal)
    while at >= 0:
        yield at + len(literal)
        at = text.find(literal, at + len(literal))


@lru_cache(maxsize=1)
def _lower(text: str) -> str:
    """Return the text in lower case, with the same number of characters."""
    return text.replace("\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}", "I").lower()
