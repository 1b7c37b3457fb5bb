"""A base interpreter of one's own, for tests that watch what goes into a base: a real one, and nobody else's."""

from __future__ import annotations

import shutil
from pathlib import Path

from clinic import interpreters
from clinic.facts import Interpreter


def base(original: Interpreter, folder: Path) -> Interpreter:
    """A copy of an installation: the executable for real, the standard library by links, site-packages its own."""
    library = original.base_prefix / "lib" / f"python{original.flavour}"
    mine = folder / "lib" / library.name
    (folder / "bin").mkdir(parents=True)
    executable = folder / "bin" / f"python{original.flavour}"
    shutil.copy2(original.real, executable)
    mine.mkdir(parents=True)
    for entry in library.iterdir():
        if entry.name not in {"site-packages", "EXTERNALLY-MANAGED"}:
            (mine / entry.name).symlink_to(entry)
    site(folder).mkdir()
    for name in ("pip", *(each.name for each in (library / "site-packages").glob("pip-*.dist-info"))):
        (site(folder) / name).symlink_to(library / "site-packages" / name)
    found = interpreters.identify(executable)
    assert isinstance(found, Interpreter), found
    assert found.prefix == folder, found
    return found


def site(folder: Path) -> Path:
    """Its site-packages."""
    return next((folder / "lib").glob("python3*")) / "site-packages"
