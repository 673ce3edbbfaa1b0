"""The confidence in an issue by the code around it.

bandit looks at one call or one text. These rules also look at the names around it, at what is
constant, and at the project. Each returns the reason why a reviewer would not act on the issue, or
None.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from pathlib import PurePosixPath
from typing import Final, Protocol

import msgspec

from scanagg.model import Inventory, Reason, Target
from scanagg.scanners.bandit import html
from scanagg.scanners.bandit.syntax import CONSTANT_NAME, Syntax, called, names, words


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SECRET_WORDS: Final = _set(
    "password passwords passwd pwd passphrase secret secrets token tokens signature signatures "
    "sign signed signing signer hmac auth authenticate authentication authorization credential "
    "credentials login salt salted csrf xsrf nonce otp totp session cookie captcha apikey crypt "
    "encrypt encrypted encryption decrypt kdf pin"
)
# A "cache key" is no secret.
_SECRET_KEY: Final = re.compile(r"(?:api|private|secret|access|auth|session|signing)_?key", re.I)
_WEB: Final = _set(
    "aiohttp bottle cherrypy django falcon fastapi flask litestar pyramid quart rest_framework "
    "sanic starlette tornado werkzeug"
)
_REQUEST_WORDS: Final = _set("request response body payload upload uploaded")
_LISTEN_WORDS: Final = _set("host bind listen listening addr address interface server serve run")
_OTHER_ADDRESS_WORDS: Final = _set("remote client peer startswith endswith")
_LOCAL: Final = frozenset(("localhost", "127.0.0.1", "::1"))
_CONTAINER: Final = re.compile(r"(?:Docker|Container)file\b.*|(?:docker-)?compose\b.*\.ya?ml")
_TEMPORARY_FILE: Final = re.compile(r"/(?:tmp|var/tmp|dev/shm)/[^:]+")
_WEB_ADDRESS: Final = re.compile(r"https?://")
_QUERY_START: Final = re.compile(r"\s*\(?(?:select|insert|update|delete|with|create)\b", re.I)
_QUERY_KEYWORD: Final = re.compile(r"\b(?:SELECT|INSERT INTO|UPDATE|DELETE FROM)\s")
# Parts of a query that cannot be parameters, by the words of their names.
_IDENTIFIER_WORDS: Final = _set(
    "table tables tbl tablename column columns col cols colname field fields schema index view "
    "trigger placeholder placeholders qmarks quoted quote qn identifier"
)
# A query in a query.
_SQL_WORDS: Final = _set("sql sqls subquery subqueries subselect cte ctes")
# The texts that bandit takes for a query, without that of `WITH`.
_OWN_QUERY: Final = re.compile(
    r"\bselect\s.*\bfrom\s|\b(?:insert|replace)\s+into\s|\bdelete\s+from\s|\bupdate\s.*\bset\s",
    re.IGNORECASE | re.DOTALL,
)
_QUERY_WIDTH: Final = 1000
_VALUE_WORDS: Final = _set("request args form params input argv body value user")
# A value between quotes: '%s', '{name}', LIKE '%{name}%'.
_IN_QUOTES: Final = re.compile(r"'[%{]")
_PLAIN_CALLS: Final = frozenset(("quote", "list2cmdline", "getpid", "int", "len"))
_SYSTEM_NAMES: Final = frozenset(("executable", "devnull", "sep", "curdir", "prefix"))
_BUILD_FILES: Final = frozenset(("setup.py", "conf.py", "noxfile.py"))
_WRITABLE_BY_OTHERS: Final = 0o022
_DEPTH: Final = 8


class _Judge(Protocol):
    def __call__(self, value: ast.expr | None, code: "Code", depth: int = 0) -> bool: ...


class Project(msgspec.Struct, frozen=True):
    """The packages that the project declares, and the path of a container file, "" for none."""

    packages: frozenset[str] = frozenset()
    container: str = ""


class Code(msgspec.Struct, frozen=True):
    """The code of a file, with its path and project."""

    path: str
    syntax: Syntax
    project: Project
    judged: dict[tuple[object, ast.AST | None], bool] = msgspec.field(default_factory=dict)

    @property
    def is_web(self) -> bool:
        """True if the file imports a web framework."""
        return not self.syntax.imports.isdisjoint(_WEB)

    def resolve(self, value: ast.expr) -> ast.expr:
        """Return the value of a variable that is set once; any other expression as it is."""
        return self.syntax.value(value) or value


def _once(judge: _Judge) -> _Judge:
    """Judge each expression once: the values of variables come again and again."""

    @wraps(judge)
    def judge_once(value: ast.expr | None, code: Code, depth: int = 0) -> bool:
        key = judge, value
        if key not in code.judged:
            code.judged[key] = False  # for a value that contains itself
            code.judged[key] = depth < _DEPTH and judge(value, code, depth)
        return code.judged[key]

    return judge_once


def project(target: Target, inventory: Inventory) -> Project:
    """Return what the rules use of a target."""
    pinned = {package.name for package in inventory.packages}
    unpinned = {requirement.name for requirement in inventory.unpinned}
    paths = (file.path for file in target.files)
    containers = (path for path in paths if _CONTAINER.fullmatch(PurePosixPath(path).name))
    return Project(frozenset(pinned | unpinned), next(containers, ""))


def doubt(rule: str, line: int, columns: tuple[int, int], code: Code) -> Reason | None:
    """Return the reason for low confidence in an issue at these columns; None if there is none."""
    if rule in _ALWAYS:
        return _ALWAYS[rule]
    if rule in _CALLS:
        call = code.syntax.expression(ast.Call, line, columns)
        return _CALLS[rule](call, code) if isinstance(call, ast.Call) else None
    if rule in _TEXTS:
        text = code.syntax.expression(ast.Constant, line, columns)
        return _TEXTS[rule](text, code) if isinstance(text, ast.Constant) else None
    if rule == "B411" and "defusedxml" in code.syntax.imports:
        return Reason("patched-module") if "monkey_patch(" in code.syntax.text else None
    return _pycrypto(code.project) if rule == "B413" else None


def _pycrypto(project: Project) -> Reason | None:
    if "pycrypto" in project.packages:
        return None
    if "pycryptodome" in project.packages:
        return Reason("maintained-fork", {"package": "pycryptodome", "of": "pycrypto"})
    return Reason("package-not-declared", {"package": "pycrypto", "fork": "pycryptodome"})


# Weak hashes and random numbers.


def _weak_hash(call: ast.Call, code: Code) -> Reason | None:
    syntax = code.syntax
    statement = syntax.statement(call)
    # A hash is often made in several statements: `m = md5()`, `m.update(password)`.
    variables = {ast.unparse(target) for target in _targets(statement)}
    related = {
        syntax.statement(node)
        for node in ast.walk(syntax.scope(call))
        if isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) in variables
    }
    says_secret = _says_secret(call, syntax, [statement, *related])
    return None if says_secret else Reason("hash-protects-nothing")


def _random_number(call: ast.Call, code: Code) -> Reason | None:
    syntax = code.syntax
    receivers = [*_targets(syntax.statement(call)), *_keys(call, syntax)]
    return None if _says_secret(call, syntax, receivers) else Reason("random-without-secret")


def _says_secret(node: ast.AST, syntax: Syntax, others: Sequence[ast.AST]) -> bool:
    """Return True if the name of the function around, or a name in the other nodes, says secret."""
    around = [getattr(syntax.scope(node), "name", ""), *names(others)]
    return any(map(_SECRET_KEY.search, around)) or not words(around).isdisjoint(_SECRET_WORDS)


def _targets(statement: ast.AST) -> Sequence[ast.expr]:
    """Return the variables that a statement sets."""
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AnnAssign | ast.AugAssign) else []


def _keys(node: ast.AST, syntax: Syntax) -> Iterator[ast.AST]:
    """Yield what a value is passed as: `f(key=value)`, `{key: value}`, `def f(key=value)`."""
    for parent in syntax.around(node):
        if isinstance(parent, ast.stmt) and not isinstance(parent, ast.FunctionDef):
            return
        if isinstance(parent, ast.keyword):
            yield parent if parent.arg is None else ast.Name(parent.arg)
        elif isinstance(parent, ast.Dict):
            yield from (
                key
                for key, value in zip(parent.keys, parent.values, strict=True)
                if key and value is node
            )
        elif isinstance(parent, ast.arguments):
            positional = [*parent.posonlyargs, *parent.args][-len(parent.defaults) :]
            pairs = [
                *zip(positional, parent.defaults, strict=False),
                *zip(parent.kwonlyargs, parent.kw_defaults, strict=True),
            ]
            yield from (ast.Name(argument.arg) for argument, default in pairs if default is node)
            return
        node = parent


# Commands, code and data.


def _command(call: ast.Call, code: Code) -> Reason | None:
    arguments = [*call.args, *(one.value for one in call.keywords if one.arg in ("args", "cmd"))]
    is_fixed = bool(arguments) and _is_fixed(arguments[0], code)
    return Reason("constant-command") if is_fixed else None


def _any_shell(call: ast.Call, code: Code) -> Reason | None:
    """Doubt `shell=name` of any function: it is often the name of a shell."""
    shell = next((one.value for one in call.keywords if one.arg == "shell"), None)
    if isinstance(shell, ast.Constant) and shell.value is True:
        return _command(call, code)
    return Reason("other-shell")


def _evaluation(call: ast.Call, code: Code) -> Reason | None:
    if PurePosixPath(code.path).name in _BUILD_FILES:
        return Reason("own-file")
    is_fixed = bool(call.args) and _is_fixed(call.args[0], code)
    return Reason("constant-code") if is_fixed else None


def _pickle(call: ast.Call, code: Code) -> Reason | None:
    data = code.resolve(call.args[0]) if call.args else None
    return Reason("own-pickle") if isinstance(data, ast.Call) and called(data) == "dumps" else None


@_once
def _is_fixed(value: ast.expr | None, code: Code, depth: int = 0) -> bool:
    """Return True if the value has only constants, and parts that are quoted for a shell.

    A name in capitals counts as a constant.
    """
    parts = _parts(value, code) if value else None
    return parts is not None and all(_is_fixed(part, code, depth + 1) for part in parts)


def _parts(value: ast.expr, code: Code) -> Sequence[ast.expr | None] | None:
    """Return the parts of a value; none for a constant, None if it can be anything."""
    parts: Sequence[ast.expr | None] | None = None
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name) if CONSTANT_NAME.fullmatch(name):
            parts = ()
        case ast.Name():
            parts = [code.syntax.value(value)]
        case ast.Attribute(attr=name) if name in _SYSTEM_NAMES:
            parts = ()
        case ast.FormattedValue(value=part):
            parts = [part]
        case ast.JoinedStr(values=parts) | ast.List(elts=parts) | ast.Tuple(elts=parts):
            pass
        case ast.BinOp(left=left, right=right) | ast.IfExp(body=left, orelse=right):
            parts = [left, right]
        case ast.Call(func=ast.Attribute(value=text, attr="format" | "join"), args=args):
            parts = [text, *args, *(one.value for one in value.keywords)]
        case ast.Call() if called(value) in _PLAIN_CALLS:
            parts = ()
        case ast.Constant():
            parts = ()
    return parts


# Addresses, files and servers.


def _address(text: ast.Constant, code: Code) -> Reason | None:
    syntax = code.syntax
    near: list[ast.AST] = [*_keys(text, syntax), *_targets(syntax.statement(text))]
    for parent in syntax.around(text):
        if isinstance(parent, ast.Compare):
            return Reason("nothing-listens")
        if isinstance(parent, ast.stmt):
            break
        near += [parent.func, *parent.args] if isinstance(parent, ast.Call) else []
    near_words = words(names(near))
    if near_words.isdisjoint(_LISTEN_WORDS) or not near_words.isdisjoint(_OTHER_ADDRESS_WORDS):
        return Reason("nothing-listens")
    container = code.project.container
    return Reason("in-container", {"path": container}) if container else None


def _temporary_file(text: ast.Constant, code: Code) -> Reason | None:
    parents = [*code.syntax.around(text)][:2]
    is_folder = isinstance(parents[0], ast.Call) and called(parents[0]) == "join"
    is_compared = any(isinstance(one, ast.Compare) for one in parents)
    is_path = is_folder or _TEMPORARY_FILE.fullmatch(str(text.value))
    return None if is_path and not is_compared else Reason("no-temporary-file")


def _debug_server(call: ast.Call, _code: Code) -> Reason | None:
    host = next((one.value for one in call.keywords if one.arg == "host"), None)
    if isinstance(host, ast.Constant) and host.value in _LOCAL:
        return Reason("local-server", {"host": str(host.value)})
    return None


def _permissions(call: ast.Call, _code: Code) -> Reason | None:
    mode = call.args[1] if len(call.args) > 1 else None
    if isinstance(mode, ast.Constant) and isinstance(mode.value, int):
        return None if mode.value & _WRITABLE_BY_OTHERS else Reason("not-writable-by-others")
    return None


def _archive(call: ast.Call, code: Code) -> Reason | None:
    if isinstance(call.func, ast.Attribute):
        archive = code.resolve(call.func.value)
        if isinstance(archive, ast.Call) and called(archive) == "ZipFile":
            return Reason("zip-archive")
    return None


# Data from elsewhere.


def _open_url(call: ast.Call, code: Code) -> Reason | None:
    if _is_web_address(call, code):
        return Reason("fixed-scheme")
    return _outside_data(call, code)


def _is_web_address(value: ast.expr, code: Code, depth: int = 0) -> bool:
    """Return True if a value starts with http:// or https://."""
    start: ast.expr | None = None
    match code.resolve(value):
        case ast.Constant(value=str(text)):
            return bool(_WEB_ADDRESS.match(text))
        case ast.JoinedStr(values=[start, *_]) | ast.BinOp(left=start):
            pass
        case ast.Call(func=ast.Attribute(value=start, attr="format")):
            pass
        case ast.Call(args=[start, *_]):  # urlopen, Request
            pass
    return start is not None and depth < _DEPTH and _is_web_address(start, code, depth + 1)


def _outside_data(call: ast.Call, code: Code) -> Reason | None:
    """Doubt data that, by the names around it, does not come from a web request."""
    arguments = [*map(code.resolve, call.args), *call.args]
    is_outside = code.is_web or not words(names(arguments)).isdisjoint(_REQUEST_WORDS)
    return None if is_outside else Reason("not-from-request")


def _template(_call: ast.Call, code: Code) -> Reason | None:
    is_html = code.is_web or "html" in code.syntax.text.lower()
    return None if is_html else Reason("no-html")


def _safe_html(call: ast.Call, code: Code) -> Reason | None:
    is_escaped = bool(call.args) and html.is_escaped(call.args[0], code.syntax)
    return Reason("escaped-html") if is_escaped else None


def _timeout(call: ast.Call, _code: Code) -> Reason | None:
    """Doubt a request without timeout that has one: bandit understands only constants."""
    timeout = next((one.value for one in call.keywords if one.arg == "timeout"), None)
    is_none = timeout is None or (isinstance(timeout, ast.Constant) and timeout.value is None)
    return None if is_none else Reason("has-timeout")


def _django_query(_call: ast.Call, code: Code) -> Reason | None:
    is_django = "django" in code.project.packages or "django" in code.syntax.imports
    return None if is_django else Reason("no-django")


# SQL.


def _query(text: ast.Constant, code: Code) -> Reason | None:
    whole: ast.AST = text
    for parent in code.syntax.around(text):
        is_call = isinstance(parent, ast.Call) and parent.func is whole
        is_method = isinstance(parent, ast.Attribute) and parent.attr in ("format", "replace")
        if not (is_call or is_method or isinstance(parent, ast.JoinedStr | ast.BinOp)):
            break
        whole = parent
    parts = [*_query_parts(whole)]
    template = "".join(text for text, _ in parts)
    if not (_QUERY_START.match(template) or _QUERY_KEYWORD.search(template)):
        return Reason("not-a-query")
    values = [value for _, value in parts if isinstance(value, ast.expr)]
    if _IN_QUOTES.search(template) or not all(_is_identifier(one, code) for one in values):
        return None
    return Reason("only-identifiers")


def _query_parts(value: ast.AST) -> Iterator[tuple[str, ast.AST | None]]:
    """Yield the texts and values that an expression puts together.

    A value comes with "{}" at its place, or with "" if a text before has its field.
    """
    values: Sequence[ast.expr] = ()
    match value:
        case ast.Constant(value=str(text)):
            yield text, None
        case ast.JoinedStr(values=parts):
            for part in parts:
                yield from _query_parts(part)
        case ast.FormattedValue(value=part):
            yield "{}", part
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            yield from (*_query_parts(left), *_query_parts(right))
        case ast.BinOp(left=left, op=ast.Mod(), right=right):
            match right:
                case ast.Tuple(elts=values) | ast.Dict(values=values):
                    pass
                case _:
                    values = [right]
            yield from _query_parts(left)
        case ast.Call(func=ast.Attribute(value=text, attr="format" | "replace"), args=args):
            values = [*args, *(one.value for one in value.keywords)]
            yield from _query_parts(text)
        case _:
            yield "{}", value
    yield from (("", one) for one in values)


@_once
def _is_identifier(value: ast.expr | None, code: Code, depth: int = 0) -> bool:
    """Return True if a part of a query is a constant, a placeholder, or named like a table.

    It can also be a query of its own, which has its own finding if it is built from text.
    """
    if value is None or _is_fixed(value, code):
        return value is not None
    value_words = words(names([value]))
    if not value_words.isdisjoint(_VALUE_WORDS):
        return False
    is_text = isinstance(value, ast.JoinedStr | ast.BinOp) or (
        isinstance(value, ast.Call) and called(value) in ("format", "join")
    )
    if not is_text and not value_words.isdisjoint(_IDENTIFIER_WORDS):
        return True
    parts = _assigned(value, code) if isinstance(value, ast.Name) else _query_items(value, code)
    if parts is None:
        own_name = called(value) if isinstance(value, ast.Call) else getattr(value, "attr", "")
        return not words([own_name]).isdisjoint(_SQL_WORDS)
    return all(_is_query(part) or _is_identifier(part, code, depth + 1) for part in parts)


def _is_query(value: ast.expr) -> bool:
    text = "".join(text for text, _ in _query_parts(value))
    return bool(_OWN_QUERY.search(text[:_QUERY_WIDTH]))


def _assigned(name: ast.Name, code: Code) -> Sequence[ast.expr] | None:
    """Return the values that the code gives a variable; None if others are possible.

    If the name says SQL, values from elsewhere do not count, such as those of a parameter.
    """
    latest = code.syntax.value(name)
    values = [latest] if latest else code.syntax.values(name)
    known = [value for value in values if value]
    if any(isinstance(value, ast.List | ast.ListComp) for value in known):
        return code.syntax.items(name)
    says_sql = not words([name.id]).isdisjoint(_SQL_WORDS)
    is_known = bool(values) and len(known) == len(values)
    return known if says_sql or is_known else None


def _query_items(value: ast.expr, code: Code) -> Sequence[ast.expr] | None:
    """Return the parts of a part of a query; None if they are unknown."""
    parts: Sequence[ast.expr] | None = None
    match value:
        case ast.Call(func=ast.Attribute(attr="join"), args=[ast.BinOp(op=ast.Mult(), left=left)]):
            parts = [left]
        case ast.Call(func=ast.Attribute(attr="join"), args=[items]):
            known = code.syntax.items(items)
            parts = [items] if known is None else known
        case ast.BinOp(op=ast.Mult(), left=left):
            parts = [left]
        case ast.BinOp(op=ast.Add() | ast.Sub(), right=ast.Constant(value=int())):
            parts = []  # a number
        case ast.IfExp(body=left, orelse=right):
            parts = [left, right]
        case ast.BoolOp(values=values):
            parts = values
        case ast.JoinedStr() | ast.BinOp() | ast.Call(func=ast.Attribute(attr="format")):
            inner = [*_query_parts(value)]
            if not _IN_QUOTES.search("".join(text for text, _ in inner)):
                parts = [one for _, one in inner if isinstance(one, ast.expr)]
    return parts


_IMPORT: Final = Reason("import-alone")
_NO_SHELL: Final = Reason("without-shell")
_ALWAYS: Final[Mapping[str, Reason]] = {
    # These modules have rules for their calls.
    **dict.fromkeys(("B401", "B402", "B403", "B404", "B405", "B406", "B407", "B408"), _IMPORT),
    **dict.fromkeys(("B409", "B410"), _IMPORT),
    **dict.fromkeys(("B603", "B606", "B607"), _NO_SHELL),
}
_CALLS: Final[Mapping[str, Callable[[ast.Call, Code], Reason | None]]] = {
    "B102": _evaluation,
    "B103": _permissions,
    "B113": _timeout,
    "B201": _debug_server,
    "B202": _archive,
    "B301": _pickle,
    **dict.fromkeys(("B303", "B324"), _weak_hash),
    "B307": _evaluation,
    **dict.fromkeys(("B308", "B703", "B704"), _safe_html),
    "B310": _open_url,
    "B311": _random_number,
    **dict.fromkeys(("B313", "B314", "B315", "B316", "B317", "B318", "B319"), _outside_data),
    **dict.fromkeys(("B601", "B602", "B605", "B609"), _command),
    "B604": _any_shell,
    "B610": _django_query,
    "B701": _template,
}
_TEXTS: Final[Mapping[str, Callable[[ast.Constant, Code], Reason | None]]] = {
    "B104": _address,
    "B108": _temporary_file,
    "B608": _query,
}
