"""The constraints of Poetry and Pipenv become PEP 440, never narrower than they are."""

import pytest
from packaging.specifiers import SpecifierSet

from scanagg.inventory import specifiers
from scanagg.inventory.specifiers import as_pep_440


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("*", ""),
        ("", ""),
        ("^1.2.3", ">=1.2.3,<2"),
        ("^1", ">=1,<2"),
        ("^0.2.3", ">=0.2.3,<0.3"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("^0.0", ">=0.0,<0.1"),
        ("^0", ">=0,<1"),
        ("^2.0a1", ">=2.0a1,<3"),
        ("^1!2.3", ">=1!2.3,<1!3"),
        ("~1", ">=1,<2"),
        ("~1.2", ">=1.2,<1.3"),
        ("~1.2.3", ">=1.2.3,<1.3"),
        ("~=1.2.3", "~=1.2.3"),
        ("1.2.*", "==1.2.*"),
        ("==1.2.*", "==1.2.*"),
        ("!=1.2.*", "!=1.2.*"),
        ("1.2", "==1.2"),
        ("= 1.2", "==1.2"),
        ("v1.2", "==1.2"),
        ("<> 1.2", "!=1.2"),
        (">= 1.2, < 2", ">=1.2,<2"),
        (">=1.2 <2", ">=1.2,<2"),
        ("===2004d", "===2004d"),
        ("^6.2 || ^7.0 | ^8.0", ">=6.2,<9"),
        (">=1,<2 || >=3", ">=1"),
        (">=3 || >=1,<2", ">=1"),
        ("<1 || >=3", ""),
        ("<1 || >=3,<4", "<4"),
        ("* || ^1", ""),
        ("1.5 || 2.5", ">=1.5,<=2.5"),
        ("1.* || ~=2.5.1", ">=1,<2.6"),
        (">1 || >=1", ">=1"),
        ("<2 || <=2", "<=2"),
        ("!=1 || !=2", ""),
        (
            ">=1.21.1,<1.25.0 || >1.25.0,<1.25.1 || >1.25.1,<1.26",
            ">=1.21.1,<1.26,!=1.25.0,!=1.25.1",
        ),
        ("<1.25 || >1.25 || 1.25", ""),
        (" || ".join(["1.0"] * 101), ""),
    ],
)
def test_constraints_by_pep_440(text, said):
    assert SpecifierSet(as_pep_440(text)) == SpecifierSet(said)


@pytest.mark.parametrize(
    "text",
    [
        *("latest", "^", "~x", ">=", "1.2.x", "^1.*", "=>1", "a || b", "1 || latest"),
        *("^" + "9" * 5000, ">=3." + "9" * 5000, "===2004d || ^1"),
    ],
)
def test_other_text_is_not_translated(text):
    assert as_pep_440(text) is None


def test_alternatives_without_end_cost_nothing(monkeypatch):
    monkeypatch.setattr(specifiers, "_around", None)
    assert as_pep_440("|".join(f"1.{number}" for number in range(100_000))) == ""
