"""Licence expressions are evaluated by SPDX rules, metadata by its trustworthiness."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.license_vectors import CLASSPATH, VECTORS

from scanagg.core.errors import PolicyError
from scanagg.model import LicenseFacts, LicenseFile, LicenseVerdict, Package, Reason, pypi_purl
from scanagg.policy import spdx, trove
from scanagg.policy.license_lists import (
    LicenseDecision,
    LicenseLists,
    canonical,
    evaluate,
    lists_of,
)
from scanagg.policy.licenses import LicenseJudge, from_facts
from scanagg.policy.schema import Clarification, Evidence, LicenseException, LicenseSection


@pytest.mark.parametrize(("expression", "allow", "deny", "verdict"), VECTORS)
def test_rule_13_licences_are_evaluated_as_spdx_means_them(
    expression: str, allow: list[str], deny: list[str], verdict: str
) -> None:
    assert evaluate(expression, lists_of(allow=allow, deny=deny)).verdict.value == verdict


@pytest.mark.parametrize(
    ("expression", "allow", "verdict"),
    [
        ("LicenseRef-Acme", ["LicenseRef-Acme"], "allow"),
        ("LicenseRef-Acme", ["MIT"], "unknown"),
        ("LicenseRef-Acme", [], "unknown"),
        ("DocumentRef-x:LicenseRef-y OR MIT", ["MIT"], "allow"),
        ("NOASSERTION", ["MIT"], "unknown"),
        ("NONE", [], "unknown"),
        ("UNLICENSED", ["MIT"], "unknown"),
        ("Unlicense", ["Unlicense"], "allow"),
        ("Apache-1.1+", ["Apache-2.0"], "allow"),
        ("MPL-2.0+", ["MPL-1.1"], "deny"),
        ("GFDL-1.1-invariants-or-later", ["GFDL-1.3-invariants-only"], "allow"),
        ("GFDL-1.1-invariants-or-later", ["GFDL-1.3-only"], "deny"),
        ("LGPL-2.1+", ["LGPL-3.0-only"], "allow"),
        ("GPL-2.0-with-classpath-exception", [CLASSPATH], "allow"),
        ("GPL-2.0+ WITH Classpath-exception-2.0", [CLASSPATH], "allow"),
        ("GPL-2.0-or-later+", ["GPL-2.0-only"], "allow"),
        ("MIT WITH Apache-2.0", ["MIT"], "unknown"),
        ("GPL", ["GPL-1.0-or-later"], "unknown"),
        ("BSD", ["BSD-3-Clause"], "unknown"),
    ],
)
def test_further_terms(expression: str, allow: list[str], verdict: str) -> None:
    assert evaluate(expression, lists_of(allow=allow)).verdict.value == verdict


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "()",
        "( OR MIT",
        "MIT OR",
        "MIT OR ISC OR",
        "OR MIT",
        "MIT AND OR MIT",
        "(MIT",
        "MIT)",
        "MIT Apache-2.0",
        "MIT/Apache-2.0",
        "MIT, BSD",
        "MIT WITH",
        "(MIT) WITH LLVM-exception",
        "MIT WITH (LLVM-exception)",
        "GPL-2.0-only+",
        "GPL-2.0-with-GCC-exception WITH LLVM-exception",
        "GPL-2.0 WITH x WITH y",
        "Apache License 2.0",
        "não",
        "(" * 60 + "MIT" + ")" * 60,
        "MIT OR " * 1000 + "MIT",
        "<script>alert(1)</script>",
    ],
)
def test_what_is_no_expression_is_unknown_and_shown_as_it_stands(text: str) -> None:
    result = evaluate(text, lists_of(allow=["MIT"]))
    assert result.verdict is LicenseVerdict.UNKNOWN
    assert len(result.expression) <= 200
    assert canonical(text) is None


def test_a_verdict_names_the_term_that_decided() -> None:
    lists = lists_of(allow=["MIT", "Apache-2.0"], review=["MPL-2.0"], deny=["GPL-3.0-only"])
    result = evaluate("(mit or gpl-3.0) and (mpl-2.0 or gpl-3.0-only)", lists)
    assert (result.verdict.value, result.term) == ("review", "MPL-2.0")
    assert result.expression == "(MIT OR GPL-3.0-only) AND (MPL-2.0 OR GPL-3.0-only)"
    assert evaluate("MIT AND GPL-3.0", lists).term == "GPL-3.0-only"
    assert evaluate("MPL-2.0 AND LicenseRef-X", lists).term == "LicenseRef-X"


def test_a_listed_version_comes_before_a_listed_range() -> None:
    lists = lists_of(allow=["GPL-2.0-or-later"], deny=["GPL-3.0-only"], review=["GPL-1.0-or-later"])
    verdicts = [evaluate(f"GPL-{n}.0-only", lists).verdict.value for n in (1, 2, 3)]
    assert verdicts == ["review", "allow", "deny"]


def test_canonical_keeps_order_and_meaning() -> None:
    assert canonical("apache-2.0 or mit and (isc or zlib)") == "Apache-2.0 OR MIT AND (ISC OR Zlib)"
    assert canonical("gpl-3.0+ with gcc-exception-3.1") == (
        "GPL-3.0-or-later WITH GCC-exception-3.1"
    )
    assert canonical("LicenseRef-Mine") == "LicenseRef-Mine"
    assert canonical("MIT OR Foo-1.0") is None
    assert canonical("MIT WITH Foo-exception") is None


@pytest.mark.parametrize(
    ("lists", "words"),
    [
        ({"allow": ["MIT OR ISC"]}, "is an expression"),
        ({"allow": ["Apache 2.0"]}, "did you mean 'Apache-2.0'?"),
        ({"deny": ["GPL-3"]}, "did you mean 'GPL-3.0-only'?"),
        ({"allow": ["MIT"], "deny": ["mit"]}, "MIT is also in allow"),
        ({"allow": ["GPL-2.0"], "review": ["GPL-2.0-only"]}, "GPL-2.0-only is also in allow"),
        ({"allow": ["MIT WITH Foo"]}, "not on the SPDX list"),
        ({"review": [""]}, "is not a licence id"),
    ],
)
def test_a_list_holds_known_ids_one_by_one(lists: dict[str, list[str]], words: str) -> None:
    with pytest.raises(PolicyError, match=r"allow|review|deny") as caught:
        lists_of(**lists)  # type: ignore[arg-type]
    assert words in caught.value.message


# Metadata.

PERMISSIVE = lists_of(allow=["MIT", "BSD-3-Clause", "Apache-2.0"])


def decided(lists: LicenseLists = PERMISSIVE, **facts: object) -> tuple[str, str, str]:
    result = from_facts(LicenseFacts(**facts), lists)  # type: ignore[arg-type]
    return result.verdict.value, result.expression, result.source


def test_sources_are_believed_in_the_order_of_trust() -> None:
    classifiers = ("License :: OSI Approved :: MIT License",)
    assert decided(expression="MIT", text="MIT", classifiers=classifiers) == (
        "allow",
        "MIT",
        "License-Expression",
    )
    assert decided(text="Apache-2.0 OR BSD-3-Clause", classifiers=("Apache Software License",)) == (
        "allow",
        "Apache-2.0 OR BSD-3-Clause",
        "License",
    )
    assert decided(text="see LICENSE", classifiers=classifiers) == ("allow", "MIT", "classifiers")
    assert decided(text="The MIT License") == ("allow", "MIT", "License")
    assert decided(text="see LICENSE") == ("unknown", "see LICENSE", "License")
    assert decided() == ("unknown", "UNKNOWN", "")


@pytest.mark.parametrize("nothing", ["", "UNKNOWN", " unknown ", "None", "NOASSERTION"])
def test_a_placeholder_is_no_licence(nothing: str) -> None:
    result = decided(expression=nothing, text=nothing, classifiers=("MIT License",))
    assert result == ("allow", "MIT", "classifiers")
    assert decided(text=nothing) == ("unknown", "UNKNOWN", "")


def test_an_ambiguous_classifier_is_its_worst_candidate() -> None:
    assert decided(classifiers=("BSD License",)) == ("deny", "BSD License", "classifiers")
    both = lists_of(allow=["BSD-2-Clause", "BSD-3-Clause"])
    assert decided(both, classifiers=("BSD License",))[0] == "allow"


def test_a_common_name_decides_between_candidates() -> None:
    assert decided(text="BSD 3-Clause License", classifiers=("BSD License",)) == (
        "allow",
        "BSD-3-Clause",
        "License",
    )
    assert decided(
        text="Apache License, Version 2.0", classifiers=("Apache Software License",)
    ) == (
        "allow",
        "Apache-2.0",
        "License",
    )


def test_of_several_classifiers_all_or_any_must_be_allowed() -> None:
    several = ("MIT License", "GNU General Public License v3 (GPLv3)")
    allow = ["MIT"]
    shown = "MIT License; GNU General Public License v3 (GPLv3)"
    assert decided(lists_of(allow=allow), classifiers=several) == ("deny", shown, "classifiers")
    anyone = lists_of(allow=allow, classifiers="any")
    assert decided(anyone, classifiers=several)[0] == "allow"


@pytest.mark.parametrize(
    "classifiers",
    [
        ("License :: OSI Approved",),
        ("License :: DFSG approved",),
        ("License :: Other/Proprietary License",),
        ("License :: Public Domain",),
        ("License :: OSI Approved :: Some New License",),
    ],
)
def test_classifiers_that_name_no_licence_are_unknown(classifiers: tuple[str, ...]) -> None:
    assert decided(classifiers=classifiers)[0] == "unknown"


def test_approved_by_somebody_is_no_news_beside_a_licence() -> None:
    assert decided(classifiers=("License :: OSI Approved", "MIT License"))[:2] == ("allow", "MIT")
    proprietary = ("MIT License", "Other/Proprietary License")
    assert decided(classifiers=proprietary)[0] == "unknown"


def test_a_whole_licence_text_is_shown_short_and_unknown() -> None:
    verdict, shown, source = decided(text="Permission is hereby granted, free of charge\n" * 50)
    assert (verdict, source) == ("unknown", "License")
    assert len(shown) <= 200
    assert "\n" not in shown


def test_every_id_in_the_tables_is_on_the_spdx_list() -> None:
    readings = [*trove._CLASSIFIERS.values(), *trove._NAMES.values()]
    names = {name for reading in readings for name in reading.candidates}
    assert [name for name in sorted(names) if canonical(name) != name] == []


def test_no_entry_of_the_tables_is_needless() -> None:
    names = trove._CLASSIFIERS.items()
    assert [name for name, reading in names if trove.common_name(name) == reading] == []
    assert [name for name in trove._NAMES if not trove.common_name(name).candidates] == []


# The meaning of names and addresses.

GNU_3 = ("GPL-3.0-only", "GPL-3.0-or-later")
NAMES = {
    "MIT license": ("MIT",),
    "The MIT License (MIT)": ("MIT",),
    "MIT/X11": ("MIT",),
    "Expat license": ("MIT",),
    "License :: OSI Approved :: MIT License": ("MIT",),
    "ISC License (ISCL)": ("ISC",),
    "Apache Software License": ("Apache-2.0",),
    "Apache 2": ("Apache-2.0",),
    "Apache2": ("Apache-2.0",),
    "Apache License, Version 2.0": ("Apache-2.0",),
    "Apache License Version 2.0, January 2004": ("Apache-2.0",),
    "ASL 2.0": ("Apache-2.0",),
    "BSD": ("BSD-2-Clause", "BSD-3-Clause"),
    "BSD-3": ("BSD-3-Clause",),
    "3-Clause BSD": ("BSD-3-Clause",),
    "Three clause BSD license": ("BSD-3-Clause",),
    "BSD (3-clause)": ("BSD-3-Clause",),
    "New BSD": ("BSD-3-Clause",),
    'BSD 3-Clause "New" or "Revised" License': ("BSD-3-Clause",),
    "Simplified BSD": ("BSD-2-Clause",),
    "BSD 4 clause": ("BSD-4-Clause",),
    "MPL 2.0": ("MPL-2.0",),
    "Mozilla Public License 2.0 (MPL 2.0)": ("MPL-2.0",),
    "Mozilla Public License": ("MPL-1.0", "MPL-1.1", "MPL-2.0"),
    "GPL": ("GPL-1.0-only", "GPL-2.0-only", "GPL-3.0-only"),
    "GPLv3": GNU_3,
    "GNU GPL v3": GNU_3,
    "GPL-3.0-only license": ("GPL-3.0-only",),
    "GPLv3+": ("GPL-3.0-or-later",),
    "GPL v3 or later": ("GPL-3.0-or-later",),
    "GPL version 3 or (at your option) any later version": ("GPL-3.0-or-later",),
    "LGPLv2+": ("LGPL-2.0-or-later",),
    "GNU Lesser General Public License v2.1": ("LGPL-2.1-only", "LGPL-2.1-or-later"),
    "GNU Library or Lesser General Public License (LGPL)": (
        "LGPL-2.0-only",
        "LGPL-2.1-only",
        "LGPL-3.0-only",
    ),
    "GNU AGPL v3": ("AGPL-3.0-only", "AGPL-3.0-or-later"),
    "PSF": ("PSF-2.0",),
    "Python Software Foundation License": ("PSF-2.0",),
    "ZPL 2.1": ("ZPL-2.1",),
    "CC0 1.0": ("CC0-1.0",),
    "X11 License": ("X11",),
    "Public Domain": ("LicenseRef-Public-Domain",),
    "https://opensource.org/licenses/MIT": ("MIT",),
    "http://www.opensource.org/licenses/mit-license.php": ("MIT",),
    "https://opensource.org/license/bsd-3-clause/": ("BSD-3-Clause",),
    "https://spdx.org/licenses/BSD-3-Clause.html": ("BSD-3-Clause",),
    "https://www.gnu.org/licenses/gpl-3.0.en.html": GNU_3,
    "https://www.apache.org/licenses/LICENSE-2.0.txt": ("Apache-2.0",),
    "https://www.mozilla.org/en-US/MPL/2.0/": ("MPL-2.0",),
    "MIT-style": (),
    "BSD-like": (),
    "Unlicensed": (),
    "BSL 1.1": (),
    "LGPL with exceptions": (),
    "GNU GPLv2 (with FOSS License Exception)": (),
    "https://opensource.org.example/licenses/MIT": (),
    "https://example.org/?https://opensource.org/licenses/MIT": (),
    "see LICENSE": (),
    "License": (),
    "MIT " * 100: (),
}


@pytest.mark.parametrize(("name", "licenses"), NAMES.items())
def test_a_name_is_read_as_the_licences_that_it_can_mean(
    name: str, licenses: tuple[str, ...]
) -> None:
    assert trove.common_name(name).candidates == licenses


@pytest.mark.parametrize(
    ("text", "verdict", "shown"),
    [
        ("BSD 3-Clause OR GPLv3+", "allow", "BSD-3-Clause OR GPL-3.0-or-later"),
        ("BSD 3-Clause and GPLv3+", "deny", "BSD-3-Clause AND GPL-3.0-or-later"),
        ("MIT, Apache 2", "allow", "MIT, Apache 2"),
        ("MIT / GPLv3+", "deny", "MIT / GPLv3+"),
        ("MIT or BSD", "deny", "MIT or BSD"),
        ("MIT or something", "unknown", "MIT or something"),
        ("Proprietary", "unknown", "Proprietary"),
    ],
)
def test_several_names_are_several_licences(text: str, verdict: str, shown: str) -> None:
    assert decided(text=text) == (verdict, shown, "License")


# Statements that contradict each other.

CONTRADICTIONS = [
    {"text": "AGPL", "classifiers": ("MIT License",)},
    {"text": "Proprietary", "classifiers": ("MIT License",)},
    {"text": "MIT", "classifiers": ("Other/Proprietary License",)},
    {"text": "MIT", "classifiers": ("BSD License",)},
    {"text": "MIT License […]", "classifiers": ("Apache Software License",)},
    {"text": "A text […]", "whole_text": "MIT", "classifiers": ("BSD License",)},
    {"expression": "MIT", "text": "GPLv3"},
    {"expression": "MIT", "classifiers": ("GNU Affero General Public License v3",)},
    {"expression": "Apache-2.0 OR MIT", "classifiers": ("BSD License", "MIT License")},
    {"expression": "MIT", "files": ("COPYING",)},
    {"expression": "MIT", "files": ("COPYING", "NOTICE")},
    {"expression": "MIT", "files": ("LICENSE", "COPYING")},
    {"text": "MIT", "classifiers": ("MIT License",), "files": ("COPYING",)},
]
FILES = {
    "LICENSE": LicenseFile("LICENSE", "a" * 64, "MIT"),
    "COPYING": LicenseFile("COPYING", "b" * 64, "GPL-3.0-only"),
    "COPYING.LESSER": LicenseFile("COPYING.LESSER", "b" * 64, "LGPL-3.0-only"),
    "NOTICE": LicenseFile("NOTICE", "c" * 64),
    "vendor/COPYING": LicenseFile("vendor/COPYING", "b" * 64, "GPL-3.0-only"),
}


def contradicting(lists: LicenseLists, facts: dict[str, object]) -> LicenseDecision:
    files = tuple(FILES[name] for name in facts.get("files", ()))  # type: ignore[attr-defined]
    return from_facts(LicenseFacts(**{**facts, "files": files}), lists)  # type: ignore[arg-type]


@pytest.mark.parametrize("facts", CONTRADICTIONS)
def test_statements_that_contradict_each_other_are_unknown(facts: dict[str, object]) -> None:
    for lists in (PERMISSIVE, lists_of()) if "LICENSE" not in str(facts) else (PERMISSIVE,):
        decision = contradicting(lists, facts)
        assert decision.verdict is LicenseVerdict.UNKNOWN
        (note,) = decision.notes
        assert note.kind == "license-contradiction"
        assert decision.source == f"{note.values['source']}, {note.values['other']}"
        assert str(note.values["words"]) in decision.expression
        assert str(note.values["others"]) in decision.expression


def test_a_contradiction_of_denied_licences_is_denied() -> None:
    lists = lists_of(deny=["AGPL-3.0-or-later", "AGPL-1.0-only", "SSPL-1.0"])
    facts = LicenseFacts(text="AGPL", classifiers=("Server Side Public License (SSPL-1.0)",))
    assert from_facts(facts, lists).verdict is LicenseVerdict.DENY


AGREEMENTS = [
    {"expression": "BSD-3-Clause", "classifiers": ("BSD License",)},
    {"expression": "BSD-4-Clause", "classifiers": ("BSD License",)},
    {"expression": "MIT-0", "classifiers": ("MIT License",)},
    {"text": "MIT OR Apache-2.0", "classifiers": ("Apache Software License", "MIT License")},
    {"text": "MIT OR Apache-2.0", "classifiers": ("MIT License",)},
    {"text": "Apache-1.1", "classifiers": ("Apache Software License",)},
    {"text": "GPLv2+", "classifiers": ("GNU General Public License (GPL)",)},
    {"text": "GPL", "classifiers": ("GNU General Public License v2 or later (GPLv2+)",)},
    {"text": "GPL-3.0", "classifiers": ("GNU General Public License v3 or later (GPLv3+)",)},
    {
        "text": "LGPL-2.1-or-later",
        "classifiers": ("GNU Lesser General Public License v2 (LGPLv2)",),
    },
    {"text": "Unlicense", "classifiers": ("Public Domain",)},
    {"text": "Python-2.0", "classifiers": ("Python Software Foundation License",)},
    {"text": "MIT", "classifiers": ("Freely Distributable",)},
    {"text": "MIT License […]", "classifiers": ("MIT License",)},
    {"text": "see LICENSE", "classifiers": ("MIT License",)},
    {"expression": "LicenseRef-Own", "classifiers": ("Other/Proprietary License",)},
    {"expression": "LGPL-3.0-or-later", "files": ("COPYING", "COPYING.LESSER")},
    {"expression": "LGPL-3.0-or-later", "files": ("COPYING",)},
    {"expression": "MIT", "files": ("LICENSE", "vendor/COPYING")},
    {"expression": "MIT AND GPL-3.0-only", "files": ("COPYING",)},
]


@pytest.mark.parametrize("facts", AGREEMENTS)
def test_a_general_statement_beside_a_precise_one_is_no_contradiction(
    facts: dict[str, object],
) -> None:
    decision = contradicting(lists_of(), facts)
    assert "license-contradiction" not in [note.kind for note in decision.notes]
    assert decision.verdict in (LicenseVerdict.ALLOW, LicenseVerdict.UNKNOWN)
    assert (decision.verdict is LicenseVerdict.UNKNOWN) == ("LicenseRef" in str(facts))


def test_the_longer_of_two_statements_counts_if_it_is_worse() -> None:
    several = ("GNU General Public License v3 (GPLv3)", "MIT License")
    assert decided(text="MIT", classifiers=several)[::2] == ("deny", "classifiers")
    lists = lists_of(allow=["MIT"], classifiers="any")
    assert decided(lists, text="MIT", classifiers=several) == ("allow", "MIT", "License")


# Entries of the policy for a package, its files, and the date.

TODAY = date(2027, 6, 30)
HASH, OTHER = "a" * 64, "b" * 64


def judged(section: LicenseSection, name: str = "foo", **facts: object) -> LicenseDecision:
    package = Package(name, "1.2.3", pypi_purl(name, "1.2.3"))
    return LicenseJudge(section, TODAY).judge(package, LicenseFacts(**facts))  # type: ignore[arg-type]


def clarified(**changes: object) -> LicenseSection:
    entry = {"purl": "pkg:pypi/Foo", "versions": "==1.2.*", "expression": "mit", **changes}
    return LicenseSection(allow=("MIT",), clarify=(Clarification(**entry),))  # type: ignore[arg-type]


def test_the_policys_own_word_comes_first() -> None:
    result = judged(clarified(), expression="GPL-3.0-only")
    assert (result.verdict.value, result.expression, result.source) == ("allow", "MIT", "clarify")
    assert result.notes == ()


@pytest.mark.parametrize(
    ("changes", "matches"),
    [
        ({"versions": None}, True),
        ({"versions": ">=2"}, False),
        ({"versions": "<2,!=1.2.3"}, False),
        ({"versions": "no range"}, False),
        ({"purl": "pkg:pypi/foo@1.2.3"}, True),
        ({"purl": "pkg:pypi/foo@1.2.4"}, False),
        ({"purl": "pkg:pypi/foo-bar"}, False),
        ({"purl": "pkg:npm/foo"}, False),
    ],
)
def test_a_clarification_is_of_a_package_and_its_versions(
    changes: dict[str, str], matches: bool
) -> None:
    result = judged(clarified(**changes), expression="GPL-3.0-only")
    assert (result.source == "clarify") is matches


def test_a_prerelease_is_in_a_range_and_no_version_in_none() -> None:
    judge = LicenseJudge(clarified(versions=">=1"), TODAY)
    for version, source in (("1.2rc1", "clarify"), ("2026-odd", "")):
        package = Package("foo", version, pypi_purl("foo", version))
        assert judge.judge(package, LicenseFacts()).source == source


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        ((LicenseFile("LICENSE", HASH),), ""),
        ((LicenseFile("LICENSE", OTHER), LicenseFile("LICENSE", HASH)), ""),
        ((LicenseFile("LICENSE", OTHER),), "evidence-changed"),
        ((LicenseFile("COPYING", HASH),), "evidence-missing"),
        ((), "evidence-unknown"),
    ],
)
def test_a_clarification_is_void_where_its_evidence_differs(
    files: tuple[LicenseFile, ...], kind: str
) -> None:
    section = clarified(evidence=Evidence(path="LICENSE", sha256=HASH))
    result = judged(section, expression="GPL-3.0-only", files=files)
    if kind:
        assert (result.verdict.value, result.source) == ("deny", "License-Expression")
        assert [note.kind for note in result.notes] == [kind]
        assert result.notes[0].values["license"] == "mit"
    else:
        assert (result.verdict.value, result.source, result.notes) == ("allow", "clarify", ())


def test_of_several_clarifications_the_first_that_is_not_void_counts() -> None:
    void = Evidence(path="LICENSE", sha256=OTHER)
    section = LicenseSection(
        allow=("ISC",),
        clarify=(
            Clarification(purl="pkg:pypi/foo", expression="MIT", evidence=void),
            Clarification(purl="pkg:pypi/foo", expression="ISC"),
        ),
    )
    result = judged(section, files=(LicenseFile("LICENSE", HASH),))
    assert (result.verdict.value, result.expression) == ("allow", "ISC")
    assert [(note.kind, note.values["license"]) for note in result.notes] == [
        ("evidence-changed", "MIT")
    ]


def excepted(expires: str = "2027-06-30", *allow: str) -> LicenseSection:
    entry = LicenseException(
        purl="pkg:pypi/foo",
        allow=allow or ("LGPL-3.0-or-later",),
        owner="legal",
        reason="dynamic use",
        expires=expires,
    )
    return LicenseSection(allow=("MIT",), deny=("LGPL-3.0-only",), exceptions=(entry,))


def test_an_exception_extends_the_allow_list_for_its_package_alone() -> None:
    for expression in ("LGPL-3.0-or-later", "LGPL-3.0-only", "MIT AND LGPL-3.0-only"):
        result = judged(excepted(), expression=expression)
        assert (result.verdict.value, result.notes) == ("allow", ())
    assert judged(excepted(), "bar", expression="LGPL-3.0-only").verdict is LicenseVerdict.DENY
    assert judged(excepted(), expression="GPL-3.0-only").verdict is LicenseVerdict.DENY


def test_an_exception_in_a_policy_without_allow_list_closes_nothing() -> None:
    entry = LicenseException(
        purl="pkg:pypi/foo", allow=("ISC",), owner="o", reason="r", expires="2099-01-01"
    )
    section = LicenseSection(deny=("GPL-3.0-only",), exceptions=(entry,))
    assert judged(section, expression="MIT").verdict is LicenseVerdict.ALLOW


def test_an_exception_holds_through_its_last_day_and_is_named_when_it_is_over() -> None:
    assert judged(excepted("2027-06-30"), expression="LGPL-3.0-only").verdict.value == "allow"
    for expires, ago in (("2027-06-29", 1), ("2027-05-31", 30)):
        result = judged(excepted(expires), expression="LGPL-3.0-only")
        assert result.verdict is LicenseVerdict.DENY
        values = {"owner": "legal", "day": expires, "days": ago}
        assert result.notes == (Reason("license-exception-expired", values),)
    # It would make no difference here.
    assert judged(excepted("2027-05-31"), expression="GPL-3.0-only").notes == ()
    assert judged(excepted("2027-05-31"), expression="MIT").notes == ()


def test_a_dual_licence_is_decided_by_the_term_that_is_allowed() -> None:
    section = LicenseSection(allow=("BSD-3-Clause",))
    result = judged(section, text="Apache-2.0 OR BSD-3-Clause", classifiers=("BSD License",))
    assert (result.verdict.value, result.term, result.source) == (
        "allow",
        "BSD-3-Clause",
        "License",
    )


def test_the_deciding_candidate_is_named() -> None:
    result = judged(LicenseSection(allow=("BSD-3-Clause",)), classifiers=("BSD License",))
    assert (result.verdict.value, result.term) == ("deny", "BSD-2-Clause")
    assert result.candidates == ("BSD-2-Clause", "BSD-3-Clause")
    values = {"licenses": result.candidates, "term": "BSD-2-Clause"}
    assert result.notes == (Reason("license-ambiguous", values),)


def test_equal_facts_are_decided_once() -> None:
    judge = LicenseJudge(LicenseSection(allow=("MIT",)), TODAY)
    one, two = (Package(name, "1", pypi_purl(name, "1")) for name in "ab")
    facts = LicenseFacts(expression="MIT")
    assert judge.judge(one, facts) is judge.judge(two, LicenseFacts(expression="MIT"))
    assert judge.judge(Package("x", "1", "pkg:oci/x"), facts) is judge.judge(one, facts)


def test_a_bad_list_is_refused_when_the_judge_is_made() -> None:
    with pytest.raises(PolicyError):
        LicenseJudge(LicenseSection(allow=("Nope",)), TODAY)


# Licence files.


def texts(*ids: str, **more: str) -> tuple[LicenseFile, ...]:
    known = [LicenseFile(f"LICENSE.{name}", HASH, name) for name in ids]
    return (*known, *(LicenseFile(name, HASH, license_) for name, license_ in more.items()))


def test_a_licence_text_counts_without_other_metadata() -> None:
    assert decided(files=texts("MIT")) == ("allow", "MIT", "License-File")
    assert decided(text="see LICENSE", files=texts("MIT", NOTICE=""))[2] == "License-File"
    assert decided(files=texts("MIT", "Apache-2.0"))[0] == "allow"
    assert decided(files=texts("MIT", "GPL-2.0-only"))[0] == "deny"
    assert decided(files=texts("MIT", COPYING=""))[0] == "unknown"
    assert decided(files=texts(NOTICE="")) == ("unknown", "UNKNOWN", "")


def test_a_gnu_text_does_not_include_later_versions() -> None:
    later = lists_of(allow=["GPL-3.0-only"])
    assert decided(later, files=texts("GPL-2.0-only"))[0] == "deny"
    both = lists_of(allow=["GPL-2.0-or-later"])
    assert decided(both, files=texts("GPL-2.0-only"))[0] == "allow"


def test_a_licence_text_decides_between_candidates() -> None:
    bsd, apache = ("BSD License",), ("Apache Software License",)
    assert decided(classifiers=bsd, files=texts("BSD-3-Clause")) == (
        "allow",
        "BSD-3-Clause",
        "License-File",
    )
    assert decided(classifiers=apache, files=texts("Apache-2.0"))[1] == "Apache-2.0"
    assert decided(text="BSD", files=texts("BSD-3-Clause"))[0] == "allow"
    # Not if another file could hold the missing text, or if the file has an unrelated licence.
    assert decided(classifiers=bsd, files=texts("BSD-3-Clause", COPYING=""))[0] == "deny"
    assert decided(classifiers=bsd, files=texts("BSD-3-Clause", "BSD-2-Clause"))[0] == "deny"
    assert decided(classifiers=("MIT License",), files=texts("MIT"))[2] == "classifiers"


# Properties.

IDS = ["MIT", "Apache-2.0", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "LicenseRef-X"]
listed = st.lists(st.sampled_from(IDS), unique=True)
expressions = st.recursive(
    st.sampled_from([*IDS, "GPL-2.0-only WITH Classpath-exception-2.0", "MIT WITH Odd"]),
    lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(
        lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(expressions, listed, st.sampled_from(IDS))
def test_allowing_one_more_never_makes_a_verdict_worse(
    expression: str, allow: list[str], more: str
) -> None:
    before = evaluate(expression, lists_of(allow=[*allow, "ISC"])).verdict
    after = evaluate(expression, lists_of(allow={*allow, "ISC", more}))  # type: ignore[arg-type]
    assert after.verdict.order <= before.order


@settings(deadline=None)
@given(expressions, listed, st.sampled_from(IDS))
def test_denying_one_more_never_makes_a_verdict_better(
    expression: str, deny: list[str], more: str
) -> None:
    before = evaluate(expression, lists_of(deny=deny)).verdict
    after = evaluate(expression, lists_of(deny=[*deny, more])).verdict
    assert after.order >= before.order


@settings(deadline=None)
@given(expressions, expressions, listed)
def test_or_is_the_best_and_the_worst(one: str, other: str, allow: list[str]) -> None:
    lists = lists_of(allow=allow)
    orders = [evaluate(each, lists).verdict.order for each in (one, other)]
    assert evaluate(f"{one} OR {other}", lists).verdict.order == min(orders)
    assert evaluate(f"({one}) AND ({other})", lists).verdict.order == max(orders)


@settings(deadline=None)
@given(expressions)
def test_the_canonical_text_means_the_same(expression: str) -> None:
    tree = spdx.parse(expression)
    again = spdx.parse(str(tree))
    assert str(again) == str(tree)
    for allow in (["MIT"], ["GPL-2.0-or-later"], ["Apache-2.0", "LicenseRef-X"]):
        lists = lists_of(allow=allow)
        assert evaluate(expression, lists).verdict is evaluate(str(tree), lists).verdict


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_has_a_verdict(text: str) -> None:
    assert evaluate(text, PERMISSIVE).verdict in LicenseVerdict
    assert from_facts(LicenseFacts(text=text, classifiers=(text,)), PERMISSIVE).expression
