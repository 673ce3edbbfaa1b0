"""What one answer of Trivy comes to: observations, coverage, notices, or why there is none."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.core.text import one_line, shorten
from scanagg.model import DataSource, NotExamined
from scanagg.scanners.base import Context, Output, Parsed, ScanError, Tool
from scanagg.scanners.trivy import calls, convert, proof, report
from scanagg.scanners.trivy.tree import IGNORE_FILE, Tree

_REASON_WIDTH: Final = 300
_FATAL: Final = re.compile(r"\tFATAL\t(?:Fatal error\t)?(?:run error: )?([^\n]*(?:\n\t[^\n]*)*)")
_DOWNLOAD: Final = "failed to download vulnerability DB"
_FIRST_RUN: Final = "--skip-db-update cannot be specified on the first run"


class _Database(msgspec.Struct, rename="pascal"):
    updated_at: datetime | None = None


class _Version(msgspec.Struct, rename="pascal"):
    version: str
    database: _Database | None = msgspec.field(default=None, name="VulnerabilityDB")


def of_tree(
    context: Context,
    tree: Tree,
    output: Output,
    document: report.Document,
    native: tuple[str, ...],
) -> Parsed:
    """A scan of the tree; `native` are Trivy's own configuration files, of no effect here."""
    reading = convert.read(document, convert.Setting(context.inventory, tree.names))
    evidence = proof.gather(document, tree.names, output.stderr)
    examined = [name for name in output.inputs if proof.examined(tree, name, evidence)]
    missed = sorted(set(output.inputs).difference(examined))
    rest = "secret" in calls.scanners(tree, output.inputs)
    return Parsed(
        observations=reading.observations,
        examined=tuple(examined),
        not_examined=tuple(proof.missed(tree, name, evidence) for name in missed),
        hidden=tree.hidden() if rest else {},
        notices=(
            *proof.partly(tree, examined, evidence),
            *_left_out(reading),
            *(_unused(tree, native) if rest else ()),
        ),
    )


def of_image(context: Context, output: Output, document: report.Document) -> Parsed:
    """A scan of an image, which is examined if it holds packages that Trivy knows how to read."""
    image = output.inputs[0].removeprefix(calls.IMAGE)
    reading = convert.read(document, convert.Setting(context.inventory, image=image))
    listed = any(result.packages for result in document.all_results())
    gap = NotExamined(output.inputs[0], "Trivy found no packages in it")
    ended = document.end_of_life()
    notice = f"{image}: {ended} gets no more fixes; its vulnerabilities are not all known"
    return Parsed(
        observations=reading.observations,
        examined=output.inputs if listed else (),
        not_examined=() if listed else (gap,),
        notices=(notice,) if ended else (),
    )


def fatal(output: Output) -> str:
    """Trivy's last word, without its wrapping; what to do where it is the database."""
    said = _FATAL.findall(output.stderr)
    if not said:
        return ""
    if _FIRST_RUN in said[-1]:
        return "no vulnerability database: run `trivy fs --download-db-only` once while online"
    line = " ".join(said[-1].split())
    if _DOWNLOAD in line:
        cause = line.rpartition("* ")[2].rpartition(_DOWNLOAD)[2].lstrip(": ")
        line = f"the vulnerability database cannot be updated (--offline uses it as it is): {cause}"
    return shorten(one_line(line), _REASON_WIDTH)


def _left_out(reading: convert.Reading) -> Iterator[str]:
    if reading.elsewhere:
        yield f"{reading.elsewhere} findings of Trivy are not about files of the project: left out"
    if reading.loose_licenses:
        yield f"{reading.loose_licenses} licences of Trivy belong to no package: left out"


def _unused(tree: Tree, native: tuple[str, ...]) -> Iterator[str]:
    """What of the tree has no effect on Trivy, or is out of its reach."""
    for name in native:
        if name in tree.files:
            used = "what it names is reported, and counted"
            yield f"{name}: {used if name == IGNORE_FILE else 'found, not used'}"
    count = tree.left_out_of_secrets()
    if count:
        files = "1 text file is" if count == 1 else f"{count} text files are"
        yield (
            f"{files} left out of Trivy's search for secrets by its own rules:"
            " tests, examples, Markdown, lock files, vendored folders"
        )


def identified(tool: Tool, output: Output) -> Tool:
    """The tool with its version and the age of its database; ScanError where it is no trivy.

    A time without a zone is UTC, wherever the machine is.
    """
    try:
        told = msgspec.json.decode(output.stdout, type=_Version)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        otherwise = f"does not tell its version: {error}"
        raise ScanError(fatal(output) or otherwise) from error
    updated = told.database.updated_at if told.database else None
    if updated:
        updated = updated.astimezone(UTC) if updated.tzinfo else updated.replace(tzinfo=UTC)
    data = DataSource("Trivy vulnerability database", updated) if updated else None
    return replace(tool, version=told.version, data=data)
