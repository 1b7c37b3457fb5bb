"""What a repair found, what it did and where the old state is, what proves it, and what to type next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clinic.report import diagnosis, trail, words

if TYPE_CHECKING:
    from clinic.report.page import Cell, Page

Tree = dict[str, Any]

_OUTCOMES = {
    "cured": ("pass", "good", "cured"),
    "healthy": ("pass", "good", "healthy"),
    "unchanged": ("pass", "good", "nothing to do"),
    "planned": ("note", "strong", "planned, nothing is touched"),
    "sick": ("fail", "bad", "findings remain"),
    "failed": ("fail", "bad", "failed"),
    "refused": ("fail", "bad", "refused"),
    "busy": ("fail", "bad", "busy"),
}
_RECEIPTS = {
    "done": ("pass", "good", "done"),
    "restored": ("warn", "warn", "put back"),
    "refused": ("fail", "bad", "refused"),
}
_SHOWN = frozenset(
    {"before", "after", "receipts", "plan", "proof", "content", "checks", "next_actions", "venv", "undone"}
)


def view(page: Page, told: Tree) -> None:
    """Show a repair, a plan for one, or its undoing."""
    data, before, after = told["data"], told["data"].get("before") or {}, told["data"].get("after") or {}
    planned = told["outcome"] == "planned"
    _headline(page, told)
    diagnosis.findings(page, before.get("findings", []), causes=False)
    _plan(page, data)
    receipts(page, data.get("receipts", []))
    if data.get("receipts") and after and told["outcome"] != "failed":
        _proof(page, after, data.get("proof"))
    trail.rest(page, data, _SHOWN)
    if data.get("checks"):
        from clinic.report import checklist

        checklist.body(page, data["checks"])
    if not planned:
        _next(page, told, before, after)


def _headline(page: Page, told: Tree) -> None:
    data = told["data"]
    symbol, style, word = _OUTCOMES[told["outcome"]]
    if told["command"] == "undo" and told["outcome"] == "cured":
        word = "undone"
    if told["outcome"] == "planned" and not data.get("plan") and not data.get("content"):
        word = "nothing would be done"
    # A new environment is named for its interpreter: it may lie elsewhere than the one that was looked for.
    venv = (data.get("after") or data.get("before") or data).get("venv", "")
    took = f"  in {words.seconds(told['seconds'])}" if told["seconds"] and data.get("receipts") else ""
    place = f"  {venv}" if venv else ""
    page.line(page.mark(symbol, style), " ", (word, style), place, (took, "dim"), hang=2)


def _plan(page: Page, data: Tree) -> None:
    steps = data.get("plan", [])
    if steps:
        page.heading("Would do")
    for step in steps:
        page.line("- ", step if isinstance(step, str) else trail.summary(step), indent=2, hang=2)
    if data.get("content"):
        page.heading("The file would say")
        page.verbatim(data["content"], indent=4)


def receipts(page: Page, told: list[Tree]) -> None:
    """Show what was changed, and where the old state is kept."""
    if not told:
        return
    page.heading("Done" if any(receipt["outcome"] == "done" for receipt in told) else "Tried")
    for receipt in told:
        symbol, style, word = _RECEIPTS.get(receipt["outcome"], ("note", "", receipt["outcome"]))
        took = f"  {words.seconds(receipt['seconds'])}"
        page.line(page.mark(symbol, style), " ", (receipt["remedy"], "strong"), f"  {word}", (took, "dim"), indent=2)
        rows: list[list[Cell]] = [[("changed", "dim"), path] for path in receipt["changed"]]
        kept = receipt["stash"] or "there was nothing to keep"
        rows.append([("old state", "dim"), kept])
        page.columns(rows, indent=6)


def _proof(page: Page, after: Tree, told: Any) -> None:
    page.heading("Proof")
    symbol, style = diagnosis.VERDICTS.get(after.get("verdict", ""), ("note", ""))
    page.line(
        page.mark(symbol, style), " ", "looked again: ", (after.get("verdict", "unknown"), style), indent=2, hang=2
    )
    if told:
        trail.value(page, told, indent=6)
    diagnosis.findings(page, after.get("findings", []), title="Still found")


def _next(page: Page, told: Tree, before: Tree, after: Tree) -> None:
    actions = told["data"].get("next_actions") or _following(told, before, after)
    diagnosis.actions(page, actions)


def _following(told: Tree, before: Tree, after: Tree) -> list[Tree]:
    if told["outcome"] == "failed":  # the error's own hint says what else there is
        return []
    if after.get("findings") and told["outcome"] != "cured":
        return list(after.get("next_actions", []))
    done = [receipt for receipt in told["data"].get("receipts", []) if receipt["outcome"] == "done"]
    if not done or told["command"] == "undo":
        return []
    # Of the plan that led here, what comes after the cure is still to do.
    later = [action for action in before.get("next_actions", []) if action["command"].startswith("invoke validate")]
    # Undoing a cure harms, and is refused without a yes.
    command = "invoke undo --yes" if before.get("verdict") not in {None, "healthy"} else "invoke undo"
    return [*later, {"priority": "any time", "command": command, "why": "puts back what was replaced"}]
