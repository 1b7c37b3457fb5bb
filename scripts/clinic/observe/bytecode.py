"""Cached bytecode that does not load: only the python that would load it can tell."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from clinic import interpreters, probe_bytecode
from clinic.facts import Tree
from clinic.observe.background import begun
from clinic.probe import MARK

PROBE = Path(probe_bytecode.__file__)
SECONDS = 120.0


def asking(python: Path, tree: Tree, run: interpreters.Runner) -> Callable[[], tuple[Path, ...]]:
    """Start asking which bytecode does not load, while other things are looked at; what is returned waits for it."""
    return begun(lambda: _bad(python, tree, run))


def _bad(python: Path, tree: Tree, run: interpreters.Runner) -> tuple[Path, ...]:
    if tree.site_packages is None:
        return ()
    # Without its site-packages: what lies there is the very thing in doubt.
    done = run([python, "-I", "-S", "-B", PROBE, tree.site_packages], timeout=SECONDS)
    try:
        return tuple(map(Path, json.loads(done.stdout.replace("\r\n", "\n").partition(MARK)[2])["bytecode"]))
    except (ValueError, KeyError, TypeError):
        return ()
