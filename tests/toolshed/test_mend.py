"""Every way in which the tool environment breaks is named, mended, and not found again."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.toolshed.workbench import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.toolshed.workbench import Clone


def move(clone: Clone) -> None:
    clone.root = clone.root.rename(clone.root.with_name("moved"))


def lose_base(clone: Clone) -> None:
    for link in clone.bin.iterdir():
        if link.is_symlink():
            link.unlink()
            link.symlink_to("/vanished/bin/python3")


def interrupt(clone: Clone) -> None:
    (clone.tools / "bridge-clinic.json").unlink()


def tear_stamp(clone: Clone) -> None:
    stamp = clone.tools / "bridge-clinic.json"
    stamp.write_bytes(stamp.read_bytes()[:40])


def lie_about_base(clone: Clone) -> None:
    stamp = clone.tools / "bridge-clinic.json"
    stamp.write_text(json.dumps(json.loads(stamp.read_text()) | {"base_prefix": "/elsewhere"}))


DAMAGE: dict[str, tuple[Callable[[Clone], object], str]] = {
    "cfg missing": (lambda clone: (clone.tools / "pyvenv.cfg").unlink(), "pyvenv.cfg is gone"),
    "cfg emptied": (
        lambda clone: (clone.tools / "pyvenv.cfg").write_bytes(b""),
        "not the one it was made with",
    ),
    "clone moved": (move, "the clone has been moved or copied"),
    "first run interrupted": (interrupt, "never finished"),
    "stamp torn": (tear_stamp, "never finished"),
    "distribution gone": (
        lambda clone: shutil.rmtree(clone.site_packages / "nox-1.0.dist-info"),
        "nox-1.0 is gone from it",
    ),
    "file gone": (
        lambda clone: (clone.site_packages / "nox" / "__main__.py").unlink(),
        "nox/__main__.py is gone or cut short",
    ),
    "file emptied": (
        lambda clone: (clone.site_packages / "nox" / "__init__.py").write_bytes(b""),
        "nox/__init__.py is gone or cut short",
    ),
    "another base": (lie_about_base, "not /elsewhere"),
}
if not WINDOWS:
    DAMAGE["base vanished"] = (lose_base, "its python is gone, or its base is: /vanished/bin/python3")


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_named_and_mended(clone: Clone, name: str) -> None:
    inflict, reason = DAMAGE[name]
    assert clone.run("run", "first").returncode == 0
    inflict(clone)
    mended = clone.run("run", "second")
    assert (mended.returncode, mended.stdout.split("|")[0]) == (0, "invoke")
    assert reason in mended.stderr
    before = clone.snapshot()
    assert clone.run("run", "third").stderr == ""
    assert clone.snapshot() == before
    assert ".tools.aside" not in before


def test_changed_lock_is_followed_without_a_rebuild(clone: Clone) -> None:
    clone.run("run", "first")
    inode = (clone.tools / "pyvenv.cfg").stat().st_ino
    clone.lock(("invoke", "2.0"), ("rich", "1.0"))
    changed = clone.run("run", "second")
    assert "requirements/tools.txt has changed" in changed.stderr
    assert sorted(path.name for path in clone.site_packages.glob("*.dist-info")) == [
        "invoke-2.0.dist-info",
        "rich-1.0.dist-info",
    ]
    assert (clone.tools / "pyvenv.cfg").stat().st_ino == inode
    assert clone.run("run", "third").stderr == ""


def test_killed_while_mending_the_old_one_comes_back_and_is_mended(clone: Clone) -> None:
    clone.run("run", "first")
    (clone.tools / "pyvenv.cfg").unlink()
    (clone.tools / "mine.txt").write_text("kept")
    clone.tools.rename(clone.root / ".tools.aside")
    clone.tools.mkdir()
    (clone.tools / "bridge-clinic.txt").write_text("half made")
    again = clone.run("run", "second")
    assert again.returncode == 0
    assert "pyvenv.cfg is gone" in again.stderr
    assert not (clone.root / ".tools.aside").exists()


def test_killed_after_the_new_one_was_finished_the_old_one_is_cleared_away(clone: Clone) -> None:
    clone.run("run", "first")
    shutil.copytree(clone.tools, clone.root / ".tools.aside", symlinks=True)
    stamp = (clone.tools / "bridge-clinic.json").stat()
    assert clone.run("run", "second").returncode == 0
    assert not (clone.root / ".tools.aside").exists()
    assert (clone.tools / "bridge-clinic.json").stat().st_mtime_ns == stamp.st_mtime_ns


def test_failed_mending_puts_the_old_one_back(clone: Clone, tmp_path: Path) -> None:
    clone.run("run", "first")
    (clone.tools / "pyvenv.cfg").unlink()
    before = {name: entry for name, entry in clone.snapshot().items() if name != ".tools.lock"}
    (tmp_path / "none").mkdir()
    failed = clone.run("run", "second", PIP_FIND_LINKS=str(tmp_path / "none"))
    assert failed.returncode == 1
    assert "bootstrap: no-index:" in failed.stderr
    assert "PIP_INDEX_URL" in failed.stderr
    assert {name: entry for name, entry in clone.snapshot().items() if name != ".tools.lock"} == before


def test_failed_first_run_leaves_nothing(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert clone.run("run", "first", PIP_FIND_LINKS=str(tmp_path / "none")).returncode == 1
    assert not clone.tools.exists()
    assert not (clone.root / ".tools.aside").exists()


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_not_ours_is_refused_and_left_alone(clone: Clone, tmp_path: Path, kind: str) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious.txt").write_text("kept")
    if kind == "file":
        clone.tools.write_text("kept")
    elif kind == "folder":
        shutil.copytree(other, clone.tools)
    elif WINDOWS:
        pytest.skip("links need a privilege on Windows")
    else:
        clone.tools.symlink_to(other)
    before = {name: entry for name, entry in clone.snapshot().items() if name.startswith(".tools")}
    refused = clone.run("run", "first")
    assert refused.returncode == 2
    assert "bootstrap: not-ours:" in refused.stderr
    assert {name: e for name, e in clone.snapshot().items() if name.startswith(".tools")} == before
    assert [path.name for path in other.iterdir()] == ["precious.txt"]


def test_empty_folder_is_taken(clone: Clone) -> None:
    clone.tools.mkdir()
    assert clone.run("run", "first").returncode == 0
