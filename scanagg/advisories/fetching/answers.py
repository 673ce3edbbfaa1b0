"""What an answer's status and headers mean, before any of its body is read."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

from scanagg.advisories.fetching.wire import TransientError
from scanagg.core.errors import DownloadError
from scanagg.core.text import one_line, shorten

# What may be over in a moment (RFC 9110, RFC 6585).
_PASSING: Final = (408, 429, 500, 502, 503, 504)
_RANGE: Final = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18}|\*)")
_LATEST: Final = timedelta(days=3650).total_seconds()
_WORDS: Final = 100


def refusal(
    status: int, headers: Mapping[str, str], where: str, option: str, now: datetime
) -> DownloadError | TransientError:
    """What a status that brings no data means; `where` is the address, `option` the one for it."""
    error = DownloadError(f"{where} answers {status}{_phrase(status)}", _remedy(status, option))
    wait = retry_after(headers.get("Retry-After", ""), now)
    return TransientError(error, wait) if status in _PASSING else error


def retry_after(value: str, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header (seconds, or a date of HTTP); None where it is none.

    Source: RFC 9110, 10.2.3.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:12]), _LATEST)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError, IndexError):
        return None
    moment = moment.replace(tzinfo=moment.tzinfo or UTC)
    return min(max((moment - now).total_seconds(), 0.0), _LATEST)


def too_long(error: DownloadError, wait: float, now: datetime) -> DownloadError:
    """The error of a server that asks for more patience than there is."""
    moment = (now + timedelta(seconds=wait)).strftime("%Y-%m-%d %H:%M:%S UTC")
    return DownloadError(error.message, f"It asks to try again after {moment}.")


def length_of(headers: Mapping[str, str]) -> int | None:
    """Content-Length; None where it is not there or no number."""
    text = headers.get("Content-Length", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def continues(headers: Mapping[str, str], offset: int, total: int | None) -> int | None:
    """The size of the whole, where a 206 goes on from `offset` to the end of the same file."""
    match = _RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if match is None or int(match[1]) != offset or match[3] == "*":
        return None
    whole = int(match[3])
    return whole if total in (None, whole) and int(match[2]) == whole - 1 else None


def first_words(beginning: bytes) -> str:
    """What a page that is no data says first: its text without tags, fit to show."""
    text = beginning.decode("utf-8", "replace")
    plain = re.sub(r"(?is)<(script|style)\b.*?(</\1\s*>|$)|<[^>]*>?", " ", text)
    words = " ".join((plain if plain.strip() else text).split())
    return shorten(one_line(words), _WORDS)


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""


def _remedy(status: int, option: str) -> str:
    if status in (401, 403):
        return "Where it asks for a password, write it into a netrc file."
    if status == 407:
        return "The proxy asks for a password; see HTTP_PROXY and HTTPS_PROXY."
    if status in (404, 410):
        return f"Check the address; {option} sets another one."
    if status in _PASSING:
        return "Try again later."
    return f"Look at what the server answers, or set another address with {option}."
