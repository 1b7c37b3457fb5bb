"""The server's state on one screen: process and answer as two truths, and what to do if one of them is wanting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clinic.report import diagnosis, trail, words

if TYPE_CHECKING:
    from clinic.report.page import Cell, Page, Span

Tree = dict[str, Any]

_STATES = {
    "running": ("dot", "good"),
    "starting": ("dot", "warn"),
    "hung": ("fail", "bad"),
    "waiting": ("dot", "warn"),
    "failed": ("fail", "bad"),
    "stopped": ("dot", "dim"),
    "stale": ("warn", "warn"),
    "foreign": ("fail", "bad"),
}
_ALIVE = frozenset({"running", "starting", "hung"})
_SHOWN = frozenset(
    {
        *("state", "wanted", "pid", "uptime_seconds", "restarts", "last_reason", "mode", "stopgap", "health"),
        *("environment", "port_holder", "url", "log_file", "log_tail", "next_actions", "next_try_seconds"),
        *("monitor", "checks_made", "check_gaps", "watched_seconds", "plan"),
    }
)
_EXPLAINED = {
    "hung": "it runs, and does not answer as it should",
    "waiting": "it ended, and will be started again",
    "failed": "it ended, or cannot be started",
    "stale": "the pid file does not name a running server of this project",
    "foreign": "another server answers on this port",
}


def view(page: Page, told: Tree) -> None:
    """Show `status`; of `start`, `stop` and `restart` only a line where they did what was asked."""
    if told["command"] != "status" and not told["exit_code"]:
        _brief(page, told)
        return
    _screen(page, told["data"])


def _brief(page: Page, told: Tree) -> None:
    data, word = told["data"], told["data"]["state"]
    already = "already " if told["outcome"] == "unchanged" else ""
    if word == "foreign":  # what was seen on the port is not what the command did
        already, word = "", f"not running; {data['last_reason']}"
    if told["outcome"] == "planned":
        verb = told["command"] if told["command"] in {"start", "stop", "restart"} else "look after"
        does = (
            f"would {verb} the server, which is {word}" if data.get("plan") else f"nothing to do, the server is {word}"
        )
        page.line(page.mark("note", "strong"), " ", does)
        for step in data.get("plan", []):
            page.line("- ", str(step), indent=2, hang=2)
        return
    parts = [f"{already}{word}"]
    if word in _ALIVE:
        parts += [f"pid {data['pid']}"] if data.get("pid") else []
        parts += [data["url"]] if data.get("url") else []
    parts += _kept(data) if "checks_made" in data else []
    parts += [f"{data['mode']} mode"] if told["command"] == "production-mode" else []
    timed = told["seconds"] and not already and "checks_made" not in data
    took = f"  in {words.seconds(told['seconds'])}" if timed else ""
    page.line(page.mark("pass", "good"), " ", ", ".join(parts), (took, "dim"), hang=2)
    if data.get("stopgap"):
        page.columns([_stopgap(data)], indent=2)


def _kept(data: Tree) -> list[str]:
    counted = [words.count(data["checks_made"], "check"), words.count(data["restarts"], "restart")]
    return [f"watched for {words.seconds(data['watched_seconds'])}", *counted]


def _screen(page: Page, data: Tree) -> None:
    state = data["state"]
    symbol, style = _STATES.get(state, ("note", ""))
    explained = f"  {_EXPLAINED[state]}" if state in _EXPLAINED else ""
    page.line(page.mark(symbol, style), " Interface Bridge  ", (state, style), (explained, "dim"), hang=2)
    page.columns([[(f"{row[0]:>11}", "dim"), row[1]] for row in _rows(data)], indent=2)
    trail.rest(page, data, _SHOWN)
    if not _is_well(data):
        _log(page, data)
    diagnosis.actions(page, data.get("next_actions") or what_to_do(data), title="What to do")


def _is_well(data: Tree) -> bool:
    return bool(data["state"] == "running" or (data["state"] == "stopped" and data.get("wanted") != "up"))


def _rows(data: Tree) -> list[tuple[str, Cell]]:
    rows: list[tuple[str, Cell]] = [("process", _process(data)), ("answer", _answer(data))]
    if data.get("url"):
        rows.append(("url", str(data["url"])))
    rows.append(("wanted", str(data.get("wanted") or "not said yet: it was never started")))
    rows.append(("restarts", str(data.get("restarts") or 0)))
    if data.get("last_reason"):
        rows.append(("last reason", str(data["last_reason"])))
    rows.append(("monitor", _monitor(data.get("monitor"))))
    rows.append(("mode", str(data.get("mode") or "-")))
    if data.get("stopgap"):
        label, text = _stopgap(data)
        rows.append((label, text))
    rows.append(("environment", _environment(data.get("environment"))))
    holder = data.get("port_holder")
    if holder and not (isinstance(holder, dict) and holder.get("ours")):
        rows.append(("port", [(f"held by {_holder(holder)}", "bad" if data["state"] != "running" else "")]))
    if data.get("log_file"):
        rows.append(("log", str(data["log_file"])))
    return rows


def _process(data: Tree) -> list[Span]:
    if not data.get("pid"):
        return [("none", "dim" if data["state"] == "stopped" else "bad")]
    up = data.get("uptime_seconds")
    since = f", for {words.seconds(up)}" if isinstance(up, int | float) else ""
    return [("alive", "good"), (f", pid {data['pid']}{since}", "")]


def _answer(data: Tree) -> list[Span]:
    health = data.get("health")
    if not isinstance(health, dict):
        return [(str(health) if health else "not asked", "" if health else "dim")]
    kind, latency = str(health.get("kind", "unknown")), health.get("latency")
    # How long a failure took is in its reason.
    took = f" in {words.seconds(latency)}" if kind == "healthy" and isinstance(latency, int | float) else ""
    told = f", {health['reason']}" if health.get("reason") else ""
    age = health.get("age_seconds")
    when = f", {words.seconds(age)} ago" if isinstance(age, int | float) else ""
    style = "good" if kind == "healthy" else "dim" if data["state"] == "stopped" else "bad"
    return [(kind, style), (f"{took}{told}{when}", "")]


def _monitor(told: Any) -> Cell:
    if not isinstance(told, dict):
        return ("none: invoke keep-alive", "dim")
    left = told.get("next_try_seconds")
    parts = [f"process {told['pid']}, {told['phase']}", *([f"next try in {words.seconds(left)}"] if left else [])]
    return ", ".join(parts)


def _stopgap(data: Tree) -> tuple[str, Cell]:
    told = data["stopgap"]
    text = told if isinstance(told, str) else "yes" if told is True else trail.summary(told)
    return "stopgap", (text, "warn")


def _environment(told: Any) -> Cell:
    if not isinstance(told, dict):
        return str(told) if told else ("unknown", "dim")
    verdict = str(told.get("verdict", ""))
    _, style = diagnosis.VERDICTS.get(verdict, ("", ""))
    more = ", ".join(
        str(told[key]) for key in told if key != "verdict" and isinstance(told[key], str | int) and told[key]
    )
    return [(f"{verdict}  " if verdict else "", style), (more, "")]


def _holder(told: Any) -> str:
    if not isinstance(told, dict):
        return str(told)
    if told.get("pid") is None:
        return "a process that may not be seen from here"
    return f"process {told['pid']}" + (f" ({told['command']})" if told.get("command") else "")


def _log(page: Page, data: Tree) -> None:
    tail = data.get("log_tail") or []
    rows = tail.splitlines() if isinstance(tail, str) else tail
    if rows:
        page.heading("The last lines of the log")
    for row in rows:
        page.verbatim(str(row), indent=4)


def what_to_do(data: Tree) -> list[Tree]:
    """Name the one command that helps."""
    state, environment = data["state"], data.get("environment")
    monitor = data.get("monitor") or {}
    if monitor.get("hint") and monitor.get("phase") in {"blocked", "waiting"}:
        return [_action(monitor["hint"], monitor.get("message") or "lets the monitor go on")]
    verdict = environment.get("verdict") if isinstance(environment, dict) else environment
    if state == "running":
        return [_action("invoke heal", "ends the stopgap by curing the environment")] if data.get("stopgap") else []
    if verdict in {"broken", "missing", "degraded"}:
        return [_action("invoke diagnose", f"the environment is {verdict}")]
    if state == "foreign":
        return [
            _action(
                "invoke start",
                f"once the port is free: {_holder(data.get('port_holder') or 'another server')} holds it",
            )
        ]
    known = {
        "starting": ("invoke status", "it has not answered yet"),
        "hung": ("invoke restart", "ends the process that does not answer, and starts another"),
        "waiting": ("invoke logs", "says why it ended"),
        "failed": ("invoke logs", "says why it ended"),
        "stopped": ("invoke start", "starts it"),
        "stale": ("invoke start", "starts it, and writes a true pid file"),
    }
    command, why = known.get(state, ("invoke diagnose", "says more"))
    return [_action(command, why)]


def _action(command: str, why: str) -> Tree:
    return {"priority": "immediate", "command": command, "why": why}
