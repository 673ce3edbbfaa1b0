"""Trivy: vulnerabilities, secrets, misconfigurations and licences of a tree, or of an image.

Trivy scans the tree in place. A copy would take as long as the scan and break Terraform modules
that reach over folders. So its configuration skips every file that does not count, and results
about other files are dropped. Vulnerabilities need a database and the rest does not. So there are
two calls, and without a database only the manifests are not examined. The second call has no
network access, because Terraform modules can name any address to load from.

The project does not configure Trivy, and results do not depend on this machine. `tree` decides
which files are inputs, and `proof` which of them were examined.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.core.text import one_line, shorten
from scanagg.core.times import as_utc
from scanagg.model import Category, DataSource, NotExamined, Reason, ScannerInfo, plain
from scanagg.model.network import network_failure
from scanagg.project.installed import packages_of
from scanagg.project.text import promises_binary
from scanagg.scanners import base, secret_rules
from scanagg.scanners.trivy import proof, results
from scanagg.scanners.trivy.tree import IGNORE_FILE, OTHERS, SEEN, Kind, Tree

INFO = ScannerInfo(
    name=results.NAME,
    title="Trivy",
    about="Finds vulnerabilities, secrets, licences and misconfigurations. Scans images.",
    url="https://trivy.dev/",
    install="see https://trivy.dev/ and put the program on PATH",
    options={
        "cache-dir": "Folder with Trivy's databases. Default: the folder that Trivy itself uses.",
        "skip-db-update": "true: use the existing vulnerability database, however old it is.",
    },
    args=frozenset(
        (
            *("--severity", "--ignore-unfixed", "--ignore-status", "--skip-dirs"),
            *("--skip-files", "--db-repository", "--include-dev-deps"),
            *("--misconfig-scanners", "--insecure"),
        )
    ),
    native_files=("trivy.yaml", IGNORE_FILE, ".trivyignore.yaml", "trivy-secret.yaml"),
    categories=frozenset(
        {Category.VULNERABILITY, Category.SECRET, Category.MISCONFIGURATION, Category.LICENSE}
    ),
    usual_for=frozenset({Category.MISCONFIGURATION}),
    reads=OTHERS,
    scans_images=True,
    data_variable="TRIVY_CACHE_DIR",
    rule_aliases=secret_rules.ALIASES,
    # Secrets in ARG and ENV of a Dockerfile, by the old and new names of the check.
    secret_rules=frozenset({"DS-0031", "DS031", "AVD-DS-0031"}),
    suppressions={IGNORE_FILE: True, "trivy:ignore": False},
)

_IMAGE: Final = "image:"
_COPIES: Final = "decoded"
_ALLOW: Final = (
    *(INFO.data_variable, "TRIVY_DB_REPOSITORY", "TRIVY_JAVA_DB_REPOSITORY"),
    *("TRIVY_CHECKS_BUNDLE_REPOSITORY", "TRIVY_USERNAME", "TRIVY_PASSWORD"),
    *("TRIVY_REGISTRY_TOKEN", "DOCKER_HOST", "DOCKER_CONFIG"),
)
# As variables, because versions of Trivy that do not know these pass over them.
_QUIET: Final = dict.fromkeys(("TRIVY_DISABLE_TELEMETRY", "TRIVY_SKIP_VERSION_CHECK"), "true")
_NO_UPDATE: Final = ("--skip-db-update", "--skip-java-db-update")
# A proxy where nobody listens keeps a call from the network.
_NO_NETWORK: Final = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9"),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
}
# The first version that was tried to list what its ignore file hides, of all four kinds.
_SHOWS_SUPPRESSED: Final = (0, 76)
_NOTHING: Final = {"trivy.yaml": "{}\n", "ignore": "", "secret.yaml": "rules: []\n"}
_SEEN: Final = f"""\
rules:
  - {{id: {SEEN}, category: read, title: read, severity: LOW, regex: '\\A(?s:.)'}}
"""
_REASON_WIDTH: Final = 300
_FATAL: Final = re.compile(r"\tFATAL\t(?:Fatal error\t)?(?:run error: )?([^\n]*(?:\n\t[^\n]*)*)")
_DOWNLOAD: Final = "failed to download vulnerability DB"
_FIRST_RUN: Final = "--skip-db-update cannot be specified on the first run"

again = base.again
recall = base.recall
advisory_source = base.advisory_source


class _Database(msgspec.Struct, rename="pascal"):
    updated_at: datetime | None = None


class _Version(msgspec.Struct, rename="pascal"):
    version: str
    database: _Database = msgspec.field(default_factory=_Database, name="VulnerabilityDB")


def locate(context: base.Context) -> base.Tool | None:
    """Find the program that the settings name, else the one on PATH."""
    return base.program(context, INFO.name)


def probe(context: base.Context, tool: base.Tool) -> base.Call | None:
    """Return the call that prints the versions of the program and its database."""
    argv = (*tool.argv, "version", "--format", "json", "--config", "{work}/trivy.yaml")
    return base.Call((*argv, *_cache_dir(context)), files=_NOTHING, env=_QUIET, allow=_ALLOW)


def identify(tool: base.Tool, output: base.Output) -> base.Tool:
    """Return the tool with its version and database. Times without a zone are UTC. ScanError."""
    try:
        version = msgspec.convert(base.without_nulls(msgspec.json.decode(output.stdout)), _Version)
    except (ValueError, RecursionError) as error:
        otherwise = Reason("unreadable-answer", {"error": str(error)})
        raise base.ScanError(_fatal(output) or otherwise) from error
    updated = version.database.updated_at
    data = DataSource("Trivy vulnerability database", as_utc(updated)) if updated else None
    return replace(tool, version=version.version, data=data)


def inputs(context: base.Context) -> base.Inputs:
    """Return the files that Trivy reads, the image, and the manifests that it does not read."""
    tree = _tree(context)
    unread = tuple(tree.unread_manifests())
    names = {one.input for one in unread}
    natures = context.sources.natures
    files = tuple(path for path, _ in tree.inputs() if path not in names)
    pointers = {path for path in files if natures[path].is_pointer}
    gaps = tuple(
        NotExamined(path, Reason("in-git-lfs"), on_purpose=promises_binary(path))
        for path in sorted(pointers)
    )
    image = (_IMAGE + context.image,) if context.image else ()
    read = tuple(path for path in files if path not in pointers)
    return base.Inputs("files", (*read, *image), (*unread, *gaps))


def batches(context: base.Context, inputs: base.Inputs) -> Sequence[tuple[str, ...]]:
    """Return one batch each for manifests, other files, decoded copies, and the image."""
    tree = _tree(context)
    groups: dict[tuple[bool, bool, bool], list[str]] = {}
    for name in inputs.found:
        is_image = name not in tree.files
        is_decoded = not is_image and tree.kind(name) is Kind.DECODED
        order = (is_image, is_decoded, not tree.is_manifest(name))
        groups.setdefault(order, []).append(name)
    return [tuple(names) for _, names in sorted(groups.items())]


def call(context: base.Context, tool: base.Tool, batch: tuple[str, ...]) -> base.Call:
    """Return the call that scans the tree, decoded copies of files, or an image.

    An image is a reference or an archive. Offline, it must be on this machine.
    """
    tree = _tree(context)
    if batch[0] not in tree.files:
        return _image_call(context, tool, batch)
    scanners = _scanners(tree, batch)
    no_update = _no_update(context) if "vuln" in scanners else _NO_UPDATE
    version = re.findall(r"\d+", tool.version or "")[:2]
    # Findings that the ignore file hides must be listed. Older versions get no ignore file.
    ignored = tree.ignore_file() if tuple(map(int, version)) >= _SHOWS_SUPPRESSED else ""
    argv = (
        *(*tool.argv, "fs", "--scanners", scanners, "--include-dev-deps", "--offline-scan"),
        *(*_common(context), *no_update, *context.settings.args),
        *(("--show-suppressed",) if ignored else ()),
    )
    # Trivy reads licences of Python packages in VIRTUAL_ENV, else beside the `python` on PATH. It
    # gets copies: it would follow links in the environment itself.
    environment = {"PATH": "{work}"}
    if context.inventory.environment:
        environment["VIRTUAL_ENV"] = "{work}"
    call = base.Call(
        argv,
        batch,
        files={**_NOTHING, "ignore": ignored, "secret.yaml": _SEEN},
        env={**_QUIET, **environment, **(_NO_NETWORK if no_update else {})},
        allow=_ALLOW,
    )
    if tree.kind(batch[0]) is Kind.DECODED:
        names = _copies(batch)
        copies = {f"{_COPIES}/{name}": tree.decoded(path) for name, path in names.items()}
        return replace(call, argv=(*argv, f"{{work}}/{_COPIES}"), files={**call.files, **copies})
    files = {**call.files, "trivy.yaml": tree.configuration(), **_metadata(context)}
    return replace(call, extra=(str(context.target.root),), files=files)


def _tree(context: base.Context) -> Tree:
    return Tree(context.target, context.inventory, context.sources)


def _copies(paths: Sequence[str]) -> Mapping[str, str]:
    """Return the names of the decoded copies, with the paths of their files."""
    return {f"{index}.txt": path for index, path in enumerate(paths)}


def _metadata(context: base.Context) -> Mapping[str, str]:
    """Return the metadata of the packages in the project's environment, without descriptions."""
    files = {}
    for package in packages_of(context.inventory.environment):
        if package.path.suffix == ".dist-info" and not package.problem:
            header, *_ = (package.read_text("METADATA") or "").partition("\n\n")
            files[f"lib/python3/site-packages/{package.path.name}/METADATA"] = f"{header}\n\n"
    return files


def _image_call(context: base.Context, tool: base.Tool, batch: tuple[str, ...]) -> base.Call:
    image = batch[0].removeprefix(_IMAGE)
    archive = image.endswith(".tar") and Path(image).is_file()
    local = ("--offline-scan", "--image-src", "docker,containerd,podman")
    argv = (
        *(*tool.argv, "image", "--scanners", "vuln,secret", "--cache-backend", "memory"),
        *(*_common(context), *_no_update(context), *context.settings.args),
        *(local if context.offline else ()),
    )
    subject = ("--input", str(Path(image).absolute())) if archive else ("--", image)
    return base.Call(argv, batch, extra=subject, files=_NOTHING, env=_QUIET, allow=_ALLOW)


def parse(context: base.Context, output: base.Output) -> base.Parsed:
    """Read the findings of a scan, and the evidence of the inputs that it examined."""
    try:
        document = results.decode(output.stdout)
    except (ValueError, RecursionError) as error:
        otherwise = Reason("unreadable-answer", {"error": str(error)})
        raise base.ScanError(_fatal(output) or otherwise) from error
    if output.returncode != 0:
        raise base.ScanError(_fatal(output) or Reason("exit-code", {"code": output.returncode}))
    tree = _tree(context)
    if output.inputs[0] in tree.files:
        return _parse_tree(context, tree, output, document)
    # An image is examined if Trivy lists packages in it.
    image = output.inputs[0].removeprefix(_IMAGE)
    reading = results.read(document, context.inventory, image=image)
    listed = any(result.packages for result in document.all_results())
    gap = NotExamined(output.inputs[0], Reason("no-packages-found"))
    ended = document.end_of_life()
    return base.Parsed(
        observations=reading.observations,
        examined=output.inputs if listed else (),
        not_examined=() if listed else (gap,),
        notices=(Reason("end-of-life", {"image": image, "system": ended}),) if ended else (),
    )


def _parse_tree(
    context: base.Context, tree: Tree, output: base.Output, document: results.TrivyReport
) -> base.Parsed:
    is_decoded = tree.kind(output.inputs[0]) is Kind.DECODED
    names = _copies(output.inputs) if is_decoded else tree.names
    reading = results.read(document, context.inventory, names, sources=context.sources)
    evidence = proof.gather(document, names, output.stderr)
    examined = [name for name in output.inputs if proof.examined(tree, name, evidence)]
    missed = sorted(set(output.inputs).difference(examined))
    notices = [*proof.partly(tree, examined, evidence)]
    if reading.elsewhere:
        notices.append(Reason("findings-elsewhere", {"number": reading.elsewhere}))
    if reading.loose_licenses:
        notices.append(Reason("loose-licences", {"number": reading.loose_licenses}))
    hidden: Mapping[str, int] = {}
    if "misconfig" in _scanners(tree, output.inputs):
        hidden = tree.hidden()
        if IGNORE_FILE in tree.files:
            notices.append(Reason("ignore-file", {"path": IGNORE_FILE}))
        if count := tree.left_out_of_secrets():
            notices.append(Reason("text-files-skipped", {"number": count}))
    return base.Parsed(
        observations=reading.observations,
        examined=tuple(examined),
        not_examined=tuple(proof.missed(tree, name, evidence) for name in missed),
        hidden=hidden,
        notices=tuple(notices),
    )


def _scanners(tree: Tree, batch: tuple[str, ...]) -> str:
    """Return Trivy's scanners: `vuln` for manifests, and the rest with the other files."""
    rest = "secret,misconfig,license"
    if tree.kind(batch[0]) is Kind.DECODED:
        return "secret"
    if not tree.is_manifest(batch[0]):
        return rest
    return "vuln" if tree.has_more_than_manifests() else f"vuln,{rest}"


def _common(context: base.Context) -> tuple[str, ...]:
    """Return the options of every scan: the runner's deadline, and the built-in checks."""
    return (
        *("--format", "json", "--timeout", "24h", "--skip-check-update"),
        *("--config", "{work}/trivy.yaml", "--ignorefile", "{work}/ignore"),
        *("--secret-config", "{work}/secret.yaml"),
        *_cache_dir(context),
    )


def _no_update(context: base.Context) -> tuple[str, ...]:
    keep = context.offline or context.settings.options.get("skip-db-update") == "true"
    return _NO_UPDATE if keep else ()


def _cache_dir(context: base.Context) -> tuple[str, ...]:
    folder = context.settings.options.get("cache-dir")
    if not folder:
        return ()
    return ("--cache-dir", str(context.target.root / Path(folder).expanduser()))


def _fatal(output: base.Output) -> Reason | None:
    """Return Trivy's last error, or the reason if it is about the database."""
    errors = _FATAL.findall(output.stderr)
    if not errors:
        return None
    if _FIRST_RUN in errors[-1]:
        return Reason("no-database", {"command": "trivy fs --download-db-only"})
    line = " ".join(errors[-1].split())
    if _DOWNLOAD in line:
        cause = line.rpartition("* ")[2].rpartition(_DOWNLOAD)[2].lstrip(": ")
        not_updated = Reason("database-not-updated", {"error": cause})
        return network_failure("Trivy's vulnerability database", cause) or not_updated
    return plain(shorten(one_line(line), _REASON_WIDTH))
