"""Reading a lock, as an editor or a shell of any system may have saved it."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from clinic.anatomy import lock

_TEXT = "# größer\r\nFast_API==1.2 ; python_version > '3' \\\r\n    --hash=sha256:00ff\r\nloose\r\n"


@pytest.mark.parametrize(
    "data",
    [
        _TEXT.encode(),
        codecs.BOM_UTF8 + _TEXT.encode(),
        codecs.BOM_UTF16_LE + _TEXT.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + _TEXT.encode("utf-16-be"),
        _TEXT.encode("cp1252"),
    ],
    ids=["utf-8", "with a mark", "PowerShell", "utf-16 the other way", "a code page"],
)
def test_pins_are_read_whatever_wrote_the_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "requirements.txt").write_bytes(data)
    (pin,) = lock.read(tmp_path / "requirements.txt")
    assert (pin.name, pin.version, pin.hashes) == ("fast-api", "1.2", ("sha256:00ff",))
    assert lock.unpinned(tmp_path / "requirements.txt") == ("loose",)


def test_what_is_not_there_pins_nothing(tmp_path: Path) -> None:
    assert lock.read(tmp_path / "gone.txt") == ()
