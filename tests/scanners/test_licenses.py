"""Licences: the real pip-licenses on real environments, the real pip on a folder of wheels."""

import hashlib
import io
import json
import os
import socket
import sys
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from msgspec.structs import replace
from packaging.version import Version
from support.drive import Driven, context, drive, inventory, package

from scanagg.core.errors import ConfigError
from scanagg.inventory.environment import find
from scanagg.model import (
    Category,
    Inventory,
    LicenseFacts,
    LicenseFile,
    Location,
    NotExamined,
    Reason,
    Requirement,
    plain,
)
from scanagg.model.network import unreachable
from scanagg.project.installed import packages
from scanagg.reports.reasons import sentence
from scanagg.scanners import licenses, pinned
from scanagg.scanners.base import Output
from scanagg.scanners.licenses import site_packages, texts

MIT = ("License: MIT", "Classifier: License :: OSI Approved :: MIT License")
PIP_VERSION = tuple(int(part) for part in metadata.version("pip").split(".")[:2])


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is pip's only source of packages, by the user's own settings."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", folder.as_uri())
    return folder


@pytest.fixture
def look(tmp_path: Path, index: Path):
    """Look up the licences of an inventory; return the result."""

    def run(found: Inventory, **changes: object) -> Driven:
        root = tmp_path / "project"
        root.mkdir(exist_ok=True)
        if python := changes.pop("python", None):
            found = replace(found, environment=find(root, Path(str(python)))[0])
        return drive(licenses, context(root, found, **changes), tmp_path)

    return run


def wheel(index: Path, name: str, version: str, *fields: str, core: str = "2.1", tag: str = "py3"):
    stem = f"{name}-{version}"
    info = f"{stem}.dist-info"
    head = (f"Metadata-Version: {core}", f"Name: {name}", f"Version: {version}")
    with zipfile.ZipFile(index / f"{stem}-{tag}-none-any.whl", "w") as archive:
        archive.writestr(f"{info}/METADATA", "\n".join((*head, *fields)) + "\n\n")
        archive.writestr(f"{info}/WHEEL", f"Wheel-Version: 1.0\nTag: {tag}-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def environment(folder: Path, **packages: tuple[str, ...]) -> Path:
    """A virtual environment with nothing but the metadata of `name_version` packages."""
    venv.create(folder, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    for name, fields in packages.items():
        install(site, name.replace("__", "-").replace("_", "."), *fields)
    return folder / "bin" / "python"


def install(site: Path, stem: str, *fields: str) -> None:
    name, _, version = stem.partition("-")
    info = site / f"{stem}.dist-info"
    info.mkdir()
    head = ("Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}")
    (info / "METADATA").write_text("\n".join((*head, *fields)) + "\n\n")


def facts(done: Driven) -> dict[str, LicenseFacts]:
    return {one.package.name: one.license for one in done.observations}


# -- by pip, where there is no environment ---------------------------------------------------------


def test_metadata_of_exact_pins_without_installing(look, index: Path) -> None:
    wheel(index, "one", "1.0", *MIT)
    wheel(index, "one", "2.0", "License: GPL-3.0-only")
    wheel(index, "two", "1.0")
    done = look(inventory("one==1.0", "two==1.0"))
    assert done.examined == ["one==1.0", "two==1.0"]
    assert facts(done) == {
        "one": LicenseFacts(None, "MIT", ("MIT License",), "pip metadata"),
        "two": LicenseFacts(None, None, (), "pip metadata"),
    }


def test_an_observation_names_package_licence_and_places(look, index: Path) -> None:
    wheel(index, "one", "1.0", *MIT)
    wheel(index, "two", "1.0")
    found = (package("one==1.0", "a.txt:3", "b.txt:4"), package("two==1.0"))
    one, two = look(Inventory(packages=found)).observations
    assert one.category is Category.LICENSE
    assert (one.scanner, one.rule.id, one.package) == ("licenses", "license", found[0])
    assert one.location == Location("a.txt", 3)
    assert one.places == (Location("a.txt", 3), Location("b.txt", 4))
    assert one.title == "one 1.0: MIT"
    assert two.title == "two 1.0: no licence stated"
    assert two.location is None


def test_license_expression_is_read_or_its_loss_is_seen(look, index: Path) -> None:
    wheel(index, "one", "1.0", "License-Expression: MIT OR Apache-2.0", core="2.4")
    done = look(inventory("one==1.0"))
    if PIP_VERSION >= (25, 0):
        assert facts(done)["one"].expression == "MIT OR Apache-2.0"
    else:
        assert not done.examined
        assert "License-Expression" in sentence(done.reasons["one==1.0"])


def test_a_newer_package_without_any_licence_is_examined_by_a_newer_pip(tmp_path: Path) -> None:
    entry = {"metadata": {"name": "one", "version": "1.0", "metadata_version": "2.4"}}
    ctx = context(tmp_path, inventory("one==1.0"))
    for pip, examined in (("24.3.1", ()), ("25.0", ("one==1.0",))):
        text = json.dumps({"version": "1", "pip_version": pip, "install": [entry]})
        parsed = licenses.parse(ctx, Output(0, text.encode(), "", ("one==1.0",)))
        assert parsed.examined == examined


def test_a_licence_text_is_cut_so_that_it_is_no_expression(look, index: Path) -> None:
    wheel(index, "one", "1.0", "License: MIT", "        but only on Sundays", "        ok?")
    wheel(index, "two", "1.0", "License: UNKNOWN")
    wheel(index, "three", "1.0", f"License: {'x' * 900}")
    found = facts(look(inventory("one==1.0", "two==1.0", "three==1.0")))
    assert found["one"].text == "MIT […]"
    assert found["two"].text is None
    assert len(found["three"].text) == 200


def test_a_whole_licence_text_in_the_field_is_recognised(tmp_path: Path) -> None:
    mit = known_text("pytest", "LICENSE").decode()
    pins = ("one==1.0", "two==1.0")
    fields = {"one": mit, "two": mit.replace("without restriction", "with restrictions")}
    entries = [
        {"metadata": {"name": name, "version": "1.0", "license": text}}
        for name, text in fields.items()
    ]
    text = json.dumps({"version": "1", "pip_version": "25.0", "install": entries})
    parsed = licenses.parse(context(tmp_path, inventory(*pins)), Output(0, text.encode(), "", pins))
    assert [one.license.whole_text for one in parsed.observations] == ["MIT", ""]


def test_nothing_is_built_and_the_rest_is_looked_up(look, index: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    setup = (
        f"open({str(ran)!r}, 'w')\nfrom setuptools import setup\nsetup(name='source')\n".encode()
    )
    with tarfile.open(index / "source-1.0.tar.gz", "w:gz") as archive:
        for name, text in (("setup.py", setup), ("PKG-INFO", b"Name: source\nVersion: 1.0\n")):
            entry = tarfile.TarInfo(f"source-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    wheel(index, "one", "1.0", *MIT)
    wheel(index, "two", "1.0", *MIT)
    done = look(inventory("one==1.0", "private==3", "source==1.0", "two==1.0"))
    assert done.examined == ["one==1.0", "two==1.0"]
    assert set(done.reasons) == {"private==3", "source==1.0"}
    for pin, reason in done.reasons.items():
        error = f"No matching distribution found for {pin}"
        assert reason == Reason("no-wheel", {"error": error})
    assert not ran.exists()


def test_a_wheel_for_another_python_does_not_fit(look, index: Path) -> None:
    wheel(index, "old", "1.0", *MIT, tag="py2")
    assert look(inventory("old==1.0")).reasons["old==1.0"].kind == "no-wheel"


def test_a_package_that_would_not_run_here_has_a_licence_all_the_same(look, index: Path) -> None:
    wheel(index, "new", "1.0", "Requires-Python: >=3.99", *MIT)
    assert look(inventory("new==1.0")).examined == ["new==1.0"]


def test_a_name_in_two_versions_goes_into_two_calls(look, index: Path) -> None:
    wheel(index, "one", "1.0", "License: MIT")
    wheel(index, "one", "2.0", "License: GPL-3.0-only")
    done = look(inventory("one==1.0", "one==2.0"))
    assert done.examined == ["one==1.0", "one==2.0"]
    assert [output.inputs for output in done.outputs[1:]] == [("one==1.0",), ("one==2.0",)]
    stated = {one.package.version: one.license.text for one in done.observations}
    assert stated == {"1.0": "MIT", "2.0": "GPL-3.0-only"}


def test_spellings_of_name_and_version_meet(look, index: Path) -> None:
    wheel(index, "Zope_Interface", "1.0b1", *MIT)
    done = look(inventory("zope-interface==1.0-beta1"))
    assert done.examined == ["zope-interface==1.0-beta1"]


def test_a_broken_wheel_costs_only_itself(look, index: Path) -> None:
    (index / "bad-1.0-py3-none-any.whl").write_bytes(b"not a zip file")
    for name in ("one", "two", "zoo"):
        wheel(index, name, "1.0", *MIT)
    done = look(inventory("bad==1.0", "one==1.0", "two==1.0", "zoo==1.0"))
    assert done.examined == ["one==1.0", "two==1.0", "zoo==1.0"]
    assert "bad" in sentence(done.reasons["bad==1.0"])


def test_an_unreachable_index_is_a_failure_once(
    look, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    done = look(inventory("one==1.0", "two==1.0"))
    assert len(done.outputs) == 1
    assert not done.examined
    reason = done.reasons["one==1.0"]
    assert reason == unreachable("the package index", Reason("connection-refused"))
    assert done.reasons["two==1.0"] == reason


def test_the_users_verbosity_does_not_spoil_the_report(
    look, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(index, "one", "1.0", *MIT)
    monkeypatch.setenv("PIP_VERBOSE", "3")
    assert look(inventory("one==1.0")).examined == ["one==1.0"]
    monkeypatch.setenv("PIP_QUIET", "3")
    assert look(inventory("absent==1.0")).reasons["absent==1.0"].kind == "no-wheel"


def test_what_is_not_pinned_is_counted(look) -> None:
    loose = Requirement("flask", "flask>=2", Location("pyproject.toml", 7), plain("no lock file"))
    bad = NotExamined("requirements.txt:3", plain("not a requirement"))
    done = look(Inventory(unpinned=(loose,), problems=(bad,)))
    assert done.reasons == {
        "flask>=2 (pyproject.toml:7)": plain("no lock file"),
        "requirements.txt:3": plain("not a requirement"),
    }
    assert not done.outputs


def test_calls_are_spread_over_the_workers(tmp_path: Path) -> None:
    def sizes(count: int, workers: int) -> list[int]:
        pins = tuple(f"p{n}==1" for n in range(count))
        ctx = context(tmp_path, inventory(*pins), workers=workers)
        batches = licenses.batches(ctx, licenses.inputs(ctx))
        assert [*map(len, batches)] == [count] * bool(count), "the index is asked once"
        failed = [Output(1, b"", "ERROR: dear me", batch) for batch in batches]
        return [len(batch) for output in failed for batch in licenses.again(ctx, output)]

    assert sizes(8, 4) == [8]
    assert sizes(30, 2) == [15, 15]
    assert sizes(100, 2) == [34, 33, 33]
    assert sizes(0, 2) == []


# -- what earlier runs stored ----------------------------------------------------------------------


def test_facts_are_kept_by_package_and_version(look, index: Path) -> None:
    wheel(index, "one", "1.0", *MIT)
    first = look(inventory("one==1.0"))
    for file in index.iterdir():
        file.unlink()
    again = look(inventory("one==1.0"), cached=first.store)
    assert not again.outputs
    assert again.examined == ["one==1.0"]
    assert again.observations == first.observations


def test_a_spoilt_record_is_looked_up_again(look, index: Path) -> None:
    wheel(index, "one", "1.0", *MIT)
    done = look(inventory("one==1.0"), cached={"one==1.0": '{"text": 7}', "gone==1": "{}"})
    assert done.examined == ["one==1.0"]
    assert {output.inputs for output in done.outputs} == {("one==1.0",)}


def test_offline_only_what_is_stored_or_installed(look, index: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", here__1_0=MIT)
    wheel(index, "one", "1.0", *MIT)
    stored = look(inventory("one==1.0")).store
    found = inventory("here==1.0", "one==1.0", "two==1.0")
    done = look(found, cached=stored, offline=True, python=python)
    assert done.examined == ["here==1.0", "one==1.0"]
    assert {pin: reason.kind for pin, reason in done.reasons.items()} == {"two==1.0": "offline"}
    assert len(done.outputs) == 1


# -- by pip-licenses, on the project's environment -------------------------------------------------


def test_the_environment_states_all_three_sources(look, tmp_path: Path) -> None:
    python = environment(
        tmp_path / "env",
        one__1_0=MIT,
        two__1_0=("License-Expression: MIT OR Apache-2.0",),
        three__1_0=(
            "Classifier: License :: OSI Approved :: MIT License",
            "Classifier: License :: OSI Approved :: BSD License",
            "Classifier: License :: OSI Approved",
        ),
        four__1_0=(),
    )
    done = look(inventory("one==1.0", "two==1.0", "three==1.0", "four==1.0"), python=python)
    assert len(done.outputs) == 1
    assert facts(done) == {
        "one": LicenseFacts(None, "MIT", ("MIT License",), "environment"),
        "two": LicenseFacts("MIT OR Apache-2.0", None, (), "environment"),
        "three": LicenseFacts(None, None, ("BSD License", "MIT License"), "environment"),
        "four": LicenseFacts(None, None, (), "environment"),
    }
    assert not done.store, "an environment is asked each time: it is quick, and it changes"


def test_both_ways_say_the_same(look, index: Path, tmp_path: Path) -> None:
    fields = (
        "License: BSD-3-Clause",
        "Classifier: License :: OSI Approved :: BSD License",
        "Classifier: License :: OSI Approved :: Apache Software License",
        "Classifier: Topic :: Utilities",
    )
    wheel(index, "one", "1.0", *fields)
    python = environment(tmp_path / "env", one__1_0=fields)
    by_pip = facts(look(inventory("one==1.0")))["one"]
    installed = facts(look(inventory("one==1.0"), python=python))["one"]
    assert (by_pip.text, by_pip.classifiers) == (installed.text, installed.classifiers)


@pytest.mark.parametrize("packages", [("pip", "prettytable", "wcwidth"), ("setuptools",)])
def test_system_packages_count_like_all_others(look, tmp_path: Path, packages) -> None:
    """pip-licenses omits its own dependencies by default."""
    python = environment(tmp_path / "env", **{f"{name}__1_0": MIT for name in packages})
    pins = sorted(f"{name}==1.0" for name in packages)
    assert look(inventory(*pins), python=python).examined == pins


def test_a_path_with_a_space_hides_nothing(look, tmp_path: Path) -> None:
    python = environment(tmp_path / "my project" / ".venv", one__1_0=MIT)
    done = look(inventory("one==1.0"), python=python)
    assert done.examined == ["one==1.0"]
    assert facts(done)["one"].source == "environment"


def test_a_broken_interpreter_hides_nothing_and_is_not_run(look, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", one__1_0=MIT)
    python.unlink()
    python.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    python.chmod(0o755)
    done = look(inventory("one==1.0"), python=python)
    assert done.examined == ["one==1.0"]
    assert not (tmp_path / "ran").exists()


def test_code_in_the_environment_is_not_run(look, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", one__1_0=MIT)
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    for name in ("sitecustomize.py", "json.py", "prettytable.py", "wcwidth.py", "email.py"):
        (site / name).write_text(trap)
    (site / "trap.pth").write_text(f"import os; {trap}")
    assert look(inventory("one==1.0"), python=python).examined == ["one==1.0"]
    assert not (tmp_path / "ran").exists()


def test_a_leftover_without_metadata_hides_nothing(look, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", one__1_0=MIT)
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    (site / "two-1.0.dist-info").mkdir()
    (site / "~ip-1.0.dist-info").mkdir()
    done = look(inventory("one==1.0", "two==1.0"), python=python)
    assert done.examined == ["one==1.0"]
    assert sentence(done.reasons["two==1.0"]) == (
        "cannot read the metadata of two-1.0: METADATA has no name or no version"
    )


def test_what_the_environment_lacks_is_looked_up(look, index: Path, tmp_path: Path) -> None:
    python = environment(tmp_path / "env", one__1_0=MIT, two__2_0=("License: GPL-3.0-only",))
    wheel(index, "two", "1.0", *MIT)
    done = look(inventory("one==1.0", "three==1.0", "two==1.0"), python=python)
    assert done.examined == ["one==1.0", "two==1.0"]
    assert {name: fact.source for name, fact in facts(done).items()} == {
        "one": "environment",
        "two": "pip metadata",
    }
    assert facts(done)["two"].text == "MIT"
    assert list(done.reasons) == ["three==1.0"]
    assert done.notices == [Reason("unpinned-installed", {"number": 1, "packages": ("two 2.0",)})]


def test_many_unpinned_packages_make_one_notice(look, tmp_path: Path) -> None:
    names = {f"extra{number}__1_0": MIT for number in range(7)}
    python = environment(tmp_path / "env", one__1_0=MIT, **names)
    (notice,) = look(inventory("one==1.0"), python=python).notices
    assert (notice.kind, notice.values["number"]) == ("unpinned-installed", 7)
    assert notice.values["packages"] == (*(f"extra{number} 1.0" for number in range(5)), "…")


def test_scanaggs_own_environment_is_never_the_answer(look, tmp_path: Path) -> None:
    own = f"pip-licenses=={metadata.version('pip-licenses')}"
    python = environment(tmp_path / "env")
    for chosen in (None, python):
        done = look(inventory(own), python=chosen)
        assert not done.examined
        assert list(done.reasons) == [own]


@pytest.mark.parametrize("where", ["usr", "conda"])
def test_an_environment_that_is_not_virtual_is_found_by_its_version(
    look, tmp_path: Path, where: str
) -> None:
    folder = "lib/python3/dist-packages" if where == "usr" else "lib/python3.12/site-packages"
    site = tmp_path / where / folder
    site.mkdir(parents=True)
    (tmp_path / where / "bin").mkdir()
    (tmp_path / where / "bin" / "python3.12").touch()
    python = tmp_path / where / "bin" / "python"
    python.symlink_to("python3.12")
    install(site, "one-1.0", *MIT)
    assert look(inventory("one==1.0"), python=python).examined == ["one==1.0"]


def test_another_pip_licenses_is_refused_because_it_would_start_the_interpreter(look) -> None:
    with pytest.raises(ConfigError, match="SCANAGG_LICENSES_PATH"):
        look(inventory("one==1.0"), path=Path("/usr/bin/pip-licenses"))


def test_only_the_version_that_was_asked_for_is_examined(tmp_path: Path) -> None:
    entries = [
        {"metadata": {"name": "one", "version": "1.1", "license": "MIT"}},
        {"metadata": {"name": "two", "version": "garbage", "license": "MIT"}},
    ]
    text = json.dumps({"version": "1", "pip_version": "25.0", "install": entries})
    pins = ("one==1.0", "two==1.0")
    parsed = licenses.parse(context(tmp_path, inventory(*pins)), Output(0, text.encode(), "", pins))
    assert parsed.examined == ()
    assert parsed.observations == ()


def test_a_pin_is_blamed_by_its_whole_name() -> None:
    said = "ERROR: No matching distribution found for one==1.0.1\n"
    batch = ("one==1.0", "one==1.0.1", "zone==1.0")
    again = licenses.again(context_free(), Output(1, b"", said, batch))
    assert again == (("one==1.0", "zone==1.0"), ("one==1.0.1",))


def test_without_a_culprit_the_halves_are_tried() -> None:
    batch = ("a==1", "b==1", "c==1")
    assert licenses.again(context_free(), Output(1, b"", "ERROR: dear me\n", batch)) == (
        ("a==1",),
        ("b==1", "c==1"),
    )
    assert licenses.again(context_free(), Output(1, b"", "", ("a==1",))) == ()


def test_pip_licenses_is_told_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, what the other tests do in one of its own."""
    install(tmp_path, "one-1.0", *MIT)
    (tmp_path / "two-1.0.dist-info").mkdir()
    monkeypatch.setattr(metadata, "distributions", metadata.distributions)
    monkeypatch.setattr(sys, "argv", ["x", f"{tmp_path}:{tmp_path}", "--format=json"])
    site_packages.main()
    assert [row["Name"] for row in json.loads(capsys.readouterr().out)] == ["one"]


def context_free():
    return context(Path("/nonexistent"), cache=Path(os.devnull).parent)


# -- licence files ---------------------------------------------------------------------------------


def known_text(name: str, file: str) -> bytes:
    """A licence text out of a wheel that the tests need anyway."""
    found = [path for path in metadata.files(name) or () if path.name == file]
    if not found:
        pytest.skip(f"{name} came without {file}")
    return Path(found[0].locate()).read_bytes()


def sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def test_licence_files_are_named_as_the_metadata_names_them(tmp_path: Path) -> None:
    install(tmp_path, "one-1.0", "License-File: LICENSE", "License-File: a/B.txt")
    info = tmp_path / "one-1.0.dist-info"
    mit = known_text("pytest", "LICENSE")
    (info / "licenses" / "a").mkdir(parents=True)
    (info / "licenses" / "LICENSE").write_bytes(mit)
    (info / "licenses" / "a" / "B.txt").write_bytes(b"No licence.\n")
    (info / "NOTICE").write_bytes(b"A notice.\n")
    files = site_packages.license_files(packages([tmp_path], tmp_path), pinned.by_key(["one==1.0"]))
    assert list(files.values()) == [
        (
            LicenseFile("LICENSE", sha256(mit), "MIT"),
            LicenseFile("a/B.txt", sha256(b"No licence.\n")),
            LicenseFile("NOTICE", sha256(b"A notice.\n")),
        )
    ]


def test_the_facts_of_an_environment_hold_its_licence_files(look, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv")
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    install(site, "one-1.0", "License-File: LICENSE.txt")
    mit = known_text("pytest", "LICENSE")
    (site / "one-1.0.dist-info" / "LICENSE.txt").write_bytes(mit)
    done = look(inventory("one==1.0"), python=python)
    assert done.examined == ["one==1.0"]
    assert facts(done)["one"].files == (LicenseFile("LICENSE.txt", sha256(mit), "MIT"),)


def test_metadata_names_no_file_outside_of_its_folder(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    install(
        tmp_path,
        "one-1.0",
        "License-File: ../secret",
        f"License-File: {secret}",
        "License-File: link",
        "License-File: gone",
        "License-File: " + "x" * 5000,
        "License-File: nul\0",
    )
    info = tmp_path / "one-1.0.dist-info"
    (info / "link").symlink_to(secret)
    os.mkfifo(info / "COPYING")
    (info / "LICENSE").write_bytes(b"x" * (1 << 20) + b"x")
    assert site_packages.license_files(
        packages([tmp_path], tmp_path), pinned.by_key(["one==1.0"])
    ) == {("one", Version("1.0")): ()}


def test_metadata_that_is_no_text_or_no_folder_has_no_files(tmp_path: Path) -> None:
    install(tmp_path, "one-1.0")
    (tmp_path / "one-1.0.dist-info" / "METADATA").write_bytes(b"License-File: \xff\xfe\n")
    (tmp_path / "two-1.0.egg-info").write_text("Name: two\nVersion: 1.0\n")
    found = site_packages.license_files(
        packages([tmp_path], tmp_path), pinned.by_key(["one==1.0", "two==1.0"])
    )
    assert set(found.values()) == {()}


@pytest.mark.parametrize(
    ("name", "file", "expected"),
    [
        ("pytest", "LICENSE", "MIT"),
        ("jinja2", "LICENSE.txt", "BSD-3-Clause"),
        ("packaging", "LICENSE.BSD", "BSD-2-Clause"),
        ("packaging", "LICENSE.APACHE", "Apache-2.0"),
        ("bandit", "LICENSE", "Apache-2.0"),
        ("shellingham", "LICENSE", "ISC"),
        ("pathspec", "LICENSE", "MPL-2.0"),
        ("packaging", "LICENSE", ""),
    ],
)
def test_a_licence_is_known_by_its_own_text(name: str, file: str, expected: str) -> None:
    assert texts.identify(known_text(name, file)) == expected


def test_layout_title_and_holder_do_not_change_a_text() -> None:
    text = known_text("pytest", "LICENSE").decode()
    _, begin, body = text.partition("Permission is hereby granted")
    for head in (
        "",
        "MIT License\n\n",
        "The MIT License (MIT)\n=====\nCopyright (c) 2001-2020 A, Inc. <a@b.example>\n",
        "# MIT License\nCopyright © Someone\nAll rights reserved.\n",
        "\ufeffCopyright The Authors\n",
    ):
        changed = f"{head}{begin}{body}".replace("\n", "\r\n    ").replace('"', "``")
        assert texts.identify(changed.encode()) == "MIT", head


@pytest.mark.parametrize(
    "change",
    [
        ("without restriction", "with restriction"),
        ("Permission is", "Not for commercial use. Permission is"),
        ("Permission is", "Copyright (c) 2020 A. You may not use this at work.\nPermission is"),
        ("Permission is", "Copyright 2020 B, licensed for tests only\nPermission is"),
    ],
)
def test_a_text_with_other_terms_is_another_text(change: tuple[str, str]) -> None:
    text = known_text("pytest", "LICENSE").decode()
    assert change[0] in text
    assert texts.identify(text.replace(*change).encode()) == ""
    assert texts.identify(text.encode() + b"\nAnd one more condition.\n") == ""
    assert texts.identify(b"") == ""
    assert texts.identify(b"MIT " * 50_000) == ""


def test_the_texts_that_debian_ships_are_known() -> None:
    folder = Path("/usr/share/common-licenses")
    names = {"GPL-2": "GPL-2.0-only", "GPL-3": "GPL-3.0-only", "LGPL-2.1": "LGPL-2.1-only"}
    if not all((folder / name).is_file() for name in names):
        pytest.skip("this is no Debian")
    found = {name: texts.identify((folder / name).read_bytes()) for name in names}
    assert found == names
