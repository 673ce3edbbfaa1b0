"""What pip-audit's JSON means: which pins were audited, and what was found in them."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

import msgspec

from scanagg.core.text import one_line, printable, shorten
from scanagg.model import Advisory, Category, NotExamined, Observation, Package, Rule
from scanagg.model.advisories import remedy
from scanagg.scanners import base, pinned
from scanagg.scanners.base import Context, Output, Parsed, ScanError
from scanagg.scanners.pip_audit import lookup_service

_SCANNER: Final = "pip-audit"
_SUMMARY_WIDTH: Final = 100
_MESSAGE_WIDTH: Final = 600

_IGNORED: Final = re.compile(r"^(?:Found|No) .*?(?:, ignored (\d+)|, (\d+) ignored)", re.MULTILINE)
_DROPPED: Final = re.compile(r"^WARNING:pip_audit\._service[.\w]*:(.+)$", re.MULTILINE)


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


def parsed(context: Context, output: Output) -> Parsed:
    """Audited is what has a list of vulnerabilities, be it empty; the exit code proves nothing."""
    service = lookup_service.chosen(context)
    answer = _decode(output, service)
    asked = pinned.by_key(output.inputs)
    packages = pinned.pins(context.inventory).exact
    examined: list[str] = []
    skipped: list[NotExamined] = []
    found: list[Observation] = []
    notices = [one_line(dropped) for dropped in _DROPPED.findall(output.stderr)]
    for dependency in answer:
        pins = _pins_of(dependency, asked)
        if not pins:
            notices.append(one_line(f"{dependency.name} is in the answer, but was not asked for"))
        elif dependency.vulns is None:
            reason = one_line(dependency.skip_reason or "pip-audit gives no reason")
            skipped += [NotExamined(pin, reason) for pin in pins]
        else:
            examined += pins
            found += [_observation(packages[pins[0]], each) for each in dependency.vulns]
    return Parsed(
        observations=tuple(found),
        examined=tuple(examined),
        not_examined=tuple(skipped),
        hidden=_ignored(output.stderr),
        notices=tuple(notices),
        data=service.data,
    )


def _decode(output: Output, service: lookup_service.Service) -> tuple[_Dependency, ...]:
    """The entries of the answer; older versions print the bare list."""
    try:
        answer = msgspec.json.decode(output.stdout, type=_Answer | tuple[_Dependency, ...])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        broken = (
            f"its answer is not the JSON of pip-audit: {error}" if output.stdout.strip() else ""
        )
        default = broken or f"printed nothing, exit code {output.returncode}"
        said = broken or base.complaint(service.shown(output.stderr), default)
        raise ScanError(said) from error
    dependencies = answer.dependencies if isinstance(answer, _Answer) else answer
    expected = 1 if any(each.vulns for each in dependencies) else 0
    if output.returncode != expected:
        raise ScanError(
            f"exit code {output.returncode} does not fit an answer with "
            f"{'vulnerabilities' if expected else 'no vulnerability'}"
        )
    return dependencies


def _pins_of(
    dependency: _Dependency, asked: Mapping[pinned.Key, tuple[str, ...]]
) -> tuple[str, ...]:
    """The pins that an entry is about. A skipped one comes without its version."""
    if dependency.version is not None:
        exact = pinned.key(dependency.name, dependency.version)
        return asked.get(exact, ()) if exact else ()
    name = pinned.normalised(dependency.name)
    return tuple(pin for same, pins in asked.items() if same[0] == name for pin in pins)


def _ignored(stderr: str) -> dict[str, int]:
    """How many vulnerabilities `--ignore-vuln` in the configured arguments hides."""
    match = _IGNORED.search(stderr)
    return {"--ignore-vuln": int(match[1] or match[2])} if match else {}


def _observation(package: Package, found: _Vulnerability) -> Observation:
    identity = f"{package.name} {package.version}"
    text = printable(found.description or "").strip()
    summary = shorten(text.partition("\n")[0], _SUMMARY_WIDTH) or "known vulnerability"
    advisory = Advisory(
        id=found.id,
        # Sorted: pip-audit prints them in another order each time.
        aliases=tuple(sorted({alias for alias in found.aliases if alias != found.id})),
        fixed_versions=found.fix_versions,
        url=_page(found.id),
    )
    return Observation(
        scanner=_SCANNER,
        category=Category.VULNERABILITY,
        rule=Rule(found.id, found.id, summary, advisory.url, help=text),
        title=f"{identity}: {summary}",
        message=_message(identity, advisory, text),
        location=package.places[0] if package.places else None,
        places=package.places,
        package=package,
        advisory=advisory,
    )


def _message(identity: str, advisory: Advisory, text: str) -> str:
    others = f" ({', '.join(advisory.aliases)})" if advisory.aliases else ""
    fixed = remedy(advisory.fixed_versions)
    said = f" {shorten(text, _MESSAGE_WIDTH)}" if text else ""
    return printable(f"{identity} is affected by {advisory.id}{others}. {fixed}{said}")


def _page(advisory: str) -> str:
    """Where an advisory can be read: at its publisher's, else at OSV, which has them all."""
    name = quote(advisory, safe="")
    if advisory.startswith("GHSA-"):
        return f"https://github.com/advisories/{name}"
    if advisory.startswith("CVE-"):
        return f"https://www.cve.org/CVERecord?id={name}"
    return f"https://osv.dev/vulnerability/{name}"
