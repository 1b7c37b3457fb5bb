"""pyvenv.cfg as a file: there, readable, and whole."""

from __future__ import annotations

from clinic.anatomy import cfg as grammar
from clinic.anatomy.layout import CFG
from clinic.checks import causes
from clinic.checks.base import FATAL, Check, Evidence, always
from clinic.checks.effects import Effect
from clinic.checks.reading import cfg_of, is_windows, minor_of, where
from clinic.facts import Facts, File, Self
from clinic.model import Severity

INCLUDE = "include-system-site-packages"
FIX = ("fix-cfg", "rebuild")
ANY: frozenset[Effect] = FATAL | {"leak"}
DEAD: frozenset[Effect] = frozenset({"dead"})


def _file(facts: Facts) -> File | None:
    return facts.cfg.file if facts.cfg else None


def missing(facts: Facts) -> Evidence:
    """Nothing lies at its place, and nothing beside the executable."""
    file = _file(facts)
    if file is None or file.kind != "missing" or (facts.cfg and facts.cfg.stray):
        return None
    return (f"{file.path} does not exist", *_what_it_does(facts))


def _what_it_does(facts: Facts) -> tuple[str, ...]:
    if isinstance(facts.me, Self) and not facts.me.is_itself:
        base = facts.me.interpreter.prefix
        return (f"its python starts as {base} instead: pip would install there",)
    return ()


def in_scripts(facts: Facts) -> Evidence:
    """It lies beside the executable only."""
    file = _file(facts)
    if file is None or file.kind != "missing" or facts.cfg is None or facts.cfg.stray is None:
        return None
    return f"{facts.cfg.stray.path} lies beside the executable, not in {facts.venv}"


def _severity_in_scripts(facts: Facts) -> Severity:
    # Up to 3.13 it works; 3.14 takes bin/ for the prefix and loses the packages (measured).
    return "degraded" if minor_of(facts) >= (3, 14) else "advice"


def second_one(facts: Facts) -> Evidence:
    """One lies at its place, another beside the executable."""
    file = _file(facts)
    if file is None or file.kind == "missing" or facts.cfg is None or facts.cfg.stray is None:
        return None
    return f"{facts.cfg.stray.path} lies beside {file.path}: site and getpath disagree about which one counts"


def dangling(facts: Facts) -> Evidence:
    """A link that leads nowhere."""
    file = _file(facts)
    if file is None or file.kind != "dangling-link":
        return None
    return f"{file.path} is a link to {file.target}, which leads nowhere"


def not_a_file(facts: Facts) -> Evidence:
    """A folder, a device or a pipe, there or at the end of a link."""
    file = _file(facts)
    if file is None or facts.cfg is None:
        return None
    if file.kind in {"directory", "other"}:
        return f"{file.path} is a {'folder' if file.kind == 'directory' else 'device or pipe'}"
    return f"{file.path} {facts.cfg.error}" if _leads_astray(facts) else None


def _leads_astray(facts: Facts) -> bool:
    return facts.cfg is not None and facts.cfg.error.startswith("leads to ")


def unreadable(facts: Facts) -> Evidence:
    """It is there, and may not be read."""
    if facts.cfg is None or _leads_astray(facts):
        return None
    if facts.cfg.file.kind == "unreadable" or facts.cfg.error:
        return f"{facts.cfg.file.path} cannot be read: {facts.cfg.error or 'no access'}"
    return None


def empty(facts: Facts) -> Evidence:
    """No byte in it, or only blanks."""
    raw = facts.cfg.raw if facts.cfg else None
    if raw is None or raw.removeprefix(grammar.BOM).strip():
        return None
    return f"{where(facts)} holds {len(raw)} bytes, none of them text"


def garbage(facts: Facts) -> Evidence:
    """Not one line that python knows."""
    raw = facts.cfg.raw if facts.cfg else None
    if not raw or not raw.removeprefix(grammar.BOM).strip():
        return None
    cfg = cfg_of(facts)
    if cfg is not None and (_known(cfg) or _starts_a_key(cfg.text)):
        return None
    what = "NUL bytes" if raw.count(0) > len(raw) // 2 else "no line of the form 'key = value' that python knows"
    return f"{where(facts)}: {len(raw)} bytes, {what}"


def _known(cfg: grammar.Cfg) -> bool:
    return any(line.name in grammar.KNOWN_KEYS for line in cfg.pairs)


def _starts_a_key(text: str) -> bool:
    """Whether this is all that was written of a first key."""
    return any(key.startswith(text.strip().lower()) for key in grammar.KNOWN_KEYS)


def oversized(facts: Facts) -> Evidence:
    """More than an interpreter or the launcher reads."""
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
    """The last line has no end, and is the beginning of something."""
    cfg = cfg_of(facts)
    if cfg is None or not cfg.ends_within_a_line:
        return None
    last = cfg.lines[-1]
    cut_key = last.key is None and bool(last.text.strip()) and not last.is_comment
    cut_path = any(named.value == last.value and not named.exists for named in facts.named)
    cut_choice = last.name == INCLUDE and _begins_a_word(last.value)
    if cfg.last(INCLUDE) is None or cut_key or cut_path or cut_choice:
        return f"{where(facts)} breaks off within its last line: {last.text.strip()[:80]!r}"
    return None


def _begins_a_word(value: str) -> bool:
    return any(word.startswith(value.lower()) and word != value.lower() for word in ("true", "false"))


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

_LOST = causes.of_lost_cfg
_EDITED = causes.of_edited_cfg
_NONE: frozenset[str] = frozenset()

CHECKS = (
    Check("cfg-missing", f"{CFG} is missing", missing, always("fatal"), FIX, _NONE, _LOST, FATAL),
    Check(
        "cfg-in-scripts",
        f"{CFG} lies in the scripts folder",
        in_scripts,
        _severity_in_scripts,
        FIX,
        _NONE,
        _EDITED,
        FATAL,
    ),
    Check("cfg-dangling-link", f"{CFG} is a dangling link", dangling, always("fatal"), FIX, _NONE, _LOST, FATAL),
    Check("cfg-not-a-file", f"{CFG} is not a file", not_a_file, always("fatal"), FIX, _NONE, _EDITED, ANY),
    Check("cfg-unreadable", f"{CFG} cannot be read", unreadable, always("fatal"), FIX, _NONE, _EDITED, ANY),
    Check("cfg-empty", f"{CFG} is empty", empty, always("degraded"), FIX, _NONE, _LOST, ANY),
    Check("cfg-garbage", f"{CFG} holds no settings", garbage, always("degraded"), FIX, _NONE, _LOST, ANY),
    Check(
        "cfg-oversized",
        f"{CFG} is too large",
        oversized,
        always("advice"),
        FIX,
        frozenset({"cfg-garbage"}),
        _EDITED,
        DEAD,
    ),
    Check(
        "cfg-truncated",
        f"{CFG} is cut short",
        truncated,
        always("degraded"),
        FIX,
        FORM | {"cfg-oversized"},
        _LOST,
        ANY,
    ),
    Check(
        "cfg-second",
        f"a second {CFG} lies in the scripts folder",
        second_one,
        always("advice"),
        FIX,
        _NONE,
        _EDITED,
        ANY,
    ),
)
