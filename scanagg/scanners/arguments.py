"""Which options of the scanners a configuration may give: none of them runs or writes anything.

The configuration comes from the checked project. A plug-in to load, a file to write or another
interpreter would let that project run its code; what merely hides something is reported.
"""

from typing import Final

BANDIT: Final = frozenset(
    (
        *("-l", "-ll", "-lll", "-i", "-ii", "-iii", "--severity-level"),
        *("--confidence-level", "-t", "--tests", "-s", "--skip", "-c", "--configfile"),
    )
)
DETECT_SECRETS: Final = frozenset(
    (
        *("--exclude-lines", "--exclude-secrets", "--exclude-files", "--disable-plugin"),
        *("--disable-filter", "--base64-limit", "--hex-limit"),
    )
)
TRIVY: Final = frozenset(
    (
        *("--severity", "--ignore-unfixed", "--ignore-status", "--skip-dirs"),
        *("--skip-files", "--db-repository", "--include-dev-deps"),
        *("--misconfig-scanners", "--insecure"),
    )
)
PIP_AUDIT: Final = frozenset((*("--ignore-vuln", "--timeout", "-v", "--verbose"),))
LICENSES: Final = frozenset(
    (
        *("--index-url", "-i", "--extra-index-url", "--trusted-host", "--proxy"),
        *("--cert", "--timeout", "--retries"),
    )
)
SAFETY: Final = frozenset(
    (
        *("--ignore", "-i", "--proxy-host", "--proxy-port", "--proxy-protocol"),
        *("--stage", "--debug"),
    )
)
