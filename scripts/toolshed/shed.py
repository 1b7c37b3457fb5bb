"""Where everything lies, and the stamp that a finished tool environment carries."""

from __future__ import annotations

import hashlib
import json
import os
import re
import sysconfig
from dataclasses import asdict, dataclass
from pathlib import Path

from toolshed.files import replace

FORMAT = 1
NAME = ".tools"
# As many bytes, so that launchers and scripts can be told where they will lie without a change of their size.
BESIDE = ".t.new"
ASIDE = ".tools.aside"
WINDOWS = os.name == "nt"
SCRIPTS = "Scripts" if WINDOWS else "bin"
MARK = "The tool environment of Bridge Clinic. It can be deleted: python scripts/bootstrap.py makes it again.\n"


@dataclass(frozen=True)
class Shed:
    """The paths of one clone, with its tool environment or the one that is to replace it."""

    root: Path
    name: str = NAME

    @property
    def tools(self) -> Path:
        """The tool environment."""
        return self.root / self.name

    @property
    def beside(self) -> Shed:
        """The same clone with the environment that is being made; afterwards with the one that was replaced."""
        return Shed(self.root, BESIDE)

    @property
    def aside(self) -> Shed:
        """The same clone with the old environment, for a moment, if the two can't change places in one step."""
        return Shed(self.root, ASIDE)

    @property
    def lock_file(self) -> Path:
        """What one run holds and others see. Outside, since the environment itself is moved."""
        return self.root / ".tools.lock"

    @property
    def requirements(self) -> Path:
        """What is to be installed, with hashes."""
        return self.root / "requirements" / "tools.txt"

    @property
    def mark(self) -> Path:
        """Says that the folder is ours; written first."""
        return self.tools / "bridge-clinic.txt"

    @property
    def stamp(self) -> Path:
        """Says what was finished; written last."""
        return self.tools / "bridge-clinic.json"

    @property
    def cfg(self) -> Path:
        """The file that makes an environment one."""
        return self.tools / "pyvenv.cfg"

    @property
    def scripts(self) -> Path:
        """The folder of the interpreter and the console scripts."""
        return self.tools / SCRIPTS

    def program(self, name: str) -> Path:
        """Return the path of a program of the tool environment."""
        return self.scripts / (f"{name}.exe" if WINDOWS else name)

    @property
    def python(self) -> Path:
        """The interpreter of the tool environment."""
        return self.program("python")

    @property
    def new_site_packages(self) -> Path:
        """Where the running interpreter puts packages of an environment that it makes."""
        place = {"base": str(self.tools), "platbase": str(self.tools)}
        return Path(sysconfig.get_path("purelib", scheme="venv", vars=place))


@dataclass(frozen=True)
class Stamp:
    """What was true when the tool environment was finished."""

    format: int
    path: str
    lock: str
    cfg: str
    base_prefix: str
    version: str
    free_threaded: bool
    site_packages: str
    distributions: list[str]
    installer: str


def read_stamp(shed: Shed) -> Stamp | None:
    """Read the stamp; None where there is none, or not one of ours."""
    try:
        stamp = Stamp(**json.loads(shed.stamp.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return stamp if stamp.format == FORMAT else None


def write_stamp(shed: Shed, stamp: Stamp) -> None:
    """Write the stamp whole or not at all."""
    draft = shed.stamp.with_suffix(".new")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(stamp), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    replace(draft, shed.stamp)


def digest(path: Path) -> str:
    """Return the hash of a text file, the same for either kind of line end."""
    return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()


def distributions(site_packages: Path) -> list[str]:
    """List what is installed, by the names of its metadata folders."""
    return sorted(path.name for path in site_packages.glob("*.dist-info"))


def plain(name: str) -> str:
    """Spell the name of a distribution the one way that can be compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: str) -> dict[str, str]:
    """Return the pins that hold on every platform: those without a marker."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)([^\n]*)$", lock, re.MULTILINE)
    return {plain(name): version for name, version, rest in found if ";" not in rest}


def excerpt(lock: str, name: str, *, without: bool = False) -> str:
    """Return the lines that pin one distribution, or (``without``) all the others."""
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", lock)
    return "".join(
        block for block in blocks if (plain(re.split(r"[=\s\[]", block, maxsplit=1)[0]) == name) is not without
    )
