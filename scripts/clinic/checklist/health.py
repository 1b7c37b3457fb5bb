"""The group *Health endpoint*: one answer, judged in three steps. Another server's answer fails all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clinic.checklist import Checklist, Subject, Told
from clinic.checklist.startup import NO_SERVER

if TYPE_CHECKING:
    from clinic.service.health import Answer


def run(todo: Checklist, subject: Subject | None) -> None:
    """Ask once, as `status` does, and judge."""
    from clinic.service import manager

    answer = manager.status(subject.settings).health if subject else None

    def judged(judge: Callable[[Answer, Subject], Told]) -> Callable[[], Told]:
        if subject is None or answer is None:
            return lambda: ("skip", NO_SERVER)
        if answer.kind == "foreign":
            return lambda: ("fail", f"foreign: {answer.reason}")
        return lambda: judge(answer, subject)

    todo.run("health.responds", judged(_responds))
    todo.run("health.status-200", judged(_status))
    todo.run("health.body", judged(_body))


def _responds(answer: Answer, who: Subject) -> Told:
    if not answer.reachable:
        return "fail", f"{who.settings.service.url}: {answer.reason}"
    return "pass", f"{who.settings.service.url} answered in {answer.latency * 1000:.0f} ms ({who.said})"


def _status(answer: Answer, who: Subject) -> Told:
    good = answer.status == who.settings.service.health.status
    return ("pass" if good else "fail"), f"status {answer.status or 'none'}"


def _body(answer: Answer, _who: Subject) -> Told:
    return ("pass" if answer.healthy else "fail"), answer.reason
