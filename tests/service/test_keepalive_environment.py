"""The environment breaks while the monitor watches: healed where no network is needed, else told and waited for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinic.service import manager
from tests.service.keeping import APP, Kept, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and /proc")

# It needs a package of the environment, so that an environment that is not itself cannot run it.
NEEDY = "import needed\n" + APP.read_text("utf-8").replace("from __future__ import annotations\n", "")


@pytest.fixture
def kept(tmp_path: Path, free_port: int) -> Iterator[Kept]:
    venv = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True, timeout=60)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "needed.py").write_text("", encoding="utf-8")
    (tmp_path / "needy.py").write_text(NEEDY, encoding="utf-8")
    one = Kept(tmp_path, free_port, {"command": ["{python}", "needy.py"]}, {"interval": 30}, venv)
    one.write()
    yield one
    one.end_all()


def test_a_lost_cfg_heals_before_the_first_failed_start(kept: Kept) -> None:
    kept.watching()
    cfg, old = kept.environment / "pyvenv.cfg", kept.pid()
    cfg.unlink()
    os.kill(old, signal.SIGKILL)
    kept.another(old)
    assert cfg.is_file()
    assert not kept.events("start-failed")
    (healed,) = kept.events("healed")
    assert "pyvenv.cfg restored" in healed["text"]
    (receipt,) = (kept.root / ".clinic" / "receipts").glob("*fix-cfg*.jsonl")
    assert receipt.stem in healed["text"]
    assert json.loads(receipt.read_text("utf-8").splitlines()[-1])["state"] == "done"


def binary_cfg(venv: Path) -> None:
    (venv / "pyvenv.cfg").write_bytes(b"\xff\xfe\x00home")


def wrong_home(venv: Path) -> None:
    (venv / "pyvenv.cfg").write_text("home = /nowhere/bin\n", encoding="utf-8")


@pytest.mark.parametrize("hurt", [binary_cfg, wrong_home])
def test_other_damage_to_the_cfg_heals_too(kept: Kept, hurt: Callable[[Path], None]) -> None:
    kept.watching()
    old = kept.pid()
    hurt(kept.environment)
    os.kill(old, signal.SIGKILL)
    kept.another(old)
    assert "home" in (kept.environment / "pyvenv.cfg").read_text("utf-8")


@pytest.mark.parametrize("cfg", [True, False], ids=["alone", "with its cfg"])
def test_a_lost_interpreter_is_laid_anew(kept: Kept, cfg: bool) -> None:
    kept.watching()
    old = kept.pid()
    for path in (kept.environment / "bin").glob("python*"):
        path.unlink()
        path.symlink_to("/nowhere/bin/python3")
    if not cfg:
        (kept.environment / "pyvenv.cfg").unlink()
    os.kill(old, signal.SIGKILL)
    kept.another(old)
    assert not kept.events("start-failed")
    (healed,) = kept.events("healed")
    assert "interpreter laid anew" in healed["text"]
    assert list((kept.root / ".clinic" / "receipts").glob("*relink*.jsonl"))


def test_what_needs_a_network_is_told_and_a_mended_environment_wakes_it(kept: Kept) -> None:
    kept.figures = {"interval": 30, "backoff_first": 100, "backoff_limit": 600}
    kept.watching()
    old = kept.pid()
    aside = kept.environment.rename(kept.environment.with_name("aside"))
    os.kill(old, signal.SIGKILL)
    (told,) = until(lambda: kept.events("blocked"))
    assert told["code"] == "venv-missing"
    assert "invoke rebuild" in told["text"]
    now = manager.status(kept.settings)
    assert now.state == "failed"
    assert now.monitor
    assert now.monitor.hint.startswith("invoke rebuild")
    aside.rename(kept.environment)
    kept.another(old)
    assert kept.events("mended"), kept.events()


def test_a_lost_package_is_diagnosed_at_the_first_failed_start(kept: Kept) -> None:
    kept.figures = {"interval": 30, "backoff_first": 100, "backoff_limit": 600}
    kept.watching()
    (needed,) = kept.environment.glob("lib/python*/site-packages/needed.py")
    old = kept.pid()
    needed.unlink()
    for cached in needed.parent.glob("__pycache__/needed*"):
        cached.unlink()
    os.kill(old, signal.SIGKILL)
    (failed,) = until(lambda: kept.events("start-failed"))
    assert failed["code"] == "package-missing"
    until(lambda: kept.events("waiting", "blocked"))
    needed.write_text("", encoding="utf-8")
    kept.another(old)


def test_another_repair_is_waited_for(kept: Kept) -> None:
    from clinic.records import Records

    kept.watching()
    cfg, old = kept.environment / "pyvenv.cfg", kept.pid()
    kept_text = cfg.read_bytes()
    with Records(kept.root / ".clinic").lock("rebuild", kept.environment):
        cfg.unlink()
        os.kill(old, signal.SIGKILL)
        until(lambda: kept.events("died"))
        with pytest.raises(AssertionError):
            until(lambda: kept.events("healed", "started", "blocked", "start-failed")[1:], 1.5)
        cfg.write_bytes(kept_text)
        kept.another(old)
