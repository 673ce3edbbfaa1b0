"""Manifests that nothing read: named once for each kind, unless a scanner read them."""

import pytest
from support.sample import NOW

from scanagg.model import Category, Coverage, NotExamined, Reason, Run, Status, Unread, plain
from scanagg.scanners.trivy import INFO
from scanagg.scanners.unread import unread_files

NO_READER = Reason("no-reader")
NPM = [Unread("npm-lock", "web/package-lock.json", "web/package-lock.json", NO_READER)]


def run(status: Status, *gaps: str, scanner: str = INFO.name) -> Run:
    missed = tuple(NotExamined(path, plain("")) for path in gaps)
    coverage = Coverage(
        "files", found=9, examined=0 if status is Status.EMPTY else 1, not_examined=missed
    )
    return Run(scanner=scanner, version="1", status=status, coverage=coverage, started=NOW)


def test_each_kind_is_named_once_with_a_few_examples() -> None:
    unread = [
        Unread("pixi", "pixi.toml", "pixi.toml", NO_READER),
        *(Unread("conda-lock", name, name, NO_READER) for name in ("b.yml", "a.yml", "d.yml")),
        Unread("conda-explicit", "c.txt", "c.txt", NO_READER),
    ]
    conda, pixi = unread_files(unread, [])
    assert (conda.category, conda.count, pixi.count) == (Category.VULNERABILITY, 4, 1)
    assert conda.reason.values == {
        "title": "conda locks",
        "reason": NO_READER,
        "inputs": ("a.yml", "b.yml", "c.txt", Reason("more", {"count": 1})),
    }


@pytest.mark.parametrize(
    ("kind", "path", "values"),
    [
        ("npm-lock", "web/package-lock.json", {"inputs", "reason"}),
        ("conda-lock", "conda-lock.yml", {"title", "inputs", "reason"}),
    ],
)
def test_a_file_is_named_once(kind: str, path: str, values: set[str]) -> None:
    (files,) = unread_files([Unread(kind, path, path, NO_READER)], [])
    assert set(files.reason.values) == values


@pytest.mark.parametrize(
    ("runs", "read"),
    [
        ([run(Status.OK)], True),
        ([run(Status.DEGRADED, "other.json")], True),
        ([run(Status.DEGRADED, "web/package-lock.json")], False),
        ([run(Status.EMPTY)], False),
        ([run(Status.FAILED)], False),
        ([run(Status.MISSING)], False),
        ([run(Status.NOT_APPLICABLE)], False),
        ([run(Status.OK, scanner="pip-audit")], False),
        ([run(Status.FAILED), run(Status.OK)], True),
        ([], False),
    ],
)
def test_another_language_is_read_where_the_coverage_shows_it(runs: list[Run], read: bool) -> None:
    assert unread_files(NPM, runs) == () if read else unread_files(NPM, runs)[0].count == 1


def test_a_scanner_reads_nothing_that_is_no_file() -> None:
    link = [Unread("npm-lock", "package-lock.json", "package-lock.json", Reason("dangling-link"))]
    assert unread_files(link, [run(Status.OK)])[0].count == 1
