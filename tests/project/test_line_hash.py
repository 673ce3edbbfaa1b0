"""GitHub's line hash: the published values, and the multitool as an independent oracle."""

import json
import random
from pathlib import Path

import pytest
from support.validators import multitool

from scanagg.project.sources import line_hashes

# Inputs and values from the tests of github/codeql-action.
PUBLISHED = {
    "": ["c129715d7a2bc9a3:1"],
    " a\nb\n  \t\tc\n d": [
        "271789c17abda88f:1",
        "54703d4cd895b18:1",
        "180aee12dab6264:1",
        "a23a3dc5e078b07b:1",
    ],
    " hello; \t\nworld!!!\r\n\n\r  \t\tGreetings\r End\r\n": [
        "e9496ae3ebfced30:1",
        "fb7c023a8b9ccb3f:1",
        "ce8ba1a563dcdaca:1",
        "e20e36e16fcb0cc8:1",
        "b3edc88f2938467e:1",
        "c8e28b0b4002a3a0:1",
        "c129715d7a2bc9a3:1",
    ],
    "x = 2\nx = 1\nprint(x)\nx = 3\nprint(x)\nx = 4\nprint(x)\n": [
        "e54938cc54b302f1:1",
        "bb609acbe9138d60:1",
        "1131fd5871777f34:1",
        "5c482a0f8b35ea28:1",
        "54517377da7028d2:1",
        "2c644846cb18d53e:1",
        "f1b89f20de0d133:1",
        "c129715d7a2bc9a3:1",
    ],
}

TEXTS = {
    "empty": "",
    "no end": "import os\nos.system(name)",
    "empty last line": "a = 1\nb = 2\n",
    "crlf": "import os\r\n\r\nos.system(name)\r\n",
    "cr": "import os\r\ros.system(name)\r",
    "mixed ends": "a\r\n\nb\r\rc\n\r\nd",
    "blank between the ends": "a\r \nb\r\t\nc",
    "tabs": "\tif a:\n\t\tb()\n    \t c()\n",
    "only blanks": "   \n\t\t\n  ",
    "beyond the basic plane": "x = '\U0001f600\U0001d54f'\ny = '\u00e9\uffff'\n" * 9,
    "same lines": "print(1)\n" * 250,
    "window's edge": "\n".join("x" * number for number in range(95, 106)),
    "one long line": "abc " * 400,
}


@pytest.mark.parametrize("text", PUBLISHED, ids=repr)
def test_the_values_that_github_publishes(text: str) -> None:
    assert line_hashes(text) == PUBLISHED[text]


def test_equal_lines_are_numbered_where_their_hundred_units_are_equal() -> None:
    hashes = line_hashes("Lorem ipsum dolor sit amet.\n" * 10)
    assert [value.partition(":")[2] for value in hashes] == [*"123456", *"11111"]
    assert len({value.partition(":")[0] for value in hashes[:6]}) == 1


@pytest.mark.parametrize("text", TEXTS.values(), ids=list(TEXTS))
def test_every_line_has_a_hash(text: str) -> None:
    ends = text.replace("\r\n", "\n").replace("\r", "\n")
    assert len(line_hashes(text)) == ends.count("\n") + 1


def test_the_lines_above_change_nothing() -> None:
    below = "def go(name):\n    os.system(name)\n"
    assert line_hashes("import os\n\n" + below)[2:] == line_hashes(below)


def test_layout_changes_nothing_and_text_within_the_window_does() -> None:
    assert line_hashes("if a:\n    b( c )\n") == line_hashes("if a:\r\n\tb(c)\r\n")
    assert line_hashes("a = 1\nb = 2\n")[0] != line_hashes("a = 1\nb = 3\n")[0]
    assert line_hashes("a\n" + "x" * 99 + "y")[0] == line_hashes("a\n" + "x" * 99 + "z")[0]


def test_a_byte_order_mark_counts_in_the_first_line_alone() -> None:
    marked, plain = line_hashes("\ufeffa\nb\n"), line_hashes("a\nb\n")
    assert marked[0] != plain[0]
    assert marked[1:] == plain[1:]


def test_a_lone_surrogate_is_a_unit_like_any_other() -> None:
    assert line_hashes("\ud800") != line_hashes("\ud801")


def test_the_multitool_agrees(tmp_path: Path) -> None:
    """One log with a result on each line of each text, so that the program starts once."""
    rng = random.Random(37)
    letters = "abcdef =()'\t\u00e9\U0001f600"
    texts = [
        *TEXTS.values(),
        *("".join(rng.choices([*letters, "\n", "\r\n", "\r"], k=1_500)) for _ in range(5)),
    ]
    expected = {}
    for number, text in enumerate(texts):
        (tmp_path / f"t{number}.txt").write_bytes(text.encode())
        expected |= {
            (f"t{number}.txt", line): value
            for line, value in enumerate(line_hashes(text), start=1)
            if text  # an empty file has no line that the multitool could look at
        }
    assert _hashes_by_the_multitool(tmp_path, list(expected)) == expected


def _hashes_by_the_multitool(
    root: Path, places: list[tuple[str, int]]
) -> dict[tuple[str, int], str]:
    results = [
        {
            "ruleId": "A1",
            "message": {"text": "Here."},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": name, "uriBaseId": "SRCROOT"},
                        "region": {"startLine": line},
                    }
                }
            ],
        }
        for name, line in places
    ]
    run = {
        "tool": {"driver": {"name": "any"}},
        "originalUriBaseIds": {"SRCROOT": {"uri": root.as_uri() + "/"}},
        "results": results,
    }
    log, out = root / "in.sarif", root / "out.sarif"
    log.write_text(json.dumps({"version": "2.1.0", "runs": [run]}))
    insert = ("--insert", "RollingHashPartialFingerprints")
    multitool("rewrite", str(log), "--output", str(out), *insert)
    made = json.loads(out.read_text("utf-8-sig"))["runs"][0]["results"]
    return {
        place: result.get("partialFingerprints", {}).get("primaryLocationLineHash/v1")
        or result.get("partialFingerprints", {}).get("primaryLocationLineHash")
        for place, result in zip(places, made, strict=True)
    }
