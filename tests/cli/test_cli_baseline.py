"""`scanagg baseline` on real projects: written whole or not at all, grown only on request."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support import tools
from support.command import check, scanagg
from support.osv import osv_server, record
from support.repository import git

Make = Callable[..., Path]

APP = """\
import subprocess


def run(name):
    subprocess.run(name, shell=True)
"""
MORE = """

def calculate(text):
    return eval(text)
"""
BANDIT = ("--only", "bandit")
POLICY = """\
version: 1
default: warn
scanners: {bandit: {required: true}}
rules:
  - {id: new, match: {origin: introduced}, action: block}
"""
BASELINE = "policies/baseline.json"
KEY = "policies/scanagg.key"


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use a stand-in for bandit, so that a check is fast."""
    monkeypatch.setenv("SCANAGG_BANDIT_PATH", str(tools.fast_bandit()))


@pytest.fixture
def project(make_project: Make, fast: None) -> Path:
    return make_project({"app.py": APP, "policies/scanagg.yml": POLICY, "scanagg.toml": ""})


def baseline(project: Path, *argv: str, code: int = 0, env: Mapping[str, str] | None = None) -> str:
    """Run `scanagg baseline`; return its output."""
    done = scanagg("baseline", argv[0], str(project), *argv[1:], env=env)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def write(project: Path, *argv: str, code: int = 0) -> str:
    return baseline(project, "write", *BANDIT, *argv, code=code)


def text_of(project: Path) -> str:
    return (project / BASELINE).read_text("utf-8")


def entries(project: Path) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads(text_of(project))
    return [entry for entry in loaded[1:] if "category" in entry]


def without(project: Path) -> list[str]:
    """The scanners that had not run when the baseline was written."""
    return [entry["without"] for entry in json.loads(text_of(project)) if "without" in entry]


def growth(project: Path) -> int:
    return int(json.loads(text_of(project))[0]["growth"])


def rules(project: Path) -> list[str]:
    return sorted(entry["rule"] for entry in entries(project))


def commit(project: Path, message: str = "more") -> None:
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", message)


def origins(project: Path) -> dict[str, str]:
    report = check(project, *BANDIT, formats=["json"]).report
    return {finding["rule"]["id"]: finding["origin"] for finding in report["findings"]}


def test_what_is_in_the_baseline_does_not_block_and_what_is_new_does(project: Path) -> None:
    assert check(project, *BANDIT, formats=["json"]).code == 1
    said = write(project)
    assert f"Wrote {BASELINE}: 2 findings (2 code)" in said
    assert f"Wrote {KEY}" in said
    assert check(project, *BANDIT, formats=["json"]).code == 0
    commit(project)
    (project / "app.py").write_text("# a line above\n" + APP + MORE)
    assert origins(project) == {"B404": "existing", "B602": "existing", "B307": "introduced"}
    assert check(project, *BANDIT, formats=["json"]).code == 1


def test_writing_again_changes_nothing(project: Path) -> None:
    write(project)
    before = text_of(project)
    (project / "app.py").write_text("\n\n" + APP)
    assert "2 entries kept, 0 removed, 0 added" in write(project)
    assert text_of(project) == before, "not even the line hints"


def test_it_shrinks_by_itself(project: Path) -> None:
    (project / "app.py").write_text(APP + MORE)
    write(project)
    lines = text_of(project).splitlines()
    (project / "app.py").write_text(APP)
    assert "2 entries kept, 1 removed, 0 added" in write(project)
    assert set(text_of(project).splitlines()) < set(lines)
    assert growth(project) == 1


def test_it_grows_only_with_owner_and_reason(project: Path) -> None:
    write(project)
    before = text_of(project)
    (project / "app.py").write_text(APP + MORE)
    said = write(project, code=1)
    assert "1 new finding" in said
    assert "B307  app.py:9" in said
    assert text_of(project) == before
    assert "--accept requires --owner" in write(project, "--accept", code=2)
    assert "--accept requires --reason" in write(project, "--accept", "--owner", "me", code=2)
    blank = ("--accept", "--owner", "me", "--reason", " ")
    assert "--accept requires --reason" in write(project, *blank, code=2)
    assert "--owner has no effect" in write(project, "--owner", "me", code=2)
    assert text_of(project) == before
    said = write(project, "--accept", "--owner", "@team", "--reason", "only in tests")
    assert "2 entries kept, 0 removed, 1 added" in said
    added = next(entry for entry in entries(project) if entry["rule"] == "B307")
    assert (added["owner"], added["reason"]) == ("@team", "only in tests")
    assert growth(project) == 1, "no package was accepted"
    assert set(before.splitlines()[1:]) < set(text_of(project).splitlines())


ACCEPT = ("--accept", "--owner", "me", "--reason", "known")


def test_some_findings_alone_can_be_accepted(project: Path) -> None:
    write(project)
    (project / "app.py").write_text(APP + MORE)
    (project / "other.py").write_text("def f():\n    exec('1')\n")
    said = write(project, code=1)
    chosen = next(line.split()[0] for line in said.splitlines() if "B102" in line)
    for wrong in ("f" * 12, chosen[:3]):
        assert f"begins with {wrong}" in write(project, *ACCEPT, "--finding", wrong, code=2)
    write(project, *ACCEPT, "--finding", chosen)
    assert rules(project) == ["B102", "B404", "B602"]


PACKAGES = """\
version: 1
default: warn
scanners: {bandit: {required: true}, pip-audit: {required: true}}
rules:
  - {id: new, match: {origin: introduced}, action: block}
"""
BOTH = ("--only", "bandit,pip-audit")


def test_accepting_code_does_not_make_new_packages_old(make_project: Make) -> None:
    records = [record("PYSEC-1", "jinja2", {"introduced": "0"})]
    records += [record(f"PYSEC-{n}", "requests", {"introduced": "0"}) for n in (2, 3)]
    with osv_server(records) as url:
        service = f'[scanners.pip-audit]\nservice = "osv"\nosv-url = "{url}"\n'
        project = make_project(
            {
                "app.py": APP,
                "requirements.txt": "jinja2==2.4.1\n",
                "policies/scanagg.yml": PACKAGES,
                "scanagg.toml": service,
            }
        )
        baseline(project, "write", *BOTH)
        commit(project)
        (project / "app.py").write_text(APP + MORE)
        (project / "requirements.txt").write_text("jinja2==2.4.1\nrequests==2.19.0\n")
        said = baseline(project, "write", *BOTH, code=1)
        ids = {rule: line.split()[0] for line in said.splitlines() for rule in line.split()[1:2]}

        def accept(*argv: str) -> str:
            said = baseline(project, "write", *BOTH, *ACCEPT, *argv)
            commit(project)
            return said

        def blocking() -> list[str]:
            found = check(project, *BOTH, formats=["json"]).report["findings"]
            return [one["rule"]["id"] for one in found if one["verdict"]["action"] == "block"]

        accept("--finding", ids["B307"])
        assert blocking() == ["PYSEC-2", "PYSEC-3"]
        assert "not accepted" in accept("--finding", ids["PYSEC-2"])
        assert blocking() == ["PYSEC-2", "PYSEC-3"]
        accept()
        assert growth(project) == 2
        assert blocking() == []


def test_an_edited_finding_is_to_be_accepted_anew(project: Path) -> None:
    write(project)
    (project / "app.py").write_text(APP.replace("name, shell", "name + name, shell"))
    assert "B602" in write(project, code=1)
    assert rules(project) == ["B404", "B602"], "the old entry stays until then"
    write(project, *ACCEPT)
    assert rules(project) == ["B404", "B602"]
    assert [entry.get("owner") for entry in entries(project)] == [None, "me"]


def test_an_edited_finding_stays_known_where_the_policy_says_so(project: Path) -> None:
    lenient = POLICY + "new_code: {edited: existing}\n"
    (project / "policies/scanagg.yml").write_text(lenient)
    write(project)
    before = text_of(project)
    (project / "app.py").write_text(APP.replace("name, shell", "name + name, shell"))
    write(project)
    assert text_of(project) == before


def test_prune_never_adds(project: Path) -> None:
    (project / "app.py").write_text(APP + MORE)
    write(project)
    (project / "app.py").write_text(APP + "exec('1')\n")
    assert "2 entries kept, 1 removed, 0 added" in baseline(project, "prune", *BANDIT)
    assert rules(project) == ["B404", "B602"]


def test_slim_has_no_line_hints(project: Path) -> None:
    write(project)
    assert all("line" in entry for entry in entries(project))
    baseline(project, "prune", *BANDIT, "--slim")
    assert not any("line" in entry for entry in entries(project))
    (project / "app.py").write_text(APP + MORE)
    write(project, *ACCEPT)
    assert not any("line" in entry for entry in entries(project)), "it stays slim"


def test_nothing_to_prune_is_an_error(project: Path) -> None:
    assert f"{BASELINE} does not exist" in baseline(project, "prune", code=2)


def test_a_check_with_a_gap_writes_no_baseline(project: Path) -> None:
    (project / "broken.py").write_text("def (\n")
    said = write(project, code=2)
    assert "the check is incomplete" in said
    assert "broken.py" in said
    assert not (project / BASELINE).exists()
    assert not (project / KEY).exists()


def test_a_dry_run_of_the_policy_forgives_no_gap(project: Path) -> None:
    lenient = POLICY.replace("required: true", "required: true, on_failure: warn")
    (project / "policies/scanagg.yml").write_text(lenient + "enforcement: warn\n")
    (project / "broken.py").write_text("def (\n")
    assert "the check is incomplete" in write(project, code=2)


OTHERS = ("--skip", "betterleaks,licenses,pip-audit,safety,trivy")


@pytest.fixture
def failing(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bandit that fails."""
    program = project.parent / "bandit"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(0o755)
    monkeypatch.setenv("SCANAGG_BANDIT_PATH", str(program))
    return program


@pytest.mark.parametrize("missing", [True, False])
def test_only_required_scanners_must_not_fail(
    project: Path, failing: Path, *, missing: bool
) -> None:
    if missing:
        failing.unlink()
    assert "bandit" in baseline(project, "write", *OTHERS, code=2)
    assert not (project / BASELINE).exists()
    (project / "policies/scanagg.yml").write_text(POLICY.replace("true", "false"))
    assert ("bandit" in baseline(project, "write", *OTHERS)) is not missing
    assert entries(project) == []
    assert "bandit" in without(project)


@pytest.mark.parametrize("accept", [True, False])
def test_the_first_run_of_a_scanner_is_new_and_says_why(
    project: Path, failing: Path, monkeypatch: pytest.MonkeyPatch, *, accept: bool
) -> None:
    (project / "policies/scanagg.yml").write_text(POLICY.replace("true", "false"))
    baseline(project, "write", *OTHERS)
    commit(project)
    baseline(project, "write", *OTHERS)
    assert "bandit" in without(project), "it fails again"
    monkeypatch.setenv("SCANAGG_BANDIT_PATH", str(tools.fast_bandit()))
    report = check(project, *OTHERS, formats=["json"]).report
    reasons = {(one["origin"], one["origin_reason"]["kind"]) for one in report["findings"]}
    assert reasons == {("introduced", "baseline-without")}
    words = ("--accept", "--owner", "me", "--reason", "first run") if accept else ()
    baseline(project, "write", *OTHERS, *words, code=0 if accept else 1)
    assert ("bandit" in without(project)) is not accept
    assert growth(project) == 1


def test_offline_a_scanner_that_needs_the_network_is_left_out(project: Path) -> None:
    (project / "requirements.txt").write_text("jinja2==2.4.1\n")
    others = ("--skip", "detect-secrets,licenses,pip-audit,trivy")
    said = baseline(project, "write", *others, "--offline")
    assert "safety" in said
    assert "safety" in without(project)
    assert rules(project) == ["B404", "B602"]


# From a report.

SECRET = "ghp_" + "a8B3c7D1e9F2g6H4i5J0k3L7m1N8o2P4q6R9"


def reported(project: Path, *argv: str) -> Path:
    """Check, and return the JSON report."""
    return check(project, *(argv or OTHERS), formats=["json"]).folder / "scanagg.json"


def from_report(project: Path, report: Path, *argv: str, code: int = 0) -> str:
    return baseline(project, "write", "--report", str(report), *argv, code=code)


@pytest.mark.parametrize("git_", [True, False])
def test_a_report_gives_the_same_baseline(make_project: Make, fast: None, *, git_: bool) -> None:
    files = {
        "lib/app.py": f'{APP}subprocess.run("curl -u {SECRET}", shell=True)\n{APP}',
        "conf.py": f'TOKEN = "{SECRET}"\n',
        "policies/scanagg.yml": POLICY,
    }
    root = make_project(files, git_=git_)
    baseline(root, "key")
    report = reported(root)
    baseline(root, "write", *OTHERS)
    scanned = (root / BASELINE).read_bytes()
    assert b'"secret"' in scanned
    (root / BASELINE).unlink()
    from_report(root, report)
    assert (root / BASELINE).read_bytes() == scanned
    # Code in which no scanner knew a secret has a hash that is in no report.
    assert "are compared" in from_report(root, report, code=2)
    (root / "lib/app.py").write_text("")
    said = from_report(root, reported(root))
    assert "1 entry kept" in said


def test_without_secrets_a_report_needs_no_key(project: Path) -> None:
    report = reported(project)
    assert f"Wrote {KEY}" in from_report(project, report)
    from_report_text = text_of(project)
    (project / BASELINE).unlink()
    baseline(project, "write", *OTHERS)
    assert text_of(project) == from_report_text


@pytest.mark.parametrize("key", ["", "later", "another"])
def test_secrets_of_a_report_need_its_key(project: Path, key: str) -> None:
    (project / "conf.py").write_text(f'TOKEN = "{SECRET}"\n')
    if key == "another":
        baseline(project, "key")
    report = reported(project)
    if key:
        (project / KEY).unlink(missing_ok=True)
        baseline(project, "key")
    assert "scanagg baseline key" in from_report(project, report, code=2)
    assert not (project / BASELINE).exists()


Document = dict[str, Any]


UNUSABLE: Sequence[tuple[Callable[[Document], object], str]] = [
    (lambda one: one["terms"].update(identity="v1"), "other fingerprints"),
    (lambda one: one["terms"].pop("identity"), "other fingerprints"),
    (lambda one: one["terms"].update(only=["bandit"]), "--only bandit"),
    (lambda one: one["target"].update(name="else"), "another project or folder: else"),
    (lambda one: one["target"]["revision"].update(prefix="a/"), "another project or folder"),
    (lambda one: one["findings"][0].update(anchors=[], parts=None), "is damaged"),
    (lambda one: one["findings"][0]["anchors"][0].update(path=""), "is damaged"),
    (lambda one: one["findings"][0]["anchors"][0].pop("code"), "not a complete report"),
    (lambda one: one["runs"][0].update(status="failed"), "is incomplete"),
    (lambda one: one["gate"].update(exit_code=130, outcome="incomplete"), "is incomplete"),
]


def test_a_report_that_cannot_be_a_baseline(project: Path) -> None:
    place = reported(project)
    text = place.read_text("utf-8")
    for change, reason in UNUSABLE:
        document = json.loads(text)
        document["runs"].sort(key=lambda run: run["scanner"] != "bandit")
        change(document)
        place.write_text(json.dumps(document), encoding="utf-8")
        assert reason in from_report(project, place, code=2)
        assert not (project / BASELINE).exists()


@pytest.mark.parametrize("text", ["", "{}", "[", '{"schema": "scanagg-report/1"}'])
def test_what_is_no_report_is_refused(project: Path, text: str) -> None:
    (project.parent / "r.json").write_text(text)
    assert "r.json" in from_report(project, project.parent / "r.json", code=2)
    said = from_report(project, project.parent / "r.json", *OTHERS, "--offline", code=2)
    assert "--skip, --offline cannot be used with --report" in said


def test_an_entry_of_a_scanner_that_did_not_run_stays(project: Path) -> None:
    (project / "app.py").write_text(
        APP + 'key = "' + "ghp_" + "a8B3c7D1e9F2g6H4i5J0k3L7m1N8o2P4q6R9" + '"\n'
    )
    said = baseline(project, "write", "--only", "bandit,detect-secrets")
    assert "1 secret" in said
    assert "Rotate" in said
    before = text_of(project)
    said = baseline(project, "prune", *BANDIT)
    assert "1 entry stays" in said
    assert text_of(project) == before
    (project / "app.py").write_text(APP)
    assert "2 entries kept, 1 removed" in baseline(
        project, "prune", "--only", "bandit,detect-secrets"
    )


def test_the_baseline_and_its_key_are_no_secrets(project: Path) -> None:
    baseline(project, "write", "--only", "bandit,detect-secrets")
    report = check(project, "--only", "bandit,detect-secrets", formats=["json"]).report
    places = {finding["location"]["path"] for finding in report["findings"]}
    assert places == {"app.py"}


def test_what_is_waived_is_not_written_but_stays_if_it_was(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCANAGG_BANDIT_PATH")
    quiet = APP.replace("shell=True)", "shell=True)  # nosec B602")
    (project / "app.py").write_text(quiet)
    write(project)
    assert rules(project) == ["B404"]
    (project / BASELINE).unlink()
    (project / "app.py").write_text(APP)
    write(project)
    (project / "app.py").write_text(quiet)
    write(project)
    assert rules(project) == ["B404", "B602"]


@pytest.mark.usefixtures("fast")
def test_a_part_of_a_repository_has_a_baseline_of_its_own(make_project: Make) -> None:
    files = {"app.py": APP, "policies/scanagg.yml": POLICY, "scanagg.toml": ""}
    root = make_project({f"sub/{path}": text for path, text in files.items()})
    part = root / "sub"
    write(part)
    assert {entry["path"] for entry in entries(part)} == {"sub/app.py"}
    assert not (root / "policies").exists()
    assert set(origins(part).values()) == {"existing"}
    (part / "app.py").unlink()
    (part / "new.py").write_text("x = 1\n")
    said = baseline(part, "prune", *BANDIT)
    assert "another project" in said
    assert "0 entries kept, 2 removed" in said


def test_another_file_can_be_the_baseline(project: Path) -> None:
    write(project, "--baseline", "team/known.json")
    assert not (project / BASELINE).exists()
    assert (project / "team/known.json").exists()
    assert "2 entries kept" in baseline(project, "prune", *BANDIT, "--baseline", "team/known.json")
    assert "--baseline is empty" in write(project, "--baseline", "", code=2)
    assert "../known.json: " in write(project, "--baseline", "../known.json", code=2)
    assert "policies: " in write(project, "--baseline", "policies", code=2)
    assert not (project.parent / "known.json").exists()


def test_show_lists_entries_with_their_day_and_owner(project: Path) -> None:
    write(project)
    assert "-" in baseline(project, "show"), "nothing is committed yet"
    commit(project)
    (project / "app.py").write_text(APP + MORE)
    write(project, "--accept", "--owner", "@team", "--reason", "old \x1b[31m red")
    lines = baseline(project, "show").splitlines()
    day = git(project, "log", "-1", "--format=%cs").strip()
    old = next(line for line in lines if "B602" in line)
    new = next(line for line in lines if "B307" in line)
    assert day in old
    assert "app.py:5 in run" in old
    assert day not in new
    assert r"@team: old \x1b[31m red" in new
    assert "policies/baseline.json: 3 entries" in lines
    assert "By category: 3 code" in lines
    assert "By rule: 1 B307, 1 B404, 1 B602" in lines
    assert "Accepted by: 1 @team" in lines


def test_show_works_without_git_and_without_entries(make_project: Make) -> None:
    empty = '[{"baseline":"scanagg","version":1,"growth":1}\n]\n'
    root = make_project({"app.py": "x = 1\n", BASELINE: empty}, git_=False)
    assert baseline(root, "show").strip() == "policies/baseline.json: 0 entries"
    (root / BASELINE).unlink()
    assert f"{BASELINE} does not exist" in baseline(root, "show", code=2)


def test_a_long_list_is_cut_unless_asked_for(make_project: Make) -> None:
    lines = "".join(f',{{"category":"code","path":"{n}.py"}}\n' for n in range(501))
    head = '[{"baseline":"scanagg","version":1,"growth":1}\n'
    root = make_project({BASELINE: f"{head}{lines}]\n"}, git_=False)
    said = baseline(root, "show")
    assert "The first 500 entries" in said
    assert "500.py" not in said
    assert "501 entries" in said
    assert "500.py" in baseline(root, "show", "--all")


@pytest.mark.parametrize("words", [("write", *BANDIT), ("prune", *BANDIT), ("show",)])
def test_a_baseline_that_cannot_be_used_stays_as_it_is(project: Path, words: Sequence[str]) -> None:
    conflict = '[{"baseline":"scanagg","version":1,"growth":1}\n<<<<<<< HEAD\n]\n'
    (project / BASELINE).write_text(conflict)
    said = baseline(project, *words, code=2)
    assert "policies/baseline.json:2:1: unresolved merge conflict" in said
    assert text_of(project) == conflict


def test_the_first_baseline_takes_in_everything(project: Path) -> None:
    said = write(project, *ACCEPT, "--finding", "a" * 12, code=2)
    assert f"{BASELINE} does not exist" in said
    write(project, *ACCEPT)
    assert {entry["owner"] for entry in entries(project)} == {"me"}


def test_a_folder_that_cannot_be_written_is_said(make_project: Make) -> None:
    root = make_project({"app.py": APP, "policies": "a file\n"})
    said = write(root, code=2)
    assert "cannot write policies/" in said


def test_key_makes_a_key_once(project: Path) -> None:
    assert f"Wrote {KEY}" in baseline(project, "key")
    made = (project / KEY).read_text()
    assert (project / KEY).stat().st_mode & 0o777 == 0o644
    assert f"{KEY} already exists" in baseline(project, "key")
    assert (project / KEY).read_text() == made
    write(project)
    assert (project / KEY).read_text() == made


def test_a_key_in_the_environment_goes_before_the_file(project: Path) -> None:
    env = {"SCANAGG_PROJECT_KEY": "k" * 32}
    baseline(project, "write", *BANDIT, env=env)
    assert not (project / KEY).exists()
    assert "SCANAGG_PROJECT_KEY" in baseline(project, "key", env=env)


def test_a_file_that_is_no_key_is_refused(project: Path) -> None:
    (project / KEY).write_text("short\n")
    assert "policies/scanagg.key:1:1: " in baseline(project, "key", code=2)
    assert "policies/scanagg.key:1:1: " in write(project, code=2)
    assert not (project / BASELINE).exists()


def test_code_stays_known_when_a_scanner_learns_to_find_the_secret_in_it(
    make_project: Make,
) -> None:
    value = "Vb3xK9qLz7Rt" + "2MnWc8YpJd5s"
    old = '[scanners.detect-secrets]\nargs = ["--disable-plugin", "Base64HighEntropyString"]\n'
    app = f"import os\n\nos.system('echo ' + name, \"{value}\")\n\nassert f() != '{value}'\n"
    project = make_project({"app.py": app, "scanagg.toml": old})
    only = ("--only", "bandit,detect-secrets")
    accepted = ("--accept", "--owner", "me@example.com", "--reason", "old")
    baseline(project, "write", *only, *accepted)
    known = entries(project)
    assert {entry["category"] for entry in known} == {"code"}
    (project / "scanagg.toml").write_text("", "utf-8")
    done = check(project, *only)
    origins = {(one["category"], one["origin"]) for one in done.report["findings"]}
    assert origins == {("code", "existing"), ("secret", "introduced")}
    # Another value is an edit.
    (project / "app.py").write_text(app.replace(value, value[::-1]), "utf-8")
    edited = check(project, *only)
    assert ("code", "introduced") in {
        (f["category"], f["origin"]) for f in edited.report["findings"]
    }
    (project / "app.py").write_text(app, "utf-8")
    baseline(project, "prune", *only)
    assert len(entries(project)) == len(known)
