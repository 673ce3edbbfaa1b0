"""Requirements files are read as pip reads them; lines that pip would refuse are problems."""

import pytest

from scanagg.inventory import requirements
from scanagg.model import Reason, Scope

UNPINNED = Reason("no-exact-version")


def test_a_pin_is_a_package_with_normal_name_version_and_purl(inventory_of):
    (package,) = inventory_of({"requirements.txt": "# first\nFoo_Bar[x] == 1.0.0-RC1\n"}).packages
    assert (package.name, package.version) == ("foo-bar", "1.0.0rc1")
    assert package.purl == "pkg:pypi/foo-bar@1.0.0rc1"
    assert package.scope is Scope.RUNTIME
    assert package.direct is None
    assert [(place.path, place.start_line) for place in package.places] == [("requirements.txt", 2)]


@pytest.mark.parametrize(
    ("line", "version"),
    [
        ("a==1.0", "1.0"),
        ("a===2004d", "2004d"),
        ("a (==1.0)", "1.0"),
        ("a==1.0,>=0.9", "1.0"),
        ("a==1!2.0+cpu", "1!2.0+cpu"),
        ('a==1.0 ; python_version < "3.12"', "1.0"),
        ("a==1.0 --hash=sha256:00 --hash=sha256:01", "1.0"),
        ("a==1.0 \\\n  --hash=sha256:00 \\\n  --hash=sha256:01", "1.0"),
        ("a==1.0 # why", "1.0"),
        ("a \\\n == \\\n 1.0", "1.0"),
        ("a == \\\n1.0 \\", "1.0"),
        ("a==1.0 ;", "1.0"),
        ("a==1.0;", "1.0"),
        ("a==1.0 ; # why", "1.0"),
        ("a[x]==1.0\u3000;\xa0", "1.0"),
        ("a==1.0 ; --hash=sha256:00", "1.0"),
        ("a==1.0 \\\n  ; --hash=sha256:00", "1.0"),
        ("a==1.0 \\\n# a comment ends the line\n--pre", "1.0"),
    ],
)
def test_exact_versions(inventory_of, line, version):
    inventory = inventory_of({"requirements.txt": line})
    assert [(one.name, one.version) for one in inventory.packages] == [("a", version)]
    assert not inventory.problems
    assert not inventory.unpinned


@pytest.mark.parametrize(
    "line", ["a", "a>=1", "a>=1 ;", "a==1.*", "a~=1.0", "a[x]", "a!=1", "a ; python_version<'4'"]
)
def test_a_requirement_without_exact_version_is_open(inventory_of, open_, line):
    inventory = inventory_of({"requirements.txt": f"\n{line}\n"})
    assert not inventory.packages
    assert open_(inventory) == {"requirements.txt:2 a": UNPINNED}
    assert inventory.unpinned[0].text == line


def test_own_folders_are_not_listed(inventory_of, make_project):
    root = make_project({}, git_=False)
    lines = ["-e .", "-e ./lib[x]", "lib", "./lib", f"file://{root}/lib", f"lib @ file://{root}"]
    inventory = inventory_of({"requirements.txt": "\n".join(lines), "lib/x/setup.cfg": "[a]\n"})
    assert [one.text for one in inventory.unpinned] == ["lib"], "a bare name is one of the index"
    assert not inventory.packages
    assert not inventory.problems


def test_unknown_options_are_problems(inventory_of, problems):
    text = (
        "--index-url https://index.invalid\n-i=x\n--extra-index-url=https://index.invalid\n"
        "-f wheels --no-index\n--pre\n--require-hashes\n--only-bin :all:\n"
        "--frobnicate\n-x\n--index-url\n-r 'open\n-e\n--e\na==1.0\n"
    )
    inventory = inventory_of({"requirements.txt": text})
    assert [one.name for one in inventory.packages] == ["a"]
    assert list(problems(inventory)) == [f"requirements.txt:{line}" for line in range(8, 14)]


def test_an_empty_editable_is_a_problem(inventory_of, problems):
    inventory = inventory_of({"requirements.txt": "-e ''\n"})
    assert problems(inventory) == {"requirements.txt:1": Reason("empty-option")}


def test_broken_lines_are_problems_and_the_rest_is_read(inventory_of, pins, problems):
    text = "a==1.0\n== 2\nb==one two\n${PKG}==1\nc==1.0#not-a-comment!\n;\nd===a/b\ne==2\nf==1 ;;\n"
    inventory = inventory_of({"requirements.txt": text})
    assert list(pins(inventory)) == ["a==1.0", "e==2"]
    assert list(problems(inventory)) == [f"requirements.txt:{line}" for line in (*range(2, 8), 9)]
    assert problems(inventory)["requirements.txt:2"] == Reason(
        "not-a-requirement", {"text": "== 2"}
    )
    assert problems(inventory)["requirements.txt:7"] == Reason("bad-version", {"version": "a/b"})


def test_duplicates_are_one_package_and_conflicts_are_two(inventory_of, pins):
    text = "a==1.0\nA==1.1\nb==1\nB==1\n"
    assert pins(inventory_of({"requirements.txt": text})) == {
        "a==1.0": "runtime unknown requirements.txt:1",
        "a==1.1": "runtime unknown requirements.txt:2",
        "b==1": "runtime unknown requirements.txt:3 requirements.txt:4",
    }


def test_two_spellings_of_a_version_are_one_package_in_the_shorter(inventory_of, pins):
    inventory = inventory_of(
        {
            "requirements.in": "a==1.0.0\nc\n",
            "requirements.txt": "a==1.0.0\nb==1.0+x\nb==1.0\nc===2004d\nc===2004d0\n",
            "dev-requirements.txt": "a==1\nA==1.0\nb==0!1.0.0+X\n",
        }
    )
    assert pins(inventory) == {
        "a==1": "runtime direct dev-requirements.txt:1 dev-requirements.txt:2 requirements.in:1"
        " requirements.txt:1",
        "b==1.0": "runtime unknown requirements.txt:3",
        "b==1.0+x": "runtime unknown dev-requirements.txt:3 requirements.txt:2",
        "c==2004d": "runtime direct requirements.in:2 requirements.txt:4",
        "c==2004d0": "runtime direct requirements.in:2 requirements.txt:5",
    }
    assert inventory.packages[0].purl == "pkg:pypi/a@1"
    assert [place.path for place in inventory.packages[0].asked] == ["requirements.in"]


def test_a_request_may_spell_the_version_differently(inventory_of):
    files = {"requirements.in": "a==1.0\n", "requirements.txt": "a==1.0.0\n    # via -r x.in\n"}
    (package,) = inventory_of(files).packages
    assert (package.version, package.direct) == ("1.0", True)
    assert [place.path for place in package.asked] == ["requirements.in"]


def test_includes_are_relative_to_their_file(inventory_of, pins):
    inventory = inventory_of(
        {
            "requirements.txt": "-r deps/base.list\n--requirement=deps/more.list\n-rdeps/base.list",
            "deps/base.list": "a==1\n-r more.list\n",
            "deps/more.list": "b==1\n-r ../requirements.txt\n-r base.list\n",
        }
    )
    assert pins(inventory) == {
        "a==1": "runtime unknown deps/base.list:1",
        "b==1": "runtime unknown deps/more.list:1",
    }
    assert inventory.manifests == ("deps/base.list", "deps/more.list", "requirements.txt")
    assert not inventory.problems


def test_includes_that_cannot_be_read_are_problems(inventory_of, problems, tmp_path):
    (tmp_path / "outside.txt").write_text("evil==1\n")
    inventory = inventory_of(
        {
            "a/requirements.txt": "-r ../../outside.txt\n-r /etc/passwd\n-r missing.txt\n"
            "-c https://x.invalid/c.txt\n-r b.txt\n",
            "a/b.txt": "-r nowhere.txt\n",
        }
    )
    assert not inventory.packages
    assert set(problems(inventory)) == {
        *(f"a/requirements.txt:{line}" for line in range(1, 5)),
        "a/b.txt:1",
    }


def test_files_that_include_each_other_without_end_are_cut_off(inventory_of, problems, monkeypatch):
    monkeypatch.setattr(requirements, "_MAX_INCLUDES", 3)
    files = {
        f"constraint-{number}.pdf": f"-r constraint-{number + 1}.pdf\na==1\n" for number in range(9)
    }
    inventory = inventory_of({"requirements.txt": "-r constraint-0.pdf", **files})
    assert list(problems(inventory)) == ["constraint-2.pdf"]


def test_a_constraint_pins_what_is_required(inventory_of, pins):
    inventory = inventory_of(
        {
            "requirements.txt": "a>=1\nb==2\n-c constraints.txt\n",
            "constraints.txt": "a==1.5\nb==2.0\nc==3\nd<4\n",
        }
    )
    assert pins(inventory) == {
        "a==1.5": "runtime unknown constraints.txt:1 requirements.txt:1",
        "b==2": "runtime unknown constraints.txt:2 requirements.txt:2",
    }
    assert not inventory.unpinned
    assert not inventory.notices[1:]
    values = {"path": "constraints.txt", "number": 1, "packages": ("c==3",)}
    assert inventory.notices[0] == Reason("only-constraints", values)


def test_a_constraint_pins_what_a_compiler_says_is_needed(inventory_of):
    constraints = (
        "web==1\n  # via -r x.in\nbase==2 # via web\nloop==1 # via loop\n"
        "deep==3\n  # via\n  #   base\n  #   deep\nother==4 # via loop\n"
    )
    inventory = inventory_of(
        {"requirements.txt": "Web>=1\n-c limits", "limits": constraints, "b/deps": "other==4"}
    )
    assert [one.name for one in inventory.packages] == ["base", "deep", "other", "web"]
    (notice,) = inventory.notices
    assert notice.values["packages"] == ("loop==1",)


def test_a_constraint_on_another_version_than_the_required_one_is_no_package(inventory_of, pins):
    inventory = inventory_of({"requirements.txt": "a==1\n-c limits\n", "limits": "a==2\n"})
    assert list(pins(inventory)) == ["a==1"]


def test_constraints_count_only_where_they_are_included(inventory_of):
    files = {"constraints.txt": "a==1", "requirements/constraints.txt": "b==1"}
    inventory = inventory_of({**files, "requirements.txt": ""})
    assert not inventory.packages
    assert inventory.manifests == ("requirements.txt",)


def test_what_a_constraint_includes_is_a_constraint(inventory_of, pins):
    inventory = inventory_of(
        {"requirements.txt": "a\n-c c.list", "c.list": "-r d.list\n", "d.list": "a==1\nb==1\n"}
    )
    assert pins(inventory) == {"a==1": "runtime unknown d.list:1 requirements.txt:1"}
    assert not inventory.unpinned


def test_comments_of_compilers_show_what_is_direct(inventory_of):
    text = (
        "# by a compiler\n"
        "flask==2.0 \\\n    --hash=sha256:00\n    # via -r requirements.in\n"
        "jinja2==3.0\n    # via\n    #   flask\n    #   -c other.txt\n"
        "markupsafe==2.0\n    # via jinja2\n    # something else\n"
        "click==8.0 # via flask, own\n"
        "six==1.0 \\\n    # via own\n"
        "lone==1.0\n"
    )
    inventory = inventory_of(
        {"requirements.txt": text, "pyproject.toml": '[project]\nname="own"\ndependencies=[]'}
    )
    assert {one.name: (one.direct, one.requires) for one in inventory.packages} == {
        "click": (True, ()),
        "flask": (True, ("click", "jinja2")),
        "jinja2": (False, ("markupsafe",)),
        "lone": (None, ()),
        "markupsafe": (False, ()),
        "six": (True, ()),
    }


@pytest.mark.parametrize(
    "raw",
    [
        b"\xef\xbb\xbfa==1\r\nb==2\r\n",
        "\ufeffa==1\nb==2\n".encode("utf-16-le"),
        "\ufeffa==1\nb==2\n".encode("utf-16-be"),
        "\ufeffa==1\nb==2\n".encode("utf-32-le"),
        "\ufeffa==1\nb==2\n".encode("utf-32-be"),
        b"a==1 # caf\xe9\nb==2",
        b"a==1\rb==2",
        b"a==1\n\x0c\nb==2\n",
        "# coding: latin-1\n# \xe9\na==1\nb==2\n".encode("latin-1"),
        b"# coding:\x0cutf-7\n#+AAo-a==1\nb==2\n",
        b"#!pip -*- coding=\tutf-7 -*-\na+AD0APQ-1\nb==2\n",
        b" # coding: utf-7\n#+AAo-c==1\na==1\nb==2\n",
    ],
)
def test_encodings_and_line_ends(inventory_of, raw):
    inventory = inventory_of({"requirements.txt": raw})
    assert [f"{one.name}=={one.version}" for one in inventory.packages] == ["a==1", "b==2"]
    assert not inventory.problems


def test_a_line_that_editors_do_not_show_as_one_is_read_as_pip_does(inventory_of, pins):
    inventory = inventory_of({"requirements.txt": "# nothing here\u2028evil==1\nb==2\n"})
    assert pins(inventory) == {
        "b==2": "runtime unknown requirements.txt:2",
        "evil==1": "runtime unknown requirements.txt:1",
    }


@pytest.mark.parametrize(
    ("raw", "where", "reason"),
    [
        (b"a==1\n\0\xff", "requirements.txt", Reason("not-text")),
        (
            b"# coding: klingon\na==1",
            "requirements.txt:1",
            Reason("unknown-encoding", {"encoding": "klingon"}),
        ),
        (
            b"# coding: punycode\na==1",
            "requirements.txt:1",
            Reason("unknown-encoding", {"encoding": "punycode"}),
        ),
        (
            b"# coding: hex\na==1",
            "requirements.txt:1",
            Reason("unknown-encoding", {"encoding": "hex"}),
        ),
        (
            b"\xff\xff==1\n",
            "requirements.txt:1",
            Reason("not-a-requirement", {"text": "\ufffd\ufffd==1"}),
        ),
    ],
)
def test_a_file_that_is_not_text_is_a_problem(inventory_of, problems, raw, where, reason):
    assert problems(inventory_of({"requirements.txt": raw})) == {where: reason}


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("requirements.txt", Scope.RUNTIME),
        ("requirements-prod.txt", Scope.RUNTIME),
        ("requirements-no-dev.txt", Scope.RUNTIME),
        ("requirements/base.txt", Scope.RUNTIME),
        ("requirements3.txt", Scope.RUNTIME),
        ("app.requirements.txt", Scope.RUNTIME),
        ("contest/requirements.txt", Scope.RUNTIME),
        ("requirements-dev.txt", Scope.DEV),
        ("requirements_test.txt", Scope.DEV),
        ("requirementsdev.txt", Scope.DEV),
        ("dev-requirements.txt", Scope.DEV),
        ("requirements/test.txt", Scope.DEV),
        ("requirements/py311-lint.txt", Scope.DEV),
        ("requirements/pre-commit.txt", Scope.DEV),
        ("docs/requirements.txt", Scope.DEV),
        ("a/Tests/b/requirements.txt", Scope.DEV),
        ("reqs/testing.in", Scope.DEV),
    ],
)
def test_names_of_files_and_folders_give_the_scope(inventory_of, path, scope):
    (package,) = inventory_of({path: "a==1\n"}).packages
    assert package.scope is scope


@pytest.mark.parametrize(
    "path", ["requirements/README.txt", "notes.txt", "requirements.md", "requirements/a.json"]
)
def test_other_files_are_no_manifests(inventory_of, path):
    assert inventory_of({path: "Not in use:\na==1\n"}).manifests == ()


def test_what_a_runtime_file_includes_is_runtime(inventory_of, pins):
    files = {"requirements.txt": "-r requirements-dev.txt", "requirements-dev.txt": "a==1"}
    assert pins(inventory_of(files)) == {"a==1": "runtime unknown requirements-dev.txt:1"}


def test_an_in_file_is_covered_by_what_was_compiled_from_it(inventory_of, pins, open_):
    inventory = inventory_of(
        {
            "requirements/base.in": "flask>=2\nlate\nwinonly; sys_platform=='win32'\nb==1\n",
            "requirements/base.txt": "flask==2.0\njinja2==3.0\nb==1\n",
            "requirements/dev.in": "-r base.in\npytest\n",
            "requirements/dev.txt": "pytest==8\n",
        }
    )
    again = Reason("not-in-the-lock", {"lock": "base.txt", "command": "pip-compile"})
    assert pins(inventory) == {
        "b==1": "runtime direct requirements/base.in:4 requirements/base.txt:3",
        "flask==2.0": "runtime direct requirements/base.in:1 requirements/base.txt:1",
        "jinja2==3.0": "runtime unknown requirements/base.txt:2",
        "pytest==8": "dev direct requirements/dev.in:2 requirements/dev.txt:1",
    }
    assert open_(inventory)["requirements/base.in:2 late"] == again
    assert open_(inventory)["requirements/base.in:3 winonly"] == again


def test_an_in_file_alone_is_open(inventory_of, open_):
    assert open_(inventory_of({"requirements.in": "flask\n"})) == {
        "requirements.in:1 flask": UNPINNED
    }


def test_spaces_without_end_cost_no_time(inventory_of):
    text = "a==1" + " " * 200_000 + "b\n" + "# " * 50_000 + "\nc==1\n"
    inventory = inventory_of({"requirements.txt": text})
    assert [one.name for one in inventory.packages] == ["c"]


def test_files_that_all_include_each_other_are_read_up_to_a_limit(inventory_of, monkeypatch):
    monkeypatch.setattr(requirements, "_MAX_INCLUDED_LINES", 20)
    names = [f"requirements-{number}.txt" for number in range(5)]
    text = "".join(f"-r {name}\n" for name in names)
    inventory = inventory_of(dict.fromkeys(names, f"{text}a==1.0\n"))
    assert [one.name for one in inventory.packages] == ["a"]
    reason = Reason("too-many-included-lines", {"number": 20})
    assert {problem.reason for problem in inventory.problems} == {reason}
