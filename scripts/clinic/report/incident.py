"""The incident document: what was wrong, why, what was done and what is left, as Markdown to keep or to send.

One more view of the tree that the screen and JSON show, so that it cannot say anything else.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinic import fs
from clinic.errors import FailedError
from clinic.report import changed, words
from clinic.report.envelope import envelope
from clinic.report.screen import clean

if TYPE_CHECKING:
    from clinic.model import Result

Tree = dict[str, Any]

FOLDER = "incidents"
_IMPACT = {
    "missing": "There is no environment, so the Interface Bridge cannot be started.",
    "broken": "The environment is broken: the Interface Bridge cannot be started from it, or would start as another.",
    "degraded": "The environment is degraded: the Interface Bridge may run, but not on what it is meant to run on.",
    "healthy": "The environment is healthy.",
}
_RANKS = {"fatal": 0, "degraded": 1, "advice": 2}
_MARKS = {"pass": "x", "fail": " ", "skip": "-"}
_OUTCOMES = {"done": "done", "restored": "did not hold, put back", "refused": "refused"}


def write(records: Path, result: Result) -> Path:
    """Write the document of a `diagnose` or `heal` into the records; returns its path. Raises FailedError."""
    told = envelope(result)
    now = time.time()
    codes = [finding["code"] for finding in _worst_first(_before(told["data"]))]
    stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(now))
    folder = records / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _free(folder, f"{stamp}-{codes[0] if codes else told['command']}")
        fs.write_atomically(path, document(told, now).encode("utf-8", "backslashreplace"), durable=False)
    except OSError as error:
        raise FailedError(
            "incident-not-written", f"{folder} cannot be written: {error.strerror or error}.", "look at the disk"
        ) from error
    return path


def _free(folder: Path, stem: str) -> Path:
    """A name that no document has yet; two runs in one second are two incidents."""
    names = (f"{stem}{f'-{number}' if number else ''}.md" for number in range(1000))
    return next(folder / name for name in names if not fs.exists(folder / name))


def _before(data: Tree) -> Tree:
    before: Tree = data.get("before") or data
    return before


def _worst_first(before: Tree) -> list[Tree]:
    """The findings, those that hurt most first; of equals the root before its echoes, as the checks have them."""
    return sorted(before.get("findings", []), key=lambda finding: _RANKS.get(finding["severity"], 0))


def document(told: Tree, now: float) -> str:
    """Lay out the tree of a result (see `envelope`) as it was at `now`."""
    data = told["data"]
    before, after = _before(data), data.get("after")
    parts = (
        _head(told, before, after, now),
        _part("Impact", _impact(before, data)),
        _part("Symptoms observed", _symptoms(before)),
        *([_part("Changed since the last known-good state", _changed(before))] if "changed_since" in before else []),
        _part("Root cause", _root_cause(before)),
        _part("Likely causes, in order", _causes(before)),
        _part("Options", _options(before)),
        _part("What was done", _done(told)),
        _part("Checklist", _checks(data)),
        _part("Next actions", _actions(told, before, after)),
    )
    return "\n".join(line for part in parts for line in part).rstrip() + "\n"


def _part(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from (f"## {title}", "", *(list(lines) or ["None."]), "")


def _head(told: Tree, before: Tree, after: Tree | None, now: float) -> Iterator[str]:
    codes = ", ".join(finding["code"] for finding in _worst_first(before)) or "no damage to the environment"
    then = f", then {after['verdict']}" if after else ""
    yield from (f"# Incident: {codes}", "")
    yield f"- **Date:** {time.strftime('%Y-%m-%d %H:%M:%S %z', time.localtime(now))}"
    yield f"- **Environment:** {code(before.get('venv', ''))}"
    yield f"- **Verdict:** {before.get('verdict', 'unknown')}{then}"
    yield f"- **Written by:** {code('invoke ' + told['command'])}, outcome {told['outcome']}"
    yield ""


def _impact(before: Tree, data: Tree) -> Iterator[str]:
    yield _IMPACT.get(before.get("verdict", ""), "Unknown.")
    if server := data.get("server"):
        pid = f", process {server['pid']}" if server.get("pid") else ""
        yield f"The server is {server['state']}{pid} ({server['done']})."


def _symptoms(before: Tree) -> Iterator[str]:
    for finding in _worst_first(before):
        yield f"- {text(finding['title'])} ({code(finding['code'])}, {finding['severity']})"
        yield from (f"  - {code(evidence)}" for evidence in finding["evidence"])


def _changed(before: Tree) -> Iterator[str]:
    since = before["changed_since"]
    yield f"Compared with the snapshot of {words.moment(since['time'] or 0)}:"
    yield ""
    yield from (f"- {text(line)}" for line in list(changed.lines(since)) or ["nothing that it records"])


def _root_cause(before: Tree) -> Iterator[str]:
    """The first of the worst: the checks silence the echoes of what they have found."""
    for finding in _worst_first(before)[:1]:
        causes = finding["causes"]
        yield f"{text(finding['title'])}: {code(finding['evidence'][0])}."
        if causes:
            yield f"Most likely because of this: {text(causes[0]['cause'])} ({text(causes[0]['why'])})."


def _causes(before: Tree) -> Iterator[str]:
    for finding in _worst_first(before):
        for rank, cause in enumerate(finding["causes"], 1):
            yield f"{rank}. {code(finding['code'])}: {text(cause['cause'])} ({text(cause['why'])})"


def _options(before: Tree) -> Iterator[str]:
    options = before.get("options", [])
    if not options:
        return
    yield "| option | packages | network | takes | for | against |"
    yield "|---|---|---|---|---|---|"
    for option in options:
        name = code(option["id"]) + (" (recommended)" if option["recommended"] else "")
        cells = (
            name,
            "kept" if option["keeps_packages"] else "new",
            "needed" if option["needs_network"] else "not needed",
            words.about(option["estimate_seconds"]),
            "; ".join(map(text, option["advantages"])),
            "; ".join(map(text, option["disadvantages"])),
        )
        yield f"| {' | '.join(cells)} |"


def _done(told: Tree) -> Iterator[str]:
    for receipt in told["data"].get("receipts", []):
        outcome = _OUTCOMES.get(receipt["outcome"], receipt["outcome"])
        yield f"- {code(receipt['remedy'])}: {outcome}, in {words.seconds(receipt['seconds'])}"
        yield from (f"  - changed {code(path)}" for path in receipt["changed"])
        if receipt["stash"]:
            yield f"  - the old state is in {code(receipt['stash'])}"
    for error in told["errors"]:
        yield f"- {code(error['code'])}: {text(error['message'])}"


def _checks(data: Tree) -> Iterator[str]:
    for check in data.get("checks", []):
        mark = _MARKS.get(check["status"], " ")
        word = {"fail": " **failed**:", "skip": " skipped:"}.get(check["status"], "")
        yield f"- [{mark}] {code(check['id'])} {text(check['title'])}.{word} {text(check['evidence'])}"


def _actions(told: Tree, before: Tree, after: Tree | None) -> Iterator[str]:
    actions = (after if after is not None else before).get("next_actions", [])
    for number, action in enumerate(actions, 1):
        yield f"{number}. {code(action['command'])} ({action['priority']}): {text(action['why'])}"
    if after is not None and any(receipt["outcome"] == "done" for receipt in told["data"].get("receipts", [])):
        undo = "invoke undo --yes" if before.get("verdict") not in {None, "healthy"} else "invoke undo"
        yield f"{len(actions) + 1}. {code(undo)} (any time): puts back what was replaced"


def code(value: object) -> str:
    """Return a code span that holds any text: fenced by more backticks than it has in a row itself."""
    shown = clean(str(value).replace("\n", " ")).strip() or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if "`" in (shown[0], shown[-1]) else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def text(value: object) -> str:
    """Return text that Markdown takes for nothing but text."""
    shown = clean(" ".join(str(value).split()))
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", shown)
