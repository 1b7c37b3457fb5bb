"""Runs the service inside of the server's own python: a log that stays small, streams that never fail, a way to stop.

    python wrapper.py -m uvicorn app:app --port 8000        python wrapper.py server.py

Run by the managed environment's python, so standard library and old syntax only. The service knows nothing of it:
arguments, import path and `__main__` are as without. What is to be done is told by BRIDGE_WRAPPER, as JSON; without
it nothing is done but running the service.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import runpy
import shutil
import signal
import sys
import threading
import types
from typing import Any, Callable

_LOOK = 5.0  # seconds between two looks at the log's size, for what others write to it
_STOP_LOOK = 0.2  # seconds between two looks for a request to stop
_ADDRESS, _METHOD, _PATH, _VERSION, _STATUS = range(5)  # what uvicorn tells of a request


class Log(io.RawIOBase):
    """The log as a stream. A disk that is full costs lines, never the server."""

    def __init__(self, path: str, cap: int, kept: int) -> None:
        """`path` is the log's, `cap` the bytes from which it is put aside, `kept` how many old ones stay."""
        super().__init__()
        self.path, self.cap, self.kept = path, cap, kept
        self._lock = threading.RLock()
        self._between_lines = True
        self._limit = cap - cap // 16

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """Its descriptor, for those who pass it on."""
        return 1

    def write(self, data: Any) -> int:
        """Write all of it."""
        left = memoryview(data).cast("B")
        size = len(left)
        with self._lock:
            try:
                while left:
                    left = left[os.write(1, left) :]
            except OSError:
                return size
            self._between_lines = bytes(data[-1:]) == b"\n"  # print() writes it by itself
            self.rotate()
        return size

    def rotate(self) -> None:
        """Put it aside when it has come near the cap: copied and emptied, since others write to it and read it.

        What this process writes waits meanwhile. Whoever else writes to it (children of the service) goes on doing so:
        a line of theirs is lost only if it comes between the last read and the truncation.
        """
        with self._lock:
            try:
                size = os.fstat(1).st_size
                if size > self._limit and (self._between_lines or size > self.cap):
                    self._limit = size + self.cap // 16  # where it is tried again if it fails
                    self._put_aside()
                    self._limit = self.cap - self.cap // 16
            except OSError:
                return  # no room for a copy, or somebody keeps the old ones open: a long log is better than none

    def _put_aside(self) -> None:
        staged = self.path + ".new"
        with open(self.path, "r+b", buffering=0) as log:
            try:
                with open(staged, "wb") as copy:
                    shutil.copyfileobj(log, copy, 1 << 20)
                for number in range(self.kept - 1, 0, -1):
                    if os.path.exists(self._numbered(number)):
                        os.replace(self._numbered(number), self._numbered(number + 1))
                os.replace(staged, self._numbered(1))
            except OSError:
                if os.path.exists(staged):
                    os.remove(staged)
                raise
            with open(self._numbered(1), "ab", buffering=0) as copy:
                shutil.copyfileobj(log, copy, 1 << 20)
            log.truncate(0)

    def _numbered(self, number: int) -> str:
        return f"{self.path}.{number}"


def main(words: list[str]) -> None:
    """Prepare, and become the service."""
    told = json.loads(os.environ.pop("BRIDGE_WRAPPER", "{}"))
    _hear()
    if told.get("log"):
        log = Log(told["log"], told["cap"], told["kept"])
        _open_streams(log)
        _watch(_LOOK, log.rotate)
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


def _hear() -> None:
    """Let the service hear Ctrl+C and SIGHUP: that its starter was deaf to them (nohup, `&` in a script) is not its."""
    for name, handler in (("SIGINT", signal.default_int_handler), ("SIGHUP", signal.SIG_DFL)):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


def _open_streams(log: Log) -> None:
    """Hand out streams that write to the log: under pythonw there are none, and not even descriptors."""
    if sys.stdout is None or sys.stderr is None:
        _give_descriptors(log.path)
    # As PYTHONUNBUFFERED has it: what is printed is there at once, also when the process is killed after it.
    sys.stdout = io.TextIOWrapper(log, "utf-8", "backslashreplace", write_through=True)
    sys.stderr = io.TextIOWrapper(log, "utf-8", "backslashreplace", write_through=True)
    for name in ("stdout", "stderr"):
        if getattr(sys, f"__{name}__") is None:
            setattr(sys, f"__{name}__", getattr(sys, name))


def _give_descriptors(path: str) -> None:
    """Make the log descriptors 1 and 2, which the programs that the service starts inherit."""
    if sys.platform != "win32":
        opened = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    else:  # pragma: no cover - tests/windows/test_files.py tries it
        opened = _open_on_windows(path)
    for number in (1, 2):
        os.dup2(opened, number)
        os.set_inheritable(number, True)  # noqa: FBT003 - dup2 of a number to itself leaves it as it is
    if opened not in (1, 2):
        os.close(opened)


if sys.platform == "win32":  # pragma: no cover

    def _open_on_windows(path: str) -> int:
        """Open the log as `open_shared` of clinic/fs.py does and says why; this python can't import it."""
        import ctypes
        import msvcrt
        from ctypes import wintypes

        word = wintypes.DWORD
        create = ctypes.WinDLL("kernel32", use_last_error=True).CreateFileW
        create.argtypes = [wintypes.LPCWSTR, word, word, wintypes.LPVOID, word, word, wintypes.HANDLE]
        create.restype = wintypes.HANDLE
        append, shared, open_always = 0x00120194, 7, 4
        handle = create(path, append, shared, None, open_always, 0x80, None)
        if handle == wintypes.HANDLE(-1).value:
            raise ctypes.WinError(ctypes.get_last_error())
        return msvcrt.open_osfhandle(handle, os.O_WRONLY | os.O_APPEND)


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
        with open(path, encoding="ascii") as stream:
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
