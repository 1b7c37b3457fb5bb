"""Clones of a real bootstrap, in a folder whose name is as odd as people's folders are."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.toolshed.workbench import WINDOWS, Clone, clone_at, surroundings, without_ensurepip


@pytest.fixture
def seeded(tmp_path: Path) -> Clone:
    """Give a fresh clone beside a wheelhouse; pip has to do everything, there is no uv on the PATH."""
    for name in "wheels", "path":
        (tmp_path / name).mkdir()
    root = tmp_path / "it's é \U0001d6d1"
    (root / "scripts").mkdir(parents=True)
    return clone_at(root, tmp_path / "wheels", surroundings(tmp_path / "home", tmp_path / "wheels", tmp_path / "path"))


@pytest.fixture
def clone(seeded: Clone, tmp_path: Path) -> Clone:
    """Give the same where Python lacks ensurepip and a uv is on the PATH: the fast way."""
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    assert uv, "uv is among the tools: the tests run with it installed"
    shutil.copy(uv, tmp_path / "path")
    if not WINDOWS:  # whose names can't hold it; nor can the console scripts that pip writes
        seeded.root = seeded.root.rename(tmp_path / 'it\'s "é" \U0001d6d1')
    seeded.env["PYTHONPATH"] = without_ensurepip(tmp_path / "no-ensurepip")
    return seeded
