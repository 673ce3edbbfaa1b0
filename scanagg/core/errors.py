"""The exit codes, and the errors that users can cause and fix."""

import enum


class ExitCode(enum.IntEnum):
    """The exit codes. If several apply: 2 over 3 over 1."""

    PASS = 0
    BLOCKED = 1
    USAGE = 2
    INCOMPLETE = 3
    INTERNAL = 4
    INTERRUPTED = 130


class ScanaggError(Exception):
    """An error that the CLI prints without a traceback.

    `message` says what failed and where, `hint` what to do.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep both parts: the CLI shows them on lines of their own."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ScanaggError):
    """The arguments of a command cannot be used."""


class ConfigError(ScanaggError):
    """The configuration file cannot be used."""


class PolicyError(ScanaggError):
    """The policy file cannot be used."""


class TargetError(ScanaggError):
    """The target of the check cannot be read."""


class OutputError(ScanaggError):
    """A report cannot be written, so the check does not pass."""

    exit_code = ExitCode.INCOMPLETE


class BaselineError(ScanaggError):
    """The baseline file cannot be used."""


class StoreError(ScanaggError):
    """The advisory store, or the data for it, cannot be used."""


class DownloadError(ScanaggError):
    """Advisory data cannot be downloaded, for example because the server is `unreachable`."""

    exit_code = ExitCode.INCOMPLETE

    def __init__(self, message: str, hint: str = "", *, unreachable: bool = False) -> None:
        """Keep all parts."""
        super().__init__(message, hint)
        self.unreachable = unreachable


class ResourceError(ScanaggError):
    """This machine has no more memory, threads or open files."""

    exit_code = ExitCode.INCOMPLETE


class ReportError(ScanaggError):
    """A stored report cannot be used."""
