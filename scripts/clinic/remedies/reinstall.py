"""Put exactly the hurt distributions back as they were installed; put aside what no installer removes.

The installer never writes into the environment. It installs into a prefix beside it, where every file is compared with
RECORD; then the old files go to the stash and the new ones take their place, by renames that are on record. What
does not hold afterwards is put back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clinic.anatomy import distinfo, layout
from clinic.anatomy.lock import canonical
from clinic.errors import ClinicError, FailedError, of_the_machine
from clinic.observe import content, scripts
from clinic.observe.rows import Place, compare, read_rows
from clinic.observe.sweep import sweep
from clinic.records import Transaction
from clinic.remedies import pieces
from clinic.remedies.install import Source, install

NAME = "reinstall"
Say = Callable[[str], object]


@dataclass(frozen=True)
class Draft:
    """What is to be done: surgery, and distributions to install anew."""

    venv: Path
    site: Path
    scripts: Path
    names: frozenset[str] = frozenset()
    """Distributions to install, by canonical name."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """The version that each must come in, where one is known."""
    folders: tuple[Path, ...] = ()
    """Their dist-info folders as they are now."""
    aside: tuple[Path, ...] = ()
    """What goes to the stash and does not come back."""
    rewritten: tuple[tuple[Path, bytes], ...] = ()
    """`.pth` files that lose their dead lines only."""

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return layout.python_in(self.venv, layout.here())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.names or self.aside or self.rewritten)


@dataclass(frozen=True)
class Prefix:
    """Where the installer has put the new files, and where they belong."""

    root: Path
    site: Path

    @property
    def scripts(self) -> Path:
        """Its console scripts."""
        return layout.scripts_folder(self.root, layout.here())


ALTERED = "cache-altered"
"""What arrived is not as recorded, and an installer's cache may be why."""


def fetch(draft: Draft, sources: Sequence[Source], folder: Path, say: Say) -> tuple[Prefix, str]:
    """Install into a prefix below `folder` and verify what arrived. Raises FailedError; nothing was touched then."""
    root, by = folder / "prefix", ""
    try:
        for source in sources:
            by = install(draft.python, source, say)
    except OSError as error:
        raise _disk(error, folder) from error
    site = root / draft.site.relative_to(draft.venv)
    if not site.is_dir():
        raise _unproved(f"{by} put nothing into {site}")
    prefix = Prefix(root, site)
    for objection in _objections(draft, prefix):
        raise _unproved(objection, "not-proved" if any(source.fresh for source in sources) else ALTERED)
    return prefix, by


def _disk(error: OSError, folder: Path) -> ClinicError:
    known = of_the_machine(error, "The environment was not touched.")
    return known or FailedError(
        "install-failed",
        f"{error.filename or folder} could not be written: {error.strerror or error}. Nothing was touched.",
        "invoke rebuild",
    )


def _unproved(objection: str, code: str = "not-proved") -> FailedError:
    return FailedError(code, f"What was fetched does not hold: {objection}. Nothing was touched.", "invoke rebuild")


def _objections(draft: Draft, prefix: Prefix) -> Iterator[str]:
    """Why what lies in the prefix is not what was asked for: the files themselves are looked at."""
    place = Place(prefix.root, prefix.scripts, sweep(prefix.site))
    arrived: dict[str, str] = {}
    for folder in sorted(prefix.site.glob("*.dist-info")):
        told = distinfo.metadata(folder)
        arrived[canonical(told.name)] = told.version
        yield from _of_one(draft, place, folder, told.error)
    for name in sorted(draft.names):
        if name not in arrived:
            yield f"{name} did not arrive"
        elif (wanted := draft.versions.get(name)) and not _same_version(arrived[name], wanted):
            yield f"{name} arrived in version {arrived[name]}, wanted is {wanted}"


def _of_one(draft: Draft, place: Place, folder: Path, error: str) -> Iterator[str]:
    rows, lost = read_rows(folder)
    if error or lost:
        yield f"{folder.name}: {error or lost}"
    seen = compare(place, rows)
    yield from (f"{folder.name} lacks {name}" for name in (*seen.missing, *seen.scripts_missing))
    yield from (f"{folder.name} names {name!r}, outside of the environment" for name in seen.outside)
    due = [(os.path.normpath(place.site / entry[0]), entry) for entry in (*seen.due, *seen.suspects)]
    yield from (f"{name} is not what RECORD says" for name, _ in content.differing(due))
    real = Place(place.venv, draft.scripts, place.found)
    for name in seen.scripts:
        named = scripts.interpreter_of(place.scripts / name)
        if named and scripts.is_stale(named, real, is_entry=True):
            yield f"{name} would start with {named}"


def _same_version(one: str, other: str) -> bool:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return one == other


def operate(draft: Draft, change: Transaction) -> None:
    """Put aside what only hurts: leftovers, bytecode that does not load, `.pth` files that lead nowhere."""
    change.stash(*draft.aside)
    for path, data in draft.rewritten:
        change.write(path, data)


def replace(draft: Draft, prefix: Prefix, change: Transaction) -> None:
    """The old files to the stash, the new ones into their place."""
    place = pieces.place_of(draft.venv, draft.site, draft.scripts)
    new = sweep(prefix.site)
    change.stash(*pieces.own(place, draft.folders, new.files, prefix.root))
    homes = tuple(Path(os.path.realpath(folder)) for folder in (draft.site, draft.scripts))
    pairs = list(_pairs(prefix.root, draft.venv, homes, top=True))
    change.stash(*(there for _, there in pairs))
    change.bring(*pairs)


_NOT_BROUGHT = frozenset({".lock", "CACHEDIR.TAG", ".gitignore"})
"""What installers leave in a prefix for themselves."""


def _pairs(source: Path, target: Path, homes: tuple[Path, ...], *, top: bool = False) -> Iterator[tuple[Path, Path]]:
    """What is moved where: the highest entries that can go as a whole."""
    for entry in sorted(source.iterdir()):
        there = target / entry.name
        if top and entry.name in _NOT_BROUGHT:
            continue
        if entry.is_dir() and not entry.is_symlink() and _is_entered(there, homes):
            yield from _pairs(entry, there, homes)
        else:
            yield entry, there


def _is_entered(folder: Path, homes: tuple[Path, ...]) -> bool:
    """Whether files go into a folder that is there: of links only into one like `lib64`, which leads to `homes`.

    Any other link is replaced as a whole, since what it leads to may be somebody else's.
    """
    if not folder.is_symlink():
        return folder.is_dir()
    real = Path(os.path.realpath(folder))
    return any(home.is_relative_to(real) for home in homes)
