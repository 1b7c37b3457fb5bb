"""Which process is our server: by its pid file, or by what was remembered when that is gone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from clinic.service import identity, memory, pidfile, stopping
from clinic.service.pidfile import Reading, Record

if TYPE_CHECKING:
    from clinic.service.table import Identity
    from clinic.settings import Service, Settings


def server(settings: Settings) -> Reading:
    """Find our server; reads only."""
    reading = pidfile.read(settings.service)
    if reading.kind == "ours":
        return reading
    copy = _remembered(settings)
    if copy and identity.alive(copy.server):
        return Reading("ours", f"{reading.why}, but the server is remembered", copy, copy.server.pid)
    return reading


def orphans(settings: Settings, reading: Reading) -> list[Identity]:
    """Find what a dead server of ours left running."""
    records = [each for each in (reading.record, _remembered(settings)) if each]
    return list({each for record in records for each in stopping.orphans(record.leader, record.launch)})


def as_run(service: Service, record: Record) -> Service:
    """Return the settings of the server as it runs: its port may not be the one that is set by now."""
    return replace(service, port=record.port) if record.port else service


def _remembered(settings: Settings) -> Record | None:
    text = memory.recall(settings).record
    copy = pidfile.parse(text.encode("utf-8", "surrogateescape")) if text else None
    if not isinstance(copy, Record) or pidfile.is_copied(copy, settings.service.pid_file):
        return None
    return copy
