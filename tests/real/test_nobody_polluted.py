"""Whatever variables and settings say where to: packages go into the environment that is meant, and nowhere else."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from clinic import flow, proc
from clinic.errors import FailedError
from clinic.facts import Interpreter
from clinic.remedies import install, lifeboat
from clinic.report.progress import Steps
from tests.real import throwaway
from tests.real.creators import VENV, bases, uv
from tests.real.patients import fingerprint
from tests.real.wheels import Site

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the throw-away base is laid out for POSIX")
INSTALLERS = ["pip", *(["uv"] if uv() else [])]


@dataclass(frozen=True)
class World:
    """A project, and all that might be filled in its stead."""

    site: Site
    base: Interpreter
    other: Path
    home: Path
    elsewhere: Path

    def watched(self) -> dict[str, object]:
        """Everything that nobody may touch."""
        places = (throwaway.site(self.base.prefix), self.other, self.elsewhere, self.home / "user")
        return {str(place): fingerprint(place) for place in places}

    def settings_file(self, name: str, text: str) -> None:
        """A file of the person's configuration."""
        path = self.home / ".config" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A healthy project with a base of its own, another environment, and a home that may be configured."""
    root = tmp_path.resolve()
    base = throwaway.base(bases()[-1], root / "base")
    other = VENV.make(base, root / "other")
    for name in ("elsewhere", "home/user"):
        (root / name).mkdir(parents=True)
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(root / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("PYTHONUSERBASE", str(root / "home" / "user"))
    site = Site(root / "project")
    flow.rebuild(site.settings, wheelhouse=site.wheelhouse, python=str(base.executable))
    return World(site, base, other, root / "home", root / "elsewhere")


@pytest.fixture(params=INSTALLERS)
def installer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each installer in turn."""
    if request.param == "pip":
        monkeypatch.setattr(install, "find_uv", lambda: None)
    return str(request.param)


def rebuild(world: World) -> None:
    """A new environment."""
    site = world.site
    assert flow.rebuild(site.settings, wheelhouse=site.wheelhouse).outcome == "cured"


def reinstall(world: World) -> None:
    """One hurt distribution."""
    site = world.site
    module = throwaway.site(site.venv) / "tinylib" / "__init__.py"
    module.unlink()
    assert flow.reinstall(site.settings, wheelhouse=site.wheelhouse).outcome == "cured"
    assert module.is_file()


def unblock(world: World) -> None:
    """The lifeboat."""
    site = world.site
    shutil.rmtree(throwaway.site(site.venv))
    found = lifeboat.prepare(site.settings, world.base.flavour, Steps(), site.wheelhouse)
    assert found.python.is_relative_to(site.settings.records)


def redirections(world: World) -> Mapping[str, str]:
    """Every variable that leads elsewhere."""
    other, elsewhere = str(world.other), str(world.elsewhere)
    python = f"{other}/bin/python"
    return {
        **dict.fromkeys(("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "UV_TARGET", "UV_PREFIX"), elsewhere),
        **dict.fromkeys(("PYTHONPATH", "PYTHONHOME", "UV_WORKING_DIR", "UV_PROJECT"), elsewhere),
        **dict.fromkeys(("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "CONDA_PREFIX"), other),
        **dict.fromkeys(("UV_PYTHON", "PIP_PYTHON", "__PYVENV_LAUNCHER__"), python),
        **dict.fromkeys(("PIP_USER", "UV_SYSTEM_PYTHON", "UV_BREAK_SYSTEM_PACKAGES", "PIP_REQUIRE_VIRTUALENV"), "1"),
        **dict.fromkeys(("PIP_DRY_RUN", "PIP_BREAK_SYSTEM_PACKAGES"), "1"),
    }


def configure(world: World) -> None:
    """Both installers, told by files."""
    elsewhere = world.elsewhere
    world.settings_file("pip/pip.conf", f"[global]\ntarget = {elsewhere}\n[install]\nuser = true\nroot = {elsewhere}\n")
    world.settings_file("uv/uv.toml", f'[pip]\ntarget = "{elsewhere}"\nsystem = true\npython = "{world.other}"\n')


@pytest.mark.parametrize("work", [rebuild, reinstall, unblock], ids=lambda work: work.__name__)
def test_no_variable_and_no_file_redirects(
    world: World, installer: str, work: Callable[[World], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in redirections(world).items():
        monkeypatch.setenv(name, value)
    configure(world)
    before = world.watched()
    work(world)
    assert world.watched() == before, installer


@pytest.mark.parametrize("name", sorted(proc.DERAILING))
def test_no_child_sees_a_variable_that_derails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "somewhere")
    assert name not in proc.scrubbed()


@pytest.mark.parametrize("key", ["target", "prefix", "root", "user"])
def test_pips_own_file_does_not_redirect_it(world: World, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "find_uv", lambda: None)
    world.settings_file("pip/pip.conf", f"[global]\n{key} = {'true' if key == 'user' else world.elsewhere}\n")
    before = world.watched()
    rebuild(world)
    assert world.watched() == before


@pytest.mark.skipif(not uv(), reason="uv is not here")
@pytest.mark.parametrize("key", ["target", "prefix"])
def test_uvs_own_file_does_not_redirect_it(world: World, key: str) -> None:
    world.settings_file("uv/uv.toml", f'[pip]\n{key} = "{world.elsewhere}"\n')
    before = world.watched()
    rebuild(world)
    assert world.watched() == before


def test_where_from_is_still_the_persons_choice(world: World, installer: str) -> None:
    """The index is not reached here; a folder of wheels is, and only the configuration names it."""
    site = world.site
    house, elsewhere = site.wheelhouse, world.elsewhere
    pip = f"[global]\nno-index = true\nfind-links = {house}\ntarget = {elsewhere}\n"
    world.settings_file("pip/pip.conf", pip)
    world.settings_file("uv/uv.toml", f'[pip]\nno-index = true\nfind-links = ["{house}"]\ntarget = "{elsewhere}"\n')
    before = world.watched()
    assert flow.rebuild(site.settings).data["installer"] == installer
    assert world.watched() == before


def test_a_python_that_is_another_is_given_nothing_to_install_with(world: World, installer: str) -> None:
    site = world.site
    (site.venv / "pyvenv.cfg").unlink()
    before = world.watched()
    with pytest.raises(FailedError, match="says that its prefix is") as caught:
        install.install(site.venv / "bin" / "python", install.Source(site.lock), lambda _line: None)
    assert caught.value.code == "not-itself"
    assert world.watched() == before, installer


@pytest.mark.skipif(not uv(), reason="uv is not here")
def test_what_uv_remembers_of_the_damage_does_no_harm(world: World) -> None:
    """Uv's cache of interpreters ignores pyvenv.cfg: after the repair it still takes the environment for its base."""
    site = world.site
    python, cfg = site.venv / "bin" / "python", site.venv / "pyvenv.cfg"
    kept = cfg.read_bytes()
    cfg.unlink()
    words: list[str | Path] = [uv(), "pip", "freeze", "--python", python]
    subprocess.run(words, env=proc.scrubbed(), capture_output=True, check=True)
    cfg.write_bytes(kept)
    told = subprocess.run(words, env=proc.scrubbed(), capture_output=True, text=True, check=True)
    assert "tinylib" not in told.stdout, "uv is no longer fooled: this test, and the care, can go"
    before = world.watched()
    reinstall(world)
    rebuild(world)
    assert world.watched() == before
