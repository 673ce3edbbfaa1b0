"""Where pip-audit looks vulnerabilities up: as configured, in the advisory store, or online."""

import ipaddress
import os
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from scanagg.core.errors import ConfigError
from scanagg.core.text import one_line
from scanagg.model import DataSource
from scanagg.scanners.base import Context, ScannerSettings

_ONLINE: Final = {
    "pypi": "PyPI's advisories, asked online",
    "osv": "OSV.dev, asked online",
    "esms": "Ecosyste.ms, asked online",
}
_CONFIGURED: Final = "the OSV service of the configuration"
_KEY: Final = "scanners.pip-audit"
_NO_STORE: Final = (
    "and there is no advisory store to ask: `scanagg db update` or `scanagg db import` makes one"
)


class Service(msgspec.Struct, frozen=True):
    """Who is asked: pip-audit's word for it, the address if not its usual one, what it knows.

    `stored` says that it is the advisory store. `refusal` is why it is not asked, empty where it
    is.
    """

    name: str
    url: str | None
    data: DataSource
    stored: bool = False
    refusal: str = ""

    @property
    def environment(self) -> Mapping[str, str]:
        """What keeps a proxy from being asked for this machine; the user's own exceptions stay."""
        if not _is_local(self.url):
            return {}
        kept = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        hosts = ",".join(filter(None, (_host(self.url or ""), kept)))
        return dict.fromkeys(("NO_PROXY", "no_proxy"), hosts)

    def shown(self, text: str) -> str:
        """A text for reports: without the address of the store, which is another in every run."""
        if not self.stored or self.url is None:
            return text
        parts = urlsplit(self.url)
        for part in (self.url, parts.path, f"port={parts.port}"):
            text = text.replace(part, "{advisories}")
        return text


def chosen(context: Context) -> Service:
    """The service that the settings name, else the advisory store if there is one to use, else
    PyPI's; offline the store stands for whatever is not on this machine.

    What is asked online is as new as the run. ConfigError where the settings make no sense.
    """
    name, url = _configured(context.settings)
    refusal = ""
    if context.offline and not _is_local(url):
        refusal = f"offline: the service {url or name} is not asked, {_NO_STORE}"
    if context.lookup and (refusal or not _is_named(context.settings)):
        return Service("osv", context.lookup.url, context.lookup.data, stored=True)
    if url is not None:
        return Service(name, url, DataSource(_CONFIGURED, origin=url), refusal=refusal)
    return Service(name, url, DataSource(_ONLINE[name], context.now), refusal=refusal)


def _is_named(settings: ScannerSettings) -> bool:
    return not settings.options.keys().isdisjoint(("service", "osv-url"))


def _configured(settings: ScannerSettings) -> tuple[str, str | None]:
    """The service and its address, if not its usual one. ConfigError where they make no sense."""
    url = settings.options.get("osv-url")
    service = settings.options.get("service", "osv" if url else "pypi")
    if service not in _ONLINE:
        raise ConfigError(
            f"{_KEY}.service: no such service: {one_line(service)}",
            f"Use one of {', '.join(_ONLINE)}.",
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


def _is_local(url: str | None) -> bool:
    """Whether an address is on this machine: asking there is not going online."""
    host = _host(url) if url else None
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
