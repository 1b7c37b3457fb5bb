"""pyvenv.cfg as text: UTF-8 without a mark, and lines that every reader ends where people do."""

from __future__ import annotations

from clinic.anatomy.layout import CFG
from clinic.checks import causes
from clinic.checks.base import Check, Evidence, always
from clinic.checks.cfg_form import ANY, DEAD, FIX, FORM
from clinic.checks.reading import cfg_of, copies, is_windows, old_start_up, where
from clinic.facts import Facts
from clinic.model import Severity


def bom(facts: Facts) -> Evidence:
    """UTF-8 with a mark, as PowerShell 5.1 writes it."""
    cfg = cfg_of(facts)
    if cfg is None or not cfg.bom or cfg.encoding != "utf-8":
        return None
    return f"{where(facts)} starts with a byte order mark: its first key reads as '\\ufeff{cfg.lines[0].name}'"


def _hides_home(facts: Facts) -> Severity:
    # A copied executable needs its home from the file, and this hides it (measured); a linked one does not.
    return "degraded" if copies(facts) else "advice"


def utf16(facts: Facts) -> Evidence:
    """UTF-16, with a mark or without."""
    cfg = cfg_of(facts)
    if cfg is None or not cfg.encoding.startswith(("utf-16", "utf-32")):
        return None
    mark = "with" if cfg.bom else "without"
    return f"{where(facts)} is {cfg.encoding.upper()} {mark} a byte order mark; python reads UTF-8 only"


def code_page(facts: Facts) -> Evidence:
    """What an editor or a shell of Windows writes where it is not told otherwise."""
    cfg = cfg_of(facts)
    if cfg is None or not cfg.encoding.startswith("cp"):
        return None
    return f"{where(facts)} is text of code page {cfg.encoding[2:]}; python reads UTF-8 only"


def invalid_byte(facts: Facts) -> Evidence:
    """A byte that is UTF-8 in no reading."""
    cfg = cfg_of(facts)
    if cfg is None or cfg.encoding != "unknown":
        return None
    try:
        cfg.raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"{where(facts)}: byte 0x{cfg.raw[error.start]:02x} at position {error.start} is not UTF-8"
    return None


def nul_bytes(facts: Facts) -> Evidence:
    """Settings and NUL bytes, which is what a disk leaves that lost its power."""
    cfg = cfg_of(facts)
    if cfg is None or cfg.encoding.startswith("utf-16") or cfg.encoding == "utf-32" or b"\0" not in cfg.raw:
        return None
    return f"{where(facts)} holds {cfg.raw.count(0)} NUL bytes beside its settings"


def line_ends(facts: Facts) -> Evidence:
    """Lines that end in a bare carriage return."""
    cfg = cfg_of(facts)
    if cfg is None or not cfg.cr_only:
        return None
    return f"{where(facts)}: lines end in a bare CR, which the Windows launcher does not take for an end"


def _swallows_home(facts: Facts) -> Severity:
    # The start-up code in C of 3.10 and older loses home of a copy; the launcher takes the whole file for home.
    return "fatal" if is_windows(facts) else "degraded" if copies(facts) and old_start_up(facts) else "advice"


_EDITED = causes.of_edited_cfg
_SHADOWED = FORM | {"cfg-truncated"}

CHECKS = (
    Check("cfg-bom", f"{CFG} starts with a byte order mark", bom, _hides_home, FIX, FORM, _EDITED, ANY),
    Check("cfg-utf16", f"{CFG} is UTF-16", utf16, always("degraded"), FIX, FORM, _EDITED, ANY),
    Check("cfg-code-page", f"{CFG} is in a legacy code page", code_page, always("degraded"), FIX, FORM, _EDITED, DEAD),
    Check(
        "cfg-invalid-byte",
        f"{CFG} holds a byte that is not UTF-8",
        invalid_byte,
        always("degraded"),
        FIX,
        FORM,
        _EDITED,
        DEAD,
    ),
    Check("cfg-nul-bytes", f"{CFG} holds NUL bytes", nul_bytes, _hides_home, FIX, _SHADOWED, causes.of_lost_cfg, ANY),
    Check("cfg-line-ends", "lines end in a bare CR", line_ends, _swallows_home, FIX, _SHADOWED, _EDITED, DEAD),
)
ENCODING = frozenset({"cfg-utf16", "cfg-code-page", "cfg-invalid-byte"})
