"""Findings that comments and lists of the project hide: reported, and masked like any other."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


# Each value is different, because one value in several files is one finding.
HIDING = {
    "pragma.py": f"password = '{WORD}-a'  # {PRAGMA}\n",
    "nextline.py": f"# {PRAGMA.replace(' secret', ' nextline secret')}\npassword = '{WORD}-b'\n",
    "argument.py": f"connect(password='{WORD}-c')  # {PRAGMA}\n",
    "default.py": f"def connect(\n    host,\n    password='{WORD}-d',  # {PRAGMA}\n): ...\n",
    "token.py": f"token = 'ghp_{'aB3' * 12}'  # {PRAGMA}\n",
    "twice.py": f"password = '{WORD}-f'  # {PRAGMA}\n\nsecret = '{WORD}-f'  # {PRAGMA}\n",
}
OPEN = {
    "open.py": f"password = '{WORD}-h'\n",
    "nosec.py": f"password = '{WORD}-i'  # nosec B105\n",
}
# A value that only bandit reports, on a line with a pragma.
OTHERS = {"other.py": f"password = '{WORD}-g'; token = 'three'  # {PRAGMA}\n"}
KIND = "pragma: allowlist" + " secret"


def places(report: dict[str, Any]) -> dict[str, list[tuple[str, str | None]]]:
    """Return category and hiding comment of all findings, by path."""
    found: dict[str, list[tuple[str, str | None]]] = {}
    for one in report["findings"]:
        hidden = (one["category"], one.get("in_source"))
        found.setdefault(one["location"]["path"], []).append(hidden)
    return found


def test_a_pragma_hides_the_guess_about_the_same_value_and_nothing_else(
    make_project: Callable[..., Path],
) -> None:
    shell = f"os.system(command); password = '{WORD}-j'  # {PRAGMA}\n"
    root = make_project(
        {
            "policies/scanagg.yml": POLICY,
            **HIDING,
            **OPEN,
            **OTHERS,
            "shell.py": f"import os\n{shell}",
        }
    )
    said = check(root, "--offline", "--only", "bandit,detect-secrets")
    found = places(said.report)
    assert {path: found[path] for path in HIDING} == {path: [("secret", KIND)] for path in HIDING}
    for path in ("shell.py", "other.py"):
        assert sorted(found[path], key=str) == [("code", None), ("secret", KIND)]
    for path in OPEN:
        assert all(hidden is None for _, hidden in found[path]), path
    assert said.run("detect-secrets")["hidden"] == {KIND: len(HIDING) + 3}


def test_an_audited_entry_hides_the_guess_only_in_its_file_and_for_its_value(
    make_project: Callable[..., Path],
) -> None:
    def entry(value: str, **judged: bool) -> dict[str, Any]:
        digest = hashlib.sha1(value.encode(), usedforsecurity=False).hexdigest()
        return {"type": "Secret Keyword", "hashed_secret": digest, **judged}

    names = ("false", "true", "known", "elsewhere", "changed")
    values = {f"{name}.py": f"{WORD}-{name}" for name in names}
    results = {
        "false.py": [entry(values["false.py"], is_secret=False)],
        "true.py": [entry(values["true.py"], is_secret=True)],
        "known.py": [entry(values["known.py"])],
        "another.py": [entry(values["elsewhere.py"], is_secret=False)],
        "changed.py": [entry(f"{WORD}-before", is_secret=False)],
    }
    root = make_project(
        {
            "policies/scanagg.yml": POLICY,
            ".secrets.baseline": json.dumps({"results": results}),
            **{path: f"password = '{value}'\n" for path, value in values.items()},
        }
    )
    said = check(root, "--offline", "--only", "bandit,detect-secrets")
    assert places(said.report) == {
        path: [("secret", ".secrets.baseline" if path == "false.py" else None)] for path in values
    }


def test_a_policy_can_forbid_what_a_pragma_hides(make_project: Callable[..., Path]) -> None:
    rules = "rules: [{id: all, match: {category: secret}, action: block}]\n"
    root = make_project(
        {
            "policies/scanagg.yml": POLICY.replace("report", "forbid") + rules,
            "pragma.py": HIDING["pragma.py"],
        }
    )
    assert check(root, "--offline", "--only", "bandit,detect-secrets").code == 1
    (root / "policies/scanagg.yml").write_text(POLICY + rules)
    assert check(root, "--offline", "--only", "bandit,detect-secrets").code == 0
