"""Wounds to where an environment says that it lies, each with the code that names it. Moved ones are really moved."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from clinic.model import Severity
from tests.real.patients import Patient

Inflict = Callable[[Patient, Path], Patient]
"""Hurts a patient, with a folder to put things in; returns the patient where it lies then."""


@dataclass(frozen=True)
class LocationWound:
    """One way to lead an environment's own files astray."""

    name: str
    code: str
    severity: Severity
    inflict: Inflict

    def __str__(self) -> str:
        return self.name


LOCATION_WOUNDS: list[LocationWound] = []


def wound(code: str, severity: Severity = "degraded") -> Callable[[Inflict], Inflict]:
    """Enter a function into the list under its own name."""

    def enter(inflict: Inflict) -> Inflict:
        name = inflict.__name__.strip("_").replace("_", "-")
        LOCATION_WOUNDS.append(LocationWound(name, code, severity, inflict))
        return inflict

    return enter


def moved_to(patient: Patient, venv: Path) -> Patient:
    """The patient, really moved."""
    venv.parent.mkdir(parents=True, exist_ok=True)
    patient.venv.rename(venv)
    return replace(patient, venv=venv)


# The whole environment


@wound("venv-moved")
def _moved(patient: Patient, folder: Path) -> Patient:
    return moved_to(patient, folder / "elsewhere" / "env")


@wound("venv-moved")
def _renamed(patient: Patient, _folder: Path) -> Patient:
    return moved_to(patient, patient.venv.with_name(f"{patient.venv.name}-2"))


@wound("venv-moved")
def _moved_to_a_blank_and_an_accent(patient: Patient, folder: Path) -> Patient:
    return moved_to(patient, folder / "my plâce" / "my env")


@wound("venv-moved")
def _moved_to_quotes_and_signs(patient: Patient, folder: Path) -> Patient:
    return moved_to(patient, folder / 'it\'s "here" & $HOME `now`! 100% #1' / "env")


@wound("venv-moved")
def _moved_to_a_very_long_path(patient: Patient, folder: Path) -> Patient:
    return moved_to(patient, folder / ("long" * 50) / ("way" * 30) / "env")


@wound("venv-moved")
def _copied(patient: Patient, folder: Path) -> Patient:
    venv = folder / "copies" / patient.venv.name
    shutil.copytree(patient.venv, venv, symlinks=True)
    return replace(patient, venv=venv)


@wound("venv-moved")
def _moved_with_a_script_of_ones_own(patient: Patient, folder: Path) -> Patient:
    script = patient.venv / "bin" / "mine"
    script.write_text(f"#!{patient.venv}/bin/python -E\nprint('mine')\n# \u00fc, {patient.venv}\n", encoding="utf-8")
    script.chmod(0o755)
    return moved_to(patient, folder / "elsewhere" / "env")


# Activation


def _respell(path: Path, old: Path, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert str(old) in text
    path.write_text(text.replace(str(old), new), encoding="utf-8")


@wound("activate-stale")
def _activation_of_elsewhere(patient: Patient, _folder: Path) -> Patient:
    _respell(patient.venv / "bin" / "activate", patient.venv, "/srv/of old/env")
    return patient


@wound("activate-stale")
def _activation_of_one_shell(patient: Patient, _folder: Path) -> Patient:
    _respell(patient.venv / "bin" / "activate.fish", patient.venv, "/srv/other/env")
    return patient


@wound("activate-damaged")
def _activation_emptied(patient: Patient, _folder: Path) -> Patient:
    (patient.venv / "bin" / "activate").write_bytes(b"")
    return patient


@wound("activate-damaged")
def _activation_of_zeros(patient: Patient, _folder: Path) -> Patient:
    path = patient.venv / "bin" / "activate.csh"
    path.write_bytes(bytes(path.stat().st_size))
    return patient


@wound("activate-damaged", "advice")
def _activation_deleted(patient: Patient, _folder: Path) -> Patient:
    (patient.venv / "bin" / "activate").unlink()
    return patient


# Single scripts


def _restart(patient: Patient, python: Path | str, *names: str) -> None:
    for name in names:
        path = patient.venv / "bin" / name
        path.write_bytes(f"#!{python}\n".encode() + path.read_bytes().partition(b"\n")[2])


@wound("script-stale")
def _scripts_of_elsewhere(patient: Patient, _folder: Path) -> Patient:
    _restart(patient, "/srv/old/env/bin/python", "alpha", "beta-tool")
    return patient


@wound("shebang-blank")
def _a_blank_in_the_first_line(patient: Patient, folder: Path) -> Patient:
    (folder / "a link").symlink_to(patient.venv)
    _restart(patient, folder / "a link" / "bin" / "python", "alpha")
    return patient


@wound("shebang-too-long")
def _a_first_line_that_is_too_long(patient: Patient, folder: Path) -> Patient:
    link = folder / ("long" * 50) / ("way" * 40) / "link"
    link.parent.mkdir(parents=True)
    link.symlink_to(patient.venv)
    _restart(patient, link / "bin" / "python", "alpha", "beta-again")
    return patient
