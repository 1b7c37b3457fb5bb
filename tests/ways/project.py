"""A project whose service is a package of its own: small enough that a boot takes a tenth of a second."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import socket
import subprocess
import sys
import zipfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clinic import proc
from clinic.service import manager
from clinic.settings import Settings, load

NAME, VERSION = "tinybridge", "1.5"
SERVICE = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
import tinybridge

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"status": "healthy"}'
        self.send_response(200)
        self.send_header("X-Bridge-Launch", os.environ.get("BRIDGE_LAUNCH_ID", ""))
        self.send_header("X-Bridge-Pid", str(os.getpid()))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

if sys.argv[1:] == ["--version"]:
    print("tinybridge", tinybridge.__version__)
else:
    print("Application startup complete", sys.prefix, tinybridge.__file__, flush=True)
    HTTPServer((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
"""
FILES = {
    f"{NAME}/__init__.py": f"__version__ = '{VERSION}'\n",
    f"{NAME}/__main__.py": SERVICE,
    f"{NAME}-{VERSION}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n",
    f"{NAME}-{VERSION}.dist-info/WHEEL": (
        "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ),
    f"{NAME}-{VERSION}.dist-info/INSTALLER": "pip\n",
}
RECORD = f"{NAME}-{VERSION}.dist-info/RECORD"


def rows() -> str:
    """The RECORD of the service's distribution."""
    lines = []
    for name, text in FILES.items():
        data = text.encode("utf-8")
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode("ascii")
        lines.append(f"{name},sha256={digest},{len(data)}\n")
    return "".join([*lines, f"{RECORD},,\n"])


def wheel(folder: Path) -> Path:
    """The service as a wheel, made on the spot."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{NAME}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**FILES, RECORD: rows()}.items():
            if not name.endswith("INSTALLER"):
                archive.writestr(name, text)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Project:
    """One project on disk."""

    root: Path
    settings: Settings

    @property
    def venv(self) -> Path:
        """Its environment."""
        return self.root / "env"

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.venv / "bin" / "python"

    @property
    def site(self) -> Path:
        """Where its packages lie."""
        return next((self.venv / "lib").glob("python3*/site-packages"))

    @property
    def wheelhouse(self) -> Path:
        """A folder with the service's wheel."""
        return self.root / "wheels"

    @property
    def cfg(self) -> Path:
        """Its pyvenv.cfg."""
        return self.venv / "pyvenv.cfg"

    @property
    def records(self) -> Path:
        """The clinic's records."""
        return self.settings.records

    def with_(self, **changes: Any) -> Settings:
        """Its settings with other values for the service."""
        return replace(self.settings, service=replace(self.settings.service, **changes))

    def start(self) -> manager.Status:
        """Start the server from the environment, as `start` does."""
        return manager.start(self.settings, self.python, self.venv)

    def status(self) -> manager.Status:
        """Look at the server."""
        return manager.status(self.settings)

    def kill(self) -> None:
        """End the server as a crash does: it stays wanted."""
        import os
        import signal

        pid = self.status().pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)

    def log(self) -> str:
        """Read the server's log."""
        return self.settings.service.log_file.read_text(encoding="utf-8")


def install(site: Path) -> None:
    """Put the service into a `site-packages` as an installer does."""
    for name, text in {**FILES, RECORD: rows()}.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def make(root: Path, base: Path | None = None) -> Project:
    """A healthy project; the environment is one of `base` (this suite's own base if not given)."""
    root.mkdir(parents=True)
    python = base or Path(sys._base_executable)  # type: ignore[attr-defined]
    command: list[str | Path] = [python, "-m", "venv", "--without-pip", root / "env"]
    subprocess.run(command, check=True, env=proc.scrubbed(), timeout=60)
    digest = hashlib.sha256(wheel(root / "wheels").read_bytes()).hexdigest()
    (root / "lock.txt").write_text(f"{NAME}=={VERSION} \\\n    --hash=sha256:{digest}\n", encoding="utf-8")
    tree = {
        "environment": {
            "path": "env",
            "requirements": "lock.txt",
            "imports": [NAME],
            "python": [f"{sys.version_info[0]}.{sys.version_info[1]}"],
        },
        "service": {
            "command": ["{python}", "-m", NAME, "{host}", "{port}"],
            "cwd": ".",
            "port": free_port(),
            "start_timeout": 10,
            "stop_timeout": 3,
            "pid_file": "bridge.pid",
            "log_file": "bridge.log",
        },
    }
    (root / "p.yaml").write_text(json.dumps({"clinic": tree}), encoding="utf-8")
    project = Project(root, load(root, root / "p.yaml", {}))
    install(project.site)
    return project


def end(project: Project) -> None:
    """Stop whatever the project runs."""
    with suppress(Exception):
        manager.stop(project.settings)
    shutil.rmtree(project.root, ignore_errors=True)
