"""The only room that knows the order: observe, examine, plan, apply, observe again. One function a command.

The functions are imported when they are first used: a door opens at once, and `status` does not wait for `rebuild`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clinic.flow.alive import keep_alive, stop_keep_alive
    from clinic.flow.case import Wish
    from clinic.flow.check import onboard, snapshot, validate
    from clinic.flow.healing import heal
    from clinic.flow.look import diagnose, known_damages
    from clinic.flow.production import production_mode
    from clinic.flow.rebuilding import rebuild
    from clinic.flow.reinstalling import reinstall
    from clinic.flow.relinking import relink
    from clinic.flow.repair import fix_cfg
    from clinic.flow.rescripting import rescript
    from clinic.flow.serve import logs, restart_server, server_status, start_server, stop_server, watch_status
    from clinic.flow.unblocking import SystemWish, unblock
    from clinic.flow.undoing import undo, undo_list

_WHERE = {
    "SystemWish": "unblocking",
    "Wish": "case",
    "diagnose": "look",
    "fix_cfg": "repair",
    "heal": "healing",
    "keep_alive": "alive",
    "known_damages": "look",
    "logs": "serve",
    "onboard": "check",
    "rebuild": "rebuilding",
    "reinstall": "reinstalling",
    "relink": "relinking",
    "rescript": "rescripting",
    "production_mode": "production",
    "restart_server": "serve",
    "server_status": "serve",
    "snapshot": "check",
    "start_server": "serve",
    "stop_keep_alive": "alive",
    "stop_server": "serve",
    "unblock": "unblocking",
    "undo": "undoing",
    "undo_list": "undoing",
    "validate": "check",
    "watch_status": "serve",
}

__all__ = [
    "SystemWish",
    "Wish",
    "diagnose",
    "fix_cfg",
    "heal",
    "keep_alive",
    "known_damages",
    "logs",
    "onboard",
    "production_mode",
    "rebuild",
    "reinstall",
    "relink",
    "rescript",
    "restart_server",
    "server_status",
    "snapshot",
    "start_server",
    "stop_keep_alive",
    "stop_server",
    "unblock",
    "undo",
    "undo_list",
    "validate",
    "watch_status",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
