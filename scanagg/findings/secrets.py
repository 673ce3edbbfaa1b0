"""Judge whether what scanners report as a secret is one: ordered rules, each with a reason.

A rule sees a `Clue`: the value, the name that it is assigned to, the text around it, and the kind
of file. The first rule that fits decides. All patterns take linear time, because the value, the
name and the line come from the checked project.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import PurePosixPath
from typing import Final, NamedTuple

from scanagg.model import Confidence, Observation, PathKind, Reason, Rule
from scanagg.model.paths import path_kind
from scanagg.project.sources import Sources
from scanagg.scanners.base import scanner_info

# The characters of a value, and of the line on each side of it, that the rules look at.
_VALUE: Final = 4000
_AROUND: Final = 160
_LONG_LINE: Final = 1000
_SHORT: Final = 8
_RANDOM: Final = 16
_QUOTES: Final = ('"', "'", "`")
_MADE: Final = frozenset({PathKind.VENDORED, PathKind.GENERATED})


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_NAME: Final = re.compile(r"[A-Za-z_][\w.-]*")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# Words between a name and its value: `token: str = "..."`, `Authorization: Bearer ...`.
_GLUE: Final = _words(
    "str string text char const final optional none null b r u f rb br bearer basic default "
    "value val get getenv environ env set to is by with var let new byte bytes literal public "
    "static private echo data"
)
_SAYS_SECRET: Final = re.compile(
    r"passw|passphrase|passcode|pwd|secret|token|credential|private|salt|"
    r"(?:api|access|auth|account|client|consumer|crypt|encryption|license|master|service|shared|"
    r"sign|signing|storage|nonce|in)[_.-]?key|"
    r"(?:^|[^a-z])(?:pass|auth|authorization|key|keys|psk|pat)(?:$|[^a-z])|"
    r"(?:db|my|user|root|admin)_?pass(?![a-z])",
    re.IGNORECASE,
)
_PASSWORD: Final = re.compile(
    r"passw|passphrase|passcode|pwd|(?:^|[^a-z])pass(?:$|[^a-z])|"
    r"(?:db|my|user|root|admin)_?pass(?![a-z])",
    re.IGNORECASE,
)
_DIGESTS: Final = _words(
    "revision rev commit sha sha1 sha256 sha384 sha512 md5 digest digests checksum checksums "
    "hash hashes hexdigest etag integrity fingerprint thumbprint id ids uuid guid build version "
    "ref tag crc blake2b blake2 cid blob tree"
)
_METADATA: Final = _words(
    "name names url urls uri path paths file filename filenames dir directory folder type types "
    "field fields label labels title text hint help message messages msg error errors header "
    "headers prefix suffix length len size count format regex pattern patterns policy class "
    "column param params parameter parameters placeholder description desc expires expiry "
    "expiration ttl timeout lifetime age endpoint host port user username login email revision "
    "selector ref enabled required template reset attr attribute option options algorithm algo "
    "alg kind mode status validator validators widget view form page link route method scope "
    "scopes config env variable var source provider manager backend helper util utils handler "
    "store storage arn engine module import package doc docs info index cache context icon "
    "style css html"
)
_PLACEHOLDER: Final = re.compile(
    r"\$\{|\{\{|\}\}|%\(|<\w[\w .:/|-]*>|<%|\$\(|#\{|%[sdr]\b|\{\w*\}|\[\w+ ?\w*\]|\$[A-Za-z_]\w*$|"
    r"x{4,}|\*{3,}|\.{3}|…|-{6,}|_{4,}|#{3,}|\?{3,}|0{8,}|"
    r"abcdef|123456|654321|abc123|123abc|deadbeef|\A(.)\1*\Z|"
    r"change[_ -]?(?:me|this|it)|changed?me|replace|your|example|placeholder|insert|enter[_ -]|"
    r"dummy|sample|\bfake|foobar|redacted|censored|masked|todo|tbd|fixme|"
    r"not[_ -]?(?:a[_ -]?)?(?:real|secret|so)|here\b|lorem|some[_ -]|\bmy[_-]",
    re.IGNORECASE,
)
# Words of passwords that protect nothing.
_COMMON_WORDS: Final = _words(
    "my the new old super top very some test testing tester default root admin administrator "
    "user username db database mysql postgres postgresql sql mongo mongodb redis rabbitmq guest "
    "system dev demo temp temporary bad good wrong right valid invalid correct incorrect strong "
    "weak simple secure unsafe insecure not pass pwd passwd password passphrase passw0rd "
    "p4ssw0rd p@ssw0rd p@ssword pa$$word secret s3cr3t s3cret secr3t token key auth api access "
    "private public session client app foo bar baz qux spam eggs hello world letmein qwerty "
    "qwertyuiop asdf asdfgh abc abcd xyz nothing none null true false string text value hunter "
    "swordfish login name hidden unknown empty blank first second third one two three another "
    "other your this that is of for to account service server local localhost docker mypass jwt"
)
_COMMON: Final = re.compile(
    "|".join(re.escape(word) for word in sorted(_COMMON_WORDS, key=len, reverse=True))
)
_CODE: Final = re.compile(
    r"[\w\])]\(|\)\.|\]\.|=>|->|::|&&|\|\||[{};]|==|\+=|\bself\.|\bthis\.|os\.environ|process\.env|"
    r"\\[snrtdwb](?![a-z0-9])|\[\^"
)
_IDENTIFIER: Final = re.compile(
    r"[a-z]+(?:[_.:/-][a-z]+)+|[A-Z]+(?:[_.-][A-Z]+)+|_*[a-z]+(?:[A-Z][a-z]+)+|"
    r"(?:[A-Z][a-z]+){2,}|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+"
)
_URL: Final = re.compile(r"[a-z][a-z0-9+.-]{1,20}://|(?:\.{0,2}/|~/|[A-Za-z]:\\)[\w.-]|www\.", re.I)
_PATH: Final = re.compile(r"(?:[\w.@+-]*[/\\]){2,}[\w.@+-]*|[\w./-]+\.[a-z]{2,5}")
_WORDS: Final = re.compile(r"[^\W\d_]{2,}[,.:;!?]?\s+[^\W\d_]")
_UUID: Final = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE
)
_VERSION: Final = re.compile(
    r"[v=~^<>! ]*\d+(?:\.\d+)+[\w.+-]*|\d{4}-\d\d-\d\d[\dT:.Z+ -]*|[\d., ]+"
)
_PUBLIC: Final = re.compile(
    r"BEGIN (?:PUBLIC KEY|CERTIFICATE|RSA PUBLIC|SSH2 PUBLIC|PGP PUBLIC)|"
    r"(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-\w+) AAAA|\AAAAAB3NzaC1|"
    r"\AMII[A-Za-z]|\ALS0tLS1CRUdJTiBDRVJU"
)
_KEY_BEGIN: Final = re.compile(r"BEGIN [A-Z0-9 ]*PRIVATE KEY|PuTTY-User-Key-File|private key", re.I)
_KEY_BODY: Final = re.compile(r"[A-Za-z0-9+/=]{32,}")
_HASH: Final = re.compile(
    r"\$(?:2[abxy]|[156]|argon2\w*|pbkdf2[\w-]*|scrypt|apr1|y)\$|"
    r"(?:pbkdf2_\w+|argon2|bcrypt\w*|sha1|sha256|sha512|md5|scrypt)[$:]|\{S?SHA\d*\}|"
    r"sha\d+-[A-Za-z0-9+/]{20}"
)
_ENCRYPTED: Final = re.compile(
    r"\bsecure: *[\"']?\Z|!vault|!!binary|ENC\[|encrypted[\w-]*\W*\Z", re.I
)
_USER: Final = re.compile(r"://[^\s/@\"']{0,100}:\Z")
_LOCAL_HOST: Final = re.compile(
    r"@(?:[\w-]*(?=[:/\s\"'`?#,]|\Z)|localhost|127\.|0\.0\.0\.0|10\.|172\.|192\.168\.|\[?::1|"
    r"[\w.-]*(?:\bexample|\btest|\.local|\.internal|\.invalid)\b|[$%{<])",
    re.IGNORECASE,
)
_SOURCE: Final = _words(
    ".py .pyi .pyx .go .js .jsx .ts .tsx .mjs .cjs .java .kt .scala .rb .php .c .h .cc .cpp "
    ".hpp .cs .rs .swift .m .lua .pl .groovy .dart .vue .ex .exs .clj .erl .hs .r .cshtml .jsp"
)


class Clue:
    """The facts about one value that the rules use.

    `has_format` is True if a scanner knows the value by its form, and not by its name or its
    randomness. `key` is the text of a private key, None for any other value.
    """

    def __init__(
        self, value: str, line: str, path: str, *, has_format: bool = False, key: str | None = None
    ) -> None:
        """Find the text around the value."""
        self.value = value[:_VALUE].strip().strip("\"'`")
        self.line_length = len(line)
        start = max(line.find(self.value), 0)
        end = start + len(self.value)
        self.before = line[max(0, start - _AROUND) : start]
        self.after = line[end : end + _AROUND]
        self.kind = path_kind(path)
        self.is_code = PurePosixPath(path).suffix.lower() in _SOURCE
        self.has_format = has_format
        self.key = key

    @cached_property
    def in_address(self) -> bool:
        """True for the password of an address such as `redis://user:password@host`."""
        return self.after[:1] == "@" and _USER.search(self.before) is not None

    @cached_property
    def name(self) -> str:
        """The name that the value is assigned to, "" without one."""
        if self.in_address:
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
    def is_quoted(self) -> bool:
        """True if the value, or text that ends with it, is in quotes."""
        return self.after[:1] in _QUOTES if self.after else self.before[-1:] in _QUOTES

    @cached_property
    def is_weak(self) -> bool:
        """True for a value that a person can remember: short, or only letters or only digits."""
        value = self.value
        has_letter = any(map(str.isalpha, value))
        has_digit = any(map(str.isdigit, value))
        has_both_cases = value.lower() != value != value.upper()
        is_random = (has_letter and has_digit) or (has_both_cases and len(value) >= _RANDOM)
        return len(value) < _SHORT or not is_random


class Judgement(NamedTuple):
    """The confidence in a secret, with the reason, and the rule if it is another one."""

    confidence: Confidence
    reason: Reason
    rule: Rule | None = None


class _Rule(NamedTuple):
    """A rule: if it applies, the reason and the confidence, by kind of file."""

    reason: Reason
    applies: Callable[[Clue], object]
    production: Confidence = Confidence.UNLIKELY
    elsewhere: Confidence = Confidence.UNLIKELY
    rule: Rule | None = None


def assess(group: Sequence[Observation], sources: Sources) -> Judgement:
    """Return the judgement of a secret: that of the observation with the highest confidence."""
    judgements = [judge(clue) for clue in _clues(group, sources)]
    return min(judgements, key=lambda judgement: judgement.confidence.order)


def judge(clue: Clue) -> Judgement:
    """Return the judgement of the first rule that applies."""
    for rule in RULES:
        if rule.applies(clue):
            is_production = clue.kind is PathKind.PRODUCTION
            confidence = rule.production if is_production else rule.elsewhere
            return Judgement(confidence, rule.reason, rule.rule if is_production else None)
    raise AssertionError("the last rule applies to every clue")


def _clues(group: Sequence[Observation], sources: Sources) -> Iterator[Clue]:
    """Yield a clue for each observation. One without a value counts only if none has one."""
    named = [one for one in group if one.secret and one.secret.value] or group
    for observation in named:
        place = observation.location
        value = observation.secret.value if observation.secret else ""
        line = key = None
        if place and place.start_line:
            line = sources.line(place.path, place.start_line)
            if line and _KEY_BEGIN.search(line):
                lines = sources.file(place.path).lines
                key = "\n".join(lines[place.lines.start - 1 : place.lines.stop - 1])
        info = scanner_info(observation.scanner)
        guesses = {*info.generic_rules, *info.guessing_rules}
        yield Clue(
            value,
            line or "",
            place.path if place else "",
            has_format=observation.rule.id not in guesses,
            key=key if not value else None,
        )


def _is_own_name(clue: Clue) -> bool:
    """Return True for `password = "password"` in code, and `api_key = "API_KEY"`."""
    value, name = _letters(clue.value), _letters(clue.name)
    return bool(value) and (value in name or (name in value and len(value) < 2 * len(name)))


def _letters(text: str) -> str:
    return "".join(filter(str.isalpha, text.lower()))


def _is_common(clue: Clue) -> bool:
    """Return True for passwords such as `test`, `admin123` or `my-secret-password`."""
    rest = _COMMON.sub("", clue.value.lower())
    return len(rest) < len(clue.value) and not any(map(str.isalpha, rest)) and len(rest) <= _SHORT


DEFAULT_PASSWORD: Final = Rule(
    id="default-password",
    name="default-password",
    title="Default password",
    help="Set it from the environment or a secret manager, and refuse to start without it.",
    why="Attackers try default passwords first, and this one may be in use unchanged.",
)

_LIKELY, _POSSIBLE = Confidence.LIKELY, Confidence.POSSIBLE
RULES: Final = (
    _Rule(
        Reason("key-header"),
        lambda clue: clue.key is not None and not _KEY_BODY.search(clue.key),
    ),
    _Rule(Reason("public-key"), lambda clue: _PUBLIC.search(clue.value)),
    _Rule(
        Reason("other-people-file"),
        lambda clue: clue.kind in _MADE and not clue.has_format and clue.key is None,
    ),
    _Rule(Reason("placeholder-value"), lambda clue: _PLACEHOLDER.search(clue.value)),
    _Rule(
        Reason("part-of-data"),
        lambda clue: clue.has_format and clue.before[-1:].isalnum() and clue.after[:1].isalnum(),
    ),
    _Rule(Reason("private-key"), lambda clue: clue.key, _LIKELY, _POSSIBLE),
    _Rule(Reason("known-format"), lambda clue: clue.has_format, _LIKELY, _POSSIBLE),
    _Rule(Reason("data-line"), lambda clue: clue.line_length > _LONG_LINE),
    _Rule(Reason("encrypted-value"), lambda clue: _ENCRYPTED.search(clue.before)),
    _Rule(
        Reason("local-address"),
        lambda clue: clue.in_address and _LOCAL_HOST.match(clue.after),
    ),
    _Rule(Reason("code-not-value"), lambda clue: clue.is_code and not clue.is_quoted),
    _Rule(Reason("code-not-value"), lambda clue: _CODE.search(clue.value)),
    _Rule(Reason("metadata-name"), lambda clue: clue.words[-1:] and clue.words[-1] in _METADATA),
    _Rule(Reason("digest-name"), lambda clue: not _DIGESTS.isdisjoint(clue.words)),
    _Rule(Reason("digest-value"), lambda clue: _HASH.match(clue.value)),
    _Rule(Reason("no-secret-name"), lambda clue: not _SAYS_SECRET.search(clue.name)),
    _Rule(Reason("own-name"), lambda clue: clue.is_code and _is_own_name(clue)),
    _Rule(Reason("address-or-path"), lambda clue: _URL.match(clue.value)),
    _Rule(Reason("address-or-path"), lambda clue: _PATH.fullmatch(clue.value)),
    _Rule(Reason("words"), lambda clue: _WORDS.search(clue.value)),
    _Rule(Reason("version-or-number"), lambda clue: _VERSION.fullmatch(clue.value)),
    _Rule(Reason("uuid"), lambda clue: _UUID.fullmatch(clue.value), _POSSIBLE),
    _Rule(
        Reason("default-password"),
        lambda clue: _is_common(clue) and not clue.is_code,
        _POSSIBLE,
        rule=DEFAULT_PASSWORD,
    ),
    _Rule(Reason("common-password"), _is_common),
    _Rule(Reason("identifier"), lambda clue: _IDENTIFIER.fullmatch(clue.value)),
    _Rule(
        Reason("weak-password"),
        lambda clue: clue.is_weak and _PASSWORD.search(clue.name) and not clue.is_code,
        _POSSIBLE,
        rule=DEFAULT_PASSWORD,
    ),
    _Rule(Reason("weak-value"), lambda clue: clue.is_weak),
    _Rule(Reason("named-secret"), lambda _clue: True, _LIKELY, _POSSIBLE),
)
