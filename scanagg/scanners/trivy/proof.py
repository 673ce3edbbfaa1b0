"""The proof that Trivy examined an input. Each kind of proof was taken from the real program.

- A manifest: it is named in `Results` with its packages, vulnerable or not.
- Infrastructure as code: it is named in `Results`, clean or not. A Terraform file that is clean is
  not: its folder is, as the root of a module, or it belongs to another's and the search for secrets
  has read it. In neither case may stderr say that it could not be parsed. A Helm chart is proven by
  any of its templates.
- Any other text file: only files with secrets are named. So Trivy is given one more rule, for the
  first character of every file: its hits prove the reading, and are no findings.
- An image: a list of packages, of its system or of a language.

That Trivy listed a manifest does not mean that it listed all of it: a notice tells what else our
own inventory knows of.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from scanagg.core.text import one_line, shorten
from scanagg.model import NotExamined, Reason
from scanagg.scanners.trivy.results import TrivyReport
from scanagg.scanners.trivy.tree import Kind, Tree

_PARSE_ERROR: Final = re.compile(
    r'(?:file_path="(?P<path>(?:[^"\\]|\\.)+)"[^\n]*? )?err="(?P<error>(?:[^"\\\n]|\\.)*)"'
)
_NAMED: Final = re.compile(r"failed to parse (\S+): ")
_REASON_WIDTH: Final = 200
_NAMES_SHOWN: Final = 5
# Trivy takes these for the system's own, also below a folder that is no system's root.
_SYSTEM: Final = ("dev", "proc", "sys")
_MISSED: Final = {
    Kind.MANIFEST: Reason("no-package-listed"),
    Kind.CONFIG: Reason("nothing-to-check"),
    Kind.TEXT: Reason("unmentioned"),
    None: Reason("unmentioned"),
}


class ScanEvidence(msgspec.Struct, frozen=True):
    """The evidence of one scan: packages by manifest, checked configuration, files read, errors.

    Names are ours, but those of folders, which only `checked` holds.
    """

    packages: Mapping[str, frozenset[str]]
    checked: frozenset[str]
    read: frozenset[str]
    complaints: Mapping[str, str]


def gather(document: TrivyReport, paths: Mapping[str, str], stderr: str) -> ScanEvidence:
    """Gather the evidence in a report and in stderr; `paths` as for `results.read`."""
    packages: dict[str, set[str]] = {}
    named: dict[str, set[str]] = {}
    for result in document.all_results():
        path = paths.get(result.target, result.target)
        named.setdefault(result.class_ or "", set()).add(path)
        if result.class_ == "lang-pkgs":
            names = (canonicalize_name(package.name) for package in result.packages or ())
            packages.setdefault(path, set()).update(names)
    complaints = {}
    for match in _PARSE_ERROR.finditer(stderr):
        error = match["error"].replace('\\"', '"').replace("\\\\", "\\")
        inside = _NAMED.search(error)
        name = match["path"] or (inside[1] if inside else "")
        if name in paths:
            complaints[paths[name]] = shorten(one_line(error), _REASON_WIDTH)
    return ScanEvidence(
        packages={path: frozenset(names) for path, names in packages.items()},
        checked=frozenset(named.get("config", ())),
        read=frozenset(named.get("secret", ())),
        complaints=complaints,
    )


def examined(tree: Tree, path: str, evidence: ScanEvidence) -> bool:
    """Return whether the evidence shows that Trivy did with the file what it is there for."""
    match tree.kind(path):
        case Kind.MANIFEST:
            return path in evidence.packages
        case Kind.CONFIG:
            return _checked(path, evidence)
        case _:
            return path in evidence.read or path in evidence.checked


def missed(tree: Tree, path: str, evidence: ScanEvidence) -> NotExamined:
    """Return a file without evidence, with the reason as far as Trivy gives one."""
    if path.partition("/")[0] in _SYSTEM:
        return NotExamined(path, Reason("system-folder", {"folders": _SYSTEM}))
    if path in evidence.complaints:
        return NotExamined(path, Reason("parse-error", {"error": evidence.complaints[path]}))
    return NotExamined(path, _MISSED[tree.kind(path)])


def partly(tree: Tree, paths: Iterable[str], evidence: ScanEvidence) -> Iterator[Reason]:
    """Return a notice for each manifest of which Trivy lists less than our own reader found."""
    for path in paths:
        declared = tree.names_in(path)
        left = sorted(declared - evidence.packages.get(path, declared))
        if left:
            names = (*left[:_NAMES_SHOWN], *(("…",) if len(left) > _NAMES_SHOWN else ()))
            yield Reason(
                "partly-read",
                {
                    "path": path,
                    "read": len(declared) - len(left),
                    "total": len(declared),
                    "names": names,
                },
            )


def _checked(path: str, evidence: ScanEvidence) -> bool:
    if path in evidence.checked:
        return True
    pure = PurePosixPath(path)
    if pure.name == "Chart.yaml":
        templates = f"{pure.parent / 'templates'}/"
        return any(name.startswith(templates) for name in evidence.checked)
    if ".tf" not in pure.name and ".tofu" not in pure.name:
        return False
    named = str(pure.parent) in evidence.checked or path in evidence.read
    return named and path not in evidence.complaints
