"""Runs on Windows: tries some checks on a manager with one fault.

    trial.py SCRIPTS CONFIG FAULT native.survives-editor ... | keepalive.monitors keepalive.graceful

What came of each is printed as one JSON object, by its id.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

scripts, config, fault, *ids = sys.argv[1:]
sys.path.insert(0, scripts)

from clinic.checklist import Checklist, keepalive, native, shadow, stage  # noqa: E402 - its path is told only now
from clinic.checklist.shadow import Shadow  # noqa: E402
from clinic.flow.patient import patient  # noqa: E402
from clinic.settings import load  # noqa: E402

own = Shadow.words


def words(self: Shadow, *more: str | Path) -> list[str]:
    """The words of the real manager, for the one with the fault."""
    python, _manager, *rest = own(self, *more)
    return [python, str(Path(__file__).with_name("wounded.py")), fault, scripts, *rest]


def on_native(todo: Checklist, twin: Shadow) -> None:
    """Try what is wanted of the group."""
    for name in ids:
        attempt = getattr(native, name.removeprefix("native.").replace("-", "_"))
        todo.run(name, native._on(twin, attempt))


def on_keepalive(todo: Checklist, twin: Shadow) -> None:
    """Try whether the monitor starts, and ends as it should."""
    with keepalive.watched(twin) as window:
        todo.run("keepalive.monitors", lambda: keepalive.monitors(twin, window))
        if fault == "deaf":
            stage.SLACK = -15.0  # the end that is waited for will not come
        todo.run("keepalive.graceful", lambda: keepalive.graceful(twin, window))
        stage.SLACK = 30.0


def main() -> None:
    who = patient(load(Path(config).parent, Path(config), {}), None)
    todo = Checklist()
    Shadow.words = words  # type: ignore[method-assign]
    with shadow.made(who.settings, who.venv) as twin:
        (on_native if ids[0].startswith("native.") else on_keepalive)(todo, twin)
    print(json.dumps({each.id: [each.status, each.evidence] for each in todo.results}))  # noqa: T201 - a program


if __name__ == "__main__":
    main()
