"""What creators write for activation at a path, on whichever platform it is one: their own code is called."""

from __future__ import annotations

import shlex
from pathlib import PurePath
from types import SimpleNamespace
from typing import Any
from venv import EnvBuilder

from virtualenv.activation import (
    BashActivator,
    BatchActivator,
    CShellActivator,
    FishActivator,
    NushellActivator,
    PowerShellActivator,
    PythonActivator,
    XonshActivator,
)
from virtualenv.activation.batch import _unsafe_path_reason

_OF_VIRTUALENV = (
    BashActivator,
    BatchActivator,
    CShellActivator,
    FishActivator,
    NushellActivator,
    PowerShellActivator,
    PythonActivator,
    XonshActivator,
)
_VENV = {
    "activate": 'VIRTUAL_ENV=$(cygpath "__VENV_DIR__")\n    export VIRTUAL_ENV="__VENV_DIR__"\n',
    "activate.bat": 'set "VIRTUAL_ENV=__VENV_DIR__"\n\nset "PATH=%VIRTUAL_ENV%\\Scripts;%PATH%"\n',
    "activate.csh": 'setenv VIRTUAL_ENV "__VENV_DIR__"\n',
    "activate.fish": 'set -gx VIRTUAL_ENV "__VENV_DIR__"\n',
}
"""The lines of CPython's Lib/venv/scripts that name the place, 3.11 to 3.12."""
_QUOTED = {
    "activate": "VIRTUAL_ENV=$(cygpath {0})\n    export VIRTUAL_ENV={0}\n",
    "activate.fish": "set -gx VIRTUAL_ENV {0}\n",
    "activate.csh": "setenv VIRTUAL_ENV {0}\n",
}
"""The same of 3.13.1 and later (gh-124651), and of uv, which also writes a loop for cmd.exe (crates/uv-virtualenv)."""


def virtualenv(path: PurePath) -> dict[str, str]:
    """Those of virtualenv, by name."""
    scripts = path / ("Scripts" if "\\" in str(path) else "bin")
    creator: Any = SimpleNamespace(
        dest=path, bin_dir=scripts, env_name=path.name, libs=[], interpreter=SimpleNamespace(tcl_lib="", tk_lib="")
    )
    made: dict[str, str] = {}
    for kind in _OF_VIRTUALENV:
        activator = kind(SimpleNamespace(prompt=None))  # type: ignore[arg-type]
        for template in activator.templates():
            values = activator.replacements(creator, scripts)  # type: ignore[arg-type]
            if activator.as_name(template).endswith(".bat") and is_left_out(str(path)):
                continue
            made[activator.as_name(template)] = activator.instantiate_template(values, template, creator)
    return made


def is_left_out(path: str) -> bool:
    """Whether virtualenv writes no batch files there, by its own rule."""
    return _unsafe_path_reason("__VIRTUAL_ENV__", path) is not None


def venv(path: PurePath) -> dict[str, str]:
    """Those of the standard library up to 3.12: between double quotes, nothing is escaped."""
    context = SimpleNamespace(env_dir=str(path), env_name=path.name, prompt="", bin_name="Scripts", env_exe="")
    return {name: EnvBuilder().replace_variables(text, context) for name, text in _VENV.items()}


def quoted(path: PurePath) -> dict[str, str]:
    """Those of the standard library from 3.13.1 on, and of uv: between single quotes, as a POSIX shell reads them."""
    word = "'" + str(path).replace("'", "'\"'\"'") + "'"
    return {
        **{name: text.format(shlex.quote(str(path))) for name, text in _QUOTED.items()},
        "activate.bat": f'@for %%i in ("{path}") do @set "VIRTUAL_ENV=%%~fi"\n',
        "activate.nu": f"    const virtual_env = {word}\n",
    }
