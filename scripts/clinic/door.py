"""What every door does: run one command to its end, whatever happens on the way, show it, and give its exit code."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from clinic import report

if TYPE_CHECKING:
    from clinic.errors import ClinicError
    from clinic.model import Result
    from clinic.settings import Settings


def perform(
    command: str, work: Callable[[], Result], *, as_json: bool, settings: Callable[[], Settings] | None = None
) -> int:
    """Run `work`, show its result, return the exit code (README, Exit codes and JSON). Never raises.

    `settings` are those of the project whose server may run on a stopgap: then every command says so, also one that
    was refused or failed.
    """
    started = time.perf_counter()
    result = _guarded(command, work)
    seconds = round(time.perf_counter() - started, 3)
    # `status` has a row for it.
    notes = result.notes + (_nag(settings) if settings and command != "status" else ())
    return report.show(replace(result, command=command, seconds=seconds, notes=notes), as_json=as_json)


def _nag(settings: Callable[[], Settings]) -> tuple[str, ...]:
    with suppress(Exception):  # settings that cannot be read were the command's own error
        from clinic.service import memory

        known = settings()
        if memory.recall(known).stopgap:  # else nobody pays for the import
            from clinic.remedies import stopgap

            return stopgap.nag(known)
    return ()


# What runs for weeks does not run inside of Invoke, which is a third of its memory. "-I": nothing of the current
# folder and of the environment variables gets between.
_ENTER = (
    "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); "
    "runpy.run_module('clinic.service', run_name='__main__', alter_sys=True)"
)


def hand_over(command: str, flags: Mapping[str, str | bool | None]) -> int:
    """Run a command of `clinic.service` in a process of its own, in our place; returns its exit code.

    `flags` are its flags by name; those that are False or None are left out.
    """
    import sys
    from pathlib import Path

    from clinic.service import process

    words = [word for name, value in flags.items() if value not in {None, False} for word in _flag(name, value)]
    scripts = Path(__file__).resolve().parents[1]
    return process.become([sys.executable, "-I", "-X", "utf8", "-c", _ENTER, str(scripts), command, *words])


def _flag(name: str, value: str | bool | None) -> list[str]:
    return [f"--{name}"] if value is True else [f"--{name}={value}"]


def _guarded(command: str, work: Callable[[], Result]) -> Result:
    from clinic.errors import ClinicError
    from clinic.model import Result

    try:
        with _interruptible():
            return work()
    except ClinicError as error:
        return Result(command, error.outcome, error.exit_code, errors=(error,))
    except KeyboardInterrupt as interrupt:
        # The work that was interrupted says what is true now (`flow.interruption`).
        stopped = ClinicError("interrupted", f"Interrupted. {interrupt}".strip(), f"invoke {command}")
        return Result(command, "failed", 130, errors=(stopped,))
    except Exception as error:  # noqa: BLE001 - the last door: a bug becomes a report, not a traceback
        told = _not_our_fault(error)
        if told:
            return Result(command, told.outcome, told.exit_code, errors=(told,))
        from clinic.bug import as_error

        return Result(command, "failed", 3, errors=(as_error(command, error),))


@contextmanager
def _interruptible(*, windows: bool = os.name == "nt") -> Iterator[None]:
    """Let Ctrl+C, `kill` and a closed terminal unwind the work as one KeyboardInterrupt; what is ignored stays so.

    A terminal that is closed may say so twice, itself and through its shell: that must not interrupt the unwinding. A
    console of Windows that is closed ends its programs when their handlers return, so that one waits for the work.
    """
    import signal
    import threading

    before: dict[int, Any] = {}
    over, asked = threading.Event(), list[int]()

    def interrupt(number: int, _frame: object) -> None:
        asked.append(number)
        if number != getattr(signal, "SIGHUP", None) or len(asked) == 1:
            raise KeyboardInterrupt

    try:
        if threading.current_thread() is threading.main_thread():
            for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK"):
                number = getattr(signal, name, None)
                if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                    before[number] = signal.signal(number, interrupt)
        if windows:
            import _thread

            from clinic.service import console

            console.hold_close(_thread.interrupt_main, over)
        yield
    finally:
        over.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _not_our_fault(error: Exception) -> ClinicError | None:
    """What this machine or the tool environment lacks."""
    from clinic.errors import RefusedError, of_the_machine

    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("clinic"):
        message = f"The tool environment lacks {error.name}. Nothing was touched."
        return RefusedError("tools-incomplete", message, "python scripts/bootstrap.py")
    return of_the_machine(error)
