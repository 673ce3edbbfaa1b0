"""The policy: its file, the verdict on each finding, the outcome of a run."""

from scanagg.policy.gate import judge_runs
from scanagg.policy.load import (
    BUILTIN,
    builtin_folder,
    check_file,
    load_policy,
    looser_enforcement,
)
from scanagg.policy.rules import Decision, decide
from scanagg.policy.schema import Policy

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
