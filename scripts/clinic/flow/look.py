"""Looking: `diagnose`, and the list of what it can find."""

from __future__ import annotations

from pathlib import Path

from clinic.checks import CHECKS
from clinic.flow.patient import as_data, judge, patient
from clinic.model import OutcomeWord, Result
from clinic.settings import Settings


def diagnose(settings: Settings, venv: str | Path | None = None) -> Result:
    """Observe, examine, plan; stop there. Changes nothing."""
    who = patient(settings, venv)
    diagnosis = judge(who, who.look())
    word: OutcomeWord = "sick" if diagnosis.sick else "healthy"
    return Result("diagnose", word, int(diagnosis.sick), as_data(diagnosis), notes=who.records.notes())


def known_damages() -> Result:
    """Every code with its title and its cures."""
    codes = [{"code": check.code, "title": check.title, "cured_by": check.cured_by} for check in CHECKS]
    return Result("diagnose", "healthy", 0, {"codes": codes})
