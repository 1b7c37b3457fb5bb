"""How long a path may be on Windows, and which files of an environment are called by longer ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic.remedies import path_length
from clinic.remedies.path_length import MAX_PATH, excess, too_long


def of(folder: int, name: int) -> str:
    """A path with so many characters in its folder and in its last name."""
    return "C:\\" + "a" * (folder - 3) + "\\" + "b" * name


@pytest.mark.parametrize(
    ("path", "more"),
    [
        (of(240, 18), 0),
        (of(240, 19), 1),
        (of(240, 30), 12),
        (of(247, 11), 0),
        (of(248, 1), 1),
        (of(250, 1), 3),
        ("C:\\" + "\N{GRINNING FACE}" * 128, 0),
        ("C:\\" + "\N{GRINNING FACE}" * 129, 2),
        ("x" * 300, 41),
    ],
)
def test_the_limits_of_a_file_and_of_its_folder(path: str, more: int) -> None:
    assert excess(path, MAX_PATH) == more
    assert excess(path, None) == 0


def test_the_worst_is_named() -> None:
    assert too_long([of(10, 10), of(240, 20), of(240, 25), of(240, 19)], MAX_PATH) == (of(240, 25), 7)
    assert too_long([of(10, 10)], MAX_PATH) is None
    assert too_long([], MAX_PATH) is None


def test_only_windows_has_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert path_length.limit("posix") is None
    monkeypatch.setattr(path_length, "_long_paths_enabled", lambda: False)
    assert path_length.limit("windows") == 259
    monkeypatch.setattr(path_length, "_long_paths_enabled", lambda: True)
    assert path_length.limit("windows") is None


def test_files_as_they_are_called_elsewhere(tmp_path: Path) -> None:
    info = tmp_path / "env" / "Lib" / "site-packages" / "tool-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "RECORD").write_text("../../Scripts/tool.exe,,\ntool/a.py,,\n", encoding="utf-8")
    home = tmp_path / "elsewhere" / "env"
    found = list(path_length.installed_files(tmp_path / "env", [info], home))
    assert found[1:] == [str(home / "Scripts" / "tool.exe"), str(home / "Lib" / "site-packages" / "tool" / "a.py")]


def test_the_message_counts() -> None:
    assert "is 1 character longer" in path_length.message(("C:\\x", 1))
    assert "is 2 characters longer" in path_length.message(("C:\\x", 2))
    assert "5 characters shorter" in path_length.hint(5)
    assert path_length.hint().endswith("to a path that is shorter")
