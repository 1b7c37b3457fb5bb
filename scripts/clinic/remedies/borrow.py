"""Unblocking without an install: the base interpreter with the sick environment's own packages.

What is borrowed is a shell: a folder with a link to a base of the right version and flavour, a true pyvenv.cfg, and
one `.pth` line that adds the environment's `site-packages`. A shell instead of options to the base, because
then `{python}` stays one path that every command can be started with, and that the service's own children
(`uvicorn --workers`, `multiprocessing`) find in `sys.executable`. It is isolated as every environment is: neither the
base's packages nor the user's are seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from clinic import fs, interpreters
from clinic.anatomy import layout
from clinic.anatomy.cfg_writer import restored
from clinic.checks.effects import wants_base_packages
from clinic.errors import FailedError, RefusedError
from clinic.facts import Facts, Interpreter
from clinic.remedies import staging, stopgap
from clinic.remedies.stopgap import Stopgap
from clinic.settings import Settings

_PTH = "_clinic_borrow.pth"


def prepare(settings: Settings, facts: Facts) -> Stopgap:
    """Make the shell and look whether it finds what the service needs.

    Raises RefusedError where there is nothing to borrow, FailedError where what is there does not start.
    """
    site = facts.tree.site_packages if facts.tree else None
    if facts.tree is None or site is None or not any(site.iterdir()):
        raise RefusedError("nothing-to-borrow", f"There are no packages in {facts.venv}.", stopgap.WAY_BACK)
    if facts.tree.platform != layout.here():
        raise RefusedError("other-platform", f"{facts.venv} was made for another platform.", stopgap.WAY_BACK)
    place = stopgap.folder(settings, stopgap.BORROW)
    refusal: FailedError | None = None
    for base in lenders(facts):
        # What a damaged `.pth` file does to the start, it does here too: without them it is tried once more.
        for act in (f"site.addsitedir({str(site)!a})", f"sys.path.append({str(site)!a})"):
            try:
                python = _shell(place, facts, base, act)
                stopgap.prove(python, (facts.venv,), settings.environment.imports, glance=True)
            except FailedError as error:
                refusal = refusal or error
            else:
                command = stopgap.runnable(settings.service.command, facts.venv)
                return Stopgap(stopgap.BORROW, python, facts.venv, command, homes=(facts.venv,))
    fs.remove(place)
    raise refusal or _no_lender(facts)


def lenders(facts: Facts) -> Iterator[Interpreter]:
    """Bases that can load these packages: the proven one, then any of this version and flavour.

    For a stopgap a second Python 3.13 is as good as the first: its packages are not used, only its flavour counts.
    """
    proven = [facts.search.base] if facts.search.base else list(facts.search.rivals)
    others = interpreters.find(str(facts.flavour)) if facts.flavour else iter(())
    seen: set[Path] = set()
    for base in chain(proven, others):
        if base.real not in seen and (facts.flavour is None or base.flavour == facts.flavour):
            seen.add(base.real)
            yield base


def _shell(place: Path, facts: Facts, base: Interpreter, act: str) -> Path:
    """Make the shell anew; returns its python. Bytecode would be written into the environment, so none is."""
    fs.remove(place)
    place.parent.mkdir(parents=True, exist_ok=True)
    include = wants_base_packages(facts)
    if layout.here() == "windows":
        staging.create(staging.Staging(place.parent, place), base, include=include)
    else:
        _by_hand(place, base, include=include)
    site = next(iter(layout.library_folders(place, layout.here())))[0] / "site-packages"
    (site / _PTH).write_text(f"import site, sys; sys.dont_write_bytecode = True; {act}\n", encoding="ascii")
    return layout.python_in(place, layout.here())


def _by_hand(place: Path, base: Interpreter, *, include: bool) -> None:
    """What `venv` makes, less what a stopgap does not need: three files, in two milliseconds instead of fifty."""
    scripts = layout.scripts_folder(place, "posix")
    scripts.mkdir(parents=True)
    (place / "lib" / f"{'pypy' if base.implementation == 'pypy' else 'python'}{base.flavour}" / "site-packages").mkdir(
        parents=True
    )
    for name in ("python", "python3"):
        (scripts / name).symlink_to(base.executable)
    (place / layout.CFG).write_bytes(restored(base, str(base.home), include=include, creator="venv"))


def _no_lender(facts: Facts) -> RefusedError:
    wanted = f"Python {facts.flavour}" if facts.flavour else "a python of unknown version"
    return RefusedError("no-base", f"There is no {wanted} on this machine to lend itself.", stopgap.WAY_BACK)
