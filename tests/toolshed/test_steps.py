"""Whenever a run is interrupted or killed, the old tools work, and the next run makes the new ones."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from tests.toolshed.workbench import WINDOWS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.toolshed.workbench import Clone

# Sends the process that runs bootstrap.py a signal before its n-th change of the disk, or counts these changes.
HARM = """
import os, sys
sys.modules["ensurepip"] = None
if any(word.endswith("bootstrap.py") for word in sys.orig_argv):
    number, at, steps = int(os.environ["HARM_SIGNAL"]), int(os.environ["HARM_AT"]), os.environ["HARM_STEPS"]
    changes = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.symlink", "subprocess.Popen"}
    seen = []
    def harm(event, args):
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if args and str(args[0]) == steps or event not in changes and not writes: return
        seen.append(event)
        with open(steps, "w") as file: file.write(str(len(seen)))
        if len(seen) == at: os.kill(os.getpid(), number)
    sys.addaudithook(harm)
"""

SHARES = [0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9, 0.95]
"""Which of the changes, as shares of their number."""

pytestmark = pytest.mark.skipif(WINDOWS, reason="signals of POSIX")


@pytest.fixture
def harm(clone: Clone, tmp_path: Path) -> dict[str, str]:
    """Variables for a run that is to be harmed; without a signal its steps are counted."""
    folder = tmp_path / "harm"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HARM, encoding="utf-8")
    clone.run("run", "first")
    return {"PYTHONPATH": str(folder), "HARM_SIGNAL": "0", "HARM_AT": "0", "HARM_STEPS": str(tmp_path / "steps")}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_at_any_step(clone: Clone, tmp_path: Path, harm: dict[str, str], number: signal.Signals) -> None:
    clone.lock(("invoke", "2.0"), ("nox", "1.0"))
    assert clone.run("run", "count", cwd=clone.root, **harm).returncode == 0
    steps = int((tmp_path / "steps").read_text())
    assert steps > 20
    for turn, share in enumerate(SHARES if number == signal.SIGKILL else SHARES[1::3]):
        clone.lock(("invoke", f"3.{turn}"), ("nox", "1.0"))
        (clone.tools / "bridge-clinic.json").unlink()  # the tools work, and are not known to be whole
        at = max(1, round(share * steps))
        told = clone.run(
            "run", "harmed", cwd=clone.root, **harm | {"HARM_SIGNAL": str(int(number)), "HARM_AT": str(at)}
        )
        assert told.returncode == (-9 if number == signal.SIGKILL else 130), (at, told.stderr)
        assert clone.works(), f"after change {at} of {steps}"
        if number != signal.SIGKILL:
            assert clone.beside() == [], f"after change {at} of {steps}"
        assert clone.run("run", "next").returncode == 0, f"after change {at} of {steps}"
        assert clone.works()
        assert clone.beside() == []
        assert (clone.site_packages / f"invoke-3.{turn}.dist-info").is_dir()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere two renames may be needed")
def test_at_the_swap(clone: Clone, tmp_path: Path, harm: dict[str, str]) -> None:
    """There is no moment without tools: killed before each rename there is."""
    hook = tmp_path / "harm" / "sitecustomize.py"
    hook.write_text(HARM.replace("changes = {", 'changes = {"os.rename"} or {').replace("and not writes", ""))
    clone.lock(("invoke", "2.0"), ("nox", "1.0"))
    assert clone.run("run", "count", cwd=clone.root, **harm).returncode == 0
    steps = int((tmp_path / "steps").read_text())
    for at in range(1, steps + 1):
        clone.lock(("invoke", f"3.{at}"), ("nox", "1.0"))
        (clone.tools / "bridge-clinic.json").unlink()
        told = clone.run("run", "harmed", cwd=clone.root, **harm | {"HARM_SIGNAL": "9", "HARM_AT": str(at)})
        assert told.returncode == -9
        assert clone.works()
        assert clone.run("run", "next").returncode == 0
