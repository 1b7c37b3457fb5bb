"""Downloading the wheels of a lock with pip, for a rebuild without a network. uv cannot download."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from clinic import proc
from clinic.anatomy import lock
from clinic.anatomy.layout import flavour_of_name
from clinic.facts import Flavour
from clinic.remedies.install import LIMIT, Say, Source, failure, packages_only, pip_module

_OLDEST_GLIBC = 5
_LEGACY = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


def flavour_named(spec: str) -> Flavour | None:
    """The flavour that a version names (3.13, 3.14t); None where it is a path or another spec."""
    return flavour_of_name(f"python{spec}")


def fill(folder: Path, requirements: Path, flavour: Flavour, platforms: Sequence[str], say: Say) -> list[Path]:
    """Put the wheels into `folder`; returns those that the lock names. Raises FailedError with pip's own reason."""
    pins = lock.wanted_pins(lock.read(requirements), flavour, marker_values(platforms))
    if not pins:
        return []
    with TemporaryDirectory(prefix="clinic-") as scratch:
        # pip judges markers by the python that runs it, whatever platform is asked for: so they are judged here.
        plain = Path(scratch) / requirements.name
        lines = [" ".join([f"{pin.name}=={pin.version}", *(f"--hash={h}" for h in pin.hashes)]) for pin in pins]
        plain.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        words = download_words(folder, plain, flavour, platforms)
        done = proc.stream(words, timeout=LIMIT, on_line=packages_only(say))
    if not done.ok:
        raise failure("pip", done, Source(requirements), doing="download")
    locked = {(pin.name, pin.version) for pin in pins}
    return sorted(wheel for wheel in folder.glob("*.whl") if named(wheel) in locked)


def download_words(folder: Path, requirements: Path, flavour: Flavour, platforms: Sequence[str]) -> list[str]:
    """The argument list for pip."""
    words = [sys.executable, *pip_module(), "--disable-pip-version-check", "--no-input", "download", "--no-deps"]
    words += ["--require-hashes", "--only-binary", ":all:", "--progress-bar", "off", "--implementation", "cp"]
    words += ["--python-version", f"{flavour.major}.{flavour.minor}"]
    words += ["--abi", f"cp{flavour.major}{flavour.minor}t"] if flavour.free_threaded else []
    for tag in dict.fromkeys(tag for platform in platforms for tag in tags(platform)):
        words += ["--platform", tag]
    return [*words, "--dest", os.fspath(folder), "-r", os.fspath(requirements)]


def tags(platform: str) -> list[str]:
    """A platform and those whose wheels run there too: pip takes `manylinux_2_28` for 2.28 alone."""
    match = re.fullmatch(r"manylinux_2_(\d+)_(\w+)", platform)
    if not match:
        return [platform]
    newest, machine = int(match[1]), match[2]
    names = []
    for minor in range(newest, _OLDEST_GLIBC - 1, -1):
        names.append(f"manylinux_2_{minor}_{machine}")
        names += [f"{_LEGACY[minor]}_{machine}"] if minor in _LEGACY else []
    return [*names, f"linux_{machine}"]


def marker_values(platforms: Sequence[str]) -> dict[str, str]:
    """What markers see on the first of these platforms; nothing where none is named (then it is this one)."""
    if not platforms:
        return {}
    first = platforms[0]
    families = {
        "win": ("win32", "nt", "Windows"),
        "macosx": ("darwin", "posix", "Darwin"),
    }
    family = next((values for name, values in families.items() if first.startswith(name)), ("linux", "posix", "Linux"))
    machine = re.search(r"(amd64|x86_64|aarch64|arm64|i686|armv7l|ppc64le|s390x|universal2)\Z", first)
    values = {"sys_platform": family[0], "os_name": family[1], "platform_system": family[2]}
    told = machine[1] if machine else ("x86" if first == "win32" else "")
    return {**values, "platform_machine": told.upper() if family[0] == "win32" else told}


def named(wheel: Path) -> tuple[str, str]:
    """Name and version of a wheel, by its file name."""
    name, _, rest = wheel.name.partition("-")
    return lock.canonical(name), rest.partition("-")[0]
