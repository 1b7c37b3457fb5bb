"""What is true after an interruption: looked at, and said by the KeyboardInterrupt that goes on to the entry point."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from clinic import fs
from clinic.records import Entry, Records
from clinic.settings import Settings


@contextlib.contextmanager
def server_told(settings: Settings) -> Iterator[None]:
    """Have an interruption say whether the server runs."""
    before = _pid(settings)
    try:
        yield
    except KeyboardInterrupt as interrupt:
        raise _saying(interrupt, _of_server(settings, before)) from interrupt


@contextlib.contextmanager
def mode_told(settings: Settings) -> Iterator[None]:
    """Have an interruption say whether the server runs, and in which mode the next one will."""
    from clinic.service import memory

    try:
        with server_told(settings):
            yield
    except KeyboardInterrupt as interrupt:
        mode = memory.recall(settings).mode
        raise _saying(interrupt, f"The next start is in {mode} mode.") from interrupt


@contextlib.contextmanager
def file_told(path: Path) -> Iterator[None]:
    """Have an interruption say whether a file is there."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        there = "is there" if fs.exists(path) else "is not there"
        raise _saying(interrupt, f"{path} {there}.") from interrupt


@contextlib.contextmanager
def repairs_told(records: Records) -> Iterator[None]:
    """Have an interruption say what became of the repairs that were begun since."""
    known = records.ids()
    try:
        yield
    except KeyboardInterrupt as interrupt:
        begun = [entry for entry in records.entries() if entry.id not in known]
        raise _saying(interrupt, _of_repairs(begun)) from interrupt


def _saying(interrupt: KeyboardInterrupt, more: str) -> KeyboardInterrupt:
    return KeyboardInterrupt(f"{interrupt} {more}".strip())


def _of_repairs(begun: Sequence[Entry]) -> str:
    return " ".join(filter(None, map(_of_repair, begun))) or "Nothing was changed."


def _of_repair(entry: Entry) -> str:
    if entry.state == "done":
        yes = "" if entry.facts.get("before") == "healthy" else " --yes"
        return f"{entry.remedy} held and stays; to take it back: invoke undo {entry.id}{yes}."
    if entry.state == "pending":
        end = "finishes it" if entry.facts.get("proved") is True else "puts it back"
        return f"{entry.remedy} is unfinished; the next repair {end}."
    return f"{entry.remedy} was put back." if entry.state == "restored" else ""


def _of_server(settings: Settings, before: int | None) -> str:
    from clinic.service import find, memory

    found = find.server(settings)
    if found.kind == "foreign":
        return f"The server was not touched: {found.why}."
    pid = found.record.server.pid if found.kind == "ours" and found.record else None
    if pid is None:
        return "The server does not run."
    if memory.recall(settings).wanted == "down":
        return f"The server was asked to stop and still runs, pid {pid}."
    return f"The server still runs, pid {pid}." if pid == before else f"A new server runs, pid {pid}."


def _pid(settings: Settings) -> int | None:
    from clinic.service import find

    found = find.server(settings)
    return found.record.server.pid if found.kind == "ours" and found.record else None
