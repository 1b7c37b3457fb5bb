"""The keys of pyvenv.cfg: each there once, in lower case, and true."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from clinic.checks import causes
from clinic.checks.base import Check, Evidence, always
from clinic.checks.cfg_form import DEAD, FIX, FORM, INCLUDE
from clinic.checks.cfg_home import HOME
from clinic.checks.effects import Effect, leaks, wants_base_packages
from clinic.checks.reading import base_is_gone, cfg_of, copies, is_windows, old_start_up, where
from clinic.facts import Facts
from clinic.model import Severity

_BROKEN = FORM | {"cfg-truncated", "cfg-oversized"}
_LEAK: frozenset[Effect] = frozenset({"leak"})


def include_missing(facts: Facts) -> Evidence:
    """No line for the system-site choice."""
    cfg = cfg_of(facts)
    if cfg is None or cfg.all(INCLUDE):
        return None
    seen = " (seen: they do)" if leaks(facts) else ""
    return f"{where(facts)}: no line '{INCLUDE}'; absent means true, so the base's packages leak in{seen}"


def include_odd(facts: Facts) -> Evidence:
    """A choice that is neither true nor false."""
    cfg = cfg_of(facts)
    value = cfg.last(INCLUDE) if cfg else None
    if value is None or value.lower() in {"true", "false"}:
        return None
    return f"{INCLUDE} is {value!r}: only the word 'true' means true, so this is read as false"


def include_flipped(facts: Facts) -> Evidence:
    """A choice that is not the one that is known to be meant."""
    cfg = cfg_of(facts)
    value = (cfg.last(INCLUDE) or "").lower() if cfg else ""
    wanted = facts.wants_system_site
    if wanted is None or value not in {"true", "false"} or (value == "true") == wanted:
        return None
    return f"{where(facts)}: {INCLUDE} is {value}, by the settings or the last snapshot it is {str(wanted).lower()}"


_CASED = frozenset({"home", INCLUDE, "version", "version_info", "executable", "command", "prompt", "base-executable"})


def upper_case(facts: Facts) -> Evidence:
    """Known keys in capitals."""
    cfg = cfg_of(facts)
    odd = [line.key for line in cfg.pairs if line.key and line.name in _CASED and line.key != line.name] if cfg else []
    if not odd:
        return None
    return f"{where(facts)}: keys not in lower case: {', '.join(odd)}; uv and the Windows launcher miss them"


def _upper_case_severity(facts: Facts) -> Severity:
    if is_windows(facts):
        return "fatal"
    # A copy made by 3.10 or older takes `home` in lower case only (measured); everyone else lower-cases it.
    return "degraded" if copies(facts) and old_start_up(facts) else "advice"


def duplicate_home(facts: Facts) -> Evidence:
    """More than one line `home`."""
    return _repeated(facts, lambda name: name == "home")


def _duplicate_home_severity(facts: Facts) -> Severity:
    # getpath and the launcher take the first home; where that is the true one, the others do no harm (measured).
    cfg = cfg_of(facts)
    true = cfg is not None and (len(set(cfg.all("home"))) == 1 or (facts.home is not None and facts.home.is_base))
    return "advice" if true else "degraded"


def duplicate_include(facts: Facts) -> Evidence:
    """More than one line for the system-site choice."""
    return _repeated(facts, lambda name: name == INCLUDE)


def _duplicate_include_severity(facts: Facts) -> Severity:
    # The last one counts for every reader (measured): contradicted and true, it lets in what another line keeps out.
    values = {value.lower() for value in cfg.all(INCLUDE)} if (cfg := cfg_of(facts)) else set()
    return "degraded" if len(values) > 1 and wants_base_packages(facts) else "advice"


def duplicates(facts: Facts) -> Evidence:
    """Any other key that stands there more than once."""
    return _repeated(facts, lambda name: name not in {"home", INCLUDE})


def _repeated(facts: Facts, wanted: Callable[[str], bool]) -> Evidence:
    cfg = cfg_of(facts)
    if cfg is None:
        return None
    often = [name for name, count in Counter(line.name for line in cfg.pairs).items() if count > 1 and wanted(name)]
    said = [(name, cfg.all(name)) for name in often]
    return (
        tuple(f"{where(facts)}: {name} stands there {len(all_)} times: {', '.join(all_)}" for name, all_ in said)
        or None
    )


def version(facts: Facts) -> Evidence:
    """A recorded version that is not the base's."""
    cfg, real = cfg_of(facts), _real_version(facts)
    if cfg is None or not real or base_is_gone(facts):
        return None
    wrong = [
        (key, value) for key in ("version", "version_info") for value in cfg.all(key) if not version_agrees(value, real)
    ]
    return tuple(f"{key} is {value}, the base is {'.'.join(map(str, real))}" for key, value in wrong) or None


def _real_version(facts: Facts) -> tuple[int, ...]:
    """The base's; where it is not known, what the Windows launcher carries, or the minor version by the evidence."""
    if facts.search.base:
        return facts.search.base.version
    if facts.tree and facts.tree.patch:
        return facts.tree.patch
    return (facts.flavour.major, facts.flavour.minor) if facts.flavour else ()


def version_agrees(text: str, real: tuple[int, ...]) -> bool:
    """Whether a recorded version is the real one, at the precision of both (uv's rule: the minor alone is fine)."""
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+)(?!\d))?", text, re.ASCII)
    if not match:
        return False
    # 3.15.0b1, 3.13.0+ and 3.13.0.final.0 carry more than the release.
    told = tuple(int(part) for part in match.groups() if part is not None)
    if len(told) == 2 and text[match.end() :].strip():  # noqa: PLR2004 - the minor alone, and something after it
        return False
    return all(one == other for one, other in zip(told, real, strict=False))


def executable(facts: Facts) -> Evidence:
    """A recorded executable that is not the base's."""
    if facts.search.base is None or base_is_gone(facts):
        return None
    wrong = [named for named in facts.named if not named.is_base]
    return tuple(f"{named.key} is {named.value}, the base is {facts.search.base.real}" for named in wrong) or None


def leaking(facts: Facts) -> Evidence:
    """Packages of the base are seen, and no other damage explains it."""
    if not leaks(facts):
        return None
    return f"packages of the base are visible in {facts.venv}, though nobody asked for them"


_EDITED, _WRONG = causes.of_edited_cfg, causes.of_wrong_home
_NONE: frozenset[Effect] = frozenset()
_ADVICE = always("advice")
_DEGRADED = always("degraded")

DUPLICATES = (
    Check(
        "cfg-duplicate-home",
        "home stands there twice",
        duplicate_home,
        _duplicate_home_severity,
        FIX,
        FORM | {"cfg-truncated"},
        _EDITED,
        DEAD,
    ),
    Check(
        "cfg-duplicate-include",
        "the system-site choice stands there twice",
        duplicate_include,
        _duplicate_include_severity,
        FIX,
        FORM | {"cfg-truncated"},
        _EDITED,
        _LEAK,
    ),
)

CHECKS = (
    Check(
        "cfg-include-missing",
        f"{INCLUDE} is not set",
        include_missing,
        _DEGRADED,
        FIX,
        _BROKEN | {"cfg-home-missing"},
        _EDITED,
        _LEAK,
    ),
    Check("cfg-include-odd", f"{INCLUDE} is neither true nor false", include_odd, _ADVICE, FIX, _BROKEN, _EDITED),
    Check(
        "cfg-include-flipped",
        f"{INCLUDE} is not what is meant",
        include_flipped,
        _DEGRADED,
        FIX,
        _BROKEN | {"cfg-duplicate-include"},
        _EDITED,
        _LEAK,
    ),
    Check("cfg-key-case", "keys are not in lower case", upper_case, _upper_case_severity, FIX, _BROKEN, _EDITED, DEAD),
    Check("cfg-duplicate-key", "a key stands there twice", duplicates, _ADVICE, FIX, _BROKEN, _EDITED),
    Check(
        "cfg-version-mismatch",
        "the recorded version is not the base's",
        version,
        _ADVICE,
        FIX,
        _BROKEN | {"base-broken"},
        _WRONG,
    ),
    Check(
        "cfg-executable-mismatch",
        "the recorded executable is not the base's",
        executable,
        _ADVICE,
        FIX,
        _BROKEN | HOME | {"base-broken"},
        _WRONG,
    ),
)
LEAKING = (Check("base-packages-visible", "packages of the base leak in", leaking, _DEGRADED, FIX, echo_of="leak"),)
