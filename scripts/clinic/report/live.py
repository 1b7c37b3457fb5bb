"""What the monitor shows: one live line on a terminal, lines with the time elsewhere, nothing with `--json`."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from clinic.report import screen, words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from clinic.model import Result

_LOUD = {"died": "bad", "hung": "bad", "blocked": "bad", "crash-loop": "bad", "start-failed": "bad", "slip": "bad"}
_GOOD = frozenset({"started", "restarted", "healed", "adopted"})
_COLOURS = {"good": "32", "bad": "1;31", "warn": "33", "dim": "2"}
_CLEAR = "\r\x1b[K"


class Plain:
    """Events as lines with the time; for pipes and logs."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.screen = screen.of(stream)

    def event(self, kind: str, text: str) -> None:
        """Show something that happened."""
        self._write(f"{_clock()} {self._mark(kind)} {screen.clean(text)}\n")

    def scene(self, scene: Any) -> None:
        """Moments are for terminals."""

    def end(self) -> None:
        """Nothing comes any more."""

    def _mark(self, kind: str) -> str:
        style = _LOUD.get(kind, "good" if kind in _GOOD else "dim")
        mark = self.screen.marks[{"bad": "fail", "good": "pass"}.get(style, "note")]
        return self._painted(mark, style)

    def _painted(self, text: str, style: str) -> str:
        return f"\x1b[{_COLOURS[style]}m{text}\x1b[0m" if self.screen.colour else text

    def _write(self, text: str) -> None:
        # Nobody has to look for the server to be watched: the terminal may be gone.
        with contextlib.suppress(OSError, ValueError):
            self.stream.write(screen.encodable(text, self.stream))
            self.stream.flush()


class Live(Plain):
    """Events as lines, and below them one line that is always of this moment."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._shown = ""

    def event(self, kind: str, text: str) -> None:
        """Show something that happened, above the live line."""
        self._write(f"{_CLEAR}{_clock()} {self._mark(kind)} {screen.clean(text)}\n")
        self._shown = ""

    def scene(self, scene: Any) -> None:
        """Show the moment."""
        line = self._line(scene)
        if line != self._shown:
            self._shown = line
            self._write(_CLEAR + line)

    def end(self) -> None:
        """Take the live line away."""
        self._write(_CLEAR)

    def _line(self, scene: Any) -> str:
        parts = [_process(scene), _answer(scene)]
        parts += [f"restarts {scene.restarts}"]
        if scene.next_try is not None:
            parts.append(f"next try in {words.seconds(max(0.0, scene.next_try))}")
        if scene.message and not scene.record:
            parts.append(screen.clean(scene.message))
        width = screen.of(self.stream).width - 3
        text = "  ".join(parts)
        shown = text if len(text) <= width else text[: width - 1] + "~"
        return f"{self._painted(self.screen.marks['dot'], _style(scene))} {shown}"


def _style(scene: Any) -> str:
    if scene.record is None:
        return {"starting": "warn", "waiting": "warn", "resting": "dim"}.get(scene.phase, "bad")
    return "good" if scene.strikes == 0 else "warn"


def _process(scene: Any) -> str:
    if scene.record is None:
        return f"process none ({scene.phase})"
    return f"process {scene.record.server.pid} up {words.seconds(scene.uptime)}"


def _answer(scene: Any) -> str:
    if scene.record is None or scene.answer is None:
        return "answer -"
    latency = f" in {words.seconds(scene.answer.latency)}" if scene.answer.healthy else ""
    failed = f", {scene.strikes} failed" if scene.strikes else ""
    return f"answer {scene.answer.kind}{latency}, {words.seconds(scene.age)} ago{failed}"


def _clock() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")


def display(*, as_json: bool, stream: TextIO | None = None) -> Plain | None:
    """Return the display that suits a stream (stdout); None with `--json`, where stdout is the envelope's."""
    if as_json:
        return None
    out = sys.stdout if stream is None else stream
    living = screen.is_terminal(out) and os.environ.get("TERM", "") not in {"dumb", "unknown"}
    return Live(out) if living else Plain(out)


_PAUSE = 2.0  # seconds between two looks
_HOME, _BELOW = "\x1b[H", "\x1b[J"


@contextlib.contextmanager
def watching(stream: TextIO | None = None) -> Iterator[Callable[[Result], float]]:
    """Show looks in one place on a screen of their own; one below the other where there is no terminal."""
    from clinic.report import text

    out = sys.stdout if stream is None else stream
    living = screen.is_terminal(out) and os.environ.get("TERM", "") not in {"dumb", "unknown"}

    def show(result: Result) -> float:
        with screen.until_nobody_reads(out):
            if living:
                out.write(_HOME + _BELOW)
            text.show(result, out, out)
            out.write(f"\n  {_clock()}, every {_PAUSE:g} s until Ctrl+C\n")
        return _PAUSE

    if living:
        with screen.may_fail(out):
            out.write("\x1b[?1049h\x1b[?25l")  # the screen of programs like less, without a cursor
    try:
        yield show
    finally:
        if living:
            with screen.may_fail(out):
                out.write("\x1b[?25h\x1b[?1049l")
