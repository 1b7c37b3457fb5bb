"""Wounds to the line `home`."""

from __future__ import annotations

import os

from tests.real.patients import Patient
from tests.real.wounding import wound


@wound("cfg-home-missing", "degraded")
def _no_home(patient: Patient) -> None:
    patient.rewrite(patient.without("home"))


@wound("cfg-home-missing", "degraded")
def _home_empty(patient: Patient) -> None:
    patient.set("home", "")


@wound("cfg-home-gone", "degraded")
def _home_gone(patient: Patient) -> None:
    patient.set("home", "/opt/python-of-yore/bin")


@wound("cfg-home-gone", "degraded")
def _home_without_interpreter(patient: Patient) -> None:
    (patient.venv.parent / "no pythons here").mkdir(exist_ok=True)
    patient.set("home", str(patient.venv.parent / "no pythons here"))


@wound("cfg-home-other-minor", "degraded", lambda p: "" if p.other_minor else "only one minor version is here")
def _home_of_other_minor(patient: Patient) -> None:
    assert patient.other_minor is not None
    patient.set("home", str(patient.other_minor.home))


@wound("cfg-home-other-base", "degraded")
def _home_of_other_base(patient: Patient) -> None:
    patient.set("home", str(patient.other_base))


@wound("cfg-home-is-file", "degraded")
def _home_is_file(patient: Patient) -> None:
    patient.set("home", str(patient.base.executable))


@wound("cfg-home-is-environment", "degraded")
def _home_is_own_bin(patient: Patient) -> None:
    patient.set("home", str(patient.venv / "bin"))


@wound("cfg-home-is-environment", "degraded")
def _home_is_own_root(patient: Patient) -> None:
    patient.set("home", str(patient.venv))


@wound("cfg-home-relative", "degraded")
def _home_relative(patient: Patient) -> None:
    patient.set("home", os.path.relpath(patient.base.home, patient.venv))


@wound("cfg-home-quoted", "degraded")
def _home_quoted(patient: Patient) -> None:
    patient.set("home", f'"{patient.base.home}"')


@wound("cfg-home-quoted", "degraded")
def _home_in_single_quotes(patient: Patient) -> None:
    patient.set("home", f"'{patient.base.home}'")


@wound("cfg-home-unexpanded", "degraded")
def _home_tilde(patient: Patient) -> None:
    patient.set("home", "~/.pyenv/versions/3.13.0/bin")


@wound("cfg-home-unexpanded", "degraded")
def _home_variable(patient: Patient) -> None:
    patient.set("home", "$PYTHON_ROOT/bin")


@wound("cfg-home-unexpanded", "degraded")
def _home_windows_variable(patient: Patient) -> None:
    patient.set("home", "/opt/%USERNAME%/python/bin")


@wound("cfg-home-comment", "advice")
def _home_with_comment(patient: Patient) -> None:
    patient.set("home", f"{patient.base.home}  # the good one")


@wound("cfg-home-not-bin", "advice")
def _home_is_prefix(patient: Patient) -> None:
    patient.set("home", str(patient.base.prefix))


@wound("cfg-home-not-bin", "advice")
def _home_is_library(patient: Patient) -> None:
    patient.set("home", str(patient.base.prefix / "lib"))


@wound("cfg-home-decoy", "advice")
def _home_in_comment(patient: Patient) -> None:
    patient.rewrite(["# home = C:\\Python27", *patient.lines])


@wound("cfg-home-decoy", "advice")
def _home_in_prompt(patient: Patient) -> None:
    patient.rewrite(["prompt = home sweet home", *patient.lines])


@wound("cfg-home-spacing", "degraded", lambda p: "" if p.creator.copies and p.old else "read by this interpreter")
def _home_without_blanks(patient: Patient) -> None:
    patient.rewrite([line.replace(" = ", "=", 1) for line in patient.lines])
