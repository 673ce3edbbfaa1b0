"""Imports of KEV and EPSS; a broken entry is skipped alone."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support.records import NOW, epss, kev, put_epss, put_kev, silent, write_gzip, write_json

from scanagg.advisories.importing import (
    DataOrigin,
    Import,
    Imported,
    import_epss,
    import_kev,
    origin_of,
)
from scanagg.advisories.storage import touch
from scanagg.advisories.store import Exploited, Likelihood, open_store

DAY = datetime(2024, 10, 10, tzinfo=UTC)
ORIGIN = DataOrigin("https://index.invalid/kev.json", '"abc"')


def put(cache: Path, content: dict[str, Any]) -> Imported:
    return import_kev(Import(write_json(cache / "given.json", content), cache, ORIGIN, silent, NOW))


def put_text(cache: Path, text: str) -> Imported:
    path = cache / "given.csv"
    path.write_text(text, "utf-8")
    return import_epss(Import(path, cache, ORIGIN, silent, NOW))


def test_a_catalogue(tmp_path: Path) -> None:
    made = put(tmp_path, kev("CVE-2021-44228", "CVE-2024-0001"))
    assert (made.source.records, made.problems, made.refused) == (2, (), 0)
    assert made.source.updated == datetime(2024, 10, 9, 18, 0, 10, 123400, UTC)
    assert made.source.license == "CC0 1.0"
    store = open_store(tmp_path)
    assert store.kev == made.source
    assert store.exploited(["CVE-2021-44228"]) == Exploited(
        "CVE-2021-44228", "2024-01-02", "2024-01-23"
    )
    assert origin_of("kev", tmp_path) == ORIGIN


def test_a_catalogue_without_a_date_has_that_of_its_version(tmp_path: Path) -> None:
    whole = kev("CVE-2024-0001")
    del whole["dateReleased"]
    assert put(tmp_path, whole).source.updated == datetime(2024, 10, 9, tzinfo=UTC)
    assert put(tmp_path, whole | {"dateReleased": 7}).source.updated is not None
    assert put(tmp_path, whole | {"catalogVersion": "one"}).source.updated is None
    assert put(tmp_path, whole | {"catalogVersion": 1}).source.updated is None


def test_a_date_in_the_future_says_nothing_of_the_age(tmp_path: Path) -> None:
    future = "2999-01-01T00:00:00Z"
    for imported in (
        put(tmp_path, kev("CVE-2024-0001", dateReleased=future)),
        put_epss(tmp_path, {"CVE-2024-0001": (0, 0)}, scored=future),
    ):
        assert imported.source.updated is None
        assert imported.problems == ("1 date in the future, up to 2999-01-01: check the clock",)


def test_a_date_that_is_ahead_by_no_more_than_clocks_drift_is_believed(
    tmp_path: Path,
) -> None:
    """The date of today's catalogue may be later than the hour of the import."""
    later = f"{NOW + timedelta(hours=20):%Y-%m-%dT%H:%M:%SZ}"
    assert put(tmp_path, kev("CVE-2024-0001", dateReleased=later)).source.updated is not None
    assert put_epss(tmp_path, {"CVE-2024-0001": (0, 0)}, scored=later).source.updated is not None


def test_entries_that_are_none_are_counted(tmp_path: Path) -> None:
    whole = kev("CVE-2024-0001", "cve-2024-0002 ", "CVE-2024-0001", "GHSA-1", "CVE-2024-1\x1b")
    whole["vulnerabilities"] += [7, None, {}, {"cveID": 7}]
    made = put(tmp_path, whole)
    assert (made.source.records, made.refused) == (2, 7)
    assert made.problems[0] == "entry 3: CVE-2024-0001 is listed twice"
    assert made.problems[1] == "entry 4: cveID is not a CVE id"
    assert made.problems[-1] == "the catalogue announces 5 entries, but has 9"
    assert open_store(tmp_path).exploited(["CVE-2024-0002"]) is not None


def test_an_entry_without_days_is_still_exploited(tmp_path: Path) -> None:
    whole = kev("CVE-2024-0001", "CVE-2024-0002")
    whole["vulnerabilities"][0] |= {"dateAdded": "yesterday", "dueDate": None}
    made = put(tmp_path, whole)
    assert made.problems == ("CVE-2024-0001: dateAdded is not a date",)
    store = open_store(tmp_path)
    assert store.exploited(["CVE-2024-0001"]) == Exploited("CVE-2024-0001", "", "")
    both = store.exploited(["CVE-2024-0001", "CVE-2024-0002"])
    assert both is not None
    assert both.cve == "CVE-2024-0002"


def test_scores_plain_and_packed_make_the_same_store(tmp_path: Path) -> None:
    given = {"CVE-2024-0002": (0.97, 0.999), "CVE-2024-0001": (0.00042, 0.1)}
    plain = put_text(tmp_path, epss(given))
    path = write_gzip(tmp_path / "x.gz", epss(given))
    packed = import_epss(Import(path, tmp_path, ORIGIN, silent, NOW))
    turned = put_text(tmp_path, epss(dict(reversed(given.items()))))
    assert len({one.source.digest for one in (plain, packed, turned)}) == 1
    assert {one.source.updated for one in (plain, packed)} == {datetime(2024, 10, 10, tzinfo=UTC)}
    store = open_store(tmp_path)
    assert store.likelihood(given) == Likelihood("CVE-2024-0002", 0.97, 0.999)
    assert store.likelihood(["CVE-2024-0001"]) == Likelihood("CVE-2024-0001", 0.00042, 0.1)


@pytest.mark.parametrize(
    ("header", "updated"),
    [
        ("#model_version:v1,score_date:2024-10-10T00:00:00+0000\n", DAY),
        ("#model_version:v1,score_date:2024-10-10T12:55:00Z\n", DAY.replace(hour=12, minute=55)),
        ("#model_version:v1,score_date:2024-99-99T00:00:00Z\n", None),
        ("#model_version:v1\n", None),
        ("\ufeff#score_date:2024-10-10T00:00:00+0000\r\n", DAY),
        ("", None),
    ],
)
def test_the_date_of_the_scores(tmp_path: Path, header: str, updated: datetime | None) -> None:
    made = put_text(tmp_path, f"{header}cve,epss,percentile\nCVE-2024-0001,0.5,0.9\n")
    assert made.source.updated == updated


def test_columns_are_found_by_name(tmp_path: Path) -> None:
    put_text(tmp_path, "percentile, more ,EPSS,cve\r\n0.9,x,0.5,cve-2024-0001\r\n")
    assert open_store(tmp_path).likelihood(["CVE-2024-0001"]) == Likelihood(
        "CVE-2024-0001", 0.5, 0.9
    )


def test_lines_that_are_none_are_counted(tmp_path: Path) -> None:
    rows = ["CVE-2024-0001,0.5,0.9", "", "CVE-2024-0001,0.6,0.9", "CVE-2024-0002,nan,0.9"]
    rows += ["CVE-2024-0003,1.1,0.9", "CVE-2024-0004,0.1", "GHSA-1,0.1,0.1", "\x1b[2J", "a" * 5000]
    rows += ["CVE-2024-0005,inf,-1", "CVE-2024-0006,1,0"]
    made = put_text(tmp_path, "cve,epss,percentile\n" + "\n".join(rows))
    assert made.source.records == 2
    assert made.refused == 12  # the line of 5,000 letters is read as five
    assert made.problems[0].startswith("score 3: listed twice: 'CVE-2024-0001,0.6,0.9'")
    assert made.problems[1].startswith("score 4: not a CVE id with two numbers from 0 to 1")
    assert "\x1b" not in "".join(made.problems)


def test_progress_of_scores(tmp_path: Path) -> None:
    text = epss({f"CVE-2024-{number:05}": (0.5, 0.5) for number in range(25_000)})
    steps: list[tuple[int, int]] = []
    path = write_gzip(tmp_path / "x.gz", text)
    import_epss(Import(path, tmp_path, ORIGIN, lambda *done: steps.append(done), NOW))
    assert steps == [(10_000, 0), (20_000, 0), (25_000, 0)]


def test_each_kind_is_made_younger_by_itself(tmp_path: Path) -> None:
    put_kev(tmp_path, "CVE-2024-0001")
    put_epss(tmp_path, {"CVE-2024-0001": (0.5, 0.5)})
    later = datetime(2030, 1, 1, tzinfo=UTC)
    touch("kev", tmp_path, later)
    store = open_store(tmp_path)
    assert store.kev is not None
    assert store.epss is not None
    assert store.kev.fetched == later
    assert store.epss.fetched != later
