"""Small wheels built on the spot, a lock with their real hashes, and a project that is to be rebuilt from them."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clinic import flow
from clinic.model import Result
from clinic.settings import Settings, load
from tests.ways.project import free_port

SERVER = """
import http.server, json, os, sys
if "--version" in sys.argv:
    print("tinyserve 1.0")
    raise SystemExit
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"status": "healthy", "prefix": sys.prefix, "version": VERSION}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Wheel:
    """One wheel that lies in a folder."""

    name: str
    version: str
    path: Path

    @property
    def line(self) -> str:
        """As a lock pins it."""
        digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
        return f"{self.name}=={self.version} \\\n    --hash=sha256:{digest}\n"


def build(
    folder: Path, name: str, version: str, files: Mapping[str, str], scripts: Sequence[str] = (), more: str = ""
) -> Wheel:
    """A pure wheel; `scripts` are console scripts that call `NAME:main`, `more` are further headers of METADATA."""
    info = f"{name}-{version}.dist-info"
    content = dict(files)
    content[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}"
    content[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if scripts:
        lines = "".join(f"{script} = {name}:main\n" for script in scripts)
        content[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}"
    record = [_row(path, text.encode()) for path, text in content.items()]
    content[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"])
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in content.items():
            archive.writestr(zipfile.ZipInfo(member), text)
    return Wheel(name, version, path)


def _row(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}\n"


def library(folder: Path, version: str = "1.0") -> Wheel:
    """A distribution with a module, some data and a console script."""
    text = f"VERSION = '{version}'\n\ndef main():\n    print('tinylib', VERSION)\n"
    return build(folder, "tinylib", version, {"tinylib/__init__.py": text, "tinylib/data.txt": "data\n"}, ["tiny"])


def server(folder: Path, version: str = "1.0", *, text: str = SERVER) -> Wheel:
    """A distribution that serves a health page with `-m tinyserve PORT`."""
    files = {"tinyserve/__init__.py": "", "tinyserve/__main__.py": f"VERSION = '{version}'\n{text}"}
    return build(folder, "tinyserve", version, files)


@dataclass
class Site:
    """A project with a lock, a wheelhouse and a place for its environment."""

    root: Path
    port: int = field(default_factory=free_port)
    path: str = "ai/.venv"
    imports: Sequence[str] = ("tinylib",)
    wheels: list[Wheel] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.root / "ai").mkdir(parents=True, exist_ok=True)
        (self.root / "requirements").mkdir(exist_ok=True)
        self.wheels = self.wheels or [library(self.wheelhouse), server(self.wheelhouse)]
        self.relock()

    @property
    def wheelhouse(self) -> Path:
        """The folder of wheels: all the packages there are in this world."""
        return self.root / "wheelhouse"

    @property
    def lock(self) -> Path:
        """The lock."""
        return self.root / "requirements" / "bridge.txt"

    @property
    def venv(self) -> Path:
        """The environment."""
        return self.root / self.path

    def relock(self) -> None:
        """Pin what `wheels` holds."""
        self.lock.write_text("".join(wheel.line for wheel in self.wheels), encoding="utf-8")

    @property
    def settings(self) -> Settings:
        """As a command reads them."""
        told = {
            "environment": {"path": self.path, "imports": list(self.imports)},
            "service": {
                "command": ["{python}", "-m", "tinyserve", "{port}"],
                "port": self.port,
                "start_timeout": 15,
            },
        }
        file = self.root / "invoke.yaml"
        file.write_text(json.dumps({"clinic": told}), encoding="utf-8")
        return load(self.root, file, {})


def leftovers(site: Site) -> list[Path]:
    """What a rebuild made beside the environment and should have removed."""
    return [*site.venv.parent.glob(".clinic-*")]


def rebuilt(site: Site, **flags: object) -> Result:
    """A rebuild from the wheelhouse that must succeed."""
    result = flow.rebuild(site.settings, wheelhouse=site.wheelhouse, **flags)  # type: ignore[arg-type]
    assert (result.outcome, result.exit_code) == ("cured", 0), result
    assert leftovers(site) == []
    return result
