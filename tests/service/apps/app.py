"""A service whose manners are set by variables: slow, unsigned, deaf to SIGTERM, with children, ill-spoken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

SAY = os.environ.get
FAMILY = SAY("APP_FAMILY", "")


class Handler(BaseHTTPRequestHandler):
    """Answers every GET alike."""

    def do_GET(self) -> None:
        """Answer."""
        later = bool(SAY("APP_LATER")) and os.path.exists(SAY("APP_LATER", ""))  # noqa: PTH110
        if later:
            time.sleep(float(open(SAY("APP_LATER", "")).read() or SAY("APP_LATER_SLEEP", "0")))  # noqa: PTH123, SIM115
        good = SAY("APP_BODY", '{"status": "healthy"}')
        body = (SAY("APP_LATER_BODY", good) if later else good).encode()
        status = SAY("APP_STATUS", "200")
        self.send_response(int(SAY("APP_LATER_STATUS", status) if later else status))
        if SAY("APP_SIGN", "1") == "1":
            self.send_header("X-Bridge-Launch", SAY("APP_LAUNCH") or SAY("BRIDGE_LAUNCH_ID", ""))
            self.send_header("X-Bridge-Pid", str(os.getpid()))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def note(role: str) -> None:
    """Write down who is there, for the test to look after."""
    if FAMILY:
        with open(FAMILY, "a", encoding="ascii") as stream:  # noqa: PTH123 - plain and quick
            stream.write(f"{role} {os.getpid()}\n")


def main() -> None:
    """Behave as told."""
    if SAY("APP_DEAF"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if SAY("APP_CHILDREN"):
        code = "import os, sys, time; open(sys.argv[1], 'a').write(f'child {os.getpid()}\\n'); time.sleep(300)"
        for new_session in (False, True):
            subprocess.Popen([sys.executable, "-c", code, FAMILY], start_new_session=new_session)
    note("leader")
    print(SAY("APP_PRINT", "up"))  # noqa: T201 - what services do
    sys.stdout.buffer.write(bytes.fromhex(SAY("APP_BYTES", "")))
    sys.stdout.flush()
    time.sleep(float(SAY("APP_BOOT", "0")))
    if SAY("APP_DIES") and os.path.exists(SAY("APP_DIES", "")):  # noqa: PTH110
        sys.exit(1)
    if SAY("APP_EXIT"):
        sys.exit(int(SAY("APP_EXIT", "1")))
    HTTPServer(("127.0.0.1", int(SAY("BRIDGE_PORT", "0"))), Handler).serve_forever()


if __name__ == "__main__":
    main()
