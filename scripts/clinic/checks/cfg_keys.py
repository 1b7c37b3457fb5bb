"""The other keys of pyvenv.cfg, and how keys and lines are spelled."""

from __future__ import annotations

from clinic.checks import causes
from clinic.checks.base import Check, Evidence, always, at_least, leaks
from clinic.checks.cfg_form import FIX, FORM
from clinic.checks.cfg_home import HOME, INCLUDE, repeated
from clinic.checks.reading import cfg_of, is_windows, where
from clinic.facts import Facts
from clinic.model import Severity

_BROKEN = FORM | {"cfg-truncated", "cfg-oversized"}


def include_missing(facts: Facts) -> Evidence:
    cfg = cfg_of(facts)
    if cfg is None or cfg.all(INCLUDE):
        return None
    seen = " (seen: they do)" if leaks(facts) else ""
    return f"{where(facts)}: no line '{INCLUDE}'; absent means true, so the base's packages leak in{seen}"


def include_odd(facts: Facts) -> Evidence:
    cfg = cfg_of(facts)
    value = cfg.last(INCLUDE) if cfg else None
    if value is None or value.lower() in {"true", "false"}:
        return None
    return f"{INCLUDE} is {value!r}: only the word 'true' means true, so this is read as false"


def upper_case(facts: Facts) -> Evidence:
    cfg = cfg_of(facts)
    odd = [line.key for line in cfg.pairs if line.key and line.key != line.key.lower() and line.name in _KEYS] if cfg else []
    return f"{where(facts)}: keys not in lower case: {', '.join(map(str, odd))}; uv and the Windows launcher miss them" if odd else None


_KEYS = frozenset({"home", INCLUDE, "version", "version_info", "executable", "command", "prompt", "base-executable"})


def _upper_case_severity(facts: Facts) -> Severity:
    if is_windows(facts):
        return "fatal"
    # A copy made by 3.8 or 3.9 takes `home` in lower case only (measured); everyone else lower-cases it.
    old = facts.flavour is not None and (facts.flavour.major, facts.flavour.minor) < (3, 10)
    return at_least("degraded" if old and facts.tree and facts.tree.copies else "advice")(facts)


def duplicates(facts: Facts) -> Evidence:
    return repeated(facts, but=frozenset({"home", INCLUDE}))


def version(facts: Facts) -> Evidence:
    cfg, base = cfg_of(facts), facts.search.base
    if cfg is None or base is None:
        return None
    wrong = [
        (key, value)
        for key in ("version", "version_info")
        for value in cfg.all(key)
        if not version_agrees(value, base.version)
    ]
    return tuple(f"{key} is {value}, the base is {base.dotted}" for key, value in wrong) or None


def version_agrees(text: str, real: tuple[int, ...]) -> bool:
    """Whether a recorded version is the real one, at the precision recorded (uv's rule: minor alone is fine)."""
    parts = text.split(".")[:3]
    digits = ["".join(character for character in part if character.isdigit()) for part in parts]
    # 3.15.0b1 and 3.13.0+ carry more than the release; what is no number at all agrees with nothing.
    head = [int(part) if part.isascii() and part.isdigit() else None for part in parts[:2]]
    if len(parts) > 2:
        leading = digits[2] if parts[2][:1].isdigit() else ""
        head.append(int(leading) if leading and parts[2].startswith(str(int(leading))) else None)
    return len(head) > 1 and tuple(head) == tuple(real[: len(head)])


def _version_severity(facts: Facts) -> Severity:
    # Never read at start-up up to 3.14; uv and pre-commit compare it, and uv deletes an environment of another minor.
    cfg, base = cfg_of(facts), facts.search.base
    values = [v for key in ("version", "version_info") for v in cfg.all(key)] if cfg else []
    same = base is not None and all(version_agrees(".".join(value.split(".")[:2]), base.version) for value in values)
    return "advice" if same else "degraded"


def executable(facts: Facts) -> Evidence:
    if facts.search.base is None:
        return None
    wrong = [named for named in facts.named if not named.is_base]
    return tuple(f"{named.key} is {named.value}, the base is {facts.search.base.real}" for named in wrong) or None


def line_ends(facts: Facts) -> Evidence:
    cfg = cfg_of(facts)
    return f"{where(facts)}: lines end in a bare CR, which the Windows launcher does not take for an end" if cfg and cfg.cr_only else None


def _windows_only(facts: Facts) -> Severity:
    return at_least("fatal" if is_windows(facts) else "advice")(facts)


def leaking(facts: Facts) -> Evidence:
    """The last resort of this file: packages of the base are seen, and no other damage explains it."""
    if not leaks(facts):
        return None
    return f"packages of the base are visible in {facts.venv}, though {INCLUDE} does not say true"


_EXPLAINED = _BROKEN | HOME | {"cfg-include-missing", "cfg-include-odd", "cfg-bom", "cfg-utf16", "cfg-duplicate-home"}

CHECKS = (
    Check("cfg-include-missing", f"{INCLUDE} is not set", include_missing, at_least("degraded"), FIX, _BROKEN | {"cfg-home-missing"}, causes.of_edited_cfg),
    Check("cfg-include-odd", f"{INCLUDE} is neither true nor false", include_odd, at_least("advice"), FIX, _BROKEN, causes.of_edited_cfg),
    Check("cfg-key-case", "keys are not in lower case", upper_case, _upper_case_severity, FIX, _BROKEN, causes.of_edited_cfg),
    Check("cfg-duplicate-key", "a key stands there twice", duplicates, always("advice"), FIX, _BROKEN, causes.of_edited_cfg),
    Check("cfg-version-mismatch", "the recorded version is not the base's", version, _version_severity, FIX, _BROKEN, causes.of_wrong_home),
    Check("cfg-executable-mismatch", "the recorded executable is not the base's", executable, at_least("advice"), FIX, _BROKEN | HOME, causes.of_wrong_home),
    Check("cfg-line-ends", "lines end in a bare CR", line_ends, _windows_only, FIX, _BROKEN, causes.of_edited_cfg),
    Check("base-packages-visible", "packages of the base leak in", leaking, always("degraded"), FIX, _EXPLAINED),
)
