"""Failures of the network, recognised in the error messages of any program."""

import re
from typing import Final

from scanagg.core.text import one_line, shorten
from scanagg.model.reasons import Reason

NO_NETWORK: Final = "no-network"
"""The kind of the reason for a service that the network does not reach."""
UNTRUSTED: Final = "untrusted-connection"
"""The kind of the reason for a service that is reached, but cannot prove who it is."""

_ERROR_WIDTH: Final = 160
_UNTRUSTED: Final = re.compile(
    r"certificate[ _]verify[ _]failed|certificate is not trusted|self.signed certificate|"
    r"SSLError|\bx509: |\btls: ",
    re.IGNORECASE,
)
# The first one that matches counts: a proxy can refuse a connection, and a name can time out.
_CAUSES: Final = tuple(
    (re.compile("|".join(patterns), re.IGNORECASE), reason)
    for reason, patterns in (
        (
            Reason("refused-by-proxy"),
            (
                *("ProxyError", "proxyconnect", "(?:to|from) proxy", "Tunnel connection failed"),
                *(r"\b407 ", "Proxy Authentication Required"),
            ),
        ),
        (
            Reason("name-not-found"),
            (
                *("Name or service not known", "nodename nor servname", "no such host"),
                *("getaddrinfo", "name resolution", "NameResolutionError", "Failed to resolve"),
                *("server misbehaving", "No address associated"),
                r"\blookup \S+.*(?:timeout|unreachable|refused)",
            ),
        ),
        (Reason("connection-refused"), ("Connection ?refused",)),
        (
            Reason("no-route"),
            ("(?:Network|Host) is unreachable", "No route to host", "unreachable network"),
        ),
        (
            Reason("connection-timeout"),
            (
                "timed out",
                "(?:i/o|handshake) timeout",
                "deadline exceeded",
                "(?:Connect|Read)Timeout",
            ),
        ),
        (
            Reason("connection-reset"),
            ("Connection reset", "Connection aborted", "RemoteDisconnected", "reset by peer"),
        ),
        (
            Reason("no-connection"),
            ("(?:could not|cannot) connect to", "failed to establish a new connection"),
        ),
    )
)


def unreachable(service: str, why: Reason) -> Reason:
    """Return the reason for a service that is not reached, such as "PyPI"."""
    return Reason("no-network", {"service": service, "why": why})


def network_failure(service: str, error: str) -> Reason | None:
    """Return the reason if an error message about a service is about the network, else None.

    A certificate that is not trusted has a reason of its own: the network works.
    """
    if _UNTRUSTED.search(error):
        text = shorten(one_line(error), _ERROR_WIDTH)
        return Reason("untrusted-connection", {"service": service, "error": text})
    for pattern, why in _CAUSES:
        if pattern.search(error):
            return unreachable(service, why)
    return None
