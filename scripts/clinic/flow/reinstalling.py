"""Reinstalling: exactly the hurt distributions, and surgery for what no installer removes; proved, or put back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clinic.anatomy import lock
from clinic.checks import concerned, examine
from clinic.errors import ClinicError, FailedError, RefusedError
from clinic.facts import Facts, Self
from clinic.flow import holding
from clinic.flow.handover import released
from clinic.flow.patient import Patient, as_data, judge, patient
from clinic.flow.repair import locked, told
from clinic.model import Diagnosis, Finding, Receipt, Result
from clinic.remedies import ground, staging
from clinic.remedies import reinstall as remedy
from clinic.remedies.install import Source
from clinic.remedies.prescribe import Prescription, prescribe, sources
from clinic.report.progress import Steps
from clinic.settings import Settings


def reinstall(  # noqa: PLR0913 - the flags of the command, and what was seen before
    settings: Settings,
    venv: str | Path | None = None,
    *,
    only: Sequence[str] = (),
    wheelhouse: str | Path | None = None,
    dry_run: bool = False,
    progress: Steps | None = None,
    facts: Facts | None = None,
) -> Result:
    """Reinstall what is hurt at its locked or recorded version. `only` are finding codes; else all that makes it sick.

    `facts` are those of a deep look since which nothing was changed: then it is not looked at again.
    Raises RefusedError before anything is touched, FailedError after everything was put back.
    """
    house = ground.wheelhouse(wheelhouse)
    who = patient(settings, venv)
    with locked(who, remedy.NAME, dry_run=dry_run) as recovered:
        run = _Run(who, house, progress or Steps(), notes=[*told(recovered)])
        return run.perform(facts or run.looked(imports=dry_run), only, dry_run=dry_run)


COSTS_NOTHING = frozenset({"leftover-tilde"})
"""Advice that is followed on the way: a rename, and no installer is needed."""


_SEEN_DEEP = frozenset({"dist-files-altered", "pyc-corrupt"})
"""What only a deep look can tell to be gone; new files are verified before they are moved."""


@dataclass
class _Run:
    """One reinstall, step by step."""

    who: Patient
    wheelhouse: Path | None
    shown: Steps
    notes: list[str] = field(default_factory=list)

    def looked(self, *, imports: bool) -> Facts:
        """Look deep; what is imported meanwhile changes no choice."""
        self.shown.step("Comparing every file with its record")
        return self.who.look(imports=imports, deep=True)

    def perform(self, facts: Facts, only: Sequence[str], *, dry_run: bool) -> Result:
        """Choose, fetch, replace, prove."""
        before = judge(self.who, facts)
        codes = [finding.code for finding in _chosen(before.findings, only)]
        if not codes or facts.tree is None or facts.tree.site_packages is None:
            return self._nothing(before)
        chosen = prescribe(facts, codes, facts.tree.site_packages, facts.tree.scripts)
        self.notes += chosen.notes
        if chosen.draft.is_empty:
            return self._nothing(before)
        self.notes += holding.told_or_refused(self.who.settings, self.who.venv)
        if dry_run:
            return self._planned(before, chosen)
        with released(self.who.settings, self.who.venv):
            receipt, after = self._cured(facts, chosen, codes, before.verdict)
        now = judge(self.who, after)
        data = {"before": as_data(before), "after": as_data(now), "receipts": [receipt]}
        return Result(remedy.NAME, "sick" if now.sick else "cured", int(now.sick), data, notes=tuple(self.notes))

    def _nothing(self, before: Diagnosis) -> Result:
        data: dict[str, Any] = {"before": as_data(before), "after": as_data(before), "receipts": []}
        word = "sick" if before.sick else "unchanged"
        return Result(remedy.NAME, word, int(before.sick), data, notes=tuple(self.notes))  # type: ignore[arg-type]

    def _planned(self, before: Diagnosis, chosen: Prescription) -> Result:
        draft = chosen.draft
        steps = [f"move {path} to the stash" for path in draft.aside]
        steps += [f"take dead lines out of {path}" for path, _ in draft.rewritten]
        steps += [f"reinstall {each}" for each in chosen.wanted]
        data = {"before": as_data(before), "plan": steps, "receipts": []}
        left = [f for f in before.findings if f.severity != "advice" and remedy.NAME not in f.cured_by]
        return Result(remedy.NAME, "planned", int(bool(left)), data, notes=tuple(self.notes))

    def _cured(self, facts: Facts, chosen: Prescription, codes: Sequence[str], found: str) -> tuple[Receipt, Facts]:
        """Fetch before anything is touched, where the environment's python can say what fits; else after surgery."""
        draft, names = chosen.draft, sorted(chosen.draft.names)
        with staging.made(draft.venv) if draft.names else nullcontext() as place:
            early = _is_itself(facts)
            prefix = self._fetched(facts, chosen, place) if place and early else None
            with self.who.records.transaction(remedy.NAME, draft.venv, before=found, distributions=names) as change:
                remedy.operate(draft, change)
                if place and prefix is None:
                    facts = self.who.look(imports=False)
                    prefix = self._fetched(facts, chosen, place)
                if prefix:
                    self.shown.step("Putting the new files into their place")
                    remedy.replace(draft, prefix, change)
                self.shown.step("Looking again")
                after = self.who.look(deep=bool(_SEEN_DEEP.intersection(codes)))
                self._must_hold(after, codes, draft.names, was_itself=early)
                return change.commit(), after

    def _fetched(self, facts: Facts, chosen: Prescription, place: staging.Staging) -> remedy.Prefix:
        """Assert whose python it is, then let the installer work beside the environment."""
        if not _is_itself(facts) or not isinstance(facts.me, Self):
            raise RefusedError(
                "not-itself",
                f"The python of {self.who.venv} is not the environment's own, so nothing is installed by it."
                " Nothing was touched.",
                f"invoke fix-cfg{self.who.flags}",
            )
        names = ", ".join(str(each) for each in chosen.wanted)
        self.shown.step(f"Fetching {names}")
        pins = lock.read(self.who.settings.environment.requirements) if self.who.own else ()
        source = Source(place.folder, wheelhouse=self.wheelhouse, prefix=place.folder / "prefix")
        files, bare = sources(chosen, pins, facts.search.base or facts.me.interpreter, source, place.folder)
        if bare:
            self.notes.append(f"no hash can be had for {', '.join(bare)}: RECORD alone vouches for the files")
        prefix, by = self._from(chosen, files, place)
        self.notes.append(f"installed by {by}: {names}")
        return prefix

    def _from(self, chosen: Prescription, files: Sequence[Source], place: staging.Staging) -> tuple[remedy.Prefix, str]:
        """From where the person's settings say; without a network, from what the installer has kept."""
        from dataclasses import replace

        try:
            return remedy.fetch(chosen.draft, files, place.folder, self.shown.detail)
        except ClinicError as error:
            if error.code == remedy.ALTERED:
                self.notes.append(f"the installer's cache is not trusted: {error.message}")
                again = [replace(source, fresh=True) for source in files]
            elif error.code == "no-index" and not self.wheelhouse:
                self.notes.append("no index could be reached, so what the installer had kept was taken")
                again = [replace(source, offline=True) for source in files]
            else:
                raise
            staging.discard(place.folder / "prefix")
            return remedy.fetch(chosen.draft, again, place.folder, self.shown.detail)

    def _must_hold(self, after: Facts, codes: Iterable[str], names: frozenset[str], *, was_itself: bool) -> None:
        """Raise FailedError (and so have everything put back) where what was to be cured is still there.

        A python that did not start as its own before may still not, where another damage is seen to be why.
        """
        if not _is_itself(after) and (was_itself or not _has_another_reason(after)):
            raise _not_held("the environment's python no longer starts as its own", self.who)
        for code in codes:
            still = [name for name in concerned.distributions(code, after) if name in names]
            if still or concerned.in_the_way(code, after):
                raise _not_held(
                    f"{code} is still found ({', '.join(still) or concerned.in_the_way(code, after)[0]})", self.who
                )


def _not_held(why: str, who: Patient) -> FailedError:
    return FailedError(
        "not-proved", f"The reinstall did not hold: {why}. The old state is back.", f"invoke rebuild{who.flags}"
    )


def _is_itself(facts: Facts) -> bool:
    return isinstance(facts.me, Self) and facts.me.is_itself


def _has_another_reason(facts: Facts) -> bool:
    return any(f.severity == "fatal" and remedy.NAME not in f.cured_by for f in examine(facts))


def _chosen(findings: Sequence[Finding], only: Sequence[str]) -> list[Finding]:
    """What is to be cured: what was named, else what makes the patient sick, else what is only advice."""
    mine = [finding for finding in findings if remedy.NAME in finding.cured_by]
    if only:
        return [finding for finding in mine if finding.code in only]
    sick = [finding for finding in mine if finding.severity != "advice"]
    return [finding for finding in mine if finding in sick or finding.code in COSTS_NOTHING] if sick else mine
