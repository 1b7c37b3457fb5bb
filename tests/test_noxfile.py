"""The sessions, through the nox command as a person calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def nox(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the nox command, the script itself: it sets up sys.path differently from "python -m nox"."""
    program = Path(sys.executable).parent / ("nox.exe" if os.name == "nt" else "nox")
    return subprocess.run(
        [str(program), *words],
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if not name.startswith(("NOX", "PYTHONPATH"))},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_list_from_another_directory(tmp_path: Path) -> None:
    done = nox("-f", str(ROOT / "noxfile.py"), "-l", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [line.split(" -> ") for line in done.stdout.splitlines() if line.startswith(("* ", "- "))]
    marks = {name[2:]: name[0] for name, _says in rows}
    on_request = dict.fromkeys(("bench", "faults", "lock", "rebuild_venv", "wheelhouse"), "-")
    assert marks == {"tests": "*", "lint": "*", "types": "*", **on_request}
    assert all(says.strip() for _name, says in rows)


def test_clinic_can_be_imported_by_the_command(tmp_path: Path) -> None:
    probe = tmp_path / "noxfile.py"
    lines = [
        "import nox",
        f"exec(compile(open({str(ROOT / 'noxfile.py')!r}).read(), {str(ROOT / 'noxfile.py')!r}, 'exec'))",
    ]
    lines += ["import clinic, toolshed", "print('found', *clinic.__path__, sep='|')"]
    lines[1:1] = [f"__file__ = {str(ROOT / 'noxfile.py')!r}"]
    probe.write_text("\n".join(lines), encoding="utf-8")
    done = nox("-f", str(probe), "-l", cwd=tmp_path)
    assert f"found|{ROOT / 'scripts' / 'clinic'}" in done.stdout


@pytest.mark.parametrize("words", [["--chekc"], ["--upgrade", "--all"], ["--check", "tools"]])
def test_lock_refuses_other_words(words: list[str], tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in (ROOT / "requirements").iterdir()}
    done = nox("-f", str(ROOT / "noxfile.py"), "-s", "lock", "--", *words, cwd=tmp_path)
    assert done.returncode == 1
    assert "lock takes --check or --upgrade [NAME ...]" in done.stderr + done.stdout
    assert {path.name: path.read_bytes() for path in (ROOT / "requirements").iterdir()} == before
