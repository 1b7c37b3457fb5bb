"""Packages: looking at them, verifying every file, and reinstalling one that is hurt, beside what people use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.bench.stage import INVOKE, ROOT, UV, Stage, median, quiet

PIP = (sys.executable, "-m", "pip")
MANY = 150


def many(stage: Stage) -> tuple[Path, Path]:
    """An environment with 150 small distributions (of twelve files each), and the settings of a project around it."""
    folder = stage.folder / "many"
    venv, settings = folder / "env", folder / "bench.yaml"
    if settings.exists():
        return venv, settings
    sys.path.insert(0, str(ROOT / "scripts"))
    from tests.real.wheels import build

    text = "".join(f"NAME_{number} = {number}\n" for number in range(300))
    wheels = [
        build(
            folder / "wheels",
            f"dist{number}",
            "1.0",
            {f"dist{number}/m{module}.py": text for module in range(12)},
            [f"dist{number}"],
            f"Requires-Dist: dist{number - 1}>=1.0\n" if number else "",
        )
        for number in range(MANY)
    ]
    (folder / "lock.txt").write_text("".join(wheel.line for wheel in wheels), encoding="utf-8")
    quiet([*UV, "venv", "--quiet", venv])
    words = ["--quiet", "--no-index", "--find-links", str(folder / "wheels"), "-r", str(folder / "lock.txt")]
    quiet([*UV, "pip", "install", *words, "--link-mode", "copy", "-p", venv / "bin" / "python"])
    told = {"environment": {"path": str(venv), "requirements": str(folder / "lock.txt"), "imports": ["dist1"]}}
    settings.write_text(json.dumps({"clinic": told}), encoding="utf-8")
    return venv, settings


def _sums(venv: Path) -> float:
    """Seconds of two sha256sum side by side over all that RECORD vouches for."""
    program = shutil.which("sha256sum") or "sha256sum"
    files = [str(path) for path in venv.rglob("*") if path.is_file() and path.suffix != ".pyc"]

    def hashed(share: Sequence[str]) -> None:
        for at in range(0, len(share), 2000):
            subprocess.run([program, "--", *share[at : at + 2000]], stdout=subprocess.DEVNULL, check=True)

    started = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(hashed, (files[::2], files[1::2])))
    return time.perf_counter() - started


def _looks(stage: Stage, name: str, venv: Path, settings: Path) -> None:
    ours = [*INVOKE, "-f", str(settings), "diagnose"]
    python = venv / "bin" / "python"
    plain = median(stage, lambda: quiet(ours))
    deep = median(stage, lambda: quiet([*ours, "--deep"]))
    pip = median(stage, lambda: quiet([*PIP, "--python", python, "check"]))
    uv = median(stage, lambda: quiet([*UV, "pip", "check", "-p", python]))
    sums = median(stage, lambda: _sums(venv))
    stage.row(f"{name}: invoke diagnose, whole command", f"{plain * 1000:.0f} ms", "<= 1.0 x pip check")
    stage.row("  pip check, uv pip check", f"{pip * 1000:.0f} ms, {uv * 1000:.0f} ms")
    stage.row("  ratio to pip check", f"{plain / pip:.2f}")
    stage.row(f"{name}: invoke diagnose --deep, whole command", f"{deep * 1000:.0f} ms", "<= 1.5 x two sha256sum")
    stage.row("  two sha256sum side by side", f"{sums * 1000:.0f} ms")
    stage.row(
        "  ratio: whole command; what deep adds to a plain look", f"{deep / sums:.2f}; {(deep - plain) / sums:.2f}"
    )


def packages_bridge(stage: Stage) -> None:
    """The bridge's environment."""
    _looks(stage, "bridge", stage.venv, stage.settings)


def packages_many(stage: Stage) -> None:
    """An environment with 150 distributions."""
    _looks(stage, f"{MANY} distributions", *many(stage))


REINSTALL = """
import sys, time
from pathlib import Path
from clinic.flow.reinstalling import reinstall
from clinic.settings import load
file = Path(sys.argv[1])
started = time.perf_counter()
done = reinstall(load(file.parent, file, {}))
assert done.outcome == "cured", done
"""


def packages_one_hurt(stage: Stage) -> None:
    """One hurt distribution: our reinstall as a process of its own, against pip's."""
    site = next((stage.venv / "lib").glob("python*/site-packages"))
    module = site / "uvicorn" / "config.py"
    version = next(site.glob("uvicorn-*.dist-info")).name.split("-")[1].removesuffix(".dist")
    env = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}

    def ours() -> float:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", REINSTALL, stage.settings], env=env, check=True)
        return time.perf_counter() - started

    def hurt() -> None:
        module.unlink(missing_ok=True)

    mine = median(stage, ours, hurt)
    proof = median(stage, lambda: quiet([stage.python, "-I", "-B", "-c", "import uvicorn, fastapi"]))
    proof -= median(stage, lambda: quiet([stage.python, "-I", "-B", "-c", "pass"]))
    words = ["install", "-q", "--force-reinstall", "--no-deps", f"uvicorn=={version}"]
    pip = median(stage, lambda: quiet([*PIP, "--python", stage.python, *words]), hurt)
    words = ["install", "-q", "--reinstall", "--no-deps", f"uvicorn=={version}", "-p", str(stage.python)]
    uv = median(stage, lambda: quiet([*UV, "pip", *words]), hurt)
    stage.row("one hurt distribution: reinstall, proof and imports included", f"{mine * 1000:.0f} ms")
    stage.row("  pip install --force-reinstall, uv pip install --reinstall", f"{pip * 1000:.0f} ms, {uv * 1000:.0f} ms")
    stage.row("  of it the patient importing uvicorn and fastapi", f"{proof * 1000:.0f} ms")
    stage.row("  ratio to pip, imports told apart", f"{(mine - proof) / pip:.2f} ({mine / pip:.2f} with)", "<= 0.5")


SCENES = (packages_bridge, packages_many, packages_one_hurt)
