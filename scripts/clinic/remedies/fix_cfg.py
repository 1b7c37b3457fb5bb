"""Restore pyvenv.cfg from evidence: keep every package, prove the result, or put everything back."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from clinic.anatomy import cfg as grammar
from clinic.anatomy import layout
from clinic.anatomy.cfg_writer import INCLUDE, restored
from clinic.errors import RefusedError
from clinic.facts import Facts, Interpreter, Self, Silence
from clinic.model import Receipt
from clinic.records import Records, Transaction
from clinic.remedies import remembered

NAME = "fix-cfg"


@dataclass(frozen=True)
class Draft:
    """The file that would be written, and what stands behind it."""

    path: Path
    data: bytes
    base: Interpreter
    proof: str
    include: bool
    include_proof: str
    source: str = ""
    """Where the text comes from, if not from the file itself."""
    strays: tuple[Path, ...] = ()
    mode: int | None = None

    @property
    def is_there(self) -> bool:
        """Whether the disk already holds exactly this."""
        try:
            return not self.strays and self.path.is_file() and self.path.read_bytes() == self.data
        except OSError:
            return False


_ABOUT = {
    "cfg-version-mismatch": ("version", "version_info"),
    "cfg-executable-mismatch": ("executable", "base-executable"),
    "cfg-include-missing": (INCLUDE,),
    "cfg-include-odd": (INCLUDE,),
    "cfg-include-flipped": (INCLUDE,),
    "base-packages-visible": (INCLUDE,),
}
"""The keys that a finding is about, where the file can be mended without them; `home` is what it is mended for."""


def draft(
    facts: Facts,
    *,
    setting: Literal["auto"] | bool = "auto",
    snapshot: Mapping[str, Any] | None = None,
    spare: frozenset[str] = frozenset(),
) -> Draft:
    """What pyvenv.cfg must say; what a finding in `spare` is about stays as it is where that can be.

    Raises RefusedError where the evidence does not prove a base interpreter.
    """
    base = facts.search.base
    if facts.tree is None or facts.cfg is None:
        raise RefusedError(
            "no-environment",
            f"There is no environment at {facts.venv}. Nothing was touched.",
            "invoke rebuild",
        )
    if base is None:
        raise _no_base(facts)
    old = _old(facts)
    include, include_proof = system_site_choice(setting, snapshot, old)
    kept = remembered.text_of(snapshot, old)
    return Draft(
        path=facts.venv / layout.CFG,
        data=kept.raw
        if kept and remembered.is_true(kept, base, include=include)
        else restored(
            base,
            _home_spelling(facts, base),
            include=include,
            old=kept or old,
            creator=facts.tree.creator,
            prompt=_prompt(facts, snapshot),
            left=frozenset(key for code in spare for key in _ABOUT.get(code, ())),
        ),
        source=remembered.dated(snapshot) if kept else "",
        base=base,
        proof=facts.search.proof,
        include=include,
        include_proof=include_proof,
        strays=(facts.cfg.stray.path,) if facts.cfg.stray and "cfg-second" not in spare else (),
        mode=0o644 if facts.cfg.error or facts.cfg.file.kind != "file" else None,
    )


def _old(facts: Facts) -> grammar.Cfg | None:
    """The old text: that of the file at its place, else that of the one in the scripts folder."""
    file = facts.cfg
    for raw in (file.raw, file.stray_raw) if file else ():
        if raw:
            cfg = grammar.parse(raw)
            if cfg.text:
                return cfg
    return None


def _home_spelling(facts: Facts, base: Interpreter) -> str:
    """A spelling of the base's folder that was chosen once (through a link, say) is kept while it is true."""
    home = facts.home
    return home.value if home and home.is_base and not home.cut else str(base.home)


def _prompt(facts: Facts, snapshot: Mapping[str, Any] | None) -> str | None:
    told = (snapshot or {}).get("prompt")
    return str(told) if told else facts.tree.prompt if facts.tree else None


def system_site_choice(
    setting: Literal["auto"] | bool, snapshot: Mapping[str, Any] | None, old: grammar.Cfg | None
) -> tuple[bool, str]:
    """Whether the base's packages are wanted, and who says so: settings, snapshot, `command`, the file; else false."""
    if setting != "auto":
        return setting, "environment.system_site_packages in the settings"
    if snapshot and isinstance(snapshot.get("system_site"), bool):
        return bool(snapshot["system_site"]), "the last snapshot"
    command = old.first("command") if old else None
    if command and " -m " in command:
        return "--system-site-packages" in command.split(), "the key 'command' of the file"
    value = (old.last(INCLUDE) or "").lower() if old else ""
    if value in {"true", "false"}:
        return value == "true", f"{INCLUDE} in the file"
    return False, "nothing records it, so the default"


def apply(
    plan: Draft,
    records: Records,
    venv: Path,
    look: Callable[[], Facts],
    packages_hurt: Callable[[], bool],
    left: Callable[[Facts], str],
    **damage: Any,
) -> tuple[Receipt, Facts, str]:
    """Write, look again, and keep it if it holds; else put everything back. `damage` goes on record with it.

    `packages_hurt` is asked where an import fails: whether that is the packages' own fault, which no cfg can help.
    `left` tells what the checks still find of this repair's own kind.
    Returns the receipt, the facts after, and why it did not hold (empty if it did).
    """
    with records.transaction(NAME, venv, base=str(plan.base.executable), proof=plan.proof, **damage) as change:
        write(plan, change)
        after = look()
        objection = unproved(after, plan.base, packages_hurt) or left(after)
        return (change.put_back() if objection else change.commit()), after, objection


def write(plan: Draft, change: Transaction) -> None:
    """The new file in its place, a stray one to the stash."""
    for stray in plan.strays:
        change.stash(stray)
    change.write(plan.path, plan.data, mode=plan.mode)


def unproved(after: Facts, base: Interpreter, packages_hurt: Callable[[], bool]) -> str:
    """Why the environment's own python does not confirm the new file; empty where it does."""
    # Files that keep it from starting are another damage: without them it must say who it is.
    me = after.bare or after.me
    if me is None:
        return "the environment's python can't be run on this platform, so nothing proves the new file"
    if isinstance(me, Silence):
        return f"its python does not start: {me.reason}"
    if not me.is_itself:
        return f"its python says that its prefix is {me.interpreter.prefix}"
    if me.interpreter.flavour != base.flavour or me.interpreter.version != base.version:
        return f"its python says that it is {me.interpreter.dotted}, the base is {base.dotted}"
    alien = _alien_import(me)
    return "" if alien and packages_hurt() else alien


_MACHINE_CODE = re.compile(r"ImportError: (?:dlopen\(|DLL load failed|\S.*\.so\S*: )")
"""How Linux, macOS and Windows say that an extension module does not load."""


def _alien_import(me: Self) -> str:
    """Machine code that does not load speaks against the base; whatever else fails is the packages' own trouble."""
    return next((f"import {name} fails: {error}" for name, error in me.imports if _MACHINE_CODE.match(error)), "")


def _no_base(facts: Facts) -> RefusedError:
    looked = "".join(f"\n  {line}" for line in facts.search.looked) or "\n  nothing names one"
    wanted = f"Python {facts.flavour}" if facts.flavour else "a python of unknown version"
    if facts.search.rivals:
        rivals = ", ".join(str(rival.executable) for rival in facts.search.rivals)
        return RefusedError(
            "base-ambiguous",
            f"More than one {wanted} could be the base of {facts.venv}: {rivals}. Nothing was touched.",
            f"invoke fix-cfg --base {facts.search.rivals[0].executable}",
        )
    flavour = facts.flavour
    return RefusedError(
        "base-unknown",
        f"No base interpreter ({wanted}) is proven for {facts.venv}. Looked at:{looked}\nNothing was touched.",
        f"install Python {flavour} or name one: invoke fix-cfg --base PYTHON; or make a new environment: invoke rebuild"
        if flavour
        else "name one: invoke fix-cfg --base PYTHON; or make a new environment: invoke rebuild",
    )
