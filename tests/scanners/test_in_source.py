"""Findings that comments and lists of the project hide: reported, and masked like any other."""

from collections.abc import Callable
from pathlib import Path

from support.command import check

# Assembled here, so that no scanner reports secrets in this file.
WORD = "correct-horse" + "-battery"
OTHER = "wrong-donkey" + "-charger"
PRAGMA = "pragma: allowlist" + " secret"

POLICY = "version: 1\ndefault: warn\nwaivers: {in_source: report}\n"


def test_hidden_findings_are_listed_and_masked_and_weaken_no_open_one(
    make_project: Callable[..., Path],
) -> None:
    root = make_project(
        {
            "policies/scanagg.yml": POLICY,
            "both.py": f"password = '{WORD}'  # {PRAGMA}  # nosec\n",
            "one.py": f"password = '{OTHER}'  # nosec\neval(x)\n",
            "code.py": "eval(x)  # nosec\n",
        }
    )
    said = check(root, "--offline", "--only", "bandit,detect-secrets")
    found = {
        (one["rule"]["id"], one["location"]["path"]): one.get("in_source")
        for one in said.report["findings"]
    }
    assert found == {
        ("secret-keyword", "both.py"): "pragma: allowlist secret, nosec",
        ("secret-keyword", "one.py"): None,
        ("B307", "one.py"): None,
        ("B307", "code.py"): "nosec",
    }
    assert said.run("bandit")["hidden"] == {"nosec": 3}
    assert said.run("detect-secrets")["hidden"] == {"pragma: allowlist secret": 1}
    assert WORD not in said.everything
    assert OTHER not in said.everything
