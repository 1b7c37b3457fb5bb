"""A repair that is killed, refused or not confirmed: the state before, or the state after, and nothing lost."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clinic import flow
from clinic.errors import RefusedError
from tests.conftest import ROOT
from tests.real.conftest import Ward
from tests.real.creators import VENV, bases
from tests.real.patients import fingerprint, unrecorded
from tests.real.visits import Project, around, codes, hurt, summary, without_cfg
from tests.real.wounds import by_name

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links and pipes are POSIX's")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project without an environment as yet."""
    return Project(tmp_path / "invoke.yaml")


_KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
file, limit = Path(sys.argv[2]), int(sys.argv[3])
from clinic import flow
from clinic.settings import load
settings, seen = load(file.parent, file, {}), 0

def watch(event, arguments):
    global seen
    if event in {"os.rename", "os.link", "os.remove", "os.rmdir"}:
        seen += 1
        if seen == limit:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
print(flow.fix_cfg(settings).outcome)
"""


@pytest.mark.parametrize("name", ["missing", "empty", "folder", "only-in-bin"])
def test_a_kill_at_any_step_loses_nothing(ward: Ward, project: Project, name: str) -> None:
    base, survived = bases()[-1], False
    for step in range(1, 60):
        patient = hurt(ward, by_name(name), base, VENV)
        wounded, settings = fingerprint(patient.venv), around(project, patient).settings
        arguments: list[str | Path] = [ROOT / "scripts", project.file, str(step)]
        done = subprocess.run(
            [sys.executable, "-c", _KILLED, *arguments], capture_output=True, text=True, check=False, timeout=60
        )
        assert without_cfg(_lasting(fingerprint(patient.venv))) == without_cfg(wounded)
        if done.returncode == 0:
            survived = True
            assert done.stdout.split() == ["cured"]
            break
        again = flow.fix_cfg(settings)
        assert again.outcome in {"cured", "unchanged"}, (step, again)
        assert summary(flow.diagnose(settings)) == ("healthy", 0)
        assert flow.undo(settings, yes=True).exit_code == 0
        assert without_cfg(_lasting(fingerprint(patient.venv))) == without_cfg(wounded)
        assert by_name(name).code in codes(flow.diagnose(settings).data)
    assert survived, "the repair takes more steps than this test tries"


def _lasting(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """A fingerprint less the staging file that a kill may leave."""
    return {
        name: what for name, what in found.items() if not (name.startswith(".pyvenv.cfg.") and name.endswith(".new"))
    }


def test_what_does_not_hold_is_put_back(ward: Ward, project: Project) -> None:
    """Machine code that does not load speaks against the base that the new file names."""
    patient = hurt(ward, by_name("missing"), bases()[-1], VENV)
    site = next((patient.venv / "lib").glob("python*/site-packages"))
    text = "raise ImportError('/srv/_core.so: undefined symbol: PyNothing')\n"
    unrecorded(site).write_text(text, encoding="utf-8")
    wounded = fingerprint(patient.venv)
    result = flow.fix_cfg(around(project, patient).settings)
    assert summary(result) == ("failed", 1)
    assert fingerprint(patient.venv) == wounded
    assert [receipt.outcome for receipt in result.data["receipts"]] == ["restored"]


def test_what_is_hidden_by_the_lost_file_does_not_speak_against_the_new_one(ward: Ward, project: Project) -> None:
    """Without pyvenv.cfg it starts as its base and never meets its own sitecustomize, which kills it."""
    for base in bases():
        patient = hurt(ward, by_name("missing"), base, VENV)
        site = next((patient.venv / "lib").glob("python*/site-packages"))
        (site / "sitecustomize.py").write_text("import os\nos._exit(3)\n", encoding="utf-8")
        result = flow.fix_cfg(around(project, patient).settings)
        assert summary(result) == ("sick", 1)
        assert codes(result.data["after"]) == ["sitecustomize-failing"]
        assert [receipt.outcome for receipt in result.data["receipts"]] == ["done"]


def test_a_base_of_another_version_is_refused(ward: Ward, project: Project) -> None:
    patient = hurt(ward, by_name("missing"), bases()[-1], VENV)
    if patient.other_minor is None:
        pytest.skip("only one minor version is here")
    wounded = fingerprint(patient.venv)
    with pytest.raises(RefusedError):
        flow.fix_cfg(around(project, patient).settings, base=str(patient.other_minor.executable))
    assert fingerprint(patient.venv) == wounded


def test_an_environment_is_refused_as_a_base(ward: Ward, project: Project, tmp_path: Path) -> None:
    patient = hurt(ward, by_name("missing"), bases()[-1], VENV)
    other = VENV.make(bases()[-1], tmp_path / "another environment")
    with pytest.raises(RefusedError, match="environment"):
        flow.fix_cfg(around(project, patient).settings, base=str(other / "bin" / "python"))
    assert not patient.cfg.exists()
