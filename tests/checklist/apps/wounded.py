"""A manager with one fault, to be found: wounded.py FAULT SCRIPTS ARGUMENT... (the arguments of server_manager.py).

attached   `start` leaves the server in the terminal that it was started from, on Windows on its console and in its job
confined   `start` leaves the server in the job of the terminal (Windows)
deserts    `keep-alive` starts the server and waits; at Ctrl+C it leaves, and the server behind
deaf       `keep-alive` starts the server and waits; it ignores Ctrl+C
gives-up   `keep-alive` ends at once
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

fault, scripts, *words = sys.argv[1:]
sys.path.insert(0, scripts)

from clinic.service import __main__ as door  # noqa: E402 - its path is told only now
from clinic.service import process  # noqa: E402


def attached(popen: Any, argv: Sequence[str], options: Mapping[str, Any]) -> Any:
    """Start it without a session, or a console and a way out of the job, of its own."""
    return popen(list(argv), **options), ()


def main() -> int:
    if fault == "attached":
        process._posix = process._windows = attached
    if fault == "confined":
        process.WINDOWS_FLAGS &= ~process.CREATE_BREAKAWAY_FROM_JOB
    if "keep-alive" not in words or fault == "none":
        return door.main(words)
    if fault == "gives-up":
        return 7
    own = [word if word != "keep-alive" else "start" for word in words]
    subprocess.run([sys.executable, __file__, "none", scripts, *own], check=False)
    if fault == "deaf":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    print("the server answers", flush=True)  # noqa: T201 - as a monitor would
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
