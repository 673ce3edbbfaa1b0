"""Trivy: vulnerabilities, secrets, misconfigurations and licences of a tree, or of an image.

The tree is scanned where it is. A copy of the file set would cost as much as the scan and lose
Terraform modules that reach over folders; so what does not count is named as skipped instead, and
results about other files are dropped. Vulnerabilities need a database and the rest does not: they
are two jobs, and without a database only the manifests are not examined. The second job needs no
network and gets none, for Terraform modules may name any address to load from.

What counts as an input, and what proves that it was examined, is in `_trivy_evidence`.
"""

import shutil
from collections.abc import Sequence

from scanagg.model import Category, ScannerInfo
from scanagg.scanners import base
from scanagg.scanners.base import (
    Call,
    Context,
    Inputs,
    Output,
    Parsed,
    ScanError,
    ScannerSettings,
    Tool,
)
from scanagg.scanners.trivy import answer, calls, report
from scanagg.scanners.trivy.tree import Tree

INFO = ScannerInfo(
    name="trivy",
    title="Trivy",
    about=(
        "Vulnerabilities, secrets, misconfigurations and licences in the tree or a container image."
    ),
    url="https://trivy.dev/",
    install="get the program from https://trivy.dev/ and put it on PATH",
    options={
        "cache-dir": "Folder with Trivy's databases (default: the one that Trivy itself uses).",
        "skip-db-update": "true: use the vulnerability database that is there, however old.",
    },
    args=frozenset(
        (
            *("--severity", "--ignore-unfixed", "--ignore-status", "--skip-dirs"),
            *("--skip-files", "--db-repository", "--include-dev-deps"),
            *("--misconfig-scanners", "--insecure"),
        )
    ),
    native_files=("trivy.yaml", ".trivyignore", ".trivyignore.yaml", "trivy-secret.yaml"),
    categories=frozenset(
        {
            Category.VULNERABILITY,
            Category.SECRET,
            Category.MISCONFIGURATION,
            Category.LICENSE,
        }
    ),
    usual_for=frozenset({Category.MISCONFIGURATION}),
    has_dated_data=True,
    scans_images=True,
    # Secrets in ARG and ENV of a Dockerfile, by the old and new names of the check.
    secret_rules=frozenset({"DS-0031", "DS031", "AVD-DS-0031"}),
    suppressions={".trivyignore": True, "trivy:ignore": False},
)

again = base.again
recall = base.recall
advisory_source = base.advisory_source


def locate(settings: ScannerSettings) -> Tool | None:
    """The program named in the settings, else the one on PATH."""
    found = shutil.which(settings.path or "trivy")
    return Tool((str(found),), INFO.name) if found else None


def probe(context: Context, tool: Tool) -> Call | None:
    """The versions of the program and of its vulnerability database."""
    return calls.version(context, tool)


def identify(tool: Tool, output: Output) -> Tool:
    """The tool with its version and the age of its database; ScanError where it is no trivy."""
    return answer.identified(tool, output)


def inputs(context: Context) -> Inputs:
    """Files that Trivy can be seen to read, the image, and manifests that it cannot read."""
    tree = _tree(context)
    unread = tuple(tree.unread_manifests())
    names = {one.input for one in unread}
    found = tuple(path for path, _ in tree.inputs() if path not in names)
    image = (calls.IMAGE + context.image,) if context.image else ()
    return Inputs("files", (*found, *image), unread)


def batches(context: Context, inputs: Inputs) -> Sequence[tuple[str, ...]]:
    """Manifests, the other files, the image: one job each."""
    tree = _tree(context)
    files = [name for name in inputs.found if name in tree.files]
    manifests = tuple(name for name in files if tree.is_manifest(name))
    others = tuple(name for name in files if not tree.is_manifest(name))
    image = tuple(name for name in inputs.found if name not in tree.files)
    return [batch for batch in (manifests, others, image) if batch]


def call(context: Context, tool: Tool, batch: tuple[str, ...]) -> Call:
    """One scan. Configuration that the tree may hold has no effect: all of it is ours."""
    tree = _tree(context)
    if batch[0] not in tree.files:
        return calls.of_image(context, tool, batch)
    return calls.of_tree(context, tool, tree, batch)


def parse(context: Context, output: Output) -> Parsed:
    """What a scan found, and for which inputs it shows that it looked at them."""
    try:
        document = report.decode(output.stdout)
    except ValueError as error:
        otherwise = f"its answer is not Trivy's JSON: {error}"
        raise ScanError(answer.fatal(output) or otherwise) from error
    if output.returncode != 0:
        otherwise = f"exit code {output.returncode} with a report"
        raise ScanError(answer.fatal(output) or otherwise)
    tree = _tree(context)
    if output.inputs[0] not in tree.files:
        return answer.of_image(context, output, document)
    return answer.of_tree(context, tree, output, document, INFO.native_files)


def _tree(context: Context) -> Tree:
    return Tree(context.target, context.inventory)
