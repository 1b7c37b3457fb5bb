"""What every entry point does first: Ctrl+C is 130 and no traceback; nothing odd is inherited from the caller."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and descriptors of POSIX")

# Says where it stands when a module is about to be imported for the first time, and waits there to be interrupted.
_STOPS_AT = """
import sys, time
class Stop:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            open({mark!r}, "w").close()
            time.sleep(600)
sys.meta_path.insert(0, Stop())
"""
_RUNS = "import runpy, sys; sys.argv[:] = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The suite, without tools."""
    for name in ("scripts", "ai", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__", ".venv*", "*.log"))
    for name in ("tasks.py", "noxfile.py"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def _interrupted(words: Sequence[str], mark: Path, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    with subprocess.Popen(words, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        while not mark.exists() and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
        return subprocess.CompletedProcess(words, child.returncode, out, err)


@pytest.mark.parametrize(
    ("program", "module"),
    [
        (["{clone}/scripts/bootstrap.py"], "toolshed.door"),
        (["{clone}/scripts/bootstrap.py"], "toolshed.mend"),
        (["{clone}/ai/server_manager.py", "--inside-the-tools", "python", "status"], "clinic.service.__main__"),
        (["{clone}/ai/server_manager.py", "--inside-the-tools", "python", "status"], "clinic.report"),
        (["{invoke}", "-r", "{clone}", "status"], "clinic.runbook"),
        (["{invoke}", "-r", "{clone}", "status"], "clinic.runbook.misuse"),
        (["{nox}", "-f", "{clone}/noxfile.py", "-l"], "the noxfile's own"),
    ],
    ids=lambda value: value if isinstance(value, str) else Path(value[0]).name,
)
def test_an_interruption_of_the_first_imports_is_130(clone: Path, program: list[str], module: str) -> None:
    bin_folder = Path(sys.executable).parent
    names = {"clone": clone, "invoke": bin_folder / "invoke", "nox": bin_folder / "nox"}
    words = [word.format(**names) for word in program]
    if module == "the noxfile's own":  # what the noxfile imports is loaded by nox already
        module = "clinic.of_nobody"
        file = clone / "noxfile.py"
        text = file.read_text("utf-8")
        file.write_text(text.replace("import shutil\n", "import shutil\nimport clinic.of_nobody\n"), "utf-8")
    mark = clone / "mark"
    stops = _STOPS_AT.format(module=module, mark=str(mark))
    if "--inside-the-tools" in words:
        stops += f"\nsys.prefix = {str(clone / '.tools')!r}\n"
    done = _interrupted([sys.executable, "-c", stops + _RUNS, *words], mark, clone)
    assert mark.exists(), done.stderr.decode()
    assert done.returncode == 130, done.stderr.decode()
    assert b"Traceback" not in done.stderr


_SHOWS = f"""
import os, signal, sys
sys.path.insert(0, {str(SCRIPTS)!r})
from toolshed import entry
entry.prepare()
names = [n for n in ("SIGCHLD", "SIGTERM", "SIGUSR1", "SIGINT", "SIGHUP")
         if signal.getsignal(getattr(signal, n)) is signal.SIG_IGN]
blocked = [signal.Signals(n).name for n in signal.pthread_sigmask(signal.SIG_BLOCK, ())]
open_ones = [os.fstat(n).st_rdev == os.stat(os.devnull).st_rdev for n in (0, 1, 2)]
with open(sys.argv[1], "w") as told:
    streams = [stream.fileno() for stream in (sys.stdin, sys.stdout, sys.stderr)]
    print(names, blocked, open_ones, told.fileno() > 2, streams, file=told)
"""


def test_what_a_caller_ignores_or_blocks_is_put_right(tmp_path: Path) -> None:
    caller = (
        "import os, signal, sys\n"
        "for name in ('SIGCHLD', 'SIGTERM', 'SIGUSR1', 'SIGINT', 'SIGHUP'):\n"
        "    signal.signal(getattr(signal, name), signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGCHLD, signal.SIGINT))\n"
        "[os.close(number) for number in (0, 1, 2)]\n"
        "os.execv(sys.executable, [sys.executable, '-c', *sys.argv[1:]])\n"
    )
    told = tmp_path / "told"
    done = subprocess.run([sys.executable, "-c", caller, _SHOWS, told], capture_output=True, timeout=60, check=False)
    assert done.returncode == 0
    # A background job's SIGINT and nohup's SIGHUP are ignored on purpose.
    assert told.read_text("utf-8") == "['SIGINT', 'SIGHUP'] [] [True, True, True] True [0, 1, 2]\n"


def test_an_interrupt_waits_for_the_program_that_we_become(tmp_path: Path) -> None:
    second = tmp_path / "second.py"
    second.write_text(
        f"import sys, time; sys.path.insert(0, {str(SCRIPTS)!r})\n"
        "from toolshed import entry\n"
        "entry.prepare()\n"
        "time.sleep(600)\n",
        "utf-8",
    )
    first = (
        f"import os, signal, sys; sys.path.insert(0, {str(SCRIPTS)!r})\n"
        "from toolshed import entry\n"
        "with entry.interrupts_held():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        f"    os.execv(sys.executable, [sys.executable, {str(second)!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", first], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (130, b"")


def test_somebody_else_may_import_the_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    from toolshed import entry

    for program, reads in (("/x/bin/invoke", True), ("/x/invoke/__main__.py", True), ("/x/bin/pytest", False)):
        monkeypatch.setattr(sys, "argv", [program])
        assert entry.run_by("invoke", "inv") is reads
    before = signal.getsignal(signal.SIGINT)
    entry.prepare_invoke()
    entry.prepare_nox()
    assert signal.getsignal(signal.SIGINT) is before
