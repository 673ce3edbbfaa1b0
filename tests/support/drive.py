"""A minimal runner for one scanner: one call after another, without a cache."""

import dataclasses
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from msgspec.structs import replace

from scanagg.core.process import Ended, Stop, clean_environment, run
from scanagg.model import (
    Inventory,
    Location,
    NotExamined,
    Observation,
    Package,
    Reason,
    Target,
    pypi_purl,
)
from scanagg.project.sources import Sources
from scanagg.scanners.base import (
    Call,
    Context,
    Inputs,
    Output,
    Parsed,
    ScanError,
    Scanner,
    ScannerSettings,
    Tool,
)

NOW = datetime(2025, 1, 15, 12, 0, tzinfo=UTC)
TIMEOUT_SECONDS = 300.0


@dataclasses.dataclass(frozen=True)
class Driven:
    """The result of a drive. `failures` are the batches that were given up, with reasons."""

    tool: Tool
    inputs: Inputs
    parsed: list[Parsed]
    outputs: list[Output]
    failures: list[tuple[tuple[str, ...], Reason]]

    @property
    def observations(self) -> list[Observation]:
        return [one for parsed in self.parsed for one in parsed.observations]

    @property
    def examined(self) -> list[str]:
        """Return all examined inputs, sorted, with duplicates."""
        return sorted(name for parsed in self.parsed for name in parsed.examined)

    @property
    def reasons(self) -> dict[str, Reason]:
        """Return why inputs were not examined, by input: from the walk, outputs, failures."""
        said = [*self.inputs.not_examined]
        said += [one for parsed in self.parsed for one in parsed.not_examined]
        said += [NotExamined(name, why) for batch, why in self.failures for name in batch]
        return {one.input: one.reason for one in said}

    @property
    def store(self) -> dict[str, str]:
        """Return the data to cache between runs: pass it to the next context as `cached`."""
        return {key: text for parsed in self.parsed for key, text in parsed.store.items()}

    @property
    def notices(self) -> list[Reason]:
        return [notice for parsed in self.parsed for notice in parsed.notices]


def context(target: Target | Path, inventory: Inventory | None = None, **changes: Any) -> Context:
    """Return a context with defaults; `changes` are fields of Context, or of its settings.

    A path stands for a target without files. The cache is a folder beside the target.
    """
    if isinstance(target, Path):
        target = Target(root=target, name=target.name, files=())
    names = set(ScannerSettings.__struct_fields__)
    settings = ScannerSettings(**{key: changes.pop(key) for key in names & changes.keys()})
    given: dict[str, Any] = {
        "sources": Sources(target),
        "inventory": inventory or Inventory(),
        "settings": settings,
        "cache": target.root.parent / f"{target.root.name}-cache",
        "now": NOW,
    }
    made = Context(target=target, **{**given, **changes})
    made.cache.mkdir(parents=True, exist_ok=True)
    return made


def package(pin: str, *places: str, **changes: Any) -> Package:
    """The package of `name==version`; places as "file:line"."""
    name, _, version = pin.partition("==")
    at = tuple(
        Location(path, int(line)) for path, _, line in (one.partition(":") for one in places)
    )
    return Package(name=name, version=version, purl=pypi_purl(name, version), places=at, **changes)


def inventory(*pins: str, **changes: Any) -> Inventory:
    """An inventory of `name==version` pins, each declared on its own line of requirements.txt."""
    packages = tuple(
        package(pin, f"requirements.txt:{line}") for line, pin in enumerate(pins, start=1)
    )
    return Inventory(packages=packages, manifests=("requirements.txt",), **changes)


def drive(module: Any, ctx: Context, tmp_path: Path) -> Driven:
    """Locate, probe, split, run, split failed batches again, parse. Fail without the program.

    Exceptions that the scanner does not catch are raised. `module` is its package.
    """
    scanner: Scanner = module
    tool = scanner.locate(ctx)
    assert tool is not None, f"{scanner.INFO.name} is not installed"
    probe = scanner.probe(ctx, tool)
    if probe is not None:
        tool = scanner.identify(tool, perform(probe, ctx, tmp_path))
    inputs = scanner.inputs(ctx)
    driven = Driven(tool, inputs, [], [], [])
    if ctx.cached:
        driven.parsed.append(scanner.recall(ctx))
    for batch in scanner.batches(ctx, inputs):
        _drive_batch(scanner, ctx, batch, tmp_path, driven)
    return driven


def _drive_batch(
    scanner: Scanner, ctx: Context, batch: tuple[str, ...], tmp_path: Path, driven: Driven
) -> None:
    output: Output | None = None
    try:
        output = perform(scanner.call(ctx, driven.tool, batch), ctx, tmp_path)
        driven.outputs.append(output)
        parsed = scanner.parse(ctx, output)
        driven.parsed.append(parsed)
        for part in parsed.again:
            _drive_batch(scanner, ctx, part, tmp_path, driven)
        return
    except ScanError as error:
        reason = error.reason
    smaller = scanner.again(ctx, output) if output else ()
    retried = {name for part in smaller for name in part}
    if left := tuple(name for name in batch if name not in retried):
        driven.failures.append((left, reason))
    for part in smaller:
        is_smaller = len(part) < len(batch) or type(part) is not type(batch)
        assert is_smaller, "a batch that is tried again must be smaller, or of another kind"
        _drive_batch(scanner, ctx, part, tmp_path, driven)


def perform(call: Call, ctx: Context, tmp_path: Path) -> Output:
    """Run one call in a temporary work folder of its own."""
    work = Path(mkdtemp(prefix="work-", dir=tmp_path))
    try:
        output = _perform(call, ctx, work)
        return replace(output, also=_perform(call.also, ctx, work)) if call.also else output
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _perform(call: Call, ctx: Context, work: Path) -> Output:
    def filled(text: str) -> str:
        return text.replace("{work}", str(work))

    for name, text in call.files.items():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(text, encoding="utf-8", errors="surrogateescape")
    extra: Mapping[str, str] = {key: filled(value) for key, value in call.env.items()}
    done = run(
        [*map(filled, call.argv), *call.extra],
        cwd=call.cwd or work,
        env=clean_environment(call.allow, extra),
        tree=ctx.target.root,
        timeout=TIMEOUT_SECONDS,
        stop=Stop(),
        stdin=call.stdin,
    )
    assert done.ended is Ended.EXITED, f"{done.ended.value}: {done.detail}"
    assert done.returncode is not None
    stdout = done.stdout
    if call.output is not None:
        answer = Path(filled(call.output))
        if not answer.is_file():
            raise ScanError(Reason("no-report-file", {"error": "not there"}))
        stdout = answer.read_bytes()
    return Output(done.returncode, stdout, done.stderr.decode("utf-8", "replace"), call.inputs)
