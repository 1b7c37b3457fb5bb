"""What the person sees meanwhile: one line that rewrites itself on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from typing import TYPE_CHECKING

from toolshed.shed import WINDOWS, distributions

if TYPE_CHECKING:
    from pathlib import Path

    from toolshed.shed import Shed


class Display:
    """Narrates on stderr: stdout belongs to the command that is handed over to."""

    def __init__(self) -> None:
        self.started = time.monotonic()
        self.live = sys.stderr.isatty()
        self.doing = ""
        self.watched: Path | None = None
        self.seen: set[str] = set()
        self.latest = ""

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self.clear()
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()

    def phase(self, doing: str) -> None:
        """Begin a step."""
        self.doing, self.latest = doing, ""
        if not self.live:
            self.say(f"tools: {doing} ({self.elapsed()})")
        self.beat()

    def watch(self, site_packages: Path) -> None:
        """Report the packages that arrive in a folder, whoever puts them there."""
        self.watched, self.seen = site_packages, set(distributions(site_packages))

    def beat(self) -> None:
        """Look for new packages; rewrite the line."""
        arrived = sorted(set(distributions(self.watched)) - self.seen) if self.watched else []
        for folder in arrived:
            self.seen.add(folder)
            self.latest = folder.removesuffix(".dist-info").replace("-", " ", 1)
            if not self.live:
                self.say(f"  + {self.latest}")
        if self.live:
            self.rewrite()

    def rewrite(self) -> None:
        """Put the present state in the place of the last."""
        parts = [f"tools: {self.doing}", self.latest, self.elapsed()]
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write("\r" + "  ".join(part for part in parts if part)[:width].ljust(width))
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line that rewrites itself away."""
        if self.live and self.doing:
            sys.stderr.write("\r" + " " * (shutil.get_terminal_size().columns - 1) + "\r")

    def elapsed(self) -> str:
        """Return the seconds since the start."""
        return f"{time.monotonic() - self.started:.1f} s"

    def finish(self, text: str) -> None:
        """End the steps with a line that stays."""
        self.say(f"tools: {text} ({self.elapsed()})")
        self.doing, self.watched = "", None


def how_to_call(shed: Shed) -> str:
    """Say how to reach invoke and nox from here on, in words of the person's shell."""
    folder = str(shed.scripts)
    if WINDOWS:
        direct = r"  .tools\Scripts\invoke.exe --list      .tools\Scripts\nox.exe -l"
        quoted = folder.replace("'", "''")
        shells = [
            f"PowerShell: $env:PATH = '{quoted};' + $env:PATH",
            f'cmd:        set "PATH={folder};%PATH%"',
        ]
    else:
        direct = "  .tools/bin/invoke --list      .tools/bin/nox -l"
        fish = os.environ.get("SHELL", "").endswith("fish")
        word = shlex.quote(folder)
        shells = [f"fish_add_path --path {word}" if fish else f'export PATH={word}:"$PATH"']
    rows = ["Call the tools from this folder:", direct, "or put them on the PATH of this terminal:"]
    return "\n".join([*rows, *(f"  {line}" for line in shells)])
