"""Looking: `diagnose`, and the list of what it can find."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from clinic.checks import CHECKS
from clinic.facts import Facts
from clinic.flow import holding
from clinic.flow.patient import Patient, as_data, changed_since, judge, patient
from clinic.model import Diagnosis, OutcomeWord, Result
from clinic.remedies import stopgap
from clinic.report.progress import Steps
from clinic.settings import Settings


def diagnose(
    settings: Settings,
    venv: str | Path | None = None,
    *,
    archive: bool = False,
    deep: bool = False,
    trust: bool = False,
    progress: Steps | None = None,
) -> Result:
    """Observe, examine, plan; stop there. Changes nothing, but for the document that `archive` asks for.

    `deep` also compares every installed file with its RECORD; `trust` runs its python whoever it belongs to.
    """
    who = replace(patient(settings, venv), trusts_all=trust)
    with ThreadPoolExecutor(1) as pool:  # a look mostly waits
        holding_it = pool.submit(holding.others, settings, who.venv)
        facts = _deep_look(who, progress or Steps()) if deep else who.look(whosever=True)
    diagnosis = judge(who, facts)
    word: OutcomeWord = "sick" if diagnosis.sick else "healthy"
    data = as_data(diagnosis) | changed_since(who, facts)
    if held := holding_it.result():
        data["in_use"] = held
    if serving := stopgap.serving(settings):
        data["stopgap"] = serving
    result = Result("diagnose", word, int(diagnosis.sick), data, notes=who.records.notes())
    return _archived(who, facts, diagnosis, result) if archive else result


def _deep_look(who: Patient, shown: Steps) -> Facts:
    shown.step("Comparing every file with its record")
    return who.look(deep=True, whosever=True, say=lambda done, of: shown.detail(f"{done} of {of} files"))


def _archived(who: Patient, facts: Facts, diagnosis: Diagnosis, result: Result) -> Result:
    """Write the incident document, the quick checklist with it."""
    from clinic.flow.check import quick_checks
    from clinic.report import incident

    checks = () if facts.distrust else quick_checks(who, facts, diagnosis.findings)
    path = incident.write(who.settings.records, replace(result, data={**result.data, "checks": checks}))
    return replace(result, data={**result.data, "incident": path})


def known_damages() -> Result:
    """Every code with its title and its cures."""
    codes = [{"code": check.code, "title": check.title, "cured_by": check.cured_by} for check in CHECKS]
    return Result("diagnose", "healthy", 0, {"codes": codes})
