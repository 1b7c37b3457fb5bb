"""What the most trusted supervisors promise and prove, where no other test does yet."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from clinic.service import identity, keepalive, memory
from clinic.service.bell import Bell

SCRIPTS = Path(memory.__file__).parents[2]
KEEP = (
    "import sys; sys.path.insert(0, sys.argv[1])\n"
    "from pathlib import Path\n"
    "from clinic.service import memory\n"
    "from clinic.settings import load\n"
    "settings = load(Path(sys.argv[2]), None, {})\n"
    "for number in range(60): memory.keep(settings, restarts=number, last_reason='x' * 5000)\n"
)


def test_a_state_that_many_write_at_once_is_always_whole(project: Any) -> None:
    p = project()
    root = p.settings.root
    argv = [sys.executable, "-c", KEEP, str(SCRIPTS), str(root)]
    writers = [subprocess.Popen(argv) for _ in range(3)]
    from clinic.settings import load

    mine = load(root, None, {})
    seen = set()
    while any(writer.poll() is None for writer in writers):
        if memory.place(mine, ".json").exists():
            seen.add(len(memory.recall(mine).last_reason))
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert seen <= {5000}, "somebody read a torn or an empty one"
    assert seen
    assert [path.suffix for path in memory.folder(mine).iterdir()] == [".json"], "no temporary file is left"


def test_a_clock_that_is_set_back_confuses_nobody(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    p = project()
    begun = p.start()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 7200)
    status = p.status()
    assert (status.state, status.pid) == ("running", begun.pid)
    assert 0 <= status.uptime_seconds < 60
    assert p.start().changed is False
    assert p.stop().state == "stopped"
    assert identity.identify(begun.pid) is None


def test_a_stop_of_somebody_with_children_spares_them_all(project: Any) -> None:
    """A planted pid file names a bystander that has children: neither it nor they are signalled, ten times over."""
    p = project()
    code = (
        "import subprocess, sys, time\n"
        "kin = [subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)']) for _ in range(2)]\n"
        "print(*[each.pid for each in kin], flush=True)\n"
        "time.sleep(300)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, start_new_session=True) as stranger:
        assert stranger.stdout is not None
        kin = [int(word) for word in stranger.stdout.readline().split()]
        p.service.pid_file.write_text(f"{stranger.pid}\n", "ascii")
        try:
            for _ in range(10):
                p.stop()
            assert stranger.poll() is None
            assert all(identity.identify(pid) for pid in kin)
            assert p.service.pid_file.exists(), "it is not ours to remove"
        finally:
            for pid in (*kin, stranger.pid):
                os.kill(pid, 9)


class _Slipping:
    """A monitor whose steps fail: so often in a row, then one that goes well, and again."""

    ward = pulse = None

    def __init__(self, fails: list[int]) -> None:
        self.over, self.fails, self.well = False, fails, 0

    def step(self) -> None:
        if not self.fails:
            self.over = True
        elif self.fails[0]:
            self.fails[0] -= 1
            raise ZeroDivisionError("planted")
        else:
            self.fails.pop(0)
            self.well += 1


class _Silent:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.texts: list[str] = []

    def event(self, kind: str, text: str, **_details: object) -> None:
        self.told.append(kind)
        self.texts.append(text)


def test_bugs_of_the_monitor_do_not_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(keepalive, "_back_off", lambda _bell, seconds: pauses.append(seconds))
    herald: Any = _Silent()
    monitor: Any = _Slipping([2, 9, 1])
    with Bell(lambda: monitor.over) as bell:
        keepalive._run(monitor, bell, herald)
    assert (monitor.well, herald.told) == (3, ["slip"] * 12)
    assert pauses == [1, 2, 1, 2, 4, 8, 16, 32, 60, 60, 60, 1]
    assert "test_promises.py" in herald.texts[0], "says where"


def test_a_monitor_that_backs_off_can_be_asked_to_end() -> None:
    with Bell(lambda: True) as bell:
        keepalive._back_off(bell, 3600)
