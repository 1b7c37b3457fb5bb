"""Activation scripts that name another place: each form copied from a real one, and read again by a real shell."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinic.anatomy.activate import recorded_in
from clinic.anatomy.activate_writer import can_say, is_made, respelled
from tests.anatomy import activators
from tests.real.creators import Creator, bases, creators

NEW, ODD = "/new/env", '/it\'s $HOME/"n\\ew"!'


@pytest.mark.parametrize(
    ("name", "line", "new", "odd"),
    [
        ("activate", 'VIRTUAL_ENV="/old/env"', 'VIRTUAL_ENV="/new/env"', None),  # venv up to 3.13
        ("activate", 'VIRTUAL_ENV=$(cygpath "/old/env")', 'VIRTUAL_ENV=$(cygpath "/new/env")', None),
        ("activate", "    export VIRTUAL_ENV=/old/env", "    export VIRTUAL_ENV=/new/env", None),  # 3.14
        ("activate", "VIRTUAL_ENV='/old/env'", "VIRTUAL_ENV='/new/env'", None),  # uv
        ("activate", "if [ ! -d /old/env ] &&", "if [ ! -d /new/env ] &&", None),  # virtualenv
        ("activate.csh", 'setenv VIRTUAL_ENV "/old/env"', 'setenv VIRTUAL_ENV "/new/env"', None),
        ("activate.csh", "source '/old/env'\"/\"'bin'\"/x\"", "source '/new/env'\"/\"'bin'\"/x\"", None),
        (
            "activate.fish",
            'set -gx VIRTUAL_ENV "/old/env"',
            'set -gx VIRTUAL_ENV "/new/env"',
            "set -gx VIRTUAL_ENV '/it'\\''s $HOME/\"n'\\\\'ew\"!'",
        ),
        ("activate.fish", "set -gx VIRTUAL_ENV '/old/env'", "set -gx VIRTUAL_ENV '/new/env'", None),
        (
            "activate.nu",
            "    let virtual_env = r#'/old/env'#",
            "    let virtual_env = r#'/new/env'#",
            f"    let virtual_env = r#'{ODD}'#",
        ),
        (
            "activate.nu",
            "    const virtual_env = '/old/env'",
            "    const virtual_env = '/new/env'",
            f"    const virtual_env = r#'{ODD}'#",
        ),
        (
            "activate.xsh",
            "  self.embedded_virtual_env = '/old/env'",
            "  self.embedded_virtual_env = '/new/env'",
            f"  self.embedded_virtual_env = {ODD!a}",
        ),
        ("activate", "# /old/environment /very/old/env", "# /old/environment /very/old/env", None),
    ],
)
def test_the_forms_of_creators(name: str, line: str, new: str, odd: str | None) -> None:
    assert respelled(name, line + "\n", "/old/env", NEW) == new + "\n"
    told = respelled(name, line + "\n", "/old/env", ODD)
    assert told is not None
    assert odd is None or told == odd + "\n"
    if recorded_in(name, line):
        assert recorded_in(name, told) == ODD


@pytest.mark.parametrize(
    ("line", "new"),
    [
        ('@set "VIRTUAL_ENV=D:\\old\\env"\r\n', '@set "VIRTUAL_ENV=C:\\100%% new\\env"\r\n'),
        ("@set VIRTUAL_ENV=D:\\old\\env\r\n", "@set VIRTUAL_ENV=C:\\100%% new\\env\r\n"),
        (
            '@for %%i in ("D:\\old\\env") do @set "VIRTUAL_ENV=%%~fi"\r\n',
            '@for %%i in ("C:\\100%% new\\env") do @set "VIRTUAL_ENV=%%~fi"\r\n',
        ),
        (
            '@if defined X @call "D:\\old\\env\\Scripts\\deactivate.bat"\r\n',
            '@if defined X @call "C:\\100%%%% new\\env\\Scripts\\deactivate.bat"\r\n',
        ),
        ('"D:\\old\\environment"\r\n', '"D:\\old\\environment"\r\n'),
    ],
)
def test_batch_files(line: str, new: str) -> None:
    told = respelled("activate.bat", line, "D:\\old\\env", "C:\\100% new\\env")
    assert told == new
    if recorded_in("activate.bat", line):
        assert respelled("activate.bat", told, "C:\\100% new\\env", "D:\\old\\env") == line


def test_what_a_shell_cannot_say() -> None:
    assert respelled("activate.bat", '@set "VIRTUAL_ENV=D:\\x"', "D:\\x", 'C:\\"') is None
    assert respelled("activate", "VIRTUAL_ENV=/x", "/x", "/a\nb") is None
    assert can_say("activate", '/"x"')


_ON_WINDOWS = (
    r"C:\one\env",
    r"C:\dev\año nuevo\AIOS 2\env",
    r"C:\it's 100% (x86)\env",
    r"C:\R&D ^!\env",
    r"C:\$HOME `x` #a\ü,=[]{}~+@\env",
    r"\\server\share\new\env",
)


@pytest.mark.parametrize("made", [activators.virtualenv, activators.venv, activators.quoted])
@pytest.mark.parametrize("old", _ON_WINDOWS)
@pytest.mark.parametrize("new", _ON_WINDOWS)
def test_paths_of_windows(made: Callable[[PureWindowsPath], dict[str, str]], old: str, new: str) -> None:
    """What is read is where it lies; what is written is read as the new place, by the shell as the creator means it."""
    there = made(PureWindowsPath(new))
    for name, text in made(PureWindowsPath(old)).items():
        told = recorded_in(name, text)
        if told is None:
            assert name in {"activate_this.py", "activate.ps1", "deactivate.bat", "deactivate.csh", "pydoc.bat"}
            continue
        if "'" in old and name == "activate.nu" and made is activators.quoted:
            continue  # that is no text of nushell
        assert told == old, name
        again = respelled(name, text, old, new)
        assert again is not None, name
        assert recorded_in(name, again) == new, name
        assert old == new or old not in again, name
        if made is activators.virtualenv and not (name == "activate.bat" and set("&^!") & set(old + new)):
            assert again == there[name], name


@pytest.mark.parametrize("path", _ON_WINDOWS)
def test_what_virtualenv_leaves_out(path: str) -> None:
    assert is_made("activate.bat", path) is not activators.is_left_out(path)
    assert is_made("activate", path)


_PATHS = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1, max_size=30)


@pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell is asked")
@given(old=_PATHS, new=_PATHS)
@settings(max_examples=40, suppress_health_check=list(HealthCheck), deadline=None)
def test_a_shell_reads_what_was_written(tmp_path: Path, old: str, new: str) -> None:
    import shlex

    was, now = f"/old/{old}", f"/new/{new}"
    text = f"VIRTUAL_ENV={shlex.quote(was)}\nexport VIRTUAL_ENV\n[ -d {shlex.quote(was)} ] || true\n"
    told = respelled("activate", text, was, now)
    assert told is not None
    assert recorded_in("activate", told) == now
    path = tmp_path / "activate"
    path.write_text(told, encoding="utf-8")
    done = subprocess.run(
        ["/bin/sh", "-c", '. "$0"; printf %s "$VIRTUAL_ENV"', path], capture_output=True, check=True, timeout=20
    )
    assert done.stdout.decode("utf-8") == now
    assert was == now or f" {shlex.quote(was)} " not in told


@pytest.mark.skipif(sys.platform == "win32", reason="bin is POSIX's")
@pytest.mark.parametrize("creator", creators(), ids=str)
def test_what_comes_out_is_what_the_creator_writes_there(tmp_path: Path, creator: Creator) -> None:
    """Byte for byte, in every shell: the folder's name is the same, so the prompt is too."""
    base = bases()[-1]
    for there in ("two", "a b", "it's é", "dev\\R&D 100%\\#ü"):
        one = creator.make(base, tmp_path / "one" / "env")
        two = creator.make(base, tmp_path / there / "env")
        names = [path.name for path in (one / "bin").iterdir() if "activate" in path.name.lower()]
        assert len(names) > 3
        for name in names:
            old, new = ((env / "bin" / name).read_bytes().decode("utf-8") for env in (one, two))
            if (told := recorded_in(name, old)) is None:
                assert str(one) not in old, name
                continue
            assert told == str(one)
            again = respelled(name, old, str(one), str(two))
            assert again is not None
            if not set("'\\%") & set(there):  # there are several spellings then
                assert again == new, name
            assert recorded_in(name, again) == recorded_in(name, new) == str(two)
        shutil.rmtree(tmp_path / "one")
