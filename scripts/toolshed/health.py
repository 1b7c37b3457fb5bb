"""What is wrong with the tool environment. Health is identity: what starts may be another."""

from __future__ import annotations

import csv
import json
import os
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from toolshed.children import run
from toolshed.shed import digest, read_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolshed.shed import Shed, Stamp

PROBE = (
    "import json, sys, sysconfig; print(json.dumps({'prefix': sys.prefix, 'base_prefix': sys.base_prefix,"
    " 'version': '%d.%d' % sys.version_info[:2],"
    " 'free_threaded': bool(sysconfig.get_config_var('Py_GIL_DISABLED'))}))"
)
PROBE_LIMIT = 30.0


class State(Enum):
    """What is to be done."""

    HEALTHY = "nothing"
    ABSENT = "make"
    UNFIT = "make again"


@dataclass(frozen=True)
class Verdict:
    """A state and the evidence for it."""

    state: State
    reason: str = ""


def look(shed: Shed) -> Verdict:
    """Judge the tool environment: cheap looks first, then ask its python who it is. Reads only."""
    if not os.path.lexists(shed.tools) or is_empty(shed.tools):
        return Verdict(State.ABSENT)
    return judge(shed, read_stamp(shed))


def judge(shed: Shed, stamp: Stamp | None) -> Verdict:
    """Hold an environment of ours against its stamp, and the stamp against the lock."""
    if stamp is None:
        return Verdict(State.UNFIT, "it was never finished, or its stamp is gone")
    if reason := next(damages(shed, stamp), None):
        return Verdict(State.UNFIT, reason)
    if stamp.lock != digest(shed.requirements):
        return Verdict(State.UNFIT, "requirements/tools.txt has changed")
    return Verdict(State.HEALTHY)


def is_empty(folder: Path) -> bool:
    """Tell whether a folder holds nothing."""
    return next(folder.iterdir(), None) is None


def foreign_reason(shed: Shed) -> str | None:
    """Say why what lies there, if anything does, can't be ours; such a thing is never touched."""
    if not os.path.lexists(shed.tools):
        return None
    if shed.tools.is_symlink() or getattr(os.path, "isjunction", lambda _path: False)(shed.tools):
        return f"it is a link, to {os.path.realpath(shed.tools)}"
    if not shed.tools.is_dir():
        return "it is not a folder"
    if not is_empty(shed.tools) and not (shed.mark.is_file() or shed.stamp.is_file()):
        return "it is a folder that this program has not made"
    return None


def damages(shed: Shed, stamp: Stamp) -> Iterator[str]:
    """Look for damage, from the cheapest look to the dearest; the first one found is the reason."""
    if stamp.path != str(shed.tools):
        yield f"it was made for {stamp.path}: the clone has been moved or copied"
    if not shed.cfg.is_file():
        yield "its pyvenv.cfg is gone"
    elif digest(shed.cfg) != stamp.cfg:
        yield "its pyvenv.cfg is not the one it was made with"
    if not shed.python.exists():
        yield f"its python is gone, or its base is: {os.path.realpath(shed.python)}"
    yield from missing_files(shed.tools / stamp.site_packages, stamp.distributions)
    yield from wrong_identity(shed, stamp)


def missing_files(site_packages: Path, distributions: list[str]) -> Iterator[str]:
    """Compare what the installers recorded with what is on the disk: presence and size."""
    for name in distributions:
        try:
            with (site_packages / name / "RECORD").open(encoding="utf-8", newline="") as record:
                rows = list(csv.reader(record))
        except (OSError, ValueError):
            yield f"{name.removesuffix('.dist-info')} is gone from it"
            continue
        yield from (f"{row[0]} is gone or cut short" for row in rows if not intact(site_packages, row))


def intact(site_packages: Path, row: list[str]) -> bool:
    """Tell whether a recorded file is there in its size. Rows without a hash promise nothing."""
    match row:
        case [path, mode, size] if mode and size.isdigit() and not path.endswith(".pyc"):
            try:
                # Thousands of rows: text rather than a Path for each halves the time.
                return os.stat(f"{site_packages}{os.sep}{path}").st_size == int(size)  # noqa: PTH116
            except OSError:
                return False
    return True


def wrong_identity(shed: Shed, stamp: Stamp) -> Iterator[str]:
    """Ask its python who it is. A patch release of the same base in the same place is still that base."""
    known = {
        "prefix": str(shed.tools),
        "base_prefix": stamp.base_prefix,
        "version": stamp.version,
        "free_threaded": stamp.free_threaded,
    }
    answer = probe(shed)
    if answer is None:
        yield "its python does not start"
        return
    for key, expected in known.items():
        if answer.get(key) != expected:
            yield f"its python says {key} {answer.get(key)}, not {expected}"


def probe(shed: Shed) -> dict[str, object] | None:
    """Ask the environment's python who it is; None where it can't say."""
    try:
        done = run([shed.python, "-I", "-c", PROBE], lambda: None, limit=PROBE_LIMIT)
        answer = json.loads(done.output) if done.code == 0 else None
    except (OSError, ValueError):
        return None
    return answer if isinstance(answer, dict) else None
