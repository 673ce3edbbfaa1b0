"""Add waivers to the waiver file, and keep the rest of the file as it is."""

import io
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import msgspec
from msgspec.structs import replace
from packaging.utils import canonicalize_name
from packaging.version import Version
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from scanagg.core.errors import PolicyError, UsageError
from scanagg.core.text import one_line, printable
from scanagg.findings.fingerprint import VERSION
from scanagg.model import Category, Finding, WaiverState, purl_without_version
from scanagg.policy.aspects import ids_of, path_problem, path_test, paths_of
from scanagg.policy.load import WAIVERS, PolicySource, read_waivers
from scanagg.project.trusted import Files

LEAST: Final = 6
"""The least number of digits of an id by which you can name a finding."""

_NEW: Final = """\
# Accepted findings, each with an owner, a reason and an end date.
# `scanagg waivers` lists them with the findings they match.
version: 1
items:
"""
_SHOWN: Final = 10
# The characters with a meaning in patterns of .gitignore.
_GLOB: Final = re.compile(r"(^[!#]|[\\*?\[\]]| $)")


class Wish(msgspec.Struct, frozen=True):
    """A waiver to write, without its finding. `expires` is the last day, UTC."""

    owner: str
    reason: str
    expires: date
    state: WaiverState = WaiverState.RISK_ACCEPTED
    until_fixed: bool = False


class Overlaid(msgspec.Struct, frozen=True):
    """Files of a project, with other bytes at one path."""

    below: Files
    path: str
    raw: bytes

    @property
    def ref(self) -> str | None:
        """The commit of the files below."""
        return self.below.ref

    def read(self, path: str) -> bytes | None:
        """Return the other bytes at their path, else those of the files below."""
        return self.raw if path == self.path else self.below.read(path)


def choose(
    findings: Sequence[Finding], name: str, package: str | None = None
) -> tuple[Finding, ...]:
    """Return the findings of a name: an id, its first digits, or any id of a vulnerability.

    These are several only for one vulnerability in versions of one package. `package` is the name
    or the purl of the package. UsageError with the choices for a name of no or several findings.
    """
    shown = one_line(name)
    named = [
        finding
        for finding in findings
        if finding.advisory and name.lower() in map(str.lower, finding.advisory.ids)
    ]
    if named:
        return _of_one_package(named, shown, package)
    if not re.fullmatch(r"[0-9a-fA-F]{6,64}", name):
        hint = (
            f"Use the id of an advisory or a rule, or at least the first {LEAST} digits of a "
            "finding's id, as `scanagg check -v` shows it."
        )
        raise UsageError(f"{shown!r} is not the id of a finding in the last report", hint)
    matching = [one for one in findings if one.fingerprint.startswith(name.lower())]
    if not matching:
        hint = "Run `scanagg check` for a new report, then try again."
        raise UsageError(f"no finding in the report has an id that starts with {shown}", hint)
    if len(matching) > 1:
        lines = [f"{len(matching)} findings have an id that starts with {shown}:"]
        lines += [f"  {one.id}  {one_line(one.title)}" for one in matching[:_SHOWN]]
        if len(matching) > _SHOWN:
            lines.append(f"  and {len(matching) - _SHOWN} more")
        raise UsageError("\n".join(lines), "Use more digits of the id.")
    return tuple(matching)


class RuleScope(msgspec.Struct, frozen=True):
    """The findings of one rule in files that match a pattern, as in .gitignore."""

    rule: str
    pattern: str
    findings: tuple[Finding, ...]


def rule_scope(findings: Sequence[Finding], name: str, pattern: str | None) -> RuleScope | None:
    """Return the findings of a rule to waive; None if no finding is of a rule with that name.

    Without a pattern, they have to be in one file. UsageError if there is nothing that a waiver may
    cover: one of secrets would cover the next secret too.
    """
    rules = {
        id_: finding
        for finding in findings
        for id_ in ids_of(finding)
        if id_.casefold() == name.casefold() and finding.package is None
    }
    if not rules:
        return None
    rule = next(iter(rules))
    of_rule = [finding for finding in findings if rule in ids_of(finding)]
    shown = one_line(rule)
    parts = [finding.parts for finding in of_rule if finding.parts]
    categories = {part.category for part in parts} | {one.category.value for one in of_rule}
    if Category.SECRET.value in categories:
        message = f"a waiver for the rule {shown} would also cover the next secret"
        raise UsageError(message, f"Give the id of a finding: scanagg explain {shown}")
    paths = sorted({path for finding in of_rule for path in paths_of(finding)})
    if pattern is None:
        if len(paths) != 1:
            listed = ", ".join(map(one_line, paths[:_SHOWN]))
            more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
            message = f"{shown} has findings in {len(paths)} files: {listed}{more}"
            raise UsageError(message, "Say for which files the waiver is: --in 'tests/**'")
        pattern = _GLOB.sub(r"\\\1", paths[0])
    problem = path_problem(pattern)
    if problem:
        raise UsageError(f"--in: {problem[0]}", problem[1])
    matches = path_test([pattern])
    chosen = tuple(one for one in of_rule if all(map(matches, paths_of(one))))
    if not chosen:
        message = f"no finding of {shown} is only in files that match {one_line(pattern)!r}"
        raise UsageError(message, f"Its findings are listed by: scanagg explain {shown}")
    return RuleScope(rule, pattern, chosen)


def _of_one_package(
    findings: Sequence[Finding], shown: str, package: str | None
) -> tuple[Finding, ...]:
    by_purl: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.package:
            purl = purl_without_version(finding.package.purl)
            by_purl.setdefault(purl, []).append(finding)
    names = [
        purl
        for purl in by_purl
        if package in (None, purl)
        or canonicalize_name(package or "") == purl.rpartition("/")[2].lower()
    ]
    if not names:
        message = f"{shown} is in {', '.join(by_purl)}, not in {one_line(package or '')}"
        raise UsageError(message, "Select one of these with --package.")
    if len(names) > 1:
        message = f"{shown} is in {len(names)} packages: {', '.join(names)}"
        raise UsageError(message, "Select one with --package.")
    return tuple(by_purl[names[0]])


def entry_for(
    chosen: Sequence[Finding], wish: Wish, scope: RuleScope | None = None
) -> Mapping[str, object]:
    """Return the entry that waives these findings, with its keys in the usual order.

    A vulnerability is waived up to the present version, so that an upgrade is judged again. Code,
    secrets and misconfigurations are waived by fingerprint, with the path for readers, unless a
    rule and its files are given. UsageError for a waiver that cannot have an effect.
    """
    if wish.until_fixed:
        if any(finding.category is not Category.VULNERABILITY for finding in chosen):
            hint = "Remove --until-fixed. The waiver ends after the day in --expires."
            raise UsageError("--until-fixed works only for vulnerabilities", hint)
        advisories = [finding.advisory for finding in chosen if finding.advisory]
        fixed = {version for advisory in advisories for version in advisory.fixed_versions}
        if fixed:
            versions = ", ".join(map(one_line, sorted(fixed)))
            message = f"--until-fixed has no effect: already fixed in {versions}"
            raise UsageError(message, "Upgrade the package, or remove --until-fixed.")
    entry: dict[str, object] = {}
    entry |= {"ids": [scope.rule], "path": scope.pattern} if scope else _selectors(chosen)
    entry |= {"state": wish.state.value, "reason": wish.reason, "owner": wish.owner}
    entry["expires"] = wish.expires
    return entry | ({"until_fixed": True} if wish.until_fixed else {})


def _selectors(chosen: Sequence[Finding]) -> dict[str, object]:
    first = chosen[0]
    entry: dict[str, object] = {}
    if first.advisory:
        entry["ids"] = [first.advisory.id, *sorted(first.advisory.ids - {first.advisory.id})]
    if first.package:
        entry["purl"] = purl_without_version(first.package.purl)
    if first.advisory:
        try:
            present = [Version(finding.package.version) for finding in chosen if finding.package]
        except ValueError:
            present = []
        if present:
            # PEP 440 allows no local part (+cpu) after <=, and ignores it in comparisons.
            entry["versions"] = f"<={max(present).public}"
    else:
        paths = set(paths_of(first))
        if len(paths) == 1 and first.package is None:
            entry["path"] = _GLOB.sub(r"\\\1", paths.pop())
        entry["fingerprint"] = f"{VERSION}:{first.fingerprint}"
    return entry


def check_wish(wish: Wish, today: date, max_days: int) -> None:
    """Raise UsageError for a waiver without owner or reason, or with a day out of range."""
    for name, value in (("owner", wish.owner), ("reason", wish.reason)):
        if not value.strip():
            raise UsageError(f"--{name} is missing", "A waiver needs an owner and a reason.")
        if printable(value) != value:
            raise UsageError(f"--{name} contains control characters", "Use plain text.")
    left = (wish.expires - today).days
    if left < 0:
        message = f"--expires {wish.expires} is in the past: today is {today} (UTC)"
        raise UsageError(message, "Use today or a later day.")
    if left > max_days:
        far = f"{left} days away, but the policy allows at most {max_days}"
        message = f"--expires {wish.expires} is {far}"
        raise UsageError(message, "Use an earlier day. You can renew the waiver later.")


def appended(raw: bytes | None, entry: Mapping[str, object]) -> str:
    """Return the text of the waiver file with one more entry at its end; None is no file.

    The rest of the file stays byte for byte, if its items are a block list. PolicyError if the file
    is not valid, or would not be.
    """
    before = read_waivers(PolicySource(WAIVERS, raw)) if raw is not None else ()
    text = _NEW + _lines(entry, 2) if raw is None else _inserted(raw.decode("utf-8"), entry)
    after = read_waivers(PolicySource(WAIVERS, text.encode("utf-8")))
    # The place of a waiver may have moved.
    if [replace(one, place="") for one in after[:-1]] != [replace(one, place="") for one in before]:
        message = f"{WAIVERS}: cannot add a waiver without changing the other entries"
        raise PolicyError(message, "Add the waiver by hand, or simplify the layout of the file.")
    return text


def _inserted(text: str, entry: Mapping[str, object]) -> str:
    """Return the text with the entry after the last one. Write all anew if it is no block list."""
    root = _yaml().compose(text)
    pairs = root.value if isinstance(root, MappingNode) else ()
    items = next((value for key, value in pairs if key.value == "items"), None)
    if isinstance(items, SequenceNode) and not items.flow_style and items.value:
        newline = "\r\n" if "\r\n" in text else "\n"
        lines = text.splitlines(keepends=True)
        at = _end(items.value[-1])
        head, tail = "".join(lines[:at]), "".join(lines[at:])
        head += "" if head.endswith("\n") else newline
        return head + _lines(entry, items.start_mark.column).replace("\n", newline) + tail
    yaml = _yaml()
    document = yaml.load(text)
    if not document.get("items"):
        document["items"] = CommentedSeq()
    document["items"].append(_node(entry))
    document["items"].fa.set_block_style()
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()


def _end(node: Node) -> int:
    """Return the number of lines up to the end of a value, including a comment after it."""
    if isinstance(node, MappingNode | SequenceNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, MappingNode) else last)
    # A block of text ends where the next line begins.
    ends_before = isinstance(node, ScalarNode) and node.style in ("|", ">")
    return int(node.end_mark.line) + (0 if ends_before else 1)


def _lines(entry: Mapping[str, object], column: int) -> str:
    """Return the entry as an item of a list whose dashes are in this column, from 0."""
    stream = io.StringIO()
    yaml = _yaml()
    yaml.indent(mapping=2, sequence=2, offset=0)
    yaml.dump([_node(entry)], stream)
    lines = stream.getvalue().splitlines(keepends=True)
    return "".join(" " * column + line if line.strip() else line for line in lines)


def _node(entry: Mapping[str, object]) -> CommentedMap:
    node = CommentedMap(entry)
    for key, value in entry.items():
        if isinstance(value, list):
            node[key] = CommentedSeq(value)
            node[key].fa.set_flow_style()
    return node


def _yaml() -> YAML:
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes = True
    yaml.allow_unicode = True
    yaml.width = 1 << 20
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml
