"""An environment that somebody runs from: told or refused before a repair, and our own server is nobody else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinic import flow
from clinic.errors import RefusedError
from clinic.model import Result
from clinic.service import identity, manager
from tests.real import throwaway
from tests.real.patients import fingerprint
from tests.real.wheels import Site

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the layout of these environments is POSIX's")


@pytest.fixture
def site(tmp_path: Path, free_port: int) -> Iterator[Site]:
    """A project whose server is stopped in the end."""
    site = Site(tmp_path / "project", port=free_port)
    flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    yield site
    manager.stop(site.settings)


@pytest.fixture
def stranger(site: Site) -> Iterator[int]:
    """A process that runs from the environment, and is no child of this one: what that has started is no stranger."""
    python, script = site.venv / "bin" / "python", "import os, time; print(os.getpid(), flush=True); time.sleep(300)"
    words: list[str | Path] = ["/bin/sh", "-c", '"$0" -c "$1" & exit', python, script]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as shell:
        assert shell.stdout
        pid = int(shell.stdout.readline())
        shell.stdout.close()
    yield pid
    os.kill(pid, signal.SIGKILL)


def rebuild(site: Site) -> Result:
    """The whole environment."""
    return flow.rebuild(site.settings, wheelhouse=site.wheelhouse)


def reinstall(site: Site) -> Result:
    """One distribution of it."""
    (throwaway.site(site.venv) / "tinylib" / "data.txt").unlink(missing_ok=True)
    return flow.reinstall(site.settings, wheelhouse=site.wheelhouse)


def undo(site: Site) -> Result:
    """Back to what was before."""
    return flow.undo(site.settings, yes=True)


WORKS = pytest.mark.parametrize("work", [rebuild, reinstall, undo], ids=lambda work: work.__name__)


@WORKS
def test_a_stranger_is_told_of_and_lives_on(site: Site, stranger: int, work: Callable[[Site], Result]) -> None:
    result = work(site)
    assert result.outcome == "cured"
    told = [note for note in result.notes if note.startswith(f"pid {stranger} python (")]
    assert len(told) == 1
    assert "keeps the old files until it is restarted" in told[0]
    assert identity.identify(stranger)


@WORKS
def test_where_it_could_not_go_through_nothing_is_touched(
    site: Site, stranger: int, work: Callable[[Site], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    (throwaway.site(site.venv) / "tinylib" / "data.txt").unlink()
    flow.start_server(site.settings)
    pid = manager.status(site.settings).pid
    monkeypatch.setattr("clinic.flow.holding.here", lambda: "windows")
    before = fingerprint(site.venv)
    with pytest.raises(RefusedError, match=f"is in use: pid {stranger} python") as told:
        work(site)
    assert (told.value.code, told.value.exit_code) == ("venv-in-use", 2)
    assert fingerprint(site.venv) == before
    assert manager.status(site.settings).pid == pid, "our own server serves on"
    assert str(pid) not in told.value.message


def test_our_own_server_is_nobody_else(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    flow.start_server(site.settings)
    monkeypatch.setattr("clinic.flow.holding.here", lambda: "windows")
    result = rebuild(site)
    assert result.outcome == "cured"
    assert not [note for note in result.notes if note.startswith("pid ")]
    assert "in_use" not in flow.diagnose(site.settings).data


def test_what_writes_one_small_file_is_in_nobodys_way(
    site: Site, stranger: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clinic.flow.holding.here", lambda: "windows")
    (site.venv / "pyvenv.cfg").unlink()
    assert flow.fix_cfg(site.settings).outcome == "cured"
    assert flow.undo(site.settings, yes=True).outcome == "cured"
    assert stranger


def test_a_diagnosis_names_it(site: Site, stranger: int) -> None:
    (found,) = flow.diagnose(site.settings).data["in_use"]
    assert (found.pid, found.name) == (stranger, "python")
