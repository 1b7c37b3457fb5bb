"""An environment of Windows read from Linux, the way a mounted disk is: judged by its files, changed by nobody."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.real.patients import MARKER, fingerprint
from tests.real.visits import Project
from tests.real.wounding import Wound
from tests.windows.patients import CREATORS, Ward, WindowsPatient, codes
from tests.windows.wounds_of_windows import BEYOND_CFG, DEALT, OF_WINDOWS

# What can't be told without asking a python of Windows.
_UNSEEN = {
    "home-without-python-exe": "whether a folder of that disk holds a python",
    "home-gone-from-windows": "whether that folder is there",
    "home-on-a-drive-that-is-not-there": "whether that drive is there",
    "executable-gone": "whether that file is there",
    "home-is-library": "which folder is the base's",
}
_FATAL = [wound for wound in DEALT if wound.name not in _UNSEEN and wound not in OF_WINDOWS]


@pytest.fixture
def outside(tmp_path: Path) -> Project:
    """A project of this side."""
    return Project(tmp_path / "invoke.yaml")


def _about(project: Project, patient: WindowsPatient) -> Project:
    settings = {"environment": {"path": str(patient.venv), "imports": [MARKER], "requirements": "none.txt"}}
    project.file.write_text(json.dumps({"clinic": settings}), encoding="utf-8")
    return project


@pytest.mark.parametrize("creator", CREATORS)
def test_a_healthy_one_has_no_findings(ward: Ward, outside: Project, creator: str) -> None:
    patient = ward.patient(creator)
    before = fingerprint(patient.venv)
    code, look = _about(outside, patient).command("diagnose", "--deep")
    assert (code, codes(look["data"])) == (0, [])
    assert fingerprint(patient.venv) == before


@pytest.mark.parametrize("wound", _FATAL, ids=str)
def test_a_wound_is_named_by_its_code(ward: Ward, outside: Project, wound: Wound) -> None:
    patient = ward.patient(CREATORS[len(wound.name) % len(CREATORS)])
    wound.inflict(patient)
    wounded = fingerprint(patient.venv)
    from clinic import flow

    look = flow.diagnose(_about(outside, patient).settings)
    assert codes(look.data) == [wound.code]
    assert fingerprint(patient.venv) == wounded


@pytest.mark.parametrize("creator", CREATORS)
def test_without_scripts_it_is_still_one_of_windows(ward: Ward, outside: Project, creator: str) -> None:
    patient = ward.patient(creator)
    shutil.rmtree(patient.venv / "Scripts")
    _code, look = _about(outside, patient).command("diagnose")
    assert "python-missing" in [finding["code"] for finding in look["data"]["findings"]]
    assert "Scripts" in str(look["data"]["findings"][0]["evidence"]), "bin is not missed there"


@pytest.mark.parametrize("command", ["fix-cfg", "rebuild --yes", "heal", "start", "production-mode"])
def test_nothing_that_cannot_be_proved_is_done(ward: Ward, outside: Project, command: str) -> None:
    patient = ward.patient("venv")
    patient.cfg.unlink()
    wounded = fingerprint(patient.venv)
    code, said = _about(outside, patient).command(*command.split())
    assert (code in {1, 2}, bool(said["errors"])) == (True, True), said
    assert "Traceback" not in said["errors"][0]["message"]
    assert fingerprint(patient.venv) == wounded


@pytest.mark.parametrize("code", BEYOND_CFG)
def test_what_a_new_file_does_not_cure_is_named(ward: Ward, outside: Project, code: str) -> None:
    patient = ward.patient("venv")
    BEYOND_CFG[code](patient)
    wounded = fingerprint(patient.venv)
    _code, look = _about(outside, patient).command("diagnose")
    assert codes(look["data"]) == [code]
    assert fingerprint(patient.venv) == wounded
