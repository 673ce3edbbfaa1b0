"""TOML from outside, read in bounded time and with every failure one kind of error."""

import re
import tomllib
from typing import Any, Final

# tomllib takes time with the square of a dotted key's parts: 40 KB of them cost it ten seconds.
_ENDLESS_KEY: Final = re.compile(
    r"""(?:(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}"""
)
_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class TomlError(ValueError):
    """A text is no TOML, or none that is worth reading; `line` counts from 1, None if not known."""

    def __init__(self, line: int | None, reason: str) -> None:
        """Keep the place apart from the reason."""
        super().__init__(reason)
        self.line = line
        self.reason = reason


class TomlTooMuchError(TomlError):
    """The text may be TOML, but reading it would take forever."""


def load(text: str) -> dict[str, Any]:
    """The document. TomlError for whatever is wrong with it."""
    endless = _ENDLESS_KEY.search(text)
    if endless:
        line = text.count("\n", 0, endless.start()) + 1
        raise TomlTooMuchError(line, "a key with a hundred parts or more")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise TomlTooMuchError(None, "nested too deeply to be read") from error
    except ValueError as error:
        raise _placed(text, str(error)) from error


def _placed(text: str, message: str) -> TomlError:
    found = _PLACE.search(message)
    if found is None:
        return TomlError(None, message)
    line = int(found[1]) if found[1] else text.rstrip("\n").count("\n") + 1
    return TomlError(line, message[: found.start()])
