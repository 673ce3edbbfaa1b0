"""The registry of kinds of files: what is recognised, and what is not."""

import codecs
import io
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from scanagg.model import Category, SourceFile
from scanagg.project import kinds

LIST = "# the authors\nflask==2.0 ; python_version > '3'\nrequests[socks] >=2, <3  # why\n"
UNPINNED = "flask\nrequests>=2\n"
WORDS = "flask\nrequests\n"
PROSE = "Flask is a framework.\nflask==2.0 is old.\n"


def zipped(name: str, *, before: bytes = b"", padding: int = 0, comment: bytes = b"") -> bytes:
    """Return a zip with this file, and others of `padding` bytes, after other bytes."""
    stream = io.BytesIO(before)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr("a.bin", bytes(padding))
        archive.writestr(name, "x = 1\n")
        archive.writestr("z.bin", bytes(padding))
        archive.comment = comment
    return stream.getvalue()


def kinds_of(root: Path, path: str, content: str | bytes) -> list[str]:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    raw = content.encode() if isinstance(content, str) else content
    file.write_bytes(raw)
    return [kind.id for kind in kinds.kinds_of(SourceFile(path, file, len(raw)))]


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("requirements.txt", WORDS, "requirements"),
        ("requirements/base.in", WORDS, "requirements"),
        ("dev-requirements.txt", PROSE, "requirements"),
        ("requirements.lock", LIST, "requirements-named"),
        ("requirements-dev.lock", LIST, "requirements-named"),
        ("requirements.pip", UNPINNED, "requirements-named"),
        ("requirements.prod", WORDS, "requirements-named"),
        ("requirements", UNPINNED, "requirements-named"),
        ("requirements/prod", LIST, "requirements-named"),
        ("reqs.txt", WORDS, "requirements-named"),
        ("dev-reqs.txt", WORDS, "requirements-named"),
        ("reqs.txt", "flask==2.0\nthis is no requirement\n", "requirements-named"),
        ("deps.txt", LIST, "requirements-list"),
        ("data.xyz", LIST, "requirements-list"),
        ("install_me", "\ufeff" + LIST, "requirements-list"),
        ("deps.txt", LIST.encode("utf-16"), "requirements-list"),
        ("requirements/authors.txt", LIST, "requirements-list"),
        ("deps.txt", "-r base.txt\na==1 \\\n    --hash=sha256:00\n", "requirements-list"),
        (
            "deps.txt",
            "a==1\nb @ https://h/b.zip\ngit+https://h/x\n./c\n",
            "requirements-list",
        ),
        ("deps.png", LIST, "requirements-list"),
        ("deps.txt", "# comment\n" * 9000 + "a==1\n", "requirements-list"),
        ("deps.txt", "word\n" * 20000 + "a==1\n", "requirements-list"),
        ("package.json", " " * 70000 + '{"dependencies": {"a": "1"}}', "package-json"),
        ("explicit.txt", "@EXPLICIT\nhttps://host.test/noarch/a-1-0.conda\n", "conda-explicit"),
        ("conda-lock.yml", "", "conda-lock"),
        ("dev.conda-lock.yml", "", "conda-lock"),
        ("conda-linux-64.lock", "@EXPLICIT\n", "conda-lock"),
        ("locked.yaml", "package:\n- name: a\n  manager: conda\n", "conda-lock-other"),
        ("environment.yml", "dependencies:\n- numpy=1\n", "conda-environment"),
        ("ci/env-dev.yaml", "name: x\ndependencies: [numpy]\n", "conda-environment"),
        ("deploy.yml", "channels: [x]\ndependencies:\n- numpy\n", "conda-environment-other"),
        ("package.json", '{"name": "x", "dependencies": {"a": "1"}}', "package-json"),
        ("deps.md", LIST, "requirements-list"),
        ("deps.csv", LIST, "requirements-list"),
        ("bin/run", "#!/usr/bin/env python3\nprint()\n", "python-script"),
        ("app.csproj", '<PackageReference Include="A" Version="1" />', "nuget-project"),
        ("python.lock", '{"locked_resolves": []}', "pex-lock"),
        ("fast.pyx", "", "cython"),
        ("pkg/fast.PXD", "", "cython"),
        ("Dockerfile", "FROM a\nRUN pip3.12 -q \\\n  install b\n", "docker-pip"),
        ("Dockerfile", "FROM a\nRUN uv tool install b\n", "docker-pip"),
        ("old.pyc", "", "python-compiled"),
        ("a/__pycache__/a.cpython-311.pyc", "", "python-compiled"),
        ("fast.cp311-win_amd64.pyd", "", "python-compiled"),
        ("pkg/_fast.cpython-311-x86_64-linux-gnu.so", "", "python-extension"),
        ("fast.abi3.so", "", "python-extension"),
        ("fast.so", "", "python-extension"),
        ("tool.pyz", "", "python-zipped"),
        ("dist/a-1-py3-none-any.whl", "", "python-zipped"),
        ("tool.zip", zipped("__main__.py"), "python-zip"),
        ("bin/tool", zipped("__main__.pyc"), "python-zip"),
        ("picture.png", zipped("__main__.py"), "python-zip"),
        ("bin/tool", zipped("__main__.py", before=b"#!/bin/sh\nexec python $0\n"), "python-zip"),
        ("bin/tool", zipped("__main__.py", padding=200_000, comment=b"c" * 65535), "python-zip"),
        ("bin/tool", zipped("__main__.py", padding=20 << 20), "python-zip"),
        ("run.wsgi", "", "python"),
    ],
)
def test_a_file_has_one_kind(tmp_path: Path, path: str, content: str | bytes, kind: str) -> None:
    assert kinds_of(tmp_path, path, content) == [kind]


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("words.txt", WORDS),
        ("deps.txt", UNPINNED),
        ("words.txt", "word\n" * 20000),
        ("words.txt", "word\n" * 20000 + "a sentence\n" + "a==1\n"),
        ("notes.txt", PROSE),
        ("reqs.txt", "We need a house.\n"),
        ("requirements.md", PROSE),
        ("requirements/README.txt", PROSE),
        ("constraints.txt", LIST),
        ("requirements/constraints.txt", LIST),
        ("SHA256SUMS", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n"),
        ("settings", "if a == b\n"),
        ("data.bin2", b"a==1\n\0\n"),
        ("empty.txt", ""),
        ("env.yml", "services:\n- x\n"),
        ("package.json", '{"type": "module", "dependencies": {}}'),
        ("playbook.yml", "dependencies:\n- role\n"),
        ("libz.so.1", ""),
        ("lib/z-1.so", ""),
        ("data.zip", zipped("data.csv")),
        ("data.zip", zipped("a/__main__.py")),
        ("large.zip", zipped("data.csv", padding=200_000)),
    ],
)
def test_other_files_have_none(tmp_path: Path, path: str, content: str | bytes) -> None:
    assert kinds_of(tmp_path, path, content) == []


def test_a_file_can_have_several(tmp_path: Path) -> None:
    script = "#!/usr/bin/env python\n# /// script\n# dependencies = []\n# ///\n"
    assert kinds_of(tmp_path, "run.py", script) == ["script", "python"]
    assert kinds_of(tmp_path, "bin/run", script) == ["python-script", "script-unnamed"]
    assert kinds_of(tmp_path, "long.py", "#" * 70000 + "\n" + script) == ["script", "python"]
    notebook = '{"cells": [{"source": ["%pip install -q flask==2.0"]}]}'
    assert kinds_of(tmp_path, "a.ipynb", notebook) == ["notebook-pip", "notebook"]


def test_a_file_that_cannot_be_read_has_the_kinds_of_its_name(tmp_path: Path) -> None:
    file = SourceFile("uv.lock", tmp_path / "uv.lock", 1)
    assert [kind.id for kind in kinds.kinds_of(file)] == ["uv-lock"]


def test_identifiers_are_unique() -> None:
    assert Counter(kind.id for kind in kinds.KINDS).most_common(1)[0][1] == 1
    assert {kind.category for kind in kinds.KINDS} == {Category.VULNERABILITY, Category.CODE, None}


def test_locks_are_known_by_their_names() -> None:
    assert all(
        map(kinds.is_lock, ("poetry.lock", "a/package-lock.json", "flake.lock", "x.py.lock"))
    )
    assert not any(map(kinds.is_lock, ("deploy.lock", "package.json", "requirements.txt")))


@pytest.mark.parametrize(
    "content",
    [
        *("a\\\n==1\n", "a==\\\n1\n", "a=\\\n=1\n", "\\a==1\\\n", "# a\\\na==1\n"),
        *("a==1; \\\n python_version > '3'\n", "a>=1 \\\n,==1\n", "a==1\\\n --hash=sha256:0\n"),
        *("a==1\fb==2\n", "a==1\x0bb==2\n", "a==1\u2028b==2\n", "a==1\x85b==2\n", "a==1\rb==2"),
        *("\xa0a==1\n", "a==\u20031\n", "a == 1 , \n", "a==1,\n", "a (==1)\n", "a[x,]===1~x\n"),
        *("a==1\nHTTPS://h/b.whl\n", "a==1\n.\n", "a==1\n.[dev]\n", "a==1\npkg/\n"),
        *("a==1\n~/x\n", "a==1\nx.whl[y]\n", "a==1\na b/\n", "a==1\nx y.whl\n", "a==1\n../x\n"),
        *(
            "a==1\n${X}\n",
            "${X}a==1\n",
            "${X} a==1\n",
            "a==${X}\n",
            "a @ https://h/a.whl\n",
            "a@file:///a\n",
        ),
        "a==1" + f" --hash=sha256:{'0' * 64}" * 30,
        "# \0\na==1\n",
        *("a==1\n".encode(name) for name in ("utf-16", "utf-32", "utf-8-sig")),
        codecs.BOM_UTF32_BE + "a==1\n".encode("utf-32-be"),
        codecs.BOM_UTF16_LE + ("# é\n" * 40_000 + "a==1\n").encode("utf-16-le"),
        b"# coding: utf-7\na+AD0APQ-1\n",
        b"# coding:\x0cutf-7\n#+AAo-a==1\n",
        b"# caf\xe9\x85\na==1\n",
        "a==1 \\\n" + "  --hash=sha256:0 \\\n" * 5000 + "  --hash=sha256:0\n",
        "b\n" * 32_760 + "a==\\\n1\n",
    ],
)
def test_a_list_that_pip_reads_is_one(tmp_path: Path, content: str | bytes) -> None:
    assert kinds_of(tmp_path, "deps", content) == ["requirements-list"]


def test_a_source_map_is_no_list(tmp_path: Path) -> None:
    content = '{"sources":["../src/a.js"],"sourcesContent":["$(`${EVENT}`); x == 1;"]}'
    assert kinds_of(tmp_path, "a.js.map", content) == []


_PARTS = (
    *(b"\n", b" ", b"\\\n", b"[", b"[\n", b"%", b"% x -m ", b"pip ", b"pip \\\n", b'"pip", '),
    *(b'"dependencies" ', b'"dependencies": { ', b"channels:\n", b"dependencies:\n", b"[[\n"),
    *(b"PK\x01\x02", b"# /// script ", b"- ", b"manager: conda ", b"a==1\n", b"a==1,", b"a==1 "),
    *(b"a===,", b"a;", b"a[", b" #", b"a @ ", b"./", b"a:", b"${A", b"~", b"a===1 \\\n", b".whl"),
    *(b"# coding: punycode\n", b"#coding:", b"a.", b"a-", b"\0", b"\x85", b"\xc3\xa9 ", b"uv "),
)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    "kind", [kind for kind in kinds.KINDS if kind.content], ids=lambda kind: kind.id
)
def test_hostile_content_takes_no_time(kind: kinds.FileKind) -> None:
    for part in _PARTS:
        content = part * (65536 // len(part)) + b"?"
        assert kind.content(content) in (True, False)


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    "part",
    ["a/", "requirements/", "requirements-", "-", "conda-", "constraint", "a.so.", ".", "\n"],
)
def test_a_hostile_path_takes_no_time(part: str) -> None:
    path = (part * 4096)[:4000]
    for name in ("x", "x.so", "x.txt", "x.props", "x.lock", "x.yml", "x.toml"):
        assert set(kinds.named(f"{path}/{name}")) <= set(kinds.KINDS)
        assert kinds.is_manifest(path + name) in (True, False)


@pytest.mark.parametrize(
    "line",
    [
        *(" " * 60_000 + "x", "a" * 60_000 + "!", "a==1," * 12_000, "a;" * 30_000, "./" * 30_000),
        *("a[" * 30_000, " #" * 30_000, "a @ " * 15_000, "a==" + "1." * 30_000 + "?"),
        "/*! a minified file */ a==1;" + "b(c==d);" * 9_000,
    ],
)
def test_a_long_line_is_no_list_and_is_read_in_no_time(tmp_path: Path, line: str) -> None:
    for name in ("a.list", "b.js", "c.min"):
        assert kinds_of(tmp_path, name, line) == []


@pytest.mark.usefixtures("bounded")
@pytest.mark.parametrize(
    ("path", "line"),
    [
        *(("a.cabal", "\n"), ("a.yml", "channels:\n"), ("b.yml", "dependencies:\n")),
        *(("Cargo.toml", "[\n"), ("package.json", '"dependencies" : ')),
        *(("Dockerfile", "pip -pip "), ("Dockerfile", "pip -a b "), ("a.ipynb", "!uv -m pip -")),
    ],
)
def test_many_lines_are_read_in_linear_time(tmp_path: Path, path: str, line: str) -> None:
    found = kinds_of(tmp_path, path, line * (400_000 // len(line)))
    assert found in ([], ["notebook"], ["docker-pip"], ["notebook-pip", "notebook"])
