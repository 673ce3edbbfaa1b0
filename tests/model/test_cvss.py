"""Scores of CVSS vectors; invalid vectors have none."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanagg.model import Severity, SeverityClaim, cvss

WORST_3 = "AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"
WORST_4 = "AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"


@pytest.mark.parametrize(
    ("vector", "source", "value", "severity"),
    [
        (f"CVSS:4.0/{WORST_4}", "cvss4", 9.3, "critical"),
        (
            "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
            *("cvss4", 7.3, "high"),
        ),
        (
            "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:N/VI:N/VA:N/SC:N/SI:N/SA:N",
            *("cvss4", 0.0, "info"),
        ),
        (f"CVSS:3.1/{WORST_3}", "cvss3.1", 9.8, "critical"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", "cvss3.1", 10.0, "critical"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N", "cvss3.1", 7.5, "high"),
        ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "cvss3.0", 6.1, "medium"),
        # The lowest scores of their severities.
        ("CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:C/C:H/I:H/A:H", "cvss3.1", 9.0, "critical"),
        ("CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:H/I:H/A:H", "cvss3.1", 7.0, "high"),
        ("CVSS:3.1/AV:L/AC:L/PR:N/UI:N/S:U/C:L/I:N/A:N", "cvss3.1", 4.0, "medium"),
        ("CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N", "cvss3.1", 1.8, "low"),
        ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", "cvss3.1", 0.0, "info"),
        ("AV:N/AC:L/Au:N/C:C/I:C/A:C", "cvss2", 10.0, "high"),
        ("AV:N/AC:L/Au:N/C:P/I:P/A:P", "cvss2", 7.5, "high"),
        ("AV:N/AC:M/Au:N/C:N/I:P/A:N", "cvss2", 4.3, "medium"),
        ("AV:L/AC:H/Au:M/C:P/I:N/A:N", "cvss2", 0.8, "low"),
        ("AV:N/AC:L/Au:N/C:N/I:N/A:N", "cvss2", 0.0, "info"),
    ],
)
def test_a_vector_is_rated_by_its_version(
    vector: str, source: str, value: float, severity: str
) -> None:
    assert cvss.scored(vector) == cvss.Score(source, value, Severity(severity), vector)
    assert cvss.claim(vector, "osv") == SeverityClaim(source, Severity(severity), "osv", vector)


@pytest.mark.parametrize(
    ("text", "vector"),
    [
        (f"CVSS:3.1/{WORST_3}/", f"CVSS:3.1/{WORST_3}"),
        (f" CVSS:3.1/{WORST_3}\n", f"CVSS:3.1/{WORST_3}"),
        (f"(CVSS:3.1/{WORST_3})", f"CVSS:3.1/{WORST_3}"),
        (f"cvss:3.1/{WORST_3.lower()}", f"CVSS:3.1/{WORST_3}"),
        (f"cvss:4.0/{WORST_4.lower()}/u:amber", f"CVSS:4.0/{WORST_4}/U:Amber"),
        ("(AV:N/AC:L/Au:N/C:P/I:P/A:P)", "AV:N/AC:L/Au:N/C:P/I:P/A:P"),
        ("av:n/ac:l/au:n/c:p/i:p/a:p", "AV:N/AC:L/Au:N/C:P/I:P/A:P"),
        ("CVSS2#AV:N/AC:L/Au:N/C:P/I:P/A:P", "AV:N/AC:L/Au:N/C:P/I:P/A:P"),
        ("CVSS:2.0/AV:N/AC:L/Au:N/C:P/I:P/A:P", "AV:N/AC:L/Au:N/C:P/I:P/A:P"),
    ],
)
def test_what_cannot_be_mistaken_is_put_right(text: str, vector: str) -> None:
    found = cvss.scored(text)
    assert found is not None
    assert found.vector == vector
    assert found == cvss.scored(vector)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "9.8",
        "HIGH",
        f"CVSS:5.0/{WORST_3}",
        f"CVSS:3.2/{WORST_3}",
        f"CVSS:3/{WORST_3}",
        f"CVSS:4.0/{WORST_3}",  # the metrics of another version
        f"CVSS:3.1/{WORST_4}",
        WORST_3,  # without a prefix it might be 3.0 or 3.1
        "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H",  # a metric is missing
        f"CVSS:3.1/{WORST_3}/A:H",  # or doubled
        f"CVSS:3.1/{WORST_3}/A:L",
        f"CVSS:3.1/{WORST_3}/XX:H",
        f"CVSS:3.1/{WORST_3.replace('AV:N', 'AV:Z')}",
        f"CVSS:3.1/{WORST_3}//",
        f"CVSS:3.1//{WORST_3}",
        f"CVSS:3.1/{WORST_3} and more",
        f"9.8/CVSS:3.1/{WORST_3}",
        f"CVSS:3.1/{WORST_3.replace('S:U', chr(0x17F) + ':U')}",  # that letter's capital is an S
        "AV:N/AC:L/Au:N/C:P/I:P",
        "CVSS:3.1/" + "AV:N/" * 25_000,
        "\x00" * 100_000,
    ],
)
def test_what_is_no_vector_says_nothing(text: str) -> None:
    assert cvss.scored(text) is None
    assert cvss.claim(text, "osv") is None


def test_what_time_and_place_add_counts_in_version_4_only() -> None:
    base = cvss.scored(f"CVSS:3.1/{WORST_3}")
    later = cvss.scored(f"CVSS:3.1/{WORST_3}/E:U/RL:O/RC:U/CR:L/IR:L/AR:L/MAV:P")
    assert base and later and base.value == later.value == 9.8
    reported = cvss.scored(f"CVSS:4.0/{WORST_4}/E:U")
    assert reported and reported.value == 8.1


METRICS = st.sampled_from(WORST_3.split("/") + WORST_4.split("/") + ["Au:N", "E:U", "U:Red", "x"])
PREFIXES = st.sampled_from(["CVSS:4.0/", "CVSS:3.1/", "CVSS:3.0/", "", "(", "CVSS2#", "CVSS:9.9/"])


@settings(max_examples=200, deadline=None)
@given(PREFIXES, st.lists(METRICS | st.text(max_size=6), max_size=14), st.text(max_size=3))
def test_no_text_breaks_it(prefix: str, metrics: list[str], tail: str) -> None:
    found = cvss.scored(prefix + "/".join(metrics) + tail)
    assert found is None or 0 <= found.value <= 10


@pytest.mark.parametrize("score", [-0.1, 10.1, 98.0, float("nan"), float("inf")])
def test_a_score_off_the_scale_is_no_severity(score: float) -> None:
    assert cvss.level(score, "cvss3.1") is None


def test_it_agrees_with_the_scores_that_nvd_and_others_published(data_dir: Path) -> None:
    files = (data_dir / "corpus" / "trivy").rglob("*.json")
    rated = {each for file in files for each in published(json.loads(file.read_bytes()))}
    assert len(rated) > 80
    assert [
        each for each in rated if (found := cvss.scored(each[0])) and found.value != each[1]
    ] == []
    assert all(cvss.scored(vector) for vector, _ in rated)


def published(value: object) -> Iterator[tuple[str, float]]:
    """Return every vector in a report of trivy with the score beside it."""
    if isinstance(value, list):
        for one in value:
            yield from published(one)
    elif isinstance(value, dict):
        for kind in ("V2", "V3", "V40"):
            if f"{kind}Vector" in value and f"{kind}Score" in value:
                yield value[f"{kind}Vector"], value[f"{kind}Score"]
        yield from published(list(value.values()))
