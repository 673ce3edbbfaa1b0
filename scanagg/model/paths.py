"""Kinds of files, by their paths alone."""

import re
from functools import lru_cache
from typing import Final

from scanagg.model.enums import PathKind

# The first that matches decides. A path is in lower case and begins with "/".
_KINDS: Final = (
    (
        PathKind.VENDORED,
        re.compile(
            r"/(?:_?vendor(?:ed)?|third[-_]?party|external|extern|node_modules|bower_components|"
            r"site-packages)/"
        ),
    ),
    (
        PathKind.GENERATED,
        re.compile(
            r"\.lock$|lock\.(?:json|ya?ml|toml)$|\.min\.(?:js|css)$|\.(?:map|po|pot|svg)$|"
            r"_pb2(?:_grpc)?\.pyi?$|/(?:go\.sum|npm-shrinkwrap\.json)$|/(?:\w*cassettes|locales?)/"
        ),
    ),
    (
        PathKind.TESTS,
        re.compile(
            r"/(?:tests?|testing|specs?|__tests__|fixtures?|testdata|mocks?|e2e|"
            r"(?:unit|local|system|integration|functional|smoke|acceptance|e2e)[-_]?tests?|"
            r"tests?[-_]\w+)/|"
            r"/(?:test_|conftest\.)|/tests?\.py$|_test\.|_spec\.|\.test\.|\.spec\."
        ),
    ),
    (PathKind.EXAMPLES, re.compile(r"/(?:examples?|samples?|demos?|tutorials?)/|example|sample")),
    (
        PathKind.DOCS,
        re.compile(
            r"/docs?/|\.(?:md|rst|txt|adoc|asciidoc|html?)$|/(?:readme|changelog|license|news)"
        ),
    ),
)
_REQUIREMENTS: Final = re.compile(r"requirements[^/]*\.txt$|/requirements/[^/]+\.txt$")


@lru_cache(maxsize=8192)
def path_kind(path: str) -> PathKind:
    """Return the kind of a file by its path, relative to the target; production if none fits."""
    name = "/" + path.lower()
    kind = next((kind for kind, pattern in _KINDS if pattern.search(name)), PathKind.PRODUCTION)
    if kind is PathKind.DOCS and _REQUIREMENTS.search(name):
        return PathKind.PRODUCTION
    return kind
