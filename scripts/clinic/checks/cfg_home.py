"""`home` in pyvenv.cfg: the folder that holds the base interpreter, spelled so that every reader takes it."""

from __future__ import annotations

import re
from collections.abc import Callable

from clinic.anatomy import cfg as grammar
from clinic.anatomy.layout import pure
from clinic.checks import causes
from clinic.checks.base import Check, Evidence, always
from clinic.checks.cfg_form import DEAD, FIX, FORM
from clinic.checks.cfg_text import ENCODING
from clinic.checks.reading import base_is_gone, cfg_of, copies, is_windows, old_start_up, where
from clinic.facts import Facts, Home
from clinic.model import Severity

HOME = frozenset(
    {
        "cfg-home-missing",
        "cfg-home-quoted",
        "cfg-home-unexpanded",
        "cfg-home-relative",
        "cfg-home-comment",
        "cfg-home-is-environment",
        "cfg-home-is-file",
        "cfg-home-gone",
        "cfg-home-not-bin",
        "cfg-home-other-minor",
        "cfg-home-other-base",
    }
)
_UNREADABLE = FORM | {"cfg-truncated", "cfg-duplicate-home"}


def _value(facts: Facts) -> str | None:
    cfg = cfg_of(facts)
    return cfg.first("home") if cfg else None


def _about_home(look: Callable[[Facts, str], Evidence]) -> Callable[[Facts], Evidence]:
    """A check that has nothing to say where there is no `home`."""

    def looked(facts: Facts) -> Evidence:
        value = _value(facts)
        return look(facts, value) if value else None

    return looked


def _about_place(look: Callable[[Facts, Home], Evidence], *, from_afar: bool = False) -> Callable[[Facts], Evidence]:
    """A check on where `home` leads, for values that are proper absolute paths.

    Of another platform's path only its text can be judged: `from_afar` says that this is enough.
    """

    def looked(facts: Facts) -> Evidence:
        home = facts.home
        if home is None or home.is_base or (home.foreign and not from_afar) or _misspelled(facts, home.value):
            return None
        return look(facts, home)

    return looked


def _misspelled(facts: Facts, value: str) -> bool:
    return not value or any(bool(look(facts, value)) for look in (_quoted, _unexpanded, _relative))


def lacking(facts: Facts) -> Evidence:
    """No line `home`, or one without a value."""
    cfg = cfg_of(facts)
    if cfg is None or cfg.first("home"):
        return None
    return f"{where(facts)}: the line 'home' is {'empty' if cfg.all('home') else 'not there'}"


def _quoted(_facts: Facts, value: str) -> Evidence:
    if value[:1] + value[-1:] not in {'""', "''"}:
        return None
    return f"home is {value}: quotes are read as part of the path"


def _unexpanded(facts: Facts, value: str) -> Evidence:
    leads_nowhere = facts.home is None or facts.home.foreign or facts.home.kind == "missing"
    if value.startswith("~") or (leads_nowhere and re.search(r"\$\w|\$\{|%\w+%", value)):
        return f"home is {value}: python expands neither ~ nor variables"
    return None


def _relative(facts: Facts, value: str) -> Evidence:
    platform = facts.tree.platform if facts.tree else "posix"
    if pure(value, platform).is_absolute() or _quoted(facts, value) or _unexpanded(facts, value):
        return None
    return f"home is {value}: it is resolved against the folder a program happens to run in"


def _comment(_facts: Facts, home: Home) -> Evidence:
    return f"home is {home.value}: what follows {home.cut} is read as part of the path" if home.cut else None


def _itself(facts: Facts, home: Home) -> Evidence:
    if not home.inside:
        return None
    spawn = "; the Windows launcher would start itself for ever" if is_windows(facts) else ""
    return f"home is {home.value}, inside the environment itself{spawn}"


def _file(_facts: Facts, home: Home) -> Evidence:
    return f"home is {home.value}, a file; it must name the folder" if home.kind == "file" and not home.inside else None


def _not_bin(_facts: Facts, home: Home) -> Evidence:
    if home.kind not in {"directory", "link"} or home.inside or home.holds or not home.below:
        return None
    return f"home is {home.value}; the interpreter lies in {home.below}"


def _gone(facts: Facts, home: Home) -> Evidence:
    if home.inside or home.cut or home.kind == "file" or home.holds or base_is_gone(facts):
        return None
    if home.kind in {"missing", "dangling-link", "unreadable"}:
        return f"home is {home.value}, which is not there"
    return None if home.below else f"home is {home.value}, which holds no interpreter that answers"


def _other_minor(facts: Facts, home: Home) -> Evidence:
    found = home.holds.flavour if home.holds else home.named_flavour
    if found is None or facts.flavour is None or found == facts.flavour:
        return None
    return f"home is {home.value}: Python {found}; the environment's packages are for {facts.flavour}"


def _other_base(facts: Facts, home: Home) -> Evidence:
    base = facts.search.base
    if home.holds is None or (facts.flavour and home.holds.flavour != facts.flavour):
        return None
    if home.holds.is_environment and not old_start_up(facts):
        return f"home is {home.value}, which is itself an environment, not a base"
    if base is None or home.holds.real == base.real or home.holds.is_environment:
        return None
    return f"home is {home.value}, but {facts.search.proof}"


def _luck(facts: Facts) -> Severity:
    # POSIX builds climb from here to where they need to be; the Windows launcher does not (exit code 103).
    return "fatal" if is_windows(facts) else "advice"


def _masked(facts: Facts) -> Severity:
    # A fixed base masks a wrong home in silence; a relocated one, a copy and every tool that reads home do not.
    return "fatal" if is_windows(facts) else "degraded"


def _home_check(
    code: str,
    title: str,
    look: Callable[[Facts], Evidence],
    least: Callable[[Facts], Severity] = _masked,
) -> Check:
    return Check(code, title, look, least, FIX, _UNREADABLE | {"base-broken"}, causes.of_wrong_home, DEAD)


def decoy(facts: Facts) -> Evidence:
    """A `home` ahead of the real one, which the Windows launcher takes."""
    cfg = cfg_of(facts)
    value = _value(facts)
    if cfg is None or not value or cfg.encoding.startswith("utf-16"):
        return None
    at = next(index for index, line in enumerate(cfg.lines) if line.name == "home" and not line.is_comment)
    ahead = next((line.text for line in cfg.lines[:at] if "home" in line.text), None)
    if ahead is None or (is_windows(facts) and grammar.launcher_home(cfg.raw) == value):
        return None
    shown = repr(ahead.strip()[:80])
    return f"{where(facts)}: {shown} stands ahead of home, and the Windows launcher takes the first 'home'"


def unspaced(facts: Facts) -> Evidence:
    """`home=x` is enough for all readers but the start-up code in C, which a copy of 3.10 or older depends on."""
    cfg = cfg_of(facts)
    if cfg is None or not copies(facts) or not old_start_up(facts):
        return None
    line = next((line for line in cfg.pairs if line.name == "home"), None)
    if line is None or re.match(r"\s*\S+\s+=\s", line.text):
        return None
    return f"{where(facts)}: {line.text.strip()!r} has no blanks around '='; copies of Python up to 3.10 need them"


CHECKS = (
    _home_check("cfg-home-missing", "home is not set", lacking),
    _home_check("cfg-home-quoted", "home is quoted", _about_home(_quoted)),
    _home_check("cfg-home-unexpanded", "home holds ~ or a variable", _about_home(_unexpanded)),
    _home_check("cfg-home-relative", "home is relative", _about_home(_relative)),
    _home_check("cfg-home-comment", "home is followed by a comment", _about_place(_comment, from_afar=True), _luck),
    _home_check("cfg-home-is-environment", "home names the environment itself", _about_place(_itself, from_afar=True)),
    _home_check("cfg-home-is-file", "home names a file", _about_place(_file, from_afar=True)),
    _home_check("cfg-home-gone", "home leads to no interpreter", _about_place(_gone)),
    _home_check(
        "cfg-home-not-bin", "home names a prefix, not its folder of executables", _about_place(_not_bin), _luck
    ),
    _home_check("cfg-home-other-minor", "home names another minor version", _about_place(_other_minor, from_afar=True)),
    _home_check("cfg-home-other-base", "home names another base interpreter", _about_place(_other_base)),
    Check(
        "cfg-home-decoy",
        "a 'home' stands ahead of the real one",
        decoy,
        _luck,
        FIX,
        _UNREADABLE | HOME,
        causes.of_edited_cfg,
        DEAD,
    ),
)

SPACING = (
    Check(
        "cfg-home-spacing",
        "home is spelled as this interpreter does not read it",
        unspaced,
        always("degraded"),
        FIX,
        _UNREADABLE | HOME | ENCODING | {"cfg-key-case"},
        causes.of_edited_cfg,
        DEAD,
    ),
)
