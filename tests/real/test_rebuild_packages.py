"""What goes into a rebuilt environment: the lock, what was there, and who installs it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from clinic import flow
from clinic.errors import FailedError, RefusedError
from clinic.records import Records
from tests.real.wheels import Site, build, library, rebuilt

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the layout of these environments is POSIX's")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A project."""
    return Site(tmp_path / "project")


def test_drift_is_told(site: Site) -> None:
    rebuilt(site)
    extra = build(site.wheelhouse, "beyond", "3.0", {"beyond.py": ""})
    other = site.root / "other.txt"
    other.write_text(library(site.wheelhouse, "0.9").line + extra.line, encoding="utf-8")
    rebuilt(site, requirements=other)
    drift = rebuilt(site).data["drift"]
    assert drift["extra"] == [{"name": "beyond", "version": "3.0"}]
    assert drift["missing"] == [{"name": "tinyserve", "version": "1.0"}]
    assert drift["other_version"] == [{"name": "tinylib", "installed": ["0.9"], "locked": "1.0"}]


def test_as_installed_keeps_what_was_there(site: Site) -> None:
    other = site.root / "other.txt"
    extra = build(site.wheelhouse, "beyond", "3.0", {"beyond.py": ""})
    other.write_text(library(site.wheelhouse, "0.9").line + extra.line, encoding="utf-8")
    rebuilt(site, requirements=other)
    result = rebuilt(site, as_installed=True)
    assert result.data["without_hash"] == []
    again = rebuilt(site, as_installed=True).data["drift"]
    assert [each["name"] for each in again["extra"]] == ["beyond"]
    extra.path.unlink()
    with pytest.raises(RefusedError, match=r"No hash can be had for beyond 3\.0"):
        rebuilt(site, as_installed=True)


def test_as_installed_asks_the_snapshot_for_what_metadata_lost(site: Site) -> None:
    rebuilt(site)
    Records(site.settings.records).save_snapshot(site.venv, {"distributions": {"tinylib": "1.0", "tinyserve": "1.0"}})
    info = next((site.venv / "lib").glob("*/site-packages/tinylib-1.0.dist-info"))
    shutil.rmtree(info)
    assert any("tinylib" in note for note in rebuilt(site, as_installed=True).notes)
    assert flow.diagnose(site.settings).outcome == "healthy"


def test_requirements_without_hashes_need_a_flag(site: Site) -> None:
    site.lock.write_text("tinylib==1.0\ntinyserve==1.0\n", encoding="utf-8")
    with pytest.raises(RefusedError) as caught:
        rebuilt(site)
    assert caught.value.code == "lock-unhashed"
    assert not site.venv.exists()
    rebuilt(site, no_hashes=True)
    assert flow.diagnose(site.settings).outcome == "healthy"


def test_what_pip_was_told_counts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", site.wheelhouse.as_uri())
    assert flow.rebuild(site.settings).outcome == "cured"


def test_pip_is_tried_where_uv_fails(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = site.root / "uv"
    failing.write_text("#!/bin/sh\necho 'error: not today'\nexit 2\n", encoding="utf-8")
    failing.chmod(0o755)
    monkeypatch.setattr("clinic.remedies.install.find_uv", lambda: str(failing))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", site.wheelhouse.as_uri())
    assert flow.rebuild(site.settings).data["installer"] == "pip"
    monkeypatch.delenv("PIP_FIND_LINKS")
    with pytest.raises(FailedError, match="not today"):
        flow.rebuild(site.settings)
