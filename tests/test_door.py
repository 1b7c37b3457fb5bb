"""Whatever happens behind a door, one envelope comes out, with the contract's exit code."""

from __future__ import annotations

import json

import pytest

from clinic import door
from clinic.errors import BusyError, FailedError, RefusedError
from clinic.model import Result


@pytest.mark.parametrize(
    ("error", "outcome", "code"),
    [
        (FailedError("a", "b", "c"), "failed", 1),
        (RefusedError("a", "b", "c"), "refused", 2),
        (BusyError("a", "b", "c"), "busy", 4),
        (ZeroDivisionError("planted"), "failed", 3),
        (KeyboardInterrupt(), "failed", 130),
        (ModuleNotFoundError("No module named 'psutil'", name="psutil"), "refused", 2),
        (ModuleNotFoundError("No module named 'clinic.x'", name="clinic.x"), "failed", 3),
    ],
)
def test_errors_become_envelopes(
    error: BaseException, outcome: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> Result:
        raise error

    assert door.perform("test", work, as_json=True) == code
    told = json.loads(capsys.readouterr().out)
    assert (told["outcome"], told["exit_code"], told["command"]) == (outcome, code, "test")
    assert told["errors"][0]["message"]


def test_a_result_goes_through(capsys: pytest.CaptureFixture[str]) -> None:
    assert door.perform("test", lambda: Result("other", "healthy", 0, {"n": 1}), as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["command"], told["data"]) == ("test", {"n": 1})
    assert told["seconds"] >= 0
