"""A terminal, played: it opens, a shell in it runs a program, Ctrl+C is typed, it is closed. POSIX; its own process.

    python actors.py [--below N] OUTPUT -- PROGRAM ARGUMENT...

Commands come on stdin, one a line: `ctrl-c` and `close`; the end of stdin closes it too. Events go to stdout, one JSON
object a line: `shell` (who and where), `ended` (the program's exit code), `closed` (whether the hang-up reached the
terminal's other program), `unavailable` (why this machine has no terminal). OUTPUT is the file that takes what the
terminal shows. With `--below` the terminal runs below so many processes, as it does in an editor.

Standard library only, and no threads: it forks.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys

CTRL_C = b"\x03"
_PATIENCE = 5.0  # seconds for the hang-up to arrive


def tell(out: int, event: str, **what: object) -> None:
    """Write one event; one write, so that lines of several processes do not mix."""
    os.write(out, (json.dumps({"event": event, **what}) + "\n").encode("ascii"))


def shell(program: list[str], slave: int, out: int, witness: int) -> None:
    """Be what runs in a terminal: its session's leader, with one program in the foreground and another beside it."""
    import fcntl
    import termios

    # As a terminal does for all that starts in it: what nohup, or a shell's `&`, made us deaf to is not inherited.
    for deaf_to in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(deaf_to, signal.SIG_DFL)
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for number in (0, 1, 2):
        os.dup2(slave, number)
    tell(out, "shell", pid=os.getpid(), session=os.getsid(0))
    if os.fork() == 0:
        # The witness: an ordinary program of this terminal, deaf to Ctrl+C. It alone keeps the pipe open.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.set_inheritable(witness, False)  # noqa: FBT003
        while True:
            signal.pause()
    os.close(witness)
    child = os.fork()
    if child == 0:
        os.close(out)
        os.execv(program[0], program)  # noqa: S606 - no shell is wanted
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as interactive shells do: it means the program
    _, status = os.waitpid(child, 0)
    tell(out, "ended", code=os.waitstatus_to_exitcode(status))
    while True:
        signal.pause()


def terminal(program: list[str], output: str, out: int) -> None:
    """Open a terminal and play it until it is closed."""
    try:
        master, slave = os.openpty()
    except OSError as error:
        tell(out, "unavailable", why=f"no terminal can be opened here: {error.strerror}")
        return
    hears, witness = os.pipe()
    leader = os.fork()
    if leader == 0:
        for descriptor in (master, hears):
            os.close(descriptor)
        shell(program, slave, out, witness)
    os.close(slave)
    os.close(witness)
    shown = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _play(master, shown)
    os.close(master)  # the hang-up
    os.waitpid(leader, 0)
    gone, _, _ = select.select([hears], [], [], _PATIENCE)
    tell(out, "closed", reached=bool(gone) and os.read(hears, 1) == b"")


def _play(master: int, shown: int) -> None:
    """Keep what is written (a terminal that is not read blocks its programs), and obey, until it is to be closed."""
    while True:
        ready, _, _ = select.select([master, 0], [], [])
        if master in ready:
            try:
                os.write(shown, os.read(master, 65536))
            except OSError:  # no process has it open any more
                return
        if 0 in ready:
            commands = os.read(0, 512).split()
            if not commands or b"close" in commands:
                return
            os.write(master, CTRL_C * len(commands))


def below(levels: int, program: list[str], output: str, out: int) -> None:
    """Put processes above the terminal, which wait for it as an editor's do."""
    for _ in range(levels):
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            os._exit(0)
    terminal(program, output, out)


def main(words: list[str]) -> None:
    """Play."""
    at = words.index("--")
    *flags, output = words[:at]
    levels = int(flags[flags.index("--below") + 1]) if flags else 0
    out = os.dup(1)
    os.set_inheritable(out, False)  # noqa: FBT003
    below(levels, words[at + 1 :], output, out)


if __name__ == "__main__":
    main(sys.argv[1:])
