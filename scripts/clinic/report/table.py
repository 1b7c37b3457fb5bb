"""The checklist while it runs: a live table on a terminal, a line a check elsewhere, nothing with `--json`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from clinic.report import screen, words
from clinic.report.progress import PlainSteps

if TYPE_CHECKING:
    from types import TracebackType
    from typing import TextIO

    from clinic.model import CheckResult

_MARKS = {"pass": ("pass", "green"), "fail": ("fail", "bold red"), "skip": ("skip", "dim")}


class Watcher:
    """Sees nothing; the displays below show what they are told."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def begins(self, name: str) -> None:
        """A check begins."""

    def ended(self, result: CheckResult) -> None:
        """It came to this."""


class Lines(Watcher):
    """A line for each check, as it ends."""

    def __init__(self, stream: TextIO) -> None:
        self._steps = PlainSteps(stream)

    def ended(self, result: CheckResult) -> None:
        """Say it."""
        self._steps.detail(f"{result.status}  {result.id}  {words.seconds(result.seconds)}")


class Live(Watcher):
    """All checks from the beginning, each with its mark as it comes in; gone when the page with evidence follows."""

    def __init__(self, stream: TextIO, titles: Mapping[str, str], groups: Mapping[str, str]) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._titles, self._groups, self._stream = titles, groups, stream
        self._marks = screen.of(stream).marks
        self._results: dict[str, CheckResult] = {}
        self._now = ""
        console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live = RichLive(get_renderable=self._table, console=console, transient=True, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()  # gives the terminal its cursor back

    def begins(self, name: str) -> None:
        """Turn a wheel beside it."""
        self._now = name
        self._live.refresh()

    def ended(self, result: CheckResult) -> None:
        """Put its mark there."""
        self._results[result.id] = result
        self._now = ""
        self._live.refresh()

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, show_header=False, pad_edge=False)
        group = ""
        for name, title in self._titles.items():
            if (mine := name.partition(".")[0]) != group:
                group = mine
                table.add_row("", Text(self._groups[group], "bold"), "")
            result = self._results.get(name)
            took = words.seconds(result.seconds) if result else ""
            style = "" if result or name == self._now else "dim"
            table.add_row(self._mark(name, result), Text(title, style), Text(took, "dim"))
        return table

    def _mark(self, name: str, result: CheckResult | None) -> Any:
        from rich.spinner import Spinner
        from rich.text import Text

        if result:
            mark, style = _MARKS.get(result.status, ("note", ""))
            return Text(self._marks[mark], style)
        return Spinner("line" if self._marks["dot"].isascii() else "dots") if name == self._now else Text(" ")


def watcher(as_json: bool, titles: Mapping[str, str], groups: Mapping[str, str]) -> Watcher:
    """Return the display that suits stderr."""
    if as_json:
        return Watcher()
    stream = sys.stderr
    if screen.is_terminal(stream) and os.environ.get("TERM", "") not in {"dumb", "unknown"}:
        return Live(stream, titles, groups)
    return Lines(stream)
