"""Reading foreign records: parts of a wrong type are left out and named."""

import contextlib
import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from support.records import NOW, affected, affects, below, osv

from scanagg.advisories.records import ALIASES, Record, UnusableError, canonical_id, decoded, utc
from scanagg.advisories.versions import doubts, fixed_versions, trimmed


def read(one: dict[str, Any]) -> Record:
    return decoded(json.dumps(one).encode(), NOW)[0]


def doubts_of(one: dict[str, Any]) -> tuple[str, ...]:
    return decoded(json.dumps(one).encode(), NOW)[1]


def test_a_good_record_is_as_it_was() -> None:
    one = read(
        osv(
            "GHSA-aaaa-bbbb-cccc",
            affected("Foo_Bar", {"introduced": "0"}, {"fixed": "2"}, versions=["1.0"]),
            aliases=["CVE-2024-1"],
            summary="short",
            details="long",
            severity=[{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}],
            references=[{"type": "WEB", "url": "https://example.org/a"}],
            database_specific={"severity": "HIGH", "cwe_ids": ["CWE-79"], "github_reviewed": True},
            related=["CVE-2024-2"],
        )
    )
    assert one.id == "GHSA-aaaa-bbbb-cccc"
    assert one.affected[0].package.name == "foo-bar"
    assert one.affected[0].versions == ("1.0",)
    assert one.aliases == ("CVE-2024-1",)
    assert (one.summary, one.details) == ("short", "long")
    assert one.severity[0].score == "CVSS:3.1/AV:N"
    assert one.references[0].url == "https://example.org/a"
    assert (one.database_specific.severity, one.database_specific.cwe_ids) == ("HIGH", ("CWE-79",))


WRONG = [None, [], {}, 7, True, "text", [None], [7], [[]], [{}], {"a": 1}, [{"type": 7}]]
PARTS = ["aliases", "severity", "references", "database_specific", "summary", "details"]
PARTS += ["published", "modified", "withdrawn", "related", "credits", "schema_version"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_a_part_of_a_wrong_type_costs_that_part_only(part: str, value: object) -> None:
    one = read(below("PYSEC-2024-1", "app", "2") | {part: value})
    assert affects(one, "app", "1")
    assert not affects(one, "app", "2")
    assert not one.withdrawn


def test_null_is_nothing_to_speak_of() -> None:
    parts = dict.fromkeys(PARTS)
    assert doubts_of(below("PYSEC-2024-1", "app", "2") | parts) == ()


def test_a_part_of_a_wrong_type_is_named() -> None:
    problems = doubts_of(
        below("PYSEC-2024-1", "app", "2", aliases=[1], summary=2, references={"a": 1})
    )
    assert problems == (
        "aliases: Expected `str`, got `int`",
        "summary: Expected `str`, got `int`",
        "references: Expected `array`, got `object`",
    )


def test_what_remains_of_a_broken_list_is_used() -> None:
    one = read(
        below(
            "PYSEC-2024-1",
            "app",
            "2",
            aliases=["CVE-2024-1", None, 7],
            severity=[{"type": "CVSS_V3", "score": 9.8}, {"type": 3, "score": "CVSS:3.1/AV:N"}, 5],
            references=["https://example.org", {"url": "https://example.org/b"}],
            database_specific={"severity": ["HIGH"], "cwe_ids": "CWE-79"},
        )
    )
    assert one.aliases == ("CVE-2024-1",)
    assert [score.score for score in one.severity] == ["", "CVSS:3.1/AV:N"]
    assert [reference.url for reference in one.references] == ["https://example.org/b"]
    assert (one.database_specific.severity, one.database_specific.cwe_ids) == ("", ("CWE-79",))


RANGES = [
    *("0", 7, {}, [None], [7], ["0"]),
    *(
        [{"type": "ECOSYSTEM", "events": events}]
        for events in ("0", 7, {}, [None], ["0"], [{"introduced": 0}, {"fixed": 2}], [{}])
    ),
]


@pytest.mark.parametrize("ranges", RANGES, ids=repr)
def test_versions_that_cannot_be_read_err_to_affected(ranges: object) -> None:
    entry = affected("app") | {"ranges": ranges}
    assert affects(read(osv("PYSEC-2024-1", entry)), "app", "1.0")


@pytest.mark.parametrize("ranges", [None, [], [{}], [{"events": None}], [{"events": []}]], ids=repr)
def test_versions_that_are_not_there_affect_nothing(ranges: object) -> None:
    entry = affected("app", versions=["2.0"]) | {"ranges": ranges}
    assert affects(read(osv("PYSEC-2024-1", entry)), "app", "2.0")
    assert not affects(read(osv("PYSEC-2024-1", entry)), "app", "1.0")


@pytest.mark.parametrize("versions", [{"1.0": True}, [1.0], ["2.0", 1.0]], ids=repr)
def test_a_list_that_cannot_be_read_errs_to_affected(versions: object) -> None:
    entry = affected("app") | {"versions": versions}
    del entry["ranges"]
    assert affects(read(osv("PYSEC-2024-1", entry)), "app", "1.0")


def test_entries_and_versions_of_a_wrong_type_leave_the_others() -> None:
    entry = affected("app", {"introduced": "0"}, {"fixed": "2"})
    entry["versions"] = {"a": 1}
    one, problems = decoded(
        json.dumps(osv("PYSEC-2024-1", entry) | {"affected": [7, entry]}).encode(), NOW
    )
    assert affects(one, "app", "1")
    assert not affects(one, "app", "2")
    assert problems == (
        "affected: Expected `object`, got `int`",
        "versions: Expected `array`, got `object`",
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe{}", "not valid JSON"),
        (b'{"id": "\\ud800"}', "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
        (b'{"id": "A-1", "details": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "not valid JSON"),
        (b"null", "no id"),
        (b"[]", "no id"),
        (b"{}", "no id"),
        (b'{"id": 7}', "no id"),
        (b'{"id": ""}', "invalid id"),
        (b'{"id": "a b"}', "invalid id"),
        (b'{"id": "A\\u001b[31m"}', "invalid id"),
        (b'{"id": "A\\u0000"}', "invalid id"),
        (b'{"id": "../../etc/passwd"}', "invalid id"),
        (b'{"id": "%s"}' % (b"A" * 200), "invalid id"),
    ],
)
def test_what_is_no_record_says_why(data: bytes, why: str) -> None:
    with pytest.raises(UnusableError, match=why):
        decoded(data, NOW)


def test_records_about_other_ecosystems_are_not_for_us() -> None:
    entry = affected("left-pad", {"introduced": "0"})
    entry["package"]["ecosystem"] = "npm"
    with pytest.raises(UnusableError, match="about npm, not PyPI"):
        read(osv("GHSA-1", entry))
    del entry["package"]["ecosystem"]
    with pytest.raises(UnusableError, match="about no ecosystem, not PyPI"):
        read(osv("GHSA-1", entry))


@pytest.mark.parametrize("name", ["", "a b", "-a", "a\x1b[2J", "a/b", "ä", "a" * 300, 7, None])
def test_a_name_that_is_none_is_a_doubt(name: object) -> None:
    entry = affected("app", {"introduced": "0"})
    entry["package"]["name"] = name
    one, problems = decoded(json.dumps(osv("GHSA-1", entry, affected("ok"))).encode(), NOW)
    assert [each.package.name for each in one.affected] == ["ok"]
    assert any("invalid package name" in each for each in problems)
    with pytest.raises(UnusableError, match="invalid package name"):
        read(osv("GHSA-1", entry))


def test_package_that_is_no_object() -> None:
    with pytest.raises(UnusableError, match="no ecosystem"):
        read(osv("GHSA-1", {"package": "app", "versions": ["1"]}))


def test_a_record_without_affected_is_kept_for_its_aliases() -> None:
    whole = osv("GHSA-1", aliases=["CVE-2024-1"])
    del whole["affected"]
    assert read(whole).aliases == ("CVE-2024-1",)
    assert read(whole | {"affected": None}).affected == ()


def test_aliases_are_ids_each_once() -> None:
    aliases = ["CVE-2024-1", "cve-2024-1 ", "GHSA-AAAA-bbbb-CCCC", "GHSA-1,", "PYSEC-1", "a\nb", ""]
    one = below("PYSEC-1", "app", "2", aliases=aliases)
    assert read(one).aliases == ("CVE-2024-1", "GHSA-aaaa-bbbb-cccc", "GHSA-1")
    assert doubts_of(one) == ("invalid alias: 'a\\nb'", "invalid alias: ''")


def test_ten_thousand_aliases_are_not_believed() -> None:
    names = [f"CVE-2024-{number}" for number in range(10_000)]
    one = below("PYSEC-1", "app", "2", aliases=names)
    assert read(one).aliases == ()
    assert affects(read(one), "app", "1")
    assert doubts_of(one) == ("ignored all 10,000 aliases: more than 64",)
    assert len(read(below("PYSEC-1", "app", "2", aliases=names[:ALIASES])).aliases) == ALIASES


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05.123456Z", "2024-01-02T03:04:05.123456Z"),
        ("2024-01-02T03:04:05.123456789Z", "2024-01-02T03:04:05.123456Z"),
        ("2024-01-02T03:04:05+00:00", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05Z"),
        ("2024-01-02T03:04:05", "2024-01-02T03:04:05Z"),
        ("2024-01-02", "2024-01-02T00:00:00Z"),
        ("2024-13-02T03:04:05Z", ""),
        ("0001-01-01T00:00:00+14:00", ""),
        ("1-01-01T00:00:00Z", ""),
        ("yesterday", ""),
        ("2024-01-02T03:04:05Z" + " " * 100, ""),
        ("", ""),
    ],
)
def test_times_are_in_utc(text: str, meant: str) -> None:
    one = below("PYSEC-1", "app", "2") | {"modified": text, "published": text, "withdrawn": text}
    record, problems = decoded(json.dumps(one).encode(), NOW)
    assert (record.modified, record.published, record.withdrawn) == (meant, meant, meant)
    assert utc(text) == meant
    assert len(problems) == (3 if text and not meant else 0)


def test_what_is_to_be_withdrawn_holds_until_then() -> None:
    record, problems = decoded(
        json.dumps(below("PYSEC-1", "app", "2", withdrawn="2999-01-02T00:00:00Z")).encode(), NOW
    )
    assert record.withdrawn == ""
    assert problems == ("to be withdrawn on 2999-01-02: it counts until then",)


def test_a_severity_of_the_package_counts_where_the_record_has_none() -> None:
    score = {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}
    entry = affected("app", {"introduced": "0"}, severity=[score])
    assert [one.score for one in read(osv("GHSA-1", entry)).severity] == ["CVSS:3.1/AV:N"]
    other = {"type": "CVSS_V4", "score": "CVSS:4.0/AV:N"}
    assert [one.score for one in read(osv("GHSA-1", entry, severity=[other])).severity] == [
        "CVSS:4.0/AV:N"
    ]


def test_hostile_text_is_bounded() -> None:
    huge = "x" * 1_000_000
    one = read(
        below(
            "GHSA-1",
            "app",
            "2",
            summary=huge,
            details=huge,
            severity=[{"type": "CVSS_V3", "score": huge}, *[{"score": f"{n}"} for n in range(99)]],
            references=[
                *(
                    {"url": url}
                    for url in ("javascript:alert(1)", f"https://{huge}", "https://a b")
                ),
                *({"url": f"https://example.org/{number}"} for number in range(1000)),
            ],
            database_specific={"severity": huge, "cwe_ids": [huge, "CWE-1", "CWE-2\x1b[2J"]},
        )
    )
    assert len(one.summary) == len(one.details) == 32_768
    assert [score.score for score in one.severity] == [str(number) for number in range(16)]
    assert len(one.references) == 200
    assert one.references[0].url == "https://example.org/0"
    assert (one.database_specific.severity, one.database_specific.cwe_ids) == ("", ("CWE-1",))


ODD = [None, 0, -1, 1e308, True, "", "x", "0", "1.0", "\x00", "9" * 6000, [], {}, [[]], [None]]
ODD += [{"a": []}, "v1", "*", "1!0", {"introduced": "0"}, ["CVE-1"], "GIT", "2024-01-01"]


@pytest.mark.parametrize("seed", range(20))
def test_nothing_that_is_put_anywhere_breaks_us(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(50):
        one = whole_record()
        for _ in range(chance.randint(1, 4)):
            holder, key = chance.choice(list(places(one)))
            holder[key] = copy.deepcopy(chance.choice(ODD))
        with contextlib.suppress(UnusableError):
            record, _ = decoded(json.dumps(one).encode(), NOW)
            list(doubts(record))
            short = trimmed(record)
            for name in ("app", "other"):
                fixed_versions(record, name)
                for version in ("0", "1.5", "2.0+x", "odd", "2!1"):
                    assert affects(short, name, version) == affects(record, name, version)


def whole_record() -> dict[str, Any]:
    entry = affected("app", {"introduced": "0"}, {"fixed": "2"}, versions=["1.0", "odd"])
    other = affected("other", {"introduced": "1"}, {"last_affected": "2"}, {"limit": "3"})
    more = {"aliases": ["CVE-2024-1"], "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N"}]}
    extra = {"severity": "HIGH", "cwe_ids": ["CWE-79"]}
    return osv("GHSA-1", entry, other, **more, database_specific=extra, references=[{"url": "x"}])


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every place in a JSON value: its container and key."""
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    for key in list(keys):
        yield value, key
        if isinstance(value[key], dict | list):
            yield from places(value[key])


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cve-2024-0001", "CVE-2024-0001"),
        ("ghsa-ABCD-efgh-IJKL", "GHSA-abcd-efgh-ijkl"),
        ("PYSEC-2024-1", "PYSEC-2024-1"),
        ("mal-2024-1", "MAL-2024-1"),
    ],
)
def test_ids_have_one_spelling(text: str, name: str) -> None:
    assert canonical_id(text) == name
    assert read(below(text, "app", "2")).id == name
