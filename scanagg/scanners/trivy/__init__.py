"""Trivy: vulnerabilities, secrets, misconfigurations and licences of a tree, or of an image.

The tree is scanned where it is. A copy of the file set would cost as much as the scan and lose
Terraform modules that reach over folders; so what does not count is named as skipped instead, and
results about other files are dropped. Vulnerabilities need a database and the rest does not: they
are two jobs, and without a database only the manifests are not examined. The second job needs no
network and gets none, for Terraform modules may name any address to load from.

What counts as an input, and what proves that it was examined, is in `_trivy_evidence`.
"""

import shutil
from collections.abc import Mapping, Sequence

from scanagg.scanners import arguments
from scanagg.scanners.base import (
    Context,
    Inputs,
    Job,
    Output,
    OutputError,
    Parsed,
    ScannerSettings,
    Tool,
)
from scanagg.scanners.trivy import answer, calls, convert, report
from scanagg.scanners.trivy.tree import Tree

NAME = convert.NAME
TITLE = "Trivy"
ABOUT = "Vulnerabilities, secrets, misconfigurations and licences in the tree or a container image."
URL = "https://trivy.dev/"
INSTALL = "get the program from https://trivy.dev/ and put it on PATH"
OPTIONS: Mapping[str, str] = {
    "cache-dir": "Folder with Trivy's databases (default: the one that Trivy itself uses).",
    "skip-db-update": "true: use the vulnerability database that is there, however old.",
}
ARGS: frozenset[str] = arguments.TRIVY
NATIVE: tuple[str, ...] = ("trivy.yaml", ".trivyignore", ".trivyignore.yaml", "trivy-secret.yaml")


def locate(settings: ScannerSettings) -> Tool | None:
    """The program named in the settings, else the one on PATH."""
    found = shutil.which(settings.path or "trivy")
    return Tool((str(found),), NAME) if found else None


def probe(context: Context, tool: Tool) -> Job | None:
    """The versions of the program and of its vulnerability database."""
    return calls.version(context, tool)


def identify(tool: Tool, output: Output) -> Tool:
    """The tool with its version and the age of its database; OutputError where it is no trivy."""
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


def job(context: Context, tool: Tool, batch: tuple[str, ...]) -> Job:
    """One scan. Configuration that the tree may hold has no effect: all of it is ours."""
    tree = _tree(context)
    if batch[0] not in tree.files:
        return calls.of_image(context, tool, batch)
    return calls.of_tree(context, tool, tree, batch)


def again(context: Context, output: Output) -> Sequence[tuple[str, ...]]:
    """Trivy passes over what it cannot read, so what stops it would stop it again."""
    return ()


def parse(context: Context, output: Output) -> Parsed:
    """What a scan found, and for which inputs it shows that it looked at them."""
    try:
        document = report.decode(output.stdout)
    except ValueError as error:
        otherwise = f"its answer is not Trivy's JSON: {error}"
        raise OutputError(answer.fatal(output) or otherwise) from error
    if output.returncode != 0:
        otherwise = f"exit code {output.returncode} with a report"
        raise OutputError(answer.fatal(output) or otherwise)
    tree = _tree(context)
    if output.inputs[0] not in tree.files:
        return answer.of_image(context, output, document)
    return answer.of_tree(context, tree, output, document, NATIVE)


def recall(context: Context) -> Parsed:
    """Nothing is stored: databases change from day to day, and the rest is quick."""
    return Parsed()


def _tree(context: Context) -> Tree:
    return Tree(context.target, context.inventory)
