"""What is gated, and why: policy files, verdicts on findings, the outcome of a run."""

from scanagg.policy.judging.deciding import Decision, decide
from scanagg.policy.judging.gate import judge_runs
from scanagg.policy.language.extends import looser_enforcement
from scanagg.policy.language.load import check_file, load_policy
from scanagg.policy.language.reading import BUILTIN, builtin_folder
from scanagg.policy.language.schema import Policy

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
