"""A `stop` that is given while something is made wins over whoever wants to start the server afterwards."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic import flow
from clinic.errors import FailedError
from clinic.flow.alive import _Care
from clinic.flow.handover import Handover
from clinic.remedies import lifeboat, stopgap
from clinic.service import manager, memory
from tests.ways.project import Project


def on_a_stopgap_and_dead(project: Project) -> None:
    """The server was on a stopgap, its python is gone with the environment's packages, and it was killed."""
    project.cfg.unlink()
    flow.unblock(project.settings)
    shutil.rmtree(project.venv)
    project.kill()


def stopped_during(monkeypatch: pytest.MonkeyPatch, project: Project, room: Any, name: str) -> None:
    """Let somebody stop the server right after a step that takes long."""
    real: Callable[..., Any] = getattr(room, name)

    def and_stopped(*args: Any, **options: Any) -> Any:
        done = real(*args, **options)
        manager.stop(project.settings)
        return done

    monkeypatch.setattr(room, name, and_stopped)


def floating(project: Project) -> None:
    """Make the lifeboat beforehand: the monitor has no wheelhouse of its own to make it from."""
    flow.unblock(project.settings, wheelhouse=str(project.wheelhouse))


def test_while_the_monitor_makes_a_stopgap(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    on_a_stopgap_and_dead(project)
    floating(project)
    project.kill()
    stopped_during(monkeypatch, project, lifeboat, "prepare")
    look = _Care(project.settings, None).before_start()
    assert (project.status().state, memory.recall(project.settings).wanted) == ("stopped", "down")
    assert look.trouble is None, "the monitor's own start is what finds out, and then it rests"


def test_before_the_monitor_makes_one(project: Project) -> None:
    on_a_stopgap_and_dead(project)
    floating(project)
    manager.stop(project.settings)
    with pytest.raises(FailedError) as told:
        flow.unblock(project.settings, unless_down=True)
    assert told.value.code == "stopped-meanwhile"
    assert project.status().state == "stopped"


def test_while_a_person_unblocks(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(project.venv)
    stopped_during(monkeypatch, project, lifeboat, "prepare")
    with pytest.raises(FailedError) as told:
        flow.unblock(project.settings, wheelhouse=str(project.wheelhouse))
    assert told.value.code == "stopped-meanwhile"
    assert (project.status().state, memory.recall(project.settings).wanted) == ("stopped", "down")


def test_and_no_way_works_either(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was wanted before must not come back over what was said meanwhile."""
    project.start()
    project.kill()
    shutil.rmtree(project.venv)
    shutil.rmtree(project.wheelhouse)

    def stopped_and_failed(*_args: object, **_options: object) -> None:
        manager.stop(project.settings)
        raise FailedError("disk-full", "no space left")

    monkeypatch.setattr(lifeboat, "prepare", stopped_and_failed)
    with pytest.raises(FailedError):
        flow.unblock(project.settings)
    assert memory.recall(project.settings).wanted == "down"


def test_a_stopped_server_is_still_unblocked_by_a_person(project: Project) -> None:
    project.start()
    manager.stop(project.settings)
    project.cfg.unlink()
    assert flow.unblock(project.settings).data["way"] == "borrow"
    assert memory.recall(project.settings).wanted == "up"


def test_a_way_that_is_not_proved_makes_room_for_the_next(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ending the server that took a package from elsewhere is no `stop`."""
    project.cfg.unlink()
    real = stopgap.prove

    def prove(python: Path, *args: Any, glance: bool = False) -> None:
        if not glance and "borrow" in python.parts:
            raise FailedError("stopgap-unproved", "planted")
        real(python, *args, glance=glance)

    monkeypatch.setattr(stopgap, "prove", prove)
    result = flow.unblock(project.settings, wheelhouse=str(project.wheelhouse))
    assert (result.data["way"], memory.recall(project.settings).wanted) == ("lifeboat", "up")


def test_while_the_environment_is_healed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.start()
    project.cfg.unlink()
    real = flow.fix_cfg

    def fixed_and_stopped(*args: Any, **options: Any) -> Any:
        done = real(*args, **options)
        manager.stop(project.settings)
        return done

    monkeypatch.setattr(flow, "fix_cfg", fixed_and_stopped, raising=False)
    result = flow.heal(project.settings)
    assert (result.outcome, result.data["server"]["state"]) == ("cured", "stopped")
    assert "stopped meanwhile" in result.data["server"]["done"]
    assert project.status().wanted == "down"


@pytest.mark.parametrize("stopped_for_the_swap", [False, True])
def test_while_it_is_handed_over(project: Project, stopped_for_the_swap: bool) -> None:
    project.start()
    server = Handover(project.settings, project.venv)
    assert server.running
    if stopped_for_the_swap:  # as on Windows
        manager.withdraw(project.settings)
        server.stopped = True
        assert project.status().wanted == "up"
    manager.stop(project.settings)
    server.after()
    assert (project.status().state, server.back()) == ("stopped", "")
