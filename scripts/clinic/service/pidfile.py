"""The pid file: written whole or not at all, and read with the question whose it is.

The first line is the bare pid, so that `head -1` and other people's scripts can use it; the rest is
`key=value`. Only a file that is ours, or that provably names nobody, is ever removed or replaced.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from clinic import fs
from clinic.anatomy.ownership import callers
from clinic.service import identity
from clinic.service.table import Identity, command, look, process_owner
from clinic.service.wrapping import unwrapped

if TYPE_CHECKING:
    from clinic.settings import Service

Kind = Literal["missing", "torn", "stale", "foreign", "ours"]
_MOST = 16 * 1024  # bytes; a pid file holds a few hundred
UNBORN = Identity(0, "")
"""Stands for a process that is about to be started: what is remembered of it then is its launch id."""
_CLOCK = 2.0  # seconds by which a file's time may differ from a process's


@dataclass(frozen=True)
class Record:
    """What we know of a server that we started.

    `leader` is what we started; `server` is what serves, another process where a launcher stands between
    (Windows). `log_start` is where this start's lines begin in the log, in bytes. `ready` says that it has
    been healthy, `signs` that its answers carry the launch id.
    """

    server: Identity
    leader: Identity
    launch: str = ""
    port: int = 0
    mode: str = "debug"
    python: str = ""
    venv: str = ""
    stopgap: str = ""
    log_start: int = 0
    ready: bool = False
    signs: bool = False
    place: str = ""
    """The pid file that it was written to: a copied project has a copy of it."""


@dataclass(frozen=True)
class Reading:
    """What the pid file says and what that is worth; `replaceable` when no server is lost by replacing it.

    `owner` is the user whose word it is.
    """

    kind: Kind
    why: str
    record: Record | None = None
    pid: int | None = None
    replaceable: bool = True
    owner: int = -1


def dump(record: Record) -> bytes:
    """Spell a record as the pid file has it."""
    texts = {"mode": record.mode, "python": record.python, "venv": record.venv, "stopgap": record.stopgap}
    texts["place"] = record.place
    lines = {
        "started": record.server.started,
        "leader": f"{record.leader.pid} {record.leader.started}",
        "launch": record.launch,
        "port": str(record.port),
        "log_start": str(record.log_start),
        "ready": str(int(record.ready)),
        "signs": str(int(record.signs)),
        **{key: text.replace("\n", " ") for key, text in texts.items()},
    }
    whole = [str(record.server.pid), *(f"{key}={value}" for key, value in lines.items())]
    return ("\n".join(whole) + "\n").encode("utf-8", "surrogateescape")


def parse(data: bytes) -> Record | int | None:
    """Read what `dump` wrote: a record, a bare number (an older manager's file), or None where it is torn."""
    first, *rest = data.decode("utf-8", "surrogateescape").splitlines() or [""]
    if not re.fullmatch(r"\s*[0-9]{1,10}\s*", first, re.ASCII):
        return None
    pid, pairs = int(first), dict(line.split("=", 1) for line in rest if "=" in line)
    if not rest:
        return pid or None
    try:
        leader_pid, leader_started = pairs["leader"].split(" ", 1)
        if not re.fullmatch(r"[0-9A-Za-z-]{0,64}", pairs["launch"]):  # it becomes part of a file's name
            return None
        return Record(
            server=Identity(pid, pairs["started"]),
            leader=Identity(int(leader_pid), leader_started),
            log_start=int(pairs["log_start"]),
            port=int(pairs["port"]),
            ready=pairs["ready"] == "1",
            signs=pairs["signs"] == "1",
            place=pairs.get("place", ""),  # pid files of earlier versions lack it
            **{key: pairs[key] for key in ("launch", "mode", "python", "venv", "stopgap")},
        )
    except (KeyError, ValueError):
        return None


def read(service: Service) -> Reading:
    """Read the service's pid file and judge whose process it names; nothing is changed."""
    path = service.pid_file
    try:
        info = path.lstat()
        if not stat.S_ISREG(info.st_mode):
            return Reading("torn", f"{path} is not a plain file")
        data, info = fs.read_plain(path, _MOST)
    except FileNotFoundError:
        return Reading("missing", f"there is no {path.name}")
    except OSError as error:
        return Reading("torn", f"{path.name} cannot be read: {error.strerror}")
    content = parse(data)
    if content is None:
        return Reading("torn", f"{path.name} does not hold a process id")
    reading = _judge_bare(content, info, service) if isinstance(content, int) else _judge(content, path)
    if reading.kind == "ours" and reading.record and not is_believed(reading.record, info.st_uid):
        why = f"{path.name} belongs to another user than process {reading.pid}"
        return Reading("foreign", why, pid=reading.pid, replaceable=False)
    return replace(reading, owner=info.st_uid)


def is_copied(record: Record, path: Path) -> bool:
    """Whether a record that was read at `path` is a copy: the pid file it was written to still names that server.

    A project that was moved with its server running has left nothing at the old place.
    """
    place = Path(record.place)
    if not record.place or same_place(place, path):
        return False
    try:
        other = parse(fs.read_plain(place, _MOST)[0])
    except (OSError, ValueError):
        return False
    return isinstance(other, Record) and other.leader == record.leader


def same_place(one: Path, other: Path) -> bool:
    """Whether two paths are spellings of one."""
    return os.path.normcase(os.path.realpath(one)) == os.path.normcase(os.path.realpath(other))


def _judge(record: Record, path: Path) -> Reading:
    pid, name = record.server.pid, path.name
    if is_copied(record, path):
        return Reading("foreign", f"{name} is a copy of {record.place}, which names the server of another project")
    if identity.alive(record.server):
        return Reading("ours", f"{name} names process {pid}", record, pid)
    now = look(pid)
    zombie = now is not None and identity.same(now.identity, record.server)
    if identity.occupied(pid) and not zombie:
        why = f"process {pid} of {name} has ended; another process has that number now"
        return Reading("foreign", why, record, pid)
    return Reading("stale", f"process {pid} of {name} has ended", record, pid)


def is_believed(record: Record, owner: int) -> bool:
    """Whether a user may say of these processes that they are the server: else `stop` of root would end any."""
    return all(may_name(owner, each.pid) for each in {record.server, record.leader})


def may_name(owner: int, pid: int) -> bool:
    """Whether a user may say that a process is the server: us, root, or the user whose process it is.

    Under sudo also who typed it: on a mount that shows all files as one user's (vboxsf, drvfs, cifs), what root wrote
    in that user's project is the user's too.
    """
    if sys.platform == "win32" or owner in callers(os.environ):
        return True
    try:
        return process_owner(pid) == owner
    except OSError:
        return True  # it has ended


def _judge_bare(pid: int, info: os.stat_result, service: Service) -> Reading:
    """Judge the pid file of an older manager: the pid proves nothing, so the command line must."""
    name = service.pid_file.name
    row = look(pid)
    if row is None or row.state in "ZX":
        if identity.occupied(pid) and row is None:
            return Reading("foreign", f"process {pid} of {name} is another user's", pid=pid, replaceable=False)
        return Reading("stale", f"process {pid} of {name} has ended", pid=pid)
    if identity.uptime(row.identity) < _age(info) - _CLOCK:
        return Reading("foreign", f"process {pid} is younger than {name}: its number was used again", pid=pid)
    words = command(pid)
    if not words:
        why = f"{name} names process {pid}, whose command cannot be seen"
        return Reading("foreign", why, pid=pid, replaceable=False)
    if not runs(words, service):
        return Reading("foreign", f"process {pid} of {name} runs something else: {' '.join(words)}", pid=pid)
    record = Record(row.identity, row.identity, port=service.port, python=words[0], ready=True)
    return Reading("ours", f"{name} names process {pid}, which runs this service's command", record, pid)


def _age(info: os.stat_result) -> float:
    return time.time() - info.st_mtime


def runs(words: tuple[str, ...], service: Service) -> bool:
    """Whether a command line is the service's, with any interpreter and environment."""
    words = unwrapped(words)
    free = dict.fromkeys(("python", "venv", "root"), "\0")
    parts = [part.format_map({**free, "host": service.host, "port": service.port}) for part in service.command]
    patterns = [re.escape(part).replace("\0", ".*") for part in parts]
    skip = 1 if len(patterns) > 1 else 0  # which python runs it is written in many ways
    if len(words) != len(patterns):
        return False
    return all(
        re.fullmatch(pattern, word, re.DOTALL) for pattern, word in list(zip(patterns, words, strict=True))[skip:]
    )


def write(path: Path, record: Record) -> None:
    """Write the pid file, whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    record = replace(record, place=os.path.abspath(path))  # noqa: PTH100 - links kept
    # Not flushed, since after a power cut it is stale anyway. It stays ours: its owner says whom to believe.
    fs.write_atomically(path, dump(record), mode=0o644, durable=False, given=False)


def clear(service: Service, aside: Path) -> bool:
    """Remove a pid file that names no server; what is not ours to throw away goes to the folder `aside`.

    Returns whether there is no pid file any more. Raises OSError where it cannot be moved.
    """
    reading, path = read(service), service.pid_file
    if reading.kind == "missing":
        return True
    if reading.kind == "ours" or not reading.replaceable:
        return False
    if in_the_way(service):
        return False
    if reading.record is not None or reading.kind == "stale" or _blank(path):
        fs.remove(path)
    else:
        fs.move(path, _free_name(aside, path.name))
    return True


def in_the_way(service: Service) -> str:
    """What lies in the pid file's place that can't be one, and so is not ours to move; empty if nothing does.

    A setting may be mistyped, or copied: then it is somebody's folder or text.
    """
    path = service.pid_file
    try:
        info = path.lstat()
    except OSError:
        return ""
    if not stat.S_ISREG(info.st_mode):
        return f"{path} is not a plain file"
    if info.st_size > _MOST or (path.suffix.lower() != ".pid" and read(service).kind == "torn" and not _blank(path)):
        return f"{path} is not a pid file"
    return ""


def _blank(path: Path) -> bool:
    """Whether the file holds nothing: empty, or the NULs that a power cut leaves."""
    try:
        info = path.lstat()
        return stat.S_ISREG(info.st_mode) and info.st_size <= _MOST and not fs.read_bytes(path).strip(b"\0\r\n\t ")
    except OSError:
        return False


def _free_name(folder: Path, name: str) -> Path:
    number = 1
    while fs.exists(folder / f"{name}.{number}"):
        number += 1
    return folder / f"{name}.{number}"
