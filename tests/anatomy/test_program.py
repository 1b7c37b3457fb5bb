"""What kind of program a file is, by headers made up field by field from the formats' own documents."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.anatomy import program
from clinic.facts import Program


def elf(machine: int = 0x3E, *, wide: bool = True, big: bool = False, sections: int = 64) -> bytes:
    """The header of an ELF file whose table of sections (two of 64 bytes) begins at `sections`."""
    order = ">" if big else "<"
    start = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + bytes(9)
    word = "Q" if wide else "I"
    fields = struct.pack(f"{order}HHI3{word}IHHHHHH", 2, machine, 1, 0, 0, sections, 0, 64, 0, 0, 64, 2, 0)
    return start + fields


def pe(machine: int = 0x8664, subsystem: int = 3, *, end: int = 1024) -> bytes:
    """The headers of a PE file with one section that ends at `end`."""
    optional = bytes(68) + struct.pack("<H", subsystem) + bytes(42)
    header = struct.pack("<HHIIIHH", machine, 1, 0, 0, 0, len(optional), 0)
    section = b".text\0\0\0" + struct.pack("<IIII", 0, 0, 512, end - 512) + bytes(16)
    return b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + header + optional + section


@pytest.mark.parametrize(
    ("head", "size", "expected"),
    [
        (b"", 0, Program("empty", whole=False)),
        (elf(), 192, Program("elf", ("x86-64",))),
        (elf(), 191, Program("elf", ("x86-64",), whole=False)),
        (elf(0xB7), 192, Program("elf", ("aarch64",))),
        (elf(0x16, big=True), 192, Program("elf", ("s390x",))),
        (elf(3, wide=False), 192, Program("elf", ("x86",))),
        (elf(0x1234), 192, Program("elf", ("machine 0x1234",))),
        (b"\x7fELF", 4, Program("unknown", whole=False)),
        (pe(), 1024, Program("pe", ("x86-64",), subsystem=3)),
        (pe(subsystem=2), 4096, Program("pe", ("x86-64",), subsystem=2)),
        (pe(0xAA64), 1024, Program("pe", ("aarch64",), subsystem=3)),
        (pe(), 1000, Program("pe", ("x86-64",), whole=False, subsystem=3)),
        (b"MZ", 2, Program("unknown", whole=False)),
        (b"MZ" + bytes(100), 102, Program("pe")),
        (b"\xcf\xfa\xed\xfe" + struct.pack("<I", 0x0100000C), 8, Program("macho", ("aarch64",))),
        (
            b"\xca\xfe\xba\xbe" + struct.pack(">I5I5I", 2, 0x01000007, 0, 0, 0, 0, 0x0100000C, 0, 0, 0, 0),
            48,
            Program("macho", ("x86-64", "aarch64")),
        ),
        (b"#!/bin/sh\n", 10, Program("script")),
        ("größe 𝜋\n".encode(), 15, Program("text")),
        (bytes(100), 100, Program("unknown")),
    ],
)
def test_a_header_is_read(head: bytes, size: int, expected: Program) -> None:
    assert program.read(head, size) == expected


def test_the_python_that_runs_this_is_a_whole_program_of_this_machine() -> None:
    path = Path(sys.executable).resolve()
    told = program.read(path.read_bytes()[: program.HEAD], path.stat().st_size)
    assert told.format in {"elf", "pe", "macho"}
    assert told.whole
    assert program.runs_on(told, told)


@pytest.mark.parametrize(
    ("mine", "host", "runs"),
    [
        (Program("elf", ("x86-64",)), Program("elf", ("x86-64",)), True),
        (Program("elf", ("x86",)), Program("elf", ("x86-64",)), True),
        (Program("elf", ("x86-64",)), Program("elf", ("x86",)), False),
        (Program("elf", ("aarch64",)), Program("elf", ("x86-64",)), False),
        (Program("pe", ("x86-64",)), Program("elf", ("x86-64",)), False),
        (Program("macho", ("x86-64",)), Program("macho", ("aarch64",)), True),
        (Program("macho", ("x86-64", "aarch64")), Program("macho", ("aarch64",)), True),
        (Program("pe", ("x86-64",)), Program("pe"), True),
        (Program("script"), Program("elf", ("x86-64",)), True),
    ],
)
def test_what_runs_where(mine: Program, host: Program, runs: bool) -> None:
    assert program.runs_on(mine, host) is runs


@given(
    start=st.sampled_from([b"", b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"#!"]),
    rest=st.binary(max_size=300),
)
def test_nothing_makes_it_raise(start: bytes, rest: bytes) -> None:
    told = program.read(start + rest, len(start + rest))
    assert str(told)
