"""What every test may ask for, and the guard that no test leaves anything behind in this process."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from clinic import proc
from clinic.facts import Interpreter
from tests.real.creators import bases

# What derails a python or an installer in the shell of whoever runs the tests is a finding there, and none here.
for _name in proc.DERAILING & os.environ.keys():
    del os.environ[_name]

# Whoever runs the tests behind nohup, or in the background of a script, is deaf to these; so would be all we start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

ROOT = Path(__file__).resolve().parent.parent

# The same examples on every run: what a random one finds belongs into a test of its own. Machines differ in speed.
settings.register_profile(
    "ci", deadline=None, derandomize=True, max_examples=200, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("ci")

# pytest itself keeps these up to date while a test runs.
_PYTESTS_OWN = {"PYTEST_CURRENT_TEST", "PYTEST_VERSION"}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag of the nightly run."""
    parser.addoption("--everything", action="store_true", help="also the tests that take minutes (nightly)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip by name what takes minutes, if it was not asked for."""
    if config.getoption("--everything"):
        return
    for item in items:
        if item.get_closest_marker("nightly"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: nightly, with --everything"))


def _variables() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _PYTESTS_OWN}


@pytest.fixture(autouse=True)
def _nothing_leaks() -> Iterator[None]:
    """Fail the test that changes this process's variables, folder or import path, and mend them for the next one."""
    variables, folder, path = _variables(), Path.cwd(), list(sys.path)
    yield
    after, where, paths = _variables(), Path.cwd(), list(sys.path)
    for name in after.keys() - variables.keys():
        del os.environ[name]
    os.environ.update(variables)
    os.chdir(folder)
    sys.path[:] = path
    assert after == variables, "the test changed os.environ"
    assert where == folder, "the test changed the current folder"
    assert paths == path, "the test changed sys.path"


@pytest.fixture(autouse=True, scope="session")
def _a_cache_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the tests hurt must not reach the user's uv cache, which files are linked to; nor its state the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_CACHE_DIR", str(tmp_path_factory.mktemp("uv")))
        yield


@pytest.fixture(scope="session")
def interpreters_found() -> tuple[Interpreter, ...]:
    """One base interpreter of every supported flavour that this machine has."""
    return bases()


@pytest.fixture
def free_port() -> int:
    """A port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
