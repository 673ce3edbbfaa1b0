"""The command line: the only code that prints, exits, or catches unexpected errors."""

import os
import sys
from typing import NoReturn

from scanagg.cli.app import app
from scanagg.cli.output import complain, stop_printing
from scanagg.core.errors import ExitCode, ScanaggError


def main() -> NoReturn:
    """Run the command line and exit with one of `ExitCode`."""
    # Replace closed streams, and escape characters that the terminal's encoding lacks.
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
    try:
        app(prog_name="scanagg")
    except ScanaggError as error:
        complain(error.message, error.hint)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        complain("interrupted", "")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader has gone, as in `scanagg check | head`: nobody saw the verdict.
        stop_printing()
        sys.exit(ExitCode.INCOMPLETE)
    except OSError as error:
        # Reports and scanners have errors of their own: this one is from standard output.
        stop_printing()
        message = f"cannot write to standard output: {error.strerror or error}"
        complain(message, "The output is not complete. Run again with another place for it.")
        sys.exit(ExitCode.INCOMPLETE)
    except Exception as error:  # noqa: BLE001 - a bug must not look like a verdict
        _report_bug(error)
        sys.exit(ExitCode.INTERNAL)
    sys.exit(ExitCode.PASS)


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
