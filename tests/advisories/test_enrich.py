"""The store adds ids, severities, dates, fixes, KEV and EPSS to observations."""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from support.kept import keep, keep_epss, keep_kev, keep_zip
from support.osv import Record, record

from scanagg.advisories.enrich import enriched
from scanagg.advisories.store import Store, open_store
from scanagg.core.redact import Redactor
from scanagg.findings.correlate import correlate
from scanagg.findings.fingerprint import Identity
from scanagg.model import (
    Advisory,
    Category,
    Location,
    Observation,
    Package,
    Rule,
    Severity,
    SeverityClaim,
    Target,
    pypi_purl,
)
from scanagg.project.sources import Sources

START, V4 = {"introduced": "0"}, "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
V31, V30 = (
    "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N",
    "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N",
)
V2 = "AV:N/AC:L/Au:N/C:P/I:P/A:P"

Keep = Callable[..., Store]


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Keep]:
    """Return a function that makes a store of records, with KEV and EPSS if given."""
    with ExitStack() as stack:

        def make(
            *records: Record,
            kev: Iterable[str] | None = None,
            epss: dict[str, float] | None = None,
        ) -> Store:
            cache = tmp_path / "cache"
            cache.mkdir(exist_ok=True)
            if records:
                keep(cache, records)
            if kev is not None:
                keep_kev(cache, "2024-05-06", *kev)
            if epss is not None:
                keep_epss(cache, "2024-05-06", epss)
            store = open_store(cache)
            stack.callback(store.close)
            return store

        yield make


def vulnerable(
    *ids: str,
    name: str = "jinja2",
    version: str = "2.4.1",
    fixed: tuple[str, ...] = (),
    purl: str = "",
    **more: Any,
) -> Observation:
    fixed_text = f"Fixed in {', '.join(fixed)}." if fixed else "No fixed version is known."
    base = Observation(
        scanner="pip-audit",
        category=Category.VULNERABILITY,
        rule=Rule(ids[0], ids[0], ids[0]),
        title="a title",
        message=f"{name} {version} is affected by {ids[0]}. {fixed_text}",
        package=Package(name, version, purl or pypi_purl(name, version)),
        advisory=Advisory(ids[0], ids[1:], fixed),
    )
    return replace(base, **more)


def github(advisory: str, name: str, label: str, *aliases: str, **more: Any) -> Record:
    weaknesses = more.pop("cwe_ids", [])
    extra = {"severity": label, "cwe_ids": weaknesses, "github_reviewed": True}
    events = more.pop("events", [START, {"fixed": "2.8.1"}])
    return record(advisory, name, *events, aliases=list(aliases), database_specific=extra, **more)


def scores(*vectors: str, kind: str = "CVSS_V3") -> list[dict[str, str]]:
    return [{"type": kind, "score": vector} for vector in vectors]


def enrich_one(store: Store, one: Observation) -> tuple[Observation, Advisory]:
    (found,) = enriched([one], store)
    assert found.advisory is not None
    return found, found.advisory


def words(found: Observation) -> list[tuple[str, str, str]]:
    return [(claim.source, claim.severity.value, claim.scanner) for claim in found.claims]


# -- names and severities --------------------------------------------------------------------------


def test_the_closure_restores_every_name_in_both_directions(keeping: Keep) -> None:
    store = keeping(
        record("PYSEC-1", "jinja2", START, aliases=["CVE-2024-1001"]),
        github("GHSA-aaaa-bbbb-cccc", "jinja2", "HIGH", "CVE-2024-1001", "CVE-2024-1002"),
        record("PYSEC-2", "jinja2", START, aliases=["GHSA-aaaa-bbbb-cccc"], related=["CVE-9"]),
    )
    _, advisory = enrich_one(store, vulnerable("PYSEC-2"))
    assert advisory.id == "PYSEC-2"
    assert advisory.aliases == ("CVE-2024-1001", "CVE-2024-1002", "GHSA-aaaa-bbbb-cccc", "PYSEC-1")


def test_what_a_scanner_called_it_stays_its_name(keeping: Keep) -> None:
    store = keeping(record("PYSEC-1", "jinja2", START, aliases=["CVE-2024-1001"]))
    _, advisory = enrich_one(store, vulnerable("safety-7", "cve-2024-1001"))
    assert advisory.id == "safety-7"
    assert advisory.aliases == ("cve-2024-1001", "CVE-2024-1001", "PYSEC-1")


def test_scanners_with_names_of_their_own_merge_through_the_store(keeping: Keep) -> None:
    store = keeping(
        record("PYSEC-1", "jinja2", START, aliases=["CVE-2024-1001"]),
        github("GHSA-aaaa-bbbb-cccc", "jinja2", "HIGH", "CVE-2024-1001"),
    )
    observations = [
        vulnerable("PYSEC-1"),
        vulnerable("safety-7", "CVE-2024-1001", scanner="safety"),
        vulnerable("GHSA-aaaa-bbbb-cccc", scanner="trivy"),
    ]
    sources, mask = Sources(Target(Path("/nowhere"), "x", ())), Redactor([], {})
    identity = Identity(sources, mask)
    assert len(correlate(observations, identity)) == 3
    (finding,) = correlate(enriched(observations, store), identity)
    assert finding.rule.id == "CVE-2024-1001"
    assert finding.scanners == ("pip-audit", "safety", "trivy")
    assert finding.claims == (SeverityClaim("ghsa", Severity.HIGH, "osv"),)


@pytest.mark.parametrize(
    ("label", "severity"),
    [("CRITICAL", "critical"), ("HIGH", "high"), ("MODERATE", "medium"), ("low", "low")],
)
def test_the_label_of_github_is_a_claim(keeping: Keep, label: str, severity: str) -> None:
    store = keeping(github("GHSA-aaaa-bbbb-cccc", "jinja2", label))
    found, _ = enrich_one(store, vulnerable("GHSA-aaaa-bbbb-cccc"))
    assert found.claims == (SeverityClaim("ghsa", Severity(severity), "osv"),)


def test_a_label_of_somebody_else_or_one_unknown_is_none(keeping: Keep) -> None:
    other = github("PYSEC-1", "jinja2", "CRITICAL", "CVE-2024-1001")
    store = keeping(other, github("GHSA-aaaa-bbbb-cccc", "jinja2", "SEVERE", "CVE-2024-1001"))
    assert enrich_one(store, vulnerable("CVE-2024-1001"))[0].claims == ()


def test_every_vector_is_a_claim_by_its_own_prefix(keeping: Keep) -> None:
    store = keeping(
        record(
            *("PYSEC-1", "jinja2", START),
            aliases=["CVE-2024-1001"],
            severity=[*scores(V31, f"{V31}/"), *scores(V30, V2, kind="CVSS_V4")],
        ),
        github("GHSA-aaaa-bbbb-cccc", "jinja2", "HIGH", "CVE-2024-1001", severity=scores(V4, V31)),
    )
    found, _ = enrich_one(store, vulnerable("PYSEC-1"))
    assert sorted((claim.source, claim.severity.value, claim.vector) for claim in found.claims) == [
        ("cvss2", "high", V2),
        ("cvss3.0", "medium", V30),
        ("cvss3.1", "high", V31),
        ("cvss4", "critical", V4),
        ("ghsa", "high", None),
    ]
    assert {claim.scanner for claim in found.claims} == {"osv"}


def test_what_is_no_vector_is_no_claim(keeping: Keep) -> None:
    odd = scores("9.8", "CVSS:5.0/AV:N", "HIGH", "CVSS:3.1/AV:N", "x" * 100_000)
    store = keeping(record("PYSEC-1", "jinja2", START, severity=odd))
    assert enrich_one(store, vulnerable("PYSEC-1"))[0].claims == ()


def test_a_scanners_own_words_come_first_and_stay(keeping: Keep) -> None:
    own = SeverityClaim("tool", Severity.LOW, "trivy")
    store = keeping(github("GHSA-aaaa-bbbb-cccc", "jinja2", "HIGH"))
    found, _ = enrich_one(store, vulnerable("GHSA-aaaa-bbbb-cccc", scanner="trivy", claims=(own,)))
    assert words(found) == [("tool", "low", "trivy"), ("ghsa", "high", "osv")]


def test_weaknesses_are_added_to_the_rule(keeping: Keep) -> None:
    listed = ["CWE-79", "CWE-20", "CWE-0x1", "CWE-79 or so"]
    store = keeping(github("GHSA-aaaa-bbbb-cccc", "jinja2", "LOW", cwe_ids=listed))
    one = vulnerable("GHSA-aaaa-bbbb-cccc", rule=Rule("r", "n", "t", "https://u", ("CWE-89",)))
    found, _ = enrich_one(store, one)
    assert found.rule == Rule("r", "n", "t", "https://u", ("CWE-20", "CWE-79", "CWE-89"))


# -- fixed versions --------------------------------------------------------------------------------


def test_fixes_are_those_of_this_package_above_the_install(keeping: Keep) -> None:
    of_two = record(
        "PYSEC-1", "jinja2", START, {"fixed": "2.8.1"}, {"introduced": "3.0"}, {"fixed": "3.1"}
    )
    of_two["affected"] += record("X", "markupsafe", START, {"fixed": "9.9"})["affected"]
    store = keeping(
        of_two, record("PYSEC-2", "jinja2", START, {"fixed": "2.9"}, aliases=["PYSEC-1"])
    )
    found, advisory = enrich_one(
        store, vulnerable("PYSEC-1", version="2.8.2", fixed=("2.8.1", "3.2"))
    )
    assert advisory.fixed_versions == ("2.9", "3.1", "3.2")
    assert found.message == "jinja2 2.8.2 is affected by PYSEC-1. Fixed in 2.9, 3.1, 3.2."


def test_what_another_record_calls_affected_is_no_fix(keeping: Keep) -> None:
    early = record("PYSEC-1", "jinja2", START, {"fixed": "2.7.2"}, aliases=["CVE-2014-0012"])
    late = record("PYSEC-2", "jinja2", START, {"fixed": "2.7.3"}, aliases=["CVE-2014-0012"])
    one = vulnerable("PYSEC-1", fixed=("2.7.2",))
    assert enrich_one(keeping(early, late), one)[1].fixed_versions == ("2.7.3",)


def test_where_records_leave_no_fix_all_that_are_named_stay(keeping: Keep) -> None:
    fixed = record("PYSEC-1", "jinja2", START, {"fixed": "2.7.2"}, aliases=["CVE-2014-0012"])
    never = record("PYSEC-2", "jinja2", START, aliases=["CVE-2014-0012"])
    assert enrich_one(keeping(fixed, never), vulnerable("PYSEC-2"))[1].fixed_versions == ("2.7.2",)


def test_where_all_fixes_are_of_older_branches_there_is_none(keeping: Keep) -> None:
    store = keeping(record("PYSEC-1", "jinja2", START, {"fixed": "2.8.1"}, {"introduced": "2.9"}))
    found, advisory = enrich_one(store, vulnerable("PYSEC-1", version="2.10", fixed=("2.8.1",)))
    assert advisory.fixed_versions == ()
    assert found.message == "jinja2 2.10 is affected by PYSEC-1. No fixed version is known."


def test_a_name_is_as_in_pep_503(keeping: Keep) -> None:
    store = keeping(record("PYSEC-1", "Foo_Bar", START, {"fixed": "2"}))
    assert enrich_one(store, vulnerable("PYSEC-1", name="foo-bar", version="1"))[
        1
    ].fixed_versions == ("2",)


# -- withdrawn -------------------------------------------------------------------------------------

GONE = "2024-02-03T00:00:00Z"


def test_it_is_withdrawn_where_every_record_of_the_package_is(keeping: Keep) -> None:
    store = keeping(
        record("PYSEC-1", "jinja2", START, aliases=["CVE-2024-1001"], withdrawn=GONE),
        github("GHSA-aaaa-bbbb-cccc", "jinja2", "HIGH", "CVE-2024-1001", withdrawn=GONE),
        record("PYSEC-2", "markupsafe", START, aliases=["CVE-2024-1001"]),
    )
    found, advisory = enrich_one(store, vulnerable("CVE-2024-1001"))
    assert advisory.withdrawn
    assert not enrich_one(store, vulnerable("CVE-2024-1001", name="markupsafe"))[1].withdrawn
    assert words(found) == [("ghsa", "high", "osv")]  # its rating is kept


def test_a_record_that_holds_keeps_it(keeping: Keep) -> None:
    store = keeping(
        record("PYSEC-1", "jinja2", START, {"fixed": "2.9"}, aliases=["CVE-2024-1001"]),
        github(
            *("GHSA-aaaa-bbbb-cccc", "jinja2", "HIGH", "CVE-2024-1001"),
            withdrawn=GONE,
            events=[START, {"fixed": "2.5"}],
            cwe_ids=["CWE-79"],
        ),
    )
    found, advisory = enrich_one(store, vulnerable("CVE-2024-1001"))
    assert not advisory.withdrawn
    assert advisory.fixed_versions == ("2.9",)
    assert found.rule.cwe == ()
    # No other source rates it, so the rating of the withdrawn record counts.
    assert words(found) == [("ghsa", "high", "osv")]


def test_a_scanner_that_says_so_or_a_package_unknown_to_the_store(keeping: Keep) -> None:
    store = keeping(record("PYSEC-1", "jinja2", START, aliases=["CVE-2024-1001"], withdrawn=GONE))
    observation = vulnerable("PYSEC-9", name="other")
    assert enrich_one(store, replace(observation, advisory=Advisory("PYSEC-9", withdrawn=True)))[
        1
    ].withdrawn
    assert not enrich_one(store, vulnerable("CVE-2024-1001", name="other"))[1].withdrawn


# -- dates, pages ----------------------------------------------------------------------------------


def test_the_earliest_date_counts_that_of_withdrawn_records_too(keeping: Keep) -> None:
    store = keeping(
        record(
            "PYSEC-1", "jinja2", START, aliases=["CVE-2024-1001"], published="2022-01-01T00:00:00Z"
        ),
        record(
            *("PYSEC-2", "jinja2", START),
            aliases=["CVE-2024-1001"],
            published="2021-06-01T00:00:00Z",
            withdrawn=GONE,
        ),
    )
    one = vulnerable("CVE-2024-1001")
    assert enrich_one(store, one)[1].published == "2021-06-01T00:00:00Z"
    early = replace(one, advisory=Advisory("CVE-2024-1001", published="2020-12-31"))
    assert enrich_one(store, early)[1].published == "2020-12-31"


def test_pages_come_in_one_order_the_most_telling_first(keeping: Keep) -> None:
    pages = [
        {"type": "WEB", "url": "https://b.invalid/"},
        {"type": "WEB", "url": "https://a.invalid/"},
        {"type": "FIX", "url": "https://z.invalid/"},
        {"type": "ADVISORY", "url": "https://y.invalid/"},
        {"type": "WEB", "url": "http://plain.invalid/"},
    ]
    expected = tuple(f"https://{letter}.invalid/" for letter in "yzab")
    random.Random(5).shuffle(pages)
    store = keeping(
        record("PYSEC-1", "jinja2", START, references=pages[:3]),
        record("PYSEC-2", "jinja2", START, references=pages[2:], aliases=["PYSEC-1"]),
    )
    one = vulnerable("PYSEC-1")
    assert enrich_one(store, one)[1].references == expected
    own = replace(one, advisory=Advisory("PYSEC-1", references=("https://own.invalid/",)))
    assert enrich_one(store, own)[1].references == ("https://own.invalid/", *expected)


# -- KEV and EPSS ----------------------------------------------------------------------------------


def test_kev_and_epss_by_any_name_of_the_closure(keeping: Keep) -> None:
    store = keeping(
        record("PYSEC-1", "jinja2", START, aliases=["CVE-2024-1001"]),
        record("PYSEC-2", "jinja2", START, aliases=["CVE-2024-1002"]),
        record("PYSEC-3", "jinja2", START),
        kev=["CVE-2024-1001"],
        epss={"CVE-2024-1001": 0.25, "CVE-2024-1009": 0.5},
    )
    _, exploited = enrich_one(store, vulnerable("PYSEC-1"))
    assert (exploited.kev, exploited.kev_added) == (True, "2024-05-06")
    assert (exploited.epss, exploited.epss_percentile) == (0.25, 0.5)
    for name in ("PYSEC-2", "PYSEC-3"):
        _, other = enrich_one(store, vulnerable(name))
        assert (other.kev, other.kev_added, other.epss, other.epss_percentile) == (
            *(False, None),
            *(None, None),
        )


def test_without_data_nobody_knows(keeping: Keep) -> None:
    store = keeping(record("PYSEC-1", "jinja2", START, aliases=["CVE-2024-1001"]))
    _, advisory = enrich_one(store, vulnerable("PYSEC-1"))
    assert (advisory.kev, advisory.epss) == (None, None)


def test_kev_and_epss_need_no_records(keeping: Keep) -> None:
    store = keeping(kev=["CVE-2024-1001"], epss={"CVE-2024-1001": 0.9})
    _, advisory = enrich_one(store, vulnerable("CVE-2024-1001", name="any"))
    assert (advisory.kev, advisory.epss) == (True, 0.9)


# -- malware ---------------------------------------------------------------------------------------


def test_a_record_of_malware_about_this_package_names_it(keeping: Keep) -> None:
    store = keeping(record("MAL-2024-1", "evil", START, aliases=["GHSA-aaaa-bbbb-cccc"]))
    _, advisory = enrich_one(store, vulnerable("GHSA-aaaa-bbbb-cccc", name="evil"))
    assert advisory.malicious


def test_what_has_a_name_in_common_with_malware_is_none(keeping: Keep) -> None:
    store = keeping(
        record("MAL-2024-1", "evil", START, aliases=["CVE-2024-1001"]),
        record("PYSEC-1", "jinja2", START, aliases=["CVE-2024-1001"]),
    )
    assert not enrich_one(store, vulnerable("PYSEC-1"))[1].malicious
    assert not enrich_one(store, vulnerable("CVE-2024-1001", name="evil", purl="pkg:npm/evil@1"))[
        1
    ].malicious
    # The scanner's own rating is kept.
    assert enrich_one(store, vulnerable("PYSEC-1", "MAL-2024-1"))[1].malicious


def test_malware_that_was_a_mistake_is_none(keeping: Keep) -> None:
    store = keeping(
        record("MAL-2024-1", "jinja2", START, aliases=["CVE-2024-1001"], withdrawn=GONE),
        record("PYSEC-1", "jinja2", START, aliases=["CVE-2024-1001"]),
    )
    _, advisory = enrich_one(store, vulnerable("CVE-2024-1001"))
    assert not advisory.malicious
    assert not advisory.withdrawn


# -- others ----------------------------------------------------------------------------------------


def test_a_package_of_an_image_is_enriched_by_its_names_only(keeping: Keep) -> None:
    store = keeping(
        github("GHSA-aaaa-bbbb-cccc", "cryptography", "HIGH", "CVE-2024-1001", withdrawn=GONE),
        kev=["CVE-2024-1001"],
    )
    one = vulnerable(
        "CVE-2024-1001",
        name="cryptography",
        version="3.0.11-1",
        fixed=("3.0.9-1", "3.0.13-1"),
        purl="pkg:deb/debian/cryptography@3.0.11-1",
    )
    found, advisory = enrich_one(store, one)
    assert advisory.aliases == ("GHSA-aaaa-bbbb-cccc",)
    assert advisory.kev
    assert words(found) == [("ghsa", "high", "osv")]
    assert not advisory.withdrawn
    assert advisory.fixed_versions == ("3.0.9-1", "3.0.13-1")


def test_other_categories_and_the_order_are_left_alone(keeping: Keep) -> None:
    store = keeping(record("PYSEC-1", "jinja2", START, aliases=["CVE-2024-1001"]))
    code = Observation(
        scanner="bandit",
        category=Category.CODE,
        rule=Rule("B602", "B602", "shell"),
        title="shell",
        message="shell",
        location=Location("a.py", 1),
    )
    observations = [vulnerable("PYSEC-1"), code, vulnerable("CVE-2024-1007")]
    found = enriched(observations, store)
    assert [one.rule.id for one in found] == ["PYSEC-1", "B602", "CVE-2024-1007"]
    assert found[1] is code


def test_what_is_found_often_is_told_alike(keeping: Keep) -> None:
    store = keeping(record("PYSEC-1", "jinja2", START, {"fixed": "2.9"}, aliases=["CVE-2024-1001"]))
    one, other = vulnerable("PYSEC-1"), vulnerable("CVE-2024-1001", "PYSEC-1", version="2.9")
    first, second, last = enriched([one, other, one], store)
    assert first == last
    assert first.advisory and first.advisory.fixed_versions == ("2.9",)
    assert second.advisory and second.advisory.fixed_versions == ()


def test_an_empty_store_changes_nothing(keeping: Keep) -> None:
    one = vulnerable("PYSEC-1", "CVE-2024-1001", fixed=("2.8.1",))
    assert enriched([one], keeping()) == (one,)


def test_what_was_said_is_the_same_the_second_time(keeping: Keep) -> None:
    store = keeping(
        github("GHSA-aaaa-bbbb-cccc", "jinja2", "HIGH", "CVE-2024-1001", severity=scores(V31)),
        kev=["CVE-2024-1001"],
    )
    once = enriched([vulnerable("CVE-2024-1001")], store)
    assert enriched(once, store) == once


# -- real records ----------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def real(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder = tmp_path_factory.mktemp("real")
    store = open_store(keep_zip(folder, data_dir / "pypi-osv.zip"))
    yield store
    store.close()


@pytest.mark.parametrize(
    ("version", "name", "ids", "sources", "fixed"),
    [
        (
            *("3.2.0", "django"),
            ("CVE-2022-28346", "GHSA-2gwj-7jmv-h26r", "PYSEC-2022-190"),
            {("ghsa", "critical"), ("cvss3.1", "critical"), ("cvss4", "critical")},
            ("3.2.13", "4.0.4"),
        ),
        (
            *("2.4.1", "jinja2"),
            ("CVE-2016-10745", "GHSA-hj2j-77xm-mc5v", "PYSEC-2019-220"),
            {("ghsa", "high"), ("cvss3.0", "high"), ("cvss4", "high")},
            ("2.8.1",),
        ),
        (
            *("2.19.0", "requests"),
            ("CVE-2018-18074", "GHSA-x84v-xcm2-53pg", "PYSEC-2018-28"),
            {("ghsa", "high"), ("cvss3.0", "high"), ("cvss3.1", "high")},
            ("2.20.0",),
        ),
    ],
)
def test_real_records_by_any_of_their_names(
    real: Store,
    name: str,
    version: str,
    ids: Sequence[str],
    sources: set[tuple[str, str]],
    fixed: tuple[str, ...],
) -> None:
    for one in ids:
        found, advisory = enrich_one(real, vulnerable(one, name=name, version=version))
        assert advisory.ids == set(ids)
        assert {(claim.source, claim.severity.value) for claim in found.claims} <= sources
        assert ("ghsa", dict(sources)["ghsa"]) in {each[:2] for each in words(found)}
        assert advisory.fixed_versions == fixed


_NAMES = st.sampled_from(
    ["CVE-2022-28346", "PYSEC-2022-190", "MAL-2024-1", "", "x", "GHSA-", "CVE-2022-28346 "]
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_NAMES, min_size=1, max_size=4), st.text(max_size=12), st.text(max_size=12))
def test_no_names_or_versions_break_it(
    real: Store, ids: list[str], name: str, version: str
) -> None:
    one = vulnerable(*ids, name=name, version=version, purl=f"pkg:pypi/{name}@{version}")
    _, advisory = enrich_one(real, one)
    assert set(ids) <= advisory.ids
