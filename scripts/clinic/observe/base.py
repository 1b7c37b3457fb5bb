"""Finding the base interpreter of an environment by evidence, strongest first; two that fit equally are no proof.

Order (measured): the links in the scripts folder; a copied executable asked
from outside; what the cfg still says, if it is true; what the last snapshot recorded; at last a search of the machine
for the one python of that flavour.
"""

from __future__ import annotations

import filecmp
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clinic import interpreters, proc
from clinic.anatomy import cfg as grammar
from clinic.anatomy import layout
from clinic.anatomy.there import is_file, same
from clinic.facts import BaseSearch, File, Flavour, Interpreter, Silence, Tree

_FROZEN_GETPATH = (3, 11)


def flavour_of(tree: Tree) -> Flavour | None:
    """The minor version and threading build that the weightiest evidence proves."""
    votes: Counter[tuple[int, int]] = Counter()
    for clue in tree.clues:
        votes[clue.major, clue.minor] += clue.weight
    if not votes:
        return None
    (major, minor), _ = votes.most_common(1)[0]
    proofs = [c.free_threaded for c in tree.clues if (c.major, c.minor) == (major, minor)]
    told = [proof for proof in proofs if proof is not None]
    return Flavour(major, minor, any(told))


@dataclass
class Search:
    """One search. Remembers what it looked at, so that a refusal can tell, and asks no python twice."""

    venv: Path
    tree: Tree
    flavour: Flavour | None
    run: interpreters.Runner = proc.run
    looked: list[str] = field(default_factory=list)
    known: dict[Path, Interpreter | Silence] = field(default_factory=dict)
    _outside: dict[Path, Interpreter | Silence] = field(default_factory=dict)

    def identify(self, executable: Path) -> Interpreter | Silence:
        """Ask a python once; a launcher of the environment itself never: it may start itself for ever."""
        if self.tree.platform == "windows" and self.inside(executable):
            return Silence("is the environment's own launcher")
        if executable not in self.known:
            self.known[executable] = interpreters.identify(executable, run=self.run)
        return self.known[executable]

    def in_folder(self, folder: Path) -> Interpreter | None:
        """The interpreter of a folder, by the name that suits this environment; one that was asked is not again."""
        for name in layout.executable_names(self.flavour, self.tree.platform):
            if not is_file(folder / name):
                continue
            told = [] if _is_environments(folder) else self._told_of(folder / name)
            found = told[0] if told else self.identify(folder / name)
            return found if isinstance(found, Interpreter) else None
        return None

    def _told_of(self, executable: Path) -> list[Interpreter | Silence]:
        return [who for path, who in self.known.items() if same(path, executable)]

    def fits(self, candidate: Interpreter | Silence, where: str) -> Interpreter | None:
        """The candidate if it can be the base; else why not goes on record."""
        reason = self.objection(candidate)
        self.looked.append(f"{where}: {reason or 'fits'}")
        return None if reason or isinstance(candidate, Silence) else candidate

    def objection(self, candidate: Interpreter | Silence) -> str:
        """Why a python cannot be this environment's base; empty if it can."""
        if isinstance(candidate, Silence):
            return candidate.reason
        if candidate.is_environment:
            return "is itself an environment"
        if same(candidate.prefix, self.venv):
            return "is the environment itself"
        if self.flavour and candidate.flavour != self.flavour:
            return f"is Python {candidate.flavour}, the environment holds packages for {self.flavour}"
        return ""

    def by_links(self) -> tuple[Interpreter, str] | None:
        """An absolute link out of the environment names the base, word for word as its creator was called."""
        for file in self.tree.interpreters:
            if not file.target or not Path(file.target).is_absolute() or self.inside(Path(file.target)):
                continue
            target = Path(file.target)
            found = self.fits(self._base_of(self.identify(target)), f"{file.path} -> {target}")
            if found:
                return self._at_home(found), f"{file.path} links to {target}"
        return None

    def _base_of(self, answer: Interpreter | Silence) -> Interpreter | Silence:
        """What lies behind an environment: one made from another by 3.10 or older links to that one's python."""
        if isinstance(answer, Silence) or not answer.is_environment:
            return answer
        for behind in filter(None, (answer.real, answer.base_executable)):
            found = self.identify(behind)
            if isinstance(found, Interpreter) and not found.is_environment:
                return found
        return answer

    def _at_home(self, found: Interpreter) -> Interpreter:
        """A stray link to an interpreter lies in a folder that is no installation: use the real file's folder."""
        if same(found.prefix / "bin", found.home) or here_is_windows():
            return found
        real = self.identify(found.real)
        return real if isinstance(real, Interpreter) and not real.is_environment else found

    def inside(self, path: Path) -> bool:
        """Whether a path lies in the environment, by either spelling of its folder."""
        return path.is_relative_to(self.venv) or path.is_relative_to(_resolved(self.venv))

    def by_copy(self, cfg: grammar.Cfg | None) -> tuple[Interpreter, str] | None:
        """A copied POSIX executable is the very file at home; if not, asked from outside, it names its base."""
        if self.tree.platform == "windows":
            return None  # the Windows copy is a launcher that carries no base (measured)
        for file in self.programs():
            if file.mode & 0o111:
                if home := self._original(file, cfg):
                    return home, f"{file.path} is a copy of {home.real}, where home leads"
                found = self.fits(self.ask_outside(file.path), f"{file.path}, asked outside")
                if found:
                    return found, f"{file.path} was copied from {found.executable}"
        return None

    def programs(self) -> list[File]:
        """The names that are programs of this machine themselves, no links."""
        fit = {each.file.path for each in self.tree.starters if each.program and each.program.whole and each.runs_here}
        return [file for file in self.tree.interpreters if file.kind == "file" and file.path in fit]

    def ask_outside(self, executable: Path) -> Interpreter | Silence:
        """Ask a copied executable once, outside of its environment."""
        if executable not in self._outside:
            old = self.flavour is not None and (self.flavour.major, self.flavour.minor) < _FROZEN_GETPATH
            self._outside[executable] = interpreters.ask_outside(executable, by_copy=old, run=self.run)
        return self._outside[executable]

    def _original(self, file: File, cfg: grammar.Cfg | None) -> Interpreter | None:
        """The base at `home`, if its executable is byte for byte this copy."""
        folder = Path(cfg.first("home") or "") if cfg else Path()
        if not cfg or not self._undisputed(folder, cfg):
            return None
        for name in layout.executable_names(self.flavour, self.tree.platform):
            if folder.is_absolute() and is_file(folder / name) and _equal(folder / name, file):
                return self.fits(self.identify(folder / name), f"{file.path} is a copy of {folder / name}")
        return None

    def _undisputed(self, folder: Path, cfg: grammar.Cfg) -> bool:
        """Whether the file names its base a second time, and there too: an equal copy may lie in two prefixes."""
        named = [Path(value) for key in ("base-executable", "executable") for value in cfg.all(key)]
        return bool(named) and all(same(path.parent, folder) for path in named)

    def by_cfg(self, cfg: grammar.Cfg | None) -> tuple[Interpreter, str] | None:
        """What the file still says, if there is a fitting python behind it."""
        for where, executable in self._named_in(cfg) if cfg else ():
            found = self.fits(self.identify(executable), f"pyvenv.cfg, {where}: {executable}")
            if found:
                return found, f"{where} in pyvenv.cfg"
        return None

    def _named_in(self, cfg: grammar.Cfg) -> Iterator[tuple[str, Path]]:
        for home in cfg.all("home"):
            for name in layout.executable_names(self.flavour, self.tree.platform):
                if (candidate := Path(home) / name).is_absolute() and is_file(candidate):
                    yield "home", candidate
                    break
        for key in ("base-executable", "executable"):
            for value in cfg.all(key):
                if Path(value).is_absolute() and is_file(Path(value)):
                    yield key, Path(value)

    def by_record(self, recorded: Path | None) -> tuple[Interpreter, str] | None:
        """The base that the last known-good state names: the only evidence where Windows' launchers carry none."""
        if recorded is None or not recorded.is_absolute() or not is_file(recorded):
            return None
        found = self.fits(self.identify(recorded), f"the last snapshot: {recorded}")
        return (found, "the last snapshot names it") if found else None

    def is_base_gone(self) -> bool:
        """Whether its links lead to what is not there any more: then none of several that fit can be its own."""
        ends = [each.end for each in self.tree.starters if each.file.kind == "dangling-link" and not each.loops]
        return any(not self.inside(end) for end in ends)

    def by_search(self, cfg: grammar.Cfg | None) -> tuple[tuple[Interpreter, ...], str]:
        """Every python of this flavour on the machine, less than all where one alone is of the recorded version."""
        if not self.flavour:
            return (), ""
        found = [
            candidate
            for candidate in interpreters.find(str(self.flavour), run=self.run)
            if self.fits(candidate, f"search for Python {self.flavour}: {candidate.executable}")
        ]
        if not found:
            self.looked.append(f"search of the PATH and of the usual places for Python {self.flavour}: none")
        recorded = self.tree.patch or _recorded(cfg)
        exact = [candidate for candidate in found if candidate.version == recorded]
        return tuple(exact if len(exact) == 1 else found), f"the only Python {self.flavour} of this machine"


def _recorded(cfg: grammar.Cfg | None) -> tuple[int, ...]:
    """The version of the base as the file has it; empty where it has none."""
    text = next((value for key in ("version", "version_info") for value in cfg.all(key)), "") if cfg else ""
    parts = text.split(".")[:3]
    return tuple(int(part) for part in parts) if all(part.isdecimal() for part in parts) else ()


def _is_environments(folder: Path) -> bool:
    """Whether a folder of executables is an environment's: there the same file answers as somebody else."""
    return any(is_file(place / layout.CFG) for place in (folder, folder.parent))


def _equal(original: Path, copy: File) -> bool:
    try:
        return original.stat().st_size == copy.size and filecmp.cmp(original, copy.path, shallow=False)
    except OSError:
        return False


def here_is_windows() -> bool:
    """Whether interpreters of Windows can be asked here."""
    return layout.here() == "windows"


def search(
    hunt: Search, cfg: grammar.Cfg | None, given: Path | None = None, recorded: Path | None = None
) -> BaseSearch:
    """The base interpreter of this environment. `given` names one by hand; it is examined like any other.

    `recorded` is what the last known-good state names.
    """
    if hunt.tree.platform != layout.here():
        return BaseSearch(None, looked=(f"this is an environment of another platform ({hunt.tree.platform})",))
    if given is not None:
        base = hunt.fits(hunt.identify(given), f"--base {given}")
        return BaseSearch(base, "named by hand" if base else "", tuple(hunt.looked))
    proven = hunt.by_links() or hunt.by_copy(cfg) or hunt.by_cfg(cfg) or hunt.by_record(recorded)
    if proven:
        return BaseSearch(proven[0], proven[1], tuple(hunt.looked))
    rivals, proof = hunt.by_search(cfg)
    if len(rivals) > 1 and hunt.is_base_gone():
        return BaseSearch(rivals[0], f"its own base is gone, and this is the first Python {hunt.flavour} that is found")
    only = rivals[0] if len(rivals) == 1 else None
    return BaseSearch(only, proof if only else "", tuple(hunt.looked), rivals)


def behind(hunt: Search, base: Interpreter | None) -> Iterator[tuple[str, Interpreter | Silence]]:
    """Names of the interpreter that are or lead to something else than the base, and what that says, asked outside.

    Not on Windows: what lies there are launchers, which are no python without the environment around them.
    """
    if hunt.tree.platform != layout.here() or here_is_windows():
        return
    programs = hunt.programs()
    for each in hunt.tree.starters:
        if each.program is None or not each.runs_here or (base and same(each.end, base.real)):
            continue
        hop = next((step for step in each.leads if not hunt.inside(step)), None)
        if hop is not None:
            yield each.file.path.name, hunt.identify(hop)
        elif each.file in programs and each.file.mode & 0o111 and not (base and _equal(base.real, each.file)):
            yield each.file.path.name, hunt.ask_outside(each.file.path)


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path
