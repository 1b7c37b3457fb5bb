"""Files on Windows that others have open: the log, what is replaced, what is moved and removed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.windows import file_trials
from tests.windows.machine import Machine

Trial = Callable[..., dict[str, Any]]


@pytest.fixture
def trial(machine: Machine, worker_id: str) -> Iterator[Trial]:
    """Tries something there, in an empty folder."""
    folder = machine.wine.disk / f"dateien größe {worker_id}"
    folder.mkdir()
    shutil.copyfile(file_trials.__file__, folder.with_suffix(".py"))

    def run(name: str, *words: str) -> dict[str, Any]:
        paths = [machine.wine.inside(path) for path in (folder.with_suffix(".py"), machine.suite / "scripts", folder)]
        words = ("-X", "utf8", paths[0], paths[1], name, paths[2], *words)
        said = machine.wine.run(machine.tools, *words, limit=240)
        assert said.code == 0, said
        return dict(json.loads(said.out))

    yield run
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("program", "streams"), [("python.exe", "log"), ("pythonw.exe", "log"), ("pythonw.exe", "none")]
)
def test_rotation_loses_no_line(machine: Machine, trial: Trial, program: str, streams: str) -> None:
    """Of the environment's programs, which start the base's with the handles that they were given."""
    path = Path(machine.suite, ".tools", "Scripts", program)
    came = trial("rotation", machine.wine.inside(path), streams)
    assert (came["code"], came["streams"], came["nuls"], came["wrong"]) == (0, streams, 0, {})
    assert came["parts"] > 3
    assert came["largest"] <= file_trials.CAP


@pytest.mark.parametrize(
    ("program", "streams"), [("python.exe", "log"), ("pythonw.exe", "log"), ("pythonw.exe", "none")]
)
def test_rotation_by_others_loses_no_line(machine: Machine, trial: Trial, program: str, streams: str) -> None:
    path = Path(machine.suite, ".tools", "Scripts", program)
    assert trial("others", machine.wine.inside(path), streams) == {"code": 0, "deaf": [], "lost": []}


def test_a_file_is_replaced_beside_one_that_reads_it_all_the_time(trial: Trial) -> None:
    came = trial("readers", "50")
    assert (came["failed"], came["reads_failed"], came["torn"]) == (0, 0, 0)
    assert came["reads"] > 0


def test_what_a_foreign_program_holds_is_waited_for(trial: Trial) -> None:
    came = trial("holders")
    assert came["waited"] == dict.fromkeys(("write", "unlink", "move", "remove"), True)
    assert came["left"] == []


def test_what_we_have_open_can_be_renamed_and_deleted_and_what_is_read_only_replaced(trial: Trial) -> None:
    assert trial("ours") == {"read": "text more", "mode": 0o444, "left": []}
