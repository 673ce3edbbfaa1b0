"""The web addresses that reports link to: pages of advisories, weaknesses and source files."""

import re
from typing import Final
from urllib.parse import quote

from scanagg.model import Revision

_WEB: Final = re.compile(r"https?://[^\s<>\"'\\^`{|}]+", re.IGNORECASE)
_ADVISORY_PAGES: Final = {
    "CVE": "https://www.cve.org/CVERecord?id=",
    "GHSA": "https://github.com/advisories/",
    "PYSEC": "https://osv.dev/vulnerability/",
    "OSV": "https://osv.dev/vulnerability/",
    "MAL": "https://osv.dev/vulnerability/",
}
_PLAIN_ID: Final = re.compile(r"[A-Za-z0-9.-]+")
_CODE_PAGES: Final = {"github.com": "blob", "gitlab.com": "-/blob"}


def web_url(url: str | None) -> str | None:
    """Return `url` if it is safe to open in a browser: http or https, with no odd characters."""
    return url if url and url.isprintable() and _WEB.fullmatch(url) else None


def https_url(url: str) -> str | None:
    """Return `url` if it is a safe https address. For addresses from untrusted authors."""
    return web_url(url) if url[:8].lower() == "https://" else None


def advisory_url(name: str) -> str | None:
    """Return the public page of an advisory id; None for an id of an unknown kind."""
    page = _ADVISORY_PAGES.get(name.partition("-")[0])
    return page + name if page and _PLAIN_ID.fullmatch(name) else None


def cwe_url(name: str) -> str | None:
    """Return the page of a weakness such as `CWE-78`."""
    number = name.removeprefix("CWE-")
    if not (number.isascii() and number.isdigit()):
        return None
    return f"https://cwe.mitre.org/data/definitions/{number}.html"


def code_url(revision: Revision | None) -> str | None:
    """Return the address of the target at the checked commit, to which a path can be appended.

    None for an unknown host, or where the files differ from the commit.
    """
    if revision is None or revision.dirty or not revision.commit:
        return None
    url = web_url(revision.repository)
    if url is None:
        return None
    bare = url.rstrip("/").removesuffix(".git")
    kind = _CODE_PAGES.get(bare.split("/")[2].lower())
    if kind is None:
        return None
    prefix = quote(revision.prefix.strip("/"))
    return f"{bare}/{kind}/{quote(revision.commit)}/" + (f"{prefix}/" if prefix else "")
