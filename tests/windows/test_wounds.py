"""Environments of Windows, hurt in every way that is known, looked at and cured by this suite under their Python."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.real.patients import fingerprint
from tests.real.visits import without_cfg
from tests.real.wounding import Wound
from tests.windows.machine import OTHER
from tests.windows.patients import CREATORS, Ward, codes, found
from tests.windows.wounds_of_windows import BEYOND_CFG, DEALT, HARMLESS, LAUNCHER_CODES

_ORDER = ["advice", "degraded", "fatal"]
_TURNS = [(wound, CREATORS[number % len(CREATORS)]) for number, wound in enumerate(DEALT)]


@pytest.mark.parametrize(("wound", "creator"), _TURNS, ids=str)
def test_a_wound_is_named_and_cured_and_nothing_is_lost(ward: Ward, wound: Wound, creator: str) -> None:
    patient = ward.patient(creator)
    wound.inflict(patient)
    wounded = fingerprint(patient.venv)
    code, seen = ward.effect(patient)
    if wound.name in LAUNCHER_CODES:
        assert code == LAUNCHER_CODES[wound.name]

    severity = max(wound.least(patient), seen.severity, key=_ORDER.index)
    _code, look = ward.hand.command(patient.project, "diagnose")
    if severity != "fatal" and found(look["data"]) == [(wound.code, "fatal")]:
        # Seen once, why is not known, and not in 315 looks under load: a python that had just started did not.
        _code, look = ward.hand.command(patient.project, "diagnose")
    assert found(look["data"]) == [(wound.code, severity)], look["data"]["findings"]
    assert fingerprint(patient.venv) == wounded

    code, cure = ward.hand.command(patient.project, "fix-cfg")
    assert (code, cure["outcome"], cure["errors"]) == (0, "cured", [])
    assert codes(cure["data"]["after"]) == []
    code, seen = ward.effect(patient)
    assert (code, seen.itself, seen.leaks) == (0, True, "include-system-site-packages = true" in patient.lines)
    assert _without_cfg(fingerprint(patient.venv)) == _without_cfg(wounded)

    assert ward.hand.command(patient.project, "undo", "--yes")[0] == 0
    assert fingerprint(patient.venv) == wounded


def _without_cfg(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    return {name: what for name, what in without_cfg(found).items() if name != "Scripts/pyvenv.cfg"}


@pytest.mark.parametrize("creator", CREATORS)
def test_a_healthy_environment_has_no_findings(ward: Ward, creator: str) -> None:
    patient = ward.patient(creator)
    before = fingerprint(patient.venv)
    code, look = ward.hand.command(patient.project, "diagnose", "--deep")
    assert (code, look["outcome"], codes(look["data"])) == (0, "healthy", [])
    assert ward.hand.command(patient.project, "fix-cfg")[1]["outcome"] == "unchanged"
    assert fingerprint(patient.venv) == before


@pytest.mark.parametrize("variant", HARMLESS)
def test_a_harmless_variant_is_no_finding(ward: Ward, variant: str) -> None:
    patient = ward.patient(CREATORS[len(variant) % len(CREATORS)])
    HARMLESS[variant](patient)
    code, seen = ward.effect(patient)
    assert (code, seen.severity) == (0, "advice")
    _code, look = ward.hand.command(patient.project, "diagnose")
    assert codes(look["data"]) == []


def test_a_base_that_is_on_no_path_is_found(ward: Ward) -> None:
    """Neither snapshot nor registry knows it: the launcher's version, and the folder where its installer puts it."""
    wine = ward.machine.wine
    project, base = ward.folder / "of the other minor", wine.inside(wine.disk / OTHER.folder)
    project.mkdir(parents=True)
    done = wine.run(f"{base}\\python.exe", "-m", "venv", "--without-pip", wine.inside(project / "env"))
    assert done.code == 0, done
    settings = {"environment": {"path": "env", "imports": [], "requirements": "none.txt"}}
    (project / "invoke.yaml").write_text(json.dumps({"clinic": settings}), encoding="utf-8")
    before = (project / "env" / "pyvenv.cfg").read_text(encoding="utf-8")
    (project / "env" / "pyvenv.cfg").unlink()

    code, cure = ward.hand.command(project / "invoke.yaml", "fix-cfg")
    assert (code, cure["outcome"]) == (0, "cured"), cure
    assert codes(cure["data"]["after"]) == []
    after = (project / "env" / "pyvenv.cfg").read_text(encoding="utf-8")
    kept = ("home", "include-system-site-packages", "version", "executable")
    assert after.splitlines() == [line for line in before.splitlines() if line.startswith(kept)]
    said = ward.hand.run(
        wine.inside(project / "env" / "Scripts" / "python.exe"), "-c", "import sys; print(sys.base_prefix)"
    )
    assert said.out.strip() == base


def test_an_environment_that_would_start_itself_for_ever_is_not_run(ward: Ward) -> None:
    patient = ward.patient("venv")
    patient.set("home", ward.machine.wine.inside(patient.venv / "Scripts"))
    _code, look = ward.hand.command(patient.project, "diagnose")
    assert codes(look["data"]) == ["cfg-home-is-environment"]
    assert ward.hand.command(patient.project, "fix-cfg")[1]["outcome"] == "cured"
    assert ward.effect(patient)[1].itself


@pytest.mark.parametrize("code", BEYOND_CFG)
def test_what_a_new_file_does_not_cure_is_named_and_left_alone(ward: Ward, code: str) -> None:
    patient = ward.patient("venv")
    BEYOND_CFG[code](patient)
    wounded = fingerprint(patient.venv)
    _code, look = ward.hand.command(patient.project, "diagnose")
    assert codes(look["data"]) == [code]
    assert ward.hand.command(patient.project, "fix-cfg")[1]["outcome"] in {"sick", "failed", "refused"}
    assert fingerprint(patient.venv) == wounded


@pytest.mark.parametrize("creator", CREATORS)
def test_without_scripts_it_is_still_one_of_windows_and_relinked(ward: Ward, creator: str) -> None:
    """NTFS shows `Lib` as `lib`, which is no environment of POSIX for that."""
    patient = ward.patient(creator)
    shutil.rmtree(patient.venv / "Scripts")
    wounded = fingerprint(patient.venv)
    _code, look = ward.hand.command(patient.project, "diagnose")
    told = found(look["data"])
    assert told[0] == ("python-missing", "fatal")
    # What `venv` always writes is missed; virtualenv can be told to write no activation.
    assert told[1:] == ([("activate-damaged", "advice")] if creator == "venv" else [])

    _code, cure = ward.hand.command(patient.project, "heal", "--no-rebuild")
    assert [receipt["remedy"] for receipt in cure["data"]["receipts"]] == ["relink"], cure
    assert "python-missing" not in codes(cure["data"]["after"])
    assert ward.effect(patient)[1].itself
    healed = fingerprint(patient.venv)
    assert {name: what for name, what in healed.items() if not name.startswith("Scripts")} == wounded

    if creator == "venv":
        _code, cure = ward.hand.command(patient.project, "heal", "--no-rebuild", "--only", "activate-damaged")
        assert codes(cure["data"]["after"]) == [], cure
        assert {"activate", "activate.bat", "activate.ps1"} <= _names_in(patient.venv / "Scripts")
        assert ward.hand.command(patient.project, "undo", "--yes")[0] == 0
    assert ward.hand.command(patient.project, "undo", "--yes")[0] == 0
    assert fingerprint(patient.venv) == wounded


def _names_in(folder: Path) -> set[str]:
    return {path.name.lower() for path in folder.iterdir()}


def test_a_half_deleted_environment_is_told_with_all_that_is_gone(ward: Ward) -> None:
    """What a deletion leaves behind that stops at the python.exe of a running server."""
    patient = ward.patient("venv")
    shutil.rmtree(patient.venv / "Lib")
    patient.cfg.unlink()
    for script in (patient.venv / "Scripts").glob("[aA]ctivate*"):
        script.unlink()
    wounded = fingerprint(patient.venv)
    code, look = ward.hand.command(patient.project, "diagnose")
    assert (code, look["data"]["verdict"]) == (1, "broken")
    assert codes(look["data"]) == ["cfg-missing", "site-packages-empty"]
    assert [option["id"] for option in look["data"]["options"] if option["recommended"]] == ["rebuild"]
    assert fingerprint(patient.venv) == wounded
