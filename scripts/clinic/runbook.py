"""The phases of the runbook as Invoke tasks: doors of a few lines, no logic.

Importing this costs little and cannot fail: whatever a task needs is imported when it runs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

if TYPE_CHECKING:
    from clinic.model import Result
    from clinic.settings import Settings

ROOT = Path(__file__).resolve().parents[2]

_VENV = "the environment's folder (default: the configured one)"
_JSON = "print the JSON envelope on stdout, nothing else"
_DRY = "print the plan, touch nothing"


def perform(command: str, work: Callable[[Settings], Result], ctx: Context, *, as_json: bool) -> None:
    """Run one command to its end: settings in, result shown, exit code out (CONTRACT sections 3 and 4)."""
    started = time.perf_counter()
    result = _guarded(command, lambda: work(_settings(ctx)))
    result = replace(result, command=command, seconds=round(time.perf_counter() - started, 3))
    from clinic.report import show

    code = show(result, as_json=as_json)
    if code:
        raise Exit(code=code)


def _guarded(command: str, work: Callable[[], Result]) -> Result:
    from clinic.errors import ClinicError
    from clinic.model import Result

    try:
        return work()
    except ClinicError as error:
        return Result(command, error.outcome, error.exit_code, errors=(error,))
    except KeyboardInterrupt:
        stopped = ClinicError("interrupted", "Interrupted. Everything was put back.", f"invoke {command}")
        return Result(command, "failed", 130, errors=(stopped,))
    except Exception as error:  # noqa: BLE001 - the last door: a bug becomes a report, not a traceback
        from clinic.bug import report

        return Result(command, "failed", 3, errors=(report(command, error),))


def _settings(ctx: Context) -> Settings:
    from clinic.settings import load

    named = getattr(ctx.config, "_runtime_path", None)  # what `invoke -f` names; Invoke has no public word for it
    return load(ROOT, Path(named).absolute() if named else None)


def _dry(ctx: Context, flag: bool) -> bool:
    return flag or bool(ctx.config.run.dry)


@task(help={"venv": _VENV, "json": _JSON, "list": "list every code with its cure"})
def diagnose(ctx: Context, venv: str | None = None, json: bool = False, list_: bool = False) -> None:
    """Look, name each damage with its evidence, and show the ways out. Changes nothing."""
    from clinic import flow

    work = (lambda _s: flow.known_damages()) if list_ else (lambda s: flow.diagnose(s, venv))
    perform("diagnose", work, ctx, as_json=json)


@task(
    name="fix-cfg",
    help={
        "venv": _VENV,
        "base": "the base interpreter, named by hand (it is checked too)",
        "dry_run": _DRY,
        "json": _JSON,
    },
)
def fix_cfg(
    ctx: Context, venv: str | None = None, base: str | None = None, dry_run: bool = False, json: bool = False
) -> None:
    """Restore pyvenv.cfg from evidence, keep every package, prove it or put everything back."""
    from clinic import flow

    perform("fix-cfg", lambda s: flow.fix_cfg(s, venv, base=base, dry_run=_dry(ctx, dry_run)), ctx, as_json=json)


@task(help={"venv": _VENV, "list": "list the repairs on record", "dry_run": _DRY, "json": _JSON})
def undo(ctx: Context, venv: str | None = None, list_: bool = False, dry_run: bool = False, json: bool = False) -> None:
    """Put back what the last repair replaced."""
    from clinic import flow

    work = flow.undo_list if list_ else (lambda s: flow.undo(s, venv, dry_run=_dry(ctx, dry_run)))
    perform("undo", work, ctx, as_json=json)


@task(
    help={
        "venv": _VENV,
        "quick": "start no shadow server",
        "junit": "also write a JUnit file",
        "json": _JSON,
    },
)
def validate(
    ctx: Context, venv: str | None = None, quick: bool = False, junit: str | None = None, json: bool = False
) -> None:
    """Go through the validation checklist; each id is really tried."""
    from clinic import flow
    from clinic.report import steps

    def work(settings: Settings) -> Result:
        with steps(as_json=json) as shown:
            shown.step("Going through the checklist")
            return flow.validate(
                settings, venv, quick=quick, junit=junit, on_result=lambda check: shown.detail(check.title)
            )

    perform("validate", work, ctx, as_json=json)


@task(help={"dry_run": _DRY, "json": _JSON})
def onboard(ctx: Context, dry_run: bool = False, json: bool = False) -> None:
    """Everything from nothing to a validated, running bridge, and the commands to know."""
    from clinic import flow
    from clinic.report import steps

    def work(settings: Settings) -> Result:
        with steps(as_json=json) as shown:
            return flow.onboard(settings, dry_run=_dry(ctx, dry_run), progress=shown)

    perform("onboard", work, ctx, as_json=json)


@task(help={"venv": _VENV, "dry_run": _DRY, "json": _JSON})
def start(ctx: Context, venv: str | None = None, dry_run: bool = False, json: bool = False) -> None:
    """Start the server and wait for its first healthy answer."""
    from clinic import flow

    perform("start", lambda s: flow.start_server(s, venv, dry_run=_dry(ctx, dry_run)), ctx, as_json=json)


@task(help={"dry_run": _DRY, "json": _JSON})
def stop(ctx: Context, dry_run: bool = False, json: bool = False) -> None:
    """Stop the server: gracefully, then by force, its children included."""
    from clinic import flow

    perform("stop", lambda s: flow.stop_server(s, dry_run=_dry(ctx, dry_run)), ctx, as_json=json)


@task(help={"venv": _VENV, "dry_run": _DRY, "json": _JSON})
def restart(ctx: Context, venv: str | None = None, dry_run: bool = False, json: bool = False) -> None:
    """Stop the server and start it again."""
    from clinic import flow

    perform("restart", lambda s: flow.restart_server(s, venv, dry_run=_dry(ctx, dry_run)), ctx, as_json=json)


@task(help={"json": _JSON})
def status(ctx: Context, json: bool = False) -> None:
    """Show how the server is: its process and its answer. Exit code 0 only when it is healthy."""
    from clinic import flow

    perform("status", flow.server_status, ctx, as_json=json)


@task(help={"lines": "how many of the last lines", "follow": "go on until Ctrl+C", "json": _JSON})
def logs(ctx: Context, lines: int = 50, follow: bool = False, json: bool = False) -> None:
    """Show the end of the server's log."""
    from clinic import flow
    from clinic.report import line

    perform("logs", lambda s: flow.logs(s, lines=lines, follow=follow and not json, write=line), ctx, as_json=json)


TASKS: tuple[Any, ...] = (onboard, diagnose, fix_cfg, validate, undo, start, stop, restart, status, logs)


def refuse_unreadable_settings() -> None:
    """Say in one line what Invoke would say with a traceback: the settings file it is about to read is no YAML.

    Invoke parses invoke.yaml right after it has imported tasks.py, and a file named by -f a little later.
    """
    from clinic.errors import RefusedError
    from clinic.settings import check_variables, clinic_section

    try:
        for path in (ROOT / "invoke.yaml", *_named_files(sys.argv)):
            clinic_section(path)
        check_variables()
    except RefusedError as error:
        raise Exit(f"error[{error.code}]: {error.message}\n  hint: {error.hint}", code=error.exit_code) from error


def _named_files(argv: list[str]) -> list[Path]:
    named = [after for flag, after in pairwise(argv) if flag in {"-f", "--config"}]
    return [Path(text) for text in (*named, *(part[9:] for part in argv if part.startswith("--config=")))]
