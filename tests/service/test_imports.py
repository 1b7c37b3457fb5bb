"""Every module of the service opens at once: nothing heavy is imported before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from clinic.service import manager

HEAVY = {"psutil", "requests", "http.client", "rich", "filelock", "invoke", "yaml", "hashlib", "asyncio", "ssl"}


def test_importing_the_service_costs_next_to_nothing() -> None:
    folder = Path(manager.__file__).parent
    modules = sorted(f"clinic.service.{path.stem}" for path in folder.glob("*.py") if path.stem != "__init__")
    code = (
        f"import sys; sys.path.insert(0, {str(folder.parents[1])!r}); import {', '.join(modules)}; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())
