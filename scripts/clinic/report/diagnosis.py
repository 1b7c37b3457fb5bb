"""A diagnosis for a person: the verdict, each damage with its evidence and causes, the ways out, what to type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clinic.report import changed, words

if TYPE_CHECKING:
    from clinic.report.page import Cell, Page, Span

Tree = dict[str, Any]

VERDICTS = {
    "healthy": ("pass", "good"),
    "degraded": ("warn", "warn"),
    "broken": ("fail", "bad"),
    "missing": ("fail", "bad"),
}
_SEVERITIES = {"fatal": ("fail", "bad"), "degraded": ("warn", "warn"), "advice": ("note", "dim")}


def view(page: Page, told: Tree) -> None:
    """Show what `diagnose` found."""
    body(page, told["data"])


def body(page: Page, data: Tree) -> None:
    """Show one examination; a healthy environment takes one line."""
    headline(page, data)
    findings(page, data.get("findings", []))
    changed.view(page, data)
    in_use(page, data.get("in_use", []))
    options(page, data.get("options", []))
    actions(page, data.get("next_actions", []))


def headline(page: Page, data: Tree) -> None:
    """Show the verdict in one word, and of what."""
    verdict = data.get("verdict", "unknown")
    symbol, style = VERDICTS.get(verdict, ("note", ""))
    page.line(page.mark(symbol, style), " ", (verdict, style), "  ", data.get("venv", ""), hang=2)


def findings(page: Page, found: list[Tree], *, title: str = "Found", causes: bool = True) -> None:
    """Show each damage: what it is, its code, what was seen, and what may have done it."""
    if not found:
        return
    page.heading(title)
    for finding in found:
        symbol, style = _SEVERITIES.get(finding["severity"], ("note", ""))
        tail = ", advice only" if finding["severity"] == "advice" else ""
        page.line(
            page.mark(symbol, style),
            " ",
            (finding["title"], "strong"),
            (f"  {finding['code']}{tail}", "dim"),
            indent=2,
            hang=2,
        )
        for evidence in finding["evidence"]:
            page.line(evidence, indent=6, hang=2)
        if causes:
            _causes(page, finding.get("causes", []))


def _causes(page: Page, likely: list[Tree]) -> None:
    rows: list[list[Cell]] = []
    for rank, cause in enumerate(likely, 1):
        label = ("likely cause:" if len(likely) == 1 else "likely causes:") if rank == 1 else ""
        number = "" if len(likely) == 1 else f"{rank}. "
        why: list[Span] = [(f" ({cause['why']})", "dim")] if cause.get("why") else []
        rows.append([(label, "dim"), [(f"{number}{cause['cause']}", ""), *why]])
    page.columns(rows, indent=6, hang=0 if len(likely) == 1 else 3)


def in_use(page: Page, held: list[Tree]) -> None:
    """Show who else runs from the environment: he is in the way on Windows, and keeps the old files elsewhere."""
    if not held:
        return
    page.heading("In use by")
    for each in held:
        page.line(f"pid {each['pid']} ", (each["name"], "strong"), f" since {words.moment(each['since'])}", indent=2)
        page.line((f"{each['how']}: {each['command']}", "dim"), indent=6, hang=2)


def options(page: Page, ways: list[Tree]) -> None:
    """Show the ways out with their trade-offs as a table."""
    if not ways:
        return
    page.heading("Ways out")
    rows: list[list[Cell]] = [[("", "dim"), *((name, "dim") for name in ("way", "packages", "network", "takes", ""))]]
    for way in ways:
        rows += _option(page, way)
    page.columns(rows, indent=2, hang=2)


def _option(page: Page, way: Tree) -> list[list[Cell]]:
    style = "good" if way["recommended"] else ""
    reasons: list[Cell] = [("recommended", "good")] if way["recommended"] else []
    reasons += [[("+ ", "good"), (text, "")] for text in way["advantages"]]
    reasons += [[("- ", "warn"), (text, "")] for text in way["disadvantages"]]
    first, *more = reasons or [""]
    facts: list[Cell] = [
        page.mark("star", "good") if way["recommended"] else "",
        (way["id"], style),
        "kept" if way["keeps_packages"] else "new",
        "needed" if way["needs_network"] else "no",
        words.about(way["estimate_seconds"]),
    ]
    return [[*facts, first], *(["", "", "", "", "", reason] for reason in more)]


def actions(page: Page, todo: list[Tree], *, title: str = "Next") -> None:
    """Show what to type, in order; a command stays on one line, so that it can be copied whole."""
    if not todo:
        return
    page.heading(title)
    for number, action in enumerate(todo, 1):
        page.command(action["command"], f"  {number}. ")
        why = ": ".join(action[key] for key in ("priority", "why") if action.get(key))
        page.line((why, "dim"), indent=5)
