"""Small readings of the facts that several checks share."""

from __future__ import annotations

from functools import lru_cache

from clinic.anatomy import cfg as grammar
from clinic.facts import Facts

_FROZEN_GETPATH = (3, 11)


@lru_cache(maxsize=16)
def _parsed(raw: bytes) -> grammar.Cfg:
    return grammar.parse(raw)


def cfg_of(facts: Facts) -> grammar.Cfg | None:
    """The parsed pyvenv.cfg, None where there is no text to parse."""
    if facts.cfg is None or facts.cfg.raw is None:
        return None
    cfg = _parsed(facts.cfg.raw)
    return cfg if cfg.text else None


def is_windows(facts: Facts) -> bool:
    """Whether the environment is laid out for Windows."""
    return facts.tree is not None and facts.tree.platform == "windows"


def copies(facts: Facts) -> bool:
    """Whether its interpreter is a copy: then only the file tells it where its base is (POSIX)."""
    return facts.tree is not None and facts.tree.copies and facts.tree.platform == "posix"


def minor_of(facts: Facts) -> tuple[int, int]:
    """The environment's minor version; (0, 0) where nothing proves one."""
    return (facts.flavour.major, facts.flavour.minor) if facts.flavour else (0, 0)


def old_start_up(facts: Facts) -> bool:
    """Whether it starts by the code in C (up to 3.10): that takes `home` in lower case, between blanks only."""
    return (0, 0) < minor_of(facts) < _FROZEN_GETPATH


def base_is_gone(facts: Facts) -> bool:
    """Whether the interpreter leads into the very folder that `home` names, and nothing is there: one damage."""
    cfg, tree = cfg_of(facts), facts.tree
    home = cfg.first("home") if cfg else None
    if tree is None or not home:
        return False
    lost = [each.end for each in tree.starters if each.file.kind == "dangling-link" and not each.loops]
    return any(str(end.parent) == home.rstrip("/") for end in lost)


def where(facts: Facts) -> str:
    """The file that the cfg checks speak of."""
    return str(facts.cfg.file.path) if facts.cfg else str(facts.venv)
