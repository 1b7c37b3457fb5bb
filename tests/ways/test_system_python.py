"""`--system`: installed only when asked, never against PEP 668, and taken back exactly.

The system Python is a private prefix here: a real interpreter that is no environment, with a `site-packages` of its
own, so that nothing is installed into the machine's.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from clinic import flow
from clinic.errors import FailedError, RefusedError
from clinic.flow.patient import patient
from clinic.remedies import install, system_python
from clinic.service import manager
from tests.real.patients import fingerprint
from tests.ways.project import NAME, VERSION, Project, end, make

MINOR = f"python{sys.version_info[0]}.{sys.version_info[1]}"


def private_prefix(folder: Path) -> Path:
    """A python that takes `folder` for its installation; its library is the real one, less what is installed."""
    base = Path(sys.base_prefix)
    (folder / "bin").mkdir(parents=True)
    shutil.copy2(Path(os.path.realpath(base / "bin" / MINOR)), folder / "bin" / MINOR)
    library = folder / "lib" / MINOR
    library.mkdir(parents=True)
    for entry in (base / "lib" / MINOR).iterdir():
        if entry.name not in {"site-packages", "dist-packages", "EXTERNALLY-MANAGED"}:
            (library / entry.name).symlink_to(entry)
    for shared in (base / "lib").glob("libpython*"):
        (folder / "lib" / shared.name).symlink_to(shared)
    (library / "site-packages").mkdir()
    python = folder / "bin" / MINOR
    told = subprocess.run([python, "-I", "-c", "import sys; print(sys.prefix)"], capture_output=True, check=False)
    if told.stdout.decode().strip() != str(folder):
        pytest.skip("this python does not let itself be moved")
    return python


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """A project whose environment is made from a private system Python, and has lost its packages."""
    python = private_prefix(tmp_path / "usr")
    project = make(tmp_path / "project", python)
    shutil.rmtree(project.site)
    # No index is reached; the installer finds the wheel where the person has told pip (which uv does not read).
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", project.wheelhouse.as_uri())
    yield project
    end(project)


def site(project: Project) -> Path:
    return project.root.parent / "usr" / "lib" / MINOR / "site-packages"


ASKED = flow.SystemWish(wanted=True)


def test_installs_serves_and_is_taken_back_exactly(system: Project) -> None:
    (site(system) / "mine.py").write_text("keep = 'me'\n", encoding="utf-8")
    before = fingerprint(site(system))
    result = flow.unblock(system.settings, system=ASKED)
    assert (result.outcome, result.data["way"], system.status().stopgap) == ("healthy", "system", "system")
    assert (site(system) / NAME).is_dir()
    with pytest.raises(RefusedError, match="still runs"):
        flow.unblock(system.settings, system=replace(ASKED, revert=True))
    manager.stop(system.settings)
    taken = flow.unblock(system.settings, system=replace(ASKED, revert=True))
    assert taken.data["removed"] == [NAME]
    left = {name: what for name, what in fingerprint(site(system)).items() if "__pycache__" not in name}
    assert left == {name: what for name, what in before.items() if "__pycache__" not in name}
    assert flow.unblock(system.settings, system=replace(ASKED, revert=True)).outcome == "unchanged"


def test_pep_668_is_respected_unless_overruled(system: Project) -> None:
    mark = site(system).parent / "EXTERNALLY-MANAGED"
    mark.write_text("[externally-managed]\nError=use apt\n", encoding="utf-8")
    before = fingerprint(site(system))
    with pytest.raises(RefusedError) as told:
        flow.unblock(system.settings, system=ASKED)
    assert told.value.code == "externally-managed"
    assert fingerprint(site(system)) == before
    assert system_python.ledger(system.settings) is None
    result = flow.unblock(system.settings, system=replace(ASKED, overrule=True))
    assert result.data["way"] == "system"
    manager.stop(system.settings)
    assert flow.unblock(system.settings, system=replace(ASKED, revert=True)).data["removed"] == [NAME]


def test_another_version_there_is_not_replaced(system: Project) -> None:
    info = site(system) / f"{NAME}-0.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 0.9\n", encoding="utf-8")
    with pytest.raises(RefusedError) as told:
        flow.unblock(system.settings, system=ASKED)
    assert told.value.code == "system-conflict"
    assert VERSION in told.value.message


def test_what_was_changed_since_is_left(system: Project) -> None:
    flow.unblock(system.settings, system=ASKED)
    manager.stop(system.settings)
    metadata = site(system) / f"{NAME}-{VERSION}.dist-info" / "METADATA"
    metadata.write_text(metadata.read_text("utf-8").replace(VERSION, "2.0"), encoding="utf-8")
    metadata.parent.rename(metadata.parent.with_name(f"{NAME}-2.0.dist-info"))
    result = flow.unblock(system.settings, system=replace(ASKED, revert=True))
    assert (result.data["removed"], (site(system) / NAME).is_dir()) == ([], True)
    assert "left alone" in result.notes[0]


def test_a_wheelhouse_serves_where_nothing_else_is_configured(system: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_FIND_LINKS")
    with pytest.raises(FailedError):
        flow.unblock(system.settings, system=ASKED)
    assert system_python.ledger(system.settings) is None, "what was not installed is not on record"
    result = flow.unblock(system.settings, system=ASKED, wheelhouse=str(system.wheelhouse))
    assert result.data["way"] == "system"
    manager.stop(system.settings)
    assert flow.unblock(system.settings, system=replace(ASKED, revert=True)).data["removed"] == [NAME]


def test_a_wheelhouse_that_is_not_there_is_refused(system: Project) -> None:
    with pytest.raises(RefusedError) as told:
        flow.unblock(system.settings, system=ASKED, wheelhouse=str(system.root / "nowhere"))
    assert (told.value.code, list(site(system).iterdir())) == ("wheelhouse-missing", [])


def test_pip_alone_does_it_too(system: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "find_uv", lambda: None)
    mark = site(system).parent / "EXTERNALLY-MANAGED"
    mark.write_text("[externally-managed]\nError=use apt\n", encoding="utf-8")
    assert flow.unblock(system.settings, system=replace(ASKED, overrule=True)).data["way"] == "system"
    manager.stop(system.settings)
    assert flow.unblock(system.settings, system=replace(ASKED, revert=True)).data["removed"] == [NAME]
    assert not (site(system) / NAME).exists()


@pytest.mark.parametrize("uv", [True, False])
def test_other_content_than_was_locked_is_refused(system: Project, monkeypatch: pytest.MonkeyPatch, uv: bool) -> None:
    if not uv:
        monkeypatch.setattr(install, "find_uv", lambda: None)
    (wheel,) = system.wheelhouse.glob("*.whl")
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(FailedError) as told:
        flow.unblock(system.settings, system=ASKED)
    assert told.value.code == "hash-mismatch"
    assert not (site(system) / NAME).exists()
    assert system_python.ledger(system.settings) is None


def test_a_lock_without_hashes_is_refused(system: Project) -> None:
    system.settings.environment.requirements.write_text(f"{NAME}=={VERSION}\n", encoding="utf-8")
    with pytest.raises(RefusedError) as told:
        flow.unblock(system.settings, system=ASKED)
    assert (told.value.code, list(site(system).iterdir())) == ("lock-unhashed", [])


def test_a_python_that_is_an_environment_is_refused(system: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link that was the base's when it was looked at may lead into an environment a moment later."""
    real = system_python.choose(system.settings, patient(system.settings).look(imports=False))
    wrong = replace(real, executable=system.python)
    monkeypatch.setattr(system_python, "choose", lambda *_: wrong)
    with pytest.raises(RefusedError) as told:
        flow.unblock(system.settings, system=ASKED)
    assert told.value.code == "not-itself"


def test_what_was_sent_elsewhere_is_taken_back(system: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "install", lambda *_, **_more: "an installer that says it did")
    with pytest.raises(FailedError) as told:
        flow.unblock(system.settings, system=ASKED)
    assert told.value.code == "not-installed"
    assert system_python.ledger(system.settings) is None


@pytest.mark.parametrize("wish", [flow.SystemWish(revert=True), flow.SystemWish(overrule=True)])
def test_its_flags_need_system(project: Project, wish: flow.SystemWish) -> None:
    with pytest.raises(RefusedError, match="system"):
        flow.unblock(project.settings, system=wish)


def test_not_without_being_asked(system: Project) -> None:
    before = fingerprint(site(system))
    flow.unblock(system.settings, wheelhouse=str(system.wheelhouse))
    assert fingerprint(site(system)) == before


def test_a_clean_up_that_fails_too_loses_no_record(system: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an earlier run added stays on record beside what can't be removed; the first error is the one told."""
    base = system_python.choose(system.settings, patient(system.settings).look(imports=False))
    earlier = system_python.Ledger(str(base.executable), {"earlier": "1.0"}, overrule=False, time=1.0)
    system_python._save(system.settings, earlier)
    with monkeypatch.context() as broken:
        broken.setattr(system_python, "_must_be_there", lambda *_: _fail())
        broken.setattr(
            system_python, "_uninstall_words", lambda *_, **_more: [sys.executable, "-c", "raise SystemExit(3)"]
        )
        with pytest.raises(FailedError) as told:
            flow.unblock(system.settings, system=ASKED)
    assert told.value.code == "not-installed"
    known = system_python.ledger(system.settings)
    assert known is not None
    assert known.added == {"earlier": "1.0", NAME: VERSION}
    assert flow.unblock(system.settings, system=replace(ASKED, revert=True)).data["removed"] == [NAME]


def test_a_clean_up_leaves_the_earlier_record(system: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    base = system_python.choose(system.settings, patient(system.settings).look(imports=False))
    earlier = system_python.Ledger(str(base.executable), {"earlier": "1.0"}, overrule=False, time=1.0)
    system_python._save(system.settings, earlier)
    monkeypatch.setattr(system_python, "_must_be_there", lambda *_: _fail())
    with pytest.raises(FailedError):
        flow.unblock(system.settings, system=ASKED)
    assert system_python.ledger(system.settings) == earlier
    assert not (site(system) / NAME).exists()


def _fail() -> None:
    raise FailedError("not-installed", "it is not there", "invoke unblock")
