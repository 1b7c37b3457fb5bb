"""Rebuilding real environments, without a network: every creator's wreck, and what must never be lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clinic import flow, interpreters
from clinic.anatomy import layout
from clinic.errors import BusyError, FailedError, RefusedError
from clinic.facts import Interpreter, Self
from clinic.records import Records
from clinic.remedies import install, path_length, settle
from tests.real.creators import Creator, bases, creators, label
from tests.real.patients import fingerprint
from tests.real.wheels import Site, build, leftovers, library, rebuilt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the layout of these environments is POSIX's")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A project whose path has a blank and an accent in it."""
    return Site(tmp_path / "proj é")


def whole(site: Site, venv: Path | None = None) -> None:
    """The environment is itself, holds what is locked, and its console script runs."""
    place = venv or site.venv
    me = interpreters.ask(layout.python_in(place), place, site.imports)
    assert isinstance(me, Self)
    assert me.is_itself
    assert not any(error for _, error in me.imports)
    done = subprocess.run([place / "bin" / "tiny"], capture_output=True, text=True, check=False, timeout=30)
    assert done.stdout.startswith("tinylib "), done
    assert flow.diagnose(site.settings, venv).outcome == "healthy"


def test_nothing_there_is_a_start(site: Site) -> None:
    result = rebuilt(site)
    whole(site)
    assert result.data["before"]["verdict"] == "missing"
    assert result.data["after"]["verdict"] == "healthy"
    assert result.data["kept"] is None


def test_a_first_environment_is_named_for_its_interpreter(site: Site) -> None:
    base = bases()[-1]
    site.path = "auto"
    result = flow.rebuild(site.settings, wheelhouse=site.wheelhouse, python=str(base.executable))
    place = layout.named_for(site.root, base.flavour)
    assert result.data["after"]["venv"] == place
    whole(site, place)


TURNS = [(maker, bases()[(at * 2) % len(bases())]) for at, maker in enumerate(creators())]


@pytest.mark.parametrize(
    ("creator", "base"), TURNS, ids=lambda each: each.name if isinstance(each, Creator) else label(each)
)
@pytest.mark.parametrize("wreck", ["no-cfg", "no-packages", "no-python"])
def test_every_creators_wreck_is_rebuilt(site: Site, creator: Creator, base: Interpreter, wreck: str) -> None:
    creator.make(base, site.venv)
    library(site.wheelhouse)
    (site.venv / "notes.txt").write_text("keep me", encoding="utf-8")
    if wreck == "no-cfg":
        (site.venv / "pyvenv.cfg").unlink()
    elif wreck == "no-python":
        for path in (site.venv / "bin").glob("python*"):
            path.unlink()
    result = rebuilt(site)
    whole(site)
    assert result.data["before"]["verdict"] in {"broken", "degraded"}
    assert result.data["interpreter"]["version"] == base.dotted, "the patient's own minor version is kept"
    assert (site.venv / "notes.txt").read_text(encoding="utf-8") == "keep me"
    assert result.data["carried"] == [Path("notes.txt")]


def test_paths_are_final_everywhere_and_record_is_true(site: Site) -> None:
    rebuilt(site)
    here = str(site.venv).encode()
    for name in ("bin/activate", "bin/activate.fish", "bin/tiny", "pyvenv.cfg"):
        assert here in (site.venv / name).read_bytes(), name
    for path in site.venv.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert b"/.clinic-" not in path.read_bytes(), path
    # What the second rebuild proves first is the state that the first one left.
    assert rebuilt(site).data["before"]["verdict"] == "healthy"


def test_bytecode_of_the_staging_place_is_valid_and_tells_the_final_path(site: Site) -> None:
    rebuilt(site)
    cached = next((site.venv / "lib").glob("*/site-packages/tinylib/__pycache__/*.pyc"))
    before = cached.stat().st_mtime_ns
    code = "import tinylib; print(tinylib.main.__code__.co_filename)"
    python = site.venv / "bin" / "python"
    done = subprocess.run([python, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == str(cached.parents[1] / "__init__.py")
    assert cached.stat().st_mtime_ns == before, "it was taken as it is"


def test_the_old_ones_are_kept_and_undo_brings_them_back(site: Site) -> None:
    rebuilt(site)
    (site.venv / "first").touch()
    first = rebuilt(site)
    (site.venv / "first").unlink()
    (site.venv / "second").touch()
    mark = fingerprint(site.venv)
    second = rebuilt(site)
    assert first.data["kept"]["path"].is_dir()
    assert second.data["kept"]["path"].is_dir()
    assert second.data["kept"]["bytes"] > 0
    assert flow.undo(site.settings, yes=True).outcome == "cured"
    assert fingerprint(site.venv) == mark
    whole(site)
    assert flow.undo(site.settings).outcome == "cured"
    assert (site.venv / "first").exists()
    with pytest.raises(RefusedError) as caught:  # it was made where nothing was
        flow.undo(site.settings, dry_run=True)
    assert (caught.value.code, caught.value.exit_code) == ("would-harm", 2)
    undone = flow.undo(site.settings, yes=True)
    assert (undone.outcome, site.venv.exists()) == ("cured", False)
    redone = flow.undo(site.settings, entry_id=undone.data["receipts"][0].id)
    assert (redone.outcome, (site.venv / "first").exists()) == ("cured", True)


def test_undo_of_a_first_environment_takes_it_away(site: Site) -> None:
    rebuilt(site)
    assert flow.undo(site.settings, yes=True).outcome == "cured"
    assert not os.path.lexists(site.venv)


def test_a_tampered_wheel_is_refused(site: Site) -> None:
    rebuilt(site)
    before = fingerprint(site.venv)
    # Another version: uv has the first one unpacked in its cache, and would install that instead of the file.
    site.wheels[0] = library(site.wheelhouse, "1.1")
    site.relock()
    build(site.wheelhouse, "tinylib", "1.1", {"tinylib/__init__.py": "evil = True\n"})
    with pytest.raises(FailedError) as caught:
        rebuilt(site)
    assert caught.value.code == "hash-mismatch"
    assert fingerprint(site.venv) == before
    assert leftovers(site) == []


def test_pip_refuses_it_too(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinic.remedies.install.find_uv", lambda: None)
    assert rebuilt(site).data["installer"] == "pip"
    whole(site)
    build(site.wheelhouse, "tinylib", "1.0", {"tinylib/__init__.py": "evil = True\n"})
    with pytest.raises(FailedError) as caught:
        rebuilt(site)
    assert caught.value.code == "hash-mismatch"


def test_a_missing_wheel_fails_with_the_installers_reason(site: Site) -> None:
    (site.wheelhouse / "tinylib-1.0-py3-none-any.whl").unlink()
    with pytest.raises(FailedError, match="tinylib") as caught:
        rebuilt(site)
    assert caught.value.code == "not-available"
    assert not site.venv.exists()


def test_a_package_that_cannot_be_imported_is_not_swapped_in(site: Site) -> None:
    rebuilt(site)
    before = fingerprint(site.venv)
    site.wheels[0] = build(site.wheelhouse, "tinylib", "2.0", {"tinylib/__init__.py": "1/0\n"})
    site.relock()
    with pytest.raises(FailedError, match="import tinylib fails: ZeroDivisionError"):
        rebuilt(site)
    assert fingerprint(site.venv) == before


def test_a_plan_touches_nothing(site: Site) -> None:
    rebuilt(site)
    settings, before = site.settings, fingerprint(site.root)
    result = flow.rebuild(settings, dry_run=True)
    assert (result.outcome, result.exit_code) == ("planned", 0)
    assert fingerprint(site.root) == before


def test_one_at_a_time(site: Site) -> None:
    settings = site.settings
    with Records(settings.records).lock("rebuild", site.venv), pytest.raises(BusyError) as caught:
        flow.rebuild(settings, wheelhouse=site.wheelhouse)
    assert caught.value.exit_code == 4
    assert not site.venv.exists()


def test_another_python_when_it_is_named(site: Site) -> None:
    first, last = bases()[0], bases()[-1]
    rebuilt(site, python=str(last.executable))
    assert rebuilt(site, python=str(first.flavour)).data["interpreter"]["version"].startswith(str(first.flavour)[:3])
    with pytest.raises(RefusedError, match="no such CPython"):
        rebuilt(site, python="2.9")


def test_pip_stays_where_it_was(site: Site) -> None:
    base = next(base for base in bases() if base.version >= (3, 9))
    words: list[str | Path] = [
        sys.executable,
        "-m",
        "virtualenv",
        "-q",
        "--no-periodic-update",
        "-p",
        base.executable,
        site.venv,
    ]
    subprocess.run(words, check=True, timeout=120, env={**os.environ, "PYTHONPATH": ""})
    rebuilt(site)
    done = subprocess.run(
        [site.venv / "bin" / "pip", "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    assert str(site.venv) in done.stdout, done


def test_a_script_that_cannot_be_made_right_is_left_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It sinks no rebuild, and no RECORD lists it."""
    honest = settle.settled

    def settled(data: bytes, segment: str) -> bytes | None:
        return None if b"tinylib" in data and data.startswith(b"#!") else honest(data, segment)

    monkeypatch.setattr(settle, "settled", settled)
    result = rebuilt(site)
    assert any(note.startswith("tiny was left out") for note in result.notes)
    assert not (site.venv / "bin" / "tiny").exists()
    assert flow.diagnose(site.settings, deep=True).outcome == "healthy"


DEEP = "/".join(["deep"] * 20) + "/data.txt"


@pytest.mark.parametrize("installer", ["uv", "pip"])
def test_a_path_that_is_too_long(site: Site, installer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing tells before how long the paths are, it is seen after the installation; else before."""
    if installer == "pip":
        monkeypatch.setattr(install, "find_uv", lambda: None)
    site.wheels = [library(site.wheelhouse), build(site.wheelhouse, "deep", "1.0", {f"deep/{DEEP}": "x"})]
    site.relock()
    monkeypatch.setattr(path_length, "limit", lambda: len(str(site.venv)) + 120)
    before = fingerprint(site.root)
    with pytest.raises(FailedError) as failed:
        flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    assert failed.value.code == "path-too-long"
    assert DEEP in failed.value.message
    assert "LongPathsEnabled" in failed.value.hint
    assert (site.venv.exists(), leftovers(site)) == (False, [])
    with monkeypatch.context() as patch:
        patch.setattr(path_length, "limit", lambda: None)
        rebuilt(site)
    before = fingerprint(site.venv)
    for dry_run in (True, False):
        with pytest.raises(RefusedError) as refused:
            flow.rebuild(site.settings, wheelhouse=site.wheelhouse, dry_run=dry_run)
        assert refused.value.code == "path-too-long"
        assert "Nothing was touched" in refused.value.message
    assert (fingerprint(site.venv), leftovers(site)) == (before, [])
    site.wheels = site.wheels[:1]
    site.relock()
    rebuilt(site)  # what is not locked is not installed, however deep it lies in the old one
