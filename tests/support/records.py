"""Small OSV records, KEV catalogues and EPSS scores, written by hand, and stores made of them."""

import gzip
import json
import zipfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scanagg.advisories.importing import (
    DataOrigin,
    Import,
    Imported,
    import_epss,
    import_kev,
    import_osv,
)
from scanagg.advisories.records import Record
from scanagg.advisories.store import Store, open_store
from scanagg.advisories.versions import affected_versions

Json = dict[str, Any]

MODIFIED = "2024-05-06T07:08:09Z"
RELEASED = "2024-10-09T18:00:10.1234Z"
SCORED = "2024-10-10T00:00:00+0000"
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def silent(done: int, whole: int) -> None:
    """Ignore progress."""


def affected(
    name: str, *events: Mapping[str, str], versions: Iterable[str] = (), **more: Any
) -> Json:
    """An entry of `affected`: `affected("django", {"introduced": "0"}, {"fixed": "3.2"})`."""
    ranges = [{"type": "ECOSYSTEM", "events": [dict(one) for one in events]}] if events else []
    package = {"ecosystem": "PyPI", "name": name}
    return {"package": package, "ranges": ranges, "versions": list(versions), **more}


def osv(advisory: str, *entries: Json, **more: Any) -> Json:
    """An OSV record: `osv("PYSEC-2024-1", affected(…), aliases=["CVE-2024-1"])`."""
    return {
        "schema_version": "1.6.0",
        "id": advisory,
        "modified": MODIFIED,
        "published": MODIFIED,
        "affected": list(entries),
        **more,
    }


def below(advisory: str, name: str, fixed: str, **more: Any) -> Json:
    """A record about every version of a package before the fixed one."""
    return osv(advisory, affected(name, {"introduced": "0"}, {"fixed": fixed}), **more)


def kev(*cves: str, added: str = "2024-01-02", due: str = "2024-01-23", **more: Any) -> Json:
    """A catalogue of known exploited vulnerabilities."""
    entries = [
        {
            "cveID": cve,
            "vendorProject": "Somebody",
            "product": "Something",
            "vulnerabilityName": "Somebody Something Injection Vulnerability",
            "dateAdded": added,
            "shortDescription": "Something of somebody lets anybody in.",
            "requiredAction": "Apply mitigations.",
            "dueDate": due,
            "knownRansomwareCampaignUse": "Unknown",
            "notes": "",
            "cwes": ["CWE-89"],
        }
        for cve in cves
    ]
    return {
        "title": "CISA Catalog of Known Exploited Vulnerabilities",
        "catalogVersion": "2024.10.09",
        "dateReleased": RELEASED,
        "count": len(entries),
        "vulnerabilities": entries,
        **more,
    }


def epss(scores: Mapping[str, tuple[float, float]], scored: str = SCORED) -> str:
    """The CSV of EPSS scores: `epss({"CVE-2024-1": (0.9, 0.99)})`."""
    lines = [f"#model_version:v2023.03.01,score_date:{scored}", "cve,epss,percentile"]
    lines += [f"{cve},{score},{rank}" for cve, (score, rank) in scores.items()]
    return "\n".join(lines) + "\n"


def write_zip(path: Path, records: Iterable[Json]) -> Path:
    """Write an export in the format of osv.dev: `ID.json` for each record."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in records:
            archive.writestr(f"{one['id']}.json", json.dumps(one))
    return path


def write_folder(path: Path, records: Iterable[Json]) -> Path:
    """Write the same export, unpacked."""
    path.mkdir(parents=True, exist_ok=True)
    for one in records:
        (path / f"{one['id']}.json").write_text(json.dumps(one), "utf-8")
    return path


def write_json(path: Path, content: object) -> Path:
    """Write a JSON file."""
    path.write_text(json.dumps(content), "utf-8")
    return path


def write_gzip(path: Path, text: str) -> Path:
    """Write a gzipped text."""
    path.write_bytes(gzip.compress(text.encode()))
    return path


def put_osv(cache: Path, *records: Json) -> Imported:
    """Store these records in a cache folder."""
    cache.mkdir(parents=True, exist_ok=True)
    path = write_json(cache / "records.json", list(records))
    try:
        return import_osv(Import(path, cache, DataOrigin("records.json"), silent, NOW))
    finally:
        path.unlink()


def put_kev(cache: Path, *cves: str, **more: Any) -> Imported:
    """Store a catalogue of these CVEs in a cache folder."""
    cache.mkdir(parents=True, exist_ok=True)
    path = write_json(cache / "kev.json", kev(*cves, **more))
    try:
        return import_kev(Import(path, cache, DataOrigin("kev.json"), silent, NOW))
    finally:
        path.unlink()


def put_epss(cache: Path, scores: Mapping[str, tuple[float, float]], **more: Any) -> Imported:
    """Store these scores in a cache folder."""
    cache.mkdir(parents=True, exist_ok=True)
    path = write_gzip(cache / "epss.csv.gz", epss(scores, **more))
    try:
        return import_epss(Import(path, cache, DataOrigin("epss.csv.gz"), silent, NOW))
    finally:
        path.unlink()


def affects(record: Record, name: str, version: str) -> bool:
    """Return whether a version of a package is affected, by the record alone."""
    return affected_versions(record, name).contains(version)


def store_of(cache: Path, *records: Json) -> Store:
    """A store of these records, open."""
    put_osv(cache, *records)
    return open_store(cache)
