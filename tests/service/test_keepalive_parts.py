"""The parts of the monitor one by one: figures, the bell, the checks, the wait. No server needed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.service import console, guard, health, identity, memory, pulse
from clinic.service.backoff import Failures
from clinic.service.bell import Bell
from clinic.service.patience import Patience
from clinic.service.pidfile import Record
from clinic.settings import KeepAlive, Settings, load

FIGURES = KeepAlive(10, 3, 1, 60, 5, 60)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load(tmp_path, None, {})


# Backoff


def test_delays_double_to_the_limit_and_start_anew_after_health() -> None:
    failures = Failures(FIGURES, spread=lambda: 1.0)
    delays = []
    for _ in range(9):
        failures.note()
        delays.append(failures.delay())
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    failures.forget()
    failures.note()
    assert failures.delay() == 1


@given(st.lists(st.floats(0, 30), max_size=30))
def test_a_loop_is_five_in_a_row_or_five_within_the_window(pauses: list[float]) -> None:
    now, moments, row = [0.0], list[float](), 0
    failures = Failures(FIGURES, clock=lambda: now[0])
    for pause in pauses:
        now[0] += pause
        if pause > 25:
            failures.forget()
            row = 0
        failures.note()
        moments, row = [*moments, now[0]][-5:], row + 1
        assert failures.looping == (row >= 5 or (len(moments) == 5 and now[0] - moments[0] <= 60))


def test_spread_keeps_to_a_tenth() -> None:
    failures = Failures(FIGURES)
    failures.note()
    delays = {failures.delay() for _ in range(200)}
    assert len(delays) > 50
    assert all(0.9 <= delay <= 1.1 for delay in delays)


def test_ten_kills_in_a_minute_are_no_storm_and_a_storm_is_one() -> None:
    now = [0.0]
    failures = Failures(FIGURES, clock=lambda: now[0])
    for _ in range(10):
        failures.note_death()
        now[0] += 6
    assert not failures.storm
    for _ in range(15):
        failures.note_death()
        now[0] += 1
    assert failures.storm


# The bell


def test_a_ring_a_descriptor_and_the_time_end_the_waiting() -> None:
    reading, writing = os.pipe()
    with Bell() as bell:
        assert 0.04 < waited(lambda: bell.wait(0.05)) < 1
        threading.Timer(0.05, bell.ring).start()
        assert waited(lambda: bell.wait(10)) < 5
        threading.Timer(0.05, os.close, (writing,)).start()
        assert waited(lambda: bell.wait(10, reading)) < 5
    os.close(reading)


def waited(act: Callable[[], object]) -> float:
    """How long it took."""
    started = time.monotonic()
    act()
    return time.monotonic() - started


def test_many_rings_are_one_and_none_is_left() -> None:
    with Bell() as bell:
        for _ in range(100_000):
            bell.ring()
        bell.wait(0)
        assert waited(lambda: bell.wait(0.1)) > 0.09


def test_the_first_signal_asks_the_second_forces() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Bell() as bell:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)  # a closed terminal says it twice
        assert bell.asked == 2
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_once_forcing_has_begun_no_signal_interrupts_it() -> None:
    with Bell() as bell:
        os.kill(os.getpid(), signal.SIGINT)
        bell.interrupt_once()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        assert bell.asked == 4


def test_under_nohup_the_closed_terminal_is_survived() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Bell() as bell:
            os.kill(os.getpid(), signal.SIGHUP)
            assert bell.asked == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_sleep_of_the_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from clinic.service import bell as room

    slept = iter([100.0, 4000.0])
    monkeypatch.setattr(room, "_suspended", lambda: next(slept))
    with Bell() as bell:
        assert bell.wait(0) > 3899


def test_a_console_that_is_closed_is_held_back_until_all_is_done() -> None:
    heard, over, handlers = threading.Event(), threading.Event(), list[Any]()
    kernel: Any = type("Kernel", (), {"SetConsoleCtrlHandler": lambda _self, handler, _add: handlers.append(handler)})()
    console.hold_close(heard.set, over, kernel, lambda handler: handler)
    (handler,) = handlers
    assert not handler(0), "Ctrl+C is Python's"
    assert not heard.is_set()
    closing = threading.Thread(target=handler, args=(2,))
    closing.start()
    assert heard.wait(5)
    assert closing.is_alive(), "Windows ends the process when the handler returns"
    over.set()
    closing.join(5)
    assert not closing.is_alive()


# The checks


class Checks:
    """A pulse whose checks answer at once as told, on a clock of its own."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch, *, ready: bool = True) -> None:
        self.now = 1000.0
        self.told = health.Answer("healthy", "", launch="x")
        me = identity.identify(os.getpid())
        assert me
        monkeypatch.setattr(health, "check", lambda *_: self.told)
        record = Record(me, me, launch="x", port=1, ready=ready)
        self.pulse = pulse.Pulse(settings, record, lambda: None, self.now)

    def turn(self, seconds: float) -> str:
        """Let time pass until a check has been judged."""
        self.now += seconds
        before = self.pulse.count
        said = self.pulse.turn(self.now)
        deadline = time.monotonic() + 5
        while self.pulse.count > before and self.pulse._question and time.monotonic() < deadline:
            said = self.pulse.turn(self.now) or said
        return said


def test_three_strikes_a_second_apart(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = Checks(settings, monkeypatch)
    assert checks.turn(0) == ""
    assert checks.pulse.due(checks.now) <= 1.0
    checks.told = health.Answer("wrong-status", "status 500", status=500)
    assert checks.turn(10.1) == ""
    assert checks.turn(0.5) == "", "not before a second has passed"
    assert checks.pulse.strikes == 1
    assert checks.turn(0.6) == ""
    assert checks.turn(1.1) == "status 500"


def test_one_success_forgives(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = Checks(settings, monkeypatch)
    bad, good = health.Answer("timeout", "late"), checks.told
    for answer, pause in ((bad, 0.0), (bad, 1.1), (good, 1.1), (bad, 10.1), (bad, 1.1)):
        checks.told = answer
        assert checks.turn(pause) == ""
    assert checks.pulse.strikes == 2


def test_no_liveness_before_the_first_success(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    young = replace(settings, service=replace(settings.service, start_timeout=1e9))
    checks = Checks(young, monkeypatch, ready=False)
    checks.told = health.Answer("refused", "nobody listens")
    for _ in range(50):
        assert checks.turn(0.3) == ""
    assert checks.pulse.strikes == 0


def test_after_a_sleep_strikes_are_counted_afresh(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = Checks(settings, monkeypatch)
    checks.told = health.Answer("timeout", "late")
    checks.turn(0)
    checks.turn(1.1)
    assert checks.pulse.strikes == 2
    checks.pulse.afresh(checks.now)
    assert checks.turn(1.1) == ""
    assert checks.pulse.strikes == 1


def test_a_failed_check_is_told_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = Checks(settings, monkeypatch)

    monkeypatch.setattr(health, "check", lambda *_: health.Answer("not-http", "ZeroDivisionError"))
    assert checks.turn(0) == ""
    assert checks.pulse.strikes == 1
    assert "ZeroDivisionError" in checks.pulse.news()
    assert checks.pulse.news() == "", "said once"


# Waiting, and who watches


class Traced:
    """Care whose traces are set by hand."""

    def __init__(self) -> None:
        self.trace = 0

    def traces(self) -> object:
        """Return them."""
        return self.trace


def test_a_mended_environment_ends_the_wait_once_it_is_quiet(settings: Settings) -> None:
    care: Any = Traced()
    patience = Patience(settings, "blocked", "", None, care)
    assert not patience.over()
    care.trace = 1
    assert not patience.over(), "it may be in the middle of it"
    care.trace = 2
    assert not patience.over()
    assert patience.over()
    assert patience.mended


def test_orders_end_the_wait(settings: Settings) -> None:
    patience = Patience(settings, "waiting", "", 100)
    assert not patience.over()
    memory.keep(settings, wanted="down")
    assert patience.over()
    assert not patience.mended


def test_the_time_ends_the_wait(settings: Settings) -> None:
    patience = Patience(settings, "waiting", "", 0.02)
    assert patience.turn() <= 0.02
    time.sleep(0.03)
    assert patience.over()


def test_the_sentry_is_there_as_long_as_its_process(settings: Settings) -> None:
    with guard.alone(settings):
        guard.Post(settings).say("waiting", "because", "do", 5)
        there = guard.sentry(settings)
        assert there
        assert (there.pid, there.phase, there.message) == (os.getpid(), "waiting", "because")
        assert 3 < float(str(there.as_json()["next_try_seconds"])) <= 6
    assert guard.sentry(settings) is None
    path = memory.place(settings, "-monitor.json")
    path.write_text('{"pid": 1, "started": "long ago", "since": 0}', "utf-8")
    assert guard.sentry(settings) is None, "another process has that number"
    path.write_text("torn", "utf-8")
    assert guard.sentry(settings) is None
