"""How often blocked secrets are real, by labelled lines of real projects.

    python benchmarks/blocking.py LABELS.csv CHECKOUTS [--only SCANNERS] [--reports FOLDER]

LABELS.csv has the columns repository, path, line_start, line_end, label, kind, strength. The label
is `secret`, `identifier` (neutral), or anything else for no secret. The kind of file is code,
config, docs, examples, tests or lock. A `strong` secret has 8 or more characters with a digit, or
is a private key. CHECKOUTS has a folder OWNER+NAME for each repository, at the labelled commit; one
that is missing is left out. Nothing is fetched. `--reports` keeps the reports, and uses those that
are there.

A true positive is a labelled secret that a finding touches. A false positive is a line of such
findings that touches neither a secret nor an identifier, also if it has no label. So the precision
is a lower bound: not every line with the same secret is labelled.

The first table counts the lines by the rule that judged them (`confidence_reason`), the second one
scores what a policy blocks (likely), and what it blocks or warns about (likely and possible).
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

KINDS = ("code", "config", "docs", "examples", "tests", "lock")
GROUPS = (("code", "config"), KINDS, *((kind,) for kind in KINDS))
BLOCKED, SHOWN = ("likely",), ("likely", "possible")
PATH_KINDS = {"vendored": "lock", "generated": "lock"}
SETTINGS = frozenset(
    ".yml .yaml .toml .ini .cfg .conf .json .properties .env .xml .tf .tfvars".split()  # noqa: SIM905
)


class Label(NamedTuple):
    """A labelled range of lines."""

    path: str
    first: int
    last: int
    label: str
    kind: str
    strength: str


class Line(NamedTuple):
    """A line of a finding, with the labels that it touches."""

    path: str
    number: int
    kind: str
    confidence: str
    reason: str
    labels: tuple[Label, ...]

    @property
    def truth(self) -> str:
        """`secret` or `identifier` if any label says so, else `no`, or `none` without a label."""
        labels = {label.label for label in self.labels}
        known = next((label for label in ("secret", "identifier") if label in labels), "no")
        return known if labels else "none"


def main() -> None:
    """Check each repository and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("checkouts", type=Path)
    parser.add_argument("--only", default="detect-secrets,trivy")
    parser.add_argument("--reports", type=Path)
    args = parser.parse_args()
    labels = read_labels(args.labels)
    lines: list[Line] = []
    checked: list[Label] = []
    with tempfile.TemporaryDirectory() as folder:
        for repository in sorted(labels):
            name = repository.replace("/", "+")
            report = (args.reports or Path(folder)) / name / "scanagg.json"
            if (args.checkouts / name).is_dir() and not report.exists():
                run_check(args.checkouts / name, report.parent, args.only)
            if report.exists():
                found = json.loads(report.read_text(encoding="utf-8"))["findings"]
                lines += lines_of(repository, found, labels[repository])
                checked += labels[repository]
            else:
                print(f"left out: {repository}", file=sys.stderr)
    print_rules(lines)
    print_scores(lines, checked)


def read_labels(file: Path) -> dict[str, list[Label]]:
    """Return the labels by repository. Their paths begin with its name."""
    labels: dict[str, list[Label]] = defaultdict(list)
    with file.open(newline="", encoding="utf-8") as text:
        for row in csv.DictReader(text):
            numbers = int(row["line_start"]), int(row["line_end"])
            path = f"{row['repository']}/{row['path']}"
            label = Label(path, *numbers, row["label"], row["kind"], row["strength"])
            labels[row["repository"]].append(label)
    return labels


def run_check(checkout: Path, output: Path, only: str) -> None:
    """Write the JSON report of a checkout."""
    command = [sys.executable, "-P", "-m", "scanagg", "check", checkout, "--policy", "default"]
    options = ["--only", only, "--format", "json", "--output-dir", output, "--no-progress"]
    subprocess.run([*command, *options], stdout=subprocess.DEVNULL, check=False)


def lines_of(repository: str, findings: Any, labels: Sequence[Label]) -> Iterator[Line]:
    """Yield the lines of all secrets in a report, each place of a finding once."""
    by_path: dict[str, list[Label]] = defaultdict(list)
    for label in labels:
        by_path[label.path].append(label)
    for finding in findings:
        if finding["category"] != "secret":
            continue
        places = [finding["location"], *(finding.get("places") or ())]
        spans = {
            (place["path"], place.get("start_line") or 1, place.get("end_line") or 0)
            for place in places
            if place
        }
        for name, first, last in sorted(spans):
            path = f"{repository}/{name}"
            known = by_path.get(path, ())
            touched = tuple(
                label for label in known if label.first <= max(first, last) and first <= label.last
            )
            kind = known[0].kind if known else kind_of(name, finding["path_kind"])
            reason = finding["confidence_reason"]["kind"]
            yield Line(path, first, kind, finding["confidence"], reason, touched)


def kind_of(path: str, path_kind: str) -> str:
    """Return the kind of a file without labels."""
    if path_kind != "production":
        return PATH_KINDS.get(path_kind, path_kind)
    file = PurePosixPath(path)
    is_config = file.suffix in SETTINGS or file.name.startswith((".env", "Dockerfile"))
    return "config" if is_config else "code"


def print_rules(lines: Sequence[Line]) -> None:
    """Print the number of lines by rule and by label."""
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for line in set(lines):
        counts[line.reason, line.confidence][line.truth] += 1
    print(
        "| rule | confidence | lines | secret | no secret | not labelled |\n" + "| --- " * 6 + "|"
    )
    for (reason, confidence), count in sorted(
        counts.items(), key=lambda entry: (entry[0][1], -entry[1].total())
    ):
        numbers = count.total(), count["secret"], count["no"] + count["identifier"], count["none"]
        print(f"| {reason} | {confidence} |", *(f"{number:,} |" for number in numbers))


def print_scores(lines: Sequence[Line], labels: Sequence[Label]) -> None:
    """Print precision and recall by kind of file, for what is blocked and for what is shown."""
    print("\n| files | findings | true | false | precision | recall | strong recall |")
    print("| --- " * 7 + "|")
    for kinds in GROUPS:
        secrets = {one for one in labels if one.label == "secret" and one.kind in kinds}
        strong = {one for one in secrets if one.strength == "strong"}
        for confidences in (BLOCKED, SHOWN):
            chosen = [line for line in lines if line.confidence in confidences]
            hits = secrets.intersection(label for line in chosen for label in line.labels)
            false = {
                (line.path, line.number)
                for line in chosen
                if line.kind in kinds and line.truth in ("no", "none")
            }
            ratios = (
                share(len(hits), len(hits) + len(false)),
                share(len(hits), len(secrets)),
                share(len(hits & strong), len(strong)),
            )
            name = "all" if kinds == KINDS else " and ".join(kinds)
            numbers = f"{len(hits):,} | {len(false):,} | {' | '.join(ratios)}"
            print(f"| {name} | {' and '.join(confidences)} | {numbers} |")


def share(part: int, whole: int) -> str:
    """Return a ratio with two digits."""
    return f"{part / whole:.2f}" if whole else "-"


if __name__ == "__main__":
    main()
