"""A waiver for a finding, written into the waiver file as a person would have written it."""

import io
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

import msgspec
from packaging.version import InvalidVersion, Version
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from scanagg.core.errors import PolicyError, UsageError
from scanagg.core.text import one_line, printable
from scanagg.model import Category, Finding, Waiver, WaiverState, purl_without_version
from scanagg.policy.aspects import paths_of
from scanagg.policy.load import WAIVERS, Source, read_waivers
from scanagg.project.trusted import Files

LEAST: Final = 6
"""How many digits of an id it takes to mean a finding."""

_NEW: Final = """\
# Findings that are accepted for a time: whose word that is, why, and until when.
# `scanagg waivers` lists them with what they match.
version: 1
items:
"""
_SHOWN: Final = 10
# What .gitignore's patterns do not take as it is.
_GLOB: Final = re.compile(r"(^[!#]|[\\*?\[\]]| $)")
_BY_HAND: Final = "Write the entry by hand, or put the file in order first."


class Wish(msgspec.Struct, frozen=True):
    """What somebody wants waived, but for which finding. `expires` is the last day, UTC."""

    owner: str
    reason: str
    expires: date
    state: WaiverState = WaiverState.RISK_ACCEPTED
    until_fixed: bool = False


class Overlaid(msgspec.Struct, frozen=True):
    """Files of a project as they would be with other bytes at one path."""

    below: Files
    path: str
    raw: bytes

    @property
    def ref(self) -> str | None:
        """As below."""
        return self.below.ref

    def read(self, path: str) -> bytes | None:
        """The other bytes at their path, else what is below."""
        return self.raw if path == self.path else self.below.read(path)


def choose(
    findings: Sequence[Finding], name: str, package: str | None = None
) -> tuple[Finding, ...]:
    """The findings that a name means: an id, its beginning, or any id of a vulnerability.

    Several only where they are one vulnerability in versions of one package; `package` is a name
    or purl to tell them by. UsageError with what there is where the name means none or several.
    """
    shown = one_line(name)
    advised = [
        one
        for one in findings
        if one.advisory and name.lower() in {each.lower() for each in one.advisory.ids}
    ]
    if advised:
        return _of_one_package(advised, shown, package)
    if not re.fullmatch(r"[0-9a-fA-F]{6,64}", name):
        hint = f"Give an advisory's id, or {LEAST} digits or more of the id that reports show."
        raise UsageError(f"no finding is called {shown}", hint)
    called = [one for one in findings if one.fingerprint.startswith(name.lower())]
    if not called:
        hint = "The report may be old: run scanagg check again."
        raise UsageError(f"no finding of the report has an id that begins with {shown}", hint)
    if len(called) > 1:
        said = "\n".join((f"{len(called)} findings begin with {shown}:", *_listed(called)))
        raise UsageError(said, "Give more digits.")
    return tuple(called)


def entry_for(chosen: Sequence[Finding], wish: Wish) -> Mapping[str, object]:
    """The entry that waives these findings, key by key in the order of a file.

    A vulnerability is waived up to the version that is there, so that an upgrade asks anew; code,
    secrets and misconfigurations by fingerprint, with the path for people. UsageError for a wish
    that could have no effect.
    """
    first = chosen[0]
    _refuse_vain(chosen, wish)
    entry: dict[str, object] = {}
    if first.advisory:
        entry["ids"] = [first.advisory.id, *sorted(first.advisory.ids - {first.advisory.id})]
    if first.package:
        entry["purl"] = purl_without_version(first.package.purl)
    if first.advisory:
        versions = _versions(chosen)
        entry |= {"versions": versions} if versions else {}
    else:
        paths = sorted(set(paths_of(first))) if first.package is None else []
        entry |= {"path": _GLOB.sub(r"\\\1", paths[0])} if len(paths) == 1 else {}
        entry["fingerprint"] = f"v1:{first.fingerprint}"
    entry |= {"state": wish.state.value, "reason": wish.reason, "owner": wish.owner}
    entry["expires"] = wish.expires
    return entry | ({"until_fixed": True} if wish.until_fixed else {})


def check_wish(wish: Wish, today: date, max_days: int) -> None:
    """UsageError for a wish without owner or reason, or with a day that the policy refuses."""
    for name, value in (("owner", wish.owner), ("reason", wish.reason)):
        if not value.strip():
            raise UsageError(f"--{name} is empty", "A waiver needs somebody who answers for it.")
        if printable(value) != value:
            raise UsageError(f"--{name} holds control characters", "Write plain text.")
    left = (wish.expires - today).days
    if left < 0:
        message = f"--expires {wish.expires} is past: today is {today} (UTC)"
        raise UsageError(message, "Give a day to come, such as 2027-02-01.")
    if left > max_days:
        message = f"--expires {wish.expires} is {left} days away, the policy allows {max_days}"
        raise UsageError(message, "Choose an earlier day; a waiver can be renewed.")


def appended(raw: bytes | None, entry: Mapping[str, object]) -> str:
    """The text of the waiver file with one more entry at its end; None for no file yet.

    What is there stays byte for byte wherever its items are a plain list. PolicyError where the
    file is not valid, or would not be.
    """
    before = read_waivers(Source(WAIVERS, raw)) if raw is not None else ()
    text = _NEW + _lines(entry, 2) if raw is None else _inserted(raw.decode("utf-8"), entry)
    after = read_waivers(Source(WAIVERS, text.encode("utf-8")))
    if [_what(one) for one in after[:-1]] != [_what(one) for one in before]:
        raise PolicyError(f"{WAIVERS}: the entry cannot be added without harm", _BY_HAND)
    return text


def _of_one_package(
    found: Sequence[Finding], shown: str, package: str | None
) -> tuple[Finding, ...]:
    purls: dict[str, list[Finding]] = {}
    for one in found:
        if one.package:
            purls.setdefault(purl_without_version(one.package.purl), []).append(one)
    names = [purl for purl in purls if package is None or _is_package(purl, package)]
    if not names:
        message = f"{shown} is in {', '.join(purls)}, not in {one_line(package or '')}"
        raise UsageError(message, "Give one of these with --package.")
    if len(names) > 1:
        message = f"{shown} is in {len(names)} packages: {', '.join(names)}"
        raise UsageError(message, "Say which one with --package.")
    return tuple(purls[names[0]])


def _is_package(purl: str, package: str) -> bool:
    bare = re.sub(r"[-_.]+", "-", package).lower()
    return package == purl or bare == purl.rpartition("/")[2].lower()


def _listed(findings: Sequence[Finding]) -> list[str]:
    lines = [f"  {one.id}  {one_line(one.title)}" for one in findings[:_SHOWN]]
    more = len(findings) - len(lines)
    return [*lines, f"  and {more} more"] if more else lines


def _refuse_vain(chosen: Sequence[Finding], wish: Wish) -> None:
    if not wish.until_fixed:
        return
    if any(one.category is not Category.VULNERABILITY for one in chosen):
        hint = "Leave it out: a day it must have anyway."
        raise UsageError("--until-fixed is for vulnerabilities", hint)
    fixed = sorted({each for one in chosen if one.advisory for each in one.advisory.fixed_versions})
    if fixed:
        message = f"--until-fixed: it is fixed already, in {', '.join(map(one_line, fixed))}"
        raise UsageError(message, "Upgrade, or leave --until-fixed out.")


def _versions(chosen: Sequence[Finding]) -> str | None:
    """Up to the highest version that is there; None where versions are not those of PEP 440."""
    try:
        present = [Version(one.package.version) for one in chosen if one.package]
    except InvalidVersion:
        return None
    # A local part (+cpu) may not stand behind <=, and makes no difference to it.
    return f"<={max(present).public}" if present else None


def _what(waiver: Waiver) -> tuple[object, ...]:
    """A waiver without its place, which may have moved."""
    return (
        *(waiver.ids, waiver.purl, waiver.versions, waiver.path, waiver.fingerprint),
        *(waiver.state, waiver.reason, waiver.owner, waiver.expires, waiver.until_fixed),
    )


def _inserted(text: str, entry: Mapping[str, object]) -> str:
    """The text with the entry behind the last one; laid out anew where its items are no list."""
    root = _yaml().compose(text)
    items = _items(root) if isinstance(root, MappingNode) else None
    if not isinstance(items, SequenceNode) or items.flow_style or not items.value:
        return _laid_out_anew(text, entry)
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.splitlines(keepends=True)
    at = _end(items.value[-1])
    head, tail = "".join(lines[:at]), "".join(lines[at:])
    head += "" if head.endswith("\n") else newline
    return head + _lines(entry, items.start_mark.column).replace("\n", newline) + tail


def _items(root: MappingNode) -> Node | None:
    return next((value for key, value in root.value if key.value == "items"), None)


def _end(node: Node) -> int:
    """The number of lines up to the end of a value, and of the comment behind it."""
    if isinstance(node, MappingNode | SequenceNode) and node.value and not node.flow_style:
        last = node.value[-1]
        return _end(last[1] if isinstance(node, MappingNode) else last)
    # A block of text ends where the next line begins.
    ends_before = isinstance(node, ScalarNode) and node.style in ("|", ">")
    return int(node.end_mark.line) + (0 if ends_before else 1)


def _laid_out_anew(text: str, entry: Mapping[str, object]) -> str:
    yaml = _yaml()
    said = yaml.load(text)
    items = said.get("items")
    if not items:
        items = said["items"] = CommentedSeq()
    items.append(_node(entry))
    if isinstance(items, CommentedSeq):
        items.fa.set_block_style()
    stream = io.StringIO()
    yaml.dump(said, stream)
    return stream.getvalue()


def _lines(entry: Mapping[str, object], column: int) -> str:
    """The entry as an item of a list whose dashes stand in this column, from 0."""
    stream = io.StringIO()
    yaml = _yaml()
    yaml.indent(mapping=2, sequence=2, offset=0)
    yaml.dump([_node(entry)], stream)
    lines = stream.getvalue().splitlines(keepends=True)
    return "".join(" " * column + line if line.strip() else line for line in lines)


def _node(entry: Mapping[str, object]) -> CommentedMap:
    node = CommentedMap()
    for key, value in entry.items():
        node[key] = value
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
