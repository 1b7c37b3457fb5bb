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
    code = door.perform(command, lambda: _nagging(work, _settings(ctx)), as_json=as_json)
    if code:
        raise Exit(code=code)


def _nagging(work: Callable[[Settings], Result], settings: Settings) -> Result:
    """Every command says that the server runs on a stopgap, until it no longer does; `status` has a row for it."""
    from dataclasses import replace

    from clinic.remedies.stopgap import nag

    result = work(settings)
    return result if result.command == "status" else replace(result, notes=(*result.notes, *nag(settings)))


def _settings(ctx: Context) -> Settings:
    from clinic.settings import load

    named = getattr(ctx.config, "_runtime_path", None)  # what `invoke -f` names; Invoke has no public word for it
    return load(ROOT, Path(named).absolute() if named else None)


def _dry(ctx: Context, flag: bool) -> bool:
    return flag or bool(ctx.config.run.dry)


@task(
    help={
        "venv": _VENV,
        "json": _JSON,
        "list": "list every code with its cure",
        "archive": "also write the incident document",
        "deep": "also compare every installed file with its RECORD",
    }
)
def diagnose(
    ctx: Context,
    venv: str | None = None,
    json: bool = False,
    list_: bool = False,
    archive: bool = False,
    deep: bool = False,
) -> None:
    """Look, name each damage with its evidence, and show the ways out. Changes nothing."""

    def work(settings: Settings) -> Result:
        if list_:
            return flow.known_damages()
        if not deep:
            return flow.diagnose(settings, venv, archive=archive)
        with report.steps(as_json=json) as shown:
            return flow.diagnose(settings, venv, archive=archive, deep=True, progress=shown)

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


@task(
    help={
        "venv": _VENV,
        "wheelhouse": "a folder of wheels for the lifeboat: works without an index",
        "system": "serve with the system Python, and install into it what is missing there",
        "break_system_packages": "with --system: also where PEP 668 forbids it",
        "revert": "with --system: remove exactly what was installed there",
        "dry_run": _DRY,
        "json": _JSON,
    }
)
def unblock(  # noqa: PLR0913, PLR0917 - the flags of the command
    ctx: Context,
    venv: str | None = None,
    wheelhouse: str | None = None,
    system: bool = False,
    break_system_packages: bool = False,
    revert: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """A healthy server now, whatever the state of the environment, which is not touched."""

    def work(settings: Settings) -> Result:
        with report.steps(as_json=json) as shown:
            wish = flow.SystemWish(system, break_system_packages, revert)
            dry = _dry(ctx, dry_run)
            return flow.unblock(settings, venv, wheelhouse=wheelhouse, system=wish, dry_run=dry, progress=shown)

    perform("unblock", work, ctx, as_json=json)


@task(
    iterable=["only", "except_"],
    help={
        "venv": _VENV,
        "rebuild": "stop before the expensive remedy: --no-rebuild",
        "wheelhouse": "a folder of wheels: works without an index",
        "only": "cure only this finding (may be given more than once)",
        "except": "leave this finding alone (may be given more than once)",
        "dry_run": _DRY,
        "json": _JSON,
    },
)
def heal(  # noqa: PLR0913, PLR0917 - the flags of the command
    ctx: Context,
    only: list[str],
    except_: list[str],
    venv: str | None = None,
    rebuild: bool = True,
    wheelhouse: str | None = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Apply the cheapest remedies that suffice, escalate if needed, serve again, prove it."""

    def work(settings: Settings) -> Result:
        with report.steps(as_json=json) as shown:
            limits = flow.Wish(rebuild, wheelhouse, tuple(only), tuple(except_))
            return flow.heal(settings, venv, limits, dry_run=_dry(ctx, dry_run), progress=shown)

    perform("heal", work, ctx, as_json=json)


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
        from clinic.checklist import GROUPS, TITLES
        from clinic.report import table

        with table.watcher(json, TITLES, GROUPS) as shown:
            return flow.validate(settings, venv, quick=quick, junit=junit, on_result=shown.ended, on_start=shown.begins)

    perform("validate", work, ctx, as_json=json)


@task(
    help={
        "venv": _VENV,
        "python": "another interpreter: 3.13, 3.14t, a path (default: the environment's own)",
        "requirements": "another lock",
        "wheelhouse": "install from this folder, without a network",
        "offline": "install from caches, without a network",
        "as_installed": "what was installed, instead of the lock",
        "no_hashes": "accept requirements without hashes",
        "yes": "replace an environment outside of the project",
        "dry_run": _DRY,
        "json": _JSON,
    },
)
def rebuild(  # noqa: PLR0913, PLR0917 - the flags of the command
    ctx: Context,
    venv: str | None = None,
    python: str | None = None,
    requirements: str | None = None,
    wheelhouse: str | None = None,
    offline: bool = False,
    as_installed: bool = False,
    no_hashes: bool = False,
    yes: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Make a new environment from the lock, prove it, and put it into the place of the old one, which is kept."""
    flags: dict[str, Any] = {"python": python, "requirements": requirements, "wheelhouse": wheelhouse}
    flags |= {"offline": offline, "as_installed": as_installed, "no_hashes": no_hashes, "yes": yes}

    def work(settings: Settings) -> Result:
        with report.steps(as_json=json) as shown:
            return flow.rebuild(settings, venv, **flags, dry_run=_dry(ctx, dry_run), progress=shown)

    perform("rebuild", work, ctx, as_json=json)


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


@task(help={"watch": "look again every two seconds, until Ctrl+C", "json": _JSON})
def status(ctx: Context, watch: bool = False, json: bool = False) -> None:
    """Show how the server is: its process and its answer. Exit code 0 only when it is healthy."""
    if not watch or json:
        perform("status", flow.server_status, ctx, as_json=json)
        return

    def work(settings: Settings) -> Result:
        with report.watching() as show:
            return flow.watch_status(settings, show)

    perform("status", work, ctx, as_json=json)


@task(name="keep-alive", help={"venv": _VENV, "dry_run": _DRY, "json": _JSON})
def keep_alive(ctx: Context, venv: str | None = None, dry_run: bool = False, json: bool = False) -> None:
    """Watch the server, replace it when it dies or hangs, heal its environment; Ctrl+C stops both."""
    named = getattr(ctx.config, "_runtime_path", None)
    config = str(Path(named).absolute()) if named else None
    flags = {"config": config, "venv": venv, "dry-run": _dry(ctx, dry_run), "json": json}
    if code := door.hand_over("keep-alive", flags):
        raise Exit(code=code)


@task(
    name="production-mode",
    help={
        "off": "back to debug mode",
        "install": "register server and keep-alive with the system's own supervisor, to survive a reboot",
        "uninstall": "take that back",
        "print": "only show what --install would write",
        "venv": _VENV,
        "dry_run": _DRY,
        "json": _JSON,
    },
)
def production_mode(  # noqa: PLR0913, PLR0917 - one parameter a flag
    ctx: Context,
    off: bool = False,
    install: bool = False,
    uninstall: bool = False,
    print_: bool = False,
    venv: str | None = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Serve windowless and detached from the managed environment, from now on."""
    chosen = {"off": off, "install": install, "uninstall": uninstall, "print": print_}
    asked = tuple(name for name, given in chosen.items() if given)
    work = lambda s: flow.production_mode(s, venv, asked=asked, dry_run=_dry(ctx, dry_run))  # noqa: E731
    perform("production-mode", work, ctx, as_json=json)


@task(help={"lines": "how many of the last lines", "follow": "go on until Ctrl+C", "json": _JSON})
def logs(ctx: Context, lines: int = 50, follow: bool = False, json: bool = False) -> None:
    """Show the end of the server's log."""
    live = follow and not json
    perform("logs", lambda s: flow.logs(s, lines=lines, follow=live, write=report.line), ctx, as_json=json)


TASKS: tuple[Any, ...] = (
    onboard,
    diagnose,
    unblock,
    fix_cfg,
    heal,
    rebuild,
    validate,
    undo,
    start,
    stop,
    restart,
    status,
    logs,
    keep_alive,
    production_mode,
)


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
