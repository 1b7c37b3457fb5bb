"""Why a start died, in any language and code page."""

# ruff: noqa: E501 - one case a line
from __future__ import annotations

from typing import Any

import pytest

from clinic.service import logs, reasons

TRACE = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n    import y\n'
CASES: dict[str, tuple[bytes, int | None, str, str]] = {
    "spanish launcher, oem": ("No se encontró pyvenv.cfg.\r\n".encode("cp850"), 106, "cfg-error", "encontró"),
    "german launcher": (b"failed to locate pyvenv.cfg: Das System kann die angegebene Datei nicht finden.\n", 106, "cfg-error", "failed to locate"),
    "no home": (b"no home= specified in C:\\x\\pyvenv.cfg\n", 107, "cfg-error", "no home="),
    "older launcher": (b"No pyvenv.cfg file\n", 106, "cfg-error", "No pyvenv.cfg"),
    "code alone": (b"", 107, "cfg-error", "exit code 107"),
    "no base": (b"No Python at '\"C:\\Python313\\python.exe\"'\n", 103, "base-missing", "No Python at"),
    "no base, newer": (b"did not find executable at 'C:\\x\\python.exe': \xa0\n", 103, "base-missing", "did not find"),
    "base code alone": (b"", 103, "base-missing", "103"),
    "site": (b"Fatal Python error: init_import_site: Failed to import the site module\n", 1, "cfg-error", "site"),
    "stdlib": (b"Fatal Python error: init_fs_encoding: failed to get the Python codec\nModuleNotFoundError: No module named 'encodings'\n", 1, "interpreter-broken", "init_fs_encoding"),
    "package by -m": (b"/v/bin/python: No module named uvicorn\n", 1, "package-missing", "uvicorn"),
    "package in traceback": (TRACE.encode() + b"ModuleNotFoundError: No module named 'fastapi'\n", 1, "package-missing", "fastapi"),
    "the app itself": (TRACE.encode() + b"ModuleNotFoundError: No module named 'nucleus'\n", 1, "app-missing", "nucleus"),
    "a module of the app": (TRACE.encode() + b"ModuleNotFoundError: No module named 'nucleus.core'\n", 1, "app-missing", "nucleus.core"),
    "uvicorn import string": (b'ERROR:    Error loading ASGI app. Could not import module "nucleus.bridge".\n', 1, "app-missing", "nucleus.bridge"),
    "script gone": (b"/v/bin/python: can't open file '/x/run.py': [Errno 2] No such file or directory\n", 2, "app-missing", "run.py"),
    "port, linux": (b"ERROR:    [Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use\n", 1, "port-taken", "8000"),
    "port, windows, french": ("ERROR:    [Errno 10048] error while attempting to bind on address ('127.0.0.1', 8000): une seule utilisation de chaque adresse de socket\n".encode("cp1252"), 1, "port-taken", "10048"),
    "port, mac": (b"OSError: [Errno 48] Address already in use\n", 1, "port-taken", "48"),
    "port forbidden": (b"ERROR:    [Errno 13] error while attempting to bind on address ('127.0.0.1', 80): permission denied\n", 1, "port-forbidden", "80"),
    "permission": (b"PermissionError: [Errno 13] Permission denied: 'data.db'\n", 1, "permission-denied", "data.db"),
    "any error": (TRACE.encode() + b"ValueError: 7 is not even\n", 1, "start-failed", "ValueError: 7"),
    "an error of the startup": (b"ERROR:    " + TRACE.encode() + b"RuntimeError: cannot reach the database\n\nERROR:    Application startup failed. Exiting.\n", 3, "start-failed", "cannot reach the database"),
    "words": (b"one\n\nI give up\n", 1, "start-failed", "I give up"),
    "silence": (b"\n", -9, "start-failed", "signal SIGKILL"),
    "windows status": (b"", 0xC0000005, "start-failed", "0xc0000005"),
}  # fmt: skip


@pytest.mark.parametrize(("data", "code", "name", "words"), CASES.values(), ids=CASES.keys())
def test_the_reason_is_read(project: Any, data: bytes, code: int | None, name: str, words: str) -> None:
    service = project(command=("{python}", "-m", "uvicorn", "nucleus.interface_bridge:app")).service
    found = reasons.reason(logs.decode(data), code, reasons.own_modules(service))
    assert found is not None
    assert found.code == name
    assert words in found.message
    assert found.hint
    assert "\n" not in found.message


def test_a_module_that_lies_in_the_services_folder_is_its_own(project: Any) -> None:
    service = project().service
    (service.cwd / "helper.py").write_text("", "ascii")
    (service.cwd / "package").mkdir()
    is_own = reasons.own_modules(service)
    assert is_own("helper")
    assert is_own("package.part")
    assert not is_own("fastapi")


def test_nothing_told_is_no_reason() -> None:
    assert reasons.reason("", None, lambda _name: False) is None
