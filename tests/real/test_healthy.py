"""Healthy environments of every kind have no findings, looked at deep: what people's tools make is never damage."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from clinic import proc
from clinic.checks import examine
from clinic.facts import Interpreter
from clinic.observe import observe
from tests.real import wheels
from tests.real.creators import VENV, VENV_COPIES, VIRTUALENV_COPIES, Creator, bases, uv

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="the layout of these environments is POSIX's"),
    pytest.mark.skipif(not uv(), reason="packages are installed by uv here"),
]
PROJECT = """[project]
name = "mine"
description = "mine"
version = "1.0"
requires-python = ">=3.8"
[project.scripts]
mine = "mine:main"
"""
BACKENDS = {
    "setuptools": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
    "hatchling": '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
    "flit": '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n',
}
FINDER = '[tool.setuptools]\npackage-dir = {mine = "elsewhere"}\npackages = ["mine"]\n'
"""A layout for which setuptools writes a finder instead of a path."""

TOOLS = {"poetry": "poetry", "pdm": "pdm[locked]", "pipx": "pipx"}
"""pdm runs with what it is locked to: 2.29 fails with the newest hishel."""


def run(
    *words: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one program of the people's."""
    return subprocess.run(
        [os.fspath(word) if isinstance(word, Path) else str(word) for word in words],
        env=proc.scrubbed(env or {}),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def made(*words: object, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    """The same, and it must succeed."""
    done = run(*words, cwd=cwd, env=env)
    assert done.returncode == 0, done.stdout + done.stderr


def healthy(venv: Path, *imports: str) -> None:
    """Nothing at all is found."""
    assert examine(observe(venv, imports=imports, deep=True)) == ()


@pytest.fixture(scope="session")
def base() -> Interpreter:
    """The newest interpreter."""
    return bases()[-1]


@pytest.fixture(scope="session")
def tools(base: Interpreter, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real poetry, pdm and pipx, each in an environment of its name; skips where no index is reached."""
    folder = tmp_path_factory.mktemp("tools")
    for name, wanted in TOOLS.items():
        venv = VENV.make(base, folder / name)
        done = run(uv(), "pip", "install", "-q", "-p", venv / "bin" / "python", wanted)
        if done.returncode:
            pytest.skip(f"no index to install {name} from: {done.stderr.strip().splitlines()[-1]}")
    return folder


def project(folder: Path, backend: str, more: str = "", package: str = "mine") -> Path:
    """A project with one package."""
    (folder / package).mkdir(parents=True)
    (folder / package / "__init__.py").write_text('"""Mine."""\n\n\ndef main():\n    pass\n', encoding="utf-8")
    (folder / "pyproject.toml").write_text(PROJECT + BACKENDS[backend] + more, encoding="utf-8")
    return folder


@pytest.mark.usefixtures("tools")  # which says whether there is an index
@pytest.mark.parametrize("backend", [*BACKENDS, "finder"])
def test_an_editable_install(base: Interpreter, tmp_path: Path, backend: str) -> None:
    if backend == "finder":
        mine = project(tmp_path / "mine", "setuptools", FINDER, "elsewhere")
    else:
        mine = project(tmp_path / "mine", backend)
    venv = VENV.make(base, tmp_path / "env")
    made(uv(), "pip", "install", "-q", "-p", venv / "bin" / "python", "-e", mine)
    healthy(venv, "mine")


@pytest.mark.usefixtures("tools")
def test_an_editable_install_by_the_patients_own_tools(base: Interpreter, tmp_path: Path) -> None:
    mine, venv = project(tmp_path / "mine", "setuptools"), VENV.make(base, tmp_path / "env")
    made(uv(), "pip", "install", "-q", "-p", venv / "bin" / "python", "pip<25", "setuptools")
    pip, legacy = venv / "bin" / "pip", ("--config-settings", "editable_mode=compat")
    made(pip, "install", "-q", "--no-build-isolation", *legacy, "-e", mine)
    healthy(venv, "mine", "setuptools")
    made(pip, "install", "-q", "-U", "pip")
    healthy(venv, "pip")


def _uv_sync(_tools: Path, folder: Path, base: Interpreter) -> Path:
    made(uv(), "sync", "-q", "-p", base.executable, cwd=folder)
    return folder / ".venv"


def _poetry(tools: Path, folder: Path, base: Interpreter) -> Path:
    env = {"POETRY_VIRTUALENVS_IN_PROJECT": "true", "POETRY_CACHE_DIR": str(folder.parent / "cache")}
    made(tools / "poetry" / "bin" / "poetry", "env", "use", base.executable, cwd=folder, env=env)
    made(tools / "poetry" / "bin" / "poetry", "install", "-q", "-n", cwd=folder, env=env)
    return folder / ".venv"


def _pdm(tools: Path, folder: Path, base: Interpreter) -> Path:
    env = {"PDM_CHECK_UPDATE": "0", "HOME": str(folder.parent / "home")}
    made(tools / "pdm" / "bin" / "pdm", "use", "-q", "-f", base.executable, cwd=folder, env=env)
    made(tools / "pdm" / "bin" / "pdm", "venv", "create", "-f", base.executable, cwd=folder, env=env)
    made(tools / "pdm" / "bin" / "pdm", "install", "-q", cwd=folder, env=env)
    return folder / ".venv"


@pytest.mark.parametrize("tool", [_uv_sync, _poetry, _pdm], ids=lambda tool: tool.__name__.strip("_"))
def test_a_project_environment(
    tools: Path, base: Interpreter, tmp_path: Path, tool: Callable[[Path, Path, Interpreter], Path]
) -> None:
    healthy(tool(tools, project(tmp_path / "mine", "hatchling"), base), "mine")


def test_an_environment_of_pipx(tools: Path, base: Interpreter, tmp_path: Path) -> None:
    wheel = wheels.library(tmp_path / "wheels")
    env = {"PIPX_HOME": str(tmp_path / "pipx"), "PIPX_BIN_DIR": str(tmp_path / "bin"), "PIPX_DEFAULT_BACKEND": "pip"}
    made(tools / "pipx" / "bin" / "pipx", "install", "--python", base.executable, wheel.path, env=env)
    healthy(tmp_path / "pipx" / "venvs" / "tinylib", "tinylib")


@pytest.mark.parametrize("creator", [VENV, VENV_COPIES, VIRTUALENV_COPIES], ids=str)
def test_an_environment_that_sees_the_bases_packages(base: Interpreter, tmp_path: Path, creator: Creator) -> None:
    venv = creator.make(base, tmp_path / "env", "--system-site-packages")
    healthy(venv)


def test_an_environment_that_is_reached_through_a_link(base: Interpreter, tmp_path: Path) -> None:
    venv = VENV.make(base, tmp_path / "env")
    (tmp_path / "link").symlink_to(venv)
    healthy(tmp_path / "link")


def test_a_wheel_with_data_and_headers_and_scripts(base: Interpreter, tmp_path: Path) -> None:
    data = "mixed-1.0.data"
    files = {
        "mixed/__init__.py": "",
        f"{data}/data/share/mixed/words.txt": "one\n",
        f"{data}/headers/mixed.h": "\n",
        f"{data}/scripts/mixed-run": "#!python\nprint('run')\n",
        f"{data}/scripts/mixed-shell": "#!/bin/sh\ntrue\n",
        f"{data}/purelib/pure_mixed.py": "",
        f"{data}/platlib/plat_mixed.py": "",
    }
    wheel = wheels.build(tmp_path / "wheels", "mixed", "1.0", files, ["mixed-entry"])
    by_pip = (bases()[-1].executable, "-m", "pip", "--python")
    for number, words in enumerate(((uv(), "pip", "install", "-q", "-p"), by_pip)):
        venv = VENV.make(base, tmp_path / f"env{number}")
        python = venv / "bin" / "python"
        made(*words, python, *([] if number == 0 else ["install", "-q", "--no-index"]), wheel.path)
        healthy(venv, "mixed", "pure_mixed", "plat_mixed")


def test_scripts_that_were_installed_by_prefix(base: Interpreter, tmp_path: Path) -> None:
    wheel = wheels.library(tmp_path / "wheels")
    venv = VENV.make(base, tmp_path / "env")
    python = venv / "bin" / "python"
    words = ("--python", python, "install", "-q", "--no-index", "--prefix", venv, wheel.path)
    made(bases()[-1].executable, "-m", "pip", *words)
    healthy(venv, "tinylib")
