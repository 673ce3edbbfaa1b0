"""What is gated, and why: policy files, verdicts on findings, the outcome of a run."""

from scanagg.policy.deciding import decide
from scanagg.policy.gate import judge_runs
from scanagg.policy.load import BUILTIN, builtin_folder, check_file, load_policy
from scanagg.policy.schema import Policy

__all__ = [
    "BUILTIN",
    "Policy",
    "builtin_folder",
    "check_file",
    "decide",
    "judge_runs",
    "load_policy",
]
