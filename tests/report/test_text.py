"""Text for people: what stands on which stream, at which width, in which encoding."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from clinic.model import Cause, Finding, Result
from clinic.report import line, show
from clinic.report.screen import NARROWEST, clean
from clinic.report.screen import of as screen_of
from tests.report import samples

HOSTILE = "evil \x1b[31m\x07\r\n[bold]x[/bold] :snake: \u202ertl\u2028 \x00"
SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def shown(result: Result, encoding: str = "utf-8") -> str:
    """Return what a person reads on stdout."""
    out = samples.pipe(encoding)
    assert show(result, stream=out) == result.exit_code
    return samples.written(out)


def everything() -> list[Result]:
    """Return one result for each view."""
    codes = {"codes": [{"code": "cfg-missing", "title": "pyvenv.cfg is missing", "cured_by": ("fix-cfg", "rebuild")}]}
    entry = {"id": "1-fix-cfg", "remedy": "fix-cfg", "venv": samples.VENV, "started": 1.7e9, "state": "done"}
    return [
        samples.diagnosed(),
        samples.cured(),
        samples.put_back(),
        samples.refused(),
        samples.asked(),
        samples.asked("status", "sick", 1, state="hung", log_tail=["Traceback", "  boom"]),
        samples.asked("start"),
        Result("validate", "sick", 1, {"venv": samples.VENV, "checks": samples.CHECKS}, seconds=2.5),
        Result("diagnose", "healthy", 0, codes),
        Result("undo", "unchanged", 0, {"entries": [entry]}),
        Result("snapshot", "cured", 0, {"path": samples.VENV, "nested": {"a": [1, {"b": None}]}}),
    ]


@pytest.mark.parametrize("width", [60, 80, 200])
def test_lines_keep_to_the_width_unless_a_single_word_or_a_command_does_not_fit(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    for result in everything():
        for row in shown(result).splitlines():
            longest = max(map(len, row.split()), default=0)
            assert len(row) <= width or samples.LONG in row or longest > width - 30, row


@pytest.mark.parametrize("width", [1, 60, 80, 200])
def test_commands_are_never_cut_or_wrapped(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    assert any(row.endswith(samples.LONG) for row in shown(samples.diagnosed()).splitlines())


def test_the_hint_of_an_error_is_never_wrapped(capsys: pytest.CaptureFixture[str]) -> None:
    assert show(samples.refused()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    rows = err.splitlines()
    assert rows[0] == "error[base-unknown]: No base interpreter is proven. Looked at:"
    assert "    /usr/bin/python3.12: not there" in rows
    assert rows[-1] == f"  hint: {samples.LONG} --base PYTHON"


def test_notes_are_narration(capsys: pytest.CaptureFixture[str]) -> None:
    show(Result("undo", "unchanged", 0, {"receipts": []}, notes=("there is no repair to undo",)))
    out, err = capsys.readouterr()
    assert "nothing to do" in out
    assert err == "note: there is no repair to undo\n"


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "utf-8"])
def test_no_encoding_makes_it_fail(encoding: str) -> None:
    result = samples.diagnosed(venv=Path("/srv/\N{SNAKE} \udcff ünï"))
    text = shown(result, encoding)
    assert "broken" in text
    assert ("✗" in text) == (encoding == "utf-8")
    assert (r"\U0001f40d" in text) == (encoding != "utf-8")


def test_what_could_harm_the_terminal_is_shown_as_escapes() -> None:
    finding = Finding("cfg-odd", "fatal", HOSTILE, (HOSTILE,), (Cause(HOSTILE, HOSTILE),))
    hostile = {"venv": samples.VENV / HOSTILE.replace("\0", ""), "verdict": HOSTILE, "findings": (finding,)}
    results = [
        Result("diagnose", "sick", 1, hostile),
        Result("x", "failed", 1, {"note": HOSTILE, HOSTILE: [HOSTILE], "deep": {"pairs": {"a": HOSTILE}}}),
        samples.asked(last_reason=HOSTILE, environment=HOSTILE, log_tail=[HOSTILE], url=HOSTILE, stopgap=HOSTILE),
    ]
    for result in results:
        text = shown(result)
        assert not set(text) & set("\x1b\x07\r\0\u202e\u2028")
        assert r"\x1b[31m" in text
        assert "[bold]x[/bold] :snake:" in text


def test_ordinary_text_of_every_script_stays_as_it_is() -> None:
    text = "Grüße, 世界, مرحبا, emoji \N{FAMILY}\u200d\N{GIRL}"
    assert clean(text) == text


def test_a_followed_log_is_cleaned_line_by_line() -> None:
    out = samples.pipe("ascii")
    line("up\t\x1b[31m é", out)
    assert samples.written(out) == "up      \\x1b[31m \\xe9\n"


def test_a_wide_letter_counts_as_two_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(NARROWEST))
    finding = Finding("x", "fatal", "t", ("世界 " * 20,))
    for row in shown(Result("diagnose", "sick", 1, {"findings": (finding,)})).splitlines():
        assert sum(2 if letter in "世界" else 1 for letter in row) <= NARROWEST


class Terminal(io.StringIO):
    """A stream that claims to be one."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_colour_is_for_terminals_and_for_those_who_force_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def coloured(stream: io.StringIO) -> bool:
        show(samples.diagnosed(), stream=stream)
        return "\x1b[" in stream.getvalue()

    assert coloured(Terminal())
    assert not coloured(io.StringIO())
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert coloured(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(Terminal())
    monkeypatch.delenv("FORCE_COLOR")
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not coloured(Terminal())


def test_colour_changes_nothing_but_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    import re

    for result in everything():
        plain = shown(result)
        monkeypatch.setenv("FORCE_COLOR", "1")
        painted = shown(result)
        monkeypatch.delenv("FORCE_COLOR")
        stripped = re.sub(r"\x1b\[[0-9;]*m", "", painted)
        assert [row.rstrip() for row in stripped.splitlines()] == plain.splitlines()


def test_a_closed_stream_is_no_terminal() -> None:
    stream = io.StringIO()
    stream.close()
    assert not screen_of(stream).colour


def test_a_width_that_is_no_number_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "wide")
    assert screen_of(samples.pipe()).width >= NARROWEST


@pytest.mark.skipif(os.name == "nt", reason="a shell pipe of POSIX")
def test_a_reader_may_leave_early() -> None:
    program = (
        f"import sys; sys.path[:0] = [{str(SCRIPTS)!r}]\n"
        "from clinic.model import Result; from clinic.report import show\n"
        "data = {'lines': ['x' * 1000] * 10000}\n"
        "sys.exit(show(Result('logs', 'healthy', 0, data)))\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert writer.stdout
    assert writer.stderr
    writer.stdout.read(10)
    writer.stdout.close()
    assert writer.stderr.read() == b""
    writer.stderr.close()
    assert writer.wait(30) == 0
