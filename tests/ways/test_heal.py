"""Healing: the cheapest remedies that suffice, then the server, then the proof; a healthy system is left alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic import flow, plan
from clinic.errors import BusyError, RefusedError
from clinic.model import Finding, Result
from clinic.records import Records
from tests.real.patients import fingerprint
from tests.ways.project import Project


def heal(project: Project, **limits: object) -> Result:
    """Heal from the project's own wheelhouse: no test needs an index."""
    wish = flow.Wish(wheelhouse=str(project.wheelhouse), **limits)  # type: ignore[arg-type]
    return flow.heal(project.settings, None, wish)


def _cfg_lost(project: Project) -> None:
    project.cfg.unlink()


def _home_wrong(project: Project) -> None:
    text = project.cfg.read_text("utf-8")
    project.cfg.write_text(text.replace("home = ", "home = /nowhere", 1), encoding="utf-8")


def _cfg_blank(project: Project) -> None:
    project.cfg.write_bytes(b"")


def _python_dangling(project: Project) -> None:
    for python in (project.venv / "bin").glob("python*"):
        python.unlink()
        python.symlink_to("/nowhere/bin/python3")


def _packages_gone(project: Project) -> None:
    site = project.site
    shutil.rmtree(site)
    site.mkdir()


def _all_gone(project: Project) -> None:
    shutil.rmtree(project.venv)


DAMAGES: tuple[tuple[Callable[[Project], None], str], ...] = (
    (_cfg_lost, "fix-cfg"),
    (_home_wrong, "fix-cfg"),
    (_cfg_blank, "fix-cfg"),
    (_python_dangling, "rebuild"),
    (_packages_gone, "reinstall"),
    (_all_gone, "rebuild"),
)


@pytest.mark.parametrize(("damage", "remedy"), DAMAGES, ids=[damage.__name__.strip("_") for damage, _ in DAMAGES])
def test_each_damage_with_a_dead_server(project: Project, damage: Callable[[Project], None], remedy: str) -> None:
    project.start()
    project.kill()
    damage(project)
    result = heal(project)
    assert (result.outcome, result.exit_code) == ("cured", 0), (result.errors, result.data)
    assert [receipt.remedy for receipt in result.data["receipts"]] == [remedy]
    assert result.data["after"]["verdict"] == "healthy"
    status = project.status()
    assert (status.state, status.stopgap) == ("running", None)
    assert {check.status for check in result.data["checks"]} <= {"pass", "skip"}
    text = Path(result.data["incident"]).read_text(encoding="utf-8")
    assert f"`invoke {remedy}`: done" in text
    assert heal(project).outcome == "unchanged"


def test_a_healthy_system_is_not_changed(project: Project) -> None:
    before_start = project.start()
    first = heal(project)
    before = fingerprint(project.root)
    again = heal(project)
    assert (first.outcome, again.outcome, again.exit_code) == ("unchanged", "unchanged", 0)
    after = fingerprint(project.root)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {name for name in changed if not name.startswith(".clinic/lock")} == set()
    assert project.status().pid == before_start.pid
    assert again.data["receipts"] == []


def test_a_running_server_is_restarted_by_a_cure_only(project: Project) -> None:
    first = project.start()
    project.cfg.unlink()
    result = heal(project)
    assert result.data["server"]["done"] == "restarted"
    assert project.status().pid != first.pid


def test_a_server_that_was_stopped_on_request_stays_down(project: Project) -> None:
    from clinic.service import manager

    project.start()
    manager.stop(project.settings)
    project.cfg.unlink()
    assert heal(project).outcome == "cured"
    assert project.status().state == "stopped"


def test_a_dead_server_alone_is_started(project: Project) -> None:
    project.start()
    project.kill()
    result = heal(project)
    assert (result.outcome, result.data["receipts"], project.status().state) == ("cured", [], "running")
    assert Path(result.data["incident"]).is_file()


def test_it_ends_a_stopgap(project: Project) -> None:
    project.cfg.unlink()
    flow.unblock(project.settings)
    assert heal(project).outcome == "cured"
    assert project.status().stopgap is None
    assert not (project.records / "borrow").exists()


def test_it_escalates_when_the_cheap_remedy_does_not_hold(project: Project) -> None:
    """A cfg from evidence is written and put back: machine code that does not load speaks against the base."""
    project.cfg.unlink()
    text = "raise ImportError('/srv/_core.so: undefined symbol: PyNothing')\n"
    (project.site / "tinybridge" / "__init__.py").write_text(text, encoding="utf-8")
    result = heal(project)
    assert [(r.remedy, r.outcome) for r in result.data["receipts"]] == [("fix-cfg", "restored"), ("rebuild", "done")]
    assert (result.outcome, result.exit_code, result.errors) == ("cured", 0, ())
    assert any("not-proved" in note for note in result.notes)


def test_an_environment_half_deleted_while_in_use_is_rebuilt(project: Project) -> None:
    """What a deletion leaves that stops at a locked file: no pyvenv.cfg, half of the packages, the interpreter."""
    project.start()
    project.cfg.unlink()
    for path in sorted(project.site.iterdir())[1:]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (project.venv / "bin").iterdir():
        if not path.name.startswith("python"):
            path.unlink()
    result = heal(project)
    assert (result.outcome, result.exit_code) == ("cured", 0), result
    assert project.status().state == "running"
    assert not flow.diagnose(project.settings).data["findings"]


def test_what_else_is_broken_speaks_not_against_the_file(project: Project) -> None:
    project.cfg.unlink()
    (project.site / "tinybridge" / "__init__.py").write_text("raise RuntimeError('torn')\n", encoding="utf-8")
    result = heal(project)
    assert [(r.remedy, r.outcome) for r in result.data["receipts"]] == [("fix-cfg", "done"), ("reinstall", "done")]
    assert (result.outcome, result.exit_code, result.errors) == ("cured", 0, ())


def test_without_rebuild_the_expensive_damage_stays(project: Project) -> None:
    _python_dangling(project)
    before = fingerprint(project.venv)
    result = heal(project, rebuild=False)
    assert (result.outcome, result.exit_code, result.data["receipts"]) == ("sick", 1, [])
    assert fingerprint(project.venv) == before
    assert "invoke rebuild" in Path(result.data["incident"]).read_text(encoding="utf-8")


def test_only_and_except(project: Project) -> None:
    project.cfg.unlink()
    assert heal(project, skip=("cfg-missing",)).data["receipts"] == []
    assert heal(project, only=("cfg-home-missing",)).data["receipts"] == []
    assert heal(project, only=("cfg-missing",)).outcome == "cured"


def test_an_unknown_code_is_refused_with_the_nearest(project: Project) -> None:
    with pytest.raises(RefusedError) as told:
        heal(project, only=("cfg-mising",))
    assert told.value.hint == "did you mean cfg-missing?"


def test_dry_run(project: Project) -> None:
    project.start()
    project.kill()
    project.cfg.unlink()
    before = fingerprint(project.venv)
    result = flow.heal(project.settings, dry_run=True)
    assert (result.outcome, result.exit_code) == ("planned", 0)
    assert result.data["plan"] == ["fix-cfg: cures cfg-missing", "start the server, which is wanted and down"]
    assert fingerprint(project.venv) == before
    assert not (project.records / "incidents").exists()


def test_a_first_environment_is_found_where_it_was_put(project: Project) -> None:
    import sys
    from dataclasses import replace

    auto = replace(project.settings, environment=replace(project.settings.environment, path=None))
    result = flow.heal(auto, None, flow.Wish(wheelhouse=str(project.wheelhouse)))
    assert (result.outcome, result.exit_code) == ("cured", 0), result.errors
    assert result.data["after"]["venv"] == project.root / "ai" / f".venv3{sys.version_info[1]}"


def test_beside_another_run(project: Project) -> None:
    project.cfg.unlink()
    context = __import__("contextvars").Context()
    with Records(project.records).lock("rebuild"), pytest.raises(BusyError):
        context.run(lambda: heal(project))
    assert not os.path.lexists(project.cfg)


def finding(code: str, *cured_by: str) -> Finding:
    return Finding(code, "fatal", code, ("evidence",), (), cured_by)


def test_the_course_is_the_cheapest_that_suffices() -> None:
    both, dear = finding("a", "fix-cfg", "rebuild"), finding("b", "rebuild")
    assert plan.course((both,), base_known=True) == ("fix-cfg",)
    assert plan.course((both,), base_known=False) == ("rebuild",)
    assert plan.course((both, dear), base_known=True) == ("rebuild",)
    assert plan.course((both,), base_known=True, without=frozenset({"fix-cfg"})) == ("rebuild",)
    assert plan.course((both, finding("c")), base_known=True) == ("fix-cfg",), "what nobody cures is no reason to wait"
    assert plan.course((), base_known=True) == ()
