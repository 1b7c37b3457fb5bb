"""What every task needs: settings from Invoke's flags, one way to be performed, the words of its help."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
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
    settings = cache(lambda: settings_of(ctx))
    code = door.perform(command, lambda: work(settings()), as_json=as_json, settings=settings)
    if code:
        raise Exit(code=code)


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
