"""The command line: the only code that prints, exits, or catches what nobody expected."""

import os
import sys
from typing import NoReturn

from scanagg.cli.app import app
from scanagg.cli.output import complain, stop_printing
from scanagg.core.errors import ExitCode, ScanaggError


def main() -> NoReturn:
    """Run the command line and exit with one of `ExitCode`."""
    _speak_utf8()
    try:
        app(prog_name="scanagg")
    except ScanaggError as error:
        complain(error.message, error.hint)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        complain("interrupted", "")
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # The reader went away, as in `scanagg check | head`: nobody saw the verdict.
        stop_printing()
        sys.exit(ExitCode.INCOMPLETE)
    except OSError as error:
        # Reports and scanners have their own errors: this is the terminal or the pipe behind it.
        stop_printing()
        complain(f"cannot print: {error.strerror or error}", "The verdict was not seen by anyone.")
        sys.exit(ExitCode.INCOMPLETE)
    except Exception as error:  # noqa: BLE001 - the one place: a bug must not look like a verdict
        _confess(error)
        sys.exit(ExitCode.INTERNAL)
    sys.exit(ExitCode.PASS)


def _speak_utf8() -> None:
    """Print what the terminal's encoding lacks as escapes instead of failing on it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w"))
        reconfigure = getattr(getattr(sys, name), "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def _confess(error: Exception) -> None:
    # Imported here: it is needed once in a lifetime, and start-up should not pay for it.
    import traceback  # noqa: PLC0415

    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{place.filename.rpartition('scanagg/')[2]}:{place.lineno}"
    complain(
        f"internal error in {where}: {type(error).__name__}: {error}",
        "This is a defect of scanagg. Run again with -v for the traceback, and please report it.",
    )
    if {"-v", "--verbose"} & set(sys.argv):
        traceback.print_exception(error)
