"""Judge whether what scanners report as a secret is one: ordered rules, each with a reason.

A rule sees a `Clue`: the value, the name that it is assigned to, the text around it, and the kind
of file. The first rule that fits decides. All patterns take linear time, because the value, the
name and the line come from the checked project.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import islice
from typing import Final, NamedTuple
from urllib.parse import unquote

from scanagg.core.names import ABOUT, CODE, DIGESTS, KEYS, SECRETS, words
from scanagg.model import (
    Category,
    Confidence,
    Finding,
    Location,
    Observation,
    PathKind,
    Reason,
    Rule,
)
from scanagg.model.paths import path_kind
from scanagg.project.sources import Sources
from scanagg.scanners.base import scanner_info
from scanagg.scanners.secret_rules import secret_rule

# The rules look at this many characters of a value, and of the line on each side of it.
_VALUE: Final = 1000
_AROUND: Final = 160
# A longer line of code is minified, or it is data.
_LONG_LINE: Final = 1000
# The most places of a value that are judged, and the most times that it is looked for in a line.
_PLACES: Final = 20
_TRIES: Final = 50
# The lines of a private key that show that it is one.
_KEY_LINES: Final = 4
# A shorter value is weak. A longer one than `_KEY` may be a key although it looks like a path.
_SHORT: Final = 8
_KEY: Final = 16
# A longer value is not a common password.
_COMMON_LENGTH: Final = 80
# The words of random text, which end at a digit, a sign or a change of case, have on average fewer
# letters.
_LETTERS_A_WORD: Final = 3
_ASSIGNING: Final = ('"', "'", "`", "=", ":", ">")
_OUTSIDE: Final = " \t\r\n\"'`\\"
_QUOTES: Final = ('"', "'", "`")
_FROM_ELSEWHERE: Final = frozenset({PathKind.VENDORED, PathKind.GENERATED})

_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Words between a name and its value: `token: str = "..."`, `Authorization: Bearer ...`.
_GLUE: Final = words(
    "str string text char const final optional none null b r u f rb br bearer basic default "
    "value val get getenv environ env set to is by with var let new byte bytes literal public "
    "static private echo data"
)
_SAYS_PASSWORD: Final = re.compile(
    r"passw|contrase|senha|kennwort|passphrase|passcode|pwd|(?:^|[^a-z])pass(?:$|[^a-z])|(?:db|my|user|root|admin|sys)pass$"
)
_SAYS_SECRET: Final = re.compile("|".join((*SECRETS, "salt", *(f"{word}key" for word in KEYS))))
_SECRET_WORDS: Final = words("key keys auth authorization authentication psk pat apikey bearer")
_NEXT_PARAMETER: Final = re.compile(r"&[\w.%-]{1,60}=")
_COMMENT: Final = re.compile(r"\s*(?:#|//|--\s|;|\*|/\*|<!--|rem\b|dnl\b)", re.IGNORECASE)
_IN_WORD: Final = re.compile(r"[\w.-](?!\Z|\s)|\w")
_IS_KEY: Final = re.compile(r"[\"'`\])]*\s{0,20}[:=](?!=)")
_ENCODED: Final = words("hashed encrypted")
# First words of names that are about a secret.
_VERBS: Final = words(
    "allow allows always apply can change clear confirm create disable display enable encode "
    "enforce expire force forgot forget generate has have hide include is lost missing must "
    "need needs no prompt require requires reset rotate save show skip store supports toggle "
    "update use uses validate verify wants with without"
)
_TEST_NAMES: Final = words("test tests testing dummy fake mock sample example demo")
# The syntax of templates and of commands that print a value.
_TEMPLATE: Final = re.compile(
    r"\$\{|\{\{|\}\}|%\(\w+\)s|<%|<\w[\w .:/|-]*>|\$\([^()]*\)|#\{\w|\{[a-z_]\w*\}|"
    r"\A%[sdr]\Z|\A\[[\w -]{1,40}\]\Z|\A\$[A-Za-z_]\w*\Z|\A@\w+@\Z|\A%\w+%\Z"
)
_TEMPLATE_BEGIN: Final = re.compile(r"(?:\$\{|\{env:)[\w.]{1,80}:[-=?]?\Z")
_COMMAND: Final = re.compile(r"=`\Z")
_PLACEHOLDER: Final = re.compile(
    r"x{4,}|\*{3,}|\.{3}|…|-{6,}|_{4,}|#{3,}|\?{3,}|0{8,}|\A(.)\1*\Z|"
    r"your|example|placeholder|replace|insert|enter[_ -]|dummy|sample|\bfake|foobar|lorem|"
    r"redacted|censored|masked|todo|\btbd\b|fixme|not[_ -]?(?:a[_ -]?)?(?:real|secret|so)|"
    r"here\b|some[_ -]|\bmy[_-]|don'?t[_ -]?use",
    re.IGNORECASE,
)
# Published by their providers, for documentation and for emulators on one's own machine: Azure,
# Stripe, jwt.io, Google Authenticator.
_PUBLISHED: Final = re.compile(
    r"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq|4eC39HqLyjWDarjtT1zdp7dc|"
    r"eyJzdWIiOiIxMjM0NTY3ODkwI|JBSWY3DPEHPK3PXP"
)
# Passwords that are typed in a row, or that ask for another one.
_SEQUENCE: Final = re.compile(
    r"change[_ -]?(?:me|this|it)|changed?me|replace[_ -]?(?:me|this)|abcdef|abc123|123abc|123456|"
    r"654321|deadbeef",
    re.IGNORECASE,
)
# Words of passwords that protect nothing.
_COMMON_WORDS: Final = words(
    "my the new old super top very some test testing tester default root admin administrator "
    "user username db database mysql postgres postgresql sql mongo mongodb redis rabbitmq "
    "guest system dev demo temp temporary bad good wrong right valid invalid correct "
    "incorrect strong weak simple secure unsafe insecure not pass pwd passwd password "
    "passphrase passw0rd p4ssw0rd p@ssw0rd p@ssword pa$$word secret s3cr3t s3cret secr3t "
    "token key auth api access private public session client app foo bar baz qux spam eggs "
    "hello world letmein qwerty qwertyuiop asdf asdfgh abc abcd xyz nothing none null true "
    "false string text value hunter swordfish login name hidden unknown empty blank first "
    "second third one two three another other your this that is of for to account service "
    "server local localhost docker mypass jwt ssl aws s3"
)
_COMMON: Final = re.compile(
    r"\ba\b|" + "|".join(map(re.escape, sorted(_COMMON_WORDS, key=len, reverse=True)))
)
_CODE: Final = re.compile(
    r"\A[A-Za-z_.:]{3,80}\(|\)\.\w|=> | -> |::\w|\bself\.|\bthis\.|os\.environ|process\.env|"
    r"\A\w{1,40}=[\"']|\w\(\$[a-z]\w{2,40}[,)]"
)
_IDENTIFIER: Final = re.compile(
    r"[a-z]+(?:[_.:/-][a-z]+)+|[A-Z]+(?:[_.-][A-Z]+)+|_*[a-z]+(?:[A-Z][a-z]+)+|"
    r"(?:[A-Z][a-z]+){2,}"
)
# Words and numbers: `etcd-cluster-01`, `Oracle_12c`.
_NUMBERED: Final = re.compile(
    r"[A-Za-z]{2,}(?:[_-](?:[A-Za-z]{2,}[0-9]{0,3}|[A-Za-z]?[0-9]{1,4}[A-Za-z]?))+"
)
_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]{1,20}://|www\.", re.IGNORECASE)
_PATH: Final = re.compile(
    r"(?:\.{0,2}/|~/|[A-Za-z]:\\)[\w.-].*|(?:[\w.@+,-]*[/\\]){2,}[\w.@+,-]*|[\w./-]+\.[a-z]{2,5}"
)
_WORDS: Final = re.compile(r"[^\W\d_]{2}[,.:;!?]?\s{1,9}[^\W\d_]")
_UUID: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)
_VERSION: Final = re.compile(
    r"(?:[A-Za-z][\w.:-]{0,80}:)?[v=~^<>! ]*\d+\.\d[\w.+-]*|\d{4}-\d\d-\d\d[\dT:.Z+ -]*|[\d., ]+"
)
_NO_TEXT: Final = re.compile(
    r"0x[0-9a-f]{1,8}|true|false|yes|no|on|off|null|none|nil|undefined", re.IGNORECASE
)
_PUBLIC: Final = re.compile(
    r"BEGIN (?:PUBLIC KEY|CERTIFICATE|RSA PUBLIC|SSH2 PUBLIC|PGP PUBLIC)|"
    r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\w+) AAAA|\AAAAAB3NzaC1|"
    r"\ALS0tLS1CRUdJTiBDRVJU|\AM[A-Za-z0-9]{2,6}wDQYJKoZIhvcNAQEBBQAD|"
    r"\AMI[A-Za-z]{3}jANBgkqhkiG9w0BAQEFAAOC|"
    r"\AMI[A-Za-z]{2}MA0GCSqGSIb3DQEBAQUAA4"
)
# Before a value: a letter or digit that is not the end of an escape such as `\n`.
_LONGER: Final = re.compile(r"(?<!\\)[A-Za-z0-9]\Z")
_DER: Final = re.compile(r"MI[A-Za-z0-9+/]{2}")
_KEY_BEGIN: Final = re.compile(r"BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY|PuTTY-User-Key-File")
# Base64 of the header of OpenSSH with the name of a cipher.
_KEY_ENCRYPTED: Final = re.compile(r"ENCRYPTED|b3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni|Encryption: aes")
_KEY_BODY: Final = re.compile(r"[A-Za-z0-9+/=]{32,}")
_HASH: Final = re.compile(
    r"\$(?:2[abxy]|[156]|argon2\w*|pbkdf2[\w-]*|scrypt|apr1|y)\$|"
    r"(?:pbkdf2_\w+|argon2|bcrypt\w*|sha1|sha256|sha512|md5|scrypt)[$:]|\{S?SHA\d*\}|"
    r"sha\d+-[A-Za-z0-9+/]{20}"
)
_ENCRYPTED: Final = re.compile(
    r"\bsecure: *[\"']?\Z|!vault|!!binary|ENC\[|encrypted[\w-]*\W*\Z", re.I
)
_CONTINUED: Final = re.compile(r"[=(\[{:\\]\s{0,20}\Z")
# The name is in the line before: `- name: TOKEN`, `  value: x`.
_NAMED_ABOVE: Final = re.compile(r"[\s\"']{0,80}(?:value|default)[\"']?\s{0,20}[:=]", re.IGNORECASE)
_USER: Final = re.compile(r"://[^\s/@\"']{0,100}:\Z")
_LOCAL_HOST: Final = re.compile(
    r"@(?:(?:tcp|unix)\()?(?:[\w-]*(?=[:/\s\"'`?#,]|\Z)|localhost|127\.|0\.0\.0\.0|\[?::1|"
    r"[\w.-]*(?:(?:\bexample|\btest)\b|\.(?:local|internal|invalid)(?![\w.-]))|[$%{<])",
    re.IGNORECASE,
)
# Templates have code in them.
_SOURCE: Final = (
    *CODE,
    *(".cshtml", ".ejs", ".hbs", ".htm", ".html", ".jinja", ".jsp", ".twig"),
)
# Code that is a file of settings, such as Django's.
_SETTINGS: Final = re.compile(r"(?:^|/)(?:\w{0,40}settings?|config)(?:\.\w{1,4}|/[^/]+)\Z")


class Clue:
    """The facts about one value that the rules use.

    `has_format`: a scanner knows the value by its form, and not by its name or its randomness.
    `has_syntax`: it knows the value by the syntax around it, such as that of SQL. `key` is the
    text of a private key, None for any other value.
    """

    def __init__(
        self,
        value: str,
        line: str,
        path: str,
        *,
        has_format: bool = False,
        has_syntax: bool = False,
        key: str | None = None,
    ) -> None:
        """Find the text around the value."""
        self.value = _NEXT_PARAMETER.split(value[:_VALUE], maxsplit=1)[0].strip(_OUTSIDE)
        self.line_length = len(line)
        self.is_comment = _COMMENT.match(line) is not None
        self.before, self.after = _around(self.value, line)
        if self.in_address:
            self.value = unquote(self.value)
        elif self.before.lower().endswith("basic "):
            self.value = _basic_password(self.value)
        self.kind = path_kind(path)
        self.is_code = path.lower().endswith(_SOURCE)
        self.is_settings = not self.is_code or _SETTINGS.search(path.lower()) is not None
        self.has_format = has_format
        self.has_syntax = has_syntax
        self.key = key

    @cached_property
    def in_address(self) -> bool:
        """True for the password of an address such as `redis://user:password@host`."""
        is_in_url = self.after[:1] == "@" and _USER.search(self.before) is not None
        return is_in_url or self.after.startswith(("@tcp(", "@unix("))

    @cached_property
    def name(self) -> str:
        """The name that the value is assigned to, "" without one."""
        if self.in_address or self.has_syntax:
            return "password"
        words = _NAME.findall(self.before)
        while words and words[-1].lower() in _GLUE:
            words.pop()
        return words[-1] if words else ""

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The words of the name in lower case: `dbPassword` and `DB_PASSWORD` have two."""
        return tuple(word.lower() for word in _WORD.findall(self.name))

    @cached_property
    def is_setting(self) -> bool:
        """True for a password in a file of settings, in which a plain word is a password too."""
        is_used = self.is_settings and not self.is_comment and not self.is_local
        return is_used and self.says_password and not self.is_metadata

    @cached_property
    def says_password(self) -> bool:
        """True if the name says that a person chose the value."""
        return _SAYS_PASSWORD.search("_".join(self.words)) is not None

    @cached_property
    def says_secret(self) -> bool:
        """True if the name says that the value is secret."""
        return (
            self.says_password
            or _SAYS_SECRET.search("".join(self.words)) is not None
            or not _SECRET_WORDS.isdisjoint(self.words)
        )

    @cached_property
    def is_metadata(self) -> bool:
        """True if the name is about a secret: `secretName`, `allow_empty_password`."""
        if not self.words:
            return False
        return self.words[-1] in ABOUT or (self.words[0] in _VERBS and self.is_weak)

    @cached_property
    def is_digest(self) -> bool:
        """True if the name is that of a digest or an id: `commit`, `key_id`, `hashed_key`."""
        words = [word for word in self.words if not word.isdigit()]
        digests = DIGESTS.intersection(self.words)
        is_last = words[-1:] and words[-1] in digests
        return bool(digests and (is_last or not self.says_secret or digests & _ENCODED))

    @cached_property
    def is_local(self) -> bool:
        """True for an address of this machine, of a container, or of an example."""
        return self.in_address and _LOCAL_HOST.match(self.after) is not None

    @cached_property
    def is_quoted(self) -> bool:
        """True if the value is in a string."""
        return self.in_address or any(self.before.count(quote) % 2 for quote in _QUOTES)

    @cached_property
    def has_short_words(self) -> bool:
        """True for random text, unlike `MyNewApplication`, whose words have 2, 3 and 11 letters."""
        letters = sum(map(str.isalpha, self.value))
        return letters < _LETTERS_A_WORD * len(_WORD.findall(self.value))

    @cached_property
    def is_weak(self) -> bool:
        """True for a value that a person can remember: short, of words, or only digits."""
        has_letter = any(map(str.isalpha, self.value))
        is_random = self.has_short_words or any(map(str.isdigit, self.value))
        is_name = _NUMBERED.fullmatch(self.value) is not None
        return len(self.value) < _SHORT or not has_letter or not is_random or is_name


def _around(value: str, line: str) -> tuple[str, str]:
    """Return the text before and after a value: where it is assigned, and not in a longer word.

    A line without the value, such as the first one of several, is all before it.
    """
    best = (4, line[:_AROUND], "")
    start = line.find(value) if value else -1
    for _ in range(_TRIES):
        if start < 0 or best[0] == 0:
            break
        end = start + len(value)
        before, after = line[max(0, start - _AROUND) : start], line[end : end + _AROUND]
        is_word = not _IN_WORD.match(before[-1:]) and not _IN_WORD.match(after)
        is_value = is_word and not _IS_KEY.match(after)
        is_assigned = is_value and before.rstrip()[-1:] in _ASSIGNING
        rank = 3 - is_word - is_value - is_assigned
        if rank < best[0]:
            best = (rank, before, after)
        start = line.find(value, start + 1)
    return best[1:]


def _basic_password(value: str) -> str:
    """Return the password in the Base64 of `user:password`, else the same value."""
    try:
        user, colon, password = b64decode(value, validate=True).decode().partition(":")
    except ValueError:
        return value
    return password if user and colon and password else value


class Judgement(NamedTuple):
    """The confidence in a secret, with the reason, and the rule if it replaces the scanner's."""

    confidence: Confidence
    reason: Reason
    rule: Rule | None = None


class _Rule(NamedTuple):
    """A rule: the reason, when it applies, and the confidence by the kind of file."""

    reason: Reason
    applies: Callable[[Clue], object]
    production: Confidence = Confidence.UNLIKELY
    elsewhere: Confidence = Confidence.UNLIKELY
    rule: Rule | None = None


def assess(group: Sequence[Observation], sources: Sources) -> Judgement:
    """Return the most confident judgement of a secret, of equal ones that of the first rule."""
    judgements = [judge(clue) for clue in _clues(group, sources)]
    reasons = [rule.reason for rule in RULES]
    return min(judgements, key=lambda one: (one.confidence.order, reasons.index(one.reason)))


def has_dummy_value(finding: Finding) -> bool:
    """Return True for a secret whose value may be in unlike accounts, such as a default password.

    Of what only a scanner for code takes for a password, this is not known.
    """
    parts = finding.parts
    if parts is None or parts.category != Category.SECRET.value:
        return False
    real = finding.confidence in (Confidence.LIKELY, Confidence.POSSIBLE)
    return not real or finding.rule.id == DEFAULT_PASSWORD.id


def judge(clue: Clue) -> Judgement:
    """Return the judgement of the first rule that applies."""
    for rule in RULES:
        if rule.applies(clue):
            is_production = clue.kind is PathKind.PRODUCTION
            confidence = rule.production if is_production else rule.elsewhere
            return Judgement(confidence, rule.reason, rule.rule if is_production else None)
    raise AssertionError("the last rule applies to every clue")


def _clues(group: Sequence[Observation], sources: Sources) -> Iterator[Clue]:
    """Yield a clue for each place. Observations without a value count only if none has one."""
    for observation in [one for one in group if one.secret and one.secret.value] or group:
        info = scanner_info(observation.scanner)
        is_vague = observation.rule.id in (*info.generic_rules, *info.guessing_rules)
        # A scanner is less sure of a value that it knows by the name only.
        has_format = not is_vague and not observation.confidence.order
        has_syntax = observation.rule.id in info.syntax_rules
        value = observation.secret.value if observation.secret else ""
        places = dict.fromkeys(observation.all_places)
        if not places:
            yield Clue(value, "", "", has_format=has_format, has_syntax=has_syntax)
        for place in islice(places, _PLACES):
            lines = sources.file(place.path).lines
            number = min(place.start_line or 1, len(lines))
            line, key = lines[number - 1], _private_key(lines, number, place)
            previous = lines[number - 2].strip()[-_AROUND:] if number > 1 else ""
            if _CONTINUED.search(previous) or _NAMED_ABOVE.match(line):
                line = f"{previous} {line.strip()}"
            yield Clue(
                *(value, line, place.path),
                has_format=has_format,
                has_syntax=has_syntax,
                key=key,
            )


def _private_key(lines: Sequence[str], number: int, place: Location) -> str | None:
    """Return the lines of the private key that begins here, or on the next line; None without."""
    if _KEY_BEGIN.search(lines[number - 1]):
        return "\n".join(lines[number - 1 : place.lines.stop - 1])
    if _KEY_BEGIN.search("".join(lines[number : number + 1])):
        return "\n".join(lines[number : number + _KEY_LINES])
    return None


def _is_public_key(clue: Clue) -> bool:
    name = clue.name.lower()
    is_certificate = _DER.match(clue.value) and "priv" not in name
    return bool(_PUBLIC.search(clue.value) or is_certificate or "public" in name)


def _is_template(clue: Clue) -> bool:
    """Return True for a template, and for its default unless that may be a key."""
    is_default = not clue.has_format and len(clue.value) < _KEY
    return bool(
        _TEMPLATE.search(clue.value)
        or _COMMAND.search(clue.before)
        or (is_default and _TEMPLATE_BEGIN.search(clue.before))
    )


def _is_placeholder(clue: Clue) -> bool:
    is_sequence = not clue.is_setting and _SEQUENCE.search(clue.value)
    return bool(_PLACEHOLDER.search(clue.value) or is_sequence)


def _is_code(clue: Clue) -> bool:
    """Return True for an expression, and in code for a word that is not in a string."""
    is_expression = clue.is_code and not clue.is_quoted and clue.is_weak
    return bool(is_expression or _CODE.search(clue.value))


def _is_address(clue: Clue) -> bool:
    """Return True for an address, and for a path unless it looks like Base64, which has `/`."""
    has_case = clue.value != clue.value.lower()
    is_key = has_case and clue.has_short_words and len(clue.value) >= _KEY
    return bool(_URL.match(clue.value) or (_PATH.fullmatch(clue.value) and not is_key))


def _is_common(clue: Clue) -> bool:
    """Return True for passwords such as `test`, `admin123` or `my-secret-password`."""
    rest = _COMMON.sub("", clue.value[:_COMMON_LENGTH].lower())
    is_short = len(clue.value) < _COMMON_LENGTH and len(rest) <= _SHORT
    is_common = is_short and len(rest) < len(clue.value) and not any(map(str.isalpha, rest))
    return is_common or bool(_SEQUENCE.search(clue.value))


def _is_own_name(clue: Clue) -> bool:
    """Return True in code for `password = "password"` and `api_key = "API_KEY"`.

    In settings, that may be the password.
    """
    value, name = _letters(clue.value), _letters(clue.name)
    is_same = value in name or (name in value and len(value) < 2 * len(name))
    is_name = clue.is_code and not clue.is_setting
    return is_name and is_same and 2 * len(value) > len(clue.value)


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text.lower()))


DEFAULT_PASSWORD: Final = secret_rule("default-password", "Default password")

_LIKELY, _POSSIBLE = Confidence.LIKELY, Confidence.POSSIBLE
RULES: Final = (
    # Keys and tokens with a form of their own.
    _Rule(Reason("key-header"), lambda clue: clue.key and not _KEY_BODY.search(clue.key)),
    _Rule(
        Reason("encrypted-key"),
        lambda clue: clue.key and _KEY_ENCRYPTED.search(clue.key),
        _POSSIBLE,
    ),
    _Rule(Reason("private-key"), lambda clue: clue.key, _LIKELY, _POSSIBLE),
    _Rule(Reason("public-key"), _is_public_key),
    _Rule(Reason("template"), _is_template),
    _Rule(
        Reason("published-value"),
        lambda clue: _PUBLISHED.search(clue.value),
        _POSSIBLE,
        _POSSIBLE,
    ),
    _Rule(Reason("placeholder-value"), _is_placeholder),
    _Rule(Reason("part-of-data"), lambda clue: clue.has_format and _LONGER.search(clue.before)),
    _Rule(Reason("known-format"), lambda clue: clue.has_format, _LIKELY, _POSSIBLE),
    # Files and lines that the project does not write by hand.
    _Rule(Reason("vendored-or-generated"), lambda clue: clue.kind in _FROM_ELSEWHERE),
    _Rule(
        Reason("data-line"),
        lambda clue: clue.line_length > _LONG_LINE and (clue.is_code or clue.is_weak),
    ),
    _Rule(Reason("encrypted-value"), lambda clue: _ENCRYPTED.search(clue.before)),
    # Names.
    _Rule(Reason("metadata-name"), lambda clue: clue.is_metadata),
    _Rule(Reason("digest-name"), lambda clue: clue.is_digest),
    _Rule(Reason("no-secret-name"), lambda clue: not clue.says_secret),
    _Rule(Reason("code"), _is_code),
    _Rule(Reason("own-name"), _is_own_name),
    # Values that are something else.
    _Rule(Reason("no-text"), lambda clue: _NO_TEXT.fullmatch(clue.value)),
    _Rule(Reason("address-or-path"), _is_address),
    _Rule(Reason("dotted-name"), lambda clue: _DOTTED.fullmatch(clue.value)),
    _Rule(Reason("sentence"), lambda clue: _WORDS.search(clue.value)),
    _Rule(Reason("digest-value"), lambda clue: _HASH.match(clue.value)),
    # Passwords.
    _Rule(
        Reason("local-address"),
        lambda clue: clue.is_local and (clue.is_weak or _is_common(clue)),
    ),
    _Rule(
        Reason("default-password"),
        lambda clue: clue.is_setting and _is_common(clue),
        _POSSIBLE,
        rule=DEFAULT_PASSWORD,
    ),
    _Rule(Reason("common-password"), _is_common),
    _Rule(
        Reason("weak-password"),
        lambda clue: clue.is_setting and clue.is_weak,
        _POSSIBLE,
        rule=DEFAULT_PASSWORD,
    ),
    _Rule(Reason("version-or-number"), lambda clue: _VERSION.fullmatch(clue.value)),
    _Rule(
        Reason("identifier"),
        lambda clue: _IDENTIFIER.fullmatch(clue.value) or _NUMBERED.fullmatch(clue.value),
    ),
    _Rule(Reason("weak-value"), lambda clue: clue.is_weak),
    # The rest is random, and its name says that it is secret.
    _Rule(Reason("local-password"), lambda clue: clue.is_local, _POSSIBLE),
    _Rule(
        Reason("test-name"),
        lambda clue: not _TEST_NAMES.isdisjoint(clue.words),
        _POSSIBLE,
        _POSSIBLE,
    ),
    _Rule(Reason("uuid"), lambda clue: _UUID.fullmatch(clue.value), _POSSIBLE),
    _Rule(Reason("named-secret"), lambda _clue: True, _LIKELY, _POSSIBLE),
)
