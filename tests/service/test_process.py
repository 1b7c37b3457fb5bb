"""Starting: detached, in UTF-8, without what derails a python; the Windows flags pinned by a stand-in."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest

from clinic.errors import FailedError
from clinic.service import identity, jobs, launch, process
from clinic.service.table import command, everyone, variable


def run(code: str, tmp_path: Path, **variables: str) -> tuple[int | None, str]:
    log = tmp_path / "log"
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    env = process.surroundings(variables, "id", "debug", "127.0.0.1", 1)
    child = process.spawn([sys.executable, "-c", code], cwd=tmp_path, env=env, log=descriptor)
    os.close(descriptor)
    ended = child.wait(20)
    return ended, log.read_text("utf-8")


@pytest.mark.skipif(os.name == "nt", reason="sessions of POSIX")
def test_it_has_a_session_and_no_terminal_and_reads_nothing(tmp_path: Path) -> None:
    code = (
        "import os, sys; print(os.getsid(0) == os.getpid(), sys.stdin.read() == '', os.getcwd())\n"
        "try: os.open('/dev/tty', os.O_RDWR)\n"
        "except OSError: print('no terminal')\n"
        "print(oct(os.umask(0)), 'x', file=sys.stderr)"
    )
    old = os.umask(0)
    try:
        assert run(code, tmp_path) == (0, f"True True {tmp_path}\nno terminal\n0o22 x\n")
    finally:
        os.umask(old)


def test_an_emoji_to_a_stream_that_was_set_to_cp1252(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "cp1252")
    monkeypatch.setenv("LC_ALL", "C")
    code = r"print('🌉 läuft', chr(0xD83D)); open('f', 'w').write('🌉')"
    assert run(code, tmp_path) == (0, "🌉 läuft \\ud83d\n")


def test_what_would_derail_it_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONHOME", "PYTHONPATH", "__PYVENV_LAUNCHER__", "VIRTUAL_ENV", "PYTHONUTF8"):
        monkeypatch.setenv(name, "0")
    code = (
        "import os; print([os.environ.get(n) for n in "
        "('PYTHONHOME', 'PYTHONPATH', 'VIRTUAL_ENV', 'PYTHONUTF8', 'OWN', 'BRIDGE_LAUNCH_ID', 'BRIDGE_MODE')])"
    )
    told = "[None, None, None, '1', 'own', 'id', 'debug']\n"
    assert run(code, tmp_path, OWN="own", BRIDGE_LAUNCH_ID="not mine to choose") == (0, told)


def test_its_own_variables_win_over_our_defaults() -> None:
    env = process.surroundings({"PYTHONUTF8": "0"}, "id", "production", "::1", 8000)
    assert (env["PYTHONUTF8"], env["BRIDGE_MODE"], env["BRIDGE_PORT"]) == ("0", "production", "8000")


def test_the_exit_code_is_told_and_no_zombie_stays(tmp_path: Path) -> None:
    assert run("raise SystemExit(7)", tmp_path)[0] == 7


@pytest.mark.parametrize("what", ["missing", "dangling", "not executable", "not a program", "nul"])
def test_what_cannot_be_started_is_said(tmp_path: Path, what: str) -> None:
    program = tmp_path / "program"
    if what == "dangling":
        program.symlink_to(tmp_path / "nowhere")
    elif what != "missing":
        program.write_bytes(b"\x7fnonsense")
        program.chmod(0o644 if what == "not executable" else 0o755)
    name = "a\0b" if what == "nul" else str(program)
    with pytest.raises(FailedError) as failed:
        process.spawn([name], cwd=tmp_path, env={}, log=1)
    assert failed.value.code == "cannot-start"
    assert failed.value.hint == "invoke diagnose"


class Stand:
    """Stands in for subprocess.Popen on Windows."""

    def __init__(self, denied: int, answer: int = 0) -> None:
        self.denied, self.answer, self.calls = denied, answer, list[dict[str, Any]]()

    def __call__(self, argv: list[str], **options: Any) -> Any:
        """Take note, and refuse what is denied."""
        self.calls.append(options)
        if options["creationflags"] & self.denied:
            raise PermissionError(13, "Access is denied")
        if jobs.__file__ in argv:
            asked = MagicMock()
            asked.__enter__.return_value.wait.return_value = self.answer
            return asked
        started = subprocess.Popen.__new__(subprocess.Popen)
        started.pid, started.returncode = os.getpid(), 0
        return started


def test_the_windows_flags(tmp_path: Path) -> None:
    popen = Stand(0)
    child = process.spawn(["x"], cwd=tmp_path, env={}, log=1, windows=True, popen=popen)
    assert popen.calls[0]["creationflags"] == 0x08000000 | 0x00000200 | 0x01000000
    assert not popen.calls[0]["creationflags"] & 0x00000008  # DETACHED_PROCESS would void CREATE_NO_WINDOW
    assert popen.calls[0]["stdin"] == subprocess.DEVNULL
    assert child.notes == ()


def test_a_job_that_lets_nobody_go_is_said(tmp_path: Path) -> None:
    popen = Stand(process.CREATE_BREAKAWAY_FROM_JOB)
    child = process.spawn(["x"], cwd=tmp_path, env={}, log=1, windows=True, popen=popen)
    assert popen.calls[1]["creationflags"] == 0x08000000 | 0x00000200
    assert child.notes == (), "it is in no job that would end it"


def test_a_job_that_ends_its_members_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "confined", lambda _pid: True)
    for denied, ends in ((0, True), (process.CREATE_BREAKAWAY_FROM_JOB, True), (0, False)):
        popen = Stand(denied, int(ends))
        child = process.spawn(["x"], cwd=tmp_path, env={}, log=1, windows=True, popen=popen)
        assert child.notes == ((jobs.ENDS_WITH_JOB,) if ends else ())
        assert popen.calls[-1]["creationflags"] == 0x09000200 - denied, "asked by one that was started just so"


def test_a_program_that_may_not_be_run_fails_both_times(tmp_path: Path) -> None:
    with pytest.raises(FailedError):
        process.spawn(["x"], cwd=tmp_path, env={}, log=1, windows=True, popen=Stand(0x08000000))


def test_behind_a_launcher_the_child_with_the_same_arguments_serves(sleeper: Any, until: Any) -> None:
    """What the Windows redirector does: the environment's python.exe starts the base's with its own arguments."""
    leader = sleeper(
        "if len(sys.argv) == 1 and 'REDIRECTED' not in os.environ:\n"
        "    subprocess.Popen([sys.executable, *sys.orig_argv[1:]], env={**os.environ, 'REDIRECTED': '1'})\n"
        "    subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        "if 'REDIRECTED' in os.environ: time.sleep(300)"
    )
    served = until(
        lambda: next(
            (r.identity for r in everyone() if r.parent == leader.pid and variable(r.identity.pid, "REDIRECTED")),
            None,
        )
    )
    until(lambda: command(served.pid))  # empty for a moment while it is being loaded
    assert launch.serving(leader, windows=True) == served
    assert launch.serving(leader, windows=False) == leader
    assert launch.serving(served, windows=True) == served
    assert identity.alive(served)
