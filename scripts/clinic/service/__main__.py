"""The server's commands without Invoke: what `ai/server_manager.py` hands over to.

python -m clinic.service start | stop | restart | status | logs | keep-alive
"""

from __future__ import annotations

import sys

from toolshed import entry

if __name__ == "__main__":
    entry.prepare()

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from clinic import door, report

if TYPE_CHECKING:
    import argparse

    from clinic.model import Result
    from clinic.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
# Refused, or another monitor watches: starting again would change nothing.
_POINTLESS = frozenset({2, 4})


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code (README, Exit codes)."""
    given = _parser().parse_args(arguments)
    settings = cache(lambda: _settings(given))
    code = door.perform(given.verb, lambda: _work(given, settings()), as_json=given.json, settings=settings)
    return 0 if given.supervised and code in _POINTLESS else code


def _settings(given: argparse.Namespace) -> Settings:
    from clinic.settings import load

    return load(ROOT, Path(given.config).absolute() if given.config else None)


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog="server_manager.py", description="Start, stop, restart or look at the Interface Bridge."
    )
    parser.add_argument("verb", choices=["start", "stop", "restart", "status", "logs", "keep-alive"])
    parser.add_argument("--json", action="store_true", help="print the JSON envelope on stdout, nothing else")
    parser.add_argument("-f", "--config", metavar="FILE", help="the settings of another project")
    parser.add_argument("--venv", metavar="PATH", help="the environment's folder (default: the configured one)")
    parser.add_argument("--dry-run", action="store_true", help="print the plan, touch nothing")
    parser.add_argument("--lines", type=int, default=50, metavar="N", help="logs: how many of the last lines")
    parser.add_argument("--follow", action="store_true", help="logs: go on until Ctrl+C")
    parser.add_argument("--stop", action="store_true", help="keep-alive: end the monitor that runs, and its server")
    parser.add_argument(
        "--supervised", action="store_true", help="keep-alive: end with 0 where starting it again would not help"
    )
    return parser


def _work(given: argparse.Namespace, settings: Settings) -> Result:
    from clinic import flow

    live = given.follow and not given.json
    verbs: dict[str, Callable[[], Result]] = {
        "start": lambda: flow.start_server(settings, given.venv, dry_run=given.dry_run),
        "stop": lambda: flow.stop_server(settings, dry_run=given.dry_run),
        "restart": lambda: flow.restart_server(settings, given.venv, dry_run=given.dry_run),
        "status": lambda: flow.server_status(settings),
        "keep-alive": lambda: _keep_alive(settings, given),
        "logs": lambda: flow.logs(settings, lines=given.lines, follow=live, write=report.line),
    }
    return verbs[given.verb]()


def _keep_alive(settings: Settings, given: argparse.Namespace) -> Result:
    from clinic import flow

    if given.stop:
        return flow.stop_keep_alive(settings, dry_run=given.dry_run)
    from clinic.report import live

    display = live.display(as_json=given.json)
    try:
        options = {"dry_run": given.dry_run, "supervised": given.supervised}
        return flow.keep_alive(settings, given.venv, display=display, **options)
    finally:
        if display:
            display.end()


if __name__ == "__main__":
    sys.exit(main())
