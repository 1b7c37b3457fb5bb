"""Words that no task knows, refused with the contract's exit code: Invoke's own for them is 1, which means findings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from invoke.exceptions import Exit, ParseError

from toolshed import entry

if TYPE_CHECKING:
    from invoke.collection import Collection

    from clinic.errors import RefusedError
    from clinic.model import Result


def refuse_misuse(namespace: Collection) -> None:
    """Let Invoke's own parser read the command line, a moment before Invoke does, and refuse what it objects to.

    Invoke offers no way to say with which exit code its parser's errors end, but it lets tasks.py end a run.
    """
    words = sys.argv[1:]
    if not entry.run_by("invoke", "inv"):
        return
    try:
        _read(words, namespace)
        objection = _without_value(words)
    except ParseError as error:
        objection = str(error)
    except ValueError as error:  # what Invoke lets through as a traceback: a word where a number belongs
        objection = f"{str(error).rpartition(': ')[2]} is no whole number."
    if objection:
        tasks = sorted(namespace.task_names)
        raise Exit(code=refused(_error(objection, named(words, tasks), tasks), words, tasks))


_VALUED = frozenset({"--only", "--except", "-o", "-e"})
"""Flags of lists. Invoke takes one without a value for none at all, and a limit that is forgotten would be no limit."""


def _without_value(words: Sequence[str]) -> str:
    if "heal" not in words:
        return ""
    after = [*words[1:], "-"]
    bare = next((word for word, more in zip(words, after, strict=True) if word in _VALUED and more[:1] == "-"), "")
    return f"'{bare}' needs the code of a finding." if bare else ""


def _read(words: list[str], namespace: Collection) -> None:
    """Do what `Program.parse_core` and `Program.parse_tasks` do. Raises ParseError."""
    from copy import deepcopy

    from invoke.collection import Collection
    from invoke.parser import Parser
    from invoke.program import Program

    core = Program().initial_context
    left = Parser(initial=core, ignore_unknown=True).parse_argv(words).unparsed
    # Only the tasks that are named, which is a millisecond instead of ten; and copies, because making a parser's
    # contexts takes the help out of the tasks that they are made of.
    named = Collection(*(deepcopy(task) for name, task in namespace.tasks.items() if name in left))
    Parser(initial=Program().initial_context, contexts=named.to_contexts()).parse_argv(left)


def named(words: Sequence[str], tasks: Sequence[str]) -> str:
    """The first task of a command line; empty if there is none."""
    return next((word for word in words if word in tasks), "")


def refused(error: RefusedError, words: Sequence[str], tasks: Sequence[str]) -> int:
    """Show a refusal of what was typed, before Invoke runs anything; returns the exit code."""
    from clinic import door

    def work() -> Result:
        raise error

    return door.perform(named(words, tasks) or "invoke", work, as_json=not {"--json", "-j"}.isdisjoint(words))


def _error(objection: str, task: str, tasks: Sequence[str]) -> RefusedError:
    import difflib

    from clinic.errors import RefusedError

    unknown = objection.partition("'")[2].partition("'")[0]
    near = difflib.get_close_matches(unknown, tasks, 1) if not task else []
    hint = f"invoke {near[0]}" if near else f"invoke --help {task}" if task else "invoke --list"
    return RefusedError("misused", f"{objection} Nothing was touched.", hint)
