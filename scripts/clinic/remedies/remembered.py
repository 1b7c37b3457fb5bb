"""pyvenv.cfg as the last known-good state has it, where that is still true of the base that the evidence proves."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clinic.anatomy import cfg as grammar
from clinic.anatomy.cfg_writer import INCLUDE
from clinic.anatomy.there import same
from clinic.facts import Interpreter

Snapshot = Mapping[str, Any]


def text_of(snapshot: Snapshot | None, old: grammar.Cfg | None) -> grammar.Cfg | None:
    """The file of the snapshot, unless the one that lies there says more: what it has of its own is somebody's."""
    told = (snapshot or {}).get("cfg")
    if not told:
        return None
    cfg = grammar.parse(told.encode("utf-8", "surrogateescape"))
    if old is not None and not _names(old) <= _names(cfg):
        return None
    return cfg


def _names(cfg: grammar.Cfg) -> set[str]:
    return {line.text.strip() if line.is_comment else line.name for line in cfg.lines if line.key or line.is_comment}


def is_true(cfg: grammar.Cfg, base: Interpreter, *, include: bool) -> bool:
    """Whether it can be put back byte for byte: same home, same version, same system-site choice."""
    home = cfg.first("home")
    versions = [value for key in ("version", "version_info") for value in cfg.all(key)]
    return (
        bool(home)
        and same(Path(home or ""), base.home)
        and all(base.dotted == value or value.startswith(f"{base.dotted}.") for value in versions)
        and all(same(Path(value), base.real) for value in cfg.all("executable"))
        and (cfg.last(INCLUDE) or "").lower() == ("true" if include else "false")
    )


def dated(snapshot: Snapshot | None) -> str:
    """What people are told: which snapshot."""
    moment = (snapshot or {}).get("time")
    shown = time.strftime("%Y-%m-%d %H:%M", time.localtime(moment)) if moment else "an unknown time"
    return f"the snapshot of {shown}"
