"""Looking at an environment: everything the checks judge, read once and frozen. Reads only; nothing here changes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from clinic import headroom, interpreters, proc
from clinic.anatomy import cfg as grammar
from clinic.anatomy import layout
from clinic.anatomy.ownership import Owners
from clinic.anatomy.there import exists
from clinic.facts import NOTHING_KNOWN, CfgFile, Facts, Flavour, Known, Self, Silence
from clinic.observe.background import begun
from clinic.observe.base import Search, behind, flavour_of, search
from clinic.observe.home import home_of, named_in
from clinic.observe.tree import ENDLESS, look_at_root, read_cfg, read_tree

Answer = Callable[[], Self | Silence | None]
Whole = Callable[[], Facts]
"""Waits for what an environment's python says of itself."""


def observe(  # noqa: PLR0913 - what a look needs to know, all of it by name
    venv: Path,
    *,
    imports: Sequence[str] = (),
    locked: Callable[[Flavour | None], tuple[tuple[str, str], ...]] | None = None,
    base: Path | None = None,
    wants_system_site: bool | None = None,
    known: Known = NOTHING_KNOWN,
    run: interpreters.Runner = proc.run,
    owners: Owners | None = None,
    deep: bool = False,
    environ: Mapping[str, str] | None = None,
    say: Callable[[int, int], object] = lambda _done, _all: None,
    later: list[Whole] | None = None,
) -> Facts:
    """Look at the environment at `venv`: its files, the base they prove, and what its own python says of itself.

    Its python is run only where it can run here, in isolated mode and with a time limit; with `owners`, only if it
    belongs to them: else `distrust` says why not, and little else is known. `imports` are the modules
    it is to try, `locked` tells which distributions an environment of its flavour must hold, `known` what the records
    say, `environ` holds the variables of the person's shell. With `deep`, every file is compared with its RECORD, and
    `say` is told how many are done. Where there is `later`, its python is not waited for: what waits for its answer and
    gives the whole is put there, and `me` is None. Never raises for what it finds; raises MachineError or OSError where
    this machine lacks what a look needs.
    """
    headroom.refuse_without()
    # A glance need not pay for these.
    from clinic.observe import hooks
    from clinic.observe.disk import disk_of
    from clinic.observe.escape import escape_of
    from clinic.observe.packages import read_packages
    from clinic.observe.places import is_here, read_places
    from clinic.observe.starters import foreign_extension, relied
    from clinic.observe.trust import distrusted, guarded
    from clinic.observe.variables import derailing

    root = look_at_root(venv)
    platform = layout.platform_of(venv)
    if root.kind not in {"directory", "link"} or platform is None or not layout.has_environment(venv):
        return Facts(venv, root.kind, root.target, wants_system_site=wants_system_site, now=time.time())
    file = read_cfg(venv, platform)
    tree = read_tree(venv, platform)
    disk = disk_of(venv, filter(None, (tree.scripts, tree.site_packages)))
    if owners and (distrust := distrusted(owners, venv, file, tree)):
        return Facts(venv, root.kind, root.target, file, tree, distrust=distrust, disk=disk, now=time.time())
    hunt = Search(venv, tree, flavour_of(tree), guarded(run, owners) if owners else run)
    cfg = grammar.parse(file.raw) if file.raw else None
    # Its own python is asked while the base is being looked for: neither needs the other's answer.
    me = _ask(hunt, file, cfg, imports)
    cached = _ask_bytecode(hunt, file, cfg) if deep else tuple
    packages = read_packages(venv, tree, hunt.flavour, deep=deep, say=say)
    found = search(hunt, cfg, base, known.base)
    home = home_of(cfg, hunt, found.base) if cfg else None
    flavour = hunt.flavour or (found.base.flavour if found.base else None)
    pins, now = locked(flavour) if locked else (), time.time()
    facts = Facts(
        venv=venv,
        root=root.kind,
        target=root.target,
        cfg=file,
        tree=tree,
        flavour=flavour,
        locked=pins,
        search=found,
        behind=tuple(behind(hunt, found.base)),
        relied=tuple(relied(tree, flavour)),
        foreign_extension=foreign_extension(venv, tree),
        home=home,
        named=named_in(cfg, found.base) if cfg and tree.platform == layout.here() else (),
        recorded_is_here=is_here(tree.recorded_path, venv),
        hooks=hooks.pipes(tree),
        packages=replace(packages, bytecode=(*packages.bytecode, *cached())),
        places=read_places(venv, tree, packages),
        wants_system_site=wants_system_site,
        disk=disk,
        variables=derailing(venv, tree, found.base, environ or {}),
        now=now,
    )

    def whole() -> Facts:
        who = me()
        can_run = who is not None and not _why_not(hunt, file, cfg, layout.python_in(venv, tree.platform))
        stumbles = hooks.culprits(hunt, who) if can_run else facts.hooks
        return replace(
            facts,
            me=who,
            bare=hooks.without(hunt, who, stumbles, packages.path_files),
            hooks=stumbles,
            base_fails=hooks.base_that_fails(hunt, who, cfg.first("home") if cfg else None) if can_run else "",
            escape=escape_of(tree, who, found.base, pins, known, now),
        )

    if later is None:
        return whole()
    later.append(whole)
    return facts


def glance(venv: Path, owners: Owners | None = None) -> Facts:
    """What can be seen without running anything: a matter of milliseconds, enough to tell a start that can't work.

    With `owners`, also whether more may be run.
    """
    headroom.refuse_without()
    root = look_at_root(venv)
    platform = layout.platform_of(venv)
    if root.kind not in {"directory", "link"} or platform is None or not layout.has_environment(venv):
        return Facts(venv, root.kind, root.target, now=time.time())
    tree = read_tree(venv, platform)
    file = read_cfg(venv, platform)
    distrust: tuple[str, ...] = ()
    if owners:
        from clinic.observe.trust import distrusted

        distrust = distrusted(owners, venv, file, tree)
    return Facts(
        venv,
        root.kind,
        root.target,
        cfg=file,
        tree=tree,
        flavour=flavour_of(tree),
        distrust=distrust,
        now=time.time(),
    )


def _ask(hunt: Search, file: CfgFile, cfg: grammar.Cfg | None, imports: Sequence[str]) -> Answer:
    """Start asking; what is returned waits for the answer."""
    if hunt.tree.platform != layout.here():
        return lambda: None
    python = layout.python_in(hunt.venv, hunt.tree.platform)
    if reason := _why_not(hunt, file, cfg, python):
        return lambda: Silence(reason)
    return begun(lambda: interpreters.ask(python, hunt.venv, imports, run=hunt.run))


def _ask_bytecode(hunt: Search, file: CfgFile, cfg: grammar.Cfg | None) -> Callable[[], tuple[Path, ...]]:
    python = layout.python_in(hunt.venv, hunt.tree.platform)
    if hunt.tree.platform != layout.here() or _why_not(hunt, file, cfg, python):
        return tuple
    from clinic.observe import bytecode

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
    from clinic.observe import hooks

    if waits := hooks.pipes(hunt.tree):
        return f"was not run: {waits[0].path} is a device or pipe, and it would wait for that for ever"
    return ""
