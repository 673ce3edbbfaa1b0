"""The terminal page shows what the report holds and what it leaves out."""

import io
import sys
from pathlib import Path

import pytest
from support.sample import large_report, sample_findings, sample_report

from scanagg.cli.page import Written, print_page
from scanagg.errors import OutputError
from scanagg.model import Report
from scanagg.reporters import Shortens, file_names, reporter, reporters
from scanagg.reporters.sarif import notices


def page(report: Report, *, verbose: bool = False, written: Written | None = None) -> str:
    stream = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        patch.setenv("COLUMNS", "80")
        print_page(report, written or Written(), quiet=False, verbose=verbose)
    return stream.getvalue()


def test_every_kind_of_finding_is_shown(tmp_path: Path) -> None:
    text = page(sample_report(root=tmp_path), verbose=True)
    for judged in sample_findings():
        assert judged.finding.id in text
        assert judged.severity.value in text
    assert "jinja2 2.4.1 in requirements.txt:1" in text
    assert "fixed in 2.8.1" in text
    assert "no fixed version is known" not in text
    assert "\x1b" not in text


def test_only_what_blocks_is_shown_unless_asked(tmp_path: Path) -> None:
    text = page(sample_report(root=tmp_path))
    shown = {judged.finding.id for judged in sample_findings() if judged.finding.id in text}
    assert shown == {
        judged.finding.id for judged in sample_findings() if judged.verdict.action.value == "block"
    }


def test_of_many_that_block_the_first_are_shown_and_the_rest_counted() -> None:
    text = page(large_report(3000))
    assert "980 more that block" in text
    assert len(text.splitlines()) < 200


def test_what_a_report_leaves_out_is_said(tmp_path: Path) -> None:
    report = large_report(6000)
    (cut,) = notices(report)
    assert "5,000 of 6,000" in cut
    said = Written([tmp_path / "scanagg.sarif"], [f"scanagg.sarif: {cut}"])
    assert "scanagg.sarif: " in page(report, written=said)
    assert isinstance(reporter("sarif"), Shortens)
    assert not isinstance(reporter("json"), Shortens)


def test_a_report_that_could_not_be_written_is_said_with_a_remedy(
    capsys: pytest.CaptureFixture[str],
) -> None:
    problem = OutputError("cannot write x", "make room")
    print_page(sample_report(), Written(problems=[problem]), quiet=True, verbose=False)
    assert capsys.readouterr().err == "scanagg: cannot write x\n         make room\n"


def test_the_names_of_report_files_are_known_without_the_reporters() -> None:
    assert set(file_names()) == {made.FILENAME for made in reporters().values()}
