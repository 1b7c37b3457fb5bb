"""Files are replaced whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clinic import fs, ownership
from clinic.errors import of_the_machine
from toolshed import files

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permission bits and links")


def test_a_write_replaces_the_whole_file_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old" * 100)
    file.chmod(0o640)
    fs.write_atomically(file, b"new")
    assert file.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o640


@posix
def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        fs.write_atomically(tmp_path / "f", b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640


@pytest.mark.parametrize("fails", ["write", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"old")

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((os, "fsync", full) if fails == "write" else (Path, "replace", full)))
    with pytest.raises(OSError, match="No space"):
        fs.write_atomically(file, b"new")
    assert file.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@posix
def test_remove_takes_the_link_and_never_what_it_leads_to(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "f").touch()
    (tmp_path / "link").symlink_to(kept)
    fs.remove(tmp_path / "link")
    fs.remove(tmp_path / "nothing")
    assert (kept / "f").exists()
    fs.remove(kept)
    assert not kept.exists()


def test_move_does_not_overwrite(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "f").touch()
    with pytest.raises(OSError, match=r"not empty|exists"):
        fs.move(tmp_path / "a", tmp_path / "b")
    fs.move(tmp_path / "a", tmp_path / "new" / "c")
    assert (tmp_path / "new" / "c" / "f").exists()


@posix
def test_keep_leaves_a_file_in_place_and_moves_the_rest(tmp_path: Path) -> None:
    file, link = tmp_path / "f", tmp_path / "l"
    file.write_bytes(b"x")
    link.symlink_to("nowhere")
    fs.keep(file, tmp_path / "stash" / "f")
    fs.keep(link, tmp_path / "stash" / "l")
    assert file.exists()
    assert not fs.exists(link)
    assert (tmp_path / "stash" / "l").readlink() == Path("nowhere")
    fs.write_atomically(file, b"y")
    assert (tmp_path / "stash" / "f").read_bytes() == b"x"


@posix
def test_exists_sees_a_dangling_link_and_size_counts_all(tmp_path: Path) -> None:
    (tmp_path / "l").symlink_to("nowhere")
    assert fs.exists(tmp_path / "l")
    assert not fs.exists(tmp_path / "none")
    assert not fs.exists(Path("a\0b"))
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"12345")
    assert fs.size_of(tmp_path / "d") == 5
    assert fs.size_of(tmp_path / "d" / "f") == 5


def _across(monkeypatch: pytest.MonkeyPatch, source: Path) -> None:
    """Make the rename away from `source` fail as it does across filesystems."""
    rename = fs._rename

    def other(this: Path, target: Path) -> None:
        if this == source:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        rename(this, target)

    monkeypatch.setattr(fs, "_rename", other)


def test_a_move_across_filesystems_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "f").write_bytes(b"x")
    _across(monkeypatch, tmp_path / "a")
    fs.move(tmp_path / "a", tmp_path / "stash" / "a")
    assert (tmp_path / "stash" / "a" / "b" / "f").read_bytes() == b"x"
    assert [path.name for path in tmp_path.iterdir()] == ["stash"]


@pytest.mark.parametrize("why", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
def test_a_move_across_filesystems_that_stops_half_way_leaves_the_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: type[BaseException] | BaseException
) -> None:
    source, target = tmp_path / "a", tmp_path / "stash" / "a"
    source.mkdir()
    for name in "1234":
        (source / name).touch()
    _across(monkeypatch, source)
    copied: list[object] = []
    copy2 = shutil.copy2

    def stops(*args: Any, **kwargs: Any) -> Any:
        copied.append(args)
        if len(copied) == 3:
            raise why
        return copy2(*args, **kwargs)

    monkeypatch.setattr(shutil, "copy2", stops)
    monkeypatch.setattr(shutil.copytree, "__defaults__", (False, None, stops, False, False))
    with pytest.raises((KeyboardInterrupt, OSError, shutil.Error)):
        fs.move(source, target)
    assert sorted(path.name for path in source.iterdir()) == ["1", "2", "3", "4"]
    assert not fs.exists(target)


def in_use(code: int) -> OSError:
    """What Windows raises for a moment; only there an OSError has `winerror` by itself."""
    error = OSError(errno.ENOTEMPTY, "not empty") if code == 145 else PermissionError(errno.EACCES, "in use")
    setattr(error, "winerror", code)  # noqa: B010 - unknown to mypy elsewhere
    return error


def refuse(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, error: OSError, times: int) -> list[object]:
    """Make a call fail so many times; the list holds what it was called with."""
    real, calls = getattr(owner, name), list[object]()

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(args[0])
        if len(calls) <= times:
            raise error
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, name, call)
    return calls


CHANGES: dict[str, tuple[Callable[[Path], object], object, str]] = {
    "write": (lambda folder: fs.write_atomically(folder / "f", b"new"), Path, "replace"),
    "move": (lambda folder: fs.move(folder / "d", folder / "e"), Path, "rename"),
    "unlink": (lambda folder: fs.remove(folder / "f"), os, "unlink"),
    "remove a file in a folder": (lambda folder: fs.remove(folder / "d"), os, "unlink"),
    "remove a folder": (lambda folder: fs.remove(folder / "d"), os, "rmdir"),
}


@pytest.fixture(params=CHANGES)
def change(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Callable[[], object], object, str]:
    """Something that changes files, and the call below it that Windows refuses."""
    monkeypatch.setattr(files, "_FLAGS", {})  # Windows has no renameat2
    (tmp_path / "f").write_bytes(b"old")
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "f").touch()
    act, owner, name = CHANGES[request.param]
    return lambda: act(tmp_path), owner, name


@pytest.mark.parametrize("code", [5, 32, 33, 145])
def test_what_is_in_use_for_a_moment_is_waited_for(
    change: tuple[Callable[[], object], object, str], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    act, owner, name = change
    calls = refuse(monkeypatch, owner, name, in_use(code), 30)
    act()
    assert len(calls) > 30


def test_what_stays_in_use_is_told_after_a_while(
    change: tuple[Callable[[], object], object, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    act, owner, name = change
    monkeypatch.setattr(fs, "_RETRY_FOR", 0.05)
    refuse(monkeypatch, owner, name, error := in_use(32), 10**6)
    with pytest.raises(PermissionError) as raised:
        act()
    assert raised.value is error
    told = of_the_machine(error)
    assert told is not None
    assert told.code == "file-in-use"


def test_other_errors_are_not_waited_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    calls = refuse(monkeypatch, Path, "replace", PermissionError(errno.EACCES, "not yours"), 10**6)
    with pytest.raises(PermissionError):
        fs.write_atomically(tmp_path / "f", b"")
    assert len(calls) == 1
    assert list(tmp_path.iterdir()) == []


def test_what_others_append_stays_whole(tmp_path: Path) -> None:
    def add(letter: bytes) -> None:
        for _ in range(200):
            fs.append(tmp_path / "f", letter * 50 + b"\n")

    writers = [threading.Thread(target=add, args=(letter,)) for letter in (b"a", b"b")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted((tmp_path / "f").read_bytes().split()) == [b"a" * 50] * 200 + [b"b" * 50] * 200


def test_a_part_is_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")
    assert (fs.read_bytes(tmp_path / "f"), fs.read_bytes(tmp_path / "f", 3, 4)) == (b"0123456789", b"3456")
    with pytest.raises(FileNotFoundError):
        fs.read_bytes(tmp_path / "none")
    with pytest.raises(IsADirectoryError if sys.platform != "win32" else PermissionError):
        fs.read_bytes(tmp_path)


@posix
def test_a_folder_that_may_not_be_read_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root it may be; so the refusal is ours."""
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "f").touch()
    (tmp_path / "d" / "e").chmod(0)
    real = os.open

    def open_it(path: Any, *args: Any, **kwargs: Any) -> int:
        if Path(path).name == "e" and not (tmp_path / "d" / "e").stat().st_mode & stat.S_IRUSR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", open_it)
    fs.remove(tmp_path / "d")
    assert list(tmp_path.iterdir()) == []


@posix
def test_what_cannot_be_removed_keeps_its_mode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a link, or the same file as one elsewhere."""
    kept, folder = tmp_path / "kept", tmp_path / "folder"
    kept.touch(0o640)
    folder.mkdir()
    (folder / "hard").hardlink_to(kept)
    (folder / "soft").symlink_to(kept)
    refuse(monkeypatch, os, "unlink", PermissionError(errno.EACCES, "the folder is read-only"), 10**6)
    for path in (folder / "hard", folder / "soft", folder):
        with pytest.raises(PermissionError):
            fs.remove(path)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o640


def test_an_error_while_a_folder_is_copied_is_raised_as_it_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """shutil.copytree collects errors, and then raises one without an errno."""
    source = tmp_path / "source"
    (source / "deep" / "deeper").mkdir(parents=True)
    (source / "deep" / "file").write_text("x", encoding="utf-8")

    def full(_source: object, target: object, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(OSError, match="No space left") as raised:
        fs.copy(source, tmp_path / "target")
    assert raised.value.errno == errno.ENOSPC
    told = of_the_machine(raised.value)
    assert told is not None
    assert (told.code, told.exit_code) == ("disk-full", 2)


@posix
def test_a_folder_is_copied_with_links_modes_and_times(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "empty").mkdir(parents=True)
    (source / "file").write_text("x", encoding="utf-8")
    (source / "file").chmod(0o751)
    (source / "dangling").symlink_to("nowhere")
    (source / "folder").symlink_to("empty")
    os.utime(source / "file", (1, 1))
    source.chmod(0o2750)
    os.utime(source, (2, 2))
    fs.copy(source, tmp_path / "target")
    target = tmp_path / "target"
    assert sorted(each.name for each in target.iterdir()) == ["dangling", "empty", "file", "folder"]
    assert os.readlink(target / "dangling") == "nowhere"  # noqa: PTH115 - word for word
    assert (target / "folder").is_symlink()
    assert (target / "file").stat().st_mtime == 1
    assert stat.S_IMODE((target / "file").stat().st_mode) == 0o751
    assert (stat.S_IMODE(target.stat().st_mode), target.stat().st_mtime) == (0o2750, 2)


@pytest.mark.parametrize(
    ("path", "spelled"),
    [
        ("C:\\a\\..\\b c", "\\\\?\\C:\\b c"),
        ("C:/a/b", "\\\\?\\C:\\a\\b"),
        ("\\\\server\\share\\a", "\\\\?\\UNC\\server\\share\\a"),
        ("\\\\?\\C:\\a", "\\\\?\\C:\\a"),
        ("a\\b", "a\\b"),
    ],
)
def test_a_path_of_any_length(path: str, spelled: str) -> None:
    assert str(fs.unlimited(Path(path), windows=True)) == spelled
    assert fs.unlimited(Path(path), windows=False) == Path(path)


def test_what_killed_writers_left_is_swept_up(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    old, young, other, users = (fs.temporary(each) for each in (path, path, tmp_path / "other", path))
    users = users.with_suffix(".txt")
    for each in (old, young, other, users):
        each.write_text("half", encoding="utf-8")
    for each in (old, other, users):
        os.utime(each, (0, 0))
    fs.write_atomically(path, b"whole")
    assert {*tmp_path.iterdir()} == {path, young, other, users}
    fs.sweep(path, 0)
    assert {*tmp_path.iterdir()} == {path, other, users}


@posix
@pytest.mark.parametrize(("around", "folder", "file"), [(0o1777, 0o755, 0o644), (0o2775, 0o2775, 0o664)])
def test_what_is_new_follows_its_folder_but_not_a_sticky_one(
    tmp_path: Path, around: int, folder: int, file: int
) -> None:
    """In /tmp everybody may make files, and nobody may change those of others."""
    new = tmp_path / "staged"
    new.mkdir(mode=0o700)
    (new / "f").touch(mode=0o600)
    place = tmp_path / "place"
    place.mkdir()
    place.chmod(around)
    ownership.adopt(new, place / "env")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (new, new / "f")] == [folder, file]
    assert ownership.mode_in(place) == file


@posix
@pytest.mark.parametrize(("number", "raised"), [(errno.EPERM, False), (errno.EINVAL, False), (errno.EIO, True)])
def test_what_cannot_be_given_away_stays_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, raised: bool
) -> None:
    """`unshare -r` and some containers: root is nobody else's root, and the group of a shared folder is unknown."""

    def refused(*_where: object, **_how: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "chown", refused)
    status = os.stat_result([0o100644, 1, 1, 1, 4321, 4321, 0, 0, 0, 0])
    with pytest.raises(OSError, match="Input/output") if raised else contextlib.nullcontext():
        ownership.give(tmp_path, status)
