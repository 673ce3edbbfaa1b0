"""A script that starts `worker` without two things that take longer to import than Python to start.

These are the adapter, which the worker does not use, and the package requests. detect-secrets uses
that only to verify secrets over the network, which must never happen.
"""

import importlib
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Final

_PACKAGE: Final = "scanagg.scanners.detect_secrets"


def main() -> None:
    """Put stand-ins in place of both, and run the worker."""
    requests: Any = ModuleType("requests")
    requests.Response = object
    requests.exceptions = SimpleNamespace(RequestException=OSError)
    adapter = ModuleType(_PACKAGE)
    adapter.__path__ = [str(Path(__file__).parent)]
    sys.modules.update({"requests": requests, _PACKAGE: adapter})
    importlib.import_module(f"{_PACKAGE}.worker").main()


if __name__ == "__main__":
    main()
