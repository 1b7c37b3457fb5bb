"""Small projects on a real disk, with a journal, and with faults at any change of the filesystem.

A project has a folder that stands for an environment (no interpreter: the journal asks none) and files of somebody's
own around it. What changes something runs in a child that is really killed, or that really meets a full disk.
"""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from clinic import fs
from clinic.errors import ClinicError
from clinic.records import Records, Transaction

ENV = ".venv"
Kind = Literal["fix-cfg", "relink", "reinstall", "rebuild"]
KINDS: tuple[Kind, ...] = ("fix-cfg", "relink", "reinstall", "rebuild")
Tree = dict[str, tuple[str, str]]


@dataclass(frozen=True)
class Fault:
    """What goes wrong at the n-th change: the process is killed before it, or the disk is full (from then on)."""

    kind: Literal["none", "kill", "full", "full-from"] = "none"
    at: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a run came to: `killed`, `done` (and what it returned), or a refusal's or failure's code and message."""

    kind: Literal["killed", "done", "failed"]
    said: Any = None


class Journal(Protocol):
    """What is done with a journal here; `Today` does it with the one in `clinic.records`."""

    def repair(self, kind: Kind, token: str, *, holds: bool) -> str | None:
        """Apply a made-up repair; returns its id, or None for one that was put back."""

    def recover(self) -> bool:
        """Take the lock and let it recover; returns whether there was anything."""

    def undo(self, entry_id: str = "") -> str | None:
        """Undo as the command does; returns what was undone."""

    def newest(self) -> str:
        """The id of what a plain undo would take back; empty if there is nothing."""

    def ids(self) -> list[str]:
        """Everything on record."""

    def listed(self) -> list[Path]:
        """The backups that a person is shown."""

    def is_pending(self) -> bool:
        """Whether a killed run has left something."""


class Today:
    """The journal of this version."""

    def __init__(self, root: Path) -> None:
        self.root, self.venv = root, root / ENV
        self.records = Records(root / ".clinic", root)

    def repair(self, kind: Kind, token: str, *, holds: bool) -> str | None:
        with self.records.lock(kind, self.venv):
            shutil.rmtree(staging(self.venv), ignore_errors=True)
            with self.records.transaction(kind, self.venv, before="broken") as change:
                apply(kind, token, self.venv, change.write, change.stash, change.link, self._bring(change))
                if not holds:
                    change.put_back()
                    return None
                receipt = change.commit()
            shutil.rmtree(staging(self.venv), ignore_errors=True)
            return receipt.id

    @staticmethod
    def _bring(change: Transaction) -> Callable[[Path, Path], None]:
        return lambda source, path: change.swap(source, path) if path.name == ENV else change.bring((source, path))

    def recover(self) -> bool:
        with self.records.lock("recover", self.venv) as recovered:
            shutil.rmtree(staging(self.venv), ignore_errors=True)
            return bool(recovered)

    def undo(self, entry_id: str = "") -> str | None:
        with self.records.lock("undo", self.venv) as recovered:
            shutil.rmtree(staging(self.venv), ignore_errors=True)
            if recovered:
                return None
            entry_id = entry_id or self.newest()
            entry = next((each for each in self.records.entries() if each.id == entry_id), None)
            if entry is None:
                return None
            self.records.undo(entry)
            return entry.id

    def newest(self) -> str:
        standing = self.records.standing(self.venv)
        return next((entry.id for entry in standing if entry.is_of_this_generation()), "")

    def ids(self) -> list[str]:
        return [entry.id for entry in self.records.entries()]

    def listed(self) -> list[Path]:
        return [entry.stash for entry in self.records.entries() if entry.stash]

    def is_pending(self) -> bool:
        return bool(self.records.interrupted(self.venv))


# The environment and its repairs


def make(venv: Path, token: str) -> None:
    """An environment, as a person makes one."""
    for folder in ("bin", "lib/site/pkg"):
        (venv / folder).mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text(f"home = {token}\n", "utf-8")
    (venv / "bin" / "python").symlink_to(f"/base/{token}")
    for name in ("a", "b"):
        (venv / "lib/site/pkg" / f"{name}.py").write_text(f"{name} of {token}\n", "utf-8")


def staging(venv: Path) -> Path:
    """The folder beside an environment where a new one is made, named as the suite names them."""
    return venv.parent / ".clinic-01234567"


def apply(  # noqa: PLR0913, PLR0917 - the verbs of two journals
    kind: Kind,
    token: str,
    venv: Path,
    write: Callable[[Path, bytes], None],
    stash: Callable[[Path], object],
    link: Callable[[Path, str], None],
    bring: Callable[[Path, Path], None],
) -> None:
    """The steps of a repair as the real ones take them."""
    if kind == "fix-cfg":
        write(venv / "pyvenv.cfg", f"home = {token}\n".encode())
    elif kind == "relink":
        link(venv / "bin" / "python", f"/base/{token}")
        write(venv / "pyvenv.cfg", f"home = {token}\n".encode())
    elif kind == "reinstall":
        new = staging(venv) / "prefix"
        new.mkdir(parents=True, exist_ok=True)
        for name in ("a", "b"):
            (new / f"{name}.py").write_text(f"{name} of {token}\n", "utf-8")
            stash(venv / "lib/site/pkg" / f"{name}.py")
            bring(new / f"{name}.py", venv / "lib/site/pkg" / f"{name}.py")
    else:
        new = staging(venv) / ENV
        make(new, token)
        for path in notes(venv):
            fs.copy(path, new / path.relative_to(venv))
        bring(new, venv)


def notes(venv: Path) -> list[Path]:
    """What a user has written into an environment."""
    return sorted(venv.rglob("note-*"))


def state(venv: Path) -> str:
    """All of an environment but what users wrote into it, as a text that can be compared."""
    return json.dumps({name: what for name, what in tree(venv).items() if "note-" not in name}, sort_keys=True)


def tree(folder: Path) -> Tree:
    """Every entry below a folder with its content."""
    found: Tree = {}
    for path in [folder, *folder.rglob("*")]:
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("folder", "")
        elif path.exists():
            found[name] = ("file", path.read_bytes().decode("latin-1"))
    return found


# Faults


def run(work: Callable[[], Any], fault: Fault) -> Outcome:
    """Do it in a child, with a fault at one of its changes of the filesystem."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads, which do nothing here
        child = os.fork()
    if not child:
        os.close(reading)
        _child(work, fault, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        answer = stream.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == _KILLED:
        return Outcome("killed")
    return Outcome(*json.loads(answer))


_KILLED = 9


def _child(work: Callable[[], Any], fault: Fault, writing: int) -> None:
    """Never returns."""
    write = os.write
    try:
        _Faulty(fault).install()
        answer = ("done", work())
    except ClinicError as error:
        answer = ("failed", [error.code, error.message])
    except BaseException as error:  # noqa: BLE001 - told to the parent, which fails
        answer = ("failed", ["bug", repr(error)])
    write(writing, json.dumps(answer).encode())
    os._exit(0)


_CHANGES = ("rename", "replace", "link", "unlink", "remove", "symlink", "mkdir", "rmdir", "ftruncate", "chmod", "write")
_NEED_SPACE = frozenset({"link", "symlink", "mkdir", "write", "open", "fsync"})


class _Faulty:
    """Counts every change, and lets one of them (or all from there on) go wrong."""

    def __init__(self, fault: Fault) -> None:
        self.fault, self.count = fault, 0
        self.open, self.io_open = os.open, io.open

    def met(self, name: str) -> None:
        if self.fault.kind == "none" or (self.fault.kind != "kill" and name not in _NEED_SPACE):
            return
        self.count += 1
        if self.fault.kind == "kill" and self.count == self.fault.at:
            os._exit(_KILLED)
        if self.count == self.fault.at or (self.fault.kind == "full-from" and self.count > self.fault.at):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def watched(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any, **more: Any) -> Any:
            self.met(name)
            return real(*words, **more)

        return call

    def opened(self, path: Any, flags: int, *words: Any, **more: Any) -> int:
        if flags & os.O_CREAT and not os.path.lexists(path):
            self.met("open")
        return self.open(path, flags, *words, **more)

    def io_opened(self, file: Any, mode: str = "r", *words: Any, **more: Any) -> Any:
        if set(mode) & set("wax+"):
            self.met("open")
        return self.io_open(file, mode, *words, **more)

    def install(self) -> None:
        for name in (*_CHANGES, "fsync"):
            setattr(os, name, self.watched(name, getattr(os, name)))
        for module, call in ((io, self.io_opened), (shutil, self.io_opened), (os, self.opened)):
            vars(module)["open"] = call
        if by_flag := getattr(fs, "_rename_by_flag", None):
            vars(fs)["_rename_by_flag"] = self.watched("rename", by_flag)


def plant(root: Path, kind: int, victim: Path, token: str) -> None:
    """Put a receipt there that no run of ours has written: of the first format, or of this one."""
    folder = root / ".clinic" / "receipts"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"20990101T000000.{int(token):06d}-fix-cfg-dead"
    venv = root / ENV
    old = {"id": name, "remedy": "fix-cfg", "venv": str(venv), "started": 1, "state": "pending", "moved": []}
    old |= {"made": [str(victim)], "brought": [], "seconds": 0, "facts": {}}
    if kind == 0:
        (folder / f"{name}.json").write_text(json.dumps(old), "utf-8")
        return
    head: dict[str, Any] = {"journal": 2, "id": name, "remedy": "fix-cfg", "venv": ENV, "root": str(root)}
    head |= {"folder": [0, 0], "near": False, "started": 1.0, "generation": [_seen(venv)], "facts": {}}
    thing = _seen(victim)
    up = os.path.relpath(victim, venv)
    steps: list[dict[str, Any]] = [
        {"do": "link", "path": f"environment:{up}", "new": thing},
        {"do": "link", "path": str(victim), "new": thing},
        {"do": "bring", "path": f"environment:{up}", "source": "beside:.clinic-01234567/x", "new": thing},
        {"do": "move", "path": "environment:lib", "kept": f"environment:{up}", "was": thing},
        {"do": "write", "path": "environment:pyvenv.cfg", "temp": f"beside:{victim.name}", "new": thing},
        {"do": "swap", "path": "environment:bin", "kept": f"stash:../{victim.name}/x", "source": "stash:../x"},
    ]
    lines = [head, steps[kind % len(steps)]]
    (folder / f"{name}.pending").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def _seen(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {"kind": "folder"}
    status = path.lstat()
    kind = "folder" if path.is_dir() else "file"
    size = {} if path.is_dir() else {"size": status.st_size}
    return {"kind": kind, "device": status.st_dev, "inode": status.st_ino, "modified": status.st_mtime_ns, **size}
