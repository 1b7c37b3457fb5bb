"""Who runs from an environment: real processes, named; and what that means on which platform."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from clinic.errors import RefusedError
from clinic.service import holders as holding
from clinic.service.holders import Holder, holders, refuse

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="environments are made with links here")
WAIT = "print('here', flush=True); input()"


class Start(Protocol):
    """Starts a program that says when it is there."""

    def __call__(self, *words: str | Path, cwd: Path | None = None) -> int:
        """Its pid."""


@pytest.fixture
def start() -> Iterator[Start]:
    """Programs that end with the test."""
    with ExitStack() as stack:

        def begin(*words: str | Path, cwd: Path | None = None) -> int:
            child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=cwd)
            stack.enter_context(child)
            stack.callback(child.kill)
            assert child.stdout
            assert child.stdout.readline()
            return child.pid

        yield begin


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A bare environment."""
    place = tmp_path / "env of mine"
    base = sys._base_executable  # type: ignore[attr-defined]
    subprocess.run([base, "-m", "venv", "--without-pip", place], check=True, timeout=60)
    return place


def test_nobody_holds_what_nobody_runs(venv: Path) -> None:
    assert holders(venv) == ()


def test_who_runs_its_python_is_named(venv: Path, start: Start) -> None:
    script = venv.parent / "serve.py"
    script.write_text(WAIT, encoding="utf-8")
    before = time.time()
    pid = start(venv / "bin" / "python", "-u", script, "--port", "1")
    (found,) = holders(venv)
    assert (found.pid, found.name, found.how) == (pid, "serve.py", "runs from this environment")
    assert found.command.startswith(f"{venv / 'bin' / 'python'} -u ")
    assert before - 1 < found.since < time.time() + 1
    assert f"pid {pid} serve.py (" in str(found)


def test_a_module_and_a_relative_call_are_named_too(venv: Path, start: Start) -> None:
    (venv.parent / "tinymod.py").write_text(WAIT, encoding="utf-8")
    one = start(venv / "bin" / "python", "-m", "tinymod", cwd=venv.parent)
    other = start("./python", "-c", WAIT, cwd=venv / "bin")
    assert {each.pid: each.name for each in holders(venv)} == {one: "tinymod", other: "python"}
    assert [each.pid for each in holders(venv, besides=[one])] == [other]


def test_where_there_is_no_proc_psutil_finds_the_same(venv: Path, start: Start) -> None:
    library = venv / "lib" / "x.so"
    library.write_bytes(b"x" * 4096)
    code = f"import mmap; f = open({str(library)!r}); m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ); {WAIT}"
    runs = start(venv / "bin" / "python", "-c", WAIT)
    start("tail", "-n", "1", "-f", venv / "pyvenv.cfg")
    seen = {runs: "runs from this environment"}
    if sys.platform == "linux":
        seen[start(sys._base_executable, "-c", code)] = "has files of it loaded"  # type: ignore[attr-defined]
    roots = tuple(f"{root}{os.sep}" for root in {venv, venv.resolve()})
    assert dict(holding.by_psutil(roots)) == seen


def test_through_a_link_to_the_folder(venv: Path, start: Start, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(venv)
    pid = start(venv / "bin" / "python", "-c", WAIT)
    assert [each.pid for each in holders(link)] == [pid]


@pytest.mark.skipif(sys.platform != "linux", reason="macOS tells nobody's maps")
def test_another_python_that_has_a_file_of_it_loaded(venv: Path, start: Start) -> None:
    library = venv / "lib" / "x.so"
    library.write_bytes(b"x" * 4096)
    code = f"import mmap; f = open({str(library)!r}); m = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ); {WAIT}"
    pid = start(sys._base_executable, "-c", code)  # type: ignore[attr-defined]
    (found,) = holders(venv)
    assert (found.pid, found.how) == (pid, "has files of it loaded")


def test_who_only_looks_at_its_files_is_not(venv: Path, start: Start) -> None:
    start("tail", "-n", "1", "-f", venv / "pyvenv.cfg")
    start(sys.executable, "-c", WAIT, venv / "bin" / "python")
    assert holders(venv) == ()


HELD = (Holder(12, "uvicorn", "python -m uvicorn app", 1.7e9, "runs from this environment"),)


def test_windows_refuses_and_names(tmp_path: Path) -> None:
    with pytest.raises(RefusedError) as told:
        refuse(HELD, tmp_path, "windows")
    assert (told.value.code, told.value.exit_code) == ("venv-in-use", 2)
    assert "pid 12 uvicorn (python -m uvicorn app), since 20" in told.value.message
    assert "Nothing was touched" in told.value.message
    assert refuse((), tmp_path, "windows") == ()


def test_posix_tells_that_the_old_files_stay(tmp_path: Path) -> None:
    (note,) = refuse(HELD, tmp_path, "posix")
    assert note.startswith("pid 12 uvicorn (")
    assert note.endswith("runs from this environment: it keeps the old files until it is restarted")
