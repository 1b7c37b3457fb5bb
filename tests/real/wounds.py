"""Every damage to pyvenv.cfg that the clinic names: a function that inflicts it on a real environment, and its code.

A new damage costs one check and one wound here; the tests over creators and interpreters take it from this list.
"""

from __future__ import annotations

import codecs
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clinic.model import Severity
from tests.real.patients import Patient

INCLUDE = "include-system-site-packages"
Inflict = Callable[[Patient], None]


def _always(_patient: Patient) -> str:
    return ""


@dataclass(frozen=True)
class Wound:
    """One way to hurt an environment."""

    name: str
    code: str
    inflict: Inflict
    least: Callable[[Patient], Severity]
    """What it counts for where the environment's python does not mind."""
    spared: Callable[[Patient], str] = _always
    """Why it can't be inflicted on this patient; empty if it can."""

    def __str__(self) -> str:
        return self.name


WOUNDS: list[Wound] = []


def wound(
    code: str,
    least: Severity | Callable[[Patient], Severity],
    spared: Callable[[Patient], str] = _always,
) -> Callable[[Inflict], Inflict]:
    """Enter a function into the list of wounds under its own name."""
    judge: Callable[[Patient], Severity] = least if callable(least) else lambda _patient: least

    def enter(inflict: Inflict) -> Inflict:
        name = inflict.__name__.strip("_").replace("_", "-")
        WOUNDS.append(Wound(name, code, inflict, judge, spared))
        return inflict

    return enter


def _copy_suffers(patient: Patient) -> Severity:
    """A copied executable needs `home` from the file; a linked one finds its base by the link (facts, section 4)."""
    return "degraded" if patient.creator.copies else "advice"


def _old_copy_suffers(patient: Patient) -> Severity:
    return "degraded" if patient.creator.copies and patient.old else "advice"


# The file as a file


@wound("cfg-missing", "fatal")
def _missing(patient: Patient) -> None:
    patient.cfg.unlink()


@wound("cfg-empty", "degraded")
def _empty(patient: Patient) -> None:
    patient.cfg.write_bytes(b"")


@wound("cfg-empty", "degraded")
def _blank(patient: Patient) -> None:
    patient.cfg.write_bytes(b"\n  \r\n\n")


@wound("cfg-garbage", "degraded")
def _nuls(patient: Patient) -> None:
    patient.cfg.write_bytes(b"\0" * 200)


@wound("cfg-garbage", "degraded")
def _binary(patient: Patient) -> None:
    patient.cfg.write_bytes(bytes(range(256)) * 4)


@wound("cfg-garbage", "degraded")
def _prose(patient: Patient) -> None:
    patient.cfg.write_text("This file was left empty by intention.\nSee the manual.\n", encoding="utf-8")


@wound("cfg-garbage", "degraded")
def _colons(patient: Patient) -> None:
    patient.rewrite([line.replace(" = ", ": ", 1) for line in patient.lines])


@wound("cfg-nul-bytes", _copy_suffers)
def _nuls_ahead(patient: Patient) -> None:
    patient.cfg.write_bytes(b"\0" * 40 + b"\n" + patient.cfg.read_bytes())


@wound("cfg-nul-bytes", _copy_suffers)
def _nuls_behind(patient: Patient) -> None:
    patient.cfg.write_bytes(patient.cfg.read_bytes() + b"\0" * 300)


@wound("cfg-truncated", "degraded")
def _cut_within_home(patient: Patient) -> None:
    data = patient.cfg.read_bytes()
    patient.cfg.write_bytes(data[: data.index(b"\n") - 3])


@wound("cfg-truncated", "degraded")
def _cut_within_the_first_word(patient: Patient) -> None:
    patient.cfg.write_bytes(patient.cfg.read_bytes()[:2])


@wound("cfg-truncated", "degraded")
def _cut_within_include(patient: Patient) -> None:
    data = patient.cfg.read_bytes()
    patient.cfg.write_bytes(data[: data.index(INCLUDE.encode()) + 12])


@wound("cfg-truncated", "degraded")
def _cut_within_the_choice(patient: Patient) -> None:
    data = patient.cfg.read_bytes()
    patient.cfg.write_bytes(data[: data.index(INCLUDE.encode()) + len(INCLUDE) + 5])


@wound("cfg-not-a-file", "fatal")
def _folder(patient: Patient) -> None:
    patient.cfg.unlink()
    patient.cfg.mkdir()
    (patient.cfg / "inside.txt").write_text("mine\n", encoding="utf-8")


@wound("cfg-not-a-file", "fatal")
def _link_to_folder(patient: Patient) -> None:
    patient.cfg.unlink()
    patient.cfg.symlink_to(patient.venv / "bin")


@wound("cfg-not-a-file", "fatal")
def _pipe(patient: Patient) -> None:
    patient.cfg.unlink()
    os.mkfifo(patient.cfg)


@wound("cfg-not-a-file", "fatal")
def _link_to_device(patient: Patient) -> None:
    patient.cfg.unlink()
    patient.cfg.symlink_to("/dev/zero")


@wound("cfg-dangling-link", "fatal")
def _dangling_link(patient: Patient) -> None:
    patient.cfg.unlink()
    patient.cfg.symlink_to(patient.venv / "gone" / "pyvenv.cfg")


@wound("cfg-dangling-link", "fatal")
def _link_to_itself(patient: Patient) -> None:
    patient.cfg.unlink()
    patient.cfg.symlink_to("pyvenv.cfg")


@wound("cfg-in-scripts", lambda patient: "degraded" if patient.base.version >= (3, 14) else "advice")
def _only_in_bin(patient: Patient) -> None:
    patient.cfg.rename(patient.venv / "bin" / "pyvenv.cfg")


@wound("cfg-second", "advice")
def _also_in_bin(patient: Patient) -> None:
    shutil.copy2(patient.cfg, patient.venv / "bin" / "pyvenv.cfg")


@wound("cfg-oversized", "advice")
def _oversized(patient: Patient) -> None:
    patient.rewrite([*patient.lines, "note = " + "x" * 40_000])


# Its encoding


@wound("cfg-bom", _copy_suffers)
def _byte_order_mark(patient: Patient) -> None:
    """What `Set-Content -Encoding UTF8` of PowerShell 5.1 leaves behind."""
    data = patient.cfg.read_bytes().replace(b"\n", b"\r\n")
    patient.cfg.write_bytes(codecs.BOM_UTF8 + data)


@wound("cfg-bom", "degraded")
def _byte_order_mark_on_include(patient: Patient) -> None:
    choice = [line for line in patient.lines if line.startswith(INCLUDE)]
    patient.cfg.write_bytes(codecs.BOM_UTF8 + "\n".join([*choice, *patient.without(INCLUDE), ""]).encode())


@wound("cfg-utf16", "fatal")
def _utf16(patient: Patient) -> None:
    """What `>` and `Out-File` of PowerShell 5.1 leave behind."""
    text = "\r\n".join([*patient.lines, ""])
    patient.cfg.write_bytes(codecs.BOM_UTF16_LE + text.encode("utf-16-le"))


@wound("cfg-utf16", "fatal")
def _utf16_big_endian(patient: Patient) -> None:
    patient.cfg.write_bytes(codecs.BOM_UTF16_BE + "\n".join([*patient.lines, ""]).encode("utf-16-be"))


@wound("cfg-utf16", "degraded")
def _utf16_without_mark(patient: Patient) -> None:
    patient.cfg.write_bytes("\r\n".join([*patient.lines, ""]).encode("utf-16-le"))


@wound("cfg-code-page", "fatal")
def _ansi(patient: Patient) -> None:
    """What plain `Set-Content` of PowerShell 5.1 leaves behind, where something is not ASCII."""
    patient.cfg.write_bytes("\r\n".join([*patient.lines, "prompt = Café Müller", ""]).encode("cp1252"))


@wound("cfg-code-page", "fatal")
def _oem(patient: Patient) -> None:
    """What `echo … > pyvenv.cfg` of cmd leaves behind."""
    patient.cfg.write_bytes("\r\n".join([*patient.lines, "prompt = Café", ""]).encode("cp850"))


@wound("cfg-invalid-byte", "fatal")
def _invalid_byte(patient: Patient) -> None:
    patient.cfg.write_bytes(patient.cfg.read_bytes() + b"note = \xff\xfe\x80\n")


# The system-site choice


@wound("cfg-include-missing", "degraded")
def _only_home(patient: Patient) -> None:
    patient.rewrite([line for line in patient.lines if line.startswith("home")])


@wound("cfg-include-missing", "degraded")
def _no_include(patient: Patient) -> None:
    patient.rewrite(patient.without(INCLUDE))


@wound("cfg-include-odd", "advice")
def _include_odd(patient: Patient) -> None:
    patient.set(INCLUDE, "yes")


@wound("cfg-include-odd", "advice")
def _include_with_comment(patient: Patient) -> None:
    patient.set(INCLUDE, "false  # please")


# home


@wound("cfg-home-missing", "degraded")
def _no_home(patient: Patient) -> None:
    patient.rewrite(patient.without("home"))


@wound("cfg-home-missing", "degraded")
def _home_empty(patient: Patient) -> None:
    patient.set("home", "")


@wound("cfg-home-gone", "degraded")
def _home_gone(patient: Patient) -> None:
    patient.set("home", "/opt/python-of-yore/bin")


@wound("cfg-home-gone", "degraded")
def _home_without_interpreter(patient: Patient) -> None:
    (patient.venv.parent / "no pythons here").mkdir(exist_ok=True)
    patient.set("home", str(patient.venv.parent / "no pythons here"))


@wound("cfg-home-other-minor", "degraded", lambda p: "" if p.other_minor else "only one minor version is here")
def _home_of_other_minor(patient: Patient) -> None:
    assert patient.other_minor is not None
    patient.set("home", str(patient.other_minor.home))


@wound("cfg-home-other-base", "degraded")
def _home_of_other_base(patient: Patient) -> None:
    patient.set("home", str(patient.other_base))


@wound("cfg-home-is-file", "degraded")
def _home_is_file(patient: Patient) -> None:
    patient.set("home", str(patient.base.executable))


@wound("cfg-home-is-environment", "degraded")
def _home_is_own_bin(patient: Patient) -> None:
    patient.set("home", str(patient.venv / "bin"))


@wound("cfg-home-is-environment", "degraded")
def _home_is_own_root(patient: Patient) -> None:
    patient.set("home", str(patient.venv))


@wound("cfg-home-relative", "degraded")
def _home_relative(patient: Patient) -> None:
    patient.set("home", os.path.relpath(patient.base.home, patient.venv))


@wound("cfg-home-quoted", "degraded")
def _home_quoted(patient: Patient) -> None:
    patient.set("home", f'"{patient.base.home}"')


@wound("cfg-home-quoted", "degraded")
def _home_in_single_quotes(patient: Patient) -> None:
    patient.set("home", f"'{patient.base.home}'")


@wound("cfg-home-unexpanded", "degraded")
def _home_tilde(patient: Patient) -> None:
    patient.set("home", "~/.pyenv/versions/3.13.0/bin")


@wound("cfg-home-unexpanded", "degraded")
def _home_variable(patient: Patient) -> None:
    patient.set("home", "$PYTHON_ROOT/bin")


@wound("cfg-home-unexpanded", "degraded")
def _home_windows_variable(patient: Patient) -> None:
    patient.set("home", "/opt/%USERNAME%/python/bin")


@wound("cfg-home-comment", "advice")
def _home_with_comment(patient: Patient) -> None:
    patient.set("home", f"{patient.base.home}  # the good one")


@wound("cfg-home-not-bin", "advice")
def _home_is_prefix(patient: Patient) -> None:
    patient.set("home", str(patient.base.prefix))


@wound("cfg-home-not-bin", "advice")
def _home_is_library(patient: Patient) -> None:
    patient.set("home", str(patient.base.prefix / "lib"))


@wound("cfg-home-decoy", "advice")
def _home_in_comment(patient: Patient) -> None:
    patient.rewrite(["# home = C:\\Python27", *patient.lines])


@wound("cfg-home-decoy", "advice")
def _home_in_prompt(patient: Patient) -> None:
    patient.rewrite(["prompt = home sweet home", *patient.lines])


@wound("cfg-home-spacing", "degraded", lambda p: "" if p.creator.copies and p.old else "read by this interpreter")
def _home_without_blanks(patient: Patient) -> None:
    patient.rewrite([line.replace(" = ", "=", 1) for line in patient.lines])


# Keys


@wound("cfg-key-case", _old_copy_suffers)
def _upper_case(patient: Patient) -> None:
    pairs = [line.partition("=") for line in patient.lines]
    patient.rewrite([key.upper() + sign + value for key, sign, value in pairs])


@wound("cfg-duplicate-home", "advice")
def _same_home_twice(patient: Patient) -> None:
    patient.rewrite([*patient.lines, f"home = {patient.base.home}"])


@wound("cfg-duplicate-home", "advice")
def _true_home_then_false(patient: Patient) -> None:
    patient.rewrite([*patient.lines, "home = /opt/python-of-yore/bin"])


@wound("cfg-duplicate-home", "degraded")
def _false_home_then_true(patient: Patient) -> None:
    patient.rewrite(["home = /opt/python-of-yore/bin", *patient.lines])


@wound("cfg-duplicate-include", "degraded")
def _include_twice(patient: Patient) -> None:
    patient.rewrite([*patient.lines, f"{INCLUDE} = true"])


@wound("cfg-duplicate-include", "advice")
def _include_true_then_false(patient: Patient) -> None:
    patient.rewrite([f"{INCLUDE} = true", *patient.lines])


@wound("cfg-duplicate-key", "advice")
def _version_twice(patient: Patient) -> None:
    patient.rewrite([*patient.lines, *[line for line in patient.lines if line.startswith("version")]])


@wound("cfg-version-mismatch", "advice")
def _other_patch_version(patient: Patient) -> None:
    major, minor, patch = patient.base.version
    key = "version_info" if patient.creator.family == "uv" else "version"
    patient.set(key, f"{major}.{minor}.{patch + 1}")


@wound("cfg-version-mismatch", "advice")
def _other_minor_version(patient: Patient) -> None:
    patient.set("version", "3.99.0")


@wound("cfg-version-mismatch", "advice")
def _version_garbage(patient: Patient) -> None:
    patient.set("version", "newest")


@wound("cfg-executable-mismatch", "advice")
def _executable_gone(patient: Patient) -> None:
    patient.set("executable", "/opt/python-of-yore/bin/python3")


@wound("cfg-line-ends", _old_copy_suffers)
def _carriage_returns_only(patient: Patient) -> None:
    patient.rewrite(patient.lines, "\r")


def by_name(name: str) -> Wound:
    """The wound of that name."""
    return next(entry for entry in WOUNDS if entry.name == name)


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
    "a-link": lambda patient: _linked(patient),
    "prompt": lambda patient: patient.rewrite([*patient.lines, "prompt = größe \U0001f40d"]),
    "minor-version-only": lambda patient: patient.set(
        "version_info" if patient.creator.family == "uv" else "version", str(patient.base.flavour).rstrip("t")
    ),
}


def _write(patient: Patient, data: bytes) -> None:
    patient.cfg.write_bytes(data)


def _linked(patient: Patient) -> None:
    real = Path(f"{patient.venv} cfg kept elsewhere")
    patient.cfg.replace(real)
    patient.cfg.symlink_to(real)
