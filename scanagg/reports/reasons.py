"""The sentences of reasons, by kind.

A sentence has its values in braces: `{path}`. A number with a noun, `{number:file}`, becomes
"1 file" or "2,000 files"; with both forms, `{number:finding blocks|findings block}`, one of them.
Several texts are separated by commas, or by what follows the colon: `{names: or }`. A value that
is a reason is shown as its sentence. Texts are shown on one line.
"""

import string
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from scanagg.core.text import one_line
from scanagg.model import Reason, ReasonValue

SENTENCES: Final[Mapping[str, str]] = {
    "text": "{text}",
    # The base, and the history of a finding.
    "no-base": "no base to compare with",
    "no-base-commit": "every finding counts as new, because there is no base commit: {why}",
    "only-baseline": (
        "only the findings that {path} lists count as known, because there is no base commit: {why}"
    ),
    "nothing-committed": "nothing here is committed to git",
    "shallow-clone": (
        "this shallow clone does not reach the commit where the change left {branch}; fetch the "
        "whole history ({setting})"
    ),
    "branch-not-fetched": (
        "this clone has no commit in common with {branch}; run git fetch origin {branch}"
    ),
    "no-change": "the commit that is checked out is already part of {ref}, so nothing is new",
    "baseline-older-than-clone": (
        "this shallow clone lacks the commit that last extended {path}; fetch the whole history "
        "(fetch-depth: 0)"
    ),
    "findings-count-as-new": "findings may count as new although the base has them: {why}",
    "packages-count-as-new": "packages may count as new although the base has them: {why}",
    "installed-packages-count-as-new": (
        "installed packages that no manifest lists count as new: {packages}"
    ),
    "project-key-missing": (
        "a known secret whose value changed does not count as new: {path} was written with the "
        "project's key, which is neither in {key} nor in {variable}"
    ),
    "base-unreadable": "git could not read the base commit",
    "base-file-unreadable": "git could not read {path} of the base",
    "base-file-not-examined": "{scanner} could not examine {path} of the base: {why}",
    "base-manifest-broken": "{path} of the base could not be read: {why}",
    "more-base-files-unread": "{number:more file} of the base could not be examined",
    "base-scan-failed": "{scanner} could not scan the base: {why}",
    "scanner-not-run-here": "scanagg does not run it",
    "stopped-before-base": "the check was stopped before it read the base",
    "in-no-file": "it is not in a file of the project, so there is nothing to compare it with",
    "unchanged-file": "{path} is the same in the base",
    "not-in-base": "the base does not have it",
    "known-elsewhere": "known from another place only: {path}",
    "in-base": "the base has it too (same {tier})",
    "edited-since-base": "edited since the base (same {tier})",
    "not-in-baseline": "{path} does not list it",
    "baseline-without": "{path} was written without a run of {scanners}, so it counts as new",
    "in-baseline": "{path} lists it (same {tier})",
    "edited-since-baseline": "edited since it was added to {path} (same {tier})",
    "no-package-base": "there is no commit to compare packages with",
    "package-not-in-base": "no manifest of the base lists {package}",
    "package-elsewhere": (
        "the base has {package} in {paths}, but for another project or for fewer people"
    ),
    "package-only-installed": "{package} is installed, but no manifest lists it",
    "package-in-base": "the base has {package} too",
    "still-there": "still there after the {step} of {package} from {old} to {new}",
    "not-in-other-version": "the base has {package}, for which no scanner reports it",
    "other-version-not-examined": (
        "the base has {package}, but {scanner} could not examine that: {why}"
    ),
    "advisory-in-baseline": "the base has {package} too, and {path} lists the advisory",
    "advisory-not-in-baseline": "the base has {package}, but {path} does not list the advisory",
    "advisory-after-base": (
        "the base of {base} has {package}; the advisory was published later, on {published}"
    ),
    # The confidence in a secret.
    "key-header": "only the first line of a private key",
    "encrypted-key": "a private key that a passphrase protects",
    "private-key": "a private key",
    "public-key": "the public half of a key, or a certificate",
    "template": "filled in later, from a variable or a command",
    "published-value": "its provider publishes it, as an example or for tests",
    "placeholder-value": "stands for a value, such as xxxx or your-token",
    "part-of-data": "has the form of a token, but is inside a longer word",
    "known-format": "has the form of a known kind of key or token",
    "vendored-or-generated": "the project does not write the file by hand",
    "data-line": "in a very long line, as in data or minified code",
    "encrypted-value": "its name or the syntax says that it is encrypted",
    "metadata-name": "its name is about a secret, such as the URL or length of one",
    "digest-name": "its name is that of a digest, a version or an id",
    "no-secret-name": "no name beside it says that it is secret",
    "own-name": "the same word as its name",
    "no-text": "true, false or no value",
    "code": "an expression, or a word outside of a string",
    "address-or-path": "a URL, or the name of a file",
    "dotted-name": "words joined by dots, such as app.settings.token",
    "sentence": "words with spaces between them",
    "digest-value": "the digest of a password, such as one of bcrypt",
    "local-address": "a simple password for this machine, a container or an example",
    "default-password": "common words such as admin or changeme, in settings",
    "common-password": "common words such as test or password",
    "weak-password": "short, only digits, or made of words",
    "version-or-number": "digits with dots, dashes or commas between them",
    "identifier": "words joined into a name",
    "weak-value": "too short or simple for a key or a token",
    "local-password": "a password for this machine, a container or an example",
    "test-name": "its name says that it is for tests",
    "uuid": "hex digits in five groups, the form of most ids",
    "named-secret": "looks random, and its name says that it is secret",
    # Files of the target.
    "excluded": "excluded by the configuration",
    "earlier-report": "report of an earlier check",
    "nested-repository": "a repository of its own: check it separately",
    "irregular-file": "not a regular file",
    "not-checked-out": "left out by a sparse checkout",
    "no-read-permission": "no permission to read it",
    "unreadable-folder": "cannot read the folder: {error}",
    "dangling-link": "symbolic link to a file that does not exist",
    "link-outside-the-tree": "symbolic link to a place outside the project",
    "link-to-no-file-of-the-project": "symbolic link to something that is not part of the project",
    "listed-without-git": "not a git repository: .gitignore decides which files are checked",
    # Packages of the target.
    "no-exact-version": (
        'no exact version; lock the project, for example with "uv lock" or "pip-compile"'
    ),
    "not-resolved": "no exact version, and not resolved: {why}",
    "not-resolvable": "scanagg cannot pass the requirement to uv",
    "no-supported-python": "`{python}` allows no version of Python 3",
    "other-python": "it is not for Python {python} or newer",
    "uv-timeout": "uv did not finish within {seconds} seconds",
    "uv-ended": "uv did not finish: {detail}",
    "uv-left-out": "your settings of uv leave packages out of its answers: {packages}",
    "resolving-takes-long": "resolving reached its time limit of {seconds} seconds",
    "too-many-parts": "uv found no solution for {number} parts of the file",
    "resolved-in-parts": (
        "its requirements cannot be installed together, so they were resolved in parts: {why}"
    ),
    "not-in-the-lock": "not in {lock}; lock again, for example with `{command}`",
    "own-code": "the project's own code",
    "from-version-control": "not from a package index, but from {system}: {address}",
    "from-address": "not from a package index, but from {address}",
    "from-folder": "not from a package index, but from the folder {path}",
    "from-file": "not from a package index, but from the file {path}",
    "not-a-requirement": "not a requirement: {text}",
    "not-a-version-or-table": "{package}: neither a version nor a table",
    "bad-package-name": "not a package name: {name}",
    "bad-version": "not a version: {version}",
    "missing-version": "{package} has no version",
    "bad-options": "pip would refuse these options: {error}",
    "empty-option": "an option has no value",
    "missing-include": "includes {path}, which is not a file of the project",
    "too-many-included-lines": "not read, because files include more than {number:line} in all",
    "too-many-includes": "not read, because more than {number:file} are included",
    "setup-py": (
        "not a plain list of requirements, and scanagg runs no code of the project; declare them "
        "in pyproject.toml"
    ),
    "bad-ini": "not a valid {name}",
    "syntax-error": "not valid {format}: {error}",
    "merge-conflict": "unresolved merge conflict",
    "wrong-type": "{key}: {error}",
    "not-a-json-object": "not a JSON object",
    "not-text": "not a text file",
    "not-utf-8": "not UTF-8",
    "unknown-encoding": "unknown encoding {encoding}",
    "too-complex": "too complex to read: {error}",
    "manifest-too-large": "not read, because it is larger than {limit} MiB",
    "broken-environment": "not read, because the environment is broken: {error}",
    "no-installed-packages": "no packages are installed in it",
    "not-from-an-index": "{package} is not from a package index, but from {address}",
    "unreadable-metadata": "cannot read the metadata of {package}: {error}",
    "packages-elsewhere": (
        "has packages outside the project, which scanagg reads only with `--python {environment}`"
    ),
    "unreadable-direct-url": "cannot read direct_url.json of {package}",
    # Manifests that nothing reads.
    "unread": "{title}: {reason}: {inputs}",
    "unread-files": "{inputs}: {reason}",
    "not-from-index": "not from a package index",
    "ranges-not-audited": "the lowest versions that requirements allow were not audited: {why}",
    "ranges-missed": "the lowest versions that requirements allow were not audited: {packages}",
    "unlocked": (
        "{count:requirement} resolved today, not locked; "
        'lock the project, for example with "uv lock" or "pip-compile"'
    ),
    "no-reader": "not read by any scanner here",
    "filled-in-by-code": "a build backend or its plug-in fills them in",
    "unpinned-tools": "no exact version, so not audited",
    "no-package-name": "not a package name (PEP 508)",
    "no-version": "not a version (PEP 440)",
    # Runs of scanners: why a scanner did not run or finish.
    "not-applicable": "no {unit} for it in the project",
    "not-installed": "not installed: {install}",
    "package-not-installed": (
        "not installed: run `pip install {package}` in the environment of scanagg"
    ),
    "program-in-project": (
        "the only {program} on PATH is in the checked project or in a relative folder, and scanagg "
        "does not run it: install {program} elsewhere, or set {variable} to its absolute path"
    ),
    "scanner-skipped": "left out with `--skip`",
    "skipped-offline": "it needs the network, and the check is offline",
    "offline": "it needs {service}, but the check is offline",
    "offline-without-store": (
        "it needs {service}, but the check is offline, and there is no advisory store: "
        "create one with `scanagg db update` or `scanagg db import`"
    ),
    "scanner-not-started": "could not be started: {error}",
    "scanner-timed-out": "no result within {seconds} seconds",
    "check-deadline": "stopped at the deadline of the check",
    "scanner-interrupted": "interrupted",
    "lacks-resources": "stopped, because this machine is out of resources: {error}",
    "scanner-killed": "killed by signal {signal}",
    "too-much-output": "stopped: it printed more than 256 MiB",
    "exit-code": "exit code {code}",
    "wrong-exit-code": "exit code {code} does not match an answer with {found:finding}",
    "no-answer": "no answer, exit code {code}",
    "no-report-file": "it wrote no report: {error}",
    "unreadable-answer": "cannot read its answer: {error}",
    "unasked-answer": "its answer is about inputs that scanagg did not pass to it",
    "scan-incomplete": "its scan did not finish",
    "report-version": "its report has version {version}, but only {supported} is supported",
    "no-database": "no vulnerability database: run `{command}` while online",
    "database-not-updated": "cannot update the vulnerability database: {error}",
    "no-network": "cannot reach {service}: {why}",
    "name-not-found": "its name cannot be resolved",
    "connection-refused": "the connection was refused",
    "connection-timeout": "the connection timed out",
    "connection-reset": "the connection was reset",
    "no-connection": "the connection failed",
    "no-route": "there is no route to it",
    "refused-by-proxy": "the proxy refused the connection, or cannot be reached",
    "package-unknown": "{service} does not know this package and version",
    "index-only": "it answers 404 for every package, as a package index without advisories does",
    "untrusted-connection": (
        "the connection to {service} is not trusted ({error}): if your network inspects TLS, set "
        "SSL_CERT_FILE and REQUESTS_CA_BUNDLE to the file with its CA certificate"
    ),
    "empty-environment": "the project's environment has none of the packages: check that it works",
    "index-unreachable": "the package index failed: {error}",
    "no-wheel": "no wheel for this Python, and scanagg builds no packages: {error}",
    "unknown-version": "printed no version, exit code {code}",
    # Runs of scanners: what was not examined.
    "no-input-examined": "0 of {found} {unit} examined: {reasons}",
    "inputs-not-examined": "{number} of {found} {unit} not examined: {input}: {reason}",
    "no-scanner-result": "no scanner produced a usable result",
    "unmentioned": "not mentioned in its answer",
    "left-out-by-settings": "excluded by the scanner's configuration or arguments",
    "lock-file": "a large lock file, full of hashes that are not secrets",
    "own-baseline": "the scanner's own baseline",
    "filtered": "left out by its own filter {filter}",
    "vanished": "the file no longer exists",
    "files-not-text": "not text: {count:file}",
    "in-git-lfs": "the content is in Git LFS: run git lfs pull",
    "invalid-notebook": "not a valid notebook: {error}",
    "notebook-language": "a notebook in another language: {language}",
    "notebook-magic": "a cell in another language: {magic}",
    "python-syntax-error": "syntax error for {python}",
    "parse-error": "cannot parse it: {error}",
    "check-failed": "its check {check} failed at line {line}",
    "system-folder": "in a top-level folder that the scanner skips: {folders}",
    "nothing-to-check": "not in the answer: it has nothing to check, or is not readable",
    "no-package-listed": "not in the answer: it has no exact version, or is not readable",
    "no-packages-found": "no packages found in it",
    "manifest-not-read": (
        "this scanner does not read such files, and {number:dependency is|dependencies are} in no "
        "other file"
    ),
    "not-in-environment": "this version is not installed in the project's environment",
    "too-large": "{size:byte}, more than `{option}` allows ({limit})",
    "long-line": "a line of {size:byte}, more than `{option}` allows ({limit})",
    "time-limit": "not finished within {seconds} seconds",
    "unreadable-file": "cannot read it: {error}",
    # Runs of scanners: notices.
    "unasked-package": "{package} is in the answer, but was not requested",
    "unasked-vulnerabilities": (
        "left out {number:vulnerability|vulnerabilities} of packages that were not requested"
    ),
    "findings-elsewhere": "left out {number:finding} outside the project's files",
    "loose-licences": "left out {number:licence} without a package",
    "placeholders": "{path}: {number:placeholder} not counted as secrets",
    "known-secrets": "{path} hides nothing: {number:known secret} reported as usual",
    "ignore-file": "{path} hides nothing: its findings are reported, and marked",
    "hidden-not-listed": "findings that {comment} hides are counted, but not listed: {why}",
    "ignored-file": "{path} ignored: {why}",
    "partly-read": "{path}: read {read} of {total} dependencies, but not {names}",
    "text-files-skipped": (
        "{number:text file} not searched for secrets, because the scanner's own rules skip tests, "
        "examples, Markdown, lock files and vendored folders"
    ),
    "end-of-life": (
        "{image}: {system} is no longer supported, so some vulnerabilities may be missing"
    ),
    "unpinned-installed": "{number:installed package} that no manifest pins: {packages}",
    "runs-with-settings": "runs with these settings: {settings}",
    "unused-configuration": "{path}: not used, because a project must not configure its own check",
    # the verdict on a finding
    "matches": "{conditions}",
    "matches-everything": "every finding",
    "no-rule": "no rule matches",
    "locked": "locked by {policy}",
    "withdrawn-never-blocks": "a withdrawn advisory never blocks",
    "hidden-in-source": "hidden by {comment} in the source",
    "hiding-forbidden": "hidden by {comment} in the source, which the policy forbids",
    # the severity of a finding
    "severities-differ": "GitHub says {github}, CVSS says {cvss}",
    "low-confidence": "{confidence} confidence: one level down from {severity}",
    "judged-confidence": "low confidence ({why}): {lower} instead of {severity}",
    "overridden": "the policy sets {severity}: {why}",
    "withdrawn": "the advisory was withdrawn",
    "malicious": "the package is malicious",
    # low confidence in a finding in code
    "constant-code": "the code that runs is a constant",
    "constant-command": "all parts of the command are constants, or quoted",
    "escaped-html": "all parts of the HTML are constants, numbers, or escaped for their place",
    "fixed-scheme": "the address starts with http:// or https://",
    "has-timeout": "the call sets a timeout",
    "hash-protects-nothing": (
        "no name around it says that the hash protects a password, a token or a signature"
    ),
    "import-alone": "an import alone does nothing, and calls of the module have rules of their own",
    "in-container": "this address is usual in a container: {path}",
    "local-server": "the server listens only on {host}",
    "maintained-fork": "the project declares {package}, a maintained fork of {of}",
    "no-django": "neither the file nor the declared packages have Django",
    "no-html": "nothing in the file says that the template makes HTML",
    "no-temporary-file": "it is not the path of a temporary file",
    "not-a-query": "the text does not read like SQL",
    "not-from-request": "no name around it says that the data comes from a request",
    "not-writable-by-others": "other users cannot write the file",
    "nothing-listens": "no name around it says that a server listens on the address",
    "only-identifiers": (
        "only constants, numbers, placeholders, names of tables or columns, and other queries go "
        "into it"
    ),
    "other-shell": "shell is not True, so it may be the name of a shell",
    "own-file": "the code that runs is part of the project",
    "own-pickle": "the data was pickled by the code itself",
    "package-not-declared": (
        "the project does not declare {package}, and {fork} has the same modules"
    ),
    "patched-module": "the code patches the module with defusedxml",
    "random-without-secret": (
        "no name around it says that the number becomes a password, a token or a key"
    ),
    "without-shell": "the program starts without a shell",
    "zip-archive": "zipfile itself removes dangerous parts of paths",
    # grace time
    "in-grace": "blocks from {day}",
    "grace-over": "the grace time ended on {day}",
    "no-grace-for-severity": "no grace time for severity {severity}",
    "no-grace-for-malware": "no grace time for a malicious package",
    "no-grace-for-new": "no grace time for findings that a change introduces",
    "no-grace-start": "no grace time: the finding has no date to count from",
    # licences
    "license-term": "{term} decides: {verdict}",
    "license-listed": "{term} is on the list `{list}`",
    "license-not-spdx": "{term} is neither on the SPDX list nor on a list of the policy",
    "license-on-no-list": "{term} is on no list, and only licences on `allow` are allowed",
    "license-read": "{words} is read as {license}",
    "license-without-lists": "{term} is on no list, and there is no list `allow`",
    "license-contradiction": "{source} ({words}) and {other} ({others}) contradict each other",
    "license-ambiguous": "it can mean {licenses: or }: judged as {term}",
    "license-exception-expired": "the exception of {owner} expired on {day}, {days:day} ago",
    "evidence-changed": (
        "the policy's clarification {license} does not apply: "
        "{path} now has a different sha256, {sha256}"
    ),
    "evidence-missing": (
        "the policy's clarification {license} does not apply: "
        "the package has no licence file {path}, but {files}"
    ),
    "evidence-unknown": (
        "the policy's clarification {license} does not apply: "
        "the licence files of the package are not known, so {path} cannot be compared"
    ),
    # waivers
    "waived": "{state}: {why} — {owner} — until {expires}",
    "waiver-expired": "expired {days:day} ago",
    "waiver-too-long": "ends in {days:day}, but the policy allows {limit:day}",
    "no-approver": "the owner is not an approver of {policy}",
    "malicious-not-named": "the package is malicious: name its MAL- id in the waiver",
    "fix-exists": "a fix exists: {versions}",
    "other-ids": "ids {ids}: the finding has none of them",
    "other-package": "purl {purl}: another package",
    "other-version": "versions {versions}: another version",
    "other-path": "path {path}: does not match every place of the finding",
    "other-fingerprint": "fingerprint {fingerprint}: another finding",
    # the outcome: what was not examined
    "required-scanner": "{scanner} is required but {problem}",
    "scanner": "{scanner} {problem}",
    "no-run": "did not run",
    "failed": "failed: {detail}",
    "timeout": "ran out of time: {detail}",
    "missing": "did not run: {detail}",
    "empty": "examined nothing: {detail}",
    "degraded": "is degraded: {detail}",
    "no-detail": "no details",
    "examined": "examined {examined} of {wanted} {unit}",
    "few-examined": "{examined}, fewer than {least}",
    "not-all-examined": "{examined}: {inputs}",
    "input": "{input} ({reason})",
    "unnamed": "{count} not named",
    "all-left-out": "{scanner} examined 0 of {found} {unit}, because all are left out on purpose",
    "gaps-allowed": "{scanner} {examined}, which the policy allows",
    "interrupted": "interrupted before everything was examined",
    "nothing-examined": "nothing was examined: the folder has nothing for any scanner",
    # the outcome: data
    "outdated-data": "has {data} from {day}, older than {limit}",
    "undated-data": "has {data} without a date, and the policy limits its age to {limit}",
    "data-in-future": "has {data} from {day}, in the future: check the clock ({today})",
    "clock-behind": (
        "{holder} has data from {day}, in the future: check the clock ({today}), "
        "because ages and deadlines may be wrong"
    ),
    "advisory-store": "the advisory store {problem}",
    "required-data-missing": (
        "{data} data is required but missing: run `scanagg db update` or `scanagg db import`"
    ),
    "required-data-incomplete": (
        "{data} data is required but missing for {unknown} of {total:vulnerability|vulnerabilities}"
    ),
    "unchecked-no-data": (
        "{count:finding was|findings were} not checked by the rules on {data}, because there is no "
        "such data: run `scanagg db update` or `scanagg db import`"
    ),
    "unchecked-no-record": (
        "{count:finding was|findings were} not checked by the rules on {data}, "
        "because it has no record of the vulnerability"
    ),
    # the outcome: what blocks
    "findings-block": "{count:finding blocks|findings block}: {levels}",
    "findings-block-by-rule": ("rule {rule} blocks {count}: {findings:; }"),
    "findings-block-by-one-rule": (
        "{count:finding blocks|findings block} ({levels}) by rule {rule}: {findings:; }"
    ),
    "level": "{count} {severity}",
    "vulnerable-package": "{id} in {package} {version}",
    "finding-at": "{finding} ({place})",
    "more": "{count} more",
    "would-block": "would block: {reason}",
    "would-be-incomplete": "would be incomplete: {gap}",
    # the outcome: waivers and hidden findings
    "hidden": "{count:finding is|findings are} hidden in the source: {kinds}",
    "hidden-by": "{count} by {kind}",
    "hidden-forbidden": "{hidden}, which the policy forbids",
    "hidden-unlisted": "{hidden}, which the policy forbids, and the scanner does not list them",
    "hidden-too-many": "{hidden}, more than the {limit} that the policy allows",
    "waivers-end": "waivers that end soon: {waivers}",
    "waivers-void": "waivers that have expired or have no effect: {waivers}",
    "waivers-unused": "unused waivers: {waivers}",
    "waivers-unused-forbidden": "unused waivers, which the policy forbids: {waivers}",
    "waiver": "{place} ({owner}, until {expires})",
    # the outcome: judged again
    "judged-again": "judged again: the check used the policy {policy}",
    "when-unknown": "{scanner} counts as required: a report does not show if its `when` applies",
    # attempts to loosen the gate
    "rules-do-not-load": "its rules cannot be loaded: {error}",
    "rules-edited": "it edits {paths}, without effect on this check",
    "configuration-edited": "it adds or edits {path}, a configuration file of {scanner}",
    "attributes-hide": "its {path} hides files or changes: {lines}",
    "ignore-hides": "its {path} makes git ignore files like {files}",
    "ignore-edited": "it edits {path}, and git cannot tell which files that hides",
    "exclusions-added": "its configuration excludes {patterns}",
    "new-findings-hidden": "it hides {count:new finding} with {kind}",
    "manifest-gone": "{path} is gone, and no other file lists its packages: {packages}",
    "manifest-emptied": (
        "{path} lists no packages, and no other file lists those that it had: {packages}"
    ),
    "manifest-unread": "{path} is gone, and no file of its kind replaces it",
    "pins-loosened": "{path} has ranges in place of exact versions, so nothing checks {packages}",
    "index-added": "{path} names a package index on {host} that the base does not use: {address}",
    "weaker-actions": "its own rules would give {count:finding} a weaker action: {steps}",
    "weaker-action": "{count} from {old} to {new}",
    "would-not-block": "with its own rules, nothing would block: they set enforcement to warn",
    "waiver-added": "it adds a waiver at {place} ({selectors}), owner {owner}",
    "waivers-added": "it adds {count:more waiver}",
    "baseline-grows": "it adds {count:finding} to the baseline",
    # the check
    "reports-not-written": (
        "{count:report} could not be written: the outcome would otherwise be {outcome}"
    ),
    "image-not-examined": "the image {image} was not examined",
    "foreign-baseline": (
        "{path} names no file of this project: is it the baseline of another project?"
    ),
    "only-some-scanners": "these scanners did not run, because of --only: {others}",
    "secret-name": "its path may have a secret, and other users can see the arguments of a program",
    "secret-names": "paths with possible secrets, which reports mask: {paths}",
    "other-index": "packages may come from {host}, and not from PyPI: {paths}",
    "no-python": (
        "{path}: {number:requirement} not audited, because the markers exclude every Python that "
        "the project supports: {packages:; }"
    ),
    "outdated-list": (
        "{path} pins other versions of {number:package} than {lock}, and both are audited: export "
        "it again, or delete it if nothing installs it: {packages}"
    ),
    "outdated-list-installed": (
        "{path}, which {installer} installs, pins other versions of {number:package} than {lock}, "
        "and both are audited: export it again: {packages}"
    ),
    "only-constraints": (
        "{number:exact version} in {path} not audited, because no manifest requires the packages: "
        "{packages}"
    ),
    "nested-repositories": "not examined, because they are other repositories: {paths}",
    "files-not-checked-out": "a sparse checkout leaves out {count:file}: not examined",
    "files-excluded": "the configuration excludes {count:file} from every scanner",
    "small-store": (
        "the advisory store has only {count:record} and is {use}: run `scanagg db update`"
    ),
    "old-store": (
        "the advisory store is from {day} (older than {limit}) and is {use}: "
        "run `scanagg db update`"
    ),
    "undated-store": "the advisory store has no date and is {use}: run `scanagg db update`",
    "store-used": "still used",
    "store-not-used": "not given to {scanners}",
}

NOUNS: Final[Mapping[str, str]] = {
    "key-header": "key header",
    "encrypted-key": "encrypted key",
    "public-key": "public key",
    "template": "template",
    "published-value": "published value",
    "placeholder-value": "placeholder",
    "part-of-data": "part of longer data|parts of longer data",
    "vendored-or-generated": (
        "value in a vendored or generated file|values in vendored or generated files"
    ),
    "data-line": "value in a data line|values in data lines",
    "encrypted-value": "encrypted value",
    "metadata-name": "setting about a secret|settings about secrets",
    "digest-name": "digest or id|digests and ids",
    "no-secret-name": "random string",
    "own-name": "value that repeats its name|values that repeat their names",
    "no-text": "value without text|values without text",
    "code": "piece of code|pieces of code",
    "address-or-path": "address or path|addresses and paths",
    "dotted-name": "name of a setting|names of settings",
    "sentence": "sentence",
    "digest-value": "hash|hashes",
    "local-address": "local address|local addresses",
    "default-password": "default password",
    "common-password": "dummy password",
    "weak-password": "simple password",
    "version-or-number": "version or number|versions and numbers",
    "identifier": "identifier",
    "weak-value": "simple value",
    "local-password": "local password",
    "test-name": "test value",
    "uuid": "UUID",
}
"""Nouns for values that look like no secrets, by the kind of the reason: singular|plural."""


def number_of(kind: str, number: int) -> str:
    """Return "68 digests and ids" for values that look like no secrets for this kind of reason."""
    return _shown(number, NOUNS.get(kind, "other value"))


def sentence(reason: Reason) -> str:
    """Return a reason in words, on one line, without a full stop."""
    values = reason.values
    return "".join(
        literal if name is None else literal + _shown(values[name], form)
        for literal, name, form in _parts(reason.kind)
    )


def sentences(reasons: Iterable[Reason]) -> str:
    """Return reasons in words, separated by semicolons."""
    return "; ".join(map(sentence, reasons))


@cache
def value_names(kind: str) -> frozenset[str]:
    """Return the names of the values in the sentence of a kind."""
    return frozenset(name for _, name, _ in _parts(kind) if name)


@cache
def _parts(kind: str) -> list[tuple[str, str | None, str]]:
    """Return each literal of a sentence with the name and the format of the value behind it."""
    parsed = string.Formatter().parse(SENTENCES[kind])
    return [(literal, name, form or "") for literal, name, form, _ in parsed]


def _shown(value: ReasonValue, form: str) -> str:
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, tuple):
        return (form or ", ").join(_shown(part, "") for part in value)
    if isinstance(value, int):
        one, _, several = form.partition("|")
        return f"{value:,} {one if value == 1 or not one else several or one + 's'}".rstrip()
    return sentence(value)
