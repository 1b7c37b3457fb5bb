"""Every id of the checklist is seen to fail on a system that was wounded for it: what can't fail says nothing."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from clinic import flow
from clinic.checklist import TITLES, Checklist, Subject, keepalive, native, shadow, stage, startup
from clinic.checklist.shadow import Shadow
from clinic.model import CheckResult
from clinic.service import manager
from tests.ways.project import Project

FAULTY = Path(__file__).parent / "apps" / "wounded.py"
SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
SEEN: set[str] = set()


def failed(results: tuple[CheckResult, ...] | list[CheckResult]) -> dict[str, str]:
    """What failed, with the evidence; which must say something."""
    found = {check.id: check.evidence for check in results if check.status == "fail"}
    assert all(found.values())
    return found


def quick(project: Project, settings: Any = None) -> dict[str, str]:
    """What the quick checklist objects to."""
    return failed(flow.validate(settings or project.settings, quick=True).data["checks"])


def test_startup_starts(project: Project) -> None:
    (project.site / "tinybridge" / "__main__.py").write_text("raise SystemExit(4)\n", encoding="utf-8")
    with shadow.made(project.settings, project.venv) as twin:
        status, evidence = startup.starts(twin.manage("start"))
    assert status == "fail"
    assert "exit code 4" in evidence


def test_startup_pid_file(project: Project) -> None:
    project.start()
    who = Subject(project.settings, shadow=False)
    assert startup.pid_file(who)[0] == "pass"
    project.settings.service.pid_file.write_text("1\n", encoding="utf-8")
    assert startup.pid_file(who)[0] == "fail"
    project.settings.service.pid_file.unlink()
    assert startup.pid_file(who)[0] == "fail"


def test_startup_log(project: Project) -> None:
    project.start()
    log = project.settings.service.log_file
    log.write_text(log.read_text("utf-8") + "failed to locate pyvenv.cfg: File not found.\n", encoding="utf-8")
    found = quick(project)
    assert {"startup.log", "venv.no-cfg-errors"} <= found.keys()
    log.write_text("nothing of a start\n", encoding="utf-8")
    uvicorn = project.with_(command=("{python}", "-m", "uvicorn"))
    assert startup.log_lines(Subject(uvicorn, shadow=False))[0] == "fail"


def test_startup_visible(project: Project) -> None:
    project.cfg.unlink()
    flow.unblock(project.settings)
    assert "startup.visible" in quick(project)


def test_health_responds(project: Project) -> None:
    project.start()
    project.kill()
    assert {"health.responds", "health.status-200", "health.body"} <= quick(project).keys()


@pytest.mark.parametrize(("key", "value", "name"), [("status", 204, "status-200"), ("body", {"status": "ill"}, "body")])
def test_health_status_and_body(project: Project, key: str, value: Any, name: str) -> None:
    from dataclasses import replace

    project.start()
    health = replace(project.settings.service.health, **{key: value})
    found = quick(project, project.with_(health=health))
    assert f"health.{name}" in found
    assert "health.responds" not in found


def test_health_of_another_server(project: Project) -> None:
    """What answers well on our port, and is not our launch, is not our server."""
    from dataclasses import replace

    elsewhere = project.root / "elsewhere"
    other = replace(project.with_(pid_file=elsewhere / "b.pid", log_file=elsewhere / "b.log"), records=elsewhere)
    elsewhere.mkdir()
    manager.start(other, project.python, project.venv)
    try:
        found = quick(project)
    finally:
        manager.stop(other)
    assert {"health.responds", "health.status-200", "health.body"} == found.keys()
    assert all(evidence.startswith("foreign: ") for evidence in found.values())


def _package_broken(project: Project) -> None:
    (project.site / "tinybridge" / "__init__.py").write_text("raise OSError('torn')\n", encoding="utf-8")


def _package_other(project: Project) -> None:
    info = next(project.site.glob("tinybridge-*.dist-info"))
    info.rename(info.with_name("tinybridge-0.1.dist-info"))
    text = (info.with_name("tinybridge-0.1.dist-info") / "METADATA").read_text("utf-8")
    (info.with_name("tinybridge-0.1.dist-info") / "METADATA").write_text(text.replace("1.5", "0.1"), encoding="utf-8")


WOUNDS: tuple[tuple[str, Callable[[Project], Any]], ...] = (
    ("venv.cfg", lambda project: project.cfg.unlink()),
    ("venv.runs", _package_broken),
    ("venv.matches-lock", _package_other),
    ("venv.matches-lock", lambda project: shutil.rmtree(project.venv)),
)


@pytest.mark.parametrize(("name", "wound"), WOUNDS)
def test_environment(project: Project, name: str, wound: Callable[[Project], Any]) -> None:
    assert name not in quick(project)
    wound(project)
    assert name in quick(project)


@contextmanager
def twin_with(fault: str, project: Project, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Iterator[Shadow]:
    """A shadow whose manager has a fault."""
    own = Shadow.words

    def words(self: Shadow, *more: str | Path) -> list[str]:
        python, _manager, *rest = own(self, *more)
        return [python, str(FAULTY), fault, str(SCRIPTS), *rest]

    with shadow.made(project.settings, project.venv, changes=changes) as twin, monkeypatch.context() as patch:
        patch.setattr(Shadow, "words", words)
        yield twin


NATIVE = ("native.survives-terminal", "native.survives-editor", "native.detached")


def test_native_background_process(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    todo = Checklist()
    with twin_with("attached", project, monkeypatch) as twin:
        native.run(todo, twin)
    found = failed(todo.results)
    assert tuple(found) == NATIVE, todo.results
    assert "and the server with it" in found["native.survives-terminal"]
    assert "and the server with it" in found["native.survives-editor"]
    assert "session is the launcher's" in found["native.detached"]
    assert "holds the terminal" in found["native.detached"]


def test_native_start_that_fails(project: Project) -> None:
    (project.site / "tinybridge" / "__main__.py").write_text("raise SystemExit(4)\n", encoding="utf-8")
    todo = Checklist()
    with shadow.made(project.settings, project.venv) as twin:
        native.run(todo, twin)
    assert tuple(failed(todo.results)) == NATIVE


def test_keepalive_monitor_that_gives_up(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with twin_with("gives-up", project, monkeypatch) as twin, keepalive.watched(twin) as window:
        assert keepalive.monitors(twin, window)[0] == "fail"


def test_keepalive_monitor_that_deserts(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with twin_with("deserts", project, monkeypatch) as twin, keepalive.watched(twin) as window:
        stage.until(lambda: "answers" in window.shown(), 10)
        status, evidence = keepalive.graceful(twin, window)
        assert status == "fail"
        assert "exit code 5" in evidence
        assert "is still there" in evidence
        assert "lives on" in evidence
        assert keepalive.restarts(twin, window)[0] == "fail"


@pytest.mark.parametrize("pace", [0.1, 1.2])
def test_keepalive_at_another_pace(project: Project, monkeypatch: pytest.MonkeyPatch, pace: float) -> None:
    changes = {**keepalive._recorded(), "keep_alive": {"interval": pace}}
    monkeypatch.setattr(keepalive, "_recorded", lambda: changes)
    status, evidence = keepalive.interval(project.settings, project.venv)
    assert status == "fail"
    assert "apart" in evidence


def test_a_check_that_cannot_be_run_has_failed() -> None:
    todo = Checklist()
    result = todo.run("venv.cfg", lambda: 1 / 0)  # type: ignore[arg-type,return-value]
    assert (result.status, "ZeroDivisionError" in result.evidence) == ("fail", True)


def test_no_terminal_is_a_reason_to_skip(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = tmp_path / "host.py"
    host.write_text("""print('{"event": "unavailable", "why": "no terminal here"}')""", encoding="ascii")
    monkeypatch.setattr(stage.Pty, "HOST", host)
    todo = Checklist()
    with shadow.made(project.settings, project.venv) as twin:
        native.run(todo, twin)
    keepalive.run(todo, project.settings, project.venv, "debug")
    assert [check.id for check in todo.results] == [name for name in TITLES if name.startswith(("native", "keepalive"))]
    assert {check.status for check in todo.results} == {"skip"}
    reasons = {check.evidence for check in todo.results}
    assert reasons == {"no terminal here", "the monitor did not get as far as that"}


def test_native_kill_that_ends_nothing_proves_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.Pty, "kill", lambda self: [self.child.identity])
    with shadow.made(project.settings, project.venv) as twin:
        status, evidence = native.survives_editor(twin)
    assert (status, "live on" in evidence) == ("fail", True), evidence


def test_the_fault_of_the_faulty_manager_is_its_only_one(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its fault, the same program passes: what failed above failed because of the fault."""
    todo = Checklist()
    with twin_with("none", project, monkeypatch) as twin:
        todo.run("native.survives-terminal", lambda: native.survives_terminal(twin))
    assert todo.results[0].status == "pass", todo.results
    assert sys.executable
