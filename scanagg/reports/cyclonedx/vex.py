"""What people have said of a vulnerability in waivers, as VEX: an analysis, or nothing.

| waiver         | state          | response       | affected |
| -------------- | -------------- | -------------- | -------- |
| not_affected   | not_affected   |                | no       |
| false_positive | false_positive |                | no       |
| risk_accepted  | exploitable    | will_not_fix   | yes      |
| fix_planned    | exploitable    | update         | yes      |

To accept a risk, or to plan a fix, is to say that it is there: `in_triage` would say that nobody
has looked. A justification is none of the standard's list, for owners write theirs as text: it is
in the detail. A comment in the source that hides a finding from a scanner says nothing of whether
it can be exploited, and makes no analysis.
"""

from typing import Final

from cyclonedx.model.impact_analysis import (
    ImpactAnalysisAffectedStatus,
    ImpactAnalysisResponse,
    ImpactAnalysisState,
)
from cyclonedx.model.vulnerability import VulnerabilityAnalysis

from scanagg.core.text import one_line
from scanagg.model import Action, Judged, Waiver, WaiverState

_STATES: Final = {
    WaiverState.NOT_AFFECTED: (ImpactAnalysisState.NOT_AFFECTED, ()),
    WaiverState.FALSE_POSITIVE: (ImpactAnalysisState.FALSE_POSITIVE, ()),
    WaiverState.RISK_ACCEPTED: (
        ImpactAnalysisState.EXPLOITABLE,
        (ImpactAnalysisResponse.WILL_NOT_FIX,),
    ),
    WaiverState.FIX_PLANNED: (ImpactAnalysisState.EXPLOITABLE, (ImpactAnalysisResponse.UPDATE,)),
}
_HARMLESS: Final = (WaiverState.NOT_AFFECTED, WaiverState.FALSE_POSITIVE)


def analysis(judged: Judged) -> VulnerabilityAnalysis | None:
    """What the waiver that holds says; None without one."""
    waiver = _holding(judged)
    if waiver is None:
        return None
    state, responses = _STATES[waiver.state]
    return VulnerabilityAnalysis(state=state, responses=responses, detail=_detail(waiver))


def status(judged: Judged) -> ImpactAnalysisAffectedStatus:
    """Whether the package's version is affected; not known where the advisory was withdrawn."""
    waiver = _holding(judged)
    if waiver and waiver.state in _HARMLESS:
        return ImpactAnalysisAffectedStatus.UNAFFECTED
    if judged.finding.advisory and judged.finding.advisory.withdrawn:
        return ImpactAnalysisAffectedStatus.UNKNOWN
    return ImpactAnalysisAffectedStatus.AFFECTED


def void_waivers(judged: Judged) -> list[str]:
    """The waivers that would speak of it and have no effect, and why not."""
    return [
        f"{one.waiver.state.value} has no effect: {one.reason} — {_detail(one.waiver)}"
        for one in judged.void_waivers
    ]


def _holding(judged: Judged) -> Waiver | None:
    return judged.waiver if judged.verdict.action is Action.WAIVED else None


def _detail(waiver: Waiver) -> str:
    return f"{one_line(waiver.reason)} — {one_line(waiver.owner)} — until {waiver.expires}"
