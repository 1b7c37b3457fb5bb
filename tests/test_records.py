"""Transactions, the stash, undo, and the lock."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clinic import fs
from clinic.errors import BusyError, MachineError, RefusedError
from clinic.records import EVENTS_CAP, Records

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / ".clinic")


def test_a_committed_write_keeps_the_old_file_and_is_undone(records: Records, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    before = file.stat().st_mtime_ns
    with records.transaction("test", tmp_path) as change:
        change.write(file, b"new")
        receipt = change.commit()
    assert file.read_bytes() == b"new"
    assert receipt.stash is not None
    assert (receipt.stash / "f").read_bytes() == b"old"
    entry = records.standing()[0]
    records.undo(entry)
    assert (file.read_bytes(), file.stat().st_mtime_ns) == (b"old", before)
    assert not records.standing()


def test_leaving_without_commit_puts_everything_back(records: Records, tmp_path: Path) -> None:
    file, folder, fresh = tmp_path / "f", tmp_path / "d", tmp_path / "new"
    file.write_bytes(b"old")
    folder.mkdir()
    (folder / "in").write_bytes(b"x")

    def interrupted() -> None:
        with records.transaction("test", tmp_path) as change:
            change.write(file, b"new")
            change.write(folder, b"file instead of a folder")
            change.write(fresh, b"fresh")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert file.read_bytes() == b"old"
    assert (folder / "in").read_bytes() == b"x"
    assert not fresh.exists()
    assert [entry.state for entry in records.entries()] == ["restored"]


KILLED = """
import os, signal, sys
from pathlib import Path
from clinic import fs
from clinic.records import Records
folder, step = Path(sys.argv[1]), sys.argv[2]
real = getattr(fs, step)
def dies(*args, **kwargs):
    if args[0].name == ".gitignore":
        return real(*args, **kwargs)
    if sys.argv[3] == "after":
        real(*args, **kwargs)
    os.kill(os.getpid(), signal.SIGKILL)
setattr(fs, step, dies)
with Records(folder / ".clinic").lock("test", folder):
    with Records(folder / ".clinic").transaction("test", folder) as change:
        change.write(folder / "f", b"new")
        change.commit()
"""


@pytest.mark.skipif(os.name == "nt", reason="kill -9 is a POSIX word")
@pytest.mark.parametrize("step", ["keep", "write_atomically"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_the_next_run_puts_back_what_a_killed_one_left(tmp_path: Path, step: str, when: str) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path, step, when],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    records = Records(tmp_path / ".clinic")
    assert records.notes()
    with records.lock("next", tmp_path) as recovered:
        assert [entry.remedy for entry in recovered] == ["test"]
    assert file.read_bytes() == b"old"
    assert not records.notes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".clinic", "f"], "no temporary file, no lock"


def test_a_busy_lock_names_its_holder(records: Records, tmp_path: Path) -> None:
    """Of whatever project: the lock is the environment's."""
    other = Records(tmp_path / "another" / ".clinic")
    with records.lock("rebuild", tmp_path / "v"), pytest.raises(BusyError) as caught, other.lock("x", tmp_path / "v"):
        pass
    assert str(os.getpid()) in caught.value.message
    assert "rebuild" in caught.value.message
    assert time.strftime("%Y-") in caught.value.message
    with records.lock("again", tmp_path / "v"):
        assert (tmp_path / ".v.lock").is_file()
    assert not (tmp_path / ".v.lock").exists()


def test_a_lost_stash_is_a_refusal_that_changes_nothing(records: Records, tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")
    with records.transaction("test", tmp_path) as change:
        change.write(file, b"new")
        receipt = change.commit()
    assert receipt.stash is not None
    (receipt.stash / "f").unlink()
    entry = records.standing()[0]
    with pytest.raises(RefusedError):
        records.undo(entry)
    assert file.read_bytes() == b"new"


def test_a_receipt_that_is_none_is_passed_over(records: Records, tmp_path: Path) -> None:
    with records.transaction("test", tmp_path) as change:
        change.write(tmp_path / "f", b"new")
        change.commit()
    folder = records.store.folder
    for name in ("20200101T000000.000000-fix-cfg-0001", "20200101T000000.000000-fix-cfg-0002"):
        (folder / f"{name}.jsonl").write_text("{", encoding="utf-8")
        (folder / f"{name}.json").write_text("[]", encoding="utf-8")
        (folder / f"{name}.pending").write_text("{}", encoding="utf-8")
    (folder / "of somebody.jsonl").write_text("{}", encoding="utf-8")
    assert [entry.state for entry in records.entries()] == ["foreign"] * 6 + ["done"]
    assert [entry.remedy for entry in records.standing()] == ["test"]


def test_events_are_lines_of_json(records: Records) -> None:
    records.event("one", path=Path("x"))
    records.event("two")
    lines = (records.folder / "events.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["event"] for line in lines] == ["one", "two"]


def test_snapshots_are_told_apart_by_path(records: Records, tmp_path: Path) -> None:
    records.save_snapshot(tmp_path / "a" / "venv", {"n": 1})
    records.save_snapshot(tmp_path / "b" / "venv", {"n": 2})
    assert records.snapshot(tmp_path / "a" / "venv") == {"n": 1}
    assert records.snapshot(tmp_path / "c" / "venv") is None


def test_events_are_limited(tmp_path: Path) -> None:
    records = Records(tmp_path)
    (tmp_path / "events.jsonl").write_text("x" * (EVENTS_CAP + 1), encoding="utf-8")
    records.event("one")
    records.event("two")
    assert (tmp_path / "events.jsonl").read_text("utf-8").count("\n") == 2
    assert (tmp_path / "events.1.jsonl").stat().st_size > EVENTS_CAP


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permission bits")
def test_a_written_file_keeps_its_mode_where_no_second_name_can_be_had(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on exFAT, or a network mount: the old file is moved away before the new one is written."""

    def refused(*_args: object, **_more: object) -> None:
        raise PermissionError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refused)
    file = tmp_path / "f"
    file.write_bytes(b"old")
    file.chmod(0o755)
    with records.transaction("test", tmp_path) as change:
        change.write(file, b"new")
        change.commit()
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new", 0o755)


@pytest.mark.parametrize(("winerror", "code"), [(None, "not-writable"), (32, "file-in-use")])
def test_what_could_not_be_moved_leaves_no_folder_behind(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, winerror: int | None, code: str
) -> None:
    path = tmp_path / "b"
    path.mkdir()

    def denied(source: Path, target: Path) -> None:
        error = PermissionError(errno.EACCES, "Permission denied", str(source), None, str(target))
        setattr(error, "winerror", winerror)  # noqa: B010 - unknown to mypy elsewhere
        raise error

    monkeypatch.setattr(fs, "_RETRY_FOR", 0)

    def moved() -> None:
        with records.transaction("relink", tmp_path) as change:
            monkeypatch.setattr(fs, "_rename", denied)
            change.stash(path)

    with pytest.raises(MachineError) as caught:
        moved()
    assert (caught.value.code, caught.value.exit_code) == (code, 2)
    assert path.is_dir()
    assert not list((records.folder / "stash").iterdir())


def test_a_pipe_in_the_place_of_a_record_keeps_nobody_waiting(records: Records, tmp_path: Path) -> None:
    mkfifo = getattr(os, "mkfifo", None)
    if mkfifo is None:
        pytest.skip("there are no named pipes in folders here")
    records.save_snapshot(tmp_path, {})
    (snapshot,) = (records.folder / "snapshots").iterdir()
    snapshot.unlink()
    (records.folder / "receipts").mkdir()
    receipt = records.folder / "receipts" / "20260101T000000.000000-test-00ff.pending"
    for path in (snapshot, records.folder / "events.jsonl", receipt):
        mkfifo(path)
    records.event("start")
    assert records.snapshot(tmp_path) is None
    assert [entry.state for entry in records.entries()] == ["foreign"]


def test_a_folder_that_holds_something_else_becomes_no_records_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / ".gitignore").write_text("build/\n", encoding="utf-8")
    (data / "thesis.txt").touch()
    wrong = Records(data)
    wrong.event("start")
    with pytest.raises(RefusedError) as refused, wrong.lock("test", tmp_path / "venv"):
        pass
    assert (refused.value.code, "thesis.txt" in refused.value.message) == ("records-in-the-way", True)
    assert sorted(path.name for path in data.iterdir()) == [".gitignore", "thesis.txt"]


@pytest.mark.parametrize("name", ["lost+found", ".DS_Store"])
def test_a_new_volume_becomes_the_records_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "volume" / name).mkdir(parents=True)
    Records(tmp_path / "volume").ready()
    assert (tmp_path / "volume" / ".gitignore").is_file()


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="only root can act for somebody else")
def test_what_root_records_in_somebodys_project_is_theirs(tmp_path: Path) -> None:
    os.chown(tmp_path, 12345, 12345)
    venv = tmp_path / "venv"
    venv.mkdir()
    os.chown(venv, 12345, 12345)
    (venv / "f").touch()
    records = Records(tmp_path / ".clinic")
    with records.lock("test", venv), records.transaction("test", venv) as change:
        change.write(venv / "f", b"new")
        change.commit()
    records.save_snapshot(venv, {})
    made = [records.folder, *records.folder.rglob("*")]
    assert {path.lstat().st_uid for path in made if path.parent.parent.name != "stash"} == {12345}
    assert {stat.S_IMODE(path.stat().st_mode) for path in made if path.is_dir() and path.parent.name != "stash"} == {
        0o700
    }
    planted = next((records.folder / "receipts").iterdir())
    os.chown(planted, 54321, 54321)
    (entry,) = records.entries()
    assert (entry.state, entry.why) == ("foreign", f"{planted} belongs to 54321")
