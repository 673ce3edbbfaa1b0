"""pip-audit: known vulnerabilities of the inventory, as exact pins, without resolving anything."""

import ipaddress
import os
import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlsplit

import msgspec
from packaging.utils import canonicalize_name

from scanagg.core.errors import ConfigError
from scanagg.core.text import one_line, printable, shorten
from scanagg.model import (
    Advisory,
    Category,
    DataSource,
    NotExamined,
    Observation,
    Package,
    Reason,
    ScannerInfo,
    plain,
)
from scanagg.model.advisories import headline, remedy
from scanagg.model.network import unreachable
from scanagg.scanners import base, pinned

INFO = ScannerInfo(
    name="pip-audit",
    title="pip-audit",
    about="Finds known vulnerabilities in the Python packages that the project pins.",
    url="https://github.com/pypa/pip-audit",
    package="pip-audit",
    options={
        "service": "The vulnerability service to ask: pypi (default), osv or esms.",
        "osv-url": "URL of an OSV query endpoint to use instead of the public one; implies osv.",
    },
    args=frozenset(("--ignore-vuln", "--timeout", "-v", "--verbose")),
    categories=frozenset({Category.VULNERABILITY}),
    usual_for=frozenset({Category.VULNERABILITY}),
    asks_advisory_store=True,
    suppressions={"--ignore-vuln": False},
)

# pip-audit asks for one package at a time, so several calls run in parallel. The advisory store
# answers so fast that starting pip-audit takes longer than 100 answers.
_BATCH: Final = 100
_STORED_BATCH: Final = 500
_SOCKET_SECONDS: Final = 15
_MESSAGE_WIDTH: Final = 600
# Errors that smaller batches would repeat. Others concern one package: a malformed record, or the
# status 400 or 500.
_SERVICE_ERROR: Final = re.compile(
    r"Connection|Timeout|ProxyError|SSLError|JSONDecodeError|Redirect|InvalidURL|InvalidSchema|"
    r"\b(?:401|403|404|407|429|502|503|504) (?:Client|Server) Error|No module named|"
    r"pip-audit: error: "
)
_IGNORED: Final = re.compile(
    r"^(?:Found|No) .*?(?:, ignored ([0-9]{1,9})|, ([0-9]{1,9}) ignored)", re.MULTILINE
)
_NOT_FOUND: Final = "Dependency not found on PyPI"
# So many packages that are all unknown say something about the service.
_SEVERAL: Final = 3
_DROPPED: Final = re.compile(r"^WARNING:pip_audit\._service[.\w]*:(.+)$", re.MULTILINE)

_ONLINE: Final = {
    "pypi": "PyPI's advisories, online",
    "osv": "OSV.dev, online",
    "esms": "Ecosyste.ms, online",
}
_CONFIGURED: Final = "the configured OSV service"
_KEY: Final = "scanners.pip-audit"
_TITLES: Final = {"pypi": "PyPI", "osv": "OSV.dev", "esms": "Ecosyste.ms"}

probe = base.probe
identify = base.identify
recall = base.recall


class LookupService(msgspec.Struct, frozen=True):
    """A vulnerability service: its name for pip-audit, its URL if it is unusual, and its data.

    `stored`: it is the advisory store. `refusal` is the reason if it cannot be asked.
    """

    name: str
    url: str | None
    data: DataSource
    stored: bool = False
    refusal: Reason | None = None

    @property
    def title(self) -> str:
        """The name for people."""
        return self.url or _TITLES[self.name]

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that keep calls to this machine off a proxy."""
        if not _is_local(self.url):
            return {}
        exceptions = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
        hosts = ",".join(filter(None, (_host(self.url or ""), exceptions)))
        return dict.fromkeys(("NO_PROXY", "no_proxy"), hosts)

    def shown(self, text: str) -> str:
        """Return a text without the URL of the store, which differs in each run."""
        if not self.stored or self.url is None:
            return text
        parts = urlsplit(self.url)
        for part in (self.url, parts.path, f"port={parts.port}"):
            text = text.replace(part, "{advisories}")
        return text


class _Vulnerability(msgspec.Struct, frozen=True):
    id: str
    fix_versions: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    description: str | None = None


class _Dependency(msgspec.Struct, frozen=True):
    name: str
    version: str | None = None
    vulns: tuple[_Vulnerability, ...] | None = None
    skip_reason: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    dependencies: tuple[_Dependency, ...]


def locate(context: base.Context) -> base.Tool | None:
    """Find the program that the settings name, else the module of scanagg's environment."""
    return base.module_or_program("pip_audit", "pip-audit", context)


def inputs(context: base.Context) -> base.Inputs:
    """Return every package of the inventory. ConfigError for invalid options."""
    return pinned.inputs(context.inventory, _service(context).refusal)


def batches(context: base.Context, inputs: base.Inputs) -> Sequence[tuple[str, ...]]:
    """Split the pins by size, with each name once in a batch."""
    stored = _service(context).stored
    return pinned.batches(inputs.found, _STORED_BATCH if stored else _BATCH)


def call(context: base.Context, tool: base.Tool, batch: tuple[str, ...]) -> base.Call:
    """Return the call for exactly these pins, without pip: nothing is resolved or built."""
    service = _service(context)
    seconds = max(1, round(min(_SOCKET_SECONDS, context.settings.timeout or _SOCKET_SECONDS)))
    argv = (
        *tool.argv,
        *("-r", "{work}/requirements.txt", "--no-deps", "--disable-pip"),
        *("--format", "json", "--progress-spinner", "off", "--desc", "on", "--aliases", "on"),
        *("--cache-dir", str(context.cache / "pip-audit"), "--timeout", str(seconds)),
        *("--vulnerability-service", service.name),
        *(("--osv-url", service.url) if service.url else ()),
        *context.settings.args,
    )
    files = {"requirements.txt": pinned.requirements(batch)}
    return base.Call(argv, batch, files=files, env=service.environment)


def advisory_source(context: base.Context) -> DataSource | None:
    """Return the data that it would ask. None if that needs the network and there is none."""
    service = _service(context)
    return None if service.refusal else service.data


def again(context: base.Context, output: base.Output) -> Sequence[tuple[str, ...]]:
    """Halve the batch, so that an error with one package does not affect the others."""
    complaint = base.complaint(output.stderr)
    if not complaint or _SERVICE_ERROR.search(complaint):
        return ()
    return pinned.halves(output.inputs)


def parse(context: base.Context, output: base.Output) -> base.Parsed:
    """Read the answer. A pin with a list of vulnerabilities, even an empty one, is examined."""
    service = _service(context)
    asked = pinned.by_key(output.inputs)
    packages = pinned.pins(context.inventory).exact
    examined: list[str] = []
    skipped: list[NotExamined] = []
    observations: list[Observation] = []
    dependencies = _decode(output, service)
    absent = _absence(context, service, dependencies)
    notices = [plain(dropped) for dropped in _DROPPED.findall(output.stderr)]
    for dependency in dependencies:
        pins = _pins_of(dependency, asked)
        if not pins:
            notices.append(Reason("unasked-package", {"package": dependency.name}))
        elif dependency.vulns is None:
            text = dependency.skip_reason or "pip-audit gives no reason"
            reason = absent if _NOT_FOUND in text else plain(text)
            skipped += [NotExamined(pin, reason) for pin in pins]
        else:
            examined += pins
            observations += [_observation(packages[pins[0]], one) for one in dependency.vulns]
    ignored = _IGNORED.search(output.stderr)
    return base.Parsed(
        observations=tuple(observations),
        examined=tuple(examined),
        not_examined=tuple(skipped),
        hidden={"--ignore-vuln": int(ignored[1] or ignored[2])} if ignored else {},
        notices=tuple(notices),
        data=service.data if examined else None,
    )


def _decode(output: base.Output, service: LookupService) -> tuple[_Dependency, ...]:
    """Return the entries of the answer. Older versions print a plain list. ScanError."""
    try:
        answer = msgspec.json.decode(output.stdout, type=_Answer | tuple[_Dependency, ...])
    except (ValueError, RecursionError) as error:
        if output.stdout.strip():
            raise base.unreadable(error) from error
        otherwise = Reason("no-answer", {"code": output.returncode})
        remote = "" if _is_local(service.url) else service.title
        raise base.failure(service.shown(output.stderr), otherwise, remote) from error
    dependencies = answer.dependencies if isinstance(answer, _Answer) else answer
    found = sum(len(one.vulns or ()) for one in dependencies)
    if output.returncode != min(1, found):
        reason = Reason("wrong-exit-code", {"code": output.returncode, "found": found})
        raise base.ScanError(reason)
    return dependencies


def _absence(
    context: base.Context, service: LookupService, dependencies: Sequence[_Dependency]
) -> Reason:
    """Return why the service does not find a package.

    If it finds none of several public ones, it is a package index in place of the service.
    """
    is_empty = len(dependencies) >= _SEVERAL and not context.inventory.indexes
    if is_empty and all(_NOT_FOUND in (one.skip_reason or "") for one in dependencies):
        return unreachable(service.title, Reason("index-only"))
    return Reason("package-unknown", {"service": service.title})


def _pins_of(
    dependency: _Dependency, asked: Mapping[pinned.Key, tuple[str, ...]]
) -> tuple[str, ...]:
    """Return the pins that an entry is about. A skipped package has no version."""
    if dependency.version is not None:
        return pinned.pins_of(asked, dependency.name, dependency.version)
    name = canonicalize_name(dependency.name)
    return tuple(pin for same, pins in asked.items() if same[0] == name for pin in pins)


def _observation(package: Package, vulnerability: _Vulnerability) -> Observation:
    name = vulnerability.id
    text = printable(vulnerability.description or "").strip()
    # Sorted: pip-audit prints them in another order each time.
    aliases = tuple(sorted(set(vulnerability.aliases) - {name}))
    others = f" ({', '.join(aliases)})" if aliases else ""
    more = f" {shorten(text, _MESSAGE_WIDTH)}" if headline(text, (package.name, name)) else ""
    # The page of the publisher, else of OSV, which has all advisories.
    url = f"https://osv.dev/vulnerability/{quote(name, safe='')}"
    if name.startswith("GHSA-"):
        url = f"https://github.com/advisories/{quote(name, safe='')}"
    elif name.startswith("CVE-"):
        url = f"https://www.cve.org/CVERecord?id={quote(name, safe='')}"
    affected = f"{package.name} {package.version} is affected by {name}{others}"
    message = printable(f"{affected}. {remedy(vulnerability.fix_versions)}{more}")
    advisory = Advisory(name, aliases, vulnerability.fix_versions, url=url)
    return pinned.vulnerability(INFO.name, package, advisory, text, message=message)


# The service that is asked: as configured, the advisory store, or one online.


def _service(context: base.Context) -> LookupService:
    """Return the configured service, else the advisory store if it is fresh, else PyPI.

    Offline, the store replaces every service that is not on this machine. ConfigError for invalid
    settings.
    """
    name, url = _configured(context.settings)
    refusal: Reason | None = None
    if context.offline and not _is_local(url):
        refusal = Reason("offline-without-store", {"service": url or _TITLES[name]})
    is_named = not context.settings.options.keys().isdisjoint(("service", "osv-url"))
    if context.lookup and (refusal or not is_named):
        return LookupService("osv", context.lookup.url, context.lookup.data, stored=True)
    if url is not None:
        return LookupService(name, url, DataSource(_CONFIGURED, origin=url), refusal=refusal)
    return LookupService(name, url, DataSource(_ONLINE[name], context.now), refusal=refusal)


def _configured(settings: base.ScannerSettings) -> tuple[str, str | None]:
    """Return the service, and its URL if that is not the usual one. ConfigError."""
    url = settings.options.get("osv-url")
    service = settings.options.get("service", "osv" if url else "pypi")
    if service not in _ONLINE:
        raise ConfigError(
            f"{_KEY}.service: unknown service {one_line(service)}",
            f"Use one of {', '.join(_ONLINE)}.",
        )
    if url is None:
        return service, None
    if service != "osv":
        raise ConfigError(
            f"{_KEY}.osv-url has no effect, because service is {service}",
            "Set service to osv, or remove osv-url.",
        )
    if _host(url) is None:
        raise ConfigError(
            f"{_KEY}.osv-url: not a URL: {one_line(url)}",
            "Use a complete URL, such as https://osv.example.com/v1/query.",
        )
    if "@" in urlsplit(url).netloc:
        raise ConfigError(
            f"{_KEY}.osv-url contains a user name or password, which reports would show",
            "Move it to a netrc file.",
        )
    return service, url


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    return parts.hostname if parts.scheme in ("http", "https") else None


def _is_local(url: str | None) -> bool:
    """Return True for a URL on this machine, which needs no network."""
    host = _host(url) if url else None
    try:
        return host == "localhost" or ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False
