"""Who else runs from an environment: told before a repair, and refused where the system would not let it through.

Our own server is nobody else: the job stops and restarts it.
"""

from __future__ import annotations

from pathlib import Path

from clinic.anatomy.layout import here
from clinic.service.holders import Holder, holders, refuse
from clinic.settings import Settings


def others(settings: Settings, venv: Path) -> tuple[Holder, ...]:
    """Every process that runs from `venv`, less our own server and what it has started."""
    found = holders(venv)
    if not found:
        return ()
    from clinic.service import find
    from clinic.service.stopping import family
    from clinic.service.table import everyone

    record = find.server(settings).record
    if record is None:
        return found
    born = family(everyone(), record.leader, led=True)
    ours = {record.server.pid, record.leader.pid, *(each.pid for each in born)}
    return tuple(each for each in found if each.pid not in ours)


def told_or_refused(settings: Settings, venv: Path) -> tuple[str, ...]:
    """Notes about them. Raises RefusedError on Windows; nothing was touched then."""
    return refuse(others(settings, venv), venv, here())
