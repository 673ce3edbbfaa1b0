"""`python -m scanagg`: the same as `scanagg`, without imports from the current folder."""

import sys
from pathlib import Path

# The current folder is often the checked project: import nothing from it.
if sys.path and Path(sys.path[0] or ".").resolve() == Path.cwd():
    del sys.path[0]

from scanagg.cli import main

if __name__ == "__main__":
    main()
