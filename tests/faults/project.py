"""A project of two small wheels and a toy service, made once, copied for each point, always at one path."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
import sys
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import psutil

from clinic import fs
from tests.faults.injection import Run, plain
from tests.real.wheels import Site

NOTES = {"ai/notes.txt": "beside\n", "ai/.venv/notes of mine.txt": "inside\n", "ai/.venv/bin/my-tool": "#!/bin/sh\n"}
"""What the user wrote: it survives whatever happens."""

Tree = dict[str, tuple[object, ...]]


class Stage:
    """The project, and the folders and variables of the user whose it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.world = self.folder / "world"
        self.root = self.world / "project"
        self.run_folder = self.folder / "run"  # a tmpfs of the system's: no fault of the project's disk
        for place in (self.world / "home", self.world / "tmp", self.run_folder):
            place.mkdir(parents=True)
        self.site = Site(self.root)
        file = self.site.settings.root / "invoke.yaml"  # reading the settings writes them
        self.words = [sys.executable, "-m", "invoke", "-f", str(file)]
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "LANG", "UV_CACHE_DIR"}}
        self.env = {
            **kept,
            "HOME": str(self.world / "home"),
            "TMPDIR": str(self.world / "tmp"),
            "XDG_RUNTIME_DIR": str(self.run_folder),
            "UV_CACHE_DIR": kept.get("UV_CACHE_DIR", str(self.folder / "uv")),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
            "COLUMNS": "200",
        }

    @property
    def venv(self) -> Path:
        """The environment."""
        return self.site.venv

    @property
    def site_packages(self) -> Path:
        """Where its packages are."""
        return next((self.venv / "lib").glob("python3*/site-packages"))

    def argv(self, *words: str) -> list[str]:
        """The command line of one of our commands."""
        return [*self.words, *words]

    def rebuild(self) -> list[str]:
        """The words of a rebuild without a network."""
        return ["rebuild", "--wheelhouse", str(self.site.wheelhouse)]

    def command(self, *words: str) -> Run:
        """Run one of our commands, which must end well."""
        done = plain(self.argv(*words), self.env)
        if done.code:
            raise RuntimeError(f"invoke {' '.join(words)}: exit code {done.code}: {done.text}")
        return done

    def make(self) -> None:
        """Build the environment, write the user's files and record the good state."""
        self.command(*self.rebuild())
        for name, text in NOTES.items():
            (self.root / name).write_text(text, encoding="utf-8")
        self.command("snapshot")
        self.save("healthy")

    def save(self, name: str) -> None:
        """Keep the world as it is now."""
        shutil.copytree(self.world, self.folder / "kept" / name, symlinks=True)

    def restore(self, name: str) -> None:
        """Make the world what it was when it was kept."""
        fs.remove(self.world)
        fs.remove(self.run_folder)
        self.run_folder.mkdir()
        shutil.copytree(self.folder / "kept" / name, self.world, symlinks=True)

    # What is true now, asked of nothing of the suite

    def tree(self) -> Tree:
        """The environment: each entry's kind, mode and content."""
        found: Tree = {}
        for folder, folders, files in os.walk(self.venv):
            if "__pycache__" in folders:
                folders.remove("__pycache__")
            for name in (*folders, *files):
                path = Path(folder, name)
                found[str(path.relative_to(self.venv))] = _entry(path)
        return found

    def notes_lost(self) -> list[str]:
        """Which of the user's files are not in their places."""
        return [name for name, text in NOTES.items() if not _holds(self.root / name, text)]

    def leftovers(self) -> list[str]:
        """What a killed run leaves in the environment and beside it, and the next one has to remove or to close."""
        # A receipt that was killed before its first line was whole has announced nothing.
        receipts = [path for path in (self.root / ".clinic" / "receipts").glob("*") if b"\n" in path.read_bytes()]
        places = [*self.venv.rglob("*"), *self.venv.parent.iterdir(), *receipts]
        ours = re.compile(r".+\.(part|gone)-[0-9a-f]{8}|\.clinic-.*|\..+\.lock|.+\.pending")
        found = {path for path in places if fs.is_temporary(path.name) or ours.fullmatch(path.name)}
        return sorted(str(path.relative_to(self.root)) for path in found)

    def processes(self) -> list[psutil.Process]:
        """What runs for this project: the service, and what wraps it."""
        return [each for each in psutil.process_iter() if each.pid != os.getpid() and self._is_ours(each)]

    def _is_ours(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            words = " ".join([process.cwd(), *process.cmdline()])
            return str(self.world) in words and process.status() != psutil.STATUS_ZOMBIE
        return False

    def answers(self) -> bool:
        """Whether the service says that it is healthy."""
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{self.site.port}/", timeout=5) as answer,
        ):
            return bool(answer.status == 200)
        return False

    def pid_file(self) -> int:
        """The process that the pid file names; 0 if there is none."""
        with contextlib.suppress(OSError, ValueError, IndexError):
            return int((self.venv.parent / "interface_bridge.pid").read_text("ascii").split()[0])
        return 0

    def end_processes(self) -> None:
        """End what runs for this project."""
        found: Sequence[psutil.Process] = self.processes()
        for each in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(found, timeout=30)


def _entry(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISLNK(status.st_mode):
        return ("link", str(path.readlink()))
    if stat.S_ISREG(status.st_mode):
        return ("file", mode, hashlib.sha256(path.read_bytes()).hexdigest())
    return ("folder" if stat.S_ISDIR(status.st_mode) else "other", mode)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except OSError:
        return False
