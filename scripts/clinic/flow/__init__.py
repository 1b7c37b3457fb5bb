"""The only room that knows the order: observe, examine, plan, apply, observe again. One function a command."""

from clinic.flow.check import onboard, validate
from clinic.flow.look import diagnose, known_damages
from clinic.flow.repair import fix_cfg, undo, undo_list
from clinic.flow.serve import logs, restart_server, server_status, start_server, stop_server

__all__ = [
    "diagnose",
    "fix_cfg",
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
