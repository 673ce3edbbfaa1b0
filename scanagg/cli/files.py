"""The files that commands write: reports in their formats, and files of the project."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import typer

from scanagg.cli import completion
from scanagg.cli.options import names_of
from scanagg.core.cache import replace_atomically, write_atomically
from scanagg.core.errors import OutputError, ScanaggError
from scanagg.model import Report
from scanagg.reports.base import REPORTS, Shortens, names, reporter
from scanagg.scanners.config import Settings


class WrittenReports(msgspec.Struct):
    """The reports that were written, what they leave out, and why others were not written."""

    paths: list[Path] = []
    notices: list[str] = []
    problems: list[OutputError] = []


def format_option(default: str) -> Any:
    """Return the option --format, with the text for its default."""
    text = f"Write this report. Repeatable. Available: {', '.join(names())}. Default: {default}."
    return typer.Option("--format", metavar="NAME", autocompletion=completion.formats, help=text)


def format_names(values: Sequence[str] | None, kind: str = "format") -> tuple[str, ...]:
    """Return the names of the formats, each once. UsageError for an unknown one."""
    return names_of(kind, values, names())


def write_reports(
    report: Report, formats: Sequence[str], folder: Path, root: Path
) -> WrittenReports:
    """Write the reports. If one cannot be written, still write the others.

    If the folder is in the project at `root`, no link in its path may lead out of the project.
    """
    written = WrittenReports()
    for name in formats:
        format_ = reporter(name)
        path = folder / format_.FILENAME
        try:
            write_atomically(path, format_.render(report), root)
        except OSError as error:
            hint = "Choose another folder with --output-dir."
            message = f"cannot write {path}: {error.strerror or error}"
            written.problems.append(OutputError(message, hint))
            continue
        written.paths.append(path)
        if isinstance(format_, Shortens):
            notices = format_.notices(report)
            written.notices += [f"{format_.FILENAME}: {notice}" for notice in notices]
    return written


def last_report(root: Path, settings: Settings) -> Path:
    """Return the path of the report that the last check of a project left."""
    return root / (settings.output_dir or REPORTS) / "scanagg.json"


def short_path(path: Path) -> str:
    """Return a path relative to the current folder if it is in there."""
    real = path.resolve()
    return str(real.relative_to(Path.cwd()) if real.is_relative_to(Path.cwd()) else path)


def write_project_file(root: Path, place: str, text: str, error: type[ScanaggError]) -> None:
    """Write a file of the project, for everyone to read. An error of this type if that fails."""
    try:
        replace_atomically(root / place, [text.encode("utf-8", "backslashreplace")], 0o644, root)
    except OSError as problem:
        message = f"cannot write {place}: {problem.strerror or problem}"
        hint = "Its folder must be writable, and inside the project."
        raise error(message, hint) from problem
