"""The one room that prints: text for people, JSON for programs, JUnit for build servers.

    show       what every command calls with its result
    envelope   a result as the plain tree of the contract, and that tree as JSON
    text       the same tree as a page: which view shows which command
    diagnosis  repair  checklist  status  trail   the views; each turns a tree into blocks of a page
    page       blocks to lines: wrapping, columns, lines that are never cut; escapes what could harm a terminal
    screen     what a stream can show: width, colour, symbols; and writing to it
    words      durations, sizes and counts in plain English
    progress   what is going on meanwhile
    junit      the checklist as JUnit XML
    incident   a diagnosis or a healing as a Markdown document, to keep or to send

Text, JSON and the document are made from one tree, so that they cannot disagree. Stdout is payload, stderr is
narration.

Importing this costs next to nothing; `rich` is loaded only to paint on a terminal. A page that is piped is laid out
by `page` alone: importing `rich` takes as long as all the rest of a short command.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in typing, whose import would cost more than all the rest of this file
if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from typing import TextIO

    from clinic.model import Result
    from clinic.report.progress import Steps


def show(result: Result, *, as_json: bool = False, stream: TextIO | None = None) -> int:
    """Print a result and return its exit code, whether it could be printed or not.

    With `as_json`, the envelope of the contract goes to `stream` (stdout) and nothing goes anywhere else. As text,
    the payload goes to `stream`, and notes and errors go to stderr.
    """
    import sys

    from clinic.report import screen

    out = sys.stdout if stream is None else stream
    if as_json:
        from clinic.report.envelope import dumps

        with screen.may_fail(out):
            out.write(dumps(result) + "\n")
    else:
        from clinic.report import text

        text.show_what_can_be(result, out, sys.stderr)
    return result.exit_code


def line(text: str, stream: TextIO | None = None) -> None:
    """Print one line at once (of a log that is followed), with what could harm a terminal shown as escapes.

    Raises KeyboardInterrupt when nobody reads any more: the end of following, as by Ctrl+C.
    """
    import sys

    from clinic.report import screen

    out = sys.stdout if stream is None else stream
    with screen.until_nobody_reads(out):
        out.write(screen.encodable(screen.clean(text.expandtabs()), out) + "\n")


def steps(as_json: bool = False, stream: TextIO | None = None) -> Steps:
    """Return the progress display that suits stderr; a context manager (see `progress`)."""
    from clinic.report import progress

    return progress.steps(as_json, stream)


def watching(stream: TextIO | None = None) -> AbstractContextManager[Callable[[Result], float]]:
    """Return what shows one look after the other in place of the last (see `live.watching`)."""
    from clinic.report import live

    return live.watching(stream)


__all__ = ["line", "show", "steps", "watching"]
