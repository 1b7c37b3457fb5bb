"""What the tests of cures share: a project around a patient, its commands, and how much is to be the same after."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from clinic.facts import Interpreter
from clinic.model import Diagnosis, Result
from clinic.settings import Settings, load
from tests.conftest import ROOT
from tests.real.conftest import Ward
from tests.real.creators import Creator, bases, creators, label
from tests.real.patients import MARKER, Patient
from tests.real.wounds import WOUNDS, Wound


def turns(share: int, wounds: Sequence[Wound] = WOUNDS) -> list[tuple[Wound, Interpreter, Creator]]:
    """Every wound with `share` creators, interpreters taking turns."""
    makers, pythons = creators(), bases()
    return [
        (wound, pythons[(number + more * 3) % len(pythons)], makers[(number * 2 + more) % len(makers)])
        for number, wound in enumerate(wounds)
        for more in range(share)
    ]


def name_of(case: object) -> str:
    """How a parameter is shown."""
    return label(case) if isinstance(case, Interpreter) else str(case)


@dataclass(frozen=True)
class Project:
    """A project around one environment: its settings and its records."""

    file: Path

    @property
    def settings(self) -> Settings:
        """As a command reads them."""
        return load(self.file.parent, self.file, {})

    def command(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Run the real command line; its exit code and its envelope."""
        done = subprocess.run(
            [sys.executable, "-m", "invoke", "-f", self.file, *words, "--json"],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.stdout, done.stderr.decode("utf-8", "replace")
        envelope: dict[str, Any] = json.loads(done.stdout)
        assert envelope["exit_code"] == done.returncode
        return done.returncode, envelope


def around(project: Project, patient: Patient) -> Project:
    """The project, made to be about this patient."""
    settings = {"environment": {"path": str(patient.venv), "imports": [MARKER], "requirements": "none.txt"}}
    project.file.write_text(json.dumps({"clinic": settings}), encoding="utf-8")
    return project


def hurt(ward: Ward, wound: Wound, base: Interpreter, creator: Creator) -> Patient:
    """A patient with that wound; skips where it can't be inflicted."""
    patient = ward.patient(creator, base)
    patient.rewrite([*patient.lines, "team = bridge"])
    if reason := wound.spared(patient):
        pytest.skip(reason)
    wound.inflict(patient)
    return patient


def codes(diagnosis: Diagnosis | Mapping[str, Any]) -> list[str]:
    """What a diagnosis found."""
    if isinstance(diagnosis, Mapping):
        return [finding["code"] if isinstance(finding, dict) else finding.code for finding in diagnosis["findings"]]
    return [finding.code for finding in diagnosis.findings]


def without_cfg(found: dict[str, tuple[object, ...]]) -> dict[str, tuple[object, ...]]:
    """A fingerprint less pyvenv.cfg and what lies in it, should it be a folder."""
    return {
        name: what for name, what in found.items() if name != "bin/pyvenv.cfg" and Path(name).parts[0] != "pyvenv.cfg"
    }


def summary(result: Result) -> tuple[str, int]:
    """Outcome and exit code."""
    return result.outcome, result.exit_code
