"""Likely causes, ranked by the evidence that speaks for each."""

from __future__ import annotations

from clinic.anatomy.layout import pure
from clinic.checks.reading import cfg_of
from clinic.facts import Facts, Tree
from clinic.model import Cause

_RECENT = 120.0
"""Seconds within which two files count as written by the same run of a creator."""


def of_lost_cfg(facts: Facts) -> tuple[Cause, ...]:
    """Why a pyvenv.cfg is gone or cut short, most likely first."""
    tree = facts.tree
    if tree is None:
        return ()
    whole = bool(tree.interpreters) and bool(tree.distributions)
    causes = [
        (3 if _moved(facts) else 0, Cause("moved or copied folder", f"its scripts say that it lies at {_at(tree)}")),
        (2 if _base_gone(tree) else 0, Cause("base interpreter upgraded or gone", "links to the base lead nowhere")),
        (
            2 if not whole else 0,
            Cause("interrupted creation, or a deletion that stopped at a file in use", _what_is_missing(tree)),
        ),
        (
            2 if whole else 0,
            Cause(
                "deleted by hand, by a clean-up tool or by antivirus",
                f"the rest is whole: {len(tree.interpreters)} interpreter files, "
                f"{len(tree.distributions)} distributions",
            ),
        ),
    ]
    return _ranked(causes)


def of_edited_cfg(facts: Facts) -> tuple[Cause, ...]:
    """Why the file's content is not what its creator wrote, most likely first."""
    tree, file = facts.tree, facts.cfg
    if tree is None or file is None:
        return ()
    cfg = cfg_of(facts)
    newest = max((entry.modified for entry in tree.interpreters if entry.kind == "file"), default=0.0)
    newest = max(newest, min((entry.modified for entry in tree.interpreters), default=0.0))
    later = bool(newest) and file.file.modified - newest > _RECENT
    powershell = cfg is not None and (cfg.bom or cfg.encoding not in {"utf-8", "binary"})
    causes = [
        (4 if powershell else 0, Cause("edited by hand", "the encoding is one that PowerShell 5.1 or cmd writes")),
        (3 if _moved(facts) else 0, Cause("moved or copied folder", f"its scripts say that it lies at {_at(tree)}")),
        (2 if later else 0, Cause("edited by hand", "the file is newer than the interpreters beside it")),
        (1, Cause("edited by hand or by a tool", "no creator writes it like this")),
    ]
    return _ranked(causes)


def of_wrong_home(facts: Facts) -> tuple[Cause, ...]:
    """Why `home` leads to the wrong place, most likely first."""
    if facts.home is None:
        return of_edited_cfg(facts)
    gone = (
        facts.home.kind == "missing"
        and pure(facts.home.value, facts.tree.platform if facts.tree else "posix").is_absolute()
    )
    upgraded = Cause("base interpreter upgraded or gone", f"{facts.home.value} is not there any more")
    copied = Cause("copied from another machine", f"{facts.home.value} is not a path of this one")
    return ((upgraded, copied) if gone else ()) + of_edited_cfg(facts)


def _ranked(weighted: list[tuple[int, Cause]]) -> tuple[Cause, ...]:
    kept = sorted((pair for pair in weighted if pair[0]), key=lambda pair: -pair[0])
    unique: dict[str, Cause] = {}
    for _, cause in kept:
        unique.setdefault(cause.cause, cause)
    return tuple(unique.values())


def _moved(facts: Facts) -> bool:
    return not facts.recorded_is_here


def _at(tree: Tree) -> str:
    return tree.recorded_path or "another path"


def _base_gone(tree: Tree) -> bool:
    return any(entry.kind == "dangling-link" for entry in tree.interpreters)


def _what_is_missing(tree: Tree) -> str:
    missing = [
        name
        for name, there in (
            ("interpreters", tree.interpreters),
            ("site-packages", tree.site_packages),
            ("distributions", tree.distributions),
        )
        if not there
    ]
    return "also missing: " + ", ".join(missing) if missing else "the rest is whole"
