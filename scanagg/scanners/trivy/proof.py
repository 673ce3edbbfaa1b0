"""The evidence that Trivy examined an input. Each kind was observed in the real program.

- Manifest: `Results` names it with its packages, vulnerable or not.
- Infrastructure as code: `Results` names it, with or without findings. For a Terraform file without
  findings, `Results` names its folder, or the search for secrets read the file, and stderr has no
  parse error for it. For a Helm chart, `Results` names one of its templates.
- Other text file: Trivy names only files with secrets. So it gets one more rule, which matches the
  first character of every file. Its hits are evidence, not findings.
- Image: `Results` has packages of its system or of a language.

Trivy may list only some packages of a manifest. A notice names the others in the inventory.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Final

import msgspec
from packaging.utils import canonicalize_name

from scanagg.core.text import one_line, shorten
from scanagg.model import NotExamined, Reason
from scanagg.scanners import base
from scanagg.scanners.trivy.results import TrivyReport
from scanagg.scanners.trivy.tree import Kind, Tree

_PARSE_ERROR: Final = re.compile(
    r'(?:file_path="(?P<path>(?:[^"\\]|\\.)+)"[^\n]*? )?err="(?P<error>(?:[^"\\\n]|\\.)*)"'
)
_NAMED: Final = re.compile(r"failed to parse (\S+): ")
_REASON_WIDTH: Final = 200
# Trivy always skips these folders at the top, as if they were those of a system.
_SYSTEM: Final = ("dev", "proc", "sys")
_MISSED: Final = {
    Kind.MANIFEST: Reason("no-package-listed"),
    Kind.CONFIG: Reason("nothing-to-check"),
    Kind.TEXT: Reason("unmentioned"),
    Kind.DECODED: Reason("unmentioned"),
    None: Reason("unmentioned"),
}


class ScanEvidence(msgspec.Struct, frozen=True):
    """The evidence of one scan: packages by manifest, checked and read files, and parse errors.

    Files have their names in the target. `checked` also has Trivy's names of folders.
    """

    packages: Mapping[str, set[str]]
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
        name = match["path"] or next(iter(_NAMED.findall(error)), "")
        if name in paths:
            complaints[paths[name]] = shorten(one_line(error), _REASON_WIDTH)
    return ScanEvidence(
        packages=packages,
        checked=frozenset(named.get("config", ())),
        read=frozenset(named.get("secret", ())),
        complaints=complaints,
    )


def examined(tree: Tree, path: str, evidence: ScanEvidence) -> bool:
    """Return True if the evidence shows that Trivy examined the file."""
    match tree.kind(path):
        case Kind.MANIFEST:
            return path in evidence.packages
        case Kind.CONFIG:
            pure = PurePosixPath(path)
            if path in evidence.checked:
                return True
            if pure.name == "Chart.yaml":
                templates = f"{pure.parent / 'templates'}/"
                return any(name.startswith(templates) for name in evidence.checked)
            named = str(pure.parent) in evidence.checked or path in evidence.read
            is_terraform = ".tf" in pure.name or ".tofu" in pure.name
            return is_terraform and named and path not in evidence.complaints
        case _:
            return path in evidence.read or path in evidence.checked


def missed(tree: Tree, path: str, evidence: ScanEvidence) -> NotExamined:
    """Return a file without evidence, with Trivy's reason if it has one."""
    if path.partition("/")[0] in _SYSTEM:
        return NotExamined(path, Reason("system-folder", {"folders": _SYSTEM}))
    if path in evidence.complaints:
        return NotExamined(path, Reason("parse-error", {"error": evidence.complaints[path]}))
    return NotExamined(path, _MISSED[tree.kind(path)])


def partly(tree: Tree, paths: Iterable[str], evidence: ScanEvidence) -> Iterator[Reason]:
    """Return a notice for each manifest of which Trivy lists less than the inventory."""
    for path in paths:
        declared = tree.names_in(path)
        left = sorted(declared - evidence.packages.get(path, declared))
        if left:
            yield Reason(
                "partly-read",
                {
                    "path": path,
                    "read": len(declared) - len(left),
                    "total": len(declared),
                    "names": base.examples(left),
                },
            )
