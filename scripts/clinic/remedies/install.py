"""Installing what a lock pins into a new environment: uv where it runs, pip (from our side) where it does not suit.

The person's own configuration decides where packages come from. uv does not read pip's, so what uv cannot get is
tried with pip before giving up. Both are called with the hashes required; neither resolves anything.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clinic import interpreters, proc
from clinic.errors import FailedError
from clinic.facts import Self
from clinic.remedies import path_length
from toolshed import pip_settings, uv_settings

LIMIT = 1800.0
"""Seconds for an installer: a slow line, or a package that is compiled."""

Say = Callable[[str], object]


@dataclass(frozen=True)
class Source:
    """What to install, and from where."""

    requirements: Path
    hashes: bool = True
    complete: bool = True
    """Whether the file names everything: then nothing is resolved."""
    wheelhouse: Path | None = None
    offline: bool = False
    fresh: bool = False
    """Past the installer's cache: uv hands out hard links to it, and what is edited in one place is so in all."""
    prefix: Path | None = None
    """Install there, not into the environment; its python says what fits and is named by the scripts."""
    overrule: bool = False
    """Also where PEP 668 forbids it: only when somebody said so by name."""


def install(python: Path, source: Source, say: Say, *, prefix: Path | None = None) -> str:
    """Install into the environment of `python`; returns the name of the installer that did it.

    `prefix` is what that python must say it is; an environment's folder where none is given.

    Raises FailedError with the installer's own reason, and before anything is written where that python is another's:
    one that starts as its base would have that filled (measured).
    """
    refuse_stranger(python, prefix or python.parent.parent)
    refusal: FailedError | None = None
    with uv_settings.neutral() as neutral:
        for words, env in _ways_with_uv(python, source):
            done = proc.stream(words, timeout=LIMIT, on_line=packages_only(say), env={**env, **neutral})
            if done.ok:
                return "uv"
            refusal = failure("uv", done, source)
            if done.code is not None and (refusal.code in _CERTAIN or source.wheelhouse):
                raise refusal
    if refusal:
        say(f"uv could not ({refusal.code}); trying pip")
    words = pip_words(python, source, again=refusal is not None)
    done = proc.stream(words, timeout=LIMIT, on_line=packages_only(say), env=_pip_env(python))
    if done.ok:
        return "pip"
    raise refusal or failure("pip", done, source)


def refuse_stranger(python: Path, prefix: Path) -> None:
    """Ask a python who it is. Raises FailedError where it is not the one that is meant."""
    me = interpreters.ask(python, prefix)
    if isinstance(me, Self) and me.is_itself:
        return
    told = f"says that its prefix is {me.interpreter.prefix}" if isinstance(me, Self) else f"is silent: {me.reason}"
    raise FailedError(
        "not-itself", f"{python} {told}, so nothing is installed with it. Nothing was touched.", "invoke diagnose"
    )


# Whoever installs, these stay as they are.
_CERTAIN = frozenset({"hash-mismatch", "disk-full", path_length.CODE})


def find_uv() -> str | None:
    """The uv beside this python, the one its package knows, or one on the PATH."""
    name = "uv.exe" if os.name == "nt" else "uv"
    beside = Path(sys.executable).with_name(name)
    if beside.is_file():
        return os.fspath(beside)
    try:
        from uv import find_uv_bin

        return os.fspath(find_uv_bin())
    except (ImportError, FileNotFoundError):
        return shutil.which("uv")


def _ways_with_uv(python: Path, source: Source) -> Iterator[tuple[list[str], dict[str, str]]]:
    """As uv is; then, where that failed, told what the person has told pip (asking pip takes a while)."""
    uv = find_uv()
    if uv is None:
        return
    words = uv_words(uv, python, source)
    yield words, _uv_env()
    if source.wheelhouse or source.offline or pip_settings.uv_has_its_own():
        return
    flags, variables = pip_settings.translated(_told_to_pip())
    if flags or variables:
        yield [*words, *flags], {**_uv_env(), **variables}


def _told_to_pip(python: Path | None = None) -> dict[str, str]:
    """What the person has told pip; with `python`, in that environment too."""
    words = [sys.executable, *pip_module(), *(["--python", os.fspath(python)] if python else []), "config", "list"]
    return pip_settings.listed(proc.run(words, timeout=60).stdout)


def _pip_env(python: Path) -> dict[str, str]:
    return proc.scrubbed(pip_settings.neutral(_told_to_pip(python)))


def uv_words(uv: str, python: Path, source: Source) -> list[str]:
    """The argument list for uv. Files are copied: a link would share later edits with uv's cache (measured)."""
    words = [uv, "pip", "install", "--python", os.fspath(python), "--link-mode", "copy", "--no-progress"]
    words += ["--break-system-packages"] if source.overrule else []
    words += ["--no-deps"] if source.complete else []
    words += ["--require-hashes"] if source.hashes else []
    words += ["--offline"] if source.offline else []
    words += ["--no-index", "--find-links", os.fspath(source.wheelhouse)] if source.wheelhouse else []
    words += ["--no-cache"] if source.fresh else []
    words += ["--reinstall"] if source.fresh and not source.prefix else []
    words += ["--prefix", os.fspath(source.prefix)] if source.prefix else []
    return [*words, "-r", os.fspath(source.requirements)]


def _uv_env() -> dict[str, str]:
    return proc.scrubbed({"UV_NO_PROGRESS": "1", "NO_COLOR": "1"}, without={"UV_NO_VERIFY_HASHES", "FORCE_COLOR"})


def pip_words(python: Path, source: Source, *, again: bool = False) -> list[str]:
    """The argument list for pip, which runs on our side; `again` where uv failed, so that nobody waits twice as long.

    Bytecode is not compiled: the modules that are needed compile when they are first imported, which is right away.
    """
    words = [sys.executable, *pip_module(), "--python", os.fspath(python), "--disable-pip-version-check", "--no-input"]
    words += ["--retries", "1"] if again else []
    # Where pip may not write it takes the user's own folder, if nobody forbids it.
    words += ["install", "--no-user", "--no-compile", "--no-warn-script-location", "--progress-bar", "off"]
    words += ["--break-system-packages"] if source.overrule else []
    words += ["--no-deps"] if source.complete else []
    words += ["--require-hashes"] if source.hashes else []
    words += ["--no-index"] if source.offline or source.wheelhouse else []
    words += ["--find-links", os.fspath(source.wheelhouse)] if source.wheelhouse else []
    words += ["--no-cache-dir"] if source.fresh else []
    words += ["--prefix", os.fspath(source.prefix), "--ignore-installed"] if source.prefix else []
    return [*words, "-r", os.fspath(source.requirements)]


def pip_module() -> Sequence[str]:
    """How our side runs pip: its own, else the wheel that virtualenv brings along."""
    import importlib.util

    if importlib.util.find_spec("pip"):
        return ["-m", "pip"]
    from virtualenv.seed.wheels.embed import get_embed_wheel

    wheel = get_embed_wheel("pip", f"{sys.version_info[0]}.{sys.version_info[1]}")
    if wheel is None:
        raise FailedError("no-installer", "Neither uv nor pip runs here.", "python scripts/bootstrap.py")
    return [os.fspath(wheel.path / "pip")]


_ARRIVES = re.compile(r"\s*(?:\+ (?P<done>\S+)|(?P<word>Downloading|Building|Collecting|Built|Prepared|Resolved) .*)")


def packages_only(say: Say) -> Say:
    """Of all that an installer says, the packages as they arrive."""

    def on_line(line: str) -> None:
        if match := _ARRIVES.match(line):
            say((match["done"] or line.strip()).replace("==", " "))

    return on_line


_KINDS: tuple[tuple[str, str], ...] = (
    ("hash-mismatch", r"hash mismatch|do not match the hashes|hashes are required|in --require-hashes mode"),
    ("disk-full", r"no space left|os error 28|errno 28|disk quota"),
    (path_length.CODE, r"os error 206|winerror 206|name or extension is too long|long path support"),
    (
        "not-available",
        r"was not found in|no matching distribution|could not find a version|no solution found|no (?:usable )?wheels",
    ),
    ("build-failed", r"failed to build|build backend|failed building wheel|metadata-generation-failed"),
    (
        "no-index",
        r"error sending request|failed to fetch|connection|network|timed out|resol(?:ve host|ution)|max retries",
    ),
)
_HINTS = {
    "hash-mismatch": "compile the lock anew (nox -s lock -- --upgrade NAME) if you trust the new file",
    "disk-full": "free some space, then invoke rebuild",
    path_length.CODE: path_length.hint(),
    "not-available": "invoke rebuild --wheelhouse DIR, or --python SPEC for a version that the lock has wheels for",
    "build-failed": "invoke rebuild --python SPEC for a version that the lock has wheels for",
    "no-index": "invoke rebuild --wheelhouse DIR works without a network",
}


def failure(installer: str, done: proc.Completed, source: Source, doing: str = "install") -> FailedError:
    """What an installer failed with, as one error with its own reason."""
    text = done.stdout + done.stderr
    code = next((name for name, words in _KINDS if re.search(words, text, re.IGNORECASE)), "install-failed")
    if code == "not-available" and re.search("network was disabled", text):
        code = "no-index"
    if code == "install-failed" and path_length.too_long(_WINDOWS_PATH.findall(text), path_length.limit()):
        code = path_length.CODE  # the system says that there is no such folder
    told = reason_in(text) or done.reason or f"exit code {done.code}"
    return FailedError(
        code,
        f"{installer} could not {doing} {source.requirements.name}: {told}. The environment was not touched.",
        _HINTS.get(code, "invoke diagnose"),
    )


_WINDOWS_PATH = re.compile(r"[A-Za-z]:\\[^`'\"\r\n]+")
_LIMIT = 600


def reason_in(text: str) -> str:
    """The installer's own words for what went wrong, on one line."""
    lines = [re.sub(r"^[\s\u00d7\u251c\u2570\u2502\u2500\u25b6]+", "", line).strip() for line in text.splitlines()]
    marks = ("error:", "ERROR:", "cause:", "hint:")
    start = next((i for i, line in enumerate(lines) if line.startswith(marks)), None)
    if start is None:
        start = max(0, len([line for line in lines if line]) - 3)
        lines = [line for line in lines if line]
    told = " ".join(re.sub(r"^(?:error|ERROR|cause): ", "", line) for line in lines[start:] if line)
    return (told if len(told) <= _LIMIT else told[: _LIMIT - 3] + "...").rstrip(". ")
