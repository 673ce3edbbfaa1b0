"""Which addresses data may come from: those that a user names, and where a server sends us on."""

import ipaddress
import socket
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import SplitResult, urljoin, urlsplit

import msgspec
from msgspec.structs import replace

from scanagg.core.errors import DownloadError, UsageError
from scanagg.core.text import one_line, shorten

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str], Sequence[IpAddress]]
"""All addresses of a host; none where it has none, or nobody can be asked."""

_REDIRECTS: Final = 5
_SHOWN: Final = 200
# IPv6 of a network that has none for IPv4: the last 32 bits are the IPv4 address (RFC 6052).
_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")


def refuse_unusable(url: str, option: str) -> None:
    """UsageError where `url`, given by `option`, is no address of http that reports may show."""
    parts = _parts(url)
    if parts is not None and "@" in parts.netloc:
        raise UsageError(
            f"{option} holds a user name or password, which reports would show",
            "Leave it out; a netrc file is read.",
        )
    if parts is not None and parts.scheme == "file":
        raise UsageError(
            f"{option} is a file, not an address to download from", "Use scanagg db import PATH."
        )
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(
            f"{option} is no address: {shorten(one_line(url), _SHOWN)}",
            "Give a whole one, such as https://mirror.example.com/PyPI/all.zip.",
        )


def host_of(url: str) -> str:
    """The host of an address, with its port where that is given; never a user or password."""
    return urlsplit(url).netloc.rpartition("@")[2]


def shown(url: str) -> str:
    """An address without what may be secret in it: the query, a user, a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{host_of(url)}{parts.path}"


def is_proxy(address: str) -> bool:
    """Whether an address, whose scheme may be left out, can be that of a proxy."""
    parts = _parts(address if "://" in address else f"http://{address}")
    return parts is not None and bool(parts.hostname)


def same_origin(one: str, other: str) -> bool:
    """Whether two addresses are of one service: the same scheme, host and port."""
    return _origin(urlsplit(one)) == _origin(urlsplit(other))


class Trail(msgspec.Struct, frozen=True):
    """Where we are on the way from the address that was asked for, after how many redirects.

    `public` tells that a host on the way may be anyone's: from there on, nothing leads to an
    address of a private network.
    """

    first: str
    here: str
    steps: int = 0
    public: bool = False


def follow(trail: Trail, location: str | None, resolve: Resolve) -> Trail:
    """The trail after one more redirect. DownloadError where we do not go there."""
    host = host_of(trail.here)
    target = _target(trail.here, location)
    if target is None:
        raise DownloadError(f"{host} redirects to no usable address", _say(location))
    if trail.steps == _REDIRECTS:
        raise DownloadError(
            f"{host_of(trail.first)} redirects more than {_REDIRECTS} times",
            f"The last one leads to {shown(target)}.",
        )
    if trail.here.lower().startswith("https:") and urlsplit(target).scheme == "http":
        raise DownloadError(
            f"{host} redirects from https to http, which is not followed",
            f"It leads to {shown(target)}.",
        )
    public = trail.public or not _is_private(urlsplit(trail.here).hostname or "", resolve)
    if public and _may_be_private(urlsplit(target).hostname or "", resolve):
        raise DownloadError(
            f"{host} redirects to an address of a private network, which is not followed",
            f"It leads to {shown(target)}. Where that is a mirror of yours, name it itself.",
        )
    return replace(trail, here=target, steps=trail.steps + 1, public=public)


def resolve_host(host: str) -> Sequence[IpAddress]:
    """All addresses that this machine knows of a host; none where it knows none."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ()
    return tuple(ipaddress.ip_address(address[4][0]) for address in found)


def peer_of(connection: socket.socket) -> IpAddress:
    """The address that a connection goes to."""
    return ipaddress.ip_address(connection.getpeername()[0])


def is_public(address: IpAddress) -> bool:
    """Whether an address is one of the open internet, also where it wraps an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def _is_private(host: str, resolve: Resolve) -> bool:
    """Whether a host certainly is in a private network: it has addresses, none is public."""
    addresses = resolve(host)
    return bool(addresses) and not any(map(is_public, addresses))


def _may_be_private(host: str, resolve: Resolve) -> bool:
    """Whether any address of a host is private. One without addresses is not: it is not found."""
    return any(not is_public(address) for address in resolve(host))


def _target(here: str, location: str | None) -> str | None:
    """Where a redirect leads; None where that is no address we could ask without a password."""
    try:
        target = urljoin(here, location or "")
    except ValueError:
        return None
    parts = _parts(target)
    usable = parts is not None and parts.scheme in ("http", "https") and parts.hostname
    return target if location and usable and "@" not in urlsplit(target).netloc else None


def _say(location: str | None) -> str:
    """A Location header as far as it may be shown: what stands before an @ may be a password."""
    if not location:
        return "It names none."
    return f"It names {shorten(one_line(location.rpartition('@')[2]), _SHOWN)}."


def _parts(url: str) -> SplitResult | None:
    """The parts of an address; None where it has none, or a bad port, or is read in two ways."""
    if any(char <= " " or char in "\\\x7f" for char in url):
        return None
    try:
        parts = urlsplit(url)
        return parts if parts.port != 0 else None
    except ValueError:
        return None


def _origin(parts: SplitResult) -> tuple[str, str | None, int]:
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
