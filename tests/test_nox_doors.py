"""The doors that Nox goes through: flags, paths from the caller's folder, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clinic import flow, nox_doors
from clinic.errors import RefusedError
from clinic.model import Result


def test_every_flag_of_a_rebuild_arrives(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    seen: dict[str, Any] = {}

    def rebuild(_settings: object, venv: object, **flags: Any) -> Result:
        seen.update(flags, venv=venv)
        return Result("rebuild", "planned", 0, {"plan": []})

    monkeypatch.setattr(flow, "rebuild", rebuild, raising=False)
    words = ["--venv", "v", "--python", "./py", "--requirements", "r.txt", "--wheelhouse", "w", "--offline"]
    words += ["--as-installed", "--no-hashes", "--yes", "--dry-run", "--json"]
    assert nox_doors.rebuild_venv(words, tmp_path) == 0
    seen.pop("progress")
    paths = {"venv": "v", "requirements": "r.txt", "wheelhouse": "w"}
    assert {name: seen.pop(name) for name in paths} == {name: tmp_path / path for name, path in paths.items()}
    assert seen.pop("python") == str(tmp_path / "py")
    assert set(seen.values()) == {True}
    assert set(seen) == {"offline", "as_installed", "no_hashes", "yes", "dry_run"}
    assert json.loads(capsys.readouterr().out)["outcome"] == "planned"


def test_a_refusal_has_its_exit_code(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def rebuild(*_: object, **__: object) -> Result:
        raise RefusedError("no", "No.", "type something else")

    monkeypatch.setattr(flow, "rebuild", rebuild, raising=False)
    assert nox_doors.rebuild_venv(["--json"]) == 2
    assert json.loads(capsys.readouterr().out)["outcome"] == "refused"


@pytest.mark.parametrize("door", [nox_doors.rebuild_venv, nox_doors.wheelhouse])
def test_unknown_flags_are_misuse(door: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        door(["--wheelhuose=x"])
    assert caught.value.code == 2
    assert "--wheelhuose" in capsys.readouterr().err
