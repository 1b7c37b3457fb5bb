"""Tasks that cure: a stopgap, the cheapest remedies, each remedy by itself, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.tasks import task

from clinic import flow, report
from clinic.runbook.common import DRY, JSON, VENV, dry_run_wanted, perform

if TYPE_CHECKING:
    from clinic.model import Result
    from clinic.settings import Settings


@task(
    help={
        "venv": VENV,
        "wheelhouse": "a folder of wheels, for the lifeboat or --system: works without an index",
        "system": "serve with the system Python, and install into it what is missing there",
        "break_system_packages": "with --system: also where PEP 668 forbids it",
        "revert": "with --system: remove exactly what was installed there",
        "dry_run": DRY,
        "json": JSON,
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
            more: dict[str, Any] = {"wheelhouse": wheelhouse, "system": wish, "progress": shown}
            return flow.unblock(settings, venv, dry_run=dry_run_wanted(ctx, dry_run), **more)

    perform("unblock", work, ctx, as_json=json)


@task(
    name="fix-cfg",
    help={
        "venv": VENV,
        "base": "the base interpreter, named by hand (it is checked too)",
        "dry_run": DRY,
        "json": JSON,
    },
)
def fix_cfg(
    ctx: Context, venv: str | None = None, base: str | None = None, dry_run: bool = False, json: bool = False
) -> None:
    """Restore pyvenv.cfg from evidence, keep every package, prove it or put everything back."""
    perform(
        "fix-cfg", lambda s: flow.fix_cfg(s, venv, base=base, dry_run=dry_run_wanted(ctx, dry_run)), ctx, as_json=json
    )


@task(
    iterable=["only", "except_"],
    help={
        "venv": VENV,
        "rebuild": "--no-rebuild: stop before the expensive remedy",
        "wheelhouse": "a folder of wheels: works without an index",
        "only": "cure only the finding with this CODE (may be given more than once)",
        "except": "leave the finding with this CODE alone (may be given more than once)",
        "dry_run": DRY,
        "json": JSON,
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
            return flow.heal(settings, venv, limits, dry_run=dry_run_wanted(ctx, dry_run), progress=shown)

    perform("heal", work, ctx, as_json=json)


@task(
    help={
        "venv": VENV,
        "python": "another interpreter: 3.13, 3.14t, a path (default: the environment's own)",
        "requirements": "another lock",
        "wheelhouse": "install from this folder, without a network",
        "offline": "install from caches, without a network",
        "as_installed": "what was installed, instead of the lock",
        "no_hashes": "accept requirements without hashes",
        "yes": "replace an environment outside of the project",
        "dry_run": DRY,
        "json": JSON,
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
            return flow.rebuild(settings, venv, **flags, dry_run=dry_run_wanted(ctx, dry_run), progress=shown)

    perform("rebuild", work, ctx, as_json=json)


@task(
    positional=["repair"],
    help={
        "repair": "the id of a repair, or of an undo (default: the last repair that holds)",
        "venv": VENV,
        "list": "list the repairs on record",
        "yes": "also if a healthy environment becomes damaged by it, or is removed",
        "dry_run": DRY,
        "json": JSON,
    },
)
def undo(  # noqa: PLR0913, PLR0917 - the flags of the command
    ctx: Context,
    repair: str = "",
    venv: str | None = None,
    list_: bool = False,
    yes: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Put back what a repair replaced; undo can be undone."""

    def work(settings: Settings) -> Result:
        if list_:
            return flow.undo_list(settings)
        return flow.undo(settings, venv, entry_id=repair, yes=yes, dry_run=dry_run_wanted(ctx, dry_run))

    perform("undo", work, ctx, as_json=json)
