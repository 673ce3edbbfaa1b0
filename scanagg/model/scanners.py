"""The description of a scanner: everything that the rest of the program knows about it."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from scanagg.model.enums import Category, Confidence

_NONE: Mapping[str, str] = MappingProxyType({})


class ScannerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A scanner, for people, configuration, policies and reports.

    A scanner that is not installed in this version of scanagg, such as one that a stored report
    names, has a name only.

    For people: `name` is its name on the command line, in reports and in policies. `title` is the
    name of the program (at most three words), `about` one sentence on what it finds, `url` the
    https address of its documentation. `package` is the Python package that has it, for the
    environment of scanagg. If there is none, `install` says where to get the program.

    For configuration: `options` are its keys in `[scanners.NAME]`, each with one sentence of help.
    `args` are the command line options that `args` may contain; none of them runs or writes
    anything. `native_files` are the names of the scanner's own configuration files, and
    `native_sections` its sections in files that it shares with other programs, by their names.

    `categories` are the kinds of findings that it makes. It is `usual_for` some of them: it is
    meant where a category is given and no scanner is. Each category has one usual scanner.

    `reads` are the ids of the kinds of manifests that it reads by itself (see `project.kinds`),
    with evidence in its coverage. All scanners of packages use what the inventory reads.

    `needs_network`: it does nothing offline. `asks_advisory_store`: it can look vulnerabilities up
    in the advisory store. `scans_images`: it scans container images. `data_variable` is the
    environment variable that names the folder of its own data, if it has one.

    `rule_aliases` maps a rule to the id of an equal rule, of its own or of another scanner. A
    finding about a secret has that id, its witnesses those of their scanners.
    `renamed_rules` maps a new id to the id that fingerprints contain. `secret_rules` report lines
    with secrets, although their category is another one. `guessing_rules` are those among them that
    guess from the name of a variable: other witnesses of a secret come first, and so does their
    severity. A comment that hides the value from those witnesses hides the guess too.
    `generic_rules` match any kind of secret, the vaguest last: a rule that knows the kind names a
    finding before them. `syntax_rules` are those that know a secret by the text around it, such as
    the option of a command: the name of the value does not matter. `lasting_rules` identify a
    finding before others, so that rules that are added later do not change what a baseline knows.

    `natural_confidence` is the confidence that the scanner gives a rule always or nearly always, if
    it is not high. It says nothing about a single finding, so it does not lower its severity.

    `suppressions` are the kinds of comments and files by which a project hides findings from it (as
    in `Run.hidden`). The value is True if the scanner still lists the findings, False if it only
    counts them.
    """

    name: str
    title: str = ""
    about: str = ""
    url: str = ""
    package: str = ""
    install: str = ""
    options: Mapping[str, str] = _NONE
    args: frozenset[str] = frozenset()
    native_files: tuple[str, ...] = ()
    native_sections: Mapping[str, str] = _NONE
    categories: frozenset[Category] = frozenset()
    usual_for: frozenset[Category] = frozenset()
    reads: frozenset[str] = frozenset()
    needs_network: bool = False
    asks_advisory_store: bool = False
    scans_images: bool = False
    data_variable: str = ""
    rule_aliases: Mapping[str, str] = _NONE
    renamed_rules: Mapping[str, str] = _NONE
    secret_rules: frozenset[str] = frozenset()
    guessing_rules: frozenset[str] = frozenset()
    generic_rules: tuple[str, ...] = ()
    syntax_rules: frozenset[str] = frozenset()
    lasting_rules: frozenset[str] = frozenset()
    natural_confidence: Mapping[str, Confidence] = MappingProxyType({})
    suppressions: Mapping[str, bool] = MappingProxyType({})
