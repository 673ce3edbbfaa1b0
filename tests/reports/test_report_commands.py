"""No line of a report is a command for a CI system that prints the report into its log."""

import pytest
from support.commands import ANYWHERE, AT_START, hostile, is_command
from support.sample_whole import full_report

from scanagg.reports.base import names, reporter


@pytest.mark.parametrize("name", names())
def test_no_line_of_a_report_is_a_command(name: str) -> None:
    render = reporter(name).render
    for command in (*ANYWHERE, *AT_START):
        text = "".join(render(hostile(full_report(), command)))
        assert not [line for line in text.splitlines() if is_command(line)], command
