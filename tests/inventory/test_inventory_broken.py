"""No content of a manifest ends the inventory: broken parts are problems, the rest is read."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanagg.inventory import manifest, read_inventory
from scanagg.model import Reason, SourceFile, Target

LOCKS = ("uv.lock", "poetry.lock", "pdm.lock", "pylock.toml", "Pipfile", "pyproject.toml")
GOOD = {"sub/requirements.txt": "a==1\n"}


@pytest.mark.parametrize("name", [*LOCKS, "Pipfile.lock"])
@pytest.mark.parametrize(
    ("raw", "line", "kind"),
    [
        (b"\n\n= \xff\n", ":3", "not-utf-8"),
        (b'\n<<<<<<< HEAD\n"a" = 1\n=======\n>>>>>>> b\n', ":2", "merge-conflict"),
    ],
)
def test_a_broken_file_is_a_problem_with_its_line(
    inventory_of, pins, problems, name, raw, line, kind
):
    inventory = inventory_of({name: raw, **GOOD})
    assert problems(inventory) == {f"{name}{line}": Reason(kind)}
    assert list(pins(inventory)) == ["a==1"]
    assert inventory.manifests == tuple(sorted((name, "sub/requirements.txt")))


@pytest.mark.parametrize(
    ("name", "text", "where", "kind"),
    [
        ("uv.lock", "a = 1\nb = [\n", "uv.lock:2", "syntax-error"),
        ("uv.lock", "a = 1\na = 2\n", "uv.lock:2", "syntax-error"),
        ("uv.lock", "a = " + "[" * 5000, "uv.lock", "too-complex"),
        ("uv.lock", "a = " + "9" * 5000, "uv.lock", "syntax-error"),
        ("uv.lock", "\n" + "a . " * 9999 + "a=1", "uv.lock:2", "too-complex"),
        ("uv.lock", "'a'.b.\"c\"." * 9999 + "a=1", "uv.lock:1", "too-complex"),
        ("uv.lock", "package = 3", "uv.lock:1", "wrong-type"),
        ("uv.lock", "manifest = 3", "uv.lock:1", "wrong-type"),
        ("pdm.lock", "[package]\nname = 1", "pdm.lock:1", "wrong-type"),
        ("Pipfile.lock", '{"a":\n', "Pipfile.lock:2", "syntax-error"),
        ("Pipfile.lock", "[1]", "Pipfile.lock:1", "not-a-json-object"),
        ("Pipfile.lock", "[" * 100_000, "Pipfile.lock", "too-complex"),
        ("Pipfile.lock", '{"a":' + "9" * 5000 + "}", "Pipfile.lock", "syntax-error"),
    ],
)
def test_text_that_a_parser_refuses_is_a_problem(
    inventory_of, pins, problems, name, text, where, kind
):
    inventory = inventory_of({name: text, **GOOD})
    ((place, reason),) = problems(inventory).items()
    assert (place, reason.kind) == (where, kind)
    assert list(pins(inventory)) == ["a==1"]


def test_the_marks_of_a_merge_conflict_are_named_once_in_every_manifest(inventory_of, problems):
    sides = "<<<<<<< HEAD\n{}\n||||||| base\n=======\n{}\n>>>>>>> other\n"
    files = {
        "setup.cfg": "[options]\ninstall_requires =\n" + sides.format("  b==1", "  b==2"),
        "tox.ini": "[testenv]\ndeps =\n" + sides.format("  b==1", "  b==2"),
        "environment.yml": "dependencies:\n- pip:\n" + sides.format("  - b==1", "  - b==2"),
        ".pre-commit-config.yaml": "additional_dependencies:\n\n" + sides.format("- b", "- c"),
        "Dockerfile": "FROM x\nRUN pip install \\\n" + sides.format(" b==1", " b==2"),
        "n.ipynb": "{\n%pip uv" + "\n" + sides.format('"a": 1', '"a": 2'),
        "s.py": "# /// script\n# dependencies = [\n" + sides.format("# 'a',", "# 'b',") + "# ///",
        "requirements.txt": "a==1\n\n" + sides.format("b==1", "b==2"),
        "deps.list": "a==1\n\n" + sides.format("b==1", "b==2"),
    }
    inventory = inventory_of(files)
    assert problems(inventory) == {f"{name}:3": Reason("merge-conflict") for name in files}
    assert {f"{one.name}=={one.version}" for one in inventory.packages} == {"a==1", "b==1", "b==2"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a==1 \\\n<<<<<<< HEAD\n  --hash=x:0\n=======\n  --hash=x:1\n>>>>>>> x\nb==1", 2),
        ("a==1\r\n=======\r\nb==1\r\n", 2),
        ("a==1\nb==1\n>>>>>>> x", 3),
    ],
)
def test_both_sides_of_a_conflict_are_read(inventory_of, pins, problems, text, line):
    inventory = inventory_of({"requirements.txt": text})
    assert problems(inventory) == {f"requirements.txt:{line}": Reason("merge-conflict")}
    assert list(pins(inventory)) == ["a==1", "b==1"]


@pytest.mark.parametrize("mark", ["========", "====== x", "<<<<<<<<", "======="])
def test_lines_that_only_look_like_conflicts_are_not(inventory_of, problems, mark):
    dockerfile = f"FROM x\nRUN <<EOF\n{mark}\nEOF\nRUN pip install a==1\n"
    inventory = inventory_of({"Dockerfile": dockerfile})
    assert not problems(inventory)
    assert [one.name for one in inventory.packages] == ["a"]


def test_a_byte_order_mark_and_crlf_do_no_harm(inventory_of, pins):
    lock = '\ufeff[[package]]\r\nname = "a"\r\nversion = "1"\r\n'
    assert pins(inventory_of({"uv.lock": lock})) == {"a==1": "runtime unknown uv.lock:2"}


def test_a_deeply_nested_requirement_is_a_problem(inventory_of, problems):
    deep = "a; " + "(" * 20_000 + "os_name == 'x'" + ")" * 20_000
    lock = f'[[package]]\nname = "b"\nversion = "1"\ndependencies = ["{deep}"]\n'
    inventory = inventory_of({"requirements.txt": deep, "pdm.lock": lock})
    assert list(problems(inventory)) == ["requirements.txt:1"]
    assert [one.name for one in inventory.packages] == ["b"]


def test_numbers_with_thousands_of_digits_end_nothing(inventory_of, problems):
    digits = "9" * 5000
    entry = f'[[package]]\nname = "a"\nversion = "{digits}"\n'
    needs = f'dependencies = ["b=={digits}", "b>={digits}"]\n'
    table = f'[package.dependencies]\nb = "{digits}"\nc = "^{digits}"\n'
    inventory = inventory_of(
        {
            "requirements.txt": f"a=={digits}\nb>={digits}\nc==1.{digits}.*\nd>=1,!={digits}\n",
            "more-requirements.txt": f"d>=1,!={digits}\n",
            "pyproject.toml": f'[project]\nname = "p"\ndependencies = ["d>=1,!={digits}"]\n',
            "uv.lock": entry,
            "pdm.lock": entry + needs,
            "poetry.lock": entry + table,
            "Pipfile": f'[packages]\na = "=={digits}"\nb = "^{digits}"\nd = ">=1,!={digits}"\n',
            "setup.cfg": f"[options]\ninstall_requires = a=={digits}\n",
        }
    )
    assert not inventory.packages
    assert {place.partition(":")[0] for place in problems(inventory)} >= {
        *("requirements.txt", "uv.lock", "pdm.lock", "poetry.lock", "Pipfile", "setup.cfg"),
        *("more-requirements.txt", "pyproject.toml"),
    }


def test_a_file_that_is_too_large_is_not_read(inventory_of, problems, monkeypatch):
    monkeypatch.setattr(manifest, "MAX_BYTES", 1024**2)
    inventory = inventory_of(
        {"requirements.txt": "#" * (1024**2 + 1), "Pipfile.lock": b" " * 2**21}
    )
    assert problems(inventory) == dict.fromkeys(
        ("requirements.txt", "Pipfile.lock"), Reason("manifest-too-large", {"limit": 1})
    )


def test_an_unreadable_file_is_a_problem(tmp_path: Path, problems):
    gone = SourceFile("uv.lock", tmp_path / "uv.lock", 1)
    folder = SourceFile("requirements.txt", tmp_path, 1)
    inventory = read_inventory(Target(tmp_path, "x", (gone, folder)))
    assert problems(inventory) == {
        "uv.lock": Reason("unreadable-file", {"error": "No such file or directory"}),
        "requirements.txt": Reason("unreadable-file", {"error": "is not a regular file"}),
    }


def test_credentials_in_addresses_are_masked_everywhere(inventory_of):
    inventory = inventory_of(
        {
            "requirements.txt": "-r https://u:word@x.invalid/r.txt\n-e git+https://u:word@x.invalid/a\n",
            "pyproject.toml": '[project]\ndependencies = ["b @ https://u:word@x.invalid/b.zip"]\n',
            "Pipfile.lock": '{"default": {"c": {"git": "https://u:word@x.invalid/c"}}}',
            "pdm.lock": '[[package]]\nname = "d"\nversion = "1"\ngit = "https://u:word@x.invalid/d"\n',
        }
    )
    assert len(inventory.unpinned) == 4
    assert "word" not in repr(inventory)


WORDS = st.sampled_from(
    (
        *("[[package]]", "[package]", "[project]", "name", "version", "dependencies", "groups"),
        *("source", "=", '"a"', '"a==1"', "'", '"""', "[", "]", "{", "}", ",", ".", "\n", " ", "#"),
        *("1", "-r", "-e", "a==1", "\\", ";", "@", "://", "\x00", "\u2028", "é", "(", ")", "*"),
    )
)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=st.lists(WORDS, max_size=40).map("".join))
def test_no_text_ends_the_inventory(tmp_path: Path, text: str):
    names = (*LOCKS, "Pipfile.lock", "requirements.txt", "setup.cfg", "setup.py")
    files = []
    for name in names:
        (tmp_path / name).write_text(text, "utf-8")
        files.append(SourceFile(name, tmp_path / name, len(text)))
    inventory = read_inventory(Target(tmp_path, "x", tuple(files)))
    for package in inventory.packages:
        assert all(place.path in names for place in package.places)
