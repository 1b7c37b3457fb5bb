"""Wounds to the other keys, and to how lines are spelled."""

from __future__ import annotations

from tests.real.patients import Patient
from tests.real.wounding import INCLUDE, old_copy_suffers, wound

# The system-site choice


@wound("cfg-include-missing", "degraded")
def _only_home(patient: Patient) -> None:
    patient.rewrite([line for line in patient.lines if line.startswith("home")])


@wound("cfg-include-missing", "degraded")
def _no_include(patient: Patient) -> None:
    patient.rewrite(patient.without(INCLUDE))


@wound("cfg-include-odd", "advice")
def _include_odd(patient: Patient) -> None:
    patient.set(INCLUDE, "yes")


@wound("cfg-include-odd", "advice")
def _include_with_comment(patient: Patient) -> None:
    patient.set(INCLUDE, "false  # please")


# Keys


@wound("cfg-key-case", old_copy_suffers)
def _upper_case(patient: Patient) -> None:
    pairs = [line.partition("=") for line in patient.lines]
    patient.rewrite([key.upper() + sign + value for key, sign, value in pairs])


@wound("cfg-duplicate-home", "advice")
def _same_home_twice(patient: Patient) -> None:
    patient.rewrite([*patient.lines, f"home = {patient.base.home}"])


@wound("cfg-duplicate-home", "advice")
def _true_home_then_false(patient: Patient) -> None:
    patient.rewrite([*patient.lines, "home = /opt/python-of-yore/bin"])


@wound("cfg-duplicate-home", "degraded")
def _false_home_then_true(patient: Patient) -> None:
    patient.rewrite(["home = /opt/python-of-yore/bin", *patient.lines])


@wound("cfg-duplicate-include", "degraded")
def _include_twice(patient: Patient) -> None:
    patient.rewrite([*patient.lines, f"{INCLUDE} = true"])


@wound("cfg-duplicate-include", "advice")
def _include_true_then_false(patient: Patient) -> None:
    patient.rewrite([f"{INCLUDE} = true", *patient.lines])


@wound("cfg-duplicate-key", "advice")
def _version_twice(patient: Patient) -> None:
    patient.rewrite([*patient.lines, *[line for line in patient.lines if line.startswith("version")]])


@wound("cfg-version-mismatch", "advice")
def _other_patch_version(patient: Patient) -> None:
    major, minor, patch = patient.base.version
    key = "version_info" if patient.creator.family == "uv" else "version"
    patient.set(key, f"{major}.{minor}.{patch + 1}")


@wound("cfg-version-mismatch", "advice")
def _other_minor_version(patient: Patient) -> None:
    patient.set("version", "3.99.0")


@wound("cfg-version-mismatch", "advice")
def _version_garbage(patient: Patient) -> None:
    patient.set("version", "newest")


@wound("cfg-executable-mismatch", "advice")
def _executable_gone(patient: Patient) -> None:
    patient.set("executable", "/opt/python-of-yore/bin/python3")


@wound("cfg-line-ends", old_copy_suffers)
def _carriage_returns_only(patient: Patient) -> None:
    patient.rewrite(patient.lines, "\r")
