"""Lock, memory and ports."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clinic import lock
from clinic.errors import BusyError, RefusedError
from clinic.service import memory, ports
from clinic.service.memory import Memory

SCRIPTS = Path(lock.__file__).parents[1]
HOLD = (
    "import sys, time; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
    "from clinic import lock\n"
    "with lock.held(Path(sys.argv[1]), 'start'):\n"
    "    print('held', flush=True); time.sleep(300)"
)


def test_the_second_is_told_who_holds_it_and_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "x.lock"
    argv = [sys.executable, "-c", HOLD, str(path), str(SCRIPTS)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(BusyError) as busy, lock.held(path, "stop", 0.1):
            pass
        assert f"process {holder.pid}" in busy.value.message
        assert "'invoke start'" in busy.value.message
        assert busy.value.exit_code == 4
        os.kill(holder.pid, signal.SIGKILL)
    with lock.held(path, "stop", 1):
        pass


def test_the_lock_ends_with_its_block(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with pytest.raises(KeyError), lock.held(path, "start"):
        raise KeyError
    with lock.held(path, "start"), pytest.raises(BusyError), lock.held(path, "start"):
        pass
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_a_mistyped_path(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        with lock.held(tmp_path / "a" / "b" / "x.lock", "heal"):
            if os.name != "nt":
                assert (tmp_path / "a" / "b").stat().st_mode & 0o777 == 0o755, "others may have to reach what is in it"
    finally:
        os.umask(before)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name == "nt", reason="pipes are POSIX's")
def test_a_pipe_as_a_lock_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    os.mkfifo(path)
    path.chmod(0o444)  # another user's is opened for reading only, which waits for a writer
    with lock.held(path, "start"), pytest.raises(BusyError, match="only just begun"), lock.held(path, "stop"):
        pass


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege on Windows")
def test_a_run_folder_that_is_planted_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "other").mkdir()
    (tmp_path / "bridge-clinic").symlink_to(tmp_path / "other")
    with (
        pytest.raises(RefusedError, match="not a folder of this user"),
        lock.held(lock.run_folder() / "x.lock", "heal"),
    ):
        pass
    assert not list((tmp_path / "other").iterdir())


@pytest.mark.skipif(os.name == "nt", reason="a file as a folder")
def test_no_lock_no_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "ascii")
    with pytest.raises(RefusedError) as refused, lock.held(tmp_path / "file" / "x.lock", "start"):
        pass
    assert refused.value.code == "records-not-writable"


def test_what_is_kept_is_recalled(project: Any) -> None:
    settings = project().settings
    assert memory.recall(settings) == Memory()
    memory.keep(settings, wanted="up", mode="production")
    memory.keep(settings, restarts=3, record="1\udcff\n")
    assert memory.recall(settings) == Memory("up", "production", 3, "", "", "1\udcff\n")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", '{"wanted": "sideways"}', '{"restarts": "many"}', '{"mode": null}', "\0" * 50]
)
def test_a_torn_memory_is_none(project: Any, text: str) -> None:
    settings = project().settings
    path = memory.place(settings, ".json")
    path.parent.mkdir(parents=True)
    path.write_text(text, "utf-8")
    assert memory.recall(settings) == Memory()


def test_unknown_keys_of_a_later_version_do_no_harm(project: Any) -> None:
    settings = project().settings
    path = memory.place(settings, ".json")
    path.parent.mkdir(parents=True)
    path.write_text('{"wanted": "down", "later": 1}', "utf-8")
    assert memory.recall(settings) == Memory("down")


def test_each_pid_file_has_a_memory_of_its_own(project: Any) -> None:
    one = project().settings
    shadow = replace(one, service=replace(one.service, pid_file=one.root / "shadow" / "bridge.pid"))
    memory.keep(one, wanted="up")
    memory.keep(shadow, wanted="down")
    assert (memory.recall(one).wanted, memory.recall(shadow).wanted) == ("up", "down")


def test_a_moved_project_finds_its_memory(project: Any, tmp_path: Path) -> None:
    one = project().settings
    memory.keep(one, wanted="up")
    moved = one.root.rename(tmp_path / "moved")
    settings = replace(
        one, root=moved, records=moved / ".clinic", service=replace(one.service, pid_file=moved / "bridge.pid")
    )
    assert memory.recall(settings).wanted == "up"


def test_a_port_is_free_or_somebody_holds_it(project: Any) -> None:
    port = project().service.port
    assert ports.is_free("127.0.0.1", port)
    assert ports.holder(port) is None
    with socket.create_server(("127.0.0.1", port)):
        assert not ports.is_free("127.0.0.1", port)
        holder = ports.holder(port, {os.getpid()})
        assert holder is not None
        assert (holder.pid, holder.ours) == (os.getpid(), True)
        assert f"process {os.getpid()} (" in str(holder)
    assert ports.is_free("127.0.0.1", port)


def test_trying_a_port_leaves_it_free(project: Any) -> None:
    port = project().service.port
    for _ in range(3):
        assert ports.is_free("127.0.0.1", port)


def test_an_address_of_somebody_else_is_refused() -> None:
    with pytest.raises(RefusedError) as refused:
        ports.is_free("192.0.2.1", 8000)
    assert refused.value.code == "host-unknown"
    with pytest.raises(RefusedError):
        ports.is_free("no such host.invalid", 8000)


def test_a_holder_that_may_not_be_seen_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_uses", lambda _port: {("LISTEN", None)})
    holder = ports.holder(80)
    assert holder is not None
    assert "may not be seen" in str(holder)


def test_where_the_whole_table_is_denied_it_is_asked_process_by_process(
    project: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psutil

    def deny(kind: str) -> Callable[[], None]:
        raise psutil.AccessDenied(msg=kind)

    monkeypatch.setattr(psutil, "net_connections", deny)
    port = project().service.port
    with socket.create_server(("127.0.0.1", port)):
        holder = ports.holder(port)
        assert holder is not None
        assert holder.pid == os.getpid()
