"""The Interface Bridge: a small FastAPI service that says that it is well, and what it runs on.

Served by ``python -m uvicorn nucleus.interface_bridge:app`` from the folder above, or by running
this file. It reads these variables of its surroundings and depends on nothing else:

``BRIDGE_MODE``       how it was started: ``debug`` (the default) or ``production``
``BRIDGE_LAUNCH_ID``  a token of whoever started it, given back with every response
``BRIDGE_PORT``       the port when run as a script (8000)
``BRIDGE_HOST``       the host that it was told to listen on, a name by which it may be asked
``BRIDGE_NAMES``      more such names, separated by commas: of this machine, of a proxy before it
"""

from __future__ import annotations

import os
import sys
import sysconfig
import time
from importlib import metadata
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from fastapi import FastAPI
from starlette.responses import PlainTextResponse

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from starlette.types import Message, Receive, Scope, Send

LOOPBACK = "127.0.0.1"
DEFAULT_PORT = 8000
STARTED = time.monotonic()
MODE = os.environ.get("BRIDGE_MODE", "debug")
LAUNCH_ID = os.environ.get("BRIDGE_LAUNCH_ID")
NAMES = frozenset(
    name.strip().lower()
    for name in (
        "localhost",
        LOOPBACK,
        "::1",
        os.environ.get("BRIDGE_HOST", ""),
        *os.environ.get("BRIDGE_NAMES", "").split(","),
    )
    if name.strip()
)


class Bridge(FastAPI):
    """The application; every response names the launch and the process that gave it.

    The headers are added around the whole application rather than by a middleware: the responses
    to unhandled errors are made outside of all middleware, and they must name their process too.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""

        async def send_signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                sign(message)
            await send(message)

        if scope["type"] == "lifespan" or is_trusted(scope):
            await super().__call__(scope, receive, send_signed)
        else:
            await PlainTextResponse("This is not a name of this service.\n", 400)(scope, receive, send_signed)


def is_trusted(scope: Scope) -> bool:
    """Whether a request names us by one of our names, or by the very address that it came to.

    A page of somebody else's whose name is made to lead here (DNS rebinding) makes browsers ask for that name.
    """
    asked = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1").lower()
    host = asked[1:].partition("]")[0] if asked.startswith("[") else asked.partition(":")[0]
    came_to = (scope.get("server") or ("",))[0]
    return bool(host) and (host in NAMES or host == came_to)


def sign(message: MutableMapping[str, Any]) -> None:
    """Add the headers by which a supervisor knows that this very process answers."""
    signature = [(b"x-bridge-pid", str(os.getpid()).encode("ascii"))]
    if LAUNCH_ID is not None:
        # Percent-encoded where it must be: an odd token must not cost the response.
        signature.append((b"x-bridge-launch", quote(LAUNCH_ID, safe=" !#$&'()*+,/:;=?@[]|").encode("ascii")))
    message["headers"] = [*message.get("headers", ()), *signature]


# Nobody reads an API description of three fixed pages; leaving it out also shortens the start.
app = Bridge(title="Interface Bridge", openapi_url=None)


# Coroutines, so that they run on the event loop itself: a loop that hangs must not look well.
# ``response_model=None``: the answers are plain, validating them would cost time at every start.
@app.get("/health", response_model=None)
async def health() -> dict[str, str]:
    """Answer as long as the service works."""
    return {"status": "healthy"}


@app.get("/", response_model=None)
@app.get("/status", response_model=None)
async def status() -> dict[str, object]:
    """Say which interpreter, environment and versions serve, since when and how started."""
    return {
        "service": "interface-bridge",
        "mode": MODE,
        "launch_id": LAUNCH_ID,
        "pid": os.getpid(),
        "uptime_seconds": round(time.monotonic() - STARTED, 3),
        "interpreter": interpreter(),
        "environment": {"prefix": sys.prefix, "base_prefix": sys.base_prefix},
        "versions": {name: version(name) for name in ("fastapi", "uvicorn")},
    }


def interpreter() -> dict[str, object]:
    """Describe the running interpreter; the build and the GIL are two questions since 3.13."""
    free_threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
    gil_enabled = getattr(sys, "_is_gil_enabled", None)
    return {
        "executable": sys.executable,
        "version": ".".join(map(str, sys.version_info[:3])),
        "implementation": sys.implementation.name,
        "free_threaded_build": free_threaded,
        "gil_enabled": gil_enabled() if gil_enabled else True,
    }


def version(distribution: str) -> str | None:
    """Return the installed version of a distribution, None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def main() -> int:
    """Serve on the loopback interface, for services that are started as scripts."""
    # Only a script serves itself; under "-m uvicorn" the server imports us.
    import uvicorn

    given = os.environ.get("BRIDGE_PORT", str(DEFAULT_PORT))
    if not (given.isascii() and given.isdigit() and 0 < int(given) < 1 << 16):
        sys.stderr.write(f"BRIDGE_PORT must be a port number, not {given!r}\n")
        return 2
    uvicorn.run(app, host=LOOPBACK, port=int(given))
    return 0


if __name__ == "__main__":
    sys.exit(main())
