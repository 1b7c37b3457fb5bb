"""Wounds to pyvenv.cfg as a file, and to its encoding."""

from __future__ import annotations

import codecs
import os
import shutil

from tests.real.patients import Patient
from tests.real.wounding import INCLUDE, copy_suffers, wound

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
def _a_lot_of_nuls(patient: Patient) -> None:
    """More than getpath reads: still one damage."""
    patient.cfg.write_bytes(b"\0" * 100_000)


@wound("cfg-garbage", "degraded")
def _binary(patient: Patient) -> None:
    patient.cfg.write_bytes(bytes(range(256)) * 4)


@wound("cfg-garbage", "degraded")
def _prose(patient: Patient) -> None:
    patient.cfg.write_text("This file was left empty by intention.\nSee the manual.\n", encoding="utf-8")


@wound("cfg-garbage", "degraded")
def _colons(patient: Patient) -> None:
    patient.rewrite([line.replace(" = ", ": ", 1) for line in patient.lines])


@wound("cfg-nul-bytes", copy_suffers)
def _nuls_ahead(patient: Patient) -> None:
    patient.cfg.write_bytes(b"\0" * 40 + b"\n" + patient.cfg.read_bytes())


@wound("cfg-nul-bytes", copy_suffers)
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


@wound("cfg-bom", copy_suffers)
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
