"""Environments of somebody else, or without write permission: told with what to type, refused, and nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from clinic.flow.patient import TRUST
from tests.conftest import ROOT
from tests.real.creators import VENV, bases
from tests.real.patients import Patient, fingerprint, furnish
from tests.real.visits import Project, around

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="owners and permission bits are POSIX's")

_RIGHTS = "-dac_override,-dac_read_search,-fowner,-chown"
_NOBODY = 65534


def _humble() -> list[str]:
    """What makes root a user like all others; nothing for those who are."""
    if os.geteuid():
        return []
    words = ["setpriv", f"--bounding-set={_RIGHTS}", f"--inh-caps={_RIGHTS}"]
    try:
        subprocess.run([*words, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"root may write everywhere, and setpriv cannot change that: {error}")
    return words


def _told(project: Project, *words: str, **variables: str) -> tuple[int, dict[str, Any]]:
    argv = [*_humble(), sys.executable, "-m", "invoke", "-f", str(project.file), *words, "--json"]
    env = {**os.environ, **variables}
    done = subprocess.run(
        argv, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=120
    )
    envelope: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, envelope


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    """An environment that lost its pyvenv.cfg."""
    base = bases()[-1]
    venv = VENV.make(base, tmp_path / "an env")
    furnish(venv)
    one = Patient(venv, base, VENV, None, tmp_path)
    one.cfg.unlink()
    return one


def _refused(project: Project, patient: Patient, by_hand: str, *, trusted: bool = False) -> None:
    before = fingerprint(patient.venv)
    trust = {TRUST: str(patient.venv)} if trusted else {}
    code, told = _told(project, "diagnose", *(["--trust"] if trusted else []))
    assert code == 1
    found = {finding["code"]: finding["severity"] for finding in told["data"]["findings"]}
    assert found == {"cfg-missing": "fatal", "not-writable": "advice"}
    assert told["data"]["next_actions"][0]["command"].startswith(by_hand)
    assert [action["command"] for action in told["data"]["next_actions"]].count(by_hand) <= 1
    code, told = _told(project, "fix-cfg", **trust)
    assert (code, told["errors"][0]["code"], told["errors"][0]["hint"]) == (2, "not-writable", "invoke diagnose")
    assert fingerprint(patient.venv) == before


def test_permission_that_was_taken_away(patient: Patient, tmp_path: Path) -> None:
    project = around(Project(tmp_path / "invoke.yaml"), patient)
    patient.venv.chmod(0o555)
    try:
        _refused(project, patient, f"chmod -R u+w '{patient.venv}'")
    finally:
        patient.venv.chmod(0o755)
    code, told = _told(project, "fix-cfg")
    assert (code, told["outcome"]) == (0, "cured")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away")
def test_an_environment_that_somebody_else_owns(patient: Patient, tmp_path: Path) -> None:
    project = around(Project(tmp_path / "invoke.yaml"), patient)
    os.chown(patient.venv, _NOBODY, _NOBODY)
    _refused(project, patient, "sudo chown -R root ", trusted=True)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can give files away")
def test_one_package_that_somebody_else_installed(patient: Patient, tmp_path: Path) -> None:
    project = around(Project(tmp_path / "invoke.yaml"), patient)
    (packages,) = patient.venv.glob("lib/python3*/site-packages")
    package = packages / "somebodys"
    package.mkdir()
    os.chown(package, _NOBODY, _NOBODY)
    _code, told = _told(project, "diagnose", "--trust")
    (found,) = [each for each in told["data"]["findings"] if each["code"] == "not-writable"]
    assert found["evidence"][0].startswith(f"{package} belongs to ")


def test_who_may_write_everywhere_is_told_nothing(patient: Patient, tmp_path: Path) -> None:
    from clinic.observe.disk import disk_of

    told = disk_of(patient.venv, [patient.venv / "bin", tmp_path / "gone"])
    assert told is not None
    assert told.denied is None
