"""Each kind of secret has one id, a title and advice, whichever scanner finds it."""

import re

import pytest
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from msgspec.structs import astuple

from scanagg.model import Confidence
from scanagg.scanners import detectors
from scanagg.scanners.base import scanner_infos
from scanagg.scanners.detect_secrets import INFO
from scanagg.scanners.secret_rules import (
    ALIASES,
    GENERIC,
    advised,
    message,
    secret_rule,
    titled_rule,
)

CONFIDENCES = (Confidence.LIKELY, Confidence.POSSIBLE, Confidence.UNLIKELY)
UNKNOWN = secret_rule("no-such-rule", "Some Vendor Access Key")
BUILT_IN = [titled_rule(kind) for kind in get_mapping_from_secret_type_to_class()]
ADDED = [titled_rule(detector.title) for detector in detectors.ALL]
DETECT_SECRETS = [*{rule.id: rule for rule in (*BUILT_IN, *ADDED)}.values()]
RULES = [
    *DETECT_SECRETS,
    *(secret_rule(rule, "") for rule in sorted({*ALIASES.values(), *GENERIC})),
]


@pytest.mark.parametrize("rule", DETECT_SECRETS, ids=lambda rule: rule.id)
def test_every_detector_has_words_of_its_own(rule: object) -> None:
    assert rule.why != UNKNOWN.why  # type: ignore[attr-defined]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_words_of_a_rule_are_whole(rule: object) -> None:
    _, _, title, url, _, help_, why, bad, good = astuple(rule)  # type: ignore[type-var]
    assert title[0].upper() + title[1:] == title or title.startswith(("npm", "xAI"))
    assert url.startswith("https://")
    for text in (why, help_):
        assert re.fullmatch(r"[A-Z1].+[^.]\.", text)
        assert "  " not in text
    assert bad != good
    assert "..." in bad  # no value that looks real


@pytest.mark.parametrize(
    ("rule", "title", "shown"),
    [
        ("secret-keyword", "Secret Keyword", "Hard-coded secret"),
        (
            "base64-high-entropy-string",
            "Base64 High Entropy String",
            "High-entropy string (Base64)",
        ),
        ("basic-auth-credentials", "Basic Auth Credentials", "Password in a URL"),
        ("aws-access-key-id", "AWS Access Key ID", "AWS access key"),
        ("github-fine-grained-pat", "GitHub Fine-grained personal access tokens", "GitHub token"),
        ("no-such-rule", "Lob Publishable API Key", "Lob publishable API key"),
        ("no-such-rule", "Key of Some\nVendor", "Key of Some\\nVendor"),
        ("no-such-rule", "", "no-such-rule"),
    ],
)
def test_titles_are_in_sentence_case(rule: str, title: str, shown: str) -> None:
    assert secret_rule(rule, title).title == shown


def test_an_alias_is_no_kind_and_names_one() -> None:
    assert not ALIASES.keys() & ALIASES.values()
    assert all(secret_rule(kind, "").why != UNKNOWN.why for kind in ALIASES.values())
    assert all(secret_rule(kind, "").why != UNKNOWN.why for kind in GENERIC)


def test_the_rules_of_detect_secrets_identify_a_finding() -> None:
    added = {rule.id for rule in ADDED}
    assert {rule.id for rule in BUILT_IN} - added <= INFO.lasting_rules
    assert INFO.lasting_rules <= {rule.id for rule in BUILT_IN}


def test_scanners_of_secrets_share_the_ids() -> None:
    infos = scanner_infos()
    assert infos["trivy"].rule_aliases["github-pat"] == "github-token"
    assert infos["detect-secrets"].generic_rules == GENERIC


def test_a_message_does_not_repeat_itself() -> None:
    assert message(secret_rule("secret-keyword", "")) == "Possible hard-coded secret."
    assert message(secret_rule("github-pat", "")) == "Possible hard-coded secret: GitHub token."


@pytest.mark.parametrize("rule", ["github-token", "secret-keyword", "no-such-rule"])
def test_only_a_likely_secret_is_taken_for_leaked(rule: str) -> None:
    known = secret_rule(rule, "")
    helps = [advised(known, word).help for word in CONFIDENCES]
    assert helps[0] == known.help
    assert len({*helps}) == len(helps)
    # All name the same remedy.
    assert all(text.endswith(known.help.partition(": ")[2]) for text in helps)


@pytest.mark.parametrize("rule", ["default-password", "hex-high-entropy-string"])
def test_advice_that_fits_any_value_stays(rule: str) -> None:
    known = secret_rule(rule, "")
    assert [advised(known, word) for word in CONFIDENCES] == [known] * 3
