"""Where each finding comes from: this change, a newer advisory, or before."""

from scanagg.origin.base import find_base
from scanagg.origin.tracing import trace
from scanagg.origin.values import Asked, Base, Traced

__all__ = ["Asked", "Base", "Traced", "find_base", "trace"]
