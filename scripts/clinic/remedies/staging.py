"""A place beside the old environment where the new one is made, on the same filesystem and under the same name.

`ai/.venv314t` is made as `ai/.clinic-<owner><token>/.venv314t`. The folder between is unique, so the path of the
staging place turns into the final one by taking that one segment out (see `clinic.remedies.settle`). It is short,
because every file's path is longer by it, which Windows limits (see `clinic.remedies.path_length`).
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clinic import fs, proc
from clinic.anatomy import layout
from clinic.errors import FailedError, RefusedError, of_the_machine
from clinic.facts import Interpreter

PREFIX = ".clinic-"


@dataclass(frozen=True)
class Staging:
    """Where one new environment is made."""

    folder: Path
    final: Path

    @property
    def root(self) -> Path:
        """The environment that is being made."""
        return self.folder / self.final.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return layout.python_in(self.root, layout.here())

    @property
    def segment(self) -> str:
        """What its paths have more than the final ones."""
        return self.folder.name


def _prefix(final: Path) -> str:
    """What leads the name of a staging folder of this environment; of its name only, since projects move.

    One lock guards one environment: the staging folders of another one beside it may be in use.
    """
    return f"{PREFIX}{zlib.crc32(os.fsencode(os.path.normcase(final.name))) & 0xFFFF:04x}"


def planned(final: Path) -> Staging:
    """A staging place that is not made yet."""
    return Staging(final.parent / (_prefix(final) + secrets.token_hex(2)), final)


@contextlib.contextmanager
def made(final: Path) -> Iterator[Staging]:
    """Make an empty staging folder, and remove it at the end, whatever comes in between.

    Raises RefusedError where it can't be made.
    """
    place = planned(final)
    try:
        try:
            place.folder.mkdir(parents=True)
        except OSError as error:
            raise RefusedError(
                "not-writable",
                f"{final.parent} cannot be written: {error.strerror or error}. Nothing was touched.",
                "free some space, or make the folder writable",
            ) from error
        yield place
    finally:
        discard(place.folder)


def leftovers(final: Path) -> list[Path]:
    """What killed runs left beside an environment. Ask with its lock held: then none is running."""
    try:
        return sorted(final.parent.glob(_prefix(final) + "[0-9a-f]" * 4))
    except OSError:
        return []


def discard(folder: Path) -> None:
    """Remove a staging folder; what can't be removed is left to the next run."""
    with contextlib.suppress(OSError):
        fs.remove(folder)


def create(staging: Staging, base: Interpreter, *, include: bool, prompt: str | None = None, pip: bool = False) -> None:
    """Make the bare environment with virtualenv, without packages other than (if wanted) the pip it brings along."""
    from virtualenv.run import session_via_cli

    words = ["-q", "--no-periodic-update", "-p", os.fspath(base.executable)]
    words += ["--no-setuptools", "--no-download"] if pip else ["--no-seed"]
    words += ["--system-site-packages"] if include else []
    words += ["--prompt", prompt] if prompt else []
    try:
        with (
            _hushed(),
            session_via_cli([*words, os.fspath(staging.root)], setup_logging=False, env=_variables()) as session,
        ):
            session.run()
    except (RuntimeError, OSError, SystemExit) as error:
        if of_the_machine(error):
            raise
        raise FailedError(
            "create-failed",
            f"virtualenv could not make an environment of {base.executable} ({base.dotted}): {error}.",
            "invoke rebuild --python SPEC",
        ) from error


@contextlib.contextmanager
def _hushed() -> Iterator[None]:
    """Nox listens to everybody at debug level; virtualenv would tell all, and run a python to have more to tell."""
    loggers = [logging.getLogger(name) for name in ("virtualenv", "python_discovery", "filelock", "distlib")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


# What of virtualenv's variables says how it works, as against what it is to make.
_KEPT = ("VIRTUALENV_OVERRIDE_APP_DATA", "VIRTUALENV_CONFIG_FILE")


def _variables() -> dict[str, str]:
    env = proc.scrubbed()
    return {name: value for name, value in env.items() if not name.startswith("VIRTUALENV_") or name in _KEPT}
