"""A result as text: the payload on stdout by the view that its data calls for, notes and errors on stderr."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from clinic.report import screen
from clinic.report.envelope import envelope
from clinic.report.page import Page

if TYPE_CHECKING:
    from typing import TextIO

    from clinic.model import Result

# The first key that the data has decides: what a command tells says how to show it, not what it is called.
_VIEWS = (
    ("codes", "trail", "codes"),
    ("entries", "trail", "entries"),
    ("before", "repair", "view"),
    ("checks", "checklist", "view"),
    ("findings", "diagnosis", "view"),
    ("state", "status", "view"),
    ("receipts", "repair", "view"),
    ("plan", "repair", "view"),
    ("lines", "trail", "logs"),
    ("log_file", "trail", "logs"),
)


def show(result: Result, out: TextIO, err: TextIO) -> None:
    """Write one result for a person. Raises OSError for a stream that cannot be written."""
    for stream, fill in parts(result, out, err):
        _to(stream, fill)


Fill = Callable[[Page], None]


def parts(result: Result, out: TextIO, err: TextIO) -> tuple[tuple[TextIO, Fill], ...]:
    """What goes where, in this order."""
    told = envelope(result)
    return (
        (err, lambda page: notes(page, result.notes)),
        (out, lambda page: payload(page, told)),
        (err, lambda page: errors(page, told["errors"])),
    )


def show_what_can_be(result: Result, out: TextIO, err: TextIO) -> None:
    """Write one result for a person; what goes to a stream that cannot be written is lost."""
    for stream, fill in parts(result, out, err):
        with screen.may_fail(stream):
            _to(stream, fill)


def _to(stream: TextIO, fill: Fill) -> None:
    page = Page(screen.of(stream))
    fill(page)
    screen.put(page.lines, stream, page.screen)


def payload(page: Page, told: dict[str, Any]) -> None:
    """Fill a page with what a command came to."""
    from importlib import import_module

    data = told["data"]
    for key, room, name in _VIEWS:
        if key in data:
            getattr(import_module(f"clinic.report.{room}"), name)(page, told)
            return
    if data or not told["errors"]:
        from clinic.report import trail

        trail.view(page, told)


def notes(page: Page, texts: tuple[str, ...]) -> None:
    """Fill a page with narration."""
    for text in texts:
        page.line(("note: ", "dim"), text, hang=6)


def errors(page: Page, told: list[dict[str, str]]) -> None:
    """Fill a page with errors; what there is to type is never wrapped."""
    for error in told:
        first, *more = error["message"].splitlines() or [""]
        page.line((f"error[{error['code']}]: ", "bad"), first, hang=2)
        for row in more:
            page.verbatim(row, indent=2)
        label = "  hint: "
        for row in error["hint"].splitlines():
            page.command(row, label)
            label = " " * len(label)
