"""Blocks of text to lines: wrapping by columns of the terminal, tables, lines that are never cut.

Everything that enters a page is cleaned here, so that no view can forget it. No word is ever broken: a path or a
command that is longer than the line runs on, and can be copied whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from clinic.report.screen import clean

if TYPE_CHECKING:
    from clinic.report.screen import Screen

Span = tuple[str, str]
"""A text and its style (see `screen.STYLES`), empty for none."""
Line = list[Span]
Piece = str | Span
Cell = Piece | list[Span]

GAP = 2
_ROOM = 24
"""A last column narrower than this moves to lines of its own."""


def wide(text: str) -> int:
    """Return how many columns a terminal needs for a text."""
    if text.isascii():
        return len(text)
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter) or unicodedata.category(letter) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(letter) in {"W", "F"} else 1


def _span(piece: Piece) -> Span:
    text, style = (piece, "") if isinstance(piece, str) else piece
    return clean(text), style


def _spans(cell: Cell) -> Line:
    return [_span(piece) for piece in cell] if isinstance(cell, list) else [_span(cell)]


class Page:
    """Lines for one screen, added block by block."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.lines: list[Line] = []

    def mark(self, name: str, style: str) -> Span:
        """Return a symbol that this screen can show."""
        return self.screen.marks[name], style

    def blank(self) -> None:
        """Add an empty line, unless there is one already or nothing is above it."""
        if self.lines and self.lines[-1]:
            self.lines.append([])

    def heading(self, title: str) -> None:
        """Begin a part of the page."""
        self.blank()
        self.line((title, "strong"))

    def line(self, *pieces: Piece, indent: int = 0, hang: int = 0) -> None:
        """Add a text, wrapped; lines after the first are indented by `hang` more."""
        self.lines += wrapped([_span(piece) for piece in pieces], self.screen.width, indent, indent + hang)

    def verbatim(self, text: str, *, indent: int = 2, style: str = "") -> None:
        """Add lines that are not wrapped, cut or joined: commands to copy, the content of files, logs."""
        for row in text.splitlines() or [""]:
            self.lines.append([(" " * indent, ""), (clean(row.expandtabs()), style)])

    def command(self, text: str, lead: str = "  ") -> None:
        """Add a command to type, after a label."""
        self.lines.append([(lead, ""), (clean(text), "command")])

    def columns(self, rows: Iterable[Sequence[Cell]], *, indent: int = 0, hang: int = 0) -> None:
        """Add a table: all columns but the last as wide as they need, the last one wrapped beside them.

        Where there is no room beside them, it goes below. `hang` indents its second and later lines.
        """
        cells = [[_spans(cell) for cell in row] for row in rows]
        if not cells:
            return
        widths = [max(_length(row[at]) for row in cells if at < len(row)) for at in range(max(map(len, cells)) - 1)]
        for row in cells:
            self._row(row, widths, indent, hang)

    def _row(self, row: list[Line], widths: list[int], indent: int, more: int) -> None:
        lead: Line = []
        for cell, width in zip(row[:-1], widths, strict=False):
            lead += [*cell, (" " * (width - _length(cell) + GAP), "")]
        start = sum(widths[: len(row) - 1]) + GAP * (len(row) - 1)
        if lead and self.screen.width - indent - start < _ROOM:
            if _says(lead):
                self.lines += wrapped(lead, self.screen.width, indent, indent + GAP)
            lead, start, indent = [], 0, indent + 2 * GAP
        if _says(lead) or _says(row[-1]):
            self.lines += wrapped(row[-1], self.screen.width, indent, indent + start + more, lead)


def _says(line: Line) -> bool:
    return any(text.strip() for text, _ in line)


def _length(line: Line) -> int:
    return sum(wide(text) for text, _ in line)


def wrapped(spans: Line, width: int, first: int, rest: int, lead: Line | None = None) -> list[Line]:
    """Break spans at blanks into lines of at most `width` columns where the words allow it.

    The first line starts at column `first`, with `lead` before the text; the others start at column `rest`.
    """
    line: Line = [(" " * first, ""), *(lead or [])] if first or lead else []
    lines, at, fresh = [line], _length(line), True
    for gap, word in _words(spans):
        size = _length(word)
        if not fresh and at + len(gap) + size > width:
            line = [(" " * rest, "")] if rest else []
            lines.append(line)
            at, fresh = rest, True
        if not fresh or line is lines[0]:
            line.append((gap, line[-1][1] if line and line[-1][1] == word[0][1] else ""))
            at += len(gap)
        line += word
        at, fresh = at + size, False
    return [_joined(line) for line in lines]


def _joined(line: Line) -> Line:
    """Put neighbours of the same style together: fewer escape sequences for the terminal."""
    joined: Line = []
    for text, style in line:
        if joined and joined[-1][1] == style:
            joined[-1] = (joined[-1][0] + text, style)
        elif text:
            joined.append((text, style))
    return joined


def _words(spans: Line) -> list[tuple[str, Line]]:
    """Split spans into words, each with the blanks before it; a word may run over several spans."""
    words: list[tuple[str, Line]] = []
    gap, word = "", Line()
    for text, style in spans:
        for part in re.split(r"( +)", text):
            if part and not part.isspace():
                word.append((part, style))
            elif part:
                if word:
                    words.append((gap, word))
                    gap, word = "", Line()
                gap += part
    return [*words, (gap, word)] if word else words
