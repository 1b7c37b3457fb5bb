"""Whatever is done with a journal, in whatever order, killed and with full disks: nothing of a user's is lost.

A state machine of hypothesis over the real journal and real folders. Its first run against a new journal is worth more
than any list of cases: it found each of the losses for which the journal of the first format was replaced.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.journal.world import (
    ENV,
    KINDS,
    Fault,
    Journal,
    Kind,
    Outcome,
    Today,
    Tree,
    make,
    notes,
    plant,
    run,
    state,
    tree,
)

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a child is forked for each run, to be really killed")

JOURNAL: Callable[[Path], Journal] = Today
FAULTS = st.one_of(
    st.just(Fault()),
    st.builds(Fault, st.just("kill"), st.integers(1, 40)),
    st.builds(Fault, st.sampled_from(["full", "full-from"]), st.integers(1, 16)),
)

LOCK = f".{ENV}.lock"
AS_BEFORE = "Everything is as it was before"


class Project:
    """One project, and what must hold of it."""

    def __init__(self, root: Path, tokens: set[str], states: set[str]) -> None:
        self.root, self.tokens, self.states = root, tokens, states
        self.befores: dict[str, str] = {}
        """The state before each repair, by its id: what an undo of it must come to."""

    @property
    def venv(self) -> Path:
        return self.root / ENV

    @property
    def journal(self) -> Journal:
        return JOURNAL(self.root)

    def around(self) -> Tree:
        """What is no environment, no record and no backup: nobody's business here."""
        ours = (ENV, LOCK, ".clinic", ".clinic-01234567", ".clinic-stash")
        return {name: what for name, what in tree(self.root).items() if not name.startswith(ours)}

    def saved(self) -> str:
        """Everything in the environment and in the backups that are listed."""
        places = [self.venv, *self.journal.listed()]
        return "\n".join(content for place in places if place.exists() for _, content in tree(place).values())


class Machine(RuleBasedStateMachine):
    """What people, kills and full disks do to projects."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        self.numbers = itertools.count(1)
        self.projects: list[Project] = []
        root = self.folder / "orig"
        (root / "src").mkdir(parents=True)
        (root / "src" / "thesis.txt").write_text("years of work", "utf-8")
        make(root / ENV, self.token())
        self.projects.append(Project(root, set(), {state(root / ENV)}))

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def token(self) -> str:
        return str(next(self.numbers))

    def pick(self, which: int) -> Project:
        return self.projects[which % len(self.projects)]

    def act(self, project: Project, work: Callable[[], Any], fault: Fault) -> Outcome:
        """Run it, and see that nothing but this project's environment and records has changed by it."""
        others = {each.root: tree(each.root) for each in self.projects if each is not project}
        around = project.around()
        outcome = run(work, fault)
        assert {root: tree(root) for root in others} == others, "another project was changed"
        assert project.around() == around
        assert outcome.kind == "killed" or not (project.root / LOCK).exists()
        assert outcome.kind != "failed" or outcome.said[0] != "bug", outcome
        return outcome

    # What the suite does

    @rule(which=st.integers(0, 3), kind=st.sampled_from(KINDS), fault=FAULTS, holds=st.booleans())
    def repair(self, which: int, kind: Kind, fault: Fault, holds: bool) -> None:
        project, token = self.pick(which), self.token()
        if not project.venv.is_dir() and kind != "rebuild":
            return
        self.recovered(project)
        before = state(project.venv)
        outcome = self.act(project, lambda: project.journal.repair(kind, token, holds=holds), fault)
        after = state(project.venv)
        if outcome.kind == "done" and outcome.said:
            project.states.add(after)
            project.befores[outcome.said] = before
        elif outcome.kind == "done" or (outcome.kind == "failed" and AS_BEFORE in outcome.said[1]):
            assert after == before, f"put back, it says: {outcome}"
        if outcome.kind != "killed":
            self.act(project, project.journal.recover, Fault())
            if outcome.kind == "done" or AS_BEFORE in outcome.said[1]:
                assert state(project.venv) == after, f"what was done ({outcome}) was taken away by the next run"
            return
        if holds:
            self.act(project, project.journal.recover, Fault())
            if state(project.venv) != before:
                project.states.add(self.finished(project, kind, token))

    def finished(self, project: Project, kind: Kind, token: str) -> str:
        """A killed repair that does not come out as before must have come out whole."""
        found = state(project.venv)
        wanted = {"fix-cfg": [f"home = {token}"], "relink": [f"/base/{token}", f"home = {token}"]}
        wanted |= {"reinstall": [f"a of {token}", f"b of {token}"], "rebuild": [f"/base/{token}", f"b of {token}"]}
        assert all(text in found for text in wanted[kind]), found
        return found

    def recovered(self, project: Project) -> None:
        if project.journal.is_pending():
            self.act(project, project.journal.recover, Fault())

    @rule(which=st.integers(0, 3))
    def recover(self, which: int) -> None:
        project = self.pick(which)
        self.act(project, project.journal.recover, Fault())

    @rule(which=st.integers(0, 3), fault=FAULTS)
    def undo(self, which: int, fault: Fault) -> None:
        """And once more if it was killed: a person saw nothing, and types it again."""
        project = self.pick(which)
        pending, now = project.journal.is_pending(), state(project.venv)
        wanted = {now, project.befores.get(project.journal.newest(), "")}
        known = "" not in wanted
        outcome = self.act(project, project.journal.undo, fault)
        if outcome.kind == "killed":
            outcome = self.act(project, project.journal.undo, Fault())
        if pending and outcome.kind == "done":
            assert outcome.said is None, "what was interrupted was put back, and that is enough for one time"
        elif known and not pending:
            assert state(project.venv) in wanted, "undo went too far"

    @rule(which=st.integers(0, 3), number=st.integers(0, 30), fault=FAULTS)
    def undo_by_id(self, which: int, number: int, fault: Fault) -> None:
        """Redo is the undo of an undo."""
        project = self.pick(which)
        if ids := project.journal.ids():
            self.act(project, lambda: project.journal.undo(ids[-1 - number % len(ids)]), fault)

    # What people do

    @rule(which=st.integers(0, 3), place=st.sampled_from([".", "lib/site/pkg", "bin"]))
    def write_notes(self, which: int, place: str) -> None:
        project, token = self.pick(which), f"words of {self.token()}."
        if (project.venv / place).is_dir():
            (project.venv / place / f"note-{self.token()}").write_text(token, "utf-8")
            project.tokens.add(token)

    @rule(which=st.integers(0, 3))
    def edit(self, which: int) -> None:
        project, token = self.pick(which), f"edited {self.token()}."
        if (project.venv / "pyvenv.cfg").is_file():
            with (project.venv / "pyvenv.cfg").open("a", encoding="utf-8") as stream:
                stream.write(f"# {token}\n")
            project.tokens.add(token)
            project.states.add(state(project.venv))

    @rule(which=st.integers(0, 3))
    def delete(self, which: int) -> None:
        project = self.pick(which)
        shutil.rmtree(project.venv, ignore_errors=True)
        project.states.add(state(project.venv))
        project.tokens = {token for token in project.tokens if token in project.saved()}

    @rule(which=st.integers(0, 3))
    def make_anew(self, which: int) -> None:
        project, token = self.pick(which), f"anew {self.token()}."
        if not project.venv.exists():
            make(project.venv, self.token())
            (project.venv / f"note-{self.token()}").write_text(token, "utf-8")
            project.tokens.add(token)
            project.states.add(state(project.venv))

    @rule(which=st.integers(0, 3))
    @precondition(lambda self: len(self.projects) < 3)
    def copy(self, which: int) -> None:
        project, root = self.pick(which), self.folder / f"copy-{self.token()}"
        shutil.copytree(project.root, root, symlinks=True)
        self.projects.append(Project(root, set(project.tokens), set(project.states)))
        self.projects[-1].befores = dict(project.befores)

    @rule(which=st.integers(0, 3))
    def move(self, which: int) -> None:
        project, root = self.pick(which), self.folder / f"moved-{self.token()}"
        project.root.rename(root)
        project.root = root

    @rule(which=st.integers(0, 3), kind=st.integers(0, 6), at=st.sampled_from(["src", "src/thesis.txt", "note"]))
    def plant(self, which: int, kind: int, at: str) -> None:
        project = self.pick(which)
        mine = notes(project.venv)
        if at != "note" or mine:
            plant(project.root, kind, project.root / at if at != "note" else mine[0], self.token())

    # What holds after each

    @invariant()
    def every_byte_of_a_user_is_kept(self) -> None:
        for project in self.projects:
            saved = project.saved() if project.tokens else ""
            assert [token for token in project.tokens if token not in saved] == []

    @invariant()
    def the_environment_is_one_that_it_has_been(self) -> None:
        for project in self.projects:
            if not project.journal.is_pending():
                assert state(project.venv) in project.states

    @invariant()
    def bystanders_are_untouched(self) -> None:
        for project in self.projects:
            assert (project.root / "src" / "thesis.txt").read_text("utf-8") == "years of work"


Machine.TestCase.settings = settings(
    max_examples=int(os.environ.get("JOURNAL_EXAMPLES", "40")),
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if "JOURNAL_SHRINK" in os.environ else [])],
    print_blob=True,
)
TestMachine = Machine.TestCase
