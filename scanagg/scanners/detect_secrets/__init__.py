"""detect-secrets: keys, tokens and passwords in the project's text files.

The command line of detect-secrets gives one result for all files and verifies secrets over the
network. So `worker` runs its detectors and filters instead.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from scanagg.core.errors import ConfigError
from scanagg.core.files import read_file
from scanagg.model import (
    Category,
    Location,
    NotExamined,
    Observation,
    Reason,
    ScannerInfo,
    Secret,
    Target,
)
from scanagg.model.advisories import secret_texts
from scanagg.project.kinds import is_lock
from scanagg.project.notebooks import CellLine
from scanagg.scanners import base, pinned, secret_rules, source_files
from scanagg.scanners.detect_secrets.messages import SearchAnswer, SecretHit

BASELINE: Final = ".secrets.baseline"
_PRAGMA: Final = "pragma: allowlist secret"
_NO_SECRET: Final = f"{BASELINE} is_secret=false"
_KNOWN: Final = f"{BASELINE} known"

INFO = ScannerInfo(
    name="detect-secrets",
    title="detect-secrets",
    about="Finds keys, tokens and passwords in text files.",
    url="https://github.com/Yelp/detect-secrets",
    package="detect-secrets",
    options={
        "max-file-bytes": "Larger files are not searched; reports list them. Default: 5000000.",
        "max-line-bytes": (
            "Files with a longer line are not searched; reports list them. Default: 500000."
        ),
        "file-timeout": "CPU seconds for one file; reports list files over it. Default: 20.",
    },
    args=frozenset(
        (
            *("--exclude-lines", "--exclude-secrets", "--exclude-files", "--disable-plugin"),
            *("--disable-filter", "--base64-limit", "--hex-limit"),
        )
    ),
    native_files=(BASELINE,),
    categories=frozenset({Category.SECRET}),
    usual_for=frozenset({Category.SECRET}),
    rule_aliases=secret_rules.ALIASES,
    generic_rules=secret_rules.GENERIC,
    syntax_rules=secret_rules.BY_SYNTAX,
    # Those of detect-secrets 1.5.0.
    lasting_rules=frozenset(
        (
            *("artifactory-credentials", "aws-access-key", "azure-storage-account-access-key"),
            *("base64-high-entropy-string", "basic-auth-credentials", "cloudant-credentials"),
            *("discord-bot-token", "github-token", "gitlab-token", "hex-high-entropy-string"),
            *("ibm-cloud-iam-key", "ibm-cos-hmac-credentials", "json-web-token"),
            *("mailchimp-access-key", "npm-tokens", "openai-token", "private-key"),
            *("public-ip-ipv4", "pypi-token", "secret-keyword", "sendgrid-api-key", "slack-token"),
            *("softlayer-credentials", "square-oauth-secret", "stripe-access-key"),
            *("telegram-bot-token", "twilio-api-key"),
        )
    ),
    suppressions={_PRAGMA: True, _NO_SECRET: True, _KNOWN: True},
)

_LIMITS: Final = {"max-file-bytes": 5_000_000, "max-line-bytes": 500_000, "file-timeout": 20.0}
_WORKER: Final = "scanagg.scanners.detect_secrets.worker"
_SCRIPT: Final = str(Path(__file__).with_name("start.py"))
# Starting a process takes as long as searching this much text.
_WORTH_BYTES: Final = 200_000
_ARGUMENTS: Final = 2  # the worker's exit code for arguments that detect-secrets refuses
# Placeholders that are filled in later: `${{ secrets.X }}`, `{{ x }}`, `${X}`, `%(x)s`, `<%= x %>`.
# Each ends before the next one begins, so that a long value takes no longer.
_PLACEHOLDER: Final = re.compile(
    r"\$?\{\{(?:(?!\{\{).)*?\}\}|\$\{[^{}]*\}|%\(\w+\)s|<%(?:(?!<%).)*?%>"
)
_SCHEME: Final = re.compile(r"\b(?:bearer|basic|token)\b", re.IGNORECASE)

probe = base.probe
identify = base.identify
recall = base.recall
advisory_source = base.advisory_source


class BaselineSecret(msgspec.Struct, frozen=True):
    """A secret in a report of detect-secrets, which is called a baseline."""

    type: str
    hashed_secret: str
    line_number: int | None = None
    is_secret: bool | None = None

    @property
    def kind(self) -> str:
        """The kind of hidden finding: marked as no secret, or only known."""
        return _NO_SECRET if self.is_secret is False else _KNOWN


class _Baseline(msgspec.Struct, frozen=True):
    results: dict[str, tuple[BaselineSecret, ...]]


def locate(context: base.Context) -> base.Tool | None:
    """Find the library in scanagg's environment. ConfigError if the settings name a program."""
    hint = "Install the version that you want in the environment of scanagg."
    base.refuse_program(INFO, context, INFO.name, hint)
    return base.module_or_program(
        "detect_secrets", INFO.name, context, worker=_WORKER, script=_SCRIPT
    )


def inputs(context: base.Context) -> base.Inputs:
    """Return the text files, whatever their names. ConfigError for invalid options.

    Other files are listed by their suffixes.
    """
    most_bytes, *_ = _limits(context.settings)
    text_files = source_files.text_inputs(context, most_bytes)
    if all(file.path != BASELINE for file in context.target.files):
        return text_files
    own = NotExamined(BASELINE, Reason("own-baseline"), on_purpose=True)
    return replace(
        text_files,
        found=tuple(path for path in text_files.found if path != BASELINE),
        not_examined=(own, *(gap for gap in text_files.not_examined if gap.input != BASELINE)),
    )


def batches(context: base.Context, inputs: base.Inputs) -> Sequence[tuple[str, ...]]:
    """Spread the files over the workers."""
    files = source_files.chosen(context.target, inputs.found)
    return source_files.spread(files, context.workers, worth=_WORTH_BYTES)


def call(context: base.Context, tool: base.Tool, batch: tuple[str, ...]) -> base.Call:
    """Return the call for these files. Names are relative: filters of detect-secrets see them."""
    root = context.target.root
    file_bytes, line_bytes, seconds = _limits(context.settings)
    names = {file.path: str(file.real.relative_to(root)) for file in context.target.files}
    request = {
        "root": str(root),
        "files": [names[path] for path in batch],
        "encodings": [context.sources.natures[path].encoding or "utf-8" for path in batch],
        "locks": [names[path] for path in batch if is_lock(path)],
        "seconds": seconds,
        "file_bytes": file_bytes,
        "line_bytes": line_bytes,
    }
    argv = (*tool.argv, *context.settings.args)
    # UTF-8 in any locale: otherwise the locale decides which files detect-secrets can read.
    return base.Call(argv, batch, env={"PYTHONUTF8": "1"}, stdin=json.dumps(request).encode())


def again(context: base.Context, output: base.Output) -> Sequence[tuple[str, ...]]:
    """Split into the files with an answer, the one that stopped the worker, and the rest."""
    if output.returncode == _ARGUMENTS or len(output.inputs) == 1:
        return ()
    done = output.stdout.count(b"\n")
    parts = (output.inputs[:done], output.inputs[done : done + 1], output.inputs[done + 1 :])
    smaller = tuple(part for part in parts if part)
    return smaller if len(smaller) > 1 else pinned.halves(output.inputs)


def parse(context: base.Context, output: base.Output) -> base.Parsed:
    """Read the worker's answers. A file is examined if it was searched to the end.

    Secrets in the project's own baseline still count. ScanError if the worker failed.
    """
    if output.returncode:
        raise base.failure(output.stderr, Reason("exit-code", {"code": output.returncode}))
    try:
        answers = msgspec.json.Decoder(SearchAnswer).decode_lines(output.stdout)
    except (ValueError, RecursionError) as error:
        raise base.unreadable(error) from error
    if any(not 0 <= answer.file < len(output.inputs) for answer in answers):
        raise base.ScanError(Reason("unasked-answer"))
    known, problem = _baseline(context.target)
    results = []
    for answer in answers:
        path = output.inputs[answer.file]
        has_secrets = answer.hits or answer.allowed
        cells = context.sources.strings(path) if has_secrets else ()
        results.append(_parse_file(answer, path, known.get(path, ()), cells))
    result = base.merge(results)
    searched = frozenset(result.examined)
    files = (file for file in context.target.files if file.path in searched)
    names = tuple(
        secret_rules.in_path(INFO.name, file.path) for file in files if file.has_secret_name
    )
    notices = [problem] if problem else []
    if number := result.hidden.get(_KNOWN):
        notices.append(Reason("known-secrets", {"path": BASELINE, "number": number}))
    observations = (*result.observations, *names)
    return replace(result, observations=observations, notices=(*notices, *result.notices))


def _parse_file(
    answer: SearchAnswer,
    path: str,
    known: Sequence[BaselineSecret],
    cells: Sequence[CellLine],
) -> base.Parsed:
    """Return the result for one file, of which the project's baseline lists `known` secrets.

    `cells` are the lines that were searched in a notebook.
    """
    if answer.reason:
        return base.Parsed(not_examined=(NotExamined(path, answer.reason, answer.on_purpose),))
    hits, allowed = _without_placeholders(answer.hits), _without_placeholders(answer.allowed)
    hidden = Counter({_PRAGMA: len({line for hit in allowed for line in hit.lines})})
    observations = []
    for hit in hits:
        kinds = [entry.kind for entry in known if _is_listed(hit, entry, hits)]
        hidden.update(kinds)
        in_source = BASELINE if _NO_SECRET in kinds else ""
        observations.append(_observation(hit, path, cells, in_source))
    placeholders = len(answer.hits) - len(hits)
    return base.Parsed(
        observations=(
            *observations,
            *(_observation(hit, path, cells, _PRAGMA) for hit in allowed),
        ),
        examined=(path,),
        hidden=+hidden,
        notices=(Reason("placeholders", {"path": path, "number": placeholders}),)
        if placeholders
        else (),
        secrets=source_files.spellings(answer.values),
    )


def _is_listed(hit: SecretHit, entry: BaselineSecret, hits: Sequence[SecretHit]) -> bool:
    """Return True if the entry is about this one of the hits.

    A hash of only a part of a secret, such as the prefix of a token, is that of others too. Then it
    is the one on the entry's line, if there is no other. An entry is never of the type of an added
    hit, so its hash is enough.
    """
    if hit.is_added:
        return hit.digest == entry.hashed_secret
    same = [one for one in hits if (one.type, one.hash) == (entry.type, entry.hashed_secret)]
    if any(one.digest != one.hash for one in same):
        same = [one for one in same if entry.line_number in one.lines]
        return same == [hit]
    return hit in same


def _limits(settings: base.ScannerSettings) -> tuple[int, int, float]:
    """Return the limits: bytes of a file, bytes of a line, seconds of a file. ConfigError."""
    numbers = []
    for name, default in _LIMITS.items():
        text = settings.options.get(name, str(default))
        try:
            number = float(text)
        except ValueError:
            number = 0.0
        if not 0 < number < float("inf"):
            message = f"scanners.detect-secrets.{name} is {text!r}, not a number above 0"
            raise ConfigError(message, f"Set it to a number above 0, such as {default}.")
        numbers.append(number)
    file_bytes, line_bytes, seconds = numbers
    return int(file_bytes), int(line_bytes), seconds


def read_baseline(raw: bytes) -> Mapping[str, tuple[BaselineSecret, ...]]:
    """Read the secrets of a baseline in detect-secrets' JSON, by path. ScanError otherwise."""
    try:
        baseline = msgspec.json.decode(raw, type=_Baseline)
    except (ValueError, RecursionError) as error:
        raise base.unreadable(error) from error
    return {path.replace("\\", "/"): entries for path, entries in baseline.results.items()}


def _baseline(target: Target) -> tuple[Mapping[str, tuple[BaselineSecret, ...]], Reason | None]:
    """Return the secrets in the project's baseline, and a notice if it cannot be read."""
    for file in target.files:
        if file.path == BASELINE:
            try:
                return read_baseline(read_file(file.real)), None
            except OSError as error:
                why = Reason("unreadable-file", {"error": error.strerror or str(error)})
                return {}, Reason("ignored-file", {"path": BASELINE, "why": why})
            except base.ScanError as error:
                return {}, Reason("ignored-file", {"path": BASELINE, "why": error.reason})
    return {}, None


def is_placeholder(value: str) -> bool:
    """Return True for a value of placeholders only, perhaps with an authentication scheme."""
    rest, number = _PLACEHOLDER.subn("", value)
    return number > 0 and not re.search(r"\w", _SCHEME.sub("", rest))


def _without_placeholders(hits: Sequence[SecretHit]) -> Sequence[SecretHit]:
    return [hit for hit in hits if not is_placeholder(hit.value)]


def _observation(
    hit: SecretHit, path: str, cells: Sequence[CellLine], in_source: str
) -> Observation:
    """Return the observation at the first line of a secret. Its places are all lines."""
    rule = secret_rules.titled_rule(hit.type)
    found = (Location(path, max(1, line)) for line in hit.lines)
    places = tuple(dict.fromkeys(source_files.in_notebook(place, cells) for place in found))
    return Observation(
        scanner=INFO.name,
        category=Category.SECRET,
        rule=rule,
        title=rule.title,
        message=secret_rules.message(rule),
        location=places[0],
        places=places,
        secret=Secret(
            hit.digest,
            secret_texts(hit.texts),
            hit.whole,
        ),
        in_source=in_source,
    )
