"""A service that does nothing but write down when it is asked: `recorder.py HOST PORT FILE`. Standard library only."""

from __future__ import annotations

import os
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    """Answers every GET alike, and notes the moment."""

    file = ""

    def do_GET(self) -> None:
        """Note the moment, then answer."""
        with open(self.file, "a", encoding="ascii") as stream:  # noqa: PTH123 - quick, and atomic for one short line
            stream.write(f"{time.monotonic()}\n")
        body = b'{"status": "healthy"}'
        self.send_response(200)
        self.send_header("X-Bridge-Launch", os.environ.get("BRIDGE_LAUNCH_ID", ""))
        self.send_header("X-Bridge-Pid", str(os.getpid()))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing: the notes are the message."""


def main(host: str, port: str, file: str) -> None:
    """Serve for ever."""
    Handler.file = file
    found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    HTTPServer.address_family = found[0][0]
    HTTPServer((host, int(port)), Handler).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
