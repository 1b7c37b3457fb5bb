"""Cached bytecode that does not load: only the python that would load it can tell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from clinic import interpreters, probe_bytecode
from clinic.facts import Self, Silence, Tree
from clinic.package_facts import Packages
from clinic.probe import MARK

PROBE = Path(probe_bytecode.__file__)
SECONDS = 120.0


def with_bytecode(packages: Packages, tree: Tree, me: Self | Silence | None, run: interpreters.Runner) -> Packages:
    """The same, and what of its bytecode its own python cannot load."""
    if not isinstance(me, Self) or not me.is_itself or tree.site_packages is None:
        return packages
    # Without its site-packages: what lies there is the very thing in doubt.
    words = [me.interpreter.executable, "-I", "-S", "-B", PROBE, tree.site_packages]
    told = run(words, timeout=SECONDS).stdout.replace("\r\n", "\n").partition(MARK)[2]
    try:
        found = json.loads(told)["bytecode"]
    except (ValueError, KeyError, TypeError):
        return packages
    return replace(packages, bytecode=tuple(map(Path, found)))
