"""The origin of each finding: this change, a newer advisory, or before."""

from scanagg.baseline.base import Base, BaseOptions, find_base
from scanagg.baseline.compare import Traced, trace

__all__ = ["Base", "BaseOptions", "Traced", "find_base", "trace"]
