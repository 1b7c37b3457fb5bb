"""What has changed since the known-good state, for a person: one line for each thing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from clinic.report import words

if TYPE_CHECKING:
    from clinic.report.page import Page

Tree = dict[str, Any]
MOST = 10
"""Lines of one kind that the screen gets; `--json` has all."""


def view(page: Page, data: Tree) -> None:
    """Show what changed; where something is wrong and nothing changed, that is worth a line too."""
    since = data.get("changed_since")
    told = list(lines(since)) if since else []
    if since is None or not (told or data.get("findings")):
        return
    page.heading(f"Changed since the snapshot of {words.moment(since['time'] or 0)}")
    for line in told or ["nothing that the snapshot records"]:
        page.line(line, indent=2, hang=2)


def lines(since: Tree) -> Iterator[str]:
    """Each change in one line, the file first."""
    yield from _cfg(since["cfg"])
    for change in since["interpreter"]:
        shown = words.moment if change["key"] == "modified" else str
        yield f"base interpreter: {change['key']} was {shown(change['was'])}, is {shown(change['is'] or 0)}"
    yield from _limited(_distributions(since["distributions"]))
    yield from _limited(f"{name}: {kind}" for kind in ("changed", "removed", "added") for name in since["files"][kind])


def _cfg(changed: list[Tree]) -> Iterator[str]:
    if changed and all(change["is"] is None for change in changed):
        yield f"pyvenv.cfg: its {words.count(len(changed), 'key')} gone"
        return
    for change in changed:
        if change["key"] is None:
            yield "pyvenv.cfg: spelled in another way, with the same values"
        elif change["is"] is None:
            yield f"pyvenv.cfg: {change['key']} = {change['was']} is gone"
        elif change["was"] is None:
            yield f"pyvenv.cfg: {change['key']} = {change['is']} is new"
        else:
            yield f"pyvenv.cfg: {change['key']} was {change['was']}, is {change['is']}"


def _distributions(changed: Tree) -> Iterator[str]:
    yield from (f"{each['name']} {each['version']}: gone" for each in changed["removed"])
    yield from (f"{each['name']}: was {each['was']}, is {each['is']}" for each in changed["other_version"])
    yield from (f"{each['name']} {each['version']}: new" for each in changed["added"])
    yield from (f"{each['name']} {each['version']}: another RECORD" for each in changed["other_record"])


def _limited(told: Iterator[str]) -> Iterator[str]:
    all_ = list(told)
    yield from all_[:MOST]
    if len(all_) > MOST:
        yield f"and {len(all_) - MOST} more"
