"""The choice of a version: by the store, by scanners, under the project's constraints."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path

import pytest
from packaging.version import Version
from support.records import Json, affected, below, osv, store_of
from upgrade_samples import allows, package, vulnerable

from scanagg.advisories.importing import import_any
from scanagg.advisories.store import Store, open_store
from scanagg.advisories.versions import fixed_versions
from scanagg.model import Action, Inventory, Judged, Package, Step, Upgrade
from scanagg.upgrades.plan import plan, step_of

Keep = Callable[..., Store]

LIB = package("lib", "1.0", "requirements.txt:1")


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Keep]:
    """Make a store of records."""
    with ExitStack() as stack:

        def make(*records: Json) -> Store:
            store = store_of(tmp_path / "cache", *records)
            stack.callback(store.close)
            return store

        yield make


def only(judged: list[Judged], store: Store | None = None, *packages: Package) -> Upgrade:
    (found,) = plan(judged, Inventory(packages), store)
    return found


def test_the_lowest_version_that_clears_everything(keep: Keep) -> None:
    store = keep(below("CVE-2024-1", "lib", "1.2"), below("CVE-2024-2", "lib", "2.0"))
    found = only([vulnerable(LIB, "CVE-2024-1"), vulnerable(LIB, "CVE-2024-2")], store)
    assert (found.to, found.step, found.checked) == ("2.0", Step.MAJOR, True)
    assert (found.clears, found.stays) == (("CVE-2024-1", "CVE-2024-2"), ())
    assert found.to_unblock is None


def test_what_blocks_may_need_less(keep: Keep) -> None:
    store = keep(below("CVE-2024-1", "lib", "1.2"), below("CVE-2024-2", "lib", "2.0"))
    blocking = vulnerable(LIB, "CVE-2024-1", action=Action.BLOCK)
    found = only([blocking, vulnerable(LIB, "CVE-2024-2")], store)
    assert (found.to, found.to_unblock) == ("2.0", "1.2")
    assert found.unblocks == ("CVE-2024-1",)


def test_what_unblocks_brings_nothing_that_nobody_has_judged(keep: Keep) -> None:
    store = keep(
        below("CVE-2024-1", "lib", "1.5"),
        osv("CVE-2024-2", affected("lib", {"introduced": "1.5"}, {"fixed": "1.6"})),
        below("CVE-2024-3", "lib", "2.0"),
    )
    blocking = vulnerable(LIB, "CVE-2024-1", action=Action.BLOCK)
    found = only([blocking, vulnerable(LIB, "CVE-2024-3")], store)
    assert (found.to, found.to_unblock) == ("2.0", "1.6")


def test_what_blocks_may_need_another_branch(keep: Keep) -> None:
    """The version with the fewest vulnerabilities is not always one without those that block."""
    store = keep(
        osv("CVE-2024-1", affected("lib", {"introduced": "0"}, {"fixed": "3.0"})),
        below("CVE-2024-2", "lib", "2.0"),
        below("CVE-2024-3", "lib", "2.0"),
        osv("CVE-2024-4", affected("lib", {"introduced": "3.0"})),
        osv("CVE-2024-5", affected("lib", {"introduced": "3.0"})),
    )
    judged = [
        vulnerable(LIB, "CVE-2024-1", action=Action.BLOCK),
        *(vulnerable(LIB, f"CVE-2024-{number}") for number in (2, 3)),
    ]
    found = only(judged, store)
    assert (found.to, found.to_unblock) == ("2.0", "3.0")
    assert (found.stays, found.unblocks) == (("CVE-2024-1",), ())


def test_waived_is_cleared_but_does_not_block(keep: Keep) -> None:
    store = keep(below("CVE-2024-1", "lib", "1.2"))
    found = only([vulnerable(LIB, "CVE-2024-1", action=Action.WAIVED)], store)
    assert (found.clears, found.unblocks, found.to_unblock) == (("CVE-2024-1",), (), None)


def test_withdrawn_does_not_count(keep: Keep) -> None:
    store = keep(
        below("CVE-2024-1", "lib", "1.2"),
        below("CVE-2024-2", "lib", "9.0", withdrawn="2024-05-06T00:00:00Z"),
    )
    gone = vulnerable(LIB, "CVE-2024-2", withdrawn=True)
    found = only([gone, vulnerable(LIB, "CVE-2024-1")], store)
    assert (found.to, found.clears, found.stays) == ("1.2", ("CVE-2024-1",), ())
    assert plan([gone], Inventory(), store) == ()


def test_what_a_newer_version_brings_counts(keep: Keep) -> None:
    """1.2 fixes one and adds two, which is worse than the installed version; 1.3 is the best."""
    store = keep(
        below("CVE-2024-1", "lib", "1.2"),
        osv("CVE-2024-2", affected("lib", {"introduced": "1.2"}, {"fixed": "1.3"})),
        osv("PYSEC-2024-3", affected("lib", {"introduced": "1.2"}), aliases=["CVE-2024-3"]),
    )
    found = only([vulnerable(LIB, "CVE-2024-1"), vulnerable(LIB, "GHSA-none", "1.2")], store)
    assert (found.to, found.stays) == ("1.3", ("CVE-2024-3",))


def test_no_better_version_is_none(keep: Keep) -> None:
    store = keep(
        below("CVE-2024-1", "lib", "1.2"),
        osv("CVE-2024-2", affected("lib", {"introduced": "1.2"})),
    )
    found = only([vulnerable(LIB, "CVE-2024-1", action=Action.BLOCK)], store)
    assert (found.to, found.step, found.allowed) == (None, None, None)
    assert (found.clears, found.stays) == ((), ("CVE-2024-1",))
    assert found.to_unblock == "1.2"  # but it still unblocks


def test_aliases_are_one_vulnerability(keep: Keep) -> None:
    """Three records in one group count once, under the name of the finding."""
    store = keep(
        osv("PYSEC-2024-1", affected("lib", {"introduced": "0"}), aliases=["CVE-2024-1"]),
        osv("GHSA-aaaa-bbbb-cccc", affected("lib", {"introduced": "0"}), aliases=["CVE-2024-1"]),
        below("CVE-2024-2", "lib", "1.2"),
        osv("CVE-2024-3", affected("lib", {"introduced": "1.2"}, {"fixed": "1.4"})),
    )
    judged = [vulnerable(LIB, "ghsa-AAAA-bbbb-cccc"), vulnerable(LIB, "CVE-2024-2")]
    found = only(judged, store)
    assert (found.to, found.stays) == ("1.4", ("ghsa-AAAA-bbbb-cccc",))


def test_what_nobody_found_yet_stays_by_its_usual_name(keep: Keep) -> None:
    store = keep(
        below("CVE-2024-1", "lib", "1.2"),
        below("CVE-2024-2", "lib", "1.2"),
        osv(
            "PYSEC-2024-9",
            affected("lib", {"introduced": "0"}),
            aliases=["GHSA-aaaa-bbbb-cccc"],
        ),
    )
    found = only([vulnerable(LIB, "CVE-2024-1")], store)
    assert (found.to, found.clears) == ("1.2", ("CVE-2024-1",))
    assert found.stays == ("GHSA-aaaa-bbbb-cccc",)


@pytest.mark.parametrize(
    ("installed", "fixed", "to"),
    [
        ("1.0", ("1.1rc1", "1.1"), "1.1"),
        ("1.0", ("1.1rc1",), "1.1rc1"),
        ("1.0rc1", ("1.0rc2", "1.0"), "1.0rc2"),
        ("1.0", ("0.9", "nonsense"), None),
        ("2004d", ("2005",), None),
        ("1.0", ("1!0.5",), "1!0.5"),
        ("1.0", ("1.0+fixed", "1.1"), "1.1"),
        ("1.0", ("1.0+fixed",), None),
        ("1.0+a", ("1.0+b",), "1.0+b"),
    ],
)
def test_candidates(installed: str, fixed: tuple[str, ...], to: str | None) -> None:
    """Final versions above the installed one; pre-releases only if it is one or no others exist."""
    assert only([vulnerable(package("lib", installed), "CVE-2024-1", *fixed)]).to == to


def test_a_pre_release_where_the_store_knows_no_final(keep: Keep) -> None:
    store = keep(below("CVE-2024-1", "lib", "1.1rc1"))
    assert only([vulnerable(LIB, "CVE-2024-1")], store).to == "1.1rc1"


def test_a_scanner_decides_for_what_the_store_does_not_know(keep: Keep) -> None:
    store = keep(below("CVE-2024-1", "lib", "1.2"))
    both = [vulnerable(LIB, "CVE-2024-1"), vulnerable(LIB, "SFTY-1", "1.4")]
    found = only(both, store)
    assert (found.to, found.clears) == ("1.4", ("CVE-2024-1", "SFTY-1"))
    unfixed = only([vulnerable(LIB, "CVE-2024-1"), vulnerable(LIB, "SFTY-1")], store)
    assert (unfixed.to, unfixed.stays) == ("1.2", ("SFTY-1",))


def test_a_record_about_other_versions_decides_only_against(keep: Keep) -> None:
    """A scanner reports 1.0, which the record does not list: both its fix and the record count."""
    store = keep(osv("CVE-2024-1", affected("lib", {"introduced": "1.5"}, {"fixed": "1.6"})))
    found = only([vulnerable(LIB, "CVE-2024-1", "1.5")], store)
    assert (found.to, found.clears) == ("1.6", ("CVE-2024-1",))


def test_without_a_store_only_fixed_versions_count(tmp_path: Path) -> None:
    judged = [vulnerable(LIB, "CVE-2024-1", "1.2", "2.1"), vulnerable(LIB, "CVE-2024-2", "2.0")]
    found = only(judged)
    # 2.0 is past 1.2, but on the branch that only 2.1 fixes.
    assert (found.to, found.checked) == ("2.1", False)
    empty = open_store(tmp_path / "nothing")
    assert only(judged, empty).checked is False
    empty.close()


def test_a_fix_counts_for_its_branch() -> None:
    old = package("lib", "3.2.0")
    judged = [
        vulnerable(old, "CVE-2024-1", "3.2.13", "4.0.4"),
        vulnerable(old, "CVE-2024-2", "3.2.15", "4.0.6"),
    ]
    assert only(judged).to == "3.2.15"


def test_a_malicious_package_has_no_better_version(keep: Keep) -> None:
    store = keep(
        osv("MAL-2024-1", affected("lib", {"introduced": "0"})),
        below("CVE-2024-1", "lib", "1.2"),
    )
    judged = [vulnerable(LIB, "MAL-2024-1", action=Action.BLOCK), vulnerable(LIB, "CVE-2024-1")]
    found = only(judged, store)
    assert (found.to, found.to_unblock, found.clears) == (None, None, ())
    assert found.stays == ("MAL-2024-1", "CVE-2024-1")


def test_a_version_that_is_an_attack_is_never_advised(keep: Keep) -> None:
    store = keep(
        below("CVE-2024-1", "lib", "1.2"),
        below("CVE-2024-2", "lib", "1.3"),
        osv("MAL-2024-1", affected("lib", versions=["1.3"])),
    )
    found = only([vulnerable(LIB, "CVE-2024-1"), vulnerable(LIB, "CVE-2024-2")], store)
    assert (found.to, found.stays) == ("1.2", ("CVE-2024-2",))


def test_constraints_let_it_in_or_hinder_it() -> None:
    judged = [vulnerable(LIB, "CVE-2024-1", "2.0")]
    project = allows("lib", "<2", place="pyproject.toml:3")
    other = allows("lib", ">=1", by="app")

    def with_(*constraints: object) -> Upgrade:
        inventory = Inventory((LIB,), constraints=constraints)  # type: ignore[arg-type]
        return plan(judged, inventory, None)[0]

    assert with_().allowed is None
    assert (with_(other).allowed, with_(other).hindered_by) == (True, ())
    assert (with_(project, other).allowed, with_(project).hindered_by) == (False, (project,))
    assert with_(allows("other", "<1")).allowed is None
    assert with_(allows("lib", "nonsense")).allowed is True
    assert with_(allows("lib", ">=3", place="pyproject.toml:3")).allowed is None  # broken already
    assert with_(allows("lib", "==1.0", place="pyproject.toml:3")).allowed is None
    assert with_(allows("lib", "==1.0", by="app")).allowed is False
    assert with_(allows("lib", "==1.*", place="pyproject.toml:3")).allowed is False


def test_constraints_of_another_part_of_the_project_do_not_hinder() -> None:
    lib = package("lib", "1.0", "services/a/uv.lock:3")
    judged = [vulnerable(lib, "CVE-2024-1", "2.0")]

    def allowed(place: str) -> bool | None:
        constraints = (allows("lib", "<2", place=place),)
        return plan(judged, Inventory((lib,), constraints=constraints), None)[0].allowed

    assert allowed("pyproject.toml:1") is False
    assert allowed("services/a/pyproject.toml:1") is False
    assert allowed("services/a/requirements/base.in:1") is False
    assert allowed("services/b/pyproject.toml:1") is None
    assert allowed("services/ab/pyproject.toml:1") is None


def test_the_direct_requirement_to_change() -> None:
    def change(**more: object) -> tuple[str, ...]:
        lib = package("lib", "1.0", **more)
        return plan([vulnerable(lib, "CVE-2024-1", "2.0")], Inventory((lib,)), None)[0].change

    assert change(direct=True, chain=("lib",)) == ("lib",)
    assert change(direct=False, chain=("app", "mid", "lib")) == ("app",)
    assert change() == ("lib",)
    assert change(direct=False) == ()


def test_the_inventory_knows_more_of_a_package_than_a_scanner() -> None:
    seen = package("lib", "1.0", "requirements.txt:1")
    whole = package("lib", "1.0", "constraints.txt:2", "requirements.txt:1")
    assert only([vulnerable(seen, "CVE-2024-1", "2.0")], None, whole).package == whole


def test_two_versions_are_two_upgrades_and_the_most_useful_comes_first() -> None:
    old, new, other = package("lib", "1.0"), package("lib", "1.5"), package("zlib", "1.0")
    another = package("alib", "1.0")
    judged = [
        vulnerable(old, "CVE-2024-1", "2.0"),
        vulnerable(new, "CVE-2024-1", "2.0"),
        vulnerable(other, "CVE-2024-3", "2.0"),
        vulnerable(other, "CVE-2024-4", "2.0"),
        vulnerable(another, "CVE-2024-5", "2.0", action=Action.BLOCK),
    ]
    order = [(one.package.name, one.package.version) for one in plan(judged, Inventory(), None)]
    assert order == [("zlib", "1.0"), ("alib", "1.0"), ("lib", "1.0"), ("lib", "1.5")]


def test_only_packages_of_pypi() -> None:
    deb = Package("zlib1g", "1.2", "pkg:deb/debian/zlib1g@1.2")
    assert plan([vulnerable(deb, "CVE-2024-1", "2.0")], Inventory(), None) == ()


@pytest.mark.parametrize(
    ("old", "new", "step"),
    [
        ("1.2.3", "2.0", Step.MAJOR),
        ("1.2.3", "1.3", Step.MINOR),
        ("1.2.3", "1.2.4", Step.PATCH),
        ("1.2.3.4", "1.2.3.5", Step.PATCH),
        ("1.2", "1.2.1", Step.PATCH),
        ("1.2rc1", "1.2", Step.PATCH),
        ("1.2", "1!1.2", Step.MAJOR),
        ("2004d", "1.2", None),
    ],
)
def test_steps(old: str, new: str, step: Step | None) -> None:
    assert step_of(old, new) is step


def test_a_thousand_packages(keep: Keep) -> None:
    years, numbers = range(2018, 2024), range(1000)
    names = [(f"lib{number}", f"CVE-{year}-{number}", year) for number in numbers for year in years]
    store = keep(*(below(id_, name, f"1.{year - 2015}") for name, id_, year in names))
    judged = [vulnerable(package(name, "1.0"), id_) for name, id_, _ in names]
    found = plan(judged, Inventory(), store)
    assert len(found) == 1000
    assert {(one.to, len(one.clears)) for one in found} == {("1.8", 6)}


def test_real_advisories_against_the_rule_itself(
    data_dir: Path, tmp_path: Path, now: datetime
) -> None:
    """For real packages, no fixed version has fewer vulnerabilities, and no lower one as few."""
    cache = tmp_path / "cache"
    cache.mkdir()
    import_any(data_dir / "pypi-osv.zip", cache, lambda _done, _whole: None, now=now)
    with closing(open_store(cache)) as store:
        for name, version in (
            *(("django", "3.2"), ("django", "4.2"), ("jinja2", "2.4.1"), ("requests", "2.19.0")),
            *(("urllib3", "1.26.4"), ("pillow", "9.4.0"), ("werkzeug", "2.1.2"), ("py", "1.4.34")),
            *(("pyyaml", "5.1"), ("cryptography", "39.0.1"), ("ansible", "2.7.0")),
        ):
            found = [one.id for one in store.affecting(name, version)]
            judged = [vulnerable(package(name, version), id_) for id_ in found]
            upgrade = only(judged, store)
            assert (name, upgrade.to) == (name, best_by_hand(store, name, version))


def best_by_hand(store: Store, name: str, version: str) -> str | None:
    """Apply the rule literally: look up every candidate, with the groups of the store."""
    candidates = {
        Version(fixed)
        for record in store.records(name)
        if not record.withdrawn
        for fixed in fixed_versions(record, name)
    }
    counts = {one: vulnerabilities(store, name, str(one)) for one in candidates}
    better = {
        one: count
        for one, count in counts.items()
        if one > Version(version)
        and not one.is_prerelease
        and count < vulnerabilities(store, name, version)
    }
    least = min(better.values(), default=None)
    lowest = sorted(one for one in better if better[one] == least)
    return str(lowest[0]) if lowest else None


def vulnerabilities(store: Store, name: str, version: str) -> int:
    return len({store.group([one.id]).ids for one in store.affecting(name, version)})
