"""On Windows nothing is touched while a program of the tools runs: it is named, with what ends it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from toolshed import mend, running
from toolshed.health import State, Verdict
from toolshed.shed import Shed
from toolshed.trouble import Trouble

if TYPE_CHECKING:
    from pathlib import Path


class Kernel:
    """A Windows on which these programs run, by their pids; the program of 4 may not be asked."""

    def __init__(self, programs: dict[int, str]) -> None:
        self.programs = programs
        self.closed: list[int] = []

    def K32EnumProcesses(self, pids: Any, _size: int, filled: Any) -> int:  # noqa: N802
        for place, pid in enumerate([4, *self.programs]):
            pids._obj[place] = pid
        filled._obj.value = 4 * (len(self.programs) + 1)
        return 1

    def OpenProcess(self, _access: int, _inherit: int, pid: int) -> int | None:  # noqa: N802
        return pid if pid in self.programs else None

    def QueryFullProcessImageNameW(self, process: Any, _flags: int, program: Any, _size: Any) -> int:  # noqa: N802
        program.value = self.programs[process.value]
        return 1

    def CloseHandle(self, process: Any) -> None:  # noqa: N802
        self.closed.append(process.value)


def test_who_runs_from_the_tools_is_named_with_what_ends_it(tmp_path: Path) -> None:
    inside, other = str(tmp_path / ".tools" / "Scripts" / "python.exe"), str(tmp_path / ".tools2" / "python.exe")
    kernel = Kernel({70000: inside, 70001: other})
    with pytest.raises(Trouble) as refused:
        running.refuse_in_use(tmp_path / ".tools", kernel)
    assert (refused.value.code, refused.value.exit_code) == ("tools-in-use", 2)
    assert f"process 70000 ({inside}) runs from {tmp_path / '.tools'}." in refused.value.message
    assert "70001" not in str(refused.value)
    assert "taskkill /F /PID 70000)" in refused.value.hint
    assert kernel.closed == [70000, 70001]
    running.refuse_in_use(tmp_path / ".other", kernel)


def test_who_started_it_from_the_tools_takes_another_python(tmp_path: Path) -> None:
    kernel = Kernel({os.getppid(): str(tmp_path / ".tools" / "Scripts" / "python.exe")})
    with pytest.raises(Trouble) as refused:
        running.refuse_in_use(tmp_path / ".tools", kernel)
    assert r"py -3 scripts\bootstrap.py" in refused.value.hint


def test_nothing_is_touched_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_folder: Path) -> None:
        raise Trouble("tools-in-use", "", "")

    monkeypatch.setattr(mend, "refuse_in_use", refuse)
    display: Any = type("Display", (), {"say": lambda _self, _text: None})()
    with pytest.raises(Trouble, match="tools-in-use"):
        mend.act(Shed(tmp_path), display, Verdict(State.UNFIT, "requirements/tools.txt has changed"))
    assert list(tmp_path.iterdir()) == []
