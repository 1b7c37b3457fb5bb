"""What every entry point does first: Ctrl+C without a traceback, and nothing odd inherited from the caller.

Standard library only, and syntax of Python 3.6: `scripts/bootstrap.py` may be started by any.
"""

import contextlib
import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

INTERRUPTED = 130

# Ignored by a caller on purpose: nohup (SIGHUP), a shell's background job (SIGINT, SIGQUIT), a session without job
# control (the three of the terminal). SIGPIPE and SIGXFSZ are ignored by Python itself.
_KEPT = frozenset(
    ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGPIPE", "SIGXFSZ", "SIGKILL", "SIGSTOP")
)


def prepare() -> None:
    """Open descriptors 0 to 2, put signals and their mask back to the defaults, and let Ctrl+C end us quietly.

    An ignored SIGCHLD makes every child "end with 0", an ignored or blocked SIGTERM makes the server deaf to its stop,
    and the first file that is opened under a closed stdout receives what is printed. All of it is inherited by exec.
    A SIGINT that is ignored stays ignored: this is a background job of a script.
    """
    _open_streams()
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, _leave)
    if os.name != "nt":
        for number in signal.Signals:
            if number.name not in _KEPT and signal.getsignal(number) is signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())


def prepare_invoke() -> None:
    """The same where Invoke runs `tasks.py`; somebody else may import it."""
    if run_by("invoke", "inv"):
        prepare()


def prepare_nox() -> None:
    """The same where Nox runs the noxfile. On Ctrl+C it ends its sessions itself, and then would show a traceback."""
    if not run_by("nox"):
        return
    deaf = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    prepare()
    if not deaf:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.excepthook = _quiet


def run_by(*programs: str) -> bool:
    """Whether one of these programs runs us, as a command or with `python -m`."""
    folder, name = os.path.split(sys.argv[0])
    return os.path.splitext(name)[0] in programs or os.path.basename(folder) in programs


@contextlib.contextmanager
def interrupts_held() -> "Iterator[None]":
    """Start or become a program that begins with `prepare`: until then Ctrl+C waits.

    An interpreter that is just starting would show a traceback. The mask of signals outlives exec and is inherited by
    children. Windows has none.
    """
    if os.name == "nt":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def left_to_the_child() -> "Iterator[None]":
    """Wait for a program that got the Ctrl+C of the terminal or console too, and decides what it means."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _leave(_number: "int", _frame: "object") -> None:
    os._exit(INTERRUPTED)


def _quiet(kind: "type", error: "BaseException", trace: "object") -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)  # type: ignore[arg-type]
        return
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(INTERRUPTED)


def _open_streams() -> None:
    """Closed descriptors lead to the null device; pythonw has no streams at all."""
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is given, and that is this one.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003 - the standard library's own way
        if getattr(sys, name) is None:
            # Not closed with its stream: then the number would be free for any file again.
            stream = open(number, mode, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
            vars(sys)[name] = vars(sys)["__" + name + "__"] = stream
