"""Results as the commands hand them over, and streams to show them on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from clinic.errors import FailedError, RefusedError
from clinic.model import Action, Cause, CheckResult, Finding, Option, Receipt, Result

VENV = Path("/srv/bridge/ai/.venv314t")
LONG = "invoke fix-cfg --venv '/srv/a rather long path/with blanks in it/and more of them/ai/.venv314t'"

LOST = Finding(
    "cfg-missing",
    "fatal",
    "pyvenv.cfg is missing",
    (f"{VENV}/pyvenv.cfg does not exist", "its python starts as /usr instead: pip would install there"),
    (
        Cause("deleted by hand, by a clean-up tool or by antivirus", "the rest is whole: 12 interpreter files"),
        Cause("interrupted creation, or a deletion that stopped at a file in use", "also missing: site-packages"),
    ),
    ("fix-cfg", "rebuild"),
)
SHOUTING = Finding("cfg-key-case", "advice", "keys are in upper case", ("'HOME' on line 1",))
FIX = Option(*("fix-cfg", True, True, False, 1.0), ("keeps every package", "undone by one command"), ("only the cfg",))
REBUILD = Option(*("rebuild", False, False, True, 15.0), ("everything is as the lock says",), ("needs an index",))
NEXT = (
    Action("immediate", LONG, "cures cfg-missing and keeps every package"),
    Action("short-term", "invoke validate", "proves that the cure worked"),
)
BROKEN: dict[str, Any] = {
    "venv": VENV,
    "verdict": "broken",
    "findings": (LOST, SHOUTING),
    "options": (FIX, REBUILD),
    "next_actions": NEXT,
}
HEALTHY: dict[str, Any] = {"venv": VENV, "verdict": "healthy", "findings": (), "options": (), "next_actions": ()}
MENDED = Receipt("fix-cfg", (VENV / "pyvenv.cfg",), Path("/srv/.clinic/stash/1"), 0.0521, "done", "1")
CHECKS = (
    CheckResult("startup.starts", "Server startup", "the start command exits 0", "pass", "exit code 0", 0.84),
    CheckResult(
        "startup.log", "Server startup", "the log has the start-up lines", "fail", "no such line\nlast: x", 0.01
    ),
    CheckResult("venv.cfg", "Virtual environment", "pyvenv.cfg is true", "skip", "another platform's environment"),
)
STATUS: dict[str, Any] = {
    "state": "running",
    "wanted": "up",
    "pid": 4711,
    "uptime_seconds": 192.3,
    "restarts": 2,
    "last_reason": "killed by signal 9",
    "mode": "debug",
    "stopgap": None,
    "health": {"kind": "healthy", "reason": "status 200", "latency": 0.0042, "status": 200, "matches": True},
    "environment": str(VENV),
    "port_holder": {"pid": 4711, "command": "python -m uvicorn", "ours": True},
}


def diagnosed(**changes: Any) -> Result:
    """What `diagnose` hands over for an environment that lost its cfg."""
    return Result("diagnose", "sick", 1, {**BROKEN, **changes}, seconds=0.2)


def cured(**changes: Any) -> Result:
    """What `fix-cfg` hands over when it held."""
    data = {"before": BROKEN, "after": HEALTHY, "receipts": [MENDED], "proof": {"prefix": VENV}, **changes}
    return Result("fix-cfg", "cured", 0, data, seconds=0.2)


def put_back() -> Result:
    """What `fix-cfg` hands over when it did not hold."""
    receipt = Receipt("fix-cfg", (VENV / "pyvenv.cfg",), None, 0.1, "restored")
    error = FailedError("not-proved", "The new pyvenv.cfg did not hold. The old state is back.", "invoke rebuild")
    return Result("fix-cfg", "failed", 1, {"before": BROKEN, "after": BROKEN, "receipts": [receipt]}, (error,))


def refused() -> Result:
    """What `fix-cfg` hands over when nothing proves a base."""
    message = "No base interpreter is proven. Looked at:\n  /usr/bin/python3.12: not there\nNothing was touched."
    return Result("fix-cfg", "refused", 2, {}, (RefusedError("base-unknown", message, f"{LONG} --base PYTHON"),))


def asked(command: str = "status", outcome: Any = "healthy", code: int = 0, **changes: Any) -> Result:
    """What the server's commands hand over."""
    return Result(command, outcome, code, {**STATUS, **changes}, seconds=0.84)


def pipe(encoding: str = "utf-8") -> io.TextIOWrapper:
    """Return a stream that is no terminal, strict about its encoding as a real one is."""
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="")


def written(stream: io.TextIOWrapper) -> str:
    """Return what arrived on such a stream."""
    stream.flush()
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode(stream.encoding)
