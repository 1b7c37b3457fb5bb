"""Which process is our server: by its pid file, by what was remembered, else by the launch id that it was given."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clinic.service import identity, memory, pidfile, ports, stopping
from clinic.service.pidfile import Reading, Record
from clinic.service.table import command, everyone, near, variable

if TYPE_CHECKING:
    from clinic.service.table import Identity
    from clinic.settings import Service, Settings


def server(settings: Settings) -> Reading:
    """Find our server; reads only."""
    reading = pidfile.read(settings.service)
    if reading.kind == "ours":
        return reading
    known = memory.recall(settings)
    copy = _remembered(settings, known)
    if copy and copy.leader == pidfile.UNBORN:
        copy = _born(copy, known.owner, settings.service)
    if copy and identity.alive(copy.server) and pidfile.is_believed(copy, known.owner):
        why = f"{reading.why}, but the server is remembered"
        return Reading("ours", why, copy, copy.server.pid, owner=known.owner)
    for record, owner in ((reading.record, reading.owner), (copy, known.owner)):
        if record and (heir := _successor(record, owner)):
            return Reading("ours", f"{reading.why}, but its successor serves", heir, heir.server.pid, owner=owner)
    return reading


def orphans(settings: Settings, reading: Reading) -> list[Identity]:
    """Find what a dead server of ours left running."""
    known = memory.recall(settings)
    records = [(reading.record, reading.owner), (_remembered(settings, known), known.owner)]
    return list(dict.fromkeys(each for record, owner in records if record for each in _left(record, owner)))


def is_left_down(known: memory.Memory) -> bool:
    """Whether a restart was killed after it had ended the server, and before it had started the next one."""
    record = pidfile.parse(known.record.encode("utf-8", "surrogateescape"))
    unborn = isinstance(record, Record) and record.leader == pidfile.UNBORN
    return known.wanted == "up" and (unborn or (bool(known.ended) and known.ended == known.launch))


def as_run(service: Service, record: Record) -> Service:
    """Return the settings of the server as it runs: its port may not be the one that is set by now."""
    return replace(service, port=record.port) if record.port else service


def _remembered(settings: Settings, known: memory.Memory) -> Record | None:
    copy = pidfile.parse(known.record.encode("utf-8", "surrogateescape")) if known.record else None
    if not isinstance(copy, Record) or pidfile.is_copied(copy, settings.service.pid_file):
        return None
    return None if memory.is_copied(settings, known) else copy


def _left(record: Record, owner: int) -> list[Identity]:
    """Find what is left of a launch whose server has ended, as far as this user may speak of it."""
    return [each for each in stopping.orphans(record.leader, record.launch) if pidfile.may_name(owner, each.pid)]


def _successor(record: Record, owner: int) -> Record | None:
    """Find the process that took over from a server that has ended, as gunicorn's master does on USR2.

    It listens on the server's port, and all else that is left of the launch descends from it.
    """
    left = {each.pid: each for each in _left(record, owner)}
    if not left:
        return None
    heads = [row.identity for row in near(left) if row.identity.pid in left and row.parent not in left]
    holder = ports.holder(record.port, left)
    if len(heads) != 1 or holder is None or not holder.ours:
        return None
    return replace(record, leader=heads[0], server=heads[0])


def _born(record: Record, owner: int, service: Service) -> Record | None:
    """Find the server of a start that was killed before it could write down which process it had started.

    That is the one that was given the launch id, leads its session (not on Windows), and runs the service's command.
    What it has started inherited the id, but is its child.
    """
    given = [row for row in everyone() if variable(row.identity.pid, stopping.LAUNCH) == record.launch]
    pids = {row.identity.pid for row in given if pidfile.may_name(owner, row.identity.pid)}
    heads = [
        row
        for row in given
        if row.identity.pid in pids - identity.protected()
        and row.parent not in pids
        and row.session in {0, row.identity.pid}
        and row.state not in "ZX"
        and pidfile.runs(command(row.identity.pid), service)
    ]
    if not heads:
        return None
    from clinic.service import launch

    leader = min(heads, key=lambda row: row.begun).identity
    return replace(record, leader=leader, server=launch.serving(leader))
