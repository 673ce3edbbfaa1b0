"""The kinds of files, by paths of each kind and by paths that only look like it."""

import pytest

from scanagg.model import PathKind
from scanagg.model.paths import path_kind

PATHS = {
    PathKind.VENDORED: [
        "vendor/lib/a.py",
        "pip/_vendor/a.py",
        "third_party/a.c",
        "web/node_modules/a/index.js",
    ],
    PathKind.GENERATED: [
        "poetry.lock",
        "web/package-lock.json",
        "static/jquery.min.js",
        "app/locale/de/LC_MESSAGES/django.po",
        "api/user_pb2.py",
    ],
    PathKind.TESTS: [
        "tests/test_app.py",
        "app/test_app.py",
        "app/tests.py",
        "conftest.py",
        "pkg/client_test.go",
        "web/login.spec.ts",
        "src/main/java/LoginTest.java",
        "t/unit/a.py",
        "integration-tests/a.yml",
        "docker-compose.test.yml",
        "compose.ci.yaml",
        "vcr_cassettes/login.yaml",
        ".env.test",
        "config/environments/test.rb",
    ],
    PathKind.EXAMPLES: [
        "examples/app.py",
        ".env.example",
        "config/settings.example.yml",
        "app/settings_sample.py",
        "phpunit.xml.dist",
        "Demo/app.py",
        "src/tutorial_2.py",
    ],
    PathKind.DOCS: [
        "docs/conf.py",
        "docs_src/app.py",
        "README.md",
        "src/guide.rst",
        "notes.txt",
        "site/index.html",
        "CHANGELOG",
    ],
    PathKind.PRODUCTION: [
        "app.py",
        ".env",
        ".github/workflows/test.yml",
        "docker-compose.yml",
        "app/vendors.py",
        "app/external/client.py",
        "app/testament.py",
        "app/latest.java",
        "app/contest.php",
        "app/protest/a.py",
        "app/resample.py",
        "app/sampler.py",
        "app/newsletter/send.py",
        "app/licenses.py",
        "app/block.py",
        "app/templates/login.html",
        "requirements.txt",
        "requirements/dev.txt",
        "doc.py",
    ],
}


@pytest.mark.parametrize(
    ("path", "kind"), [(path, kind) for kind, paths in PATHS.items() for path in paths]
)
def test_path_kind(path: str, kind: PathKind) -> None:
    assert path_kind(path) is kind


def test_every_kind_has_paths() -> None:
    assert set(PATHS) == set(PathKind)
