"""What a stream can show, and writing to it: width, colour, symbols, encoding, text that could harm a terminal."""

from __future__ import annotations

import contextlib
import os
import shutil
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TextIO

    from clinic.report.page import Line

NARROWEST, WIDEST = 40, 120
"""Text is laid out for no fewer columns than this, and for no more: longer lines are hard to read."""

_WIDTH = 80  # columns of a terminal that says nothing of its size
_UNICODE = {"pass": "✓", "fail": "✗", "warn": "!", "skip": "-", "note": "·", "dot": "●", "star": "★"}
_ASCII = {"pass": "+", "fail": "x", "warn": "!", "skip": "-", "note": ".", "dot": "*", "star": "*"}

# Styles by their meaning; the words after it are rich's.
STYLES = {
    "good": "green",
    "bad": "bold red",
    "warn": "yellow",
    "dim": "dim",
    "strong": "bold",
    "command": "bold cyan",
}


@dataclass(frozen=True)
class Screen:
    """What a stream can show."""

    width: int
    colour: bool
    marks: Mapping[str, str]


def of(stream: TextIO, variables: Mapping[str, str] | None = None) -> Screen:
    """Look at a stream, and at the variables by which people say what they want."""
    environ = os.environ if variables is None else variables
    return Screen(min(max(_width(stream, environ), NARROWEST), WIDEST), colour(stream, environ), _marks(stream))


def _width(stream: TextIO, environ: Mapping[str, str]) -> int:
    with contextlib.suppress(KeyError, ValueError):
        if (columns := int(environ["COLUMNS"])) > 0:
            return columns
    with contextlib.suppress(OSError, ValueError, AttributeError):
        # A terminal without a size (docker exec -t, a pty of a program) has 0 columns.
        return os.get_terminal_size(stream.fileno()).columns or _WIDTH
    return shutil.get_terminal_size((_WIDTH, 24)).columns


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody looks at the stream; a stream that is closed or odd is no terminal."""
    with contextlib.suppress(ValueError, AttributeError):
        return stream.isatty()
    return False


def colour(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether to paint: NO_COLOR says no, then FORCE_COLOR says yes, then a terminal does unless it is dumb."""
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR"):
        return True
    return is_terminal(stream) and environ.get("TERM", "") not in {"dumb", "unknown"}


def _marks(stream: TextIO) -> Mapping[str, str]:
    try:
        "".join(_UNICODE.values()).encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeError, LookupError):
        return _ASCII
    return _UNICODE


# Joiners are part of emoji and of some scripts, and move nothing; the other format characters (Cf) can turn the
# direction of a line round or hide a part of it.
_HARMLESS = {"\u200c", "\u200d"}
_HARMFUL = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def clean(text: str) -> str:
    """Show control characters, escape sequences, lone surrogates and direction marks as escapes.

    What we print comes out of damaged files, paths and logs: none of it may drive the terminal.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(letter: str) -> str:
    if unicodedata.category(letter) not in _HARMFUL or letter in _HARMLESS:
        return letter
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")


def encodable(text: str, stream: TextIO) -> str:
    """Show what the stream's encoding lacks as escapes, so that writing cannot fail."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return text.encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:
        return text.encode("ascii", "backslashreplace").decode("ascii")
    return text


def put(lines: list[Line], stream: TextIO, screen: Screen) -> None:
    """Write laid-out lines, in colour where the screen has any."""
    if not lines:
        return
    if screen.colour:
        _paint(lines, stream, screen)
    else:
        stream.write("".join(encodable("".join(text for text, _ in line).rstrip(), stream) + "\n" for line in lines))
    stream.flush()


def _paint(lines: list[Line], stream: TextIO, screen: Screen) -> None:
    # rich knows the terminals, the old Windows console among them; markup and highlighting stay off.
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stream, force_terminal=True, width=screen.width, markup=False, highlight=False, emoji=False)
    for line in lines:
        pieces = [(encodable(text, stream), STYLES.get(style, "")) for text, style in line]
        console.print(Text.assemble(*pieces, end=""), soft_wrap=True)


@contextlib.contextmanager
def may_fail(stream: TextIO) -> Iterator[None]:
    """Write to a stream that may be of no use: a reader that has gone (`invoke diagnose | head`), a full disk.

    What was done is done, whether it can be told or not.
    """
    try:
        yield
        stream.flush()
    except (OSError, ValueError):
        _give_up(stream)


@contextlib.contextmanager
def until_nobody_reads(stream: TextIO) -> Iterator[None]:
    """Write what goes on and on. Raises KeyboardInterrupt where that is of no use any more."""
    try:
        yield
        stream.flush()
    except (OSError, ValueError) as error:
        _give_up(stream)
        raise KeyboardInterrupt from error


def _give_up(stream: TextIO) -> None:
    """Lead it to the null device: Python's own flush at the end would fail, and make the exit code 120."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
