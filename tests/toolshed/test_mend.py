"""Every way in which the tool environment breaks is named, mended, and not found again."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.toolshed.workbench import WINDOWS, checksum
from toolshed import mend
from toolshed.shed import Shed

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
    assert clone.works()
    assert clone.beside() == []


@pytest.mark.parametrize("which", ["seeded", "clone"], ids=["by pip", "by uv"])
def test_a_changed_lock_is_followed_by_new_tools(which: str, request: pytest.FixtureRequest) -> None:
    clone: Clone = request.getfixturevalue(which)
    clone.run("run", "first")
    inode = clone.tools.stat().st_ino
    clone.lock(("invoke", "2.0"), ("rich", "1.0"))
    changed = clone.run("run", "second")
    assert "requirements/tools.txt has changed" in changed.stderr
    installed = {path.name for path in clone.site_packages.glob("*.dist-info")}
    assert {"invoke-2.0.dist-info", "rich-1.0.dist-info"} <= installed
    assert "nox-1.0.dist-info" not in installed
    assert clone.tools.stat().st_ino != inode
    assert clone.works()
    assert clone.beside() == []
    before = clone.snapshot()
    assert clone.run("run", "third").stderr == ""
    assert clone.snapshot() == before


def test_nothing_in_the_tools_names_the_place_where_they_were_made(clone: Clone) -> None:
    clone.run("run", "first")
    files = [path for path in clone.tools.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert [path for path in files if not path.is_symlink() and b".t.new" in path.read_bytes()] == []
    rows = (clone.site_packages / "invoke-1.0.dist-info" / "RECORD").read_text(encoding="utf-8").splitlines()
    name, mode, size = next(row for row in rows if "/invoke" in row and ".." in row).rsplit(",", 2)
    script = (clone.site_packages / name).resolve().read_bytes()
    assert (mode, int(size)) == (f"sha256={checksum(script)}", len(script))


def test_a_clone_whose_own_path_has_that_name_in_it_keeps_its_path(tmp_path: Path) -> None:
    shed = Shed(tmp_path / "project.t.new").beside
    shed.scripts.mkdir(parents=True)
    shed.program("invoke").write_text(f"#!{shed.python}\n", encoding="utf-8")
    mend.settle(shed.tools, shed.tools)
    assert shed.program("invoke").read_text(encoding="utf-8") == f"#!{Shed(shed.root).python}\n"


def test_killed_between_two_renames_the_old_ones_come_back(clone: Clone) -> None:
    """Where the system can't let two folders change places in one step."""
    clone.run("run", "first")
    clone.tools.rename(clone.root / ".tools.aside")
    (clone.root / ".t.new").mkdir()
    (clone.root / ".t.new" / "bridge-clinic.txt").write_text("half made")
    again = clone.run("run", "second")
    assert (again.returncode, again.stderr) == (0, "")
    assert clone.works()
    assert clone.beside() == []


def test_in_two_renames_where_one_does_not_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mend, "rename_by_flag", lambda *_: False)
    shed = Shed(tmp_path)
    for each in (shed, shed.beside):
        each.tools.mkdir()
        (each.tools / each.name).touch()
    mend.swap(shed.beside, shed)
    assert [path.name for path in shed.tools.iterdir()] == [shed.beside.name]
    assert [path.name for path in shed.beside.tools.iterdir()] == [shed.name]
    shutil.rmtree(shed.beside.tools)
    with pytest.raises(FileNotFoundError):
        mend.swap(shed.beside, shed)
    assert [path.name for path in shed.tools.iterdir()] == [shed.beside.name], "put back"


def test_what_a_killed_run_left_beside_healthy_tools_is_cleared_away(clone: Clone) -> None:
    clone.run("run", "first")
    shutil.copytree(clone.tools, clone.root / ".t.new", symlinks=True)
    before = clone.tools.stat().st_ino, (clone.tools / "bridge-clinic.json").stat().st_mtime_ns
    again = clone.run("run", "second")
    assert (again.returncode, again.stderr, clone.beside()) == (0, "", [])
    assert (clone.tools.stat().st_ino, (clone.tools / "bridge-clinic.json").stat().st_mtime_ns) == before


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
    assert clone.beside() == []


@pytest.mark.parametrize("name", [".tools", ".t.new", ".tools.aside"])
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_what_is_not_ours_is_refused_and_left_alone(clone: Clone, tmp_path: Path, kind: str, name: str) -> None:
    place = clone.root / name
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious.txt").write_text("kept")
    if kind == "file":
        place.write_text("kept")
    elif kind == "folder":
        shutil.copytree(other, place)
    elif WINDOWS:
        pytest.skip("links need a privilege on Windows")
    else:
        place.symlink_to(other)
    before = clone.snapshot()
    refused = clone.run("run", "first")
    assert refused.returncode == 2
    assert "bootstrap: not-ours:" in refused.stderr
    assert clone.snapshot() == before
    assert [path.name for path in other.iterdir()] == ["precious.txt"]


def test_empty_folder_is_taken(clone: Clone) -> None:
    clone.tools.mkdir()
    assert clone.run("run", "first").returncode == 0
