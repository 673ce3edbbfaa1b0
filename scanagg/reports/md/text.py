"""Plain text as Markdown: escaped, in code spans, as links."""

import re
from typing import Final

from scanagg.core.text import inert, one_line, shorten
from scanagg.model import Reason
from scanagg.reports.links import web_url
from scanagg.reports.reasons import sentence

TEXT_WIDTH: Final = 160
CODE_WIDTH: Final = 120
URL_WIDTH: Final = 400

# Markup of CommonMark and GitHub inside a line. The colon of "https://" and the dot of "www." turn
# a bare address into a link.
_MARKUP: Final = re.compile(r"[\\`*_{}\[\]<>|~$&]|:(?=//)|(?<=www)\.", re.IGNORECASE)
# Markup at the start of a line: headings and lists.
_START: Final = re.compile(r"^(\d*)([#+.)-])(?=[\s#-]|$)")
# On GitHub, "@name" notifies and "#1" links even if escaped, but not with an invisible character in
# between.
_MENTION: Final = re.compile(r"([@#])(?=\w)")
_UNSEEN: Final = "\u200b"
_NOT_IN_LINK: Final = re.compile(r"[()\[\]]")


def link(text: str, url: str | None) -> str:
    """Return `text` as a link; just the text for an invalid address, or one that ends the link."""
    name = escape(text, 60)
    checked = web_url(url)
    if checked is None or len(checked) > URL_WIDTH or _NOT_IN_LINK.search(checked):
        return name
    return f"[{name}]({checked})"


def escape(text: str | Reason, width: int = TEXT_WIDTH) -> str:
    """Escape `text` so that Markdown shows it as it is: one line, no markup, links or mentions."""
    line = sentence(text) if isinstance(text, Reason) else one_line(text)
    plain = shorten(line.strip(), width)
    marked = _MARKUP.sub(lambda match: "\\" + match.group(), plain)
    return inert(_MENTION.sub(rf"\1{_UNSEEN}", _START.sub(r"\1\\\2", marked)))


def code(text: str, width: int = CODE_WIDTH) -> str:
    """Return `text` in a code span that it cannot end; plain if it would end a table cell."""
    plain = inert(shorten(one_line(text).strip(), width))
    if not plain or "|" in plain:
        return escape(plain)
    fence = "`"
    while fence in plain:
        fence += "`"
    pad = " " if "`" in (plain[0], plain[-1]) else ""
    return f"{fence}{pad}{plain}{pad}{fence}"
