"""Make broken inputs out of good ones: flipped bytes, moved lines, other JSON values."""

import json
import random
from collections.abc import Sequence
from typing import Any

TOKENS = (
    *(b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xc3\x28", b"\xed\xa0\x80", b"\x1b[31m", b"\x85"),
    *(b"::error::x", b"##[add-mask]", b"\r", b"\n", b"\r\n", b"\xe2\x80\xa8", b"\xe2\x80\xae"),
    *(b"../../etc/passwd", b"/dev/zero", b"-", b"--", b"'", b'"', b'"""', b"\\", b"\\u0000", b"#"),
    *(b"null", b"true", b"0", b"-1", b"1e999", b"9" * 4400, b"9223372036854775808", b"NaN", b"0x1"),
    *(b"9999-12-31T23:59:59Z", b"0001-01-01T00:00:00+14:00", b"2024-02-30", b"1.0.dev1!+x", b"2!1"),
    *(
        b"[" * 300,
        b"{" * 300,
        b"(" * 300,
        b'{"a":' * 300,
        b"*" * 60,
        b"a" * 999,
        b"- " * 99,
    ),
    *(
        b"&a [*a, *a]",
        b"!!python/object:x {}",
        b"<<: *x",
        b"? ",
        b"[[",
        b"]]",
        b"= {",
        b"@ file:///",
    ),
    *(b"a @ https://u:p@h.invalid/a.zip", b"; python_version < '3'", b"[extra]", b"==1.*", b"~="),
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 10**25, -(2**63), 1e308, "", "x", "\0", "\ud800", "\u202e"),
    *([], {}, [None], [[]], {"": None}, [1, "a"], {"a": {"b": []}}, "a" * 999, "9" * 4400),
    *("9999-12-31T23:59:59Z", "not a date", "../../etc/passwd", "::error::x", "\x1b[2J", "1" * 400),
    *("CVSS:3.1/AV:N", "CRITICAL", "pkg:pypi/x", "https://[", "-1", "1.0", "==", "B" * 200),
)
DEEP = 20_000


def mutated(seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Return one of the inputs with one to four changes."""
    data = chance.choice(seeds)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        kinds = [_bytes, _bytes, _lines, _tokens, _spliced]
        if data.lstrip()[:1] in (b"{", b"["):
            kinds += [_json] * 6
        data = chance.choice(kinds)(data, seeds, chance)
    return data


def _span(data: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randrange(len(data) + 1)
    return start, min(len(data), start + int(chance.expovariate(1 / 12)))


def _bytes(data: bytes, _seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Flip, remove, repeat or cut bytes."""
    start, end = _span(data, chance)
    match chance.randrange(5):
        case 0 if data:
            changed = bytearray(data)
            changed[start - 1] ^= 1 << chance.randrange(8)
            return bytes(changed)
        case 1:
            return data[:start] + data[end:]
        case 2:
            return data[:end] + data[start:end] * chance.randrange(1, 9) + data[end:]
        case 3:
            return data[:start]
    return data[:start] + chance.randbytes(chance.randrange(1, 5)) + data[end:]


def _lines(data: bytes, _seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Move, repeat or remove a line."""
    lines = data.splitlines(keepends=True) or [b""]
    line = lines.pop(chance.randrange(len(lines)))
    for _ in range(chance.randrange(3)):
        lines.insert(chance.randrange(len(lines) + 1), line)
    return b"".join(lines)


def _tokens(data: bytes, _seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Put a dangerous text at a place, or in place of a word."""
    start, end = _span(data, chance)
    if chance.random() < 0.5:
        end = start
    return data[:start] + chance.choice(TOKENS) + data[end:]


def _spliced(data: bytes, seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Join the start of this input and the end of another one."""
    other = chance.choice(seeds)
    return data[: _span(data, chance)[0]] + other[_span(other, chance)[0] :]


def _json(data: bytes, _seeds: Sequence[bytes], chance: random.Random) -> bytes:
    """Change one value of JSON, or of JSON lines."""
    lines = data.splitlines() if data.count(b"\n{") else [data]
    number = chance.randrange(len(lines))
    try:
        root = [json.loads(lines[number])]
    except (ValueError, RecursionError):
        return data
    if chance.random() < 0.005:
        return data.replace(b"[", b"[" * DEEP, 1)
    parents = [(root, 0)]
    pending: list[Any] = [root[0]]
    while pending:
        node = pending.pop()
        if isinstance(node, list | dict):
            keys = list(node) if isinstance(node, dict) else range(len(node))
            parents += [(node, key) for key in keys]
            pending += [node[key] for key in keys]
    parent, key = chance.choice(parents)
    other, other_key = chance.choice(parents)
    match chance.randrange(6):
        case 0 if parent is not root:
            del parent[key]
        case 1 if isinstance(parent, list) and len(parent) < 1000:
            parent.insert(key, parent[key])
        case 2 if isinstance(parent, dict):
            parent[chance.choice(("", "x", "id", "Name", "\ud800"))] = parent.pop(key)
        case 3 if not isinstance(other[other_key], list | dict):
            parent[key] = other[other_key]
        case _:
            parent[key] = chance.choice(VALUES)
    lines[number] = json.dumps(root[0]).encode()
    return b"\n".join(lines)
