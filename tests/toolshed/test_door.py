"""Words in, exit codes out; interrupted, locked, and from odd places."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.toolshed.workbench import WINDOWS
from toolshed.display import how_to_call
from toolshed.shed import Shed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.toolshed.workbench import Clone

posix_only = pytest.mark.skipif(WINDOWS, reason="scripts with a shebang and POSIX signals")


@pytest.fixture
def hanging(clone: Clone, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start bootstrap for a lock that has changed, with a uv that uninstalls and does not come to an end."""
    clone.run("run", "first")
    clone.lock(("invoke", "2.0"), ("nox", "1.0"))
    slow, here = tmp_path / "slow", tmp_path / "uv-is-running"
    slow.mkdir()
    program = (
        f"#!{sys.executable}\nimport pathlib, shutil, sys, time\n"
        "if 'pip' in sys.argv:\n"
        "    tools = pathlib.Path(sys.argv[sys.argv.index('--python') + 1]).parents[1]\n"
        "    for package in tools.rglob('site-packages/invoke*'): shutil.rmtree(package)\n"
        f"    pathlib.Path({str(here)!r}).touch()\n"
        "    time.sleep(60)\n"
    )
    (slow / "uv").write_text(program, encoding="utf-8")
    (slow / "uv").chmod(0o755)
    run = subprocess.Popen(
        clone.command("run", "second"),
        cwd=clone.root,
        env={**clone.env, "PATH": str(slow)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not here.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert here.exists()
    yield run
    run.kill()
    run.communicate()


@posix_only
@pytest.mark.parametrize("numbers", [(signal.SIGINT,), (signal.SIGTERM,), (signal.SIGINT, signal.SIGINT)])
def test_interrupted_everything_is_as_it_was(
    clone: Clone, hanging: subprocess.Popen[str], numbers: tuple[signal.Signals, ...]
) -> None:
    for number in numbers:
        hanging.send_signal(number)
        time.sleep(0.002)  # no longer: a second one has to come before everything is put back
    said = hanging.communicate(timeout=20)[1]
    assert hanging.returncode == 130
    assert "everything is as it was" in said
    assert clone.works()
    assert clone.beside() == []


@posix_only
def test_second_run_meanwhile_says_who_is_at_work(clone: Clone, hanging: subprocess.Popen[str]) -> None:
    busy = clone.run("run", "third")
    assert busy.returncode == 4
    assert f"process {hanging.pid}, since" in busy.stderr
    assert f"since {time.strftime('%Y-')}" in busy.stderr


@posix_only
def test_while_another_run_makes_the_tools_the_old_ones_work(clone: Clone, hanging: subprocess.Popen[str]) -> None:
    assert hanging.poll() is None
    assert clone.works()


@posix_only
def test_killed_the_old_ones_work_and_the_next_run_makes_new_ones(clone: Clone, hanging: subprocess.Popen[str]) -> None:
    os.killpg(hanging.pid, signal.SIGKILL)
    hanging.wait()
    assert clone.works()
    assert clone.run("run", "third").returncode == 0
    assert clone.beside() == []
    assert (clone.site_packages / "invoke-2.0.dist-info").is_dir()


def test_words_exit_codes_and_folders_go_through(clone: Clone, tmp_path: Path) -> None:
    onboard = clone.run()
    root = os.path.realpath(clone.root)
    assert onboard.stdout.splitlines() == [f"invoke|{root}|onboard", "False"]
    assert "invoke" in onboard.stderr.rpartition("Call the tools from this folder:")[2]
    inner = clone.root / "requirements"
    assert clone.run("run", "logs", "--lines", "3", cwd=inner).stdout.startswith(
        f"invoke|{root}{os.sep}requirements|logs|--lines|3"
    )
    assert clone.run("run", "x", cwd=tmp_path).stdout.startswith(f"invoke|{root}|x")
    assert clone.run("test", "-s", "lint", cwd=inner).stdout.startswith(f"nox|{root}|-s|lint")
    assert [clone.run("run", "exit", str(code)).returncode for code in (0, 1, 4, 130)] == [0, 1, 4, 130]


def test_export_that_is_printed_works(clone: Clone) -> None:
    clone.run()
    if WINDOWS:
        assert "$env:PATH" in how_to_call(Shed(clone.root))
        return
    line = next(row for row in how_to_call(Shed(clone.root)).splitlines() if "export" in row)
    shell = shutil.which("sh")
    assert shell
    script = f"{line}\ncommand -v invoke"
    found = subprocess.run([shell, "-c", script], capture_output=True, encoding="utf-8", check=True).stdout
    assert found.strip() == str(clone.bin / "invoke")


def test_a_bug_has_its_own_exit_code_and_a_short_report(clone: Clone) -> None:
    with (clone.root / "scripts" / "toolshed" / "mend.py").open("a", encoding="utf-8") as file:
        file.write("\ndef ensure(shed, display):\n    raise AssertionError('boom')\n")
    broken = clone.run("run", "x")
    assert broken.returncode == 3
    assert "bootstrap: bug: Python" in broken.stderr
    assert "boom" in broken.stderr
