"""Ways in which work was lost, each as it was met: killed, copied, planted, made anew by hand, on a full disk."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from clinic import fs, lock
from clinic.errors import BusyError, RefusedError
from clinic.records import Entry, Records, expiry
from tests.journal.world import ENV, Fault, Outcome, Today, make, plant, run, state, tree

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a child is forked for each run, to be really killed")


@pytest.fixture
def project(tmp_path: Path) -> Today:
    """A project with an environment, and with work of somebody's beside it."""
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "src" / "thesis.txt").write_text("years of work", "utf-8")
    make(root / ENV, "first")
    return Today(root)


def repaired(project: Today, kind: str, token: str) -> str:
    """A repair that holds; returns its id."""
    made = project.repair(kind, token, holds=True)  # type: ignore[arg-type]
    assert made
    return made


def each_kill(work: Callable[[], object], again: Callable[[], None]) -> int:
    """Kill it before each of its changes, one after the other; what is to be seen after each is `again`."""
    for at in range(1, 200):
        if run(work, Fault("kill", at)).kind != "killed":
            return at - 1
        again()
    raise AssertionError("it takes more steps than this test tries")


def test_an_environment_made_anew_by_hand_is_left_alone(project: Today, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two entries can't change places, a rebuild may be killed while nothing is at the place."""
    monkeypatch.setattr(fs, "exchange", lambda *_: False)
    met = 0
    root = project.root
    for at in range(1, 60):
        shutil.rmtree(root)
        root.mkdir()
        make(project.venv, "old")
        (project.venv / "note-old").write_text("old notes", "utf-8")
        if run(lambda: project.repair("rebuild", "new", holds=True), Fault("kill", at)).kind != "killed":
            break
        if project.venv.exists():
            continue
        met += 1
        make(project.venv, "by hand")
        (project.venv / "note-new").write_text("weeks of notes", "utf-8")
        assert project.recover()
        assert (project.venv / "note-new").read_text("utf-8") == "weeks of notes"
        (entry,) = project.records.entries()
        assert entry.state == "overtaken"
        assert entry.stash is not None
        assert "old notes" in str(tree(entry.stash))
    assert met


@pytest.mark.skipif(sys.platform not in {"linux", "darwin"}, reason="entries change places on Linux and macOS")
def test_there_is_no_moment_without_an_environment(project: Today) -> None:
    repaired(project, "rebuild", "1")
    seen: list[bool] = []
    points = each_kill(lambda: project.repair("rebuild", "2", holds=True), lambda: seen.append(project.venv.is_dir()))
    points += each_kill(project.undo, lambda: seen.append(project.venv.is_dir()))
    assert seen == [True] * points
    assert points > 10


def test_a_copy_acts_on_itself(project: Today, tmp_path: Path) -> None:
    repaired(project, "fix-cfg", "cured")
    repaired(project, "rebuild", "rebuilt")
    before = tree(project.root)
    copy = Today(tmp_path / "copy")
    shutil.copytree(project.root, copy.root, symlinks=True)
    assert copy.undo()
    assert "cured" in state(copy.venv)
    copy.undo()
    assert tree(project.root) == before


def test_a_moved_project_keeps_its_undo(project: Today, tmp_path: Path) -> None:
    before = state(project.venv)
    repaired(project, "rebuild", "rebuilt")
    moved = Today(project.root.rename(tmp_path / "moved"))
    assert moved.undo()
    assert state(moved.venv) == before


def test_an_environment_outside_is_of_the_project_that_repaired_it(tmp_path: Path) -> None:
    venv, root = tmp_path / "shared" / ENV, tmp_path / "project"
    root.mkdir()
    make(venv, "first")
    records = Records(root / ".clinic", root)
    with records.transaction("fix-cfg", venv) as change:
        change.write(venv / "pyvenv.cfg", b"home = new\n")
        change.commit()
    assert records.standing(venv)
    shutil.copytree(root, tmp_path / "copy")
    copied = Records(tmp_path / "copy" / ".clinic", tmp_path / "copy")
    (entry,) = copied.entries()
    assert (entry.state, copied.standing(venv)) == ("foreign", [])
    with pytest.raises(RefusedError, match="another project"):
        copied.undo(entry)
    moved = root.rename(tmp_path / "moved")
    assert not Records(moved / ".clinic", moved).standing(venv)


@pytest.mark.parametrize("kind", range(7))
@pytest.mark.parametrize("victim", ["src", "src/thesis.txt"])
def test_a_receipt_leads_nowhere_but_into_its_environment(project: Today, kind: int, victim: str) -> None:
    repaired(project, "fix-cfg", "cured")
    before = tree(project.root / "src"), state(project.venv)
    plant(project.root, kind, project.root / victim, "1")
    project.recover()
    for entry in project.records.entries():
        if "dead" in entry.id:
            assert entry.state == "foreign"
            with pytest.raises(RefusedError):
                project.records.undo(entry)
    assert (tree(project.root / "src"), state(project.venv)) == before


def test_undo_goes_back_once_also_if_it_is_killed_and_typed_again(project: Today) -> None:
    first = state(project.venv)
    repaired(project, "rebuild", "1")
    second = state(project.venv)
    repaired(project, "fix-cfg", "2")
    third = state(project.venv)
    copy = project.root.with_name("kept")
    shutil.copytree(project.root, copy, symlinks=True)
    for at in range(1, 60):
        shutil.rmtree(project.root)
        shutil.copytree(copy, project.root, symlinks=True)
        killed = run(project.undo, Fault("kill", at)).kind == "killed"
        if not killed:
            break
        project.undo()
        assert state(project.venv) in {second, third}, at
        assert state(project.venv) != first
    assert at > 8


def test_a_receipt_is_of_one_environment_that_was_at_the_place(project: Today) -> None:
    states = [state(project.venv)]
    for kind, token in (("fix-cfg", "1"), ("rebuild", "2"), ("rebuild", "3")):
        repaired(project, kind, token)
        states.append(state(project.venv))
    for expected in states[-2::-1]:
        assert project.undo()
        assert state(project.venv) == expected
    assert project.undo() is None


def test_what_was_changed_since_is_not_taken_back(project: Today) -> None:
    repaired(project, "fix-cfg", "1")
    with (project.venv / "pyvenv.cfg").open("a", encoding="utf-8") as stream:
        stream.write("# by hand\n")
    now = state(project.venv)
    with pytest.raises(RefusedError) as caught:
        project.undo()
    assert (caught.value.code, state(project.venv)) == ("overtaken", now)
    assert [entry.state for entry in project.records.entries()] == ["overtaken"]


def test_an_older_repair_waits_for_the_newer_one(project: Today) -> None:
    old, new = repaired(project, "fix-cfg", "1"), repaired(project, "fix-cfg", "2")
    with pytest.raises(RefusedError) as caught:
        project.undo(old)
    assert caught.value.hint == f"invoke undo {new}"


def test_redo_and_undo_again(project: Today) -> None:
    before = state(project.venv)
    repaired(project, "rebuild", "1")
    after = state(project.venv)
    for expected in (before, after, before, after):
        newest = project.records.entries()[-1]
        assert project.undo(newest.id)
        assert state(project.venv) == expected
    assert [entry.remedy for entry in project.records.entries()] == ["rebuild", "undo", "redo", "undo", "redo"]


@pytest.mark.parametrize("kind", ["full", "full-from"])
@pytest.mark.parametrize("repair", ["fix-cfg", "relink", "reinstall", "rebuild"])
def test_a_full_disk_anywhere_tells_the_truth(project: Today, kind: str, repair: str) -> None:
    for at in range(1, 60):
        before, token = state(project.venv), f"{at}."
        outcome: Outcome = run(lambda token=token: project.repair(repair, token, holds=True), Fault(kind, at))  # type: ignore[misc,arg-type]
        now = state(project.venv)
        if outcome.kind == "done":
            assert token in now
        elif outcome.said[0] != "records-not-writable":
            assert outcome.said[0] == "disk-full", outcome
            assert now == before, outcome
        project.recover()
        assert state(project.venv) == now
        shutil.rmtree(project.venv.parent / ".clinic-01234567", ignore_errors=True)


# What it costs, and what is given up


def test_steps_are_appended_and_flushed_together(project: Today, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [project.venv / "lib" / f"{number}.py" for number in range(2000)]
    for file in files:
        file.touch()
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    with project.records.transaction("reinstall", project.venv) as change:
        change.stash(*files)
        change.commit()
    (receipt,) = project.records.store.folder.iterdir()
    assert receipt.stat().st_size < 1_000_000
    assert len(flushed) < 20
    (entry,) = project.records.standing()
    project.records.undo(entry)
    assert all(file.is_file() for file in files)


def test_a_look_reads_few_of_many_receipts(project: Today, monkeypatch: pytest.MonkeyPatch) -> None:
    repaired(project, "fix-cfg", "1")
    folder = project.records.store.folder
    (receipt,) = folder.iterdir()
    for number in range(1000):
        (folder / f"20200101T000000.{number:06d}-fix-cfg-0000.jsonl").write_bytes(receipt.read_bytes())
    read: list[Path] = []
    real = project.records.store.read

    def counted(path: Path) -> Entry:
        read.append(path)
        return real(path)

    monkeypatch.setattr(project.records.store, "read", counted)
    assert project.records.past_of(project.venv)[0] > 0
    assert project.records.notes() == ()
    assert len(read) == 200


def test_old_backups_go_and_the_newest_stays(project: Today, monkeypatch: pytest.MonkeyPatch) -> None:
    for token in "123":
        repaired(project, "rebuild", token)
    monkeypatch.setattr(expiry, "LASTS", -60.0)
    repaired(project, "fix-cfg", "4")
    assert [entry.remedy for entry in project.records.entries()] == ["rebuild", "fix-cfg"]
    assert sorted(path.name for path in (project.root / ".clinic" / "stash").iterdir()) == project.ids()


def test_a_backup_that_something_is_mounted_in_stays(project: Today, monkeypatch: pytest.MonkeyPatch) -> None:
    first = repaired(project, "rebuild", "1")
    place = project.root / ".clinic" / "stash" / first / ENV / "data"
    monkeypatch.setattr("clinic.anatomy.ownership._mounted", lambda: [(place, "nfs4")])
    monkeypatch.setattr(expiry, "LASTS", -60.0)
    for token in "23":
        repaired(project, "rebuild", token)
    assert first in {path.name for path in (project.root / ".clinic" / "stash").iterdir()}


def test_beyond_the_limit_the_oldest_backups_go(project: Today, monkeypatch: pytest.MonkeyPatch) -> None:
    for token in "123":
        repaired(project, "rebuild", token)
    assert all(entry.stash and entry.kept_bytes for entry in project.records.entries())
    monkeypatch.setattr(expiry, "MOST", 1)
    removed = project.records.expire(project.venv)
    assert [entry.state for entry in project.records.entries()] == ["expired", "expired", "done"]
    assert len(removed) == 2
    assert project.undo()


def test_a_backup_without_its_receipt_is_listed(project: Today) -> None:
    repaired(project, "rebuild", "1")
    shutil.rmtree(project.records.store.folder)
    (entry,) = project.records.entries()
    assert (entry.state, entry.stash) == ("foreign", project.listed()[0])


def test_projects_that_share_their_records_keep_the_backups_of_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `records` in ~/.invoke.yaml says it for all of somebody's projects."""
    shared, one, other = tmp_path / "records", tmp_path / "one", tmp_path / "other"
    for root in (one, other):
        make(root / ENV, "first")
    mine, theirs = Records(shared, one), Records(shared, other)

    def rebuilt(records: Records, text: str) -> str:
        venv, made = records.root / ENV, records.root / ".clinic-0123abcd" / "new"
        make(made, text)
        with records.lock("rebuild", venv), records.transaction("rebuild", venv) as change:
            change.swap(made, venv)
            return change.commit().id

    kept = rebuilt(mine, "second")
    killed = rebuilt(mine, "third")
    closed, pending = (mine.store.file(killed, suffix) for suffix in (".jsonl", ".pending"))
    lines = closed.read_bytes().splitlines(keepends=True)
    pending.write_bytes(b"".join(line for line in lines if b"state" not in line))
    closed.unlink()
    monkeypatch.setattr(expiry, "LASTS", -60.0)
    rebuilt(theirs, "fourth")
    assert {path.name for path in (shared / "stash").iterdir()} >= {kept, killed}
    foreign = next(entry for entry in theirs.entries() if entry.id == kept)
    assert (foreign.state, foreign.venv) == ("foreign", one / ENV)


# The lock


def test_a_file_system_without_locks_is_named(project: Today, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def none(_descriptor: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", none)
    with pytest.raises(RefusedError) as caught, project.records.lock("heal", project.venv):
        pass
    assert (caught.value.code, "has no locks" in caught.value.message) == ("no-lock", True)
    with pytest.raises(RefusedError, match="has no locks"), lock.held(project.root / "x.lock", "start"):
        pass


def test_a_link_to_an_environment_has_the_lock_of_the_environment(project: Today, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(project.venv)
    with project.records.lock("heal", project.venv), pytest.raises(BusyError):  # noqa: SIM117 - the second is refused
        with Records(tmp_path / "other").lock("heal", link):
            pass
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    assert lock.of_environment(link) == tmp_path / ".link.lock"


def test_the_lock_of_a_read_only_place_is_in_the_users_run_folder(
    project: Today, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != project.root and access(path, mode))
    place = lock.of_environment(project.venv)
    assert place.parent == tmp_path / "bridge-clinic"
    with lock.held(place, "heal"):
        assert place.is_file()
    assert not place.exists()


# Files: whose they are, and what is in the way


def test_nothing_outside_is_changed_through_a_link(project: Today) -> None:
    shutil.rmtree(project.venv / "bin")
    (project.venv / "bin").symlink_to(project.root / "src")
    before = tree(project.root / "src")

    def moved() -> None:
        with project.records.transaction("fix-cfg", project.venv) as change:
            change.write(project.venv / "pyvenv.cfg", b"home = new\n")
            change.stash(project.venv / "bin" / "thesis.txt")

    with pytest.raises(RefusedError, match="outside of the environment"):
        moved()
    assert tree(project.root / "src") == before
    assert "first" in (project.venv / "pyvenv.cfg").read_text("utf-8")


def test_a_move_overwrites_no_file(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_text(name, "utf-8")
    with pytest.raises(FileExistsError):
        fs.move(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text("utf-8") == "b"


def test_what_replaces_is_reached_by_whom_the_old_one_was(project: Today) -> None:
    """A umask of 077 locked the service's own user out of the rebuilt environment."""
    (project.venv / "note-1").write_text("secret", "utf-8")
    (project.venv / "note-1").chmod(0o600)
    for folder in ("bin", "lib", "lib/site"):
        (project.venv / folder).chmod(0o755)
    project.venv.chmod(0o750)
    before = os.umask(0o077)
    try:
        repaired(project, "rebuild", "1")
    finally:
        os.umask(before)

    def modes(*names: str) -> list[str]:
        return [oct((project.venv / name).stat().st_mode & 0o777) for name in names]

    assert modes(".", "bin", "lib/site") == ["0o750", "0o755", "0o755"]
    assert modes("lib/site/pkg/a.py", "pyvenv.cfg") == ["0o644", "0o640"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="root gives files away")
def test_a_repair_as_root_leaves_the_owner(project: Today) -> None:
    for path in [project.venv, *project.venv.rglob("*")]:
        os.chown(path, 12345, 12346, follow_symlinks=False)
    for kind in ("fix-cfg", "relink", "reinstall", "rebuild"):
        repaired(project, kind, kind)
        owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in [project.venv, *project.venv.rglob("*")]}
        assert owners == {(12345, 12346)}, kind


def test_cleaning_never_changes_what_a_link_leads_to(tmp_path: Path) -> None:
    base, folder = tmp_path / "base", tmp_path / "old" / "bin"
    base.write_text("python", "utf-8")
    base.chmod(0o755)
    folder.mkdir(parents=True)
    (folder / "python").symlink_to(base)
    folder.chmod(0o555)
    fs.remove(tmp_path / "old")
    assert not (tmp_path / "old").exists()
    assert base.stat().st_mode & 0o777 == 0o755


def test_backups_on_another_filesystem_are_put_back_and_undone(project: Today, tmp_path: Path) -> None:
    """An environment that is a link to another disk: two entries can't change places then."""
    other = Path("/dev/shm")  # noqa: S108 - a filesystem of its own, where there is one
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second filesystem to write to")
    far = other / f"clinic-test-{os.getpid()}"
    try:
        shutil.move(project.venv, far)
        project.venv.symlink_to(far)
        records = Records(project.root / ".clinic", project.root)
        cfg = project.venv / "pyvenv.cfg"
        before = cfg.read_bytes()
        with records.lock("fix-cfg", project.venv), records.transaction("fix-cfg", project.venv) as change:
            change.write(cfg, b"spoilt")  # and no commit
        assert cfg.read_bytes() == before
        with records.lock("fix-cfg", project.venv), records.transaction("fix-cfg", project.venv) as change:
            change.write(cfg, b"new")
            change.commit()
        with records.lock("undo", project.venv):
            records.undo(records.standing(project.venv)[0])
        assert cfg.read_bytes() == before
    finally:
        shutil.rmtree(far, ignore_errors=True)


@pytest.mark.skipif(sys.platform == "win32", reason="flock needs no write")
def test_the_lock_of_another_user_is_busy_and_its_leftover_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = tmp_path / "lock", os.open
    path.touch(0o644)

    def for_another_user(name: Path, flags: int, *more: int) -> int:
        if name == path and flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(name, flags, *more)

    monkeypatch.setattr(os, "open", for_another_user)
    with lock.held(path, "heal"), pytest.raises(BusyError), lock.held(path, "fix-cfg"):
        pass
