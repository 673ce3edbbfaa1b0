"""Python code: files that Python runs or imports, whatever they are called."""

import re
from typing import Final

SUFFIXES: Final = (".py", ".pyw", ".pyi", ".py3", ".wsgi", ".tac")
"""The suffixes of Python files."""

NAMES: Final = ("SConstruct", "SConscript", "wscript")
"""The names of other Python files: the configuration of build tools.

https://scons.org/doc/production/HTML/scons-user.html
"""

STARTUP_SUFFIX: Final = ".pth"
"""The suffix of files in which Python runs the lines that import something."""

INLINE_METADATA: Final = r"^# /// script[ \t]*\r?$"
"""A pattern for the first line of the inline metadata of a script, PEP 723."""

# The suffixes of files that Python imports.
_IMPORTED: Final = (".py", ".pyw")
_SHEBANG: Final = re.compile(
    rb"""(?i:(?:\xef\xbb\xbf)?\#![^\r\n]*(?:
        [!\t\ /\\"'=](?:i?python|pypy|graalpy)[\w.-]*["']?(?:\s|\Z) | \b(?:uv|pipx)[ ]+run\b
    ))""",
    re.VERBOSE,
)
# A shell script for the shell, and Python for the Python that it starts with its own name.
_TWO_LANGUAGES: Final = re.compile(
    rb"#![^\r\n]*sh\b[^\r\n]*\r?\n(?:[ \t]*(?:#[^\n]*)?\n)*(?:'''|\"\"\"|['\"]exec['\"])"
)
_INLINE_METADATA: Final = re.compile(INLINE_METADATA.encode(), re.MULTILINE)
_RUN_LINE: Final = re.compile(r"import[ \t]")


def is_python(name: str, head: bytes) -> bool:
    """Return True for a file with Python code. `head` are its first bytes."""
    if name.lower().endswith(SUFFIXES) or name in NAMES or is_script(head):
        return True
    return "." not in name and _INLINE_METADATA.search(head) is not None


def is_script(head: bytes) -> bool:
    """Return True for a script that Python runs, by its first bytes."""
    if _SHEBANG.match(head):
        return True
    return b"python" in head[:1000] and _TWO_LANGUAGES.match(head) is not None


def is_imported(name: str) -> bool:
    """Return True for a name that Python imports as source code."""
    return name.endswith(_IMPORTED)


def startup_code(text: str) -> str:
    """Return the lines of a `.pth` file that Python runs at its start; the others are empty."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    code = [line if _RUN_LINE.match(line) else "" for line in lines]
    return "\n".join(code) if any(code) else ""
