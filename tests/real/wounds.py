"""Every damage to pyvenv.cfg that the clinic names: a function that inflicts it on a real environment, and its code.

A new damage costs one check and one wound; the tests over creators and interpreters take it from this list.
"""

from __future__ import annotations

from pathlib import Path

from tests.real import wounds_of_home, wounds_of_keys, wounds_of_the_file
from tests.real.patients import Patient
from tests.real.wounding import WOUNDS, Inflict, Wound

__all__ = ["HARMLESS", "WOUNDS", "Wound", "by_name", "wounds_of_home", "wounds_of_keys", "wounds_of_the_file"]


def by_name(name: str) -> Wound:
    """The wound of that name."""
    return next(entry for entry in WOUNDS if entry.name == name)


def _write(patient: Patient, data: bytes) -> None:
    patient.cfg.write_bytes(data)


def _linked(patient: Patient) -> None:
    real = Path(f"{patient.venv} cfg kept elsewhere")
    patient.cfg.replace(real)
    patient.cfg.symlink_to(real)


# Variants that no reader minds: a look at them finds nothing at all.

HARMLESS: dict[str, Inflict] = {
    "crlf": lambda patient: patient.rewrite(patient.lines, "\r\n"),
    "no-final-newline": lambda patient: _write(patient, patient.cfg.read_bytes().rstrip(b"\n")),
    "blank-lines-and-comments": lambda patient: patient.rewrite(["", *patient.lines, "# mine", "; mine too", ""]),
    "unknown-keys": lambda patient: patient.rewrite([*patient.lines, "team = bridge", "x.y = a = b"]),
    "section": lambda patient: patient.rewrite([*patient.lines, "[mine]", "just words"]),
    "trailing-slash": lambda patient: patient.set("home", f"{patient.base.home}/"),
    "dots-in-home": lambda patient: patient.set("home", f"{patient.base.home}/../bin"),
    "trailing-blanks": lambda patient: patient.rewrite([line + "  \t" for line in patient.lines]),
    "tabs": lambda patient: patient.rewrite([line.replace(" = ", "\t=\t", 1) for line in patient.lines]),
    "indented": lambda patient: patient.rewrite(["  " + line for line in patient.lines]),
    "a-link": _linked,
    "prompt": lambda patient: patient.rewrite([*patient.lines, "prompt = größe \U0001f40d"]),
    "minor-version-only": lambda patient: patient.set(
        "version_info" if patient.creator.family == "uv" else "version", str(patient.base.flavour).rstrip("t")
    ),
}
