"""Places and package URLs."""

import pytest

from scanagg.model.project import Location, purl_without_version


@pytest.mark.parametrize(
    ("purl", "name"),
    [
        ("pkg:pypi/a@1.0?x=y@z", "pkg:pypi/a"),
        ("pkg:pypi/a", "pkg:pypi/a"),
        ("pkg:npm/@scope/name", "pkg:npm/@scope/name"),
        ("pkg:npm/@scope/name@1.0", "pkg:npm/@scope/name"),
        ("pkg:npm/%40scope/name@1.0", "pkg:npm/%40scope/name"),
    ],
)
def test_purl_without_version(purl: str, name: str) -> None:
    assert purl_without_version(purl) == name


def test_a_place_of_billions_of_lines_covers_the_first() -> None:
    assert Location("a.py", 5, 2**62).lines == range(5, 10_005)
