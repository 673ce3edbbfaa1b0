"""Findings that are known again after a change, and those that are not: with real scanners."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pytest
from support import tools
from support.command import Said, check, scanagg
from support.history import NEW, UNCHANGED, UPDATED, Checked, Files, commit, write
from support.repository import git

from scanagg.model import Category, Change, Finding
from scanagg.scanners.base import ScannerSettings


@dataclass(frozen=True)
class Case:
    """A change of a project, the places that are new or edited after it, and how many are known.

    A place is "path:line". Where it is one of equals, a baseline alone does not know which of them
    is new, so only their `numbers` are compared. Cases `by_value` need a key. `known` is None for
    some.
    """

    before: Files
    after: Files
    new: Sequence[str] = ()
    edited: Sequence[str] = ()
    known: int | None = 0
    numbers: bool = False
    by_value: bool = False


def case(before: Files, after: Files, *new: str, known: int | None, **more: object) -> Case:
    return Case(before, after, new, known=known, **more)  # type: ignore[arg-type]


def lines(*texts: str) -> str:
    return "".join(f"{text}\n" for text in texts)


def function(name: str, *body: str) -> str:
    return lines(f"def {name}(a, b):", *(f"    {text}" for text in body))


HOSTS = [f'    {{"bind": "0.0.0.0", "dir": "/tmp/h{number}"}},' for number in range(50)]


def hosts(*elements: str) -> str:
    return lines("HOSTS = [", *(elements or HOSTS), "]")


NARROW = [
    line
    for number in range(50)
    for line in (
        "    {",
        '        "bind": "0.0.0.0",',
        f'        "dir": "/tmp/h{number}",',
        "    },",
    )
]
SERVE = lines(
    "serve(",
    '    main="0.0.0.0",',
    '    path="/tmp/main",',
    '    other={"bind": "0.0.0.0", "dirs": ("/tmp/a", ["/tmp/b"])},',
    ")",
)
SHELL = "import os, subprocess"

LITERALS = {
    "one value in a list": case(
        {"a.py": hosts()},
        {"a.py": hosts(*HOSTS[:7], HOSTS[7].replace("h7", "h7x"), *HOSTS[8:])},
        known=99,
        edited=["a.py:9"],
    ),
    "an element in the middle": case(
        {"a.py": hosts()},
        {"a.py": hosts(*HOSTS[:25], '    {"bind": "0.0.0.0", "dir": "/tmp/new"},', *HOSTS[25:])},
        "a.py:27",
        "a.py:27",
        known=100,
        numbers=True,
    ),
    "an element removed": case(
        {"a.py": hosts()}, {"a.py": hosts(*HOSTS[:25], *HOSTS[26:])}, known=98
    ),
    "elements in another order": case(
        {"a.py": hosts()}, {"a.py": hosts(*reversed(HOSTS))}, known=100
    ),
    "a list in narrow lines": case({"a.py": hosts()}, {"a.py": hosts(*NARROW)}, known=100),
    "one value in a call": case(
        {"a.py": SERVE},
        {"a.py": SERVE.replace('"/tmp/a"', '"/tmp/c"')},
        known=4,
        edited=["a.py:4"],
    ),
    "a call on one line": case(
        {"a.py": SERVE}, {"a.py": re.sub(r"\n *", "", SERVE) + "\n"}, known=5
    ),
}

MANY = lines(*(f'connect("s{number}", password="HEX1")' for number in range(8)))
KEPT = lines("import os", "", *(f"CASE_{number} = os.getpid() + {number}" for number in range(9)))

SECRETS = {
    "a copy in a file before": case(
        {"m.py": 'password = "HEX1"\n'},
        {"a.py": 'password = "HEX1"\n'},
        "a.py:1",
        known=1,
    ),
    "a copy in a file after": case(
        {"m.py": 'password = "HEX1"\n'}, {"z.py": 'password = "HEX1"\n'}, "z.py:1", known=1
    ),
    "the first file removed": case(
        {"a.py": 'password = "HEX1"\n', "z.py": 'password = "HEX1"\n'}, {"a.py": None}, known=1
    ),
    "the last file removed": case(
        {"a.py": 'password = "HEX1"\n', "z.py": 'password = "HEX1"\n'}, {"z.py": None}, known=1
    ),
    "the value removed from the first file": case(
        {"a.py": 'password = "HEX1"\n', "z.py": 'password = "HEX1"\n'},
        {"a.py": 'password = os.environ["P"]\n'},
        known=1,
    ),
    "one place more in a file": case(
        {"a.py": MANY}, {"a.py": MANY + 'last(token="HEX1")\n'}, "a.py:9", known=8
    ),
    "one equal place more in the middle": case(
        {"a.py": MANY},
        {"a.py": MANY.replace('connect("s4"', 'connect("more", password="HEX1")\nconnect("s4"')},
        "a.py:5",
        known=8,
        numbers=True,
    ),
    "the first place of a file removed": case(
        {"a.py": MANY}, {"a.py": MANY.partition("\n")[2]}, known=7
    ),
    "a place in settings, and one in code": case(
        {"a.env": "API_KEY=HEX1\n"}, {"z.py": 'api_key = "HEX1"\n'}, "z.py:1", known=1
    ),
    "another value in the same place": case(
        {"a.py": 'password = "HEX1"\n'},
        {"a.py": 'password = "HEX2"\n'},
        known=0,
        edited=["a.py:1"],
        by_value=True,
    ),
    # What one scanner takes for a password, and another one for a secret.
    "a guess that is split below its key": case(
        {"a.py": lines("data = {}", 'data["password"] = "HEX1"')},
        {"a.py": lines("data = {}", 'data["password"] = (', '    "HEX1"', ")")},
        known=2,
    ),
    "a guess that is split": case(
        {"a.py": 'y = t(id="admin", password="HEX1")\n'},
        {"a.py": 'y = t(\n    id="admin",\n    password="HEX1",\n)\n'},
        known=1,
    ),
    "a guess that is joined": case(
        {"a.py": 'y = t(\n    id="admin",\n    password="HEX1",\n)\n'},
        {"a.py": 'y = t(id="admin", password="HEX1")\n'},
        known=1,
    ),
    "a guess that becomes settings of a call": case(
        {"a.py": 'y = t(id="admin", password="jacktheripper")\n'},
        {"a.py": 'password = "jacktheripper"\ny = t(id="admin", password=password)\n'},
        known=1,
        by_value=True,
    ),
    "a comparison in two functions": case(
        {
            "a.py": function("one", 'return a.password == "jacktheripper"')
            + function("two", 'return b.password == "jacktheripper"')
        },
        {
            "a.py": "import os\n"
            + function("one", 'return a.password == "jacktheripper"')
            + function("two", "print(a)", 'return b.password == "jacktheripper"')
        },
        known=2,
    ),
    "a comparison copied to a function": case(
        {"a.py": function("two", 'return b.password == "jacktheripper"')},
        {
            "a.py": function("one", 'return a.password == "jacktheripper"')
            + function("two", 'return b.password == "jacktheripper"')
        },
        "a.py:2",
        known=1,
    ),
    # Other secrets of the run.
    "a word of a command becomes a secret elsewhere": case(
        {"a.py": SHELL + "\n" + 'os.system("job --id %s" % request_id)\n'},
        {
            "a.py": "\n" + SHELL + "\n" + 'os.system("job --id %s" % request_id)\n',
            "b.py": 'TOKEN_FIELD = "request_id"\n',
        },
        "b.py:1",
        known=2,
    ),
    "a word of the line of a secret becomes one elsewhere": case(
        {"a.py": 'login(request_id, password="HEX1")\n'},
        {"a.py": '\nlogin(request_id, password="HEX1")\n', "b.py": 'TOKEN = "request_id"\n'},
        "b.py:1",
        known=1,
    ),
    "the line of a secret in a file that is not touched": case(
        {
            "a.py": function("run", "os.system(f'job {request_id}')"),
            "b.py": 'TOKEN = "request_id"\n',
        },
        {"a.py": "\n" + function("run", "os.system(f'job {request_id}')")},
        known=2,
    ),
    # The lines of a secret.
    "a line with other strings is split": case(
        {"a.py": 'a = login("first", "second", api_key="HEX1", note="of %s" % name)\n'},
        {
            "a.py": lines(
                "a = login(",
                '    "first", "second",',
                '    api_key="HEX1",',
                '    note="of %s" % name,',
                ")",
            )
        },
        known=1,
    ),
    "a line of several secrets is split": case(
        {"a.py": 'a = login(password="HEX1", api_key="HEX2", token="HEX3")\n'},
        {
            "a.py": lines(
                "a = login(",
                '    password="HEX1",',
                '    api_key="HEX2",',
                '    token="HEX3",',
                ")",
            )
        },
        known=3,
    ),
    "lines of several secrets are joined": case(
        {
            "a.py": lines(
                "a = login(",
                '    password="HEX1",',
                '    api_key="HEX2",',
                '    token="HEX3",',
                ")",
            )
        },
        {"a.py": 'a = login(password="HEX1", api_key="HEX2", token="HEX3")\n'},
        known=3,
    ),
    "a short value beside the same number, formatted": case(
        {"a.py": 'PAGE = {"next_page_token": "2", "records": [{"id": 1}, {"id": 2}]}\n'},
        {
            "a.py": lines(
                "PAGE = {",
                '    "next_page_token": "2",',
                '    "records": [{"id": 1}, {"id": 2}],',
                "}",
            )
        },
        known=1,
    ),
    "two passwords in one line, formatted": case(
        {"a.py": 'USER = [{"password": "wrong", "new_password": "HEX1"}]\n'},
        {
            "a.py": lines(
                *("USER = [", "    {", '        "password": "wrong",'),
                *('        "new_password": "HEX1",', "    }", "]"),
            )
        },
        known=2,
    ),
    "a value without quotes, formatted": case(
        {"a.py": 'USER = {"name": "user", "has_usable_password": False}\n'},
        {
            "a.py": lines(
                *("USER = {", '    "name": "user",', '    "has_usable_password": False,', "}")
            )
        },
        known=1,
    ),
    "the name of a secret": case(
        {"a.py": 'api_key = "HEX1"\n'},
        {"a.py": 'import os\nclient_secret = "HEX1"\n'},
        known=1,
        by_value=True,
    ),
    "a secret renamed in settings": case(
        {"a.env": "API_KEY=HEX1\n"},
        {"a.env": "# Ours\nCLIENT_SECRET=HEX1\n"},
        known=1,
        by_value=True,
    ),
    # Files that are renamed.
    "a secret in a renamed file": case(
        {"old.py": KEPT + 'api_key = "HEX1"\n'},
        {"old.py": None, "new.py": KEPT + 'print("more")\napi_key = "HEX1"\n'},
        known=1,
        by_value=True,
    ),
    "a secret in a renamed file, under another name": case(
        {"old.py": KEPT + 'api_key = "HEX1"\ntoken = "HEX2"\n'},
        {
            "old.py": None,
            "new.py": KEPT + 'print("more")\nclient_secret = "HEX1"\ntoken = "HEX2"\n',
        },
        known=2,
        by_value=True,
    ),
    "a secret in renamed settings": case(
        {"old.env": "NAME=our-application-CASE\nAPI_KEY=HEX1\n"},
        {"old.env": None, "new.env": "NAME=our-application-CASE\nMORE=1\nAPI_KEY=HEX1\n"},
        known=1,
        by_value=True,
    ),
    "a secret moved to an unrelated file": case(
        {"old.py": KEPT + 'api_key = "HEX1"\n', "new.py": "import re\n"},
        {"old.py": KEPT, "new.py": 'import re\n\napi_key = "HEX1"\n'},
        "new.py:3",
        known=0,
    ),
    "a constant in an unrelated new file": case(
        {"old.py": KEPT + 'password = "jacktheripper"\n'},
        {"old.py": KEPT, "new.py": 'class A:\n    pass\n\n\npassword = "jacktheripper"\n'},
        "new.py:5",
        known=0,
    ),
    # Weak values.
    "a weak value in unlike accounts": case(
        {
            "db/a.py": 'connect(user="app", password="postgres")\n',
            "web/b.py": 'login(user="root", password="postgres")\n',
        },
        {"db/a.py": 'connect(user="app", password=read())\n'},
        known=1,
    ),
    "a weak value in one more account": case(
        {"db/a.py": 'connect(user="app", password="admin")\n'},
        {"b.py": 'login(user="root", password="admin")\n'},
        "b.py:1",
        known=1,
    ),
    "a weak value in settings of one more account": case(
        {"a.env": "DB_PASSWORD=changeme\n"},
        {"b.env": "SMTP_PASSWORD=changeme\n"},
        "b.env:1",
        known=1,
    ),
}

COMMAND = "subprocess.call(CMD + a, shell=True)"
IMPORT = "import subprocess\n"

MOVES = {
    "a command moved with another meaning of a name": case(
        {
            "jobs.py": KEPT + 'CMD = "ls "\n' + function("run", COMMAND),
            "api.py": "import re\n",
        },
        {"jobs.py": KEPT, "api.py": "import re\nCMD = input()\n" + function("run", COMMAND)},
        "api.py:4",
        known=0,
    ),
    "a command moved from tests": case(
        {"tests/tool.py": KEPT + 'CMD = "ls "\n' + function("run", COMMAND), "api.py": ""},
        {"tests/tool.py": KEPT, "api.py": 'CMD = "ls "\n' + function("run", COMMAND)},
        "api.py:3",
        known=0,
    ),
    "a command in another function of a new file": case(
        {"jobs.py": KEPT + function("run", COMMAND)},
        {"jobs.py": KEPT, "api.py": function("handle", COMMAND)},
        "api.py:2",
        known=0,
    ),
    "a function moved to a new file": case(
        {"jobs.py": KEPT + IMPORT + 'CMD = "ls "\n' + function("run", COMMAND)},
        {"jobs.py": KEPT, "api.py": IMPORT + 'CMD = "ls "\n' + function("run", COMMAND)},
        "api.py:1",
        known=1,
    ),
    "an import in an unrelated file": case(
        {"jobs.py": KEPT + IMPORT},
        {"jobs.py": KEPT, "api.py": "import re\n" + IMPORT},
        "api.py:2",
        known=0,
    ),
    "a line of a module in an unrelated file": case(
        {"jobs.py": KEPT + 'HOST = "0.0.0.0"\n'},
        {"jobs.py": KEPT, "api.py": 'import re\nHOST = "0.0.0.0"\n'},
        "api.py:2",
        known=0,
    ),
    # Layout.
    "a part of a query": case(
        {"a.py": function("run", 'a.execute("SELECT * FROM x WHERE y = " + b + " AND z = " + c)')},
        {"a.py": function("run", 'a.execute("SELECT * FROM x WHERE y = " + b + " AND z = " + d)')},
        known=0,
        edited=["a.py:2"],
    ),
    "a value that is formatted into a query": case(
        {"a.py": function("run", 'a.execute("SELECT * FROM x WHERE y = {}".format(b))')},
        {"a.py": function("run", 'a.execute("SELECT * FROM x WHERE y = {}".format(d))')},
        known=0,
        edited=["a.py:2"],
    ),
    "a query moved with another meaning of a name": case(
        {
            "jobs.py": KEPT + 'CMD = "1"\n' + function("run", 'a.execute("SELECT x FROM y" + CMD)'),
            "api.py": "import re\n",
        },
        {
            "jobs.py": KEPT,
            "api.py": "CMD = input()\n" + function("run", 'a.execute("SELECT x FROM y" + CMD)'),
        },
        "api.py:3",
        known=0,
    ),
    "the inside of an f-string": case(
        {"a.py": function("run", 'os.system(f"head -c {2 ** 32} {a !r}")')},
        {"a.py": "\n" + function("run", "os.system(f'head -c {2**32} {a!r}')")},
        known=1,
    ),
    "strings that are joined": case(
        {"a.py": function("run", 'os.system("head " "-c %s" % a)')},
        {"a.py": "\n" + function("run", 'os.system("head -c %s" % a)')},
        known=1,
    ),
    "a command split in lines": case(
        {"a.py": function("run", "out = subprocess.check_output(a, env=b, shell=True)")},
        {
            "a.py": function(
                "run",
                "out = subprocess.check_output(",
                "    a,",
                "    env=b,",
                "    shell=True,",
                ")",
            )
        },
        known=1,
    ),
    "a query split in lines": case(
        {"a.py": function("run", 'a.execute("SELECT * FROM x WHERE y = %s" % b, 1)')},
        {
            "a.py": function(
                "run",
                "a.execute(",
                '    "SELECT * FROM x "',
                '    "WHERE y = %s" % b,',
                "    1,",
                ")",
            )
        },
        known=1,
    ),
    "brackets and commas": case(
        {"a.py": function("run", "os.system((a), )")},
        {"a.py": "\n" + function("run", "os.system(", "    a", ")")},
        known=1,
    ),
    "brackets that matter": case(
        {"a.py": function("run", "os.system((a + b) * c)")},
        {"a.py": function("run", "os.system(a + (b) * c)")},
        known=0,
        edited=["a.py:2"],
    ),
    "a string that is another one": case(
        {"a.py": function("run", 'os.system("head -c %s" % a)')},
        {"a.py": function("run", 'os.system("head  -c %s" % a)')},
        known=0,
        edited=["a.py:2"],
    ),
}

DOCKERFILE = lines("FROM python:latest", "RUN pip install CASE", "RUN sudo CASE")
POD = lines(
    "apiVersion: v1",
    "kind: Pod",
    "metadata:",
    "  name: CASE",
    "spec:",
    "  containers:",
    "    - name: CASE",
    "      image: CASE:1",
    "      securityContext:",
    "        privileged: true",
)
BUCKET = lines('resource "aws_s3_bucket" "CASE" {', '  bucket = "CASE"', "}")


def renamed(old: str, new: str, before: Files, after: Files | None = None) -> Case:
    """Return the case of a folder that is renamed, with other contents if given."""
    return case(
        {f"{old}/{path}": text for path, text in before.items()},
        {f"{old}/{path}": None for path in before}
        | {f"{new}/{path}": text for path, text in (after or before).items()},
        known=None,
    )


CONFIGURATIONS = {
    "a word of a configuration becomes a secret elsewhere": case(
        {"Dockerfile": "FROM request_id:latest\nRUN sudo request_id\nUSER a\n"},
        {
            "Dockerfile": "\nFROM request_id:latest\nRUN sudo request_id\nUSER a\n",
            "b.py": 'TOKEN = "request_id"\n',
        },
        "b.py:1",
        known=3,
    ),
    "a Dockerfile in a renamed folder": renamed("lab", "lab2", {"Dockerfile": DOCKERFILE}),
    "a Dockerfile in a renamed folder, edited": renamed(
        "CASE/lab",
        "CASE/lab2",
        {"CASE/Dockerfile": DOCKERFILE},
        {"CASE/Dockerfile": DOCKERFILE + "RUN echo\n"},
    ),
    "a pod in a renamed folder": renamed("lab", "lab2", {"CASE.yaml": POD}),
    "a pod in a renamed folder, edited": renamed(
        "lab", "lab2", {"CASE.yaml": POD}, {"CASE.yaml": "# A pod\n" + POD.replace(":1", ":2")}
    ),
    "Terraform in a renamed folder": renamed("lab", "lab2", {"CASE.tf": BUCKET}),
    "Terraform in a renamed folder, edited": renamed(
        "lab", "deep/lab2", {"CASE.tf": BUCKET}, {"CASE.tf": "# A bucket\n" + BUCKET}
    ),
    "a folder of several files renamed": renamed(
        "lab",
        "other",
        {
            "CASE/Dockerfile": DOCKERFILE,
            "CASE.yaml": POD,
            "CASE.tf": BUCKET,
            "CASE.py": "PORT = 1\n",
        },
    ),
    "a Dockerfile copied": case(
        {"one/CASE.Dockerfile": DOCKERFILE},
        {"two/CASE.Dockerfile": DOCKERFILE},
        "two/CASE.Dockerfile:0",
        "two/CASE.Dockerfile:0",
        "two/CASE.Dockerfile:1",
        "two/CASE.Dockerfile:3",
        known=4,
    ),
}

CASES = LITERALS | SECRETS | MOVES | CONFIGURATIONS


# All cases are folders of one project, so that each scanner starts only once.


def files_of(number: int, files: Files) -> Files:
    """Return the files of a case, in its folder. Values and names are its own."""

    def made(text: str) -> str:
        text = re.sub(r"\b(?:[abc]|CMD|CASE)(?=_|\b)", rf"\g<0>{number}", text)
        text = re.sub(r"request_id|jacktheripper", rf"\g<0>{number}", text)
        return re.sub(r"HEX\d", lambda match: digest(f"{number} {match[0]}"), text)

    return {
        f"case{number}/" + re.sub(r"CASE", f"CASE{number}", path): None
        if text is None
        else made(str(text))
        for path, text in files.items()
    }


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def place_changes(findings: Sequence[Finding], folder: str) -> dict[Change, list[str]]:
    """Return the places of a folder by their change, each as often as it has a finding."""
    found: dict[Change, list[str]] = {NEW: [], UPDATED: [], UNCHANGED: []}
    for one in findings:
        places = {f"{place.path}:{place.start_line or 0}" for place in one.places}
        if one.path.startswith(folder):
            found[one.history.change] += (place.removeprefix(folder) for place in places)
    return found


COMMIT, WITH_KEY, WITHOUT_KEY = "commit", "baseline", "baseline without a key"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Sequence[Finding]]]:
    """The findings of all cases, compared with a base commit, and with baselines alone."""
    root = tmp_path_factory.mktemp("known")
    git(root, "init", "-q", "-b", "main")
    checked = Checked(
        root,
        scanners=("bandit", "detect-secrets", "trivy"),
        settings={"trivy": ScannerSettings(path=tools.trivy())},
    )
    keyless = replace(checked, key=None, scanners=("bandit", "detect-secrets"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCANAGG_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        for number, one in enumerate(CASES.values()):
            write(root, files_of(number, one.before))
        before = commit(root)
        baseline, keyless_baseline = checked.baseline(), keyless.baseline()
        for number, one in enumerate(CASES.values()):
            write(root, files_of(number, one.after))
        commit(root)
        examined = checked.examined()
        bases = {
            COMMIT: checked.base(before),
            WITH_KEY: checked.base(baseline=baseline, against="baseline"),
        }
        found = {way: checked.traced(base, examined).findings for way, base in bases.items()}
        base = keyless.base(baseline=keyless_baseline, against="baseline")
        found[WITHOUT_KEY] = keyless.traced(base).findings
        yield found


@pytest.mark.parametrize(
    ("way", "name"),
    [
        *product((COMMIT, WITH_KEY), CASES),
        *((WITHOUT_KEY, name) for name in CASES if name not in CONFIGURATIONS),
    ],
)
def test_what_is_new(way: str, name: str, answers: Mapping[str, Sequence[Finding]]) -> None:
    number, one = list(CASES).index(name), CASES[name]
    found = place_changes(answers[way], f"case{number}/")
    new = sorted(re.sub("CASE", f"CASE{number}", place) for place in one.new)
    if one.by_value and way == WITHOUT_KEY:
        places = [*found[NEW], *found[UPDATED], *found[UNCHANGED]]
        assert len(places) == len(new) + len(one.edited) + (one.known or 0), found
        return
    if one.numbers and way != COMMIT:
        assert (len(found[NEW]), found[UPDATED]) == (len(new), []), found
    else:
        assert (sorted(found[NEW]), sorted(found[UPDATED])) == (new, sorted(one.edited)), found
    assert one.known is None or len(found[UNCHANGED]) == one.known, found


@pytest.mark.parametrize("way", [COMMIT, WITH_KEY])
def test_another_place_is_named_only_for_values_that_are_no_dummies(
    way: str, answers: Mapping[str, Sequence[Finding]]
) -> None:
    named = {
        list(CASES)[int(one.path.partition("/")[0].removeprefix("case"))]
        for one in answers[way]
        if one.history.reason.kind == "known-elsewhere" and one.category is Category.SECRET
    }
    assert named == {
        "a copy in a file before",
        "a copy in a file after",
        "a place in settings, and one in code",
        "a secret moved to an unrelated file",
        "a constant in an unrelated new file",
    }


# With a policy: what is edited or new blocks, and nothing else does.

PASSING = (
    "a guess that is split",
    "a word of a command becomes a secret elsewhere",
    "lines of several secrets are joined",
    "a secret in a renamed file",
    "the inside of an f-string",
    "a weak value in unlike accounts",
)
BLOCKED = (
    "one value in a list",
    "a copy in a file before",
    "a command moved from tests",
    "brackets that matter",
)
BY_BASELINE = "extends: [{name: pull-request}]\ndefault: info\nnew_code: {against: baseline}\n"


def write_cases(root: Path, names: Iterable[str], when: str) -> str:
    for name in names:
        write(root, files_of(list(CASES).index(name), getattr(CASES[name], when)))
    return commit(root)


@pytest.mark.parametrize("way", [COMMIT, WITH_KEY])
def test_the_policy_for_pull_requests_blocks_only_what_is_new(way: str, tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    environment = {"SCANAGG_PROJECT_KEY": "0123456789abcdef" * 4}
    asked = ["--only", "bandit,detect-secrets"]
    before = write_cases(root, (*PASSING, *BLOCKED), "before")
    if way == COMMIT:
        asked += ["--policy", "pull-request", "--base", before]
    else:
        write(root, {"scanagg.yml": f"version: 1\n{BY_BASELINE}"})
        assert scanagg("baseline", "write", str(root), *asked, env=environment).returncode == 0
    write_cases(root, PASSING, "after")
    passed = check(root, *asked, formats=["json"], env=environment)
    assert (passed.code, blocked(passed)) == (0, set())
    write_cases(root, BLOCKED, "after")
    failed = check(root, *asked, formats=["json"], env=environment)
    assert (failed.code, blocked(failed)) == (1, set(BLOCKED))


def test_the_policy_for_pull_requests_passes_a_renamed_folder(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q", "-b", "main")
    names = ["a Dockerfile in a renamed folder"]
    before = write_cases(root, names, "before")
    write_cases(root, names, "after")
    asked = ("--only", "trivy", "--offline", "--policy", "pull-request", "--base", before)
    passed = check(root, *asked, formats=["json"])
    assert (passed.code, blocked(passed)) == (0, set())
    assert {one["change"] for one in passed.report["findings"]} == {"unchanged"}


def blocked(said: Said) -> set[str]:
    """Return the cases that have a finding that blocks."""
    return {
        list(CASES)[int(one["location"]["path"].partition("/")[0].removeprefix("case"))]
        for one in said.report["findings"]
        if one["verdict"]["action"] == "block"
    }
