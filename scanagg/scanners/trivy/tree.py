"""The tree that Trivy scans: the files that it reads, and those that it must skip."""

import enum
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from scanagg.core.files import open_file
from scanagg.model import Inventory, NotExamined, Reason, SourceFile, Target
from scanagg.project import kinds
from scanagg.project.sources import Sources

SEEN: Final = "scanagg-read"
"""The rule of scanagg that shows which files Trivy's search for secrets read."""
IGNORE_FILE: Final = ".trivyignore"
"""The project's list of findings that Trivy must not report."""

# Manifests with exact versions that Trivy 0.76 names in its results; each was tried. Files that are
# missing here are not inputs, but their findings count.
_PYTHON: Final = re.compile(
    r"requirements\.txt|Pipfile\.lock|(?:poetry|uv)\.lock|pylock\.(?:[^.]+\.)?toml"
)
OTHERS: Final = frozenset(
    (
        *("npm-lock", "yarn-lock", "pnpm-lock", "go-mod", "cargo-lock", "gem-lock", "maven"),
        *("composer-lock", "gradle-lock", "nuget-lock", "nuget-config", "pub-lock", "mix-lock"),
        *("conan-lock", "pod-lock", "swift-lock"),
    )
)
"""The kinds of other languages' manifests among them."""
# Files that Trivy does not search for secrets (its defaults for skip-patterns and allow-rules):
# tests, examples, documentation, vendored and generated files, lock files.
_NO_SECRETS: Final = re.compile(
    r"""^(?i:test) | (?i:[/_.-]test) | example | /(?:vendor|locales?)/ | \.dist-info/ | \.md$
    | ^usr/(?:share|include|lib)/ | ^usr/local/(?:go|lib/python[\d.]+)/ | ^usr/src/wordpress/
    | ^opt/yarn-v[\d.]+/ | ^var/log/anaconda/ | (?:^|/)node_modules/
    | (?:^|/)(?:go\.mod|go\.sum|package-lock\.json|yarn\.lock|pnpm-lock\.yaml)$
    | (?:^|/)(?:Pipfile|Gemfile)\.lock$
    | \.(?:jpg|png|gif|doc|pdf|bin|svg|socket|deb|rpm|zip|gz|gzip|tar)$""",
    re.VERBOSE,
)
_LEAST_BYTES: Final = 10
# For Trivy, a file is binary if its first 300 bytes have a control character.
_HEAD_BYTES: Final = 300
_CONTROLS: Final = r"[\x00-\x06\x0b\x0e-\x1a\x1c-\x1f\x7f]"
_BINARY: Final = re.compile(_CONTROLS.encode())
_CONTROL: Final = re.compile(_CONTROLS)

_DOCKER: Final = re.compile(r"(?:Docker|Container)file(?:\.[^.]*)?|.*\.(?i:docker|container)file")
_TERRAFORM: Final = re.compile(r".*\.(?:tf|tofu)(?:\.json)?")
_SNIFFED_BYTES: Final = 1 << 20
# Kubernetes and CloudFormation: each of these is somewhere in the file. One expression for all
# would take hours for a file that repeats the first of them.
_YAML: Final = (
    (rb"^apiVersion *:", rb"^kind *:", rb"^metadata *:"),
    (rb"^Resources *:\s*$", rb"^ +Type *: *[\"']?AWS::"),
)
_JSON: Final = (
    (rb"\A\s*\{", rb'"apiVersion" *:', rb'"kind" *:', rb'"metadata" *:'),
    (rb"\A\s*\{", rb'"Resources" *:\s*\{', rb'"Type" *: *"AWS::'),
)
_INLINE: Final = re.compile(rb"(?:#|//)\s*(?:trivy|tfsec):ignore:")
_IGNORE_FILES: Final = {
    IGNORE_FILE: re.compile(rb"(?m)^[ \t]*[^\s#]"),
    ".trivyignore.yaml": re.compile(rb"(?m)^[ \t]*-[ \t]*id[ \t]*:"),
}
_UNDECODED: Final = re.compile("[\udc80-\udcff]")
_GLOB: Final = re.compile(r"[\\*?\[\]{}]")


class Kind(enum.Enum):
    """The kinds of files that Trivy examines. A file is of the first kind that fits.

    Decoded files are text that is binary for Trivy. It searches a copy in UTF-8 for secrets.
    """

    MANIFEST = "manifest"
    CONFIG = "config"
    TEXT = "text"
    DECODED = "decoded"


class Tree:
    """The files of a target, by what Trivy examines them as."""

    def __init__(self, target: Target, inventory: Inventory, sources: Sources) -> None:
        """Use only names; content is read later.

        `names` maps the names in Trivy's JSON, where each byte that is not UTF-8 is replaced, to
        paths of the target.
        """
        self.root = target.root
        self._sources = sources
        self.files: Mapping[str, SourceFile] = {file.path: file for file in target.files}
        self.names: Mapping[str, str] = {
            _UNDECODED.sub("\ufffd", str(file.real.relative_to(target.root))): file.path
            for file in target.files
        }
        # The dependencies in each manifest by name and version; no version if not pinned.
        self.declared: dict[str, set[tuple[str, str]]] = {}
        for package in inventory.packages:
            for place in package.places:
                self.declared.setdefault(place.path, set()).add((package.name, package.version))
        for requirement in inventory.unpinned:
            self.declared.setdefault(requirement.place.path, set()).add((requirement.name, ""))
        # Trivy reads such lists if its configuration names them.
        self._lists = {
            path
            for path in self.declared
            if path.endswith(".txt")
            or (path in self.files and kinds.is_list(sources.natures[path].kinds))
        }
        self._of_tools = {
            (package.name, package.version)
            for package in inventory.packages
            if package.purl in inventory.of_tools
        }
        self._kinds: dict[str, Kind | None] = {}
        self._known = frozenset(inventory.manifests)
        self._problems = {problem.input.partition(":")[0] for problem in inventory.problems}
        self._charts = {
            str(PurePosixPath(path).parent / "templates")
            for path in self.files
            if PurePosixPath(path).name == "Chart.yaml"
        }

    def kind(self, path: str) -> Kind | None:
        """Return what Trivy examines a file of the target as; None for nothing."""
        if path not in self._kinds:
            file = self.files[path]
            kind = None
            if self.is_manifest(path):
                kind = Kind.MANIFEST
            elif self._is_config(file):
                kind = Kind.CONFIG
            elif not _NO_SECRETS.search(path):
                kind = self._text_kind(file)
            self._kinds[path] = kind
        return self._kinds[path]

    def _text_kind(self, file: SourceFile) -> Kind | None:
        """Return the kind of a file that is no manifest and no configuration."""
        if file.size < _LEAST_BYTES:
            return None
        # An unreadable file counts as text.
        if not _BINARY.search(_head(file, _HEAD_BYTES)):
            return Kind.TEXT
        is_text = self._sources.natures[file.path].encoding is not None
        return Kind.DECODED if is_text and len(self.decoded(file.path)) >= _LEAST_BYTES else None

    def decoded(self, path: str) -> str:
        """Return the text of a file, without what makes it binary for Trivy."""
        return _CONTROL.sub(" ", self._sources.file(path).text)

    def inputs(self) -> Iterator[tuple[str, Kind]]:
        """Return every file that has a kind, with its kind."""
        kinds = ((path, self.kind(path)) for path in self.files)
        return ((path, kind) for path, kind in kinds if kind)

    def has_more_than_manifests(self) -> bool:
        """Return True if Trivy reads any input of another kind in the tree."""
        return any(kind not in (Kind.MANIFEST, Kind.DECODED) for _, kind in self.inputs())

    def is_manifest(self, path: str) -> bool:
        """Return True if Trivy reads packages from the file, given `configuration`.

        A Python manifest without packages or problems in the inventory is not one: Trivy leaves it
        out too.
        """
        name = PurePosixPath(path).name
        if _PYTHON.fullmatch(name):
            empty = path in self._known and path not in self.declared
            return not empty or path in self._problems
        of_others = any(kind.id in OTHERS for kind in kinds.named(path))
        return of_others or path in self._lists

    def unread_manifests(self) -> Iterator[NotExamined]:
        """Return manifests with dependencies that are in no manifest that Trivy reads.

        The one with most dependencies comes first. The same dependencies elsewhere don't count
        again: a lock stands for the manifests that it locks. Those of tools never count, because
        Trivy reads no configuration of tools.
        """
        unread = [path for path in self.declared if not self.is_manifest(path)]
        reads = self.declared.keys() - set(unread)
        pins = self._of_tools.union(*(self.declared[path] for path in reads))
        for path in sorted(unread, key=lambda path: (-len(self.declared[path]), path)):
            names = {name for name, _ in pins}
            alone = {
                (name, version)
                for name, version in self.declared[path] - pins
                if version or name not in names
            }
            pins |= alone
            if alone:
                yield NotExamined(path, Reason("manifest-not-read", {"number": len(alone)}))

    def names_in(self, path: str) -> frozenset[str]:
        """Return the names of the dependencies of a manifest in the inventory."""
        return frozenset(name for name, _ in self.declared.get(path, ()))

    def left_out_of_secrets(self) -> int:
        """Return the number of text files that Trivy does not search for secrets."""
        files = (file for path, file in self.files.items() if _NO_SECRETS.search(path))
        return sum(self._text_kind(file) is not None for file in files)

    def hidden(self) -> Mapping[str, int]:
        """Count the entries and comments by which the project hides findings from Trivy."""
        entries = {
            name: len(entry.findall(_head(self.files[name], _SNIFFED_BYTES)))
            for name, entry in _IGNORE_FILES.items()
            if name in self.files
        }
        comments = sum(
            len(_INLINE.findall(_head(self.files[path], _SNIFFED_BYTES)))
            for path, kind in self.inputs()
            if kind is Kind.CONFIG
        )
        return {**entries, **+Counter({"trivy:ignore": comments})}

    def ignore_file(self) -> str:
        """Return the `.trivyignore`, without lines that would hide the evidence of reading."""
        file = self.files.get(IGNORE_FILE)
        text = _head(file, _SNIFFED_BYTES).decode("utf-8", "surrogateescape") if file else ""
        lines = (line for line in text.splitlines() if SEEN not in line)
        return "".join(f"{line}\n" for line in lines if line.strip())

    def configuration(self) -> str:
        """Return Trivy's configuration for this tree, as JSON, which is YAML too.

        Trivy walks the tree itself, including ignored folders. So the configuration skips every
        folder without files of the target, and every other file. It also names requirements files,
        because Trivy knows only `requirements.txt`.
        """
        folders, files = self._outside()
        patterns = sorted(
            f"pip:^{re.escape(path)}$"
            for path in self._lists
            if not _PYTHON.fullmatch(PurePosixPath(path).name)
        )
        scan = {"skip-dirs": folders, "skip-files": files, "file-patterns": patterns}
        return json.dumps({"scan": scan}, ensure_ascii=False)

    def _is_config(self, file: SourceFile) -> bool:
        """Return True for infrastructure as code, by name; YAML and JSON by their content.

        The templates of a Helm chart are not inputs; its `Chart.yaml` is.
        """
        path = PurePosixPath(file.path)
        if _DOCKER.fullmatch(path.name) or _TERRAFORM.fullmatch(path.name):
            return True
        if path.name == "Chart.yaml":
            return any(name.startswith(f"{path.parent / 'templates'}/") for name in self.files)
        patterns = {".yaml": _YAML, ".yml": _YAML, ".json": _JSON}.get(path.suffix.lower(), ())
        if not patterns or any(str(parent) in self._charts for parent in path.parents):
            return False
        text = _head(file, _SNIFFED_BYTES)
        return any(
            all(re.search(pattern, text, re.MULTILINE) for pattern in kind) for kind in patterns
        )

    def _outside(self) -> tuple[list[str], list[str]]:
        """Return patterns for the folders and files on disk that are not in the target."""
        inside = {file.real for file in self.files.values()}
        above = {self.root}.union(*(path.parents for path in inside))
        folders, files = [], []
        for folder in sorted(path for path in above if path.is_relative_to(self.root)):
            try:
                with os.scandir(folder) as iterator:
                    entries = sorted(iterator, key=lambda entry: entry.name)
            except OSError:  # gone or unreadable: Trivy skips it too
                continue
            for entry in entries:
                path = Path(entry.path)
                if path in above or path in inside:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(_pattern(path))
                elif entry.is_file(follow_symlinks=False):
                    files.append(_pattern(path))
        return folders, files


def _pattern(path: Path) -> str:
    """Return a pattern of Trivy for this path, with "?" for characters that YAML cannot hold."""
    escaped = _GLOB.sub(r"\\\g<0>", str(path))
    return "".join(char if char.isprintable() else "?" for char in escaped)


def _head(file: SourceFile, size: int) -> bytes:
    try:
        with open_file(file.real) as stream:
            return stream.read(size)
    except OSError:
        return b""
