"""The service that pip-audit asks: as configured, the advisory store, or one online."""

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


class LookupService(msgspec.Struct, frozen=True):
    """A service: pip-audit's word for it, the address if it is not the usual one, and its data.

    `stored` says that it is the advisory store. `refusal` is why it is not asked; empty if it is.
    """

    name: str
    url: str | None
    data: DataSource
    stored: bool = False
    refusal: str = ""

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that keep a proxy out of calls to this machine, and the user's own ones."""
        if not _is_local(self.url):
            return {}
        exceptions = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        hosts = ",".join(filter(None, (_host(self.url or ""), exceptions)))
        return dict.fromkeys(("NO_PROXY", "no_proxy"), hosts)

    def shown(self, text: str) -> str:
        """Return a text for reports: without the address of the store, which differs every run."""
        if not self.stored or self.url is None:
            return text
        parts = urlsplit(self.url)
        for part in (self.url, parts.path, f"port={parts.port}"):
            text = text.replace(part, "{advisories}")
        return text


def chosen(context: Context) -> LookupService:
    """Choose what the settings name, else the advisory store if it is to be used, else PyPI.

    Offline, the store stands for whatever is not on this machine. What is asked online is as new as
    the run. ConfigError if the settings make no sense.
    """
    name, url = _configured(context.settings)
    refusal = ""
    if context.offline and not _is_local(url):
        refusal = f"offline: the service {url or name} is not asked, {_NO_STORE}"
    is_named = not context.settings.options.keys().isdisjoint(("service", "osv-url"))
    if context.lookup and (refusal or not is_named):
        return LookupService("osv", context.lookup.url, context.lookup.data, stored=True)
    if url is not None:
        return LookupService(name, url, DataSource(_CONFIGURED, origin=url), refusal=refusal)
    return LookupService(name, url, DataSource(_ONLINE[name], context.now), refusal=refusal)


def _configured(settings: ScannerSettings) -> tuple[str, str | None]:
    """Return the service, and its address if that is not the usual one. ConfigError."""
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
    """Return whether an address is on this machine: to ask there is not to go online."""
    host = _host(url) if url else None
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
