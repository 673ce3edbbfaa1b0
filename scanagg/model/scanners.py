"""The description of a scanner: everything that the rest of the program knows about it."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from scanagg.model.enums import Category

_NONE: Mapping[str, str] = MappingProxyType({})


class ScannerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A scanner, for people, configuration, policies and reports.

    A scanner that is not installed in this version of scanagg, such as one that a stored report
    names, has a name only.

    For people: `name` is what the command line, reports and policies call it, `title` the name of
    the program (at most three words), `about` one sentence on what it finds, `url` the https
    address of its documentation, `install` the command that installs it, or where to get it.

    For configuration: `options` are its keys in `[scanners.NAME]`, each with one sentence of help;
    `args` the command line options that `args` may hold, none of which runs or writes anything;
    `native_files` the names of its own configuration files, which a project may bring.

    What it looks for: `categories`, and those of them that it is `usual_for`, so that it is the one
    meant where no scanner is named. Each category has one usual scanner.

    What it needs: `needs_network` if it does nothing offline, `has_dated_data` if its data has an
    age that a policy may limit, `asks_advisory_store` if it looks vulnerabilities up in the
    advisory store, `scans_images` if it scans container images.

    Its rules: `rule_aliases` leads from a rule to the id that an equal rule has, of its own or of
    another scanner. `renamed_rules` leads from a new id to the one by which fingerprints know the
    rule. `secret_rules` are those whose lines hold a secret although their category is another one;
    `guessing_rules` those among them that only guess, from the name of a variable. They are the
    last witness of a secret, and their severity is the last to count.

    `suppressions` are the kinds of comments and files with which a project hides findings from it
    (as in `Run.hidden`), and whether the scanner still lists the findings: if not, it counts them.
    """

    name: str
    title: str = ""
    about: str = ""
    url: str = ""
    install: str = ""
    options: Mapping[str, str] = _NONE
    args: frozenset[str] = frozenset()
    native_files: tuple[str, ...] = ()
    categories: frozenset[Category] = frozenset()
    usual_for: frozenset[Category] = frozenset()
    needs_network: bool = False
    has_dated_data: bool = False
    asks_advisory_store: bool = False
    scans_images: bool = False
    rule_aliases: Mapping[str, str] = _NONE
    renamed_rules: Mapping[str, str] = _NONE
    secret_rules: frozenset[str] = frozenset()
    guessing_rules: frozenset[str] = frozenset()
    suppressions: Mapping[str, bool] = MappingProxyType({})
