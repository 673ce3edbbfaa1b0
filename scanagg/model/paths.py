"""Kinds of files, by their paths alone."""

import re
from functools import lru_cache
from typing import Final

from scanagg.model.enums import PathKind

# The first that matches decides. A path is in lower case and begins with "/".
_KINDS: Final = (
    (
        PathKind.VENDORED,
        (
            r"/(?:_?vendor(?:ed)?|third[-_]?party|extern|node_modules|bower_components|"
            r"site-packages)/"
        ),
    ),
    (
        PathKind.GENERATED,
        (
            r"\.lock$|lock\.(?:json|ya?ml|toml)$|[.-]min\.(?:js|css)$|\.(?:map|po|pot|svg)$|"
            r"_pb2(?:_grpc)?\.pyi?$|/(?:go\.sum|npm-shrinkwrap\.json)$|/locales?/"
        ),
    ),
    (
        PathKind.TESTS,
        (
            r"/(?:t|tests?|testing|specs?|__tests__|fixtures?|testdata|mocks?|e2e|cypress|\.ci|\w*cassettes|"
            r"(?:unit|local|system|integration|functional|smoke|acceptance|e2e)[-_]?tests?|"
            r"tests?[-_]\w+)/|"
            r"/(?:test_|conftest\.)|/tests?\.py$|_test\.|_spec\.|\.test\.|\.spec\.|"
            r"(?<!/la)(?<!/con)tests?\.(?:java|kt|scala|groovy|cs|swift|php)$|"
            r"[._-](?:ci|tests?|testing|e2e)\.(?:ya?ml|json|toml|ini|cfg|conf|properties|env)$|"
            r"/\.env\.(?:ci|tests?|testing)$|/(?:config|settings|environments?)/tests?\."
        ),
    ),
    (
        PathKind.EXAMPLES,
        (
            r"/(?:demos?|cookbooks?|quickstarts?)/|example|(?<![a-z])tutorial|"
            r"(?<![a-z])sample(?![dr])|"
            r"\.dist$|\.env\.(?:template|tmpl)$"
        ),
    ),
    (
        PathKind.PRODUCTION,
        (
            r"requirements[\w.-]{0,80}\.txt$|/requirements/[^/]+\.txt$|"
            r"/(?:templates|views|layouts|partials)/.*\.html?$"
        ),
    ),
    (
        PathKind.DOCS,
        (
            r"/(?:docs?(?:[_-]\w+)?|documentation)/|\.(?:md|rst|txt|adoc|asciidoc|html?)$|"
            r"/(?:readme|changelog|changes|history|news|licen[cs]e|copying|authors)$"
        ),
    ),
)
_PATTERNS: Final = tuple((kind, re.compile(pattern)) for kind, pattern in _KINDS)


@lru_cache(maxsize=8192)
def path_kind(path: str) -> PathKind:
    """Return the kind of a file by its path, relative to the target; production if none fits."""
    name = "/" + path.lower()
    kinds = (kind for kind, pattern in _PATTERNS if pattern.search(name))
    return next(kinds, PathKind.PRODUCTION)
