"""The gaps in coverage: each cause once, with all the scanners that it concerns."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from scanagg.core.text import listed, one_line
from scanagg.model import NotExamined, Outcome, Reason, Report, Run, Status
from scanagg.model.network import NO_NETWORK, UNTRUSTED
from scanagg.reports.phrases import STATUSES, examined, plural
from scanagg.reports.reasons import sentence

_INDEX_ONLY: Final = Reason("index-only")
_PACKAGE_MISSING: Final = "package-not-installed"
_NO_STORE: Final = "offline-without-store"
_NO_DATABASE: Final = "no-database"
# Kinds that mean the same whatever the input: they concern this machine, not the project.
_OF_MACHINE: Final = {
    NO_NETWORK: "network",
    UNTRUSTED: "certificate",
    **dict.fromkeys(("offline", _NO_STORE, _NO_DATABASE), "offline"),
    _PACKAGE_MISSING: "program",
    "not-installed": "program",
}
# The problems in reasons of the gate that name inputs which were not examined.
_PROBLEMS: Final = frozenset(
    ("failed", "timeout", "missing", "empty", "degraded", "few-examined", "not-all-examined")
)


class CoverageGap(msgspec.Struct, frozen=True):
    """Inputs that were not examined for one cause, by one or more scanners.

    `text` names the scanners and the cause, with what to do, but not several inputs. Without
    `runs`, no scanner gets the inputs.
    """

    text: str
    runs: tuple[Run, ...] = ()
    inputs: tuple[NotExamined, ...] = ()

    @property
    def scanners(self) -> tuple[str, ...]:
        """The names of the scanners."""
        return tuple(run.scanner for run in self.runs)

    @property
    def listed(self) -> tuple[NotExamined, ...]:
        """The inputs that the text does not name; of the network, only the reasons by scanner."""
        if self._area == "program":
            return ()
        if self.is_of_machine:
            pairs = ((run.scanner, gap.reason) for run in self.runs for gap in run.coverage.gaps)
            known = {gap.reason for gap in self.inputs}
            return tuple(NotExamined(*pair) for pair in dict.fromkeys(pairs) if pair[1] in known)
        return () if self.runs and len(self.inputs) == 1 else self.inputs

    @property
    def has_one_reason(self) -> bool:
        """True if the text has the reason of all that is listed."""
        reasons = {gap.reason for gap in self.inputs}
        return len(reasons) == 1 and bool(self.runs) and not self.is_of_machine

    @property
    def order(self) -> int:
        """The position in a list: the network first, programs that are not installed last."""
        order = {"network": 0, "certificate": 0, "offline": 0, "program": 3}
        return order.get(self._area, 1 if len(self.runs) > 1 else 2)

    @property
    def _area(self) -> str:
        return _OF_MACHINE.get(self.inputs[0].reason.kind, "") if self.inputs else ""

    @property
    def is_of_machine(self) -> bool:
        """True if the cause is this machine or its network, whatever the inputs."""
        return bool(self._area)

    @property
    def is_shared(self) -> bool:
        """True if the cause concerns this machine, or several scanners."""
        return len(self.runs) > 1 or self.is_of_machine


def gaps(report: Report) -> list[CoverageGap]:
    """Return everything that was not examined by cause, then files not passed to any scanner.

    A run without inputs is no gap.
    """
    causes: dict[object, list[tuple[Run, tuple[NotExamined, ...]]]] = {}
    for run in report.runs:
        for inputs in _by_kind(run):
            causes.setdefault(_cause(run, inputs), []).append((run, inputs))
    result = [_gap(report, cause) for cause in causes.values()]
    result.sort(key=lambda gap: gap.order)
    skipped = tuple(gap for gap in report.target.skipped if not gap.on_purpose)
    if skipped:
        text = f"{plural(len(skipped), 'file')} not passed to any scanner"
        result.append(CoverageGap(text, inputs=skipped))
    return result


def complete(report: Report) -> bool:
    """Return whether scanners examined everything: only then may a report say "no findings"."""
    examined_any = any(run.coverage.examined for run in report.runs)
    return report.gate.outcome is Outcome.PASS and examined_any and not gaps(report)


def summarised(report: Report, shown: Sequence[CoverageGap]) -> frozenset[str]:
    """Return the scanners whose gaps need more than the gate's reason: a cause is shared."""
    shared = {name for gap in shown if gap.is_shared for name in gap.scanners}
    return named(report) & shared


def named(report: Report) -> frozenset[str]:
    """Return the scanners whose inputs the gate's reasons name."""
    return frozenset(filter(None, map(_scanner_of, report.gate.reasons)))


def reasons(report: Report, shown: Sequence[CoverageGap]) -> list[str]:
    """Return the gate's reasons; for the `summarised` scanners, only how much they examined."""
    runs = {run.scanner: run for run in report.runs}
    short = summarised(report, shown)
    result = []
    for reason in report.gate.reasons:
        name = _scanner_of(reason)
        if name not in short:
            result.append(sentence(reason))
            continue
        amount = examined(runs[name])
        verb = "examined " if runs[name].coverage.found else ""
        required = "is required but " if reason.kind == "required-scanner" else ""
        result.append(f"{name} {required}{verb}{amount}")
    return result


def notices(report: Report) -> list[str]:
    """Return the gate's notices without those about inputs that `gaps` has."""
    return [sentence(notice) for notice in report.gate.notices if not _scanner_of(notice)]


def detail(run: Run, shown: Sequence[CoverageGap]) -> str:
    """Return why a run is not ok; empty if a shared gap says it."""
    if run.detail is None or any(gap.is_shared and run.scanner in gap.scanners for gap in shown):
        return ""
    return sentence(run.detail)


def _scanner_of(reason: Reason) -> str:
    """Return the scanner whose inputs a reason of the gate names; empty for any other reason."""
    problem, name = reason.values.get("problem"), reason.values.get("scanner")
    names_inputs = isinstance(problem, Reason) and problem.kind in _PROBLEMS
    return name if names_inputs and isinstance(name, str) else ""


def _by_kind(run: Run) -> Iterator[tuple[NotExamined, ...]]:
    """Yield the inputs that a run did not examine, by the kind of their reason.

    Yield one empty tuple for a run that is not complete and names no inputs.
    """
    coverage = run.coverage
    kinds: dict[str, list[NotExamined]] = {}
    for gap in coverage.gaps:
        kinds.setdefault(gap.reason.kind, []).append(gap)
    yield from map(tuple, kinds.values())
    examined_all = coverage.examined >= coverage.wanted
    if not (kinds or (examined_all and run.status in (Status.OK, Status.NOT_APPLICABLE))):
        yield ()


def _cause(run: Run, inputs: Sequence[NotExamined]) -> object:
    """Return a value that is equal for inputs with the same cause."""
    if not inputs:
        return run.status, run.detail or run.scanner
    kind = inputs[0].reason.kind
    return _OF_MACHINE.get(kind) or (kind, frozenset(gap.input for gap in inputs))


def _gap(report: Report, cause: Sequence[tuple[Run, tuple[NotExamined, ...]]]) -> CoverageGap:
    runs = tuple(run for run, _ in cause)
    inputs = tuple(dict.fromkeys(gap for _, inputs in cause for gap in inputs))
    text = _text_of_machine if inputs and inputs[0].reason.kind in _OF_MACHINE else _text
    return CoverageGap(text(report, runs, inputs), runs, inputs)


def _text_of_machine(report: Report, runs: Sequence[Run], inputs: Sequence[NotExamined]) -> str:
    names = listed(one_line(run.scanner) for run in runs)
    causes = tuple(dict.fromkeys(gap.reason for gap in inputs))
    match _OF_MACHINE[causes[0].kind]:
        case "network":
            return _no_network(report, names, runs, causes)
        case "program":
            return _not_installed(report, runs, causes)
        case "offline":
            return _offline(names, runs)
    return f"{names}: {sentence(causes[0])}"


def _text(_report: Report, runs: Sequence[Run], inputs: Sequence[NotExamined]) -> str:
    names = listed(one_line(run.scanner) for run in runs)
    first, status = runs[0], STATUSES[runs[0].status]
    if not inputs:
        about = sentence(first.detail) if first.detail else f"{examined(first)} examined"
        return f"{names} {status}: {about}"
    reason = inputs[0].reason
    if first.detail == reason and first.status is not Status.DEGRADED:
        return f"{names} {status}: {sentence(reason)}"
    what = one_line(inputs[0].input)
    if len(inputs) > 1:
        such_as = f", such as {what}" if len({gap.reason for gap in inputs}) > 1 else ""
        what = f"{len(inputs):,} {one_line(first.coverage.unit)}{such_as}"
    return f"{names}: {what}: {sentence(reason)}"


def _no_network(report: Report, names: str, runs: Sequence[Run], causes: Sequence[Reason]) -> str:
    """Return which scanners could not look anything up, and what to do if the store can help."""
    whys = {reason.values.get("why") for reason in causes}
    if whys == {_INDEX_ONLY}:
        start = f"{names} could not look anything up: {sentence(causes[0])}."
    else:
        start = f"No network: {names} could not look anything up."
    infos = [report.scanners.get(run.scanner) for run in runs]
    if not any(info and info.asks_advisory_store for info in infos):
        return start
    if report.data:
        return f"{start} Use --offline to ask only the advisory store."
    return f"{start} Import advisories with `scanagg db import PATH`, then use --offline."


def _offline(names: str, runs: Sequence[Run]) -> str:
    """Return which scanners have no data on this machine, and which commands get it."""
    ways = {}
    for run in runs:
        for reason in {gap.reason for gap in run.coverage.gaps}:
            if reason.kind == _NO_STORE:
                ways[run.scanner] = "`scanagg db import PATH`"
            elif reason.kind == _NO_DATABASE:
                ways[run.scanner] = f"`{one_line(str(reason.values['command']))}` while online"
    start = f"No data on this machine: {names} could not look anything up."
    if len(runs) == 1:
        advice = "".join(f"with {way}" for way in ways.values())
    else:
        advice = listed(f"for {one_line(name)} with {way}" for name, way in ways.items())
    return f"{start} Get it {advice}." if advice else start


def _not_installed(report: Report, runs: Sequence[Run], causes: Sequence[Reason]) -> str:
    """Return which scanners are not installed, which of them are optional, and what to do."""
    required = named(report)
    names = listed(run.scanner + ("" if run.scanner in required else " (optional)") for run in runs)
    packages, ways = [], []
    for reason in causes:
        if reason.kind == _PACKAGE_MISSING:
            packages.append(str(reason.values["package"]))
        else:
            ways.append(str(reason.values["install"]))
    if packages:
        ways.insert(0, f"`pip install {' '.join(packages)}` in scanagg's environment")
    return f"Not installed: {names}. To install: {'; '.join(ways)}"
