"""Wounds to the interpreter's files: functions that inflict them on a real environment, and their codes."""

from __future__ import annotations

import shutil
from pathlib import Path

from clinic.anatomy import laid, layout
from tests.real.patients import Patient
from tests.real.wounding import Wound, wound

INTERPRETER_WOUNDS: list[Wound] = []
_YORE = "/opt/python-of-yore/bin"


def _links(patient: Patient) -> str:
    return "its interpreter is a copy, there is no link to hurt" if patient.creator.copies else ""


def _copies(patient: Patient) -> str:
    return "" if patient.creator.copies else "its interpreter is a link, which has no bits of its own"


def _lib64(patient: Patient) -> str:
    made = laid.has_lib64(patient.creator.family, patient.base.machine)  # type: ignore[arg-type]
    return "" if made else "this creator makes no lib64"


def _others(patient: Patient) -> str:
    return "" if patient.other_minor else "only one minor version is here"


def names_in(patient: Patient) -> list[Path]:
    """Every name of its interpreter."""
    return [path for path in sorted(patient.python.parent.iterdir()) if layout.is_interpreter_name(path.name)]


def _outward(patient: Patient) -> list[Path]:
    """The links that lead out of the environment."""
    return [path for path in names_in(patient) if path.is_symlink() and path.readlink().is_absolute()]


def _instead(path: Path, data: bytes, mode: int = 0o755) -> None:
    path.unlink()
    path.write_bytes(data)
    path.chmod(mode)


def _point(paths: list[Path], target: Path | str) -> None:
    for path in paths:
        path.unlink()
        path.symlink_to(target)


def _alias(patient: Patient) -> Path:
    """A name that its creator lays and none of the others needs."""
    needed = {path.readlink().name for path in names_in(patient) if path.is_symlink()} | {"python"}
    names = laid.names(patient.creator.family, patient.base.flavour, "posix")  # type: ignore[arg-type]
    path = next(patient.python.parent / name for name in reversed(names) if name not in needed)
    return path if path not in _outward(patient) else patient.python.parent / names[1]


@wound("python-missing", "fatal", into=INTERPRETER_WOUNDS)
def _python_missing(patient: Patient) -> None:
    patient.python.unlink()


@wound("python-missing", "fatal", into=INTERPRETER_WOUNDS)
def _all_names_missing(patient: Patient) -> None:
    for path in names_in(patient):
        path.unlink()


@wound("python-dangling", "fatal", _links, into=INTERPRETER_WOUNDS)
def _python_dangling(patient: Patient) -> None:
    _point(_outward(patient), "/nowhere/bin/python3")


@wound("python-dangling", "fatal", _links, into=INTERPRETER_WOUNDS)
def _base_gone(patient: Patient) -> None:
    _point(_outward(patient), f"{_YORE}/python3")
    for line in patient.lines:
        key, _, value = (part.strip() for part in line.partition("="))
        if key in {"home", "executable", "base-executable", "base-prefix", "base-exec-prefix"}:
            folder = Path(_YORE).parent if "prefix" in key else Path(_YORE)
            patient.set(key, str(folder / "python3") if "executable" in key else str(folder))
            assert value


@wound("python-recursive", "fatal", into=INTERPRETER_WOUNDS)
def _python_recursive(patient: Patient) -> None:
    _point([patient.python], "python3")
    (patient.python.parent / "python3").unlink()
    (patient.python.parent / "python3").symlink_to("python")


@wound("python-truncated", "fatal", into=INTERPRETER_WOUNDS)
def _python_empty(patient: Patient) -> None:
    _instead(patient.python, b"")


@wound("python-truncated", "fatal", into=INTERPRETER_WOUNDS)
def _python_cut(patient: Patient) -> None:
    data = patient.base.real.read_bytes()
    _instead(patient.python, data[: len(data) // 2])


@wound("python-truncated", "fatal", into=INTERPRETER_WOUNDS)
def _python_of_nothing(patient: Patient) -> None:
    _instead(patient.python, bytes(4096))


@wound("python-not-executable", "fatal", into=INTERPRETER_WOUNDS)
def _python_without_its_bit(patient: Patient) -> None:
    _instead(patient.python, patient.base.real.read_bytes(), 0o644)


@wound("python-not-executable", "fatal", _copies, into=INTERPRETER_WOUNDS)
def _no_name_executable(patient: Patient) -> None:
    for path in names_in(patient):
        path.chmod(0o644)


@wound("python-wrong-architecture", "fatal", into=INTERPRETER_WOUNDS)
def _python_of_another_machine(patient: Patient) -> None:
    data = bytearray(patient.base.real.read_bytes())
    data[18:20] = b"\x16\x00"  # s390x
    _instead(patient.python, bytes(data))


@wound("python-wrong-architecture", "fatal", into=INTERPRETER_WOUNDS)
def _python_of_windows(patient: Patient) -> None:
    header = b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\0\0" + (0x8664).to_bytes(2, "little") + bytes(200)
    _instead(patient.python, header)


@wound("python-replaced", "fatal", into=INTERPRETER_WOUNDS)
def _script_in_its_place(patient: Patient) -> None:
    _instead(patient.python, b"#!/bin/sh\nexit 0\n")


@wound("python-replaced", "fatal", into=INTERPRETER_WOUNDS)
def _script_that_starts_another(patient: Patient) -> None:
    _instead(patient.python, f'#!/bin/sh\nexec "{patient.base.executable}" "$@"\n'.encode())


@wound("python-replaced", "fatal", into=INTERPRETER_WOUNDS)
def _text_in_its_place(patient: Patient) -> None:
    _instead(patient.python, b"moved to the other disk, ask me\n")


@wound("python-replaced", "fatal", into=INTERPRETER_WOUNDS)
def _program_in_its_place(patient: Patient) -> None:
    true = shutil.which("true")
    assert true
    _instead(patient.python, Path(true).read_bytes())


@wound("python-replaced", "fatal", _links, into=INTERPRETER_WOUNDS)
def _link_to_a_program(patient: Patient) -> None:
    true = shutil.which("true")
    assert true
    _point(_outward(patient), true)


@wound("python-replaced", "fatal", into=INTERPRETER_WOUNDS)
def _folder_in_its_place(patient: Patient) -> None:
    patient.python.unlink()
    patient.python.mkdir()
    (patient.python / "mine.txt").write_text("keep me\n", encoding="utf-8")


@wound("python-retargeted", "fatal", lambda p: _others(p) or _links(p), into=INTERPRETER_WOUNDS)
def _python_retargeted(patient: Patient) -> None:
    assert patient.other_minor
    _point(_outward(patient), patient.other_minor.executable)


@wound("python-retargeted", "fatal", lambda p: _others(p) or _links(p), into=INTERPRETER_WOUNDS)
def _one_name_retargeted(patient: Patient) -> None:
    assert patient.other_minor
    _point([patient.python], patient.other_minor.executable)


@wound("python-wrong-flavour", "fatal", lambda p: _others(p) or _copies(p), into=INTERPRETER_WOUNDS)
def _copy_of_another_version(patient: Patient) -> None:
    assert patient.other_minor
    _instead(patient.python, patient.other_minor.real.read_bytes())


@wound("python-alias-broken", "advice", into=INTERPRETER_WOUNDS)
def _alias_missing(patient: Patient) -> None:
    _alias(patient).unlink()


@wound("python-alias-broken", "advice", into=INTERPRETER_WOUNDS)
def _alias_dangling(patient: Patient) -> None:
    _point([_alias(patient)], "/nowhere/bin/python3")


@wound("python-alias-broken", "advice", _others, into=INTERPRETER_WOUNDS)
def _alias_retargeted(patient: Patient) -> None:
    assert patient.other_minor
    _point([_alias(patient)], patient.other_minor.executable)


@wound("python-alias-broken", "degraded", into=INTERPRETER_WOUNDS)
def _alias_that_a_script_needs(patient: Patient) -> None:
    alias = _alias(patient)
    script = alias.with_name("tool of mine")
    script.write_text(f"#!{alias}\nprint('works')\n", encoding="utf-8")
    script.chmod(0o755)
    alias.unlink()


@wound("lib64-missing", "advice", _lib64, into=INTERPRETER_WOUNDS)
def _lib64_missing(patient: Patient) -> None:
    (patient.venv / "lib64").unlink()


@wound("lib64-missing", "advice", _lib64, into=INTERPRETER_WOUNDS)
def _lib64_dangling(patient: Patient) -> None:
    _point([patient.venv / "lib64"], "/nowhere/lib")
