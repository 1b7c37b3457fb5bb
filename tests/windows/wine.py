"""Windows programs on this machine, by wine: found, given a machine of their own, started, and all ended again."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath

from clinic import proc

# Debian keeps it off the PATH.
_PROGRAMS = ("wine64", "wine", "/usr/lib/wine/wine64")
_SERVERS = ("wineserver64", "wineserver", "/usr/lib/wine/wineserver64", "/usr/lib/wine/wineserver")
ENOUGH = 9
"""The version from which wine runs uv, loads pydantic-core, and has CopyFile2 and _wmi (tests/windows/README.md)."""

CHROOT = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bridge-clinic-tests" / "wine-trixie"
"""Where `.ci/wine` puts a wine 10 beside an older system."""

# The mounts are of a namespace of their own, and gone with the program.
_ENTER = """
root=$1 cwd=$2; shift 2
while [ "$1" != -- ]; do mkdir -p "$root$1" && mount --rbind "$1" "$root$1" || exit 125; shift; done
shift; exec chroot "$root" /usr/bin/env -C "$cwd" "$@"
"""


@dataclass(frozen=True)
class Installation:
    """A wine of this machine: its two programs, its version, and the folder to enter first where it lies in one."""

    program: str
    server: str
    version: int
    root: Path | None = None

    @property
    def runs_all(self) -> bool:
        """Whether it runs uv and the real bridge."""
        return self.version >= ENOUGH

    def words(self, argv: Sequence[str], cwd: Path, prefix: Path) -> list[str]:
        """The command line that runs one of its programs in a folder."""
        if self.root is None:
            return list(argv)
        binds = [Path("/proc"), Path("/dev"), Path("/tmp")]  # noqa: S108 - wine keeps its sockets there
        binds += [] if prefix.is_relative_to("/tmp") else [prefix]  # noqa: S108
        enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c", _ENTER, "sh"]
        return [*enter, *map(str, (self.root, cwd, *binds)), "--", *argv]


def find() -> Installation | None:
    """The wine to use: a new one of the system, the new one in its folder, an old one; None where there is none."""
    program, server = _first(_PROGRAMS), _first(_SERVERS)
    system = Installation(program, server, _version([program])) if program and server else None
    if system and system.runs_all:
        return system
    return _chroot() or system


def _chroot() -> Installation | None:
    if not (CHROOT / "usr/lib/wine/wine64").is_file() or os.geteuid() != 0 or not shutil.which("unshare"):
        return None
    apart = Installation("/usr/lib/wine/wine64", "/usr/lib/wine/wineserver64", 0, CHROOT)
    version = _version(apart.words([apart.program], Path("/"), Path("/tmp")))  # noqa: S108
    return replace(apart, version=version) if version else None


def _first(places: tuple[str, ...]) -> str | None:
    return next((path for place in places if (path := shutil.which(place))), None)


def _version(words: list[str]) -> int:
    """The major version of a wine; 0 where it does not run."""
    done = subprocess.run([*words, "--version"], capture_output=True, check=False, timeout=60)
    told = re.match(rb"wine-(\d+)", done.stdout)
    return int(told[1]) if told else 0


@dataclass(frozen=True)
class Said:
    """How a Windows program ended, and what it said."""

    code: int
    out: str
    err: str


@dataclass
class Wine:
    """One Windows machine, in a folder."""

    installation: Installation
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
            "WINESERVER": self.installation.server,
            "XDG_RUNTIME_DIR": "/tmp",  # noqa: S108 - only that there is one; wine 10 complains
            "LC_ALL": "C.UTF-8",  # else names that are not ASCII are lost on the way
            **self.variables,
        }
        # Not TMPDIR: wine 10 aborts while it is set.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "USER") if name in os.environ}
        return {**kept, **mine}

    def words(self, argv: Sequence[str], cwd: Path | None = None) -> list[str]:
        """The command line of this side that runs a Windows program."""
        return self._enter([self.installation.program, *argv], cwd or self.disk)

    def _enter(self, argv: Sequence[str], cwd: Path | None = None) -> list[str]:
        return self.installation.words(argv, cwd or self.prefix, self.prefix)

    def boot(self) -> None:
        """Make the machine: a server of its own, the registry, the system's files; Windows 10."""
        self.prefix.mkdir(parents=True)
        self._quietly([self.installation.server, "-p"], 30)
        # The first program starts the system's services, which would keep a pipe open: it gets none.
        self._quietly([self.installation.program, "wineboot", "-i"], 240)
        self._quietly([self.installation.program, "winecfg", "-v", "win10"], 60)
        assert (self.disk / "windows").is_dir(), "wineboot made no machine"

    def _quietly(self, argv: list[str], limit: float) -> None:
        subprocess.run(
            self._enter(argv),
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
            self.words(argv, cwd),
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

    def stop(self) -> None:
        """End every program of this machine, and nobody else's."""
        for word in ("-k", "-w"):
            subprocess.run(
                self._enter([self.installation.server, word]), env=self.environment(), check=False, timeout=60
            )

    def shut_down(self) -> None:
        """End every program of this machine; then throw it away."""
        self.stop()
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
