"""Who else runs from an environment: told before a repair, and refused where the system would not let it through.

Our own server is nobody else: the job stops and restarts it. Nor is what this run itself has asked a moment ago.
"""

from __future__ import annotations

import os
from pathlib import Path

from clinic.anatomy.layout import here
from clinic.service.holders import Holder, holders, refuse
from clinic.settings import Settings


def others(settings: Settings, venv: Path) -> tuple[Holder, ...]:
    """Every process that runs from `venv`, less what this run has started, our own server and what that has started."""
    found = holders(venv)
    if not found:
        return ()
    from clinic.service import find
    from clinic.service.identity import identify
    from clinic.service.stopping import family
    from clinic.service.table import near

    me, record = identify(os.getpid()), find.server(settings).record
    rows = near([os.getpid(), *([record.leader.pid] if record else [])])
    ours = {each.pid for each in (family(rows, me) if me else ())}
    if record:
        born = family(rows, record.leader, led=True)
        ours |= {record.server.pid, record.leader.pid, *(each.pid for each in born)}
    return tuple(each for each in found if each.pid not in ours)


def told_or_refused(settings: Settings, venv: Path) -> tuple[str, ...]:
    """Notes about them. Raises RefusedError on Windows; nothing was touched then."""
    return refuse(others(settings, venv), venv, here())
