"""What is remembered of the server: where it is kept, whom it is believed of, and that no writer undoes another's."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clinic import lock
from clinic.errors import BusyError, RefusedError
from clinic.service import find, guard, identity, manager, memory, pidfile, revive, stopping
from clinic.service.pidfile import Record
from clinic.service.table import Identity, everyone

SCRIPTS = Path(lock.__file__).parents[1]
Until = Callable[..., Any]
posix_only = pytest.mark.skipif(os.name == "nt", reason="modes, links and users of POSIX")
root_only = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root acts as several users")
STRANGER = 12345


@pytest.fixture(autouse=True)
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run folder of the test's own."""
    (tmp_path / "run").mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    monkeypatch.setenv("TEMP", str(tmp_path / "run"))
    return tmp_path / "run" / "bridge-clinic"


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[Path]]:
    """Folders in which nothing new can be made or replaced, as on a full disk."""
    folders: set[Path] = set()
    real = os.open

    def full(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if flags & os.O_CREAT and Path(os.fsdecode(path)).parent in folders and not os.path.lexists(path):
            raise OSError(28, "No space left on device", path)
        return real(path, flags, *rest, **options)

    monkeypatch.setattr(os, "open", full)
    yield folders
    folders.clear()


# Writers


WRITER = (
    "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
    "from clinic.service import memory; from clinic.settings import load\n"
    "settings = load(Path(sys.argv[1]), None, {})\n"
    "sys.stdin.readline()\n"
    "for number in range(40): memory.keep(settings, **{sys.argv[3]: sys.argv[4] + str(number)})\n"
)


def test_no_writer_undoes_what_another_one_wrote(project: Any) -> None:
    settings = project().settings
    facts = ("mode", "last_reason", "launch", "record", "stopgap", "ended")
    argv = [sys.executable, "-c", WRITER, str(settings.root), str(SCRIPTS)]
    writers = [subprocess.Popen([*argv, fact, f"{fact}-"], stdin=subprocess.PIPE) for fact in facts]
    for writer in writers:
        assert writer.stdin
        writer.stdin.write(b"go\n")
        writer.stdin.close()
    assert [writer.wait(120) for writer in writers] == [0] * len(facts)
    known = memory.recall(load_like(settings))
    assert [getattr(known, fact) for fact in facts] == [f"{fact}-39" for fact in facts]
    assert known.serial == 40 * len(facts), "each change is there"


def load_like(settings: Any) -> Any:
    """The settings as the writers have them."""
    from clinic.settings import load

    return load(settings.root, None, {})


@posix_only
def test_a_writer_that_is_halted_keeps_nobody_from_stopping(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_PATIENCE", 0.1)
    settings = project().settings
    with memory.locked(settings, "-state.lock", "a write"):
        assert memory.keep(settings, wanted="down") == ""
    assert memory.recall(settings).wanted == "down"


# Places


def test_what_the_records_do_not_take_is_written_beside_the_log_then_to_the_run_folder(
    project: Any, refused: set[Path], run_folder: Path
) -> None:
    p = project()
    p.service.log_file.touch()
    memory.keep(p.settings, wanted="up", restarts=1)
    refused.add(memory.folder(p.settings))
    note = memory.keep(p.settings, restarts=2)
    assert "No space left on device" in note
    assert str(p.service.log_file.parent) in note
    refused.add(p.service.log_file.parent)
    assert str(run_folder) in memory.keep(p.settings, restarts=3)
    assert (memory.recall(p.settings).wanted, memory.recall(p.settings).restarts) == ("up", 3)
    refused.add(run_folder)
    refused.update(lock.run_folders())
    assert "other commands may not know" in memory.keep(p.settings, restarts=4)
    assert memory.recall(p.settings).restarts == 4
    refused.clear()
    assert memory.keep(p.settings, mode="production") == ""
    assert (memory.recall(p.settings).restarts, memory.recall(p.settings).mode) == (4, "production")
    there = [path for path in memory.places(p.settings, ".json") if path.exists()]
    assert there == [memory.place(p.settings, ".json")], "copies are not left"


def test_the_lock_excludes_also_those_who_found_the_disk_full(project: Any, refused: set[Path]) -> None:
    settings = project().settings
    refused.add(memory.folder(settings))
    with memory.locked(settings, ".lock", "start"):
        refused.clear()
        with pytest.raises(BusyError), memory.locked(settings, ".lock", "stop"):
            pass
    with memory.locked(settings, ".lock", "start"):
        refused.add(memory.folder(settings))
        with pytest.raises(BusyError), memory.locked(settings, ".lock", "stop"):
            pass


def test_a_server_of_a_full_disk_is_found_by_every_command(project: Any, refused: set[Path], until: Until) -> None:
    p = project()
    p.service.log_file.touch()
    refused.update({memory.folder(p.settings), p.settings.root})
    started = p.start()
    assert started.state == "running"
    assert any("bridge.pid could not be written" in note for note in started.notes)
    memory._UNWRITTEN.clear()
    assert p.status().pid == started.pid
    assert (p.start().changed, p.start().pid) == (False, started.pid)
    again = p.restart()
    assert (again.state, again.pid != started.pid) == ("running", True)
    os.kill(again.pid, signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    until(lambda: identity.identify(again.pid) is None)
    third = p.start()
    assert third.state == "running"
    assert (p.stop().changed, identity.identify(third.pid)) == (True, None)


def test_a_restart_that_cannot_begin_leaves_the_server(project: Any) -> None:
    p = project()
    started = p.start()
    log = p.service.log_file.with_name("folder")
    log.mkdir()
    p.settings = replace(p.settings, service=replace(p.service, log_file=log))
    with pytest.raises(Exception, match="cannot be written"):
        p.restart()
    assert p.status().pid == started.pid


@posix_only
@pytest.mark.parametrize("umask", [0, 0o022, 0o077, 0o277, 0o777])
def test_the_folder_is_the_users_own_whatever_the_umask(project: Any, umask: int) -> None:
    settings = project().settings
    before = os.umask(umask)
    try:
        memory.keep(settings, wanted="up")
    finally:
        os.umask(before)
    for folder in (settings.records, memory.folder(settings)):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_monitor_is_known_and_asked_where_the_disk_is_full(project: Any, refused: set[Path]) -> None:
    settings = project().settings
    refused.add(memory.folder(settings))
    with guard.alone(settings):
        guard.Post(settings).say("watching")
        assert guard.sentry(settings)
        asked = guard.requested(settings)
        assert not asked()
        me = identity.identify(os.getpid())
        memory.write(settings, guard._REQUEST, guard._name(me).encode())
        assert (asked(), asked()) == (True, False)
    assert guard.sentry(settings) is None


# Whom it is believed of


@posix_only
@pytest.mark.parametrize("kind", ["link", "fifo", "folder"])
def test_what_is_no_plain_file_is_not_read(project: Any, tmp_path: Path, kind: str) -> None:
    settings = project().settings
    path = memory.place(settings, ".json")
    path.parent.mkdir(parents=True)
    other = tmp_path / "other.json"
    other.write_text('{"wanted": "up"}', "ascii")
    if kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(other) if kind == "link" else os.mkfifo(path)
    assert memory.recall(settings).wanted is None
    memory.keep(settings, wanted="down")
    assert memory.recall(settings).wanted == "down"
    assert json.loads(other.read_text("ascii")) == {"wanted": "up"}


def plant(settings: Any, who: Identity, *, leader: Identity | None = None) -> None:
    """A state file and a pid file of another user that name a process as the server."""
    record = Record(who, leader or who, "f00d", 1, place=str(settings.service.pid_file))
    memory.keep(settings, wanted="up", launch="f00d", record=pidfile.dump(record).decode())
    path = memory.place(settings, ".json")
    told = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**told, "owner": 0}), "utf-8")
    pidfile.write(settings.service.pid_file, record)
    os.chown(path, STRANGER, STRANGER)
    os.chown(settings.service.pid_file, STRANGER, STRANGER)


@root_only
@pytest.mark.parametrize("file", ["both", "state"])
def test_another_users_word_ends_no_process_but_his_own(project: Any, bystander: Identity, file: str) -> None:
    p = project()
    plant(p.settings, bystander)
    if file == "state":
        p.service.pid_file.unlink()
    assert find.server(p.settings).kind != "ours"
    p.stop()
    assert identity.alive(bystander)
    p.stop()
    assert identity.alive(bystander), "nor after our own write to that file"


@root_only
def test_another_users_bare_pid_is_not_believed_either(project: Any) -> None:
    p = project()
    pid = p.start().pid
    pid_file = p.service.pid_file
    memory.place(p.settings, ".json").unlink()
    pid_file.write_text(f"{pid}\n", "ascii")
    assert find.server(p.settings).kind == "ours"
    os.chown(pid_file, STRANGER, STRANGER)
    assert find.server(p.settings).kind == "foreign"
    os.chown(pid_file, 0, 0)


@root_only
def test_another_users_server_may_not_have_a_leader_who_is_somebody_else(project: Any, bystander: Identity) -> None:
    p = project()
    with subprocess.Popen([shutil.which("sleep") or "sleep", "300"], user=STRANGER, group=STRANGER) as his:
        who = identity.identify(his.pid)
        assert who
        plant(p.settings, who, leader=bystander)
        assert find.server(p.settings).kind != "ours"
        p.stop()
        assert identity.alive(bystander)
        plant(p.settings, who)
        assert find.server(p.settings).kind == "ours"
        p.stop()
        his.wait(30)


@root_only
def test_what_root_starts_in_a_users_project_is_known_and_the_folder_stays_the_users(project: Any) -> None:
    p = project()
    os.chown(p.settings.root, STRANGER, STRANGER)
    started = p.start()
    assert p.status().pid == started.pid
    assert p.settings.records.stat().st_uid == memory.folder(p.settings).stat().st_uid == STRANGER
    assert p.service.pid_file.stat().st_uid == 0
    p.service.pid_file.unlink()
    assert p.status().pid == started.pid, "nor is root's word about it given away"
    assert p.stop().changed


@root_only
def test_a_run_folder_that_was_planted_is_not_used(project: Any, run_folder: Path, refused: set[Path]) -> None:
    settings = project().settings
    run_folder.mkdir()
    os.chown(run_folder, STRANGER, STRANGER)
    refused.add(memory.folder(settings))
    assert str(run_folder) not in memory.keep(settings, wanted="up")
    assert not list(run_folder.iterdir())
    (run_folder / memory.places(settings, ".json")[-2].name).write_text('{"wanted": "down", "serial": 99}', "ascii")
    assert memory.recall(settings).wanted == "up", "nor read"
    memory.remove(settings, ".json")


# A start that was killed


KILLED = (
    "import os, pickle, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2])\n"
    "from clinic.service import launch, manager\n"
    "settings = pickle.loads(Path(sys.argv[1]).read_bytes())\n"
    "launch.inscribe = lambda *_: os._exit(9)\n"  # nothing is done after the spawn
    "manager.start(settings, Path(sys.executable), Path(sys.prefix))\n"
)


@pytest.fixture
def killed(project: Any, until: Until, tmp_path: Path) -> Any:
    """A project whose start was killed right after the spawn, and whose server lives."""
    p = project({"APP_CHILDREN": "1"})
    (tmp_path / "settings").write_bytes(pickle.dumps(p.settings))
    argv = [sys.executable, "-c", KILLED, str(tmp_path / "settings"), str(SCRIPTS)]
    assert subprocess.run(argv, check=False).returncode == 9
    until(lambda: len(p.family()) == 3)
    until(lambda: p.status().state == "running")
    assert not p.service.pid_file.exists()
    return p


def leader_of(p: Any) -> int:
    """The service itself, as it wrote itself down."""
    lines = p.family_file.read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("leader "))


def test_the_server_of_a_killed_start_is_found_and_stopped(killed: Any) -> None:
    pid = killed.status().pid
    assert pid == leader_of(killed), "the one that was started, none of its children"
    assert killed.stop().changed
    assert [each for each in killed.family() if identity.identify(each)] == []


def test_the_server_of_a_killed_start_is_taken_over(killed: Any) -> None:
    pid = killed.status().pid
    again = killed.start()
    assert (again.changed, again.pid) == (False, pid)
    assert killed.service.pid_file.read_text("utf-8").startswith(f"{pid}\n")
    restarted = killed.restart()
    assert (restarted.state, identity.identify(pid)) == ("running", None)


def test_the_monitor_adopts_the_server_of_a_killed_start(killed: Any) -> None:
    revived = revive.running(killed.settings)
    assert revived
    assert revived.record.server.pid == leader_of(killed)
    assert revived.record.launch == memory.recall(killed.settings).launch


def test_a_copied_project_has_no_part_in_a_killed_start_and_a_moved_one_has(killed: Any, tmp_path: Path) -> None:
    pid, root = killed.status().pid, killed.settings.root
    copy = at(killed.settings, tmp_path / "copy")
    shutil.copytree(root, copy.root)
    assert find.server(copy).kind == "missing"
    assert find.orphans(copy, find.server(copy)) == []
    manager.stop(copy)
    assert killed.status().pid == pid
    killed.settings = at(killed.settings, tmp_path / "moved")
    root.rename(killed.settings.root)
    assert killed.status().pid == pid
    assert killed.stop().changed


def at(settings: Any, root: Path) -> Any:
    """The settings of a project that lies somewhere else now."""
    service = replace(settings.service, cwd=root, pid_file=root / "bridge.pid", log_file=root / "bridge.log")
    return replace(settings, root=root, records=root / ".clinic", service=service)


@posix_only
def test_what_a_dead_server_of_a_killed_start_left_is_no_server_and_is_ended(killed: Any, until: Until) -> None:
    leader = leader_of(killed)
    children = [each for each in killed.family() if each != leader]
    os.kill(leader, signal.SIGKILL)
    until(lambda: identity.identify(leader) is None)
    assert find.server(killed.settings).kind == "missing"
    assert all(identity.identify(child) for child in children)
    started = killed.start()
    assert started.state == "running"
    assert not any(identity.identify(child) for child in children)


@posix_only
def test_forks_that_run_the_services_command_are_not_its_server(project: Any, until: Until) -> None:
    p = project()
    left = handed_over(p, 2, until)
    known = memory.recall(p.settings)
    unborn = Record(pidfile.UNBORN, pidfile.UNBORN, known.launch, p.service.port)
    memory.keep(p.settings, record=pidfile.dump(unborn).decode())
    p.service.pid_file.unlink()
    assert find.server(p.settings).kind == "missing"
    assert {each.pid for each in find.orphans(p.settings, find.server(p.settings))} == set(left)
    assert p.stop().changed
    assert [each for each in left if identity.identify(each)] == []


@posix_only
def test_an_older_launch_id_says_nothing(project: Any, sleeper: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    p = project()
    monkeypatch.setenv("BRIDGE_LAUNCH_ID", "0123456789abcdef")
    old = sleeper()
    monkeypatch.delenv("BRIDGE_LAUNCH_ID")
    unborn = Record(pidfile.UNBORN, pidfile.UNBORN, "fedcba9876543210")
    memory.keep(p.settings, wanted="up", launch=unborn.launch, record=pidfile.dump(unborn).decode())
    assert find.server(p.settings).kind == "missing"
    p.stop()
    assert identity.alive(old)


@root_only
def test_another_users_word_about_a_launch_id_is_not_taken(killed: Any) -> None:
    path = memory.place(killed.settings, ".json")
    os.chown(path, STRANGER, STRANGER)
    assert find.server(killed.settings).kind == "missing"
    assert find.orphans(killed.settings, find.server(killed.settings)) == []
    killed.stop()
    assert identity.identify(leader_of(killed))
    os.chown(path, 0, 0)
    kill(killed.family())


def kill(pids: list[int]) -> None:
    """End processes of the test's own."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


# A server that hands over to its successor


SUCCESSION = """
import http.server, os, signal, sys
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"status": "healthy"}'
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), H)
for _ in range(int(sys.argv[2])):
    if os.fork() == 0: server.serve_forever()
signal.signal(signal.SIGUSR2, lambda *_: os._exit(0))
while True: signal.pause()
"""


def handed_over(p: Any, heirs: int, until: Until) -> list[int]:
    """Let the server leave; what it started serves on."""
    script = p.settings.root / "succession.py"
    script.write_text(SUCCESSION, "ascii")
    command = ("{python}", str(script), "{port}", str(heirs))
    p.settings = replace(p.settings, service=replace(p.service, command=command))
    leader = identity.identify(p.start().pid)
    assert leader
    left = [each.pid for each in stopping.family(everyone(), leader)]
    os.kill(leader.pid, signal.SIGUSR2)
    until(lambda: not identity.alive(leader))
    assert len(left) == heirs
    return left


@posix_only
def test_the_successor_of_a_server_is_our_server(project: Any, until: Until) -> None:
    p = project()
    (heir,) = handed_over(p, 1, until)
    assert (p.status().state, p.status().pid) == ("running", heir)
    revived = revive.running(p.settings)
    assert revived
    assert revived.record.server.pid == heir
    assert revive.mend_pid_file(p.settings, revived.record)
    assert p.service.pid_file.read_text("utf-8").startswith(f"{heir}\n")
    assert (p.start().changed, p.start().pid) == (False, heir)
    assert p.stop().changed
    assert identity.identify(heir) is None


@posix_only
def test_workers_that_lost_their_master_are_no_successor(project: Any, until: Until) -> None:
    p = project()
    left = handed_over(p, 2, until)
    assert p.status().state == "stale"
    started = p.start()
    assert started.changed
    assert [each for each in left if identity.identify(each)] == []


# Restarts by a person


def test_a_restart_to_a_port_that_is_taken_is_refused_before_the_stop(project: Any) -> None:
    p = project()
    started = p.start()
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        moved = replace(p.settings, service=replace(p.service, port=stranger.getsockname()[1]))
        with pytest.raises(RefusedError, match="is taken by"):
            manager.restart(moved, p.python, p.venv)
    assert p.status().pid == started.pid


def test_a_manual_start_counts_restarts_anew(project: Any) -> None:
    p = project()
    p.start()
    memory.keep(p.settings, restarts=7)
    assert p.status().restarts == 7
    assert p.start().restarts == 7, "it was left alone"
    assert p.restart().restarts == 0
    p.stop()
    memory.keep(p.settings, restarts=7)
    assert p.start().restarts == 0


def test_a_folder_that_holds_something_else_takes_no_state(project: Any) -> None:
    p = project()
    p.settings.records.mkdir(exist_ok=True)
    (p.settings.records / "thesis.txt").touch()
    for act in (p.start, p.stop):
        with pytest.raises(RefusedError) as refused:
            act()
        assert refused.value.code == "records-in-the-way"
    assert [path.name for path in p.settings.records.iterdir()] == ["thesis.txt"]


@root_only
def test_a_fifo_in_the_place_of_a_lock_keeps_nobody_waiting(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    os.mkfifo(path)
    path.chmod(0o444)
    tmp_path.chmod(0o755)
    words = "import fcntl, os, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
    words += f"from toolshed import oslock; os.seteuid({STRANGER}); print(oslock.take(Path('x.lock')) is not None)"
    argv = [sys.executable, "-c", words, str(SCRIPTS)]
    taken = subprocess.run(argv, stdout=subprocess.PIPE, timeout=60, check=True, cwd=tmp_path)
    assert taken.stdout == b"True\n", "opened to read only, for want of the right to write"
    with lock.held(path, "a test"), pytest.raises(BusyError), lock.held(path, "another"):
        pass
    with lock.held(path, "a test"):
        path.write_bytes(b"[" * 100_000)  # a stranger's
        with pytest.raises(BusyError), lock.held(path, "another"):
            pass


@root_only
def test_what_a_stranger_puts_beside_the_log_is_not_read_nor_waited_for(project: Any) -> None:
    p = project()
    p.service.log_file.touch()
    memory.keep(p.settings, wanted="up")
    state, held = (memory.places(p.settings, suffix)[1] for suffix in (".json", ".lock"))
    state.write_text(json.dumps({"wanted": "down", "mode": "production", "serial": 1000}), "ascii")
    with lock.held(held, "a stranger"):
        for path in (state, held):
            os.chown(path, STRANGER, STRANGER)
        assert (memory.recall(p.settings).wanted, memory.recall(p.settings).mode) == ("up", "debug")
        with memory.locked(p.settings, ".lock", "a test"):
            pass
        os.chown(p.service.log_file, STRANGER, STRANGER)
        assert memory.recall(p.settings).wanted == "down", "the user's whose log it is"
        with pytest.raises(BusyError), memory.locked(p.settings, ".lock", "a test"):
            pass
