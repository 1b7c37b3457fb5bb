"""Short-lived programs: argument lists, a scrubbed environment, a time limit."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from clinic import proc
from clinic.proc_group import CREATE_SUSPENDED, Group


def test_arguments_arrive_as_they_are() -> None:
    words = ["a b", "'", '"', "$HOME", "é𝜋", ""]
    done = proc.run([sys.executable, "-X", "utf8", "-c", "import sys; print(sys.argv[1:])", *words], timeout=30)
    assert done.ok
    assert done.stdout.strip() == str(words)


def test_a_time_limit_ends_it() -> None:
    done = proc.run([sys.executable, "-c", "print('x', flush=True); input = __import__('time').sleep(60)"], timeout=1)
    assert (done.code, done.ok) == (None, False)
    assert "no answer in 1 s" in done.reason
    assert done.stdout.strip() == "x"


@pytest.mark.parametrize("program", ["/nowhere/at/all", "a\0b"])
def test_what_cannot_be_started_is_told(program: str) -> None:
    done = proc.run([program], timeout=5)
    assert done.code is None
    assert done.reason


def test_bytes_that_are_no_text_are_shown() -> None:
    done = proc.run([sys.executable, "-c", "import os; os.write(1, b'\\xff')"], timeout=30)
    assert done.stdout == "\\xff"


def test_the_environment_is_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIP_TARGET", "UV_SYSTEM_PYTHON"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PIP_INDEX_URL", "kept")
    env = proc.scrubbed({"MORE": "1"}, without=["LANG"])
    assert not proc.DERAILING & env.keys()
    assert (env["PIP_INDEX_URL"], env["MORE"], "LANG" in env) == ("kept", "1", False)


def test_it_runs_away_from_the_callers_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert proc.run([sys.executable, "-c", "import json"], timeout=30).ok


posix = pytest.mark.skipif(sys.platform == "win32", reason="a shell script")


def _script(folder: Path, text: str) -> Path:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def _is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has waited for yet counts as such."""
    for _ in range(300):
        try:
            state = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@linux
@pytest.mark.parametrize("lines", [[], ["told"]], ids=["run", "stream"])
def test_a_wrapper_that_waits_leaves_no_orphan(tmp_path: Path, lines: list[str]) -> None:
    program = _script(tmp_path, "sleep 600 & echo $! > pid; echo told; wait")
    started = time.monotonic()
    words = ["/bin/sh", "-c", f"cd '{tmp_path}' && exec '{program}'"]
    heard: list[str] = []
    done = proc.stream(words, timeout=2, on_line=heard.append) if lines else proc.run(words, timeout=2)
    assert (done.code, done.stdout.strip(), heard) == (None, "told", lines)
    assert done.reason == f"no {'end' if lines else 'answer'} in 2 s"
    # It was 600 s, and 9 s where the streams were waited for; a busy machine may take its time.
    assert time.monotonic() - started < 60
    assert _is_gone(int((tmp_path / "pid").read_text("utf-8")))


@linux
@pytest.mark.parametrize("escape", ["", "setsid "], ids=["in the group", "in a session of its own"])
def test_a_program_that_leaves_a_child_has_answered(tmp_path: Path, escape: str) -> None:
    program = _script(tmp_path, f"{escape}sleep 600 & echo $! > '{tmp_path}/pid'; echo told")
    started = time.monotonic()
    done = proc.run([program], timeout=300)
    assert (done.code, done.stdout) == (0, "told\n")
    assert time.monotonic() - started < 60
    pid = int((tmp_path / "pid").read_text("utf-8"))
    if escape:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert _is_gone(pid)


@posix
def test_what_is_said_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proc, "LIMIT", 1024**2)
    done = proc.run(["/bin/sh", "-c", "exec yes"], timeout=300)
    assert (done.code, len(done.stdout), done.reason) == (None, 1024**2, "it says more than 1 MB")
    streamed = proc.stream(
        ["/bin/sh", "-c", "i=0; while [ $i -lt 3 ]; do head -c 700000 /dev/zero; i=$((i+1)); done"],
        timeout=300,
        on_line=lambda _line: None,
    )
    assert streamed.ok
    assert 900_000 < len(streamed.stdout) <= 1024**2 + 40


def test_lines_are_handed_over_whole() -> None:
    heard: list[str] = []
    program = "import sys; sys.stdout.write('a\\nb\\r\\n\\nc'); sys.stdout.flush(); sys.stderr.write('d')"
    done = proc.stream([sys.executable, "-c", program], timeout=60, on_line=heard.append)
    assert (heard, done.stdout) == (["a", "b", "", "cd"], "a\nb\n\ncd")


def test_an_error_of_the_listener_ends_the_program() -> None:
    def on_line(_line: str) -> None:
        raise LookupError("planted")

    program = "import time; print('x', flush=True); time.sleep(600)"
    with pytest.raises(LookupError, match="planted"):
        proc.stream([sys.executable, "-c", program], timeout=300, on_line=on_line)
    assert not [each for each in threading.enumerate() if each.name == "clinic-reader"]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN])
def test_what_this_machine_lacks_is_no_answer(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def none_left(*_words: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(subprocess, "Popen", none_left)
    with pytest.raises(OSError, match=os.strerror(number)):
        proc.run([sys.executable], timeout=5)


def test_no_temporary_folder_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere/at/all"])
    with pytest.raises(FileNotFoundError):
        tempfile.gettempdir()
    assert proc.run([sys.executable, "-c", ""], timeout=60).ok


class Windows:
    """What kernel32 and ntdll are asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        def answer(*words: object) -> int:
            self.asked.append((name, *(word for word in words if isinstance(word, int))))
            return 7

        return answer


def test_on_windows_a_job_holds_the_program_before_it_runs() -> None:
    told = Windows()
    group = Group(windows=True, kernel=told, ntdll=told)
    assert group.creation_flags == CREATE_SUSPENDED
    group.take(42)
    group.end()
    assert [name for name, *_ in told.asked] == [
        "CreateJobObjectW",
        "SetInformationJobObject",
        "OpenProcess",
        "AssignProcessToJobObject",
        "NtResumeProcess",
        "CloseHandle",
        "TerminateJobObject",
        "CloseHandle",
    ]
    assert told.asked[1] == ("SetInformationJobObject", 7, 9, 144)  # bytes of the structure on 64-bit Windows
    assert told.asked[3] == ("AssignProcessToJobObject", 7, 7)


def test_quoted_is_read_back_by_a_shell() -> None:
    import shlex

    if sys.platform != "win32":
        assert shlex.split(proc.quoted("a b'c")) == ["a b'c"]
