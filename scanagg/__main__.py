"""`python -m scanagg`: the same as `scanagg`, though Python looks in the current folder first."""

import sys
from pathlib import Path

# The current folder is mostly the one to be checked: nothing of it may be imported.
if sys.path and Path(sys.path[0] or ".").resolve() == Path.cwd():
    del sys.path[0]

from scanagg.cli import main

if __name__ == "__main__":
    main()
