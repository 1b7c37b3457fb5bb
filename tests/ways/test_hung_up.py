"""A repair that is hung up or asked to end unwinds as by Ctrl+C: the environment is what it was, and it says so."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from clinic.checklist import stage
from tests.ways.project import Project

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 120.0  # seconds; what is waited for takes a few
NUMBERS = [getattr(signal, name) for name in ("SIGHUP", "SIGTERM") if hasattr(signal, name)]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")


def stood(project: Project) -> dict[str, tuple[int, int]]:
    """The environment: each entry with its inode and its time of change."""
    found = ((path, path.lstat()) for path in sorted(project.venv.rglob("*")) if "__pycache__" not in path.parts)
    return {str(path): (status.st_ino, status.st_mtime_ns) for path, status in found if not path.is_dir()}


def beside(project: Project) -> list[Path]:
    """Where new environments are made."""
    return list(project.root.glob(".clinic-*"))


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number.name)
@pytest.mark.parametrize("verb", ["rebuild", "heal"])
def test_it_unwinds(verb: str, number: signal.Signals, project: Project) -> None:
    if verb == "heal":
        shutil.rmtree(project.site)  # which takes a rebuild
    before = stood(project)
    words = [sys.executable, "-m", "invoke", "-f", str(project.root / "p.yaml"), verb, "--json"]
    words += ["--wheelhouse", str(project.wheelhouse)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, start_new_session=True) as running:
        assert stage.until(lambda: beside(project) or running.poll() is not None, LIMIT)
        running.send_signal(number)
        said = json.loads(running.communicate(timeout=LIMIT)[0])
    assert (running.returncode, said["exit_code"]) == (130, 130), said
    message = said["errors"][0]["message"]
    assert beside(project) == []
    if "held and stays" not in message:  # the signal came before the last step
        assert "Nothing was changed." in message or "was put back." in message
        assert stood(project) == before
