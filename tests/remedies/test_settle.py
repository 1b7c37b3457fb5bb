"""What is made in the staging place becomes right for its final path: byte by byte, on either platform."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest

from clinic.anatomy import record
from clinic.remedies.settle import correct_records, settle, settled
from tests.anatomy import activators

SEGMENT = ".clinic-0a1b2c3d"
POSIX = f"/p é/ai/{SEGMENT}/.venv"
WINDOWS = rf"C:\Users\Zoë\ai\{SEGMENT}\.venv"


@pytest.mark.parametrize(
    ("made", "final"),
    [
        (f"#!{POSIX}/bin/python\nx", "#!/p é/ai/.venv/bin/python\nx"),
        (
            f'#!/bin/sh\n\'\'\'exec\' "{POSIX}/bin/python" "$0" "$@"\n',
            '#!/bin/sh\n\'\'\'exec\' "/p é/ai/.venv/bin/python" "$0" "$@"\n',
        ),
        (f"VIRTUAL_ENV='{POSIX}'\n", "VIRTUAL_ENV='/p é/ai/.venv'\n"),
        (f'@set "VIRTUAL_ENV={WINDOWS}"\r\n', '@set "VIRTUAL_ENV=C:\\Users\\Zoë\\ai\\.venv"\r\n'),
        (f"$env:V = '{WINDOWS}'; {POSIX}", "$env:V = 'C:\\Users\\Zoë\\ai\\.venv'; /p é/ai/.venv"),
        (WINDOWS.replace("\\", "\\\\"), "C:\\\\Users\\\\Zoë\\\\ai\\\\.venv"),
        ("nothing of it", "nothing of it"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_text(made: str, final: str, encoding: str) -> None:
    assert settled(made.encode(encoding), SEGMENT) == final.encode(encoding)


@pytest.mark.parametrize(
    "final",
    [
        PureWindowsPath(r"C:\dev\año nuevo\AIOS 2\.venv"),
        PureWindowsPath(r"C:\it's 100% (x86)\.venv"),
        PureWindowsPath(r"C:\$HOME `x` #a\ü,=[]{}~+@\.venv"),
        PureWindowsPath(r"\\server\R&D ^!\.venv"),
        PurePosixPath("/p é/it's $HOME! 100%/.venv"),
    ],
    ids=str,
)
@pytest.mark.parametrize("made", [activators.virtualenv, activators.venv, activators.quoted])
def test_activation_scripts(made: Callable[[PurePath], dict[str, str]], final: PurePath) -> None:
    """Word for word what the creator writes at the final path."""
    there = made(final.parent / SEGMENT / final.name)
    assert {name: settled(text.encode(), SEGMENT) for name, text in there.items()} == {
        name: text.encode() for name, text in made(final).items()
    }


def launcher(shebang: str) -> bytes:
    """A launcher as distlib makes it: stub, shebang, zip; the stub holds what could be mistaken for either."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("__main__.py", "print('hello')")
    return b"MZ\0\0#!stub\nPK\0" + shebang.encode() + b"\r\n" + packed.getvalue()


def test_a_windows_launcher() -> None:
    made = settled(launcher(f'#!"{WINDOWS}\\Scripts\\python.exe"\n'), SEGMENT)
    assert made == launcher('#!"C:\\Users\\Zoë\\ai\\.venv\\Scripts\\python.exe"\n')
    assert made is not None
    with zipfile.ZipFile(io.BytesIO(made)) as archive:
        assert archive.read("__main__.py") == b"print('hello')"


@pytest.mark.parametrize(
    "data",
    [
        b"\x7fELF\0\0" + POSIX.encode() + b"\0",
        b"MZ\0\0UV_PYTHON_PATH" + WINDOWS.encode() + b"\0",
        launcher("#!python.exe\n") + WINDOWS.encode(),
        f"{SEGMENT} is named without a path".encode(),
    ],
    ids=["binary", "resource", "behind the zip", "no path"],
)
def test_what_cannot_be_changed_is_said(data: bytes) -> None:
    assert settled(data, SEGMENT) is None


def test_records_follow(tmp_path: Path) -> None:
    site, script = tmp_path / "lib" / "site-packages", tmp_path / "bin" / "tool"
    info = site / "tool-1.0.dist-info"
    info.mkdir(parents=True)
    script.parent.mkdir()
    script.write_bytes(f"#!{POSIX}/bin/python\n".encode())
    script.chmod(0o755)
    old = record.digest_of(script.read_bytes())
    (info / "RECORD").write_bytes(f'../../bin/tool,sha256={old},99\r\n"a,b.py",sha256=x,1\r\ntool.pyc,,\r\n'.encode())
    changed, stuck = settle([script], SEGMENT)
    correct_records(site, changed)
    assert (stuck, list(changed)) == ([], [script])
    assert script.stat().st_mode & 0o777 == 0o755
    new, size = record.digest_of(script.read_bytes()), script.stat().st_size
    expected = f'../../bin/tool,sha256={new},{size}\r\n"a,b.py",sha256=x,1\r\ntool.pyc,,\r\n'
    assert (info / "RECORD").read_bytes() == expected.encode()


def test_the_row_of_what_is_left_out_goes(tmp_path: Path) -> None:
    info = tmp_path / "Lib" / "site-packages" / "tool-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "RECORD").write_bytes(b"../../Scripts/tool.exe,sha256=x,1\r\ntool.py,,\r\n")
    correct_records(info.parent, {tmp_path / "Scripts" / "tool.exe": None})
    assert (info / "RECORD").read_bytes() == b"tool.py,,\r\n"
