"""The door itself: its words, and what it does under interpreters that are too old."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

BOOTSTRAP = Path(__file__).resolve().parents[1] / "scripts" / "bootstrap.py"
OLD = sorted(Path(os.environ.get("PYENV_ROOT", "/none"), "versions").glob("3.[6-9].*/bin/python"))


def run(*words: str, python: Path | str = sys.executable, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), str(BOOTSTRAP), *words],
        env={**os.environ, **env},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_help() -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "python scripts/bootstrap.py run TASK" in done.stdout


@pytest.mark.parametrize("words", [["tset"], ["run"], ["--json"], ["onboard"]])
def test_other_words_are_refused_with_the_usage(words: list[str]) -> None:
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: python scripts/bootstrap.py" in done.stderr


def test_starts_under_very_old_interpreters() -> None:
    ast.parse(BOOTSTRAP.read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.mark.skipif(not OLD, reason="no interpreter older than 3.10 was found below PYENV_ROOT")
@pytest.mark.parametrize("python", OLD, ids=lambda path: path.parts[-3])
def test_old_interpreter_refuses_clearly(python: Path, tmp_path: Path) -> None:
    done = run("run", "x", python=python, PATH=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("bootstrap: no-interpreter: the tools need CPython 3.11 or newer")
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not OLD, reason="no interpreter older than 3.10 was found below PYENV_ROOT")
def test_old_interpreter_finds_a_newer_one_past_a_shim_that_leads_nowhere(tmp_path: Path) -> None:
    shim, real = tmp_path / "python3.14", tmp_path / "python3.11"
    shim.write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    shim.chmod(0o755)
    real.write_text(
        f'#!/bin/sh\ncase "$*" in *bootstrap*) echo "handed $*"; exit 7;; esac\nexec "{sys.executable}" "$@"\n'
    )
    real.chmod(0o755)
    done = run("run", "x", python=OLD[0], PATH=f"{tmp_path}{os.pathsep}/bin")
    assert (done.returncode, done.stdout) == (7, f"handed {BOOTSTRAP} run x\n")
