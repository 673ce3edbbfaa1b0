"""What is gated, and why: policy files, verdicts on findings, the outcome of a run."""

from scanagg.policy.extends import looser_enforcement
from scanagg.policy.gate import judge_runs
from scanagg.policy.load import check_file, load_policy
from scanagg.policy.reading import BUILTIN, builtin_folder
from scanagg.policy.schema import Policy
from scanagg.policy.verdicts import Decision, decide

__all__ = [
    "BUILTIN",
    "Decision",
    "Policy",
    "builtin_folder",
    "check_file",
    "decide",
    "judge_runs",
    "load_policy",
    "looser_enforcement",
]
