"""Licences of the project's packages: from pip-licenses on its environment, the index, or pip."""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name

from scanagg.core.text import one_line, printable, shorten
from scanagg.model import (
    Category,
    LicenseFacts,
    NotExamined,
    Observation,
    Package,
    Reason,
    Rule,
    ScannerInfo,
    plain,
)
from scanagg.model.network import network_failure
from scanagg.project.installed import packages_of
from scanagg.scanners import base, pinned
from scanagg.scanners.licenses import site_packages, texts

INFO = ScannerInfo(
    name="licenses",
    title="pip-licenses",
    about="Reads the licence of each package from its metadata.",
    url="https://github.com/raimon49/pip-licenses",
    package="pip-licenses",
    args=frozenset(
        (
            *("--index-url", "-i", "--extra-index-url", "--trusted-host", "--proxy"),
            *("--cert", "--timeout", "--retries"),
        )
    ),
    categories=frozenset({Category.LICENSE}),
    usual_for=frozenset({Category.LICENSE}),
)

_RULE: Final = Rule("license", "license", "Licence of a dependency")
_BATCH: Final = 40
_SMALL_BATCH: Final = 10
# Packages that every environment has.
_SEEDS: Final = frozenset(("pip", "setuptools", "wheel", "distribute"))
# The first pip whose report has License-Expression (PEP 639). Older ones drop it silently.
_PIP_WITH_EXPRESSION: Final = (25, 0)
# The first version of metadata that can have it.
_METADATA_WITH_EXPRESSION: Final = (2, 4)
_REPORT_VERSION: Final = "1"
# The user's index and proxy count. The verbosity would mix other text into the report.
_PIP_ENVIRONMENT: Final = {"PIP_VERBOSE": "0", "PIP_QUIET": "0", "PYTHONNOUSERSITE": "1"}
_TEXT_WIDTH: Final = 200
_UNKNOWN: Final = "UNKNOWN"
_CAUSE: Final = re.compile(r"after connection broken by ['\"](.*)['\"]: \S*$", re.MULTILINE)
_UNREACHABLE: Final = re.compile(
    r"does not answer|Retrying \(Retry|\b40[137] Error\b|No module named pip\b"
)

probe = base.probe
identify = base.identify
advisory_source = base.advisory_source


class _Direct(tuple[str, ...]):
    """A batch whose metadata is read from the package index. Other batches are pip's."""

    __slots__ = ()


class _Stated(msgspec.Struct, frozen=True):
    """The licence of one package, or the reason why its metadata cannot be used."""

    name: str
    version: str
    facts: LicenseFacts | None
    reason: Reason | None = None


class _Row(msgspec.Struct, frozen=True):
    """One package in the answer of pip-licenses `--from=all`."""

    name: str = msgspec.field(name="Name")
    version: str = msgspec.field(name="Version")
    text: str = msgspec.field(name="License-Metadata")
    classifiers: str = msgspec.field(name="License-Classifier")
    expression: str = msgspec.field(name="License-Expression")


class _Metadata(msgspec.Struct, frozen=True):
    """The fields of a package's core metadata that concern its licence."""

    name: str
    version: str
    metadata_version: str = ""
    license: str | None = None
    license_expression: str | None = None
    classifier: tuple[str, ...] = ()


class _Install(msgspec.Struct, frozen=True):
    metadata: _Metadata


class _PipReport(msgspec.Struct, frozen=True):
    version: str
    pip_version: str
    install: tuple[_Install, ...]
    absent: tuple[str, ...] = ()


def locate(context: base.Context) -> base.Tool | None:
    """Find the module of scanagg's environment. ConfigError if the settings name a program."""
    hint = "Another pip-licenses would start the project's interpreter."
    base.refuse_program(INFO, context, "pip-licenses", hint)
    return base.module_or_program("piplicenses", "pip-licenses", context)


def inputs(context: base.Context) -> base.Inputs:
    """Return every package of the inventory."""
    return pinned.inputs(context.inventory)


def batches(context: base.Context, inputs: base.Inputs) -> Sequence[tuple[str, ...]]:
    """Return one batch of installed packages, and one for the index without stored results."""
    installed = _installed(context)
    left = _Direct(
        pin for pin in inputs.found if pin not in installed and _stored(context, pin) is None
    )
    return [batch for batch in (installed, left) if batch]


def _by_pip(context: base.Context, pins: Sequence[str]) -> Sequence[tuple[str, ...]]:
    """Return batches for pip, of which several run at once."""
    size = max(_SMALL_BATCH, min(_BATCH, -(-len(pins) // context.workers)))
    return pinned.batches(pins, size)


def call(context: base.Context, tool: base.Tool, batch: tuple[str, ...]) -> base.Call:
    """Return the call of pip-licenses for the installed packages, else of the index, else of pip.

    pip-licenses reports its three sources separately. pip reports what it would install, from
    metadata: it installs and builds nothing. ScanError if the network is needed offline.
    """
    environment = context.inventory.environment
    if environment and batch == _installed(context):
        places = os.pathsep.join(map(str, (environment.root, *environment.folders)))
        module = base.python_module("scanagg.scanners.licenses.site_packages")
        options = ("--from=all", "--format=json", "--with-system")
        return base.Call((*module, places, *options), batch)
    if context.offline:
        raise base.ScanError(Reason("offline", {"service": "metadata from PyPI"}))
    if isinstance(batch, _Direct):
        module = base.python_module("scanagg.scanners.licenses.worker")
        lines = pinned.requirements(batch).encode()
        arguments = (*module, *context.settings.args)
        return base.Call(arguments, batch, env=_PIP_ENVIRONMENT, allow=("PIP_*",), stdin=lines)
    argv = (
        *base.python_module("pip"),
        *("install", "--dry-run", "--no-deps", "--only-binary", ":all:", "--ignore-installed"),
        # The licence does not depend on whether the package would run here.
        *("--ignore-requires-python", "--no-input", "--disable-pip-version-check"),
        *("--quiet", "--report", "-", "-r", "{work}/requirements.txt"),
        *context.settings.args,
    )
    return base.Call(
        argv,
        batch,
        files={"requirements.txt": pinned.requirements(batch)},
        env=_PIP_ENVIRONMENT,
        allow=("PIP_*",),
    )


def again(context: base.Context, output: base.Output) -> Sequence[tuple[str, ...]]:
    """Return pip's batches after others failed, and batches without the package pip rejects.

    pip stops at the first package that it does not find. There is no retry if the index fails.
    """
    batch = output.inputs
    if isinstance(batch, _Direct):
        return () if _UNREACHABLE.search(output.stderr) else _by_pip(context, batch)
    if len(batch) == 1:
        return ()
    if batch == _installed(context):
        return pinned.batches(batch, min(_BATCH, -(-len(batch) // 2)))
    if _UNREACHABLE.search(output.stderr):
        return ()
    lines = output.stderr.splitlines()
    errors = "\n".join(line for line in lines if line.startswith("ERROR: "))
    for pin in batch:
        pattern = re.compile(rf"(?<![\w.-]){re.escape(pin)}(?![\w.+!-])")
        if pattern.search(errors):
            return tuple(other for other in batch if other != pin), (pin,)
    return pinned.halves(batch)


def parse(context: base.Context, output: base.Output) -> base.Parsed:
    """Read the licence of each package that the answer has in the requested version."""
    is_report, stated, absent = _decode(output)
    asked = pinned.by_key(output.inputs)
    facts: dict[str, LicenseFacts] = {}
    gaps: dict[str, Reason] = {}
    extra: list[str] = []
    for one in stated:
        pins = pinned.pins_of(asked, one.name, one.version)
        if one.reason:
            gaps.update(dict.fromkeys(pins, one.reason))
        elif one.facts:
            facts.update(dict.fromkeys(pins, one.facts))
        if not pins and canonicalize_name(one.name) not in _SEEDS:
            extra.append(one_line(f"{one.name} {one.version}"))
    if is_report:
        for pin in absent:
            error = f"No matching distribution found for {pin}"
            gaps[pin] = Reason("no-wheel", {"error": error})
        store = {pin: msgspec.json.encode(fact).decode() for pin, fact in facts.items()}
        left = [pin for pin in output.inputs if pin not in facts and pin not in gaps]
        again = _by_pip(context, left) if isinstance(output.inputs, _Direct) else ()
        return replace(_parsed(context, facts, gaps), store=store, again=again)
    broken = {
        pin: package.problem
        for key, package in site_packages.keyed(packages_of(context.inventory.environment))
        if package.problem
        for pin in asked.get(key, ())
    }
    if not facts and not broken:
        raise base.ScanError(Reason("empty-environment"))
    missing = Reason("not-in-environment")
    gaps = {pin: broken.get(pin, missing) for pin in sorted(set(output.inputs) - facts.keys())}
    notices: tuple[Reason, ...] = ()
    if extra:
        names = base.examples(sorted(extra))
        notices = (Reason("unpinned-installed", {"number": len(extra), "packages": names}),)
    return replace(_parsed(context, _with_files(context, facts), gaps), notices=notices)


def recall(context: base.Context) -> base.Parsed:
    """Return the stored results of packages that the environment does not have."""
    installed = _installed(context)
    exact = pinned.pins(context.inventory).exact
    stored = {pin: _stored(context, pin) for pin in exact if pin not in installed}
    return _parsed(context, {pin: fact for pin, fact in stored.items() if fact}, {})


def _decode(output: base.Output) -> tuple[bool, Sequence[_Stated], Sequence[str]]:
    """Return True for a report, False for the answer of pip-licenses; its licences; absent pins.

    ScanError if the answer cannot be used.
    """
    try:
        answer = msgspec.json.decode(output.stdout, type=_PipReport | tuple[_Row, ...])
    except (ValueError, RecursionError) as error:
        default = Reason("no-answer", {"code": output.returncode})
        if output.stdout.strip():
            default = Reason("unreadable-answer", {"error": str(error)})
        raise _failure(output, default) from error
    if output.returncode:
        raise _failure(output, Reason("exit-code", {"code": output.returncode}))
    if not isinstance(answer, _PipReport):
        return (
            False,
            [
                _Stated(
                    row.name,
                    row.version,
                    _facts(
                        row.expression,
                        row.text,
                        row.classifiers.split("; ") if _known(row.classifiers) else (),
                        "environment",
                    ),
                )
                for row in answer
            ],
            (),
        )
    if answer.version != _REPORT_VERSION:
        raise base.ScanError(
            Reason("report-version", {"version": answer.version, "supported": _REPORT_VERSION})
        )
    stated = [_of_metadata(one.metadata, answer.pip_version) for one in answer.install]
    return True, stated, answer.absent


def _installed(context: base.Context) -> tuple[str, ...]:
    """Return the pins that the project's environment has."""
    spellings = pinned.by_key(pinned.pins(context.inventory).exact)
    present = {key for key, _ in site_packages.keyed(packages_of(context.inventory.environment))}
    return tuple(sorted(pin for same in present for pin in spellings.get(same, ())))


def _stored(context: base.Context, pin: str) -> LicenseFacts | None:
    text = context.cached.get(pin)
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=LicenseFacts)
    except (ValueError, RecursionError):
        return None


def _parsed(
    context: base.Context, facts: Mapping[str, LicenseFacts], gaps: Mapping[str, Reason]
) -> base.Parsed:
    """Return the result for these licences and gaps, both by pin."""
    packages = pinned.pins(context.inventory).exact
    return base.Parsed(
        observations=tuple(_observation(packages[pin], fact) for pin, fact in facts.items()),
        examined=tuple(facts),
        not_examined=tuple(NotExamined(pin, reason) for pin, reason in gaps.items()),
    )


def _with_files(
    context: base.Context, facts: Mapping[str, LicenseFacts]
) -> dict[str, LicenseFacts]:
    """Return the facts with the licence files in the environment."""
    spellings = pinned.by_key(facts)
    files = site_packages.license_files(packages_of(context.inventory.environment), spellings)
    return {
        pin: replace(facts[pin], files=files.get(same, ()))
        for same, pins in spellings.items()
        for pin in pins
    }


def _observation(package: Package, facts: LicenseFacts) -> Observation:
    identity = f"{package.name} {package.version}"
    stated = facts.stated
    return Observation(
        scanner=INFO.name,
        category=Category.LICENSE,
        rule=_RULE,
        title=f"{identity}: {stated or 'no licence stated'}",
        message=(
            f"{identity} states its licence as {stated}."
            if stated
            else f"The metadata of {identity} states no licence."
        ),
        location=next(iter(package.places), None),
        places=package.places,
        package=package,
        license=facts,
    )


def _failure(output: base.Output, otherwise: Reason) -> base.ScanError:
    """Return the error of pip or pip-licenses, with the cause that pip does not mention."""
    cause = _CAUSE.findall(output.stderr)
    if cause:
        text = base.complaint(cause[-1]) or cause[-1]
        otherwise = Reason("index-unreachable", {"error": text})
        return base.ScanError(network_failure("the package index", cause[-1]) or otherwise)
    complaint = base.complaint(output.stderr)
    if "No matching distribution found" in complaint:
        return base.ScanError(Reason("no-wheel", {"error": complaint}))
    return base.failure(output.stderr, otherwise)


def _of_metadata(metadata: _Metadata, pip_version: str) -> _Stated:
    licences = [one for one in metadata.classifier if one.startswith("License ::")]
    names = (one.rpartition(" :: ")[2] for one in licences)
    facts = _facts(metadata.license_expression, metadata.license, names, "pip metadata")
    newer = _numbers(metadata.metadata_version) >= _METADATA_WITH_EXPRESSION
    if not facts.stated and newer and _numbers(pip_version) < _PIP_WITH_EXPRESSION:
        reason = f"pip {pip_version} does not read License-Expression: use pip 25.0 or later"
        return _Stated(metadata.name, metadata.version, None, plain(reason))
    return _Stated(metadata.name, metadata.version, facts)


def _facts(
    expression: str | None, text: str | None, classifiers: Iterable[str], source: str
) -> LicenseFacts:
    """Return the facts in these fields. Classifiers are sorted, without "OSI Approved"."""
    return LicenseFacts(
        expression=_known(expression),
        text=_known(text),
        classifiers=tuple(sorted({*map(printable, classifiers)} - {"OSI Approved"})),
        source=source,
        whole_text=texts.identify(text.encode("utf-8", "replace")) if text else "",
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]{1,9}", version)[:2])


def _known(text: str | None) -> str | None:
    """Return the field, or None. Of a longer text, return the first line, marked as cut.

    Without the mark, a page of conditions with the title "MIT" would count as the licence MIT.
    """
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    if not lines or lines == [_UNKNOWN]:
        return None
    first = printable(lines[0])
    return shorten(first if len(lines) == 1 else f"{first} […]", _TEXT_WIDTH)
