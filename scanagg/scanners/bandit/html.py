"""HTML that code puts together: is each part constant, a number, or escaped for its place?

`escape(x)` is safe in text and between the quotes of most attributes. It is not safe in a script,
in an attribute without quotes, and at the start of a link, where it can be `javascript:`.
"""

import ast
import re
import string
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from scanagg.scanners.bandit.syntax import CONSTANT_NAME, Syntax, called

# `html` has its own tags, and `url` has no quotes or tags, except for single quotes.
_Kind: TypeAlias = Literal["number", "escaped", "url", "html"]

_KINDS: Final[dict[str, _Kind]] = {
    **dict.fromkeys(("int", "len", "float", "round"), "number"),
    **dict.fromkeys(
        (
            *("html.escape", "markupsafe.escape", "flask.escape", "jinja2.escape"),
            *("django.utils.html.escape", "django.utils.html.conditional_escape"),
            *("django.template.defaultfilters.force_escape", "django.utils.text.slugify"),
        ),
        "escaped",
    ),
    **dict.fromkeys(
        (
            *("django.urls.reverse", "django.urls.reverse_lazy", "flask.url_for"),
            *("urllib.parse.quote", "urllib.parse.quote_plus", "urllib.parse.urlencode"),
        ),
        "url",
    ),
    # These mark their result as safe themselves.
    **dict.fromkeys(
        (
            *("django.template.loader.render_to_string", "django.utils.html.json_script"),
            *("flask.render_template",),
        ),
        "html",
    ),
}
_FORMATS: Final = frozenset(("django.utils.html.format_html", "django.utils.html.format_html_join"))
_MARKS: Final = frozenset(("mark_safe", "Markup", "str"))
_TRANSLATIONS: Final = frozenset(("_", "gettext", "gettext_lazy", "ugettext", "ugettext_lazy"))

_TAG: Final = re.compile(r"""<[^<>"']*(?:(?:"[^"]*"|'[^']*')[^<>"']*)*>""")
_RAW: Final = re.compile(r"<(script|style|iframe|noscript)\b", re.IGNORECASE)
_QUOTED: Final = re.compile(r""""[^"]*"|'[^']*'""")
_ATTRIBUTE: Final = re.compile(r"""[\s"'/]([\w:.@-]+)\s*=\s*(["'])([^"']*)""")
_LINK: Final = re.compile(r"(?:xlink:)?href|src|action|formaction|data|poster|content", re.I)
_LINK_START: Final = re.compile(r"\s*(?:https?:|mailto:|tel:|/|\?|#)", re.IGNORECASE)
_CODE: Final = re.compile(r"on\w+|style|srcdoc|[@:].*|x-.*|v-.*|hx-.*|ng-.*", re.IGNORECASE)
_PERCENT: Final = re.compile(r"%(?:\((\w*)\))?[-+ #0-9.]*([a-zA-Z%])")
_FILLER: Final[dict[_Kind, str]] = {"number": "0", "escaped": "x", "url": "/x", "html": "x"}
_NUMBERS: Final = frozenset("diouxXeEfFgG")
_DEPTH: Final = 40
_PARTS: Final = 300


def is_escaped(value: ast.expr, syntax: Syntax) -> bool:
    """Return True if the HTML in a value has only parts that are safe in their places."""
    return _Html(syntax).after("", value, _DEPTH) is not None


class _Html:
    """Follows the parts of HTML. The markup so far shows the place of the next part."""

    def __init__(self, syntax: Syntax) -> None:
        self._syntax = syntax
        self._left = _PARTS

    def after(self, markup: str, value: ast.expr, depth: int) -> str | None:
        """Return the markup with a value at its end; None if that can be unsafe."""
        self._left -= 1
        if not depth or self._left < 0:
            return None
        depth -= 1
        match value:
            case ast.IfExp(body=left, orelse=right):
                return self._either(markup, [left, right], depth)
            case ast.BoolOp(values=values) | ast.Subscript(value=ast.Dict(values=values)):
                return self._either(markup, values, depth)
            case ast.Call(func=ast.Attribute(value=separator, attr="join"), args=[items]):
                return self._joined(markup, separator, items, depth)
        after: str | None = markup
        text, parts = self._text(value), self._parts(value)
        if text is not None:
            after = markup + text
        elif parts is None:
            after = _put(markup, self._kind(value))
        else:
            for part in parts:
                after = None if after is None else self.after(after, part, depth)
        return after

    def _parts(self, value: ast.expr) -> Sequence[ast.expr] | None:
        """Return the parts of a value in their order; None if they are unknown."""
        parts: Sequence[ast.expr] | None = None
        match value:
            case ast.Name():
                known = self._syntax.value(value)
                parts = [known] if known else None
            case ast.FormattedValue(value=part, conversion=-1 | 115, format_spec=None):
                parts = [part]
            case ast.JoinedStr(values=parts):
                pass
            case ast.BinOp(left=left, op=ast.Add(), right=right) if not _is_number(value):
                parts = [left, right]
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                parts = self._percent(left, right)
            case ast.Call(func=ast.Attribute(value=template, attr="format")):
                parts = self._fields(template, value)
            case ast.Call(
                func=ast.Attribute(value=escaped, attr="replace"),
                args=[ast.Constant(value=str(old)), ast.Constant() as new],
            ) if old.isspace():
                parts = [escaped, new]
            case ast.Call(args=[marked]) if called(value) in _MARKS:
                parts = [marked]
        return parts

    def _kind(self, value: ast.expr) -> _Kind | None:
        """Return the kind of a part that has no parts itself; None if it can be anything."""
        kind: _Kind | None = None
        match value:
            case ast.BinOp() if _is_number(value):
                kind = "number"
            case ast.Name(id=name) | ast.Attribute(attr=name) if CONSTANT_NAME.fullmatch(name):
                kind = "number"  # safe everywhere, too
            case ast.Call(func=ast.Attribute(attr="count"), args=[]):
                kind = "number"
            case ast.Call(func=ast.Attribute(attr="get_absolute_url"), args=[]):
                kind = "url"
            case ast.Call():
                origin = self._syntax.origin(value) or ast.unparse(value.func)
                kind = _KINDS.get(origin)
                if origin in _FORMATS and value.args and self._text(value.args[0]) is not None:
                    kind = "html"
        return kind

    def _either(self, markup: str, values: Sequence[ast.expr], depth: int) -> str | None:
        """Return the markup with the first of several values that end in the same place."""
        ends = [self.after(markup, value, depth) for value in values]
        places = {None if end is None else _place(end) for end in ends}
        return ends[0] if len(places) == 1 else None

    def _joined(self, markup: str, separator: ast.expr, items: ast.expr, depth: int) -> str | None:
        known = self._syntax.items(items)
        if known is None:
            return None
        # Each item can be the first, and follow the separator.
        once = self._either(markup, [*known, ast.Constant("")], depth)
        again = None if once is None else self.after(markup, separator, depth)
        return None if again is None else self._either(again, [*known, ast.Constant("")], depth)

    def _text(self, value: ast.expr) -> str | None:
        """Return a constant text, also one that is translated."""
        match value:
            case ast.Constant(value=bytes()):
                return None
            case ast.Constant(value=constant):
                return str(constant)
            case ast.Name():
                known = self._syntax.value(value)
                return self._text(known) if known and not isinstance(known, ast.Name) else None
            case ast.Call(args=[ast.Constant(value=str(text))]) if called(value) in _TRANSLATIONS:
                return text
        return None

    def _fields(self, template: ast.expr, call: ast.Call) -> Sequence[ast.expr] | None:
        """Return the texts and values of `template.format(…)` in their order; None if unknown."""
        text = self._text(template)
        if text is None:
            return None
        values: dict[str, ast.expr] = {str(index): one for index, one in enumerate(call.args)}
        values |= {one.arg: one.value for one in call.keywords if one.arg}
        parts: list[ast.expr] = []
        try:
            fields = [*string.Formatter().parse(text)]
        except ValueError:
            return None
        unnamed = 0
        for before, name, form, conversion in fields:
            parts.append(ast.Constant(before))
            if name is None:
                continue
            value = values.get(name or str(unnamed))
            unnamed += not name
            if value is None or form not in ("", ",") or conversion not in (None, "s"):
                return None
            parts.append(value)
        return parts

    def _percent(self, template: ast.expr, right: ast.expr) -> Sequence[ast.expr] | None:
        """Return the texts and values of `template % …` in their order; None if unknown."""
        text = self._text(template)
        if text is None:
            return None
        positional = [*right.elts] if isinstance(right, ast.Tuple) else [right]
        named: dict[object, ast.expr] = {}
        if isinstance(right, ast.Dict):
            named = {
                key.value: value
                for key, value in zip(right.keys, right.values, strict=True)
                if isinstance(key, ast.Constant)
            }
        parts: list[ast.expr] = []
        last = 0
        for field in _PERCENT.finditer(text):
            parts.append(ast.Constant(text[last : field.start()]))
            last = field.end()
            if field[2] == "%":
                continue
            unnamed = positional.pop(0) if positional and not field[1] else None
            value = ast.Constant(0) if field[2] in _NUMBERS else named.get(field[1]) or unnamed
            if value is None or field[2] not in {*_NUMBERS, "s"}:
                return None
            parts.append(value)
        return [*parts, ast.Constant(text[last:])]


def _is_number(value: ast.expr) -> bool:
    """Return True for `x + 1`, which a text cannot be."""
    match value:
        case ast.BinOp(left=ast.Constant(value=int()), op=ast.Add() | ast.Sub()):
            return True
        case ast.BinOp(op=ast.Add() | ast.Sub(), right=ast.Constant(value=int())):
            return True
    return False


def _place(markup: str) -> str:
    """Return the place at the end of markup.

    "" for text, "raw" for a script or the like, "tag" inside of a tag without quotes; else the
    quote, name and start of the value of an attribute.
    """
    raw = [*_RAW.finditer(markup)]
    if (raw and f"</{raw[-1][1].lower()}" not in markup[raw[-1].end() :].lower()) or "<!" in markup:
        return "raw"
    tail = _TAG.sub("", markup)
    if "<" not in tail:
        return ""
    tag = _QUOTED.sub('""', tail[tail.index("<") :])
    found = [*_ATTRIBUTE.finditer(tag)]
    if tag.count("<") == 1 and found and found[-1].end() == len(tag):
        name, quote, start = found[-1].groups()
        return f"{quote}{name}={start}"
    return "tag"


def _put(markup: str, kind: _Kind | None) -> str | None:
    """Return the markup with a value of a kind at its end; None if that is not safe there."""
    if kind is None:
        return None
    place = _place(markup)
    if kind == "number" or (place == "" and kind in ("html", "escaped", "url")):
        return markup + _FILLER[kind]
    quote, (name, _, start) = place[:1], place[1:].partition("=")
    if quote not in ('"', "'") or kind == "html" or _CODE.fullmatch(name):
        return None
    if kind == "url":
        return markup + _FILLER[kind] if quote == '"' else None
    is_link = _LINK.fullmatch(name) and not _LINK_START.match(start)
    return None if is_link else markup + _FILLER[kind]
