"""Progress: a live line for a terminal, plain lines for a pipe, nothing for a program."""

from __future__ import annotations

import io
import re

import pytest

from clinic.report import steps
from clinic.report.progress import LiveSteps, PlainSteps, Steps
from tests.report import samples
from tests.report.test_text import Terminal


def test_json_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with steps(as_json=True) as progress:
        progress.step("build")
        progress.detail("fastapi")
    assert type(progress) is Steps
    assert capsys.readouterr() == ("", "")


def test_a_pipe_gets_lines_with_the_time() -> None:
    out = samples.pipe("ascii")
    with steps(stream=out) as progress:
        progress.step("build \x1b[31m")
        progress.detail("fastapi é")
        progress.step("verify")
        progress.done()
    assert isinstance(progress, PlainSteps)
    rows = samples.written(out).splitlines()
    assert [re.sub(r"^\[ *\d+\.\d s\] ", "", row) for row in rows] == [r"build \x1b[31m", r"  fastapi \xe9", "verify"]


def interrupted(progress: Steps) -> None:
    """Take a step that somebody interrupts."""
    with progress:
        progress.detail("before any step")
        progress.step("build")
        raise KeyboardInterrupt


def test_a_step_that_was_under_way_has_failed() -> None:
    out = samples.pipe()
    with pytest.raises(KeyboardInterrupt):
        interrupted(steps(stream=out))
    assert samples.written(out).endswith("build: failed\n")


def test_a_terminal_gets_a_live_line_and_the_cursor_back() -> None:
    out = Terminal()
    with steps(stream=out) as progress:
        progress.step("build [bold]x")
        progress.detail("fastapi")
        progress.step("verify")
    assert isinstance(progress, LiveSteps)
    text = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue())
    assert "✓ build [bold]x" in text
    assert "✓ verify" in text
    assert out.getvalue().rfind("\x1b[?25h") > out.getvalue().rfind("\x1b[?25l")


def test_on_a_terminal_too_a_step_that_was_under_way_has_failed() -> None:
    out = Terminal()
    with pytest.raises(KeyboardInterrupt):
        interrupted(steps(stream=out))
    assert "✗" in out.getvalue()


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(steps(stream=Terminal()), PlainSteps)


def test_a_lost_stream_does_not_stop_the_work() -> None:
    out = io.StringIO()
    progress = PlainSteps(out)
    out.close()
    progress.step("build")
