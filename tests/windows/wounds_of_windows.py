"""Which wounds of tests/real are dealt on Windows as well, and those that only Windows knows."""

from __future__ import annotations

import io
import os
import zipfile
from importlib.resources import files
from pathlib import Path

from tests.real.patients import MARKER, Patient
from tests.real.wounding import INCLUDE, Inflict, Wound
from tests.real.wounds import WOUNDS

# Reasons why a wound of POSIX is none on Windows.
_LINKS = "links and pipes of POSIX"
_PATHS = "writes a path of POSIX; Windows has its own below"
SPARED = {
    "pipe": _LINKS,
    "link-to-folder": _LINKS,
    "link-to-device": _LINKS,
    "dangling-link": _LINKS,
    "link-to-itself": _LINKS,
    "only-in-bin": _PATHS,
    "also-in-bin": _PATHS,
    "home-gone": _PATHS,
    "home-is-own-bin": _PATHS,
    "home-is-own-root": _PATHS,
    "home-relative": _PATHS,
    "home-without-interpreter": _PATHS,
    "home-of-other-minor": "one minor version is there",
    "home-of-other-base": "one installation is there",
    "home-is-prefix": "is the truth there",
    "home-in-prompt": "the launcher wants the word alone in its line",
    "home-without-blanks": "read by this interpreter",
}


def _wound(code: str, inflict: Inflict) -> Wound:
    return Wound(inflict.__name__.strip("_").replace("_", "-"), code, inflict, lambda _patient: "advice")


def _home_gone_from_windows(patient: Patient) -> None:
    patient.set("home", "C:\\Program Files\\Python of yore")


def _home_without_python_exe(patient: Patient) -> None:
    patient.set("home", "C:\\windows")


def _home_in_bare_prompt(patient: Patient) -> None:
    patient.rewrite(["prompt = home", *patient.lines])


def _home_on_a_drive_that_is_not_there(patient: Patient) -> None:
    patient.set("home", "Q:\\Python313")


def _home_beyond_what_the_launcher_reads(patient: Patient) -> None:
    patient.rewrite(["note = " + "x" * 9000, *patient.lines])


def _moved_to_scripts(patient: Patient) -> None:
    """Here the launcher finds it: it looks beside itself first."""
    patient.cfg.rename(patient.venv / "Scripts" / "pyvenv.cfg")


def _also_in_scripts(patient: Patient) -> None:
    (patient.venv / "Scripts" / "pyvenv.cfg").write_bytes(patient.cfg.read_bytes())


OF_WINDOWS = (
    _wound("cfg-home-gone", _home_gone_from_windows),
    _wound("cfg-home-gone", _home_without_python_exe),
    _wound("cfg-home-gone", _home_on_a_drive_that_is_not_there),
    _wound("cfg-home-decoy", _home_in_bare_prompt),
    _wound("cfg-oversized", _home_beyond_what_the_launcher_reads),
    _wound("cfg-in-scripts", _moved_to_scripts),
    _wound("cfg-second", _also_in_scripts),
)

DEALT = (*(wound for wound in WOUNDS if wound.name not in SPARED), *OF_WINDOWS)

LAUNCHER_CODES = {
    "missing": 106,
    "no-home": 107,
    "empty": 107,
    "utf16": 107,
    "upper-case": 107,
    "home-empty": 103,
    "home-quoted": 103,
    "home-in-comment": 103,
    "home-with-comment": 103,
    "home-is-file": 103,
    "home-gone-from-windows": 103,
    "home-in-bare-prompt": 107,
    "home-beyond-what-the-launcher-reads": 107,
}
"""What python.exe of such an environment exits with (PC/launcher.c and PC/venvlauncher.c)."""

HARMLESS: dict[str, Inflict] = {
    "unix-line-ends": lambda patient: patient.rewrite(patient.lines),
    "crlf": lambda patient: patient.rewrite(patient.lines, "\r\n"),
    "trailing-backslash": lambda patient: patient.set("home", f"{patient.base.home}\\"),
    "forward-slashes": lambda patient: patient.set("home", str(patient.base.home).replace("\\", "/")),
    "other-case": lambda patient: patient.set("home", str(patient.base.home).upper()),
    "no-blanks": lambda patient: patient.rewrite([line.replace(" = ", "=", 1) for line in patient.lines]),
    "trailing-blanks": lambda patient: patient.rewrite([line + "  " for line in patient.lines]),
    "unknown-keys": lambda patient: patient.rewrite([*patient.lines, "team = bridge"]),
    "emoji-prompt": lambda patient: patient.rewrite([*patient.lines, "prompt = größe \U0001f40d"]),
    "include-first": lambda patient: patient.rewrite([f"{INCLUDE} = false", *patient.without(INCLUDE)]),
}

# Damage that a new pyvenv.cfg does not cure.


def _python_truncated(patient: Patient) -> None:
    os.truncate(patient.python, 0)


def _python_missing(patient: Patient) -> None:
    patient.python.unlink()


def _script_of_elsewhere(patient: Patient) -> None:
    launcher(patient.venv / "Scripts" / "marker.exe", "D:\\old\\env\\Scripts\\python.exe")
    info = patient.venv / "Lib" / "site-packages" / f"{MARKER}-1.0.dist-info"
    with (info / "RECORD").open("a", encoding="utf-8") as record:
        record.write("../../Scripts/marker.exe,sha256=whatever,1\n")


def launcher(path: Path, interpreter: str) -> None:
    """A console script as distlib writes it: a program, `#!` and the interpreter, a zip with the script."""
    script = io.BytesIO()
    with zipfile.ZipFile(script, "w") as archive:
        archive.writestr("__main__.py", "print('marker')\n")
    stub = files("distlib").joinpath("t64.exe").read_bytes()
    path.write_bytes(stub + f"#!{interpreter}\n".encode() + script.getvalue())


BEYOND_CFG: dict[str, Inflict] = {
    "python-truncated": _python_truncated,
    "python-missing": _python_missing,
    "launcher-stale": _script_of_elsewhere,
}
