"""Discovery of formats as packages, and the cost of their import."""

import subprocess
import sys

from scanagg.reports.base import file_names, names, reporters


def test_every_package_is_a_format_with_a_file_of_its_own() -> None:
    assert tuple(found.NAME for found in reporters().values()) == names()
    assert len(set(file_names())) == len(names())


def test_what_is_slow_to_import_waits_until_a_format_renders() -> None:
    program = (
        "import sys\nfrom scanagg.reports import base\nbase.names(), base.file_names()\n"
        "assert not {'cyclonedx', 'packageurl', 'jinja2', 'sarif_om', 'cvss'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], check=False)
    assert done.returncode == 0
