"""Remedies for the most common findings of bandit, by rule."""

from collections.abc import Mapping
from typing import Final

_NO_PASSWORD: Final = (
    "Treat it as leaked: revoke it, issue a new one, and load it from the environment or a secret "
    "manager."
)
_NO_PICKLE: Final = "Load only data that you trust. For other data, use a format such as JSON."
_STRONG_HASH: Final = (
    "Use hashlib.sha256, or pass usedforsecurity=False if the hash protects nothing."
)
_NO_SHELL: Final = "Pass the command as a list of arguments, without shell=True."
_CHECKED_INPUT: Final = "Check that no argument of the command comes from untrusted input."
_DEFUSED: Final = "Parse untrusted XML with the package defusedxml."

REMEDIES: Final[Mapping[str, str]] = {
    "B101": "Raise an exception: python -O removes assert statements.",
    "B102": "Call the code directly instead of building it as text for exec.",
    "B103": "Give the file only the permissions that it needs, such as 0o600.",
    "B104": "Bind to 127.0.0.1, or to the one address that clients use.",
    **dict.fromkeys(("B105", "B106", "B107"), _NO_PASSWORD),
    "B108": "Create temporary files with the module tempfile.",
    "B110": "Catch the exception that you expect, and log it.",
    "B112": "Catch the exception that you expect, and log it.",
    "B113": "Pass a timeout, such as timeout=10.",
    "B201": "Run Flask without debug=True: its debugger executes code of its visitors.",
    "B202": 'Pass filter="data" to extractall.',
    **dict.fromkeys(("B301", "B302", "B403"), _NO_PICKLE),
    **dict.fromkeys(("B303", "B324"), _STRONG_HASH),
    "B306": "Use tempfile.mkstemp or NamedTemporaryFile instead of mktemp.",
    "B307": "Use ast.literal_eval for literals. Otherwise, replace eval by code of your own.",
    "B310": "Check that the URL starts with https:// before you open it.",
    "B311": "Use the module secrets for tokens, passwords and keys.",
    **dict.fromkeys(("B313", "B314", "B317", "B318", "B319", "B320", "B405", "B408"), _DEFUSED),
    "B323": "Use ssl.create_default_context.",
    "B404": _CHECKED_INPUT,
    "B501": "Remove verify=False. For a private authority, pass its certificate as verify.",
    "B506": "Use yaml.safe_load.",
    "B507": "Load known host keys, and reject the others with paramiko.RejectPolicy.",
    **dict.fromkeys(("B602", "B604", "B605"), _NO_SHELL),
    **dict.fromkeys(("B603", "B606"), _CHECKED_INPUT),
    "B607": "Start the program by its absolute path.",
    "B608": "Pass values as query parameters: cursor.execute(sql, (value,)).",
    "B614": "Pass weights_only=True to torch.load.",
    "B701": "Create the environment with autoescape=True.",
    **dict.fromkeys(("B308", "B703"), "Use format_html, which escapes its arguments."),
}
