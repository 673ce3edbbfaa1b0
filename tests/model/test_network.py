"""Failures of the network, from messages that the scanners and pip print."""

import pytest

from scanagg.model import Reason
from scanagg.model.network import NO_NETWORK, UNTRUSTED, network_failure

POOL = "requests.exceptions.{}: HTTPSConnectionPool(host='api.osv.dev', port=443): Max retries "
TRIVY = 'Get "https://mirror.gcr.io/v2/": '


@pytest.mark.parametrize(
    ("error", "why"),
    [
        # pip-audit, and pip
        (
            POOL.format("ConnectionError") + 'exceeded (Caused by NameResolutionError("Failed to '
            "resolve 'api.osv.dev' ([Errno -2] Name or service not known)\"))",
            "name-not-found",
        ),
        (
            POOL.format("ProxyError") + "exceeded (Caused by ProxyError('Unable to connect to "
            "proxy', NewConnectionError('[Errno 111] Connection refused')))",
            "refused-by-proxy",
        ),
        (
            POOL.format("ProxyError") + "exceeded (Caused by ProxyError('Unable to connect to "
            "proxy', OSError('Tunnel connection failed: 403 Forbidden')))",
            "refused-by-proxy",
        ),
        ("NewConnectionError('[Errno 111] Connection refused')", "connection-refused"),
        (
            "ConnectTimeoutError(<…>, 'Connection timed out. (connect timeout=15)')",
            "connection-timeout",
        ),
        ("NewConnectionError('[Errno 101] Network is unreachable')", "no-route"),
        (
            "ProtocolError('Connection aborted.', RemoteDisconnected('Remote end'))",
            "connection-reset",
        ),
        ("ConnectionError: Could not connect to PyPI's vulnerability feed", "no-connection"),
        # Safety
        ("httpx.ConnectError: [Errno -2] Name or service not known", "name-not-found"),
        ("httpx.ConnectError: [Errno 8] nodename nor servname provided", "name-not-found"),
        ("httpx.ConnectError: [Errno -3] Temporary failure in name resolution", "name-not-found"),
        # Trivy
        (TRIVY + "dial tcp: lookup mirror.gcr.io on 10.0.0.53:53: no such host", "name-not-found"),
        (TRIVY + "dial tcp: lookup mirror.gcr.io: i/o timeout", "name-not-found"),
        (TRIVY + "proxyconnect tcp: dial tcp 10.0.0.1:9: connection refused", "refused-by-proxy"),
        (TRIVY + "dial tcp 10.0.0.1:443: connect: connection refused", "connection-refused"),
        (TRIVY + "dial tcp 10.0.0.1:443: i/o timeout", "connection-timeout"),
        (TRIVY + "net/http: TLS handshake timeout", "connection-timeout"),
        (TRIVY + "read tcp 10.0.0.2:5->10.0.0.1:443: connection reset by peer", "connection-reset"),
    ],
)
def test_no_network(error: str, why: str) -> None:
    reason = network_failure("PyPI", error)
    assert reason is not None
    assert (reason.kind, reason.values["service"]) == (NO_NETWORK, "PyPI")
    assert reason.values["why"] == Reason(why)


@pytest.mark.parametrize(
    "error",
    [
        POOL.format("SSLError") + "(Caused by SSLError(SSLCertVerificationError(1, '[SSL: "
        "CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate')))",
        "httpx.ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed",
        TRIVY + "tls: failed to verify certificate: x509: certificate signed by unknown authority",
    ],
)
def test_an_inspected_connection_is_no_lack_of_network(error: str) -> None:
    reason = network_failure("PyPI", error)
    assert reason is not None
    assert reason.kind == UNTRUSTED


@pytest.mark.parametrize(
    "error",
    [
        "",
        "500 Server Error: Internal Server Error for url: https://pypi.org/pypi/idna/3.4/json",
        "ERROR: No matching distribution found for idna==3.4",
        "No module named pip",
        "OSError: [Errno 28] No space left on device",
    ],
)
def test_other_errors(error: str) -> None:
    assert network_failure("PyPI", error) is None
