"""Checks of a SARIF log for code scanning, beyond the schema; numbers refer to the checklist.

The functions return complaints, each with its number and place: [] is clean.
"""

import gzip
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from scanagg.core.text import valid
from scanagg.model import Severity
from scanagg.project.sources import line_hashes
from scanagg.reports.sarif.values import width

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
MOST_BYTES = 10 << 20
MOST_RUNS = 20
MOST_RESULTS = 5_000
MOST_RULES = 25_000
MOST_PLACES = 100

HTTPS = re.compile(r"https://[A-Za-z0-9.-]+(:\d+)?(/[!-~]*)?")
SEMANTIC = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
PASCAL = re.compile(r"([A-Z][a-z0-9]+)+")
CATEGORY = re.compile(r"scanagg/[a-z0-9-]+/(.+/)?")
COMMIT_OR_DATE = re.compile(r"[0-9a-f]{40}|\d{4}-\d\d-\d\d")
URI = re.compile(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+")
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
LINE_HASH = re.compile(r"[0-9a-f]{1,16}:[1-9]\d*")
PLACEHOLDER = re.compile(r"\{\d+\}")
CORNERS = ("startLine", "startColumn", "endLine", "endColumn")
SEVERITY_ORDER = {severity.value: severity.order for severity in Severity}

Json = dict[str, Any]


def check_github(path: Path, root: Path | None = None) -> list[str]:
    """Return the complaints about a log for GitHub; `root` is the root of its repository."""
    log, found = _read(path)
    return [*found, *_check_log(log, root), *_check_github_only(path, log)]


def check_full(path: Path, root: Path | None = None) -> list[str]:
    """Return the complaints about the whole log: the same, without the rules for uploads."""
    log, found = _read(path)
    return [*found, *_check_log(log, root)]


def _read(path: Path) -> tuple[Json, list[str]]:
    raw = path.read_bytes()
    log = json.loads(raw.decode("utf-8-sig"))
    found = []
    if raw.startswith(b"\xef\xbb\xbf"):
        found.append("1: a byte order mark")
    if list(log)[:2] != ["$schema", "version"]:
        found.append(f"1: begins with {list(log)[:2]}")
    if (log.get("$schema"), log.get("version")) != (SCHEMA, "2.1.0"):
        found.append(f"1: {log.get('$schema')} {log.get('version')}")
    return log, found


def _check_log(log: Json, root: Path | None) -> Iterator[str]:
    if not log["runs"]:
        yield "8: no runs"
    names = Counter(
        (run["tool"]["driver"]["name"], run["automationDetails"]["id"]) for run in log["runs"]
    )
    yield from (f"7: {name} is there twice" for name, count in names.items() if count > 1)
    files = Files(root) if root else None
    for run in log["runs"]:
        name = run["tool"]["driver"]["name"]
        for complaint in _check_run(run, files):
            number, _, text = complaint.partition(": ")
            yield f"{number}: {name}: {text}"


def _check_github_only(path: Path, log: Json) -> Iterator[str]:
    size = len(gzip.compress(path.read_bytes()))
    if size >= MOST_BYTES:
        yield f"5: {size} bytes gzipped"
    if len(log["runs"]) > MOST_RUNS:
        yield f"5: {len(log['runs'])} runs"
    for run in log["runs"]:
        name = run["tool"]["driver"]["name"]
        if len(run["results"]) > MOST_RESULTS:
            yield f"5: {name}: {len(run['results'])} results"
        if len(run["tool"]["driver"]["rules"]) > MOST_RULES:
            yield f"5: {name}: too many rules"
        if any(len(result.get("relatedLocations", ())) > MOST_PLACES for result in run["results"]):
            yield f"5: {name}: a result with too many places"
        if not run["invocations"][0]["executionSuccessful"] and name != "scanagg":
            yield f"8: {name}: failed, and an empty run closes its alerts"
        if any(result.get("suppressions") for result in run["results"]):
            yield f"30: {name}: GitHub opens alerts for suppressed results"
        if any(result.get("baselineState") == "absent" for result in run["results"]):
            yield f"31: {name}: GitHub opens alerts for absent results"


def _check_run(run: Json, files: "Files | None") -> Iterator[str]:
    yield from _check_tool(run)
    yield from _check_frame(run)
    yield from _check_invocations(run)
    yield from _check_order(run)
    rules = run["tool"]["driver"]["rules"]
    for rule in rules:
        yield from (f"{complaint} [{rule['id']}]" for complaint in _check_rule(rule, run))
    for number, result in enumerate(run["results"]):
        yield from (f"{complaint} [{number}]" for complaint in _check_result(result, rules, files))
    yield from _check_results_together(run)


def _check_tool(run: Json) -> Iterator[str]:
    driver = run["tool"]["driver"]
    if not 1 <= len(driver["name"].split()) <= 3:
        yield "6: the name has more than three words"
    if not driver.get("fullName"):
        yield "6: no full name"
    if not re.match(r"\d", driver.get("version", "")):
        yield "6: no version"
    if not SEMANTIC.fullmatch(driver.get("semanticVersion", "0.0.0")):
        yield f"6: {driver['semanticVersion']} is no semantic version"
    if not HTTPS.fullmatch(driver.get("informationUri", "")):
        yield "6: no page of the scanner"
    if run["conversion"]["tool"]["driver"]["name"] != "scanagg":
        yield "6: not converted by scanagg"
    category = run["automationDetails"]["id"]
    if not CATEGORY.fullmatch(category) or COMMIT_OR_DATE.search(category):
        yield f"7: the category is {category}"
    if category.split("/")[1] != driver["name"]:
        yield f"7: the category is {category}"


def _check_frame(run: Json) -> Iterator[str]:
    if not isinstance(run.get("results"), list):
        yield "8: no results, not even an empty list"
    for details in run.get("versionControlProvenance", []):
        if details.get("mappedTo", {}).get("uriBaseId") != "SRCROOT":
            yield "10: the commit is not mapped to SRCROOT"
        if not HTTPS.fullmatch(details["repositoryUri"]):
            yield f"10: the repository is {details['repositoryUri']}"
    if (
        set(run["originalUriBaseIds"]) != {"SRCROOT"}
        or "uri" in run["originalUriBaseIds"]["SRCROOT"]
    ):
        yield "10: SRCROOT is missing, or a path of this machine"
    if run.get("columnKind") != "utf16CodeUnits":
        yield "11: columns of an unknown kind"
    if any(not GUID.fullmatch(guid) for guid in _guids(run)):
        yield "29: a GUID that is not of version 4 or 5"


def _guids(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (str(text) for key, text in value.items() if key.lower().endswith("guid"))
        for item in value.values():
            yield from _guids(item)
    elif isinstance(value, list):
        for item in value:
            yield from _guids(item)


def _check_invocations(run: Json) -> Iterator[str]:
    for invocation in run["invocations"]:
        times = [invocation["startTimeUtc"], invocation["endTimeUtc"]]
        if not all(time.endswith("Z") for time in times):
            yield f"11: times without Z: {times}"
        if datetime.fromisoformat(times[0]) > datetime.fromisoformat(times[1]):
            yield "11: it ends before it starts"
        said = invocation.get("toolExecutionNotifications", [])
        if not invocation["executionSuccessful"] and not said:
            yield "9: it failed, and nothing says why"
        if any(not _is_sentence(one["message"]["text"]) for one in said):
            yield "9: a notification that is no sentence"


def _check_order(run: Json) -> Iterator[str]:
    orders = [SEVERITY_ORDER[one["properties"]["scanagg"]["severity"]] for one in run["results"]]
    if orders != sorted(orders):
        yield "5: not sorted by severity"
    left_out = run["properties"]["scanagg"].get("leftOut", 0)
    said = json.dumps(run["invocations"][0].get("toolExecutionNotifications", []))
    if left_out and f"of {len(run['results']) + left_out:,} findings" not in said:
        yield "5: findings are cut off, and nothing says so"


def _check_rule(rule: Json, run: Json) -> Iterator[str]:
    if not PASCAL.fullmatch(rule["name"]) or rule["name"] == rule["id"] or len(rule["name"]) > 255:
        yield f"13: the name is {rule['name']}"
    for key in ("shortDescription", "fullDescription"):
        text = rule.get(key, {}).get("text", "")
        if not _is_sentence(text) or len(text) > 1024:
            yield f"13: {key} is {text!r}"
    if not rule["help"].get("text") or not rule["help"].get("markdown"):
        yield "14: no help"
    if not HTTPS.fullmatch(rule.get("helpUri", "")):
        yield "14: no page"
    yield from _check_rule_is_general(rule, run)
    yield from _check_rule_properties(rule)


def _check_rule_is_general(rule: Json, run: Json) -> Iterator[str]:
    words = " ".join((rule["shortDescription"]["text"], rule["fullDescription"]["text"]))
    for result in run["results"]:
        if result["ruleId"] == rule["id"]:
            package = result["properties"]["scanagg"].get("package") or ""
            purl = package if isinstance(package, str) else package["purl"]
            version = purl.rpartition("@")[2].partition("?")[0]
            if "/" in (uri := _uri(result)) and uri in words:
                yield f"15: the rule names {uri}"
            # The text of an advisory may name versions, but its title comes from scanagg.
            if version and f" {version}" in rule["shortDescription"]["text"]:
                yield f"15: the rule names the version {version}"


def _check_rule_properties(rule: Json) -> Iterator[str]:
    properties = rule["properties"]
    tags = properties["tags"]
    if len(set(tags)) != len(tags) or len(tags) > 10 or not {"security", "compliance"} & set(tags):
        yield f"16: tags {tags}"
    if any("cwe" in tag and not re.fullmatch(r"external/cwe/cwe-\d{3,}", tag) for tag in tags):
        yield f"16: tags {tags}"
    score = properties.get("security-severity", "5.0")
    if not isinstance(score, str) or not 0.1 <= float(score) <= 10.0:
        yield f"17: security-severity {score!r}"
    if properties.get("precision", "high") not in ("very-high", "high", "medium", "low"):
        yield f"17: precision {properties['precision']!r}"
    if rule.get("defaultConfiguration", {}).get("level") not in ("error", "warning", "note"):
        yield "17: no level of its own"


def _check_result(result: Json, rules: Sequence[Json], files: "Files | None") -> Iterator[str]:
    index = result.get("ruleIndex", -1)
    if not 0 <= index < len(rules) or rules[index]["id"] != result["ruleId"]:
        yield f"12: rule {result['ruleId']} is not at {index}"
    elif "warning" == result.get("level") != rules[index]["defaultConfiguration"]["level"]:
        yield "18: a warning under a rule of another level"
    if result.get("level") not in ("error", "warning", "note"):
        yield "18: no level"
    text = result["message"].get("text", "")
    if not _is_sentence(text) or "`" in text or PLACEHOLDER.search(text) or "](" in text:
        yield f"19: the message is {text!r}"
    yield from _check_places(result, files)
    yield from _check_fingerprints(result, files)


def _check_places(result: Json, files: "Files | None") -> Iterator[str]:
    if len(result.get("locations", ())) != 1:
        yield f"20: {len(result.get('locations', ()))} locations"
        return
    further = result.get("relatedLocations", [])
    if any(not place.get("message", {}).get("text") for place in further):
        yield "20: a further place without a message"
    for place in (*result["locations"], *further):
        physical = place.get("physicalLocation", {})
        uri = physical.get("artifactLocation", {}).get("uri", "")
        yield from _check_uri(uri, files)
        yield from _check_region(physical.get("region", {}), uri, files)
        yield from _check_context(physical)


def _check_uri(uri: str, files: "Files | None") -> Iterator[str]:
    if not uri:
        yield "20: no file"
    elif not URI.fullmatch(uri) or uri.startswith("/") or {".", "..", ""} & set(uri.split("/")):
        yield f"21: the address is {uri}"
    elif files and files.find(uri) is None:
        yield f"22: there is no file {uri}"


def _check_region(region: Json, uri: str, files: "Files | None") -> Iterator[str]:
    if any(region.get(corner, 0) < 1 for corner in CORNERS):
        yield f"23: the region is {region}"
        return
    if region["startLine"] != region["endLine"]:
        yield f"23: the region has several lines: {region}"
    size = region["endColumn"] - region["startColumn"]
    if not files:
        if size < 0:
            yield f"23: the region ends before it starts: {region}"
        return
    line = files.line(uri, region["startLine"])
    if line is None:
        yield f"23: {uri} has no line {region['startLine']}"
    elif size < (1 if line else 0) or region["endColumn"] > width(line) + 1:
        yield f"23: columns off the line: {region}"


def _check_context(physical: Json) -> Iterator[str]:
    region, context = physical.get("region", {}), physical.get("contextRegion")
    if not context:
        return
    inner = [region.get(corner, 0) for corner in CORNERS]
    outer = [context.get(corner, 0) for corner in CORNERS]
    if not (outer[:2] <= inner[:2] and inner[2:] <= outer[2:] and inner != outer):
        yield f"26: {context} is not around {region}"
    if "snippet" not in region or "snippet" not in context:
        yield "26: a region without its text"


def _check_fingerprints(result: Json, files: "Files | None") -> Iterator[str]:
    prints = result.get("partialFingerprints", {})
    category = result["properties"]["scanagg"]["category"]
    line_hash = prints.get("primaryLocationLineHash")
    if not prints.get("scanaggFindingId/v1"):
        yield "27: no id of ours"
    if category == "secret":
        if line_hash:
            yield "26: a hash of a secret's line"
        return
    if category in ("vulnerability", "license") and not line_hash:
        yield "27: no stable hash"
    if line_hash and not LINE_HASH.fullmatch(line_hash):
        yield f"27: the hash is {line_hash}"
    if files and line_hash and category in ("code", "misconfiguration"):
        expected = files.line_hash(_uri(result), _corners(result)["startLine"] or 0)
        yield from () if line_hash == expected else [f"27: {line_hash} is not the line's hash"]


def _check_results_together(run: Json) -> Iterator[str]:
    ids = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    if ids != sorted(set(ids)):
        yield "12: rules not sorted, or twice"
    used = {result["ruleId"] for result in run["results"]}
    if run["results"] and used != set(ids):
        yield f"12: rules that nothing uses: {set(ids) - used}"
    keys = Counter(
        (one["ruleId"], _uri(one), str(_corners(one)), one["message"]["text"])
        for one in run["results"]
    )
    yield from (f"29: twice: {key}" for key, count in keys.items() if count > 1)
    for number, key in ((30, "suppressions"), (31, "baselineState")):
        if len({key in result for result in run["results"]}) > 1:
            yield f"{number}: {key} on some results only"
    for result in run["results"]:
        yield from _check_suppressions(result.get("suppressions", []))
    secret = any(one["properties"]["scanagg"]["category"] == "secret" for one in run["results"])
    if secret and not run.get("redactionTokens"):
        yield "26: secrets without a redaction token"


def _check_suppressions(suppressions: Sequence[Json]) -> Iterator[str]:
    for one in suppressions:
        if "state" in one or one.get("status") not in ("accepted", "underReview", "rejected"):
            yield f"30: a suppression without a status: {one}"
        if one.get("kind") not in ("inSource", "external") or not one.get("justification"):
            yield f"30: a suppression without a reason: {one}"


def _is_sentence(text: str) -> bool:
    return bool(text.strip()) and text.endswith((".", "!", "?", ")"))


def _corners(result: Json) -> Json:
    physical = result["locations"][0]["physicalLocation"] if result.get("locations") else {}
    return {corner: physical.get("region", {}).get(corner) for corner in CORNERS}


def _uri(result: Json) -> str:
    if not result.get("locations"):
        return ""
    return str(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])


class Files:
    """The files of a repository by their URI in a log."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[str, Path | None] = {}
        self._texts: dict[str, str | None] = {}
        self._hashes: dict[str, list[str]] = {}

    def find(self, uri: str) -> Path | None:
        """Return the file, also by a name in which U+FFFD replaces bytes that are not UTF-8."""
        if uri not in self._found:
            self._found[uri] = self._search(uri)
        return self._found[uri]

    def _search(self, uri: str) -> Path | None:
        path = self._root / os.fsdecode(unquote_to_bytes(uri))
        if path.is_file() and path.resolve() == self._root.resolve() / path.relative_to(self._root):
            return path
        name = unquote_to_bytes(uri).decode("utf-8", "replace")
        every = (one for one in self._root.rglob("*") if one.is_file())
        return next((one for one in every if valid(str(one.relative_to(self._root))) == name), None)

    def line(self, uri: str, number: int) -> str | None:
        text = self._text(uri)
        if text is None:
            return None
        lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return lines[number - 1] if number <= len(lines) else None

    def line_hash(self, uri: str, number: int) -> str | None:
        if uri not in self._hashes:
            self._hashes[uri] = line_hashes(self._text(uri) or "")
        hashes = self._hashes[uri]
        return hashes[number - 1] if 1 <= number <= len(hashes) else None

    def _text(self, uri: str) -> str | None:
        if uri not in self._texts:
            path = self.find(uri)
            self._texts[uri] = None if path is None else _decoded(path.read_bytes())
        return self._texts[uri]


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
