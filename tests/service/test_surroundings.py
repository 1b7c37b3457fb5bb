"""What happens around a start: Ctrl+C, a terminal that is closed, real uvicorn."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic.service import identity, manager

ROOT = Path(manager.__file__).parents[3]
DRIVE = Path(__file__).parent / "apps" / "drive.py"
Until = Callable[..., Any]
posix_only = pytest.mark.skipif(os.name == "nt", reason="signals and terminals of POSIX")


def drive(p: Any, verb: str) -> list[str]:
    pickled = p.settings.root / "settings"
    pickled.write_bytes(pickle.dumps(p.settings))
    return [sys.executable, str(DRIVE), str(ROOT / "scripts"), str(pickled), verb]


@posix_only
def test_ctrl_c_during_the_wait_puts_everything_back(project: Any, until: Until) -> None:
    p = project({"APP_BOOT": "60", "APP_CHILDREN": "1"}, start_timeout=60.0)
    with subprocess.Popen(drive(p, "start"), stdout=subprocess.DEVNULL) as starter:
        until(lambda: len(p.family()) == 3 and p.service.pid_file.exists())
        starter.send_signal(signal.SIGINT)
        assert starter.wait(10) == 130
    assert not p.service.pid_file.exists()
    assert all(identity.identify(pid) is None for pid in p.family())


@posix_only
def test_a_starter_that_is_killed_leaves_a_server_that_is_found(project: Any, until: Until) -> None:
    p = project({"APP_BOOT": "0.7"})
    with subprocess.Popen(drive(p, "start"), stdout=subprocess.DEVNULL) as starter:
        until(lambda: p.family() and p.service.pid_file.exists())
        starter.kill()
    adopted = p.start()
    assert (adopted.state, adopted.changed, adopted.pid) == ("running", False, p.family()[0])
    assert p.stop().changed


@posix_only
def test_it_survives_the_terminal_that_it_was_started_from(project: Any, until: Until) -> None:
    import pty
    import termios

    p = project()
    shell, terminal = pty.fork()
    if not shell:  # the shell's place: a session whose terminal this is
        with contextlib.suppress(OSError):
            os.execv(  # noqa: S606 - no shell is wanted
                sys.executable, [sys.executable, "-c", SHELL, *drive(p, "start")]
            )
        os._exit(127)
    told = b""
    while b"running" not in told:
        told += os.read(terminal, 1000)
    assert termios.tcgetattr(terminal)
    pid = p.status().pid
    os.close(terminal)  # SIGHUP to the session
    until(lambda: os.waitpid(shell, os.WNOHANG)[0])
    assert os.getsid(pid) == pid
    assert p.status().state == "running"


SHELL = "import subprocess, sys, time; subprocess.run(sys.argv[1:]); time.sleep(300)"  # a terminal's shell stays


@pytest.mark.skipif(importlib.util.find_spec("uvicorn") is None, reason="uvicorn is not installed here")
def test_the_bridge_itself_under_uvicorn(project: Any) -> None:
    command = ("{python}", "-m", "uvicorn", "nucleus.interface_bridge:app", "--host", "{host}", "--port", "{port}")
    p = project(command=command, cwd=ROOT / "ai")
    begun = p.start()
    assert begun.health.pid == begun.pid
    assert p.start().changed is False
    assert "Uvicorn running" in p.log()
    ended = p.stop()
    assert (ended.state, ended.notes) == ("stopped", ())
    assert "Finished server process" in p.log()


@pytest.mark.skipif(importlib.util.find_spec("uvicorn") is None, reason="uvicorn is not installed here")
def test_uvicorn_workers_end_with_their_parent(project: Any, until: Until) -> None:
    command = ("{python}", "-m", "uvicorn", "nucleus.interface_bridge:app", "--port", "{port}", "--workers", "2")
    p = project(command=command, cwd=ROOT / "ai")
    begun = p.start()
    assert begun.health.pid != begun.pid  # a worker answers; the parent is the server
    os.kill(begun.pid, signal.SIGKILL)
    until(lambda: identity.identify(begun.pid) is None)
    now = p.status()
    assert (now.state, now.port_holder.ours) == ("stale", True)
    again = p.start()
    assert again.state == "running"
    assert p.stop().state == "stopped"


def test_variables_that_derail_a_python_do_not_reach_the_server(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/srv/gone")
    monkeypatch.setenv("PYTHONPLATLIBDIR", "nowhere")
    monkeypatch.setenv("VIRTUAL_ENV", "/srv/another")
    p = project()
    assert p.start().state == "running"
    assert p.stop().changed
