"""What interrupts is noted, and heeded where a step ends; what we were made deaf to stays unheard."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.toolshed.workbench import WINDOWS
from toolshed import interrupt

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def _handlers() -> Iterator[None]:
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if name in signal.Signals.__members__]
    before = {name: signal.getsignal(signal.Signals[name]) for name in names}
    yield
    for name, handler in before.items():
        signal.signal(signal.Signals[name], handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.usefixtures("_handlers")
def test_a_step_is_not_torn(number: signal.Signals) -> None:
    steps = []

    def work() -> None:
        with interrupt.noted():
            signal.raise_signal(number)
            steps.append("to its end")
            interrupt.heed()
            steps.append("the next one")

    with pytest.raises(KeyboardInterrupt) as caught:
        work()
    assert (steps, str(caught.value)) == (["to its end"], "")


@pytest.mark.usefixtures("_handlers")
def test_what_comes_too_late_is_heeded_at_the_end_and_says_so() -> None:
    with pytest.raises(KeyboardInterrupt, match="the tools are whole"), interrupt.noted():
        signal.raise_signal(signal.SIGINT)


@pytest.mark.usefixtures("_handlers")
def test_what_was_noted_is_forgotten_by_the_next() -> None:
    with pytest.raises(KeyboardInterrupt), interrupt.noted():
        signal.raise_signal(signal.SIGINT)
    with interrupt.noted():
        interrupt.heed()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.skipif(WINDOWS, reason="no signal is ignored by what a program inherits")
@pytest.mark.usefixtures("_handlers")
def test_behind_nohup_the_hang_up_is_survived() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    assert signal.SIGHUP not in interrupt.requests_to_end()
    with interrupt.noted():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGHUP)
        interrupt.heed()
