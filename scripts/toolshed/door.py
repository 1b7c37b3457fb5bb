"""Reads the words, hands over to Invoke or Nox, turns trouble into exit codes."""

from __future__ import annotations

import platform
import sys
import traceback
from pathlib import Path

from toolshed.children import hand_over
from toolshed.display import Display, how_to_call
from toolshed.mend import ensure
from toolshed.shed import Shed
from toolshed.trouble import BUG, INTERRUPTED, Trouble


def enter(arguments: list[str]) -> int:
    """Do what the words say; ``arguments`` are known to be a form that the usage names."""
    shed = Shed(Path(__file__).resolve().parent.parent.parent)
    display = Display()
    try:
        ensure(shed, display)
        return command(shed, arguments)
    except Trouble as trouble:
        display.say(f"bootstrap: {trouble}")
        return trouble.exit_code
    except KeyboardInterrupt as interrupt:
        display.say(f"bootstrap: interrupted; {str(interrupt) or 'everything is as it was before'}")
        return INTERRUPTED
    except Exception:  # noqa: BLE001 - the last door: a bug must still give a short report and its own code
        display.say(bug_report())
        return BUG


def command(shed: Shed, arguments: list[str]) -> int:
    """Run the command that was asked for with the tools."""
    match arguments:
        case ["test", *rest]:
            return hand_over([shed.python, "-m", "nox", *rest], shed.root)
        case ["run", *rest]:
            return hand_over([shed.python, "-m", "invoke", *rest], where(shed.root))
        case _:
            code = hand_over([shed.python, "-m", "invoke", "onboard"], shed.root)
            sys.stderr.write(f"\n{how_to_call(shed)}\n")
            return code


def where(root: Path) -> Path:
    """Return the caller's folder where it belongs to the project, else the project's."""
    try:
        here = Path.cwd().resolve()
    except OSError:  # the folder has been deleted
        return root
    return here if here.is_relative_to(root) else root


def bug_report() -> str:
    """Say what can be pasted into an issue."""
    head = f"bootstrap: bug: Python {platform.python_version()} on {platform.platform()}"
    return f"{head}\n{traceback.format_exc(limit=-6)}  next: please report the lines above"
