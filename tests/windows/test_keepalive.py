"""keep-alive as a whole on Windows, and what it stands on: Ctrl+C from outside, ending by force, jobs."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from clinic.service.process import CREATE_NEW_PROCESS_GROUP, WINDOWS_FLAGS
from tests.ways.project import NAME
from tests.windows.hands import Hand
from tests.windows.test_server import Bridge, bridge

__all__ = ["bridge"]
LIMIT = 60.0  # seconds; what is waited for takes a few

_CHILD = """
import time
print("up", flush=True)
try: time.sleep(60)
except KeyboardInterrupt: raise SystemExit(7)
"""
_HIDDEN = f"""
import subprocess, sys
sys.path.insert(0, sys.argv[1])
from clinic.service.console import press_break
flags = subprocess.CREATE_NO_WINDOW | {CREATE_NEW_PROCESS_GROUP}
program = subprocess.Popen([sys.executable, "-c", {_CHILD!r}], stdout=subprocess.PIPE, creationflags=flags)
program.stdout.readline()
print(press_break(program.pid), program.wait(30), press_break(program.pid))
"""


def test_ctrl_break_reaches_a_program_on_another_console(hand: Hand) -> None:
    """Wine's C runtime makes no SIGBREAK of it: its default is to end the program with 1."""
    told = hand.run(hand.machine.tools, "-c", _HIDDEN, hand.machine.wine.inside(hand.machine.suite / "scripts"))
    assert told.out.split() == ["True", "1", "False"], told


_SERVICE = """
import ctypes, os, subprocess, sys
def sharing():
    pids = (ctypes.c_uint * 64)()
    return set(pids[: ctypes.windll.kernel32.GetConsoleProcessList(pids, 64)])
if len(sys.argv) > 2:
    print(os.getppid() in sharing(), len(sharing()))
    raise SystemExit
with open(sys.argv[1], "w") as out:
    print(sys.executable, sharing() == {os.getpid()}, file=out, flush=True)
    subprocess.run([os.path.join(sys.base_prefix, "python.exe"), __file__, sys.argv[1], "child"], stdout=out)
"""


def test_what_a_windowless_service_starts_opens_no_console_of_its_own(hand: Hand, worker_id: str) -> None:
    """Wine has no windows here, so what is shown is whose console it is: the service's, which has no window."""
    folder = hand.machine.wine.disk / f"konsole {worker_id}"
    folder.mkdir()
    (folder / "service.py").write_text(_SERVICE, encoding="utf-8")
    wrapper = hand.machine.suite / "scripts" / "clinic" / "service" / "wrapper.py"
    paths = [hand.machine.wine.inside(path) for path in (wrapper, folder / "service.py", folder / "said")]
    code = f"import subprocess, sys; raise SystemExit(subprocess.call(sys.argv[1:], creationflags={WINDOWS_FLAGS}))"
    pythonw = hand.machine.python.replace("python.exe", "pythonw.exe")
    assert hand.run(hand.machine.python, "-c", code, pythonw, *paths).code == 0
    said = (folder / "said").read_text("utf-8").splitlines()
    assert said == [f"{pythonw} True", "True 2"], said


# The monitor

# A console of its own, as a terminal's; on it a program that runs the monitor and writes down its exit code. It is
# opened by the hand: what is started from Linux directly hears no Ctrl+C under wine. Output goes to a file, since the
# server outlives whoever reads it.
_OPEN = """
import subprocess, sys
flags = subprocess.CREATE_NO_WINDOW
print(subprocess.Popen([sys.executable, "-c", *sys.argv[1:]], stdin=subprocess.DEVNULL, creationflags=flags,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)
"""
_RUN = """
import os, signal, subprocess, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
with open(sys.argv[1], "wb") as out:
    code = subprocess.call(sys.argv[3:], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
with open(sys.argv[2] + ".new", "w") as ended:
    ended.write(str(code))
os.replace(sys.argv[2] + ".new", sys.argv[2])
"""
_KILL = "import os, sys; os.kill(int(sys.argv[1]), 9)"
_LEFT = """
import os, psutil, sys
ours = {os.getpid(), os.getppid()}
for each in psutil.process_iter():
    try: words = each.cmdline()
    except psutil.Error: continue
    if any(sys.argv[1] in word for word in words) and each.pid not in ours: print(each.pid, words)
"""
# As a person presses it: for all that share the console (0), whatever their process group. The helper is on it too.
_CTRL_C = """
import ctypes, sys
kernel = ctypes.WinDLL("kernel32")
kernel.FreeConsole()
print(bool(kernel.AttachConsole(int(sys.argv[1])) and kernel.SetConsoleCtrlHandler(None, 1)
           and kernel.GenerateConsoleCtrlEvent(0, 0)))
"""


@dataclass(frozen=True)
class Monitor:
    """A monitor that runs. `console` is a process on its console."""

    bridge: Bridge
    console: str

    @property
    def ended(self) -> str:
        """Its exit code; empty as long as it runs."""
        with contextlib.suppress(FileNotFoundError):
            return (self.bridge.root / "monitor.ended").read_text("ascii")
        return ""

    @property
    def said(self) -> str:
        """What it printed."""
        return (self.bridge.root / "monitor.out").read_text("utf-8", "replace")

    def events(self, kind: str) -> list[dict[str, Any]]:
        """What it told of a kind."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.bridge.root / ".clinic" / "events.jsonl").read_text("utf-8").splitlines()
            return [told for told in map(json.loads, lines) if told["event"] == f"keep-alive:{kind}"]
        return []

    def another(self, number: int) -> str:
        """Wait for a server that was started in the place of one that ended; its pid."""
        told = until(lambda: self.events("restarted")[number - 1 :])
        assert self.bridge.answer().headers["X-Bridge-Pid"] == str(told[0]["pid"]) == self.bridge.record()["pid"]
        return str(told[0]["pid"])


def until(condition: Callable[[], Any]) -> Any:
    """Wait for something to come true."""
    deadline = time.monotonic() + LIMIT
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def words(bridge: Bridge, *more: str) -> list[str]:
    """The real command line of Invoke, for a process of its own."""
    machine = bridge.hand.machine
    return [machine.tools, "-m", "invoke", "-f", machine.wine.inside(bridge.root / "invoke.yaml"), *more]


@contextlib.contextmanager
def monitor(bridge: Bridge, *argv: str) -> Iterator[Monitor]:
    """Start one, and wait until it watches."""
    hand, ended = bridge.hand, bridge.root / "monitor.ended"
    ended.unlink(missing_ok=True)
    files = [hand.machine.wine.inside(path) for path in (bridge.root / "monitor.out", ended)]
    opened = hand.run(hand.machine.python, "-c", _OPEN, _RUN, *files, *argv)
    one = Monitor(bridge, opened.out.strip())
    try:
        until(lambda: one.events("started") or one.ended)
        assert not one.ended, one.said
        yield one
    finally:
        if not one.ended:
            run_json(bridge, "keep-alive", "--stop")


def run_json(bridge: Bridge, *more: str) -> tuple[int, dict[str, Any]]:
    """Run a command in a process of its own; exit code and envelope."""
    said = bridge.hand.run(*words(bridge, *more, "--json"), limit=LIMIT)
    assert said.out, said
    return said.code, json.loads(said.out)


def kill(bridge: Bridge, pid: str) -> None:
    assert bridge.hand.run(bridge.hand.machine.python, "-c", _KILL, pid).code == 0


def left(bridge: Bridge) -> str:
    """Whatever still runs for the project."""
    return bridge.hand.run(bridge.hand.machine.tools, "-X", "utf8", "-c", _LEFT, str(bridge.port)).out


def test_a_killed_server_is_replaced_a_lost_cfg_restored_and_ctrl_c_ends_it_all(bridge: Bridge) -> None:
    with monitor(bridge, *words(bridge, "keep-alive", "--json")) as one:
        first = bridge.record()["pid"]
        kill(bridge, first)
        second = one.another(1)
        assert second != first

        cfg = bridge.root / "env" / "pyvenv.cfg"
        before = cfg.read_bytes()
        cfg.unlink()
        kill(bridge, second)
        assert one.another(2) not in {first, second}
        assert "pyvenv.cfg restored" in one.events("healed")[0]["text"]
        assert b"home" in before
        assert b"home" in cfg.read_bytes()

        code, told = run_json(bridge, "keep-alive")
        assert (code, told["errors"][0]["hint"]) == (4, "invoke keep-alive --stop")

        pressed = bridge.hand.run(bridge.hand.machine.tools, "-c", _CTRL_C, one.console)
        assert pressed.out.strip() == "True", pressed
        assert until(lambda: one.ended) == "0", one.said
    assert json.loads(one.said)["data"]["restarts"] == 2
    assert not (bridge.root / "bridge.pid").exists()
    assert left(bridge) == ""


def test_a_supervised_monitor_is_windowless_and_ended_from_elsewhere(bridge: Bridge) -> None:
    """As the Task Scheduler runs it: pythonw, and the door without Invoke; the server in production mode."""
    machine = bridge.hand.machine
    door, file = machine.wine.inside(machine.suite / "ai" / "server_manager.py"), bridge.root / "invoke.yaml"
    manager = [door, "keep-alive", "--config", machine.wine.inside(file)]
    windowless = machine.tools.replace("python.exe", "pythonw.exe")
    assert bridge.command("production-mode")[0] == 0
    with monitor(bridge, windowless, *manager, "--supervised") as one:
        first = bridge.record()
        assert bridge.program(first["leader"].split()[0]).endswith("\\Scripts\\pythonw.exe")
        kill(bridge, first["pid"])
        second = one.another(1)
        assert bridge.program(bridge.record()["leader"].split()[0]).endswith("\\Scripts\\pythonw.exe")
        assert (bridge.hand.run(windowless, *manager, "--supervised").code, one.ended) == (0, ""), "another would be 4"

        planned = bridge.hand.run(machine.tools, *manager, "--stop", "--dry-run", "--json")
        assert (planned.code, json.loads(planned.out)["outcome"], one.ended) == (0, "planned", "")
        stopped = bridge.hand.run(machine.tools, *manager, "--stop", "--json", limit=LIMIT)
        assert (stopped.code, json.loads(stopped.out)["data"]["state"]) == (0, "stopped"), stopped
        assert until(lambda: one.ended) == "0"
    assert bridge.program(second) == ""
    assert not (bridge.root / "bridge.pid").exists()
    assert left(bridge) == ""
    code, told = run_json(bridge, "keep-alive", "--stop")
    assert (code, told["outcome"]) == (0, "unchanged")


_DEAF = """
import subprocess, sys
deaf = "import signal\\nfor number in (signal.SIGINT, signal.SIGBREAK): signal.signal(number, signal.SIG_IGN)\\n"
exec(deaf)
subprocess.Popen([sys.executable, "-c", deaf + "import time; time.sleep(600)", *sys.argv[1:]])
"""
_WALKS = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
import psutil
from clinic.service import manager
from clinic.settings import load
walk, walks = psutil._ppid_map, []
psutil._ppid_map = psutil._psplatform.ppid_map = lambda: walks.append(1) or walk()
file = Path(sys.argv[2])
status = manager.stop(load(file.parent, file))
print(status.state, len(walks), *status.notes)
"""


def test_a_service_and_its_child_that_do_not_listen_are_forced_in_three_walks(bridge: Bridge) -> None:
    package, file = bridge.root / "env" / "Lib" / "site-packages" / NAME, bridge.root / "invoke.yaml"
    service = (package / "__main__.py").read_text("utf-8")
    (package / "__main__.py").write_text(_DEAF + service, encoding="utf-8")
    tree = json.loads(file.read_text("utf-8"))
    tree["clinic"]["service"]["stop_timeout"] = 1
    file.write_text(json.dumps(tree), encoding="utf-8")
    assert bridge.command("start")[0] == 0
    assert len(left(bridge).splitlines()) == 4  # the server, its child, and the environment's launcher of each
    machine = bridge.hand.machine
    paths = [machine.wine.inside(path) for path in (machine.suite / "scripts", file)]
    told = bridge.hand.run(machine.tools, "-X", "utf8", "-c", _WALKS, *paths).out.split(maxsplit=2)
    # Its descendants before it is asked, those that must be forced, and those that we run under ourselves.
    assert told == ["stopped", "3", "It did not end when asked; it was forced.\n"]
    assert left(bridge) == ""


# Jobs

_JOB = """
import ctypes, subprocess, sys
from ctypes import wintypes
kernel = ctypes.WinDLL("kernel32")
class Limits(ctypes.Structure):
    _fields_ = [("times", ctypes.c_int64 * 2), ("flags", wintypes.DWORD), ("more", ctypes.c_uint64 * 15)]
kernel.CreateJobObjectW.restype = kernel.OpenProcess.restype = wintypes.HANDLE
job = wintypes.HANDLE(kernel.CreateJobObjectW(None, None))
limits = Limits(flags=int(sys.argv[1]))
assert kernel.SetInformationJobObject(job, 9, ctypes.byref(limits), ctypes.sizeof(limits))
wait = "import subprocess, sys; sys.stdin.readline(); sys.exit(subprocess.call(sys.argv[1:], stdin=subprocess.DEVNULL))"
editor = subprocess.Popen([sys.executable, "-c", wait, *sys.argv[2:]], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
assert kernel.AssignProcessToJobObject(job, wintypes.HANDLE(kernel.OpenProcess(0x1FFFFF, 0, editor.pid)))
editor.stdin.write(b"go\\n"); editor.stdin.close()
code = editor.wait()
kernel.CloseHandle(job)
sys.exit(code)
"""
KILL_ON_JOB_CLOSE, BREAKAWAY_OK = 0x2000, 0x0800


@pytest.mark.parametrize("may_leave", [True, False], ids=["breakaway", "no breakaway"])
def test_a_server_survives_the_job_of_its_terminal_where_it_may_leave_it(bridge: Bridge, may_leave: bool) -> None:
    """Wine tells nobody the limits of a job, so that here nothing is said about one that ends the server."""
    flags = KILL_ON_JOB_CLOSE | (BREAKAWAY_OK if may_leave else 0)
    done = bridge.hand.run(bridge.hand.machine.python, "-c", _JOB, str(flags), *words(bridge, "start", "--json"))
    assert done.code == 0, done
    if may_leave:
        assert bridge.answer().headers["X-Bridge-Pid"] == bridge.record()["pid"]
    else:
        until(lambda: not left(bridge))
        assert bridge.command("status")[1]["data"]["state"] in {"stale", "failed"}
