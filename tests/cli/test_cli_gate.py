"""`scanagg gate` judges a stored report again without scanning; the same policy, same verdict."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from support.command import check, scanagg
from support.sample import sample_report

from scanagg.gate.rejudge import findings_of, rejudge
from scanagg.model import (
    NO_BASE,
    Category,
    Change,
    Coverage,
    Gate,
    History,
    Licensed,
    LicenseFacts,
    LicenseVerdict,
    Location,
    Origin,
    Outcome,
    Package,
    Reason,
    Report,
    Run,
    Status,
    Terms,
    plain,
)
from scanagg.policy.load import load_policy
from scanagg.reports.json import render

SHELL = "import subprocess\n\n\ndef go(name):\n    subprocess.run(name, shell=True)\n"
PASSWORD = "aws = 'AKIA" + "QWERTYUIOPASDFGH'\n"


def stored_report(folder: Path, report: Report) -> Path:
    path = folder / "scanagg.json"
    path.write_text("".join(render(report)), encoding="utf-8")
    return path


def whole(report: Report | None = None) -> Report:
    """A report in which no scanner left a gap."""
    found = report or sample_report()
    runs = (
        replace(run, status=Status.OK, coverage=Coverage("files", 3, 3))
        for run in found.runs
        if run.status is not Status.MISSING
    )
    return replace(found, runs=tuple(runs))


def verdict_page(text: str) -> list[str]:
    """Return the page without the paths of reports and without trailing empty lines."""
    lines = [line for line in text.splitlines() if not line.startswith("report ")]
    return "\n".join(lines).rstrip().splitlines()


@pytest.mark.parametrize(
    ("files", "options", "code"),
    [
        ({"a.py": SHELL, "b.py": PASSWORD}, (), 1),
        ({"a.py": SHELL, "b.py": "def broken(:\n"}, (), 3),
        ({"a.py": SHELL, "b.py": PASSWORD}, ("--only", "bandit"), 0),
        ({"a.py": SHELL, "b.py": PASSWORD}, ("--enforcement", "warn"), 0),
        (
            {"a.py": SHELL, "scanagg.yml": "version: 1\ndefault: block\n"},
            ("--now", "2026-05-05"),
            1,
        ),
    ],
)
def test_by_the_same_policy_the_page_is_the_same(
    files: dict[str, str], options: tuple[str, ...], code: int, make_project: Callable[..., Path]
) -> None:
    project = make_project(files)
    said = check(project, *options, formats=("json",))
    assert said.code == code, said.out + said.err
    again = scanagg("gate", str(said.folder / "scanagg.json"), cwd=project)
    assert (again.returncode, again.stderr) == (code, "")
    assert verdict_page(again.stdout) == verdict_page(said.out)


def test_another_policy_judges_otherwise(tmp_path: Path) -> None:
    path = str(stored_report(tmp_path, whole()))
    weekly = scanagg("gate", path, "--policy", "weekly", cwd=tmp_path)
    assert (weekly.returncode, weekly.stdout.split()[:4]) == (
        0,
        ["PASS", "shop,", "policy", "weekly"],
    )
    assert "judged again" in " ".join(weekly.stdout.split())
    strict = scanagg("gate", path, "--policy", "strict", "--enforcement", "block", cwd=tmp_path)
    assert "5 findings block" in " ".join(strict.stdout.split()), strict.stdout
    dry = scanagg("gate", path, "--policy", "strict", "--enforcement", "warn", cwd=tmp_path)
    assert "would block: " in dry.stdout


def test_the_project_s_own_policy_is_found_in_the_current_folder(
    make_project: Callable[..., Path],
) -> None:
    project = make_project({"scanagg.toml": 'policy = "mine.yml"\n'})
    (project / "mine.yml").write_text("version: 1\ndefault: info\n", encoding="utf-8")
    path = stored_report(project, sample_report())
    done = scanagg("gate", str(path), cwd=project)
    assert done.stdout.startswith("PASS  shop, policy mine")
    assert done.returncode == 0


def test_reports_are_written_where_asked_and_the_judged_one_is_not_overwritten(
    tmp_path: Path,
) -> None:
    path = stored_report(tmp_path, whole())
    folder = tmp_path / "out"
    every = [part for name in ("json", "sarif", "html", "md") for part in ("--format", name)]
    done = scanagg("gate", str(path), *every, "--output-dir", str(folder), cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert {each.name for each in folder.iterdir()} == {
        "scanagg.json",
        "scanagg.sarif",
        "scanagg.html",
        "scanagg.md",
    }
    again = scanagg("gate", str(folder / "scanagg.json"), cwd=tmp_path)
    assert verdict_page(again.stdout) == verdict_page(done.stdout)
    before = path.read_bytes()
    refused = scanagg("gate", str(path), "--format", "json", "--output-dir", ".", cwd=tmp_path)
    assert (refused.returncode, path.read_bytes()) == (2, before)
    assert "--output-dir" in refused.stderr


def test_only_the_verdict_where_quiet_and_every_finding_where_verbose(tmp_path: Path) -> None:
    path = str(stored_report(tmp_path, whole()))
    quiet = scanagg("gate", path, "-q", cwd=tmp_path)
    assert quiet.stdout.startswith("BLOCKED  shop")
    assert "bandit" not in quiet.stdout
    verbose = scanagg("gate", path, "-v", cwd=tmp_path)
    assert "DS-0002" in verbose.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.json",), "none.json"),
        (("scanagg.json", "--policy", "strickt"), "'strict'"),
        (("scanagg.json", "--policy", ""), "--policy"),
        (("scanagg.json", "--now", "soon"), "--now"),
        (("scanagg.json", "--enforcement", "no"), "--enforcement block"),
        (("scanagg.json", "--format", "pdf"), "'pdf'"),
    ],
)
def test_a_bad_argument_is_named(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    stored_report(tmp_path, sample_report())
    done = scanagg("gate", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr


# Runs in this process.

MIT = Licensed(
    Package("colour", "1.0", "pkg:pypi/colour@1.0", places=(Location("requirements.txt", 3),)),
    LicenseFacts(expression="MIT", source="pip metadata"),
    LicenseVerdict.ALLOW,
    "MIT",
    "MIT",
    "License-Expression",
)
DENIES = """
version: 1
default: info
rules:
  - {id: licences, match: {category: license, verdict: deny}, action: block}
licenses: {allow: [Apache-2.0]}
"""


def test_a_package_whose_licence_was_allowed_can_be_denied(tmp_path: Path) -> None:
    (tmp_path / "denies.yml").write_text(DENIES, encoding="utf-8")
    report = replace(whole(sample_report(())), licenses=(MIT,))
    path = str(stored_report(tmp_path, report))
    assert scanagg("gate", path, cwd=tmp_path).returncode == 0
    done = scanagg("gate", path, "--policy", "denies.yml", "--format", "json", cwd=tmp_path)
    assert done.returncode == 1
    assert "colour 1.0: MIT" in done.stdout
    said: dict[str, Any] = json.loads((tmp_path / "reports/scanagg.json").read_text("utf-8"))
    (finding,) = said["findings"]
    assert finding["location"]["start_line"] == 3
    assert finding["verdict"]["rule"] == "licences"
    # A policy that allows it makes it no longer a finding, but it stays in the report.
    back = scanagg("gate", "reports/scanagg.json", "--policy", "default", cwd=tmp_path)
    assert back.returncode == 0


def test_a_licence_finding_is_not_made_twice_and_keeps_its_history() -> None:
    report = sample_report()
    licensed = next(
        each.finding for each in report.findings if each.finding.category is Category.LICENSE
    )
    assert licensed.package is not None
    assert licensed.license is not None
    odd = replace(MIT, package=licensed.package, facts=licensed.license)
    old = History(Change.UNCHANGED, plain("in the base's manifests"))
    jinja = next(each.finding.package for each in report.findings if each.finding.package)
    found = findings_of(
        replace(
            report, licenses=(odd, MIT, replace(MIT, package=jinja, history=old), from_image(MIT))
        )
    )
    made = found[len(report.findings) :]
    assert [each.package.name for each in made if each.package] == ["colour", "jinja2", "zlib1g"]
    assert [each.history for each in made] == [NO_BASE, old, NO_BASE]
    assert len({each.fingerprint for each in found}) == len(found)
    assert [each.scanners for each in made] == [("licenses",), ("licenses",), ("trivy",)]


def test_licences_of_two_versions_have_fingerprints_of_their_own() -> None:
    newer = replace(MIT, package=replace(MIT.package, version="9", purl="pkg:pypi/colour@9"))
    found = findings_of(replace(sample_report(()), licenses=(MIT, newer)))
    assert len({each.fingerprint for each in found}) == 2


def from_image(licensed: Licensed) -> Licensed:
    package = Package("zlib1g", "1.2", "pkg:deb/debian/zlib1g@1.2")
    return replace(licensed, package=package, facts=LicenseFacts(text="Zlib", source="trivy"))


def with_gate(gate: Gate, *runs: Run) -> Report:
    report = sample_report(())
    return replace(report, gate=gate, runs=runs or report.runs)


def test_an_interrupted_check_stays_interrupted(tmp_path: Path) -> None:
    report = with_gate(Gate(Outcome.INCOMPLETE, 130, (Reason("interrupted"),)))
    gate = rejudge(report, load_policy("weekly", tmp_path)).gate
    assert (gate.outcome, gate.exit_code) == (Outcome.INCOMPLETE, 130)
    done = scanagg("gate", str(stored_report(tmp_path, report)), cwd=tmp_path)
    assert done.returncode == 130


def test_an_image_that_was_not_examined_stays_a_gap(tmp_path: Path) -> None:
    gap = Reason("image-not-examined", {"image": "registry.invalid/shop:1"})
    report = with_gate(Gate(Outcome.INCOMPLETE, 3, (gap,)))
    report = replace(report, terms=Terms(problems=(gap,)))
    for name in ("default", "weekly", "strict"):
        gate = rejudge(report, load_policy(name, tmp_path)).gate
        assert gate.outcome is Outcome.INCOMPLETE
        assert gap in gate.reasons


def test_a_condition_on_files_is_taken_as_true_and_a_notice_says_so(tmp_path: Path) -> None:
    (tmp_path / "p.yml").write_text(
        "version: 1\ndefault: info\n"
        "scanners:\n"
        "  safety: {required: true, when: {exists: ['**/*.tf']}}\n"
        "  trivy: {required: false, when: {exists: [Dockerfile]}}\n",
        encoding="utf-8",
    )
    policy = load_policy(str(tmp_path / "p.yml"), tmp_path)
    gate = rejudge(sample_report(()), policy).gate
    assert gate.outcome is Outcome.INCOMPLETE
    required = [one for one in gate.reasons if one.kind == "required-scanner"]
    assert [reason.values["scanner"] for reason in required] == ["safety"]
    assert Reason("when-unknown", {"scanner": "safety"}) in gate.notices
    assert Reason("when-unknown", {"scanner": "trivy"}) not in gate.notices


def test_notices_of_the_stages_are_kept_and_those_of_another_policy_are_not(
    tmp_path: Path,
) -> None:
    kept = (plain("no base"), Reason("files-excluded", {"count": 3}))
    gone = (
        Reason("gaps-allowed"),
        Reason("would-block"),
        Reason("waivers-unused"),
        Reason("when-unknown", {"scanner": "safety"}),
    )
    attempts = (plain("it adds a waiver"),)
    report = with_gate(Gate(Outcome.PASS, 0, (), (*gone, *kept), attempts))
    report = replace(report, terms=Terms(notices=kept))
    gate = rejudge(report, load_policy("strict", tmp_path)).gate
    assert set(kept) <= set(gate.notices)
    assert not set(gone) & set(gate.notices)
    assert gate.attempts == attempts


def test_the_origin_is_decided_again_from_what_the_report_holds(tmp_path: Path) -> None:
    report = sample_report()
    judged = rejudge(report, load_policy("default", tmp_path)).findings
    assert {each.origin for each in judged} == {Origin.INTRODUCED}
    assert len(judged) == len(report.findings)
