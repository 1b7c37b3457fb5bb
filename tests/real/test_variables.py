"""Variables of the person's shell: those that do harm are named, with what to type; the server never sees them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clinic import flow, proc
from clinic.checks import examine, variables
from clinic.facts import Facts
from clinic.observe import observe
from clinic.observe.variables import derailing
from clinic.report import show
from tests.real.conftest import Ward
from tests.real.creators import VENV, bases
from tests.real.patients import Patient
from tests.real.visits import Project, around
from tests.report.samples import pipe, written

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the layout of these environments is POSIX's")


@pytest.fixture
def patient(ward: Ward) -> Patient:
    """A healthy environment."""
    return ward.patient(VENV, bases()[-1])


def found(patient: Patient, name: str, value: object) -> Facts:
    """A look in a shell that has this variable."""
    return observe(patient.venv, environ={name: str(value)})


HARMFUL = {
    "PYTHONHOME": "/usr/lib/of/another",
    "PYTHONPLATLIBDIR": "lib31",
    "VIRTUAL_ENV": "/srv/gone",
    "UV_PROJECT_ENVIRONMENT": "/srv/gone",
    "UV_PYTHON": "3.8",
    "UV_SYSTEM_PYTHON": "1",
    "PIP_PYTHON": "/usr/bin/python3",
    "PIP_TARGET": "/srv/packages",
    "PIP_PREFIX": "/srv/prefix",
    "PIP_ROOT": "/srv/root",
    "PIP_USER": "true",
    "PIP_DRY_RUN": "1",
}


@pytest.mark.parametrize(
    ("name", "systems"),
    [("PYTHONPLATLIBDIR", {"linux", "darwin"}), ("__PYVENV_LAUNCHER__", {"win32", "darwin"})],
)
def test_what_does_harm_on_some_systems_only(patient: Patient, name: str, systems: set[str]) -> None:
    facts = observe(patient.venv)
    assert facts.tree
    for system in ("linux", "darwin", "win32"):
        told = derailing(patient.venv, facts.tree, facts.search.base, {name: "/srv/gone"}, system)
        assert [each.name for each in told] == ([name] if system in systems else [])


@pytest.mark.parametrize("name", HARMFUL)
def test_a_harmful_variable_is_named_with_what_to_type(patient: Patient, name: str) -> None:
    facts = found(patient, name, HARMFUL[name])
    (finding,) = examine(facts)
    assert (finding.severity, finding.cured_by) == ("advice", ())
    assert finding.evidence[0].startswith(f"{name} is set to {HARMFUL[name]}: ")
    assert [each.command for each in variables.actions(facts, powershell=False)] == [f"unset {name}"]
    assert [each.command for each in variables.actions(facts, powershell=True)] == [f"Remove-Item Env:{name}"]


def test_a_variable_that_harms_nothing_is_no_finding(patient: Patient, tmp_path: Path) -> None:
    (tmp_path / "mine.py").touch()
    (tmp_path / "code").mkdir()  # a folder without __init__.py gives way to the standard library's module
    harmless: dict[str, list[object]] = {
        "PYTHONHOME": ["", patient.base.prefix],
        "PYTHONPATH": ["", tmp_path, tmp_path / "nowhere", f"{tmp_path}:"],
        "PYTHONPLATLIBDIR": ["", "lib"],
        "__PYVENV_LAUNCHER__": [""] if sys.platform == "darwin" else ["/usr/bin/python3"],
        "VIRTUAL_ENV": ["", patient.venv, sys.prefix],
        "UV_PROJECT_ENVIRONMENT": ["", patient.venv],
        "UV_PYTHON": ["", patient.venv, patient.python],
        "UV_SYSTEM_PYTHON": ["0", "false"],
        "PIP_PYTHON": [patient.python],
        "PIP_PREFIX": [patient.venv],
        "PIP_ROOT": ["/"],
        "PIP_USER": ["0", "no"],
        "PIP_REQUIRE_VIRTUALENV": ["1"],
        "PYTHONSTARTUP": ["/srv/startup.py"],
    }
    for name, values in harmless.items():
        for value in values:
            assert examine(found(patient, name, value)) == (), (name, value)


def test_a_path_that_shadows_is_told_by_what_it_shadows(patient: Patient, tmp_path: Path) -> None:
    for file in ("json.py", "clinic_marker.py"):
        folder = tmp_path / file
        folder.mkdir()
        (folder / file).touch()
        (finding,) = examine(found(patient, "PYTHONPATH", f"/srv/gone:{folder}"))
        assert f"{file.removesuffix('.py')} is imported from {folder}" in finding.evidence[0]
    packages = tmp_path / "lib" / "site-packages"
    packages.mkdir(parents=True)
    assert f"packages of {packages}" in examine(found(patient, "PYTHONPATH", packages))[0].evidence[0]


@pytest.mark.parametrize(("name", "value"), [("PYTHONHOME", "/srv/gone"), ("PYTHONPATH", "{shadow}")])
def test_what_is_said_of_a_python_is_what_a_python_does(
    patient: Patient, tmp_path: Path, name: str, value: str
) -> None:
    """The harm is real for what is typed, and does not reach what the suite starts."""
    (tmp_path / "json.py").write_text("raise SystemExit(9)\n", encoding="utf-8")
    told = {name: value.format(shadow=tmp_path)}
    typed = subprocess.run(
        [patient.python, "-c", "import json"], env={**os.environ, **told}, capture_output=True, check=False
    )
    assert typed.returncode
    assert examine(observe(patient.venv, environ=told))
    started = proc.run([patient.python, "-c", "import json"], timeout=30)
    assert started.ok, started


def test_diagnose_is_healthy_and_says_what_to_type(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = around(Project(tmp_path / "invoke.yaml"), patient)
    monkeypatch.setenv("PYTHONHOME", "/srv/\x1b[31mgone")
    monkeypatch.setenv("VIRTUAL_ENV", "/srv/another")
    result = flow.diagnose(project.settings)
    assert (result.outcome, result.exit_code, result.data["verdict"]) == ("healthy", 0, "healthy")
    assert [finding.code for finding in result.data["findings"]] == ["variables-of-python", "variables-of-tools"]
    assert [action.command for action in result.data["next_actions"]] == ["unset PYTHONHOME", "unset VIRTUAL_ENV"]
    assert result.data["options"] == ()
    stream = pipe()
    show(result, stream=stream)
    assert "\x1b" not in written(stream)
    assert "unset PYTHONHOME" in written(stream)
