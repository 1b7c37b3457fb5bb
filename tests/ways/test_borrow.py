"""Borrowing: a server on the base interpreter with the sick environment's own packages."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from clinic import flow, proc
from clinic.errors import FailedError, RefusedError
from clinic.facts import Facts
from clinic.flow.patient import patient
from clinic.remedies import borrow, stopgap
from clinic.service import manager, memory
from tests.real.patients import fingerprint
from tests.ways.project import NAME, Project


def served_from(project: Project) -> str:
    """What the server said when it last started: its prefix and where the service's package comes from."""
    return project.log().splitlines()[-1]


def test_cfg_lost(project: Project) -> None:
    project.cfg.unlink()
    before = fingerprint(project.venv)
    result = flow.unblock(project.settings)
    assert (result.outcome, result.exit_code, result.data["way"]) == ("healthy", 0, "borrow")
    assert fingerprint(project.venv) == before, "the environment was changed"
    assert str(project.site / NAME) in served_from(project)
    assert project.status().stopgap == "borrow"
    assert memory.recall(project.settings).stopgap == "borrow"


def test_python_dangling(project: Project) -> None:
    for python in (project.venv / "bin").glob("python*"):
        python.unlink()
        python.symlink_to("/nowhere/bin/python3")
    result = flow.unblock(project.settings)
    assert result.data["way"] == "borrow"
    assert str(project.site / NAME) in served_from(project)


def test_scripts_folder_gone(project: Project) -> None:
    shutil.rmtree(project.venv / "bin")
    assert flow.unblock(project.settings).data["way"] == "borrow"


def test_a_server_that_runs_is_left_alone(project: Project) -> None:
    first = project.start()
    project.cfg.unlink()
    result = flow.unblock(project.settings)
    assert (result.outcome, result.data["pid"]) == ("unchanged", first.pid)


def test_a_healthy_environment_needs_no_stopgap(project: Project) -> None:
    result = flow.unblock(project.settings)
    assert (result.outcome, result.data["way"], result.data["stopgap"]) == ("healthy", "environment", None)
    assert not (project.records / "borrow").exists()


def test_a_script_of_the_environment_is_handed_to_the_lender(project: Project) -> None:
    script = project.venv / "bin" / "tiny"
    script.write_text(f"#!{project.python}\nimport runpy\nrunpy.run_module('{NAME}', run_name='__main__')\n", "utf-8")
    project.cfg.unlink()
    settings = project.with_(command=("{venv}/bin/tiny", "{host}", "{port}"))
    assert flow.unblock(settings).data["way"] == "borrow"


@pytest.mark.parametrize(
    ("first", "expected"),
    [("{python}", "{python}"), ("{venv}/bin/python", "{python}"), ("/usr/bin/env", "/usr/bin/env")],
)
def test_commands_for_another_python(tmp_path: Path, first: str, expected: str) -> None:
    assert stopgap.runnable((first, "-m", "x"), tmp_path) == (expected, "-m", "x")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"#!/old/bin/python\n", "{python}"),
        (b'MZ\0stub#!"C:\\old\\python.exe"\r\nPK\x03\x04', "{python}"),
        (b"MZ\0 a program of its own", "{venv}/Scripts/serve.exe"),
        (b"#!/bin/sh\n", "{venv}/Scripts/serve.exe"),
    ],
)
def test_scripts_for_another_python(tmp_path: Path, content: bytes, expected: str) -> None:
    (tmp_path / "Scripts").mkdir()
    (tmp_path / "Scripts" / "serve.exe").write_bytes(content)
    assert stopgap.runnable(("{venv}/Scripts/serve.exe", "x"), tmp_path)[0] == expected


def test_neither_the_bases_packages_nor_the_users_are_seen(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    home = project.root / "home"
    monkeypatch.setenv("HOME", str(home))
    project.cfg.unlink()
    facts = flow_facts(project)
    found = borrow.prepare(project.settings, facts)
    done = proc.run([found.python, "-c", "import sys; print(sys.path, sys.flags.no_user_site)"], timeout=20)
    assert str(project.site) in done.stdout
    assert str(facts.search.base and facts.search.base.prefix / "lib") in done.stdout
    others = [part for part in done.stdout.split("'") if part.endswith(("site-packages", "dist-packages"))]
    shell = project.records / "borrow"
    assert all(Path(part).is_relative_to(project.venv) or Path(part).is_relative_to(shell) for part in others), others


def flow_facts(project: Project) -> Facts:
    """What `unblock` looks at."""
    return patient(project.settings).look(imports=False)


def test_a_pth_that_ends_the_start_is_left_out(project: Project) -> None:
    (project.site / "evil.pth").write_text("import os; os._exit(3)\n", encoding="utf-8")
    assert flow.unblock(project.settings).data["way"] == "borrow"


def test_a_package_from_elsewhere_is_no_proof(project: Project) -> None:
    site = project.root / "other" / "site-packages"
    site.mkdir(parents=True)
    shutil.move(project.site / NAME, site / NAME)
    (project.site / "elsewhere.pth").write_text(f"{site}\n", encoding="utf-8")
    project.cfg.unlink()
    with pytest.raises(FailedError, match="elsewhere"):
        borrow.prepare(project.settings, flow_facts(project))


def test_nothing_to_borrow(project: Project) -> None:
    site = project.site
    shutil.rmtree(site)
    site.mkdir()
    with pytest.raises(RefusedError, match="no packages"):
        borrow.prepare(project.settings, flow_facts(project))


def test_every_command_nags_until_the_environment_serves_again(project: Project) -> None:
    project.cfg.unlink()
    flow.unblock(project.settings)
    (note,) = stopgap.nag(project.settings)
    assert "borrow" in note
    assert "invoke heal" in note
    assert flow.diagnose(project.settings).data["stopgap"] == "borrow"
    flow.fix_cfg(project.settings)
    assert stopgap.nag(project.settings), "a cure alone does not end it: the old python still serves"
    result = flow.restart_server(project.settings)
    assert (result.data["stopgap"], stopgap.nag(project.settings)) == (None, ())
    assert not (project.records / "borrow").exists()
    assert f"complete {project.venv} " in served_from(project)


def test_a_taken_port_is_told_at_once(project: Project) -> None:
    import socket

    project.cfg.unlink()
    with socket.socket() as stranger:
        stranger.bind((project.settings.service.host, project.settings.service.port))
        stranger.listen()
        with pytest.raises(RefusedError) as told:
            flow.unblock(project.settings)
    assert told.value.code == "port-taken"


def test_dry_run_touches_nothing(project: Project) -> None:
    project.cfg.unlink()
    result = flow.unblock(project.settings, dry_run=True)
    assert result.outcome == "planned"
    assert "base interpreter" in result.data["plan"][0]
    assert not (project.records / "borrow").exists()
    assert project.status().pid is None


def test_switching_the_mode_keeps_the_stopgap_and_its_python(project: Project) -> None:
    """The settings' command names the environment's own python, which is what must not serve."""
    settings = project.with_(command=("{venv}/bin/python", "-m", NAME, "{host}", "{port}"))
    manager.start(settings, project.python, project.venv, mode="production")
    project.kill()
    for python in (project.venv / "bin").glob("python*"):
        python.unlink()
        python.symlink_to("/nowhere/bin/python3")
    assert flow.unblock(settings).data["way"] == "borrow"
    first = project.status()
    flow.production_mode(settings, asked=("off",))
    now = project.status()
    assert (now.state, now.stopgap, now.mode) == ("running", "borrow", "debug")
    assert now.pid != first.pid
    assert now.environment == first.environment
