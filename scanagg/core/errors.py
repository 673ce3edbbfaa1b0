"""The errors a user can cause, each with what to do about it, and the exit codes."""

import enum


class ExitCode(enum.IntEnum):
    """What a process of scanagg ends with. Where several hold: 2 over 3 over 1."""

    PASS = 0
    BLOCKED = 1
    USAGE = 2
    INCOMPLETE = 3
    INTERNAL = 4
    INTERRUPTED = 130


class ScanaggError(Exception):
    """An error with a cause, a place and a remedy; the CLI prints it without a traceback.

    `message` says what happened and where, `hint` what to do.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, hint: str = "") -> None:
        """Keep both parts apart, so that the CLI can set them apart too."""
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(ScanaggError):
    """The command line asks for something that does not exist or cannot be."""


class ConfigError(ScanaggError):
    """The configuration file cannot be used."""


class PolicyError(ScanaggError):
    """The policy file cannot be used."""


class TargetError(ScanaggError):
    """What is to be checked cannot be read."""


class OutputError(ScanaggError):
    """A report cannot be written. Nobody saw the result: that is not a pass."""

    exit_code = ExitCode.INCOMPLETE


class BaselineError(ScanaggError):
    """The baseline file cannot be used."""


class StoreError(ScanaggError):
    """The advisory store cannot be read or written, or what is to be stored cannot be used."""


class DownloadError(ScanaggError):
    """Advisory data cannot be downloaded."""

    exit_code = ExitCode.INCOMPLETE


class ReportError(ScanaggError):
    """A stored report cannot be used."""
