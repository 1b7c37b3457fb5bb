"""The ward: one real environment for each creator and interpreter, put back as it was before each test."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from clinic.facts import Interpreter
from tests.real.creators import Creator, bases
from tests.real.patients import Patient, furnish, second_installation


class Ward:
    """Makes each environment once, at a place it keeps, and mends it whenever it is asked for again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._patients: dict[tuple[str, str], Patient] = {}

    def patient(self, creator: Creator, base: Interpreter) -> Patient:
        """A healthy environment of this creator and base."""
        key = creator.name, str(base.flavour)
        if key not in self._patients:
            self._patients[key] = self._admit(creator, base)
        patient = self._patients[key]
        restore(self._kept(patient), patient.venv)
        return patient

    def _kept(self, patient: Patient) -> Path:
        return self.root / "kept" / patient.venv.name

    def _admit(self, creator: Creator, base: Interpreter) -> Patient:
        other = next((found for found in bases() if found.flavour != base.flavour), None)
        venv = creator.make(base, self.root / f"{creator}-{base.flavour}")
        furnish(venv)
        second = self.root / f"second {base.flavour}"
        scripts = second / "bin" if second.exists() else second_installation(base, second)
        patient = Patient(venv, base, creator, other, scripts)
        shutil.copytree(venv, self._kept(patient), symlinks=True)
        return patient


def restore(kept: Path, live: Path) -> None:
    """Make `live` what `kept` is, touching only what differs."""
    wanted, found = _entries(kept), _entries(live)
    for name in sorted(found, key=lambda name: -len(name)):
        if found[name] != wanted.get(name):
            _remove(live / name)
    for name in sorted(wanted, key=len):
        if not os.path.lexists(live / name):
            _copy(kept / name, live / name)


def _entries(folder: Path) -> dict[str, tuple[object, ...]]:
    found: dict[str, tuple[object, ...]] = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            status = path.lstat()
            is_folder = stat.S_ISDIR(status.st_mode)
            content = (0, 0) if is_folder else (status.st_size, status.st_mtime_ns)
            link = os.readlink(path) if path.is_symlink() else ""  # noqa: PTH115 - word for word
            found[os.path.relpath(path, folder)] = (status.st_mode, content, link)
    return found


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir() and not source.is_symlink():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target, follow_symlinks=False)


@pytest.fixture(scope="session")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Ward:
    """The one ward of this worker process."""
    return Ward(tmp_path_factory.mktemp("ward").resolve())


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Ward:
    """The same, with packages in its patients."""
    from tests.real.packed import PackedWard

    return PackedWard(tmp_path_factory.mktemp("packed").resolve())
