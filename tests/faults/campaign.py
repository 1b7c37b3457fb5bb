"""One point of the campaign: a command with one fault, the same command without one, and what was wrong with either."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, field

from tests.faults.injection import Change, Fault, Injector, Run, plain
from tests.faults.project import Stage, Tree
from tests.faults.verbs import Verb

_BACK = re.compile(
    r"as it was before|(?:state|environment) is back|was put back|[Nn]othing (?:there )?was (?:touched|changed)"
)
_NOT_BACK = re.compile(r"could not be put back|could not be undone")
_RUNS = re.compile(r"(?:running|runs), pid (\d+)")


@dataclass(frozen=True)
class Reference:
    """What a command does without a fault: the environment before and after, and its changes one by one."""

    before: Tree
    after: Tree
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Point:
    """A command, a fault, and the number of the change that it strikes."""

    verb: Verb
    fault: Fault
    at: int

    def __str__(self) -> str:
        return f"{self.verb.name} {self.fault.name} --at {self.at}"


@dataclass
class Outcome:
    """What was seen at a point."""

    point: Point
    change: str = ""
    state: str = ""
    faulted: Run = field(default_factory=lambda: Run(0, ""))
    again: Run = field(default_factory=lambda: Run(0, ""))
    wrong: list[str] = field(default_factory=list)


class Campaign:
    """Tries points on one stage. What the commands do without a fault is looked at once for each."""

    def __init__(self, stage: Stage, injector: Injector, *, children: bool = False) -> None:
        self.stage, self.injector, self.children = stage, injector, children
        self._references: dict[str, Reference] = {}

    def reference(self, verb: Verb) -> Reference:
        """Make the state that the verb finds, and run it there. Raises RuntimeError if it does not end well."""
        if verb.name not in self._references:
            self.stage.restore("healthy")
            verb.damage(self.stage)
            self.stage.save(verb.name)
            self._begin(verb)
            before = self.stage.tree()
            done = self.injector.run(self.stage.argv(*verb.words(self.stage)), self.stage.env, children=self.children)
            seen = Reference(before, self.stage.tree(), done.changes)
            troubles = [f"exit code {done.code}", done.text] if done.code else self._settled(verb, seen)
            self.stage.end_processes()
            if troubles:
                raise RuntimeError(f"{verb.name} without a fault: {'; '.join(troubles)}")
            self._references[verb.name] = seen
        return self._references[verb.name]

    def points(self, verb: Verb, fault: Fault) -> list[int]:
        """The numbers of the changes of a verb that a fault can strike."""
        return [change.number for change in self.reference(verb).changes if fault.strikes(change)]

    def try_point(self, point: Point) -> Outcome:
        """The command with the fault, a look, the command again, another look."""
        verb, stage = point.verb, self.stage
        seen, out = self.reference(verb), Outcome(point)
        argv = stage.argv(*verb.words(stage))
        self._begin(verb)
        try:
            out.faulted = self.injector.run(argv, stage.env, point.fault, at=point.at, children=self.children)
            out.change = next((str(each) for each in out.faulted.changes if each.number == point.at), "never reached")
            out.change = out.change.replace(f"{stage.world}/", "")
            out.state = self._state(seen)
            out.wrong += self._wrong(verb, point.fault, out)
            out.again = plain(argv, stage.env)
            out.wrong += [f"then: {each}" for each in self._wrong_again(verb, point.fault, seen, out)]
        finally:
            stage.end_processes()
        return out

    def _begin(self, verb: Verb) -> None:
        self.stage.restore(verb.name)
        if verb.repair:
            self.stage.command(*verb.repair(self.stage))
        if verb.serving:
            self.stage.command("start")

    def _state(self, seen: Reference) -> str:
        tree = self.stage.tree()
        known = {"before": tree == seen.before, "after": tree == seen.after}
        names = [name for name, equal in known.items() if equal]
        return " and ".join(names) or ("between" if tree else "gone")

    def _wrong(self, verb: Verb, fault: Fault, out: Outcome) -> list[str]:
        """What speaks against the command with the fault."""
        wrong = [f"lost: {name}" for name in self.stage.notes_lost() if out.state != "between"]
        if out.state == "gone":
            wrong.append("there is no environment")
        if fault.kills and out.faulted.code == -signal.SIGKILL:
            return wrong
        return wrong + self._wrong_exit(out) + self._false(verb, out)

    @staticmethod
    def _wrong_exit(out: Outcome) -> list[str]:
        run, wrong = out.faulted, []
        if run.code not in {0, 1, 2}:
            wrong.append(f"exit code {run.code}")
        if "Traceback" in run.text:
            wrong.append("a traceback")
        if run.code == 2 and "before" not in out.state:
            wrong.append(f"refused, and the environment is {out.state}")
        if out.state == "between" and not _NOT_BACK.search(run.text):
            wrong.append("the environment is between, unsaid")
        return wrong

    def _false(self, verb: Verb, out: Outcome) -> list[str]:
        """Sentences that are not true."""
        run, wrong = out.faulted, []
        claim = _BACK.search(run.text)
        if claim and "before" not in out.state:
            wrong.append(f"it says {claim[0]!r}, and the environment is {out.state}")
        if _NOT_BACK.search(run.text) and out.state == "before":
            wrong.append("it says that it could not be put back, and the environment is before")
        if run.code == 0 and "after" not in out.state:
            wrong.append(f"it says that all is well, and the environment is {out.state}")
        running = {each.pid for each in self.stage.processes()}
        ended = set(map(int, _RUNS.findall(run.text))) - running
        wrong += [f"it says that process {pid} runs, and it does not" for pid in ended]
        if run.code == 0 and verb.serves != self.stage.answers():
            wrong.append(f"it says that all is well, and the server {'does not answer' if verb.serves else 'runs'}")
        if run.code and running and not (verb.serving or _RUNS.search(run.text)):
            wrong.append("a server was left, unsaid")
        if run.code and verb.serving and not running and "server" not in run.text:
            wrong.append("the server has ended, unsaid")
        return wrong

    def _wrong_again(self, verb: Verb, fault: Fault, seen: Reference, out: Outcome) -> list[str]:
        """What speaks against the same command afterwards, without a fault."""
        wrong = []
        if out.again.code:
            wrong.append(f"exit code {out.again.code}")
        unfinished = fault.kills or _NOT_BACK.search(out.faulted.text)
        if not verb.twice and unfinished and "before" in self._state(seen):
            # undo has put back what it found half done, and stops there.
            return wrong + self._left(verb)
        return wrong + self._settled(verb, seen)

    def _settled(self, verb: Verb, seen: Reference) -> list[str]:
        """What is not as the command has to leave it."""
        wrong, tree = [], self.stage.tree()
        if tree != seen.after:
            other = sorted(name for name in tree.keys() | seen.after.keys() if tree.get(name) != seen.after.get(name))
            wrong.append(f"another environment: {', '.join(other[:3])}")
        return wrong + self._left(verb)

    def _left(self, verb: Verb) -> list[str]:
        wrong = [f"lost: {name}" for name in self.stage.notes_lost()]
        if left := self.stage.leftovers():
            wrong.append(f"left behind: {', '.join(left[:3])}")
        running, pid = {each.pid for each in self.stage.processes()}, self.stage.pid_file()
        if verb.serves and not (self.stage.answers() and pid in running):
            wrong.append(f"no healthy server (pid file: {pid}, running: {sorted(running)})")
        if not verb.serves and (running or pid):
            wrong.append(f"a server is left (pid file: {pid}, running: {sorted(running)})")
        return wrong
