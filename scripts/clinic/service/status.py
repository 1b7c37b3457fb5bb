"""How the server is: process and answer as two truths, with all that a person or a script asks next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from clinic.service import find, guard, health, identity, jobs, memory, pidfile, ports, stopping
from clinic.service.table import near

if TYPE_CHECKING:
    from clinic.service.pidfile import Reading, Record
    from clinic.settings import Settings

State = Literal["running", "starting", "hung", "waiting", "failed", "stopped", "stale", "foreign"]


@dataclass(frozen=True)
class Status:
    """The answer to `status`. `changed`: whether the command did anything; `notes` are for people."""

    state: State
    wanted: memory.Wanted = "down"
    pid: int | None = None
    uptime_seconds: float | None = None
    restarts: int = 0
    last_reason: str = ""
    mode: str = "debug"
    stopgap: str | None = None
    health: health.Answer | None = None
    environment: Mapping[str, str] | None = None
    port_holder: ports.Holder | None = None
    monitor: guard.Sentry | None = None
    changed: bool = False
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """Return `data` of `status`, as the README has it."""
        return {
            "state": self.state,
            "wanted": self.wanted,
            "pid": self.pid,
            "uptime_seconds": None if self.uptime_seconds is None else round(self.uptime_seconds, 2),
            "restarts": self.restarts,
            "last_reason": self.last_reason,
            "mode": self.mode,
            "stopgap": self.stopgap,
            "health": self.health.as_json() if self.health else None,
            "environment": dict(self.environment) if self.environment else None,
            "port_holder": self.port_holder.as_json() if self.port_holder else None,
            **({"monitor": self.monitor.as_json()} if self.monitor else {}),
        }


def status(settings: Settings) -> Status:
    """Look at process, answer and port; changes nothing. Lasts as long as one health check at most."""
    found, known = find.server(settings), memory.recall(settings)
    base = Status(
        "stopped",
        wanted=known.wanted or "down",
        restarts=known.restarts,
        last_reason=known.last_reason,
        mode=known.mode,
        monitor=guard.sentry(settings),
    )
    if found.kind == "ours" and found.record:
        return _status_of_ours(settings, found.record, base)
    return _status_of_none(settings, found, base)


def _status_of_ours(settings: Settings, record: Record, base: Status) -> Status:
    service = find.as_run(settings.service, record)
    answer = _answer(settings, record)
    up = identity.uptime(record.server)
    holder: ports.Holder | None = ports.described(record.server.pid, {record.server.pid})
    if not answer.healthy and not identity.alive(record.server):  # it ended while it was asked
        return _status_of_none(settings, find.server(settings), base)
    if not answer.healthy:
        kin = {record.leader.pid, *(each.pid for each in stopping.family(near([record.leader.pid]), record.leader))}
        holder = ports.holder(service.port, kin) if answer.kind != "refused" else None
    moved = service.port != settings.service.port
    told = f"It runs on port {service.port}; the settings say {settings.service.port}." if moved else ""
    ends = memory.recall(settings).ends_with_job and jobs.confined(record.leader.pid)
    notes = (told, jobs.ENDS_WITH_JOB if ends else "")
    return replace(
        base,
        state=_state_of(answer, fresh=not record.ready and up < settings.service.start_timeout),
        pid=record.server.pid,
        uptime_seconds=up,
        mode=record.mode,
        stopgap=record.stopgap or None,
        health=answer,
        environment=surroundings(record),
        port_holder=holder,
        notes=tuple(filter(None, notes)),
    )


def surroundings(record: Record) -> Mapping[str, str] | None:
    """Return the environment and the interpreter that a server was started from, where that is known."""
    known = {"venv": record.venv, "python": record.python}
    return {key: path for key, path in known.items() if path} or None


def _state_of(answer: health.Answer, *, fresh: bool) -> State:
    if answer.healthy:
        return "running"
    if answer.kind == "foreign":
        return "foreign"
    return "starting" if fresh else "hung"


def _answer(settings: Settings, record: Record) -> health.Answer:
    if identity.stopped(record.server):  # certain at once; asking would take the whole timeout
        return health.Answer("timeout", "the process is halted (SIGSTOP or a debugger)")
    return health.check(find.as_run(settings.service, record), health.Expected(record.launch, signed=record.signs))


def _status_of_none(settings: Settings, found: Reading, base: Status) -> Status:
    answer = health.check(settings.service)
    holder = None
    if answer.kind != "refused":
        left = {each.pid for each in find.orphans(settings, found)}
        holder = ports.holder(settings.service.port, left)
    if holder and holder.ours:
        told = f"{found.why}, but {holder}, which it started, lives on"
        return replace(base, state="stale", health=answer, port_holder=holder, last_reason=told)
    if base.monitor and base.monitor.phase in {"waiting", "blocked"} and base.wanted == "up":
        state: State = "waiting" if base.monitor.phase == "waiting" else "failed"
        return replace(base, state=state, health=answer, port_holder=holder, last_reason=base.monitor.message)
    if answer.reachable or holder:
        # Whoever it is, it is not ours: a good answer must not pass for our server's.
        told = f"port {settings.service.port} is held by {holder or 'somebody who cannot be seen'}"
        stranger = replace(answer, kind="foreign", reason=told, matches=False)
        return replace(base, state="foreign", health=stranger, port_holder=holder, last_reason=told)
    return _status_by_pid_file(settings, found, replace(base, health=answer))


def _status_by_pid_file(settings: Settings, found: Reading, base: Status) -> Status:
    """Of a server that does not run, and whose port nobody holds."""
    if what := pidfile.in_the_way(settings.service):
        return replace(base, notes=(*base.notes, f"clinic.service.pid_file names something else: {what}."))
    if found.kind in {"stale", "torn"}:
        return replace(base, state="stale", last_reason=base.last_reason or found.why)
    if found.kind == "foreign":
        return replace(base, state="foreign", last_reason=found.why)
    failed = base.wanted == "up" and base.last_reason
    return replace(base, state="failed" if failed else "stopped")
