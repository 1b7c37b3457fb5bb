"""Tasks of the server's life: start, stop, watch, and how it is to run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from clinic import door, flow, report
from clinic.runbook.common import DRY, JSON, VENV, dry_run_wanted, perform, settings_file

if TYPE_CHECKING:
    from clinic.model import Result
    from clinic.settings import Settings


@task(help={"venv": VENV, "dry_run": DRY, "json": JSON})
def start(ctx: Context, venv: str | None = None, dry_run: bool = False, json: bool = False) -> None:
    """Start the server and wait for its first healthy answer."""
    perform("start", lambda s: flow.start_server(s, venv, dry_run=dry_run_wanted(ctx, dry_run)), ctx, as_json=json)


@task(help={"dry_run": DRY, "json": JSON})
def stop(ctx: Context, dry_run: bool = False, json: bool = False) -> None:
    """Stop the server: gracefully, then by force, its children included."""
    perform("stop", lambda s: flow.stop_server(s, dry_run=dry_run_wanted(ctx, dry_run)), ctx, as_json=json)


@task(help={"venv": VENV, "dry_run": DRY, "json": JSON})
def restart(ctx: Context, venv: str | None = None, dry_run: bool = False, json: bool = False) -> None:
    """Stop the server and start it again."""
    perform("restart", lambda s: flow.restart_server(s, venv, dry_run=dry_run_wanted(ctx, dry_run)), ctx, as_json=json)


@task(help={"watch": "look again every two seconds, until Ctrl+C", "json": JSON})
def status(ctx: Context, watch: bool = False, json: bool = False) -> None:
    """Show how the server is: its process and its answer. Exit code 0 only when it is healthy."""
    if not watch or json:
        perform("status", flow.server_status, ctx, as_json=json)
        return

    def work(settings: Settings) -> Result:
        with report.watching() as show:
            return flow.watch_status(settings, show)

    perform("status", work, ctx, as_json=json)


@task(help={"lines": "how many of the last lines", "follow": "go on until Ctrl+C", "json": JSON})
def logs(ctx: Context, lines: int = 50, follow: bool = False, json: bool = False) -> None:
    """Show the end of the server's log."""
    live = follow and not json
    perform("logs", lambda s: flow.logs(s, lines=lines, follow=live, write=report.line), ctx, as_json=json)


@task(
    name="keep-alive",
    help={
        "stop": "end the monitor that runs, and its server with it; from any terminal",
        "venv": VENV,
        "dry_run": DRY,
        "json": JSON,
    },
)
def keep_alive(
    ctx: Context, stop: bool = False, venv: str | None = None, dry_run: bool = False, json: bool = False
) -> None:
    """Watch the server, replace it when it dies or hangs, heal its environment; Ctrl+C stops both."""
    file, dry = settings_file(ctx), dry_run_wanted(ctx, dry_run)
    flags = {"config": str(file) if file else None, "stop": stop, "venv": venv, "dry-run": dry, "json": json}
    if code := door.hand_over("keep-alive", flags):
        raise Exit(code=code)


@task(
    name="production-mode",
    help={
        "off": "back to debug mode",
        "install": "register server and keep-alive with the system's own supervisor, to survive a reboot",
        "uninstall": "take that back",
        "print": "only show what --install would write",
        "venv": VENV,
        "dry_run": DRY,
        "json": JSON,
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
    work = lambda s: flow.production_mode(s, venv, asked=asked, dry_run=dry_run_wanted(ctx, dry_run))  # noqa: E731
    perform("production-mode", work, ctx, as_json=json)
