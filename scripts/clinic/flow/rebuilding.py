"""Rebuilding: look, decide, build beside, prove, swap, look again; or leave everything as it was."""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clinic import fs
from clinic.anatomy import layout
from clinic.anatomy.there import is_folder
from clinic.errors import ClinicError, FailedError, RefusedError
from clinic.facts import Facts
from clinic.flow import drafting, holding, server_again
from clinic.flow.drafting import Case, Choice, Packages, Wish
from clinic.flow.handover import Handover
from clinic.flow.patient import Patient, as_data, judge, patient, refuse_whole_python
from clinic.flow.repair import damage, locked, told
from clinic.model import Diagnosis, Receipt, Result
from clinic.observe import Whole, observe
from clinic.remedies import ground, path_length, proof, staging
from clinic.remedies import rebuild as remedy
from clinic.remedies.rebuild import Built, Draft, Shown
from clinic.report.progress import Steps
from clinic.settings import Settings


def rebuild(  # noqa: PLR0913 - the flags of the command
    settings: Settings,
    venv: str | Path | None = None,
    *,
    python: str | None = None,
    requirements: str | Path | None = None,
    wheelhouse: str | Path | None = None,
    no_hashes: bool = False,
    as_installed: bool = False,
    yes: bool = False,
    offline: bool = False,
    dry_run: bool = False,
    progress: Shown | None = None,
    serves: bool = True,
) -> Result:
    """A new environment from the lock in the place of the old one, which is kept for `invoke undo`.

    With `serves`, a server that is wanted and was down while the environment was damaged is started.
    Raises RefusedError before anything is touched, FailedError after everything was put back.
    """
    ready = _imported_early("virtualenv.run")
    wish = Wish(python, _absolute(requirements), _absolute(wheelhouse), not no_hashes, as_installed, yes, offline)
    return _Run(settings, venv, wish, progress or Steps(), ready, serves=serves).perform(dry_run=dry_run)


def _imported_early(module: str) -> Callable[[], None]:
    """Import while the patient is looked at, which mostly waits; what is returned waits for the import.

    It must be waited for before anybody else imports of that package: two threads in one circle of imports are each
    given what the other has half done (seen: one run in five).
    """

    def work() -> None:
        with contextlib.suppress(ImportError):  # whoever needs it will say so
            importlib.import_module(module)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread.join


def _absolute(path: str | Path | None) -> Path | None:
    return Path(path).expanduser().absolute() if path is not None else None


@dataclass
class _Run:
    """One rebuild, step by step; each step leaves what the next needs."""

    settings: Settings
    venv: str | Path | None
    wish: Wish
    shown: Shown
    ready: Callable[[], None]
    """Waits for what is imported meanwhile."""
    serves: bool

    def perform(self, *, dry_run: bool) -> Result:
        path = drafting.requirements(self.settings, self.wish)
        who = patient(self.settings, self.venv)
        ground.refuse_unsafe(who.venv, self.settings, own=who.own, yes=self.wish.yes)
        with locked(who, remedy.NAME, dry_run=dry_run) as recovered:
            case, whole = self._decided(who, path)
            held = holding.told_or_refused(self.settings, case.who.venv)
            if dry_run:
                return _planned(case, judge(case.who, whole()), held)
            with (
                locked(case.who, remedy.NAME, dry_run=False) as more,  # it may just have been named for its base
                staging.made(case.who.venv) as place,
            ):
                return self._done(case, place, whole, (*told([*recovered, *more]), *held))

    def _decided(self, who: Patient, path: Path) -> tuple[Case, Whole]:
        """Look, choose the interpreter; a first environment is named for it. What its python says is not waited for."""
        self.shown.step("Looking at what is there")
        later: list[Whole] = []
        facts = who.look(later=later)
        choice = drafting.choose(self.settings, facts, self.wish.python, who.known.base)
        free = self.venv is None and self.settings.environment.path is None
        if free and layout.locate(self.settings.root, None) is None:
            who = replace(who, venv=layout.named_for(self.settings.root, choice.base.flavour))
            refuse_whole_python(who.venv)
            facts = who.look(later=later)
        return Case(who, facts, choice, path, self.wish), later[-1] if later else lambda: facts

    def _done(self, case: Case, place: staging.Staging, whole: Whole, notes: tuple[str, ...]) -> Result:
        who, choice = case.who, case.choice
        chosen = drafting.packages(case, place.folder)
        _refuse_long(case, chosen)
        draft = drafting.draft(case, chosen)
        self.ready()
        built = remedy.build(draft, place, self.shown)
        case = replace(case, facts=whole())  # not later: Windows moves no folder that a python runs from
        was = judge(who, case.facts)
        receipt, after = self._swapped(case, draft, built, was)
        removed = who.records.expire(who.venv)
        data = {
            "before": as_data(was),
            "after": as_data(after),
            "receipts": [receipt],
            **_story(choice, chosen, built, receipt),
            "removed": removed,
        }
        notes += (
            f"interpreter: {choice.base.executable} ({choice.base.dotted}), {choice.why}",
            *chosen.notes,
            *built.notes,
        )
        done, error = server_again.after_damage(who, was, after, self.shown) if self.serves else (None, None)
        if done:
            data["server"] = done
        if error:
            return Result(remedy.NAME, "failed", 1, data, (error,), notes=notes)
        return Result(remedy.NAME, "sick" if after.sick else "cured", int(after.sick), data, notes=notes)

    def _swapped(self, case: Case, draft: Draft, built: Built, was: Diagnosis) -> tuple[Receipt, Diagnosis]:
        """The swap, a last look, and the server's restart; put back if any of these fails."""
        server = Handover(self.settings, case.who.venv)
        with server.told():
            return self._handed_over(case, draft, built, was, server)

    def _handed_over(
        self, case: Case, draft: Draft, built: Built, was: Diagnosis, server: Handover
    ) -> tuple[Receipt, Diagnosis]:
        who, base = case.who, str(draft.base.executable)
        self.shown.step("Putting it into its place")
        server.before()
        change = who.records.transaction(remedy.NAME, who.venv, base=base, **damage(case.facts, was))
        try:
            with change:
                remedy.swap(change, built)
                after = judge(who, _look(who, draft))
                _must_be_well(after)
                change.proved()
                if server.running:
                    self.shown.step("Restarting the server")
                    server.after()
                return change.commit(), after
        except BaseException as error:
            if change.entry.steps and change.entry.state != "restored":
                raise  # it says itself that it could not be put back: nothing is to be started from what lies there
            told_of_server = server.back()
            if not isinstance(error, ClinicError):
                raise
            raise FailedError(
                error.code, f"{error.message} The old environment is back.{told_of_server}", error.hint
            ) from error


def _refuse_long(case: Case, chosen: Packages) -> None:
    """Where the old environment has the same files, their length is known before anything is built."""
    most = path_length.limit()
    if most is None:
        return
    who, tree = case.who, case.facts.tree
    installed = tree.site_packages.glob("*.dist-info") if tree and tree.site_packages else ()
    same = [folder for folder in installed if proof.named(folder) in chosen.wanted]
    home = staging.planned(who.venv).root
    if found := path_length.too_long(path_length.installed_files(who.venv, same, home), most):
        raise RefusedError(
            path_length.CODE,
            f"While the new environment is made, {path_length.message(found)}. Nothing was touched.",
            path_length.hint(found[1]),
        )


def _planned(case: Case, before: Diagnosis, held: tuple[str, ...]) -> Result:
    from tempfile import TemporaryDirectory

    who, base = case.who, case.choice.base
    with TemporaryDirectory(prefix="clinic-") as folder:
        chosen = drafting.packages(case, Path(folder))
    _refuse_long(case, chosen)
    count = len(chosen.wanted)
    steps = [
        f"make an environment of {base.executable} ({base.dotted}) beside {who.venv}: {case.choice.why}",
        f"install {count} distribution{'s' if count != 1 else ''} of {case.path}",
        *(f"carry over {each}" for each in drafting.draft(case, chosen).foreign),
        "prove it, keep the old one in the stash, put the new one into its place",
        *(["restart the server"] if Handover(who.settings, who.venv).running else []),
    ]
    data = {"before": as_data(before), "plan": steps, "drift": chosen.drift.as_json(), "receipts": []}
    return Result(remedy.NAME, "planned", 0, data, notes=(*chosen.notes, *held))


def _look(who: Patient, draft: Draft) -> Facts:
    """The look at the final path. Imports were tried a moment ago on the very same files; a rename changes none."""
    return observe(
        who.venv,
        locked=lambda _flavour: draft.expected.distributions,
        base=draft.base.executable,
        wants_system_site=draft.include,
    )


def _must_be_well(after: Diagnosis) -> None:
    """What a rebuild could have cured speaks against the new environment."""
    against = [f for f in after.findings if f.severity != "advice" and remedy.NAME in f.cured_by]
    if against:
        raise FailedError(
            "not-proved", f"The new environment did not hold at its place: {against[0].evidence[0]}.", "invoke diagnose"
        )


def _story(choice: Choice, chosen: Packages, built: Built, receipt: Receipt) -> dict[str, Any]:
    kept = receipt.stash
    return {
        "interpreter": {"executable": choice.base.executable, "version": choice.base.dotted, "why": choice.why},
        "installer": built.installer,
        "drift": chosen.drift.as_json(),
        "without_hash": list(chosen.unhashed),
        "carried": list(built.kept.carried),
        "left": [{"path": path, "why": why} for path, why in built.kept.left],
        "kept": {"path": kept, "bytes": fs.size_of(kept)} if kept and is_folder(kept) else None,
    }
