"""The phases of the runbook as Invoke tasks: doors of a few lines, no logic.

Importing this costs little and cannot fail: whatever a task needs is imported when it runs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from clinic import door, flow, report

if TYPE_CHECKING:
    from clinic.model import Result
    from clinic.settings import Settings

ROOT = Path(__file__).resolve().parents[2]

_VENV = "the environment's folder (default: the configured one)"
_JSON = "print the JSON envelope on stdout, nothing else"
_DRY = "print the plan, touch nothing"


def perform(command: str, work: Callable[[Settings], Result], ctx: Context, *, as_json: bool) -> None:
    """Run one command with the settings that Invoke's flags name; the exit code goes out as Invoke wants it."""
    code = door.perform(command, lambda: work(_settings(ctx)), as_json=as_json)
    if code:
        raise Exit(code=code)


def _settings(ctx: Context) -> Settings:
    from clinic.settings import load

    named = getattr(ctx.config, "_runtime_path", None)  # what `invoke -f` names; Invoke has no public word for it
    return load(ROOT, Path(named).absolute() if named else None)


def _dry(ctx: Context, flag: bool) -> bool:
    return flag or bool(ctx.config.run.dry)


@task(help={"venv": _VENV, "json": _JSON, "list": "list every code with its cure"})
def diagnose(ctx: Context, venv: str | None = None, json: bool = False, list_: bool = False) -> None:
    """Look, name each damage with its evidence, and show the ways out. Changes nothing."""
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
    perform("fix-cfg", lambda s: flow.fix_cfg(s, venv, base=base, dry_run=_dry(ctx, dry_run)), ctx, as_json=json)


@task(help={"venv": _VENV, "list": "list the repairs on record", "dry_run": _DRY, "json": _JSON})
def undo(ctx: Context, venv: str | None = None, list_: bool = False, dry_run: bool = False, json: bool = False) -> None:
    """Put back what the last repair replaced."""
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

    def work(settings: Settings) -> Result:
        with report.steps(as_json=json) as shown:
            shown.step("Going through the checklist")
            return flow.validate(
                settings, venv, quick=quick, junit=junit, on_result=lambda check: shown.detail(check.title)
            )

    perform("validate", work, ctx, as_json=json)


@task(help={"dry_run": _DRY, "json": _JSON})
def onboard(ctx: Context, dry_run: bool = False, json: bool = False) -> None:
    """Everything from nothing to a validated, running bridge, and the commands to know."""

    def work(settings: Settings) -> Result:
        with report.steps(as_json=json) as shown:
            return flow.onboard(settings, dry_run=_dry(ctx, dry_run), progress=shown)

    perform("onboard", work, ctx, as_json=json)


@task(help={"venv": _VENV, "dry_run": _DRY, "json": _JSON})
def start(ctx: Context, venv: str | None = None, dry_run: bool = False, json: bool = False) -> None:
    """Start the server and wait for its first healthy answer."""
    perform("start", lambda s: flow.start_server(s, venv, dry_run=_dry(ctx, dry_run)), ctx, as_json=json)


@task(help={"dry_run": _DRY, "json": _JSON})
def stop(ctx: Context, dry_run: bool = False, json: bool = False) -> None:
    """Stop the server: gracefully, then by force, its children included."""
    perform("stop", lambda s: flow.stop_server(s, dry_run=_dry(ctx, dry_run)), ctx, as_json=json)


@task(help={"venv": _VENV, "dry_run": _DRY, "json": _JSON})
def restart(ctx: Context, venv: str | None = None, dry_run: bool = False, json: bool = False) -> None:
    """Stop the server and start it again."""
    perform("restart", lambda s: flow.restart_server(s, venv, dry_run=_dry(ctx, dry_run)), ctx, as_json=json)


@task(help={"json": _JSON})
def status(ctx: Context, json: bool = False) -> None:
    """Show how the server is: its process and its answer. Exit code 0 only when it is healthy."""
    perform("status", flow.server_status, ctx, as_json=json)


@task(help={"lines": "how many of the last lines", "follow": "go on until Ctrl+C", "json": _JSON})
def logs(ctx: Context, lines: int = 50, follow: bool = False, json: bool = False) -> None:
    """Show the end of the server's log."""
    live = follow and not json
    perform("logs", lambda s: flow.logs(s, lines=lines, follow=live, write=report.line), ctx, as_json=json)


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
