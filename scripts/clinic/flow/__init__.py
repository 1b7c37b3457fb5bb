"""The only room that knows the order: observe, examine, plan, apply, observe again. One function a command.

The functions are imported when they are first used: a door opens at once, and `status` does not wait for `rebuild`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clinic.flow.alive import keep_alive
    from clinic.flow.check import onboard, validate
    from clinic.flow.look import diagnose, known_damages
    from clinic.flow.repair import fix_cfg, undo, undo_list
    from clinic.flow.serve import logs, restart_server, server_status, start_server, stop_server

_WHERE = {
    "diagnose": "look",
    "fix_cfg": "repair",
    "keep_alive": "alive",
    "known_damages": "look",
    "logs": "serve",
    "onboard": "check",
    "restart_server": "serve",
    "server_status": "serve",
    "start_server": "serve",
    "stop_server": "serve",
    "undo": "repair",
    "undo_list": "repair",
    "validate": "check",
}

__all__ = [
    "diagnose",
    "fix_cfg",
    "keep_alive",
    "known_damages",
    "logs",
    "onboard",
    "restart_server",
    "server_status",
    "start_server",
    "stop_server",
    "undo",
    "undo_list",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
