"""What can go wrong: a code, a message and the thing to do about it."""

from __future__ import annotations

import errno
import os
import re

FAILED, REFUSED, BUG, BUSY, INTERRUPTED = 1, 2, 3, 4, 130
AGAIN = "python scripts/bootstrap.py"
LONGEST = 300

NO_INDEX = (
    "check the network; behind a proxy set HTTPS_PROXY; for a mirror set PIP_INDEX_URL\n"
    "(uv: UV_DEFAULT_INDEX); for a wheelhouse PIP_NO_INDEX=1 and PIP_FIND_LINKS=/path/to/wheels;\n"
    f"then: {AGAIN}"
)
OTHER_FILES = (
    "do not go on: the index or a proxy gives other files than those that were locked. Empty the cache\n"
    f"(python -m pip cache purge) or try another index; then: {AGAIN}"
)

# What an installer says when the index can't be reached at all ...
UNREACHABLE = (
    r"NewConnectionError|NameResolutionError|Max retries exceeded|Failed to establish a new connection"
    r"|Temporary failure in name resolution|ProxyError|ConnectTimeout|ReadTimeout|Connection to \S+ timed out"
    r"|Connection broken|dns error|client error \(Connect\)|error sending request|tcp connect error"
    r"|operation timed out"
)
# ... and when it can, or there is only a wheelhouse, and what is wanted isn't there.
NOT_THERE = (
    r"Could not find a version|No matching distribution|network connectivity is disabled|Failed to fetch"
    r"|not found in the (package registry|provided package locations)|no versions? of|index was disabled"
)

# What this machine fails or refuses, by the system's own number or its text, which installers show in either form.
# The first that matches wins. Nothing was touched then: the new environment is made beside the old one.
MACHINE = (
    (
        "disk-full",
        ("ENOSPC", "EDQUOT"),
        r"No space left on device|Disk quota exceeded|not enough space on the disk",
        "the disk is full",
        "free some space (the tools take about 150 MB)",
    ),
    (
        "disk-error",
        ("EIO", "ESTALE"),
        r"Input/output error",
        "the disk or its connection fails",
        "look at the disk and at the system's log",
    ),
    (
        "no-temp-folder",
        (),
        r"No usable temporary directory",
        "there is no temporary folder to write to",
        "set TMPDIR to a folder that can be written",
    ),
    (
        "not-writable",
        ("EROFS", "EACCES", "EPERM"),
        r"Read-only file system|Permission denied|Access is denied",
        "a folder may not be written to",
        "work in a folder you may write to, or free what another program holds open",
    ),
    (
        "no-means",
        ("EMFILE", "ENFILE", "ENOMEM", "EAGAIN"),
        r"Too many open files|Cannot allocate memory|Resource temporarily unavailable",
        "this machine has no more memory, processes or open files to give",
        "close programs, or raise the limit (ulimit -a)",
    ),
)

# As far as the installers' words tell what helps. The first that matches wins.
SIGNS = (
    (
        "hash-mismatch",
        r"DO NOT MATCH THE HASHES|Hash mismatch",
        "a package is not the one that the lock names",
        OTHER_FILES,
    ),
    (
        "certificate",
        r"CERTIFICATE_VERIFY_FAILED|invalid peer certificate|UnknownIssuer",
        "the certificate of the package index is not trusted",
        f"name your certificates with PIP_CERT and SSL_CERT_FILE, then: {AGAIN}",
    ),
    ("no-index", UNREACHABLE, "the package index can't be reached", NO_INDEX),
    ("no-index", NOT_THERE, "no package index that answers has what the lock names", NO_INDEX),
)


class Trouble(Exception):  # noqa: N818 - what it is to the person; nothing here is an error of theirs
    """Something went wrong, and we know what to say about it."""

    def __init__(self, code: str, message: str, hint: str, *, why: str = "", exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.code, self.message, self.hint, self.why, self.exit_code = code, message, hint, why, exit_code

    def __str__(self) -> str:
        """Write it for a terminal."""
        rows = [f"{self.code}: {self.message}"]
        rows += [f"  {label} {text}" for label, text in (("why: ", self.why), ("next:", self.hint)) if text]
        return "\n".join(row.replace("\n", "\n        ") for row in rows)


def from_os(error: OSError, doing: str) -> Trouble:
    """Name what the operating system refused."""
    name = errno.errorcode.get(error.errno or 0, "")
    return of_the_machine(str(error), doing, name) or Trouble(
        "system", f"{doing} failed", f"mend that, then: {AGAIN}", why=str(error), exit_code=REFUSED
    )


def of_the_machine(said: str, doing: str, name: str = "") -> Trouble | None:
    """Name what this machine lacks, by the name of its error or what is said of it; None where that is no reason."""
    for code, names, pattern, message, hint in MACHINE:
        numbers = "|".join(str(getattr(errno, each)) for each in names if hasattr(errno, each))
        # Rust's "os error" is errno on POSIX only.
        spelled = rf"{'Errno' if os.name == 'nt' else '(Errno|os error)'} ({numbers})\b"
        found = re.search(f"{pattern}|{spelled}" if numbers else pattern, said, re.IGNORECASE)
        if name in names or found:
            why = line_of(said, found.start()) if found else said
            return Trouble(code, f"{doing}: {message}", f"{hint}; then: {AGAIN}", why=why, exit_code=REFUSED)
    return None


def from_output(output: str, doing: str) -> Trouble:
    """Name what an installer complains of, with its own words as the reason."""
    if trouble := of_the_machine(output, doing):
        return trouble
    why = telling_lines(output)
    for code, pattern, message, hint in SIGNS:
        if found := re.search(pattern, output, re.IGNORECASE):
            why = "\n".join(dict.fromkeys([line_of(output, found.start()), *why.splitlines()]))
            return Trouble(code, f"{doing}: {message}", hint, why=why)
    return Trouble("install-failed", f"{doing} failed", f"mend that, then: {AGAIN}", why=why)


def line_of(text: str, place: int) -> str:
    """Return the line of a text that holds a place in it."""
    return text[text.rfind("\n", 0, place) + 1 :].partition("\n")[0].strip()[:LONGEST]


def telling_lines(output: str) -> str:
    """Pick the lines of an installer's output that tell the reason."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"error|\u00d7|cause|\u2570|caused by|fatal", line, re.IGNORECASE)]
    return "\n".join((telling or lines)[-4:])
