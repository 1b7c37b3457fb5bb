"""What has changed since the snapshot, and who runs from the environment, on the screen and in the document."""

from __future__ import annotations

from typing import Any

from clinic.model import Result
from clinic.report import incident
from clinic.report.changed import MOST
from clinic.report.envelope import envelope
from tests.report import samples
from tests.report.test_text import shown

NOTHING: dict[str, Any] = {
    "time": 1.7e9,
    "cfg": [],
    "interpreter": [],
    "distributions": {"added": [], "removed": [], "other_version": [], "other_record": []},
    "files": {"added": [], "removed": [], "changed": []},
}
CHANGED: dict[str, Any] = {
    **NOTHING,
    "cfg": [{"key": "home", "was": "/a", "is": "/b"}, {"key": "prompt", "was": "x", "is": None}],
    "interpreter": [{"key": "version", "was": "3.13.0", "is": "3.13.1"}, {"key": "modified", "was": 1.0, "is": 2e9}],
    "distributions": {
        **NOTHING["distributions"],
        "added": [{"name": f"d{number}", "version": "1"} for number in range(MOST + 5)],
    },
    "files": {"added": ["bin/b"], "removed": [], "changed": ["bin/activate"]},
}


def test_changes_are_listed_below_the_findings() -> None:
    text = shown(Result("diagnose", "healthy", 0, {**samples.HEALTHY, "changed_since": CHANGED}))
    assert "Changed since the snapshot of 2023-11-1" in text
    for line in ("home was /a, is /b", "prompt = x is gone", "version was 3.13.0, is 3.13.1", "bin/activate: changed"):
        assert line in text
    assert "d9 1: new" in text
    assert f"d{MOST} 1" not in text
    assert "and 5 more" in text


def test_health_without_changes_still_takes_one_line() -> None:
    data = {**samples.HEALTHY, "changed_since": NOTHING}
    assert shown(Result("diagnose", "healthy", 0, data)) == f"✓ healthy  {samples.VENV}\n"


def test_a_damage_without_changes_is_worth_a_line() -> None:
    result = samples.diagnosed()
    text = shown(Result("diagnose", "sick", 1, {**result.data, "changed_since": NOTHING}))
    assert "nothing that the snapshot records" in text


def test_the_document_has_them_too() -> None:
    result = samples.diagnosed()
    told = envelope(Result("diagnose", "sick", 1, {**result.data, "changed_since": CHANGED}))
    text = incident.document(told, 1.7e9)
    assert "## Changed since the last known-good state\n" in text
    assert "- bin/activate: changed" in text


def test_who_runs_from_it_is_named() -> None:
    held = {"pid": 12, "name": "uvicorn", "command": "python -m uvicorn", "since": 1.7e9, "how": "runs from this"}
    text = shown(Result("diagnose", "healthy", 0, {**samples.HEALTHY, "in_use": [held]}))
    assert "In use by\n  pid 12 uvicorn since 2023-11-1" in text
    assert "runs from this: python -m uvicorn" in text
