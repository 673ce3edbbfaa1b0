"""Combine fixes, pages and dates of one advisory from several sources."""

from typing import Any

import pytest
from msgspec.structs import replace

from scanagg.model import Advisory, Package, Rule, pypi_purl
from scanagg.model.advisories import earliest, headline, pages, remedy, retold
from scanagg.model.project import fixes


def pinned(version: str, name: str = "django") -> Package:
    return Package(name, version, pypi_purl(name, version))


@pytest.mark.parametrize(
    ("installed", "named", "fixed"),
    [
        ("3.2.0", "4.0.4 3.2.13 2.2.28", "3.2.13 4.0.4"),
        ("3.2.13", "3.2.13", ""),
        ("3.2", "3.2.0", ""),  # the same version
        ("4.0rc1", "4.0 3.9", "4.0"),
        ("4.0", "4.0rc2 4.1b1", "4.1b1"),
        ("4.0", "4.0.post1 4.0.dev1", "4.0.post1"),
        ("1!1.0", "2.0 1!1.1", "1!1.1"),
        ("2.0", "1!0.1", "1!0.1"),
        ("1.0+cpu", "1.0 1.0+cpu.2 1.1", "1.0+cpu.2 1.1"),
        ("1.0", "10.0 9.0", "9.0 10.0"),
        ("1.0", "2.0.0 2.0 v2.0", "2.0"),
        ("1.0", "not-a-version 0.5 2.0", "2.0 not-a-version"),
        ("1.0", f"{'9' * 5000} 2.0", f"2.0 {'9' * 5000}"),
        ("unknown", "0.1 not-a-version 2.0", "0.1 2.0 not-a-version"),
    ],
)
def test_only_what_is_above_an_install_fixes_it(installed: str, named: str, fixed: str) -> None:
    assert fixes(named.split(), pinned(installed)) == tuple(fixed.split())


def test_versions_of_others_than_pypi_are_left_as_they_are() -> None:
    deb = Package("zlib1g", "1:1.2.13", "pkg:deb/debian/zlib1g@1:1.2.13")
    assert fixes(["1:1.2.13.dfsg-2", "1:1.2.11"], deb) == ("1:1.2.11", "1:1.2.13.dfsg-2")
    npm = Package("left-pad", "2.0.0", "pkg:npm/left-pad@2.0.0")
    assert fixes(["1.0.0"], npm) == ("1.0.0",)
    assert fixes(["2", "1", "2"], None) == ("1", "2")


def test_a_message_tells_the_fixes_of_now() -> None:
    before = f"django 3.2 is affected by CVE-1. {remedy(('2.2.28', '3.2.13'))} Fixed in prose."
    assert retold(before, ("2.2.28", "3.2.13"), ("3.2.13",)) == (
        "django 3.2 is affected by CVE-1. Fixed in 3.2.13. Fixed in prose."
    )
    unfixed = retold(before, ("2.2.28", "3.2.13"), ())
    assert unfixed.startswith("django 3.2 is affected by CVE-1. No fixed version is known. ")
    assert retold("other words", ("1",), ()) == "other words"
    assert "\n" not in remedy(("1\n2",))


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Sandbox escape\nMore.", "Sandbox escape"),
        ("### Impact\n\nA sandbox escape.", "A sandbox escape."),
        ("## Impact of a sandbox escape", "Impact of a sandbox escape"),
        ("N/A\n \nSandbox escape", "Sandbox escape"),
        ("jinja2 2.0.post1: CVE-1", ""),
        ("GHSA-1, PYSEC-1", ""),
        ("CVE-2: escape", "CVE-2: escape"),
        (
            "In Django 3.2 before 3.2.19, 4.x before 4.1.9, and 4.2 before 4.2.1, it was possible.",
            "It was possible.",
        ),
        (
            "An issue was discovered in a 5.0 before 5.0.8 and 4.2 before 4.2.15. JSON can escape.",
            "JSON can escape.",
        ),
        (
            "A vulnerability was discovered in jinja2 in versions before 5.4, where it is at risk.",
            "It is at risk.",
        ),
        (
            "A flaw was found in jinja2 before 5. It crashes on port 80, too, and stops.",
            "It crashes on port 80, too, and stops.",
        ),
        ("In Django 3.2, it stops", "In Django 3.2, it stops"),
        (
            "In Django, users of 3.2 can read all files",
            "In Django, users of 3.2 can read all files",
        ),
        ("Уязвимость", "Уязвимость"),
        *((empty, "") for empty in ("", " \n\t", "-", "N/A.", "none", "*None*", "No description")),
    ],
)
def test_a_headline_says_something(text: str, title: str) -> None:
    assert headline(text, ("Jinja2", "cve-1", "GHSA-1", "PYSEC-1")) == title


def test_pages_are_safe_to_follow_and_not_too_many() -> None:
    good = [f"https://example.invalid/{number}" for number in range(20)]
    bad = [
        "http://example.invalid/",
        "javascript:alert(1)",
        "https://example.invalid/a b",
        "https://example.invalid/\x1b[2J",
        "https://" + "a" * 3000,
    ]
    assert pages([*bad, *good, *good]) == tuple(good[:10])
    assert pages(bad) == ()


@pytest.mark.parametrize(
    ("dates", "first"),
    [
        (("2022-04-12T05:15:00Z", "2022-04-12"), "2022-04-12"),
        (("2022-04-12T01:00:00Z", "2022-04-12T02:00:00+02:00"), "2022-04-12T02:00:00+02:00"),
        (("2022-04-12T05:15:00.123456789Z", None, ""), "2022-04-12T05:15:00.123456789Z"),
        # Go writes an unset time like this; with a large offset from UTC it is out of range.
        (("0001-01-01T00:00:00Z", "2022-04-12"), "2022-04-12"),
        (("0001-01-01T00:00:00+14:00", "yesterday"), None),
        ((), None),
    ],
)
def test_the_earliest_date_that_can_be_read(
    dates: tuple[str | None, ...], first: str | None
) -> None:
    assert earliest(dates) == first
    assert earliest(reversed(dates)) == first


@pytest.mark.parametrize("field", ["id", "name", "title", "url", "help", "why"])
def test_a_rule_has_only_text_that_reports_can_show(field: str) -> None:
    rule = Rule("X1", "x", "é")
    with pytest.raises(ValueError, match="surrogates"):
        replace(rule, **{field: "\ud800"})


@pytest.mark.parametrize(
    "field", [{"id": "\ud800"}, {"aliases": ("X", "\ud800")}, {"fixed_versions": ("\ud800",)}]
)
def test_an_advisory_has_only_text_that_reports_can_show(field: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="surrogates"):
        replace(Advisory("X-1"), **field)
