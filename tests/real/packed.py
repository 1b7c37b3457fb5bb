"""Environments with packages in them: four of a lock, one beyond it, all built on the spot, no network."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from clinic import proc
from clinic.facts import Interpreter
from clinic.flow.patient import judge
from clinic.flow.patient import patient as patient_of
from clinic.model import Diagnosis
from clinic.settings import Settings, load
from tests.real import wheels
from tests.real.conftest import Ward
from tests.real.creators import Creator, uv
from tests.real.patients import Patient
from tests.real.wheels import Wheel


def tag_of(base: Interpreter, other: str = "") -> str:
    """The tag in the name of an extension module of this base, or of another version."""
    platform = sysconfig.get_config_var("SOABI").partition("-")[2].partition("-")[2]
    return f"cpython-{other or str(base.flavour).replace('.', '')}-{platform}"


@dataclass(frozen=True)
class Stock:
    """Wheels for one base, and a lock of all but the last."""

    folder: Path
    locked: tuple[Wheel, ...]
    extra: Wheel

    @property
    def lock(self) -> Path:
        """The lock."""
        return self.folder / "lock.txt"


def stocked(folder: Path, base: Interpreter) -> Stock:
    """Build the wheels and the lock."""
    alpha = {
        "alpha/__init__.py": "from alpha.core import main\nimport beta\n",
        "alpha/core.py": "LIMIT = 100\n\ndef main():\n    print('alpha')\n",
        "alpha/data/words.txt": "one\ntwo\n",
    }
    native = {"native/__init__.py": "", f"native/_core.{tag_of(base)}.so": "not really an extension\n"}
    locked = (
        wheels.build(folder, "alpha", "1.5", alpha, ["alpha"], "Requires-Dist: beta>=2; python_version>='3'\n"),
        wheels.build(folder, "beta", "2.0", {"beta.py": "WHO = 'beta'\n"}, ["beta-tool", "beta-again"]),
        wheels.build(folder, "native", "0.3", native),
        wheels.build(folder, "spaces_one", "1.0", {"spaces/one.py": "ONE = 1\n"}),
        wheels.build(folder, "spaces_two", "1.0", {"spaces/two.py": "TWO = 2\n"}),
    )
    wheels.build(folder, "helper", "7.0", {"helper.py": "HELP = 1\n"})
    extra = wheels.build(
        folder, "extra", "3.1", {"extra/__init__.py": "MORE = 1\n"}, ["extra"], "Requires-Dist: helper\n"
    )
    stock = Stock(folder, locked, extra)
    stock.lock.write_text("".join(wheel.line for wheel in locked), encoding="utf-8")
    return stock


class PackedWard(Ward):
    """A ward whose patients have packages."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.stocks: dict[str, Stock] = {}

    def stock(self, base: Interpreter) -> Stock:
        """The wheels for this base."""
        key = str(base.flavour)
        if key not in self.stocks:
            self.stocks[key] = stocked(self.root / f"wheels {key}", base)
        return self.stocks[key]

    def _admit(self, creator: Creator, base: Interpreter) -> Patient:
        patient = super()._admit(creator, base)
        marker = next((patient.venv / "lib").glob("python*/site-packages"))
        for name in ("clinic_marker.py", "clinic_marker-1.0.dist-info"):
            remove(marker / name)
        install(patient.python, self.stock(base))
        kept = self._kept(patient)
        shutil.rmtree(kept)
        shutil.copytree(patient.venv, kept, symlinks=True)
        return patient


def remove(path: Path) -> None:
    """A file or a folder."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def install(python: Path, stock: Stock, *more: str) -> None:
    """Install all of it by uv."""
    words: list[str | os.PathLike[str]] = [
        uv(),
        "pip",
        "install",
        "-q",
        "--link-mode",
        "copy",
        "--no-index",
        "--find-links",
        stock.folder,
    ]
    words += ["-p", python, "alpha", "native", "spaces_one", "spaces_two", "extra", *more]
    done = subprocess.run(
        [os.fspath(word) for word in words], env=proc.scrubbed(), capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")


def settings_around(folder: Path, patient: Patient, stock: Stock) -> Settings:
    """A project whose environment this patient is."""
    told = {
        "environment": {"path": str(patient.venv), "imports": ["alpha"], "requirements": str(stock.lock)},
        "service": {"command": ["{python}", "serve.py"], "port": 1},  # nobody serves there
    }
    file = folder / "invoke.yaml"
    file.write_text(json.dumps({"clinic": told}), encoding="utf-8")
    return load(folder, file, {})


def site_of(patient: Patient) -> Path:
    """Its site-packages."""
    return next((patient.venv / "lib").glob("python*/site-packages"))


def looked(told: Settings, *, deep: bool = True) -> Diagnosis:
    """What a look finds."""
    who = patient_of(told)
    return judge(who, who.look(deep=deep))
