"""Where pip-audit looks vulnerabilities up, by the settings, and whether that is this machine."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

from scanagg.adapters import ScannerSettings
from scanagg.errors import ConfigError
from scanagg.text import one_line

_SERVICES: Final = ("pypi", "osv", "esms")
_KEY: Final = "scanners.pip-audit"


def chosen(settings: ScannerSettings) -> tuple[str, str | None]:
    """The service and its address, if not its usual one. ConfigError where they make no sense."""
    url = settings.options.get("osv-url")
    service = settings.options.get("service", "osv" if url else "pypi")
    if service not in _SERVICES:
        raise ConfigError(
            f"{_KEY}.service: no such service: {one_line(service)}",
            f"Use one of {', '.join(_SERVICES)}.",
        )
    if url is None:
        return service, None
    if service != "osv":
        raise ConfigError(
            f"{_KEY}.osv-url is given, but service is {service}, which ignores it",
            "Set service to osv, or remove osv-url.",
        )
    if _host(url) is None:
        raise ConfigError(
            f"{_KEY}.osv-url: not an address: {one_line(url)}",
            "Give a whole one, such as https://osv.example.com/v1/query.",
        )
    if "@" in urlsplit(url).netloc:
        raise ConfigError(
            f"{_KEY}.osv-url holds a user name or password, which reports would show",
            "Leave it out; a netrc file is read.",
        )
    return service, url


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.hostname if parts.scheme in ("http", "https") else None


def is_local(url: str | None) -> bool:
    """Whether an address is on this machine: asking there is not going online."""
    host = _host(url) if url else None
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
