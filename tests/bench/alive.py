"""keep-alive: how soon a server that was killed, halted or blocked answers again, and what watching it costs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator

import psutil

from tests.bench.stage import ROOT, UV, Stage, quiet, until_200

ENTER = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('clinic.service', run_name='__main__', alter_sys=True)"
)


@contextlib.contextmanager
def watched(stage: Stage, **changes: dict[str, object]) -> Iterator[psutil.Process]:
    """A monitor on the stage's server, which is up; `changes` are sections of its settings."""
    file = stage.folder / "alive.yaml"
    tree = json.loads(stage.settings.read_text(encoding="utf-8"))["clinic"]
    for section, values in changes.items():
        tree[section] = {**tree.get(section, {}), **values}
    file.write_text(json.dumps({"clinic": tree}), encoding="utf-8")
    argv = [sys.executable, "-I", "-X", "utf8", "-c", ENTER, str(ROOT / "scripts"), "keep-alive", "-f", str(file)]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with (stage.folder / "monitor.out").open("wb") as out:
        process = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT, env=env)
    try:
        until_200(stage.port)
        time.sleep(0.3)
        yield psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def server(stage: Stage) -> int:
    """The server's pid, from its pid file."""
    return int((stage.folder / "b.pid").read_text(encoding="utf-8").split()[0])


def boot(stage: Stage) -> float:
    """Seconds from starting uvicorn to the first 200, without anything of ours."""
    argv = [stage.python, "-m", "uvicorn", "nucleus.interface_bridge:app", "--port", str(stage.port)]
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    figures = []
    for _ in range(stage.runs + 1):
        process = subprocess.Popen(
            list(map(str, argv)), cwd=ROOT / "ai", env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        figures.append(until_200(stage.port))
        process.kill()
        process.wait()
    return statistics.median(figures[1:])


def after(stage: Stage, hurt: Callable[[int], object], pause: float = 1.0) -> list[float]:
    """Seconds from hurting the server to the next answer of another process, for each run."""
    figures = []
    for _ in range(stage.runs):
        time.sleep(pause)
        old, started = server(stage), time.perf_counter()
        hurt(old)
        until_another(stage, old)
        figures.append(time.perf_counter() - started)
    return figures


def until_another(stage: Stage, old: int, limit: float = 60.0) -> None:
    """Wait for an answer that another process gives."""
    deadline = time.perf_counter() + limit
    url = f"http://127.0.0.1:{stage.port}/health"
    while time.perf_counter() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=0.3) as told:
            if told.status == 200 and int(told.headers["x-bridge-pid"]) != old:
                return
        time.sleep(0.005)
    raise SystemExit("no other process answers")


def killing(stage: Stage) -> None:
    """Kill -9 to the next 200."""
    floor = boot(stage)
    with watched(stage):
        figures = after(stage, lambda pid: os.kill(pid, signal.SIGKILL))
    told = statistics.median(figures)
    stage.row("uvicorn's own boot to the first 200", f"{floor:.3f} s")
    stage.row(
        "kill -9 to the next 200, default settings",
        f"{told:.3f} s (+{told - floor:.3f})",
        "<= boot + 0.10 s",
    )
    stage.row("  the last kill of the minute", f"{figures[-1]:.3f} s", "<= boot + 0.10 s")


SUPERVISORD = """
[supervisord]
nodaemon=true
logfile={folder}/supervisord.log
pidfile={folder}/supervisord.pid
[program:bridge]
command={python} -m uvicorn nucleus.interface_bridge:app --port {port}
directory={ai}
autorestart=true
stdout_logfile={folder}/bridge.out
stderr_logfile={folder}/bridge.err
"""


def killing_beside_others(stage: Stage) -> None:
    """The same kill under supervisord, and under pm2 where npm can fetch it, at their defaults."""
    env, config = stage.folder / "supervisor", stage.folder / "supervisord.conf"
    quiet([*UV, "venv", "--quiet", env])
    quiet([*UV, "pip", "install", "--quiet", "-p", env / "bin" / "python", "supervisor", "setuptools<81"])
    text = SUPERVISORD.format(folder=stage.folder, python=stage.python, port=stage.port, ai=ROOT / "ai")
    config.write_text(text, encoding="utf-8")
    with subprocess.Popen([env / "bin" / "supervisord", "-c", config], stdout=subprocess.DEVNULL) as process:
        until_200(stage.port)
        time.sleep(2)  # it counts a start as one after a second
        figures = after_killing_the_listener(stage)
        process.terminate()
    stage.row("  supervisord: kill -9 to the next 200", f"{statistics.median(figures):.3f} s")
    killing_under_pm2(stage)


def killing_under_pm2(stage: Stage) -> None:
    """The same kill under pm2, with a home of its own: nobody's ~/.pm2 is touched."""
    npm, folder = shutil.which("npm"), stage.folder / "pm2"
    if not npm:
        stage.row("  pm2: kill -9 to the next 200", "not tried: there is no npm")
        return
    quiet([npm, "install", "--silent", "--prefix", folder, "pm2"])
    pm2, home = folder / "node_modules" / ".bin" / "pm2", {"PM2_HOME": str(folder / "home")}
    words = ["-m", "uvicorn", "nucleus.interface_bridge:app", "--port", str(stage.port)]
    start = [pm2, "start", stage.python, "--name", "bench", "--interpreter", "none", "--", *words]
    try:
        quiet(start, cwd=ROOT / "ai", more=home)
        until_200(stage.port)
        time.sleep(2)
        figures = after_killing_the_listener(stage)
    finally:
        quiet([pm2, "kill"], more=home)
    stage.row("  pm2: kill -9 to the next 200", f"{statistics.median(figures):.3f} s")


def after_killing_the_listener(stage: Stage) -> list[float]:
    """Seconds to the next answer, whoever supervises; the server itself says which process it is."""
    figures = []
    for _ in range(stage.runs):
        time.sleep(2)
        with urllib.request.urlopen(f"http://127.0.0.1:{stage.port}/health", timeout=3) as told:
            old = int(told.headers["x-bridge-pid"])
        started = time.perf_counter()
        os.kill(old, signal.SIGKILL)
        until_another(stage, old)
        figures.append(time.perf_counter() - started)
    return figures


def halting(stage: Stage) -> None:
    """SIGSTOP to the next 200."""
    floor = boot(stage)
    with watched(stage):
        figures = after(stage, lambda pid: os.kill(pid, signal.SIGSTOP), 1.3)
    stage.row(
        "SIGSTOP to the next 200: median, worst",
        f"{statistics.median(figures):.2f} s, {max(figures):.2f} s",
        f"<= {2 + floor:.2f} s",
    )


BLOCKING = """
import asyncio, os, threading, time
from nucleus.interface_bridge import app

@app.get("/block/{seconds}", response_model=None)
async def block(seconds: float) -> dict[str, str]:
    time.sleep(seconds)
    return {}
"""


def blocking(stage: Stage) -> None:
    """An event loop that is blocked for ever, and one that is for ten seconds."""
    (stage.folder / "blocking.py").write_text(BLOCKING, encoding="utf-8")
    command = ["{python}", "-m", "uvicorn", "blocking:app", "--port", "{port}", "--app-dir", str(stage.folder)]
    with watched(stage, service={"command": command}):
        pid = server(stage)
        ask_in_vain(stage, 10)
        time.sleep(13)
        stage.row("an event loop blocked for 10 s is not killed", "held" if server(stage) == pid else "KILLED")
        figures = after(stage, lambda _pid: ask_in_vain(stage, 300), 2.5)
    stage.row(
        "event loop blocked for ever to the next 200: median, worst",
        f"{statistics.median(figures):.1f} s, {max(figures):.1f} s",
        "<= 25 s + boot",
    )


def ask_in_vain(stage: Stage, seconds: float) -> None:
    """Block the server's event loop; nobody waits for the answer."""
    with contextlib.suppress(OSError):
        urllib.request.urlopen(f"http://127.0.0.1:{stage.port}/block/{seconds}", timeout=0.2).close()


def losing_cfg(stage: Stage) -> None:
    """pyvenv.cfg deleted, the server killed: to the next 200."""
    floor, cfg = boot(stage), stage.venv / "pyvenv.cfg"

    def lose(pid: int) -> None:
        cfg.unlink()
        os.kill(pid, signal.SIGKILL)

    with watched(stage):
        figures = after(stage, lose)
    told = statistics.median(figures)
    stage.row("lost pyvenv.cfg and kill -9 to the next 200", f"{told:.3f} s (+{told - floor:.3f})", "<= boot + 0.5 s")


def looping(stage: Stage) -> None:
    """A server that was well for a while, then dies at every start: starts and CPU seconds of one minute."""
    flag, count = stage.folder / "flag", stage.folder / "count"
    app = stage.folder / "crashing.py"
    app.write_text(
        "import os, sys\n"
        f"open({str(count)!r}, 'a').write('x')\n"
        f"if os.path.exists({str(flag)!r}): sys.exit(1)\n"
        "import uvicorn\nfrom nucleus.interface_bridge import app\n"
        "uvicorn.run(app, port=int(os.environ['BRIDGE_PORT']))\n",
        encoding="utf-8",
    )
    flag.unlink(missing_ok=True)
    with watched(
        stage, service={"command": ["{python}", str(app)], "variables": {"PYTHONPATH": str(ROOT / "ai")}}
    ) as monitor:
        time.sleep(3)
        used, starts = cpu(monitor), count.stat().st_size
        flag.touch()
        os.kill(server(stage), signal.SIGKILL)
        time.sleep(60)
        spent, starts = cpu(monitor) - used, count.stat().st_size - starts
        flag.unlink()
    stage.row("crash loop: starts in 60 s", str(starts), "<= 8")
    stage.row("crash loop: CPU seconds in 60 s, children included", f"{spent:.2f} s", "<= 2 s")


def cpu(process: psutil.Process) -> float:
    """CPU seconds of a process and the children it has waited for."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def idling(stage: Stage) -> None:
    """Memory after 10 and after 1,000 checks; CPU of an idle monitor at the default interval."""
    with watched(stage, keep_alive={"interval": 0.05}) as monitor:
        time.sleep(0.5)
        first = monitor.memory_info().rss
        time.sleep(55)
        last = monitor.memory_info().rss
    stage.row("monitor's memory after about 10 checks", f"{first / 1e6:.1f} MB", "<= 45 MB")
    stage.row("  and after about 1,000", f"{last / 1e6:.1f} MB", "flat")
    minutes = float(os.environ.get("BENCH_IDLE_SECONDS", "120"))
    with watched(stage) as monitor:
        time.sleep(5)
        used = cpu(monitor)
        time.sleep(minutes)
        share = (cpu(monitor) - used) / minutes
    stage.row(f"CPU of an idle monitor over {minutes:.0f} s", f"{share:.3%}", "<= 0.1 %")


SCENES = (killing, killing_beside_others, halting, losing_cfg, looping, idling, blocking)
