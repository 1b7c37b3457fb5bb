"""The project's server while the environment that it runs from is replaced.

POSIX lets folders be renamed under a running server, so it serves on until the new environment lies in its place;
then it is restarted, and the time without it is a stop and a boot. Windows does not: there it stops first.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from clinic.anatomy import layout
from clinic.anatomy.there import exists, same
from clinic.errors import ClinicError
from clinic.flow.interruption import server_told
from clinic.settings import Settings


class Handover:
    """One server, looked for when this is made; nothing is done to it if it does not run from this environment."""

    def __init__(self, settings: Settings, venv: Path) -> None:
        self.settings, self.venv = settings, venv
        self.running = self._runs_from_here()
        self.stopped = False

    def _runs_from_here(self) -> bool:
        from clinic.service import memory

        # Without these no server of ours runs, and the process table need not be read.
        if not (exists(self.settings.service.pid_file) or any(memory.touched(self.settings))):
            return False
        from clinic.service import find

        found = find.server(self.settings)
        if found.kind != "ours" or found.record is None:
            return False
        return bool(found.record.stopgap) or _same(found.record.venv, self.venv)

    def told(self) -> AbstractContextManager[None]:
        """Have an interruption say what became of the server, if there is one."""
        return server_told(self.settings) if self.running else nullcontext()

    def before(self) -> None:
        """What the swap needs."""
        if self.running and layout.here() == "windows":
            from clinic.service import manager

            manager.withdraw(self.settings)
            self.stopped = True

    def after(self) -> None:
        """Let it run from what lies there now. Raises ClinicError when it does not become healthy."""
        if not self.running:
            return
        from clinic.service import manager

        act = manager.start if self.stopped else manager.restart
        self.stopped = True
        self._unless_down(act)
        self.stopped = False

    def _unless_down(self, act: Callable[..., object]) -> None:
        """Start or restart it, unless somebody stopped it meanwhile: that is no fault of the new environment."""
        from clinic.service import memory

        mode = memory.recall(self.settings).mode
        try:
            act(self.settings, layout.python_in(self.venv), self.venv, mode=mode, unless_down=True)
        except ClinicError as error:
            if error.code != "stopped-meanwhile":
                raise

    def back(self) -> str:
        """After the old state was put back: let it run from that again if it was stopped. Says what came of it."""
        if not self.stopped:
            return ""
        from clinic.service import manager

        try:
            self._unless_down(manager.start)
        except ClinicError as error:
            return f" The server does not start from the old environment either: {error.message}"
        self.stopped = False
        return " The server runs from the old environment again."


@contextmanager
def released(settings: Settings, venv: Path) -> Iterator[None]:
    """While single files are replaced: the server is stopped meanwhile where nobody may replace what runs (Windows)."""
    server = Handover(settings, venv)
    with server.told():
        server.before()
        try:
            yield
        finally:
            server.back()


def _same(recorded: str, venv: Path) -> bool:
    return os.path.normcase(recorded) == os.path.normcase(venv) or same(Path(recorded), venv)
