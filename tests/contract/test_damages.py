"""docs/damages.md is what `diagnose` can find. Run this file as a module to write it anew."""

from __future__ import annotations

from pathlib import Path

from clinic.checks import CHECKS, Check
from clinic.facts import Facts

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "damages.md"
AGAIN = "PYTHONPATH=scripts python -m tests.contract.test_damages"
HEAD = f"""# Damages

Every damage that `invoke diagnose` can name, in the order in which it looks: root causes first. The same list without
severities: `invoke diagnose --list`. *Counts for* is the least that a damage counts for; where the environment's python
is seen to suffer from it, it counts for more. Advice alone leaves an environment healthy (exit code 0). What no remedy
cures is mended outside of the environment, and `diagnose` says how.

<!-- written by {AGAIN}, from the folder of the repository -->

| code | damage | counts for | cured by |
|---|---|---|---|
"""


def page() -> str:
    """The page as the checks have it."""
    return HEAD + "".join(map(_row, CHECKS))


def _row(check: Check) -> str:
    return f"| `{check.code}` | {check.title} | {_least(check)} | {', '.join(check.cured_by) or 'by hand'} |\n"


def _least(check: Check) -> str:
    """The word of those whose severity no circumstance changes."""
    constant = check.least.__qualname__.startswith("always.")
    return check.least(Facts(ROOT, "missing")) if constant else "what it hurts"


def test_the_page_of_damages_is_what_the_checks_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"docs/damages.md is stale: {AGAIN}"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
