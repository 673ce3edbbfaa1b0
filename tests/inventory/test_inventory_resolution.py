"""Requirements without a lock, resolved with the real uv against an index on this machine."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import pytest
from support.lockers import index

from scanagg.core.process import Completed, Ended, Stop
from scanagg.inventory import read_inventory
from scanagg.inventory.manifest import Declaration
from scanagg.inventory.resolution import requirement_line, target_python
from scanagg.inventory.uv import Resolver
from scanagg.model import Inventory, Location, Scope, Target

PACKAGES = {
    "web": {"1.0": ("base<2",), "2.0": ("base>=2",)},
    "base": {"1.0": (), "1.5": (), "2.0": ("win; sys_platform == 'win32'",), "2.1": ("win",)},
    "win": {"1.0": ()},
    "old": {"1.0": ("base<1.5",)},
    "check": {"1.0": ("helper",)},
    "helper": {"1.0": ()},
    "extra": {"1.0": (), "2.0rc1": ()},
}
ReadProject = Callable[..., Inventory]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with index(PACKAGES) as address:
        yield address


@pytest.fixture
def resolved(
    make_project: Callable[..., Path],
    read_target: Callable[[Path], Target],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    url: str,
) -> ReadProject:
    """Write files into a project, and read its inventory with what uv resolves."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", url)

    def read(files: Mapping[str, str], day: date = date(2026, 1, 31), **options: Path) -> Inventory:
        root = make_project(files, git_=False)
        resolver = Resolver(tmp_path / "cache", root, day, Stop(), seconds=60)
        return read_inventory(read_target(root), resolver=resolver, **options)

    return read


def versions(inventory: Inventory) -> list[str]:
    return [f"{one.name}=={one.version}" for one in inventory.packages if one.resolved]


def pyproject(dependencies: str, more: str = "") -> str:
    return f'[project]\nname = "own"\nversion = "1"\ndependencies = [{dependencies}]\n{more}'


def test_a_library_is_resolved_with_scopes_and_ways(resolved: ReadProject) -> None:
    more = '[project.optional-dependencies]\nfast = ["extra==1.0"]\n'
    more += '[dependency-groups]\ndev = ["check"]\n'
    inventory = resolved({"pyproject.toml": pyproject('\n  "web>=2",\n', more)})
    assert not inventory.unpinned
    assert not inventory.problems
    packages = {f"{one.name} {one.version}": one for one in inventory.packages}
    assert {name: (one.scope, one.chain, one.resolved) for name, one in packages.items()} == {
        "base 2.1": (Scope.RUNTIME, ("web", "base"), True),
        "check 1.0": (Scope.DEV, ("check",), True),
        "extra 1.0": (Scope.RUNTIME, ("extra",), False),
        "helper 1.0": (Scope.DEV, ("check", "helper"), True),
        "web 2.0": (Scope.RUNTIME, ("web",), True),
        "win 1.0": (Scope.RUNTIME, ("web", "base", "win"), True),
    }
    line = (Location("pyproject.toml", 5),)
    assert packages["web 2.0"].places == packages["web 2.0"].asked == line
    assert (packages["win 1.0"].places, packages["win 1.0"].asked) == ((), line)
    uses = {use.name: (use.project, use.path, use.optional) for use in inventory.uses}
    assert uses["win"] == ("", "pyproject.toml", False)
    assert uses["helper"] == ("", "pyproject.toml", True)


def test_requirements_that_exclude_each_other_are_resolved_in_parts(resolved: ReadProject) -> None:
    inventory = resolved({"requirements.txt": "win\nnowhere\nbase<1.5\nweb>=2\n"})
    assert versions(inventory) == ["base==1.0", "base==2.1", "web==2.0", "win==1.0"]
    (problem,) = inventory.problems
    assert (problem.input, problem.reason.kind) == ("requirements.txt", "resolved-in-parts")
    assert [one.name for one in inventory.unpinned] == ["nowhere"]


@pytest.mark.parametrize(
    ("files", "packages"),
    [
        # All platforms count, as in a lock; pre-releases do not.
        (
            {"requirements.txt": "web>=1\nextra\n"},
            ["base==2.1", "extra==1.0", "web==2.0", "win==1.0"],
        ),
        # A pin limits what the others may be, and its own dependencies are resolved.
        ({"requirements.txt": "web==1.0\nbase\n"}, ["base==1.5"]),
        ({"requirements.txt": "-c limits.txt\nbase\n", "limits.txt": "base<2\n"}, ["base==1.5"]),
        # Each file is installed by itself.
        (
            {"requirements.txt": "old\n", "requirements-web.txt": "web\n"},
            ["base==1.0", "base==2.1", "old==1.0", "web==2.0", "win==1.0"],
        ),
        ({"setup.cfg": "[options]\ninstall_requires =\n  base<1.5\n"}, ["base==1.0"]),
        ({"Pipfile": '[packages]\nbase = "<1.5"\n'}, ["base==1.0"]),
        (
            {"pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.9"\nbase = "^1.0"\n'},
            ["base==1.5"],
        ),
        ({"a.py": '# /// script\n# dependencies = ["old"]\n# ///\n'}, ["base==1.0", "old==1.0"]),
        # Where a lock gives the versions, they count.
        ({"requirements.in": "base\n", "requirements.txt": "base==1.0\n"}, []),
        ({"requirements.txt": "base==1.0\n"}, []),
    ],
)
def test_what_is_resolved(
    resolved: ReadProject, files: Mapping[str, str], packages: list[str]
) -> None:
    inventory = resolved(files)
    assert versions(inventory) == packages
    assert not inventory.unpinned


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        ("nowhere>=1", "text"),
        ("base<1", "text"),
        ("base; python_version < '3.4'", "other-python"),
        ("base; platform_release == '$HOME'", "not-resolvable"),
    ],
)
def test_what_cannot_be_resolved_is_named_beside_the_rest(
    resolved: ReadProject, requirement: str, reason: str
) -> None:
    inventory = resolved({"requirements.txt": f"old\n{requirement}\nweb==1.0\n"})
    assert "old==1.0" in versions(inventory)
    open_ = [(one.name, one.reason.kind, one.reason.values) for one in inventory.unpinned]
    if reason == "other-python":
        # Another package needs it, so it is audited all the same.
        assert open_ == []
        assert "base==1.0" in versions(inventory)
    else:
        # Also if another package leads to a version: it is not one that this line allows.
        ((name, kind, values),) = open_
        assert (name, kind) == (requirement[: len(name)], "not-resolved")
        assert getattr(values["why"], "kind", None) == reason
        assert name not in [one.name for one in inventory.unlocked]


@pytest.mark.parametrize(
    ("requirement", "reason"),
    [
        ("base; python_version < '3.4'", "other-python"),
        ("base; platform_release == '$HOME'", "not-resolvable"),
        ("base<1", "text"),
    ],
)
def test_the_reason_why_a_requirement_stays_open(
    resolved: ReadProject, requirement: str, reason: str
) -> None:
    (open_,) = resolved({"requirements.txt": f"win\n{requirement}\n"}).unpinned
    assert open_.reason.kind == "not-resolved"
    assert getattr(open_.reason.values["why"], "kind", None) == reason


def test_the_lowest_versions_are_those_of_ranges_for_users(resolved: ReadProject) -> None:
    more = '[project.optional-dependencies]\nfast = ["base<2"]\n'
    more += '[dependency-groups]\ndev = ["web"]\n'
    dependencies = '\n  "web>=1",\n  "win==1.0",\n  "nowhere>=2",\n'
    inventory = resolved({"pyproject.toml": pyproject(dependencies, more)})
    lowest = [
        (one.name, one.version, one.specifier, one.place.start_line) for one in inventory.lowest
    ]
    assert lowest == [("web", "1.0", ">=1", 5), ("base", "1.0", "<2", 10)]
    assert {one.version for one in inventory.packages if one.name == "web"} == {"1.0", "2.0"}


@pytest.mark.parametrize(
    "more",
    [
        '[dependency-groups]\ndev = ["base<2"]\n',
        '[project.optional-dependencies]\nfast = ["old"]\n',
        '[tool.uv]\nconstraint-dependencies = ["base<2"]\n',
        '[tool.uv]\noverride-dependencies = ["web==1.0"]\n',
    ],
    ids=lambda more: more.split()[0],
)
def test_what_users_of_a_project_get_depends_on_its_dependencies_only(
    resolved: ReadProject, more: str
) -> None:
    inventory = resolved({"pyproject.toml": pyproject('"web"', more)})
    assert {"web==2.0", "base==2.1", "win==1.0", "web==1.0"} <= {*versions(inventory)}
    assert [(one.name, one.version) for one in inventory.lowest][:1] == [("web", "1.0")]


def test_a_constraint_counts_on_its_condition(resolved: ReadProject) -> None:
    files = {"requirements.txt": "-c limits.txt\nweb\n", "limits.txt": "base<2; os_name == 'x'\n"}
    assert "base==2.1" in versions(resolved(files))


def test_addresses_stay_gaps(resolved: ReadProject) -> None:
    text = "base\nweb @ https://x.example/web.whl\ngit+https://x.example/a.git\n-e ../other\n"
    inventory = resolved({"requirements.txt": text})
    assert versions(inventory) == ["base==2.1", "win==1.0"]
    assert [one.reason.kind for one in inventory.unpinned] == [
        "from-address",
        "from-version-control",
        "from-folder",
    ]


def test_an_environment_comes_first(resolved: ReadProject, tmp_path: Path) -> None:
    packages = tmp_path / "env" / "lib" / "python3.11" / "site-packages"
    (packages / "base-1.0.dist-info").mkdir(parents=True)
    metadata = "Metadata-Version: 2.1\nName: base\nVersion: 1.0\n"
    (packages / "base-1.0.dist-info" / "METADATA").write_text(metadata, encoding="utf-8")
    (tmp_path / "env" / "bin").mkdir()
    (tmp_path / "env" / "bin" / "python").touch()
    (tmp_path / "env" / "pyvenv.cfg").write_text("version = 3.11.1\n", encoding="utf-8")
    inventory = resolved({"requirements.txt": "base\nweb\n"}, python=tmp_path / "env")
    assert versions(inventory) == []
    assert [one.name for one in inventory.unpinned] == ["web"]


def test_an_answer_is_kept_for_the_day(
    resolved: ReadProject, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    # Also that a package is not there.
    files = {"requirements.txt": "base\nnowhere\n"}
    assert versions(resolved(files)) == ["base==2.1", "win==1.0"]
    monkeypatch.setattr("scanagg.inventory.uv.run", lambda *_, **__: pytest.fail("asked again"))
    assert versions(resolved(files)) == ["base==2.1", "win==1.0"]
    for day, text, address in (
        (date(2026, 2, 1), "base\n", url),
        (date(2026, 1, 31), "base<2\n", url),
        (date(2026, 1, 31), "base\n", f"{url}other/"),
    ):
        monkeypatch.setenv("UV_DEFAULT_INDEX", address)
        with pytest.raises(pytest.fail.Exception):
            resolved({"requirements.txt": text}, day)


def test_without_a_network_one_call_fails(
    resolved: ReadProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://user:hunter2@127.0.0.1:9/simple")
    inventory = resolved({f"{name}/requirements.txt": "base\nweb\n" for name in "ab"})
    assert inventory.packages == ()
    assert {one.reason.kind for one in inventory.unpinned} == {"not-resolved"}
    assert "hunter2" not in str(inventory)


HOSTILE = "http://127.0.0.1:9/simple"


@pytest.mark.parametrize(
    "files",
    [
        {"requirements.txt": f"--index-url {HOSTILE}\n--find-links {HOSTILE}\nold\n"},
        {"requirements.txt": "old\n", "uv.toml": f'index-url = "{HOSTILE}"\n'},
        {"requirements.txt": "old\n", "pip.conf": f"[global]\nindex-url = {HOSTILE}\n"},
        {"requirements.txt": "old\n", ".env": f"UV_DEFAULT_INDEX={HOSTILE}\nUV_OFFLINE=1\n"},
        {"requirements.txt": "old\n", ".python-version": "3.99\n"},
        {
            "pyproject.toml": pyproject(
                '"old"',
                f'[[tool.uv.index]]\nurl = "{HOSTILE}"\ndefault = true\n'
                f'[tool.uv]\nindex-url = "{HOSTILE}"\noffline = true\nno-index = true\n'
                f'[tool.uv.pip]\nindex-url = "{HOSTILE}"\n'
                '[tool.uv.sources]\nold = {index = "x"}\n',
            )
        },
    ],
    ids="+".join,
)
def test_no_file_of_the_project_points_elsewhere(
    resolved: ReadProject, files: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "project").mkdir(exist_ok=True)
    monkeypatch.chdir(tmp_path / "project")
    assert versions(resolved(files)) == ["base==1.0", "old==1.0"]


def test_the_cache_may_lie_in_the_project(
    make_project: Callable[..., Path],
    read_target: Callable[[Path], Target],
    monkeypatch: pytest.MonkeyPatch,
    url: str,
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", url)
    settings = f'index-url = "{HOSTILE}"\n'
    root = make_project({"requirements.txt": "old\n", "uv.toml": settings}, git_=False)
    resolver = Resolver(root / ".cache", root, date(2026, 1, 31), Stop(), seconds=60)
    inventory = read_inventory(read_target(root), resolver=resolver)
    assert versions(inventory) == ["base==1.0", "old==1.0"]


def test_the_index_of_pip_counts(
    resolved: ReadProject, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", url)
    assert versions(resolved({"requirements.txt": "old\n"})) == ["base==1.0", "old==1.0"]


@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "PIP_CONFIG_FILE"])
def test_no_settings_of_pip_in_the_project_count(
    resolved: ReadProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    path = tmp_path / "project" / "pip" / "pip.conf"
    monkeypatch.setenv(variable, str(path if variable == "PIP_CONFIG_FILE" else path.parents[1]))
    for name in [name for name in os.environ if name.startswith("PIP_") and name != variable]:
        monkeypatch.delenv(name)
    variables: list[Mapping[str, str]] = []
    monkeypatch.setattr(
        "scanagg.inventory.uv.run",
        lambda argv, *, env, **_: (
            variables.append(env) or Completed(tuple(argv), Ended.NOT_STARTED, None, b"", b"", 0)
        ),
    )
    resolved({"requirements.txt": "old\n", "pip/pip.conf": f"[global]\nindex-url = {HOSTILE}\n"})
    assert variables
    assert HOSTILE not in str(variables)


@pytest.mark.parametrize("where", ["home", "named"])
def test_the_settings_of_the_users_uv_count(
    resolved: ReadProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, url: str, where: str
) -> None:
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", HOSTILE)
    path = tmp_path / "config" / "uv" / "uv.toml"
    path.parent.mkdir(parents=True)
    path.write_text(f'[[index]]\nurl = "{url}"\ndefault = true\n', encoding="utf-8")
    if where == "home":
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    else:
        monkeypatch.setenv("UV_CONFIG_FILE", str(path))
    assert versions(resolved({"requirements.txt": "old\n"})) == ["base==1.0", "old==1.0"]


@pytest.mark.parametrize(
    ("settings", "packages"),
    [
        (
            (
                "no-deps = true\ngenerate-hashes = true\nemit-index-annotation = true\n"
                'no-annotate = true\nresolution = "lowest"\noutput-file = "elsewhere.txt"\n'
            ),
            ["base==1.0", "old==1.0"],
        ),
        ('no-emit-package = ["base"]\n', []),
    ],
)
def test_settings_of_the_user_leave_nothing_out(
    resolved: ReadProject,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    settings: str,
    packages: list[str],
) -> None:
    path = tmp_path / "uv.toml"
    output = tmp_path / "elsewhere.txt"
    path.write_text(f"[pip]\n{settings}".replace(output.name, str(output)), encoding="utf-8")
    monkeypatch.setenv("UV_CONFIG_FILE", str(path))
    inventory = resolved({"requirements.txt": "old\n"})
    assert versions(inventory) == packages
    assert bool(packages) != bool(inventory.unpinned)
    assert not output.exists()


@pytest.mark.parametrize("answer", [b"base==???\n", b"base==1.0\n\xff", b"ba", None])
def test_an_answer_that_is_no_list_of_packages_is_none(
    resolved: ReadProject, monkeypatch: pytest.MonkeyPatch, answer: bytes | None
) -> None:
    def run(argv: Sequence[str], *, cwd: Path, **_: object) -> Completed:
        file = cwd / argv[argv.index("--output-file") + 1]
        file.unlink() if answer is None else file.write_bytes(answer)
        return Completed(tuple(argv), Ended.EXITED, 0, b"", b"", 0)

    monkeypatch.setattr("scanagg.inventory.uv.run", run)
    inventory = resolved({"requirements.txt": "base\n"})
    assert inventory.packages == ()
    assert [one.reason.kind for one in inventory.unpinned] == ["not-resolved"]


PLACE = Location("requirements.txt", 1)


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({}, "web"),
        ({"extras": ("b", "a"), "specifier": ">=1,<2"}, "web[a,b]<2,>=1"),
        ({"pin": "1.0", "specifier": ">=1"}, "web==1.0"),
        ({"marker": "os_name == 'nt'"}, 'web; os_name == "nt"'),
        # Everything that would be more than one requirement.
        ({"extras": ("a]\n--index-url http://x",)}, None),
        ({"extras": ("a] @ file:///etc/passwd ; [",)}, None),
        ({"specifier": ">=1\n-r /etc/passwd"}, None),
        ({"specifier": " @ https://x.example/web.whl"}, None),
        ({"specifier": ">=1 --index-url http://x"}, None),
        ({"specifier": "===${UV_DEFAULT_INDEX}"}, None),
        ({"marker": "os_name == '${HOME}'"}, None),
        ({"marker": "os_name == 'a\\\\'"}, None),
        ({"marker": "os_name == 'nt' #"}, None),
        ({"name": "-r /etc/passwd"}, None),
        ({"name": "--index-url"}, None),
    ],
)
def test_the_line_for_uv(fields: Mapping[str, object], line: str | None) -> None:
    values = {"name": "web", "text": "", "place": PLACE, "source": "x", **fields}
    assert requirement_line(Declaration(**values)) == line  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("supported", "python"),
    [
        ("", "3.11"),
        (">=3.8", "3.11"),
        (">=3.13", "3.13"),
        ("<3.10", "3.9"),
        (">=3.11.4", "3.11"),
        ("==3.9.*", "3.9"),
        ("<3", None),
        (">=4", None),
    ],
)
def test_target_python(monkeypatch: pytest.MonkeyPatch, supported: str, python: str | None) -> None:
    monkeypatch.setattr("scanagg.inventory.resolution.RUNNING", "3.11")
    assert target_python(supported) == python
