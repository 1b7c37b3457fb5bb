"""What outlives the server: whether it is wanted, how often it was restarted, why it last ended.

One small JSON file per pid file, in the records folder, replaced whole. It may be deleted at any time; a torn
one counts as none. It also keeps a copy of the pid file, so that a server whose pid file was deleted is not
lost.
"""

from __future__ import annotations

import json
import os
import zlib
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from clinic import fs

if TYPE_CHECKING:
    from pathlib import Path

    from clinic.settings import Settings

Wanted = Literal["up", "down"]


@dataclass(frozen=True)
class Memory:
    """`wanted` is None before the first start. `record` is the pid file's text.

    `stopgap` and `ends_with_job` (`jobs`) are the last start's.
    """

    wanted: Wanted | None = None
    mode: str = "debug"
    restarts: int = 0
    last_reason: str = ""
    launch: str = ""
    record: str = ""
    stopgap: str = ""
    ends_with_job: bool = False


def folder(settings: Settings) -> Path:
    """Return the folder where the services' files are kept."""
    return settings.records / "service"


def place(settings: Settings, suffix: str) -> Path:
    """Return the path of a file kept for this service; its pid file tells it from a shadow server's."""
    pid_file = os.path.normcase(os.path.abspath(settings.service.pid_file))  # noqa: PTH100 - keep links
    try:
        told = os.path.relpath(pid_file, os.path.normcase(settings.root.absolute()))
    except ValueError:  # another drive
        told = pid_file
    digest = zlib.crc32(os.fsencode(told))  # tells names apart, keeps no secret; hashlib would cost 14 ms
    return folder(settings) / f"{settings.service.pid_file.stem[:60]}-{digest:08x}{suffix}"


def recall(settings: Settings) -> Memory:
    """Read what is remembered; nothing where there is no file or a torn one."""
    try:
        told: Any = json.loads(fs.read_bytes(place(settings, ".json")))
        known = {each.name: told[each.name] for each in fields(Memory) if each.name in told}
        return _checked(Memory(**known))
    except (OSError, ValueError, TypeError):
        return Memory()


def keep(settings: Settings, **changes: Any) -> Memory:
    """Change what is remembered and write it down. Raises OSError."""
    changed = replace(recall(settings), **changes)
    path = place(settings, ".json")
    path.parent.mkdir(parents=True, exist_ok=True)
    fs.write_atomically(path, json.dumps(asdict(changed), indent=1).encode("utf-8", "surrogatepass"), durable=False)
    return changed


def _checked(told: Memory) -> Memory:
    texts = [told.mode, told.stopgap, told.last_reason, told.launch, told.record, told.stopgap]
    kinds = {type(text) for text in texts} | {type(told.restarts)}
    if kinds != {str, int} or told.wanted not in {"up", "down", None}:
        raise TypeError("not a memory")
    return told
