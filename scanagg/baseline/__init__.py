"""Where each finding comes from: this change, a newer advisory, or before."""

from scanagg.baseline.base import find_base
from scanagg.baseline.compare import trace
from scanagg.baseline.values import Asked, Base, Traced

__all__ = ["Asked", "Base", "Traced", "find_base", "trace"]
