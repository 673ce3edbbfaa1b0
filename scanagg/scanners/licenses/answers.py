"""What pip-licenses and pip's installation report say of licences, in one form, undecided."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.core.text import one_line, printable, shorten
from scanagg.model import Category, LicenseFacts, NotExamined, Observation, Package, Rule
from scanagg.scanners import base, pinned
from scanagg.scanners.base import Context, Output, Parsed, ScanError
from scanagg.scanners.licenses import evidence, site_packages

_SCANNER: Final = "licenses"
_RULE: Final = Rule("license", "license", "Licence of a dependency")
# What comes with every environment rather than with the project.
_SEEDS: Final = frozenset(("pip", "setuptools", "wheel", "distribute"))
_EXTRAS_SHOWN: Final = 5

# The first pip whose report has License-Expression (PEP 639); an older one drops it in silence.
_PIP_WITH_EXPRESSION: Final = (25, 0)
# The first metadata that may have it.
_METADATA_WITH_EXPRESSION: Final = (2, 4)
_REPORT_VERSION: Final = "1"
_TEXT_WIDTH: Final = 200
_UNKNOWN: Final = "UNKNOWN"
_CAUSE: Final = re.compile(r"after connection broken by ['\"](.*)['\"]: \S*$", re.MULTILINE)


class _Stated(msgspec.Struct, frozen=True):
    """What one package's metadata states; no facts, but a reason, where they cannot be trusted."""

    name: str
    version: str
    facts: LicenseFacts | None
    reason: str = ""


class _Answer(msgspec.Struct, frozen=True):
    """All that an output says. `installed` where it is about an environment."""

    installed: bool
    stated: tuple[_Stated, ...]


class _Row(msgspec.Struct, frozen=True):
    """One package in the answer of pip-licenses `--from=all`."""

    name: str = msgspec.field(name="Name")
    version: str = msgspec.field(name="Version")
    text: str = msgspec.field(name="License-Metadata")
    classifiers: str = msgspec.field(name="License-Classifier")
    expression: str = msgspec.field(name="License-Expression")


class _Metadata(msgspec.Struct, frozen=True):
    """The core metadata of one package, as far as it concerns the licence."""

    name: str
    version: str
    metadata_version: str = ""
    license: str | None = None
    license_expression: str | None = None
    classifier: tuple[str, ...] = ()


class _Install(msgspec.Struct, frozen=True):
    metadata: _Metadata


class _Report(msgspec.Struct, frozen=True):
    version: str
    pip_version: str
    install: tuple[_Install, ...]


def parsed(context: Context, output: Output) -> Parsed:
    """Facts for each package that the answer describes in the version that was asked for.

    ScanError where there is no usable answer.
    """
    answer = _decode(output)
    asked = pinned.by_key(output.inputs)
    facts: dict[str, LicenseFacts] = {}
    gaps: dict[str, str] = {}
    extra: list[str] = []
    for each in answer.stated:
        same = pinned.key(each.name, each.version)
        pins = asked.get(same, ()) if same else ()
        if each.facts is None:
            gaps.update(dict.fromkeys(pins, each.reason))
        else:
            facts.update(dict.fromkeys(pins, each.facts))
        if not pins and pinned.normalised(each.name) not in _SEEDS:
            extra.append(one_line(f"{each.name} {each.version}"))
    if not answer.installed:
        return meaning(context, facts, gaps, store=True)
    if not facts:
        raise ScanError("it lists none of the packages: is the project's environment broken?")
    facts = _with_files(context, facts)
    missing = set(output.inputs) - facts.keys()
    gaps = dict.fromkeys(sorted(missing), "not in the project's environment in this version")
    return meaning(context, facts, gaps, _extra_notices(extra))


def _with_files(context: Context, facts: Mapping[str, LicenseFacts]) -> dict[str, LicenseFacts]:
    """The facts, with the licence files of the environment; none where its folders are unknown."""
    places = site_packages.folders(context.python) if context.python else ()
    pins = pinned.by_key(facts)
    files = evidence.installed(places, pins)
    more = {pin: files.get(same, ()) for same, spelt in pins.items() for pin in spelt}
    return {pin: replace(fact, files=more[pin]) for pin, fact in facts.items()}


def meaning(
    context: Context,
    facts: Mapping[str, LicenseFacts],
    gaps: Mapping[str, str],
    notices: tuple[str, ...] = (),
    *,
    store: bool = False,
) -> Parsed:
    """Facts, and reasons where there are none, by pin; `store` keeps the facts between runs."""
    packages = pinned.pins(context.inventory).exact
    kept = {pin: msgspec.json.encode(fact).decode() for pin, fact in facts.items()}
    return Parsed(
        observations=tuple(_observation(packages[pin], fact) for pin, fact in facts.items()),
        examined=tuple(facts),
        not_examined=tuple(NotExamined(pin, reason) for pin, reason in gaps.items()),
        notices=notices,
        store=kept if store else {},
    )


def _extra_notices(extra: Sequence[str]) -> tuple[str, ...]:
    if not extra:
        return ()
    more = ", …" if len(extra) > _EXTRAS_SHOWN else ""
    names = ", ".join(sorted(extra)[:_EXTRAS_SHOWN])
    return (f"packages in the environment that nothing pins: {len(extra)} ({names}{more})",)


def _observation(package: Package, facts: LicenseFacts) -> Observation:
    identity = f"{package.name} {package.version}"
    stated = facts.stated
    return Observation(
        scanner=_SCANNER,
        category=Category.LICENSE,
        rule=_RULE,
        title=f"{identity}: {stated or 'no licence stated'}",
        message=(
            f"{identity} states its licence as {stated}."
            if stated
            else f"The metadata of {identity} states no licence."
        ),
        location=package.places[0] if package.places else None,
        places=package.places,
        package=package,
        license=facts,
    )


def _decode(output: Output) -> _Answer:
    """The answer in our form. ScanError, with the program's own reason, where there is none."""
    try:
        answer = msgspec.json.decode(output.stdout, type=_Report | tuple[_Row, ...])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        said = output.stdout.strip()
        default = f"its answer cannot be read: {error}" if said else "it printed nothing"
        raise ScanError(_why(output, default)) from error
    if output.returncode:
        raise ScanError(_why(output, f"exit code {output.returncode} after its answer"))
    if not isinstance(answer, _Report):
        return _Answer(True, tuple(_of_row(row) for row in answer))
    if answer.version != _REPORT_VERSION:
        raise ScanError(f"pip's report has version {one_line(answer.version)}; 1 is known")
    return _Answer(False, tuple(_of(each.metadata, answer.pip_version) for each in answer.install))


def _why(output: Output, otherwise: str) -> str:
    """What went wrong, in the words of pip or pip-licenses, with what pip leaves unsaid."""
    cause = _CAUSE.findall(output.stderr)
    if cause:
        return f"the index cannot be reached: {base.complaint(cause[-1], cause[-1])}"
    said = base.complaint(output.stderr, otherwise)
    if "No matching distribution found" not in said:
        return said
    return f"no wheel for this Python: metadata not available without building ({said})"


def _of_row(row: _Row) -> _Stated:
    listed = row.classifiers.split("; ") if _known(row.classifiers) else ()
    facts = LicenseFacts(_known(row.expression), _known(row.text), _short(listed), "environment")
    return _Stated(row.name, row.version, facts)


def _of(metadata: _Metadata, pip_version: str) -> _Stated:
    licences = [one for one in metadata.classifier if one.startswith("License ::")]
    facts = LicenseFacts(
        expression=_known(metadata.license_expression),
        text=_known(metadata.license),
        classifiers=_short(one.rpartition(" :: ")[2] for one in licences),
        source="pip metadata",
    )
    silent = not (facts.expression or facts.text or facts.classifiers)
    newer = _numbers(metadata.metadata_version) >= _METADATA_WITH_EXPRESSION
    if silent and newer and _numbers(pip_version) < _PIP_WITH_EXPRESSION:
        reason = f"pip {one_line(pip_version)} leaves License-Expression out: pip 25.0 is needed"
        return _Stated(metadata.name, metadata.version, None, reason)
    return _Stated(metadata.name, metadata.version, facts)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])


def _short(classifiers: Iterable[str]) -> tuple[str, ...]:
    """Last parts, sorted, as pip-licenses has them; "OSI Approved" alone names no licence."""
    return tuple(sorted({printable(one) for one in classifiers} - {"OSI Approved"}))


def _known(text: str | None) -> str | None:
    """The field, None for nothing. Of a whole licence text the first line, marked as cut.

    The mark keeps "MIT" over a page of conditions from being read as the licence MIT.
    """
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    if not lines or lines == [_UNKNOWN]:
        return None
    first = printable(lines[0])
    return shorten(first if len(lines) == 1 else f"{first} […]", _TEXT_WIDTH)
