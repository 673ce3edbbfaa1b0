"""The README and the sample report show what the demonstration prints and reports."""

import demonstration
import pytest
from demonstration import SAMPLE, Demonstration, comparable, shown
from doc_examples import differences


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    return demonstration.run(tmp_path_factory.mktemp("demonstration"))


def test_the_readme_shows_what_the_demonstration_prints(demo: Demonstration) -> None:
    command = shown()
    assert command.typed == "scanagg demo shop"
    assert not differences(command.shown, demo.printed)


def test_the_sample_is_the_report_of_the_demonstration(demo: Demonstration) -> None:
    assert comparable(SAMPLE.read_text("utf-8")) == comparable(demo.report)


@pytest.mark.parametrize(
    ("part", "other", "same"),
    [
        ('class="number">0.3<', 'class="number">12.8<', True),
        ('class="number">3<', 'class="number">4<', False),
        ('<time datetime="a">b</time>', '<time datetime="c">d</time>', True),
        ("2023-08-03 (1215 days old)", "2023-08-03 (1,216 days old)", True),
        ("2023-08-03 (1215 days old)", "2023-08-04 (1215 days old)", False),
        ("lib/python3.11/site-packages", "lib/python3.14/site-packages", True),
        ("4 findings block", "3 findings block", False),
    ],
)
def test_only_times_ages_and_python_may_differ(part: str, other: str, same: bool) -> None:
    assert (comparable(part) == comparable(other)) is same
