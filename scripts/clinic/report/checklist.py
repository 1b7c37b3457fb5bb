"""The validation checklist: by groups, each check with its mark and evidence, totals, what to do about failures."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from clinic.report import diagnosis, trail, words

if TYPE_CHECKING:
    from clinic.report.page import Page, Span

Tree = dict[str, Any]

_STATUSES = {"pass": ("pass", "good"), "fail": ("fail", "bad"), "skip": ("skip", "dim")}
# What helps, by the first part of a check's id.
_HELP = {
    "startup": ("invoke logs", "the server's own words about its start"),
    "health": ("invoke status", "what runs, what answers, who holds the port"),
    "venv": ("invoke diagnose", "names the damage and the ways out"),
    "native": ("invoke status", "how the server was started, and from where"),
    "keepalive": ("invoke logs", "the server's own words around the restart"),
}
_NAMED = 3  # ids that the first line names
_SHOWN = frozenset({"checks", "next_actions", "next", "venv"})


def view(page: Page, told: Tree) -> None:
    """Show what `validate` or `onboard` came to."""
    headline(page, told["data"]["checks"], told["data"].get("venv", ""))
    body(page, told["data"]["checks"])
    totals(page, told["data"]["checks"], told["seconds"])
    trail.rest(page, told["data"], _SHOWN)
    todo = told["data"].get("next_actions") or what_to_do(told["data"]["checks"]) or _known(told["data"])
    diagnosis.actions(page, todo)


def headline(page: Page, checks: list[Tree], venv: str) -> None:
    """Show the verdict, and what it does not cover."""
    failed, skipped = (_ids(checks, status) for status in ("fail", "skip"))
    symbol, style, verdict = ("fail", "bad", "sick") if failed else ("pass", "good", "healthy")
    counts = [(failed, "failed"), (skipped, "not tried")]
    limits = [f"{len(ids)} of {len(checks)} {what}{_named(ids)}" for ids, what in counts if ids]
    text = ", ".join([verdict, *filter(None, ["; ".join(limits)])])
    page.line(page.mark(symbol, style), " ", (text, style), "  ", venv, hang=2)


def _ids(checks: list[Tree], status: str) -> list[str]:
    return [check["id"] for check in checks if check["status"] == status]


def _named(ids: list[str]) -> str:
    return f": {', '.join(ids)}" if len(ids) <= _NAMED else ""


def body(page: Page, checks: list[Tree]) -> None:
    """Show the checks under the names of their groups."""
    for group, members in groupby(checks, key=lambda check: check["group"]):
        page.heading(group)
        for check in members:
            _check(page, check)


def _check(page: Page, check: Tree) -> None:
    symbol, style = _STATUSES.get(check["status"], ("note", ""))
    took = f"  {words.seconds(check['seconds'])}" if check["seconds"] else ""
    word = {"fail": "  failed", "skip": "  skipped"}.get(check["status"], "")
    page.line(page.mark(symbol, style), " ", check["title"], (f"  {check['id']}{took}{word}", "dim"), indent=2, hang=2)
    passed = check["status"] == "pass"
    for row in check["evidence"].splitlines():
        page.line((row, "dim" if passed else ""), indent=6, hang=2)


def totals(page: Page, checks: list[Tree], seconds: float) -> None:
    """Show how many passed, failed and could not be tried."""
    count = {word: sum(check["status"] == word for check in checks) for word in _STATUSES}
    page.blank()
    spans: list[Span] = [(f"{count['pass']} passed", "good" if count["pass"] else "")]
    spans += [(", ", ""), (f"{count['fail']} failed", "bad" if count["fail"] else "")]
    spans += [(", ", ""), (f"{count['skip']} skipped", "dim")]
    page.line(*spans, (f"  in {words.seconds(seconds)}", "dim") if seconds else "")


def _known(data: Tree) -> list[Tree]:
    """Return the commands to know, of a first run that went well: pairs of a command and what it is for."""
    return [{"command": command, "why": why} for command, why in data.get("next", [])]


def what_to_do(checks: list[Tree]) -> list[Tree]:
    """Name the commands that help with what failed."""
    failed: dict[str, list[str]] = {}
    for check in checks:
        if check["status"] == "fail":
            failed.setdefault(check["id"].split(".")[0], []).append(check["id"])
    todo = []
    for part, ids in failed.items():
        command, why = _HELP.get(part, ("invoke diagnose", "names the damage and the ways out"))
        todo.append({"priority": "immediate", "command": command, "why": f"{why} ({', '.join(ids)})"})
    return todo
