"""The main job: listing, diagnosing, restoring a lost pyvenv.cfg, starting the server."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.bench.stage import INVOKE, ROOT, Stage, median, quiet, until_200


def listing(stage: Stage) -> None:
    """`invoke --list` against `invoke --list` on an empty tasks file."""
    empty = stage.folder / "empty"
    empty.mkdir()
    (empty / "tasks.py").write_text("", encoding="utf-8")
    ours = median(stage, lambda: quiet([*INVOKE, "--list"]))
    bare = median(stage, lambda: quiet([*INVOKE, "--list"], ok=(0, 1), cwd=empty))
    stage.row("invoke --list", f"{ours * 1000:.0f} ms")
    stage.row("  on an empty tasks file", f"{bare * 1000:.0f} ms")
    stage.row("  ratio", f"{ours / bare:.2f}", "<= 1.25")


def diagnosing(stage: Stage) -> None:
    """`invoke diagnose` on the bridge's environment, beside the checkers that people use."""
    ours = median(stage, lambda: quiet(stage.invoke("diagnose")))
    stage.row("invoke diagnose", f"{ours * 1000:.0f} ms")
    uv = median(stage, lambda: quiet([sys.executable, "-m", "uv", "pip", "check", "-p", stage.python]))
    stage.row("  uv pip check", f"{uv * 1000:.0f} ms")


def fixing(stage: Stage) -> None:
    """`invoke fix-cfg` on a missing file, against the creators run over the same wreck."""
    cfg = stage.venv / "pyvenv.cfg"
    kept = cfg.read_bytes()
    base = Path(sys._base_executable)  # type: ignore[attr-defined]

    def lose() -> None:
        cfg.unlink(missing_ok=True)

    ours = median(stage, lambda: quiet(stage.invoke("fix-cfg")), lose)
    imports = median(stage, lambda: quiet([stage.python, "-I", "-c", "import uvicorn, fastapi"]))
    bare = median(stage, lambda: quiet([stage.python, "-I", "-c", "pass"]))
    apart = imports - bare
    wreck = stage.folder / "wreck"

    def copy() -> None:
        shutil.rmtree(wreck, ignore_errors=True)
        shutil.copytree(stage.venv, wreck, symlinks=True)
        (wreck / "pyvenv.cfg").unlink()

    venv = median(stage, lambda: quiet([base, "-m", "venv", wreck]), copy)
    virtualenv = median(stage, lambda: quiet([sys.executable, "-m", "virtualenv", "-p", base, wreck]), copy)
    shutil.rmtree(wreck)
    stage.row("invoke fix-cfg, missing file, whole command", f"{ours * 1000:.0f} ms")
    stage.row("  of it the patient importing uvicorn and fastapi", f"{apart * 1000:.0f} ms")
    stage.row("  python -m venv over the wreck", f"{venv * 1000:.0f} ms")
    stage.row("  ratio to it, imports told apart", f"{(ours - apart) / venv:.2f} ({ours / venv:.2f} with)", "<= 0.15")
    stage.row("  virtualenv over the wreck", f"{virtualenv * 1000:.0f} ms")
    stage.row(
        "  ratio to it, imports told apart",
        f"{(ours - apart) / virtualenv:.2f} ({ours / virtualenv:.2f} with)",
        "<= 1.0",
    )
    cfg.write_bytes(kept)


IN_PROCESS = """
import sys, time
from pathlib import Path
from clinic import interpreters
from clinic.observe import observe
from clinic.remedies import fix_cfg
from clinic.records import Records
venv, records = Path(sys.argv[1]), Records(Path(sys.argv[2]))
facts = observe(venv)
figures = []
for number in range(int(sys.argv[3]) + 1):
    (venv / "pyvenv.cfg").unlink()
    started = time.perf_counter()
    draft = fix_cfg.draft(facts)
    with records.transaction("bench", venv) as change:
        change.write(draft.path, draft.data)
        me = interpreters.ask(venv / "bin" / "python", venv)
        assert me.is_itself
        change.commit()
    figures.append(time.perf_counter() - started)
print(sorted(figures[1:])[len(figures[1:]) // 2])
"""


def in_process(stage: Stage) -> None:
    """Restoring the file and asking the patient who it is, without the command around it."""
    cfg = stage.venv / "pyvenv.cfg"
    kept = cfg.read_bytes()
    cfg.unlink()
    cfg.write_bytes(kept)
    lost = stage.venv / "pyvenv.cfg"
    lost.unlink()
    lost.write_text("", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", IN_PROCESS, stage.venv, stage.folder / "records", str(stage.runs)],
        env={"PYTHONPATH": str(ROOT / "scripts"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    cfg.write_bytes(kept)
    stage.row("restore and identity proof, in process", f"{float(done.stdout) * 1000:.0f} ms", "<= 80 ms")


def starting(stage: Stage) -> None:
    """`start` to the first 200, against the bare uvicorn command's own boot."""
    argv = [stage.python, "-m", "uvicorn", "nucleus.interface_bridge:app", "--port", str(stage.port)]

    def bare() -> float:
        process = subprocess.Popen(
            list(map(str, argv)), cwd=ROOT / "ai", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        seconds = until_200(stage.port)
        process.terminate()
        process.wait()
        return seconds

    def ours(command: list[str]) -> float:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until_200(stage.port)
        seconds = time.perf_counter() - started
        process.wait()
        return seconds

    stop = stage.invoke("stop")
    boot = median(stage, bare)
    manager = [sys.executable, str(ROOT / "ai" / "server_manager.py"), "--config", str(stage.settings), "start"]
    by_script = median(stage, lambda: ours(manager), lambda: quiet(stop))
    by_task = median(stage, lambda: ours(stage.invoke("start")), lambda: quiet(stop))
    stage.row("bare uvicorn to the first 200", f"{boot * 1000:.0f} ms")
    stage.row(
        "server_manager.py start to the first 200",
        f"{by_script * 1000:.0f} ms (+{(by_script - boot) * 1000:.0f})",
        "<= boot + 150 ms",
    )
    stage.row(
        "invoke start to the first 200", f"{by_task * 1000:.0f} ms (+{(by_task - boot) * 1000:.0f})", "<= boot + 150 ms"
    )
    quiet(stop)


SCENES = (listing, diagnosing, fixing, in_process, starting)
