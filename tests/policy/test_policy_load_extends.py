"""Rule 2: parents load first, pinned by hash; the child wins, except for locked keys."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest
from support.repository import git

from scanagg.core.errors import PolicyError
from scanagg.core.git import Git
from scanagg.policy.load import builtin_folder, load_policy, looser_enforcement
from scanagg.policy.schema import Policy
from scanagg.project.trusted import Committed

HEAD = "version: 1\ndefault: warn\n"


def write(file: Path, text: str) -> str:
    """Write a policy; return the reference of a child to it, without the path."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(HEAD + dedent(text), encoding="utf-8")
    return hashlib.sha256(file.read_bytes()).hexdigest()


def parent(path: str, sha256: str) -> str:
    return f"{{file: {path}, sha256: {sha256}}}"


def child_of(root: Path, base: str, own: str = "") -> Policy:
    """A policy with these keys, and a parent with the others."""
    sha256 = write(root / "org" / "base.yml", base)
    write(root / "scanagg.yml", f"extends: [{parent('org/base.yml', sha256)}]\n" + dedent(own))
    return load_policy(None, root)


def refused(root: Path, base: str, own: str) -> str:
    with pytest.raises(PolicyError) as caught:
        child_of(root, base, own)
    assert caught.value.hint or "\n  " in caught.value.message
    return caught.value.message


# Origin of each value.


def test_rule_2_what_the_child_does_not_write_is_the_parents(tmp_path: Path) -> None:
    base = """\
    enforcement: warn
    approvers: [sec]
    severity: {unknown: critical, bandit: {min_confidence: high}, sources: [tool]}
    scanners: {bandit: {required: true, max_skipped: 7}, trivy: {required: true}}
    licenses: {allow: [MIT, ISC], deny: [AGPL-3.0-only], classifiers: any}
    waivers: {max_days: 30}
    new_code: {edited: existing}
    """
    own = """\
    severity: {unknown: low}
    scanners: {bandit: {required: false}}
    licenses: {allow: [0BSD]}
    waivers: {unused: block}
    """
    file = child_of(tmp_path, base, own).file
    assert file.enforcement == "warn"
    assert (file.severity.unknown, file.severity.sources) == ("low", ("tool",))
    assert file.severity.bandit.min_confidence == "high"
    assert (file.scanners["bandit"].required, file.scanners["bandit"].max_skipped) == (False, 7)
    assert file.scanners["trivy"].required
    assert file.licenses.allow == ("0BSD",)
    assert (file.licenses.deny, file.licenses.classifiers) == (("AGPL-3.0-only",), "any")
    assert (file.waivers.max_days, file.waivers.unused) == (30, "block")
    assert file.new_code.edited == "existing"
    assert file.approvers == ("sec",)
    assert file.extends[0].file == "org/base.yml"


@pytest.mark.parametrize("action", ["block", "warn", "info"])
def test_rule_2_the_default_of_a_child_is_the_parents(tmp_path: Path, action: str) -> None:
    (tmp_path / "base.yml").write_text(f"version: 1\ndefault: {action}\n")
    sha256 = hashlib.sha256((tmp_path / "base.yml").read_bytes()).hexdigest()
    middle = tmp_path / "middle.yml"
    middle.write_text(f"version: 1\nextends: [{parent('base.yml', sha256)}]\n")
    sha256 = hashlib.sha256(middle.read_bytes()).hexdigest()
    child = f"version: 1\nextends: [{{name: strict}}, {parent('middle.yml', sha256)}]\n"
    (tmp_path / "scanagg.yml").write_text(child)
    assert load_policy(None, tmp_path).file.default == action


def test_rule_2_a_scanner_stays_required_or_not_unless_the_child_says_so(tmp_path: Path) -> None:
    base = "scanners: {bandit: {required: true}, safety: {required: false}}\n"
    own = "scanners: {bandit: {max_errors: 3}, safety: {max_skipped: 2}}\n"
    scanners = child_of(tmp_path, base, own).file.scanners
    assert (scanners["bandit"].required, scanners["bandit"].max_errors) == (True, 3)
    assert (scanners["safety"].required, scanners["safety"].max_skipped) == (False, 2)


def test_rule_2_a_key_that_no_policy_gives_is_missing(tmp_path: Path) -> None:
    message = refused(tmp_path, "", "scanners: {bandit: {max_errors: 3}}\n")
    assert "scanners.bandit: 'required' is missing" in message
    (tmp_path / "scanagg.yml").write_text("version: 1\nextends: []\n")
    with pytest.raises(PolicyError, match="'default' is missing"):
        load_policy(None, tmp_path)


def test_rule_2_a_default_of_the_language_is_no_word_of_the_child(tmp_path: Path) -> None:
    file = child_of(
        tmp_path, "enforcement: warn\nseverity: {unknown: info}\n", "severity: {}\n"
    ).file
    assert (file.enforcement, file.severity.unknown) == ("warn", "info")


def test_rule_2_the_childs_rules_are_tried_before_the_parents(tmp_path: Path) -> None:
    base = "rules: [{id: a, match: {}, action: warn}, {id: b, match: {}, action: warn}]\n"
    own = "rules: [{id: c, match: {}, action: info}, {id: b, match: {}, action: block}]\n"
    rules = child_of(tmp_path, base, own).rules
    assert [(rule.id, rule.action) for rule in rules] == [
        ("c", "info"),
        ("b", "block"),
        ("a", "warn"),
    ]


def test_rule_2_waivers_exceptions_and_overrides_are_added(tmp_path: Path) -> None:
    def text(name: str) -> str:
        word = f"owner: {name}, reason: x, expires: 2027-01-01"
        return f"""\
        severity: {{override: [{{match: {{rule: {name}}}, set: info, reason: x}}]}}
        licenses:
          clarify: [{{purl: "pkg:pypi/{name}", expression: MIT}}]
          exceptions: [{{purl: "pkg:pypi/{name}", allow: [MIT], {word}}}]
        waivers: {{items: [{{path: {name}, {word}}}]}}
        """

    policy = child_of(tmp_path, text("theirs"), text("ours"))
    section = policy.file.licenses
    assert [one.match.rule for one in policy.file.severity.override] == ["ours", "theirs"]
    assert [one.purl for one in section.clarify] == ["pkg:pypi/ours", "pkg:pypi/theirs"]
    assert [one.owner for one in section.exceptions] == ["ours", "theirs"]
    assert [(one.path, one.place) for one in policy.waivers] == [
        ("ours", "scanagg.yml:8"),
        ("theirs", "org/base.yml:7"),
    ]


def test_rule_2_of_several_parents_the_later_wins(tmp_path: Path) -> None:
    rule = "rules: [{id: NAME, match: {}, action: warn}]\n"
    one = write(tmp_path / "one.yml", "severity: {unknown: low}\n" + rule.replace("NAME", "one"))
    two = write(tmp_path / "two.yml", "severity: {unknown: info}\n" + rule.replace("NAME", "two"))
    parents = f"extends: [{parent('one.yml', one)}, {parent('two.yml', two)}]\n"
    write(tmp_path / "scanagg.yml", parents)
    policy = load_policy(None, tmp_path)
    assert policy.file.severity.unknown == "info"
    assert [each.id for each in policy.rules] == ["two", "one"]
    assert policy.files == {"one.yml": one, "two.yml": two}


def test_rule_2_parents_have_parents_with_paths_from_where_they_lie(tmp_path: Path) -> None:
    top = write(tmp_path / "org" / "all" / "top.yml", "severity: {unknown: low}\n")
    mid = write(tmp_path / "org" / "mid.yml", f"extends: [{parent('all/top.yml', top)}]\n")
    write(tmp_path / "policies" / "scanagg.yml", f"extends: [{parent('../org/mid.yml', mid)}]\n")
    policy = load_policy(None, tmp_path)
    assert policy.file.severity.unknown == "low"
    assert policy.files == {"org/mid.yml": mid, "org/all/top.yml": top}


def test_a_ready_made_parent_needs_no_hash(tmp_path: Path) -> None:
    write(tmp_path / "scanagg.yml", "extends: [{name: strict}]\n")
    policy = load_policy(None, tmp_path)
    assert policy.file.scanners["trivy"].required
    strict = hashlib.sha256((builtin_folder() / "strict.yml").read_bytes()).hexdigest()
    assert policy.files == {"built-in strict": strict}


def test_a_policy_outside_of_the_project_has_its_parents_beside_it(tmp_path: Path) -> None:
    sha256 = write(tmp_path / "org" / "base.yml", "severity: {unknown: low}\n")
    write(tmp_path / "org" / "own.yml", f"extends: [{parent('base.yml', sha256)}]\n")
    policy = load_policy(str(tmp_path / "org" / "own.yml"), tmp_path / "project")
    assert policy.file.severity.unknown == "low"
    write(tmp_path / "org" / "deep" / "own.yml", f"extends: [{parent('../base.yml', sha256)}]\n")
    with pytest.raises(PolicyError, match="is outside"):
        load_policy(str(tmp_path / "org" / "deep" / "own.yml"), tmp_path / "project")
    assert load_policy(str(tmp_path / "org" / "deep" / "own.yml"), tmp_path)


# Parents that cannot be used.


def test_rule_2_another_hash_is_refused_with_both(tmp_path: Path) -> None:
    sha256 = write(tmp_path / "base.yml", "")
    write(tmp_path / "scanagg.yml", f"extends:\n  - {parent('base.yml', 'b' * 64)}\n")
    with pytest.raises(PolicyError) as caught:
        load_policy(None, tmp_path)
    assert caught.value.message == (
        f"scanagg.yml:4:30: extends[0].sha256: base.yml has sha256 {sha256}, not {'b' * 64}"
    )
    assert "base.yml" in caught.value.hint


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("gone.yml", "3:18: extends[0].file: gone.yml does not exist"),
        ("../out.yml", "3:18: extends[0].file: '../out.yml' is outside"),
        ("/etc/passwd", "3:18: extends[0].file: '/etc/passwd' is outside"),
        ("a/../../x", "3:18: extends[0].file: 'a/../../x' is outside"),
        ("folder", "3:18: extends[0].file: folder: is not a regular file"),
        ("'https://org.invalid/p.yml'", "3:18: extends[0].file: 'https://org.invalid/p.yml' is a"),
        ('"a\\u001fb"', "3:18: extends[0].file: a\\x1fb does not exist"),
        (".", "3:18: extends[0].file: .: is not a path"),
    ],
)
def test_rule_2_a_parent_that_cannot_be_read_is_named_with_its_place(
    tmp_path: Path, path: str, problem: str
) -> None:
    (tmp_path / "folder").mkdir()
    write(tmp_path / "scanagg.yml", f"extends: [{parent(path, 'b' * 64)}]\n")
    with pytest.raises(PolicyError) as caught:
        load_policy(None, tmp_path)
    assert caught.value.message.startswith(f"scanagg.yml:{problem}")
    assert caught.value.hint


def test_an_unknown_ready_made_parent_is_corrected(tmp_path: Path) -> None:
    write(tmp_path / "scanagg.yml", "extends: [{name: stric}]\n")
    with pytest.raises(PolicyError, match="'stric': did you mean 'strict'"):
        load_policy(None, tmp_path)


def test_a_mistake_in_a_parent_is_told_with_the_parents_name(tmp_path: Path) -> None:
    message = refused(tmp_path, "severity: {unknwon: low}\n", "")
    assert message.startswith("org/base.yml:3:12: severity: unknown key 'unknwon'")


def test_rule_2_parents_that_loop_are_refused_whatever_their_hashes(tmp_path: Path) -> None:
    write(tmp_path / "a.yml", f"extends: [{parent('b.yml', 'b' * 64)}]\n")
    b = write(tmp_path / "b.yml", f"extends: [{parent('./a.yml', 'b' * 64)}]\n")
    a = write(tmp_path / "a.yml", f"extends: [{parent('b.yml', b)}]\n")
    write(tmp_path / "scanagg.yml", f"extends: [{parent('a.yml', a)}]\n")
    with pytest.raises(PolicyError) as caught:
        load_policy(None, tmp_path)
    loop = "a loop: a.yml extends b.yml extends a.yml"
    assert caught.value.message == f"b.yml:3:11: extends[0]: {loop}"
    write(tmp_path / "scanagg.yml", f"extends: [{parent('scanagg.yml', 'b' * 64)}]\n")
    with pytest.raises(PolicyError, match=r"scanagg\.yml extends scanagg\.yml"):
        load_policy(None, tmp_path)


@pytest.mark.parametrize(("depth", "fine"), [(8, True), (9, False)])
def test_rule_2_eight_parents_deep_and_no_more(tmp_path: Path, depth: int, fine: bool) -> None:
    sha256 = write(tmp_path / "p0.yml", "severity: {unknown: low}\n")
    for level in range(1, depth):
        above = parent(f"p{level - 1}.yml", sha256)
        sha256 = write(tmp_path / f"p{level}.yml", f"extends: [{above}]\n")
    write(tmp_path / "scanagg.yml", f"extends: [{parent(f'p{depth - 1}.yml', sha256)}]\n")
    if fine:
        assert load_policy(None, tmp_path).file.severity.unknown == "low"
        return
    with pytest.raises(PolicyError, match=r"^p1\.yml:3:11: .*more than 8 levels"):
        load_policy(None, tmp_path)


def test_parents_that_multiply_are_cut_short(tmp_path: Path) -> None:
    sha256 = write(tmp_path / "p0.yml", "")
    for level in range(1, 5):
        above = ", ".join([parent(f"p{level - 1}.yml", sha256)] * 20)
        sha256 = write(tmp_path / f"p{level}.yml", f"extends: [{above}]\n")
    with pytest.raises(PolicyError, match="more than 64 parents"):
        load_policy(str(tmp_path / "p4.yml"), tmp_path)


# Locks.


def test_rule_2_locked_rules_are_kept_apart_with_the_parents_own_sections(tmp_path: Path) -> None:
    base = """\
    approvers: [sec, "@lead"]
    severity: {unknown: critical}
    rules:
      - {id: kev, match: {kev: true}, action: block, locked: true}
      - {id: free, match: {}, action: info}
    """
    own = "severity: {unknown: low}\nrules: [{id: mine, match: {}, action: info}]\n"
    policy = child_of(tmp_path, base, own)
    (lock,) = policy.locked
    assert (lock.source, lock.approvers) == ("org/base.yml", frozenset(("sec", "@lead")))
    assert [rule.id for rule in lock.file.rules] == ["kev"]
    assert lock.file.severity.unknown == "critical"
    assert [rule.id for rule in policy.rules] == ["mine", "kev", "free"]


def test_rule_2_the_locks_of_grandparents_hold_too(tmp_path: Path) -> None:
    rule = "rules: [{id: NAME, match: {}, action: block, locked: true}]\n"
    top = write(
        tmp_path / "top.yml", "approvers: [a]\nlocked: [default]\n" + rule.replace("NAME", "top")
    )
    base = f"extends: [{parent('../top.yml', top)}]\napprovers: [b]\n" + rule.replace("NAME", "mid")
    policy = child_of(tmp_path, base)
    assert [(lock.source, [rule.id for rule in lock.file.rules]) for lock in policy.locked] == [
        ("top.yml", ["top"]),
        ("org/base.yml", ["mid"]),
    ]
    assert [sorted(lock.approvers) for lock in policy.locked] == [["a"], ["b"]]
    child = tmp_path / "scanagg.yml"
    child.write_text(child.read_text().replace("default: warn", "default: info"))
    with pytest.raises(
        PolicyError, match=r"^scanagg\.yml:2:10: default is locked by top\.yml to wa"
    ):
        load_policy(None, tmp_path)


def test_the_same_lock_by_two_ways_is_one(tmp_path: Path) -> None:
    top = write(tmp_path / "top.yml", "rules: [{id: a, match: {}, action: block, locked: true}]\n")
    one = write(tmp_path / "one.yml", f"extends: [{parent('top.yml', top)}]\n")
    two = write(tmp_path / "two.yml", f"extends: [{parent('top.yml', top)}]\n# other\n")
    parents = f"extends: [{parent('one.yml', one)}, {parent('two.yml', two)}]\n"
    write(tmp_path / "scanagg.yml", parents)
    policy = load_policy(None, tmp_path)
    assert len(policy.locked) == 1
    assert [rule.id for rule in policy.rules] == ["a"]


def test_rule_2_a_loosened_lock_says_where_by_whom_and_what_is_allowed(tmp_path: Path) -> None:
    message = refused(tmp_path, "locked: [enforcement]\n", "enforcement: warn\n")
    assert message == "scanagg.yml:4:14: enforcement is locked by org/base.yml to block"


LICENSES = (
    "licenses: {allow: [MIT], review: [MPL-2.0], deny: [GPL-3.0-or-later], classifiers: all}\n"
)
WORD = "reason: x, expires: 2027-01-01"


@pytest.mark.parametrize(
    ("base", "own", "problem"),
    [
        ("locked: [enrichment]\nenrichment: {kev: required}", "enrichment: {kev: optional}", "kev"),
        ("locked: [enrichment]\nenrichment: {max_age: 7d}", "enrichment: {max_age: 2w}", "max_age"),
        ("locked: [new_code]", "new_code: {against: none}", "against"),
        ("locked: [new_code]", "new_code: {edited: existing}", "edited"),
        ("locked: [severity]", "severity: {sources: [ghsa]}", "sources"),
        ("locked: [severity]", "severity: {unknown: medium}", "unknown"),
        (
            "locked: [severity]",
            "severity: {bandit: {min_confidence: medium}}",
            "bandit.min_confidence",
        ),
        (
            "locked: [severity]",
            "severity: {override: [{match: {}, set: info, reason: x}]}",
            "override[0]",
        ),
        ("locked: [waivers]", "waivers: {max_days: 181}", "max_days"),
        ("locked: [waivers]", "waivers: {unused: ignore}", "unused"),
        ("locked: [waivers]", "waivers: {in_source: allow}", "in_source"),
        (
            "locked: [waivers]\nwaivers: {max_in_source: 3}",
            "waivers: {max_in_source: 4}",
            "max_in_source",
        ),
        (LICENSES + "locked: [licenses]", "licenses: {allow: [MIT, ISC]}", "allow[1]"),
        (LICENSES + "locked: [licenses]", "licenses: {allow: []}", "allow"),
        (LICENSES + "locked: [licenses]", "licenses: {deny: [], allow: [GPL-3.0-only]}", "allow"),
        (LICENSES + "locked: [licenses]", "licenses: {review: [GPL-2.0-only]}", "review[0]"),
        (LICENSES + "locked: [licenses]", "licenses: {classifiers: any}", "classifiers"),
        (
            LICENSES + "locked: [licenses]",
            "licenses: {clarify: [{purl: 'pkg:pypi/a', expression: MIT}]}",
            "clarify[0]",
        ),
        (
            LICENSES + "locked: [licenses]",
            f"licenses: {{exceptions: [{{purl: 'pkg:pypi/a', allow: [ISC], owner: me, {WORD}}}]}}",
            "exceptions[0]",
        ),
    ],
)
def test_rule_2_a_locked_section_can_only_be_tightened(
    tmp_path: Path, base: str, own: str, problem: str
) -> None:
    section = own.partition(":")[0]
    message = refused(tmp_path, base + "\n", own + "\n")
    first = message.splitlines()[0]
    assert first.startswith("scanagg.yml:4:")
    assert f": {section}.{problem} is locked by org/base.yml to " in message
    free = base.replace("locked: ", "approvers: ")
    assert child_of(tmp_path, free + "\n", own + "\n").locked == ()


@pytest.mark.parametrize(
    ("base", "own"),
    [
        ("enforcement: warn\nlocked: [enforcement]", "enforcement: block"),
        ("locked: [enforcement, default, severity]", "severity: {unknown: critical}"),
        ("locked: [enrichment]", "enrichment: {kev: required, max_age: 1d}"),
        ("locked: [enrichment]\nenrichment: {max_age: 2d}", "enrichment: {max_age: 47h}"),
        ("locked: [new_code]\nnew_code: {edited: existing}", "new_code: {edited: new}"),
        (
            "locked: [severity]\nseverity: {bandit: {min_confidence: high}}",
            "severity: {bandit: {min_confidence: low}}",
        ),
        (
            "locked: [waivers]",
            "waivers: {max_days: 9, unused: block, in_source: forbid, max_in_source: 0}",
        ),
        (LICENSES + "locked: [licenses]", "licenses: {allow: [MIT], review: []}"),
        (LICENSES + "locked: [licenses]", "licenses: {review: [], deny: [MPL-2.0, ISC]}"),
        ("locked: [licenses]", "licenses: {allow: [MIT]}"),
        (
            LICENSES + "locked: [licenses]\napprovers: [me]",
            f"licenses: {{exceptions: [{{purl: 'pkg:pypi/a', allow: [ISC], owner: me, {WORD}}}]}}",
        ),
    ],
)
def test_rule_2_to_tighten_what_is_locked_is_fine(tmp_path: Path, base: str, own: str) -> None:
    assert len(child_of(tmp_path, base + "\n", own + "\n").locked) == 1


ENTRY = "required: true, min_audited: 2, max_skipped: 1, max_errors: any, db_max_age: 2d"


@pytest.mark.parametrize(
    ("own", "looser"),
    [
        ("required: false", "required"),
        ("required: true, min_audited: 1", "min_audited"),
        ("required: true, max_skipped: 2", "max_skipped"),
        ("required: true, max_skipped: any", "max_skipped"),
        ("required: true, max_unread: any", "max_unread"),
        ("required: true, max_unlocked: 2", "max_unlocked"),
        ("required: true, db_max_age: 3d", "db_max_age"),
        ("required: true, on_failure: warn", "on_failure"),
        ("required: true, when: {exists: [x]}", "when"),
        ("required: true, min_audited: 3, max_skipped: 0, max_errors: 9, db_max_age: 1d", ""),
        ("required: true, on_failure: block, locked: false", ""),
    ],
)
def test_rule_2_a_locked_scanner_can_only_be_asked_for_more(
    tmp_path: Path, own: str, looser: str
) -> None:
    base = f"scanners: {{trivy: {{{ENTRY}, locked: true}}}}\n"
    own = f"scanners: {{trivy: {{{own}}}}}\n"
    if looser:
        message = refused(tmp_path, base, own)
        assert f"scanners.trivy.{looser} is locked by org/base.yml to " in message
        assert message.startswith("scanagg.yml:4:")
    else:
        assert child_of(tmp_path, base, own).locked[0].file.scanners["trivy"].required


def test_rule_2_a_locked_condition_on_files_can_only_be_widened(tmp_path: Path) -> None:
    base = "scanners: {trivy: {required: true, locked: true, when: {exists: [a, b]}}}\n"
    wider = base.replace("locked: true, ", "").replace("a, b", "a, b, c")
    assert child_of(tmp_path, base, wider).locked
    message = refused(tmp_path, base, wider.replace("a, b, c", "a, c"))
    assert "scanners.trivy.when is locked by org/base.yml to at least a, b" in message


@pytest.mark.parametrize(
    ("theirs", "mine", "looser"),
    [
        ("{severity: '>=high'}, action: block", "{severity: '>=high'}, action: warn", "action"),
        ("{severity: '>=high'}, action: block", "{severity: critical}, action: block", "match"),
        ("{severity: high}, action: block", "{severity: '>=medium'}, action: block", ""),
        ("{category: vuln}, action: block", "{category: [vulnerability]}, action: block", ""),
        ("{category: vuln}, action: block", "{category: vuln, kev: true}, action: block", "match"),
        ("{category: vuln, kev: true}, action: warn", "{category: vuln}, action: block", ""),
        ("{epss: '>=0.5'}, action: block", "{epss: '>=0.6'}, action: block", "match"),
        ("{epss: '>=0.5'}, action: block", "{epss: '>=0.4'}, action: block", ""),
        ("{rule: B602}, action: block", "{rule: 'B*'}, action: block", ""),
        ("{rule: 'B*'}, action: block", "{rule: B602}, action: block", "match"),
        ("{package: foo}, action: block", "{package: ['Foo', bar]}, action: block", ""),
        ("{path: a/**}, action: block", "{path: '**'}, action: block", "match"),
        ("{}, action: block", "{}, action: block, grace: 1d", "grace"),
        ("{}, action: block, grace: 1w", "{}, action: block, grace: 8d", "grace"),
        ("{}, action: block, grace: 1w", "{}, action: block, grace: {high: 8d}", "grace"),
        ("{}, action: block, grace: {high: 8d}", "{}, action: block, grace: {high: 7d}", ""),
    ],
)
def test_rule_2_a_rule_with_the_id_of_a_locked_one_is_as_strict(
    tmp_path: Path, theirs: str, mine: str, looser: str
) -> None:
    base = f"rules: [{{id: r, locked: true, match: {theirs}}}]\n"
    own = f"rules: [{{id: r, match: {mine}}}]\n"
    if looser:
        message = refused(tmp_path, base, own)
        assert message.startswith("scanagg.yml:4:")
        assert f"rules[0].{looser} is locked by org/base.yml to " in message
    else:
        policy = child_of(tmp_path, base, own)
        assert len(policy.rules) == len(policy.locked) == 1


def test_rule_2_one_parent_cannot_loosen_what_another_locks(tmp_path: Path) -> None:
    one = write(tmp_path / "one.yml", "locked: [enforcement]\n")
    two = write(tmp_path / "two.yml", "enforcement: warn\n")
    parents = f"extends: [{parent('one.yml', one)}, {parent('two.yml', two)}]\n"
    write(tmp_path / "scanagg.yml", parents)
    with pytest.raises(PolicyError, match=r"scanagg\.yml:3:10: enforcement is locked by one\.yml"):
        load_policy(None, tmp_path)
    write(tmp_path / "scanagg.yml", parents + "enforcement: block\n")
    assert load_policy(None, tmp_path).enforcement == "block"


def test_a_licence_cannot_end_up_in_two_lists(tmp_path: Path) -> None:
    message = refused(tmp_path, LICENSES, "licenses: {allow: [MIT, MPL-2.0]}\n")
    assert message.startswith("scanagg.yml:4:11: licenses.review: MPL-2.0 is also in allow")
    own = "licenses: {allow: [MIT, MPL-2.0], review: []}\n"
    assert child_of(tmp_path, LICENSES, own).file.licenses.review == ()


def test_rule_2_the_command_line_cannot_loosen_a_locked_enforcement(tmp_path: Path) -> None:
    locked = child_of(tmp_path, "locked: [enforcement]\n")
    wrong = looser_enforcement(locked, "warn")
    assert wrong == "enforcement is locked by org/base.yml to block"
    assert looser_enforcement(locked, "block") is None
    dry = child_of(tmp_path, "enforcement: warn\nlocked: [enforcement]\n")
    assert looser_enforcement(dry, "warn") is None
    assert looser_enforcement(child_of(tmp_path, "locked: [default]\n"), "warn") is None


# From a commit.


def test_rule_2_policy_parents_and_waivers_are_read_from_the_commit(
    make_project: Callable[..., Path],
) -> None:
    sha256 = write_and_hash("severity: {unknown: low}\n")
    root = make_project(
        {
            "org/base.yml": HEAD + "severity: {unknown: low}\n",
            "policies/scanagg.yml": HEAD + f"extends: [{parent('../org/base.yml', sha256)}]\n",
            "policies/waivers.yml": "version: 1\n",
        }
    )
    commit = git(root, "rev-parse", "HEAD").strip()
    files = Committed(Git(root), commit)
    for path in ("org/base.yml", "policies/scanagg.yml", "policies/waivers.yml"):
        (root / path).write_text("version: 1\ndefault: info\nenforcement: warn\n")
    for named in (None, str(root / "policies" / "scanagg.yml")):
        policy = load_policy(named, root, files=files)
        assert (policy.ref, policy.source) == (commit, "policies/scanagg.yml")
        assert policy.enforcement == "block"
        assert policy.file.severity.unknown == "low"
        assert sorted(policy.files) == ["org/base.yml", "policies/waivers.yml"]


def write_and_hash(text: str) -> str:
    return hashlib.sha256((HEAD + text).encode()).hexdigest()


def test_a_policy_that_only_the_work_tree_has_is_not_read_for_a_commit(
    make_project: Callable[..., Path],
) -> None:
    root = make_project({"app.py": ""})
    files = Committed(Git(root), git(root, "rev-parse", "HEAD").strip())
    write(root / "own.yml", "")
    write(root / "scanagg.yml", "")
    assert load_policy(None, root, files=files).source == "built-in"
    for given, configured in ((str(root / "own.yml"), None), (None, "own.yml")):
        with pytest.raises(
            PolicyError, match=r"policy '.*own\.yml' not found in commit [0-9a-f]{12}"
        ):
            load_policy(given, root, configured, files=files)


def test_a_policy_above_the_project_comes_from_the_commit_too(
    make_project: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_project({"org/p.yml": HEAD, "services/a/app.py": ""})
    files = Committed(Git(root), git(root, "rev-parse", "HEAD").strip(), "services/a/")
    (root / "org" / "p.yml").write_text("version: 1\ndefault: info\n")
    monkeypatch.chdir(root / "services" / "a")
    policy = load_policy("../../org/p.yml", root / "services" / "a", files=files)
    assert (policy.file.default, policy.source) == ("warn", "org/p.yml")


def test_a_configured_policy_stays_in_the_project(tmp_path: Path) -> None:
    write(tmp_path / "out.yml", "")
    with pytest.raises(PolicyError, match=r"\.\./out\.yml: leads out of the project"):
        load_policy(None, tmp_path / "project", "../out.yml")
