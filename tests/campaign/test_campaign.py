"""A few hostile projects of the campaign. `python -m tests.campaign` runs all of them."""

from collections.abc import Sequence

import pytest
from campaign.cases import CASES
from campaign.scene import SECRET, Case, Scene, run, sample, smallest

SEED = 3
COUNT = 3


@pytest.mark.parametrize(
    "cases", list(sample(CASES, COUNT, SEED)), ids=lambda cases: " + ".join(map(str, cases))
)
def test_a_check_keeps_its_promises(cases: Sequence[Case]) -> None:
    result = run(cases)
    assert result is not None
    assert result.broken == ()


def test_names_are_unique() -> None:
    assert len({str(case) for case in CASES}) == len(CASES)


def test_a_broken_promise_is_noticed_and_reduced() -> None:
    def leak(made: Scene) -> None:
        made.shell = f'echo "{SECRET}"; touch "{made.project}/new"; exit 4'

    broken = Case("test", "leak", leak)
    harmless = Case("test", "harmless", lambda made: made.write("a.txt", "x\n"))
    assert list(smallest([harmless, broken])) == [broken]
    result = run([broken])
    assert result is not None
    assert {what.partition(":")[0].partition(" in ")[0] for what in result.broken} == {
        "exit code 4",
        "a secret is",
        "changed outside of the reports",
    }
