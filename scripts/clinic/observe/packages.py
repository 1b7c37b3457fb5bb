"""The packages of an environment: what each dist-info promises, and what of it is there. Runs nothing."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from clinic.anatomy import distinfo, needs, pth
from clinic.anatomy.layout import CFG, is_interpreter_name
from clinic.anatomy.lock import canonical
from clinic.anatomy.there import files_in, names_in
from clinic.facts import Flavour, Tree
from clinic.observe import content, scripts
from clinic.observe.content import Due
from clinic.observe.rows import Compared, Place, compare, read_rows
from clinic.observe.sweep import OTHER, Sweep, sweep
from clinic.package_facts import Alien, Installed, Packages, PathFile

Say = Callable[[int, int], object]

_EXTENSION = re.compile(
    r"(?P<stem>.+?)\.(?:cpython-|cp)(?P<major>\d)(?P<minor>\d+)(?P<t>t?)[a-z]*-[^./]+\.(?:so|pyd)\Z"
)


@dataclass
class _Reading:
    """One distribution while it is being read."""

    folder: Path
    name: str
    version: str
    told: distinfo.Metadata
    rows: Compared
    promised: Mapping[str, str]
    altered: list[str] = field(default_factory=list)


def read_packages(
    venv: Path, tree: Tree, flavour: Flavour | None, *, deep: bool = False, say: Say = lambda _done, _all: None
) -> Packages:
    """Everything about the packages that can be told without running anything."""
    if tree.site_packages is None:
        return Packages(emptied=_no_site(tree))
    found = sweep(tree.site_packages)
    place = Place(venv, tree.scripts, found, tree)
    readings = [_read(place, name) for name in found.top if _is_dist_info(found, name)]
    verified = _verify(place, readings, say, deep=deep)
    owners = {name: reading.name for reading in readings for name in reading.rows.owned}
    have = _versions(found, readings)
    values = needs.marker_values(flavour, None, tree.platform)
    installed = tuple(_installed(place, reading, have, values, deep=deep) for reading in readings)
    return Packages(
        installed=installed,
        leftovers=tuple(found.site / name for name in found.top if name.startswith("~")),
        aliens=tuple(_aliens(found, flavour, owners)),
        path_files=tuple(_path_files(found, owners)),
        start_up=tuple((found.site / name, owners.get(name, "")) for name in found.top if name.endswith(".pth")),
        bytecode=tuple(found.site / name for name, size in found.files.items() if _is_no_bytecode(name, size)),
        emptied=_emptied(tree, found),
        pip=_pip(tree, found, installed),
        uncovered=tuple(_uncovered(venv, tree, found, owners)),
        verified=verified,
    )


def _is_dist_info(found: Sweep, name: str) -> bool:
    return name.endswith(".dist-info") and "-" in name and not name.startswith("~") and name not in found.files


def _read(place: Place, name: str) -> _Reading:
    folder = place.site / name
    stem, _, version = name.removesuffix(".dist-info").rpartition("-")
    told = distinfo.metadata(folder)
    if not told.error and canonical(told.name) != canonical(stem):
        told = replace(told, error=f"METADATA says that this is {told.name!r}")
    rows, error = read_rows(folder)
    seen = compare(place, rows)
    seen.error = error
    promised = distinfo.console_scripts(folder) if f"{name}/entry_points.txt" in place.found.files else {}
    return _Reading(folder, canonical(stem), version, told, seen, promised)


def _verify(place: Place, readings: list[_Reading], say: Say, *, deep: bool) -> int:
    """Compare the content: of files with another size than recorded always, of all with `deep`."""
    site = os.fspath(place.site)
    by_entry: dict[int, _Reading] = {}
    due: list[tuple[str, Due]] = []
    for reading in readings:
        for entry in (*reading.rows.suspects, *(reading.rows.due if deep else ())):
            by_entry[id(entry)] = reading
            due.append((f"{site}{os.sep}{entry[0]}", entry))
    for entry in content.differing(due, say):
        by_entry[id(entry)].altered.append(entry[0])
    return len(due)


def _versions(found: Sweep, readings: list[_Reading]) -> dict[str, list[str]]:
    """Every name that is installed with its versions, distributions of the old formats included."""
    have: dict[str, list[str]] = {}
    for reading in readings:
        have.setdefault(reading.name, []).append(reading.version)
    for name in found.top:
        if name.endswith((".egg-info", ".egg-link", ".egg")):
            parts = name.rpartition(".")[0].split("-")
            have.setdefault(canonical(parts[0]), []).extend(parts[1:2] or ["0"])
    return have


def _installed(
    place: Place, reading: _Reading, have: Mapping[str, list[str]], values: Mapping[str, str], *, deep: bool
) -> Installed:
    rows, project = reading.rows, distinfo.project_of(reading.folder)
    stale, broken = scripts.judged(place, rows, reading.promised, deep=deep)
    return Installed(
        name=reading.name,
        version=reading.version,
        folder=reading.folder,
        metadata=reading.told.error,
        record=rows.error,
        missing=tuple(rows.missing),
        altered=tuple(sorted([*reading.altered, *broken])),
        scripts=tuple(rows.scripts),
        scripts_missing=tuple(rows.scripts_missing),
        scripts_stale=tuple(stale),
        outside=tuple(rows.outside),
        unmet=tuple(needs.unmet(reading.told.requires, have, values)),
        project=project,
        project_gone=bool(project) and not os.path.exists(project),  # noqa: PTH110 - never raises
    )


def _aliens(found: Sweep, flavour: Flavour | None, owners: Mapping[str, str]) -> list[Alien]:
    """Extension modules for other versions, of which there is none for this one beside them."""
    if flavour is None:
        return []
    wrong, right = [], set()
    for name in found.files:
        if not name.endswith((".so", ".pyd")) or name.startswith("~"):
            continue
        match = _EXTENSION.match(name)
        if match is None:
            right.add(re.sub(r"(\.abi3)?\.(so|pyd)\Z", "", name))
        elif (made := Flavour(int(match["major"]), int(match["minor"]), bool(match["t"]))) == flavour:
            right.add(match["stem"])
        else:
            wrong.append((match["stem"], Alien(name, owners.get(name, ""), str(made))))
    return [alien for stem, alien in wrong if stem not in right]


def _path_files(found: Sweep, owners: Mapping[str, str]) -> list[PathFile]:
    told = []
    for name in found.top:
        if not name.endswith(".pth") or name.startswith((".", "~")) or name not in found.files:
            continue
        path = found.site / name
        try:
            text = pth.decoded(distinfo.beginning(path, pth.LIMIT))
        except OSError:
            continue
        owner = owners.get(name, "")
        if text is None:
            told.append(PathFile(path, "undecodable", ("its bytes are no UTF-8",), owner))
        elif dead := pth.dead_lines(found.site, text):
            told.append(PathFile(path, "dangling", tuple(dead), owner))
    return told


_START_UP = re.compile(r"[^.~].*\.pth|(?:site|user)customize\.py")
_OF_CREATORS = frozenset({CFG, ".gitignore", "CACHEDIR.TAG", ".lock"})


def _uncovered(venv: Path, tree: Tree, found: Sweep, owners: Mapping[str, str]) -> Iterator[Path]:
    """Files that no RECORD covers, where somebody or a creator puts them: the root, the scripts, site-packages."""
    owned = {os.path.normpath(found.site / name) for name in owners if name.startswith("..")}
    yield from (venv / name for name in files_in(venv) if name not in _OF_CREATORS)
    scripts_there = (tree.scripts / name for name in files_in(tree.scripts) if not is_interpreter_name(name))
    yield from (path for path in scripts_there if os.fspath(path) not in owned)
    yield from (found.site / name for name in found.top if _START_UP.fullmatch(name) and name not in owners)


def _is_no_bytecode(name: str, size: int) -> bool:
    """A pipe or device in the place of cached bytecode: the import of its module would wait for it."""
    return size == OTHER and name.endswith(".pyc") and "__pycache__/" in name


_NO_PACKAGE = re.compile(r"__pycache__|_virtualenv\.(?:pth|py)|~.*|.*\.virtualenv|README.*|\..*")
_OWN_SCRIPTS = re.compile(r"(?:de)?activate.*|pydoc\.bat|\..*|.*\.virtualenv", re.IGNORECASE)


def _emptied(tree: Tree, found: Sweep) -> str:
    if any(not _NO_PACKAGE.fullmatch(name) for name in found.top):
        return ""
    left = _scripts_left(tree)
    return f"{found.site} is empty, while {tree.scripts} still has scripts of packages ({left[0]})" if left else ""


def _no_site(tree: Tree) -> str:
    return f"no site-packages is left beside {tree.scripts}" if tree.interpreters else ""


def _scripts_left(tree: Tree) -> list[str]:
    names = names_in(tree.scripts)
    return [name for name in names if not (is_interpreter_name(name) or _OWN_SCRIPTS.fullmatch(name))]


def _pip(tree: Tree, found: Sweep, installed: tuple[Installed, ...]) -> str:
    """What is wrong with a pip that was there once: its scripts or its dist-info say so."""
    mine = [each for each in installed if each.name == "pip"]
    called = [name for name in names_in(tree.scripts) if re.fullmatch(r"pip[\d.-]*(?:\.exe)?", name)]
    if not mine and not called:
        return ""
    if "pip/__init__.py" not in found.files or "pip/__main__.py" not in found.files:
        return f"pip is gone, while {tree.scripts / called[0] if called else mine[0].folder} is still there"
    lost = [name for each in mine for name in (*each.missing, *each.altered)]
    return f"{len(lost)} files of pip are gone or altered, the first: {lost[0]}" if lost and len(mine) == 1 else ""
