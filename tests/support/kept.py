"""Fill an advisory store for a test, with the imports of `scanagg db import`."""

import csv
import io
import json
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from scanagg.advisories.importing import DataOrigin, Import, import_epss, import_kev, import_osv
from scanagg.findings.collect import WHOLE
from support.osv import Record

_OTHERS = [
    {
        "id": f"PYSEC-1999-{number}",
        "modified": "1999-12-31T00:00:00Z",
        "affected": [
            {
                "package": {"ecosystem": "PyPI", "name": "of-no-test"},
                "versions": [f"{number}"],
            }
        ],
    }
    for number in range(WHOLE)
]


def keep(folder: Path, records: Iterable[Record], *, whole: bool = True) -> Path:
    """Store OSV records in the cache `folder`, and return it.

    With `whole`, add enough records of an unrelated package to make the export count as complete.
    """
    source = Path(mkdtemp(prefix="records-", dir=folder.parent)) / "records.json"
    source.write_text(json.dumps([*records, *(_OTHERS if whole else ())]), "utf-8")
    import_osv(Import(source, folder, DataOrigin("a test"), _quiet, _now(), replace=True))
    return folder


def keep_zip(folder: Path, zipped: Path) -> Path:
    """Store an OSV export in the cache `folder`, and return it. A process imports it once."""
    shutil.copytree(_imported(zipped) / "advisories", folder / "advisories", dirs_exist_ok=True)
    return folder


def keep_kev(folder: Path, day: str, *cves: str) -> None:
    """Store a KEV catalogue of a day (ISO), with one more CVE."""
    entries = [{"cveID": one, "dateAdded": day, "dueDate": day} for one in (*cves, "CVE-1999-9999")]
    catalogue = {
        "title": "CISA Catalog of Known Exploited Vulnerabilities",
        "catalogVersion": day.replace("-", "."),
        "dateReleased": f"{day}T12:00:00.0000Z",
        "count": len(entries),
        "vulnerabilities": entries,
    }
    file = Path(mkdtemp(prefix="kev-", dir=folder.parent)) / "kev.json"
    file.write_text(json.dumps(catalogue), "utf-8")
    import_kev(Import(file, folder, DataOrigin("a test"), _quiet, _now()))


def keep_epss(folder: Path, day: str, scores: Mapping[str, float]) -> None:
    """Store EPSS scores of a day (ISO); every percentile is 0.5."""
    text = io.StringIO()
    text.write(f"#model_version:v2025.03.14,score_date:{day}T00:00:00+0000\n")
    csv.writer(text, lineterminator="\n").writerows(
        [("cve", "epss", "percentile"), *((cve, score, 0.5) for cve, score in scores.items())]
    )
    file = Path(mkdtemp(prefix="epss-", dir=folder.parent)) / "epss.csv"
    file.write_text(text.getvalue(), "utf-8")
    import_epss(Import(file, folder, DataOrigin("a test"), _quiet, _now()))


@cache
def _imported(zipped: Path) -> Path:
    folder = Path(mkdtemp(prefix="kept-"))
    import_osv(Import(zipped, folder, DataOrigin(zipped.name), _quiet, _now()))
    return folder


def _now() -> datetime:
    """Return the time of the machine, as for a real import: tests have data of today."""
    return datetime.now(UTC)  # noqa: TID251


def _quiet(_done: int, _whole: int) -> None:
    """Ignore progress."""
