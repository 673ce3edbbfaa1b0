"""The masked line that reports show: names, quotes and structure stay, and values are described.

`API_KEY = "***(40 characters, hex)"`. Anything that may be a part of a value is masked too.
"""

import re
from typing import Final

from scanagg.core.names import SECRETS

MASK: Final = "***"

# These patterns also decide what fingerprints are computed from (`core/redact.py`), so a change of
# them makes known findings new.
QUOTED: Final = re.compile(r'(?P<quote>"""|\'\'\'|["\'`])(?:\\.|(?!(?P=quote)).)+(?:(?P=quote)|$)')
ASSIGNED: Final = re.compile(r"(?P<left>^[^=:]*(?:=>|:=|[=:])\s*)(?P<value>\S.*)$")
WORDS: Final = re.compile(r"[A-Za-z_.,:;!?*/(){}<> -]*")
# A possible key or token: long and without a space.
TOKEN: Final = re.compile(r"[A-Za-z0-9+/_=.\-]{16,}")

# The length and alphabet of a shorter value would help to guess it.
_LEAST_DESCRIBED: Final = 8
_ALPHABETS: Final = (
    ("digits", re.compile(r"[0-9]+")),
    ("letters", re.compile(r"[A-Za-z]+")),
    ("hex", re.compile(r"[0-9a-f]+|[0-9A-F]+")),
    ("letters and digits", re.compile(r"[A-Za-z0-9]+")),
    ("UUID", re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")),
    ("Base64", re.compile(r"(?=(?:.{4})+\Z)(?=.*[+/=])[A-Za-z0-9+/]{12,}={0,2}")),
    (
        "Base64",
        re.compile(
            r"(?![A-Za-z]{1,10}[_-])(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9_-]{22,}={0,2}"
        ),
    ),
)

# Marks are from a private plane of Unicode, whose characters hardly any line has.
_FIRST_MARK: Final = 0x100000
_MARKS: Final = "\U00100000-\U0010fffd"
_MARK: Final = re.compile(f"[{_MARKS}]")

_SEPARATOR: Final = r"\s{0,8}(?:=>|:=|[!=+?]=|[:=])"
_SECRET_WORD: Final = re.compile("|".join((*SECRETS, "key", "auth", "signature")), re.IGNORECASE)
_NAME: Final = re.compile(
    # In quotes, as in JSON; the quotes may be escaped.
    r"(?P<quote>\\{0,3}[\"'`])(?P<quoted>[A-Za-z_$@-][\w.$@ -]{0,80})(?P=quote)"
    rf"(?=[\])]?{_SEPARATOR})"
    rf"|(?<![\w.$@/+=-])(?P<bare>[A-Za-z_$@-][\w.$@-]{{0,80}})(?=(?:\[\])?{_SEPARATOR})(?!://)"
    r"|(?<=<)(?P<element>[A-Za-z_][\w.:-]{0,80})(?=[\s>])"
)
_NAME_IN_QUOTES: Final = re.compile(rf"([\"'`])[{_MARKS}]\1(?=[\])]?{_SEPARATOR})")
_PART_OF_NAME: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_LEAST_PART: Final = 3  # on average: the case of random letters changes more often
_LONGEST_PART: Final = 20
_LONG_NAME: Final = 16
_DIGITS_IN_NAME: Final = re.compile(r"(?<=[A-Za-z])\d{1,2}(?=[A-Za-z_.-])|(?<=[_.-])\d{1,2}(?!\w)")
_BEFORE_FIELD: Final = (";", "&", "?")  # of a connection string or an address
_OPERAND: Final = re.compile(r"[=!<>]\s?\Z")
_NO_VALUE: Final = re.compile(rf"[\])]?{_SEPARATOR}\s*\Z")
_NUMBER: Final = re.compile(r"(?<=[A-Za-z])\d{1,2}\Z")
_CONSTANT: Final = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
_IN_VALUE: Final = re.compile(r"[\"'`=:]")

_KEY_HEADER: Final = (
    r"(?:-{0,5} ?(?:BEGIN|END) [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?(?: ?-{4,5})?"
    r"|PuTTY-User-Key-File-\d(?:: [a-z-]{1,12}\d{0,5}(?!\S))?)"
)
# Without a space, a call or a list: it may have quotes inside.
_UNQUOTED: Final = re.compile(
    rf"(?P<left>(?P<mark>[{_MARKS}]){_SEPARATOR}\s{{0,4}})(?P<value>[^\s\"'`({_MARKS}][^\s({_MARKS}]*)(?=\s|$)"
)
_NAME_IN_SECRET: Final = re.compile(r"[A-Za-z]{0,20}(?:Key|Token|Secret)(?==.{16})")
_HEADERS: Final = re.compile(f"({_KEY_HEADER})")
_KEY: Final = re.compile(rf"(?P<header>{_KEY_HEADER})(?P<body>(?:(?!-----END)[^\"'`<{_MARKS}])*)")
_LAYOUT: Final = re.compile(r"(?:\\+[nrt]|[\s\"'`\\,;:=(){}\[\]<>@|+-])*")

_LEAST_AFTER_HOST: Final = 16
_USER: Final = re.compile(r"[A-Za-z]{1,15}(?:[_.-][A-Za-z]{1,15}){0,2}\d{0,2}")
_ADDRESS: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,30}://)"
    r"(?:(?![^\s\"'`@]{0,500}@)(?![A-Za-z-]*\d[\w-]{15})"
    r"(?P<host>[A-Za-z0-9.-]{1,100}(?::\d{1,5})?(?![^/?#\s\"'`])/?)"
    rf"(?P<path>[^\s\"'`<>{_MARKS}]*))?"
)
_AFTER_CREDENTIALS: Final = re.compile(
    rf"(?<=[{_MARKS}])@(?![^\s\"'`@]{{0,500}}@)[A-Za-z0-9.-]{{1,100}}(?::\d{{1,5}})?"
    r"(?:/(?:\d{1,2}|[A-Za-z_./-]{0,40})(?=[\s\"'`?,;)<>]|$))?"
)
_SCHEME: Final = re.compile(
    r"(?P<scheme>\b(?:(?P<bearer>bearer)|basic|digest|token) )"
    r"(?(bearer)(?P<value>[\w.~+/=-]*))(?=\S|$)",
    re.IGNORECASE,
)
_OPTION: Final = re.compile(
    r"(?<![\w-])(?P<name>--?[a-z-]{0,30}(?:passw|secret|token|key|pwd)[a-z-]{0,30})"
    rf"(?P<separator>=|\s+)(?P<value>[^\s\"'`<{_MARKS}-][^\s\"'`{_MARKS}]*)",
    re.IGNORECASE,
)
_ELEMENT: Final = re.compile(rf"(?<=<[{_MARKS}])(?P<left>[^<>]*>)(?P<value>[^<>]+)(?=</)")
_REST_OF_TOKEN: Final = re.compile(
    rf"(?P<mark>[{_MARKS}])(?P<rest>[A-Za-z0-9+/_-]+={{0,2}}|={{1,2}}(?=[\s\"'`,;]|$))"
)
_WORD: Final = re.compile(rf"[^\s;,&\"'`{_MARKS}]+")
_PLAIN: Final = re.compile(r"[A-Za-z_.,:;!?*/(){}<>&=|\\\[\]\"'` -]*")
_IN_LETTERS: Final = re.compile(r"[A-Za-z_.-]+=?")
# The value starts on the next line.
_INDICATOR: Final = re.compile(r"(?:!!?\w+\s+)?[|>({\[\\][+-]?")
_EDGES: Final = re.compile(
    r"(?P<left>\s*(?P<quote>\\{1,3}[\"'])?)(?P<value>.*?)"
    r"(?P<right>(?(quote)(?P=quote)(?:\\{1,2}[nrt]|[\s,;)}\]])*|\s*))",
    re.DOTALL,
)
_AFTER_NAME: Final = re.compile(rf"(?:\\{{0,3}}[\"'`])?[\])]?(?:{_SEPARATOR})?")


class MaskedLine:
    """The parts of a line, each with a mark: one character that stands for the part in the text.

    A part is hidden, or it stays. A part with a mark is never changed by a later step, but may
    become part of a longer value that is hidden.
    """

    def __init__(self) -> None:
        """Start without parts."""
        self._parts: list[tuple[str, bool]] = []

    @staticmethod
    def can_show(text: str) -> bool:
        """Return False if the line itself has characters that are marks."""
        return _MARK.search(text) is None

    def hide(self, text: str) -> str:
        """Return the mark of a value to hide."""
        if not text or (_MARK.fullmatch(text) and self._is_hidden(text)):
            return text
        return self._mark(text, is_hidden=True)

    def keep(self, text: str) -> str:
        """Return the mark of a part that stays."""
        return self._mark(text, is_hidden=False)

    def hide_secret(self, text: str) -> str:
        """Return the marks of a known value, but keep a host, a name, and the headers of a key."""
        address = _ADDRESS.match(text)
        if address and address["host"] and len(text) - address.end("host") >= _LEAST_AFTER_HOST:
            host, path = text[: address.end("host")], text[address.end("host") :]
            return self.keep(host) + self.hide(path)
        name = _NAME_IN_SECRET.match(text)
        if name and is_name(name.group()):
            return self.keep(name.group()) + "=" + self.hide(text[name.end() + 1 :])
        return "".join(
            piece if number % 2 else self.hide(piece)
            for number, piece in enumerate(_HEADERS.split(text))
        )

    def hide_credentials(self, credentials: str) -> str:
        """Return the marks of `user:password` in an address, of which only a user's name stays."""
        user, colon, password = credentials.partition(":")
        if not password:
            return self.hide(credentials)
        name = self.keep(user) if _USER.fullmatch(user) else self.hide(user)
        return name + colon + self.hide(password)

    def hide_values(self, text: str, *, known: bool) -> str:
        """Return the text with marks for all that may be a value on the line of a secret.

        `known` says that a scanner named the value, which has its mark already.
        """
        text = _REST_OF_TOKEN.sub(self._rest_of_token, text)
        text = _KEY.sub(self._key, text)
        text = _NAME.sub(lambda match: self._name(match, known=known), text)
        text = _OPTION.sub(
            lambda match: self.keep(match["name"]) + match["separator"] + self.hide(match["value"]),
            text,
        )
        text = _ELEMENT.sub(lambda match: match["left"] + self.hide(match["value"]), text)
        text = _SCHEME.sub(
            lambda match: self.keep(match["scheme"]) + self.hide(match["value"] or ""), text
        )
        text = _AFTER_CREDENTIALS.sub(lambda match: self.keep(match.group()), text)
        text = _ADDRESS.sub(lambda match: self._address(match, hide_path=not known), text)
        if known:
            text = QUOTED.sub(self._quoted_beside_known, text)
        elif QUOTED.search(_NAME_IN_QUOTES.sub("", text)):
            text = _UNQUOTED.sub(self._unquoted, text)
            text = QUOTED.sub(self._quoted, text)
        else:
            text = ASSIGNED.sub(
                lambda match: match["left"] + self._hide_pieces(match["value"]), text
            )
        return TOKEN.sub(lambda match: self._token(match, known=known), text)

    def shown(self, text: str, most: int) -> str:
        """Return the text for the first `most` characters of the line, with values described.

        The result has at most that many characters, too.
        """
        pieces: list[str] = []
        position = 0
        hidden = ""
        for character in text:
            part, is_hidden = self._part(character)
            if hidden and not is_hidden:
                pieces.append(described(hidden))
                hidden = ""
            if position >= most:
                break
            # Values beside each other may be parts of one.
            if is_hidden:
                hidden += part
            else:
                pieces.append(part)
            position += len(part)
        if hidden:
            pieces.append(described(hidden))
        return "".join(pieces)[:most]

    def _mark(self, text: str, *, is_hidden: bool) -> str:
        original = _MARK.sub(lambda match: self._part(match.group())[0], text)
        self._parts.append((original, is_hidden))
        return chr(_FIRST_MARK + len(self._parts) - 1)

    def _part(self, character: str) -> tuple[str, bool]:
        if not _MARK.fullmatch(character):
            return character, False
        return self._parts[ord(character) - _FIRST_MARK]

    def _is_hidden(self, mark: str) -> bool:
        return self._part(mark)[1]

    def _rest_of_token(self, match: re.Match[str]) -> str:
        return self.hide(match.group()) if self._is_hidden(match["mark"]) else match.group()

    def _key(self, match: re.Match[str]) -> str:
        body = match["body"]
        return self.keep(match["header"]) + (
            body if _LAYOUT.fullmatch(body) or body.startswith(":") else self.hide(body)
        )

    def _address(self, match: re.Match[str], *, hide_path: bool) -> str:
        path = match["path"] or ""
        host = match["scheme"] + (match["host"] or "")
        return self.keep(host) + (self.hide(path) if hide_path else path)

    def _unquoted(self, match: re.Match[str]) -> str:
        name, is_hidden = self._part(match["mark"])
        is_quoted = any(match.string.count(quote, 0, match.start()) % 2 for quote in "\"'`")
        if is_hidden or is_quoted or not _SECRET_WORD.search(name):
            return match.group()
        return match["left"] + self.hide(match["value"])

    def _name(self, match: re.Match[str], *, known: bool) -> str:
        """Keep a name, but not a word inside a value, such as that before a colon in a sentence."""
        bare, quote = match["bare"], match["quote"] or ""
        name = match["quoted"] or match["element"] or _NUMBER.sub("", bare)
        line, start, end = match.string, match.start(), match.end()
        if not is_name(name) or (quote and not known and _OPERAND.search(line, start - 2, start)):
            return match.group()
        if bare:
            is_field = known and line[start - 1 : start] in _BEFORE_FIELD
            may_be_value = not is_field and _IN_VALUE.search(line, 0, start) is not None
        else:
            may_be_value = bool(quote) and not known and _NO_VALUE.match(line, end) is not None
        if may_be_value and not _SECRET_WORD.search(name):
            return match.group()
        return quote + self.keep(bare or name) + quote

    def _quoted_beside_known(self, match: re.Match[str]) -> str:
        """Hide quoted text beside a known value, unless it is words such as a name."""
        quote, body, end = _split_quotes(match)
        if _MARK.search(body):
            body = _WORD.sub(
                lambda word: (
                    word.group() if _PLAIN.fullmatch(word.group()) else self.hide(word.group())
                ),
                body,
            )
        elif not WORDS.fullmatch(body) and not (_CONSTANT.fullmatch(body) and is_name(body)):
            body = self.hide(body)
        return quote + body + end

    def _quoted(self, match: re.Match[str]) -> str:
        quote, body, end = _split_quotes(match)
        return quote + self._hide_pieces(body) + end

    def _hide_pieces(self, text: str) -> str:
        """Hide a value, but not the names, headers and hosts in it that have a mark already."""
        pieces = re.split(f"([{_MARKS}]+)", text)
        return "".join(
            piece if number % 2 else self._hide_piece(piece, after_mark=number > 0)
            for number, piece in enumerate(pieces)
            if piece
        )

    def _hide_piece(self, piece: str, *, after_mark: bool) -> str:
        separator = ""
        if after_mark and (match := _AFTER_NAME.match(piece)):
            separator, piece = match.group(), piece[match.end() :]
        edges = _EDGES.fullmatch(piece)
        if edges is None or _INDICATOR.fullmatch(piece.strip()):
            return separator + piece
        if after_mark and _LAYOUT.fullmatch(piece):
            return separator + piece
        return separator + edges["left"] + self.hide(edges["value"]) + edges["right"]

    def _token(self, match: re.Match[str], *, known: bool) -> str:
        token = match.group().lstrip("=")
        separator = match.group().removesuffix(token)
        is_code = known or match.string.startswith("(", match.end())
        if is_word(token) or (is_code and _IN_LETTERS.fullmatch(token) and is_name(token)):
            return match.group()
        return separator + self.hide(token)


def _split_quotes(match: re.Match[str]) -> tuple[str, str, str]:
    """Return the quote of a match of `QUOTED`, the text in it, and its end if it has one."""
    quote = match["quote"]
    body = match.group().removeprefix(quote)
    return (quote, body[: -len(quote)], quote) if body.endswith(quote) else (quote, body, "")


def described(value: str) -> str:
    """Return the mask of a value, with its length and alphabet unless it is short."""
    if len(value) < _LEAST_DESCRIBED:
        return f"{MASK}(under {_LEAST_DESCRIBED} characters)"
    names = (name for name, pattern in _ALPHABETS if pattern.fullmatch(value))
    return f"{MASK}({len(value)} characters, {next(names, 'mixed')})"


def is_name(text: str) -> bool:
    """Return True if the text reads as the name of a setting, and not as a random token."""
    says_secret = _SECRET_WORD.search(text) is not None
    bare = _DIGITS_IN_NAME.sub("", text) if says_secret else text
    if not bare.isascii() or any(character.isdigit() for character in bare):
        return False
    parts = _PART_OF_NAME.findall(bare)
    least = (_LEAST_PART - says_secret + (len(bare) > _LONG_NAME)) * len(parts)
    if len(parts) > 1 and sum(map(len, parts)) < least:
        return False
    return bool(parts) and max(map(len, parts)) <= _LONGEST_PART


def is_word(token: str) -> bool:
    """Return True for a token of letters in one case, such as the name of a function."""
    plain = token.replace("_", "").replace(".", "").replace("-", "")
    return plain.isalpha() and plain in (plain.lower(), plain.upper())
