"""What of an environment may not be run by this user, because somebody else could have put it there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clinic import interpreters, proc
from clinic.anatomy import cfg as grammar
from clinic.anatomy import layout
from clinic.anatomy.ownership import Owners
from clinic.anatomy.there import exists, names_in
from clinic.facts import CfgFile, Tree

_RUN = re.compile(r".*\.(?:pth|py|so|pyd)\Z|[^.]*\Z")
"""What python runs of a site-packages, or looks for modules in: files at its top and packages, no metadata."""


def distrusted(owners: Owners, venv: Path, file: CfgFile, tree: Tree) -> tuple[str, ...]:
    """Why this environment's python may not be run; nothing where it may."""
    return owners.objections(_relevant(venv, file, tree))


def _relevant(venv: Path, file: CfgFile, tree: Tree) -> Iterator[Path]:
    yield from (venv, venv / layout.CFG, tree.scripts)
    for each in tree.starters:
        if layout.is_interpreter_name(each.file.path.name) and exists(each.file.path):
            yield from (each.file.path, *each.leads, each.end.parent)
    yield from _of_base(file, tree)
    if tree.site_packages is None:
        return
    yield from (tree.site_packages.parent, tree.site_packages)
    yield from (tree.site_packages / name for name in names_in(tree.site_packages) if _RUN.match(name))


def _of_base(file: CfgFile, tree: Tree) -> Iterator[Path]:
    """The python in `home`: it is asked who it is, too."""
    home = grammar.parse(file.raw).first("home") if file.raw else None
    if not home or not Path(home).is_absolute() or "\0" in home or tree.platform != layout.here():
        return
    for name in layout.executable_names(None, tree.platform):
        if exists(Path(home, name)):
            yield from (Path(home), Path(home, name), Path(home, name).resolve())


def guarded(run: interpreters.Runner, owners: Owners) -> interpreters.Runner:
    """Run what may be run; of the rest it is said that it was not."""

    def asked(argv: list[Any], **options: Any) -> proc.Completed:
        if reason := owners.objection_to_running(Path(argv[0])):
            return proc.Completed(None, "", "", 0.0, f"was not run: {reason}")
        return run(argv, **options)

    return asked
