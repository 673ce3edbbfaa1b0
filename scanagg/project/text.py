"""Text of the target's files: its encoding, and names that promise text.

A program that runs or reads a file does not ask if it looks binary: a shell skips NUL bytes, and a
Latin-1 file with a control character still sets variables. So a file that is named like text, or
can be run as a script, or that has few control characters, is text.
"""

import codecs
import re
import stat
from functools import partial
from typing import Final

from scanagg.project.python_code import STARTUP_SUFFIX

MAX_BYTES: Final = 8 << 20
"""The size up to which files are shown. Programs generate larger ones."""

SNIFFED_BYTES: Final = 8000
"""The part of a file by which git detects text."""

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# As in pip, which takes any white space before the name.
_CODING: Final = re.compile(rb"#.*?coding[:=]\s*([-\w.]+)", re.DOTALL)
# Codecs for the names of hosts, which take quadratic time.
_NOT_FOR_FILES: Final = frozenset(("punycode", "idna"))
_WIDE_NAMES: Final = ("utf-16", "utf-32")
_WIDE: Final = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
# The share of ASCII characters in wide text without a mark and in text with controls, at least.
_ASCII_SHARE: Final = 0.7
# Wide text has no such run of bytes, except in East Asian scripts.
_NARROW: Final = re.compile(rb"[\x20-\x7e]{8}")
# Bytes that are not in text: C0 controls except \b \t \n \f \r and escape; and DEL.
_CONTROLS: Final = re.compile(rb"[\x00-\x07\x0b\x0e-\x1a\x1c-\x1f\x7f]")

_NAMES: Final = re.compile(
    r"""(?i:(?!.*\.(?:gz|bz2|xz|zst|zip|py[co])\Z)(?:\.env.*|\.[\w-]+rc|\.git\w+|\.netrc|_netrc|\.pgpass|\.htpasswd|\.(?:bash_)?profile
    |(?:docker|container|make|gnumake|jenkins|proc|vagrant|rake|gem|pip|brew|just|task)file(?:\..+)?
    |(?:readme|licen[cs]e|copying|notice|authors|changelog|changes|todo)(?:\..+)?
    |id_(?:rsa|dsa|ecdsa|ed25519)|credentials|secrets?|config|hosts|crontab
    |.*\.(?:sh|bash|zsh|ksh|csh|fish|ps1|psm1|psd1|bat|cmd|py|pyw|pyi|pyx|ipynb|ya?ml|json[5lc]?
    |toml|ini|cfg|conf|cnf|properties|env|envrc|txt|text|md|markdown|rst|adoc|csv|tsv|xml|html?|css
    |m?js|cjs|jsx|tsx?|vue|svelte|sql|tf|tfvars|tofu|hcl|j2|jinja2?|tmpl|tpl|template|in|example
    |sample|dist|go|rs|java|kts?|rb|php|p[lm]|c|h|cc|cpp|hpp|cs|swift|scala|groovy|gradle|lua|r|jl
    |ex|exs|erl|clj|dart|mk|cmake|proto|graphql|service|socket|timer|desktop|pem|asc|pypirc
    |npmrc|log|diff|patch|lock)))""",
    re.VERBOSE,
)
# The first bytes of programs, archives, pictures, databases and translations.
_FORMATS: Final = (
    *(b"\x7fELF", b"MZ", b"\xfe\xed\xfa", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe"),
    *(b"\xca\xfe\xba\xbe", b"!<arch>", b"\0asm", b"PK\x03\x04", b"\x1f\x8b", b"BZh"),
    *(b"\xfd7zXZ", b"7z\xbc\xaf", b"(\xb5/\xfd", b"\x89PNG", b"GIF8", b"\xff\xd8\xff"),
    *(b"%PDF", b"RIFF", b"SQLite", b"\0\0\1\0", b"\xde\x12\x04\x95"),
    # Compiled Python, 3.8 to 3.14.
    *(bytes((first, 13, 13, 10)) for first in (0x55, 0x61, 0x6F, 0xA7, 0xCB, 0xF3)),
    b"\x2b\x0e\r\n",
)
# The share of control characters in such text, at most. Binary formats have more of them.
_CONTROL_SHARE: Final = 0.1
# The same for a file that begins like one of these formats: text may do so too.
_FORMAT_SHARE: Final = 0.02
# The names of pictures, archives, models and other files that are not text.
_BINARY_NAMES: Final = re.compile(
    r"""(?i:.*\.(?:png|jpe?g|gif|bmp|ico|tiff?|webp|avif|heic|psd|pdf|docx?|xlsx?|pptx?|odt|ods|epub
    |mp[34]|m4[av]|wav|flac|ogg|webm|mov|avi|mkv|ttf|otf|woff2?|eot|zip|gz|tgz|bz2|xz|zst|7z|rar|tar
    |jar|whl|deb|rpm|dmg|iso|exe|dll|so|dylib|a|o|bin|dat|db|sqlite3?|parquet|feather|arrow|avro|orc
    |np[yz]|pkl|pickle|pt|pth|ckpt|onnx|safetensors|gguf|h5|hdf5|tflite|pb|joblib|mat|glb|blend|fbx))
    """,
    re.VERBOSE,
)
CONFLICT: Final = re.compile(r"^(?:<{7}|\|{7}|={7}|>{7})(?:[ \t][^\r\n]*+)?(?=\r?$)", re.MULTILINE)
"""A line that git writes around the sides of a merge conflict."""

_SHEBANG: Final = re.compile(rb"(?:\xef\xbb\xbf)?#!")


def encoding_of(head: bytes, name: str = "", mode: int = 0) -> str | None:
    """Return the encoding of a text by its first bytes; None if it is not text.

    `name` and `mode` are those of its file. "utf-8" includes Latin-1, see `decode`.
    """
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    if not _CONTROLS.search(head):
        return "utf-8"
    wide = next(filter(partial(_is_wide, head), _WIDE), None)
    return wide or ("utf-8" if _promises_text(head, name, mode) else None)


def promises_binary(name: str) -> bool:
    """Return True for the name of a picture, an archive or the like."""
    return _BINARY_NAMES.fullmatch(name) is not None


def decode(raw: bytes, encoding: str) -> str:
    """Return the text, without NUL characters, because a shell skips them.

    Text that is not valid UTF-8 is Latin-1: every other encoding for one language has the same
    ASCII characters and line ends. A mark or some zeros do not make narrow text wide: a shell
    ignores them, so nothing may hide behind them.
    """
    if encoding.startswith(_WIDE_NAMES) and not _NARROW.search(raw):
        return raw.decode(encoding, "replace").replace("\0", "")
    narrow = raw.replace(b"\0", b"")
    try:
        return narrow.decode("utf-8-sig")
    except UnicodeDecodeError:
        return narrow.decode("latin-1")


def has_mark(raw: bytes) -> bool:
    """Return True for text that begins with a byte order mark."""
    return raw.startswith(tuple(mark for mark, _ in _MARKS))


def coding_of(raw: bytes) -> str | None:
    """Return the encoding that a comment in the first two lines names; None without one."""
    coding = next(filter(None, map(_CODING.match, raw.split(b"\n", 2)[:2])), None)
    return coding[1].decode("ascii", "replace") if coding else None


def decode_as_pip(raw: bytes) -> str:
    """Return a list of requirements by its mark, by its coding line, or as UTF-8.

    Wrong bytes stay visible. LookupError or ValueError if there is no such encoding.
    """
    for mark, encoding in _MARKS:
        if raw.startswith(mark):
            return raw.decode(encoding, "replace")
    encoding = coding_of(raw) or "utf-8"
    if codecs.lookup(encoding).name in _NOT_FOR_FILES:
        raise LookupError(encoding)
    return raw.decode(encoding, "replace")


def _is_wide(head: bytes, encoding: str) -> bool:
    """Return True for text, mostly ASCII, in an encoding with several bytes for a character."""
    text = head.decode(encoding, "replace")
    if _CONTROLS.search(text.encode("utf-8", "replace")):
        return False
    return sum(map(str.isascii, text)) >= _ASCII_SHARE * len(text)


def _is_mostly_text(head: bytes, name: str) -> bool:
    """Return True for text with few control characters; any number in a file that Python runs."""
    is_utf8 = _is_utf8(head)
    if name.endswith(STARTUP_SUFFIX):
        return is_utf8
    share = _FORMAT_SHARE if head.startswith(_FORMATS) else _CONTROL_SHARE
    if len(_CONTROLS.findall(head)) > share * len(head):
        return False
    return is_utf8 or sum(byte < 0x80 for byte in head) >= _ASCII_SHARE * len(head)


def _is_utf8(head: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _promises_text(head: bytes, name: str, mode: int) -> bool:
    """Return True for a script, and a file whose name or content is that of a text."""
    if _SHEBANG.match(head) or _NAMES.fullmatch(name) or _is_mostly_text(head, name):
        return True
    is_executable = bool(stat.S_IMODE(mode) & 0o111)
    return is_executable and "." not in name and not head.startswith(_FORMATS)
