"""Rescripting: a moved or copied environment made to name its own place; proved, or put back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from clinic.anatomy import layout
from clinic.errors import FailedError, RefusedError
from clinic.facts import Facts, Self
from clinic.flow.patient import Patient, as_data, judge, patient
from clinic.flow.repair import locked, told
from clinic.model import Diagnosis, Finding, Receipt, Result
from clinic.remedies import rescript as remedy
from clinic.remedies import settle, staging
from clinic.report.progress import Steps
from clinic.settings import Settings


def rescript(
    settings: Settings,
    venv: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    dry_run: bool = False,
    progress: Steps | None = None,
) -> Result:
    """Make its own files name where it lies. `only` are finding codes; else all that it cures.

    Raises RefusedError before anything is touched. What does not hold is put back, and the result says so.
    """
    who = patient(settings, venv)
    with locked(who, remedy.NAME, dry_run=dry_run) as recovered:
        return _Run(who, progress or Steps(), list(told(recovered))).perform(only, dry_run=dry_run)


@dataclass
class _Run:
    """One rescripting, step by step."""

    who: Patient
    shown: Steps
    notes: list[str] = field(default_factory=list)

    def perform(self, only: Sequence[str], *, dry_run: bool) -> Result:
        facts = self.who.look(imports=dry_run)
        before = judge(self.who, facts)
        codes = [finding.code for finding in _chosen(before.findings, only)]
        if not codes:
            return self._nothing(before)
        self._refuse(facts)
        plan = remedy.draft(facts, lambda: self._fresh(facts))
        self.notes += plan.stuck
        if not plan.changed:
            return self._nothing(before)
        if dry_run:
            return self._planned(before, plan)
        self.shown.step(f"Rewriting {len(plan.changed)} files")
        receipt, after, objection = remedy.apply(
            plan, self.who.records, lambda: self._holding(codes, plan), before=before.verdict
        )
        if objection:
            return self._put_back(before, receipt, objection)
        self.notes += _strangers(plan, facts)
        now = judge(self.who, after)
        data = {"before": as_data(before), "after": as_data(now), "receipts": [receipt]}
        return Result(remedy.NAME, "sick" if now.sick else "cured", int(now.sick), data, notes=tuple(self.notes))

    def _refuse(self, facts: Facts) -> None:
        """Only the environment's own python can prove the new scripts."""
        if facts.tree is not None and facts.tree.platform != layout.here():
            raise RefusedError(
                "other-platform",
                f"{self.who.venv} is an environment of another platform ({facts.tree.platform}),"
                " so nothing here can prove its scripts. Nothing was touched.",
                "run invoke heal on the machine that it is for",
            )
        if not isinstance(facts.me, Self) or not facts.me.is_itself:
            raise RefusedError(
                "not-itself",
                f"The python of {self.who.venv} is not the environment's own, so no script can start it."
                " Nothing was touched.",
                f"invoke heal{self.who.flags}",
            )

    def _fresh(self, facts: Facts) -> dict[str, bytes]:
        """What virtualenv writes for activation at this path, by name in lower case; made beside, and thrown away."""
        base = facts.search.base
        if base is None:
            return {}
        with staging.made(facts.venv) as place:
            staging.create(place, base, include=False, prompt=facts.tree.prompt if facts.tree else None)
            folder = layout.scripts_folder(place.root, layout.here())
            made = {path.name.lower(): path.read_bytes() for path in folder.glob("*ctivate*") if path.is_file()}
        settled = {name: settle.settled(data, place.segment) for name, data in made.items()}
        return {name: data for name, data in settled.items() if data is not None}

    def _holding(self, codes: Iterable[str], plan: remedy.Draft) -> Facts:
        """Look again; raise (and so have everything put back) where what was to be cured is still found."""
        self.shown.step("Looking again")
        after = self.who.look()
        left = [finding for finding in judge(self.who, after).findings if finding.code in codes]
        if left and not plan.stuck:
            raise FailedError(
                "not-proved",
                f"The new scripts did not hold: {left[0].evidence[0]}. The old state is back.",
                f"invoke rebuild{self.who.flags}",
            )
        return after

    def _nothing(self, before: Diagnosis) -> Result:
        data = {"before": as_data(before), "after": as_data(before), "receipts": []}
        word = "sick" if before.sick else "unchanged"
        return Result(remedy.NAME, word, int(before.sick), data, notes=tuple(self.notes))  # type: ignore[arg-type]

    def _planned(self, before: Diagnosis, plan: remedy.Draft) -> Result:
        data = {"before": as_data(before), "plan": plan.steps, "receipts": []}
        left = [f for f in before.findings if f.severity != "advice" and remedy.NAME not in f.cured_by]
        return Result(remedy.NAME, "planned", int(bool(left)), data, notes=tuple(self.notes))

    def _put_back(self, before: Diagnosis, receipt: Receipt, objection: str) -> Result:
        error = FailedError(
            "not-proved",
            f"The new scripts did not hold: {objection}. The old state is back.",
            f"invoke rebuild{self.who.flags}",
        )
        data = {"before": as_data(before), "after": as_data(before), "receipts": [receipt]}
        return Result(remedy.NAME, "failed", 1, data, (error,), notes=tuple(self.notes))


def _chosen(findings: Sequence[Finding], only: Sequence[str]) -> list[Finding]:
    return [f for f in findings if remedy.NAME in f.cured_by and (not only or f.code in only)]


def _strangers(plan: remedy.Draft, facts: Facts) -> list[str]:
    """Scripts of nobody that were changed too: people are told, and find the old ones in the stash."""
    mine = {each.path for each in facts.places.scripts if each.owner}
    names = [path.name for path in plan.scripts if path not in mine]
    return [f"scripts that no distribution owns start from here now, too: {', '.join(names)}"] if names else []
