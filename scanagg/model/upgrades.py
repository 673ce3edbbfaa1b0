"""What a person can do about vulnerable packages: which version to go to, and what hinders it."""

import msgspec

from scanagg.model.enums import Step
from scanagg.model.project import Constraint, Package


class Upgrade(msgspec.Struct, frozen=True, kw_only=True):
    """The advice for one version of one package that has vulnerabilities.

    `to` is the lowest version that is affected by as few known vulnerabilities as any; None where
    no known version is better. `to_unblock` is the lowest that clears all that block, where that is
    another one. `clears` and `stays` are ids of vulnerabilities as findings show them (`Rule.id`):
    what goes with `to`, and what is there even then; `unblocks` are those of `clears` that block
    now. `allowed` says whether all constraints that are known let `to` in, None where none is
    known; `hindered_by` are those that do not. `change` names the direct requirements to change,
    or to lock again, to get there. `checked` says that `to` was looked up in the advisory store;
    else it is only what scanners say of fixed versions.
    """

    package: Package
    to: str | None
    step: Step | None = None
    to_unblock: str | None = None
    clears: tuple[str, ...] = ()
    unblocks: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    allowed: bool | None = None
    hindered_by: tuple[Constraint, ...] = ()
    change: tuple[str, ...] = ()
    checked: bool = False
