"""The transaction: lock, look, make a new environment beside the old one, prove it, let them change places."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import sys
import venv
from typing import TYPE_CHECKING

from toolshed import install, oslock
from toolshed.files import move, remove, rename_by_flag
from toolshed.health import State, foreign_reason, look, probe
from toolshed.interrupt import heed, noted
from toolshed.running import refuse_in_use
from toolshed.shed import (
    BESIDE,
    FORMAT,
    MARK,
    NAME,
    SCRIPTS,
    WINDOWS,
    Stamp,
    digest,
    distributions,
    excerpt,
    pins,
    plain,
    write_stamp,
)
from toolshed.trouble import AGAIN, BUSY, REFUSED, Trouble, from_os

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from toolshed.display import Display
    from toolshed.health import Verdict
    from toolshed.shed import Shed


def ensure(shed: Shed, display: Display) -> bool:
    """Make the tool environment be what the lock says; tells whether anything was changed.

    Raises Trouble, and KeyboardInterrupt where somebody asked for the end: with a text if that came too late.
    """
    if not shed.requirements.is_file():
        hint = "restore it: git checkout -- requirements"
        raise Trouble("no-lock", f"{shed.requirements} is missing", hint, exit_code=REFUSED)
    try:
        with noted():
            return ensured(shed, display)
    except OSError as error:
        raise from_os(error, "making the tools") from error


def ensured(shed: Shed, display: Display) -> bool:
    """Look; lock and act only where something is to be done, so that a healthy clone may be read-only."""
    verdict = judged(shed)
    if verdict.state is State.HEALTHY:
        # Left by a run that was killed. Where it can't be cleared away, or another run is at it, the tools work.
        with contextlib.suppress(OSError, Trouble):
            if leftovers(shed):
                with hold(shed.lock_file):
                    recover(shed)
        return False
    with hold(shed.lock_file):
        recover(shed)
        return act(shed, display, judged(shed))


@contextlib.contextmanager
def hold(path: Path) -> Iterator[None]:
    """Hold the lock, or say who does."""
    try:
        descriptor = oslock.take(path)
    except oslock.CannotLockError as error:
        hint = f"mount the file system of {path.parent} with locks (NFS: without nolock, with a lock daemon)"
        raise Trouble("no-lock", f"{path} can't be locked: {error}", hint, exit_code=REFUSED) from error
    if descriptor is None:
        told = oslock.note(path)
        who = f"process {told['pid']}, since {told['since']}" if told else "a process that has only just begun"
        raise Trouble("busy", f"another run is making the tools: {who}", f"wait for it, then: {AGAIN}", exit_code=BUSY)
    try:
        oslock.sign(descriptor)
        yield
    finally:
        oslock.release(path, descriptor)


def judged(shed: Shed) -> Verdict:
    """Judge the tool environment. Raises Trouble where something that is not ours is in the way."""
    for each in (shed, shed.beside, shed.aside):
        if reason := foreign_reason(each):
            raise Trouble(
                "not-ours",
                f"{each.tools} is in the way: {reason}",
                f"move it away or delete it, if you can do without it; then: {AGAIN}",
                exit_code=REFUSED,
            )
    return look(shed)


def act(shed: Shed, display: Display, verdict: Verdict) -> bool:
    """Do what the verdict calls for; tells whether anything was changed."""
    if verdict.state is State.HEALTHY:
        return False
    if verdict.reason:
        display.say(f"tools: {verdict.reason}; to do: {verdict.state.value}")
    refuse_in_use(shed.tools)
    install.check_means()
    new = shed.beside
    try:
        create(new, display)
        complete(new, display)
        swap(new, shed)
    finally:
        with contextlib.suppress(OSError):  # the next run tries again
            remove(new.tools)
    display.finish(f"ready in {shed.tools}")
    return True


def leftovers(shed: Shed) -> list[Path]:
    """Find what a killed run has left."""
    return [path for path in (shed.aside.tools, shed.beside.tools) if os.path.lexists(path)]


def recover(shed: Shed) -> None:
    """Revert what a killed run has begun, and clear away what it left."""
    if os.path.lexists(shed.aside.tools) and not os.path.lexists(shed.tools):
        move(shed.aside.tools, shed.tools)
    for path in leftovers(shed):
        remove(path)


def swap(new: Shed, shed: Shed) -> None:
    """Put the new environment in the place of the old one: in one step where the system can, else in two."""
    if not os.path.lexists(shed.tools):
        move(new.tools, shed.tools)
    elif not rename_by_flag(new.tools, shed.tools, "exchange"):
        move(shed.tools, shed.aside.tools)
        try:
            move(new.tools, shed.tools)
        except BaseException:
            move(shed.aside.tools, shed.tools)
            raise
        move(shed.aside.tools, new.tools)


def create(shed: Shed, display: Display) -> None:
    """Make an empty environment; the mark comes first, so that a killed run's remains are known as ours."""
    display.phase("creating the environment")
    shed.tools.mkdir()
    shed.mark.write_text(MARK, encoding="utf-8")
    try:
        venv.EnvBuilder(symlinks=not WINDOWS).create(shed.tools)
    except ValueError as error:
        hint = f"move the clone to a folder without {os.pathsep!r} in its path; then: {AGAIN}"
        message = "Python can't make an environment here"
        raise Trouble("path", message, hint, why=str(error), exit_code=REFUSED) from error


def complete(shed: Shed, display: Display) -> None:
    """Install, look again, and stamp what has proved itself."""
    site_packages = shed.new_site_packages
    display.watch(site_packages)
    refuse_stranger(shed)
    installer = install.fill(shed, display)
    display.phase("checking")
    lock = shed.requirements.read_text(encoding="utf-8")
    present = distributions(site_packages)
    refuse_incomplete(lock if installer == "uv" else excerpt(lock, "uv", without=True), present)
    who = refuse_stranger(shed)
    settle(shed.tools, site_packages)
    heed()
    write_stamp(
        shed,
        Stamp(
            format=FORMAT,
            path=str(shed.root / NAME),
            lock=digest(shed.requirements),
            cfg=digest(shed.cfg),
            base_prefix=str(who["base_prefix"]),
            version=str(who["version"]),
            free_threaded=bool(who["free_threaded"]),
            site_packages=site_packages.relative_to(shed.tools).as_posix(),
            distributions=present,
            installer=installer,
        ),
    )


def refuse_stranger(shed: Shed) -> dict[str, object]:
    """Ask the environment's python who it is: one that is another would fill that other. Returns what it says."""
    who = probe(shed) or {}
    if who.get("prefix") != str(shed.tools):
        raise Trouble("identity", f"the new environment is {who.get('prefix')}", f"report this; then: {AGAIN}")
    return who


# The whole name: the clone may lie in a folder like project.t.new.
MADE_IN = re.compile(rb"(?<![\w.-])" + re.escape(BESIDE.encode()) + rb"(?![\w.-])")


def settle(tools: Path, site_packages: Path) -> None:
    """Write the place where the environment will lie into the files that name the one where it was made.

    These are pyvenv.cfg, the activation scripts, and the console scripts, on Windows programs with a path in them. The
    two names are equally long, so that no size changes and no program is cut.
    """
    changed = []
    for path in (tools / "pyvenv.cfg", *(tools / SCRIPTS).iterdir()):
        old = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        new = MADE_IN.sub(NAME.encode(), old)
        if new != old:
            path.write_bytes(new)
            changed.append((record_hash(old), record_hash(new)))
    for record in site_packages.glob("*.dist-info/RECORD"):
        text = old_text = record.read_bytes()
        for before, after in changed:
            text = text.replace(before, after)
        if text != old_text:
            record.write_bytes(text)


def record_hash(data: bytes) -> bytes:
    """Return the hash of a file's content as RECORD has it."""
    return b"sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")


def refuse_incomplete(lock: str, present: list[str]) -> None:
    """Believe the disk rather than an installer's exit code: it may have filled another environment."""
    names = (name.removesuffix(".dist-info").partition("-") for name in present)
    have = {plain(name): version for name, _dash, version in names}
    missing = [f"{name} {version}" for name, version in pins(lock).items() if have.get(name) != version]
    if missing:
        message = f"installed elsewhere, or not at all: {', '.join(missing)}"
        hint = f"look for a target in your pip.conf or uv.toml; then: {AGAIN}"
        raise Trouble("incomplete", message, hint, why=f"{sys.executable} made the environment")
