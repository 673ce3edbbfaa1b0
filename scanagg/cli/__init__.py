"""The command line: the only code that prints, exits, or catches unexpected errors."""

import sys
import warnings
from typing import NoReturn

from scanagg.cli.output import complain, standard_streams
from scanagg.core.errors import ExitCode, ScanaggError

_RESOURCES = "Check the free space, the permissions, and the limits of memory: ulimit -a"


def main() -> NoReturn:
    """Run the command line and exit with one of `ExitCode`."""
    if sys.warnoptions:
        # With `python -W error`, a deprecation in a library would end the check.
        warnings.simplefilter("ignore")
    with standard_streams() as output:
        code = _run()
        output.flush()
        if output.error and code in (ExitCode.PASS, ExitCode.BLOCKED):
            # Also for a reader that has gone, as in `scanagg check | head`.
            code = ExitCode.INCOMPLETE
            message = f"cannot write to standard output: {output.error.strerror or output.error}"
            complain(message, "The output is not complete. Run again with another place for it.")
    sys.exit(code)


def _run() -> int:
    """Run the command and return its exit code. Every error is printed."""
    try:
        # Imported here, so that an error in a library is not Python's exit code 1: blocked.
        from scanagg.cli.app import run  # noqa: PLC0415

        return run(sys.argv[1:])
    except ScanaggError as error:
        complain(error.message, error.hint)
        return error.exit_code
    except KeyboardInterrupt:
        complain("interrupted", "")
        return ExitCode.INTERRUPTED
    except (OSError, MemoryError) as error:
        # Projects, scanners and reports have errors of their own: this one is of the machine.
        file = f": {error.filename}" if isinstance(error, OSError) and error.filename else ""
        message = getattr(error, "strerror", None) or str(error) or "not enough memory"
        complain(f"cannot continue: {message}{file}", _RESOURCES)
        return ExitCode.INCOMPLETE
    except Exception as error:  # noqa: BLE001 - a bug must not look like a verdict
        if _lacks_resources(error):
            complain(f"cannot continue: {error}", _RESOURCES)
            return ExitCode.INCOMPLETE
        _report_bug(error)
        return ExitCode.INTERNAL


def _lacks_resources(error: Exception) -> bool:
    """Return True if there was no memory to load a compiled library, or no thread to start."""
    if isinstance(error, ImportError):
        return (error.path or "").endswith((".so", ".dylib", ".pyd")) or "map segment" in error.msg
    return isinstance(error, RuntimeError) and "start new thread" in str(error)


def _report_bug(error: Exception) -> None:
    # Imported here to keep start-up fast.
    import traceback  # noqa: PLC0415

    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{place.filename.rpartition('scanagg/')[2]}:{place.lineno}"
    complain(
        f"internal error in {where}: {type(error).__name__}: {error}",
        "This is a bug in scanagg. Run again with -v for the traceback, and report it.",
    )
    if {"-v", "--verbose"} & set(sys.argv):
        traceback.print_exception(error)
