"""The kinds of files that something should read: manifests, lock files, and Python code.

This is the only list of them. `by_inventory` says that the inventory reads a kind; a scanner says
what it reads in `ScannerInfo.reads`. A file of a kind that nobody reads is a gap.

The kinds are those that Dependabot, OSV-Scanner, Renovate, Syft and Trivy recognise for Python, the
main manifests of other ecosystems, and Python code.
"""

import os
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import BinaryIO, Final

import msgspec

from scanagg.core.files import MAX_BYTES, open_file
from scanagg.model import Category, Reason, SourceFile
from scanagg.project import requirement_lines
from scanagg.project.python_code import INLINE_METADATA, NAMES, STARTUP_SUFFIX, SUFFIXES, is_script

PYPI: Final = "PyPI"
_HEAD_BYTES: Final = 64 * 1024
# The record at the end of a zip, with the longest comment.
_ZIP_END: Final = b"PK\x05\x06"
_ZIP_END_BYTES: Final = 22 + 0xFFFF


class FileKind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of file, such as the locks of Poetry.

    A file is of this kind if its name is one of `names`, or if its name ends in one of `suffixes`,
    in any case, and its path matches `pattern` (in full). Without `suffixes`, any file may match
    the pattern unless its name ends in one of `no_suffixes`. `content` is true for its content.
    `title` names files of the kind in reports.

    `ecosystem` is that of its packages. `category` is the category of findings that it can have;
    None if nothing has to read it. A `lock` stands for the manifests of its ecosystem in its
    folder, and in those of its workspace.
    """

    id: str
    title: str
    ecosystem: str = PYPI
    names: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    no_suffixes: frozenset[str] = frozenset()
    pattern: str | None = None
    content: Callable[[bytes], bool] | None = None
    category: Category | None = Category.VULNERABILITY
    lock: bool = False
    by_inventory: bool = False

    def fits(self, path: str) -> bool:
        """Return True if the pattern matches, for a path with one of the suffixes."""
        return self.pattern is None or _compiled(self.pattern).fullmatch(path) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


@cache
def _compiled_bytes(pattern: str) -> re.Pattern[bytes]:
    return re.compile(pattern.encode(), re.MULTILINE)


def _suffix(path: str) -> str:
    """Return the end of the name with its dot, in lower case; empty if it has none."""
    _, dot, suffix = posixpath.basename(path).rpartition(".")
    return dot + suffix.lower()


def _has(*patterns: str) -> Callable[[bytes], bool]:
    """Return the `content` of a kind that has a match of each pattern anywhere."""
    return lambda content: all(_compiled_bytes(one).search(content) for one in patterns)


# Lists of requirements.

FOLDERS: Final = ("requirements", "reqs")
"""The names of folders in which every text file lists requirements."""

_IN_FOLDER: Final = rf"(?:.*/)?(?:{'|'.join(FOLDERS)})/[^/]+"
# Constraints count only if a manifest includes them.
_CONSTRAINTS: Final = r"(?:.*/)?[^/]*constraint[^/]*"
_PROSE: Final = r"(?:.*/)?(?:readme|licen[cs]e|notice|change|authors)[^/]*"
# Formats that are never a list of requirements, and those that only mention some.
_BINARY: Final = frozenset(
    (
        *(".png", ".jpg", ".jpeg", ".gif", ".bmp", ".ico", ".webp", ".tif", ".tiff", ".psd"),
        *(".pdf", ".doc", ".docx", ".xls", ".xlsx", ".ppt", ".pptx", ".odt", ".ods", ".otf"),
        *(".ttf", ".woff", ".woff2", ".eot", ".mp3", ".mp4", ".mov", ".avi", ".wav", ".ogg"),
        *(".flac", ".webm", ".zip", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".tar", ".7z"),
        *(".rar", ".jar", ".war", ".whl", ".egg", ".so", ".dll", ".dylib", ".exe", ".sqlite"),
        *(".sqlite3", ".pyc", ".pyo", ".a", ".o", ".class", ".wasm", ".npy", ".npz", ".pkl"),
        *(".parquet", ".h5", ".hdf5", ".onnx", ".pt", ".pth", ".mo"),
    )
)
_NO_TEXT: Final = _BINARY.union(
    (
        *(".md", ".mdx", ".rst", ".adoc", ".asciidoc", ".tex", ".bib", ".org", ".po", ".pot"),
        *(".csv", ".tsv", ".json", ".json5", ".jsonl", ".htm", ".html", ".xhtm", ".xhtml"),
        *(".xml", ".yml", ".yaml", ".toml", ".svg", ".sql", ".css", ".js", ".ts", ".sh"),
        *(".bash", ".zsh", ".bat", ".ps1", ".rb", ".go", ".rs", ".c", ".h", ".cc", ".cpp"),
        *(".java", ".diff", ".patch"),
    )
)

_SCRIPT_BLOCK: Final = _has(INLINE_METADATA)
_TABLE_OF_DEPENDENCIES: Final = r'"(?:dev|peer|optional)?[dD]ependencies"\s*:\s*\{\s*"'

REQUIREMENTS: Final = FileKind(
    id="requirements",
    title="requirements files",
    suffixes=(".txt", ".in"),
    pattern=(
        rf"(?i:(?!{_PROSE}\Z|{_CONSTRAINTS}\Z)"
        rf"(?:{_IN_FOLDER}|(?:.*/)?(?:[^/]*[-_.])?requirements[^/]*)\.(?:txt|in))"
    ),
    by_inventory=True,
)

_PYTHON: Final = (
    FileKind(id="pyproject", title="pyproject.toml", names=("pyproject.toml",), by_inventory=True),
    FileKind(id="setup-cfg", title="setup.cfg", names=("setup.cfg",), by_inventory=True),
    FileKind(id="pipfile", title="Pipfile", names=("Pipfile",), by_inventory=True),
    FileKind(id="setup-py", title="setup.py", names=("setup.py",), by_inventory=True),
    REQUIREMENTS,
    FileKind(
        id="uv-lock",
        title="uv.lock",
        names=("uv.lock",),
        suffixes=(".lock",),
        pattern=r".*\.py\.lock",
        lock=True,
        by_inventory=True,
    ),
    FileKind(
        id="poetry-lock", title="poetry.lock", names=("poetry.lock",), lock=True, by_inventory=True
    ),
    FileKind(id="pdm-lock", title="pdm.lock", names=("pdm.lock",), lock=True, by_inventory=True),
    FileKind(
        id="pipfile-lock",
        title="Pipfile.lock",
        names=("Pipfile.lock",),
        lock=True,
        by_inventory=True,
    ),
    FileKind(
        id="pylock",
        title="pylock.toml",
        suffixes=(".toml",),
        pattern=r"(?:.*/)?pylock(?:\.[^./]+)?\.toml",
        lock=True,
        by_inventory=True,
    ),
    FileKind(id="uv-settings", title="uv.toml", names=("uv.toml",), by_inventory=True),
    FileKind(id="hatch", title="hatch environments", names=("hatch.toml",), by_inventory=True),
    FileKind(id="tox", title="tox environments", names=("tox.ini", "tox.toml"), by_inventory=True),
    FileKind(
        id="tox-elsewhere",
        title="tox environments",
        names=("pyproject.toml", "setup.cfg"),
        content=_has(r"^\[(?:tool\.tox\b|tox:tox\])"),
        by_inventory=True,
    ),
    FileKind(
        id="pre-commit",
        title="pre-commit hooks",
        names=(".pre-commit-config.yaml", ".pre-commit-config.yml"),
        by_inventory=True,
    ),
    FileKind(
        id="script",
        title="scripts with inline metadata",
        suffixes=(".py", ".pyw"),
        content=_SCRIPT_BLOCK,
        by_inventory=True,
    ),
    FileKind(
        id="conda-environment",
        title="conda environments",
        ecosystem="conda",
        suffixes=(".yml", ".yaml"),
        pattern=r"(?i:(?:.*/)?[^/]*(?:env|conda)[^/]*\.ya?ml)",
        content=_has(r"^dependencies[ \t]*:"),
        by_inventory=True,
    ),
    FileKind(
        id="docker-pip",
        title="pip install in Dockerfiles",
        pattern=(
            r"(?i:(?:.*/)?(?:(?:Docker|Container)file(?:[._-][^/]*)?"
            r"|[^/]*\.(?:docker|container)file))"
        ),
        by_inventory=True,
    ),
    FileKind(
        id="notebook-pip",
        title="pip install in notebooks",
        suffixes=(".ipynb",),
        content=_has(r"[%!]|\\u00", r"\b(?:pip|uv|easy_install)|\\u00"),
        by_inventory=True,
    ),
    # Parts of other files, which their readers report.
    FileKind(id="build-requires", title="build requirements", by_inventory=True),
    FileKind(id="dynamic", title="dynamic dependencies"),
    # Nothing reads the rest.
    FileKind(
        id="conda-lock",
        title="conda locks",
        ecosystem="conda",
        names=("anaconda-project-lock.yml",),
        suffixes=(".yml", ".yaml", ".lock"),
        pattern=r"(?:.*/)?(?:[^/]*[-.])?conda-(?:lock\.ya?ml|[a-z0-9-]+\.lock)",
        lock=True,
    ),
    FileKind(
        id="conda-project",
        title="anaconda-project.yml",
        ecosystem="conda",
        names=("anaconda-project.yml", "anaconda-project.yaml"),
    ),
    FileKind(
        id="conda-recipe",
        title="conda recipes",
        ecosystem="conda",
        names=("meta.yaml", "recipe.yaml"),
        content=_has(r"^requirements[ \t]*:"),
    ),
    FileKind(id="pixi", title="pixi manifests", ecosystem="conda", names=("pixi.toml",)),
    FileKind(id="pixi-lock", title="pixi.lock", ecosystem="conda", names=("pixi.lock",), lock=True),
    FileKind(
        id="nox",
        title="noxfile.py",
        names=("noxfile.py",),
        content=_has(r"\.(?:conda_)?install\("),
    ),
    FileKind(
        id="buildout",
        title="buildout configurations",
        names=("buildout.cfg", "versions.cfg"),
        content=_has(r"^\[(?:buildout|versions)\]"),
    ),
    FileKind(
        id="pex-lock",
        title="locks of Pex and Pants",
        suffixes=(".lock", ".json"),
        pattern=r".*\.(?:lock|pex\.json|lock\.json)",
        content=_has(r'"(?:locked_resolves|pex_version)"\s*:'),
        lock=True,
    ),
    FileKind(
        id="egg-info",
        title="requires.txt",
        suffixes=(".txt",),
        pattern=r"(?:.*/)?[^/]+\.egg-info/requires\.txt",
    ),
)


def _other(kind: str, ecosystem: str, *names: str, title: str = "") -> FileKind:
    """Return a manifest of another ecosystem."""
    return FileKind(id=kind, title=title or names[0], ecosystem=ecosystem, names=names)


def _lock(kind: str, ecosystem: str, *names: str) -> FileKind:
    """Return a lock of another ecosystem."""
    return FileKind(id=kind, title=names[0], ecosystem=ecosystem, names=names, lock=True)


_OTHERS: Final = (
    _lock("npm-lock", "npm", "package-lock.json"),
    _lock("npm-shrinkwrap", "npm", "npm-shrinkwrap.json"),
    _lock("yarn-lock", "npm", "yarn.lock"),
    _lock("pnpm-lock", "npm", "pnpm-lock.yaml"),
    _lock("bun-lock", "npm", "bun.lock", "bun.lockb"),
    _lock("deno-lock", "npm", "deno.lock"),
    FileKind(
        id="package-json",
        title="package.json",
        ecosystem="npm",
        names=("package.json",),
        content=_has(_TABLE_OF_DEPENDENCIES),
    ),
    _lock("go-mod", "Go", "go.mod"),
    _lock("go-dep", "Go", "Gopkg.lock", "glide.lock"),
    _lock("cargo-lock", "crates.io", "Cargo.lock"),
    FileKind(
        id="cargo",
        title="Cargo.toml",
        ecosystem="crates.io",
        names=("Cargo.toml",),
        content=_has(r"^\[[^\]\n]*dependencies"),
    ),
    _lock("gem-lock", "RubyGems", "Gemfile.lock"),
    _lock("gems-locked", "RubyGems", "gems.locked"),
    _other("gemfile", "RubyGems", "Gemfile", "gems.rb"),
    _lock("composer-lock", "Packagist", "composer.lock"),
    FileKind(
        id="composer",
        title="composer.json",
        ecosystem="Packagist",
        names=("composer.json",),
        content=_has(r'"require(?:-dev)?"\s*:\s*\{\s*"'),
    ),
    _lock("maven", "Maven", "pom.xml"),
    FileKind(
        id="gradle-lock",
        title="gradle.lockfile",
        ecosystem="Maven",
        suffixes=(".lockfile",),
        pattern=r".*gradle\.lockfile",
        lock=True,
    ),
    FileKind(
        id="gradle",
        title="build.gradle",
        ecosystem="Maven",
        names=("build.gradle", "build.gradle.kts"),
        content=_has(r"\bdependencies\s*\{"),
    ),
    _other("gradle-catalog", "Maven", "libs.versions.toml"),
    FileKind(
        id="sbt-lock",
        title="build.sbt.lock",
        ecosystem="Maven",
        suffixes=(".lock",),
        pattern=r".*\.sbt\.lock",
        lock=True,
    ),
    FileKind(
        id="sbt",
        title="build.sbt",
        ecosystem="Maven",
        names=("build.sbt",),
        content=_has(r"\blibraryDependencies\b"),
    ),
    _lock("nuget-lock", "NuGet", "packages.lock.json"),
    _lock("nuget-config", "NuGet", "packages.config"),
    _lock("paket-lock", "NuGet", "paket.lock"),
    FileKind(
        id="nuget-project",
        title=".NET projects",
        ecosystem="NuGet",
        suffixes=(".csproj", ".fsproj", ".vbproj", ".props"),
        pattern=r"(?!.*\.props\Z).*|.*Packages\.props",
        content=_has(r"<Package(?:Reference|Version)\b"),
    ),
    _lock("pub-lock", "Pub", "pubspec.lock"),
    _other("pub", "Pub", "pubspec.yaml"),
    _lock("mix-lock", "Hex", "mix.lock"),
    _lock("rebar-lock", "Hex", "rebar.lock"),
    _other("mix", "Hex", "mix.exs"),
    _lock("conan-lock", "ConanCenter", "conan.lock"),
    _other("conan", "ConanCenter", "conanfile.txt", "conanfile.py"),
    FileKind(
        id="vcpkg",
        title="vcpkg.json",
        ecosystem="vcpkg",
        names=("vcpkg.json",),
        content=_has(r'"dependencies"\s*:'),
    ),
    _lock("swift-lock", "SwiftURL", "Package.resolved"),
    FileKind(
        id="swift",
        title="Package.swift",
        ecosystem="SwiftURL",
        names=("Package.swift",),
        content=_has(r"\.package\("),
    ),
    _lock("pod-lock", "CocoaPods", "Podfile.lock"),
    _other("pod", "CocoaPods", "Podfile"),
    _lock("carthage-lock", "Carthage", "Cartfile.resolved"),
    _lock("renv-lock", "CRAN", "renv.lock"),
    FileKind(
        id="r-package",
        title="DESCRIPTION",
        ecosystem="CRAN",
        names=("DESCRIPTION",),
        content=_has(r"^(?:Imports|LinkingTo):"),
    ),
    FileKind(
        id="julia-lock",
        title="Manifest.toml",
        ecosystem="Julia",
        names=("Manifest.toml", "JuliaManifest.toml"),
        content=_has(r"^(?:manifest_format|\[\[(?:deps\.)?\w+\]\])"),
        lock=True,
    ),
    FileKind(
        id="julia",
        title="Project.toml",
        ecosystem="Julia",
        names=("Project.toml", "JuliaProject.toml"),
        content=_has(r"^\[deps\]"),
    ),
    _lock("haskell-lock", "Hackage", "stack.yaml.lock", "cabal.project.freeze"),
    FileKind(
        id="cabal",
        title="Cabal packages",
        ecosystem="Hackage",
        suffixes=(".cabal",),
        content=_has(r"(?i)^[ \t]*build-depends:"),
    ),
    # Locks of tools: no scanner knows what they list, but their hashes are not secrets.
    FileKind(
        id="tool-lock",
        title="locks of other tools",
        ecosystem="",
        names=(
            *("go.sum", "flake.lock", ".terraform.lock.hcl", "Chart.lock", "MODULE.bazel.lock"),
            *("Brewfile.lock.json", "devbox.lock", "manifest.lock.json", "buf.lock", "dvc.lock"),
            *("mise.lock", "pdm.lock.json", "helmfile.lock", "package.lock"),
        ),
        category=None,
        lock=True,
    ),
)

_CODE: Final = (
    FileKind(
        id="python",
        title="Python code",
        names=NAMES,
        suffixes=(*SUFFIXES, STARTUP_SUFFIX),
        category=Category.CODE,
    ),
    FileKind(
        id="cython",
        title="Cython code",
        suffixes=(".pyx", ".pxd", ".pxi"),
        category=Category.CODE,
    ),
    FileKind(
        id="notebook", title="Jupyter notebooks", suffixes=(".ipynb",), category=Category.CODE
    ),
    FileKind(
        id="python-compiled",
        title="compiled Python code",
        suffixes=(".pyc", ".pyo", ".pyd"),
        category=Category.CODE,
    ),
    # Any library whose name is that of a module, with or without the tag of an interpreter.
    FileKind(
        id="python-extension",
        title="compiled Python code",
        suffixes=(".so",),
        pattern=r"(?:.*/)?[^\W\d]\w*(?:\.[\w-]+)?\.[sS][oO]",
        category=Category.CODE,
    ),
    FileKind(
        id="python-zipped",
        title="zipped Python code",
        suffixes=(".pyz", ".pyzw", ".pex", ".whl", ".egg"),
        category=Category.CODE,
    ),
)

NO_READER: Final = Reason("no-reader")
"""The reason for a file of a kind that is not read."""

UNREAD_CODE: Final = frozenset(
    ("cython", "python-compiled", "python-extension", "python-zipped", "python-zip")
)
"""The ids of the kinds of code that no scanner reads."""

_NAMED_LIST: Final = FileKind(
    id="requirements-named",
    title="requirements files",
    no_suffixes=_NO_TEXT,
    pattern=(
        rf"(?i:(?!{_PROSE}\Z|{_CONSTRAINTS}\Z)"
        rf"(?:{_IN_FOLDER}|(?:.*/)?(?:[^/]*requirements?|(?:[^/]*[-_.])?reqs?)(?![a-z])[^/]*))"
    ),
    content=requirement_lines.is_named_list,
    by_inventory=True,
)

_UNNAMED_LIST: Final = FileKind(
    id="requirements-list",
    title="lists of requirements",
    pattern=rf"(?i:(?!{_CONSTRAINTS}\Z).*)",
    content=requirement_lines.is_list,
    by_inventory=True,
)
_LISTS: Final = (REQUIREMENTS, _NAMED_LIST, _UNNAMED_LIST)

# Files with any name, by their content. The first kind of each category that fits counts.
_UNNAMED: Final = (
    FileKind(
        id="python-script",
        title="Python scripts",
        content=is_script,
        category=Category.CODE,
    ),
    # The directory of a zip, at its end, has the file that Python runs.
    FileKind(
        id="python-zip",
        title="zipped Python code",
        content=_has(r"PK\x01\x02(?s:.{42})__main__\.pyc?"),
        category=Category.CODE,
    ),
    FileKind(
        id="script-unnamed",
        title="scripts with inline metadata",
        no_suffixes=_NO_TEXT,
        content=_SCRIPT_BLOCK,
        by_inventory=True,
    ),
    FileKind(
        id="conda-explicit",
        title="conda locks",
        ecosystem="conda",
        no_suffixes=_NO_TEXT,
        content=_has(r"^@EXPLICIT[ \t]*\r?$|^# (?:This file may be used to create an environment)"),
        lock=True,
    ),
    FileKind(
        id="conda-lock-other",
        title="conda locks",
        ecosystem="conda",
        suffixes=(".yml", ".yaml"),
        content=_has(r"^[ -]*manager: conda[ \t]*\r?$"),
        lock=True,
    ),
    FileKind(
        id="conda-environment-other",
        title="conda environments",
        ecosystem="conda",
        suffixes=(".yml", ".yaml"),
        content=_has(r"^channels[ \t]*:", r"^dependencies[ \t]*:"),
        by_inventory=True,
    ),
    _NAMED_LIST,
    _UNNAMED_LIST,
)

KINDS: Final = (*_PYTHON, *_OTHERS, *_CODE, *_UNNAMED)
"""All kinds of files."""

BY_ID: Final[Mapping[str, FileKind]] = {kind.id: kind for kind in KINDS}

_BY_NAME: Final[dict[str, list[FileKind]]] = {}
_BY_SUFFIX: Final[dict[str, list[FileKind]]] = {}
_BY_PATTERN: Final[list[FileKind]] = []
for _kind in KINDS:
    for _name in _kind.names:
        _BY_NAME.setdefault(_name, []).append(_kind)
    if _kind not in _UNNAMED:
        for _end in _kind.suffixes:
            _BY_SUFFIX.setdefault(_end, []).append(_kind)
        if _kind.pattern and not _kind.suffixes:
            _BY_PATTERN.append(_kind)

# Text that may list requirements, also for a manifest that includes it.
_MAY_LIST: Final = frozenset((".txt", ".in", ".toml", ".lock", ".pip", ".req", ".reqs"))


def named(path: str) -> tuple[FileKind, ...]:
    """Return the kinds of a file with this path, whatever its content."""
    by_name = _BY_NAME.get(posixpath.basename(path), ())
    candidates = (*_BY_SUFFIX.get(_suffix(path), ()), *_BY_PATTERN)
    return (*by_name, *(kind for kind in candidates if kind.fits(path)))


def is_lock(path: str) -> bool:
    """Return True for the name of a lock file, which is full of hashes."""
    return any(kind.lock and kind.id != "pex-lock" for kind in named(path))


def is_list(kinds: Iterable[FileKind]) -> bool:
    """Return True for the kinds of a list of requirements, by its name or its content."""
    return any(kind in _LISTS for kind in kinds)


def is_manifest(path: str) -> bool:
    """Return True for the name of a manifest that the inventory reads, whatever its content."""
    kinds = named(path)
    is_code = any(kind.category is Category.CODE for kind in kinds)
    if any(kind.by_inventory and not (is_code and kind.content) for kind in kinds):
        return True
    return any(kind is _NAMED_LIST for kind in _unnamed(path))


def may_list_packages(path: str) -> bool:
    """Return True for the name of a manifest, or of a file that manifests often include."""
    return _suffix(path) in _MAY_LIST or is_manifest(path)


def kinds_of(file: SourceFile) -> tuple[FileKind, ...]:
    """Return the kinds of a file. It is read if a kind depends on its content."""
    try:
        with open_file(file.real) as stream:
            return kinds_in(file.path, stream)
    except OSError:
        return tuple(kind for kind in named(file.path) if kind.content is None)


def kinds_in(path: str, stream: BinaryIO) -> tuple[FileKind, ...]:
    """Return the kinds of an open file at this path. OSError if it cannot be read."""
    candidates = named(path)
    if all(kind.content is None for kind in candidates) and candidates:
        return candidates
    content = _read(stream) if candidates else _read_any(stream)
    kinds = tuple(kind for kind in candidates if kind.content is None or kind.content(content))
    return kinds or _by_content(path, content)


def _unnamed(path: str) -> Iterator[FileKind]:
    """Yield the kinds that a file at this path may have by its content."""
    suffix = _suffix(path)
    for kind in _UNNAMED:
        is_allowed = suffix in kind.suffixes if kind.suffixes else suffix not in kind.no_suffixes
        if is_allowed and kind.fits(path):
            yield kind


def _by_content(path: str, content: bytes) -> tuple[FileKind, ...]:
    kinds: dict[Category | None, FileKind] = {}
    for kind in _unnamed(path):
        if kind.category not in kinds and kind.content and kind.content(content):
            kinds[kind.category] = kind
    return tuple(kinds.values())


def _read_any(stream: BinaryIO) -> bytes:
    """Return the content of a file if it may be a list or a zip, else its beginning.

    Of a large zip, it is the end, which has its directory.
    """
    stream.seek(0)
    head = stream.read(_HEAD_BYTES)
    if len(head) < _HEAD_BYTES:
        return head
    size = os.fstat(stream.fileno()).st_size
    stream.seek(max(0, size - _ZIP_END_BYTES))
    if _ZIP_END in stream.read(_ZIP_END_BYTES):
        stream.seek(max(0, size - MAX_BYTES))
        return stream.read(MAX_BYTES)
    return _read(stream) if requirement_lines.may_be_list(head) else head


def _read(stream: BinaryIO) -> bytes:
    """Return the content of a file; nothing of one that is too large."""
    stream.seek(0)
    content = stream.read(MAX_BYTES + 1)
    return content if len(content) <= MAX_BYTES else b""
