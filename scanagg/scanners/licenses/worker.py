"""Metadata of packages, from the files beside the wheels of a package index (PEP 658).

As a program (`python -P -m scanagg.scanners.licenses.worker [PIP-OPTION...]`), it reads pins from
stdin, one in a line, and prints a report in the form of `pip install --report`. The pins that no
index has are in `absent`; those in neither are left to pip, which can read more kinds of indexes.

pip builds the session from its own configuration: indexes, credentials, proxies, certificates and
trusted hosts. So credentials go only to the hosts that pip would send them to.
"""

import hashlib
import io
import logging
import re
import sys
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from html.parser import HTMLParser
from operator import itemgetter
from pathlib import Path
from time import monotonic
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import unquote, urljoin, urlsplit

import msgspec
from msgspec.structs import replace
from packaging.metadata import parse_email
from packaging.tags import sys_tags
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version
from pip import __version__ as pip_version
from pip._internal.commands import create_command
from pip._internal.exceptions import PipError
from pip._internal.models.link import Link
from pip._internal.utils.urls import url_to_path

from scanagg.scanners import pinned

if TYPE_CHECKING:
    from pip._internal.network.session import PipSession

REPORT_VERSION: Final = "1"

# The size of the pool of connections of a session.
_REQUESTS: Final = 10
# The largest pages of PyPI have 6 MB, the longest metadata has some 300 kB.
_LONGEST_PAGE: Final = 64 << 20
_LONGEST_METADATA: Final = 4 << 20
# Larger wheels without a metadata file are left to pip.
_LARGEST_WHEEL: Final = 16 << 20
_SECONDS: Final = 60.0
_CHUNK: Final = 1 << 16
_JSON: Final = "application/vnd.pypi.simple.v1+json"
_TYPES: Final = f"{_JSON}, text/html;q=0.1"
_OK: Final = 200
_NOT_THERE: Final = (404, 410)
_HASHES: Final = ("sha256", "sha384", "sha512")
_METADATA: Final = re.compile(r"[^/]+\.dist-info/METADATA")
# Hashes are those of the bytes as they are sent.
_AS_SENT: Final[Mapping[str, str]] = MappingProxyType({"Accept-Encoding": "identity"})


_Metadata = dict[str, object]
"""The metadata of a package as in pip's report."""


class _File(msgspec.Struct, frozen=True):
    """A file of a project; `core` are the hashes of its metadata file, or if there is one."""

    filename: str
    url: str
    hashes: Mapping[str, str] = msgspec.field(default_factory=dict)
    core: bool | dict[str, str] | None = msgspec.field(name="core-metadata", default=None)
    dist_info: bool | dict[str, str] | None = msgspec.field(name="dist-info-metadata", default=None)

    @property
    def metadata(self) -> bool | dict[str, str] | None:
        """The hashes of the metadata file, or if there is one; None if the index does not say."""
        return self.dist_info if self.core is None else self.core


class _Page(msgspec.Struct, frozen=True):
    files: tuple[_File, ...]


class _Answer(msgspec.Struct, frozen=True):
    url: str
    content: bytes
    type: str


class _UnusableError(Exception):
    """The answer of the index cannot be used: pip is asked instead."""


class _Links(HTMLParser):
    """The files of a page in HTML (PEP 503)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.files: list[_File] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag != "a" or not named.get("href"):
            return
        url, _, fragment = str(named["href"]).partition("#")
        core = named.get("data-core-metadata", named.get("data-dist-info-metadata"))
        name = unquote(url.partition("?")[0].rpartition("/")[2])
        self.files.append(_File(name, url, _hashes(fragment), _hashes(core or "") or None))


class _Index:
    """The package indexes of pip's configuration."""

    def __init__(self, arguments: Iterable[str]) -> None:
        command: Any = create_command("install")
        self.options, _ = command.parse_args(["--no-input", "--no-cache-dir", *arguments])
        self._session: PipSession = command._build_session(self.options)
        urls = [] if self.options.no_index else [self.options.index_url]
        urls += self.options.extra_index_urls
        self._urls = [url for url in urls if self._is_web(url)]
        self._local = [Path(url_to_path(url)) for url in urls if url.startswith("file:")]
        # Any other source could have any pin.
        self._is_whole = len(self._urls) + len(self._local) == len(urls) > 0
        self._ranks = {tag: rank for rank, tag in enumerate(sys_tags())}

    def answer(self, pin: str) -> _Metadata | Literal["absent", "left"]:
        """Return the metadata of a pin; else, if no index has a wheel of it, or it is left to pip.

        OSError or PipError if an index does not answer.
        """
        try:
            return self._metadata(pin) or "absent"
        except (_UnusableError, ValueError, RecursionError):
            return "left"

    def _metadata(self, pin: str) -> _Metadata | None:
        name, _, version = pin.partition("==")
        wanted = pinned.key(name, version)
        if wanted is None or not self._is_whole:
            raise _UnusableError
        for filename, path in self._local_files(wanted[0]):
            if _is_wheel_of(filename, wanted):
                return _checked(_of_wheel(path), wanted)
        for url in self._urls:
            page = self._get(f"{url.rstrip('/')}/{wanted[0]}/", _LONGEST_PAGE, {"Accept": _TYPES})
            wheels = self._wheels(page, wanted) if page else []
            if wheels:
                return _checked(self._content(wheels[0]), wanted)
        return None

    def _local_files(self, name: str) -> Iterator[tuple[str, Path]]:
        """Yield the files of a project in the folders of the configuration, and their paths."""
        for folder in self._local:
            page = folder / name / "index.html"
            if page.is_file():
                for file in _Links(page.read_text("utf-8")).files:
                    url = urljoin(page.as_uri(), file.url)
                    if url.startswith("file:"):
                        yield file.filename, Path(url_to_path(url))
            elif page.parent.exists():
                raise _UnusableError
        for place in self.options.find_links:
            path = Path(url_to_path(place) if place.startswith("file:") else place)
            if not path.is_dir():
                raise _UnusableError
            yield from ((file.name, file) for file in path.iterdir())

    def _is_web(self, url: str) -> bool:
        return urlsplit(url).scheme in ("http", "https") and self._session.is_secure_origin(
            Link(url)
        )

    def _wheels(self, page: _Answer, wanted: pinned.Key) -> list[_File]:
        """Return the wheels of a version. Those that pip would take come first."""
        if page.type.startswith(_JSON):
            files = msgspec.json.decode(page.content, type=_Page).files
        elif page.type.startswith("text/html"):
            files = tuple(_Links(page.content.decode("utf-8", "replace")).files)
        else:
            raise _UnusableError
        ranked = []
        for file in files:
            if _is_wheel_of(file.filename, wanted):
                tags = parse_wheel_filename(file.filename)[3]
                rank = min(self._ranks.get(tag, len(self._ranks)) for tag in tags)
                ranked.append((rank, file.filename, replace(file, url=urljoin(page.url, file.url))))
        return [file for _, _, file in sorted(ranked, key=itemgetter(0, 1))]

    def _content(self, wheel: _File) -> bytes:
        """Return the metadata of a wheel, from the file beside it, else from the wheel.

        Its hash is the one that the index has for it. Mirrors can have the file without saying so.
        """
        parts = urlsplit(wheel.url)
        url = parts._replace(path=f"{parts.path}.metadata").geturl()
        if not self._is_web(url):
            raise _UnusableError
        answer = self._get(url, _LONGEST_METADATA) if wheel.metadata is not False else None
        if answer:
            hashes = wheel.metadata if isinstance(wheel.metadata, dict) else {}
            return _with_hash(answer.content, hashes)
        answer = self._get(wheel.url, _LARGEST_WHEEL)
        if not answer or not wheel.hashes:
            raise _UnusableError
        return _of_wheel(io.BytesIO(_with_hash(answer.content, wheel.hashes)))

    def _get(self, url: str, longest: int, headers: Mapping[str, str] = _AS_SENT) -> _Answer | None:
        """Return the answer at an address; None if there is none. _UnusableError if too long."""
        end = monotonic() + _SECONDS
        with self._session.get(url, headers=headers, stream=True) as response:
            if response.status_code in _NOT_THERE:
                return None
            size = int(response.headers.get("Content-Length", "0"))
            if response.status_code != _OK or size > longest or not self._is_web(response.url):
                raise _UnusableError
            content = bytearray()
            for chunk in response.iter_content(_CHUNK):
                content += chunk
                if len(content) > longest or monotonic() > end:
                    raise _UnusableError
            return _Answer(response.url, bytes(content), response.headers.get("Content-Type", ""))


@lru_cache(maxsize=1 << 16)
def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except ValueError:
        return None


def _is_wheel_of(filename: str, wanted: pinned.Key) -> bool:
    name, _, rest = filename.partition("-")
    return (
        filename.endswith(".whl")
        and canonicalize_name(name) == wanted[0]
        and _version(rest.partition("-")[0]) == wanted[1]
    )


def _hashes(text: str) -> dict[str, str]:
    name, equals, value = text.partition("=")
    return {name: value} if equals else {}


def _of_wheel(wheel: Path | io.BytesIO) -> bytes:
    """Return the metadata in a wheel. _UnusableError without any, or if it is too long."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            (name,) = (name for name in archive.namelist() if _METADATA.fullmatch(name))
            with archive.open(name) as file:
                metadata = file.read(_LONGEST_METADATA + 1)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise _UnusableError from error
    if len(metadata) > _LONGEST_METADATA:
        raise _UnusableError
    return metadata


def _with_hash(content: bytes, hashes: Mapping[str, str]) -> bytes:
    """Return the content. _UnusableError if its hash differs, or is of an unknown kind."""
    known = {name: value for name, value in hashes.items() if name in _HASHES}
    if len(known) < min(1, len(hashes)):
        raise _UnusableError
    for name, value in known.items():
        if hashlib.new(name, content).hexdigest() != value.lower():
            raise _UnusableError
    return content


def _checked(content: bytes, wanted: pinned.Key) -> _Metadata:
    """Return the fields of metadata in pip's words. _UnusableError for another package."""
    raw, _ = parse_email(content)
    if pinned.key(raw.get("name", ""), raw.get("version", "")) != wanted:
        raise _UnusableError
    fields = ("name", "version", "metadata_version", "license", "license_expression")
    return {
        **{field: raw[field] for field in fields if field in raw},  # type: ignore[literal-required]
        "classifier": raw.get("classifiers", []),
    }


def main() -> None:
    """Print the report on the pins of stdin. Exit code 1 if the index does not answer."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    index = _Index(sys.argv[1:])
    pins = sys.stdin.read().split()
    # The first one alone: if the index does not answer, the others need not wait for that, and if
    # it wants a password, a keyring is asked once.
    try:
        answers = {pin: index.answer(pin) for pin in pins[:1]}
    except (OSError, PipError) as error:
        sys.exit(f"ERROR: the package index does not answer: {error}")

    def answer(pin: str) -> _Metadata | Literal["absent", "left"]:
        try:
            return index.answer(pin)
        except (OSError, PipError):
            return "left"

    with ThreadPoolExecutor(_REQUESTS) as pool:
        answers.update(zip(pins[1:], pool.map(answer, pins[1:]), strict=True))
    report = {
        "version": REPORT_VERSION,
        "pip_version": pip_version,
        "install": [{"metadata": each} for each in answers.values() if isinstance(each, dict)],
        "absent": [pin for pin, each in answers.items() if each == "absent"],
    }
    sys.stdout.write(msgspec.json.encode(report).decode())


if __name__ == "__main__":
    main()
