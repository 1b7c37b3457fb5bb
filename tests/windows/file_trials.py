"""Runs on Windows: tries what this suite does with files that others read and write. Prints one JSON object.

python file_trials.py SCRIPTS TRIAL FOLDER [ARGUMENT ...]
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])

from clinic import fs
from clinic.service import logs, process, wrapping

CAP = 4000
LINES = 300

# A service that writes by every way there is; its child writes when it is asked to, and says when it has.
SERVICE = f"""
import os, subprocess, sys
code = "import os, sys\\nfor line in sys.stdin.buffer: os.write(1, line); os.write(2, b'x')"
child = subprocess.Popen([sys.argv[1], "-c", code], stdin=subprocess.PIPE, stderr=subprocess.PIPE, stdout=STDOUT)
for number in range({LINES}):
    print(f"printed {{number:04}}", "x" * 20)
    os.write(1, b"raw %04d\\n" % number)
    if number % 5 == 0:
        child.stdin.write(b"child %04d\\n" % number)
        child.stdin.flush()
        assert child.stderr.read(1)
child.stdin.close()
child.wait()
"""
EXPECTED = [
    "first",
    *(f"{kind} {number:04}" for number in range(LINES) for kind in ("printed", "raw")),
    *(f"child {number:04}" for number in range(0, LINES, 5)),
]


def rotation(folder: Path, program: str, streams: str) -> dict[str, object]:
    """Run a service with the log as a launch opens it, or without any stream; what is in its parts then."""
    log, service = folder / "größe.log", folder / "service.py"
    inherited = "1" if streams == "none" else "None"  # none that a child could inherit without being given it
    service.write_text(SERVICE.replace("STDOUT", inherited), encoding="utf-8")
    descriptor = logs.open_for_append(log)
    os.write(descriptor, b"first\n")
    env = {**os.environ, "BRIDGE_WRAPPER": json.dumps({"log": str(log), "cap": CAP, "kept": 50})}
    python = str(Path(program).with_name("python.exe"))
    argv = [program, str(wrapping.WRAPPER), str(service), python]
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": descriptor, "stderr": descriptor}
    options["creationflags"] = process.WINDOWS_FLAGS
    if streams == "none":
        options = {"creationflags": 0x8}  # DETACHED_PROCESS
    asked = subprocess.run([program, "-c", "import sys; sys.exit(sys.stdout is None)"], **options, check=False)
    with subprocess.Popen(argv, env=env, **options) as started:
        code = started.wait(200)
    os.close(descriptor)
    parts = list(folder.glob("größe.log*"))
    texts = [part.read_text(encoding="utf-8") for part in parts]
    found = Counter(line.removesuffix(" " + "x" * 20) for text in texts for line in text.splitlines())
    return {
        "code": code,
        "streams": "none" if asked.returncode else "log",
        "parts": len(parts),
        "largest": max(part.stat().st_size for part in parts),
        "nuls": sum(text.count("\0") for text in texts),
        "wrong": {line: found[line] for line in {*EXPECTED, *found} if (found[line] == 1) != (line in EXPECTED)},
    }


# A service that writes a line by itself and by a child for each file that is made for it.
TALKS = """
import os, subprocess, sys, time
code = "import os, sys\\nfor line in sys.stdin.buffer: os.write(1, line)"
child = subprocess.Popen([sys.argv[1], "-c", code], stdin=subprocess.PIPE, stdout=STDOUT, stderr=subprocess.DEVNULL)
number = 0
while not os.path.exists("stop"):
    if os.path.exists(f"say{number}"):
        print("printed", number)
        child.stdin.write(b"child %d\\n" % number)
        child.stdin.flush()
        number += 1
    time.sleep(0.02)
child.stdin.close()
child.wait()
"""


def others(folder: Path, program: str, streams: str) -> dict[str, object]:
    """Rename the log under a service; after what no line came to the log's place, and which lines are nowhere.

    Deletion can't be tried in wine: it removes the name with the last handle, as Windows did before 10.
    """
    log, service = folder / "größe.log", folder / "service.py"
    service.write_text(TALKS.replace("STDOUT", "1" if streams == "none" else "None"), encoding="utf-8")
    descriptor = logs.open_for_append(log)
    env = {**os.environ, "BRIDGE_WRAPPER": json.dumps({"log": str(log), "cap": 1 << 20, "kept": 3})}
    argv = [program, str(wrapping.WRAPPER), str(service), str(Path(program).with_name("python.exe"))]
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": descriptor, "stderr": descriptor}
    options["creationflags"] = process.WINDOWS_FLAGS
    if streams == "none":
        options = {"creationflags": 0x8}  # DETACHED_PROCESS
    said, deaf = 0, []
    with subprocess.Popen(argv, env=env, cwd=folder, **options) as started:
        os.close(descriptor)
        try:
            for number, change in enumerate(("nothing", "rename", "rename and create")):
                if change.startswith("rename"):
                    log.rename(log.with_name(f"{number}.log"))
                if change == "rename and create":
                    log.touch()
                until, here = time.monotonic() + 60, False
                while not here and time.monotonic() < until:
                    (folder / f"say{said}").touch()
                    time.sleep(1.5)  # the writer looks every second
                    here = {f"printed {said}", f"child {said}"} <= set(logs.tail(log, 100))
                    said += 1
                deaf += [] if here else [change]
        finally:
            (folder / "stop").touch()
        code = started.wait(200)
    found = {line for path in folder.glob("*.log") for line in path.read_text("utf-8").splitlines()}
    written = {f"{kind} {number}" for number in range(said) for kind in ("printed", "child")}
    return {"code": code, "deaf": deaf, "lost": sorted(written - found)}


def readers(folder: Path, writes: str) -> dict[str, object]:
    """Replace a file beside a program that reads it all the time as we do."""
    path, stop = folder / "state.json", folder / "stop"
    fs.write_atomically(path, b"0" * 300)
    argv = [sys.executable, __file__, sys.argv[1], "reading", str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as reader:
        assert reader.stdout
        reader.stdout.readline()
        begun, failed = time.perf_counter(), 0
        for number in range(int(writes)):
            failed += not _succeeds(partial(fs.write_atomically, path, b"%d" % (number % 10) * 300))
        seconds = time.perf_counter() - begun
        stop.touch()
        seen = json.loads(reader.stdout.read())
    return {"failed": failed, "seconds": seconds, **seen}


def reading(folder: Path) -> dict[str, object]:
    """Read a file again and again until told to stop."""
    reads = failed = torn = 0
    print(flush=True)  # noqa: T201 - it begins
    while not (folder / "stop").exists():
        for _ in range(20):
            reads += 1
            try:
                torn += len(set(fs.read_bytes(folder / "state.json"))) != 1
            except OSError:
                failed += 1
    return {"reads": reads, "reads_failed": failed, "torn": torn}


def _succeeds(action: Callable[[], object]) -> bool:
    try:
        action()
    except OSError:
        return False
    return True


def holders(folder: Path) -> dict[str, object]:
    """Change what a foreign program, which does not share the deletion, holds open for most of a second."""
    fs._RETRY_FOR = 60.0  # a machine that is busy counts for nothing
    file, tree = folder / "file", folder / "tree"
    (tree / "lib").mkdir(parents=True)
    for path in (file, tree / "lib" / "f"):
        path.write_bytes(b"old")
    trials: dict[str, tuple[Path, Callable[[], object]]] = {
        "write": (file, lambda: fs.write_atomically(file, b"new")),
        "unlink": (file, lambda: fs.remove(file)),
        "move": (tree, lambda: fs.move(tree, folder / "moved")),
        "remove": (folder / "moved" / "lib" / "f", lambda: fs.remove(folder / "moved")),
    }
    waited = {}
    for name, (held, change) in trials.items():
        handle, let_go = _held(held), threading.Event()
        timer = threading.Timer(0.7, _let_go, (handle, let_go))
        timer.start()
        done = _succeeds(change)
        waited[name] = done and let_go.is_set()
        timer.join()
    return {"waited": waited, "left": sorted(path.name for path in folder.iterdir())}


def _held(path: Path) -> int:
    """Open a file or folder as programs do that know of no others."""
    import _winapi

    backup_semantics = 0x02000000  # FILE_FLAG_BACKUP_SEMANTICS, for folders
    return int(_winapi.CreateFile(str(path), 0x80000000, 0x3, 0, 3, backup_semantics, 0))  # type: ignore[attr-defined]


def _let_go(handle: int, done: threading.Event) -> None:
    import _winapi

    done.set()
    _winapi.CloseHandle(handle)  # type: ignore[attr-defined]


def ours(folder: Path) -> dict[str, object]:
    """Rename and delete what we ourselves have open, and what is read-only."""
    fs._RETRY_FOR = 0.0
    log = folder / "log"
    log.write_bytes(b"text")
    first = os.fdopen(fs.open_shared(log, os.O_RDONLY), "rb")
    second = os.fdopen(fs.open_shared(log, os.O_WRONLY | os.O_APPEND), "wb", 0)
    with first, second:
        fs.move(log, folder / "log.1")
        second.write(b" more")
        read = first.read().decode()
        fs.remove(folder / "log.1")
    log.write_bytes(b"old")
    log.chmod(0o444)  # which Windows refuses to replace and to delete
    fs.write_atomically(log, b"new")
    mode = log.stat().st_mode & 0o777
    fs.remove(log)
    return {"read": read, "mode": mode, "left": sorted(path.name for path in folder.iterdir())}


if __name__ == "__main__":
    trial = {each.__name__: each for each in (rotation, others, readers, reading, holders, ours)}[sys.argv[2]]
    print(json.dumps(trial(Path(sys.argv[3]), *sys.argv[4:])))  # noqa: T201 - the answer
