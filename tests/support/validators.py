"""Third-party validators, as functions that return their complaints: [] is clean."""

import json
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from support import tools

SECONDS = 300

# The GitHub rules of the multitool are off until a configuration turns them on. Turned off here:
# SARIF2006 opens every URL; SARIF2009 wants ids like "ABC1234", which nobody searches; GH1004 has
# fixed limits from 2021 (5 runs, 1,000 results), and sarif_check.py checks the current ones.
GITHUB_RULES = (
    "GH1001.ProvideRequiredLocationProperties",
    "GH1002.InlineThreadFlowLocations",
    "GH1003.ProvideRequiredRegionProperties",
    "GH1005.LocationsMustBeRelativeUrisOrFilePaths",
    "GH1006.ProvideCheckoutPath",
    "GH1007.ProvideFullyFormattedMessageStrings",
    "GH1011.GhasReferenceFinalSchema",
    "GH1013.GhProvideRequiredSarifLogProperties",
    "GH1014.GhasProvideRequiredRunProperties",
    "GH1015.GhasProvideRequiredResultProperties",
    "GH1016.GhasProvideRequiredLocationProperties",
    "GH1017.GhasProvideRequiredPhysicalLocationProperties",
    "GH1018.GhasProvideToolDriver",
    "GH2012.GhasProvideRequiredReportingDescriptorProperties",
)
OFF = (
    "SARIF2006.UrisShouldBeReachable",
    "SARIF2009.ConsiderConventionalIdentifierValues",
    "GH1004.ReviewArraysThatExceedConfigurableDefaults",
)
# A folder that is not a clone has no URL, but the standard requires one.
PROVENANCE = "SARIF2003.ProvideVersionControlProvenance"

UPLOAD = """
const fs = require("fs");
const [library, schema, file] = process.argv.slice(1);
const { Validator } = require(library);
const read = (name) => JSON.parse(fs.readFileSync(name, "utf8"));
const passes = ["uri", "uri-reference"];
const counts = (error) => error.name !== "format" || !passes.includes(error.argument);
const found = new Validator().validate(read(file), read(schema)).errors.filter(counts);
console.log(JSON.stringify(found.map((error) => error.stack)));
"""


def schema_errors(path: Path) -> list[str]:
    """Return the errors of a log by the standard's schema, with formats checked."""
    return [
        f"{'/'.join(map(str, error.instance_path))}: {error.message[:500]}"
        for error in _schema_validator().iter_errors(json.loads(path.read_bytes()))
    ]


def upload_errors(path: Path) -> list[str]:
    """Return the errors of a log by the validator of GitHub's upload action."""
    library = tools.node_modules("jsonschema")
    argv = [tools.node(), "-e", UPLOAD, library, _schema_file(), path]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=SECONDS)
    return [str(error) for error in json.loads(done.stdout)]


def multitool_notes(*paths: Path) -> list[str]:
    """Return all errors, warnings and notes of the SARIF multitool, and its own failures.

    Its exit code is 0 even with errors. Several logs take little longer than one.
    """
    logs = [json.loads(path.read_bytes()) for path in paths]
    addresses = ["versionControlProvenance" in run for log in logs for run in log["runs"]]
    off = OFF if all(addresses) else (*OFF, PROVENANCE)
    with tempfile.TemporaryDirectory() as folder:
        config, out = Path(folder, "config.json"), Path(folder, "out.sarif")
        config.write_text(json.dumps(_configuration(off)))
        multitool(
            *("validate", *map(str, paths), "--config", str(config), "--output", str(out)),
            *("--quiet", "--rule-kind", "Sarif;Ghas", "--level", "Error;Warning;Note"),
            *("--kind", "Fail;Pass;Review;Open;NotApplicable;Informational"),
        )
        said = json.loads(out.read_text("utf-8-sig"))
    return [note for run in said["runs"] for note in _notes(run, off)]


def multitool(*argv: str) -> str:
    """Run the multitool and return what it prints. Fails the test if it exits with an error."""
    done = subprocess.run(
        [tools.multitool(), *argv],
        env={**os.environ, "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT": "1"},  # libicu may be missing
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _schema_file() -> Path:
    return tools.multitool().with_name("sarif-2.1.0.json")


@cache
def _schema_validator() -> Any:
    jsonschema_rs = pytest.importorskip("jsonschema_rs")
    schema = json.loads(_schema_file().read_text("utf-8-sig"))
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def _configuration(off: tuple[str, ...]) -> dict[str, dict[str, str]]:
    levels = {**dict.fromkeys(GITHUB_RULES, "Error"), **dict.fromkeys(off, "Disabled")}
    return {f"{rule}.Options": {"RuleEnabled": level} for rule, level in levels.items()}


def _notes(run: dict[str, Any], off: tuple[str, ...]) -> list[str]:
    found = [_note(result) for result in run.get("results", [])]
    disabled = [f"'{rule.partition('.')[0]}' was explicitly disabled" for rule in off]
    for invocation in run.get("invocations", []):
        for kind in ("toolConfigurationNotifications", "toolExecutionNotifications"):
            for notification in invocation.get(kind, []):
                text = json.dumps(notification["message"])
                if not any(expected in text for expected in disabled):
                    found.append(f"trouble {notification.get('descriptor')} {text}")
    return found


def _note(result: dict[str, Any]) -> str:
    name = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].rpartition("/")[2]
    message = json.dumps(result["message"])
    return f"{name}: {result.get('level', 'warning')} {result['ruleId']} {message}"
