"""The advisory store: published vulnerabilities, and what they add to observations."""

from scanagg.advisories.enrich import enriched as enriched
from scanagg.advisories.service import serving as serving
from scanagg.advisories.store import Store as Store
from scanagg.advisories.store import open_store as open_store
