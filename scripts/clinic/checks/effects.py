"""How the environment as a whole fares: by what its own python said, or by what the Windows launcher would do.

Severity is what a damage really does here. A wrong line that this interpreter never reads is advice at most.
"""

from __future__ import annotations

from typing import Literal

from clinic.anatomy import cfg as grammar
from clinic.anatomy.layout import pure
from clinic.checks.reading import cfg_of, is_windows
from clinic.facts import Facts, Self, Silence

Effect = Literal["dead", "stranger", "leak"]
"""Its python does not start; it starts as another one; it sees packages of the base that nobody asked for."""


def effects(facts: Facts) -> frozenset[Effect]:
    """Everything that goes wrong with the environment's python, whatever the reason."""
    if isinstance(facts.me, Silence):
        return frozenset({"dead"})
    if isinstance(facts.me, Self):
        if not facts.me.is_itself:
            return frozenset({"stranger"})
        return frozenset({"leak"}) if leaks(facts) else frozenset()
    return _by_the_launcher(facts) if is_windows(facts) else frozenset()


def leaks(facts: Facts) -> bool:
    """Whether the base's packages are visible though nobody asked for them."""
    return isinstance(facts.me, Self) and facts.me.base_site_visible and not wants_base_packages(facts)


def wants_base_packages(facts: Facts) -> bool:
    """Whether the base's packages are meant to be seen: by what knows it, else by the cfg's own explicit word."""
    if facts.wants_system_site is not None:
        return facts.wants_system_site
    cfg = cfg_of(facts)
    return (cfg.last("include-system-site-packages") or "").lower() == "true" if cfg else False


def _by_the_launcher(facts: Facts) -> frozenset[Effect]:
    """A Windows environment read from another platform: its launcher and site.py, worked out (measured)."""
    raw = facts.cfg.raw if facts.cfg else None
    if raw is None or len(raw) > grammar.SIZE_LIMIT:
        return frozenset({"dead"})
    home = grammar.launcher_home(raw)
    includes = grammar.site_includes_base(raw)
    if not home or includes is None or not _can_lead_somewhere(facts, home):
        return frozenset({"dead"})
    return frozenset({"leak"}) if includes and not wants_base_packages(facts) else frozenset()


def _can_lead_somewhere(facts: Facts, home: str) -> bool:
    path = pure(home, "windows")
    own = facts.home is not None and facts.home.inside
    return path.is_absolute() and path.suffix.lower() != ".exe" and not own and not set(home) & set("\"'#;%")
