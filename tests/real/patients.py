"""A real environment that can be hurt, and put back as it was."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from clinic import proc
from clinic.facts import Interpreter
from tests.real.creators import Creator

MARKER = "clinic_marker"


@dataclass(frozen=True)
class Patient:
    """One environment, with what the wounds need to know of the world around it."""

    venv: Path
    base: Interpreter
    creator: Creator
    other_minor: Interpreter | None
    other_base: Path
    """The folder of executables of a second installation of the same version."""

    @property
    def cfg(self) -> Path:
        """Its pyvenv.cfg."""
        return self.venv / "pyvenv.cfg"

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.venv / "bin" / "python"

    @property
    def old(self) -> bool:
        """Whether its start-up code is the one in C (up to 3.10)."""
        return self.base.version < (3, 11)

    @property
    def lines(self) -> list[str]:
        """The lines of its pyvenv.cfg."""
        return self.cfg.read_text(encoding="utf-8").splitlines()

    def rewrite(self, lines: list[str], end: str = "\n") -> None:
        """Replace pyvenv.cfg by these lines."""
        self.cfg.write_bytes("".join(line + end for line in lines).encode("utf-8"))

    def set(self, key: str, value: str) -> None:
        """Change one key's value where it stands, or add it."""
        lines = self.lines
        at = [number for number, line in enumerate(lines) if line.partition("=")[0].strip() == key]
        for number in at:
            lines[number] = f"{key} = {value}"
        self.rewrite(lines if at else [*lines, f"{key} = {value}"])

    def without(self, *keys: str) -> list[str]:
        """Its lines less those of some keys."""
        return [line for line in self.lines if line.partition("=")[0].strip() not in keys]


def furnish(venv: Path) -> None:
    """Put a distribution with a module and a RECORD, and a foreign file, into an environment."""
    site = next((venv / "lib").glob("python*/site-packages"))
    module = site / f"{MARKER}.py"
    module.write_bytes(b"WHO = 'marker'\n")
    info = site / f"{MARKER}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_bytes(b"Metadata-Version: 2.1\nName: clinic-marker\nVersion: 1.0\n")
    digest = hashlib.sha256(module.read_bytes()).hexdigest()
    (info / "RECORD").write_text(f"{MARKER}.py,sha256={digest},{module.stat().st_size}\n", encoding="utf-8")
    (venv / "notes of mine.txt").write_text("keep me\n", encoding="utf-8")


def second_installation(base: Interpreter, folder: Path) -> Path:
    """Another prefix with the same version of Python in it; returns its folder of executables.

    The executable is a copy, the library a link: enough for CPython to take the folder for its prefix.
    """
    scripts = folder / "bin"
    scripts.mkdir(parents=True)
    shutil.copy2(base.real, scripts / base.real.name)
    name = f"python{base.flavour}"
    if not (scripts / name).exists():
        (scripts / name).symlink_to(base.real.name)
    (folder / "lib").mkdir()
    for library in (base.prefix / "lib").glob("python3*"):
        (folder / "lib" / library.name).symlink_to(library)
    return scripts


@dataclass(frozen=True)
class Effect:
    """What the environment's own python does, asked with a one-liner that owes nothing to the clinic's probe."""

    starts: bool
    itself: bool
    leaks: bool

    @property
    def severity(self) -> str:
        """The word that the contract has for it."""
        return "fatal" if not self.starts or not self.itself else "degraded" if self.leaks else "advice"


_ASK = """
import os, sys
import importlib.util as u
here = os.path.realpath(sys.prefix) == os.path.realpath(sys.argv[1])
alien = [p for p in sys.path if p.endswith(("site-packages", "dist-packages"))
         and not os.path.realpath(p).startswith(os.path.realpath(sys.argv[1]) + os.sep)]
print("itself" if here else "stranger", "leaks" if alien else "tight")
"""


def effect(patient: Patient) -> Effect:
    """Run it and see."""
    done = subprocess.run(
        [patient.python, "-I", "-B", "-c", _ASK, patient.venv],
        env=proc.scrubbed(),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    words = done.stdout.split()
    return Effect(done.returncode == 0 and bool(words), "itself" in words, "leaks" in words)


def fingerprint(folder: Path) -> dict[str, tuple[object, ...]]:
    """Every entry below a folder: kind, content, mode and time of last change."""
    found: dict[str, tuple[object, ...]] = {}
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            status = path.lstat()
            content: object = None
            if path.is_symlink():
                content = os.readlink(path)  # noqa: PTH115 - word for word
            elif path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            stamp = None if path.is_dir() and not path.is_symlink() else status.st_mtime_ns
            found[os.fspath(path.relative_to(folder))] = (status.st_mode, content, stamp)
    return found


def unrecorded(site: Path) -> Path:
    """The module of a patient, whose hash nobody has recorded: an edit of it is not seen."""
    (site / f"{MARKER}-1.0.dist-info" / "RECORD").write_text(f"{MARKER}.py,,\n", encoding="utf-8")
    return site / f"{MARKER}.py"
