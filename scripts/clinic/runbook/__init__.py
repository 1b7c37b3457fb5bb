"""The phases of the runbook as Invoke tasks: doors of a few lines, no logic.

Importing this costs little and cannot fail: whatever a task needs is imported when it runs.
"""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

from invoke.exceptions import Exit

from clinic.runbook import misuse
from clinic.runbook.common import ROOT
from clinic.runbook.curing import fix_cfg, heal, rebuild, unblock, undo
from clinic.runbook.looking import diagnose, onboard, snapshot, validate
from clinic.runbook.serving import keep_alive, logs, production_mode, restart, start, status, stop

TASKS: tuple[Any, ...] = (
    onboard,
    diagnose,
    unblock,
    fix_cfg,
    heal,
    rebuild,
    validate,
    snapshot,
    undo,
    start,
    stop,
    restart,
    status,
    logs,
    keep_alive,
    production_mode,
)


def refuse_unreadable_settings() -> None:
    """Refuse, as every other refusal is shown, what Invoke would answer with a traceback: a settings file is no YAML.

    Invoke parses invoke.yaml right after it has imported tasks.py, and a file named by -f a little later.
    """
    from clinic.errors import RefusedError
    from clinic.settings import check_trust, check_variables, clinic_section, users_file

    try:
        for path in (users_file(), ROOT / "invoke.yaml", *_named_files(sys.argv)):
            clinic_section(path)
        check_variables()
        check_trust()
    except RefusedError as error:
        raise Exit(code=misuse.refused(error, sys.argv[1:], [task.name for task in TASKS])) from error


def _named_files(argv: list[str]) -> list[Path]:
    named = [after for flag, after in pairwise(argv) if flag in {"-f", "--config"}]
    return [Path(text) for text in (*named, *(part[9:] for part in argv if part.startswith("--config=")))]
