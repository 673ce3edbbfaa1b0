"""The rules that judge secrets, each with values that it is about and values that it is not."""

import pytest

from scanagg.findings.secrets import Clue, judge
from scanagg.model import Confidence

HEX = "9f86d081884c7d65" + "9a2feaa0c55ad015"
KEY = "Zq8vT2nLw5Rk9XcB" + "4mHs7JdYpG3fAe6U"


@pytest.mark.parametrize(
    ("value", "line", "path", "confidence"),
    [
        (KEY, f'API_KEY = "{KEY}"', "app.py", Confidence.LIKELY),
        (KEY, f'API_KEY = "{KEY}"', "tests/test_app.py", Confidence.POSSIBLE),
        (HEX, f'revision = "{HEX}"', "app.py", Confidence.UNLIKELY),
    ],
)
def test_a_value_is_judged_by_its_name_and_file(
    value: str, line: str, path: str, confidence: Confidence
) -> None:
    assert judge(Clue(value, line, path)).confidence is confidence
