"""What each command tells a person."""

from __future__ import annotations

from typing import Any

import pytest

from clinic.model import CheckResult, CheckStatus, Result
from clinic.report import words
from tests.report import samples
from tests.report.test_text import shown


def in_order(text: str, *parts: str) -> bool:
    """Whether all parts occur, each after the one before it."""
    at = 0
    for part in parts:
        at = text.find(part, at)
        if at < 0:
            return False
    return True


def test_diagnose_goes_from_the_verdict_to_what_to_type() -> None:
    text = shown(samples.diagnosed())
    assert text.startswith(f"✗ broken  {samples.VENV}\n")
    assert in_order(
        text,
        *(
            "Found",
            "✗ pyvenv.cfg is missing  cfg-missing",
            "does not exist",
            "likely causes:",
            "1. deleted",
            "2. inter",
        ),
        *("· keys are in upper case  cfg-key-case, advice only", "Ways out", "★  fix-cfg", "recommended"),
        *("+ keeps every package", "- only the cfg", "rebuild", "new", "needed", "about 15 s"),
        *("Next", f"1. {samples.LONG}", "immediate:", "2. invoke validate", "short-term:"),
    )


def test_health_takes_one_line() -> None:
    assert shown(Result("diagnose", "healthy", 0, samples.HEALTHY)) == f"✓ healthy  {samples.VENV}\n"


def test_a_repair_tells_what_was_found_done_and_proved_and_how_to_take_it_back() -> None:
    text = shown(samples.cured())
    assert in_order(
        text,
        *(f"✓ cured  {samples.VENV}", "Found", "cfg-missing", "Done", "✓ fix-cfg  done"),
        *("changed", "pyvenv.cfg", "old state", "/srv/.clinic/stash/1", "Proof", "✓ looked again: healthy"),
        *("Next", "invoke validate", "invoke undo"),
    )
    assert "likely cause" not in text


def test_a_repair_that_did_not_hold_is_put_back_and_promises_nothing() -> None:
    text = shown(samples.put_back())
    assert in_order(text, "✗ failed", "Tried", "! fix-cfg  put back", "old state", "there was nothing to keep")
    assert "Next" not in text
    assert "Proof" not in text


def test_findings_that_remain_come_with_what_to_type() -> None:
    result = Result(
        "fix-cfg", "sick", 1, {"before": samples.BROKEN, "after": samples.BROKEN, "receipts": [samples.MENDED]}
    )
    assert in_order(shown(result), "✗ findings remain", "Still found", "cfg-missing", "Next", samples.LONG)


def test_a_plan_says_what_it_would_do_and_that_it_did_nothing() -> None:
    data = {"before": samples.BROKEN, "plan": ["write /x/pyvenv.cfg"], "content": "home = /usr/bin\n", "receipts": []}
    text = shown(Result("fix-cfg", "planned", 0, data))
    assert in_order(
        text, "planned, nothing is touched", "Would do", "- write /x", "The file would say", "    home = /usr/bin"
    )
    assert "Next" not in text
    assert "- build" in shown(Result("onboard", "planned", 0, {"plan": [{"build": "it"}]}))
    assert "· nothing would be done" in shown(Result("heal", "planned", 0, {"plan": [], "receipts": []}))


def test_a_repair_names_the_environment_that_there_is_now() -> None:
    made = samples.VENV.with_name(".venv313")
    data = {"before": samples.BROKEN, "after": {**samples.HEALTHY, "venv": made}}
    assert f"✓ cured  {made}" in shown(Result("heal", "cured", 0, data))


def test_nothing_to_do_takes_one_line() -> None:
    data = {"before": samples.HEALTHY, "after": samples.HEALTHY, "receipts": []}
    assert shown(Result("fix-cfg", "unchanged", 0, data)) == f"✓ nothing to do  {samples.VENV}\n"


def test_undo_says_what_it_put_back() -> None:
    text = shown(Result("undo", "cured", 0, {"undone": "1", "receipts": [samples.MENDED]}))
    assert text.startswith("✓ undone")
    assert "pyvenv.cfg" in text
    assert "Next" not in text


def test_heal_shows_the_checklist_too() -> None:
    text = shown(samples.cured(checks=samples.CHECKS, rounds=2))
    assert in_order(text, "rounds  2", "Server startup", "startup.log")


def test_the_checklist_is_grouped_counted_and_says_what_helps() -> None:
    text = shown(Result("validate", "sick", 1, {"venv": samples.VENV, "checks": samples.CHECKS}, seconds=2.5))
    assert in_order(
        text,
        *("Server startup\n", "✓ the start command exits 0  startup.starts  0.8 s", "exit code 0"),
        *("✗ the log has the start-up lines  startup.log", "failed", "no such line", "last: x"),
        *("\n\nVirtual environment\n", "- pyvenv.cfg is true  venv.cfg  skipped"),
        *("1 passed, 1 failed, 1 skipped  in 2.5 s", "Next", "invoke logs", "(startup.log)"),
    )


@pytest.mark.parametrize(
    ("statuses", "line"),
    [
        (["pass"] * 3, "✓ healthy"),
        (["pass", "pass", "skip"], "✓ healthy, 1 of 3 not tried: native.c"),
        (["fail", "pass", "skip"], "✗ sick, 1 of 3 failed: native.a; 1 of 3 not tried: native.c"),
        (["skip"] * 4, "✓ healthy, 4 of 4 not tried"),
    ],
)
def test_the_first_line_of_a_checklist_says_what_was_not_tried(statuses: list[CheckStatus], line: str) -> None:
    checks = [
        CheckResult(f"native.{id_}", "G", "T", status, "e", 0) for id_, status in zip("abcd", statuses, strict=False)
    ]
    assert shown(Result("validate", "healthy", 0, {"venv": "V", "checks": checks})).splitlines()[0] == f"{line}  V"


def test_a_first_run_ends_with_the_commands_to_know() -> None:
    data = {
        "checks": samples.CHECKS[:1],
        "url": "http://127.0.0.1:8000/health",
        "next": (("invoke status", "how it is"),),
    }
    text = shown(Result("onboard", "healthy", 0, data))
    assert in_order(text, "1 passed, 0 failed", "url", "http://127.0.0.1:8000/health", "1. invoke status", "how it is")


def test_status_keeps_process_and_answer_apart() -> None:
    text = shown(samples.asked())
    assert text.startswith("● Interface Bridge  running\n")
    assert "process  alive, pid 4711, for 3 min 12 s" in text
    assert "answer  healthy in 4 ms, status 200" in text
    assert in_order(text, "restarts  2\n", "last reason  killed by signal 9\n")
    assert "What to do" not in text
    assert "held by" not in text


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({"state": "hung"}, "invoke restart"),
        ({"state": "starting"}, "invoke status"),
        ({"state": "waiting"}, "invoke logs"),
        ({"state": "failed"}, "invoke logs"),
        ({"state": "stopped"}, "invoke start"),
        ({"state": "stale"}, "invoke start"),
        ({"state": "foreign"}, "invoke start"),
        ({"state": "stopped", "environment": {"verdict": "broken", "venv": "/v"}}, "invoke diagnose"),
        ({"state": "running", "stopgap": "lifeboat"}, "invoke heal"),
        ({"state": "unheard of"}, "invoke diagnose"),
        ({"state": "hung", "next_actions": [{"command": "told"}]}, "told"),
    ],
)
def test_status_names_the_one_command_that_helps(changes: dict[str, Any], command: str) -> None:
    assert in_order(shown(samples.asked("status", "sick", 1, **changes)), "What to do", f"1. {command}\n")


def test_status_of_a_hung_server_shows_the_log_and_the_reason() -> None:
    health = {"kind": "timeout", "reason": "no whole answer within 3 s", "latency": 3.0}
    text = shown(samples.asked("status", "sick", 1, state="hung", health=health, log_tail="one\ntwo", log_file="/l"))
    assert in_order(
        text, "process  alive", "answer  timeout, no whole answer within 3 s\n", "log  /l", "    one\n    two"
    )


def test_status_names_a_stranger_on_the_port() -> None:
    gone = {"state": "foreign", "pid": None, "uptime_seconds": None, "health": None}
    seen = shown(samples.asked("status", "sick", 1, **gone, port_holder={"pid": 7, "command": "nc", "ours": False}))
    assert in_order(seen, "process  none", "answer  not asked", "port  held by process 7 (nc)")
    unseen = shown(samples.asked("status", "sick", 1, **gone, port_holder={"pid": None, "command": "", "ours": False}))
    assert "may not be seen" in unseen


def test_status_takes_what_other_versions_of_it_tell() -> None:
    text = shown(
        samples.asked(health="fine", environment={"verdict": "healthy", "python": "3.14"}, port_holder="me", more=1)
    )
    assert in_order(text, "answer  fine", "environment  healthy  3.14", "held by me", "more  1")


@pytest.mark.parametrize(
    ("result", "text"),
    [
        (samples.asked("start", url="http://x/health"), "✓ running, pid 4711, http://x/health  in 0.8 s\n"),
        (samples.asked("start", "unchanged"), "✓ already running, pid 4711\n"),
        (samples.asked("stop", state="stopped", pid=None), "✓ stopped  in 0.8 s\n"),
        (samples.asked("start", stopgap="lifeboat"), "✓ running, pid 4711  in 0.8 s\n  stopgap  lifeboat\n"),
        (
            samples.asked("stop", "planned", plan=["stop process 1"]),
            "· would stop the server, which is running\n  - stop process 1\n",
        ),
        (
            samples.asked("stop", "planned", plan=[], state="stopped", pid=None),
            "· nothing to do, the server is stopped\n",
        ),
    ],
)
def test_a_server_command_that_did_what_was_asked_takes_a_line(result: Result, text: str) -> None:
    assert shown(result) == text


def test_the_codes_and_the_repairs_on_record_are_listed() -> None:
    codes = {
        "codes": [
            {"code": "cfg-missing", "title": "it is missing", "cured_by": ("fix-cfg",)},
            {"code": "b", "title": "t", "cured_by": ()},
        ]
    }
    assert in_order(
        shown(Result("diagnose", "healthy", 0, codes)), "cfg-missing", "fix-cfg", "it is missing", "by hand"
    )
    entry = {
        "id": "1",
        "remedy": "fix-cfg",
        "venv": samples.VENV,
        "started": 1.7e9,
        "state": "done",
        "changed": ["/a", "/b"],
        "stash": None,
        "size": 2048,
    }
    text = shown(Result("undo", "unchanged", 0, {"entries": [entry]}))
    assert in_order(text, "✓ fix-cfg  done  2023-11-", "changed", "/a", "/b", "2.0 KB", "id", "1")
    assert "stash" not in text
    assert "No repair" in shown(Result("undo", "unchanged", 0, {"entries": []}))


def test_logs_are_shown_as_they_are_and_their_end_says_nothing() -> None:
    assert shown(Result("logs", "healthy", 0, {"log_file": "/l", "lines": ["  a", "", "b"]})) == "  a\n\nb\n"
    assert shown(Result("logs", "healthy", 0, {"log_file": "/l"})) == ""


def test_what_no_view_knows_is_shown_as_keys_and_values() -> None:
    data = {
        "path": samples.VENV,
        "took_seconds": 0.5,
        "kept": True,
        "none": None,
        "deep": {"list": [1, {"b": [2, 3]}]},
        "text": "a\nb",
    }
    text = shown(Result("snapshot", "cured", 0, data))
    assert in_order(
        text,
        "✓ snapshot: cured",
        "path",
        "took",
        "0.5 s",
        "kept",
        "yes",
        "deep:",
        "list:",
        "- 1",
        "- b 2, 3",
        "text:",
        "a\n",
    )
    assert shown(Result("snapshot", "failed", 1)).startswith("✗ snapshot: failed")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.004, "4 ms"),
        (0.0995, "0.1 s"),
        (9.96, "10 s"),
        (119.4, "119 s"),
        (125, "2 min 5 s"),
        (7384, "2 h 3 min"),
        (400000, "4 d 15 h"),
    ],
)
def test_durations_are_as_precise_as_they_matter(value: float, text: str) -> None:
    assert words.seconds(value) == text


def test_sizes_estimates_and_moments() -> None:
    assert [words.size(n) for n in (1, 1536, 20 << 20, 5 << 40)] == ["1 bytes", "1.5 KB", "20 MB", "5120 GB"]
    assert [words.about(n) for n in (0.05, 1.0, 600)] == ["about 50 ms", "about 1 s", "about 10 min 0 s"]
    assert words.moment(float("inf")) == "inf"


def test_nothing_is_said_of_lists_that_are_empty() -> None:
    nothing = {"drift": {"extra": [], "missing": [], "other_version": []}, "carried": [], "left": []}
    text = shown(Result("rebuild", "planned", 0, {"plan": ["x"], **nothing}))
    assert not {"drift", "extra", "missing", "other", "carried", "left"} & set(text.replace(":", " ").split())
    more = Result("rebuild", "planned", 0, {"plan": ["x"], "drift": {"extra": ["y"], "missing": []}})
    assert "extra" in shown(more)
    assert "missing" not in shown(more)


def test_a_stop_beside_a_stranger_says_what_it_did() -> None:
    held = "port 8000 is held by process 12 (nc)"
    text = shown(samples.asked("stop", "unchanged", 0, state="foreign", pid=None, last_reason=held))
    assert f"not running; {held}" in text
    assert "already" not in text
