"""Real environments by the real creators, as cheaply as each of them can."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from clinic import interpreters, proc
from clinic.facts import Interpreter

SPECS = ("3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t")


@cache
def bases() -> tuple[Interpreter, ...]:
    """One base interpreter of every supported flavour that this machine has."""
    return tuple(found for spec in SPECS if (found := _first(interpreters.find(spec))))


def _first(found: Iterator[Interpreter]) -> Interpreter | None:
    return next((base for base in found if base.implementation == "cpython"), None)


def label(base: Interpreter) -> str:
    """How a base is named in the id of a test."""
    return str(base.flavour)


@dataclass(frozen=True)
class Creator:
    """A program that makes environments; `argv` says how to call it for a base and a folder."""

    name: str
    argv: Callable[[Interpreter, Path], Sequence[str | os.PathLike[str]]]
    copies: bool = False
    family: str = ""
    """What it writes into the environment: venv, virtualenv or uv."""

    def make(self, base: Interpreter, venv: Path, *more: str) -> Path:
        """Make an environment without pip; `more` are options of this creator."""
        done = subprocess.run(
            [*(os.fspath(part) for part in self.argv(base, venv)), *more],
            env=proc.scrubbed(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
        return venv

    def __str__(self) -> str:
        return self.name


def _virtualenv(base: Interpreter, venv: Path) -> list[str | os.PathLike[str]]:
    return [
        sys.executable,
        "-m",
        "virtualenv",
        "--no-seed",
        "--no-periodic-update",
        "-q",
        "-p",
        base.executable,
        venv,
    ]


def uv() -> str:
    """The uv beside this python, else the one on the PATH; empty where there is none."""
    beside = Path(sys.executable).with_name("uv.exe" if os.name == "nt" else "uv")
    return os.fspath(beside) if beside.is_file() else shutil.which("uv") or ""


VENV = Creator("venv", lambda base, venv: [base.executable, "-m", "venv", "--without-pip", venv], family="venv")
VENV_COPIES = Creator(
    "venv-copies",
    lambda base, venv: [base.executable, "-m", "venv", "--without-pip", "--copies", venv],
    copies=True,
    family="venv",
)
VIRTUALENV = Creator("virtualenv", _virtualenv, family="virtualenv")
VIRTUALENV_COPIES = Creator(
    "virtualenv-copies",
    lambda base, venv: [*_virtualenv(base, venv), "--copies"],
    copies=True,
    family="virtualenv",
)
UV = Creator("uv", lambda base, venv: [uv(), "venv", "--no-project", "-q", "-p", base.executable, venv], family="uv")


@cache
def creators() -> tuple[Creator, ...]:
    """Every creator that can be called here."""
    return (VENV, VENV_COPIES, VIRTUALENV, VIRTUALENV_COPIES, *([UV] if uv() else []))
