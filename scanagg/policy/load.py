"""Find the policy that judges, and load it with its parents and its waivers."""

import hashlib
from pathlib import Path
from typing import Final

from scanagg.core.errors import PolicyError
from scanagg.core.text import one_line
from scanagg.model import Waiver
from scanagg.policy.extends import Whole, take_in
from scanagg.policy.reading import (
    BUILT_IN,
    BUILTIN,
    Source,
    builtin,
    read_policy,
    read_waivers,
    source,
)
from scanagg.policy.schema import Policy
from scanagg.policy.typed import suggestion
from scanagg.project.trusted import Files, WorkTree, locate

# Where a project keeps its policy, first found wins.
PLACES: Final = ("policies/scanagg.yml", "scanagg.yml")
# Where a project keeps its waivers, besides those in the policy.
WAIVERS: Final = "policies/waivers.yml"


def load_policy(
    name_or_path: str | None,
    root: Path,
    configured: str | None = None,
    *,
    files: Files | None = None,
) -> Policy:
    """The policy to judge by. PolicyError with every mistake in it.

    It is the one that is given, else the first of `PLACES` under `root`, else `configured` (from
    the configuration, relative to `root`), else the built-in default. Everything of the project is
    read through `files`, the work tree unless given: the policy, its parents, the waivers. A path
    that is given and lies outside is the caller's own, and read from the disk.
    """
    place = files or WorkTree(root)
    found = _given(name_or_path, root, place) if name_or_path is not None else None
    found = found or _of_project(place) or _configured(configured or BUILTIN[0], place)
    whole = take_in(read_policy(found))
    digests = dict(whole.files)
    return _policy(found, whole, digests, _waivers(place, digests), place.ref)


def check_file(path: Path, root: Path | None = None) -> list[str]:
    """Everything that is wrong with a policy file, one line each; none where it is valid.

    Its parents are looked for inside `root`, and beside the file where that is not given.
    """
    shown = one_line(str(path))
    tree = WorkTree(root or path.parent)
    place = locate(tree, tree.root, path) or (WorkTree(path.parent), path.name)
    try:
        found = source(*place, shown)
        if found is None:
            raise PolicyError(f"{shown}: does not exist")
        take_in(read_policy(found))
    except PolicyError as error:
        return error.message.splitlines()
    return []


def _given(name: str, root: Path, files: Files) -> Source:
    if name in BUILTIN:
        return builtin(name)
    place = None if "\0" in name else locate(files, root, Path(name))
    if place is None:
        path = Path(name.replace("\0", "?"))
        place = (WorkTree(path.parent), path.name or ".")
    return source(*place) or _missing(name, place[0].ref)


def _of_project(files: Files) -> Source | None:
    found = (source(files, place) for place in PLACES)
    return next((one for one in found if one), None)


def _configured(name: str, files: Files) -> Source:
    return builtin(name) if name in BUILTIN else source(files, name) or _missing(name, files.ref)


def _missing(name: str, ref: str | None) -> Source:
    where = f" in commit {ref[:12]}" if ref else ""
    hint = f"give a file, or one of {', '.join(BUILTIN)}"
    raise PolicyError(f"no policy {one_line(name)!r}{where}{suggestion(name, BUILTIN)}", hint)


def _waivers(files: Files, digests: dict[str, str]) -> tuple[Waiver, ...]:
    found = source(files, WAIVERS)
    if found is None:
        return ()
    digests[found.shown] = _digest(found)
    return read_waivers(found)


def _policy(
    of: Source, whole: Whole, digests: dict[str, str], more: tuple[Waiver, ...], ref: str | None
) -> Policy:
    is_built_in = of.files is None
    return Policy(
        name=of.shown.removeprefix(f"{BUILT_IN} ") if is_built_in else one_line(Path(of.path).stem),
        source=BUILT_IN if is_built_in else of.shown,
        digest=_digest(of),
        enforcement=whole.file.enforcement,
        file=whole.file,
        waivers=(*whole.waivers, *more),
        locked=whole.locked,
        files=digests,
        ref=ref,
    )


def _digest(of: Source) -> str:
    return hashlib.sha256(of.raw).hexdigest()
