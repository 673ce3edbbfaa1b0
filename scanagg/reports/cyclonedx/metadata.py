"""What a CycloneDX document says of itself: what it describes, who made it, how it was judged."""

import re
from typing import Final

from cyclonedx.model import ExternalReference, ExternalReferenceType
from cyclonedx.model.bom import BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.lifecycle import LifecyclePhase, PredefinedLifecycle
from cyclonedx.model.tool import ToolRepository

from scanagg.core.text import one_line
from scanagg.model import DataSource, Report, Run, Status, Target
from scanagg.reports.cyclonedx.completeness import unseen
from scanagg.reports.cyclonedx.values import Values, link, properties
from scanagg.reports.phrases import data_credits as notices
from scanagg.reports.phrases import examined

_NAME: Final = "scanagg"
_UNNAMED: Final = "(no name)"
_ODD: Final = re.compile(r"[^A-Za-z0-9.]+")


def metadata(report: Report, root: str) -> BomMetaData:
    """The head of the document; the target is the component `root`.

    The packages come from manifests and locks, before anything is built: the lifecycle says so.
    """
    facts: Values = {
        **_verdict(report),
        **{key: value for run in report.runs for key, value in _run(run, report).items()},
        **{key: value for one in report.data for key, value in _data(one).items()},
        "not-examined": unseen(report),
        "notice": notices(report),
    }
    return BomMetaData(
        timestamp=report.clock.now,
        lifecycles=[PredefinedLifecycle(phase=LifecyclePhase.PRE_BUILD)],
        tools=ToolRepository(components=_tools(report)),
        component=_target(report.target, root),
        properties=properties(facts),
    )


def _tools(report: Report) -> list[Component]:
    """scanagg, and the scanners that ran; without references, for nothing refers to them."""
    ran = [run for run in report.runs if run.version and run.status is not Status.MISSING]
    named = [(_NAME, report.version), *((run.scanner, run.version or "") for run in ran)]
    return [
        Component(
            type=ComponentType.APPLICATION, name=one_line(name), version=one_line(version) or None
        )
        for name, version in dict.fromkeys(named)
    ]


def _target(target: Target, root: str) -> Component:
    revision = target.revision
    facts: Values = {}
    if revision:
        facts = {"branch": revision.branch, "dirty": revision.dirty, "prefix": revision.prefix}
    repository = link(revision.repository) if revision else None
    return Component(
        type=ComponentType.APPLICATION,
        bom_ref=root,
        name=one_line(target.name) or _UNNAMED,
        version=one_line(revision.commit or "") or None if revision else None,
        external_references=[ExternalReference(type=ExternalReferenceType.VCS, url=repository)]
        if repository
        else (),
        properties=properties(facts),
    )


def _verdict(report: Report) -> Values:
    gate, policy = report.gate, report.policy
    return {
        "gate": gate.outcome.value,
        "gate:exit-code": gate.exit_code,
        "gate:reason": gate.reasons,
        "policy": policy.name,
        "policy:source": policy.source,
        "policy:digest": f"sha256:{policy.digest}" if policy.digest else "",
        "policy:enforcement": policy.enforcement,
        "policy:ref": policy.ref,
    }


def _run(run: Run, report: Report) -> Values:
    """How a scanner went: nobody may take silence for a clean result."""
    name = f"run:{_slug(run.scanner)}"
    detail = f": {run.detail}" if run.detail else ""
    return {
        name: f"{run.status.value}{detail}",
        f"{name}:examined": examined(run),
        f"{name}:version": run.version,
        f"{name}:data": run.data.name if run.data else None,
        **({} if run.data is None or run.data in report.data else _data(run.data)),
    }


def _data(source: DataSource) -> Values:
    name = f"data:{_slug(source.name)}"
    return {
        name: source.name,
        f"{name}:updated": source.updated,
        f"{name}:digest": f"sha256:{source.digest}" if source.digest else "",
        f"{name}:records": source.records,
        f"{name}:origin": source.origin,
        f"{name}:license": source.license,
    }


def _slug(name: str) -> str:
    return _ODD.sub("-", name).strip("-").lower() or "unnamed"
