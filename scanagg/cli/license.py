"""`scanagg license`: judge a licence expression, or the licences of a project's packages."""

import os
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import Annotated, Final, Literal

import msgspec
import typer

from scanagg.cli import options
from scanagg.cli.output import complain, say, say_json
from scanagg.core import cache
from scanagg.core.errors import ExitCode, UsageError
from scanagg.core.process import Stop
from scanagg.core.text import counted, one_line, shorten
from scanagg.findings.collect import ScanSetup
from scanagg.findings.normalise import normalise
from scanagg.gate.rules import ProjectRules, load_rules, rule_files
from scanagg.inventory import read_inventory
from scanagg.inventory.uv import resolver_of
from scanagg.model import Category, LicenseVerdict, NotExamined, Package, Run, Status
from scanagg.policy import license_lists
from scanagg.policy.license_lists import LicenseDecision
from scanagg.policy.licenses import LicenseJudge, of_words, why
from scanagg.policy.spdx import similar
from scanagg.project.sources import Sources
from scanagg.project.target import read_target
from scanagg.reports.reasons import sentence, sentences
from scanagg.scanners.base import all_scanners, usual_scanner
from scanagg.scanners.runner import DEFAULT_TIMEOUT, Limits, scan

app = typer.Typer(
    no_args_is_help=True, help="Judge a licence expression, or the licences of the packages."
)

# In a file or a pipe.
_PLAIN_WIDTH: Final = 200
_LEAST_WIDTH: Final = 40
# The metadata of some packages has the whole text of a licence.
_LICENSE_WIDTH: Final = 200
# The version of the JSON that `license list` prints.
_VERSION: Final = 1


class LicenseListing(msgspec.Struct, frozen=True):
    """Packages by name with their licences; `unknown` are the inputs without."""

    packages: tuple[tuple[Package, LicenseDecision], ...]
    unknown: tuple[NotExamined, ...]
    run: Run

    @property
    def is_whole(self) -> bool:
        """True if the licence of every package was read."""
        return self.run.status in (Status.OK, Status.NOT_APPLICABLE) and not self.unknown

    def print_text(self, width: int) -> None:
        """Print the packages that need attention, then the others by licence, and the counts.

        Lines have at most `width` characters.
        """
        by_verdict: dict[LicenseVerdict, list[tuple[Package, LicenseDecision]]] = {}
        for package, decision in self.packages:
            by_verdict.setdefault(decision.verdict, []).append((package, decision))
        for verdict in (LicenseVerdict.DENY, LicenseVerdict.UNKNOWN, LicenseVerdict.REVIEW):
            entries = by_verdict.get(verdict, [])
            if entries:
                say(f"{verdict.value} ({len(entries)})")
                for package, decision in sorted(entries, key=lambda entry: bool(entry[1].notes)):
                    _say_entry(package, decision, width)
                say("")
        unread: dict[str, list[str]] = {}
        for gap in self.unknown:
            unread.setdefault(sentence(gap.reason), []).append(gap.input)
        for reason, names in unread.items():
            _say_wrapped([f"not read ({len(names)}): {reason}", f"  {', '.join(names)}"], width)
            say("")
        _say_allowed(by_verdict.get(LicenseVerdict.ALLOW, []), width)
        counts = ", ".join(
            f"{len(by_verdict.get(verdict, ()))} {verdict.value}" for verdict in LicenseVerdict
        )
        say(f"{counted(len(self.packages), 'package')}: {counts}")
        if self.unknown:
            say(f"incomplete: {counted(len(self.unknown), 'licence')} not read")
        elif not self.is_whole:
            why = f": {sentence(self.run.detail)}" if self.run.detail else ""
            _say_wrapped([f"incomplete: the licences were not read{why}"], width)

    def print_json(self) -> None:
        """Print the packages as JSON."""
        packages = [
            {
                "name": package.name,
                "version": package.version,
                "purl": package.purl,
                "scope": package.scope.value,
                "license": decision.expression,
                "source": decision.source,
                "verdict": decision.verdict.value,
                "term": decision.term,
                "candidates": decision.candidates,
                "note": sentences(decision.notes),
            }
            for package, decision in self.packages
        ]
        gaps = [{"input": gap.input, "reason": sentence(gap.reason)} for gap in self.unknown]
        document = {
            "version": _VERSION,
            "complete": self.is_whole,
            "status": self.run.status.value,
            "packages": packages,
            "not_examined": gaps,
        }
        say_json(document)


@app.command("eval")
def evaluate(
    expression: Annotated[
        str, typer.Argument(help="An SPDX licence expression, or the name of a licence.")
    ],
    allow: Annotated[
        str, typer.Option(metavar="IDS", help="Allowed ids, separated by commas.")
    ] = "",
    deny: Annotated[str, typer.Option(metavar="IDS", help="Denied ids, separated by commas.")] = "",
    review: Annotated[
        str, typer.Option(metavar="IDS", help="Ids to review, separated by commas.")
    ] = "",
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME_OR_PATH", help="Use the lists of this policy."),
    ] = None,
) -> None:
    """Print the verdict on a licence: allow, review, unknown or deny. Then, print why.

    Without lists, those of the policy in the current folder count.

    Exit code: 0, whatever the verdict.
    """
    given = allow or deny or review
    if policy is not None and given:
        message = "--policy cannot be combined with --allow, --review or --deny"
        raise UsageError(message, "Remove --policy, or the other options.")
    if given:
        lists = license_lists.lists_of(allow=_ids(allow), review=_ids(review), deny=_ids(deny))
        source = "the command line"
    else:
        root = Path.cwd()
        rules = load_rules(root, rule_files(root, None), policy, os.environ)
        section = rules.policy.file.licenses
        lists = license_lists.lists_of(
            section.allow, section.review, section.deny, section.classifiers
        )
        source = f"the policy {rules.policy.name} ({rules.policy.source})"
    decision = of_words(expression, lists)
    say(decision.verdict.value)
    say(*(f"  {sentence(reason)}" for reason in why(decision, expression, lists)))
    say(f"  The lists are those of {source}.")
    if decision.verdict is LicenseVerdict.UNKNOWN and not decision.candidates:
        message = f"{decision.term!r} is not an id on the SPDX list{similar(decision.term)}"
        complain(message, "")


@app.command("list")
def list_(
    path: options.Folder = Path(),
    policy: options.PolicyName = None,
    policy_ref: options.PolicyRef = None,
    python: options.Python = None,
    form: Annotated[
        Literal["text", "json"],
        typer.Option("--format", help="Print text, or JSON for programs."),
    ] = "text",
    offline: options.Offline = False,
    no_resolve: options.NoResolve = False,
    now: options.Now = None,
) -> None:
    """List the project's packages with their licences, those that need attention first.

    For each licence that is not allowed, the list shows its source and the part that decided.

    Exit codes: 0 whatever the verdicts, 3 if the licence of a package could not be read.
    """
    moment = options.moment_of(now)
    root = options.folder_of(path)
    rules = load_rules(root, rule_files(root, policy_ref), policy, os.environ)
    resolve = not offline and not no_resolve
    listing = _list_licenses(root, rules, moment, python=python, offline=offline, resolve=resolve)
    if form == "json":
        listing.print_json()
    else:
        listing.print_text(get_terminal_size((_PLAIN_WIDTH, 0)).columns)
    raise typer.Exit(ExitCode.PASS if listing.is_whole else ExitCode.INCOMPLETE)


def _say_allowed(entries: Sequence[tuple[Package, LicenseDecision]], width: int) -> None:
    """Print each allowed licence with its packages, the most frequent first, then notes."""
    if not entries:
        return
    say(f"{LicenseVerdict.ALLOW.value} ({len(entries)})")
    by_license: dict[str, list[str]] = {}
    for package, decision in entries:
        name = f"{package.name} {package.version}"
        by_license.setdefault(decision.expression, []).append(name)
    ordered = sorted(by_license.items(), key=lambda item: (-len(item[1]), item[0]))
    _say_wrapped(
        (f"  {license_} ({len(names)}): {', '.join(names)}" for license_, names in ordered), width
    )
    notes = [
        f"  {package.name} {package.version}: {sentences(decision.notes)}"
        for package, decision in entries
        if decision.notes
    ]
    if notes:
        _say_wrapped(["  Notes", *(f"  {note}" for note in notes)], width)
    say("")


def _say_entry(package: Package, decision: LicenseDecision, width: int) -> None:
    """Print a package with its licence, then where that is from, and what decided."""
    license_ = shorten(decision.expression, _LICENSE_WIDTH)
    details = [package.scope.value, decision.source or "no source"]
    details += [sentences(decision.reasons)] if decision.reasons else []
    head = f"  {package.name} {package.version}: {license_}"
    _say_wrapped([head, f"    {'; '.join(details)}"], width)


def _say_wrapped(lines: Iterable[str], width: int) -> None:
    """Print lines, each folded to the width, and indented further where it goes on."""
    for line in lines:
        text = one_line(line)
        indent = " " * (len(text) - len(text.lstrip()))
        folded = wrap(
            text.strip(),
            max(width, _LEAST_WIDTH),
            initial_indent=indent,
            subsequent_indent=f"{indent}    ",
            break_on_hyphens=False,
        )
        say(*folded)


def _ids(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _list_licenses(
    root: Path,
    rules: ProjectRules,
    now: datetime,
    *,
    python: Path | None,
    offline: bool,
    resolve: bool,
) -> LicenseListing:
    """Read and judge the licence of every package of the project at `root`.

    `python` is the project's interpreter, None for the configured one or the one found. With
    `resolve`, requirements without a lock count as what an install today would take. TargetError
    if `root` cannot be read, KeyboardInterrupt after Ctrl-C. Errors of the scanner are in its run.
    """
    settings, stop = rules.settings, Stop()
    target = read_target(root, exclude=settings.exclude, stop=stop)
    folder = cache.cache_folder()
    resolver = resolver_of(target.root, folder, stop) if resolve else None
    inventory = read_inventory(target, python, settings.python, resolver=resolver)
    setup = ScanSetup(
        limits=Limits(jobs=2, timeout=settings.timeout or DEFAULT_TIMEOUT, stop=stop),
        cache=folder,
        now=now,
        scanners=settings.scanners,
        offline=offline,
    )
    scanner = all_scanners()[usual_scanner(Category.LICENSE)]
    tasks = setup.tasks([scanner], target, inventory)
    (done,) = scan(tasks, setup.limits, lambda _event: None)
    if stop.interrupted:
        raise KeyboardInterrupt
    judge = LicenseJudge(rules.policy.file.licenses, now.date())
    by_purl = {
        observation.package.purl: (
            observation.package,
            judge.judge(observation.package, observation.license),
        )
        for observation in normalise(done.observations, inventory, Sources(target))
        if observation.package and observation.license
    }
    packages = tuple(by_purl[purl] for purl in sorted(by_purl))
    return LicenseListing(packages, tuple(done.run.coverage.gaps), done.run)
