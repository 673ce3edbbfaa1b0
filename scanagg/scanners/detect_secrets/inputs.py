"""Which files are searched for secrets, and which are left out on purpose or for their size."""

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from scanagg.core.errors import ConfigError
from scanagg.model import NotExamined, SourceFile, Target
from scanagg.scanners import source_files
from scanagg.scanners.base import ScannerSettings

BASELINE: Final = ".secrets.baseline"

# Names of files in which package managers pin what they install, by hashes that look like keys.
_LOCK_FILES: Final = frozenset(
    (
        *("npm-shrinkwrap.json", "package-lock.json", "packages.lock.json", "pnpm-lock.yaml"),
        *("bun.lockb", "go.sum", "gradle.lockfile", "Package.resolved", "Cartfile.resolved"),
        *("Brewfile.lock.json", "conda-lock.yml", "cabal.project.freeze", "MODULE.bazel.lock"),
        *(".terraform.lock.hcl", "manifest.lock.json", "paket.lock"),
    )
)
_LOCK_NAME: Final = re.compile(r".+\.lock|pylock(\..+)?\.toml")


class Limits(msgspec.Struct, frozen=True):
    """What makes a file too much to search: bytes of it, bytes of a line, processor seconds."""

    file_bytes: int = 5_000_000
    line_bytes: int = 500_000
    seconds: float = 20.0


def limits(settings: ScannerSettings) -> Limits:
    """The limits that the settings give. ConfigError for what is no positive number."""
    usual = Limits()
    return Limits(
        file_bytes=int(_number(settings, "max-file-bytes", usual.file_bytes)),
        line_bytes=int(_number(settings, "max-line-bytes", usual.line_bytes)),
        seconds=_number(settings, "file-timeout", usual.seconds),
    )


def searched(target: Target, limit: Limits) -> Iterator[str | NotExamined]:
    """The text files of the target: paths to search, or why one is not. Others are no input."""
    for file in target.files:
        reason = _left_out(file.path)
        if reason:
            yield NotExamined(file.path, reason)
        elif source_files.is_text(file):
            yield _too_large(file, limit) or file.path


def _left_out(path: str) -> str:
    name = path.rpartition("/")[2]
    if path == BASELINE:
        return "excluded: the baseline of detect-secrets is read, not searched"
    if name in _LOCK_FILES or _LOCK_NAME.fullmatch(name):
        return "excluded: a lock file, full of hashes that are no secrets"
    return ""


def _too_large(file: SourceFile, limit: Limits) -> NotExamined | None:
    if file.size <= limit.file_bytes:
        return None
    reason = f"{file.size:,} bytes: more than {limit.file_bytes:,} are not searched"
    return NotExamined(file.path, f"{reason} (max-file-bytes)")


def _number(settings: ScannerSettings, name: str, usual: float) -> float:
    text = settings.options.get(name, str(usual))
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise ConfigError(
            f"[scanners.detect-secrets] {name} is {text!r}", "Give a number greater than 0."
        )
    return number
