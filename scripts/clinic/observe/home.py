"""Where the paths lead that pyvenv.cfg names."""

from __future__ import annotations

import re
from pathlib import Path

from clinic.anatomy import cfg as grammar
from clinic.anatomy import layout
from clinic.anatomy.there import exists, is_file, is_folder, same
from clinic.facts import Flavour, Home, Interpreter, Kind, Named, Tree
from clinic.observe.base import Search
from clinic.observe.tree import look_at

_FOLDER_NAME = re.compile(r"python(?:core-)?(\d)\.?(\d+)(t?)(?:-\d+)?\Z", re.IGNORECASE)
"""What the installers of Windows call their folders: Python313, pythoncore-3.14t-64."""


def home_of(cfg: grammar.Cfg, hunt: Search, base: Interpreter | None) -> Home | None:
    """Where the file's own `home` (the first, as getpath takes it) leads."""
    value = cfg.first("home")
    if value is None:
        return None
    if hunt.tree.platform != layout.here():
        return _foreign(value, hunt.tree)
    path = Path(value)
    if "\0" in value or not value or not path.is_absolute():
        return Home(value, "missing")
    kind: Kind = "file" if is_file(path) else look_at(path).kind
    holds = hunt.in_folder(path) if kind in {"directory", "link"} and not hunt.inside(path) else None
    return Home(
        value=value,
        kind=kind,
        inside=hunt.inside(path),
        is_base=base is not None and same(path, base.home),
        holds=holds,
        below=None if holds else _interpreters_below(path),
        cut=_without_comment(value),
    )


def _foreign(value: str, tree: Tree) -> Home:
    """Another platform's path, judged by its text alone."""
    path = layout.pure(value, tree.platform)
    own = layout.pure(tree.recorded_path, tree.platform) if tree.recorded_path else None
    told = _FOLDER_NAME.match(path.name)
    cut = _comment_off(value)
    return Home(
        value=value,
        kind="file" if path.suffix.lower() == ".exe" else "directory",
        inside=own is not None and path.is_relative_to(own),
        cut=cut if cut != value else None,
        foreign=True,
        named_flavour=Flavour(int(told[1]), int(told[2]), bool(told[3])) if told else None,
    )


def named_in(cfg: grammar.Cfg, base: Interpreter | None) -> tuple[Named, ...]:
    """The executables that other keys name, and whether each is the base's."""
    keys = ("executable", "base-executable")
    return tuple(
        Named(key, value, exists(Path(value)), base is not None and same(Path(value), base.real))
        for key in keys
        for value in cfg.all(key)
        if value and "\0" not in value
    )


def _interpreters_below(path: Path) -> Path | None:
    for folder in (path / "bin", path.parent / "bin", path.parent):
        if not same(folder, path) and any(
            is_file(folder / name) for name in layout.executable_names(None, layout.here())
        ):
            return folder
    return None


def _without_comment(value: str) -> str | None:
    cut = _comment_off(value)
    return cut if cut != value and is_folder(Path(cut)) else None


def _comment_off(value: str) -> str:
    return re.split(r"\s+[#;]", value, maxsplit=1)[0].rstrip()
