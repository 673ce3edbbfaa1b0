"""scanagg runs the scanners of a Python project and gives one verdict."""

__version__ = "0.1.0"
