"""Small readings of packages: shebangs, `.pth` files, requirements, METADATA, RECORD."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from clinic import proc
from clinic.anatomy import distinfo, needs, pth, record
from clinic.anatomy.shebang import interpreter_named
from clinic.facts import Flavour


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"#!/srv/env/bin/python3.13\nimport x\n", "/srv/env/bin/python3.13"),
        (b"#!/srv/env/bin/python -I\n", "/srv/env/bin/python"),
        (b"#!/bin/sh\n'''exec' \"/srv/an env/bin/python\" \"$0\" \"$@\"\n' '''\n", "/srv/an env/bin/python"),
        (b"#!/bin/sh\n'''exec' '/srv/an env/bin/python' \"$0\" \"$@\"\n' '''\n", "/srv/an env/bin/python"),
        (b'#!/bin/sh\n\'\'\'exec\' "$(dirname -- "$(realpath -- "$0")")"/\'python\' "$0" "$@"\n', ""),
        (b"#!/usr/bin/env python\n", ""),
        (b"#!/bin/sh\necho\n", ""),
        (b"#!python\n", ""),
        (b"", ""),
        (b"MZ..#!C:\\env\\Scripts\\python.exe\r\nPK\x03\x04..", "C:\\env\\Scripts\\python.exe"),
        (b"MZ#!no launcher of distlib", ""),
    ],
)
def test_the_interpreter_that_a_script_names(data: bytes, named: str) -> None:
    assert interpreter_named(data) == named


def test_lines_of_a_pth(tmp_path: Path) -> None:
    text = f"# mine\nimport os\n\n{tmp_path}\nnowhere\n/srv/gone\n"
    assert list(pth.folders(text)) == [str(tmp_path), "nowhere", "/srv/gone"]
    assert pth.dead_lines(tmp_path, text) == ["nowhere", "/srv/gone"]
    assert pth.decoded("é".encode("latin-1")) is None


def test_what_site_says_of_a_failing_line() -> None:
    told = (
        "Error processing line 2 of /e/site-packages/x.pth:\n\n  Traceback (most recent call last):\n"
        "  ModuleNotFoundError: No module named 'gone'\n\nRemainder of file ignored\n"
    )
    assert pth.failed(told.replace(":\n\n", ":\n")) == {
        "/e/site-packages/x.pth": (2, "ModuleNotFoundError: No module named 'gone'")
    }
    assert pth.failed(told) == {"/e/site-packages/x.pth": (2, "ModuleNotFoundError: No module named 'gone'")}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("beta", ""),
        ("beta>=2", ""),
        ("beta>=3", "installed is 2.0"),
        ("gone", "it is not installed"),
        ("gone; python_version < '3.9'", ""),
        ("gone; extra == 'dev'", ""),
        ("gone; extra == 'dev' or python_version >= '3'", "it is not installed"),
        ("not a requirement at all !!", ""),
    ],
)
def test_requirements(line: str, told: str) -> None:
    values = needs.marker_values(Flavour(3, 13), (3, 13, 0), "posix")
    assert [what for _, _, what in needs.unmet([line], {"beta": ["2.0"]}, values)] == ([told] if told else [])


def test_headers_are_read_and_nothing_beyond_them() -> None:
    data = b"Metadata-Version: 2.1\r\nName: a\r\nVersion: 1\r\nRequires-Dist: b;\r\n  extra == 'x'\r\n\r\nName: c\n"
    told = distinfo.parsed(data)
    assert (told.name, told.version, told.requires, told.error) == ("a", "1", ("b; extra == 'x'",), "")
    assert "no distribution can have" in distinfo.parsed(b"Name: ../x\nVersion: 1\n").error
    assert distinfo.parsed(b"\0" * 100).error == "METADATA is empty"


def test_a_pipe_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "METADATA")
    assert "not a regular file" in distinfo.metadata(tmp_path).error


def test_rows_with_and_without_quotes_are_the_same() -> None:
    plain, quoted = "a/b.py,sha256=xyz,12\nRECORD,,\n", '"a/b.py",sha256=xyz,12\r\n"RECORD",,\r\n'
    assert list(record.rows(plain)) == list(record.rows(quoted))
    assert [row.size for row in record.rows(plain)] == [12, None]
    assert next(record.rows("x,sha256=y," + "9" * 5000 + "\n")).size is None


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes are POSIX's")
def test_nobody_waits_for_a_pipe_in_a_dist_info(tmp_path: Path) -> None:
    """Asked in another process: one that waits would wait for ever."""
    for name in ("RECORD", "direct_url.json"):
        os.mkfifo(tmp_path / name)
    ask = (
        "import sys; from pathlib import Path; from clinic.anatomy import record;"
        "from clinic.facts import Distribution; from clinic.remedies import as_installed;"
        "folder = Path(sys.argv[1]); told = Distribution('a', '1', folder);"
        "print(record.read(folder), as_installed.wanted([told], {})[0][0].line)"
    )
    scripts = Path(__file__).resolve().parents[2] / "scripts"
    done = proc.run([sys.executable, "-c", ask, tmp_path], timeout=10, env=proc.scrubbed({"PYTHONPATH": str(scripts)}))
    assert done.stdout.strip() == "() a==1", done
