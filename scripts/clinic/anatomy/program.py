"""What kind of program a file is, told by its first bytes and its size: for which system, which machine, and whole.

Sources: elf(5), Microsoft's "PE Format", Apple's mach-o/loader.h and mach-o/fat.h.
"""

from __future__ import annotations

import struct

from clinic.facts import Program

HEAD = 4096
"""Bytes that are enough to tell."""

_ELF_MACHINES = {0x03: "x86", 0x28: "arm", 0x3E: "x86-64", 0xB7: "aarch64", 0xF3: "riscv", 0x15: "ppc64", 0x16: "s390x"}
_PE_MACHINES = {0x14C: "x86", 0x8664: "x86-64", 0xAA64: "aarch64", 0x1C4: "arm"}
_MACH_MACHINES = {7: "x86", 12: "arm", 0x01000007: "x86-64", 0x0100000C: "aarch64"}
_MACH = {b"\xfe\xed\xfa\xce": ">", b"\xfe\xed\xfa\xcf": ">", b"\xce\xfa\xed\xfe": "<", b"\xcf\xfa\xed\xfe": "<"}
_FAT = b"\xca\xfe\xba\xbe"
_ALSO_RUNS = {("x86-64", "x86"), ("aarch64", "arm"), ("aarch64", "x86-64"), ("aarch64", "x86")}
"""A machine, and another whose programs it may run as well (32 bits, Rosetta, Windows on ARM)."""


def read(head: bytes, size: int) -> Program:
    """What a file of `size` bytes is that begins with `head` (its first HEAD bytes, or all of it)."""
    if size == 0:
        return Program("empty", whole=False)
    reader = next((reader for starts, reader in _READERS.items() if head.startswith(starts)), _no_program)
    try:
        return reader(head, size)
    except struct.error:  # a header that breaks off
        return Program("unknown", whole=False)


def runs_on(program: Program, host: Program) -> bool:
    """Whether a machine that runs `host` may run `program` as well; True where it can't be told."""
    if program.format in {"empty", "script", "text", "unknown"}:
        return True
    if program.format != host.format:
        return False
    pairs = {(mine, its) for mine in host.machines for its in program.machines}
    return not pairs or any(mine == its or (mine, its) in _ALSO_RUNS for mine, its in pairs)


def _elf(head: bytes, size: int) -> Program:
    order = ">" if head[5] == 2 else "<"  # noqa: PLR2004 - ELFDATA2MSB
    wide = head[4] == 2  # noqa: PLR2004 - ELFCLASS64
    (machine,) = struct.unpack_from(order + "H", head, 18)
    (sections,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 40 if wide else 32)
    each, count = struct.unpack_from(order + "HH", head, 58 if wide else 46)
    # The table of sections is the last thing in a file, whoever links it.
    return Program("elf", _known(_ELF_MACHINES, machine), whole=sections + each * count <= size)


def _pe(head: bytes, size: int) -> Program:
    (at,) = struct.unpack_from("<I", head, 0x3C)
    if at >= size:
        return Program("pe", whole=False)
    if head[at : at + 4] != b"PE\0\0":
        return Program("pe")
    machine, count = struct.unpack_from("<HH", head, at + 4)
    (optional,) = struct.unpack_from("<H", head, at + 20)
    (subsystem,) = struct.unpack_from("<H", head, at + 24 + 68)
    end = 0
    for number in range(count):
        length, start = struct.unpack_from("<II", head, at + 24 + optional + 40 * number + 16)
        end = max(end, start + length)
    return Program("pe", _known(_PE_MACHINES, machine), whole=end <= size, subsystem=subsystem)


def _mach(head: bytes, _size: int) -> Program:
    if head.startswith(_FAT):
        (count,) = struct.unpack_from(">I", head, 4)
        kinds = [struct.unpack_from(">I", head, 8 + 20 * number)[0] for number in range(min(count, 16))]
    else:
        kinds = list(struct.unpack_from(_MACH[head[:4]] + "I", head, 4))
    return Program("macho", tuple(name for kind in kinds for name in _known(_MACH_MACHINES, kind)))


def _known(names: dict[int, str], machine: int) -> tuple[str, ...]:
    return (names.get(machine, f"machine {machine:#x}"),)


def _no_program(head: bytes, _size: int) -> Program:
    if head.startswith(b"#!"):
        return Program("script")
    try:
        text = head.decode("utf-8", "strict" if len(head) < HEAD else "ignore")
    except UnicodeDecodeError:
        return Program("unknown")
    return Program("text" if text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable() else "unknown")


_READERS = {b"\x7fELF": _elf, b"MZ": _pe, _FAT: _mach, **dict.fromkeys(_MACH, _mach)}
