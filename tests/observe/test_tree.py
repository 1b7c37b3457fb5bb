"""Reading a folder without running anything of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clinic.anatomy import layout
from clinic.facts import Clue, Flavour, Platform, Tree
from clinic.observe.base import flavour_of
from clinic.observe.tree import look_at, read_cfg, read_tree
from tests.real.creators import Creator, bases, creators

posix = pytest.mark.skipif(os.name == "nt", reason="links and pipes are POSIX's")


def tree_of(*clues: Clue) -> Tree:
    """A tree of which only the clues matter."""
    return Tree("posix", Path("/srv/env/bin"), None, clues=clues)


@posix
def test_what_lies_there_is_told_without_following(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"\x7fELF and more")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("gone")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    kinds = {name: look_at(tmp_path / name).kind for name in ("file", "link", "dangling", "loop", "pipe", "none")}
    assert kinds == {
        "file": "file",
        "link": "link",
        "dangling": "dangling-link",
        "loop": "dangling-link",
        "pipe": "other",
        "none": "missing",
    }
    assert look_at(tmp_path / "file").magic == b"\x7fELF"
    assert look_at(tmp_path / "link").target == "file"
    assert look_at(tmp_path).kind == "directory"
    assert look_at(tmp_path / "file" / "below").kind == "missing"
    assert look_at(Path("nul\0byte")).kind == "unreadable"


@posix
def test_a_large_file_is_read_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "pyvenv.cfg").write_bytes(b"x" * (3 << 20))
    raw = read_cfg(tmp_path, "posix").raw
    assert raw is not None
    assert len(raw) == 1 << 20


@pytest.mark.parametrize("creator", creators(), ids=str)
def test_the_creator_is_told_by_its_tree(tmp_path: Path, creator: Creator) -> None:
    base = bases()[-1]
    venv = creator.make(base, tmp_path / "env")
    (venv / "pyvenv.cfg").unlink()
    tree = read_tree(venv, layout.here())
    assert tree.creator == creator.family
    assert flavour_of(tree) == base.flavour
    assert layout.here() == "windows" or tree.copies == creator.copies


@pytest.mark.parametrize(
    ("clues", "flavour"),
    [
        ((), None),
        (
            (Clue("lib/python3.13", 3, 13, free_threaded=False, weight=100), Clue("bin/python3.12", 3, 12, None, 20)),
            Flavour(3, 13),
        ),
        (
            (Clue("lib/python3.14t", 3, 14, free_threaded=True, weight=100), Clue("bin/pip3.14", 3, 14, None, 5)),
            Flavour(3, 14, free_threaded=True),
        ),
        ((Clue("x.cpython-314.pyc", 3, 14, None, 8),), Flavour(3, 14)),
    ],
)
def test_the_weightiest_evidence_tells_the_flavour(clues: tuple[Clue, ...], flavour: Flavour | None) -> None:
    assert flavour_of(tree_of(*clues)) == flavour


@pytest.mark.parametrize(
    ("name", "flavour"),
    [
        ("python3.14t", Flavour(3, 14, free_threaded=True)),
        ("python3.9", Flavour(3, 9)),
        ("pythonw3.14t.exe", Flavour(3, 14, free_threaded=True)),
        ("pypy3.10", Flavour(3, 10)),
        ("python3", None),
        ("python", None),
        ("python3.13-config", None),
    ],
)
def test_names_tell_flavours(name: str, flavour: Flavour | None) -> None:
    assert layout.flavour_of_name(name) == flavour


@pytest.mark.parametrize(
    ("folders", "platform"),
    [
        (["bin"], "posix"),
        (["lib/python3.13"], "posix"),
        (["lib/pypy3.10", "bin"], "posix"),
        (["lib/python3.14t", "Scripts"], "posix"),
        (["Scripts"], "windows"),
        (["Lib/site-packages"], "windows"),
        (["Lib/site-packages", "bin"], "windows"),
        (["Scripts", "Lib/site-packages"], "windows"),
        (["Scripts", "bin", "Lib/site-packages"], "windows"),
        (["Scripts", "bin", "lib/python3.13"], "posix"),
        (["Scripts", "bin"], "this"),
        (["lib/python3.13", "Lib/site-packages"], "this"),
        (["lib/python3.13", "Lib/site-packages", "bin", "Scripts"], "this"),
        (["lib"], None),
        (["Lib"], None),
        ([], None),
    ],
)
@pytest.mark.parametrize("system", ["posix", "windows"])
def test_folders_tell_the_platform(tmp_path: Path, folders: list[str], platform: str | None, system: Platform) -> None:
    for folder in folders:
        (tmp_path / folder).mkdir(parents=True)
    assert layout.platform_of(tmp_path, system) == (system if platform == "this" else platform)


def test_a_disk_that_does_not_tell_cases_apart_tells_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Lib` answers to `lib` on NTFS, read there or mounted elsewhere."""
    folders = ({"env", "env/lib", "env/lib/site-packages"}, {"env", "env/lib", "env/lib/python3.13"})
    for entries, platform in zip(folders, ("windows", "posix"), strict=True):

        def told(path: Path, there: set[str] = entries) -> bool:
            return path.as_posix().lower() in there

        def names(path: Path, there: set[str] = entries) -> list[str]:
            below = path.as_posix().lower() + "/"
            return [each.removeprefix(below) for each in there if each.startswith(below)]

        monkeypatch.setattr(layout, "is_folder", told)
        monkeypatch.setattr(layout, "names_in", names)
        for system in ("posix", "windows"):
            assert layout.platform_of(Path("env"), system) == platform
