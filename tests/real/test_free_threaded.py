"""CPython 3.14 without the GIL: the suite installed by it, its environment through the whole incident."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from clinic import flow, proc
from clinic.checks import examine
from clinic.facts import Flavour, Interpreter
from clinic.observe import observe
from tests.conftest import ROOT
from tests.real.creators import VENV, bases
from tests.real.patients import fingerprint, second_installation
from tests.real.visits import Project, codes, summary, without_cfg
from tests.real.wheels import Site, rebuilt

FREE_THREADED = Flavour(3, 14, free_threaded=True)
ORDINARY = Flavour(3, 14, free_threaded=False)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="links are POSIX's")


def base_of(flavour: Flavour) -> Interpreter:
    """A base of this flavour; skips by name where there is none."""
    found = next((base for base in bases() if base.flavour == flavour), None)
    if found is None:
        pytest.skip(f"no CPython {flavour} was found: .ci/python314t builds one, to be put on the PATH")
    return found


@dataclass(frozen=True)
class Clone:
    """A fresh clone of this repository, and the variables of a user whose home is empty."""

    root: Path
    base: Interpreter
    port: int
    env: dict[str, str]

    @property
    def venv(self) -> Path:
        """The managed environment."""
        return self.root / "ai" / ".venv314t"

    @property
    def site_packages(self) -> Path:
        """The folder of its packages."""
        return self.venv / "lib" / "python3.14t" / "site-packages"

    def run(self, *words: str | Path) -> subprocess.CompletedProcess[bytes]:
        """Run a program in the clone."""
        return subprocess.run(
            words, cwd=self.root, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=600
        )

    def invoke(self, *words: str) -> dict[str, Any]:
        """Run one of the suite's commands; its envelope."""
        done = self.run(self.root / ".tools" / "bin" / "invoke", *words, "--json")
        assert done.stdout, done.stderr.decode("utf-8", "replace")
        envelope: dict[str, Any] = json.loads(done.stdout)
        assert envelope["exit_code"] == done.returncode
        return envelope

    def interpreter(self) -> dict[str, Any]:
        """What the running bridge says of its interpreter."""
        answer = requests.get(f"http://127.0.0.1:{self.port}/status", timeout=10).json()
        return {**answer["interpreter"], **answer["environment"]}

    def assert_free_threaded(self) -> None:
        """The environment is of 3.14t, and its packages leave the GIL off."""
        ask = "import fastapi, sys, sysconfig; print(sys.prefix, sysconfig.get_config_var('Py_GIL_DISABLED'), end=' ')"
        done = self.run(self.venv / "bin" / "python", "-I", "-W", "error", "-c", f"{ask}; print(sys._is_gil_enabled())")
        assert done.stdout.decode() == f"{self.venv} 1 False\n", done.stderr


@pytest.fixture
def clone(tmp_path: Path, free_port: int) -> Iterator[Clone]:
    """A clone with what the seed of the project left in it: no environment, and two places that look like one."""
    base = base_of(FREE_THREADED)
    root, home = tmp_path / "clone", tmp_path / "home"
    home.mkdir()
    listing = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode("utf-8").rstrip("\0").split("\0"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, root / name)
    (root / "ai" / ".venv").symlink_to(tmp_path / "gone")
    (root / "ai" / ".venv314t").mkdir()
    (root / "ai" / ".venv314t" / "manifest.json").write_text("{}\n", encoding="utf-8")
    env = {name: value for name, value in proc.scrubbed().items() if not name.startswith("XDG_")}
    env |= {"HOME": str(home), "PATH": f"{base.home}{os.pathsep}{env['PATH']}", "NO_COLOR": "1"}
    made = Clone(root, base, free_port, env | {"INVOKE_CLINIC_SERVICE_PORT": str(free_port)})
    yield made
    if (root / ".tools").exists():
        made.invoke("stop")


@pytest.mark.nightly
@pytest.mark.timeout(1200)
def test_from_nothing_through_the_whole_incident(clone: Clone) -> None:
    done = clone.run(clone.base.executable, "scripts/bootstrap.py")
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    assert "18 passed, 0 failed, 0 skipped" in done.stdout.decode("utf-8")
    assert clone.run(clone.root / ".tools" / "bin" / "python", "-VV").stdout.startswith(b"Python 3.14")
    assert (clone.venv / "manifest.json").read_text(encoding="utf-8") == "{}\n"
    clone.assert_free_threaded()

    assert clone.invoke("stop")["exit_code"] == 0
    packages = fingerprint(clone.site_packages)
    (clone.venv / "pyvenv.cfg").unlink()
    damaged = fingerprint(clone.venv)

    seen = clone.invoke("diagnose")
    assert (seen["outcome"], seen["exit_code"], codes(seen["data"])) == ("sick", 1, ["cfg-missing"])
    assert [each["id"] for each in seen["data"]["options"] if each["recommended"]] == ["fix-cfg"]
    assert seen["data"]["next_actions"][0]["command"] == "invoke fix-cfg"

    served = clone.invoke("unblock")
    assert (served["outcome"], served["exit_code"]) == ("healthy", 0)
    assert served["data"]["stopgap"]
    assert clone.interpreter()["gil_enabled"] is False
    assert fingerprint(clone.venv) == damaged, "unblock does not touch the environment"

    fixed = clone.invoke("fix-cfg")
    assert (fixed["outcome"], fixed["data"]["after"]["verdict"]) == ("cured", "healthy")
    assert without_cfg(fingerprint(clone.venv)) == damaged, "pyvenv.cfg is all that is new"
    clone.assert_free_threaded()

    (clone.venv / "pyvenv.cfg").unlink()
    new = clone.invoke("rebuild")
    assert (new["outcome"], new["data"]["after"]["verdict"]) == ("cured", "healthy")
    assert new["data"]["carried"] == ["manifest.json"]
    assert {name.partition("/")[0] for name in fingerprint(clone.site_packages)} == {
        name.partition("/")[0] for name in packages
    }
    clone.assert_free_threaded()

    production = clone.invoke("production-mode")
    assert (production["outcome"], production["data"]["mode"]) == ("healthy", "production")
    assert production["data"]["stopgap"] is None
    running = clone.interpreter()
    assert (running["prefix"], running["free_threaded_build"], running["gil_enabled"]) == (str(clone.venv), True, False)

    valid = clone.invoke("validate")
    assert (valid["outcome"], valid["exit_code"]) == ("healthy", 0)
    assert [check["status"] for check in valid["data"]["checks"]] == ["pass"] * 18


@pytest.mark.parametrize("lost", ["bin", "bin/python3.14t"])
def test_the_name_that_venv_was_called_by_is_laid_again(tmp_path: Path, lost: str) -> None:
    """The links of venv lead to python3.14t beside them, and that one leads out."""
    venv = VENV.make(base_of(FREE_THREADED), tmp_path / ".venv314t")
    links = {path.name: path.readlink() for path in (venv / "bin").glob("python*")}
    shutil.move(venv / lost, tmp_path / "lost")
    settings = {"environment": {"path": str(venv), "imports": [], "requirements": "none.txt"}}
    (tmp_path / "invoke.yaml").write_text(json.dumps({"clinic": settings}), encoding="utf-8")
    assert summary(flow.relink(Project(tmp_path / "invoke.yaml").settings)) == ("cured", 0)
    assert {path.name: path.readlink() for path in (venv / "bin").glob("python*")} == links


@pytest.mark.xfail(raises=AssertionError, reason='"Nothing false": python3 that is another Python is advice today')
def test_python3_of_the_build_with_the_gil_is_damage(tmp_path: Path) -> None:
    venv = VENV.make(base_of(FREE_THREADED), tmp_path / ".venv314t")
    (venv / "bin" / "python3").unlink()
    (venv / "bin" / "python3").symlink_to(base_of(ORDINARY).executable)
    (finding,) = examine(observe(venv))
    assert (finding.severity, finding.cured_by[0]) == ("degraded", "relink")


@pytest.mark.xfail(raises=AssertionError, reason='"Nothing false": heal takes another Python without --yes today')
def test_heal_asks_before_it_takes_another_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = base_of(FREE_THREADED)
    if base.home in {Path("/usr/bin"), Path("/usr/local/bin")}:
        pytest.skip(f"{base.home} is searched whatever the PATH is: 3.14t can't be hidden")
    other = next(found for found in reversed(bases()) if (3, 11) <= found.version < (3, 14))
    moving = second_installation(base, tmp_path / "base")
    site = Site(tmp_path / "project", path="ai/.venv314t")
    rebuilt(site, python=str(moving / "python3.14t"))
    (tmp_path / "base").rename(tmp_path / "moved")
    before = fingerprint(site.venv)
    monkeypatch.setenv("PATH", str(other.home))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYENV_ROOT", raising=False)
    code, told = Project(site.root / "invoke.yaml").command("heal", "--wheelhouse", str(site.wheelhouse))
    assert (code, fingerprint(site.venv) == before) == (2, True)
    assert str(other.flavour) in told["errors"][0]["message"]
