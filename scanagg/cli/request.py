"""A check as the command line asks for it: its request, and its run with progress."""

import os

from msgspec.structs import replace

from scanagg.cli.options import Options, enforced, folder_of, names_of, require_value, time_of
from scanagg.cli.progress import end_after, interrupt_on_signals, progress
from scanagg.core.errors import UsageError
from scanagg.core.process import Stop
from scanagg.gate.rules import load_rules, rule_files
from scanagg.model import Report
from scanagg.pipeline import Request, check, chosen
from scanagg.reports.base import REPORTS
from scanagg.scanners.base import scanner_infos


def request_of(options: Options) -> Request:
    """Return the request for a check. UsageError, ConfigError, PolicyError, BaselineError."""
    for name in ("policy", "policy_ref", "base", "baseline", "image"):
        require_value(f"--{name.replace('_', '-')}", getattr(options, name))
    only, skip = _scanner_names(options)
    root = folder_of(options.path)
    named = (options.policy, os.environ, options.baseline)
    files = rule_files(root, options.policy_ref)
    rules = load_rules(root, files, *named)
    own = None if files.ref is None else lambda: load_rules(root, rule_files(root, None), *named)
    return Request(
        path=root,
        rules=replace(rules, policy=enforced(rules.policy, options.enforcement)),
        own_rules=own,
        only=only,
        skip=skip,
        python=options.python,
        image=options.image,
        offline=options.offline,
        resolve=not options.no_resolve,
        jobs=options.jobs,
        timeout=options.timeout,
        now=time_of(options.now),
        output_dir=options.output_dir or root / (rules.settings.output_dir or REPORTS),
        base=options.base,
        environ=os.environ,
        stop=Stop(options.deadline or rules.settings.deadline),
    )


def _scanner_names(options: Options) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the values of --only and --skip, sorted. UsageError if they make no sense."""
    infos = scanner_infos()
    only, skip = (
        tuple(sorted(names_of("scanner", names, [*infos])))
        for names in (options.only, options.skip)
    )
    both = [name for name in only if name in skip]
    if both:
        message = f"--only and --skip both name {', '.join(both)}"
        raise UsageError(message, "Remove it from one of them.")
    able = [name for name, info in infos.items() if info.scans_images]
    if options.image and not chosen(only, skip).keys() & able:
        names = " or ".join(able)
        hint = f"Add {names} to --only, or remove it from --skip."
        raise UsageError(f"--image needs {names}", hint)
    return only, skip


def run_check(request: Request, *, show: bool) -> Report:
    """Run a check and show its progress. An interruption ends it early, with what is known."""
    interrupt_on_signals()
    with end_after(request.stop), progress(show=show) as notify:
        return check(request, notify)


def run_whole_check(request: Request, *, show: bool) -> Report:
    """Run a check and show its progress. KeyboardInterrupt if it is interrupted."""
    report = run_check(request, show=show)
    if request.stop.interrupted:
        raise KeyboardInterrupt
    return report
