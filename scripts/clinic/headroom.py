"""What a look needs of this machine, asked before it looks.

Many of its questions take an error for an answer (a file that cannot be opened is unreadable): out of descriptors, it
would see damage everywhere.
"""

from __future__ import annotations

import os

from clinic.errors import of_the_machine

DESCRIPTORS = 64
"""More than a look holds open at a time: three pipes for each of a few pythons, a file for each of eight threads."""


def refuse_without() -> None:
    """Raise MachineError where a look would run out of descriptors."""
    opened: list[int] = []
    try:
        for _ in range(DESCRIPTORS):
            opened.append(os.open(os.devnull, os.O_RDONLY))  # noqa: PERF401 - what was opened must be known
    except OSError as error:
        known = of_the_machine(OSError(error.errno, error.strerror), "Nothing was looked at, and nothing was touched.")
        raise known or error from error
    finally:
        for descriptor in opened:
            os.close(descriptor)
