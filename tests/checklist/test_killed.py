"""However `validate` ends - asked, hung up, killed - no process and no folder of its shadows stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from clinic import flow
from clinic.checklist import cleanup, stage
from clinic.service.table import command, look, numbers, variable
from tests.ways.project import Project

ROOT = Path(__file__).resolve().parents[2]
LIMIT = 120.0  # seconds; what is waited for takes a few
MOMENTS = {
    "start": ("server_manager.py", "start"),
    "serving": ("wrapper.py", "tinybridge"),
    "terminal": ("actors.py", "start"),
    "monitor": ("actors.py", "keep-alive"),
    "recorder": ("recorder.py",),
}
"""What runs at a moment of `validate`, by words of its command line."""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="tests/windows/test_validate.py kills it there")


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of its own; its path, among the variables of all that validate starts, tells whose that is."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def below(temp: Path) -> dict[int, str]:
    """Every process that has this temporary folder, with its command line; not those that are zombies."""
    pids = [pid for pid in numbers() if variable(pid, "TMPDIR") == str(temp)]
    return {pid: " ".join(command(pid)) for pid in pids if (row := look(pid)) and row.state != "Z"}


def seen(temp: Path, words: tuple[str, ...]) -> bool:
    """Whether a process runs whose command line has these words."""
    return any(all(word in line for word in words) for line in below(temp).values())


def words_of(project: Project) -> list[str]:
    return [sys.executable, "-m", "invoke", "-f", str(project.root / "p.yaml"), "validate", "--json"]


@contextmanager
def validating(project: Project, temp: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A `validate` that runs; what it leaves is ended with the block."""
    env, pipe = {**os.environ, "TMPDIR": str(temp)}, subprocess.PIPE
    with subprocess.Popen(words_of(project), cwd=ROOT, env=env, stdout=pipe, start_new_session=True) as running:
        try:
            yield running
        finally:
            for pid in below(temp):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def nothing_is_left(temp: Path) -> bool:
    return bool(stage.until(lambda: not below(temp) and not list(temp.iterdir()), LIMIT))


@pytest.mark.parametrize(
    ("number", "moment"),
    [
        *((signal.SIGKILL, moment) for moment in MOMENTS),
        *((signal.SIGTERM, moment) for moment in ("start", "monitor")),
        *((signal.SIGHUP, moment) for moment in ("start", "recorder")),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_nothing_stays(number: signal.Signals, moment: str, project: Project, temp: Path) -> None:
    with validating(project, temp) as running:
        assert stage.until(lambda: seen(temp, MOMENTS[moment]), LIMIT)
        running.send_signal(number)
        said, _ = running.communicate(timeout=LIMIT)
        if number != signal.SIGKILL:
            assert (running.returncode, json.loads(said)["exit_code"]) == (130, 130)
        assert nothing_is_left(temp), below(temp) or list(temp.iterdir())


def test_nothing_stays_behind_a_terminal_that_is_closed(
    project: Project, temp: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a window that is closed, or a tmux that ends: nobody reads any more, and the hang-up comes."""
    monkeypatch.setenv("TMPDIR", str(temp))
    code = "import os, sys; os.chdir(sys.argv[1]); os.execv(sys.executable, [sys.executable, *sys.argv[3:]])"
    with stage.terminal(tmp_path, [sys.executable, "-c", code, str(ROOT), *words_of(project)]) as window:
        assert stage.until(lambda: seen(temp, MOMENTS["monitor"]), LIMIT), window.shown()
        assert window.close()
        assert nothing_is_left(temp), below(temp) or list(temp.iterdir())


def test_what_was_killed_with_its_cleanup_is_named_and_removed_by_the_next(project: Project, temp: Path) -> None:
    with validating(project, temp) as running:
        assert stage.until(lambda: seen(temp, MOMENTS["terminal"]), LIMIT)
        for pid in [pid for pid, line in below(temp).items() if "wait_and_remove" in line]:
            os.kill(pid, signal.SIGKILL)
        assert cleanup.leftovers() == [], "it still runs"
        running.kill()
        running.wait()
        (folder,) = temp.iterdir()
        (note,) = flow.server_status(project.settings).notes
        assert note.startswith("Left by a validate that was killed: ")
        assert str(folder) in note
        swept = flow.validate(project.settings, quick=True).notes
        assert len(swept) == 1
        assert swept[0].startswith("Left by a validate that was killed, and removed: ")
        assert nothing_is_left(temp), below(temp)
    assert flow.server_status(project.settings).notes == ()


def test_only_what_is_ours_for_certain_is_swept(temp: Path) -> None:
    kept, empty, unsigned = (temp / f"clinic-shadow-{pid}-x" for pid in ("4194305", "4194306", "4194307"))
    for folder in (kept, empty, unsigned):
        folder.mkdir()
    (kept / "thesis.txt").write_text("mine", encoding="ascii")
    (temp / "clinic-shadow-link").symlink_to(kept)
    (temp / "clinic-shadow-4194308-x").write_text("a file", encoding="ascii")
    (unsigned / "starter.json").write_text('{"pid": 4194307, "started": "', encoding="ascii")
    assert [each.folder for each in cleanup.leftovers()] == [empty.resolve()]
    cleanup.sweep()
    left = {path.name for path in temp.iterdir()}
    assert left == {kept.name, unsigned.name, "clinic-shadow-link", "clinic-shadow-4194308-x"}
    assert (kept / "thesis.txt").read_text(encoding="ascii") == "mine"


def test_of_a_starter_that_lives_nothing_is_swept(temp: Path) -> None:
    with cleanup.folder_of_a_shadow(1.0) as folder:
        assert cleanup.sweep() == ()
        assert folder.is_dir()
    assert list(temp.iterdir()) == []


def test_without_a_temporary_folder_nothing_is_left(temp: Path) -> None:
    temp.rmdir()
    assert cleanup.leftovers() == []
