"""The colours and words of the terminal, the same on every page."""

from collections.abc import Mapping
from typing import Final

from scanagg.model import Action, Outcome, Severity, Status

SEVERITY_STYLES: Final[Mapping[Severity, str]] = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.UNKNOWN: "magenta",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "dim",
}
STATUS_STYLES: Final[Mapping[Status, str]] = {
    Status.OK: "green",
    Status.DEGRADED: "yellow",
    Status.EMPTY: "red",
    Status.FAILED: "red",
    Status.TIMEOUT: "red",
    Status.MISSING: "yellow",
    Status.NOT_APPLICABLE: "dim",
}
OUTCOME_STYLES: Final[Mapping[Outcome, str]] = {
    Outcome.PASS: "bold green",
    Outcome.BLOCKED: "bold red",
    Outcome.INCOMPLETE: "bold yellow",
}
ACTION_STYLES: Final[Mapping[Action, str]] = {
    Action.BLOCK: "bold red",
    Action.WARN: "yellow",
    Action.INFO: "dim",
    Action.WAIVED: "dim",
}


def status_word(status: Status) -> str:
    """The status as people read it."""
    return status.value.replace("_", " ")
