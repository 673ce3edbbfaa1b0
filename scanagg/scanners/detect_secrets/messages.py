"""The messages between the adapter and its worker."""

from typing import Annotated

import msgspec

from scanagg.model import Number, Reason
from scanagg.model.advisories import secret_texts


class SearchRequest(msgspec.Struct, frozen=True):
    """A request to `worker`: search `files`, relative to `root`, in these `encodings`.

    `locks` are the lock files among them, which are full of hashes. The limits are CPU `seconds`
    for each file, and the bytes of a file and of a line.
    """

    root: str
    files: tuple[str, ...]
    encodings: tuple[str, ...]
    seconds: float
    file_bytes: int
    line_bytes: int
    locks: frozenset[str] = frozenset()


class SecretHit(msgspec.Struct, frozen=True):
    """A secret of one file in clear text, and its lines. detect-secrets reports the first one.

    `value` is what detect-secrets hashes, which may be only the prefix of a token. `whole` is the
    secret in full, "" for a private key. `texts` are that, and the quoted strings around it.
    `is_added` is True if only `detectors` find it.
    """

    type: str
    hash: str
    value: str
    whole: str
    lines: Annotated[tuple[Number, ...], msgspec.Meta(min_length=1)]
    texts: tuple[str, ...] = ()
    is_added: bool = False

    @property
    def digest(self) -> str | None:
        """The sha1 of the secret in full; None if it is not known."""
        return next(iter(secret_texts((self.whole,)))) if self.whole else None


class SearchAnswer(msgspec.Struct, frozen=True):
    """The answer of `worker` for the file with this index: hits, or the `reason` for no search.

    `values` are the texts to mask: the secrets, in full where a hit has only a part. `allowed` are
    the hits that a pragma hides, with the lines of the pragma. `on_purpose` is True if a filter of
    detect-secrets left the file out.
    """

    file: int
    reason: Reason | None = None
    hits: tuple[SecretHit, ...] = ()
    values: tuple[str, ...] = ()
    allowed: tuple[SecretHit, ...] = ()
    on_purpose: bool = False
