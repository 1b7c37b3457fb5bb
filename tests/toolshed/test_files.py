"""What Windows refuses while another program has a file open is tried again."""

from __future__ import annotations

import errno
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from toolshed import files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def refusing(real: Callable[..., Any], code: int | None, times: int) -> Callable[..., Any]:
    """A call that fails as on Windows so many times."""
    calls = []

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) <= times:
            error = PermissionError(errno.EACCES, "in use")
            setattr(error, "winerror", code)  # noqa: B010 - unknown to mypy elsewhere
            raise error
        return real(*args, **kwargs)

    return call


@pytest.mark.parametrize("code", sorted(files.IN_USE))
def test_what_is_in_use_for_a_moment_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    kind = type(tmp_path)
    monkeypatch.setattr(kind, "rename", refusing(kind.rename, code, 5))
    files.move(tmp_path / "a", tmp_path / "c")
    monkeypatch.setattr(shutil, "rmtree", refusing(shutil.rmtree, code, 5))
    files.remove(tmp_path / "c")
    (tmp_path / "new").touch()
    monkeypatch.setattr(kind, "replace", refusing(kind.replace, code, 5))
    files.replace(tmp_path / "new", tmp_path / "stamp")
    assert [path.name for path in tmp_path.iterdir()] == ["stamp"]


@pytest.mark.parametrize(("code", "limit"), [(None, 600.0), (32, 0.0)])
def test_what_is_refused_for_good_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int | None, limit: float
) -> None:
    kind = type(tmp_path)
    monkeypatch.setattr(files, "RETRY_FOR", limit)
    monkeypatch.setattr(kind, "rename", refusing(kind.rename, code, 10**6))
    with pytest.raises(PermissionError):
        files.move(tmp_path, tmp_path / "c")
