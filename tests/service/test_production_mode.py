"""Production mode: remembered, refused on makeshifts, windowless on Windows, known to the system's supervisor."""

from __future__ import annotations

import os
import plistlib
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from typing import Any, Self

import pytest

from clinic.errors import FailedError, RefusedError
from clinic.flow.production import production_mode
from clinic.proc import Completed
from clinic.remedies import production_mode as remedy
from clinic.service import jobs, manager, memory, process, system, windowless
from clinic.service.system import Place
from tests.service.keeping import Kept

ARGV = ["/opt/a b/python", "/suite/ai/server_manager.py", "keep-alive", "--config", "/p/o%ther $x.yaml"]


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


class FakePopen:
    """A subprocess module that takes notes; breaking away may be denied."""

    def __init__(self, *, denied: bool) -> None:
        self.denied = denied
        self.flags: list[int] = []

    def __call__(self, _argv: list[str], **options: Any) -> Any:
        """Start nothing."""
        self.flags.append(options["creationflags"])
        assert options["stdin"] == subprocess.DEVNULL, "real handles: pythonw has none of its own"
        assert isinstance(options["stdout"], int)
        if self.denied and options["creationflags"] & process.CREATE_BREAKAWAY_FROM_JOB:
            raise PermissionError(13, "Access is denied")
        return type("Started", (), {"pid": os.getpid(), "returncode": None})()


def test_the_flags_and_their_visible_fallback(tmp_path: Path) -> None:
    wanted = 0x08000000 | 0x00000200 | 0x01000000
    log = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    for denied, flags in ((False, [wanted]), (True, [wanted, wanted & ~0x01000000])):
        fake = FakePopen(denied=denied)
        child = process.spawn(["x"], cwd=tmp_path, env={}, log=log, windows=True, popen=fake)
        assert fake.flags == flags
        assert not any(each & 0x00000008 for each in fake.flags), "DETACHED_PROCESS would void CREATE_NO_WINDOW"
        assert bool(child.notes) == denied
        child.release()
    os.close(log)


def test_handing_over_without_exec_passes_the_exit_code_on_and_survives_ctrl_c() -> None:
    class Child:
        """A child that is told of Ctrl+C itself, and ends later."""

        waits = 0

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def wait(self) -> int:
            """Be interrupted once."""
            self.waits += 1
            if self.waits == 1:
                raise KeyboardInterrupt
            return 4

    fake: Any = lambda _argv: Child()  # noqa: E731
    assert process.become(["x"], windows=True, popen=fake) == 4


class FakeKernel:
    """kernel32, as far as jobs go."""

    def __init__(self, *, in_job: bool, there: bool = True) -> None:
        self.in_job, self.there, self.closed = in_job, there, 0

    def OpenProcess(self, _access: int, _inherit: int, _pid: int) -> int:  # noqa: N802
        """Open."""
        return 4 if self.there else 0

    def IsProcessInJob(self, _process: int, _job: object, answer: Any) -> int:  # noqa: N802
        """Answer."""
        answer._obj.value = int(self.in_job)
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


def test_status_says_so(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    manager.start(kept.settings, Path(sys.executable), Path(sys.prefix))
    monkeypatch.setattr(jobs, "confined", lambda _pid: True)
    assert jobs.STILL_IN_JOB in manager.status(kept.settings).notes


# The system's supervisors


@pytest.fixture
def odd(tmp_path: Path) -> Kept:
    root = tmp_path / "a b %n 'c' é 𝜋"
    root.mkdir()
    one = Kept(root, 8000)
    one.write()
    return one


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_verifies_its_unit(odd: Kept, tmp_path: Path) -> None:
    argv = system.command(odd.settings, Path(__file__).resolve().parents[2], Path(sys.executable))
    unit = system.unit(odd.settings, argv, Place("linux", tmp_path))
    file = tmp_path / f"{unit.name}.service"
    file.write_bytes(unit.data)
    done = subprocess.run(
        [str(shutil.which("systemd-analyze")), "verify", "--man=no", "--user", file],
        capture_output=True,
        text=True,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_words_survive_its_own_language(odd: Kept, tmp_path: Path) -> None:
    text = system.unit(odd.settings, ARGV, Place("linux", tmp_path)).text
    assert 'ExecStart="/opt/a b/python" ' in text
    assert '"/p/o%%ther $$x.yaml"' in text
    assert "KillMode=process" in text


def test_launchd_reads_its_agent(odd: Kept, tmp_path: Path) -> None:
    unit = system.unit(odd.settings, ARGV, Place("darwin", tmp_path, uid=501))
    tree = plistlib.loads(unit.data)
    assert tree["ProgramArguments"] == ARGV
    assert tree["KeepAlive"] == {"SuccessfulExit": False}
    assert unit.path == tmp_path / "Library" / "LaunchAgents" / f"{unit.name}.plist"
    assert ("launchctl", "bootstrap", "gui/501", str(unit.path)) in unit.enable


def test_the_task_is_whole_xml_and_opens_no_window(odd: Kept, tmp_path: Path) -> None:
    argv = [r"C:\a b\.tools\Scripts\python.exe", r"C:\a b\ai\server_manager.py", "keep-alive"]
    unit = system.unit(odd.settings, argv, Place("win32", tmp_path, r"HOME\<me> & you"))
    tree = ET.fromstring(unit.data)  # noqa: S314 - our own
    space = {"t": "http://schemas.microsoft.com/windows/2004/02/mit/task"}
    command = tree.findtext(".//t:Command", namespaces=space)
    assert command
    assert PureWindowsPath(command).name == "pythonw.exe"
    assert tree.findtext(".//t:Arguments", namespaces=space) == r'"C:\a b\ai\server_manager.py" keep-alive'
    assert tree.findtext(".//t:LogonTrigger/t:UserId", namespaces=space) == r"HOME\<me> & you"
    assert tree.findtext(".//t:WorkingDirectory", namespaces=space) == str(odd.root)
    assert unit.text.startswith("<?xml")


class FakeRun:
    """A supervisor that takes notes, and says no to one word."""

    def __init__(self, no: str = "") -> None:
        self.no = no
        self.heard: list[str] = []

    def __call__(self, argv: list[str], *, timeout: float) -> Completed:
        """Answer."""
        assert timeout > 0
        self.heard.append(" ".join(argv))
        return Completed(1 if self.no and self.no in argv else 0, "", "no", 0.0)


def test_installed_twice_and_taken_back(odd: Kept, tmp_path: Path) -> None:
    unit, run = system.unit(odd.settings, ARGV, Place("linux", tmp_path)), FakeRun()
    assert remedy.install(unit, run)
    assert unit.path.read_bytes() == unit.data
    assert run.heard[-1] == f"systemctl --user enable --now {unit.name}.service"
    assert not remedy.install(unit, run), "it was there, just so"
    assert remedy.uninstall(unit, run)
    assert not unit.path.exists()
    assert not remedy.uninstall(unit, run)


def test_a_supervisor_that_says_no_leaves_no_file(odd: Kept, tmp_path: Path) -> None:
    unit = system.unit(odd.settings, ARGV, Place("linux", tmp_path))
    with pytest.raises(FailedError):
        remedy.install(unit, FakeRun("enable"))
    assert not unit.path.exists()
    with pytest.raises(RefusedError):
        remedy.install(unit, FakeRun("show-environment"))
    assert not unit.path.exists()


def test_a_file_of_somebody_else_is_left_alone(odd: Kept, tmp_path: Path) -> None:
    unit = system.unit(odd.settings, ARGV, Place("linux", tmp_path))
    unit.path.parent.mkdir(parents=True)
    unit.path.write_text("[Service]\n", encoding="utf-8")
    for act in (remedy.install, remedy.uninstall):
        with pytest.raises(RefusedError):
            act(unit, FakeRun())
    assert unit.path.read_text("utf-8") == "[Service]\n"


def test_print_shows_the_unit_and_registers_nothing(odd: Kept) -> None:
    result = production_mode(odd.settings, asked=("print",))
    assert result.data["lines"]
    assert not Path(str(result.data["file"])).exists()
    assert replace(result).exit_code == 0
