"""Production mode: remembered, refused on makeshifts, windowless on Windows, known to the system's supervisor."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest

from clinic.errors import FailedError, RefusedError
from clinic.flow.production import production_mode
from clinic.remedies import production_mode as remedy
from clinic.service import jobs, manager, memory, pidfile, process, windowless
from clinic.service.pidfile import Record
from tests.service.keeping import Kept


@pytest.fixture
def kept(tmp_path: Path, free_port: int) -> Iterator[Kept]:
    one = Kept(tmp_path, free_port)
    one.write()
    yield one
    one.end_all()


def test_the_mode_is_kept_and_the_server_restarted_in_it(kept: Kept) -> None:
    settings = kept.settings
    first = manager.start(settings, Path(sys.executable), Path(sys.prefix))
    assert first.mode == "debug"
    on = production_mode(settings)
    assert (on.outcome, on.data["mode"], on.data["state"]) == ("healthy", "production", "running")
    assert on.data["pid"] != first.pid
    assert production_mode(settings).outcome == "unchanged"
    manager.stop(settings)
    assert manager.start(settings, Path(sys.executable), Path(sys.prefix)).mode == "production"
    off = production_mode(settings, asked=("off",))
    assert (off.outcome, off.data["mode"], off.data["state"]) == ("healthy", "debug", "running")


def test_a_server_that_does_not_run_is_not_started(kept: Kept) -> None:
    result = production_mode(kept.settings)
    assert (result.outcome, result.data["state"], result.data["mode"]) == ("healthy", "stopped", "production")


def test_one_that_cannot_start_keeps_nobody_from_changing_the_mode(kept: Kept) -> None:
    memory.keep(kept.settings, wanted="up", launch="a2", ended="a1", last_reason="it ended while starting")
    assert manager.status(kept.settings).state == "failed"
    result = production_mode(kept.settings)
    assert (result.outcome, result.data["state"], result.data["mode"]) == ("healthy", "failed", "production")


def test_one_that_a_killed_change_of_the_mode_left_down_is_started(kept: Kept) -> None:
    settings = kept.settings
    manager.start(settings, Path(sys.executable), Path(sys.prefix))
    memory.keep(settings, mode="production")
    manager.withdraw(settings)  # as far as the change came
    unborn = pidfile.dump(Record(pidfile.UNBORN, pidfile.UNBORN, launch="a2")).decode()
    for more in ({}, {"launch": "a2", "record": unborn}):  # the latter one step later
        memory.keep(settings, **more)
        result = production_mode(settings)
        assert (result.outcome, result.data["state"], result.data["mode"]) == ("healthy", "running", "production")
        manager.withdraw(settings)


def test_dry_runs_touch_nothing(kept: Kept) -> None:
    for asked in ((), ("off",), ("install",), ("uninstall",)):
        assert production_mode(kept.settings, asked=asked, dry_run=True).outcome == "planned"
    assert not (kept.root / ".clinic").exists()


def test_refused_while_the_environment_is_sick(kept: Kept, tmp_path: Path) -> None:
    venv = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (venv / "pyvenv.cfg").unlink()
    kept.environment = venv
    kept.write()
    with pytest.raises(RefusedError) as refused:
        production_mode(kept.settings)
    assert refused.value.code == "cfg-missing"
    assert refused.value.hint == "invoke fix-cfg"
    assert memory.recall(kept.settings).mode == "debug"


def test_refused_on_a_stopgap(kept: Kept) -> None:
    memory.keep(kept.settings, wanted="up", stopgap="borrow")
    with pytest.raises(RefusedError) as refused:
        production_mode(kept.settings)
    assert refused.value.code == "on-a-stopgap"
    assert refused.value.hint == "invoke heal"


def test_a_switch_that_does_not_hold_is_put_back(kept: Kept) -> None:
    def fail() -> manager.Status:
        raise FailedError("start-failed", "no", "")

    with pytest.raises(FailedError):
        remedy.change(kept.settings, "production", fail)
    assert memory.recall(kept.settings).mode == "debug"


def test_flags_exclude_each_other(kept: Kept) -> None:
    with pytest.raises(RefusedError):
        production_mode(kept.settings, asked=("off", "install"))


# Windows, pinned without one


@pytest.mark.parametrize(
    ("names", "chosen"),
    [
        (["python.exe", "pythonw.exe", "pythonw3.14t.exe"], "pythonw.exe"),
        (["python.exe", "pythonw3.14t.exe"], "pythonw3.14t.exe"),
        (["python.exe", "PythonW.exe"], "PythonW.exe"),
        (["python.exe"], "python.exe"),
        (["python.exe", "pythonwin.exe"], "python.exe"),
    ],
)
def test_which_interpreter_serves_on_windows(tmp_path: Path, names: list[str], chosen: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    python, note = windowless.choose(tmp_path / "python.exe", "production", windows=True)
    assert python.name == chosen
    assert bool(note) == (chosen == "python.exe"), "where no windowless one is there, it says so"
    assert windowless.choose(tmp_path / "python.exe", "debug", windows=True) == (tmp_path / "python.exe", "")
    assert windowless.choose(tmp_path / "python.exe", "production", windows=False)[0].name == "python.exe"


def test_handing_over_without_exec_passes_the_exit_code_on_and_survives_ctrl_c() -> None:
    class Child:
        """A child that is told of Ctrl+C itself, and ends later."""

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def wait(self) -> int:
            """Be interrupted."""
            signal.raise_signal(signal.SIGINT)
            return 4

    fake: Any = lambda _argv: Child()  # noqa: E731
    assert process.become(["x"], windows=True, popen=fake) == 4


class FakeKernel:
    """kernel32, as far as jobs go."""

    def __init__(self, *, in_job: bool = False, there: bool = True, limits: int = 0) -> None:
        self.in_job, self.there, self.limits, self.closed = in_job, there, limits, 0

    def OpenProcess(self, _access: int, _inherit: int, _pid: int) -> int:  # noqa: N802
        """Open."""
        return 4 if self.there else 0

    def IsProcessInJob(self, _process: int, _job: object, answer: Any) -> int:  # noqa: N802
        """Answer."""
        answer._obj.value = int(self.in_job)
        return 1

    def QueryInformationJobObject(self, job: object, kind: int, limits: Any, size: int, _used: object) -> int:  # noqa: N802
        """Answer, of its own job."""
        assert (job, kind, size) == (None, 9, 144)
        limits._obj.flags = self.limits
        return 1

    def CloseHandle(self, _process: int) -> None:  # noqa: N802
        """Close."""
        self.closed += 1


def test_a_job_is_reported() -> None:
    for in_job in (True, False):
        kernel = FakeKernel(in_job=in_job)
        assert jobs.confined(1, kernel) is in_job
        assert kernel.closed == 1
    assert jobs.confined(1, FakeKernel(in_job=True, there=False)) is None


def test_only_a_job_that_kills_when_it_is_closed_is_meant() -> None:
    kill, breakaway, active_processes = 0x2000, 0x0800, 0x0008
    assert jobs.kills_us(FakeKernel(limits=kill | breakaway))
    assert not jobs.kills_us(FakeKernel(limits=active_processes))
    assert not jobs.kills_us()


def test_status_says_so(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    spawn = process.spawn
    monkeypatch.setattr(jobs, "confined", lambda _pid: True)
    manager.start(kept.settings, Path(sys.executable), Path(sys.prefix))
    assert jobs.ENDS_WITH_JOB not in manager.status(kept.settings).notes
    monkeypatch.setattr(process, "spawn", lambda *a, **k: replace(spawn(*a, **k), notes=(jobs.ENDS_WITH_JOB,)))
    assert jobs.ENDS_WITH_JOB in manager.restart(kept.settings, Path(sys.executable), Path(sys.prefix)).notes
    assert jobs.ENDS_WITH_JOB in manager.status(kept.settings).notes
    monkeypatch.setattr(jobs, "confined", lambda _pid: False)
    assert jobs.ENDS_WITH_JOB not in manager.status(kept.settings).notes, "it was taken out of the job"
