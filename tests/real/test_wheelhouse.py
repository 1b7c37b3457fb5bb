"""Filling a wheelhouse with pip, hashes required, from a folder that stands for an index; then rebuilding from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from clinic import flow
from clinic.errors import FailedError
from clinic.flow.wheelhouse import wheelhouse
from tests.real.wheels import Site, library


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A project whose packages pip finds in a folder, and nowhere else."""
    site = Site(tmp_path / "project")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", site.wheelhouse.as_uri())
    return site


def test_a_rebuild_from_what_was_downloaded(site: Site, tmp_path: Path) -> None:
    told = wheelhouse(site.settings, tmp_path / "filled")
    assert told.data["wheels"] == [wheel.path.name for wheel in sorted(site.wheels, key=lambda each: each.name)]
    assert told.data["bytes"] > 0
    assert flow.rebuild(site.settings, wheelhouse=tmp_path / "filled").outcome == "cured"


def test_markers_are_judged_for_the_platform_that_was_asked_for(site: Site, tmp_path: Path) -> None:
    windows = site.wheels[0].line.replace("==1.0", "==1.0 ; sys_platform == 'win32'")
    site.lock.write_text(windows + site.wheels[1].line, encoding="utf-8")
    here = wheelhouse(site.settings, tmp_path / "linux", platforms=["manylinux_2_28_x86_64"], python="3.12")
    there = wheelhouse(site.settings, tmp_path / "windows", platforms=["win_amd64"], python="3.12")
    assert here.data["wheels"] == ["tinyserve-1.0-py3-none-any.whl"]
    assert there.data["wheels"] == ["tinylib-1.0-py3-none-any.whl", "tinyserve-1.0-py3-none-any.whl"]


def test_a_wheel_that_is_not_the_locked_one_is_refused(site: Site, tmp_path: Path) -> None:
    library(site.wheelhouse, "1.0")
    with (site.wheelhouse / "tinylib-1.0-py3-none-any.whl").open("ab") as stream:
        stream.write(b"tampered")
    with pytest.raises(FailedError) as caught:
        wheelhouse(site.settings, tmp_path / "filled")
    assert caught.value.code == "hash-mismatch"
