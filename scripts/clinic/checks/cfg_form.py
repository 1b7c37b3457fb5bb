"""pyvenv.cfg as a file: there, readable, whole, and in an encoding that its readers know."""

from __future__ import annotations

from clinic.anatomy import cfg as grammar
from clinic.anatomy.layout import CFG
from clinic.checks import causes
from clinic.checks.base import Check, Evidence, at_least
from clinic.checks.reading import cfg_of, is_windows, minor_of, where
from clinic.facts import Facts, File
from clinic.model import Severity


def _file(facts: Facts) -> File | None:
    return facts.cfg.file if facts.cfg else None


def missing(facts: Facts) -> Evidence:
    file = _file(facts)
    if file is None or file.kind != "missing" or (facts.cfg and facts.cfg.stray):
        return None
    return (f"{file.path} does not exist", *_what_it_does(facts))


def _what_it_does(facts: Facts) -> tuple[str, ...]:
    from clinic.facts import Self

    if isinstance(facts.me, Self) and not facts.me.is_itself:
        base = facts.me.interpreter.prefix
        return (f"its python starts as {base} instead: pip would install there",)
    return ()


def in_scripts(facts: Facts) -> Evidence:
    file = _file(facts)
    if file is None or file.kind != "missing" or facts.cfg is None or facts.cfg.stray is None:
        return None
    return f"{facts.cfg.stray.path} lies beside the executable, not in {facts.venv}"


def _severity_in_scripts(facts: Facts) -> Severity:
    # Up to 3.13 it works; 3.14 takes bin/ for the prefix and loses the packages (measured).
    return "degraded" if minor_of(facts) >= (3, 14) else "advice"


def second_one(facts: Facts) -> Evidence:
    file = _file(facts)
    if file is None or file.kind == "missing" or facts.cfg is None or facts.cfg.stray is None:
        return None
    return f"{facts.cfg.stray.path} lies beside {file.path}: site and getpath disagree about which one counts"


def dangling(facts: Facts) -> Evidence:
    file = _file(facts)
    return f"{file.path} is a link to {file.target}, which is not there" if file and file.kind == "dangling-link" else None


def not_a_file(facts: Facts) -> Evidence:
    file = _file(facts)
    if file is None or facts.cfg is None:
        return None
    if file.kind in {"directory", "other"}:
        return f"{file.path} is a {'folder' if file.kind == 'directory' else 'device or pipe'}"
    return f"{file.path} {facts.cfg.error}" if facts.cfg.error.startswith("leads to ") else None


def unreadable(facts: Facts) -> Evidence:
    if facts.cfg is None or facts.cfg.error.startswith("leads to "):
        return None
    if facts.cfg.file.kind == "unreadable" or facts.cfg.error:
        return f"{facts.cfg.file.path} cannot be read: {facts.cfg.error or 'no access'}"
    return None


def empty(facts: Facts) -> Evidence:
    raw = facts.cfg.raw if facts.cfg else None
    if raw is None or raw.removeprefix(grammar.BOM).strip():
        return None
    return f"{where(facts)} holds {len(raw)} bytes, none of them text"


def garbage(facts: Facts) -> Evidence:
    raw = facts.cfg.raw if facts.cfg else None
    if not raw or not raw.removeprefix(grammar.BOM).strip():
        return None
    cfg = cfg_of(facts)
    if cfg is not None and any(line.name in grammar.KNOWN_KEYS for line in cfg.pairs):
        return None
    what = "NUL bytes" if raw.count(0) > len(raw) // 2 else "no line of the form 'key = value' that python knows"
    return f"{where(facts)}: {len(raw)} bytes, {what}"


def oversized(facts: Facts) -> Evidence:
    file = _file(facts)
    raw = facts.cfg.raw if facts.cfg else None
    if file is None or raw is None:
        return None
    size = max(file.size, len(raw))
    if size > grammar.SIZE_LIMIT:
        return f"{file.path} is {size:,} bytes; CPython 3.11 and newer refuse more than {grammar.SIZE_LIMIT:,}"
    if is_windows(facts) and b"home" in raw and b"home" not in raw[: grammar.LAUNCHER_LIMIT]:
        return f"{file.path}: 'home' lies beyond the {grammar.LAUNCHER_LIMIT} bytes that the launcher reads"
    return None


def truncated(facts: Facts) -> Evidence:
    cfg = cfg_of(facts)
    if cfg is None or not cfg.ends_within_a_line:
        return None
    last = cfg.lines[-1]
    cut_key = last.key is None and bool(last.text.strip()) and not last.is_comment
    cut_path = any(named.value == last.value and not named.exists for named in facts.named)
    if cfg.last("include-system-site-packages") is None or cut_key or cut_path:
        return f"{where(facts)} breaks off within its last line: {last.text.strip()[:80]!r}"
    return None


def bom(facts: Facts) -> Evidence:
    cfg = cfg_of(facts)
    if cfg is None or not cfg.bom or cfg.encoding != "utf-8":
        return None
    first = cfg.lines[0].name
    return f"{where(facts)} starts with a byte order mark: its first key reads as '\\ufeff{first}'"


def _severity_bom(facts: Facts) -> Severity:
    # A copied executable needs its home from the file, and the mark hides it (measured); a linked one does not.
    return "degraded" if facts.tree and facts.tree.copies and not is_windows(facts) else "advice"


def utf16(facts: Facts) -> Evidence:
    cfg = cfg_of(facts)
    if cfg is None or not cfg.encoding.startswith(("utf-16", "utf-32")):
        return None
    mark = "with" if cfg.bom else "without"
    return f"{where(facts)} is {cfg.encoding.upper()} {mark} a byte order mark; python reads UTF-8 only"


def code_page(facts: Facts) -> Evidence:
    cfg = cfg_of(facts)
    if cfg is None or not cfg.encoding.startswith("cp"):
        return None
    return f"{where(facts)} is text of code page {cfg.encoding[2:]}; python reads UTF-8 only"


def invalid_byte(facts: Facts) -> Evidence:
    cfg = cfg_of(facts)
    if cfg is None or cfg.encoding != "unknown":
        return None
    try:
        cfg.raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"{where(facts)}: byte 0x{cfg.raw[error.start]:02x} at position {error.start} is not UTF-8"
    return None


FIX = ("fix-cfg", "rebuild")
FORM = frozenset(
    {
        "cfg-missing",
        "cfg-in-scripts",
        "cfg-dangling-link",
        "cfg-not-a-file",
        "cfg-unreadable",
        "cfg-empty",
        "cfg-garbage",
    }
)




def _named_in_scripts(facts: Facts) -> Severity:
    return at_least(_severity_in_scripts(facts))(facts)


def _named_bom(facts: Facts) -> Severity:
    return at_least(_severity_bom(facts))(facts)


CHECKS = (
    Check("cfg-missing", f"{CFG} is missing", missing, at_least("fatal"), FIX, causes=causes.of_lost_cfg),
    Check("cfg-in-scripts", f"{CFG} lies in the scripts folder", in_scripts, _named_in_scripts, FIX),
    Check("cfg-dangling-link", f"{CFG} is a dangling link", dangling, at_least("fatal"), FIX),
    Check("cfg-not-a-file", f"{CFG} is not a file", not_a_file, at_least("fatal"), FIX),
    Check("cfg-unreadable", f"{CFG} cannot be read", unreadable, at_least("fatal"), FIX),
    Check("cfg-empty", f"{CFG} is empty", empty, at_least("degraded"), FIX, causes=causes.of_lost_cfg),
    Check("cfg-oversized", f"{CFG} is too large", oversized, at_least("advice"), FIX, causes=causes.of_edited_cfg),
    Check("cfg-garbage", f"{CFG} holds no settings", garbage, at_least("degraded"), FIX, causes=causes.of_lost_cfg),
    Check(
        "cfg-truncated",
        f"{CFG} is cut short",
        truncated,
        at_least("degraded"),
        FIX,
        FORM | {"cfg-oversized"},
        causes.of_lost_cfg,
    ),
    Check("cfg-bom", f"{CFG} starts with a byte order mark", bom, _named_bom, FIX, FORM, causes.of_edited_cfg),
    Check("cfg-utf16", f"{CFG} is UTF-16", utf16, at_least("degraded"), FIX, FORM, causes.of_edited_cfg),
    Check("cfg-code-page", f"{CFG} is in a legacy code page", code_page, at_least("degraded"), FIX, FORM, causes.of_edited_cfg),
    Check("cfg-invalid-byte", f"{CFG} holds a byte that is not UTF-8", invalid_byte, at_least("degraded"), FIX, FORM, causes.of_edited_cfg),
    Check("cfg-second", f"a second {CFG} lies in the scripts folder", second_one, at_least("advice"), FIX),
)
