"""What is going on meanwhile, on stderr: a live line on a terminal, plain lines elsewhere, nothing with `--json`.

with steps(as_json=json) as progress:
    progress.step("create the environment")
    progress.detail("fastapi 0.1")
    progress.done()
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Self

from clinic.report import screen, words

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO


class Steps:
    """Steps that nobody sees; the displays below show them. What takes steps needs to know this class only."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.done(failed=error is not None)

    def step(self, title: str) -> None:
        """Begin a step; the one before it is done."""

    def detail(self, text: str) -> None:
        """Say what the step is at."""

    def done(self, *, failed: bool = False) -> None:
        """End the step that runs, if one does."""


class PlainSteps(Steps):
    """Lines with the seconds since the start, for pipes, logs and dumb terminals."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.started = self.begun = time.monotonic()
        self.title = ""

    def _say(self, text: str) -> None:
        line = f"[{time.monotonic() - self.started:6.1f} s] {screen.clean(text)}"
        with contextlib.suppress(OSError, ValueError):  # a lost narration is no reason to stop the work
            self.stream.write(screen.encodable(line, self.stream) + "\n")
            self.stream.flush()

    def step(self, title: str) -> None:
        """Begin a step; the one before it is done."""
        self.done()
        self.title, self.begun = title, time.monotonic()
        self._say(title)

    def detail(self, text: str) -> None:
        """Say what the step is at."""
        self._say(f"  {text}")

    def done(self, *, failed: bool = False) -> None:
        """End the step that runs; only a failure is worth a line, since every line tells the time."""
        if self.title and failed:
            self._say(f"{self.title}: failed")
        self.title = ""


class LiveSteps(Steps):
    """A line that turns while a step runs, and stays with a mark and the time taken when it is done."""

    def __init__(self, stream: TextIO) -> None:
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        self.marks = screen.of(stream).marks
        self.stream = stream
        self.title, self.begun = "", 0.0
        spinner = "line" if self.marks["dot"].isascii() else "dots"
        columns = (
            SpinnerColumn(spinner),
            TextColumn("{task.description}", markup=False),
            TextColumn("{task.fields[detail]}", style="dim", markup=False),
            TimeElapsedColumn(),
        )
        self.console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self.live = Progress(*columns, console=self.console, transient=True)
        self.task: Any = None

    def __enter__(self) -> Self:
        self.live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            super().__exit__(kind, error, trace)
        finally:
            self.live.stop()  # gives the terminal its cursor back

    def step(self, title: str) -> None:
        """Begin a step; the one before it is done."""
        self.done()
        self.title, self.begun = self._safe(title), time.monotonic()
        self.task = self.live.add_task(self.title, total=None, detail="")

    def detail(self, text: str) -> None:
        """Say what the step is at."""
        if self.task is not None:
            self.live.update(self.task, detail=self._safe(text))

    def done(self, *, failed: bool = False) -> None:
        """End the step that runs, and leave a line that says so."""
        if self.task is None:
            return
        from rich.text import Text

        self.live.remove_task(self.task)
        self.task = None
        mark = (self.marks["fail"], "bold red") if failed else (self.marks["pass"], "green")
        took = (f"  {words.seconds(time.monotonic() - self.begun)}", "dim")
        self.console.print(Text.assemble(mark, f" {self.title}", took))

    def _safe(self, text: str) -> str:
        return screen.encodable(screen.clean(text), self.stream)


def steps(as_json: bool = False, stream: TextIO | None = None) -> Steps:
    """Return the display that suits the stream (stderr): live, plain, or none at all for programs."""
    if as_json:
        return Steps()
    out = sys.stderr if stream is None else stream
    if screen.is_terminal(out) and os.environ.get("TERM", "") not in {"dumb", "unknown"}:
        return LiveSteps(out)
    return PlainSteps(out)
