"""Read untrusted TOML in bounded time, with one kind of error."""

import re
import tomllib
from typing import Any, Final

# tomllib needs quadratic time for a dotted key: ten seconds for 40 KB.
_ENDLESS_KEY: Final = re.compile(
    r"""(?:(?:(?<![\w-])[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}"""
)
_PLACE: Final = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


class TomlError(ValueError):
    """The text cannot be read as TOML; `line` counts from 1, None if it is unknown."""

    def __init__(self, line: int | None, reason: str) -> None:
        """Keep line and reason."""
        super().__init__(reason)
        self.line = line
        self.reason = reason


class TomlTooMuchError(TomlError):
    """The text may be TOML, but reading it would take too long."""


def load(text: str) -> dict[str, Any]:
    """Return the document. TomlError for anything wrong with it."""
    endless = _ENDLESS_KEY.search(text)
    if endless:
        line = text.count("\n", 0, endless.start()) + 1
        raise TomlTooMuchError(line, "a key has 100 parts or more")
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise TomlTooMuchError(None, "nested too deeply") from error
    except ValueError as error:
        message = str(error)
        place = _PLACE.search(message)
        if place is None:
            raise TomlError(None, message) from error
        line = int(place[1]) if place[1] else text.rstrip("\n").count("\n") + 1
        raise TomlError(line, message[: place.start()]) from error
