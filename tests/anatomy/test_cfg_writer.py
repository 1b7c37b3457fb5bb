"""The one writer: what it writes is what every reader takes, and what was true stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.anatomy import cfg as grammar
from clinic.anatomy.cfg_writer import INCLUDE, restored
from clinic.facts import Flavour, Interpreter

BASE = Interpreter(
    executable=Path("/opt/py/bin/python3.13"),
    real=Path("/opt/py/bin/python3.13"),
    version=(3, 13, 2),
    flavour=Flavour(3, 13),
    implementation="cpython",
    prefix=Path("/opt/py"),
    base_prefix=Path("/opt/py"),
)


def written(old: str | bytes | None = None, *, include: bool = False, **more: str) -> str:
    raw = old.encode("utf-8") if isinstance(old, str) else old
    parsed = grammar.parse(raw) if raw is not None else None
    return restored(BASE, str(BASE.home), include=include, old=parsed, **more).decode("utf-8")  # type: ignore[arg-type]


def test_from_nothing_it_writes_what_the_creator_would() -> None:
    assert written(creator="venv").splitlines() == [
        "home = /opt/py/bin",
        "include-system-site-packages = false",
        "version = 3.13.2",
        "executable = /opt/py/bin/python3.13",
    ]
    uv = written(creator="uv", prompt="mine")
    assert "version_info = 3.13.2" in uv
    assert "\nversion = " not in uv
    assert uv.endswith("prompt = mine\n")


def test_home_comes_first_and_the_rest_keeps_its_order() -> None:
    old = (
        "prompt = 'mine'\nx-tool = keep me\nhome = /gone\n# a remark\nversion = 3.9.1\n"
        "include-system-site-packages = true\n"
    )
    assert written(old, include=True).splitlines() == [
        "home = /opt/py/bin",
        "prompt = 'mine'",
        "x-tool = keep me",
        "# a remark",
        "version = 3.13.2",
        "include-system-site-packages = true",
    ]


def test_dialects_of_version_info_are_kept() -> None:
    assert "version_info = 3.13.2.final.0" in written("home = /x\nversion_info = 3.13.0.final.0\n")
    assert "version_info = 3.13\n" in written("home = /x\nversion_info = 3.12\n")
    assert "version_info = 3.13.2\n" in written("home = /x\nversion_info = 3.13.0\n")


def test_a_piece_of_a_line_is_left_out() -> None:
    text = written("home = /opt/py/bin\nexecutable = /opt/py/bin/pyth")
    assert "pyth\n" not in text
    assert text.count("executable") <= 1


@pytest.mark.parametrize("hostile", ["x = \x1b[31mred", "x = a\ufffdb", "y" * 2000 + " = 1", "prose here = 1", "junk"])
def test_what_is_not_safe_is_left_out(hostile: str) -> None:
    assert hostile not in written(f"home = /x\n{hostile}\n")


def test_windows_line_ends_are_kept() -> None:
    text = written("home = C:\\x\r\nversion = 3.13.0\r\n")
    assert text.count("\r\n") == text.count("\n") == 3


@given(st.binary(max_size=400) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_every_reader_takes_what_it_writes(old: bytes) -> None:
    for include in (True, False):
        raw = written(old, include=include).encode("utf-8")
        again = grammar.parse(raw)
        assert raw.startswith(b"home = /opt/py/bin")
        assert len(raw) < grammar.LAUNCHER_LIMIT
        assert again.encoding == "utf-8"
        assert not again.bom
        assert grammar.launcher_home(raw) == "/opt/py/bin"
        assert grammar.site_includes_base(raw) is include
        names = [line.name for line in again.pairs]
        assert len(names) == len(set(names))
        assert again.all(INCLUDE) == (("true" if include else "false"),)


@given(st.binary(max_size=400))
def test_writing_twice_changes_nothing(old: bytes) -> None:
    once = written(old)
    assert written(once) == once
