"""Where a finding is, as SARIF says it: addresses from the repository's root, exact regions."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import sarif_om

from scanagg.core.text import shorten
from scanagg.model import Location, SourceFile, Target
from scanagg.project.sources import Sources
from scanagg.reports.sarif.text import cut, width

ROOT: Final = "SRCROOT"
# What stands for text that is not shown, in snippets that the pipeline masked and in ours.
MASK: Final = "***"
# One line of a minified file can be a megabyte.
_SNIPPET_LENGTH: Final = 1_000
_MANIFEST: Final = re.compile(r"(?:.*/)?(?:requirements[^/]*|.*requirements/[^/]*)\.txt")


class Places:
    """Turns locations of one target into SARIF's. Files are read for the lengths of lines only.

    `fallback` is where something stands that no file of the project declares: GitHub refuses the
    whole log for one result without a file. None where the target has no file at all.
    """

    def __init__(self, target: Target) -> None:
        """Nothing is read yet."""
        self._sources = Sources(target)
        self._prefix = target.revision.prefix if target.revision else ""
        self._uris: dict[str, str] = {}
        self.fallback = _fallback(target.files)

    def uri(self, path: str) -> str:
        """The address of a file of the target, relative to the root of its repository."""
        known = self._uris.get(path)
        if known is None:
            # A colon in the first part would make a scheme of it: only "/" stands for itself.
            known = self._uris[path] = quote(self._prefix + path, safe="/", errors="replace")
        return known

    def main(
        self, location: Location, snippet: str | None, *, secret: bool
    ) -> sarif_om.PhysicalLocation:
        """The place of a result, with its text and the whole line around it.

        The text is `snippet`, which is masked where that is needed, and nothing read from the
        file: only the pipeline knows every secret. A secret's region ends where its masked text
        ends, so as not to tell how long it is.
        """
        source = self._line(location)
        shown = self._unshown(location, source) if snippet is None else snippet
        # A file that cannot be read looks like one empty line: its snippet knows better.
        line = shown if secret or not source else source
        start, end = columns(location, line)
        number = location.start_line or 1
        part = cut(shown, start, end) if shown == line else shown
        return sarif_om.PhysicalLocation(
            artifact_location=self._artifact(location),
            region=_region(number, start, number, end, part),
            context_region=_region(number, 1, number + 1, 1, shown, after="\n"),
        )

    def further(self, location: Location) -> sarif_om.PhysicalLocation:
        """One more place of a result, without text."""
        number = location.start_line or 1
        start, end = columns(location, self._line(location) or "")
        return sarif_om.PhysicalLocation(
            artifact_location=self._artifact(location),
            region=_region(number, start, number, end),
        )

    def _unshown(self, location: Location, source: str | None) -> str:
        """What stands for a line that nobody masked: nothing where there is nothing on it."""
        return "" if source == "" and location.path in self._sources else MASK

    def _line(self, location: Location) -> str | None:
        return self._sources.line(location.path, location.start_line or 1)

    def _artifact(self, location: Location) -> sarif_om.ArtifactLocation:
        return sarif_om.ArtifactLocation(uri=self.uri(location.path), uri_base_id=ROOT)


def columns(location: Location, line: str) -> tuple[int, int]:
    """First column and the one after the last, on the location's first line, which is `line`.

    Both lie on the line, and something lies between them unless the line is empty. A location over
    several lines goes to the end of the first: viewers of pull requests mark one.
    """
    last = max(width(line), 1)
    start = min(location.start_column or 1, last)
    one_line = location.last_line == location.start_line
    end = location.end_column if one_line and location.end_column else last + 1
    end = min(end, last + 1) if line else (location.end_column or 1)
    return start, max(end, start + 1 if line else start)


def _region(  # the four numbers in the order in which SARIF has them
    start_line: int,
    start_column: int,
    end_line: int,
    end_column: int,
    text: str | None = None,
    after: str = "",
) -> sarif_om.Region:
    shown = None if text is None else shorten(text, _SNIPPET_LENGTH) + after
    return sarif_om.Region(
        start_line=start_line,
        start_column=start_column,
        end_line=end_line,
        end_column=end_column,
        snippet=None if shown is None else sarif_om.ArtifactContent(text=shown),
    )


def _fallback(files: Sequence[SourceFile]) -> Location | None:
    """A manifest, better one at the top: pyproject.toml, else a requirements file; else any."""
    paths = [file.path for file in files]
    if "pyproject.toml" in paths:
        return Location("pyproject.toml", 1)
    manifests = [path for path in paths if _MANIFEST.fullmatch(path)]
    best = min(manifests or paths, key=lambda path: (path.count("/"), path), default=None)
    return None if best is None else Location(best, 1)
