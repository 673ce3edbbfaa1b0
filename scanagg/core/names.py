"""The words in names of secrets, and in names that are only about one."""

from typing import Final


def words(text: str) -> frozenset[str]:
    """Return the words of a text."""
    return frozenset(text.split())


SECRETS: Final = ("passw", "passphrase", "passcode", "pwd", "secret", "token", "credential")
"""The beginnings of words that say secret, wherever they are in a name."""

KEYS: Final = tuple(
    sorted(
        words(
            "access account admin api app application auth client consumer crypt database db "
            "deploy encryption jwt license loggedin master nonce priv private service session "
            "shared sign signing ssh ssl storage tsig"
        )
    )
)
"""The words before "key" in names of secrets: `API_KEY`, `apikey`."""

ABOUT: Final = words(
    "age alg algo algorithm arn attr attribute backend cache class column config context count "
    "css desc description dir directory doc docs domain email enabled endpoint engine env error "
    "errors exception expiration expires expiry field fields file filename filenames filter "
    "folder form format generator handler header headers help helper hint host html icon import "
    "index info kind label labels len length lifetime limit link location login manager max "
    "message messages method min mode module msg name names option options package page param "
    "parameter parameters params path paths pattern patterns placeholder policy port prefix "
    "prompt provider regex region required reset route scheme scope scopes selector service size "
    "source space state status storage store strength style suffix template text timeout title "
    "ttl type types uri url urls user username util utils validator validators var variable view "
    "widget"
)
"""The last words of names that are about a secret: `secretName`, `TOKEN_URL`."""

DIGESTS: Final = words(
    "blake blob build checksum checksums cid commit crc digest digests encrypted etag fingerprint "
    "guid hash hashed hashes hexdigest id ids integrity md ref rev revision sha tag thumbprint "
    "tree uuid version"
)
"""The words of names of digests, versions and ids, without numbers: `git_commit`, `key_md5`."""

CODE: Final = words(
    ".c .cc .cjs .clj .cpp .cs .dart .erb .erl .ex .exs .go .gradle .groovy .h .hpp .hs .ipynb "
    ".java .jl .js .jsx .kt .kts .lua .m .mjs .php .pl .pm .ps1 .psm1 .py .pyi .pyx .r .rb .rs "
    ".scala .svelte .swift .ts .tsx .vue"
)
"""The suffixes of code, where a word without quotes is a name, and not a value."""
