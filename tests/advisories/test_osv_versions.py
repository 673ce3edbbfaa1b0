"""The versions that a record affects: OSV's rules, PEP 440, and broken records."""

import json

import pytest
from support.records import NOW, affected, affects, below, osv

from scanagg.advisories.records import Record, decoded
from scanagg.advisories.versions import doubts, fixed_versions, trimmed

IN, F, L, LIMIT = "introduced", "fixed", "last_affected", "limit"
Events = list[tuple[str, str]]


def record(*entries: dict, **more: object) -> Record:
    return decoded(json.dumps(osv("PYSEC-2024-1", *entries, **more)).encode(), NOW)[0]


def ranged(*events: tuple[str, str], versions: tuple[str, ...] = (), kind: str = "ECOSYSTEM"):
    entry = affected("app", *({key: text} for key, text in events), versions=versions)
    for one in entry["ranges"]:
        one["type"] = kind
    return record(entry)


def hit(one: Record, *versions: str) -> list[str]:
    """Return the affected ones of these versions."""
    return [version for version in versions if affects(one, "app", version)]


CASES = [
    # what it shows, events, affected, not affected
    ("before a fix", [(IN, "0"), (F, "2.0")], "0 0.0.1 1.9 2.0rc1 2.0.dev1", "2.0 2 2.0.0 2.0.1"),
    ("zero is before everything", [(IN, "0"), (F, "1")], "0.dev0 0a1 0rc1", "1"),
    ("a plain zero is a version", [(IN, "0.0"), (F, "1")], "0 0.0.0", "0rc1 1"),
    ("no end", [(IN, "1.5")], "1.5 1.5.0 99 1!0", "1.4 1.5rc1 1.5.dev0"),
    ("last affected is affected", [(IN, "1"), (L, "2")], "1 2 2.0.0", "2.0.1 2.post1 3 0.9"),
    ("just one version", [(IN, "2.0"), (L, "2.0")], "2.0 2", "1.9 2.0.1 2.0rc1"),
    ("epochs come first", [(IN, "0"), (F, "1!0.5")], "99 0!3 1!0.4", "1!0.5 2!0"),
    ("unsorted",
     [(F, "4.0.4"), (IN, "2.2"), (F, "3.2.13"), (IN, "4.0"), (F, "2.2.28"), (IN, "3.2")],
     "2.2 2.2.27 3.2 3.2.12 4.0 4.0.3", "2.1 2.2.28 3.1 3.2.13 3.9 4.0.4 5"),
    ("by number, not by letter", [(IN, "1.9"), (F, "1.10")], "1.9 1.9.9", "1.10 1.1 1.8"),
    ("touching periods are one",
     [(IN, "0"), (F, "3.1.1"), (IN, "3.2.0"), (F, "3.2.2"), (IN, "3.1.1"), (F, "3.1.3")],
     "3.1 3.1.1 3.1.2 3.2.1", "3.1.3 3.2.2"),
    ("touching, last affected", [(IN, "0"), (L, "2"), (IN, "2"), (F, "3")], "1 2 2.5", "3"),
    ("fixed where it begins, and no more", [(IN, "2"), (F, "2")], "2 3", "1"),
    ("fixed and last affected at once", [(IN, "0"), (F, "2"), (L, "2")], "1 2", "2.1"),
    ("overlapping pairs", [(IN, "2.11"), (F, "2.11.7"), (IN, "0"), (F, "2.11.6")],
     "2.10 2.11 2.11.6 2.11.6.post1", "2.11.7"),
    ("two beginnings", [(IN, "1"), (IN, "2"), (F, "3")], "1 1.5 2 2.9", "0.9 3"),
    ("two ends", [(IN, "1"), (F, "2"), (F, "3")], "1 1.9", "2 2.5 3"),
    ("an end before any beginning", [(F, "1"), (IN, "2")], "2 3", "0.5 1 1.5"),
    ("a limit cuts", [(IN, "1"), (LIMIT, "2")], "1 1.9", "0.9 2 3"),
    ("a limit behind the end", [(IN, "1"), (F, "2"), (LIMIT, "3")], "1 1.9", "2 2.5"),
    ("a limit before the beginning", [(IN, "2"), (F, "3"), (LIMIT, "1")], "", "0 1 2 2.5"),
    ("a limit at the last affected", [(IN, "1"), (L, "2"), (LIMIT, "2")], "1 1.9", "2"),
    ("the highest limit counts", [(IN, "1"), (LIMIT, "2"), (LIMIT, "4")], "1 3.9", "4"),
    ("a limit without end", [(IN, "1"), (LIMIT, "2"), (LIMIT, "*")], "1 3 99", "0.9"),
    ("an unreadable limit is none", [(IN, "1"), (LIMIT, "soon")], "1 99", "0.9"),
    ("an unreadable beginning is the first", [(IN, "2.0-final"), (F, "3")], "0.1 1 2.9", "3"),
    ("no beginning is the first", [(F, "3")], "0.1 2.9", "3 4"),
    ("an unreadable end is none", [(IN, "1"), (F, "2013-01-21")], "1 99", "0.9"),
    ("an empty end is none", [(IN, "0"), (F, "")], "0 99", ""),
    ("an unreadable last is none", [(IN, "1"), (L, "one")], "1 99", "0.9"),
    ("nothing at all", [], "", "1 0"),
    ("a local build of a version in between", [(IN, "1"), (F, "2")], "1+cpu 1.5+cu118", "2+cpu"),
    ("a local build of the last one", [(IN, "1"), (L, "2")], "2+cpu 1+cpu", "2.1+cpu 3"),
    ("a local version as fix", [(IN, "0"), (F, "1.0+patched")], "1.0 1.0+cpu", "1.0+patched 1.1"),
    ("a number without end", [(IN, "0"), (F, "9" * 5000)], "1 99", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("events", "inside", "outside"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_events(events: Events, inside: str, outside: str) -> None:
    one = ranged(*events)
    assert hit(one, *inside.split()) == inside.split()
    assert hit(one, *outside.split()) == []


@pytest.mark.parametrize("events", [case[1] for case in CASES], ids=[case[0] for case in CASES])
def test_the_list_left_in_the_store_says_the_same(events: Events) -> None:
    listed = "0 0.1 1 1.0 1.5 1.9 2 2.0.1 2.2.28 2.11.6 3 3.1.1 4.0.4 99 odd-one"
    versions = listed.split()
    whole = ranged(*events, versions=tuple(versions))
    asked = [*versions, "0rc1", "2.5", "2.0+cpu", "5", "other-one"]
    assert hit(trimmed(whole), *asked) == hit(whole, *asked)
    assert set(versions) <= set(hit(whole, *asked))


def test_the_list_alone_is_enough() -> None:
    one = ranged(versions=("1.0", "1.2b1", "odd one"))
    assert hit(one, "1.0", "1", "1.0.0", "v1.0", "1.2b1", "1.2.0b1", "odd one") == [
        *("1.0", "1", "1.0.0", "v1.0", "1.2b1", "1.2.0b1", "odd one")
    ]
    assert hit(one, "1.0.1", "1.2", "1.2b2", "odd", "odd one ", "") == []


def test_a_version_that_is_too_long_to_compare_is_not_called_clean() -> None:
    long = "1.0" + ".0" * 130
    assert hit(ranged((IN, "0"), (F, "2.0")), long) == [long]
    assert hit(record(affected("app", versions=("1.0",))), long) == [long]


def test_a_local_build_is_in_the_list_by_what_it_was_made_from() -> None:
    one = ranged(versions=("1.0", "2.0+cpu"))
    assert hit(one, "1.0+cpu", "1.0.0+anything", "2.0+cpu", "2.0", "2.0+gpu") == [
        *("1.0+cpu", "1.0.0+anything", "2.0+cpu")
    ]


def test_a_local_version_that_fixes_is_not_in_the_list_by_what_it_was_made_from() -> None:
    one = ranged((IN, "0"), (F, "1.0+patched"), versions=("0.9", "1.0"))
    assert hit(one, "0.9", "1.0", "1.0+cpu", "1.0+patched", "1.1") == ["0.9", "1.0", "1.0+cpu"]


def test_a_list_beside_a_range_adds_to_it() -> None:
    one = ranged((IN, "2"), (F, "3"), versions=("1.0", "2.5"))
    assert hit(one, "1.0", "1.1", "2", "2.5", "2.9", "3") == ["1.0", "2", "2.5", "2.9"]


def test_what_is_no_version_is_affected_where_everything_is() -> None:
    assert hit(ranged((IN, "0")), "2013-01-21", "latest", "9" * 300) == [
        *("2013-01-21", "latest", "9" * 300)
    ]
    assert hit(ranged((IN, "0"), (F, "99")), "2013-01-21", "latest") == []
    assert hit(ranged((IN, "1")), "latest") == []


def test_any_of_several_ranges_and_entries_is_enough() -> None:
    entry = affected("app", {IN: "1"}, {F: "2"})
    entry["ranges"].append({"type": "ECOSYSTEM", "events": [{IN: "3"}, {F: "4"}]})
    one = record(entry, affected("app", {IN: "5"}, {F: "6"}), affected("other", {IN: "0"}))
    assert hit(one, "1", "2", "3", "4", "5", "6") == ["1", "3", "5"]
    assert affects(one, "other", "77")
    assert not affects(one, "stranger", "1")


def test_names_are_compared_as_in_pep_503() -> None:
    one = record(affected("Foo__Bar.baz", {IN: "0"}))
    assert affects(one, "foo-bar-baz", "1")


def test_an_ecosystem_with_a_suffix_is_still_pypi() -> None:
    entry = affected("app", {IN: "0"})
    entry["package"]["ecosystem"] = "PyPI:index.invalid"
    assert hit(record(entry), "1") == ["1"]


def test_other_ecosystems_are_others() -> None:
    entry = affected("app", {IN: "0"})
    entry["package"]["ecosystem"] = "npm"
    one = record(entry, affected("mine", {IN: "0"}))
    assert hit(one, "1") == []


def test_commits_are_no_versions() -> None:
    commits = [(IN, "0"), (F, "2f53c851eaf926767fbac62385615efd4886221c")]
    assert hit(ranged(*commits, kind="GIT"), "1", "2") == []
    assert hit(ranged(*commits, kind="GIT", versions=("1.0",)), "1", "2") == ["1"]


@pytest.mark.parametrize("kind", ["SEMVER", "CALVER", "", "ecosystem"])
def test_any_other_scheme_is_read_by_pep_440(kind: str) -> None:
    assert hit(ranged((IN, "1.0.0-beta.1"), (F, "2.0.0"), kind=kind), "0.9", "1.0.0", "2") == [
        "1.0.0"
    ]


def test_an_event_with_several_keys_is_several_events() -> None:
    one = record(affected("app", {IN: "1", F: "2"}, {IN: "3", F: "4"}))
    assert hit(one, "0.9", "1", "2", "2.5", "3", "4") == ["1", "3"]


def test_a_withdrawn_record_affects_what_it_did_before() -> None:
    one = record(affected("app", {IN: "0"}), withdrawn="2024-05-05T00:00:00Z")
    assert hit(one, "1") == ["1"]


def test_a_record_without_affected_affects_nothing() -> None:
    assert hit(record(), "1") == []


def test_fixed_versions_are_those_that_fix() -> None:
    one = ranged((F, "4.0.4"), (IN, "2.2"), (F, "3.2.13"), (IN, "4.0"), (F, "2.2.28"), (IN, "3.2"))
    assert fixed_versions(one, "app") == ("2.2.28", "3.2.13", "4.0.4")
    assert fixed_versions(one, "other") == ()


def test_a_fix_that_another_range_affects_is_none() -> None:
    entries = (affected("app", {IN: "0"}, {F: "2"}), affected("app", {IN: "2"}, {F: "3.0"}))
    assert fixed_versions(record(*entries), "app") == ("3.0",)


def test_unreadable_fixes_and_the_last_affected_are_no_fixes() -> None:
    one = ranged((IN, "0"), (F, "soon"), (F, ""), (L, "3"))
    assert fixed_versions(one, "app") == ()
    git = ranged((IN, "0"), (F, "1"), kind="GIT")
    assert fixed_versions(git, "app") == ()


def test_fixes_are_sorted_by_version_and_each_is_there_once() -> None:
    entries = (affected("app", {IN: "1"}, {F: "1.10"}), affected("app", {IN: "0"}, {F: "0.9"}))
    again = affected("app", {IN: "1.2"}, {F: "1.10.0"})
    assert fixed_versions(record(*entries, again), "app") == ("0.9", "1.10.0")


def test_doubts_name_what_cannot_be_read() -> None:
    assert list(doubts(ranged((IN, "0"), (F, "soon")))) == ["fixed 'soon' is not a version"]
    assert list(doubts(ranged((F, "1")))) == [
        "a range without a start: it starts at the first version"
    ]
    assert list(doubts(ranged((IN, "0"), kind="CALVER"))) == [
        "a range of type 'CALVER': compared by PEP 440"
    ]
    assert list(doubts(ranged((IN, "0"), kind="GIT"))) == ["no affected version of app"]
    assert list(doubts(ranged((IN, "0"), (LIMIT, "*")))) == []
    assert list(doubts(record(json.loads(json.dumps(below("x", "app", "2")))["affected"][0]))) == []
