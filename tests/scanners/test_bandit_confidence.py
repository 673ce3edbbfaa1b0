"""The real bandit: doubts about an issue by the code around it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from support.drive import Driven, context, drive

from scanagg.model import Confidence, Inventory, Location, Requirement, Target, plain
from scanagg.scanners import bandit

# The rule, the code, and the kind of the doubt; None if there is no doubt.
CASES = [
    # weak hashes: what do the names say that they protect?
    ("B324", "import hashlib\netag = hashlib.md5(body).hexdigest()", "hash-protects-nothing"),
    ("B324", "import hashlib\ncache_key = hashlib.sha1(url).hexdigest()", "hash-protects-nothing"),
    ("B324", "import hashlib\nx = hashlib.md5(user.password).hexdigest()", None),
    ("B324", "import hashlib\nx = hashlib.md5(request.form['password'])", None),
    ("B324", "import hashlib\ndef sign_request(x):\n    return hashlib.sha1(x)", None),
    ("B324", "import hashlib\ndef f(x):\n    m = hashlib.md5()\n    m.update(x.passwd)", None),
    ("B324", "import hashlib\napi_key = hashlib.md5(x).hexdigest()", None),
    ("B324", "import hashlib\ndesign = hashlib.md5(x).hexdigest()", "hash-protects-nothing"),
    # random numbers: what becomes of them?
    ("B311", "import random\ndelay = random.uniform(1, 2)", "random-without-secret"),
    ("B311", "import random\nword = random.choice(tokens)", "random-without-secret"),
    ("B311", "import random\nreset_token = random.randint(1, 9)", None),
    ("B311", "import random\ndef new_password():\n    return random.choice(letters)", None),
    ("B311", "import random\nsave(secret_key=random.random())", None),
    ("B311", "import random\nx = {'nonce': random.random()}", None),
    # SQL: what is put into the query?
    ("B608", "q = f'SELECT a FROM b WHERE c = {c}'", None),
    ("B608", "q = 'SELECT a FROM b WHERE c = ' + c", None),
    ("B608", "db.execute(\"SELECT a FROM b WHERE c = '%s'\" % table)", None),
    ("B608", "q = 'DELETE FROM b WHERE c = {}'.format(request.args['column'])", None),
    ("B608", "q = f'SELECT a FROM {table_name} WHERE c = ?'", "only-identifiers"),
    ("B608", "db.execute('DELETE FROM %s' % USER_TABLE)", "only-identifiers"),
    ("B608", "q = 'SELECT a FROM b WHERE c IN (' + ','.join('?' * n) + ')'", "only-identifiers"),
    ("B608", "marks = ','.join('?' for _ in x)\nq = f'SELECT a FROM b IN ({marks})'",
     "only-identifiers"),
    ("B608", "q = f'please select {x} from the list'", "not-a-query"),
    ("B608", "def f(sql):\n    q = f'SELECT a FROM ({sql})'", "only-identifiers"),
    ("B608", "def f(query):\n    q = f'SELECT a FROM ({query})'", None),
    ("B608", "sql = request.args['q']\nq = f'SELECT a FROM ({sql})'", None),
    ("B608", "def f(sql):\n    sql += f' AND b = {c}'\n    q = f'SELECT a FROM ({sql})'", None),
    ("B608", "q = 'SELECT a FROM (' + self.sql + ')'", "only-identifiers"),
    ("B608", "q = f\"SELECT a FROM b WHERE c = '{self.sql}'\"", None),
    ("B608", "q = f'SELECT a FROM b LIMIT {limit + 1}'", "only-identifiers"),
    ("B608", "q = f'SELECT a FROM b LIMIT {limit}'", None),
    ("B608", "x = '*'\nif y:\n    x = 'id, *'\nq = f'SELECT {x} FROM b'", "only-identifiers"),
    ("B608", "x = '*'\nif y:\n    x = y\nq = f'SELECT {x} FROM b'", None),
    ("B608", "x = ''\nif y:\n    x += y\nq = f'SELECT a FROM b WHERE {x}'", None),
    ("B608", "x = []\nx.append('b = ?')\nq = 'SELECT a FROM b WHERE ' + ' AND '.join(x)",
     "only-identifiers"),
    ("B608", "x = []\nx.append(f'b = {c}')\nq = 'SELECT a FROM b WHERE ' + ' AND '.join(x)",
     None),
    ("B608", "x = []\nx.extend(y)\nq = 'SELECT a FROM b WHERE ' + ' AND '.join(x)", None),
    ("B608", "q = 'UPDATE a SET ' + ','.join(f\"{column} = '{x}'\" for column, x in y)", None),
    ("B608", "q = 'UPDATE a SET ' + ','.join(f'{column} = ?' for column in y)",
     "only-identifiers"),
    ("B608", "q = 'DELETE FROM a WHERE ' + 'b = {}'.format(table, c)", None),
    ("B608", "x = [f\"{table} = '{c}'\"]\nq = 'SELECT a FROM b WHERE ' + ' AND '.join(x)", None),
    ("B608", "q = \"SELECT a FROM {} WHERE b = 'c'\".format(table)", "only-identifiers"),
    ("B608", "q = \"SELECT a FROM {} WHERE b = '{}'\".format(table, column)", None),
    # commands and code
    ("B602", "import subprocess\nsubprocess.run(f'ls {x}', shell=True)", None),
    ("B602", "import subprocess\nsubprocess.run(\n    f'ls {FOLDER}',\n    shell=True,\n)",
     "constant-command"),
    ("B602", "import subprocess\nx = shlex.quote(y)\nsubprocess.run('ls ' + x, shell=True)",
     "constant-command"),
    ("B605", "import os\nos.system('ls {}'.format(x))", None),
    ("B605", "import os\nx = 'a'\nif y:\n    x = y\nos.system('ls ' + x)", None),
    ("B605", "import os\ndef f(x='a'):\n    os.system('ls ' + x)", None),
    ("B605", "import os\nx = f()\nx = 'a'\nos.system('ls ' + x)", "constant-command"),
    ("B605", "import os\nx = 'a'\nif y:\n    x = y\nelse:\n    os.system('ls ' + x)", None),
    ("B605", "import os\nx = 'a'\nfor y in z:\n    os.system('ls ' + x)\n    x = y", None),
    ("B605", "import os\nx = 'a'\nfor y in z:\n    os.system('ls ' + x)", "constant-command"),
    ("B605", "import os\nx = 'a'\n[os.system('ls ' + x) for x in z]", None),
    ("B602", "import subprocess\nx = ['a']\nsubprocess.run(x, shell=True)", "constant-command"),
    ("B602", "import subprocess\nx = ['a']\nx.append(y)\nsubprocess.run(x, shell=True)", None),
    ("B602", "import subprocess\nx = ['a']\nx[0] = y\nsubprocess.run(x, shell=True)", None),
    ("B605", "import os\nos.system(f'{sys.executable} -m x')", "constant-command"),
    ("B604", "run('ls ' + x, shell=True)", None),
    ("B604", "complete(parser, shell=shell)", "other-shell"),
    ("B603", "import subprocess\nsubprocess.run(['ls', x])", "without-shell"),
    ("B404", "import subprocess", "import-alone"),
    ("B402", "import ftplib", "import-alone"),
    ("B307", "eval('1 + 1')", "constant-code"),
    ("B307", "eval(x)", None),
    ("B102", "exec('a = 1')", "constant-code"),
    ("B102", "exec(open(path).read())", None),
    # addresses, files and servers
    ("B104", "app.run(host='0.0.0.0')", None),
    ("B104", "sock.bind(('0.0.0.0', 80))", None),
    ("B104", "def serve(port, host='0.0.0.0'):\n    pass", None),
    ("B104", "option('--host', default='0.0.0.0')", None),
    ("B104", "ok = host == '0.0.0.0'", "nothing-listens"),
    ("B104", "remote_address = '0.0.0.0'", "nothing-listens"),
    ("B104", "ips = ['0.0.0.0']", "nothing-listens"),
    ("B108", "open('/tmp/a', 'w')", None),
    ("B108", "x = os.path.join('/tmp', 'a')", None),
    ("B108", "mount(['/tmp:/mnt:ro'])", "no-temporary-file"),
    ("B108", "ok = path == '/tmp/a'", "no-temporary-file"),
    ("B103", "import os\nos.chmod(x, 0o755)", "not-writable-by-others"),
    ("B103", "import os\nos.chmod(x, 0o777)", None),
    ("B201", "from flask import Flask\napp.run(debug=True, host='127.0.0.1')", "local-server"),
    ("B201", "from flask import Flask\napp.run(debug=True)", None),
    ("B202", "import tarfile\ntarfile.open(x).extractall(y)", None),
    ("B202", "import tarfile\nwith zipfile.ZipFile(x) as z:\n    z.extractall(y)", "zip-archive"),
    # data
    ("B301", "import pickle\npickle.loads(pickle.dumps(x))", "own-pickle"),
    ("B301", "import pickle\npickle.loads(x)", None),
    ("B310", "import urllib.request\nurllib.request.urlopen(f'https://x.test/{y}')",
     "fixed-scheme"),
    ("B310", "import urllib.request as u\nurl = 'https://x.test/' + y\nu.urlopen(u.Request(url))",
     "fixed-scheme"),
    ("B310", "import urllib.request\nurllib.request.urlopen(path)", "not-from-request"),
    ("B310", "import flask\nimport urllib.request\nurllib.request.urlopen(path)", None),
    ("B314", "import xml.etree.ElementTree as ET\nET.fromstring(output)", "not-from-request"),
    ("B314", "import xml.etree.ElementTree as ET\nET.fromstring(request.data)", None),
    ("B701", "import jinja2\nx = jinja2.Environment()", "no-html"),
    ("B701", "import jinja2\nx = jinja2.Environment()\nx.get_template('a.html')", None),
    ("B610", "update(**extra(options))", "no-django"),
    ("B610", "from django.db import models\nx.objects.extra(where=[y])", None),
    ("B411", "import defusedxml.xmlrpc\nimport xmlrpc.client\ndefusedxml.xmlrpc.monkey_patch()",
     "patched-module"),
    ("B411", "import defusedxml.xmlrpc\nimport xmlrpc.client", None),
    ("B411", "import xmlrpc.client\nmonkey_patch()", None),
    # low by nature, or not judged
    ("B113", "import requests\nrequests.get(x)", None),
    ("B113", "import requests\nrequests.get(x, timeout=None)", None),
    ("B113", "import requests\nrequests.get(x, timeout=settings.get('timeout', 9))", "has-timeout"),
    ("B501", "import requests\nrequests.get(x, timeout=1, verify=False)", None),
]  # fmt: skip

DJANGO = """
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import conditional_escape, escape, format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
"""
# Code whose last statement marks HTML as safe, and True if a reviewer would not act.
HTML = [
    ("mark_safe('<b>')", True),
    ("mark_safe(x)", False),
    ("mark_safe(_('Read <b>this</b>') + ' <i>now</i>')", True),
    ("mark_safe(_(x))", False),
    ("mark_safe(f'<b>{LABEL}</b>')", True),
    ("mark_safe(f'<b>{label}</b>')", False),
    ("mark_safe(f'<b>{request.POST}</b>')", False),
    ("mark_safe(f'<b>{label!r}</b>')", False),
    # escaped in text
    ("mark_safe(f'<b>{escape(x)}</b>')", True),
    ("mark_safe('<b>%s</b>' % escape(x))", True),
    ("mark_safe('<b>%s</b>' % x)", False),
    ("mark_safe('<b>%s %s</b>' % (escape(x), y))", False),
    ("mark_safe('<b>%(a)s</b> 5 %%' % {'a': escape(x)})", True),
    ("mark_safe('<b>%(a)s %(b)s</b>' % {'a': escape(x), 'b': y})", False),
    ("mark_safe('%d %s' % (x, escape(y)))", True),
    ("mark_safe('%d %s' % (x, y))", False),
    ("mark_safe('<b>{}</b>'.format(escape(x)))", True),
    ("mark_safe('{{{}}} {}'.format(escape(x), y))", False),
    ("mark_safe('<b>{a}</b>'.format(a=escape(x)))", True),
    ("mark_safe('<b>{a}</b>'.format(**x))", False),
    ("mark_safe(x.format(escape(y)))", False),
    ("mark_safe(escape(x).replace('\\n', '<br>'))", True),
    ("mark_safe(escape(x).replace('&lt;', '<'))", False),
    ("mark_safe(escape(x) if x else '&mdash;')", True),
    ("mark_safe(escape(x) if x else y)", False),
    ("mark_safe(escape(x) or y)", False),
    ("mark_safe({True: 'yes', False: 'no'}[x])", True),
    ("mark_safe(f'{len(x)} of {n + 1}')", True),
    # the function must be the one that escapes HTML
    ("from re import escape\nmark_safe(escape(x))", False),
    ("import re\nmark_safe(re.escape(x))", False),
    ("import html\nmark_safe(html.escape(x))", True),
    ("from tools import escape\nmark_safe(escape(x))", False),
    ("mark_safe(strip_tags(x))", False),
    # attributes, links and scripts
    ("mark_safe(f'<b title=\"{escape(x)}\">a</b>')", True),
    ("mark_safe(f'<b title={escape(x)}>a</b>')", False),
    ("mark_safe(f'<b title={n + 1}>a</b>')", True),
    ("mark_safe(f'<b onclick=\"{escape(x)}\">a</b>')", False),
    ("mark_safe(f'<b style=\"{escape(x)}\">a</b>')", False),
    ("mark_safe(f'<script>{escape(x)}</script>')", False),
    ("mark_safe(f'<script>a()</script>{escape(x)}')", True),
    ("mark_safe(f'<!-- {escape(x)} -->')", False),
    ("mark_safe(f'<a href=\"{escape(x)}\">a</a>')", False),
    ("mark_safe(f'<a href=\"mailto:{escape(x)}\">{escape(x)}</a>')", True),
    ('mark_safe(f\'<a class="c" href="?q={escape(x)}">a</a>\')', True),
    ("mark_safe(f'<a href=\"{x.get_absolute_url()}\">{escape(x)}</a>')", True),
    ("mark_safe(f'<a href=\"{x.get_absolute_url()}\">{x}</a>')", False),
    ("mark_safe(f\"<a href='{reverse(x, args=[y])}'>a</a>\")", False),
    ("mark_safe(f'<a href=\"{reverse(x, args=[y])}\"{z}>a</a>')", False),
    ("url = f'{reverse(x)}?id={x.pk}'\nmark_safe(f'<a href=\"{url}\">a</a>')", False),
    # marked already
    ("mark_safe(format_html('<b>{}</b>', x))", True),
    ("mark_safe(format_html(x, y))", False),
    ("mark_safe(render_to_string('a.html', {'b': x}))", True),
    ('mark_safe(f\'<b title="{format_html("<i>{{}}</i>", x)}">\')', False),
    # variables and lists
    ("x = conditional_escape(x)\nmark_safe(f'<pre>{x}</pre>')", True),
    ("x = escape(x)\nx += y\nmark_safe(x)", False),
    ("x = escape(y)\nif z:\n    x = z\nmark_safe(x)", False),
    ("def f(x):\n    if x:\n        x = escape(x)\n        return mark_safe(x)", True),
    ("def f(x):\n    if x:\n        x = escape(x)\n    return mark_safe(x)", False),
    ("mark_safe('<br>'.join(f'<b>{escape(x)}</b>' for x in y))", True),
    ("mark_safe('<br>'.join(f'<b>{x}</b>' for x in y))", False),
    ("mark_safe(x.join([escape(y)]))", False),
    ("x = [escape(y)]\nx.append('<b>')\nmark_safe(''.join(x))", True),
    ("x = [escape(y)]\nx.append(z)\nmark_safe(''.join(x))", False),
    ("x = []\nx.extend(z)\nmark_safe(''.join(x))", False),
    ("x = ['<b>']\nx[0] = z\nmark_safe(''.join(x))", False),
    ("x = [escape(y)]\nmark_safe('<a href=\"' + ''.join(x))", False),
]


def run(
    root: Path,
    read_target: Callable[[Path], Target],
    folder: Path,
    inventory: Inventory | None = None,
) -> Driven:
    return drive(bandit, context(read_target(root), inventory), folder)


def doubts(driven: Driven, rule: str) -> Mapping[str, str | None]:
    """Return the kind of the doubt about the issue of a rule in each file."""
    return {
        one.location.path: one.confidence_reason.kind if one.confidence_reason else None
        for one in driven.observations
        if one.location and one.rule.id == rule
    }


def test_a_doubt_is_low_confidence_with_a_reason(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    files = {f"{number}.py": f"{code}\n" for number, (_, code, _) in enumerate(CASES)}
    driven = run(make_project(files), read_target, tmp_path)
    found = {
        f"{number}.py": doubts(driven, rule).get(f"{number}.py", "no issue")
        for number, (rule, _, _) in enumerate(CASES)
    }
    assert found == {f"{number}.py": kind for number, (_, _, kind) in enumerate(CASES)}
    assert {one.confidence for one in driven.observations if one.confidence_reason} == {
        Confidence.LOW
    }


def test_only_html_that_can_be_unsafe_needs_a_look(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    files = {f"{number}.py": f"{DJANGO}{code}\n" for number, (code, _) in enumerate(HTML)}
    driven = run(make_project(files), read_target, tmp_path)
    found = doubts(driven, "B308")
    results = {code: found[f"{number}.py"] for number, (code, _) in enumerate(HTML)}
    assert results == {code: "escaped-html" if safe else None for code, safe in HTML}


@pytest.mark.parametrize(
    ("text", "kind"),
    [("'<i>{}</i>'.format(escape(x))", "escaped-html"), ("'<i>{}</i>'.format(x)", None)],
)
def test_markup_is_judged_like_other_html(
    make_project: Callable[..., Path],
    read_target: Callable[[Path], Target],
    tmp_path: Path,
    text: str,
    kind: str | None,
) -> None:
    root = make_project({"a.py": f"from markupsafe import Markup, escape\ny = Markup({text})\n"})
    assert doubts(run(root, read_target, tmp_path), "B704") == {"a.py": kind}


def test_listening_everywhere_is_usual_in_a_container(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> None:
    files = {"a.py": "app.run(host='0.0.0.0')\n", "docker/Dockerfile": "FROM scratch\n"}
    driven = run(make_project(files), read_target, tmp_path)
    assert doubts(driven, "B104") == {"a.py": "in-container"}


@pytest.mark.parametrize(
    ("declared", "kind"),
    [("pycrypto", None), ("pycryptodome", "maintained-fork"), ("", "package-not-declared")],
)
def test_only_the_real_pycrypto_is_abandoned(
    make_project: Callable[..., Path],
    read_target: Callable[[Path], Target],
    tmp_path: Path,
    declared: str,
    kind: str | None,
) -> None:
    root = make_project({"a.py": "from Crypto.Cipher import AES\n"})
    place = Location("requirements.txt", 1)
    requirement = Requirement(declared, declared, place, plain("no version"))
    inventory = Inventory(unpinned=(requirement,) if declared else ())
    driven = run(root, read_target, tmp_path, inventory)
    assert doubts(driven, "B413") == {"a.py": kind}
