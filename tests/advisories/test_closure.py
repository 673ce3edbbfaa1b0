"""Alias groups are symmetric and transitive, in any order and number, and with cycles."""

import random

from scanagg.advisories.importing.osv import clusters


def test_links_in_both_directions_and_over_others() -> None:
    assert clusters([("GHSA-1", "CVE-1"), ("PYSEC-1", "CVE-1"), ("PYSEC-2", "CVE-2")]) == [
        ["CVE-1", "GHSA-1", "PYSEC-1"],
        ["CVE-2", "PYSEC-2"],
    ]


def test_a_name_alone_stays_alone() -> None:
    assert clusters([("PYSEC-1",), ("PYSEC-2", "PYSEC-2"), ()]) == [["PYSEC-1"], ["PYSEC-2"]]


def test_a_cycle_is_one() -> None:
    assert clusters([("a", "b"), ("b", "c"), ("c", "a"), ("a", "b")]) == [["a", "b", "c"]]


def test_the_order_does_not_matter() -> None:
    links = [(f"n{number // 2}", f"n{number}") for number in range(1, 200)]
    links += [(f"m{number}", f"m{number + 7}") for number in range(90)]
    whole = clusters(links)
    random.seed(1)
    for _ in range(5):
        mixed = [random.sample(link, 2) for link in links]
        random.shuffle(mixed)
        assert clusters(mixed) == whole


def test_a_chain_of_a_hundred_thousand() -> None:
    count = 100_000
    forward = [(f"x{number}", f"x{number + 1}") for number in range(count)]
    assert len(clusters(forward)) == 1
    assert len(clusters(forward[::-1])[0]) == count + 1


def test_ten_thousand_names_at_once() -> None:
    names = [f"CVE-2024-{number}" for number in range(10_000)]
    assert clusters([names]) == [sorted(names)]
