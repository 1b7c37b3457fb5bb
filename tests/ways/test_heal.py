"""Healing: the cheapest remedies that suffice, then the server, then the proof; a healthy system is left alone."""

from __future__ import annotations

import os
import re
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


def _cfg_and_python_lost(project: Project) -> None:
    _python_dangling(project)
    project.cfg.unlink()


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
    (_python_dangling, "relink"),
    (_cfg_and_python_lost, "relink"),
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
    assert f"`{remedy}`: done" in text
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


def test_advice_that_fails_the_checklist_is_followed(project: Project) -> None:
    """A base upgraded in place leaves an old version in the file: harmless, and yet the file is not true."""
    text = project.cfg.read_text("utf-8")
    version = next(line for line in text.splitlines() if line.startswith("version"))
    project.cfg.write_text(text.replace(version, f"{version.rpartition('.')[0]}.99"), encoding="utf-8")
    result = heal(project)
    assert (result.outcome, [receipt.remedy for receipt in result.data["receipts"]]) == ("cured", ["fix-cfg"])
    assert project.cfg.read_text("utf-8") == text


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


TORN = "raise RuntimeError('torn')\n"
ALIEN = "raise ImportError('/srv/_core.so: undefined symbol: PyNothing')\n"


def _alien_import(project: Project) -> None:
    """What is installed does not import, and no record says why: only a rebuild is left."""
    (project.site / "tinybridge" / "__init__.py").write_text(ALIEN, encoding="utf-8")
    for records in project.site.glob("tinybridge-*.dist-info/RECORD"):
        lines = records.read_text("utf-8").splitlines()
        records.write_text(
            "".join(
                f"{line.split(',')[0]},,\n" if line.startswith("tinybridge/__init__.py") else f"{line}\n"
                for line in lines
            ),
            encoding="utf-8",
        )


def test_it_escalates_when_the_cheap_remedy_does_not_hold(project: Project) -> None:
    """A cfg from evidence is written and put back: machine code that does not load speaks against the base."""
    project.cfg.unlink()
    _alien_import(project)
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


def test_a_hurt_package_is_not_held_against_a_true_cfg(project: Project) -> None:
    project.cfg.unlink()
    (project.site / "tinybridge" / "__init__.py").write_text(TORN, encoding="utf-8")
    result = heal(project)
    assert [(r.remedy, r.outcome) for r in result.data["receipts"]] == [("fix-cfg", "done"), ("reinstall", "done")]
    assert (result.outcome, result.exit_code, result.errors) == ("cured", 0, ())


def test_what_keeps_the_python_from_starting_needs_no_rebuild(project: Project) -> None:
    """A .pth file that kills the interpreter does not speak against the cfg: one remedy each."""
    project.cfg.unlink()
    (project.site / "broken.pth").write_bytes(b"\xff\xfe\x00import x\n")
    result = heal(project)
    done = [r.remedy for r in result.data["receipts"] if r.outcome == "done"]
    assert done == ["fix-cfg", "reinstall"]
    assert (result.outcome, result.data["after"]["verdict"]) == ("cured", "healthy")


def test_a_leftover_goes_on_the_way(project: Project) -> None:
    left = project.site / "~inybridge"
    left.mkdir()
    assert heal(project).outcome == "unchanged", "advice alone is no reason to act"
    (project.site / "tinybridge" / "__init__.py").write_text(TORN, encoding="utf-8")
    assert heal(project).outcome == "cured"
    assert not left.exists()


def test_without_rebuild_the_expensive_damage_stays(project: Project) -> None:
    shutil.rmtree(project.venv)
    project.venv.mkdir()
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


def _version_wrong(project: Project) -> None:
    """Advice by itself: version keys are only compared."""
    text = re.sub(r"^version = .*$", "version = 3.1.4", project.cfg.read_text("utf-8"), flags=re.MULTILINE)
    project.cfg.write_text(text, encoding="utf-8")


def test_a_spared_key_is_left_as_it_is(project: Project) -> None:
    _version_wrong(project)
    _home_wrong(project)
    result = heal(project, skip=("cfg-version-mismatch",))
    assert [(r.remedy, r.outcome) for r in result.data["receipts"]] == [("fix-cfg", "done")]
    text = project.cfg.read_text("utf-8")
    assert "version = 3.1.4" in text
    assert "/nowhere" not in text
    assert [finding.code for finding in result.data["after"]["findings"]] == ["cfg-version-mismatch"]
    assert [check.id for check in result.data["checks"] if check.status == "fail"] == ["venv.cfg"], (
        "it is not hushed up"
    )
    assert heal(project, skip=("cfg-version-mismatch",)).data["receipts"] == []
    assert "version = 3.1.4" in project.cfg.read_text("utf-8")


def test_only_one_of_two_in_the_same_file(project: Project) -> None:
    _version_wrong(project)
    _home_wrong(project)
    result = heal(project, only=("cfg-version-mismatch",))
    assert "home = " in project.cfg.read_text("utf-8")
    assert any("cfg-home" in note and "too" in note for note in result.notes), "home cannot be left as it is: told"
    assert "version = 3.1.4" not in project.cfg.read_text("utf-8")


def test_what_is_spared_does_not_speak_against_the_repair(project: Project) -> None:
    """The packages do not import, with any pyvenv.cfg: left alone by name, that is no reason to put the file back."""
    project.cfg.unlink()
    (project.site / "tinybridge" / "__init__.py").write_text("raise RuntimeError('torn')\n", encoding="utf-8")
    result = heal(project, skip=("import-fails", "dist-files-altered"))
    assert [(r.remedy, r.outcome) for r in result.data["receipts"]] == [("fix-cfg", "done")]
    assert (result.outcome, result.exit_code) == ("sick", 1), "what is left alone is still there"
    assert {f.code for f in result.data["after"]["findings"]} <= {"import-fails", "dist-files-altered"}
    assert any(note.startswith("left alone, as asked: ") for note in result.notes)


def test_a_remedy_that_cannot_leave_it_alone_says_so(project: Project) -> None:
    _alien_import(project)
    _home_wrong(project)
    code = next(f.code for f in flow.diagnose(project.settings).data["findings"] if f.code.startswith("cfg-home"))
    planned = flow.heal(project.settings, None, flow.Wish(skip=(code,)), dry_run=True)
    assert planned.notes == (f"a rebuild cures {code} too",)
    result = heal(project, skip=(code,))
    assert (result.outcome, [r.remedy for r in result.data["receipts"]]) == ("cured", ["rebuild"])
    assert f"rebuild has cured {code} too: it cannot leave that alone" in result.notes


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
    with Records(project.records).lock("rebuild", project.cfg.parent), pytest.raises(BusyError):
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


def test_what_is_named_by_hand_and_put_back_is_no_success(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Advice makes nobody sick; but it was asked for by name, was tried, and is still there."""
    (project.venv / "bin" / "python3").unlink()
    before = fingerprint(project.venv)
    monkeypatch.setattr("clinic.remedies.fix_cfg.unproved", lambda *_: "its python says so")
    result = heal(project, only=("python-alias-broken",), rebuild=False)
    assert [(r.remedy, r.outcome) for r in result.data["receipts"]] == [("relink", "restored")]
    assert (result.outcome, result.exit_code) == ("sick", 1)
    assert ["its python says so" in error.message for error in result.errors] == [True]
    assert fingerprint(project.venv) == before


def test_what_is_typed_for_advice_follows_it(project: Project) -> None:
    (project.venv / "bin" / "python3").unlink()
    typed = [action.command for action in flow.diagnose(project.settings).data["next_actions"]]
    assert typed == ["invoke heal --no-rebuild --only python-alias-broken"]
    assert heal(project, rebuild=False).outcome == "unchanged", "advice alone is no reason to act"
    assert heal(project, rebuild=False, only=(typed[0].rpartition(" ")[2],)).outcome == "cured"
    assert flow.diagnose(project.settings).data["findings"] == ()
