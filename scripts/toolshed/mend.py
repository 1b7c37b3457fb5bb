"""The transaction: lock, look, act, look again; commit, or put back what was there."""

from __future__ import annotations

import contextlib
import os
import sys
import venv
from typing import TYPE_CHECKING

from toolshed import install
from toolshed.files import move, remove
from toolshed.health import State, look, probe
from toolshed.interrupt import heed, noted
from toolshed.oslock import hold
from toolshed.shed import (
    FORMAT,
    MARK,
    WINDOWS,
    Stamp,
    digest,
    distributions,
    excerpt,
    pins,
    plain,
    read_stamp,
    write_stamp,
)
from toolshed.trouble import AGAIN, REFUSED, Trouble, from_os

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
    verdict = look(shed)
    refuse_foreign(shed, verdict)
    # A leftover means that a run was killed.
    if verdict.state is State.HEALTHY and not os.path.lexists(shed.aside):
        return False
    with hold(shed.lock_file):
        recover(shed)
        return act(shed, display, look(shed))


def refuse_foreign(shed: Shed, verdict: Verdict) -> None:
    """Leave alone what is not ours."""
    if verdict.state is State.FOREIGN:
        raise Trouble(
            "not-ours",
            f"{shed.tools} is in the way: {verdict.reason}",
            f"move it away or delete it, if you can do without it; then: {AGAIN}",
            exit_code=REFUSED,
        )


def act(shed: Shed, display: Display, verdict: Verdict) -> bool:
    """Do what the verdict calls for."""
    refuse_foreign(shed, verdict)
    if verdict.state is State.HEALTHY:
        return False
    if verdict.reason:
        display.say(f"tools: {verdict.reason}; to do: {verdict.state.value}")
    if verdict.state is State.STALE:
        complete(shed, display)
    else:
        install.check_means()
        with replaced(shed):
            create(shed, display)
            complete(shed, display)
    display.finish(f"ready in {shed.tools}")
    return True


def recover(shed: Shed) -> None:
    """Finish or revert what a killed run has left."""
    if not os.path.lexists(shed.aside):
        return
    if look(shed).state in (State.HEALTHY, State.STALE):
        remove(shed.aside)
    else:
        put_back(shed)


@contextlib.contextmanager
def replaced(shed: Shed) -> Iterator[None]:
    """Move the old environment aside while a new one is built in its place, and back if that fails."""
    if os.path.lexists(shed.tools):
        move(shed.tools, shed.aside)
    try:
        yield
    except BaseException:
        put_back(shed)
        raise
    with contextlib.suppress(OSError):  # the next run tries again
        remove(shed.aside)


def put_back(shed: Shed) -> None:
    """Take an unfinished environment away and put the old one, if there was one, in its place."""
    if os.path.lexists(shed.tools):
        remove(shed.tools)
    if os.path.lexists(shed.aside):
        move(shed.aside, shed.tools)


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
    site_packages = site_packages_of(shed)
    display.watch(site_packages)
    refuse_stranger(shed)
    installer = install.fill(shed, display)
    display.phase("checking")
    lock = shed.requirements.read_text(encoding="utf-8")
    present = distributions(site_packages)
    refuse_incomplete(lock if installer == "uv" else excerpt(lock, "uv", without=True), present)
    who = refuse_stranger(shed)
    heed()
    write_stamp(
        shed,
        Stamp(
            format=FORMAT,
            path=str(shed.tools),
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


def site_packages_of(shed: Shed) -> Path:
    """Return where the environment's packages are: it may have been made by another interpreter than this."""
    stamp = read_stamp(shed)
    return shed.tools / stamp.site_packages if stamp else shed.new_site_packages


def refuse_incomplete(lock: str, present: list[str]) -> None:
    """Believe the disk rather than an installer's exit code: it may have filled another environment."""
    names = (name.removesuffix(".dist-info").partition("-") for name in present)
    have = {plain(name): version for name, _dash, version in names}
    missing = [f"{name} {version}" for name, version in pins(lock).items() if have.get(name) != version]
    if missing:
        message = f"installed elsewhere, or not at all: {', '.join(missing)}"
        hint = f"look for a target in your pip.conf or uv.toml; then: {AGAIN}"
        raise Trouble("incomplete", message, hint, why=f"{sys.executable} made the environment")
