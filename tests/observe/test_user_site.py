"""Where a base interpreter keeps the packages of a person: by rule for every system, and as the one here says."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from clinic.facts import Flavour, Interpreter
from clinic.observe.escape import site_folders, user_site
from tests.real.creators import bases
from tests.real.visits import name_of

_THREADED, _PLAIN = Flavour(3, 14, free_threaded=True), Flavour(3, 14)


@pytest.mark.parametrize(
    ("system", "flavour", "machine", "prefix", "expected"),
    [
        ("win32", _PLAIN, "win32-64", "C:/Python314", "roaming/Python/Python314/site-packages"),
        ("win32", _THREADED, "win32-64", "C:/Python314t", "roaming/Python/Python314t/site-packages"),
        ("win32", _PLAIN, "win32-32", "C:/Python314-32", "roaming/Python/Python314-32/site-packages"),
        ("linux", _PLAIN, "linux-64", "/usr", "~/.local/lib/python3.14/site-packages"),
        ("linux", _THREADED, "linux-64", "/usr", "~/.local/lib/python3.14t/site-packages"),
        ("darwin", _THREADED, "darwin-64", "/opt/homebrew", "~/.local/lib/python3.14t/site-packages"),
        (
            "darwin",
            _PLAIN,
            "darwin-64",
            "/Library/Frameworks/Python.framework/Versions/3.14",
            "~/Library/Python/3.14/lib/python/site-packages",
        ),
        (
            "darwin",
            _THREADED,
            "darwin-64",
            "/Library/Frameworks/PythonT.framework/Versions/3.14",
            "~/Library/PythonT/3.14/lib/python/site-packages",
        ),
    ],
)
def test_a_persons_packages(system: str, flavour: Flavour, machine: str, prefix: str, expected: str) -> None:
    base = replace(bases()[-1], flavour=flavour, machine=machine, prefix=Path(prefix), base_prefix=Path(prefix))
    assert user_site(base, system, {"APPDATA": "roaming"}) == Path(expected).expanduser()
    own = {"PYTHONUSERBASE": "own", "APPDATA": "roaming"}
    below = "lib/python" if "framework" in prefix else f"lib/python{flavour}"
    below = Path(expected).parent.name if system == "win32" else below
    assert user_site(base, system, own) == Path("own", below, "site-packages")
    assert list(site_folders(base, system, own))[-1] == Path("own", below, "site-packages")


@pytest.mark.parametrize("base", bases(), ids=name_of)
def test_it_is_what_the_interpreter_says(base: Interpreter, tmp_path: Path) -> None:
    for own in ({}, {"PYTHONUSERBASE": str(tmp_path)}):
        environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | own
        words: list[str | Path] = [base.executable, "-c", "import site; print(site.getusersitepackages())"]
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=True, timeout=60)
        assert list(site_folders(base, environ=environ))[-1] == Path(done.stdout.strip())
