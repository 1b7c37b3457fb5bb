"""The tools are not replaced while a program of theirs runs, which Windows would not let through."""

from __future__ import annotations

import re

from tests.windows.hands import Hand

_REFUSED = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from toolshed import running
from toolshed.trouble import Trouble
running.refuse_in_use(Path(sys.argv[3]))
try: running.refuse_in_use(Path(sys.argv[2]))
except Trouble as trouble: print(trouble.exit_code, trouble.message, trouble.hint, sep="\\n")
"""


def test_a_program_that_runs_from_the_tools_is_named_with_what_ends_it(hand: Hand) -> None:
    """The hand itself runs from them."""
    machine = hand.machine
    tools = machine.suite / ".tools"
    paths = [machine.wine.inside(path) for path in (machine.suite / "scripts", tools, tools.with_name(".too"))]
    said = hand.run(machine.python, "-X", "utf8", "-c", _REFUSED, *paths)
    code, message, hint = said.out.splitlines()
    assert code == "2", said
    named = re.match(r"process (\d+) \((.*?)\)", message)
    assert named, said
    assert named[2] == machine.tools
    assert "Nothing was touched" in message
    assert f"taskkill /F /PID {named[1]}" in hint
