"""A clone with a small lock and a wheelhouse made on the spot: the real program, no network."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WINDOWS = os.name == "nt"
# Stands for invoke and for nox: says how it was called, and ends as it is told.
ECHO = (
    "import os, sys\n"
    "def main():\n"
    "    print('{name}', os.getcwd(), *sys.argv[1:], sep='|')\n"
    "    print('PYTHONPATH' in os.environ or 'VIRTUAL_ENV' in os.environ)\n"
    "    sys.exit(int(sys.argv[-1]) if sys.argv[-1].isdigit() else 0)\n"
)


def wheel(folder: Path, name: str, version: str) -> str:
    """Build a wheel; returns the line that pins it."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": ECHO.format(name=name),
        f"{name}/__main__.py": f"from {name} import main\nmain()\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": f"[console_scripts]\n{name} = {name}:main\n",
    }
    rows = [f"{path},sha256={checksum(text.encode())},{len(text.encode())}" for path, text in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""])
    place = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(place, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(place.read_bytes()).hexdigest()}\n"


def checksum(data: bytes) -> str:
    """Spell a hash as RECORD does."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


@dataclass
class Clone:
    """A copy of what bootstrap needs, and the surroundings that it is run in."""

    root: Path
    wheels: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def tools(self) -> Path:
        """The tool environment."""
        return self.root / ".tools"

    @property
    def bin(self) -> Path:
        """The folder of its programs."""
        return self.tools / ("Scripts" if WINDOWS else "bin")

    @property
    def site_packages(self) -> Path:
        """The folder of its packages."""
        return next(self.tools.rglob("site-packages"))

    def lock(self, *pins: tuple[str, str]) -> None:
        """Write the lock, and the wheels that it names."""
        text = "".join(wheel(self.wheels, name, version) for name, version in pins)
        (self.root / "requirements" / "tools.txt").write_text(text, encoding="utf-8")

    def command(self, *words: str) -> list[str]:
        """Spell the command."""
        return [sys.executable, str(self.root / "scripts" / "bootstrap.py"), *words]

    def run(self, *words: str, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
        """Run bootstrap to its end."""
        return subprocess.run(
            self.command(*words),
            cwd=cwd or self.root,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    def works(self) -> bool:
        """Whether a console script of the tools runs."""
        script = self.bin / ("invoke.exe" if WINDOWS else "invoke")
        return script.exists() and subprocess.run([script, "7"], capture_output=True, check=False).returncode == 7

    def beside(self) -> list[str]:
        """What lies beside the tools while they are made, and must be gone afterwards."""
        return [name for name in (".t.new", ".tools.aside") if os.path.lexists(self.root / name)]

    def snapshot(self) -> dict[str, tuple[int, int]]:
        """Record every file with its size and time of change."""
        found = {}
        for path in self.root.rglob("*"):
            status = path.lstat()
            found[str(path.relative_to(self.root))] = (status.st_size, status.st_mtime_ns)
        return found


def surroundings(home: Path, wheels: Path, path: Path) -> dict[str, str]:
    """Return the environment variables of a person who has only a wheelhouse, and set it for pip alone."""
    home.mkdir()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PIP_", "UV_", "XDG_", "COV_", "COVERAGE_")) and name not in ("SHELL", "PYTHONPATH")
    }
    places = {"HOME": str(home), "USERPROFILE": str(home), "APPDATA": str(home)}
    index = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    return {**kept, **places, **index, "PATH": str(path), "PYTHONIOENCODING": "utf-8"}


def clone_at(folder: Path, wheels: Path, env: dict[str, str]) -> Clone:
    """Copy what bootstrap needs into a folder."""
    shutil.copytree(
        ROOT / "scripts" / "toolshed", folder / "scripts" / "toolshed", ignore=shutil.ignore_patterns("*.pyc")
    )
    shutil.copy(ROOT / "scripts" / "bootstrap.py", folder / "scripts")
    (folder / "requirements").mkdir()
    clone = Clone(folder, wheels, env)
    clone.lock(("invoke", "1.0"), ("nox", "1.0"))
    return clone


def without_ensurepip(folder: Path) -> str:
    """Make a folder that, on PYTHONPATH, turns a Python into one that lacks ensurepip."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text("import sys\nsys.modules['ensurepip'] = None\n", encoding="utf-8")
    return str(folder)
