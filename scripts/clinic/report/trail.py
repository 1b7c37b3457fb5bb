"""Lists of what is on record or known, logs, and whatever no other view knows, as keys and values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clinic.report import words

if TYPE_CHECKING:
    from collections.abc import Collection

    from clinic.report.page import Cell, Page

Tree = dict[str, Any]

_MOMENTS = frozenset({"started", "time", "at", "since", "taken"})
_STATES = {
    "done": ("pass", "good"),
    "undone": ("note", "dim"),
    "restored": ("warn", "warn"),
    "pending": ("warn", "warn"),
}


def codes(page: Page, told: Tree) -> None:
    """Show every code that `diagnose` can name."""
    rows: list[list[Cell]] = [[("code", "dim"), ("cured by", "dim"), ("what it names", "dim")]]
    for code in told["data"]["codes"]:
        rows += [[code["code"], ", ".join(code["cured_by"]) or "by hand", code["title"]]]
    page.columns(rows)


def entries(page: Page, told: Tree) -> None:
    """Show the repairs on record, as they come: newest first."""
    if not told["data"]["entries"]:
        page.line("No repair is on record.")
    for entry in told["data"]["entries"]:
        _entry(page, entry)


def _entry(page: Page, entry: Tree) -> None:
    state = str(entry.get("state", ""))
    symbol, style = _STATES.get(state, ("note", ""))
    when = words.moment(entry["started"]) if isinstance(entry.get("started"), int | float) else ""
    page.line(
        page.mark(symbol, style), " ", (str(entry.get("remedy", "")), "strong"), f"  {state}", (f"  {when}", "dim")
    )
    rows: list[list[Cell]] = []
    for key in ("venv", "changed", "stash", "size", "id"):
        for each in entry[key] if isinstance(entry.get(key), list) else [entry.get(key)]:
            rows += [[(key, "dim"), words.size(each) if key == "size" else str(each)]] if each else []
    page.columns(rows, indent=4)


def logs(page: Page, told: Tree) -> None:
    """Show the lines of a log as they are."""
    for line in told["data"].get("lines", []):
        page.verbatim(str(line), indent=0)


def view(page: Page, told: Tree) -> None:
    """Show a result of which only keys and values are known."""
    good = not told["exit_code"]
    mark = page.mark("pass" if good else "fail", "good" if good else "bad")
    page.line(mark, f" {told['command']}: ", (told["outcome"], "good" if good else "bad"))
    value(page, told["data"], indent=2)


def rest(page: Page, data: Tree, shown: Collection[str]) -> None:
    """Show the keys that a view does not know; a newer command may tell more than it did."""
    more = {key: each for key, each in data.items() if key not in shown and not _blank(each)}
    if more:
        page.blank()
        value(page, more, indent=2)


def value(page: Page, told: Any, *, indent: int) -> None:
    """Show a tree: pairs beside each other, what is nested below its key."""
    if isinstance(told, dict):
        page.columns(
            [[(_label(key), "dim"), scalar(key, each)] for key, each in told.items() if _flat(each)], indent=indent
        )
        for key, each in told.items():
            if not _flat(each) and not _blank(each):
                page.line((f"{_label(key)}:", "dim"), indent=indent)
                value(page, each, indent=indent + 2)
    elif isinstance(told, list):
        for each in told:
            page.line("- ", summary(each) if isinstance(each, dict) else scalar("", each), indent=indent, hang=2)
    else:
        page.verbatim(str(told), indent=indent)


def _blank(each: Any) -> bool:
    """Whether there is nothing to show, however deep: a heading above nothing tells nothing."""
    nested = list(each.values()) if isinstance(each, dict) else each
    return all(map(_blank, nested)) if isinstance(nested, list) else each is None or each == ""


def _flat(each: Any) -> bool:
    return not isinstance(each, dict | list) and not (isinstance(each, str) and "\n" in each)


def _label(key: str) -> str:
    return key.replace("_", " ").removesuffix(" seconds")


def scalar(key: str, each: Any) -> str:
    """Return a single value in words; its key tells durations and moments from other figures."""
    if each is None:
        return "-"
    if isinstance(each, bool):
        return words.yes_no(each)
    if isinstance(each, int | float) and key.endswith("seconds"):
        return words.seconds(each)
    if isinstance(each, float) and key in _MOMENTS:
        return words.moment(each)
    return str(each)


def summary(told: Any) -> str:
    """Return a mapping in one line."""
    if not isinstance(told, dict):
        return str(told)
    pairs = []
    for key, each in told.items():
        text = ", ".join(map(str, each)) if isinstance(each, list) else scalar(key, each)
        pairs += [f"{_label(key)} {text}"] if text not in {"", "-"} else []
    return ", ".join(pairs)
