"""Tasks that look: the newcomer's first run, the diagnosis, the checklist, the snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from clinic import flow, report
from clinic.runbook.common import DRY, JSON, VENV, dry_run_wanted, perform

if TYPE_CHECKING:
    from clinic.model import Result
    from clinic.settings import Settings


@task(help={"venv": VENV, "dry_run": DRY, "json": JSON})
def onboard(ctx: Context, venv: str | None = None, dry_run: bool = False, json: bool = False) -> None:
    """Everything from nothing to a validated, running bridge, and the commands to know."""

    def work(settings: Settings) -> Result:
        with report.steps(as_json=json) as shown:
            return flow.onboard(settings, venv, dry_run=dry_run_wanted(ctx, dry_run), progress=shown)

    perform("onboard", work, ctx, as_json=json)


@task(
    help={
        "venv": VENV,
        "json": JSON,
        "list": "list every code with its cure",
        "archive": "also write the incident document",
        "deep": "also compare every installed file with its RECORD",
        "trust": "run its python although it may be somebody else's work",
    }
)
def diagnose(  # noqa: PLR0913, PLR0917 - the flags of the command
    ctx: Context,
    venv: str | None = None,
    json: bool = False,
    list_: bool = False,
    archive: bool = False,
    deep: bool = False,
    trust: bool = False,
) -> None:
    """Look, name each damage with its evidence, and show the ways out. Changes nothing."""
    written = archive and not dry_run_wanted(ctx, flag=False)

    def work(settings: Settings) -> Result:
        if list_:
            return flow.known_damages()
        if not deep:
            return flow.diagnose(settings, venv, archive=written, trust=trust)
        with report.steps(as_json=json) as shown:
            return flow.diagnose(settings, venv, archive=written, deep=True, trust=trust, progress=shown)

    perform("diagnose", work, ctx, as_json=json)


@task(
    help={
        "venv": VENV,
        "quick": "start no shadow server",
        "junit": "also write a JUnit file",
        "dry_run": "start no server, write no file: only the checks that look",
        "json": JSON,
    },
)
def validate(
    ctx: Context,
    venv: str | None = None,
    quick: bool = False,
    junit: str | None = None,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Go through the validation checklist; each id is really tried."""

    def work(settings: Settings) -> Result:
        from clinic.checklist import GROUPS, TITLES
        from clinic.report import table

        flags: dict[str, Any] = {"quick": quick, "junit": junit, "dry_run": dry_run_wanted(ctx, dry_run)}
        with table.watcher(json, TITLES, GROUPS) as shown:
            return flow.validate(settings, venv, **flags, on_result=shown.ended, on_start=shown.begins)

    perform("validate", work, ctx, as_json=json)


@task(help={"venv": VENV, "dry_run": DRY, "json": JSON})
def snapshot(ctx: Context, venv: str | None = None, dry_run: bool = False, json: bool = False) -> None:
    """Record the known-good state of the environment, as every green validate does."""
    perform("snapshot", lambda s: flow.snapshot(s, venv, dry_run=dry_run_wanted(ctx, dry_run)), ctx, as_json=json)
