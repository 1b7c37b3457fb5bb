"""Looking at an environment: everything the checks judge, read once and frozen. Reads only; nothing here changes."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clinic import interpreters, proc
from clinic.anatomy import cfg as grammar
from clinic.anatomy import layout
from clinic.anatomy.there import exists, same
from clinic.facts import CfgFile, Facts, Flavour, Self, Silence
from clinic.observe import bytecode, hooks
from clinic.observe.base import Search, flavour_of, search
from clinic.observe.disk import disk_of
from clinic.observe.home import home_of, named_in
from clinic.observe.packages import read_packages
from clinic.observe.tree import ENDLESS, look_at_root, read_cfg, read_tree
from clinic.observe.variables import derailing


def observe(  # noqa: PLR0913 - what a look needs to know, all of it by name
    venv: Path,
    *,
    imports: Sequence[str] = (),
    locked: Callable[[Flavour | None], tuple[tuple[str, str], ...]] | None = None,
    base: Path | None = None,
    wants_system_site: bool | None = None,
    run: interpreters.Runner = proc.run,
    deep: bool = False,
    environ: Mapping[str, str] | None = None,
    say: Callable[[int, int], object] = lambda _done, _all: None,
) -> Facts:
    """Look at the environment at `venv`: its files, the base they prove, and what its own python says of itself.

    Its python is run only where it can run here, in isolated mode and with a time limit. `imports` are the modules
    it is to try, `locked` tells which distributions an environment of its flavour must hold, `environ` holds the
    variables of the person's shell. With `deep`, every file
    is compared with its RECORD, and `say` is told how many are done. Never raises for what it finds.
    """
    root = look_at_root(venv)
    platform = layout.platform_of(venv)
    if root.kind not in {"directory", "link"} or platform is None or not layout.has_environment(venv):
        return Facts(venv, root.kind, root.target, wants_system_site=wants_system_site, now=time.time())
    file = read_cfg(venv, platform)
    tree = read_tree(venv, platform)
    hunt = Search(venv, tree, flavour_of(tree), run)
    cfg = grammar.parse(file.raw) if file.raw else None
    # Its own python is asked while the base is being looked for: neither needs the other's answer.
    me = _ask(hunt, file, cfg, imports)
    cached = _ask_bytecode(hunt, file, cfg) if deep else tuple
    packages = read_packages(venv, tree, hunt.flavour, deep=deep, say=say)
    found = search(hunt, cfg, base)
    home = home_of(cfg, hunt, found.base) if cfg else None
    flavour = hunt.flavour or (found.base.flavour if found.base else None)
    answer = me()
    was_run = answer is not None and not _why_not(hunt, file, cfg, layout.python_in(venv, tree.platform))
    stumbles = hooks.culprits(hunt, answer) if was_run else hooks.pipes(tree)
    return Facts(
        venv=venv,
        root=root.kind,
        target=root.target,
        cfg=file,
        tree=tree,
        flavour=flavour,
        locked=locked(flavour) if locked else (),
        search=found,
        home=home,
        named=named_in(cfg, found.base) if cfg and tree.platform == layout.here() else (),
        recorded_is_here=_is_here(tree.recorded_path, venv),
        me=answer,
        bare=hooks.without(hunt, answer, stumbles, packages.path_files),
        hooks=stumbles,
        base_fails=hooks.base_that_fails(hunt, answer, cfg.first("home") if cfg else None) if was_run else "",
        packages=replace(packages, bytecode=(*packages.bytecode, *cached())),
        wants_system_site=wants_system_site,
        disk=disk_of(venv),
        variables=derailing(venv, tree, found.base, environ or {}),
        now=time.time(),
    )


def glance(venv: Path) -> Facts:
    """What can be seen without running anything: a matter of milliseconds, enough to tell a start that can't work."""
    root = look_at_root(venv)
    platform = layout.platform_of(venv)
    if root.kind not in {"directory", "link"} or platform is None or not layout.has_environment(venv):
        return Facts(venv, root.kind, root.target, now=time.time())
    tree = read_tree(venv, platform)
    file = read_cfg(venv, platform)
    return Facts(venv, root.kind, root.target, cfg=file, tree=tree, flavour=flavour_of(tree), now=time.time())


def _ask(
    hunt: Search, file: CfgFile, cfg: grammar.Cfg | None, imports: Sequence[str]
) -> Callable[[], Self | Silence | None]:
    """Start asking; what is returned waits for the answer."""
    if hunt.tree.platform != layout.here():
        return lambda: None
    python = layout.python_in(hunt.venv, hunt.tree.platform)
    if reason := _why_not(hunt, file, cfg, python):
        return lambda: Silence(reason)
    answers: list[Self | Silence] = []
    asking = threading.Thread(
        target=lambda: answers.append(interpreters.ask(python, hunt.venv, imports, run=hunt.run)), daemon=True
    )
    asking.start()

    def answer() -> Self | Silence:
        asking.join()
        return answers[0] if answers else Silence("could not be asked")

    return answer


def _ask_bytecode(hunt: Search, file: CfgFile, cfg: grammar.Cfg | None) -> Callable[[], tuple[Path, ...]]:
    python = layout.python_in(hunt.venv, hunt.tree.platform)
    if hunt.tree.platform != layout.here() or _why_not(hunt, file, cfg, python):
        return tuple
    return bytecode.asking(python, hunt.tree, hunt.run)


def _why_not(hunt: Search, file: CfgFile, cfg: grammar.Cfg | None, python: Path) -> str:
    """Why the environment's python can't be run, or must not be: some damage would keep it running for ever."""
    if not os.path.lexists(python):
        return f"{python} is not there"
    if not exists(python):
        return f"{python} leads to nothing"
    home = cfg.first("home") if cfg else None
    if home and hunt.tree.platform == "windows" and hunt.inside(Path(home)):
        return "was not run: its home names itself, and the launcher would start itself for ever"
    if file.file.kind == "other" or file.error == ENDLESS or (file.stray and file.stray.kind == "other"):
        return f"was not run: {layout.CFG} is a device or pipe, and it would wait for that for ever"
    if waits := hooks.pipes(hunt.tree):
        return f"was not run: {waits[0].path} is a device or pipe, and it would wait for that for ever"
    return ""


def _is_here(recorded: str | None, venv: Path) -> bool:
    """An unknown record, and one that can't be looked up on this platform, is no evidence of a move."""
    if recorded is None or not Path(recorded).is_absolute():
        return True
    return os.path.normpath(recorded) == os.path.normpath(venv) or same(Path(recorded), venv)
