"""A reinstall that is killed at any step: the next run puts it back, and nothing is lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clinic.flow.reinstalling import reinstall
from clinic.flow.undoing import undo
from tests.conftest import ROOT
from tests.real.creators import VENV, bases, uv
from tests.real.packed import PackedWard, settings_around, site_of
from tests.real.patients import fingerprint
from tests.real.visits import summary

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="kill -9 is POSIX's"),
    pytest.mark.skipif(not uv(), reason="packages are installed by uv here"),
]

_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
file, house, venv, limit = Path(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
from clinic.flow.reinstalling import reinstall
from clinic.settings import load
settings, seen = load(file.parent, file, {}), 0

def watch(event, arguments):
    global seen
    if event == "os.rename" and any(str(each).startswith(venv + os.sep) for each in arguments[:2]):
        seen += 1
        if seen == limit:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
print(reinstall(settings, wheelhouse=house).outcome)
"""


def test_a_kill_at_any_step_loses_nothing(tmp_path: Path) -> None:
    """A module is gone, and a file of somebody's own lies in the package: so its entries go one by one."""
    base, ward = bases()[-1], PackedWard((tmp_path / "ward").resolve())
    project = tmp_path / "project"
    project.mkdir()
    for step in range(1, 40):
        patient = ward.patient(VENV, base)
        told = settings_around(project, patient, ward.stock(base))
        (site_of(patient) / "alpha" / "core.py").unlink()
        (site_of(patient) / "alpha" / "mine.txt").write_text("mine\n", encoding="utf-8")
        wounded = fingerprint(patient.venv)
        words: list[str | Path] = [
            ROOT / "scripts",
            project / "invoke.yaml",
            ward.stock(base).folder,
            patient.venv,
            str(step),
        ]
        done = subprocess.run(
            [sys.executable, "-c", _KILLED, *words], capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode == 0:
            assert step > 3
            break
        assert done.returncode == -9, done.stderr
        again = reinstall(told, wheelhouse=ward.stock(base).folder)
        assert summary(again) == ("cured", 0), (step, again)
        assert any("was put back" in note for note in again.notes)
        assert undo(told, yes=True).exit_code == 0
        assert fingerprint(patient.venv) == wounded, step
    else:
        pytest.fail("the reinstall takes more steps than this test tries")
