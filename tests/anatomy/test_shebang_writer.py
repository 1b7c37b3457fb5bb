"""First lines made to start another interpreter: text, trampolines, and a launcher that distlib itself has written."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic.anatomy.shebang import interpreter_beside, interpreter_named, obstacle
from clinic.anatomy.shebang_writer import restarted

PIP = "#!/bin/sh\n'''exec' \"{0}\" \"$0\" \"$@\"\n' '''\n"
UV = "#!/bin/sh\n'''exec' '{0}' \"$0\" \"$@\"\n' '''\n"
OLD = [
    "#!/old/bin/python3.13\n",
    "#!/old/bin/python -E\n",
    "#! /old/bin/python\r\n",
    PIP.format("/old place/bin/python"),
    UV.format("/old place/bin/python"),
    UV.format("/it'\"'\"'s old/bin/python"),
]
BODY = "import sys\n# \u00e9 #!/old/bin/python\r\nsys.exit()\n"


@pytest.mark.parametrize("head", OLD)
def test_text(head: str) -> None:
    data = (head + BODY).encode()
    options = " -E" if "-E" in head else ""
    end = "\r\n" if "\r" in head else "\n"
    new = restarted(data, "/new/bin/python")
    assert new == f"#!/new/bin/python{options}{end}{BODY}".encode()
    new = restarted(data, "/new place/bin/python")
    assert new == (PIP.format("/new place/bin/python").replace('" "$0', f'"{options} "$0') + BODY).encode()


def test_what_pip_and_uv_write_is_what_comes_out() -> None:
    for path in ("/a/bin/python", "/a b/bin/python", f"/{'long' * 40}/bin/python"):
        plain = len(path) < 100 and " " not in path
        pip = f"#!{path}\n" if plain else PIP.format(path)
        assert restarted(f"#!/x/bin/python\n{BODY}".encode(), path) == (pip + BODY).encode()


def uv_launcher(python: str, *, optional: int = 0x20B, name: str = "UV_PYTHON_PATH") -> bytes:
    """A launcher as uv makes it, less its code: the table of resources has a section of its own."""
    path, script, base, address = python.encode(), b"PK\x03\x04 and so on", 0x400, 0x11000
    text = struct.pack("<H", len(name)) + name.encode("utf-16-le")
    manifest, raw, languages, entries = 0x20, 0x30, 0x50, 0x80
    table = bytearray(0xB0 + len(text))
    struct.pack_into("<12xHHIIII", table, 0, 0, 2, 24, 1 << 31 | manifest, 10, 1 << 31 | raw)
    struct.pack_into("<12xHHII", table, raw, 1, 0, 1 << 31 | 0xB0, 1 << 31 | languages)
    struct.pack_into("<12xHHII", table, languages, 0, 1, 1033, entries)
    struct.pack_into("<IIII", table, entries, address + len(table) + len(text), len(path), 1200, 0)
    table[0xB0:] = text
    head = bytearray(base)
    head[:2] = b"MZ"
    struct.pack_into("<I", head, 0x3C, 0x80)
    directories = 112 if optional == 0x20B else 96
    struct.pack_into("<4sHH12xH", head, 0x80, b"PE", 0, 2, directories + 128)
    struct.pack_into("<H", head, 0x98, optional)
    struct.pack_into("<II", head, 0x98 + directories + 16, address, 1)
    sections = 0x98 + directories + 128
    struct.pack_into("<8s4xI4xI", head, sections, b".text", 0x1000, 0x200)
    struct.pack_into("<8s4xI4xI", head, sections + 40, b".pedata", address, base)
    return bytes(head + table + text + path + script)


@pytest.mark.parametrize("optional", [0x20B, 0x10B])
def test_a_launcher_of_uv(optional: int) -> None:
    """It starts the python beside it then, wherever it is moved to; all else stays where it is."""
    old = "C:\\old é\\Scripts\\python.exe"
    made = uv_launcher(old, optional=optional)
    assert interpreter_named(made) == old
    new = restarted(made, "D:\\new place\\Scripts\\python.exe")
    assert new is not None
    assert interpreter_named(new) == ""
    assert interpreter_beside(new, Path("/env/Scripts")) == os.path.normpath("/env/Scripts/python.exe")
    assert (len(new), new[-14:], new[:0x400]) == (len(made), made[-14:], made[:0x400])
    assert restarted(new, "D:\\new\\Scripts\\pythonw.exe") is None, "there is no room for a longer name"
    assert restarted(new, "D:\\new\\Scripts\\python.exe") == new


@pytest.mark.parametrize("cut", [3, 0x3D, 0x90, 0x120, 0x401, 0x420, 0x470])
def test_what_is_no_whole_launcher_names_nothing(cut: int) -> None:
    made = uv_launcher("C:\\old\\Scripts\\python.exe")
    mark = "UV_PYTHON_PATH".encode("utf-16-le")
    assert interpreter_named(made[:cut] + mark) == interpreter_beside(made[:cut] + mark, Path("/x")) == ""
    assert interpreter_named(uv_launcher("C:\\x\\python.exe", name="UV_OTHER_PATH_") + mark) == ""


@pytest.mark.parametrize(
    ("data", "python"),
    [
        (b"#!/usr/bin/env python\n", "/new/bin/python"),
        (b"#!/bin/sh\necho\n", "/new/bin/python"),
        (b"#!/old/bin/python\n", "/new\udcff/bin/python"),  # Python would not read its own first line
        (b"#!/old/bin/python\n", "/new\nline/bin/python"),
        (b"#!/old/bin/python\n", "/new \\N place/bin/python"),
        (b"#!/old/bin/python\n# coding: latin-1\n'\xe9'\n", "/new place/bin/python"),
        (b"MZ no launcher of distlib", "C:\\new\\python.exe"),
        (b"", "/new/bin/python"),
    ],
)
def test_what_cannot_be_changed_is_said(data: bytes, python: str) -> None:
    assert restarted(data, python) is None


@given(folder=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=150))
def test_what_was_written_is_what_is_read(folder: str) -> None:
    python = f"/{folder}/bin/python3.13"
    for head in OLD:
        data = (head + BODY).encode()
        new = restarted(data, python)
        if new is not None:
            assert interpreter_named(new) == python
            assert new.endswith(BODY.encode())
            assert obstacle(new, 127) == ""
            compile(new, "script", "exec")
            again = restarted(new, "/old/bin/python")
            assert again is not None
            assert again.endswith(BODY.encode())


_KERNEL = pytest.mark.skipif(sys.platform == "win32", reason="first lines are POSIX's")


@_KERNEL
@pytest.mark.parametrize(
    "name", ["plain", "a b", "it's", 'a "b" c', "$HOME `x`", "100% #1 & ; | !", "é 🌉", "x" * 120, "'", "tab\there"]
)
def test_the_kernel_and_the_shell_agree(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "python").symlink_to(sys.executable)
    script = tmp_path / "script"
    new = restarted(
        b"#!/old/bin/python -I\nimport sys; print(ascii(sys.orig_argv[0]))\n", str(tmp_path / name / "python")
    )
    assert new is not None
    script.write_bytes(new)
    script.chmod(0o755)
    done = subprocess.run([script], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == ascii(str(tmp_path / name / "python"))


def launcher(folder: Path, python: str) -> Path:
    """A console script as distlib writes it on Windows, with its own program in front."""
    import distlib.scripts  # type: ignore[import-untyped]

    program = (Path(distlib.__file__).parent / "t64.exe").read_bytes()
    maker = distlib.scripts.ScriptMaker(None, str(folder))
    maker._is_nt, maker.executable, maker.variants = True, python, {""}
    maker._get_launcher = lambda _kind: program
    maker._build_shebang = lambda executable, after: b"#!" + executable + after + b"\n"  # what it does on Windows
    (path,) = maker.make("tool = package.module:main")
    return Path(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("D:\\bridge\\env\\Scripts\\python.exe", "C:\\other\\env\\Scripts\\python.exe"),
        ("D:\\bridge\\env\\Scripts\\python.exe", "C:\\Program Files\\Zo\u00eb's env\\Scripts\\pythonw.exe"),
        ('"D:\\a b\\env\\Scripts\\python.exe"', "C:\\env\\Scripts\\python.exe"),
    ],
)
def test_a_launcher_of_distlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    monkeypatch.setattr(os, "linesep", "\r\n")
    path = launcher(tmp_path, old)
    data = path.read_bytes()
    assert interpreter_named(data) == old.strip('"')
    changed = restarted(data, new)
    assert changed is not None
    assert interpreter_named(changed) == new
    spelled = f'"{new}"' if " " in new else new
    assert changed == data.replace(f"#!{old}".encode(), f"#!{spelled}".encode())
    with zipfile.ZipFile(io.BytesIO(changed)) as archive:
        assert b"from package.module import main" in archive.read("__main__.py")
    (tmp_path / "fresh").mkdir()
    fresh = launcher(tmp_path / "fresh", spelled).read_bytes()
    end = fresh.rindex(b"PK\x03\x04")  # the zip holds the time of writing
    assert changed[:end] == fresh[:end]


@pytest.mark.parametrize(
    ("data", "limit", "told"),
    [
        (b"#!/a/bin/python\n", 255, ""),
        (b"#!/a b/bin/python\n", 255, "blank"),
        (b"#!/a b/bin/python -E\n", 255, "blank"),
        (b"#!/a/bin/python -E\n", 255, ""),
        (b"#!/" + b"x" * 240 + b"/python3.13\n", 255, ""),
        (b"#!/" + b"x" * 242 + b"/python3.13\n", 255, "too-long"),
        (b"#!/" + b"x" * 120 + b"/python3.13\n", 127, "too-long"),
        (PIP.format("/a b/bin/python").encode(), 127, ""),
        (b"MZ#!C:\\a b\\python.exe\n\nPK\x03\x04", 127, ""),
        (b"#!/usr/bin/env python -E\n", 127, ""),
    ],
)
def test_what_the_kernel_cannot_start(data: bytes, limit: int, told: str) -> None:
    assert obstacle(data, limit) == told
