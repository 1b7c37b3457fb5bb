"""pyvenv.cfg read the way its four readers do: site.py, getpath, the Windows launcher, and other tools.

The grammar is CPython's (Lib/site.py `venv`, Modules/getpath.py, PC/venvlauncher.c; measured on 3.8 to 3.14): lines
split at the first `=`, keys stripped and lower-cased, no comments, no quoting, no sections, unknown lines ignored.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

BOM = b"\xef\xbb\xbf"
SIZE_LIMIT = 32 * 1024
"""getpath of CPython 3.11 and newer refuses to read a larger file."""
LAUNCHER_LIMIT = 8191
"""Bytes that the Windows launcher looks at."""
READ_LIMIT = 1024 * 1024
"""Nobody's pyvenv.cfg is larger; what is, is not read to its end."""

KNOWN_KEYS = frozenset(
    {
        *("home", "include-system-site-packages", "version", "version_info", "executable", "command", "prompt"),
        *("implementation", "python-version", "virtualenv", "base-prefix", "base-exec-prefix", "base-executable"),
        *("uv", "relocatable", "seed", "extends-environment"),
    }
)


@dataclass(frozen=True)
class Line:
    """One line; `key` is as spelled, None where the line has no `=`."""

    text: str
    key: str | None = None
    value: str = ""

    @property
    def name(self) -> str:
        """The key as CPython compares it."""
        return (self.key or "").lower()

    @property
    def is_comment(self) -> bool:
        """Whether people take it for a comment; CPython knows none."""
        return self.text.lstrip().startswith(("#", ";"))


@dataclass(frozen=True)
class Cfg:
    """The file's text by the encoding that it was found to be in."""

    raw: bytes
    encoding: str
    """utf-8, utf-16-le, utf-16-be, utf-32, a code page, `binary` or `unknown`."""
    bom: bool
    text: str

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Lines by the universal newline rule, as site.py reads them."""
        return tuple(_line(text) for text in re.split(r"\r\n|\n|\r", self.text))

    @cached_property
    def pairs(self) -> tuple[Line, ...]:
        """The lines that are settings: those with `=` that do not look like comments."""
        return tuple(line for line in self.lines if line.key and not line.is_comment)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a key, in order, by case-insensitive name."""
        return tuple(line.value for line in self.pairs if line.name == name)

    def first(self, name: str) -> str | None:
        """The value getpath takes for `home`: the first."""
        return next(iter(self.all(name)), None)

    def last(self, name: str) -> str | None:
        """The value site.py takes for `include-system-site-packages`: the last."""
        return next(reversed(self.all(name)), None)

    @property
    def ends_within_a_line(self) -> bool:
        """Whether the last line has no end: the mark of a write that was cut short, or of an editor."""
        return bool(self.text) and not self.text.endswith(("\n", "\r"))

    @property
    def cr_only(self) -> bool:
        """Whether lines end in a bare CR, which the Windows launcher does not take for an end."""
        return "\r" in self.text and "\n" not in self.text


def _line(text: str) -> Line:
    key, sign, value = text.partition("=")
    return Line(text, key.strip(), value.strip()) if sign else Line(text)


def parse(raw: bytes) -> Cfg:
    """Decode and split; never fails. What is not text at all comes back as encoding `binary` with no lines."""
    if raw.startswith(BOM):
        body = parse(raw[len(BOM) :])
        return Cfg(raw, body.encoding, bom=True, text=body.text)
    for mark, encoding in ((b"\xff\xfe\0\0", "utf-32"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        if raw.startswith(mark):
            return _wide(raw, encoding, bom=True)
    if wide := _looks_wide(raw):
        return _wide(raw, wide, bom=False)
    return _narrow(raw)


def _wide(raw: bytes, encoding: str, *, bom: bool) -> Cfg:
    body = raw if encoding == "utf-32" or not bom else raw[2:]
    text = body.decode(encoding, "replace")
    return Cfg(raw, encoding, bom, text) if "=" in text else Cfg(raw, "binary", bom, "")


_SHORTEST_WIDE = 8
_MANY, _FEW = 0.6, 0.2


def _looks_wide(raw: bytes) -> str | None:
    """UTF-16 without a mark: of plain text every second byte is NUL, and the other one is not."""
    if len(raw) < _SHORTEST_WIDE:
        return None
    even, odd = raw[0::2].count(0) / len(raw[0::2]), raw[1::2].count(0) / len(raw[1::2])
    if odd > _MANY and even < _FEW:
        return "utf-16-le"
    return "utf-16-be" if even > _MANY and odd < _FEW else None


def _narrow(raw: bytes) -> Cfg:
    # Runs of NULs before, between or behind good lines are what a crashed disk leaves; CPython reads past them.
    plain = re.sub(rb"(?:\A|(?<=[\r\n]))\0+(?:\r\n|\n|\r|\Z|(?=[^\0]))", b"", raw)
    if b"\0" in plain or not plain.strip():
        return Cfg(raw, "binary" if raw.strip() else "utf-8", bom=False, text="")
    try:
        return Cfg(raw, "utf-8", bom=False, text=plain.decode("utf-8"))
    except UnicodeDecodeError:
        page = _code_page(plain)
        return Cfg(raw, page or "unknown", bom=False, text=plain.decode(page or "utf-8", "replace"))


def _code_page(raw: bytes) -> str | None:
    """The legacy code page in which every high byte is a letter inside or beside a word; None where there is none.

    cp1252 is what Windows PowerShell's `Set-Content` writes in western Europe, cp850 what `echo >` of cmd does.
    """
    high = list(re.finditer(rb"[\x80-\xff]+", raw))
    for page in ("cp1252", "cp850", "cp1250", "cp1251", "cp437"):
        try:
            text = raw.decode(page)
        except UnicodeDecodeError:
            continue
        strange = [character for character in text if not character.isascii()]
        if all(character.isalpha() for character in strange) and all(_in_word(raw, *match.span()) for match in high):
            return page
    return None


def _in_word(raw: bytes, start: int, end: int) -> bool:
    around = raw[max(0, start - 1) : start] + raw[end : end + 1]
    return any(character.isalpha() for character in around.decode("ascii", "replace"))


def site_includes_base(raw: bytes) -> bool | None:
    """What site.py makes of the system-site choice: the last one wins, absent means true; None where it dies.

    Only the word `true`, in any case, means true (CPython Lib/site.py, measured on 3.9 to 3.14).
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return None
    choice = "true"
    for line in re.split(r"\r\n|\n|\r", text):
        key, sign, value = line.partition("=")
        if sign and key.strip().lower() == "include-system-site-packages":
            choice = value.strip().lower()
    return choice == "true"


def launcher_home(raw: bytes) -> str | None:
    """The home that the Windows launcher takes; None where it finds none (exit code 107).

    PC/venvlauncher.c, `find_home_value`: the first `home` anywhere in the first 8 KB, which must be followed by blanks
    (line ends are blanks to it) and `=`, else the next one that starts a line behind the place it got to. The value
    runs to the end of the line, or untrimmed to the end of the file.
    """
    text = raw[:LAUNCHER_LIMIT].removeprefix(BOM).partition(b"\0")[0].decode("utf-8", "replace")
    at = text.find("home")
    while at >= 0:
        at = _past_blanks(text, at + len("home"))
        if text[at : at + 1] == "=":
            value, end, _ = text[_past_blanks(text, at + 1) :].partition("\n")
            return value.rstrip() if end else value
        at = text.find("\nhome", at + 1)
        at += at >= 0
    return None


def _past_blanks(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at
