"""Real environments of Windows, hurt from outside, where their files are as plain to see as any."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any, cast

from clinic.facts import Flavour, Interpreter
from tests.real.conftest import restore
from tests.real.creators import Creator
from tests.real.patients import MARKER, Effect, Patient
from tests.windows.hands import Hand
from tests.windows.machine import PYTHON, Machine

SETTINGS = (
    '{"clinic": {"environment": {"path": "env", "imports": ["%s"], "requirements": "none.txt", "python": ["3.13"]}}}'
)
CREATORS = ("venv", "virtualenv")

ASK = """
import os, sys
here = os.path.samefile(sys.prefix, sys.argv[1])
own = os.path.normcase(os.path.realpath(sys.argv[1])) + os.sep
real = [os.path.normcase(os.path.realpath(p)) for p in sys.path if p.endswith("site-packages")]
alien = [p for p in real if not p.startswith(own)]
print("itself" if here else "stranger", "leaks" if alien else "tight")
"""


class WindowsPatient(Patient):
    """One environment of Windows; its paths are this side's, those that go into its files are the other side's."""

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.venv / "Scripts" / "python.exe"

    @property
    def project(self) -> Path:
        """The settings file of the project around it."""
        return self.venv.parent / "invoke.yaml"


@dataclass
class Ward:
    """Makes each environment once, at a place it keeps, and mends it whenever it is asked for again."""

    hand: Hand
    folder: Path

    @property
    def machine(self) -> Machine:
        """Where they live."""
        return self.hand.machine

    def patient(self, creator: str) -> WindowsPatient:
        """A healthy environment of this creator."""
        project = self.folder / creator
        if not project.exists():
            project.mkdir(parents=True)
            make: dict[str, Callable[[Path], None]] = {
                "venv": self.machine.venv,
                "virtualenv": self.machine.virtualenv,
            }
            make[creator](project / "env")
            furnish(project / "env")
            (project / "invoke.yaml").write_text(SETTINGS % MARKER, encoding="utf-8")
            shutil.copytree(project / "env", project / "kept", symlinks=True)
        restore(project / "kept", project / "env")
        shutil.rmtree(project / ".clinic", ignore_errors=True)
        family = Creator(creator, lambda _base, _venv: [], family=creator)
        other = cast("Path", PureWindowsPath("C:\\Second Python313"))
        return WindowsPatient(project / "env", self._base(), family, None, other)

    def _base(self) -> Interpreter:
        """The base as Windows spells it: what wounds write into files."""
        executable = cast("Path", PureWindowsPath(self.machine.python))
        prefix = executable.parent
        return Interpreter(
            executable=executable,
            real=executable,
            version=PYTHON,
            flavour=Flavour(3, 13, free_threaded=False),
            implementation="cpython",
            prefix=prefix,
            base_prefix=prefix,
            base_executable=executable,
            version_text="3.13.2",
            is_environment=False,
            machine="win32-64",
            told=executable,
        )

    def effect(self, patient: Patient) -> tuple[int, Effect]:
        """Run the environment's own python, there; its exit code, and what it does."""
        inside = self.machine.wine.inside
        said = self.hand.run(inside(patient.python), "-I", "-B", "-c", ASK, inside(patient.venv))
        words = said.out.split()
        return said.code, Effect(said.code == 0 and bool(words), "itself" in words, "leaks" in words)


def furnish(venv: Path) -> None:
    """Put a distribution with a module, and a foreign file, into an environment."""
    site = venv / "Lib" / "site-packages"
    (site / f"{MARKER}.py").write_bytes(b"WHO = 'marker'\n")
    info = site / f"{MARKER}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_bytes(b"Metadata-Version: 2.1\nName: clinic-marker\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{MARKER}.py,,\n", encoding="utf-8")
    (venv / "notes of mine.txt").write_text("keep me\n", encoding="utf-8")


def found(diagnosis: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Codes and severities, less what is true of all these environments: the path of each has an umlaut in it."""
    told = [each if isinstance(each, dict) else vars(each) for each in diagnosis["findings"]]
    pairs = [(each["code"], each["severity"]) for each in told]
    pairs.remove(("venv-path-not-ascii", "advice"))
    return pairs


def codes(diagnosis: Mapping[str, Any]) -> list[str]:
    """The codes alone."""
    return [code for code, _severity in found(diagnosis)]
