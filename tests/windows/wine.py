"""Windows programs on this machine, by wine: found, given a machine of their own, started, and all ended again."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath

from clinic import proc

# Debian keeps it off the PATH.
PLACES = ("wine64", "wine", "/usr/lib/wine/wine64")
SERVERS = ("wineserver64", "wineserver", "/usr/lib/wine/wineserver64", "/usr/lib/wine/wineserver")


@dataclass(frozen=True)
class Said:
    """How a Windows program ended, and what it said."""

    code: int
    out: str
    err: str


def find(places: tuple[str, ...]) -> Path | None:
    """The first of these programs that is here."""
    return next((Path(path) for place in places if (path := shutil.which(place))), None)


@dataclass
class Wine:
    """One Windows machine, in a folder."""

    program: Path
    server: Path
    prefix: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def disk(self) -> Path:
        """Its drive C."""
        return self.prefix / "drive_c"

    def inside(self, path: Path) -> str:
        """How Windows spells a path of drive C."""
        return str(PureWindowsPath("C:\\", *path.relative_to(self.disk).parts))

    def environment(self) -> dict[str, str]:
        """The variables that Windows programs get, and those that keep wine quiet and to itself."""
        mine = {
            "WINEPREFIX": str(self.prefix),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            "WINEDLLOVERRIDES": "mscoree,mshtml=",
            "WINESERVER": str(self.server),
            "LC_ALL": "C.UTF-8",  # else names that are not ASCII are lost on the way
            **self.variables,
        }
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "TMPDIR") if name in os.environ}
        return {**kept, **mine}

    def boot(self) -> None:
        """Make the machine: a server of its own, the registry, the system's files; Windows 10."""
        self.prefix.mkdir(parents=True)
        self._quietly([self.server, "-p"], 30)
        # The first program starts the system's services, which would keep a pipe open: it gets none.
        self._quietly([self.program, "wineboot", "-i"], 240)
        self._quietly([self.program, "winecfg", "-v", "win10"], 60)
        assert (self.disk / "windows").is_dir(), "wineboot made no machine"

    def _quietly(self, argv: list[str | Path], limit: float) -> None:
        subprocess.run(
            argv,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=limit,
        )

    def open(self, *argv: str, cwd: Path | None = None) -> subprocess.Popen[bytes]:
        """Start a Windows program. All three streams are pipes: pythons refuse whatever else wine hands down."""
        return subprocess.Popen(
            [self.program, *argv],
            env=self.environment(),
            cwd=cwd or self.disk,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *argv: str, cwd: Path | None = None, limit: float = 120) -> Said:
        """Run a Windows program to its end."""
        with self.open(*argv, cwd=cwd) as program:
            assert program.stdin
            assert program.stdout
            assert program.stderr
            program.stdin.close()
            try:
                return _listen(program, limit)
            finally:
                program.kill()

    def shut_down(self) -> None:
        """End every program of this machine, and nobody else's; then throw it away."""
        subprocess.run([self.server, "-k"], env=self.environment(), check=False, timeout=60)
        subprocess.run([self.server, "-w"], env=self.environment(), check=False, timeout=60)
        shutil.rmtree(self.prefix, ignore_errors=True)


def _listen(program: subprocess.Popen[bytes], limit: float) -> Said:
    """Collect what a program says until it ends: wine leaves its stderr open in the servers that it started."""
    deadline = time.monotonic() + limit
    said: dict[str, bytes] = {"out": b"", "err": b""}
    with selectors.DefaultSelector() as ears:
        for name, stream in (("out", program.stdout), ("err", program.stderr)):
            assert stream
            ears.register(stream, selectors.EVENT_READ, name)
        while ears.get_map():
            ended = program.poll() is not None
            ready = ears.select(0 if ended else 0.05)
            for key, _ in ready:
                part = os.read(key.fd, 1 << 16)
                said[key.data] += part
                if not part:
                    ears.unregister(key.fileobj)
            if ended and not ready:
                break
            assert time.monotonic() < deadline, f"no end in {limit:g} s: {program.args!r}: {said}"
    code = program.wait(max(0.0, deadline - time.monotonic()))
    return Said(code, text_of(said["out"]), text_of(said["err"]))


def text_of(data: bytes) -> str:
    """What a Windows program wrote, with line ends as they are here."""
    return proc._text(data).replace("\r\n", "\n")
