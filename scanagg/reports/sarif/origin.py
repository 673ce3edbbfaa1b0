"""How a finding stands, as SARIF says it: suppressions, and our own words on base and waivers."""

from datetime import UTC, datetime

import sarif_om

from scanagg.model import Action, Judged, Waiver
from scanagg.reports.sarif.text import phrase, sentence


def is_suppressed(judged: Judged) -> bool:
    """Whether a waiver or a comment speaks of the finding, with or without effect."""
    return judged.verdict.action is Action.WAIVED or bool(judged.finding.in_source)


def suppressions(judged: Judged) -> list[sarif_om.Suppression]:
    """Who has waived the finding. A comment that the policy gives no effect to is rejected."""
    waived = judged.verdict.action is Action.WAIVED
    made = []
    if judged.waiver and waived:
        made.append(_suppression("external", _justification(judged.waiver)))
    if judged.finding.in_source:
        said = sentence(f"{judged.finding.in_source}, in the project's own files")
        made.append(_suppression("inSource", said, "accepted" if waived else "rejected"))
    if waived and not made:
        made.append(_suppression("external", sentence(judged.verdict.reason)))
    return made


def properties(judged: Judged) -> dict[str, object]:
    """Origin, deadline and waivers, as far as there are any."""
    finding, history = judged.finding, judged.finding.history
    made: dict[str, object] = {
        "origin": judged.origin.value,
        "originReason": phrase(history.reason),
    }
    if history.first_seen:
        made["firstSeen"] = _time(history.first_seen)
    if judged.deadline:
        made["deadline"] = _time(judged.deadline)
    if judged.waiver:
        made["waiver"] = waiver(judged.waiver)
    if judged.void_waivers:
        made["voidWaivers"] = [
            {**waiver(one.waiver), "noEffect": phrase(one.reason)} for one in judged.void_waivers
        ]
    if finding.in_source:
        made["inSource"] = phrase(finding.in_source)
    return made


def waiver(value: Waiver) -> dict[str, object]:
    """A waiver: whose, why, until when, and where it is written."""
    return {
        "owner": phrase(value.owner),
        "reason": phrase(value.reason),
        "expires": value.expires.isoformat(),
        "state": value.state.value,
        "place": phrase(value.place),
    }


def _suppression(kind: str, justification: str, status: str = "accepted") -> sarif_om.Suppression:
    return sarif_om.Suppression(kind=kind, state=status, justification=justification)


def _justification(value: Waiver) -> str:
    return f"{phrase(value.reason)} — {phrase(value.owner)} — {value.expires}"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
