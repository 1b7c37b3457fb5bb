"""keep-alive as a whole on Windows, and what it stands on: Ctrl+C from outside, ending by force, jobs."""

from __future__ import annotations

import pytest

from clinic.service.process import CREATE_NEW_PROCESS_GROUP
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
