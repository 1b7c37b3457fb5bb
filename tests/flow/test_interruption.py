"""What an interrupted command says is what is true then."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic import flow
from clinic.flow.case import Case
from clinic.flow.interruption import repairs_told
from clinic.model import Result
from clinic.records import Records
from clinic.remedies import fix_cfg
from clinic.service import manager
from clinic.settings import Settings
from tests.flow.test_serve import project as project  # noqa: PLC0414 - a fixture
from tests.real.creators import VENV, bases
from tests.real.patients import Patient, furnish
from tests.real.visits import Project, around


def _stops(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def _pid(settings: Settings) -> int:
    pid = manager.status(settings).pid
    assert pid is not None
    return pid


def test_of_the_server(project: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(manager, "_start", _stops)
        with pytest.raises(KeyboardInterrupt, match=r"\AThe server does not run\.\Z"):
            flow.start_server(project)
    flow.start_server(project)
    try:
        pid = _pid(project)
        with monkeypatch.context() as patch:
            patch.setattr(manager, "_stop", _stops)
            with pytest.raises(KeyboardInterrupt, match=rf"\AThe server still runs, pid {pid}\.\Z"):
                flow.restart_server(project)
            with pytest.raises(KeyboardInterrupt, match=rf"was asked to stop and still runs, pid {pid}\.\Z"):
                flow.stop_server(project)
        assert _pid(project) == pid
        with monkeypatch.context() as patch:
            patch.setattr(manager, "_start", _stops)
            with pytest.raises(KeyboardInterrupt, match=r"\AThe server does not run\.\Z"):
                flow.restart_server(project)
    finally:
        flow.stop_server(project)


@pytest.fixture
def sick(tmp_path: Path) -> Settings:
    """A project whose environment has lost its pyvenv.cfg."""
    base = bases()[-1]
    venv = VENV.make(base, tmp_path / "env")
    furnish(venv)
    (venv / "pyvenv.cfg").unlink()
    return around(Project(tmp_path / "invoke.yaml"), Patient(venv, base, VENV, None, tmp_path)).settings


def test_of_a_repair_that_was_put_back(sick: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fix_cfg, "unproved", _stops)
    with pytest.raises(KeyboardInterrupt, match=r"\Afix-cfg was put back\.\Z"):
        flow.fix_cfg(sick)
    assert sick.environment.path is not None
    assert not (sick.environment.path / "pyvenv.cfg").exists()


def test_of_a_repair_that_never_began(sick: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clinic.flow.repair.drafted", _stops)
    with pytest.raises(KeyboardInterrupt, match=r"\ANothing was changed\.\Z"):
        flow.fix_cfg(sick)


def test_of_a_repair_that_held_before(sick: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    apply = Case.apply

    def applied(case: Case, remedy: str) -> Result | None:
        apply(case, remedy)
        raise KeyboardInterrupt

    monkeypatch.setattr(Case, "apply", applied)
    with pytest.raises(
        KeyboardInterrupt, match=r"\Afix-cfg held and stays; to take it back: invoke undo \S+-fix-cfg-\w+ --yes\.\Z"
    ):
        flow.heal(sick)
    assert sick.environment.path is not None
    assert (sick.environment.path / "pyvenv.cfg").is_file()


def test_of_a_repair_that_could_not_be_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second Ctrl+C while it is being put back."""
    records = Records(tmp_path / "records")
    records.folder.mkdir()

    def interrupted() -> None:
        with repairs_told(records), records.transaction("relink", tmp_path) as change:
            change.write(tmp_path / "file", b"new")
            monkeypatch.setattr("clinic.records.putback.put_back", _stops)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"\Arelink is unfinished; the next repair puts it back\.\Z"):
        interrupted()
