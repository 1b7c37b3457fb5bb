"""What every task needs: settings from Invoke's flags, one way to be performed, the words of its help."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from invoke.context import Context
from invoke.exceptions import Exit

from clinic import door

if TYPE_CHECKING:
    from clinic.model import Result
    from clinic.settings import Settings

ROOT = Path(__file__).resolve().parents[3]

VENV = "the environment's folder (default: the configured one)"
JSON = "print the JSON envelope on stdout, nothing else"
DRY = "print the plan, touch nothing"


def perform(command: str, work: Callable[[Settings], Result], ctx: Context, *, as_json: bool) -> None:
    """Run one command with the settings that Invoke's flags name; the exit code goes out as Invoke wants it."""
    code = door.perform(command, lambda: _nagging(work, settings_of(ctx)), as_json=as_json)
    if code:
        raise Exit(code=code)


def _nagging(work: Callable[[Settings], Result], settings: Settings) -> Result:
    """Every command says that the server runs on a stopgap, until it no longer does; `status` has a row for it."""
    from dataclasses import replace

    from clinic.remedies.stopgap import nag

    result = work(settings)
    return result if result.command == "status" else replace(result, notes=(*result.notes, *nag(settings)))


def settings_of(ctx: Context) -> Settings:
    """The settings of the project that Invoke's flags name."""
    from clinic.settings import load

    return load(ROOT, settings_file(ctx))


def settings_file(ctx: Context) -> Path | None:
    """What `invoke -f` names, if it names something; Invoke has no public word for it."""
    named = getattr(ctx.config, "_runtime_path", None)
    return Path(named).absolute() if named else None


def dry_run_wanted(ctx: Context, flag: bool) -> bool:
    """Whether our own --dry-run or Invoke's --dry was given."""
    return flag or bool(ctx.config.run.dry)
