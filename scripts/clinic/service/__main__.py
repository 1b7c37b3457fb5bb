"""The server's commands without Invoke: what `ai/server_manager.py` hands over to.

python -m clinic.service start | stop | restart | status | logs
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from clinic.errors import ClinicError, RefusedError

if TYPE_CHECKING:
    import argparse

    from clinic.model import Result

ROOT = Path(__file__).resolve().parents[3]


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code (CONTRACT section 3)."""
    given = _parser().parse_args(arguments)
    begun = time.perf_counter()
    result = _guarded(given.verb, lambda: _work(given))
    result = replace(result, command=given.verb, seconds=round(time.perf_counter() - begun, 3))
    from clinic.report import show

    return show(result, as_json=given.json)


def _parser() -> argparse.ArgumentParser:
    import argparse

    parser = argparse.ArgumentParser(
        prog="server_manager.py", description="Start, stop, restart or look at the Interface Bridge."
    )
    parser.add_argument("verb", choices=["start", "stop", "restart", "status", "logs"])
    parser.add_argument("--json", action="store_true", help="print the JSON envelope on stdout, nothing else")
    parser.add_argument("-f", "--config", metavar="FILE", help="the settings of another project")
    parser.add_argument("--venv", metavar="PATH", help="the environment's folder (default: the configured one)")
    parser.add_argument("--dry-run", action="store_true", help="print the plan, touch nothing")
    parser.add_argument("--lines", type=int, default=50, metavar="N", help="logs: how many of the last lines")
    parser.add_argument("--follow", action="store_true", help="logs: go on until Ctrl+C")
    return parser


def _work(given: argparse.Namespace) -> Result:
    from clinic import flow
    from clinic.settings import load

    settings = load(ROOT, Path(given.config).absolute() if given.config else None)
    verbs: dict[str, Callable[[], Result]] = {
        "start": lambda: flow.start_server(settings, given.venv, dry_run=given.dry_run),
        "stop": lambda: flow.stop_server(settings, dry_run=given.dry_run),
        "restart": lambda: flow.restart_server(settings, given.venv, dry_run=given.dry_run),
        "status": lambda: flow.server_status(settings),
        "logs": lambda: flow.logs(settings, lines=given.lines, follow=given.follow and not given.json, write=_write),
    }
    return verbs[given.verb]()


def _write(line: str) -> None:
    from clinic.report import stream_lines

    stream_lines([line])


def _guarded(command: str, work: Callable[[], Result]) -> Result:
    from clinic.model import Result

    try:
        return work()
    except ClinicError as error:
        return Result(command, error.outcome, error.exit_code, errors=(error,))
    except KeyboardInterrupt:
        stopped = ClinicError("interrupted", "Interrupted. Everything was put back.", f"invoke {command}")
        return Result(command, "failed", 130, errors=(stopped,))
    except Exception as error:  # noqa: BLE001 - the last door: a bug becomes a report, not a traceback
        told = _incomplete(error)
        return Result(command, told.outcome, told.exit_code, errors=(told,)) if told else _bug(command, error)


def _incomplete(error: Exception) -> ClinicError | None:
    """Whether it is not our fault: a package of the tool environment is not there."""
    if not isinstance(error, ModuleNotFoundError) or (error.name or "").startswith("clinic"):
        return None
    message = f"The tool environment lacks {error.name}."
    return RefusedError("tools-incomplete", message, "python scripts/bootstrap.py")


def _bug(command: str, error: Exception) -> Result:
    from clinic.bug import report
    from clinic.model import Result

    return Result(command, "failed", 3, errors=(report(command, error),))


if __name__ == "__main__":
    sys.exit(main())
