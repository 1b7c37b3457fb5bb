"""Fill the tool environment from the lock: with the pinned uv where it runs, with pip otherwise."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from toolshed import uv_settings
from toolshed.children import Done, run
from toolshed.pip_settings import listed, neutral, translated, uv_has_its_own
from toolshed.shed import excerpt
from toolshed.trouble import AGAIN, MACHINE, REFUSED, UNREACHABLE, Trouble, from_output

if TYPE_CHECKING:
    from toolshed.display import Display
    from toolshed.shed import Shed

# uv's own cache of interpreters does not notice a pyvenv.cfg that came or went: after a repair it would
# still fill the base. Doing without its cache costs about half a second, once per lock.
UV_FLAGS = ("--require-hashes", "--link-mode", "copy", "--no-cache", "--compile-bytecode")
# After these it is no use to try another installer.
FINAL = {*(code for code, *_signs in MACHINE), "hash-mismatch", "certificate"}


def check_means() -> None:
    """Refuse, before anything is touched, where neither pip can be seeded nor uv be found."""
    if importlib.util.find_spec("venv") is None:
        raise no_ensurepip("its module venv is missing")
    if importlib.util.find_spec("ensurepip") is None and shutil.which("uv") is None:
        raise no_ensurepip("its module ensurepip is missing, and there is no uv on the PATH")


def no_ensurepip(why: str) -> Trouble:
    """Name the one thing to install."""
    minor = f"{sys.version_info.major}.{sys.version_info.minor}"
    if is_debian() and sys.base_prefix == "/usr":
        hint = f"apt install python{minor}-venv"
    else:
        hint = f"install Python {minor} completely (with ensurepip), or put uv on the PATH"
    message = f"this Python ({sys.executable}) can't put pip into an environment"
    return Trouble("no-ensurepip", message, f"{hint}; then: {AGAIN}", why=why, exit_code=REFUSED)


def is_debian() -> bool:
    """Tell whether the system's packages are Debian's."""
    try:
        release = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return False
    return bool(re.search(r"^ID(_LIKE)?=.*(debian|ubuntu)", release, re.MULTILINE))


def fill(shed: Shed, display: Display) -> str:
    """Install what the lock names; returns the name of the installer that did."""
    has_pip = seed_pip(shed, display)
    told = pip_settings(shed, display, has_pip=has_pip)
    uv, rest = provide_uv(shed, display, told, has_pip=has_pip)
    trouble: Trouble | None = None
    if uv is not None:
        trouble = install_with_uv(shed, display, uv, {} if uv_has_its_own() else told)
        if trouble is None:
            return "uv"
    if has_pip and (trouble is None or trouble.code not in FINAL):
        # pip reads settings that uv does not know, and the other way round.
        second = install_with_pip(shed, display, rest, told)
        if second is None:
            return "pip"
        trouble = more_useful(trouble, second)
    raise trouble or no_ensurepip("neither pip nor a uv that runs is there")


def more_useful(first: Trouble | None, second: Trouble) -> Trouble:
    """Choose between two installers' reasons: one that we know a hint for, else the last."""
    return first if first and second.code == "install-failed" else second


def seed_pip(shed: Shed, display: Display) -> bool:
    """Put the interpreter's own pip in place; tells whether there is one now."""
    if list(shed.new_site_packages.glob("pip-*.dist-info")):
        return True
    if importlib.util.find_spec("ensurepip") is None:
        return False
    display.phase("seeding pip")
    done = run([shed.python, "-I", "-m", "ensurepip", "--default-pip"], display.beat)
    if done.code and shutil.which("uv") is None:
        trouble = from_output(done.output, "seeding pip")
        raise trouble if trouble.code in FINAL else no_ensurepip(trouble.why)
    return done.code == 0


def provide_uv(shed: Shed, display: Display, told: dict[str, str], *, has_pip: bool) -> tuple[Path | None, str]:
    """Find a uv that runs; returns it, and the part of the lock that pip would have to install without it."""
    lock = shed.requirements.read_text(encoding="utf-8")
    pinned = excerpt(lock, "uv")
    if has_pip and pinned:
        display.phase("fetching uv")
        done = pip_install(shed, display, pinned, told, "--no-deps", "--only-binary", "uv")
        if done.code:
            trouble = from_output(done.output, "fetching uv")
            if trouble.code in FINAL or re.search(UNREACHABLE, done.output, re.IGNORECASE):
                raise trouble
            # No wheel for this platform: the suite works without uv, only slower.
            return None, excerpt(lock, "uv", without=True)
    for candidate in (shed.program("uv"), shutil.which("uv")):
        if candidate and runs(candidate, display):
            return Path(candidate), lock
    return None, lock


def runs(uv: str | Path, display: Display) -> bool:
    """Tell whether a uv starts here: a wheel that fits by its name may still not run."""
    try:
        return run([uv, "--version"], display.beat).code == 0
    except OSError:
        return False


def pip_install(shed: Shed, display: Display, pinned: str, told: dict[str, str], *flags: str) -> Done:
    """Install pinned lines with the environment's pip, into it whatever the person's settings say."""
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "lines.txt"
        lines.write_text(pinned, encoding="utf-8")
        command: list[str | Path] = [
            shed.python,
            "-I",
            "-m",
            "pip",
            "install",
            "--require-hashes",
            "--no-warn-script-location",
        ]
        return run([*command, *flags, "-r", lines], display.beat, neutral(told))


def install_with_pip(shed: Shed, display: Display, pinned: str, told: dict[str, str]) -> Trouble | None:
    """Install with pip; returns what went wrong."""
    display.phase("installing with pip")
    done = pip_install(shed, display, pinned, told)
    return from_output(done.output, "installing the tools with pip") if done.code else None


def install_with_uv(shed: Shed, display: Display, uv: Path, pip: dict[str, str]) -> Trouble | None:
    """Install with uv, and take away what the lock no longer names; returns what went wrong."""
    display.phase("installing with uv")
    flags, variables = translated(pip)
    command: list[str | Path] = [
        uv,
        "pip",
        "sync",
        "--python",
        shed.python,
        *UV_FLAGS,
        *flags,
        shed.requirements,
    ]
    with uv_settings.neutral() as settings:
        done = run(command, display.beat, {**settings, **variables})
    return from_output(done.output, "installing the tools with uv") if done.code else None


def pip_settings(shed: Shed, display: Display, *, has_pip: bool) -> dict[str, str]:
    """Return what the person has set for pip; where there is none, what the variables say."""
    return listed(run([shed.python, "-I", "-m", "pip", "config", "list"], display.beat).output if has_pip else "")
