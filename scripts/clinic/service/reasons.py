"""Why a start died, read from what it wrote and from its exit code.

System messages come in any language and code page, so ASCII stems, error numbers and exit codes decide, never
whole sentences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinic.service.ports import FORBIDDEN, IN_USE

if TYPE_CHECKING:
    from collections.abc import Callable

    from clinic.settings import Service

_CFG = re.compile(
    r"pyvenv\.cfg|no home\s?= specified|Cannot find home in"
    r"|\binit_import_site: Failed to import the site module",
    re.IGNORECASE,
)
_NO_BASE = re.compile(r"No Python at|did not find executable at|Unable to create process using", re.IGNORECASE)
_FATAL = re.compile(r"^Fatal Python error: ?(.*)$", re.MULTILINE)
_NO_MODULE = re.compile(r"No module named '?([\w.]+)'?")
_NO_APP = re.compile(r"Error loading ASGI app.*|Could not import module .*|can't open file .*")
_ERRNO = re.compile(r"\[(?:Errno|WinError) (\d+)\]([^\n]*)")
_EXCEPTION_LINE = re.compile(r"^[\w.]*(?:Error|Exception|Exit|Interrupt|Warning)\b", re.MULTILINE)
_ERROR_LINE = re.compile(r"^ERROR:", re.MULTILINE)
_BIND = re.compile(r"bind|address|socket|listen|10013", re.IGNORECASE)
_LAUNCHER_CODES = {103: "base-missing", 106: "cfg-error", 107: "cfg-error"}  # the Windows launcher's
_SHOWN = 3  # lines


@dataclass(frozen=True)
class Reason:
    """Why a server did not come up: a stable code, the log's own words, what to type."""

    code: str
    message: str
    hint: str


def reason(text: str, code: int | None, is_own: Callable[[str], bool]) -> Reason | None:
    """Read the reason from the log's text since the start and the exit code (None: it never ended).

    `is_own` tells a module of the service itself from a package of the environment. None where nothing is
    told.
    """
    for look in (_environment, _modules, _errors):
        found = look(text, code, is_own)
        if found:
            return found
    told = _last_words(text)
    if told:
        return Reason("start-failed", told, "invoke logs")
    if code is not None:
        return Reason("start-failed", f"it ended with {exit_words(code)} and wrote nothing", "invoke diagnose")
    return None


def own_modules(service: Service) -> Callable[[str], bool]:
    """Tell the service's own modules: named by its command as MODULE:APP, or lying in its folder."""
    named = {part.partition(":")[0] for part in service.command if re.fullmatch(r"[\w.]+:[\w.]+(\(\))?", part)}

    def is_own(module: str) -> bool:
        top = module.partition(".")[0]
        lies_there = (service.cwd / top).is_dir() or (service.cwd / f"{top}.py").is_file()
        return top in {name.partition(".")[0] for name in named} or lies_there

    return is_own


def exit_words(code: int) -> str:
    """Say an exit code, a POSIX signal or a Windows status in words."""
    import signal

    if code < 0:
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code:#x}" if code > 0xFFFF else f"exit code {code}"  # noqa: PLR2004 - Windows


def _environment(text: str, code: int | None, _is_own: Callable[[str], bool]) -> Reason | None:
    fatal = _FATAL.search(text)
    base = _line_with(_NO_BASE, text)
    if base:
        return Reason("base-missing", base, "invoke diagnose")
    cfg = _line_with(_CFG, text)
    if cfg:
        return Reason("cfg-error", cfg, "invoke fix-cfg")
    if fatal:
        return Reason("interpreter-broken", f"Fatal Python error: {fatal[1].strip()}", "invoke diagnose")
    if code in _LAUNCHER_CODES:
        return Reason(
            _LAUNCHER_CODES[code],
            f"the environment's launcher ended with exit code {code}",
            "invoke diagnose",
        )
    return None


def _modules(text: str, _code: int | None, is_own: Callable[[str], bool]) -> Reason | None:
    missing = list(_NO_MODULE.finditer(text))
    if missing:
        name = missing[-1][1]
        if is_own(name):
            return Reason("app-missing", f"the service's own module {name} cannot be found", "look at invoke logs")
        return Reason("package-missing", f"the environment has no module {name}", "invoke diagnose")
    app = _line_with(_NO_APP, text)
    return Reason("app-missing", app, "set clinic.service.command in invoke.yaml right") if app else None


def _errors(text: str, _code: int | None, _is_own: Callable[[str], bool]) -> Reason | None:
    for found in reversed(list(_ERRNO.finditer(text))):
        number, line = int(found[1]), _line_around(text, found.start())
        if number in IN_USE:
            return Reason("port-taken", line, "invoke status")
        if number in FORBIDDEN:
            binding = _BIND.search(line)
            return Reason("port-forbidden" if binding else "permission-denied", line, "invoke diagnose")
    return None


def _line_with(pattern: re.Pattern[str], text: str) -> str | None:
    found = list(pattern.finditer(text))
    return _line_around(text, found[-1].start()) if found else None


def _line_around(text: str, place: int) -> str:
    begin = text.rfind("\n", 0, place) + 1
    end = text.find("\n", place)
    return text[begin : end if end >= 0 else None].strip()


def _last_words(text: str) -> str:
    """Return the error a traceback ends with, else the last one that was logged, else the last lines that say anything.

    What is logged after a traceback only says that it failed: "ERROR: Application startup failed. Exiting." of uvicorn.
    """
    error = _line_with(_EXCEPTION_LINE, text) or _line_with(_ERROR_LINE, text)
    if error:
        return error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-_SHOWN:])
