"""Notebooks: code and secrets of their cells in every report, with real scanners."""

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.command import check
from support.drive import Driven, context, drive

from scanagg.model import Target
from scanagg.project.notebooks import code_cells, strings
from scanagg.scanners import detect_secrets

# Made up, and assembled here so that no scanner reports secrets in this file.
WORD = "correct-horse" + "-battery"
ESCAPED = "correct\\horse" + "-battery"
KEY = "AKIA" + "Z3MSH5K2QX7WLRNB"
POLICY = "version: 1\ndefault: block\n"


def notebook(*cells: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {"cells": [*cells], "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def code(source: str | list[str], *outputs: dict[str, Any], **more: Any) -> dict[str, Any]:
    base = {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [*outputs]}
    return {**base, "source": source, **more}


Search = Callable[[dict[str, Any]], Driven]


@pytest.fixture
def search(
    make_project: Callable[..., Path], read_target: Callable[[Path], Target], tmp_path: Path
) -> Search:
    """Search the notebook `a.ipynb` for secrets."""

    def run(document: dict[str, Any]) -> Driven:
        root = make_project({"a.ipynb": json.dumps(document, indent=1)})
        return drive(detect_secrets, context(read_target(root)), tmp_path)

    return run


def test_every_report_names_the_cell_and_the_line(make_project: Callable[..., Path]) -> None:
    document = notebook(
        code(["import os\n", "x = 1\n"]),
        code(["os.system(command)\n", f"password = '{WORD}'\n"]),
    )
    root = make_project({"policies/scanagg.yml": POLICY, "a.ipynb": json.dumps(document, indent=1)})
    said = check(
        root,
        *("--offline", "--only", "bandit,detect-secrets"),
    )
    found = {one["rule"]["id"]: one["location"] for one in said.report["findings"]}
    lines = (root / "a.ipynb").read_text().split("\n")
    for rule, line, part in (("B605", 1, "os.system"), ("secret-keyword", 2, "password")):
        place = found[rule]
        assert (place["cell"], place["cell_line"]) == (2, line)
        assert part in lines[place["start_line"] - 1]
    reports = {path.name: path.read_text() for path in said.folder.iterdir()}
    for name, text in (*reports.items(), ("stdout", said.out)):
        shown = ("cell", "cell_line") if name.endswith("scanagg.json") else ("cell 2, line 1",)
        assert all(part in text for part in shown), name
    assert WORD not in said.everything


def test_secrets_are_found_behind_escapes_and_in_parts(search: Search) -> None:
    driven = search(
        notebook(
            code(f'password = "{ESCAPED}"'),
            code(["token = '", KEY[:9], KEY[9:], "'\n"]),
            code("x", {"output_type": "stream", "text": ["so\n", f"password: '{WORD}-out'\n"]}),
            code("x", metadata={"password": f"{WORD}-metadata"}),
            author={"tokens": [KEY[:-1] + "Q"]},
        )
    )
    assert driven.examined == ["a.ipynb"]
    found = {
        (one.rule.id, place.cell, place.cell_line)
        for one in driven.observations
        for place in one.places
    }
    assert found == {
        ("secret-keyword", 1, 1),
        ("aws-access-key", 2, 1),
        ("secret-keyword", 3, None),
        ("secret-keyword", 4, None),
        ("aws-access-key", None, None),
    }
    # As the file spells it, so that its line can be masked.
    assert {value for one in driven.parsed for value in one.secrets} > {
        ESCAPED,
        json.dumps(ESCAPED)[1:-1],
    }


def test_what_jupyter_writes_is_no_secret(search: Search) -> None:
    digest = "9f2c41d7be0835a61e7d90c2f4b8365a" * 2
    picture = "iVBORw0KGgo" + "AbC9+/" * 400
    driven = search(
        notebook(
            code("x", {"data": {"image/png": picture}}, id="9f2c41d7"),
            code("x", metadata={"id": "aB3dE6gH9jK2"}, id="9f2c41d7-be08-35a6-1e7d-90c2f4b8365a"),
            interpreter={"hash": digest},
            vscode={"interpreter": {"hash": digest}},
        )
    )
    assert driven.observations == []
    # Anywhere else, it may be one.
    driven = search(notebook(code("x", metadata={"hash": digest})))
    assert [one.rule.id for one in driven.observations] == ["hex-high-entropy-string"]


def test_a_notebook_that_is_not_valid_is_searched_as_text(search: Search) -> None:
    driven = search({"cells": 1, "password": WORD})
    assert driven.examined == ["a.ipynb"]
    assert [one.location.start_line for one in driven.observations if one.location] == [3]


@pytest.mark.parametrize(
    ("source", "python"),
    [
        ("%matplotlib inline\nx", ["pass  # %matplotlib inline", "x"]),
        ("if x:\n    !ls\n    %cd ..", ["if x:", "    pass  # !ls", "    pass  # %cd .."]),
        ("x = !ls\ny = %who", ["x = None  # !ls", "y = None  # %who"]),
        ("df?\n?df\ndf.a??", ["pass  # df?", "pass  # ?df", "pass  # df.a??"]),
        ("%timeit -n 10 -r 3 eval(x)", ["eval(x)"]),
        ("%time y = eval(x)", ["y = eval(x)"]),
        ("%%time\neval(x)", ["#%%time", "eval(x)"]),
        ("\n%%timeit import pickle\npickle.loads(x)", ["", "import pickle", "pickle.loads(x)"]),
        ("%%script python3 -u\neval(x)", ["#%%script python3 -u", "eval(x)"]),
        ("%%script --bg /opt/env/bin/python\nx", ["#%%script --bg /opt/env/bin/python", "x"]),
        ("%%timeit -n 10\neval(x)", ["10", "eval(x)"]),
        ("%%capture\neval(x)", ["#%%capture", "eval(x)"]),
        ("%%prun -l 9 -s time eval(x)\ny", ["eval(x)", "y"]),
        ("%%python2\neval(x)", ["#%%python2", "eval(x)"]),
        ("%%script ipython\neval(x)", ["#%%script ipython", "eval(x)"]),
        ("%%script --bg /opt/pypy3 -\neval(x)", ["#%%script --bg /opt/pypy3 -", "eval(x)"]),
        ("%%writefile a.py\neval(x)", ["#%%writefile a.py", "eval(x)"]),
        ("%%file 'a.pyw' -a\n!ls\neval(x)", ["#%%file 'a.pyw' -a", "pass  # !ls", "eval(x)"]),
        # A magic can be an alias of %%time.
        ("%%bash\neval(x)", ["#%%bash", "eval(x)"]),
        ("  eval(x)\n  if x:\n    !ls", ["eval(x)", "if x:", "  pass  # !ls"]),
        # Modulo, not a magic.
        ("x = (3\n% 2)", ["x = (3", "% 2)"]),
        ("x = 1\r\ny = 2", ["x = 1", "y = 2"]),
        (["os.sys", "tem(x)\n", "y"], ["os.system(x)", "y"]),
        ("await f()", ["await f()"]),
        ("# coding: utf-7\n# +AAo-x", ["# coding: utf-7", "# +AAo-x"]),
    ],
)
def test_cells_become_python(source: str | list[str], python: list[str]) -> None:
    found = code_cells(json.dumps(notebook(code(source))), "a.ipynb")
    assert found.gaps == ()
    assert [line.text for line in found.lines[2:]] == python
    assert [line.cell_line for line in found.lines[2:]] == [*range(1, len(python) + 1)]


@pytest.mark.parametrize(
    ("source", "kind", "on_purpose"),
    [
        ("%%bash\nls a b", "notebook-magic", True),
        ("%%script bash\nls a b", "notebook-magic", True),
        ("%%writefile a.txt\nls a b", "notebook-magic", True),
        # These may run Python.
        ("%%mine\nls", "notebook-magic", False),
        ("%%prun -s 'a' eval(x)\ny", "notebook-magic", False),
        ("%%prun " + "a " * 100_000 + "\ny", "notebook-magic", False),
        ("%%script python3\nls a b", "python-syntax-error", False),
        ("%%writefile run\n#!/usr/bin/python3\nls a b", "python-syntax-error", False),
        ("def f(:", "python-syntax-error", False),
        ("(" * 5_000, "python-syntax-error", False),
        ("x\0y", "python-syntax-error", False),
    ],
)
def test_cells_that_are_left_out_are_named(source: str, kind: str, on_purpose: bool) -> None:
    found = code_cells(json.dumps(notebook(code("x"), code(source))), "a.ipynb")
    (gap,) = found.gaps
    assert (gap.input, gap.reason.kind, gap.on_purpose) == ("a.ipynb, cell 2", kind, on_purpose)
    assert [line.text for line in found.lines[2:]] == ["x"]


@pytest.mark.parametrize(
    ("kernel", "language", "gap"),
    [
        (None, None, ("a.ipynb, cell 2", False)),
        ({"name": "myproject"}, None, ("a.ipynb, cell 2", False)),
        ({"name": "conda-env-x-py"}, None, ("a.ipynb, cell 2", False)),
        ({"name": "python3"}, {"name": "R"}, ("a.ipynb, cell 2", False)),
        ({"name": "ir"}, {"name": "python"}, ("a.ipynb, cell 2", False)),
        # Jupyter starts Python if no kernel is named.
        (None, {"name": "R"}, ("a.ipynb", False)),
        ({"name": "mine", "language": "julia"}, None, ("a.ipynb", False)),
        ({"name": "ir"}, {"name": "R"}, ("a.ipynb", True)),
        ({"name": "julia-1.11", "language": "julia"}, None, ("a.ipynb", True)),
        ({"name": 1}, ["R"], ("a.ipynb, cell 2", False)),
    ],
)
def test_only_a_kernel_of_another_language_leaves_python_out(
    kernel: object, language: object, gap: tuple[str, bool]
) -> None:
    metadata = {"kernelspec": kernel, "language_info": language}
    document = notebook(code("eval(x)"), code("a b"), **metadata)
    found = code_cells(json.dumps(document), "a.ipynb")
    assert [(one.input, one.on_purpose) for one in found.gaps] == [gap]
    assert [line.text for line in found.lines[2:]] == ([] if gap[1] else ["eval(x)"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"source": "eval(x)"', '"source": "eval(x)", "source": "x"'),
        ('"source": "eval(x)"', '"source": "x", "s\\u006furce": "eval(x)"'),
        ('"cell_type": "code"', '"cell_type": "code", "cell_type": "raw"'),
        ('"cells": [', '"cells": [], "cells": ['),
        ('"metadata": {"x"', '"metadata": {"kernelspec": {"name": "ir"}, "kernelspec": {}, "x"'),
    ],
)
def test_a_key_that_is_there_twice_is_no_notebook(old: str, new: str) -> None:
    text = json.dumps(notebook(code("eval(x)"), x=WORD))
    assert code_cells(text, "a.ipynb").lines
    changed = text.replace(old, new)
    assert changed != text
    with pytest.raises(ValueError, match="twice"):
        code_cells(changed, "a.ipynb")
    assert WORD in "".join(line.text for line in strings(changed))


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    "source",
    [
        '"x": "' + "/png=iVBORw0KGgo" * 30_000 + '!"',
        '"source": ["' + '","' * 100_000 + '"]',
        '"' + "k" * 300_000 + '": ["' + '","' * 100_000 + '"]',
        '"source": "%timeit' + " " * 300_000 + '!"',
    ],
)
def test_no_notebook_takes_long(source: str) -> None:
    text = f'{{"cells": [{{"cell_type": "code", {source}}}]}}'
    with contextlib.suppress(ValueError):
        code_cells(text, "a.ipynb")
    with contextlib.suppress(ValueError):
        strings(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "null", '{"cells": []}x', '{"cells": {}}', '{"cells": [' + "9" * 5_000),
        '{"cells": ' + "[" * 100_000,
        '{"cells": ' + "[" * 60 + "]" * 60 + "}",
    ],
)
def test_no_notebook_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        strings(text)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_are_those_of_the_file(end: str) -> None:
    document = notebook(code(["a\n", "b\n"], {"text": ["c\n", "d"]}), title="e")
    text = json.dumps(document, indent=1)
    for line in strings(text.replace("\n", end)):
        assert line.text.strip('"') in text.split("\n")[line.file_line - 1]
