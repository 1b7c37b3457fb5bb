"""Short-lived programs: argument lists, a scrubbed environment, a time limit."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clinic import proc


def test_arguments_arrive_as_they_are() -> None:
    words = ["a b", "'", '"', "$HOME", "é𝜋", ""]
    done = proc.run([sys.executable, "-X", "utf8", "-c", "import sys; print(sys.argv[1:])", *words], timeout=30)
    assert done.ok
    assert done.stdout.strip() == str(words)


def test_a_time_limit_ends_it() -> None:
    done = proc.run([sys.executable, "-c", "print('x', flush=True); input = __import__('time').sleep(60)"], timeout=1)
    assert (done.code, done.ok) == (None, False)
    assert "no answer in 1 s" in done.reason
    assert done.stdout.strip() == "x"


@pytest.mark.parametrize("program", ["/nowhere/at/all", "a\0b"])
def test_what_cannot_be_started_is_told(program: str) -> None:
    done = proc.run([program], timeout=5)
    assert done.code is None
    assert done.reason


def test_bytes_that_are_no_text_are_shown() -> None:
    done = proc.run([sys.executable, "-c", "import os; os.write(1, b'\\xff')"], timeout=30)
    assert done.stdout == "\\xff"


def test_the_environment_is_scrubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIP_TARGET", "UV_SYSTEM_PYTHON"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("PIP_INDEX_URL", "kept")
    env = proc.scrubbed({"MORE": "1"}, without=["LANG"])
    assert not proc.DERAILING & env.keys()
    assert (env["PIP_INDEX_URL"], env["MORE"], "LANG" in env) == ("kept", "1", False)


def test_it_runs_away_from_the_callers_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert proc.run([sys.executable, "-c", "import json"], timeout=30).ok


def test_quoted_is_read_back_by_a_shell() -> None:
    import shlex

    if sys.platform != "win32":
        assert shlex.split(proc.quoted("a b'c")) == ["a b'c"]
