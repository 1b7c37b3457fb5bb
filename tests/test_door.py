"""Whatever happens behind a door, one envelope comes out, with the contract's exit code."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic import door
from clinic.errors import BusyError, FailedError, RefusedError
from clinic.model import Result
from clinic.service import console


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (FailedError("a", "b", "c"), "failed", 1),
        (RefusedError("a", "b", "c"), "refused", 2),
        (BusyError("a", "b", "c"), "busy", 4),
        (ZeroDivisionError("planted"), "failed", 3),
        (KeyboardInterrupt(), "failed", 130),
        (ModuleNotFoundError("No module named 'psutil'", name="psutil"), "refused", 2),
        (ModuleNotFoundError("No module named 'clinic.x'", name="clinic.x"), "failed", 3),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/gone"), "failed", 3),
        (MemoryError(), "refused", 2),
        (RuntimeError("can't start new thread"), "refused", 2),
        (RuntimeError("planted"), "failed", 3),
    ],
)
def test_errors_become_envelopes(
    error: BaseException, outcome: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> Result:
        raise error

    assert door.perform("test", work, as_json=True) == code
    told = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["exit_code"], told["command"]) == (outcome, code, "test")
    assert told["errors"][0]["message"]


def test_a_result_goes_through(capsys: pytest.CaptureFixture[str]) -> None:
    assert door.perform("test", lambda: Result("other", "healthy", 0, {"n": 1}), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["command"], told["data"]) == ("test", {"n": 1})
    assert told["seconds"] >= 0


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "disk-full"),
        (errno.EDQUOT, "disk-full"),
        (errno.EIO, "disk-error"),
        (errno.ESTALE, "disk-error"),
        (errno.ENOTCONN, "disk-error"),
        (errno.EFBIG, "file-too-large"),
        (errno.EROFS, "disk-read-only"),
        (errno.EACCES, "not-writable"),
        (errno.EPERM, "not-writable"),
        (errno.EMFILE, "too-many-files"),
        (errno.ENFILE, "too-many-files"),
        (errno.ENOMEM, "no-memory"),
        (errno.EAGAIN, "no-processes"),
        (errno.ETXTBSY, "file-in-use"),
        (errno.ENAMETOOLONG, "path-too-long"),
    ],
)
def test_what_this_machine_refuses_is_no_bug(number: int, code: str, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> Result:
        raise OSError(number, os.strerror(number), "/srv/file")

    assert door.perform("test", work, as_json=True) == 2
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert error["code"] == code
    assert error["message"].startswith("/srv/file: ")
    assert os.strerror(number) in error["message"]
    assert error["hint"]


def test_no_temporary_folder_is_said_as_that(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere/at/all"])

    def work() -> Result:
        tempfile.mkdtemp()
        raise AssertionError

    assert door.perform("test", work, as_json=True) == 2
    (error,) = json.loads(capsys.readouterr().out)["errors"]
    assert (error["code"], "TMPDIR" in error["hint"]) == ("no-temp-folder", True)
    assert error["message"] == "There is no temporary folder to write to."


def test_what_is_said_of_an_interruption_is_said_by_the_work(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> Result:
        raise KeyboardInterrupt("The server still runs.")

    assert door.perform("test", work, as_json=True) == 130
    assert json.loads(capsys.readouterr().out)["errors"][0]["message"] == "Interrupted. The server still runs."


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", None)])
def test_a_request_to_end_unwinds_the_work(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    unwound = []

    def work() -> Result:
        try:
            signal.raise_signal(number)
        finally:
            unwound.append(number)
        raise AssertionError

    before = signal.getsignal(number)
    assert door.perform("test", work, as_json=True) == 130
    assert (unwound, signal.getsignal(number)) == ([number], before)
    assert json.loads(capsys.readouterr().out)["exit_code"] == 130


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_hang_up_that_is_said_twice_does_not_interrupt_the_unwinding(capsys: pytest.CaptureFixture[str]) -> None:
    """By the terminal, and by the shell in it."""
    unwound = []

    def work() -> Result:
        try:
            signal.raise_signal(signal.SIGHUP)
        finally:
            signal.raise_signal(signal.SIGHUP)
            unwound.append("to its end")
        raise AssertionError

    assert door.perform("test", work, as_json=True) == 130
    assert unwound == ["to its end"]
    assert json.loads(capsys.readouterr().out)["exit_code"] == 130


def test_a_console_that_is_closed_interrupts_the_work_and_waits_for_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[threading.Event] = []

    def hold_close(asked: Callable[[], None], over: threading.Event) -> None:
        held.append(over)
        threading.Thread(target=asked).start()  # the system calls it in a thread of its own

    monkeypatch.setattr(console, "hold_close", hold_close)
    pause = threading.Event()

    def work() -> None:
        with door._interruptible(windows=True):
            try:
                while not pause.wait(0.01):
                    pass
            finally:
                assert not held[0].is_set()

    with pytest.raises(KeyboardInterrupt):
        work()
    assert held[0].is_set()


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, getattr(signal, "SIGHUP", None)])
def test_what_is_ignored_stays_ignored(number: signal.Signals, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> Result:
        signal.raise_signal(number)
        return Result("other", "healthy", 0)

    before = signal.signal(number, signal.SIG_IGN)
    try:
        assert door.perform("test", work, as_json=True) == 0
    finally:
        signal.signal(number, before)
    assert json.loads(capsys.readouterr().out)["exit_code"] == 0


SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
_TELLS = f"""
import sys
sys.path.insert(0, {str(SCRIPTS)!r})
from toolshed import entry
entry.prepare()
from clinic import door, report
from clinic.errors import FailedError
from clinic.model import Result
def work():
    with report.steps() as shown:
        shown.step("one")
    return Result("heal", "cured", {{}}, {{}}, (FailedError("a", "b", "c"),), notes=("noted",))
sys.exit(door.perform("heal", work, as_json="--json" in sys.argv))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
@pytest.mark.parametrize("code", [0, 1])
@pytest.mark.parametrize("words", ["", "--json"])
@pytest.mark.parametrize("streams", [">/dev/full", "2>/dev/full", ">/dev/full 2>&1", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_report_that_cannot_be_written_changes_no_exit_code(streams: str, words: str, code: int) -> None:
    program = _TELLS.format(code, {"n": 1})
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$1" {words} {streams}', sys.executable, program],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    if ">/dev/full" in streams and "2>" not in streams:
        assert b"one" in done.stderr
    if streams in {"2>/dev/full", "2>&-"} and words:
        assert json.loads(done.stdout)["exit_code"] == code
