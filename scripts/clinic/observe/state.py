"""The state of an environment as a snapshot has it: small, and enough to tell later what has changed.

What a RECORD covers is told by the RECORD's own hash; a file that none covers (activation, `.pth`, somebody's scripts
and notes) by its content's. The files themselves are not kept, but for pyvenv.cfg.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from clinic import fs
from clinic.anatomy import record
from clinic.facts import Facts, Interpreter
from clinic.records.snapshot import FORMAT

LARGE = 256 * 1024
"""Bytes; of a larger file, size and time of last change must do."""
MANY = 500
"""Files that no RECORD covers: somebody who keeps more there keeps data, not an environment."""


def state_of(facts: Facts) -> dict[str, Any]:
    """The state that these facts show; reads the RECORDs and the small files that none covers."""
    base = facts.search.base
    installed = facts.tree.distributions if facts.tree else ()
    uncovered = facts.packages.uncovered[:MANY] if facts.packages else ()
    raw = facts.cfg.raw if facts.cfg else None
    return {
        "format": FORMAT,
        "time": facts.now,
        "venv": str(facts.venv),
        "base": str(base.executable) if base else None,
        "version": base.version_text if base else None,
        "free_threaded": base.flavour.free_threaded if base else None,
        "interpreter": _file_of(base) if base else None,
        "cfg": raw.decode("utf-8", "surrogateescape") if raw is not None else None,
        "distributions": {each.name: each.version for each in installed},
        "records": {each.name: content_of(each.folder / record.NAME) for each in installed},
        "files": {os.path.relpath(path, facts.venv).replace(os.sep, "/"): content_of(path) for path in uncovered},
    }


def _file_of(base: Interpreter) -> dict[str, Any]:
    """The interpreter's own file: what an upgrade or a new installation of it replaces."""
    told = {"path": str(base.executable), "real": str(base.real), "version": base.version_text}
    told["flavour"] = str(base.flavour)
    try:
        status = base.real.stat()
    except OSError:
        return told
    return {**told, "size": status.st_size, "modified": status.st_mtime}


def content_of(path: Path) -> str:
    """A file's content in a few letters; what it is where it is no readable file."""
    try:
        if path.is_symlink():
            return f"link:{path.readlink()}"
        status = path.stat()
        if status.st_size > LARGE:
            return f"large:{status.st_size}:{status.st_mtime_ns}"
        return f"sha256:{hashlib.sha256(fs.read_bytes(path)).hexdigest()}"
    except OSError as error:
        return f"unread:{error.strerror}"
