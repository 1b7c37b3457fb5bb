"""Variables that derail what people type: the suite takes them away from all that it starts, a shell does not."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from clinic.anatomy import layout
from clinic.anatomy.there import is_file, is_folder, names_in, same
from clinic.facts import Interpreter, Tree, Variable

_OFF = frozenset({"", "0", "false", "no", "off", "n", "f"})


def derailing(
    venv: Path, tree: Tree, base: Interpreter | None, environ: Mapping[str, str], system: str = sys.platform
) -> tuple[Variable, ...]:
    """Those of `environ` that change what is typed for this environment, each with what it does."""
    found = _Found(venv, tree, base, system)
    told = ((name, environ[name], harm) for name, harm in found.harms.items() if environ.get(name))
    return tuple(Variable(name, value, what) for name, value, harm in told if (what := harm(value)))


class _Found:
    """What each variable does to one environment; nothing where it does no harm."""

    def __init__(self, venv: Path, tree: Tree, base: Interpreter | None, system: str) -> None:
        self.venv, self.tree, self.base, self.system = venv, tree, base, system
        self.harms: Mapping[str, Callable[[str], str]] = {
            "PYTHONHOME": self._home,
            "PYTHONPATH": self._path,
            "PYTHONPLATLIBDIR": self._library,
            "__PYVENV_LAUNCHER__": self._launcher,
            "VIRTUAL_ENV": self._active,
            "UV_PROJECT_ENVIRONMENT": self._project,
            "UV_PYTHON": self._uv,
            "UV_SYSTEM_PYTHON": _switch("uv pip installs into the system's Python"),
            "PIP_PYTHON": self._pip,
            "PIP_TARGET": lambda _value: "pip installs into that folder, not into the environment",
            "PIP_PREFIX": lambda value: "" if self._is_here(value) else "pip installs there, not into the environment",
            "PIP_ROOT": lambda value: "" if value == os.sep else "pip installs below that folder",
            "PIP_USER": _switch("pip refuses to install into the environment, or installs outside of it"),
            "PIP_DRY_RUN": _switch("pip installs nothing, and exits with 0"),
        }

    def _is_here(self, value: str) -> bool:
        return same(Path(value).expanduser(), self.venv)

    def _home(self, value: str) -> str:
        prefix = value.partition(os.pathsep)[0]
        if self.base and same(Path(prefix), self.base.prefix):
            return ""
        return "every python takes its standard library from there, or does not start"

    def _path(self, value: str) -> str:
        told = next((what for entry in value.split(os.pathsep) if entry for what in self._shadows(entry)), "")
        return told and f"{told} before the environment is asked"

    def _shadows(self, entry: str) -> Iterator[str]:
        """What an entry puts ahead of the environment's packages and of the standard library."""
        folder = Path(entry)
        site = self.tree.site_packages
        if not is_folder(folder) or (site and same(folder, site)):
            return
        if folder.name in {"site-packages", "dist-packages"}:
            yield f"packages of {entry} are imported"
            return
        mine = _modules(site) if site else set()
        taken = sorted(_modules(folder) & (mine | sys.stdlib_module_names))
        if taken:
            yield f"{taken[0]} is imported from {entry}"

    def _library(self, value: str) -> str:
        if self.system == "win32" or self.base is None:
            return ""
        place = self.base.prefix / value / f"python{self.base.flavour}"
        return "" if is_folder(place) else f"python looks for its extension modules in {place}"

    def _launcher(self, _value: str) -> str:
        return "a python that is started takes itself for that one" if self.system in {"win32", "darwin"} else ""

    def _active(self, value: str) -> str:
        # Whoever has activated our tools is at home in them, and types invoke and nox.
        if self._is_here(value) or same(Path(value), Path(sys.prefix)):
            return ""
        gone = "" if is_file(Path(value) / layout.CFG) else ", where no environment is"
        return f"uv, poetry and pdm work on that one{gone}"

    def _project(self, value: str) -> str:
        return "" if self._is_here(value) else "uv sync and uv run work on that environment"

    def _uv(self, value: str) -> str:
        path = Path(value)
        return "" if self._is_here(value) or self._is_mine(path) else "uv works on that Python, whatever is active"

    def _pip(self, value: str) -> str:
        return "" if self._is_here(value) or self._is_mine(Path(value)) else "pip works on that Python"

    def _is_mine(self, path: Path) -> bool:
        return path.parent == self.tree.scripts and layout.is_interpreter_name(path.name)


def _switch(what: str) -> Callable[[str], str]:
    return lambda value: "" if value.strip().lower() in _OFF else what


def _modules(folder: Path) -> set[str]:
    """Modules and packages that lie in a folder; one without `__init__.py` gives way to any other of its name."""
    names = names_in(folder)
    files = {name.partition(".")[0] for name in names if name.endswith((".py", ".so", ".pyd"))}
    return files | {name for name in names if is_file(folder / name / "__init__.py")}
