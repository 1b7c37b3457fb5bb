"""A rebuild that is killed or interrupted anywhere: the old environment, or the new one, and the next run cleans up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from clinic import flow
from clinic.remedies import staging
from clinic.report.progress import Steps
from tests.conftest import ROOT
from tests.real.patients import fingerprint
from tests.real.wheels import Site, leftovers, library

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX's")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A project with a rebuilt environment and somebody's file in it."""
    site = Site(tmp_path / "project")
    flow.rebuild(site.settings, wheelhouse=site.wheelhouse)
    (site.venv / "notes.txt").write_text("keep me", encoding="utf-8")
    return site


_RUN = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
file, kind, limit = Path(sys.argv[2]), sys.argv[3], int(sys.argv[4])
from clinic import flow
from clinic.settings import load
from clinic.remedies import staging
from clinic.report.progress import Steps
settings, seen = load(file.parent, file, {}), 0

def count():
    global seen
    seen += 1
    if seen == limit:
        os.kill(os.getpid(), signal.SIGKILL)

class Killed(Steps):
    def step(self, title):
        print(title, flush=True)
        if kind == "step":
            count()

def watch(event, arguments):
    # The two renames that the swap consists of, and each note of it in the records.
    if event == "os.rename" and kind == "swap" and any(map(swapping, arguments[:2])):
        count()

def swapping(path):
    return os.path.basename(path) == ".venv" or ".clinic" + os.sep + "receipts" in path

sys.addaudithook(watch)
print(flow.rebuild(settings, wheelhouse=file.parent / "wheelhouse", progress=Killed()).outcome)
"""


def run(site: Site, kind: str, limit: int) -> subprocess.CompletedProcess[str]:
    """A rebuild in a process of its own that kills itself at a step."""
    arguments: list[str | Path] = [ROOT / "scripts", site.root / "invoke.yaml", kind, str(limit)]
    return subprocess.run(
        [sys.executable, "-c", _RUN, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("kind", ["step", "swap"])
def test_a_kill_anywhere_loses_nothing(site: Site, kind: str) -> None:
    killed = gaps = 0
    done = None
    for limit in range(1, 60):
        done = run(site, kind, limit)
        if done.returncode == 0:
            break
        assert done.returncode == -9, done.stderr
        killed, gaps = killed + 1, gaps + (not site.venv.exists())
        if site.venv.exists():
            assert flow.diagnose(site.settings).outcome == "healthy", (limit, done.stdout)
            assert (site.venv / "notes.txt").is_file()
        assert flow.rebuild(site.settings, wheelhouse=site.wheelhouse).outcome == "cured"
        assert (site.venv / "notes.txt").read_text(encoding="utf-8") == "keep me"
        assert leftovers(site) == []
    assert done
    assert done.stdout.endswith("cured\n"), done
    assert killed >= {"step": 5, "swap": 3}[kind]
    assert gaps == 0, "old and new change places in one step"


class Interrupting(Steps):
    """Presses Ctrl+C when a step begins."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def step(self, title: str) -> None:
        """One step nearer."""
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt(title)


def test_ctrl_c_anywhere_puts_everything_back(site: Site) -> None:
    before, settings = fingerprint(site.venv), site.settings
    for limit in range(1, 60):
        try:
            flow.rebuild(settings, wheelhouse=site.wheelhouse, progress=Interrupting(limit))
        except KeyboardInterrupt:
            assert fingerprint(site.venv) == before
            assert leftovers(site) == []
        else:
            break
    assert limit > 5


def test_two_at_once(site: Site) -> None:
    words: list[str | Path] = [sys.executable, "-c", _RUN, ROOT / "scripts", site.root / "invoke.yaml", "none", "0"]
    runs = [
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ})
        for _ in range(2)
    ]
    said = [each.communicate(timeout=60) for each in runs]
    codes = sorted(each.returncode for each in runs)
    assert codes in ([0, 1], [0, 0]), said
    if codes == [0, 1]:
        assert any("BusyError" in err for _, err in said)
    assert flow.diagnose(site.settings).outcome == "healthy"
    assert leftovers(site) == []


def test_leftovers_of_others_stay(site: Site) -> None:
    """Those of another environment beside it: each has a lock of its own."""
    own = site.venv
    others = [own.parent / ".clinic-00000000", staging.planned(own.with_name(".venv2")).folder]
    mine = staging.planned(own).folder
    for folder in (*others, mine):
        folder.mkdir()
    library(site.wheelhouse)
    assert flow.rebuild(site.settings, wheelhouse=site.wheelhouse).outcome == "cured"
    assert [folder.is_dir() for folder in (*others, mine)] == [True, True, False]
