"""The formats of tokens: examples of each, and other text that looks like them."""

import time

import pytest

from scanagg.core.redact import MASK, mask_known
from scanagg.core.tokens import FORMATS, TokenFormat

# Made up: the start of each is joined at run time, so that no scanner reports this file.
HEX = "9f2c41d7be0835a61e7d90c2f4b8365a" * 3
MIXED = "x7Kq2Lm9Rt4Vw8Zc1Nd5Hb6Jf3Gs0Py7Wa2Ue9Xi4Ob" * 6
UPPER = MIXED.upper()
REST = {
    **dict.fromkeys(("A3T", "ABIA", "ACCA", "AKIA", "ASIA"), UPPER[:17]),
    "sq0": "csp-" + MIXED[:43],
    "SG.": f"{MIXED[:22]}.{MIXED[:43]}",
    "xox": "b-123456789012-" + MIXED[:24],
    "shp": f"at_{HEX[:32]}",
    "SWMTKN-1-": f"{HEX[:50]}-{HEX[:25]}",
    **dict.fromkeys(("xkeysib-", "xsmtpsib-"), f"{HEX[:64]}-{MIXED[:16]}"),
    **dict.fromkeys(("lsv2_pt_", "lsv2_sk_"), f"{HEX[:32]}_{HEX[:10]}"),
    "AIza": MIXED[:35],
    "sk.eyJ": f"{MIXED[:60]}.{MIXED[:22]}",
    "glsa_": f"{MIXED[:32]}_{HEX[:8]}",
    "PMAK-": f"{HEX[:24]}-{HEX[:34]}",
    "NRAK-": UPPER[:27],
    **dict.fromkeys(("dt0c01.", "dt0s16."), f"{UPPER[:24]}.{UPPER[:64]}"),
    "pat": f"{MIXED[:14]}.{HEX[:64]}",
    "AGE-SECRET-KEY-": UPPER[:59],
    **dict.fromkeys(
        ("https://discord.com/api/webhooks/", "https://discordapp.com/api/webhooks/"),
        f"123456789012345678/{MIXED[:68]}",
    ),
    "https://hooks.slack.com/services/": f"T01ABCDEF/B01ABCDEF/{MIXED[:24]}",
}
LENGTHS = {
    **dict.fromkeys(("EAAA",), (60, MIXED)),
    "secret_": (43, MIXED),
    "ATBB": (32, MIXED),
    "fo1_": (43, MIXED),
    "LTAI": (20, MIXED),
    **dict.fromkeys(("rubygems_",), (48, HEX)),
    "CLOJARS_": (60, HEX),
    **dict.fromkeys(("sk-or-v1-", "sntryu_"), (64, HEX)),
    **dict.fromkeys(("dop_v1_", "doo_v1_", "dor_v1_"), (64, HEX)),
    **dict.fromkeys(("dapi", "key-"), (32, HEX)),
    **dict.fromkeys(("pul-", "sbp_", "squ_", "sqp_", "sqa_"), (40, HEX)),
    **dict.fromkeys(("dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."), (43, MIXED)),
    **dict.fromkeys(("github_pat_", "glagent-"), (82, MIXED)),
    "ops_eyJ": (250, MIXED),
    **dict.fromkeys(("fm1_", "fm2_", "xai-", "ATATT3"), (120, MIXED)),
}
STARTS = [(form, start) for form in FORMATS for start in form.starts]


def token(start: str) -> str:
    length, alphabet = LENGTHS.get(start, (64, MIXED))
    return start + REST.get(start, alphabet[:length])


@pytest.mark.parametrize(("form", "start"), STARTS, ids=[start for _, start in STARTS])
def test_each_format_is_found_in_full_and_masked(form: TokenFormat, start: str) -> None:
    value = token(start)
    line = f"key = connect('{value}') # {value}\n"
    assert [line[begin:end] for begin, end in form.find(line)] == [value, value]
    if "/" not in value:
        assert mask_known(line) == line.replace(value, MASK)


@pytest.mark.parametrize(
    "text",
    [
        *("AKIA" + "X" * 16, "AIza" + "X" * 35, "sk-" + "x" * 48, "sk-your-api-key-goes-here-0000"),
        *("ghp_" + "0" * 36, "task-force-And-1-more-words-are-here", "xnpm_" + MIXED[:36]),
        *(
            "path/to/pattern",
            "https://hooks.slack.com/services/T000/B000/XXXX",
            "AIza" + MIXED[:36],
        ),
        *("pubkey-" + HEX[:32], "key-" + HEX[:33], "secret_of_the_universe", "hf_hub_download"),
    ],
)
def test_other_text_is_no_token(text: str) -> None:
    assert [form.title for form in FORMATS for _ in form.find(f"{text}\n")] == []


@pytest.mark.parametrize(("form", "start"), STARTS, ids=[start for _, start in STARTS])
def test_any_text_is_searched_in_linear_time(form: TokenFormat, start: str) -> None:
    half = token(start)[:-5]
    begin = time.process_time()
    for text in (start, half, f"{half}-", f"{half}A", f"{half}.a", "aA1-_." + start):
        for _ in form.find(text * (60_000 // len(text))):
            pass
    assert time.process_time() - begin < 1
