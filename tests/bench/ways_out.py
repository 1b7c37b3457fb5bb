"""The ways out: a borrowed server, a healed one, a system that needs nothing, the whole checklist."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress

from tests.bench.stage import ROOT, Stage, median, quiet, until_200


def boot(stage: Stage) -> float:
    """The bare uvicorn command, from its start to its first 200."""
    argv = [stage.python, "-m", "uvicorn", "nucleus.interface_bridge:app", "--port", str(stage.port)]
    process = subprocess.Popen(
        list(map(str, argv)), cwd=ROOT / "ai", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_env()
    )
    seconds = until_200(stage.port)
    process.terminate()
    process.wait()
    return seconds


def _env() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _to_200(stage: Stage, *words: str) -> float:
    """Seconds from a command's start to the server's first 200."""
    started = time.perf_counter()
    process = subprocess.Popen(
        stage.invoke(*words), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_env()
    )
    until_200(stage.port)
    seconds = time.perf_counter() - started
    process.wait()
    return seconds


def _kill(stage: Stage) -> None:
    told = subprocess.run(stage.invoke("status", "--json"), capture_output=True, check=False, cwd=ROOT, env=_env())
    with suppress(ProcessLookupError):
        os.kill(json.loads(told.stdout)["data"]["pid"], signal.SIGKILL)


def borrowing(stage: Stage) -> None:
    """`invoke unblock` on an environment without pyvenv.cfg."""
    cfg = stage.venv / "pyvenv.cfg"
    kept = cfg.read_bytes()
    cfg.unlink()
    bare_cfg = stage.folder / "kept.cfg"
    bare_cfg.write_bytes(kept)
    whole = median(stage, lambda: quiet(stage.invoke("unblock")), lambda: quiet(stage.invoke("stop")))
    quiet(stage.invoke("stop"))
    cfg.write_bytes(kept)
    bare = median(stage, lambda: boot(stage))
    stage.row("bare uvicorn to the first 200", f"{bare * 1000:.0f} ms")
    stage.row(
        "invoke unblock by borrowing, whole command",
        f"{whole * 1000:.0f} ms (+{(whole - bare) * 1000:.0f})",
        "<= boot + 600 ms",
    )


def healing(stage: Stage) -> None:
    """`invoke heal` on a lost pyvenv.cfg and a server that was killed; and on a system that needs nothing."""
    cfg = stage.venv / "pyvenv.cfg"
    kept = cfg.read_bytes()

    def hurt() -> None:
        quiet(stage.invoke("restart"))
        _kill(stage)
        cfg.unlink()

    bare = median(stage, lambda: boot(stage), lambda: quiet(stage.invoke("stop")))
    first = median(stage, lambda: _to_200(stage, "heal"), hurt)
    healthy = median(stage, lambda: quiet(stage.invoke("heal")))
    quiet(stage.invoke("stop"))
    cfg.write_bytes(kept)
    stage.row(
        "invoke heal, lost cfg and dead server, to the first 200",
        f"{first * 1000:.0f} ms (+{(first - bare) * 1000:.0f})",
        "<= boot + 1000 ms",
    )
    stage.row("invoke heal on a healthy system, whole command", f"{healthy * 1000:.0f} ms", "< 1000 ms")


def lifeboat(stage: Stage) -> None:
    """`invoke unblock` where the packages are gone, from a warm cache."""
    site = next((stage.venv / "lib").glob("python3*/site-packages"))
    aside = stage.folder / "aside"

    def fresh() -> None:
        quiet(stage.invoke("stop"))
        shutil.rmtree(stage.folder / ".clinic" / "lifeboat", ignore_errors=True)

    shutil.move(site, aside)
    site.mkdir()
    whole = median(stage, lambda: quiet(stage.invoke("unblock")), fresh)
    fresh()
    site.rmdir()
    shutil.move(aside, site)
    stage.row("invoke unblock by a lifeboat, warm cache, whole command", f"{whole * 1000:.0f} ms")


def validating(stage: Stage) -> None:
    """`invoke validate`, all 18 checks."""
    whole = median(stage, lambda: quiet(stage.invoke("validate")))
    stage.row("invoke validate, whole command", f"{whole:.1f} s", "< 30 s")


SCENES = (borrowing, healing, lifeboat, validating)
