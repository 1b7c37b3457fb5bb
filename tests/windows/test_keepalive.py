"""keep-alive as a whole on Windows, and what it stands on: Ctrl+C from outside, ending by force, jobs."""

from __future__ import annotations

import pytest

from clinic.service.process import CREATE_NEW_PROCESS_GROUP, WINDOWS_FLAGS
from tests.windows.hands import Hand

_CHILD = """
import time
print("up", flush=True)
try: time.sleep(60)
except KeyboardInterrupt: raise SystemExit(7)
"""
_HIDDEN = f"""
import subprocess, sys
sys.path.insert(0, sys.argv[1])
from clinic.service import console
press = getattr(console, sys.argv[2])
flags = subprocess.CREATE_NO_WINDOW | int(sys.argv[3])
program = subprocess.Popen([sys.executable, "-c", {_CHILD!r}], stdout=subprocess.PIPE, creationflags=flags)
program.stdout.readline()
print(press(program.pid), program.wait(30), press(program.pid))
"""


@pytest.mark.parametrize(
    ("key", "flags", "code"),
    # wine's C runtime makes no SIGBREAK of it: its default is to end the program with 1.
    [("press_ctrl_c", 0, 7), ("press_break", CREATE_NEW_PROCESS_GROUP, 1)],
)
def test_a_key_reaches_a_program_on_another_console(hand: Hand, key: str, flags: int, code: int) -> None:
    scripts = hand.machine.wine.inside(hand.machine.suite / "scripts")
    told = hand.run(hand.machine.tools, "-c", _HIDDEN, scripts, key, str(flags))
    assert told.out.split() == ["True", str(code), "False"], told


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
