"""The monitor against real servers: killed, halted, hanging, dying at start; adopted, stopped, and never doubled."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from clinic import fs
from clinic.errors import FailedError, RefusedError
from clinic.service import guard, identity, manager, memory, pidfile
from clinic.service.pidfile import Record
from clinic.service.table import Identity
from tests.service.keeping import APP, Kept, gone, until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="signals and /proc")


@pytest.fixture
def kept(tmp_path: Path, free_port: int) -> Iterator[Callable[..., Kept]]:
    made: list[Kept] = []

    def make(figures: dict[str, Any] | None = None, **service: Any) -> Kept:
        one = Kept(tmp_path, free_port, service, figures or {})
        one.write()
        made.append(one)
        return one

    yield make
    for one in made:
        one.end_all()


def _told(one: Kept, kind: str, number: int) -> bool:
    return len(one.events(kind)) == number


def asked_to_end(monitor: subprocess.Popen[bytes], number: int = signal.SIGINT) -> int:
    """Ask a monitor to end, and wait for its exit code."""
    monitor.send_signal(number)
    return monitor.wait(15)


def test_a_killed_server_is_replaced_at_once_ten_times(kept: Callable[..., Kept]) -> None:
    one = kept({"interval": 30})
    monitor = one.watching()
    for number in range(1, 11):
        started = time.monotonic()
        os.kill(one.pid(), signal.SIGKILL)
        until(partial(_told, one, "restarted", number))
        assert time.monotonic() - started < 3, "replaced by an event, not by the next check"
    assert manager.status(one.settings).state == "running"
    assert memory.recall(one.settings).restarts == 10
    assert "SIGKILL" in memory.recall(one.settings).last_reason
    assert asked_to_end(monitor) == 0
    assert one.envelope()["data"]["restarts"] == 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_asked_to_end_it_leaves_nothing(kept: Callable[..., Kept], number: int) -> None:
    one = kept(variables={"APP_CHILDREN": "1"})
    monitor = one.watching()
    pids = until(lambda: (found := family(one)) and len(found) == 3 and found)
    assert asked_to_end(monitor, number) == 0
    assert not (one.root / "b.pid").exists()
    assert all(map(gone, pids))
    told = one.envelope()
    assert (told["command"], told["outcome"], told["exit_code"]) == ("keep-alive", "healthy", 0)
    assert told["data"]["state"] == "stopped"
    assert told["data"]["wanted"] == "down"


def family(one: Kept) -> list[int]:
    """The pids of the server and its children."""
    with contextlib.suppress(OSError):
        return [int(line.split()[1]) for line in (one.root / "family").read_text("ascii").splitlines()]
    return []


def test_asked_twice_it_forces(kept: Callable[..., Kept]) -> None:
    one = kept(variables={"APP_DEAF": "1"}, stop_timeout=60)
    monitor, pid = one.watching(), one.pid()
    monitor.send_signal(signal.SIGINT)
    until(lambda: one.events("monitor-ending"))
    time.sleep(0.3)
    started = time.monotonic()
    monitor.send_signal(signal.SIGINT)
    assert asked_to_end(monitor, signal.SIGTERM) == 0, "a third one does not keep it from forcing"
    assert time.monotonic() - started < 5
    assert gone(pid)
    assert not (one.root / "b.pid").exists()


def test_a_halted_server_is_certain_at_once(kept: Callable[..., Kept]) -> None:
    one = kept({"interval": 30})
    one.watching()
    old, started = one.pid(), time.monotonic()
    os.kill(old, signal.SIGSTOP)
    one.another(old)
    assert time.monotonic() - started < 5
    (hung,) = one.events("hung")
    assert "SIGSTOP" in hung["text"]


def test_a_server_halted_for_a_moment_is_left_alone(kept: Callable[..., Kept]) -> None:
    one = kept({"interval": 0.5})
    one.watching()
    pid = one.pid()
    for _ in range(8):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.1)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.25)
    assert one.pid() == pid
    assert not one.events("hung")


@pytest.mark.parametrize("manners", [{"APP_LATER_STATUS": "500"}, {"APP_LATER_BODY": '{"status": "sick"}'}])
def test_a_server_that_answers_wrongly_is_replaced_after_three_checks(
    kept: Callable[..., Kept], manners: dict[str, str]
) -> None:
    one = kept(variables={**manners, "APP_LATER": str(one_flag := "later")})
    one.watching()
    old = one.pid()
    (one.root / one_flag).touch()
    until(lambda: len(one.events("check-failed")) == 3)
    (one.root / one_flag).unlink()
    one.another(old)
    assert [event["text"][:12] for event in one.events("check-failed")] == [f"check {n} of 3" for n in (1, 2, 3)]
    moments = [event["time"] for event in one.events("check-failed")]
    assert all(0.9 < later - earlier < 2.5 for earlier, later in pairwise(moments))


def test_two_failed_checks_are_forgiven(kept: Callable[..., Kept]) -> None:
    one = kept(variables={"APP_LATER_STATUS": "500", "APP_LATER": "later"})
    one.watching()
    old = one.pid()
    for _ in range(2):
        before = len(one.events("check-failed"))
        (one.root / "later").touch()
        until(partial(_told, one, "check-failed", before + 2))
        (one.root / "later").unlink()
        time.sleep(1.5)
    assert one.pid() == old
    assert not one.events("hung")


def test_a_blocked_server_is_replaced_and_a_shorter_block_is_not(kept: Callable[..., Kept]) -> None:
    one = kept({"interval": 0.3}, variables={"APP_LATER_SLEEP": "2.4", "APP_LATER": "later"})
    one.watching()
    old = one.pid()
    (one.root / "later").touch()
    until(lambda: one.events("check-failed"))
    (one.root / "later").unlink()  # the one that is blocked now stays so for 2.4 s
    time.sleep(3.5)
    assert one.pid() == old, "held through a block shorter than three checks"
    one.service["variables"]["APP_LATER_SLEEP"] = "600"
    (one.root / "later").write_text("600", encoding="ascii")
    until(lambda: one.events("hung"))
    (one.root / "later").unlink()
    one.another(old)


def test_slow_starts_are_not_judged(kept: Callable[..., Kept]) -> None:
    one = kept({"interval": 0.1}, variables={"APP_BOOT": "3"})
    one.watching()
    assert not one.events("check-failed", "hung", "start-failed")


def test_a_crash_loop_after_a_healthy_day_is_limited(kept: Callable[..., Kept]) -> None:
    one = kept({"backoff_first": 0.1, "backoff_limit": 30}, variables={"APP_DIES": "dies"})
    one.watching()
    (one.root / "dies").touch()
    os.kill(one.pid(), signal.SIGKILL)
    until(lambda: one.events("crash-loop"))
    (waiting,) = until(lambda: [event for event in one.events("waiting") if event["seconds"] > 20])
    assert len(one.events("start-failed")) == 4
    assert waiting["code"] == "start-failed"
    assert manager.status(one.settings).state == "waiting"
    delays = [event["seconds"] for event in one.events("waiting")]
    assert delays == sorted(delays)
    (one.root / "dies").unlink()
    (one.root / "anything.py").write_text("", encoding="utf-8")  # the service was touched
    one.another(0)
    assert one.events("mended")


def test_stop_wins_over_a_pending_restart(kept: Callable[..., Kept]) -> None:
    one = kept({"backoff_first": 30, "backoff_limit": 30}, variables={"APP_DIES": "dies"})
    monitor = one.watching()
    (one.root / "dies").touch()
    os.kill(one.pid(), signal.SIGKILL)
    until(lambda: one.events("waiting"))
    manager.stop(one.settings)
    until(lambda: one.events("resting"))
    (one.root / "dies").unlink()
    time.sleep(1.5)
    assert manager.status(one.settings).state == "stopped"
    assert monitor.poll() is None
    started = manager.start(one.settings, Path(sys.executable), Path(sys.prefix))
    until(lambda: one.events("adopted"))
    assert one.events("adopted")[0]["pid"] == started.pid
    assert asked_to_end(monitor) == 0


def test_stop_of_a_running_server_is_obeyed_and_restart_is_adopted(kept: Callable[..., Kept]) -> None:
    one = kept()
    one.watching()
    restarted = manager.restart(one.settings, Path(sys.executable), Path(sys.prefix))
    until(lambda: [event for event in one.events("adopted") if event["pid"] == restarted.pid])
    assert [event["event"] for event in one.events("ended", "died", "restarted")] == ["keep-alive:ended"]
    assert manager.status(one.settings).restarts == 0
    manager.stop(one.settings)
    until(lambda: one.events("resting"))
    time.sleep(1)
    assert manager.status(one.settings).state == "stopped"


def test_a_second_monitor_says_who_watches(kept: Callable[..., Kept]) -> None:
    one = kept()
    first = one.watching()
    assert one.keep().wait(15) == 4
    (error,) = one.envelope()["errors"]
    assert error["code"] == "watched-already"
    assert str(first.pid) in error["message"]
    assert error["hint"] == "invoke keep-alive --stop"
    assert first.poll() is None
    assert one.keep("--supervised").wait(15) == 0, "a supervisor would start it again, for nothing"
    assert one.events("not-watching")[-1]["code"] == "watched-already"


def test_it_is_ended_from_another_terminal(kept: Callable[..., Kept]) -> None:
    one = kept()
    monitor = one.watching()
    pid = one.pid()
    code, told = one.command("keep-alive", "--stop", "--dry-run")
    assert (code, told["outcome"], monitor.poll()) == (0, "planned", None)
    assert str(monitor.pid) in told["data"]["plan"][0]
    code, told = one.command("keep-alive", "--stop")
    assert (code, told["outcome"], told["data"]["state"]) == (0, "healthy", "stopped")
    assert monitor.wait(1) == 0, "it was waited for"
    assert gone(pid)
    assert not one.settings.service.pid_file.exists()
    assert not list((one.root / ".clinic" / "service").glob("*.stop"))
    code, told = one.command("keep-alive", "--stop")
    assert (code, told["outcome"]) == (0, "unchanged")


def test_a_monitor_that_is_slow_to_start_a_server_is_ended_too(kept: Callable[..., Kept]) -> None:
    one = kept(start_timeout=60, variables={"APP_BOOT": "60"})
    monitor = one.keep()
    until(lambda: guard.sentry(one.settings))
    assert one.command("keep-alive", "--stop")[0] == 0
    assert monitor.wait(1) == 0
    assert manager.status(one.settings).state == "stopped"


def test_a_request_to_another_monitor_is_not_obeyed(kept: Callable[..., Kept]) -> None:
    one = kept()
    monitor = one.watching()
    there = guard.sentry(one.settings)
    assert there
    request = memory.place(one.settings, "-monitor.stop")
    request.write_text(f"{there.pid} another start", "utf-8")
    time.sleep(1.5)  # it looks once a second
    assert monitor.poll() is None
    assert request.exists()


def test_a_monitor_that_cannot_hear_is_told_with_what_ends_it(
    kept: Callable[..., Kept], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = kept()
    monitor = one.watching()
    there = guard.sentry(one.settings)
    assert there
    monitor.send_signal(signal.SIGSTOP)
    monkeypatch.setattr(guard, "_ENDING", -1.5)
    with pytest.raises(FailedError) as failed:
        guard.end(one.settings, there)
    assert (failed.value.code, failed.value.hint) == ("monitor-lives-on", f"kill -9 {monitor.pid}")
    assert not memory.place(one.settings, "-monitor.stop").exists()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(fs, "write_atomically", full)
    with pytest.raises(RefusedError, match="No space left"):
        guard.end(one.settings, there)
    monitor.send_signal(signal.SIGCONT)


def test_a_killed_monitor_is_followed_by_one_that_adopts(kept: Callable[..., Kept]) -> None:
    one = kept()
    first = one.watching()
    pid = one.pid()
    first.kill()
    first.wait()
    assert manager.status(one.settings).state == "running"
    second = one.watching()
    assert one.pid() == pid
    assert one.events("adopted")[0]["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    other = one.another(pid)
    assert asked_to_end(second) == 0
    assert gone(other)


def test_a_stranger_on_the_port_is_told_and_waited_for(kept: Callable[..., Kept], bystander: Identity) -> None:
    one = kept()
    with socket.create_server(("127.0.0.1", one.port)):
        one.keep()
        (told,) = until(lambda: one.events("blocked"))
        assert told["code"] == "port-taken"
        assert str(os.getpid()) in told["text"]
        time.sleep(1.5)
        assert not one.events("start-failed", "started")
        assert identity.alive(bystander)
    until(lambda: one.events("started"))


def test_a_pid_used_again_is_nobody_to_watch(kept: Callable[..., Kept], bystander: Identity) -> None:
    one = kept()
    reused = Identity(bystander.pid, bystander.started.rpartition("/")[0] + "/1")
    pidfile.write(one.settings.service.pid_file, Record(reused, reused, launch="old"))
    monitor = one.watching()
    assert one.pid() != bystander.pid
    assert asked_to_end(monitor) == 0
    assert identity.alive(bystander)


def test_an_app_that_cannot_be_imported_is_told_not_looped_on(kept: Callable[..., Kept]) -> None:
    one = kept(command=["{python}", "absent.py"])
    one.keep()
    (told,) = until(lambda: one.events("blocked"))
    assert told["code"] == "app-missing"
    time.sleep(1.5)
    assert len(one.events("start-failed")) == 1
    (one.root / "absent.py").write_text(APP.read_text("utf-8"), encoding="utf-8")
    until(lambda: one.events("started"))


def test_a_closed_terminal_ends_it_gracefully(kept: Callable[..., Kept]) -> None:
    one = kept()
    ours, theirs = pty.openpty()

    def enter() -> None:
        import fcntl
        import termios

        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    monitor = one.watching(stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, preexec_fn=enter)
    os.close(theirs)
    pid = one.pid()
    os.close(ours)
    assert monitor.wait(15) is not None
    assert gone(pid)
    assert not (one.root / "b.pid").exists()


def test_the_live_line_tells_process_and_answer_apart(kept: Callable[..., Kept]) -> None:
    one = kept()
    ours, theirs = pty.openpty()
    argv = one.argv("keep-alive")
    env = {**os.environ, "TERM": "xterm"}
    env.pop("COLUMNS", None)  # a new pty has no size either
    monitor = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    one.monitors.append(monitor)
    os.close(theirs)
    seen: list[bytes] = []
    reading = threading.Thread(target=lambda: seen.extend(iter(lambda: read(ours), b"")), daemon=True)
    reading.start()
    until(lambda: b"answer healthy in" in b"".join(seen))
    monitor.send_signal(signal.SIGINT)
    assert monitor.wait(15) == 0
    reading.join(5)
    text = b"".join(seen).decode()
    assert "up " in text
    assert "answer healthy in" in text
    os.close(ours)


def read(descriptor: int) -> bytes:
    """What a terminal shows next; nothing when it is closed."""
    try:
        return os.read(descriptor, 4096)
    except OSError:
        return b""


def test_a_deleted_pid_file_is_written_again(kept: Callable[..., Kept]) -> None:
    one = kept({"interval": 0.3})
    one.watching()
    pid = one.pid()
    (one.root / "b.pid").unlink()
    until((one.root / "b.pid").exists)
    assert one.pid() == pid


def test_checks_come_at_the_interval(kept: Callable[..., Kept]) -> None:
    one = kept({"interval": 0.5})
    monitor = one.watching()
    time.sleep(4)
    assert asked_to_end(monitor) == 0
    gaps = one.envelope()["data"]["check_gaps"]
    assert len(gaps) >= 5
    assert all(0.45 < gap < 0.8 for gap in gaps), gaps
