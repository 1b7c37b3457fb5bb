"""Why a python does not start though its file is fine: what it runs as it starts, or a base that does not start either.

Looked into only where something is wrong with the start already: a healthy environment costs nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from clinic import interpreters, probe_hook
from clinic.anatomy import distinfo, layout
from clinic.anatomy.there import exists, is_file, is_folder, names_in
from clinic.facts import Hook, Self, Silence, Tree
from clinic.observe.base import Search
from clinic.package_facts import PathFile

PROBE = Path(probe_hook.__file__)
SECONDS = 5.0
"""A hook that needs longer than this is what the start waits for."""
_MODULES = ("sitecustomize", "usercustomize")
_IMPORTS = re.compile(rb"^import[ \t]", re.MULTILINE)


def pipes(tree: Tree) -> tuple[Hook, ...]:
    """The `.pth` files that are no files: a python that starts would wait for them, or read them, for ever."""
    site = tree.site_packages
    paths = [site / name for name in names_in(site) if name.endswith(".pth")] if site else []
    return tuple(Hook(path, "it is a device or pipe, which python would wait for") for path in paths if _waits(path))


def _waits(path: Path) -> bool:
    return exists(path) and not is_file(path) and not is_folder(path)


def culprits(hunt: Search, me: Self | Silence | None) -> tuple[Hook, ...]:
    """The start-up files of this environment that raise, end the interpreter or keep it waiting; each tried alone."""
    site = hunt.tree.site_packages
    names = sorted(_suspects(me, site)) if me and site else []
    if site is None or not names or (isinstance(me, Silence) and not _starts_bare(hunt)):
        return ()
    with ThreadPoolExecutor(4) as pool:
        hooks = pool.map(lambda name: _tried(hunt, site, name), names)
        return tuple(hook for hook in hooks if hook and hook.path.is_relative_to(site))


def without(
    hunt: Search, me: Self | Silence | None, stumbles: tuple[Hook, ...], path_files: tuple[PathFile, ...]
) -> Self | Silence | None:
    """What a python that its start-up files keep from starting says without them."""
    undecodable = any(each.problem == "undecodable" for each in path_files)
    if not isinstance(me, Silence) or not (stumbles or undecodable):
        return None
    return interpreters.ask(_python(hunt), hunt.venv, run=hunt.run, bare=True)


def _suspects(me: Self | Silence, site: Path) -> Iterator[str]:
    names = names_in(site)
    modules = [name for name in _MODULES if any(there.partition(".")[0] == name for there in names)]
    if isinstance(me, Silence):
        yield from (name for name in names if name.endswith(".pth") and _imports(site / name))
        yield from modules
        return
    # What raises is told on every start. usercustomize runs only where the user's site is seen, never for our look.
    yield from (name for name in modules if f"Error in {name};" in me.stderr)
    if me.base_site_visible and "usercustomize" in modules:
        yield "usercustomize"


def _imports(path: Path) -> bool:
    try:
        return bool(_IMPORTS.search(distinfo.beginning(path, distinfo.HEADERS_LIMIT)))
    except OSError:
        return False


def _python(hunt: Search) -> Path:
    return layout.python_in(hunt.venv, hunt.tree.platform)


def _starts_bare(hunt: Search) -> bool:
    return not isinstance(interpreters.identify(_python(hunt), run=hunt.run), Silence)


def _tried(hunt: Search, site: Path, name: str) -> Hook | None:
    done = hunt.run([_python(hunt), "-I", "-S", "-B", PROBE, site, name], timeout=SECONDS)
    told = interpreters.answers(done.stdout)
    path = Path(told.get("origin") or site / name)
    if "error" not in told:
        return Hook(path, done.reason or f"it ends the interpreter, with exit code {done.code}")
    return Hook(path, told["error"]) if told["error"] else None


def base_that_fails(hunt: Search, me: Self | Silence | None, home: str | None) -> str:
    """What is wrong with the base, where the environment's python does not start because its base does not."""
    if not isinstance(me, Silence) or me.code in {None, 0}:
        return ""
    for base in _bases(hunt, home):
        answer = interpreters.identify(base, run=hunt.run)
        if isinstance(answer, Silence) and answer.code:
            last = next((line for line in reversed(answer.stderr.splitlines()) if "Error" in line), answer.reason)
            return f"{base} itself does not start: {last.strip()}"
    return ""


def _bases(hunt: Search, home: str | None) -> Iterable[Path]:
    real = Path(os.path.realpath(_python(hunt)))
    if not real.is_relative_to(os.path.realpath(hunt.venv)):
        return (real,)
    folder = Path(home) if home and Path(home).is_absolute() else None
    names = layout.executable_names(hunt.flavour, hunt.tree.platform)
    return [folder / name for name in names if is_file(folder / name)][:1] if folder else ()
