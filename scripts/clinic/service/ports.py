"""Whether the port is free, and who holds it."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinic.errors import RefusedError
from clinic.service.table import command

if TYPE_CHECKING:
    from collections.abc import Container

IN_USE = frozenset({errno.EADDRINUSE, 48, 98, 10048})
FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, 10013})


@dataclass(frozen=True)
class Holder:
    """Who listens on a port. `pid` is None where the system does not tell us."""

    pid: int | None
    command: str
    ours: bool = False

    def __str__(self) -> str:
        if self.pid is None:
            return "a process that may not be seen from here (another user's, or in a container)"
        return f"process {self.pid} ({self.command or 'its command may not be seen'})"

    def as_json(self) -> dict[str, object]:
        """Return the holder as `status` shows it."""
        return {"pid": self.pid, "command": self.command, "ours": self.ours}


def is_free(host: str, port: int) -> bool:
    """Whether a server could listen there now: tried by binding as it would, without listening.

    Raises RefusedError where no server ever could: not our address, or not our port.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            # On Windows SO_REUSEADDR would let us share a port that is taken; exclusive use is the honest
            # question.
            option = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
            probe.setsockopt(socket.SOL_SOCKET, option, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno in IN_USE:
            return False
        raise _impossible(host, port, error) from error
    return True


def _impossible(host: str, port: int, error: OSError) -> RefusedError:
    if error.errno in FORBIDDEN:
        return RefusedError(
            "port-forbidden",
            f"This user may not listen on port {port}: {error.strerror}.",
            "set clinic.service.port in invoke.yaml to another one",
        )
    return RefusedError(
        "host-unknown",
        f"{host} is no address of this machine: {error.strerror}.",
        "set clinic.service.host in invoke.yaml, 127.0.0.1 for instance",
    )


def holder(port: int, ours: Container[int] = ()) -> Holder | None:
    """Find who listens on a TCP port; None where nobody does as far as can be seen.

    `ours` are pids of our own server.
    """
    return _holder({pid for state, pid in _uses(port) if state == "LISTEN"}, ours)


def held_by(port: int) -> Holder | None:
    """Find who keeps a port from being bound: None where it is only connections that nobody listens for any more.

    They stay for a minute or two after a server has ended (TIME_WAIT of RFC 9293), and keep a program from binding the
    port that does not set SO_REUSEADDR.
    """
    uses = _uses(port)
    found = _holder({pid for state, pid in uses if state == "LISTEN"}, ())
    return found if found or uses else Holder(None, "")


def _holder(pids: set[int | None], ours: Container[int]) -> Holder | None:
    if not pids:
        return None
    known = sorted(pid for pid in pids if pid is not None)
    pid = next((each for each in known if each in ours), known[0] if known else None)
    return described(pid, ours)


def described(pid: int | None, ours: Container[int] = ()) -> Holder:
    """Describe a process as a port's holder."""
    if pid is None:
        return Holder(None, "")
    return Holder(pid, " ".join(command(pid)), ours=pid in ours)


def _uses(port: int) -> set[tuple[str, int | None]]:
    """Return state and process of all that has this TCP port as its own end."""
    import psutil

    try:
        found = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError):
        return _uses_seen(port)
    return {(each.status, each.pid) for each in found if _port_of(each) == port}


def _uses_seen(port: int) -> set[tuple[str, int | None]]:
    """Ask process by process where the whole table takes more rights than we have (macOS)."""
    import psutil

    found: set[tuple[str, int | None]] = set()
    for process in psutil.process_iter():
        try:
            connections = process.net_connections(kind="tcp")
        except (psutil.Error, OSError):
            continue
        found |= {(each.status, process.pid) for each in connections if _port_of(each) == port}
    return found


def _port_of(connection: object) -> int:
    return int((getattr(connection, "laddr", None) or ("", 0))[1])
