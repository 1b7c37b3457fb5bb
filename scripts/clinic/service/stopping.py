"""Ends a server with all that it started: asked first, waited for, forced at last; nobody else is touched."""

from __future__ import annotations

import os
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinic.service import identity
from clinic.service.table import Identity, Row, everyone, look, near, numbers, variable

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Sequence

LAUNCH = "BRIDGE_LAUNCH_ID"
_LAST_WISH = 0.5  # seconds that children get when their parent used up the time
_AFTER_KILL = 2.0  # seconds until a killed process must be gone
_HAS_SIGNALS = sys.platform != "win32"
KILL, KILL_NAME = signal.SIGTERM, "TerminateProcess"  # which is what that signal is on Windows
if sys.platform != "win32":
    KILL, KILL_NAME = signal.SIGKILL, "SIGKILL"


@dataclass(frozen=True)
class Ended:
    """How a server ended: whether force was needed, and who is left in spite of it."""

    forced: bool
    left: tuple[Identity, ...] = ()


def family(rows: Sequence[Row], root: Identity, *, led: bool = False) -> list[Identity]:
    """Pick a process's descendants out of a process table, and whoever is in the session that it leads.

    `led` says that it led its session before it ended. A session's number is not given to another process
    while the session has members. A child is younger than its parent: on Windows the pid of a parent that ended
    may have passed to a stranger, and those that are younger than the stranger are the stranger's.
    """
    begun = {row.identity.pid: row.begun for row in rows}
    heirs = [row.begun for row in rows if row.identity.pid == root.pid and not identity.same(row.identity, root)]

    def is_child(row: Row) -> bool:
        if heirs and row.parent == root.pid:
            return row.begun < heirs[0]
        return row.begun >= begun.get(row.parent, row.begun)

    mine = {root.pid}
    members = {row.identity.pid for row in rows if row.session == root.pid and _leads(rows, root, led=led)}
    while True:
        born = {row.identity.pid for row in rows if row.parent in mine | members and is_child(row)} | members
        if born <= mine:
            break
        mine |= born
    return [row.identity for row in rows if row.identity.pid in mine and row.identity.pid != root.pid]


def _leads(rows: Sequence[Row], root: Identity, *, led: bool) -> bool:
    there = [row for row in rows if row.identity.pid == root.pid]
    return any(row.identity == root and row.session == root.pid for row in there) or (led and not there)


def orphans(leader: Identity, launch: str) -> list[Identity]:
    """Find what a server that died left behind: in the session that it led, and started with its launch id.

    The launch id is a random token that only this server and its children were given. Of a leader that is not known
    (pid 0) the session is not known either.
    """
    if not launch:
        return []
    by_session = _HAS_SIGNALS and leader.pid
    pids = [row.identity.pid for row in everyone() if row.session == leader.pid] if by_session else numbers()
    left = [pid for pid in pids if variable(pid, LAUNCH) == launch]
    safe = identity.protected() if left else set[int]()
    return [found for pid in left if pid not in safe and (found := identity.identify(pid))]


def end(leader: Identity, grace: float, ask: Callable[[], bool] | None = None) -> Ended:
    """End a server and its family: ask, wait at most `grace` seconds, then force.

    `ask` is the server's own way of being asked; where it is not heard, the system's is taken.
    Raises RefusedError when we run below it ourselves, PermissionError when it is not ours to signal.
    """
    safe, rows = identity.protected(), near([leader.pid])
    identity.refuse_protected(leader, safe)
    led = _HAS_SIGNALS and _leads(rows, leader, led=False)
    kin = family(rows, leader)  # now: one whose parent ends meanwhile would not be found any more
    deadline = time.monotonic() + grace
    if (ask is not None and ask()) or _ask(leader, safe):
        identity.wait_gone(leader, grace)
    reap(leader)
    if identity.alive(leader):
        return _force([leader, *kin], safe)
    kin = _living({*kin, *family(near([leader.pid]), leader, led=led)})  # some may have been born since
    # Without the leader the others have no reason to stay.
    return _end_all(kin, max(_LAST_WISH, deadline - time.monotonic()), safe)


def end_all(processes: Sequence[Identity], grace: float) -> Ended:
    """End processes that belong together but have no leader any more; `grace` in seconds."""
    return _end_all(processes, grace, identity.protected()) if processes else Ended(forced=False)


def _end_all(processes: Sequence[Identity], grace: float, safe: Container[int]) -> Ended:
    asked = [each for each in processes if _ask(each, safe)]
    if asked:
        gone_by(processes, time.monotonic() + grace)
    return _force(processes, safe)


def force_command(pid: int, *, windows: bool = os.name == "nt") -> str:
    """Name the command that ends a process by force: without /F taskkill only closes windows, and there are none.

    https://learn.microsoft.com/en-us/windows-server/administration/windows-commands/taskkill
    """
    return f"taskkill /F /PID {pid}" if windows else f"kill -9 {pid}"


def look_command(pid: int, *, windows: bool = os.name == "nt") -> str:
    """Name the command that shows a process."""
    return f'tasklist /V /FI "PID eq {pid}"' if windows else f"ps -fp {pid}"


def _living(processes: Iterable[Identity]) -> list[Identity]:
    return [each for each in processes if identity.alive(each)]


def _force(processes: Iterable[Identity], safe: Container[int]) -> Ended:
    living = _living(processes)
    if not living:
        return Ended(forced=False)
    rows = near([each.pid for each in living])  # before they die: afterwards nobody knows whose their children were
    kin = dict.fromkeys([*living, *(born for each in living for born in family(rows, each))])
    for each in kin:
        identity.send(each, KILL, safe)
    left = gone_by(list(kin), time.monotonic() + _AFTER_KILL)
    return Ended(forced=True, left=tuple(left))


def gone_by(processes: Sequence[Identity], deadline: float) -> list[Identity]:
    """Wait for the end of each, until a time of the monotonic clock; returns those that live on."""
    left = [each for each in processes if not identity.wait_gone(each, max(0.0, deadline - time.monotonic()))]
    for each in processes:
        reap(each)
    return left


def _ask(process: Identity, safe: Container[int]) -> bool:
    """Ask it to end; False when that cannot be done and only force remains, or it is gone."""
    if sys.platform == "win32":
        from clinic.service import console

        return process.pid not in safe and console.press_break(process.pid)
    asked = identity.send(process, signal.SIGTERM, safe)
    # A stopped process takes the signal only once it goes on.
    return identity.send(process, signal.SIGCONT, safe) and asked


def reap(process: Identity) -> None:
    """Take a dead child's exit code, so that no zombie stays; whoever is not our child is left alone."""
    if sys.platform == "win32":
        return
    row = look(process.pid)
    if row and row.identity == process and row.parent == os.getpid():
        try:
            os.waitpid(process.pid, os.WNOHANG)
        except ChildProcessError:
            return
