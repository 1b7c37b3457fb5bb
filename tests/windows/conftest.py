"""One Windows machine for the whole session, shared by the workers; a hand on it for each of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.windows.hands import Hand
from tests.windows.machine import VARIABLES, Machine, Unavailable, build, needs
from tests.windows.patients import Ward
from tests.windows.wine import Wine


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Made by the first worker that asks, ended by the last one that leaves."""
    folder = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        folder = folder.parent
    lock, note = FileLock(folder / "windows.lock"), folder / "windows.json"
    with lock:
        told = _told(note) or _made(folder / "windows")
        _keep(note, told, +1)
    if told["skip"]:
        pytest.skip(told["skip"])
    mine = Machine(Wine(needs(), Path(told["prefix"]), VARIABLES))
    yield mine
    with lock:
        if _keep(note, _told(note), -1) == 0:
            mine.wine.shut_down()


def _made(prefix: Path) -> dict[str, Any]:
    try:
        wine = build(prefix).wine
    except Unavailable as reason:
        return {"skip": f"no Windows: {reason}", "users": 0}
    return {"skip": "", "users": 0, "prefix": str(wine.prefix)}


def _told(note: Path) -> dict[str, Any]:
    return dict(json.loads(note.read_text(encoding="utf-8"))) if note.exists() else {}


def _keep(note: Path, told: dict[str, Any], change: int) -> int:
    told["users"] += change
    note.write_text(json.dumps(told), encoding="utf-8")
    return int(told["users"])


@pytest.fixture(scope="session")
def hand(machine: Machine) -> Iterator[Hand]:
    """This worker's hand on the machine."""
    with Hand(machine) as mine:
        yield mine


@pytest.fixture(scope="session")
def ward(hand: Hand, worker_id: str) -> Ward:
    """This worker's environments, in a folder with a blank and an umlaut."""
    return Ward(hand, hand.machine.wine.disk / f"größe {worker_id}")
