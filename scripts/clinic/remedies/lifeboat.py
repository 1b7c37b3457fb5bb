"""Unblocking without the environment: a throw-away one from the lock (or a wheelhouse), below the records.

It is made and proved as a rebuild is; only its place differs, and that nobody keeps it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from clinic import fs, interpreters
from clinic.anatomy import layout, lock
from clinic.errors import ClinicError, FailedError, RefusedError
from clinic.facts import Flavour, Interpreter
from clinic.remedies import proof, rebuild, staging, stopgap
from clinic.remedies.install import Source
from clinic.remedies.stopgap import Stopgap
from clinic.settings import Settings

_MARK = "made-from.txt"
# Another python would meet the same: what is wrong is the lock, the line or the disk.
_WHOEVER = frozenset({"hash-mismatch", "disk-full", "no-index"})


def prepare(
    settings: Settings, flavour: Flavour | None, shown: rebuild.Shown, wheelhouse: Path | None = None
) -> Stopgap:
    """Make it, or take the one that is there. Raises RefusedError without a lock or a python, FailedError."""
    requirements = settings.environment.requirements
    if not requirements.is_file():
        raise RefusedError("no-lock", f"There is no lock at {requirements}.", "nox -s lock")
    place = stopgap.folder(settings, stopgap.LIFEBOAT)
    if python := _afloat(place, settings):
        return _told(python, place, settings)
    refusal: ClinicError | None = None
    for base in bases(settings, flavour):
        try:
            _launch(place, base, settings, shown, wheelhouse)
        except FailedError as error:
            refusal = refusal or error
            if error.code in _WHOEVER:
                break
        else:
            return _told(layout.python_in(place, layout.here()), place, settings)
    raise refusal or RefusedError(
        "no-python",
        f"None of Python {', '.join(settings.environment.python)} is on this machine.",
        "install one of them, or set clinic.environment.python in invoke.yaml",
    )


def _told(python: Path, place: Path, settings: Settings) -> Stopgap:
    return Stopgap(stopgap.LIFEBOAT, python, place, settings.service.command)


def bases(settings: Settings, flavour: Flavour | None) -> Iterator[Interpreter]:
    """Pythons to try: of the environment's own flavour first, then by the settings' order."""
    seen: set[Path] = set()
    for spec in (*([str(flavour)] if flavour else []), *settings.environment.python):
        for base in interpreters.find(spec):
            if base.real not in seen:
                seen.add(base.real)
                yield base


def _afloat(place: Path, settings: Settings) -> Path | None:
    """The python of a lifeboat that was made from this very lock and still imports what the service needs."""
    python = layout.python_in(place, layout.here())
    with suppress(OSError, UnicodeDecodeError, FailedError):
        if (place / _MARK).read_text(encoding="utf-8") == _digest(settings):
            stopgap.prove(python, (place,), settings.environment.imports)
            return python
    return None


def _digest(settings: Settings) -> str:
    return hashlib.sha256(fs.read_bytes(settings.environment.requirements)).hexdigest()


def _launch(place: Path, base: Interpreter, settings: Settings, shown: rebuild.Shown, wheelhouse: Path | None) -> None:
    """Make and prove it beside its place, then put it there: what is there is always whole."""
    requirements = settings.environment.requirements
    pins = lock.wanted(lock.read(requirements), base.flavour)
    expected = proof.Expected(base, pins, settings.environment.imports)
    source = Source(requirements, hashes=not lock.unpinned(requirements), wheelhouse=wheelhouse)
    draft = rebuild.Draft(place, base, (source,), expected)
    for left in staging.leftovers(place):
        staging.discard(left)
    with staging.made(place) as making:
        rebuild.build(draft, making, shown)
        fs.remove(place)
        fs.move(making.root, place)
        (place / _MARK).write_text(_digest(settings), encoding="utf-8")
