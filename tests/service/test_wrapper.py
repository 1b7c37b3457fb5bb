"""The wrapper around the service: its log, its streams, its stop file; and that the service does not notice it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clinic.service import logs, wrapping
from clinic.service.wrapping import WRAPPER, unwrapped, wrapped
from tests.service.keeping import until


def run(words: list[str], orders: dict[str, Any], **options: Any) -> subprocess.Popen[bytes]:
    """Run something wrapped, output to the log as the launch has it."""
    env = {**os.environ, "BRIDGE_WRAPPER": json.dumps(orders), "BRIDGE_LAUNCH_ID": "abc", **options.pop("env", {})}
    log = os.open(orders["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT) if orders.get("log") else subprocess.PIPE
    try:
        return subprocess.Popen([sys.executable, str(WRAPPER), *words], stdout=log, stderr=log, env=env, **options)
    finally:
        if log != subprocess.PIPE:
            os.close(log)


def orders(folder: Path, **more: Any) -> dict[str, Any]:
    """What the wrapper is told."""
    return {"log": str(folder / "b.log"), "cap": 4000, "kept": 2, **more}


def script(folder: Path, text: str) -> list[str]:
    """A service that is a script."""
    (folder / "service.py").write_text(text, encoding="utf-8")
    return [str(folder / "service.py")]


@pytest.mark.parametrize(
    ("argv", "place"),
    [
        (["py", "-m", "uvicorn", "a:b"], 1),
        (["py", "server.py", "-m", "x"], 1),
        (["py", "-u", "-X", "dev", "-W", "error", "-m", "uvicorn"], 6),
        (["py", "-c", "print()"], None),
        (["py", "-um", "uvicorn"], None),
        (["py", "-"], None),
        (["py"], None),
    ],
)
def test_where_the_wrapper_goes(argv: list[str], place: int | None) -> None:
    given = wrapped(["{python}", *argv[1:]], argv)
    assert given == ([*argv[:place], str(WRAPPER), *argv[place:]] if place else argv)
    assert unwrapped(given) == tuple(argv)
    assert wrapped(["gunicorn", *argv[1:]], argv) == argv, "another program is left alone"


def test_a_script_and_a_module_are_run_as_python_would(tmp_path: Path) -> None:
    tell = (
        "import json, os, sys\n"
        "print(json.dumps([sys.argv, sys.path[0], __name__, __file__, 'BRIDGE_WRAPPER' in os.environ,"
        " sys.modules['__main__'].__spec__ and sys.modules['__main__'].__spec__.name]))\n"
    )
    (tmp_path / "tell.py").write_text(tell, encoding="utf-8")
    for words in (["-m", "tell", "x"], [str(tmp_path / "tell.py"), "x"], ["tell.py", "-m", "y"]):
        plain = subprocess.run([sys.executable, *words], capture_output=True, cwd=tmp_path, check=True)
        with run(words, {}, cwd=tmp_path) as wrapped_run:
            out, _ = wrapped_run.communicate(timeout=20)
        assert json.loads(out) == json.loads(plain.stdout)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_what_the_starter_ignored_or_blocked_is_not_ignored_by_the_service(tmp_path: Path) -> None:
    text = (
        "import signal\nprint([each.name for each in signal.Signals if signal.getsignal(each) is signal.SIG_IGN],"
        " len(signal.pthread_sigmask(signal.SIG_BLOCK, ())))\n"
    )
    words = [sys.executable, str(WRAPPER), *script(tmp_path, text)]
    names = ("SIGCHLD", "SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1")
    exec_deaf = (
        f"import os, signal, sys\nfor name in {names}: signal.signal(getattr(signal, name), signal.SIG_IGN)\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGCHLD))\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    deaf = [sys.executable, "-c", exec_deaf]
    plain = subprocess.run([*deaf, words[0], *words[2:]], capture_output=True, text=True, check=True, timeout=60)
    assert all(name in plain.stdout for name in names)
    assert plain.stdout.endswith(" 2\n")
    done = subprocess.run([*deaf, *words], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "['SIGPIPE', 'SIGXFSZ'] 0\n"


def test_what_is_not_there_is_said_as_python_says_it(tmp_path: Path) -> None:
    for words in (["-m", "nothing_like_it"], ["absent.py"]):
        plain = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=tmp_path, check=False)
        with run(words, {}, cwd=tmp_path) as process:
            out, err = process.communicate(timeout=20)
        assert process.returncode == plain.returncode
        assert plain.stderr.split(": ", 1)[1].split(":")[0].split("'")[0] in (err or out).decode()
        assert b"Traceback" not in (err or b"") + out


def test_a_flood_is_rotated_by_the_writer_and_loses_no_line(tmp_path: Path) -> None:
    words = script(tmp_path, "for number in range(500): print(f'line {number:04} ' + 'x' * 20)\n")
    with (tmp_path / "b.log").open("ab"):  # a reader or editor that holds it
        assert run(words, orders(tmp_path, kept=9)).wait(30) == 0
    parts = sorted(tmp_path.glob("b.log.*"), reverse=True)
    assert len(parts) >= 3
    assert all(part.stat().st_size <= 4000 for part in [*parts, tmp_path / "b.log"])
    texts = [part.read_text("utf-8") for part in [*parts, tmp_path / "b.log"]]
    assert all(text.endswith("\n") for text in texts), "rotated between lines"
    assert [line[:9] for line in "".join(texts).splitlines()] == [f"line {number:04}" for number in range(500)]


def test_a_line_that_does_not_end_is_rotated_all_the_same(tmp_path: Path) -> None:
    words = script(tmp_path, "for _ in range(500): print('x' * 20, end=' ')\n")
    assert run(words, orders(tmp_path)).wait(30) == 0
    assert max(path.stat().st_size for path in tmp_path.glob("b.log*")) < 4100


def test_old_logs_stay_while_there_is_no_room_for_another(tmp_path: Path) -> None:
    old = {tmp_path / f"b.log.{number}": f"old {number}" for number in (1, 2)}
    for path, text in old.items():
        path.write_text(text, "utf-8")
    (tmp_path / "b.log.new").mkdir()  # which keeps the copy from being made
    words = script(tmp_path, "for number in range(500): print(f'line {number:04} ' + 'x' * 20)\n")
    assert run(words, orders(tmp_path)).wait(30) == 0
    assert {path: path.read_text("utf-8") for path in old} == old
    assert len((tmp_path / "b.log").read_text("utf-8").splitlines()) == 500


def test_old_logs_are_limited(tmp_path: Path) -> None:
    words = script(tmp_path, "for number in range(2000): print('x' * 50)\n")
    assert run(words, orders(tmp_path)).wait(30) == 0
    assert sorted(path.name for path in tmp_path.glob("b.log*")) == ["b.log", "b.log.1", "b.log.2"]


# A service that writes numbered lines by print and by a child, and goes on when it is told to.
TALKS = """
import os, subprocess, sys, time
code = "import os, sys\\nfor line in sys.stdin.buffer: os.write(1, b'child ' + line)"
child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) if sys.argv[1:] else None
number = 0
for line in open(0):
    for _ in range(int(line)):
        print("line", number)
        if child:
            child.stdin.write(b"%d\\n" % number)
            child.stdin.flush()
        number += 1
"""


class Talking:
    """A service that writes as many lines as it is told to."""

    def __init__(self, folder: Path, *words: str, **more: Any) -> None:
        """`words` are the service's arguments."""
        self.log, self.lines = folder / "b.log", 0
        self.kinds = ("line", "child") if words else ("line",)
        self.process = run([*script(folder, TALKS), *words], orders(folder, **more), stdin=subprocess.PIPE)

    def say(self, count: int = 3) -> None:
        """Have it write, and wait until the lines are in the log's place."""
        assert self.process.stdin
        self.process.stdin.write(b"%d\n" % count)
        self.process.stdin.flush()
        self.lines += count
        until(lambda: self.log.exists() and self.last() <= set(self.log.read_text("utf-8").splitlines()))

    def last(self) -> set[str]:
        """The lines that it wrote last."""
        return {f"{kind} {self.lines - 1}" for kind in self.kinds}

    def end(self) -> None:
        """Let it end; it must not have failed."""
        assert self.process.stdin
        self.process.stdin.close()
        assert self.process.wait(60) == 0

    def missing(self) -> set[str]:
        """The lines that are in none of the files."""
        found = {line for path in self.log.parent.glob("b.log*") for line in path.read_text("utf-8").splitlines()}
        return {f"{kind} {number}" for kind in self.kinds for number in range(self.lines)} - found


posix_only = pytest.mark.skipif(os.name == "nt", reason="tests/windows/test_files.py tries it there")


@posix_only
@pytest.mark.parametrize("words", [(), ("child",)], ids=["alone", "with a child"])
def test_no_line_is_lost_when_others_rename_the_log(tmp_path: Path, words: tuple[str, ...]) -> None:
    talking = Talking(tmp_path, *words, cap=1 << 20)
    talking.say()
    for generation in range(12):
        for number in range(generation, 0, -1):
            talking.log.with_name(f"b.log.{number}").rename(talking.log.with_name(f"b.log.{number + 1}"))
        talking.log.rename(talking.log.with_name("b.log.1"))
        if generation % 2:
            talking.log.touch(0o600)
        talking.say()
    first = talking.log.with_name("b.log.12").read_text("utf-8").splitlines()
    assert first[:3] == ["line 0", "line 1", "line 2"] or words
    talking.log.with_name("b.log.12").unlink()  # to which the child still writes
    talking.say()
    talking.end()
    assert {line.split()[1] for line in talking.missing()} <= {"0", "1", "2"}, "those that were deleted with it"
    assert not list(tmp_path.glob("b.log.new"))


@posix_only
def test_a_flood_of_children_into_a_renamed_log_is_rotated_too(tmp_path: Path) -> None:
    talking = Talking(tmp_path, "child")
    talking.say()
    talking.log.rename(tmp_path / "theirs")
    talking.say()
    os.kill(talking.process.pid, signal.SIGSTOP)  # so that all of it is there at once
    with (tmp_path / "theirs").open("ab") as stream:
        stream.write((b"flood" * 20 + b"\n") * 40_000)
        stream.write(b"last\n")
    os.kill(talking.process.pid, signal.SIGCONT)
    until(lambda: any(path.read_bytes().endswith(b"last\n") for path in tmp_path.glob("b.log*")))
    talking.end()
    assert max(path.stat().st_size for path in tmp_path.glob("b.log*")) < 2_000_000, "four megabytes, a block at a time"


@posix_only
def test_after_a_deletion_and_a_copytruncate_lines_go_on_in_the_logs_place(tmp_path: Path) -> None:
    talking = Talking(tmp_path, "child")
    talking.say()
    talking.log.chmod(0o600)
    talking.log.unlink()
    talking.say()
    assert talking.log.stat().st_mode & 0o777 == 0o600
    os.truncate(talking.log, 0)
    talking.say()
    talking.end()
    assert b"\0" not in talking.log.read_bytes()
    assert {line.split()[1] for line in talking.missing()} <= {str(number) for number in range(6)}


@posix_only
@pytest.mark.parametrize("kind", ["link", "FIFO", "folder"])
def test_what_is_put_in_the_logs_place_is_not_written_to_and_costs_no_line(tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"somebody's")
    talking = Talking(tmp_path)
    talking.say()
    talking.log.unlink()
    if kind == "link":
        talking.log.symlink_to(target)
    elif kind == "FIFO":
        os.mkfifo(talking.log)
    else:
        talking.log.mkdir()
    assert talking.process.stdin
    talking.process.stdin.write(b"3\n")
    talking.process.stdin.flush()
    time.sleep(1.2)  # at least one look
    talking.log.rmdir() if kind == "folder" else talking.log.unlink()
    talking.lines += 3
    talking.say()
    talking.end()
    assert target.read_bytes() == b"somebody's"
    assert {line.split()[1] for line in talking.missing()} <= {"0", "1", "2"}


@posix_only
def test_rotation_by_others_in_the_middle_of_our_own_loses_no_line(tmp_path: Path) -> None:
    talking = Talking(tmp_path, cap=1000, kept=10_000)
    talking.say()
    assert talking.process.stdin
    talking.process.stdin.write(b"20000\n")
    talking.process.stdin.flush()
    talking.lines += 20_000
    for generation in range(200):
        with contextlib.suppress(FileNotFoundError):
            talking.log.rename(talking.log.with_name(f"b.log-{generation}"))
        if generation % 2:
            talking.log.touch()
        time.sleep(0.005)
    talking.say()
    talking.end()
    assert list(tmp_path.glob("b.log.*")), "its own rotation went on"
    assert talking.missing() == set()


@posix_only
def test_forked_processes_follow_by_themselves(tmp_path: Path) -> None:
    text = (
        "import os, sys\nread, write = os.pipe()\n"
        "if os.fork():\n    for line in open(0): print('parent', line, end=''); os.write(write, b'x')\n"
        "    os.close(write); os.wait()\n"
        "else:\n    os.close(write)\n    while os.read(read, 1): print('forked')\n"
    )
    process, log = run(script(tmp_path, text), orders(tmp_path), stdin=subprocess.PIPE), tmp_path / "b.log"
    assert process.stdin

    def shown(lines: set[str]) -> bool:
        return log.exists() and lines <= set(log.read_text("utf-8").splitlines())

    for word in ("one", "two", "three"):
        process.stdin.write(f"{word}\n".encode())
        process.stdin.flush()
        until(partial(shown, {f"parent {word}", "forked"}))
        log.rename(tmp_path / f"b.log-{word}")
    process.stdin.close()
    assert process.wait(60) == 0


@posix_only
def test_what_the_service_puts_on_the_descriptors_stays_there(tmp_path: Path) -> None:
    other = tmp_path / "other"
    text = f"import os\nos.dup2(os.open({str(other)!r}, os.O_WRONLY | os.O_CREAT), 1)\n"
    text += "print('theirs')\ninput()\nprint(2)\n"
    process = run(script(tmp_path, text), orders(tmp_path), stdin=subprocess.PIPE)
    until(lambda: other.exists() and other.read_bytes() == b"theirs\n")
    (tmp_path / "b.log").unlink()
    process.communicate(b"\n", timeout=60)
    assert (process.returncode, other.read_bytes()) == (0, b"theirs\n2\n")


@posix_only
def test_a_deleted_log_that_cannot_be_made_again_does_not_grow_without_limit(tmp_path: Path) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    text = (
        "import os, sys\nprint('up')\nfor line in open(0):\n    for number in range(int(line)): print('x' * 99)\n"
        "    print('said')\n    os.mkdir(sys.argv[1] + line.strip())\n"
    )
    words = [*script(tmp_path, text), str(tmp_path / "did ")]
    process = run(words, orders(folder), stdin=subprocess.PIPE)
    held = (folder / "b.log").open("rb")
    until(lambda: b"up" in held.read())
    (folder / "b.log").unlink()
    folder.rmdir()
    assert process.stdin
    process.stdin.write(b"1000\n")
    process.stdin.flush()
    with held:
        until((tmp_path / "did 1000").exists)
        assert os.fstat(held.fileno()).st_size < 4200
    folder.mkdir()
    process.communicate(b"1\n", timeout=60)
    text = "".join(path.read_text("utf-8") for path in sorted(folder.glob("b.log*"), reverse=True))
    assert " lines are missing here: the log could not be written (it was deleted" in text
    assert text.endswith("said\n")


SMALL = """
import os, sys
def fill():
    with open(sys.argv[1], "wb", 0) as stream:
        try:
            while True: stream.write(b"x" * 4096)
        except OSError: pass
for line in open(0):
    if line.strip() == "fill": fill()
    elif line.strip() == "free": os.remove(sys.argv[1])
    else: print(line.strip(), "x" * 9000)
    sys.__stderr__.flush()
    os.mkdir(sys.argv[2] + line.strip())
"""


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="only root mounts a small file system")
def test_a_full_disk_costs_lines_which_are_counted(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", "size=256k", "none", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        words = [*script(tmp_path, SMALL), str(small / "fill"), str(tmp_path / "did ")]
        process = run(words, orders(small, cap=1 << 20), stdin=subprocess.PIPE)
        assert process.stdin
        for word in ("one", "fill", "two", "three", "free", "four"):
            process.stdin.write(f"{word}\n".encode())
            process.stdin.flush()
            until((tmp_path / f"did {word}").exists)
        process.stdin.close()
        assert process.wait(60) == 0
        lines = [line.rstrip("x ") for line in (small / "b.log").read_text("utf-8").splitlines()]
    finally:
        subprocess.run(["/bin/umount", "-l", str(small)], check=True)
    told = next(line for line in lines if line.startswith("==="))
    assert " 2 lines are missing here: the log could not be written (No space left on device)" in told
    assert [line for line in lines if line and line != told][:1] == ["one"]
    assert lines[-1] == "four"


@posix_only
def test_a_limit_on_the_size_of_files_costs_lines_which_are_counted(tmp_path: Path) -> None:
    import resource

    text = "for number in range(100): print('line', number)\ninput()\nprint('more')\n"

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))

    process = run(script(tmp_path, text), orders(tmp_path, cap=1 << 20), stdin=subprocess.PIPE, preexec_fn=limit)
    until(lambda: (tmp_path / "b.log").stat().st_size == 500)
    time.sleep(0.5)  # that it has printed all of it can't be seen
    os.truncate(tmp_path / "b.log", 0)
    process.communicate(b"\n", timeout=60)
    assert process.returncode == 0
    cut, told, more = (tmp_path / "b.log").read_text("utf-8").splitlines()
    assert cut == ""
    assert "missing here: the log could not be written (File too large)" in told
    assert more == "more"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_ends_nothing(tmp_path: Path) -> None:
    words = script(tmp_path, "import sys\nfor _ in range(100): print('x' * 500)\nsys.exit(5)\n")
    assert run(words, {"log": "/dev/full", "cap": 1000, "kept": 1}).wait(30) == 5


def test_no_streams_at_all_as_under_pythonw(tmp_path: Path) -> None:
    child = "subprocess.run([sys.executable, '-c', 'import os; os.write(1, b\"child\\\\n\")'])\n"
    code = "import subprocess, sys\nprint('päris 🌉')\nprint('err', file=sys.stderr)\nsys.stdout.isatty()\n"
    words = script(tmp_path, code + child)

    def close() -> None:
        os.close(1)
        os.close(2)

    assert run(words, orders(tmp_path), preexec_fn=close).wait(20) == 0
    assert (tmp_path / "b.log").read_text("utf-8") == "päris 🌉\nerr\nchild\n"


def test_what_cannot_be_encoded_is_escaped(tmp_path: Path) -> None:
    words = script(tmp_path, "print('\\udc80 and \\U0001f309')\n")
    assert run(words, orders(tmp_path)).wait(20) == 0
    assert (tmp_path / "b.log").read_text("utf-8") == "\\udc80 and \U0001f309\n"


def test_a_traceback_and_raw_writes_are_in_the_log(tmp_path: Path) -> None:
    words = script(tmp_path, "import os\nos.write(2, b'raw\\n')\nprint('printed')\n1 / 0\n")
    assert run(words, orders(tmp_path)).wait(20) == 1
    text = (tmp_path / "b.log").read_text("utf-8")
    assert text.startswith("raw\nprinted\nTraceback")
    assert "ZeroDivisionError" in text


@pytest.mark.parametrize(("said", "ends"), [("abc", True), ("older", False)])
def test_the_stop_file_ends_this_launch_only(tmp_path: Path, said: str, *, ends: bool) -> None:
    words = script(tmp_path, "import time\nprint('up')\ntry:\n    time.sleep(60)\nfinally:\n    print('tidied')\n")
    stop = tmp_path / "stop"
    process = run(words, orders(tmp_path, stop=str(stop)))
    until(lambda: "up" in (tmp_path / "b.log").read_text("utf-8"))
    stop.write_text(said, "ascii")
    if ends:
        until(lambda: not stop.exists())
        process.wait(10)
        assert "tidied" in (tmp_path / "b.log").read_text("utf-8")
    else:
        time.sleep(0.6)
        assert process.poll() is None
        process.kill()
        process.wait()


@posix_only
@pytest.mark.parametrize("kind", ["link", "FIFO"])
def test_what_stands_in_the_stop_files_place_is_not_followed_and_holds_nothing_up(tmp_path: Path, kind: str) -> None:
    words = script(tmp_path, "import time\nprint('up')\ntime.sleep(60)\n")
    stop, target = tmp_path / "stop", tmp_path / "target"
    target.write_text("abc", "ascii")
    stop.symlink_to(target) if kind == "link" else os.mkfifo(stop)
    process = run(words, orders(tmp_path, stop=str(stop)))
    until(lambda: "up" in (tmp_path / "b.log").read_text("utf-8"))
    time.sleep(0.6)  # several looks
    assert process.poll() is None
    stop.unlink()
    stop.write_text("abc", "ascii")
    assert process.wait(60) != 0


def test_asking_to_stop_is_heard_or_not(kept_settings: Any) -> None:
    path = wrapping.stop_file(kept_settings, "abc")
    path.parent.mkdir(parents=True)
    assert not wrapping.ask_to_stop(kept_settings, "abc"), "nobody listens"
    assert not path.exists()
    words = script(kept_settings.root, "import time\nwhile True: time.sleep(0.05)\n")
    process = run(words, orders(kept_settings.root, stop=str(path)))
    until(lambda: wrapping.ask_to_stop(kept_settings, "abc"))
    assert process.wait(10) != 0
    assert wrapping.asking(kept_settings, "abc", windows=False) is None
    assert wrapping.asking(kept_settings, "abc", windows=True) is not None


@pytest.fixture
def kept_settings(tmp_path: Path) -> Any:
    from clinic.settings import load

    return load(tmp_path, None, {})


def test_good_health_checks_are_left_out_of_the_access_log(tmp_path: Path) -> None:
    pytest.importorskip("logging")
    code = (
        "import logging\nlogging.basicConfig(format='%(message)s')\nlog = logging.getLogger('uvicorn.access')\n"
        "log.setLevel('INFO')\n"
        "for path, status in (('/health', 200), ('/health?x', 200), ('/health', 500), ('/', 200)):\n"
        "    log.info('%s - \"%s %s HTTP/%s\" %d', '1.2.3.4:5', 'GET', path, '1.1', status)\n"
        "log.info('else')\n"
    )
    assert run(script(tmp_path, code), orders(tmp_path, quiet="/health", status=200)).wait(20) == 0
    lines = (tmp_path / "b.log").read_text("utf-8").splitlines()
    assert lines == ['1.2.3.4:5 - "GET /health HTTP/1.1" 500', '1.2.3.4:5 - "GET / HTTP/1.1" 200', "else"]


def test_the_launchs_cap_is_the_wrappers(kept_settings: Any) -> None:
    (kept_settings.service.log_file).parent.mkdir(parents=True)
    kept_settings.service.log_file.touch()
    told = json.loads(wrapping.told(kept_settings, "abc", windows=True)["BRIDGE_WRAPPER"])
    assert told["cap"] == logs.CAP
    assert told["stop"].endswith("-abc.stop")
    assert "stop" not in json.loads(wrapping.told(kept_settings, "abc", windows=False)["BRIDGE_WRAPPER"])


def test_the_wrapper_speaks_old_python() -> None:
    import ast

    for path in (WRAPPER, WRAPPER.with_name("log_files.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        assert names <= {*sys.stdlib_module_names, "log_files"}
