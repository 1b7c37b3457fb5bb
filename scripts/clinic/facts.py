"""What was seen: frozen records of one environment as it lay on disk and of what its python said of itself.

`observe` fills them in, the checks judge them; neither does the other's work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from clinic.package_facts import Packages
from clinic.place_facts import Places

Platform = Literal["posix", "windows"]
Kind = Literal["missing", "file", "directory", "link", "dangling-link", "other", "unreadable"]
Creator = Literal["venv", "virtualenv", "uv", "unknown"]


@dataclass(frozen=True)
class Flavour:
    """Minor version and threading build: what decides which packages an interpreter can load."""

    major: int
    minor: int
    free_threaded: bool = False

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}{'t' if self.free_threaded else ''}"


@dataclass(frozen=True)
class Interpreter:
    """A python that was asked who it is (see `clinic.probe`)."""

    executable: Path
    """As it was called, its links kept."""
    real: Path
    """The file that runs, links resolved."""
    version: tuple[int, int, int]
    flavour: Flavour
    implementation: str
    prefix: Path
    base_prefix: Path
    base_executable: Path | None = None
    version_text: str = ""
    is_environment: bool = False
    machine: str = ""
    told: Path | None = None
    """What it calls its own executable: another path where a script stood in its place."""

    @property
    def home(self) -> Path:
        """The folder that `home` in pyvenv.cfg must name for this base."""
        return self.executable.parent

    @property
    def dotted(self) -> str:
        """Major, minor and patch level, with a dot between them."""
        return ".".join(map(str, self.version))


@dataclass(frozen=True)
class Silence:
    """A python that could not say who it is, and how it failed."""

    reason: str
    code: int | None = None
    stderr: str = ""


@dataclass(frozen=True)
class Self:
    """What the environment's own python said when asked: who it is, and what of `imports` it can import."""

    interpreter: Interpreter
    is_itself: bool
    """Whether its prefix is the environment's folder: health is identity, not a start with exit code 0."""
    base_site_visible: bool
    path: tuple[str, ...]
    user_site_visible: bool
    imports: tuple[tuple[str, str], ...] = ()
    """Module and the error it failed with; an empty error is a success."""
    import_seconds: float = 0.0
    stderr: str = ""


@dataclass(frozen=True)
class Hook:
    """A file that python runs as it starts, and what goes wrong with it."""

    path: Path
    told: str


@dataclass(frozen=True)
class Disk:
    """The file system below an environment."""

    free: int
    """Bytes that this user may still write."""
    inodes: int | None
    """Files that may still be made; None where they are not counted."""
    read_only: bool
    denied: Denied | None = None


@dataclass(frozen=True)
class Denied:
    """A folder of the environment in which this user may change nothing."""

    folder: Path
    owner: str
    user: str


@dataclass(frozen=True)
class Variable:
    """A variable of the person's shell, and what it does to what they type."""

    name: str
    value: str
    does: str


@dataclass(frozen=True)
class File:
    """One directory entry, as lstat saw it."""

    path: Path
    kind: Kind
    target: str | None = None
    """What a link says, word for word."""
    size: int = 0
    mode: int = 0
    magic: bytes = b""
    modified: float = 0.0


@dataclass(frozen=True)
class Program:
    """What kind of program a file is, by its first bytes."""

    format: Literal["elf", "pe", "macho", "script", "text", "empty", "unknown"]
    machines: tuple[str, ...] = ()
    whole: bool = True
    """False where the file ends before its own header says."""
    subsystem: int = 0
    """Windows: 2 for one with windows, 3 for one with a console."""

    def __str__(self) -> str:
        kinds = {"elf": "a program of Linux or BSD", "pe": "a program of Windows", "macho": "a program of macOS"}
        kind = kinds.get(self.format, {"script": "a script", "text": "a text"}.get(self.format, "no program"))
        return f"{kind} for {' and '.join(self.machines)}" if self.machines else kind


@dataclass(frozen=True)
class Starter:
    """One name of the interpreter: where its links end, and what lies there."""

    file: File
    leads: tuple[Path, ...] = ()
    """Each step of its links, itself excluded."""
    loops: bool = False
    own: bool = True
    """Whether it ends in the environment: what lies outside is the base's business."""
    mode: int = 0
    """Permission bits of the file at the end."""
    program: Program | None = None
    """None where there is no regular file at the end, or one that may not be read."""
    runs_here: bool = True
    """False where a program of that kind can't run on this machine."""

    @property
    def end(self) -> Path:
        """The last step."""
        return self.leads[-1] if self.leads else self.file.path


@dataclass(frozen=True)
class CfgFile:
    """pyvenv.cfg as it lay on disk; `raw` holds at most CAP bytes of it."""

    file: File
    raw: bytes | None = None
    error: str = ""
    stray: File | None = None
    """A second pyvenv.cfg beside the executable."""
    stray_raw: bytes | None = None


@dataclass(frozen=True)
class Clue:
    """A piece of evidence for the minor version, and for the threading build where it proves that too."""

    source: str
    major: int
    minor: int
    free_threaded: bool | None = None
    weight: int = 1


@dataclass(frozen=True)
class Distribution:
    """An installed distribution, named by its dist-info folder."""

    name: str
    version: str
    folder: Path


@dataclass(frozen=True)
class Tree:
    """The environment's folder without pyvenv.cfg: what lies there and what it gives away."""

    platform: Platform
    scripts: Path
    site_packages: Path | None
    interpreters: tuple[File, ...] = ()
    starters: tuple[Starter, ...] = ()
    """The same names, each followed to its end."""
    lib64: File | None = None
    """The second name of `lib` that venv and uv make on 64-bit systems."""
    clues: tuple[Clue, ...] = ()
    creator: Creator = "unknown"
    copies: bool = False
    recorded_path: str | None = None
    """Where its activation scripts say that it lies."""
    prompt: str | None = None
    distributions: tuple[Distribution, ...] = ()
    deleted_hint: str = ""
    patch: tuple[int, int, int] | None = None
    """Version that the Windows launcher's resource carries."""


@dataclass(frozen=True)
class BaseSearch:
    """The base interpreter that the evidence proves, or why there is none."""

    base: Interpreter | None
    proof: str = ""
    looked: tuple[str, ...] = ()
    rivals: tuple[Interpreter, ...] = ()


@dataclass(frozen=True)
class Home:
    """Where the file's own `home` leads, right or wrong."""

    value: str
    kind: Kind
    inside: bool = False
    """Whether it leads into the environment itself."""
    is_base: bool = False
    """Whether it is the folder of the proven base."""
    holds: Interpreter | None = None
    below: Path | None = None
    """A folder below it that holds an interpreter: then `home` names a prefix."""
    cut: str | None = None
    """The value without a trailing comment, where only that leads somewhere."""
    foreign: bool = False
    """Whether it is another platform's path, of which only the text can be judged."""
    named_flavour: Flavour | None = None
    """The version that the name of a foreign folder tells, if it tells one."""


@dataclass(frozen=True)
class Named:
    """A path that another key of the file names."""

    key: str
    value: str
    exists: bool
    is_base: bool


@dataclass(frozen=True)
class Known:
    """What the records say of an environment, before it is looked at."""

    base: Path | None = None
    """The base of the last known-good state."""
    good: float = 0.0
    """When it was last known to be itself: by that, or by a repair that held."""
    escapes: tuple[tuple[float, float], ...] = ()
    """From when to when its python was another one: installs could go past it."""


NOTHING_KNOWN = Known()


@dataclass(frozen=True)
class Stray:
    """A locked distribution in the site-packages of the base, and when it came there."""

    name: str
    version: str
    folder: Path
    when: float


@dataclass(frozen=True)
class Escape:
    """Installs can go past the environment, or are on record as having been able to."""

    since: float
    """When it was last seen to be itself."""
    is_open: bool
    """Whether its python is another one now."""
    found: tuple[Stray, ...] = ()
    undo: str = ""
    """What takes them out again, as it is typed."""


@dataclass(frozen=True)
class Facts:
    """Everything that was seen of one environment."""

    venv: Path
    root: Kind
    target: str | None = None
    cfg: CfgFile | None = None
    tree: Tree | None = None
    flavour: Flavour | None = None
    search: BaseSearch = field(default_factory=lambda: BaseSearch(None))
    behind: tuple[tuple[str, Interpreter | Silence], ...] = ()
    """Names of the interpreter that lead to another program than the base, and what that says, asked outside."""
    relied: tuple[tuple[str, str], ...] = ()
    """Names of the interpreter that are lost, and a console script that starts with each."""
    foreign_extension: str = ""
    """An extension module that no program of this machine can load; looked for only where the interpreter is hurt."""
    home: Home | None = None
    """None where the file has no `home`."""
    named: tuple[Named, ...] = ()
    recorded_is_here: bool = True
    """Whether the path that its scripts record is this environment, by whatever spelling."""
    me: Self | Silence | None = None
    """None where it was not asked: another platform's environment, or nothing there to ask."""
    bare: Self | Silence | None = None
    """What it says where its start-up files are left out; asked where they are why it does not start."""
    hooks: tuple[Hook, ...] = ()
    """Start-up files that raise, end the interpreter or keep it waiting."""
    variables: tuple[Variable, ...] = ()
    disk: Disk | None = None
    distrust: tuple[str, ...] = ()
    """Why nothing of it was run: what belongs to somebody else, or can be changed by others."""
    base_fails: str = ""
    """Why the base does not start, where that is why the environment's python does not."""
    locked: tuple[tuple[str, str], ...] = ()
    packages: Packages | None = None
    """None where nothing was looked at beyond the names of the dist-info folders."""
    escape: Escape | None = None
    places: Places = field(default_factory=Places)
    """What its own files name: where it lies, what its scripts start with, where editable projects are."""
    wants_system_site: bool | None = None
    """The intended system-site choice where something knows it."""
    now: float = 0.0
