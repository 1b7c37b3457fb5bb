"""Checking: `validate`, and the newcomer's first run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clinic import proc
from clinic.anatomy import cfg as grammar
from clinic.checklist import Checklist, Subject, cleanup, environment, health, startup
from clinic.checks import examine
from clinic.checks.effects import wants_base_packages
from clinic.errors import RefusedError
from clinic.facts import Facts
from clinic.flow.patient import Patient, patient
from clinic.model import CheckResult, Finding, Result
from clinic.observe.state import state_of
from clinic.remedies import stopgap
from clinic.report.progress import Steps
from clinic.settings import Settings

Watch = Callable[[CheckResult], None]
Asked = Callable[[], proc.Completed]


def validate(  # noqa: PLR0913 - the flags of the command
    settings: Settings,
    venv: str | Path | None = None,
    *,
    quick: bool = False,
    junit: str | None = None,
    dry_run: bool = False,
    on_result: Watch = lambda _result: None,
    on_start: Callable[[str], None] = lambda _name: None,
) -> Result:
    """Run the checklist; a green one records the known-good state. A dry run only looks, and says what is left out."""
    who = patient(settings, venv)
    notes = () if dry_run else cleanup.sweep()
    todo = Checklist(on_result, on_start)
    facts = who.look()
    findings = examine(facts)
    if quick or dry_run:
        _quick(todo, who, facts, findings)
    else:
        _whole(todo, who, facts, findings)
    failed = sum(result.status == "fail" for result in todo.results)
    data: dict[str, Any] = {"venv": who.venv, "checks": tuple(todo.results)}
    if serving := stopgap.serving(settings):
        data["stopgap"] = serving
    if dry_run:
        plan = _left_out(who, junit, quick=quick)
        return Result("validate", "planned", int(bool(failed)), {**data, "plan": plan})
    if junit:
        from clinic.report.junit import write

        write(Path(junit), todo.results)
    if not failed:
        remember(who, facts)
    return Result("validate", "sick" if failed else "healthy", int(bool(failed)), data, notes=notes)


def _left_out(who: Patient, junit: str | None, *, quick: bool) -> list[str]:
    shadow = [] if quick else ["try the rest on a shadow server, with a port and a pid file of its own"]
    file = [f"write {junit}"] if junit else []
    return [*shadow, *file, f"record the known-good state of {who.venv}, if every check passes"]


def quick_checks(
    who: Patient,
    facts: Facts,
    findings: tuple[Finding, ...],
    on_result: Watch = lambda _result: None,
    asked: Asked | None = None,
) -> tuple[CheckResult, ...]:
    """The parts that start no shadow server, on facts (and an answer of the service's module) known already."""
    todo = Checklist(on_result)
    _quick(todo, who, facts, findings, asked)
    return tuple(todo.results)


def _live(who: Patient) -> tuple[Subject | None, bool]:
    """The live server if it runs; and whether it should answer."""
    from clinic.service import manager

    live = manager.status(who.settings)
    mine = Subject(who.settings, shadow=False) if live.pid and live.state == "running" else None
    return mine, bool(mine) or live.state in {"hung", "foreign", "starting"} or live.wanted == "up"


def _quick(
    todo: Checklist, who: Patient, facts: Facts, findings: tuple[Finding, ...], asked: Asked | None = None
) -> None:
    mine, expected = _live(who)
    startup.run(todo, mine, "the quick checks start no server", who.venv)
    health.run(todo, Subject(who.settings, shadow=False) if expected else None)
    environment.run(todo, facts, findings, who.settings, asked, own=who.own)


def _whole(todo: Checklist, who: Patient, facts: Facts, findings: tuple[Finding, ...]) -> None:
    from clinic.checklist import keepalive, native, shadow
    from clinic.service import memory

    _, expected = _live(who)
    mode = memory.recall(who.settings).mode
    with shadow.made(who.settings, who.venv, mode=mode) as twin:
        startup.run(todo, twin.subject, lambda: twin.manage("start"), who.venv)
        health.run(todo, Subject(who.settings, shadow=False) if expected else twin.subject)
        environment.run(todo, facts, findings, who.settings)
        twin.manage("stop")
        native.run(todo, twin)
    keepalive.run(todo, who.settings, who.venv, mode)


def remember(who: Patient, facts: Facts) -> dict[str, Any]:
    """Record the known-good state of an environment."""
    cfg = grammar.parse(facts.cfg.raw) if facts.cfg and facts.cfg.raw else None
    prompt = cfg.first("prompt") if cfg else None
    state = {**state_of(facts), "system_site": wants_base_packages(facts), "prompt": prompt}
    who.records.save_snapshot(who.venv, state)
    return state


def snapshot(settings: Settings, venv: str | Path | None = None, *, dry_run: bool = False) -> Result:
    """Record the known-good state of a healthy environment; a sick one is refused."""
    who = patient(settings, venv)
    facts = who.look()
    sick = next((finding for finding in examine(facts) if finding.severity != "advice"), None)
    if sick:
        raise RefusedError(
            sick.code,
            f"{who.venv} is not known to be good: {sick.evidence[0]}. Nothing was recorded.",
            f"invoke diagnose{who.flags}",
        )
    if dry_run:
        return Result("snapshot", "planned", 0, {"venv": who.venv, "plan": [f"record the state of {who.venv}"]})
    state = remember(who, facts)
    return Result("snapshot", "healthy", 0, {"venv": who.venv, "recorded": sorted(state)})


def onboard(
    settings: Settings, venv: str | Path | None = None, *, dry_run: bool = False, progress: Any = None
) -> Result:
    """From nothing to a validated, running bridge: the environment, the server, the checklist."""
    from clinic.flow.repair import fix_cfg
    from clinic.flow.serve import start_server

    who = patient(settings, venv)
    steps = progress or Steps()
    notes: list[str] = []
    steps.step("Looking at the environment")
    facts = who.look()
    findings = tuple(finding for finding in examine(facts) if finding.severity != "advice")
    if dry_run:
        return Result("onboard", "planned", 0, {"plan": _plan(findings, who)})
    if findings and all("fix-cfg" in finding.cured_by for finding in findings):
        steps.step("Restoring pyvenv.cfg")
        result = fix_cfg(settings, venv)
    elif findings and all("reinstall" in finding.cured_by for finding in findings):
        from clinic.flow.reinstalling import reinstall

        steps.step("Reinstalling what is hurt")
        result = reinstall(settings, venv, progress=steps)
    elif findings:
        from clinic.flow.rebuilding import rebuild

        steps.step("Building the environment from its lock")
        result = rebuild(settings, venv, progress=steps, serves=False)
    else:
        result = Result("onboard", "unchanged", 0)
    notes += result.notes
    if result.exit_code:
        return Result("onboard", result.outcome, result.exit_code, result.data, result.errors, notes=tuple(notes))
    steps.step("Starting the server")
    started = start_server(settings, venv)
    steps.step("Going through the checklist")
    # Where nothing was made and nothing started, the checks that start a shadow server would only take time.
    again = not findings and started.outcome == "unchanged"
    result = validate(settings, venv, quick=again, on_result=lambda check: steps.detail(check.title))
    if again:
        notes.append("nothing needed doing, so the quick checks suffice; invoke validate goes through all")
    steps.done()
    data = {**result.data, "url": settings.service.url, "next": _NEXT}
    return Result("onboard", result.outcome, result.exit_code, data, notes=tuple(notes))


_NEXT = (
    ("invoke status", "how the server is"),
    ("invoke heal", "when something is wrong: the cheapest cure that suffices"),
    ("invoke diagnose", "the cause, and the ways out, before anything is touched"),
    ("invoke keep-alive", "watches the server and replaces it when it dies"),
    ("invoke logs --follow", "what the server says"),
    ("invoke stop", "when you are done"),
)


def _plan(findings: tuple[Any, ...], who: Patient) -> list[str]:
    if not findings:
        first = []
    elif all("fix-cfg" in finding.cured_by for finding in findings):
        first = [f"restore {who.venv}/pyvenv.cfg"]
    elif all("reinstall" in finding.cured_by for finding in findings):
        first = [f"reinstall what is hurt in {who.venv}"]
    else:
        first = [f"build {who.venv} from {who.settings.environment.requirements}"]
    return [*first, f"start the server on port {who.settings.service.port}", "go through the checklist"]
