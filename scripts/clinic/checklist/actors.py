"""A terminal, played: it opens, a shell in it runs a program, Ctrl+C is typed, it is closed. POSIX; its own process.

python actors.py [--below N] -- PROGRAM ARGUMENT...

What happens is told on stdout, one JSON object a line: `shell` (who and where), `output`, `ended` (the program's exit
code), `closed` (after SIGTERM: whether the hang-up reached the terminal's other program). SIGUSR1 types Ctrl+C. With
`--below` the terminal runs below so many processes, as it does in an editor.

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


def tell(out: int, **what: object) -> None:
    """Say something; one write, so that lines of several processes do not mix."""
    os.write(out, (json.dumps(what) + "\n").encode("ascii"))


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
    tell(out, event="shell", pid=os.getpid(), session=os.getsid(0), terminal=os.ttyname(0))
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
    tell(out, event="ended", code=os.waitstatus_to_exitcode(status))
    while True:
        signal.pause()


def terminal(program: list[str], out: int) -> None:
    """Open a terminal and play it until SIGTERM closes it."""
    master, slave = os.openpty()
    hears, witness = os.pipe()
    wakes, alarm = os.pipe()
    os.set_blocking(alarm, False)
    typed = []
    signal.set_wakeup_fd(alarm)
    signal.signal(signal.SIGUSR1, lambda *_: typed.append(CTRL_C))
    signal.signal(signal.SIGTERM, lambda *_: typed.append(b""))
    leader = os.fork()
    if leader == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        for descriptor in (master, hears, wakes, alarm):
            os.close(descriptor)
        shell(program, slave, out, witness)
    os.close(slave)
    os.close(witness)
    _play(master, wakes, typed, out)
    os.close(master)  # the hang-up
    os.waitpid(leader, 0)
    gone, _, _ = select.select([hears], [], [], _PATIENCE)
    tell(out, event="closed", reached=bool(gone) and os.read(hears, 1) == b"")


def _play(master: int, wakes: int, typed: list[bytes], out: int) -> None:
    """Show what is written (somebody must read it), and type what was asked for; the empty text is the end."""
    while True:
        ready, _, _ = select.select([master, wakes], [], [])
        if master in ready:
            try:
                said = os.read(master, 65536)
            except OSError:  # nobody has it open any more
                return
            tell(out, event="output", text=said.decode("utf-8", "replace"))
        if wakes in ready:
            os.read(wakes, 512)
        while typed:
            if not (text := typed.pop(0)):
                return
            os.write(master, text)


def below(levels: int, program: list[str], out: int) -> None:
    """Put processes above the terminal, which wait for it as an editor's do."""
    for _ in range(levels):
        child = os.fork()
        if child:
            signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
            os.waitpid(child, 0)
            os._exit(0)
    terminal(program, out)


def main(words: list[str]) -> None:
    """Play."""
    at = words.index("--")
    levels = int(words[1]) if words[0] == "--below" else 0
    out = os.dup(1)
    os.set_inheritable(out, False)  # noqa: FBT003
    below(levels, words[at + 1 :], out)


if __name__ == "__main__":
    main(sys.argv[1:])
