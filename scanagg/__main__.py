"""The entry point of `scanagg` and `python -m scanagg`, which isolates Python from the project.

The current folder is often the checked project. Nothing is imported from it, or from places that
variables such as PYTHONPATH name. If such a variable is set, Python starts again without it as soon
as this module is imported: console scripts import other modules before they call `main`. Until
then, this module uses only what Python has loaded. It cannot undo what the variables make Python
import before its first line of code.
"""
# ruff: noqa: PTH100, PTH109, PTH117, PTH118, PTH120

import os
import sys

# Variables for Python that change neither which code runs nor how the process ends.
_HARMLESS = frozenset(
    (
        *("PYTHONCOERCECLOCALE", "PYTHONDONTWRITEBYTECODE", "PYTHONFAULTHANDLER", "PYTHONHASHSEED"),
        *("PYTHONIOENCODING", "PYTHONNODEBUGRANGES", "PYTHONNOUSERSITE", "PYTHONSAFEPATH"),
        *("PYTHONUNBUFFERED", "PYTHONUTF8"),
    )
)


def _isolate() -> None:
    """Forget the current folder. Start again if variables change which code Python runs."""
    home = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    try:
        here = os.getcwd()
    except OSError:
        here = ""
    # Container images set PYTHON_VERSION and the like, which Python does not read.
    steering = {
        name: value
        for name, value in os.environ.items()
        if value and name.startswith("PYTHON") and name[6:7] != "_" and name not in _HARMLESS
    }
    # This scanagg may be installed in a place that only a variable names. That place stays.
    base, path = steering.get("PYTHONUSERBASE", ""), steering.get("PYTHONPATH", "")
    if os.path.isabs(base) and home.startswith(os.path.join(base, "")):
        del steering["PYTHONUSERBASE"]
    if path == home:
        del steering["PYTHONPATH"]
    can_start = sys.executable and os.name == "posix"
    if steering and can_start and not sys.flags.ignore_environment:
        kept = {name: value for name, value in os.environ.items() if name not in steering}
        places = [os.path.abspath(folder) for folder in path.split(os.pathsep)]
        if home in places or (home == here and not sys.flags.safe_path):
            kept["PYTHONPATH"] = home
        command = [sys.executable, "-P", *sys.orig_argv[1:]]
        os.execve(sys.executable, command, kept)  # noqa: S606 - the same command again
    # `python -m` adds the current folder.
    if not sys.flags.safe_path and sys.path and sys.path[0] in ("", here):
        del sys.path[0]


_isolate()

from scanagg.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
