"""The runbook's literal temporary option: the service's packages in the system Python. Only when asked by `--system`.

Three rules keep it reversible: PEP 668 is obeyed unless somebody overrules it by name; nothing that is installed
there already is replaced; what will be added is on record before it is added, and `--revert` removes exactly that.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from clinic import drift, fs, interpreters, proc
from clinic.anatomy import lock
from clinic.errors import ClinicError, FailedError, RefusedError
from clinic.facts import Facts, Interpreter, Self
from clinic.remedies import install, stopgap
from clinic.remedies.stopgap import Stopgap
from clinic.settings import Settings

_ASK = (
    "import json, os, sys, sysconfig\n"
    "from importlib.metadata import distributions\n"
    "paths = sysconfig.get_paths()\n"
    "mark = os.path.join(paths['stdlib'], 'EXTERNALLY-MANAGED')\n"
    "found = [[d.metadata['Name'], d.version] for d in distributions() if d.metadata['Name']]\n"
    "sys.__stdout__.write(json.dumps({'managed': mark if os.path.isfile(mark) else '', 'found': found}))\n"
)
_SECONDS = 60.0


@dataclass(frozen=True)
class Ledger:
    """What was added to which python; written before it is added."""

    python: str
    added: Mapping[str, str]
    overrule: bool
    time: float


@dataclass(frozen=True)
class _Seen:
    managed: str
    """The marker file of PEP 668, empty where there is none."""
    installed: dict[str, str]


def prepare(
    settings: Settings,
    facts: Facts,
    say: Callable[[str], object],
    *,
    overrule: bool,
    wheelhouse: Path | None = None,
) -> Stopgap:
    """Add what is missing. Raises RefusedError before anything is touched, FailedError after it was put back."""
    base = choose(settings, facts)
    _assert_itself(base)
    seen = _look(base)
    if seen.managed and not overrule:
        raise RefusedError(
            "externally-managed",
            f"{base.executable} is managed by the system (PEP 668: {seen.managed}). Nothing was touched.",
            "invoke unblock (without --system) needs no install there; or add --break-system-packages",
        )
    source = _source(settings, overrule=overrule, wheelhouse=wheelhouse)
    wanted = lock.wanted(lock.read(source.requirements), base.flavour)
    if not wanted:
        raise RefusedError("no-lock", f"{source.requirements} pins nothing.", "nox -s lock")
    difference = drift.drift(seen.installed.items(), wanted)
    if difference.other:
        other = ", ".join(f"{each.name} {each.installed[0]} (locked {each.locked})" for each in difference.other)
        raise RefusedError(
            "system-conflict",
            f"{base.executable} has {other}: other programs may need that, so it is not replaced.",
            "invoke unblock",
        )
    if difference.missing:
        _add(settings, base, dict(difference.missing), source, say)
    command = stopgap.runnable(settings.service.command, facts.venv)
    return Stopgap(stopgap.SYSTEM, base.executable, facts.venv, command, homes=(base.prefix,))


def _source(settings: Settings, *, overrule: bool, wheelhouse: Path | None) -> install.Source:
    """The lock, hashes required as everywhere: the system Python is the last place to take something unseen into."""
    requirements = settings.environment.requirements
    loose = lock.unpinned(requirements) if requirements.is_file() else ()
    if loose:
        raise RefusedError(
            "lock-unhashed",
            f"{requirements.name} has lines without a version and a hash (the first: {loose[0]}). Nothing was touched.",
            "nox -s lock",
        )
    if wheelhouse and not wheelhouse.is_dir():
        raise RefusedError(
            "wheelhouse-missing",
            f"--wheelhouse {wheelhouse}: there is no such folder. Nothing was touched.",
            "nox -s wheelhouse fills one from the lock",
        )
    return install.Source(requirements, wheelhouse=wheelhouse, overrule=overrule)


def _assert_itself(base: Interpreter) -> None:
    """Ask it once more who it is, right before something is installed by that name; an environment is refused."""
    now = interpreters.ask(base.executable, base.prefix)
    if not (isinstance(now, Self) and now.is_itself):
        told = f"its prefix is {now.interpreter.prefix}" if isinstance(now, Self) else now.reason
        raise RefusedError(
            "not-itself",
            f"{base.executable} is not the system Python that it was taken for ({told}). Nothing was touched.",
            "invoke unblock",
        )


def choose(settings: Settings, facts: Facts) -> Interpreter:
    """The environment's own base, else the first python of the settings' order. Raises RefusedError."""
    if facts.search.base:
        return facts.search.base
    for spec in settings.environment.python:
        for base in interpreters.find(spec):
            return base
    raise RefusedError(
        "no-python",
        f"None of Python {', '.join(settings.environment.python)} is on this machine. Nothing was touched.",
        "install one of them, or set clinic.environment.python in invoke.yaml",
    )


def _look(base: Interpreter) -> _Seen:
    # Without -I's ban on the user's folder the answer would depend on who asks; what serves is started without it too.
    done = proc.run([base.executable, "-I", "-B", "-c", _ASK], timeout=_SECONDS)
    try:
        told = json.loads(done.stdout)
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or [done.reason])[-1]
        raise RefusedError("system-silent", f"{base.executable} cannot be asked: {last}.", "invoke unblock") from error
    return _Seen(told["managed"], {lock.canonical(name): version for name, version in told["found"]})


def _add(
    settings: Settings,
    base: Interpreter,
    missing: dict[str, str],
    source: install.Source,
    say: Callable[[str], object],
) -> None:
    """Install, on record; what an installer that fails leaves behind is removed again."""
    known = ledger(settings)
    if known and known.python != str(base.executable):
        raise RefusedError(
            "system-other",
            f"What an earlier run added to {known.python} is still there.",
            "invoke unblock --system --revert",
        )
    before = dict(known.added) if known else {}
    _save(settings, Ledger(str(base.executable), {**before, **missing}, source.overrule, time.time()))
    try:
        install.install(base.executable, source, say, prefix=base.prefix)
        _must_be_there(base, missing)
    except BaseException:  # Ctrl+C too: what this run added goes, what an earlier one added stays on record
        with suppress(ClinicError):  # what can't be removed stays on record beside it; the first error is told
            _remove(Ledger(str(base.executable), missing, source.overrule, time.time()))
            _forget(settings, known)
        raise


def _must_be_there(base: Interpreter, missing: Mapping[str, str]) -> None:
    """Believe the disk rather than an installer's exit code: a setting of somebody's may have sent it elsewhere."""
    installed = _look(base).installed
    lost = [name for name, version in missing.items() if installed.get(name) != version]
    if lost:
        raise FailedError(
            "not-installed", f"{base.executable} does not have {', '.join(lost)} after the install.", "invoke unblock"
        )


def _uninstall_words(python: Path, names: list[str], *, overrule: bool) -> list[str]:
    import sys

    forced = ["--break-system-packages"] if overrule else []
    uv = install.find_uv()
    if uv:
        return [uv, "pip", "uninstall", "--python", os.fspath(python), *forced, *names]
    pip = [sys.executable, *install.pip_module(), "--python", os.fspath(python)]
    return [*pip, "uninstall", "--yes", *forced, *names]


def revert(settings: Settings) -> tuple[list[str], list[str]]:
    """Remove exactly what was added; returns that, and what is left because somebody changed it since.

    Raises FailedError where it can't be removed; then it stays on record.
    """
    known = ledger(settings)
    if known is None:
        return [], []
    removed = _remove(known)
    _forget(settings, None)
    return removed


def _remove(known: Ledger) -> tuple[list[str], list[str]]:
    """The same for what this ledger names; the one on record is not touched."""
    base = interpreters.identify(Path(known.python))
    if not isinstance(base, Interpreter):
        raise FailedError("system-silent", f"{known.python} cannot be asked any more: {base.reason}.", "look at it")
    installed = _look(base).installed
    mine = [name for name, version in known.added.items() if installed.get(name) == version]
    changed = [name for name, version in known.added.items() if installed.get(name, version) != version]
    if mine:
        done = proc.run(_uninstall_words(Path(known.python), mine, overrule=known.overrule), timeout=install.LIMIT)
        if not done.ok:
            told = install.reason_in(done.stdout + done.stderr) or done.reason
            raise FailedError("not-removed", f"{', '.join(mine)}: {told}", f"{known.python} -m pip uninstall")
    return mine, changed


def _forget(settings: Settings, earlier: Ledger | None) -> None:
    """On record is from now on what was there before, if anything was."""
    if earlier:
        _save(settings, earlier)
    else:
        fs.remove(_file(settings))


def ledger(settings: Settings) -> Ledger | None:
    """What is on record as added."""
    with suppress(OSError, ValueError, TypeError):
        return Ledger(**json.loads(fs.read_bytes(_file(settings))))
    return None


def _save(settings: Settings, known: Ledger) -> None:
    file = _file(settings)
    file.parent.mkdir(parents=True, exist_ok=True)
    fs.write_atomically(file, json.dumps(asdict(known), indent=1).encode("utf-8"))


def _file(settings: Settings) -> Path:
    return settings.records / "system-python.json"
