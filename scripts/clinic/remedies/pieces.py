"""Which entries of an environment are wholly a distribution's own, so that they can be put aside in one rename each.

A package folder in which somebody keeps a file of his own is not: then its own files go one by one, and that one stays.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from clinic import fs
from clinic.observe.rows import Place, compare, read_rows
from clinic.observe.sweep import sweep


def place_of(venv: Path, site: Path, scripts: Path) -> Place:
    """An environment's folders, swept once."""
    return Place(venv, scripts, sweep(site))


def recorded(place: Place, folder: Path) -> set[str]:
    """What a dist-info's RECORD lists and has there, by path relative to site-packages; nothing from outside."""
    rows, _ = read_rows(folder)
    return set(compare(place, rows).owned)


def own(place: Place, folders: Iterable[Path], also: Iterable[str] = (), prefix: Path | None = None) -> list[Path]:
    """The entries to put aside for these dist-info folders, and for `also` that will be put in their place.

    A RECORD may name anything. Of what lies in none of the folders of an install scheme only that is theirs which
    stands in `prefix` again, where the same distributions have just been installed; the rest is somebody's.
    """
    mine = [folder for folder in folders if fs.exists(folder)]
    names = {folder.name for folder in mine}
    others = {row for folder in _dist_infos(place) if folder.name not in names for row in recorded(place, folder)}
    listed = {row for folder in mine for row in recorded(place, folder)} | set(also)
    inside = {name for name in place.found.files if name.partition("/")[0] in names}
    owned = {name for name in listed if name in place.found.files and name not in others} | inside
    units = _units(place.found.files, place.found.links, owned | _bytecode(place.found.files, owned))
    elsewhere = {name for name in listed if name.startswith("..") and name not in others}
    paths = [place.site / unit for unit in sorted(units)]
    outside = [Path(os.path.normpath(place.site / name)) for name in sorted(elsewhere)]
    paths += [path for path in outside if _is_of_scheme(place, path) or _is_brought(place, path, prefix)]
    return [*paths, *(folder for folder in mine if folder not in paths)]


def _is_of_scheme(place: Place, path: Path) -> bool:
    """Whether installers put files there: scripts, and headers (`include/site/python3.13/NAME`, `Include/NAME`)."""
    return path.is_relative_to(place.scripts) or any(
        path.is_relative_to(place.venv / folder) for folder in ("include/site", "Include")
    )


def _is_brought(place: Place, path: Path, prefix: Path | None) -> bool:
    return prefix is not None and fs.exists(prefix / os.path.relpath(path, place.venv))


def _dist_infos(place: Place) -> list[Path]:
    names = place.found.top
    return [place.site / name for name in names if name.endswith(".dist-info") and name not in place.found.files]


def _bytecode(files: Iterable[str], owned: set[str]) -> set[str]:
    """Cached bytecode of these modules, those included whose source is lost."""
    sources = {name.removesuffix(".py") for name in owned if name.endswith(".py")}
    folders = {name.rpartition("/")[0] for name in owned if "/" in name and name.endswith(".py")}
    found = set()
    for name in files:
        folder, cache, file = name.rpartition("__pycache__/")
        if cache and file.endswith(".pyc"):
            module = folder + file.partition(".")[0]
            if module in sources or folder.rstrip("/") in folders:
                found.add(name)
    return found


def _units(files: Iterable[str], links: Iterable[str], owned: set[str]) -> set[str]:
    """The highest entries that hold nothing but what is owned."""
    shared = {""}
    for name in (*(name for name in files if name not in owned), *links):
        shared.update(_above(name))
    return {_highest(name, shared) for name in owned}


def _above(name: str) -> list[str]:
    parts = name.split("/")
    return ["/".join(parts[:end]) for end in range(1, len(parts))]


def _highest(name: str, shared: set[str]) -> str:
    return next((folder for folder in _above(name) if folder not in shared), name)
