"""A repair that ends the damage starts the server that is wanted; an interruption says what became of it."""

from __future__ import annotations

import shutil
import sys
from typing import Any

import pytest

from clinic import flow
from clinic.flow.handover import Handover
from clinic.flow.production import production_mode
from clinic.remedies import production_mode as mode_remedy
from clinic.service import manager, memory
from tests.ways.project import Project

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="environments as POSIX has them")


def down_through_damage(project: Project) -> None:
    """The server was killed, and its package is gone: it cannot come back."""
    project.start()
    project.kill()
    shutil.rmtree(project.site / "tinybridge")


def rebuild(project: Project, **options: Any) -> Any:
    return flow.rebuild(project.settings, wheelhouse=project.wheelhouse, **options)


def test_a_rebuild_starts_a_server_that_is_wanted(project: Project) -> None:
    down_through_damage(project)
    result = rebuild(project)
    assert (result.outcome, result.exit_code) == ("cured", 0)
    assert result.data["server"] == {"state": "running", "pid": project.status().pid, "done": "started"}


def test_a_rebuild_starts_none_that_was_stopped(project: Project) -> None:
    down_through_damage(project)
    manager.stop(project.settings)
    assert "server" not in rebuild(project).data
    assert project.status().state == "stopped"


def test_a_rebuild_of_a_healthy_environment_starts_none(project: Project) -> None:
    project.start()
    project.kill()
    assert "server" not in rebuild(project).data
    assert project.status().state == "stale"


def test_a_rebuild_starts_the_server_that_a_killed_one_had_ended(project: Project) -> None:
    project.start()
    server = project.status()
    memory.keep(project.settings, ended=memory.recall(project.settings).launch)  # as `_stop` writes it
    project.kill()
    result = rebuild(project)
    assert result.data["server"]["done"] == "started"
    assert project.status().pid not in {None, server.pid}


def test_a_rebuild_whose_server_does_not_start_holds_and_says_so(project: Project) -> None:
    down_through_damage(project)
    project.settings = project.with_(command=("{python}", "-c", "raise SystemExit(3)"))
    result = rebuild(project)
    assert (result.outcome, result.exit_code) == ("failed", 1)
    assert "The environment is healthy, and the server does not start from it" in result.errors[0].message
    assert result.data["after"]["verdict"] == "healthy"


def test_an_undo_that_ends_the_damage_starts_it_too(project: Project) -> None:
    rebuild(project)
    down_through_damage(project)
    result = flow.undo(project.settings)
    assert result.outcome == "cured"
    assert result.data["server"]["done"] == "started"
    assert project.status().state == "running"


def _stops(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_rebuild_that_is_interrupted_in_the_handover_says_what_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.start()
    monkeypatch.setattr(Handover, "after", _stops)
    with pytest.raises(KeyboardInterrupt) as said:
        rebuild(project)
    assert f"The server still runs, pid {project.status().pid}. rebuild was put back." in str(said.value)


def test_an_undo_that_is_interrupted_in_the_handover_says_what_runs(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuild(project)
    project.start()
    monkeypatch.setattr(Handover, "after", _stops)
    with pytest.raises(KeyboardInterrupt) as said:
        flow.undo(project.settings)
    assert f"The server still runs, pid {project.status().pid}." in str(said.value)


def test_a_switch_of_modes_that_is_interrupted_says_what_is_true(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = project.start().pid
    monkeypatch.setattr(manager, "restart", _stops)
    with pytest.raises(KeyboardInterrupt) as said:
        production_mode(project.settings)
    assert str(said.value) == f"The server still runs, pid {pid}. The next start is in debug mode."
    assert memory.recall(project.settings).mode == "debug"


def test_a_registration_that_is_interrupted_says_whether_it_is_there(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(mode_remedy, "refuse_unreachable", lambda *_: None)
    monkeypatch.setattr(mode_remedy, "_say", _stops)
    with pytest.raises(KeyboardInterrupt) as said:
        production_mode(project.settings, asked=("install",))
    unit, rest = str(said.value).split(" is not there. ")
    assert unit.startswith(str(tmp_path / "config"))
    assert rest == "The server does not run. The next start is in production mode."


def test_an_unblock_that_is_interrupted_says_what_runs(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manager, "_start", _stops)
    with pytest.raises(KeyboardInterrupt, match=r"The server does not run\."):
        flow.unblock(project.settings)
