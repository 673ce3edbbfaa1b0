"""What is asked of a base, what it turned out to be, and what came of comparing with it."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from scanagg.baseline.file import Baseline
from scanagg.model import BaseInfo, Finding


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What to compare with.

    `ref` is what --base names; `against` the policy's word (merge-base, baseline, none), `environ`
    the variables in which a CI system names the target branch of a pull request. `ref_of_rules` is
    the commit that the baseline was read from, None for the work tree.
    """

    ref: str | None = None
    against: str = "merge-base"
    baseline: Baseline | None = None
    ref_of_rules: str | None = None
    environ: Mapping[str, str] = msgspec.field(default_factory=dict)


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What findings are compared with; all None where there is nothing.

    `commit` is compared with the work tree: packages by manifests, the rest by scanning what
    changed. `package_commit` is the one that packages alone are compared with where only a
    baseline file is there: the one in which that last grew. `time` is that of the commit (UTC).
    `ref_of_rules` is as in `Asked`.
    """

    commit: str | None = None
    package_commit: str | None = None
    time: datetime | None = None
    baseline: Baseline | None = None
    ref_of_rules: str | None = None
    notices: tuple[str, ...] = ()
    info: BaseInfo | None = None


class Traced(msgspec.Struct, frozen=True):
    """The findings with their histories, in the same order, and what there is to say about it."""

    findings: tuple[Finding, ...]
    notices: tuple[str, ...] = ()
