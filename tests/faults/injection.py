"""One change of the filesystem goes wrong: which changes a command makes, and the same command with one fault.

`faults.c` is compiled with the system's `cc` and preloaded into the command. A fault is named by its kind and by the
number of the change that it strikes. The same command on the same files makes the same changes.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("faults.c")
ROOT = SOURCE.parents[2]


@dataclass(frozen=True)
class Fault:
    """A kind of fault, as `faults.c` knows it."""

    name: str
    kind: str
    number: int = 0
    needs: str = "any"

    @property
    def kills(self) -> bool:
        """Whether the command is ended by it."""
        return self.kind in {"kill", "torn"}

    def strikes(self, change: Change) -> bool:
        """Whether a change can go wrong in this way."""
        return self.needs == "any" or self.needs in change.needs


FAULTS = (
    Fault("kill", "kill"),
    Fault("torn", "torn"),
    Fault("ENOSPC", "on", errno.ENOSPC, "space"),
    Fault("EDQUOT", "on", errno.EDQUOT, "space"),
    Fault("EROFS", "on", errno.EROFS),
    Fault("ENOSPC-once", "once", errno.ENOSPC, "space"),
    Fault("EIO", "once", errno.EIO),
    Fault("EACCES", "once", errno.EACCES),
    Fault("EMFILE", "once", errno.EMFILE, "file"),
)


@dataclass(frozen=True)
class Change:
    """One change that a command made or tried to make."""

    number: int
    call: str
    needs: frozenset[str]
    paths: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.call} {' '.join(self.paths)}"


@dataclass(frozen=True)
class Run:
    """A command that has ended."""

    code: int
    text: str
    """All that it printed, each run of blanks and line ends as one blank."""
    changes: tuple[Change, ...] = ()


def missing() -> str:
    """Why nothing can be injected here; empty if it can."""
    if sys.platform != "linux":
        return "faults are injected by LD_PRELOAD, which is Linux's"
    return "" if shutil.which("cc") else "faults.c needs a compiler: there is no cc"


class Injector:
    """The library, compiled in a folder of its own, and the folder below which changes count."""

    def __init__(self, folder: Path, below: Path) -> None:
        self.folder, self.below = folder, below
        folder.mkdir(parents=True, exist_ok=True)
        self.library = folder / "faults.so"
        words = ["cc", "-O1", "-shared", "-fPIC", "-o", str(self.library), str(SOURCE), "-ldl"]
        subprocess.run(words, check=True)

    def run(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        fault: Fault | None = None,
        *,
        at: int = 0,
        children: bool = False,
    ) -> Run:
        """Run a command; the change number `at` goes wrong. With `children` those of its children count too."""
        log, counter = self.folder / "log", self.folder / "counter"
        log.unlink(missing_ok=True)
        counter.unlink(missing_ok=True)
        words = {"LD_PRELOAD": str(self.library), "FAULTS_LOG": str(log), "FAULTS_BELOW": str(self.below)}
        words |= {"FAULTS_SHARED": str(counter)} if children else {}
        if fault:
            words |= {"FAULTS_KIND": fault.kind, "FAULTS_ERRNO": str(fault.number), "FAULTS_NEEDS": fault.needs}
            words |= {"FAULTS_AT": str(at)}
        done = plain(argv, {**env, **words})
        return Run(done.code, done.text, tuple(_changes(log)))


def plain(argv: Sequence[str], env: Mapping[str, str]) -> Run:
    """Run a command without a fault."""
    done = subprocess.run(
        argv,
        env=env,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=120,
    )
    return Run(done.returncode, " ".join(done.stdout.decode("utf-8", "replace").split()))


def _changes(log: Path) -> list[Change]:
    try:
        lines = os.fsdecode(log.read_bytes()).splitlines()
    except FileNotFoundError:
        return []
    rows = [line.split("\t") for line in lines]
    return [Change(int(row[0]), row[1], frozenset(row[2].split(",")), tuple(filter(None, row[3:]))) for row in rows]
