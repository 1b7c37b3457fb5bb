"""`nox -s faults -- soak [--seconds 600]`: keep-alive over a toy service that is killed, halted, hung and starved.

Every 15 seconds the server is killed, stopped by SIGSTOP, made to hang or to leave a child behind, or its environment
loses pyvenv.cfg or its interpreter's links; the log is rotated from outside every 20 s; the disk is full for a tenth of
the time. Meanwhile the service is asked ten times a second, and processes that are not ours run beside it. At the end:
availability, memory and descriptors of the monitor, the bystanders, and the service's numbered lines in all logs.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread

import psutil

from tests.faults.injection import ROOT
from tests.faults.project import Stage
from tests.real import wheels

SERVICE = """
import http.server, os, subprocess, sys, threading, time
if "--version" in sys.argv:
    print("tinyserve 1.0")
    raise SystemExit
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/hang":
            time.sleep(3600)
        if self.path == "/fork":
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)", "a child of tinyserve"])
        body = b'{"status": "healthy"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
def count():
    number = 0
    while True:
        print("line", os.getpid(), number, flush=True)
        number += 1
        time.sleep(0.02)
threading.Thread(target=count, daemon=True).start()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
_LINE = re.compile(rb"^line (\d+) (\d+)$", re.MULTILINE)
_BYSTANDER = "import time; time.sleep(7200)"
EVERY, ROTATED = 15.0, 20.0  # seconds


@dataclass
class Soak:
    """The project, its monitor, and what was seen."""

    stage: Stage
    disk: str
    """Why the disk cannot be filled here; empty if it can."""
    over: Event = field(default_factory=Event)
    answers: list[tuple[float, bool]] = field(default_factory=list)
    rotations: int = 0
    done: list[str] = field(default_factory=list)

    @property
    def log(self) -> Path:
        """The service's log."""
        return self.stage.venv.parent / "interface_bridge.log"

    # What is done to it

    def server(self) -> psutil.Process | None:
        """The server that the pid file names, if it runs."""
        with contextlib.suppress(psutil.Error):
            return psutil.Process(self.stage.pid_file())
        return None

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal."""
        with contextlib.suppress(psutil.Error):
            if server := self.server():
                server.send_signal(number)

    def ask(self, path: str, seconds: float = 1.0) -> bool:
        """Whether the service answers."""
        url = f"http://127.0.0.1:{self.stage.site.port}{path}"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=seconds) as answer:
            return bool(answer.status == 200)
        return False

    def kill(self) -> None:
        """A crash."""
        self.signal(signal.SIGKILL)

    def halt(self) -> None:
        """A process that is there and does nothing."""
        self.signal(signal.SIGSTOP)

    def hang(self) -> None:
        """A service that takes a request and never answers another."""
        self.ask("/hang", 0.5)

    def fork(self) -> None:
        """A child is left behind by a crash."""
        self.ask("/fork")
        self.kill()

    def lose_cfg(self) -> None:
        """The environment is damaged, and the server has to be started from it."""
        (self.stage.venv / "pyvenv.cfg").unlink(missing_ok=True)
        self.kill()

    def lose_links(self) -> None:
        """The interpreter's links are gone."""
        for name in ("python", "python3"):
            (self.stage.venv / "bin" / name).unlink(missing_ok=True)
        self.kill()

    def poll(self) -> None:
        """Ask ten times a second until it is over."""
        while not self.over.wait(0.1):
            self.answers.append((time.monotonic(), self.ask("/")))

    def rotate(self) -> None:
        """Rename the log and make an empty one, as logrotate's `create` does, until it is over."""
        while not self.over.wait(ROTATED):
            with contextlib.suppress(OSError):
                self.log.rename(self.log.with_name(f"{self.log.name}.outside{self.rotations}"))
                self.log.touch()
                self.rotations += 1

    def fill(self, begin: float, seconds: float) -> None:
        """Leave no byte of the disk free for some time."""
        if self.disk or self.over.wait(begin):
            return
        filler = self.stage.folder / "filler"
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.over.wait(0.2):
            with contextlib.suppress(OSError), filler.open("ab", buffering=0) as stream:
                while stream.write(b"\0" * 4096):
                    pass
        filler.unlink(missing_ok=True)
        self.done.append(f"disk full for {seconds:.0f} s")

    # What came of it

    def availability(self) -> str:
        """For which part of the time the service answered, and the longest time that it did not."""
        down, worst, since = 0.0, 0.0, None
        for (moment, well), (later, _) in itertools.pairwise(self.answers):
            since = None if well else since or moment
            down += 0.0 if well else later - moment
            worst = max(worst, later - since if since else 0.0)
        whole = self.answers[-1][0] - self.answers[0][0]
        return f"{1 - down / whole:.2%} of {whole:.0f} s ({len(self.answers)} polls); longest outage {worst:.1f} s"

    def lines(self) -> tuple[int, int]:
        """The service's lines in all logs, and those missing between others. The last before a kill can't be known."""
        seen: dict[bytes, set[int]] = {}
        for path in self.log.parent.glob(f"{self.log.name}*"):
            for pid, number in _LINE.findall(path.read_bytes()):
                seen.setdefault(pid, set()).add(int(number))
        found = sum(map(len, seen.values()))
        return found, sum(max(numbers) + 1 for numbers in seen.values()) - found


def main(words: list[str]) -> int:
    """Run it and report; 1 if the monitor ended, grew, left something or touched a bystander."""
    cli = argparse.ArgumentParser(prog="nox -s faults -- soak", description=__doc__)
    cli.add_argument("--seconds", type=float, default=600.0)
    seconds = cli.parse_args(words).seconds
    # A background job of a script ignores Ctrl+C, and so would the monitor.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with _disk() as (folder, why):
        stage = Stage(folder / "stage")
        wheels.server(stage.site.wheelhouse, text=SERVICE)
        stage.site.relock()
        _with_monitor(stage)
        stage.make()
        try:
            return _run(Soak(stage, why), seconds)
        finally:
            stage.end_processes()


def _run(soak: Soak, seconds: float) -> int:
    stage = soak.stage
    bystanders = [subprocess.Popen([sys.executable, "-c", _BYSTANDER, word]) for word in ("tinyserve", "uvicorn")]
    out = (stage.folder.parent / "monitor.out").open("wb")
    monitor = psutil.Popen(
        stage.argv("keep-alive"), env=stage.env, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out
    )
    try:
        _until(lambda: soak.ask("/"), "the first answer")
        time.sleep(5.0)
        before = (monitor.memory_info().rss, monitor.num_fds())
        _trouble(soak, seconds)
        well = _until(lambda: soak.ask("/"), "an answer at the end")
        alive = monitor.is_running() and monitor.status() != psutil.STATUS_ZOMBIE
        after = (monitor.memory_info().rss, monitor.num_fds()) if alive else (0, 0)
        monitor.send_signal(signal.SIGINT)
        code = monitor.wait(60)
        return _report(soak, [well, alive, code == 0], before, after, bystanders)
    finally:
        soak.over.set()
        if monitor.is_running():
            monitor.kill()
        for each in bystanders:
            each.kill()
            each.wait()
        out.close()


def _trouble(soak: Soak, seconds: float) -> None:
    actions: list[Callable[[], None]] = [soak.kill, soak.halt, soak.fork, soak.hang, soak.lose_cfg, soak.lose_links]
    threads = [Thread(target=soak.poll), Thread(target=soak.rotate)]
    threads.append(Thread(target=soak.fill, args=(seconds * 0.5, seconds * 0.1)))
    for thread in threads:
        thread.start()
    end, turn = time.monotonic() + seconds, 0
    while time.monotonic() + EVERY < end:
        action = actions[turn % len(actions)]
        action()
        soak.done.append(action.__name__)
        turn += 1
        time.sleep(EVERY)
    time.sleep(max(0.0, end - time.monotonic()))
    soak.over.set()
    for thread in threads:
        thread.join()


def _report(
    soak: Soak,
    verdicts: list[bool],
    before: tuple[int, int],
    after: tuple[int, int],
    bystanders: list[subprocess.Popen[bytes]],
) -> int:
    left = soak.stage.processes()
    found, lost = soak.lines()
    harmed = [each.pid for each in bystanders if each.poll() is not None]
    rows = {
        "availability": soak.availability(),
        "done to it": ", ".join(f"{soak.done.count(each)} x {each}" for each in dict.fromkeys(soak.done)),
        "disk": f"skipped: {soak.disk}" if soak.disk else "filled",
        "monitor": f"{before[0] / 2**20:.1f} -> {after[0] / 2**20:.1f} MB, {before[1]} -> {after[1]} descriptors",
        "log": f"{soak.rotations} rotations from outside; {found} lines, {lost} missing between others",
        "bystanders": f"{len(bystanders)}, harmed: {harmed or 'none'}",
        "at the end": f"serves: {verdicts[0]}, monitor lived: {verdicts[1]}, ended with 0: {verdicts[2]}, left: {left}",
    }
    for name, text in rows.items():
        print(f"{name:14}{text}", flush=True)  # noqa: T201 - a program for people
    grew = after[0] - before[0] > 20 << 20 or after[1] > before[1] + 4
    return int(not all(verdicts) or grew or bool(harmed or left))


def _with_monitor(stage: Stage) -> None:
    """Two seconds between checks instead of ten: ten minutes are to hold many troubles."""
    file = stage.root / "invoke.yaml"
    tree = json.loads(file.read_text(encoding="utf-8"))
    tree["clinic"]["keep_alive"] = {"interval": 2}
    file.write_text(json.dumps(tree), encoding="utf-8")


def _until(condition: Callable[[], bool], what: str, seconds: float = 60.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            print(f"not within {seconds:g} s: {what}", flush=True)  # noqa: T201 - as above
            return False
        time.sleep(0.1)
    return True


@contextlib.contextmanager
def _disk() -> Iterator[tuple[Path, str]]:
    """A folder on a small file system of its own; else on the one of temporary files, and why."""
    with tempfile.TemporaryDirectory(prefix="clinic-soak-") as name:
        place = Path(name, "disk")
        place.mkdir()
        why = _mounted(place)
        try:
            yield place, why
        finally:
            if not why:
                subprocess.run([shutil.which("umount") or "", "--lazy", str(place)], check=False)


def _mounted(place: Path) -> str:
    program = shutil.which("mount")
    if sys.platform != "linux" or not program:
        return "there is no mount"
    words = [program, "-t", "tmpfs", "-o", "size=48m", "clinic-soak", str(place)]
    done = subprocess.run(words, env=os.environ | {"LC_ALL": "C"}, capture_output=True, text=True, check=False)
    return done.stderr.strip() or (f"mount: exit code {done.returncode}" if done.returncode else "")
