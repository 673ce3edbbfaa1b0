"""How Trivy is called: nothing of the project configures it, nothing of this machine leaks in."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from scanagg.scanners.base import Call, Context, Tool
from scanagg.scanners.trivy.tree import SEEN, Tree

IMAGE: Final = "image:"
_ALLOW: Final = (
    *("TRIVY_CACHE_DIR", "TRIVY_DB_REPOSITORY", "TRIVY_JAVA_DB_REPOSITORY"),
    *("TRIVY_CHECKS_BUNDLE_REPOSITORY", "TRIVY_USERNAME", "TRIVY_PASSWORD"),
    *("TRIVY_REGISTRY_TOKEN", "DOCKER_HOST", "DOCKER_CONFIG"),
)
# As variables, because versions of Trivy that do not know these pass over them.
_QUIET: Final = dict.fromkeys(("TRIVY_DISABLE_TELEMETRY", "TRIVY_SKIP_VERSION_CHECK"), "true")
_NO_UPDATE: Final = ("--skip-db-update", "--skip-java-db-update")
# A proxy where nobody listens keeps a job from the network.
_NO_NETWORK: Final = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
}
# The first version with which this was tried: findings of all four kinds are told.
_SHOWS_SUPPRESSED: Final = (0, 76)
_NOTHING: Final = {"trivy.yaml": "{}\n", "ignore": "", "secret.yaml": "rules: []\n"}
_SEEN: Final = f"""\
rules:
  - {{id: {SEEN}, category: read, title: read, severity: LOW, regex: '\\A(?s:.)'}}
"""


def version(context: Context, tool: Tool) -> Call:
    """Tell the versions of the program and of its database."""
    argv = (*tool.argv, "version", "--format", "json", "--config", "{work}/trivy.yaml")
    return Call((*argv, *_cache_dir(context)), files=_NOTHING, env=_QUIET, allow=_ALLOW)


def of_tree(context: Context, tool: Tool, tree: Tree, batch: tuple[str, ...]) -> Call:
    """Scan the tree, for what the batch is there for."""
    looked_for = scanners(tree, batch)
    update = _update(context) if "vuln" in looked_for else _NO_UPDATE
    ignored = tree.ignore_file() if _shows_suppressed(tool) else ""
    argv = (
        *(*tool.argv, "fs", "--scanners", looked_for, "--include-dev-deps", "--offline-scan"),
        *(*_common(context), *update, *context.settings.args),
        *(("--show-suppressed",) if ignored else ()),
    )
    own = {"trivy.yaml": tree.configuration(), "ignore": ignored, "secret.yaml": _SEEN}
    return Call(
        argv,
        batch,
        extra=(str(context.target.root),),
        files={**_NOTHING, **own},
        env={**_QUIET, **_environment(context), **(_NO_NETWORK if update else {})},
        allow=_ALLOW,
    )


def _shows_suppressed(tool: Tool) -> bool:
    """Whether what an ignore file takes out is still told; where it is not, none is used."""
    numbers = re.findall(r"\d+", tool.version or "")[:2]
    return tuple(map(int, numbers)) >= _SHOWS_SUPPRESSED


def of_image(context: Context, tool: Tool, batch: tuple[str, ...]) -> Call:
    """Scan an image by its reference, or the archive of one; offline only what is here already."""
    image = batch[0].removeprefix(IMAGE)
    archive = image.endswith(".tar") and Path(image).is_file()
    argv = (
        *(*tool.argv, "image", "--scanners", "vuln,secret", "--cache-backend", "memory"),
        *(*_common(context), *_update(context), *context.settings.args),
        *(("--offline-scan",) if context.offline else ()),
        *(("--image-src", "docker,containerd,podman") if context.offline else ()),
    )
    what = ("--input", str(Path(image).absolute())) if archive else ("--", image)
    return Call(argv, batch, extra=what, files=_NOTHING, env=_QUIET, allow=_ALLOW)


def scanners(tree: Tree, batch: tuple[str, ...]) -> str:
    """What to look for: vulnerabilities in manifests; the rest with the other files, if any."""
    rest = "secret,misconfig,license"
    if not tree.is_manifest(batch[0]):
        return rest
    return "vuln" if tree.has_more_than_manifests() else f"vuln,{rest}"


def _common(context: Context) -> tuple[str, ...]:
    """Options of every scan. The deadline is ours; the checks are those that Trivy came with."""
    return (
        *("--format", "json", "--timeout", "24h", "--skip-check-update"),
        *("--config", "{work}/trivy.yaml", "--ignorefile", "{work}/ignore"),
        *("--secret-config", "{work}/secret.yaml"),
        *_cache_dir(context),
    )


def _cache_dir(context: Context) -> tuple[str, ...]:
    folder = context.settings.options.get("cache-dir")
    if not folder:
        return ()
    return ("--cache-dir", str(context.target.root / Path(folder).expanduser()))


def _update(context: Context) -> tuple[str, ...]:
    kept = context.offline or context.settings.options.get("skip-db-update") == "true"
    return _NO_UPDATE if kept else ()


def _environment(context: Context) -> Mapping[str, str]:
    """Where licences of Python packages come from: the project's own environment or none.

    Trivy looks into VIRTUAL_ENV, else beside the `python` on PATH, whoever's that is.
    """
    python = context.python or context.inventory.python
    prefix = python.parent.parent if python else None
    own = {"VIRTUAL_ENV": str(prefix)} if prefix and (prefix / "pyvenv.cfg").is_file() else {}
    return {"PATH": "{work}", **own}
