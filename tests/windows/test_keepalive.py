"""keep-alive as a whole on Windows, and what it stands on: Ctrl+C from outside, ending by force, jobs."""

from __future__ import annotations

from tests.windows.hands import Hand

_CHILD = """
import signal, time
signal.signal(signal.SIGBREAK, signal.default_int_handler)
print("up", flush=True)
try:
    for _ in range(600): time.sleep(0.1)  # only Ctrl+C wakes a python that sleeps
except KeyboardInterrupt:
    raise SystemExit(7)
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


def test_a_key_reaches_a_program_on_another_console(hand: Hand) -> None:
    scripts = hand.machine.wine.inside(hand.machine.suite / "scripts")
    for key, flags in ("press_ctrl_c", 0), ("press_break", 0x200):  # CREATE_NEW_PROCESS_GROUP
        told = hand.run(hand.machine.tools, "-c", _HIDDEN, scripts, key, str(flags))
        assert told.out.split() == ["True", "7", "False"], (key, told)
