"""`scanagg license`: verdicts on expressions, and the list of a project's packages."""

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.command import scanagg
from support.license_vectors import VECTORS

from scanagg.cli.license import evaluate

POLICY = """\
version: 1
default: warn
licenses:
  allow: [MIT]
  review: [MPL-2.0]
  deny: [AGPL-3.0-or-later]
  clarify:
    - {purl: "pkg:pypi/stated", expression: MIT, evidence: {path: LICENSE, sha256: %s}}
  exceptions:
    - {purl: "pkg:pypi/old", allow: [ISC], owner: legal, reason: why, expires: 2026-01-01}
"""
PACKAGES = {
    "free-1.0": "License-Expression: MIT OR AGPL-3.0-only\n",
    "bad-1.0": "License-Expression: AGPL-3.0-only\n",
    "old-1.0": "License-Expression: ISC\n",
    "vague-1.0": "Classifier: License :: OSI Approved :: BSD License\n",
    "stated-1.0": "License: see \033[31mbelow\n",
    "silent-1.0": "",
}


VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def project(make_project: Callable[..., Path]) -> Path:
    """A project with an environment of made-up packages and a policy."""
    pins = "".join(f"{name.replace('-', '==')}\n" for name in PACKAGES)
    root = make_project({"requirements.txt": pins, "policies/scanagg.yml": POLICY % ("a" * 64)})
    return with_environment(root, PACKAGES)


def with_environment(root: Path, packages: Mapping[str, str]) -> Path:
    site = root.parent / "venv" / "lib" / VERSION / "site-packages"
    site.mkdir(parents=True)
    (root.parent / "venv" / "pyvenv.cfg").write_text("home = /nowhere\n")
    (root.parent / "venv" / "bin").mkdir()
    (root.parent / "venv" / "bin" / "python").symlink_to(sys.executable)
    for stem, fields in packages.items():
        name, _, version = stem.partition("-")
        info = site / f"{stem}.dist-info"
        info.mkdir()
        head = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n"
        (info / "METADATA").write_text(f"{head}{fields}\n")
    return root


def listed(root: Path, *argv: str) -> tuple[int, str, str]:
    python = str(root.parent / "venv" / "bin" / "python")
    done = scanagg("license", "list", str(root), "--offline", "--python", python, *argv)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(("expression", "allow", "deny", "verdict"), VECTORS)
def test_the_command_agrees_with_the_policy(
    expression: str,
    allow: list[str],
    deny: list[str],
    verdict: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    evaluate(expression, allow=",".join(allow), deny=", ".join(deny))
    assert capfd.readouterr().out.splitlines()[0] == verdict


def test_eval_takes_lists_or_a_policy(project: Path) -> None:
    policy = str(project / "policies" / "scanagg.yml")
    for argv, verdict in (
        (("MPL-2.0", "--policy", policy), "review"),
        (("MPL-2.0", "--allow", "MIT", "--review", "MPL-2.0"), "review"),
        (("AGPL-3.0-only", "--policy", policy), "deny"),
        (("not one", "--policy", policy), "unknown"),
    ):
        done = scanagg("license", "eval", *argv)
        assert (done.returncode, done.stdout.splitlines()[0]) == (0, verdict)
        assert ("'not one' is not an id on the SPDX list" in done.stderr) == (verdict == "unknown")
    both = scanagg("license", "eval", "MIT", "--policy", policy, "--allow", "MIT")
    assert both.returncode == 2
    assert "--policy cannot be combined with --allow" in both.stderr


def test_eval_names_the_reading_the_list_and_the_policy(project: Path) -> None:
    root = project / "policies"
    (root / "scanagg.yml").rename(project / "scanagg.yml")
    for words, verdict, *parts in (
        ("MIT license", "allow", "MIT license is read as MIT", "MIT is on the list `allow`"),
        ("AGPLv3", "deny", "judged as AGPL-3.0-only", "AGPL-3.0-only is on the list `deny`"),
        ("ISC", "deny", "ISC is on no list"),
    ):
        done = scanagg("license", "eval", words, cwd=project)
        first, rest = done.stdout.split("\n", 1)
        assert first == verdict
        assert [part for part in (*parts, "(scanagg.yml)") if part not in rest] == []


def test_a_list_names_licence_source_verdict_and_term_of_every_package(project: Path) -> None:
    code, out, _ = listed(project, "--format", "json", "--now", "2026-01-11")
    document = json.loads(out)
    assert (code, document["complete"], document["not_examined"]) == (0, True, [])
    verdicts = {
        one["name"]: (one["license"], one["source"], one["verdict"], one["term"])
        for one in document["packages"]
    }
    assert verdicts == {
        "bad": ("AGPL-3.0-only", "License-Expression", "deny", "AGPL-3.0-only"),
        "free": ("MIT OR AGPL-3.0-only", "License-Expression", "allow", "MIT"),
        "old": ("ISC", "License-Expression", "deny", "ISC"),
        "silent": ("UNKNOWN", "", "unknown", ""),
        "stated": ("see \\x1b[31mbelow", "License", "unknown", "see \\x1b[31mbelow"),
        "vague": ("BSD License", "classifiers", "deny", "BSD-2-Clause"),
    }
    notes = {one["name"]: one["note"] for one in document["packages"] if one["note"]}
    assert notes["old"] == "the exception of legal expired on 2026-01-01, 10 days ago"
    assert "clarification MIT" in notes["stated"]
    assert {one["scope"] for one in document["packages"]} == {"runtime"}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_text_shows_what_needs_attention_first(
    project: Path, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    with (project / "requirements.txt").open("a") as file:
        file.write("elsewhere-with-a-long-name==2.0\n")
    code, out, _ = listed(project)
    assert code == 3
    assert "\033" not in out
    assert max(map(len, out.splitlines())) <= width
    names = [line.split()[0] for line in out.splitlines() if re.match("  \\w|\\w", line)]
    assert names == [
        *("deny", "bad", "old", "vague", "unknown", "silent", "stated"),
        *("not", "elsewhere-with-a-long-name==2.0", "allow", "MIT", "6", "incomplete:"),
    ]
    joined = " ".join(out.split())
    assert "6 packages: 1 allow, 0 review, 2 unknown, 3 deny" in joined
    assert "MIT OR AGPL-3.0-only (1): free 1.0" in joined
    assert "it can mean BSD-2-Clause or BSD-3-Clause" in joined
    assert "exception of legal" in joined


def test_a_package_that_cannot_be_asked_is_listed_and_the_list_incomplete(project: Path) -> None:
    with (project / "requirements.txt").open("a") as file:
        file.write("elsewhere==2.0\n")
    code, out, _ = listed(project)
    assert code == 3
    assert "not read (1): it needs metadata from PyPI" in out
    assert "elsewhere==2.0" in out
    assert "incomplete: " in out
    code, out, _ = listed(project, "--format", "json")
    document = json.loads(out)
    assert (code, document["complete"], document["status"]) == (3, False, "degraded")
    assert [gap["input"] for gap in document["not_examined"]] == ["elsewhere==2.0"]


def test_a_project_without_packages_has_an_empty_list(make_project: Callable[..., Path]) -> None:
    root = make_project({"a.py": "x = 1\n"})
    done = scanagg("license", "list", str(root), "--offline")
    assert (done.returncode, done.stdout) == (
        0,
        "0 packages: 0 allow, 0 review, 0 unknown, 0 deny\n",
    )


def test_a_policy_that_does_not_exist_is_an_error(project: Path) -> None:
    code, out, err = listed(project, "--policy", "nowhere.yml")
    assert (code, out) == (2, "")
    assert "nowhere.yml" in err
