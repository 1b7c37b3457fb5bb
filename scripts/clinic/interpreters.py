"""Finding base interpreters and asking them who they are.

What an interpreter is, is never guessed from its path: it is asked (`clinic.probe`), in isolated mode, with the
variables that derail a python taken away. Looking for one by version is python-discovery's business.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from clinic import probe, proc
from clinic.anatomy import pth
from clinic.anatomy.layout import executable_names, flavour_of_name, here, library_folders
from clinic.anatomy.there import is_file, names_in, same
from clinic.facts import Flavour, Interpreter, Self, Silence
from clinic.interpreter_places import search_folders as search_folders  # noqa: PLC0414 - part of this room's door

PROBE = Path(probe.__file__)
LOOK_SECONDS = 10.0
IMPORT_SECONDS = 60.0

Runner = Callable[..., proc.Completed]


def identify(executable: Path, *, run: Runner = proc.run) -> Interpreter | Silence:
    """Ask a base interpreter who it is, without its site-packages (a `.pth` of the base can't hurt the look)."""
    if _is_store_stub(executable):
        return Silence("is a Microsoft Store stub: it opens the store instead of running")
    if not is_file(executable):
        return Silence("is not there" if not os.path.lexists(executable) else "is not a file")
    done = run([executable, "-I", "-S", "-B", PROBE], timeout=LOOK_SECONDS)
    who = _identity(answers(done.stdout), executable)
    return _itself(who) if who else _silence(done)


def _itself(who: Interpreter) -> Interpreter:
    """The python that answered, where a script stood in its place (pyenv's and asdf's shims do)."""
    if who.told is None or same(who.executable, who.real):
        return who
    return replace(who, executable=who.told)


def ask(
    executable: Path,
    venv: Path,
    modules: Sequence[str] = (),
    *,
    run: Runner = proc.run,
    bytecode: bool = False,
    bare: bool = False,
) -> Self | Silence:
    """Ask an environment's python who it is, site-packages and all, and what it can import of `modules`.

    A look leaves nothing behind; with `bytecode` what is imported is also compiled, for a new environment's first boot.
    With `bare`, its `.pth` files and sitecustomize are left out of its start.
    """
    limit = IMPORT_SECONDS if modules else LOOK_SECONDS
    flags = [*([] if bytecode else ["-B"]), *(["-S"] if bare else [])]
    done = run([executable, "-I", *flags, PROBE, *([probe.BARE] if bare else []), *modules], timeout=limit)
    told = answers(done.stdout)
    interpreter = _identity(told, executable)
    if interpreter is None:
        return _silence(done)
    who = told["identity"]
    failed = [(name, f"the interpreter ended with code {done.code} {done.reason}".strip()) for name in modules]
    return Self(
        interpreter=interpreter,
        is_itself=same(Path(who["prefix"]), venv),
        base_site_visible=any(not _is_named(entry, venv) for entry in who["base_site"]),
        path=tuple(who["path"]),
        user_site_visible=bool(who["user_site"]),
        imports=tuple((name, error) for name, error in told.get("imports", failed)),
        import_seconds=float(told.get("seconds", 0.0)),
        stderr=done.stderr.strip(),
    )


def ask_outside(executable: Path, *, by_copy: bool = False, run: Runner = proc.run) -> Interpreter | Silence:
    """Ask a copied executable who it is, from outside its environment, and find its base.

    There no pyvenv.cfg is found, and it answers as its base, whatever state the file is in. From 3.11 on a link does;
    the start-up code in C of 3.10 and older follows the link back and takes `home` from the file there (measured), so
    it needs a copy (`by_copy`), which in turn may not find a library that lies beside the original.
    """
    answer: Interpreter | Silence = Silence("was not asked")
    for place in (_copied, _linked) if by_copy else (_linked,):
        with tempfile.TemporaryDirectory(prefix="clinic-") as folder:
            try:
                answer = identify(place(executable, Path(folder)), run=run)
            except OSError as error:
                answer = Silence(f"cannot be asked outside: {error.strerror or error}")
        if isinstance(answer, Interpreter):
            return _base_below(answer.base_prefix, answer.flavour, run=run) or Silence(
                f"was built for {answer.base_prefix}, where no python {answer.flavour} is"
            )
    return answer


def _is_named(entry: str, venv: Path) -> bool:
    """Whether a `.pth` file of the environment itself asks for this site-packages (pipx shares one so)."""
    for folder, _ in library_folders(venv, here()):
        site = folder / "site-packages"
        for name in names_in(site):
            if name.endswith(".pth") and is_file(site / name):
                text = (site / name).read_text(encoding="utf-8-sig", errors="replace")
                if any(same(site / line, Path(entry)) for line in pth.folders(text)):
                    return True
    return False


def _linked(executable: Path, folder: Path) -> Path:
    (folder / executable.name).symlink_to(executable)
    return folder / executable.name


def _copied(executable: Path, folder: Path) -> Path:
    import shutil

    return Path(shutil.copy(executable, folder))


def _base_below(prefix: Path, flavour: Flavour, *, run: Runner) -> Interpreter | None:
    for folder in (prefix / "bin", prefix):
        found = in_folder(folder, executable_names(flavour, here()), run=run)
        if found and found.flavour == flavour:
            return found
    return None


def in_folder(folder: Path, names: Sequence[str], *, run: Runner = proc.run) -> Interpreter | None:
    """The first of these names in a folder that answers."""
    for name in names:
        candidate = folder / name
        if is_file(candidate):
            answer = identify(candidate, run=run)
            if isinstance(answer, Interpreter):
                return answer
    return None


def find(spec: str, *, env: Mapping[str, str] | None = None, run: Runner = proc.run) -> Iterator[Interpreter]:
    """Base interpreters on this machine that match a spec ("3.13", "3.14t", a path, a name), each asked itself.

    An environment that is found leads to its base. What is found twice is told once. A name is no proof of the
    threading build: `make install` of a free-threaded 3.14 makes a python3.14 too.
    """
    flavour = flavour_of_name(f"python{spec}")
    seen: set[Path] = set()
    for executable in _candidates(spec, env):
        answer = identify(executable, run=run)
        if isinstance(answer, Interpreter) and answer.is_environment:
            answer = identify(answer.base_executable, run=run) if answer.base_executable else Silence("no base")
        if isinstance(answer, Silence) or answer.is_environment or answer.real in seen:
            continue
        if flavour and answer.flavour != flavour:
            continue
        seen.add(answer.real)
        yield answer


def _candidates(spec: str, env: Mapping[str, str] | None) -> Iterator[Path]:
    if os.sep in spec or (os.altsep and os.altsep in spec):
        yield Path(spec)
        return
    environ = dict(env) if env is not None else proc.scrubbed()
    folders = search_folders(environ)
    environ["PATH"] = os.pathsep.join(map(str, folders))
    if flavour := flavour_of_name(f"python{spec}"):
        for folder in folders:
            yield from _present(folder, executable_names(flavour, here())[:1])
        if here() == "posix":
            # Every install has the versioned name there; python-discovery would run each python on its way.
            return
    from python_discovery import iter_interpreters

    for found in iter_interpreters(spec, env=environ):
        executable = found.system_executable or found.executable
        if executable:
            yield Path(executable)


def _present(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    return (folder / name for name in names if is_file(folder / name))


def _is_store_stub(executable: Path) -> bool:
    """Windows puts zero-byte aliases into WindowsApps that open the store (PEP 514 installs are elsewhere)."""
    if "WindowsApps" not in executable.parts:
        return False
    try:
        return executable.stat().st_size == 0
    except OSError:
        return True


def answers(stdout: str) -> dict[str, Any]:
    """What a probe said after its marks; whatever else is on stdout counts for nothing."""
    told: dict[str, Any] = {}
    for part in stdout.replace("\r\n", "\n").split(probe.MARK)[1:]:
        with contextlib.suppress(ValueError, TypeError):
            told.update(json.loads(part.split("\n", 1)[0]))
    return told


def _silence(done: proc.Completed) -> Silence:
    last = done.stderr.strip().splitlines()
    reason = done.reason or f"exit code {done.code}" + (f": {last[-1]}" if last else "")
    return Silence(reason, done.code, done.stderr)


def _identity(told: Mapping[str, Any], executable: Path) -> Interpreter | None:
    """What was told, if it is an answer of ours: any program may print anything."""
    try:
        return _interpreter(told["identity"], executable)
    except (KeyError, TypeError, ValueError):
        return None


def _interpreter(who: Mapping[str, Any], executable: Path) -> Interpreter:
    major, minor, patch = who["version"]
    prefix, base = Path(who["prefix"]), Path(who["base_prefix"])
    return Interpreter(
        executable=executable,
        real=Path(who["real"]),
        version=(major, minor, patch),
        flavour=Flavour(major, minor, bool(who["free_threaded"])),
        implementation=who["implementation"],
        prefix=prefix,
        base_prefix=base,
        base_executable=Path(who["base_executable"]) if who["base_executable"] else None,
        version_text=who["version_text"],
        is_environment=_is_environment(executable, prefix, base),
        machine=f"{who['platform']}-{who['bits']}",
        told=Path(who["executable"]) if who["executable"] else None,
    )


def _is_environment(executable: Path, prefix: Path, base: Path) -> bool:
    # Up to 3.13 `-S` hides an environment from its own sys.prefix; the file beside or above the executable does not.
    if prefix != base:
        return True
    return any(is_file(folder / "pyvenv.cfg") for folder in (executable.parent, executable.parent.parent))
