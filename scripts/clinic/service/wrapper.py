"""Runs the service inside of the server's own python: a log that stays small, streams that never fail, a way to stop.

    python wrapper.py -m uvicorn app:app --port 8000        python wrapper.py server.py

Run by the managed environment's python, so standard library and old syntax only. The service knows nothing of it:
arguments, import path and `__main__` are as without. What is to be done is told by BRIDGE_WRAPPER, as JSON; without
it nothing is done but running the service.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import io
import json
import os
import runpy
import signal
import stat
import sys
import threading
import time
import types
from typing import TYPE_CHECKING, Any, Callable

if TYPE_CHECKING:
    from clinic.service import log_files
else:  # under -I and -P the script's folder is not on the path
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import log_files

    del sys.path[0]

_LOOK = 1.0  # seconds between two looks at the log, for what others write to it and do with it
_MOST_LEFT = 8  # logs that were renamed or deleted and are watched for what children go on writing to them
_STOP_LOOK = 0.2  # seconds between two looks for a request to stop
_ADDRESS, _METHOD, _PATH, _VERSION, _STATUS = range(5)  # what uvicorn tells of a request


class Log(io.RawIOBase):
    """The log as a stream, on descriptors 1 and 2. A disk that is full costs lines, never the server.

    Programs that the service starts inherit the descriptors. They can't be made to open another file, so what they
    write to a log that was renamed or deleted is passed on to the one in its place.
    """

    def __init__(self, path: str, cap: int, kept: int) -> None:
        """`path` is the log's, `cap` the bytes from which it is put aside, `kept` how many old ones stay."""
        super().__init__()
        self.path, self.cap, self.kept = path, cap, kept
        self._lock, self._limit = threading.RLock(), log_files.least(cap)
        self._between_lines, self._ended, self._ended_before = True, 0, 0  # the latter two count line ends
        self._dropped, self._cut, self._why = 0, False, ""  # line ends, what came behind the last of them, the reason
        self._left: list[log_files.LogFile] = []
        self._forked = False
        # A device is not rotated.
        self._file = log_files.LogFile(1, path) if stat.S_ISREG(os.fstat(1).st_mode) else None
        if sys.platform != "win32":
            os.register_at_fork(after_in_child=self._after_fork)
        atexit.register(self.look)

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """Its descriptor, for those who pass it on."""
        return 1

    def write(self, data: Any) -> int:
        """Write all of it; what cannot be written is counted."""
        view = memoryview(data).cast("B")
        with self._lock:
            # Windows opens a file to tell its identity, which costs more than the write.
            if self._between_lines and os.name != "nt":
                self._follow()
            self._put(view)
            self._rotate()
        return len(view)

    def look(self) -> None:
        """Do what is due even if the service writes nothing."""
        with self._lock:
            if self._between_lines or self._ended == self._ended_before:  # print() writes a line in several parts
                self._follow()
            self._ended_before = self._ended
            self._pass_on()
            self._put(memoryview(b""))
            self._rotate()

    def _put(self, data: memoryview) -> None:
        left = data
        try:
            if self._dropped or self._cut:
                self._report_dropped()
            while left:
                left = left[os.write(1, left) :]
        except OSError as error:
            self._drop(bytes(left), error.strerror or str(error))
        written = data[: len(data) - len(left)]
        if written:
            self._between_lines = bytes(written[-1:]) == b"\n"
            self._ended += self._between_lines

    def _drop(self, data: bytes, why: str) -> None:
        if data:
            self._dropped += data.count(b"\n")
            self._cut = data[-1:] != b"\n"
            self._why = why

    def _report_dropped(self) -> None:
        count = self._dropped + self._cut
        lines = "1 line is" if count == 1 else f"{count} lines are"
        stamp = time.strftime("%Y-%m-%d %H:%M:%S%z")
        text = f"=== {stamp} {lines} missing here: the log could not be written ({self._why})\n"
        left = memoryview((text if self._between_lines else "\n" + text).encode("utf-8", "replace"))
        while left:
            left = left[os.write(1, left) :]
            self._between_lines = not left
        self._dropped, self._cut = 0, False

    def _follow(self) -> None:
        """Go on in the log's place if the file that is written to is not there any more."""
        old = self._file
        if old is None:
            return
        try:
            if log_files.is_at(self.path, old.identity):
                old.position = old.size()
                return
            status = os.fstat(1)
            if log_files.identity_of(status) != old.identity:
                return  # the service has put something else there
            opened = log_files.open_checked(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, status)
            try:
                self._file = log_files.LogFile(opened, self.path)
                log_files.give_descriptors(opened, old.identity)
            finally:
                os.close(opened)
            self._between_lines = True
            self._leave(old)
        except OSError:
            return  # what can't be opened now can be at another look

    def _leave(self, old: log_files.LogFile) -> None:
        """Watch a log that was renamed or deleted for what children write to it."""
        status = os.fstat(old.log)
        same = status.st_size == os.fstat(1).st_size  # the same file, on a mount without lasting inode numbers
        if self._forked or same:
            old.close()
            return
        if status.st_nlink:  # renamed: what it holds is not lost
            old.position = status.st_size
        self._left.append(old)
        self._pass_on()
        if len(self._left) > _MOST_LEFT:
            quiet = min(self._left, key=lambda each: each.grown)
            self._left.remove(quiet)
            quiet.close()

    def _pass_on(self) -> None:
        """Pass on what children wrote, of each log no more than the cap: then ours is rotated, and others may write."""
        for old in self._left:
            room = self.cap
            with contextlib.suppress(OSError):
                while room > 0 and self._between_lines and not self._dropped:
                    data = old.new_lines()
                    if not data:
                        break
                    self._put(memoryview(data))
                    room -= len(data)
                self._drop(old.shrink(self.cap), "it was deleted")

    def _rotate(self) -> None:
        """Put the log aside if it is near the cap, between two lines if there is an end of one before the cap.

        What this process writes waits meanwhile. Children go on writing: a line of theirs is lost only if it comes
        between the last read and the truncation.
        """
        file = self._file
        if file is None:
            return
        try:
            size = file.size()
            if size < log_files.least(self.cap):
                self._limit = log_files.least(self.cap)
            if size <= self._limit or not (self._between_lines or size > self.cap):
                return
            self._limit = size + self.cap // 16  # where it is tried again if it fails
            if log_files.is_at(self.path, file.identity):
                log_files.put_aside(file.log, self.path, self.cap, self.kept)
                self._limit = log_files.least(self.cap)
            else:
                self._drop(file.shrink(self.cap), "it was deleted, and cannot be made again")
        except OSError:
            return  # no room for a copy, or somebody keeps the old ones open: a long log is better than none

    def _after_fork(self) -> None:
        """In a forked process: only the parent passes on, and a thread that does not exist here may hold the lock."""
        self._lock = threading.RLock()
        self._forked = True
        for old in self._left:
            old.close()
        self._left = []


def main(words: list[str]) -> None:
    """Prepare, and become the service."""
    told = json.loads(os.environ.pop("BRIDGE_WRAPPER", "{}"))
    _reset_signals()
    if told.get("log"):
        _watch(_LOOK, _open_streams(told).look)
    if told.get("quiet"):
        _quiet_health_checks(told["quiet"], told["status"])
    if told.get("stop"):
        _watch(_STOP_LOOK, lambda: _stop_if_asked(told["stop"], os.environ.get("BRIDGE_LAUNCH_ID", "")))
    if os.path.basename(sys.executable).lower().startswith("pythonw"):
        _share_a_hidden_console()
    _run(words)


def _share_a_hidden_console() -> None:
    """Have a console without a window, for what the service starts.

    pythonw has none, so that each console program which it starts opens one of its own, which can be seen: to pythonw
    itself CREATE_NO_WINDOW means nothing, AllocConsole shows a window, and AllocConsoleWithOptions came with Windows 11
    24H2. A console program is started without a window for a moment; its console stays as long as we are attached.
    https://learn.microsoft.com/en-us/windows/win32/procthread/process-creation-flags
    https://learn.microsoft.com/en-us/windows/console/attachconsole
    """
    if sys.platform != "win32":
        return
    import ctypes
    import subprocess

    shell = os.path.join(os.environ.get("SYSTEMROOT", "C:\\Windows"), "System32", "cmd.exe")
    words, flags, pipe = [shell, "/d", "/c", "echo up & pause"], subprocess.CREATE_NO_WINDOW, subprocess.PIPE
    try:
        with subprocess.Popen(words, stdin=pipe, stdout=pipe, creationflags=flags) as holder:
            if holder.stdout and holder.stdout.readline():  # its console is there
                ctypes.WinDLL("kernel32").AttachConsole(holder.pid)
            holder.kill()
    except OSError:
        return  # windows open and close then; the service runs all the same


def _reset_signals() -> None:
    """Undo what its starter ignored or blocked (nohup, `&` in a script, an old daemon): both are inherited by exec."""
    for number in (signal.SIGINT,) if sys.platform == "win32" else signal.Signals:
        if signal.getsignal(number) is signal.SIG_IGN and number.name not in {"SIGPIPE", "SIGXFSZ"}:  # Python's own
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _open_streams(told: dict[str, Any]) -> Log:
    """Hand out streams that write to the log: under pythonw there are none, and not even descriptors."""
    if sys.stdout is None or sys.stderr is None:
        opened = log_files.open_checked(told["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        log_files.give_descriptors(opened)
        if opened not in (1, 2):
            os.close(opened)
    log = Log(told["log"], told["cap"], told["kept"])
    # As PYTHONUNBUFFERED has it: what is printed is there at once, also when the process is killed after it.
    sys.stdout = io.TextIOWrapper(log, "utf-8", "backslashreplace", write_through=True)
    sys.stderr = io.TextIOWrapper(log, "utf-8", "backslashreplace", write_through=True)
    for name in ("stdout", "stderr"):
        if getattr(sys, f"__{name}__") is None:
            setattr(sys, f"__{name}__", getattr(sys, name))
    return log


def _watch(seconds: float, look: Callable[[], None]) -> None:
    def run() -> None:
        never = threading.Event()
        while True:
            never.wait(seconds)
            look()

    threading.Thread(target=run, name="bridge-wrapper", daemon=True).start()


def _quiet_health_checks(path: str, status: int) -> None:
    """Leave health checks that went well out of uvicorn's access log: one in ten seconds is 8,640 lines a day."""
    import logging

    def matters(record: logging.LogRecord) -> bool:
        told = record.args
        if not isinstance(told, tuple) or len(told) <= _STATUS:
            return True
        return told[_METHOD] != "GET" or str(told[_PATH]).partition("?")[0] != path or told[_STATUS] != status

    logging.getLogger("uvicorn.access").addFilter(matters)


def _stop_if_asked(path: str, launch: str) -> None:
    """End as by Ctrl+C when a file says so; it names the launch, so that no older request is obeyed."""
    try:
        with os.fdopen(log_files.open_checked(path, os.O_RDONLY), encoding="ascii") as stream:
            asked = stream.read().strip() == launch
        if not asked:
            return
        os.remove(path)  # tells the one who asked that it was heard
    except (OSError, ValueError):
        return
    if os.name == "nt" and hasattr(signal, "raise_signal"):
        signal.raise_signal(signal.SIGINT)  # os.kill would be TerminateProcess
    elif os.name == "nt":
        import _thread

        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)  # to the process: its main thread is woken


def _run(words: list[str]) -> None:
    """Run the module or script as python would have."""
    here = os.path.dirname(os.path.abspath(__file__))
    own = bool(sys.path) and os.path.abspath(sys.path[0]) == here  # not so under -I and -P
    if words[:1] == ["-m"]:
        if own:
            sys.path[0] = os.getcwd()
        sys.argv[:] = ["-m", *words[2:]]
        # What "python -m" itself calls: the module becomes __main__, and its absence is one line, no traceback.
        runpy._run_module_as_main(words[1])  # type: ignore[attr-defined]  # noqa: SLF001
        return
    script = words[0]
    if not os.path.exists(script):
        sys.stderr.write(f"{sys.executable}: can't open file {script!r}: [Errno 2] No such file or directory\n")
        sys.exit(2)
    if own:
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    sys.argv[:] = words
    _become(script)


def _become(script: str) -> None:
    """Run a script as __main__; runpy.run_path would show it other values of __file__ and sys.argv."""
    with open(script, "rb") as stream:
        code = compile(stream.read(), script, "exec")
    module = types.ModuleType("__main__")
    module.__dict__.update(__file__=os.path.abspath(script), __builtins__=builtins)
    sys.modules["__main__"] = module
    exec(code, module.__dict__)  # noqa: S102 - the service, which python itself would have run


if __name__ == "__main__":
    main(sys.argv[1:])
