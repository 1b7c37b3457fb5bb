"""A Windows environment read from POSIX, the way a mounted disk is: judged by what its launcher would do.

Nothing here can be run, so the folder is laid out by hand as it was measured; the variants
and what the launcher makes of them are those that were measured there.
"""

from __future__ import annotations

import codecs
import shutil
import struct
import sys
from pathlib import Path

import pytest

from clinic.checks import examine
from clinic.facts import Silence
from clinic.observe import observe
from clinic.observe.base import Search

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there it is asked, not worked out")

HOME = "home = C:\\Program Files\\Python313"
INCLUDE = "include-system-site-packages = false"
VERSION = "version = 3.13.2"
GOOD = [HOME, INCLUDE, VERSION, "executable = C:\\Program Files\\Python313\\python.exe"]
NUL_WIDE = "\r\n".join([*GOOD, ""])


def text(*lines: str, end: str = "\r\n") -> bytes:
    """Lines as a file has them."""
    return "".join(line + end for line in lines).encode("utf-8")


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """What `python -m venv` of Windows leaves, as far as a look goes."""
    root = tmp_path / "C" / "bridge" / "env"
    (root / "Scripts").mkdir(parents=True)
    package = root / "Lib" / "site-packages" / "orjson"
    package.mkdir(parents=True)
    (package / "orjson.cp313-win_amd64.pyd").write_bytes(b"MZ")
    version = b"MZ" + bytes(64) + struct.pack("<IIII", 0xFEEF04BD, 0x10000, 3 << 16 | 13, 2150 << 16)
    (root / "Scripts" / "python.exe").write_bytes(version)
    (root / "Scripts" / "pythonw.exe").write_bytes(b"MZ")
    (root / "Scripts" / "activate.bat").write_text('@echo off\nset "VIRTUAL_ENV=D:\\bridge\\env"\n', encoding="utf-8")
    (root / "pyvenv.cfg").write_bytes(text(*GOOD))
    return root


def found(venv: Path) -> list[tuple[str, str]]:
    """Codes and severities of a look."""
    return [(finding.code, finding.severity) for finding in examine(observe(venv))]


@pytest.mark.parametrize(
    "data",
    [
        text(*GOOD),
        text(*GOOD, end="\n"),
        text(HOME + "\\", INCLUDE, VERSION),
        text("home = C:/Program Files/Python313", INCLUDE),
        text("home=C:\\Program Files\\Python313", INCLUDE),
        text(HOME + "  ", INCLUDE),
        text("# made by hand", *GOOD),
        text("home = C:\\größe \U0001f40d\\python", INCLUDE),
        text(*GOOD, "prompt = home"),
        text("home = C:\\venvs\\100% mine\\$x", INCLUDE).replace(b"\\$x", b""),
    ],
)
def test_what_the_launcher_takes_is_no_finding(venv: Path, data: bytes) -> None:
    (venv / "pyvenv.cfg").write_bytes(data)
    assert found(venv) == []


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "cfg-empty"),
        (bytes(200), "cfg-garbage"),
        (text(INCLUDE, VERSION), "cfg-home-missing"),
        (text("executable = C:\\Python313\\python.exe"), "cfg-home-missing"),
        (text("home =", INCLUDE, VERSION), "cfg-home-missing"),
        (text(HOME.replace("home", "HOME"), INCLUDE), "cfg-key-case"),
        (codecs.BOM_UTF16_LE + NUL_WIDE.encode("utf-16-le"), "cfg-utf16"),
        (NUL_WIDE.encode("utf-16-le"), "cfg-utf16"),
        (text(*GOOD, "prompt = Größe").replace("ö".encode(), b"\xf6").replace("ß".encode(), b"\xdf"), "cfg-code-page"),
        (text(*GOOD) + b"note = \xff\xfe\x80\r\n", "cfg-invalid-byte"),
        (text("note = " + "x" * 9000, HOME, INCLUDE), "cfg-oversized"),
        (text(*GOOD, "note = " + "x" * 40_000), "cfg-oversized"),
        (text('home = "C:\\Python313"', INCLUDE), "cfg-home-quoted"),
        (text("home = ..\\Python313", INCLUDE), "cfg-home-relative"),
        (text("home = \\Python313", INCLUDE), "cfg-home-relative"),
        (text("home = %LOCALAPPDATA%\\Python313", INCLUDE), "cfg-home-unexpanded"),
        (text("home = ~\\Python313", INCLUDE), "cfg-home-unexpanded"),
        (text(HOME + "  # the good one", INCLUDE), "cfg-home-comment"),
        (text("home = C:\\Python313\\python.exe", INCLUDE), "cfg-home-is-file"),
        (text("home = D:\\bridge\\env\\Scripts", INCLUDE), "cfg-home-is-environment"),
        (text("home = C:\\Python312", INCLUDE), "cfg-home-other-minor"),
        (text("# my home = C:\\bad", *GOOD), "cfg-home-decoy"),
        (text("prompt = home", *GOOD), "cfg-home-decoy"),
        (text("home = C:\\Gone", *GOOD), "cfg-duplicate-home"),
        (text(*GOOD, end="\r"), "cfg-line-ends"),
    ],
)
def test_what_stops_the_launcher_is_fatal(venv: Path, data: bytes, code: str) -> None:
    (venv / "pyvenv.cfg").write_bytes(data)
    severity = "degraded" if code == "cfg-duplicate-home" else "fatal"
    assert found(venv) == [(code, severity)]


def test_a_lost_file_is_fatal(venv: Path) -> None:
    (venv / "pyvenv.cfg").unlink()
    assert found(venv) == [("cfg-missing", "fatal")]


@pytest.mark.parametrize("data", [text(HOME), text(HOME, VERSION)])
def test_a_missing_choice_lets_the_base_in(venv: Path, data: bytes) -> None:
    (venv / "pyvenv.cfg").write_bytes(data)
    assert found(venv) == [("cfg-include-missing", "degraded")]


@pytest.mark.parametrize("version", ["3.12.4", "3.13.1", "three"])
def test_a_recorded_version_is_compared_with_the_launchers_own(venv: Path, version: str) -> None:
    (venv / "pyvenv.cfg").write_bytes(text(HOME, INCLUDE, f"version = {version}"))
    assert found(venv) == [("cfg-version-mismatch", "advice")]


def test_its_interpreter_is_judged_by_its_file(venv: Path) -> None:
    (venv / "Scripts" / "python.exe").write_bytes(b"")
    assert found(venv) == [("python-truncated", "fatal")]


def test_the_version_comes_from_tags_and_from_the_launcher(venv: Path) -> None:
    facts = observe(venv)
    assert facts.tree is not None
    assert (str(facts.flavour), facts.tree.patch, facts.tree.platform) == ("3.13", (3, 13, 2), "windows")


def test_without_packages_the_launcher_alone_tells_the_version(venv: Path) -> None:
    shutil.rmtree(venv / "Lib" / "site-packages" / "orjson")
    assert str(observe(venv).flavour) == "3.13"


def test_a_launcher_is_never_asked_for_its_own_base(venv: Path) -> None:
    facts = observe(venv)
    assert facts.tree is not None
    run = pytest.fail
    answer = Search(venv, facts.tree, facts.flavour, run).identify(venv / "Scripts" / "python.exe")
    assert isinstance(answer, Silence)
