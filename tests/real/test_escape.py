"""Installs that went past the environment into its base: named while the damage or its receipt is there, never else."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from clinic import flow, proc
from clinic.facts import Interpreter
from clinic.model import Result
from tests.real import throwaway
from tests.real.creators import bases
from tests.real.wheels import Site

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="without its file a Windows environment does not start")


@pytest.fixture
def base(tmp_path: Path) -> Interpreter:
    """A base that may be filled."""
    return throwaway.base(bases()[-1], tmp_path.resolve() / "base of mine")


@pytest.fixture
def site(tmp_path: Path, base: Interpreter, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A project whose environment was made from that base, in a home of its own."""
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path / "user"))
    site = Site(tmp_path / "project")
    result = flow.rebuild(site.settings, wheelhouse=site.wheelhouse, python=str(base.executable))
    assert result.outcome == "cured", result
    return site


def put(python: Path, site: Site, *names: str) -> None:
    """What people do when an import fails: install with the environment's python."""
    words = ["-m", "pip", "install", "--no-index", "--no-deps", "-q", "--find-links", str(site.wheelhouse), *names]
    done = subprocess.run(
        [python, *words], capture_output=True, text=True, check=False, timeout=120, env=proc.scrubbed()
    )
    assert done.returncode == 0, done.stderr


def codes(result: Result) -> list[str]:
    """What was found."""
    return [finding.code for finding in result.data["findings"]]


def polluted(result: Result) -> list[str]:
    """The evidence of what went past."""
    return next(list(f.evidence) for f in result.data["findings"] if f.code == "base-polluted")


def test_what_went_past_is_named_with_the_command_that_takes_it_out(site: Site, base: Interpreter) -> None:
    (site.venv / "pyvenv.cfg").unlink()
    put(site.venv / "bin" / "python", site, "tinylib", "tinyserve")
    here = throwaway.site(base.prefix)
    assert (here / "tinylib").is_dir(), "the damage is real"
    found = flow.diagnose(site.settings)
    assert codes(found) == ["cfg-missing", "base-polluted"]
    evidence = polluted(found)
    assert evidence[0].startswith(f"tinylib 1.0 is in {here} since 20")
    assert evidence[1].startswith(f"tinyserve 1.0 is in {here} since 20")
    command = f"{proc.quoted(base.executable)} -m pip uninstall tinylib tinyserve"
    actions = [action.command for action in found.data["next_actions"]]
    assert actions == ["invoke fix-cfg", "invoke validate", command]
    subprocess.run([*shlex.split(command), "-y"], check=True, capture_output=True, timeout=60)
    assert not (here / "tinylib").exists()
    assert codes(flow.diagnose(site.settings)) == ["cfg-missing"]


@pytest.mark.parametrize("cure", ["fix-cfg", "rebuild", "heal"])
def test_after_the_cure_the_receipt_remembers(site: Site, base: Interpreter, cure: str) -> None:
    (site.venv / "pyvenv.cfg").unlink()
    put(site.venv / "bin" / "python", site, "tinylib")
    settings = site.settings
    result = {
        "fix-cfg": lambda: flow.fix_cfg(settings),
        "rebuild": lambda: flow.rebuild(settings, wheelhouse=site.wheelhouse),
        "heal": lambda: flow.heal(settings),
    }[cure]()
    assert result.outcome == "cured", result
    assert result.exit_code == 0
    # What comes later is the base's own business.
    put(base.executable, site, "tinyserve")
    found = flow.diagnose(settings)
    assert (found.exit_code, codes(found)) == (0, ["base-polluted"])
    assert [line.split()[0] for line in polluted(found) if " is in " in line] == ["tinylib"]
    assert found.data["options"] == ()
    assert found.data["next_actions"][0].command.endswith("-m pip uninstall tinylib")
    flow.snapshot(settings)
    assert codes(flow.diagnose(settings)) == ["base-polluted"], "a snapshot does not take it out of the base"


def test_the_persons_own_folder_is_looked_at_too(site: Site) -> None:
    (site.venv / "pyvenv.cfg").unlink()
    words = ["-m", "pip", "install", "--user", "--no-index", "--no-deps", "-q", "--find-links", str(site.wheelhouse)]
    subprocess.run(
        [site.venv / "bin" / "python", *words, "tinylib"], check=True, capture_output=True, timeout=120, env=os.environ
    )
    assert "/user/lib/" in polluted(flow.diagnose(site.settings))[0]


def test_a_base_that_has_them_of_its_own_is_no_finding(site: Site, base: Interpreter) -> None:
    put(base.executable, site, "tinylib")
    assert codes(flow.diagnose(site.settings)) == []
    flow.snapshot(site.settings)  # from here on the environment is known to be itself, packages in the base or not
    (site.venv / "pyvenv.cfg").unlink()
    assert codes(flow.diagnose(site.settings)) == ["cfg-missing"]
    flow.fix_cfg(site.settings)
    assert codes(flow.diagnose(site.settings)) == []


def test_an_externally_managed_base_is_told_so(site: Site, base: Interpreter) -> None:
    (site.venv / "pyvenv.cfg").unlink()
    put(site.venv / "bin" / "python", site, "tinylib")
    (throwaway.site(base.prefix).parent / "EXTERNALLY-MANAGED").write_text("[externally-managed]\n", encoding="utf-8")
    actions = flow.diagnose(site.settings).data["next_actions"]
    assert actions[-1].command.endswith("-m pip uninstall --break-system-packages tinylib")
