"""What is registered with systemd, launchd and the Task Scheduler, held to their manuals; and how it is done."""

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
from typing import Any

import pytest

from clinic.errors import FailedError, RefusedError
from clinic.flow.production import production_mode
from clinic.proc import Completed
from clinic.remedies import production_mode as remedy
from clinic.service import guard, system
from clinic.service.guard import Sentry
from clinic.service.system import Place, Unit
from tests.service.keeping import Kept, gone

ARGV = ["/opt/a b/python", "/suite/ai/server_manager.py", "keep-alive", "--config", "/p/o%ther $x.yaml"]
WINDOWS = [r"C:\a b\.tools\Scripts\python.exe", r"C:\a b\ai\server_manager.py", "keep-alive"]


@pytest.fixture
def odd(tmp_path: Path) -> Kept:
    root = tmp_path / "a b %n 'c' é 𝜋"
    root.mkdir()
    one = Kept(root, 8000)
    one.write()
    return one


@pytest.fixture(params=["linux", "darwin", "win32"])
def unit(request: pytest.FixtureRequest, odd: Kept, tmp_path: Path) -> Unit:
    argv = WINDOWS if request.param == "win32" else ARGV
    return system.unit(odd.settings, argv, Place(request.param, tmp_path, r"HOME\<me> & you", 501))


# systemd


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
    # It also complains of what else the machine has, and of a machine without a bus.
    assert [line for line in (done.stdout + done.stderr).splitlines() if unit.name in line] == []


def test_systemd_words_survive_its_own_language(odd: Kept, tmp_path: Path) -> None:
    text = system.unit(odd.settings, ARGV, Place("linux", tmp_path)).text
    assert 'ExecStart="/opt/a b/python" ' in text
    assert '"/p/o%%ther $$x.yaml"' in text
    assert "KillMode=process" in text
    assert "RestartPreventExitStatus=2 4" in text
    assert system.SUPERVISED not in text, "it can tell exit codes apart, and shows them"


# launchd

# launchd.plist(5), https://keith.github.io/xcode-man-pages/launchd.plist.5.html, without what inetd, sockets, Mach
# services and other events take.
LAUNCHD_KEYS: dict[str, type | tuple[type, ...]] = {
    "Label": str,
    "Disabled": bool,
    "UserName": str,
    "GroupName": str,
    "Program": str,
    "ProgramArguments": list,
    "EnableGlobbing": bool,
    "EnableTransactions": bool,
    "EnablePressuredExit": bool,
    "KeepAlive": (bool, dict),
    "RunAtLoad": bool,
    "RootDirectory": str,
    "WorkingDirectory": str,
    "EnvironmentVariables": dict,
    "Umask": int,
    "ExitTimeOut": int,
    "ThrottleInterval": int,
    "InitGroups": bool,
    "WatchPaths": list,
    "QueueDirectories": list,
    "StartOnMount": bool,
    "StartInterval": int,
    "StartCalendarInterval": (dict, list),
    "StandardInPath": str,
    "StandardOutPath": str,
    "StandardErrorPath": str,
    "Debug": bool,
    "WaitForDebugger": bool,
    "SoftResourceLimits": dict,
    "HardResourceLimits": dict,
    "Nice": int,
    "ProcessType": str,
    "AbandonProcessGroup": bool,
    "LowPriorityIO": bool,
    "LowPriorityBackgroundIO": bool,
    "LaunchOnlyOnce": bool,
    "LimitLoadToSessionType": (str, list),
    "SessionCreate": bool,
    "LegacyTimers": bool,
    "AssociatedBundleIdentifiers": (str, list),
}
KEEP_ALIVE_KEYS = {"SuccessfulExit", "Crashed", "NetworkState", "PathState", "OtherJobEnabled", "AfterInitialDemand"}


def test_launchd_knows_every_key_of_its_agent(odd: Kept, tmp_path: Path) -> None:
    unit = system.unit(odd.settings, ARGV, Place("darwin", tmp_path, uid=501))
    tree = plistlib.loads(unit.data)
    assert [key for key, value in tree.items() if not isinstance(value, LAUNCHD_KEYS[key])] == []
    assert set(tree["KeepAlive"]) <= KEEP_ALIVE_KEYS
    assert tree["ProgramArguments"] == [*ARGV, "--supervised"]
    assert tree["KeepAlive"] == {"SuccessfulExit": False}, "what ends with 0 is not started again"
    assert tree.get("ProcessType", "Standard") == "Standard", "Background is throttled"
    assert unit.path == tmp_path / "Library" / "LaunchAgents" / f"{tree['Label']}.plist"


def test_launchds_old_agent_is_put_out_first_and_waited_for(
    odd: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = system.unit(odd.settings, ARGV, Place("darwin", tmp_path, uid=501))
    waits = list[float]()
    monkeypatch.setattr("time.sleep", waits.append)
    run = FakeRun("bootout", "bootstrap", times=2)
    assert remedy.install(unit, run)
    out, into = f"launchctl bootout gui/501/{unit.name}", f"launchctl bootstrap gui/501 {unit.path}"
    assert run.heard[1:] == [out, into, into]
    assert len(waits) == 1
    with pytest.raises(FailedError):
        remedy.install(unit, FakeRun("bootstrap", times=2))


# The Task Scheduler

# https://learn.microsoft.com/en-us/windows/win32/taskschd/task-scheduler-schema: the children that a complex type
# allows. In a sequence they come in this order (logonTriggerType, which begins with triggerBaseType's); most are
# xs:all, where any order will do.
SEQUENCES = {
    "LogonTrigger": ["Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit", "UserId", "Delay"],
}
CHOICES = {
    "Task": {"RegistrationInfo", "Triggers", "Settings", "Data", "Principals", "Actions"},
    "RegistrationInfo": {
        *("URI", "SecurityDescriptor", "Source", "Date", "Author", "Version", "Description", "Documentation"),
    },
    "Triggers": {"LogonTrigger", "BootTrigger", "TimeTrigger", "CalendarTrigger", "IdleTrigger"},
    "Principals": {"Principal"},
    "Principal": {
        *("UserId", "LogonType", "GroupId", "DisplayName", "RunLevel", "ProcessTokenSidType", "RequiredPrivileges"),
    },
    "Settings": {
        *("AllowStartOnDemand", "RestartOnFailure", "MultipleInstancesPolicy", "DisallowStartIfOnBatteries"),
        *("StopIfGoingOnBatteries", "AllowHardTerminate", "StartWhenAvailable", "NetworkProfileName"),
        *("RunOnlyIfNetworkAvailable", "WakeToRun", "Enabled", "Hidden", "DeleteExpiredTaskAfter", "IdleSettings"),
        *("NetworkSettings", "ExecutionTimeLimit", "Priority", "RunOnlyIfIdle"),
    },
    "RestartOnFailure": {"Interval", "Count"},
    "Actions": {"Exec", "ComHandler", "SendEmail", "ShowMessage"},
    "Exec": {"Command", "Arguments", "WorkingDirectory"},
}
VALUES = {
    "LogonType": {"S4U", "Password", "InteractiveToken", "Group", "ServiceAccount", "InteractiveTokenOrPassword"},
    "RunLevel": {"LeastPrivilege", "HighestAvailable"},
    "MultipleInstancesPolicy": {"Parallel", "Queue", "IgnoreNew", "StopExisting"},
    # priorityType is 0 to 10; 4 to 6 are the normal class, 7 (the default) and 8 are below normal, with low I/O:
    # https://learn.microsoft.com/en-us/windows/win32/taskschd/tasksettings-priority
    "Priority": {"4", "5", "6"},
    "Interval": {"PT1M"},  # the least that restartType allows
    "Count": {str(count) for count in range(1, 256)},  # unsignedByte, at least 1
    "ExecutionTimeLimit": {"PT0S"},  # none
    **{key: {"true", "false"} for key in ("Enabled", "DisallowStartIfOnBatteries", "StopIfGoingOnBatteries", "Hidden")},
}
FREE = {"Description", "UserId", "Command", "Arguments", "WorkingDirectory"}
SPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def _task(odd: Kept, tmp_path: Path) -> tuple[Unit, ET.Element]:
    unit = system.unit(odd.settings, WINDOWS, Place("win32", tmp_path, r"HOME\<me> & you"))
    return unit, ET.fromstring(unit.data)  # noqa: S314 - our own


def test_the_task_keeps_to_the_schema(odd: Kept, tmp_path: Path) -> None:
    _, tree = _task(odd, tmp_path)
    assert (tree.tag, tree.attrib) == (f"{SPACE}Task", {"version": "1.2"})
    for element in tree.iter():
        name, children = element.tag.removeprefix(SPACE), [child.tag.removeprefix(SPACE) for child in element]
        if name in SEQUENCES:
            assert children == [each for each in SEQUENCES[name] if each in children]
        elif name in CHOICES:
            assert set(children) <= CHOICES[name]
            assert name in {"Triggers", "Actions"} or len(children) == len(set(children))
        elif name not in FREE:
            assert element.text in VALUES[name], name
    principal, actions = tree.find(f".//{SPACE}Principal"), tree.find(f"{SPACE}Actions")
    assert principal is not None
    assert actions is not None
    assert principal.get("id") == actions.get("Context")


def test_the_task_says_what_is_meant_and_opens_no_window(odd: Kept, tmp_path: Path) -> None:
    unit, tree = _task(odd, tmp_path)
    command = tree.findtext(f".//{SPACE}Command")
    assert command
    assert PureWindowsPath(command).name == "pythonw.exe"
    assert tree.findtext(f".//{SPACE}Arguments") == r'"C:\a b\ai\server_manager.py" keep-alive --supervised'
    assert tree.findtext(f".//{SPACE}LogonTrigger/{SPACE}UserId") == r"HOME\<me> & you"
    assert tree.findtext(f".//{SPACE}WorkingDirectory") == str(odd.root)
    assert unit.text.startswith("<?xml")


def test_a_task_that_runs_is_ended_first(odd: Kept, tmp_path: Path) -> None:
    unit, run = _task(odd, tmp_path)[0], FakeRun("/End", times=9)  # nothing runs: that is no failure
    assert remedy.install(unit, run)
    assert [heard.split()[1] for heard in run.heard] == ["/Query", "/End", "/Create", "/Run"]
    run.heard.clear()
    assert remedy.uninstall(unit, run)
    assert [heard.split()[1] for heard in run.heard] == ["/Query", "/End", "/Delete"]


# Registering


class FakeRun:
    """A supervisor that takes notes, and says no to some words, so many times in all."""

    def __init__(self, *no: str, times: int = 1) -> None:
        self.no, self.times = no, times
        self.heard: list[str] = []

    def __call__(self, argv: list[str], *, timeout: float) -> Completed:
        """Answer."""
        assert timeout > 0
        self.heard.append(" ".join(argv))
        refused = self.times > 0 and bool(set(self.no) & set(argv))
        self.times -= refused
        return Completed(int(refused), "", "no", 0.0)


def test_installed_twice_and_taken_back(unit: Unit) -> None:
    run = FakeRun()
    assert remedy.install(unit, run)
    assert unit.path.read_bytes() == unit.data
    assert run.heard[1:] == [" ".join(step.argv) for step in unit.enable]
    assert not remedy.install(unit, run), "it was there, just so"
    run.heard.clear()
    assert remedy.uninstall(unit, run)
    assert run.heard[1:] == [" ".join(step.argv) for step in (*unit.disable, *unit.after)]
    assert not unit.path.exists()
    assert not remedy.uninstall(unit, run)


def test_a_supervisor_that_says_no_leaves_no_file(unit: Unit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    last = unit.enable[-1].argv[-1]
    with pytest.raises(FailedError):
        remedy.install(unit, FakeRun(last, times=9))
    assert not unit.path.exists()
    with pytest.raises(RefusedError):
        remedy.install(unit, FakeRun(unit.reach[-1]))
    assert not unit.path.exists()


def test_a_file_of_somebody_else_is_left_alone(unit: Unit) -> None:
    unit.path.parent.mkdir(parents=True, exist_ok=True)
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


# Taking it back


@pytest.fixture
def kept(tmp_path: Path, free_port: int) -> Iterator[Kept]:
    one = Kept(tmp_path, free_port)
    one.write()
    yield one
    one.end_all()


@pytest.mark.skipif(sys.platform != "linux", reason="a real server, /proc")
def test_the_monitor_that_a_supervisor_started_is_ended_gracefully_and_no_other(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    unit = system.unit(kept.settings, ARGV, Place("darwin", kept.root / "home", uid=501))
    unit.path.parent.mkdir(parents=True)
    unit.path.write_bytes(unit.data)
    real, run = remedy.uninstall, FakeRun()
    monkeypatch.setattr(system, "unit", lambda *_: unit)
    monkeypatch.setattr(remedy, "refuse_unreachable", lambda _unit, _run=None: None)
    monkeypatch.setattr(remedy, "uninstall", lambda unit: real(unit, run))

    by_hand = kept.watching()
    assert production_mode(kept.settings, asked=("uninstall",)).outcome == "healthy"
    assert by_hand.poll() is None
    assert kept.command("keep-alive", "--stop")[0] == 0

    unit.path.write_bytes(unit.data)
    monitor = kept.watching("--supervised")
    pid = kept.pid()
    planned: Any = production_mode(kept.settings, asked=("uninstall",), dry_run=True).data["plan"]
    assert str(monitor.pid) in planned[0]
    assert (monitor.poll(), isinstance(guard.sentry(kept.settings), Sentry)) == (None, True)
    assert production_mode(kept.settings, asked=("uninstall",)).data["state"] == "stopped"
    assert monitor.wait(5) == 0
    assert gone(pid)
