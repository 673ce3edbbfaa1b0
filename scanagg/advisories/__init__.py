"""Published vulnerabilities: the store that is kept here, and what it tells of findings."""

from scanagg.advisories.enrich import enriched as enriched
from scanagg.advisories.service import serving as serving
from scanagg.advisories.store import Store as Store
from scanagg.advisories.store import open_store as open_store
